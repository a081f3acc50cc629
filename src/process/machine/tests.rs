//! A row per transition with time moved by hand, and every input in every state.

use super::*;
use crate::process::state::ALL;

mod policy;

const PID: i32 = 42;

/// A process, and a clock that only the test moves.
#[derive(Clone)]
struct Life {
    process: Process,
    millis: u64,
    may_spawn: bool,
}

impl Life {
    fn new(configure: impl FnOnce(&mut Program)) -> Life {
        let mut program = Program::plain("a", "/bin/a");
        configure(&mut program);
        Life { process: Process::new(Arc::new(program)), millis: 5_000, may_spawn: true }
    }

    fn now(&self) -> Now {
        let mono = Duration::from_millis(self.millis);
        Now { mono, wall: Duration::from_secs(1_795_222_152) + mono }
    }

    fn take(&mut self, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        self.process.step(self.now(), input, self.may_spawn, &mut out);
        out.iter().map(word).collect()
    }

    fn after(&mut self, millis: u64, input: Input) -> Vec<String> {
        self.millis += millis;
        self.take(input)
    }

    /// Brings the process into a state by the usual way.
    fn into(mut self, state: ProcessState) -> Life {
        use ProcessState as S;
        let way: &[(u64, Input)] = match state {
            S::Stopped => &[],
            S::Starting => &[(0, Input::Start), (0, announced())],
            S::Running => &[(0, Input::Start), (0, announced()), (1000, Input::Deadline)],
            S::Backoff => &[(0, Input::Start), (0, failed("command is empty"))],
            S::Stopping => &[(0, Input::Start), (0, announced()), (0, Input::Stop)],
            S::Exited => &[
                (0, Input::Start),
                (0, announced()),
                (1000, Input::Deadline),
                (0, Input::Reaped(ExitStatus::Code(0))),
                (0, Input::Drained),
            ],
            S::Fatal => {
                self.process.backoff = 99;
                &[(0, Input::Start), (0, failed("command is empty")), (0, Input::Deadline)]
            }
            S::Unknown => &[(0, Input::Start), (0, announced()), (0, Input::Stop), (0, refused())],
        };
        for (millis, input) in way {
            self.after(*millis, input.clone());
        }
        assert_eq!(self.process.state(), state);
        self
    }
}

fn announced() -> Input {
    Input::Announced { pid: PID }
}

fn failed(text: &str) -> Input {
    Input::SpawnFailed(SpawnFailure { text: text.to_owned(), lacks_resources: false })
}

fn refused() -> Input {
    Input::SignalRefused { error: "EPERM".to_owned(), purpose: Purpose::Kill }
}

fn reaped(code: i32) -> Input {
    Input::Reaped(ExitStatus::Code(code))
}

fn word(effect: &Effect) -> String {
    match effect {
        Effect::Spawn(number) => format!("spawn {}", number.0),
        Effect::Drain(number) => format!("drain {}", number.0),
        Effect::CallOff(number) => format!("call off {}", number.0),
        Effect::Signal { pid, signal, scope, purpose } => {
            format!("send {signal} to {pid} {scope:?} {purpose:?}")
        }
        Effect::Transition(t) => {
            format!("{}>{} pid:{} tries:{} expected:{}", t.from, t.to, t.pid, t.tries, t.expected)
        }
        Effect::Notice(n) => format!("{:?} {}", n.level(), n.about("a")),
    }
}

fn check(life: &mut Life, millis: u64, input: Input, to: ProcessState, effects: &[&str]) {
    let row = format!("{} {input:?}", life.process.state());
    assert_eq!(life.after(millis, input), effects, "{row}");
    assert_eq!(life.process.state(), to, "{row}");
}

#[test]
fn stopped_autostarts_once() {
    let mut life = Life::new(|_| {});
    assert_eq!(life.process.next_deadline(true), Some(Mono::ZERO));
    assert_eq!(life.process.next_deadline(false), None);
    check(
        &mut life,
        0,
        Input::Deadline,
        ProcessState::Starting,
        &["STOPPED>STARTING pid:0 tries:0 expected:false", "spawn 1"],
    );
    let mut life = Life::new(|_| {}).into(ProcessState::Stopping);
    life.take(reaped(0));
    life.take(Input::Drained);
    assert_eq!(life.process.state(), ProcessState::Stopped);
    assert_eq!(life.process.next_deadline(true), None, "a stopped one stays so");
    let life = Life::new(|p| p.autostart = false);
    assert_eq!(life.process.next_deadline(true), None);
}

