//! What clients are told of a process: the fields of getProcessInfo that are words.

use std::fmt::Write as _;

use super::state::ProcessState;

/// The facts that the description is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The process's own name.
    pub name: &'a str,
    /// Its state.
    pub state: ProcessState,
    /// Its pid, 0 for none.
    pub pid: i32,
    /// Seconds since the last spawn attempt.
    pub uptime_secs: i64,
    /// It was started at least once.
    pub ever_started: bool,
    /// The last exit in local time, as `Nov 21 12:51 AM`.
    pub stopped: &'a str,
    /// Why it could not be started.
    pub spawn_error: &'a str,
}

/// Writes the description that stands at the end of a status line.
pub fn describe(facts: &Facts<'_>, out: &mut String) {
    use ProcessState as S;
    match facts.state {
        S::Running => {
            let _ = write!(out, "pid {}, uptime ", facts.pid);
            uptime(facts.uptime_secs, out);
        }
        S::Fatal | S::Backoff if facts.spawn_error.is_empty() => {
            let _ = write!(out, "unknown error (try \"tail {}\")", facts.name);
        }
        S::Fatal | S::Backoff => out.push_str(facts.spawn_error),
        S::Stopped | S::Exited if facts.ever_started => out.push_str(facts.stopped),
        S::Stopped | S::Exited => out.push_str("Not started"),
        S::Starting | S::Stopping | S::Unknown => {}
    }
}

/// `H:MM:SS`, with the days before it from one day on.
fn uptime(secs: i64, out: &mut String) {
    let secs = secs.max(0);
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let _ = match days {
        0 => Ok(()),
        1 => write!(out, "1 day, "),
        _ => write!(out, "{days} days, "),
    };
    let _ = write!(out, "{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(state: ProcessState, uptime_secs: i64, ever_started: bool, error: &str) -> String {
        let facts = Facts {
            name: "a",
            state,
            pid: 42,
            uptime_secs,
            ever_started,
            stopped: "Nov 21 12:51 AM",
            spawn_error: error,
        };
        let mut out = String::new();
        describe(&facts, &mut out);
        out
    }

    #[test]
    fn descriptions() {
        use ProcessState as S;
        let rows = [
            (S::Running, 53, true, "", "pid 42, uptime 0:00:53"),
            (S::Running, -5, true, "", "pid 42, uptime 0:00:00"),
            (S::Running, 86_400 + 3_661, true, "", "pid 42, uptime 1 day, 1:01:01"),
            (S::Running, 3 * 86_400, true, "", "pid 42, uptime 3 days, 0:00:00"),
            (S::Fatal, 0, true, "command is empty", "command is empty"),
            (S::Backoff, 0, true, "", "unknown error (try \"tail a\")"),
            (S::Stopped, 0, false, "", "Not started"),
            (S::Stopped, 0, true, "", "Nov 21 12:51 AM"),
            (S::Exited, 0, true, "Bad exit code 2", "Nov 21 12:51 AM"),
            (S::Starting, 0, true, "", ""),
            (S::Stopping, 0, true, "", ""),
            (S::Unknown, 0, true, "", ""),
        ];
        for (state, secs, ever, error, want) in rows {
            assert_eq!(text(state, secs, ever, error), want, "{state}");
        }
    }
}
