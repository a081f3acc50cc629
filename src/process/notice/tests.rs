//! Each line with its level, as it stands in the activity log.

use std::time::Duration;

use super::*;

const PID: i32 = 42;

fn error() -> String {
    "[Errno 3] No such process".to_owned()
}

#[test]
fn every_line_and_its_level() {
    use Purpose::{Kill, Request};
    let (signal, scope) = (15, Scope::Process);
    let (ended, killed) = (ExitStatus::Code(3), ExitStatus::Signal { number: 9, core: false });
    let limit = RestartLimit { count: 5, within: Duration::from_secs(60) };
    let rows = [
        (Notice::Spawned { pid: PID }, "INFO spawned: 'a' with pid 42"),
        (Notice::SpawnError("command is empty".to_owned()), "INFO spawnerr: command is empty"),
        (
            Notice::EnteredRunning { startsecs: 1 },
            "INFO success: a entered RUNNING state, process has stayed up for > than 1 seconds \
             (startsecs)",
        ),
        (
            Notice::EnteredFatal,
            "INFO gave up: a entered FATAL state, too many start retries too quickly",
        ),
        (
            Notice::TooManyRestarts(limit),
            "INFO gave up: a entered FATAL state, more than 5 restarts in 60 seconds \
             (restart_limit)",
        ),
        (
            Notice::Exited { status: ended, expected: true },
            "INFO exited: a (exit status 3; expected)",
        ),
        (
            Notice::Exited { status: ended, expected: false },
            "WARN exited: a (exit status 3; not expected)",
        ),
        (
            Notice::Exited { status: killed, expected: false },
            "WARN exited: a (terminated by SIGKILL; not expected)",
        ),
        (Notice::Stopped { status: ended, listed: true }, "INFO stopped: a (exit status 3)"),
        (Notice::Stopped { status: ended, listed: false }, "WARN stopped: a (exit status 3)"),
        (
            Notice::Stopped { status: killed, listed: false },
            "WARN stopped: a (terminated by SIGKILL)",
        ),
        (Notice::Killing { pid: PID }, "WARN killing 'a' (42) with SIGKILL"),
        (
            Notice::Signalling { pid: PID, signal, scope, purpose: Kill },
            "DEBG killing a (pid 42) with signal SIGTERM",
        ),
        (
            Notice::Signalling { pid: PID, signal, scope: Scope::Group, purpose: Kill },
            "DEBG killing a (pid 42) process group with signal SIGTERM",
        ),
        (
            Notice::Signalling { pid: PID, signal, scope, purpose: Request },
            "DEBG sending a (pid 42) sig SIGTERM",
        ),
        (
            Notice::SignalTooLate { pid: PID, error: error(), purpose: Kill },
            "DEBG unable to signal a (pid 42), it probably just exited on its own: [Errno 3] No \
             such process",
        ),
        (
            Notice::SignalTooLate { pid: PID, error: error(), purpose: Request },
            "DEBG unable to signal a (pid 42), it probably just now exited on its own: [Errno 3] \
             No such process",
        ),
        (
            Notice::SignalRefused { pid: PID, error: error(), purpose: Kill },
            "CRIT unknown problem killing a (42):[Errno 3] No such process",
        ),
        (
            Notice::SignalRefused { pid: PID, error: error(), purpose: Request },
            "CRIT unknown problem sending sig a (42):[Errno 3] No such process",
        ),
        (
            Notice::NotRunning { signal, purpose: Kill },
            "DEBG attempted to kill a with sig SIGTERM but it wasn't running",
        ),
        (
            Notice::NotRunning { signal, purpose: Request },
            "DEBG attempted to send a sig SIGTERM but it wasn't running",
        ),
        (Notice::AlreadyRunning, "WARN process 'a' already running"),
        (Notice::StoppedInBackoff, "DEBG Attempted to kill a, which is in BACKOFF state."),
        (Notice::WaitingToStop, "INFO waiting for a to stop"),
    ];
    for (notice, line) in rows {
        assert_eq!(format!("{} {}", notice.level().tag(), notice.about("a")), line);
    }
}