#[test]
fn start_request_spawns_from_every_stopped_state() {
    for from in [ProcessState::Stopped, ProcessState::Exited, ProcessState::Fatal] {
        let mut life = Life::new(|_| {}).into(from);
        let tries = life.process.backoff;
        let spawn = life.process.spawn.0 + 1;
        check(
            &mut life,
            0,
            Input::Start,
            ProcessState::Starting,
            &[
                &format!("{from}>STARTING pid:0 tries:{tries} expected:false"),
                &format!("spawn {spawn}"),
            ],
        );
        assert_eq!(life.process.spawn_error(), None);
    }
    let mut life = Life::new(|_| {}).into(ProcessState::Backoff);
    check(
        &mut life,
        0,
        Input::Start,
        ProcessState::Starting,
        &["BACKOFF>STARTING pid:0 tries:1 expected:false", "spawn 2"],
    );
}

#[test]
fn starting_becomes_running_after_startsecs() {
    let mut life = Life::new(|p| p.startsecs = 2);
    life.take(Input::Start);
    assert_eq!(life.process.next_deadline(true), None, "no pid yet");
    check(&mut life, 0, announced(), ProcessState::Starting, &["Info spawned: 'a' with pid 42"]);
    assert_eq!(life.process.next_deadline(true), Some(life.now().mono + secs(2)));
    check(&mut life, 1999, Input::Deadline, ProcessState::Starting, &[]);
    check(
        &mut life,
        1,
        Input::Deadline,
        ProcessState::Running,
        &[
            "STARTING>RUNNING pid:42 tries:0 expected:false",
            "Info success: a entered RUNNING state, process has stayed up for > than 2 seconds \
             (startsecs)",
        ],
    );
    assert_eq!(life.process.next_deadline(true), None);
}

#[test]
fn startsecs_zero_passes_starting() {
    let mut life = Life::new(|p| p.startsecs = 0);
    life.take(Input::Start);
    life.take(announced());
    assert_eq!(life.process.next_deadline(true), Some(life.now().mono));
    life.take(Input::Deadline);
    assert_eq!(life.process.state(), ProcessState::Running);
}

#[test]
fn spawn_failure_backs_off() {
    let mut life = Life::new(|_| {});
    life.take(Input::Start);
    check(
        &mut life,
        0,
        failed("can't find command '/bin/a'"),
        ProcessState::Backoff,
        &[
            "Info spawnerr: can't find command '/bin/a'",
            "STARTING>BACKOFF pid:0 tries:1 expected:false",
        ],
    );
    assert_eq!(life.process.spawn_error(), Some("can't find command '/bin/a'"));
    assert_eq!(life.process.next_deadline(true), Some(life.now().mono + secs(1)));
    assert_eq!(life.process.next_deadline(false), None);
}

#[test]
fn lack_of_resources_is_retried_without_end_and_told_once() {
    let mut life = Life::new(|p| p.startretries = Retries::Limited(0));
    let told = |effects: Vec<String>| -> Vec<String> {
        effects.into_iter().filter(|word| word.starts_with("Info ")).collect()
    };
    life.take(Input::Start);
    for round in 1..20u64 {
        let what = if round % 3 > 0 { "open files" } else { "processes" };
        let text = format!("too many {what} to spawn 'a'");
        let line = format!("Info spawnerr: {text}");
        let failure = SpawnFailure { text, lacks_resources: true };
        let expected = if round == 1 { vec![line] } else { vec![] };
        assert_eq!(told(life.take(Input::SpawnFailed(failure))), expected, "{round}");
        assert_eq!(life.process.state(), ProcessState::Backoff);
        assert_eq!(life.process.backoff, 0);
        let wait = secs(i64::try_from(round.min(5)).unwrap());
        assert_eq!(life.process.next_deadline(true), Some(life.now().mono + wait));
        life.after(wait.as_millis() as u64, Input::Deadline);
        assert_eq!(life.process.state(), ProcessState::Starting);
    }
    let again = "Info 'a' can be started again, after 19 tries in vain";
    assert_eq!(told(life.take(announced())), ["Info spawned: 'a' with pid 42"]);
    assert!(told(life.after(1000, Input::Deadline)).contains(&again.to_owned()));
    assert_eq!(life.process.state(), ProcessState::Running);
}

/// As where its user may have no more processes, which is found out when it executes.
#[test]
fn a_child_that_lacks_resources_to_execute_is_no_failed_start() {
    for startsecs in [0, 1] {
        let mut life = Life::new(|p| {
            p.startretries = Retries::Limited(0);
            p.startsecs = startsecs;
        });
        life.take(Input::Start);
        for round in 1..9u64 {
            // The exit may be noticed before the thread has told of anything.
            let overtaken = round % 2 == 0;
            if !overtaken {
                life.take(Input::ExecLacked);
            }
            life.take(announced());
            if overtaken {
                life.take(reaped(127));
                life.take(Input::ExecLacked);
                life.take(Input::Drained);
                assert_eq!(life.process.state(), ProcessState::Backoff);
                life.after(5000, Input::Deadline);
                continue;
            }
            assert_eq!(life.process.next_deadline(true), None, "it is about to exit");
            check(&mut life, 0, Input::Deadline, ProcessState::Starting, &[]);
            life.take(reaped(127));
            life.take(Input::Drained);
            assert_eq!((life.process.state(), life.process.backoff), (ProcessState::Backoff, 0));
            assert_eq!(
                life.process.spawn_error(),
                Some("Exited too quickly (process log may have details)")
            );
            let wait = secs(i64::try_from(round.min(5)).unwrap());
            assert_eq!(life.process.next_deadline(true), Some(life.now().mono + wait));
            life.after(wait.as_millis() as u64, Input::Deadline);
        }
        life.take(announced());
        let told = life.after(1000, Input::Deadline);
        let again = "Info 'a' can be started again, after 8 tries in vain".to_owned();
        assert!(told.contains(&again), "{told:?}");
        assert_eq!(life.process.state(), ProcessState::Running);
    }
}

/// One that is to stop meanwhile is stopped.
#[test]
fn a_child_that_executes_nothing_can_be_stopped() {
    let mut life = Life::new(|_| {});
    life.take(Input::Start);
    life.take(Input::ExecLacked);
    life.take(announced());
    life.take(Input::Stop);
    life.take(reaped(127));
    life.take(Input::Drained);
    assert_eq!(life.process.state(), ProcessState::Stopped);
    life.take(Input::Start);
    life.take(announced());
    life.after(1000, Input::Deadline);
    assert_eq!(life.process.state(), ProcessState::Running);
}

#[test]
fn who_asks_for_a_start_is_told_again_what_is_lacking() {
    let mut life = Life::new(|_| {});
    let failure = || {
        let text = "too many open files to spawn 'a'".to_owned();
        Input::SpawnFailed(SpawnFailure { text, lacks_resources: true })
    };
    for _ in 0..2 {
        life.take(Input::Start);
        let told = life.take(failure());
        assert!(told.contains(&"Info spawnerr: too many open files to spawn 'a'".to_owned()));
        life.take(Input::Stop);
        assert_eq!(life.process.state(), ProcessState::Stopped);
    }
    // Once is no more than its own line.
    life.take(Input::Start);
    life.take(failure());
    life.after(1000, Input::Deadline);
    let word = |effects: Vec<String>| effects.iter().any(|word| word.contains("in vain"));
    assert!(!word(life.take(announced())));
}

#[test]
fn quick_exit_backs_off_even_with_a_listed_code() {
    let mut life = Life::new(|_| {}).into(ProcessState::Starting);
    check(&mut life, 999, reaped(0), ProcessState::Starting, &["drain 1"]);
    assert_eq!(life.process.pid(), None, "no target any more");
    // However late the drain comes, the life is measured to the exit.
    check(
        &mut life,
        1500,
        Input::Drained,
        ProcessState::Backoff,
        &[
            "STARTING>BACKOFF pid:0 tries:1 expected:false",
            "Warn exited: a (exit status 0; not expected)",
        ],
    );
    let error = "Exited too quickly (process log may have details)";
    assert_eq!(life.process.spawn_error(), Some(error));
    assert_eq!(life.process.exit_code(), None);
}

#[test]
fn exit_after_startsecs_but_before_the_deadline_was_seen() {
    let mut life = Life::new(|_| {}).into(ProcessState::Starting);
    life.after(1000, reaped(0));
    check(
        &mut life,
        0,
        Input::Drained,
        ProcessState::Exited,
        &[
            "STARTING>RUNNING pid:42 tries:0 expected:false",
            "RUNNING>EXITED pid:42 tries:0 expected:true",
            "Info exited: a (exit status 0; expected)",
        ],
    );
}

#[test]
fn exits_from_running() {
    let rows = [
        (ExitStatus::Code(0), true, "Info exited: a (exit status 0; expected)", None),
        (
            ExitStatus::Code(3),
            false,
            "Warn exited: a (exit status 3; not expected)",
            Some("Bad exit code 3"),
        ),
        (
            ExitStatus::Signal { number: 9, core: false },
            false,
            "Warn exited: a (terminated by SIGKILL; not expected)",
            Some("Bad exit code -1"),
        ),
    ];
    for (status, expected, line, error) in rows {
        let mut life = Life::new(|_| {}).into(ProcessState::Running);
        check(&mut life, 5, Input::Reaped(status), ProcessState::Running, &["drain 1"]);
        let change = format!("RUNNING>EXITED pid:42 tries:0 expected:{expected}");
        check(&mut life, 0, Input::Drained, ProcessState::Exited, &[&change, line]);
        assert_eq!(life.process.exit_code(), Some(status.code()));
        assert_eq!(life.process.spawn_error(), error);
        let due = life.process.next_deadline(true);
        assert_eq!(due, (!expected).then_some(Mono::ZERO), "autorestart=unexpected");
        assert_eq!(life.process.next_deadline(false), None, "not during shutdown");
    }
}

#[test]
fn autorestart_rules() {
    for (rule, code, restarts) in [
        (Autorestart::Never, 1, false),
        (Autorestart::Never, 0, false),
        (Autorestart::Always, 0, true),
        (Autorestart::Always, 1, true),
        (Autorestart::Unexpected, 0, false),
        (Autorestart::Unexpected, 1, true),
    ] {
        let mut life = Life::new(|p| p.autorestart = rule).into(ProcessState::Running);
        life.take(reaped(code));
        life.take(Input::Drained);
        assert_eq!(life.process.next_deadline(true).is_some(), restarts, "{rule:?} {code}");
        life.take(Input::Deadline);
        let state = if restarts { ProcessState::Starting } else { ProcessState::Exited };
        assert_eq!(life.process.state(), state, "{rule:?} {code}");
    }
}

#[test]
fn a_drain_that_hangs_delays_the_exit_no_longer_than_its_limit() {
    let mut life = Life::new(|_| {}).into(ProcessState::Running);
    life.take(reaped(0));
    assert_eq!(life.process.next_deadline(true), Some(life.now().mono + DRAIN_LIMIT));
    let limit = DRAIN_LIMIT.as_millis() as u64;
    check(&mut life, limit - 1, Input::Deadline, ProcessState::Running, &[]);
    life.after(1, Input::Deadline);
    assert_eq!(life.process.state(), ProcessState::Exited);
    check(&mut life, 0, Input::Drained, ProcessState::Exited, &[]);
}

#[test]
fn retries_wait_one_second_more_each_time_and_end_in_fatal() {
    let mut life = Life::new(|p| p.startretries = Retries::Limited(2));
    life.take(Input::Start);
    for n in 1..=2u64 {
        life.take(failed("command is empty"));
        check(&mut life, n * 1000 - 1, Input::Deadline, ProcessState::Backoff, &[]);
        life.after(1, Input::Deadline);
        assert_eq!(life.process.state(), ProcessState::Starting);
    }
    life.take(failed("command is empty"));
    assert_eq!(life.process.next_deadline(false), Some(Mono::ZERO));
    check(
        &mut life,
        0,
        Input::Deadline,
        ProcessState::Fatal,
        &[
            "BACKOFF>FATAL pid:0 tries:0 expected:false",
            "Info gave up: a entered FATAL state, too many start retries too quickly",
        ],
    );
    assert_eq!(life.process.spawn_error(), Some("command is empty"));
    assert_eq!(life.process.next_deadline(true), None);
}

#[test]
fn negative_startretries_is_fatal_at_the_first_failure() {
    let mut life = Life::new(|p| p.startretries = Retries::Limited(-1));
    life.take(Input::Start);
    life.take(failed("command is empty"));
    life.take(Input::Deadline);
    assert_eq!(life.process.state(), ProcessState::Fatal);
}

#[test]
fn backoff_ends_by_shutdown_or_by_stop() {
    let mut life = Life::new(|_| {}).into(ProcessState::Backoff);
    let line = "BACKOFF>FATAL pid:0 tries:0 expected:false";
    check(&mut life, 0, Input::GiveUp, ProcessState::Fatal, &[line]);

    let mut life = Life::new(|_| {}).into(ProcessState::Backoff);
    check(
        &mut life,
        0,
        Input::Stop,
        ProcessState::Stopped,
        &[
            "Debug Attempted to kill a, which is in BACKOFF state.",
            "BACKOFF>STOPPED pid:0 tries:1 expected:false",
        ],
    );
    assert_eq!(life.process.backoff, 1, "the count is kept");
    assert_eq!(life.process.spawn_error(), Some("command is empty"), "and so is the reason");
}

#[test]
fn no_retry_during_shutdown() {
    let mut life = Life::new(|_| {}).into(ProcessState::Backoff);
    life.may_spawn = false;
    check(&mut life, 60_000, Input::Deadline, ProcessState::Backoff, &[]);
}

#[test]
fn stop_signals_and_escalates() {
    for from in [ProcessState::Starting, ProcessState::Running] {
        let mut life = Life::new(|_| {}).into(from);
        check(
            &mut life,
            0,
            Input::Stop,
            ProcessState::Stopping,
            &[
                "Debug killing a (pid 42) with signal SIGTERM",
                &format!("{from}>STOPPING pid:42 tries:0 expected:false"),
                "send 15 to 42 Process Kill",
            ],
        );
        let kill = [
            "Warn killing 'a' (42) with SIGKILL",
            "Debug killing a (pid 42) with signal SIGKILL",
            "send 9 to 42 Process Kill",
        ];
        check(&mut life, 9_999, Input::Deadline, ProcessState::Stopping, &[]);
        check(&mut life, 1, Input::Deadline, ProcessState::Stopping, &kill);
        check(&mut life, 9_999, Input::Deadline, ProcessState::Stopping, &[]);
        check(&mut life, 1, Input::Deadline, ProcessState::Stopping, &kill);
        let status = ExitStatus::Signal { number: 9, core: false };
        check(&mut life, 0, Input::Reaped(status), ProcessState::Stopping, &["drain 1"]);
        check(
            &mut life,
            0,
            Input::Drained,
            ProcessState::Stopped,
            &[
                "STOPPING>STOPPED pid:42 tries:0 expected:false",
                "Warn stopped: a (terminated by SIGKILL)",
            ],
        );
        assert_eq!(life.process.exit_code(), Some(-1));
        assert!(life.process.stopped_at().is_some());
    }
}

#[test]
fn stop_with_groups_and_a_listed_code() {
    let mut life = Life::new(|p| {
        p.stopasgroup = true;
        p.killasgroup = true;
        p.stopsignal = 2;
        p.stopwaitsecs = 0;
    })
    .into(ProcessState::Running);
    check(
        &mut life,
        0,
        Input::Stop,
        ProcessState::Stopping,
        &[
            "Debug killing a (pid 42) process group with signal SIGINT",
            "RUNNING>STOPPING pid:42 tries:0 expected:false",
            "send 2 to 42 Group Kill",
        ],
    );
    check(
        &mut life,
        0,
        Input::Deadline,
        ProcessState::Stopping,
        &[
            "Warn killing 'a' (42) with SIGKILL",
            "Debug killing a (pid 42) process group with signal SIGKILL",
            "send 9 to 42 Group Kill",
        ],
    );
    check(&mut life, 500, Input::Deadline, ProcessState::Stopping, &[]);
    life.take(reaped(0));
    check(
        &mut life,
        0,
        Input::Drained,
        ProcessState::Stopped,
        &["STOPPING>STOPPED pid:42 tries:0 expected:false", "Info stopped: a (exit status 0)"],
    );
}

#[test]
fn a_stop_before_the_pid_is_known_is_sent_when_it_is() {
    let mut life = Life::new(|_| {});
    life.take(Input::Start);
    check(
        &mut life,
        0,
        Input::Stop,
        ProcessState::Stopping,
        &["STARTING>STOPPING pid:0 tries:0 expected:false"],
    );
    assert_eq!(life.process.next_deadline(true), Some(life.now().mono + secs(10)));
    check(
        &mut life,
        0,
        announced(),
        ProcessState::Stopping,
        &[
            "Info spawned: 'a' with pid 42",
            "Debug killing a (pid 42) with signal SIGTERM",
            "send 15 to 42 Process Kill",
        ],
    );
    check(&mut life, 0, announced(), ProcessState::Stopping, &[]);
    assert_eq!(life.process.next_deadline(true), Some(life.now().mono + secs(10)));
}

#[test]
fn a_start_that_never_gets_to_a_child_is_called_off() {
    // The child of an earlier spawn has nothing to do with it.
    let mut life = Life::new(|_| {}).into(ProcessState::Exited);
    life.take(Input::Start);
    check(
        &mut life,
        0,
        Input::Stop,
        ProcessState::Stopping,
        &["STARTING>STOPPING pid:0 tries:0 expected:false"],
    );
    check(&mut life, 9_999, Input::Deadline, ProcessState::Stopping, &[]);
    check(
        &mut life,
        1,
        Input::Deadline,
        ProcessState::Stopped,
        &["call off 2", "STOPPING>STOPPED pid:0 tries:0 expected:false"],
    );
    assert_eq!(life.process.next_deadline(true), None);
    check(
        &mut life,
        0,
        Input::Start,
        ProcessState::Starting,
        &["STOPPED>STARTING pid:0 tries:0 expected:false", "spawn 4"],
    );
}

#[test]
fn a_stop_while_the_spawn_fails_ends_stopped() {
    let mut life = Life::new(|_| {});
    life.take(Input::Start);
    life.take(Input::Stop);
    check(
        &mut life,
        0,
        failed("command is empty"),
        ProcessState::Stopped,
        &["Info spawnerr: command is empty", "STOPPING>STOPPED pid:0 tries:0 expected:false"],
    );
}

#[test]
fn a_stop_after_the_reaping_signals_nobody() {
    let mut life = Life::new(|_| {}).into(ProcessState::Running);
    life.take(reaped(1));
    check(
        &mut life,
        0,
        Input::Stop,
        ProcessState::Stopping,
        &[
            "Debug attempted to kill a with sig SIGTERM but it wasn't running",
            "RUNNING>STOPPING pid:42 tries:0 expected:false",
        ],
    );
    check(&mut life, 1_999, Input::Deadline, ProcessState::Stopping, &[]);
    check(
        &mut life,
        0,
        Input::Drained,
        ProcessState::Stopped,
        &["STOPPING>STOPPED pid:42 tries:0 expected:false", "Warn stopped: a (exit status 1)"],
    );
}

#[test]
fn signals_by_request() {
    for state in [ProcessState::Starting, ProcessState::Running, ProcessState::Stopping] {
        let mut life = Life::new(|_| {}).into(state);
        check(
            &mut life,
            0,
            Input::Signal(1),
            state,
            &["Debug sending a (pid 42) sig SIGHUP", "send 1 to 42 Process Request"],
        );
    }
}

#[test]
fn a_signal_without_a_child_is_told() {
    let none = ["Debug attempted to send a sig SIGHUP but it wasn't running"];
    let mut life = Life::new(|_| {});
    life.take(Input::Start);
    check(&mut life, 0, Input::Signal(1), ProcessState::Starting, &none);
    let mut life = life.into(ProcessState::Starting);
    life.take(reaped(0));
    check(&mut life, 0, Input::Signal(1), ProcessState::Starting, &none);
}

#[test]
fn a_start_beside_a_child_is_told_and_does_nothing() {
    use ProcessState as S;
    for state in [S::Starting, S::Running, S::Stopping, S::Unknown] {
        let mut life = Life::new(|_| {}).into(state);
        check(&mut life, 0, Input::Start, state, &["Warn process 'a' already running"]);
        life.take(reaped(0));
        check(&mut life, 0, Input::Start, state, &[]);
    }
}

#[test]
fn a_signal_that_comes_too_late_changes_nothing() {
    let mut life = Life::new(|_| {}).into(ProcessState::Stopping);
    let error = "[Errno 3] No such process".to_owned();
    check(
        &mut life,
        0,
        Input::SignalTooLate { error, purpose: Purpose::Kill },
        ProcessState::Stopping,
        &["Debug unable to signal a (pid 42), it probably just exited on its own: \
           [Errno 3] No such process"],
    );
}

#[test]
fn a_refused_signal_leads_to_unknown_and_the_exit_out_of_it() {
    let mut life = Life::new(|_| {}).into(ProcessState::Stopping);
    check(
        &mut life,
        0,
        refused(),
        ProcessState::Unknown,
        &[
            "Critical unknown problem killing a (42):EPERM",
            "STOPPING>UNKNOWN pid:42 tries:0 expected:false",
        ],
    );
    assert_eq!(life.process.next_deadline(true), None);
    life.take(reaped(0));
    // It was asked to stop.
    check(
        &mut life,
        0,
        Input::Drained,
        ProcessState::Stopped,
        &["UNKNOWN>STOPPED pid:42 tries:0 expected:false", "Info stopped: a (exit status 0)"],
    );

    let mut life = Life::new(|_| {}).into(ProcessState::Running);
    life.take(Input::SignalRefused { error: "EPERM".to_owned(), purpose: Purpose::Request });
    assert_eq!(life.process.state(), ProcessState::Unknown);
    life.take(reaped(0));
    life.take(Input::Drained);
    assert_eq!(life.process.state(), ProcessState::Exited);
}

#[test]
fn a_step_of_the_wall_clock_moves_no_deadline() {
    let mut life = Life::new(|_| {}).into(ProcessState::Starting);
    let mut out = Vec::new();
    let past = Now { mono: life.now().mono + secs(1), wall: Duration::from_secs(1) };
    life.process.step(past, Input::Deadline, true, &mut out);
    assert_eq!(life.process.state(), ProcessState::Running);
}

#[test]
fn every_state_takes_every_input() {
    let inputs = [
        Input::Deadline,
        Input::Start,
        Input::Stop,
        Input::GiveUp,
        Input::Signal(10),
        announced(),
        failed("x"),
        reaped(7),
        Input::Drained,
        Input::ExecLacked,
        Input::SignalTooLate { error: String::new(), purpose: Purpose::Request },
        refused(),
    ];
    for state in ALL {
        let base = Life::new(|_| {}).into(state);
        // Pairs, so that what an input leaves behind is met as well.
        for first in &inputs {
            for second in &inputs {
                let mut life = base.clone();
                for input in [first, second] {
                    let before = life.process.state();
                    let mut out = Vec::new();
                    life.millis += 700;
                    life.process.step(life.now(), input.clone(), true, &mut out);
                    check_legal(&life.process, before, &out);
                }
            }
        }
    }
}

/// What holds after each step, whatever came in.
fn check_legal(process: &Process, before: ProcessState, out: &[Effect]) {
    use ProcessState as S;
    let mut at = before;
    for effect in out {
        let Effect::Transition(t) = effect else { continue };
        assert_eq!(t.from, at);
        let legal = match t.from {
            S::Stopped | S::Exited | S::Fatal => t.to == S::Starting,
            S::Backoff => matches!(t.to, S::Starting | S::Stopped | S::Fatal),
            S::Starting => matches!(t.to, S::Running | S::Backoff | S::Stopping | S::Unknown),
            S::Running => matches!(t.to, S::Exited | S::Stopping | S::Unknown),
            S::Stopping => matches!(t.to, S::Stopped | S::Unknown),
            S::Unknown => matches!(t.to, S::Stopped | S::Exited),
        };
        assert!(legal, "{} > {}", t.from, t.to);
        at = t.to;
    }
    assert_eq!(at, process.state());
    let spawns = out.iter().filter(|e| matches!(e, Effect::Spawn(_))).count();
    assert!(spawns <= 1);
    if matches!(at, S::Stopped | S::Exited | S::Fatal | S::Backoff) {
        assert_eq!(process.pid(), None, "{at} with a pid");
        assert!(!process.is_spawning(), "{at} while spawning");
    }
}
