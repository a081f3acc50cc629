//! Answers that wait: a start until the process is RUNNING, a stop until it has stopped.
//! Pure: an outcome goes in, an answer comes out when all that was asked is decided.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use crate::process::notice::Purpose;
use crate::process::state::ProcessState;
use crate::process::time::Mono;
use crate::rpc::fault::{Fault, FaultCode, SUCCESS};

/// Tells requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One row of a list of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessResult {
    /// The process.
    pub name: String,
    /// Its group.
    pub group: String,
    /// 80, or the fault's code.
    pub status: i64,
    /// `OK`, or the fault's text.
    pub description: String,
}

impl ProcessResult {
    /// The row that an outcome makes.
    pub fn new(group: &str, name: &str, outcome: &Result<(), Fault>) -> ProcessResult {
        let (status, description) = match outcome {
            Ok(()) => (SUCCESS, "OK".to_owned()),
            Err(fault) => (fault.code.code(), fault.to_string()),
        };
        ProcessResult { name: name.to_owned(), group: group.to_owned(), status, description }
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    True,
    /// A row for each process acted on.
    Results(Vec<ProcessResult>),
    /// Refused.
    Fault(Fault),
}

/// What is awaited of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// That there is a child.
    Spawned,
    /// That it is RUNNING.
    Running,
    /// That its stop signal was sent.
    StopSent,
    /// That it has stopped.
    Stopped {
        /// When to say next that it is waited for; not before the request is settled.
        report_at: Option<Mono>,
    },
    /// That a signal was sent.
    Signalled,
}

/// When an outcome was reached, which orders the rows of a list; those of one moment stand in
/// the order of the actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// At once.
    AtOnce,
    /// Later, and when.
    Later(Mono),
}

/// What a process did, as far as waiters care.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// There is a child.
    Announced,
    /// It is in this state now; `spawn_error` is why a start failed.
    Entered {
        /// The state.
        state: ProcessState,
        /// A start failed.
        failed: bool,
    },
    /// A signal was refused.
    SignalRefused {
        /// What it was for.
        purpose: Purpose,
        /// The line about it.
        why: &'a str,
    },
    /// All effects of the request were carried out.
    Settled,
}

/// What a happening means for what is awaited; `name` is how the client named the process.
pub fn outcome(
    awaited: Awaited,
    happening: Happening<'_>,
    name: &str,
) -> Option<Result<(), Fault>> {
    use Awaited as A;
    use Happening as H;
    let fault = |code| Some(Err(Fault::new(code, name)));
    match (awaited, happening) {
        (A::Spawned, H::Announced) => Some(Ok(())),
        (A::Spawned | A::Running, H::Entered { failed: true, .. }) => fault(FaultCode::SpawnError),
        (A::Running, H::Entered { state: ProcessState::Running, .. }) => Some(Ok(())),
        (A::Spawned | A::Running, H::Entered { state: ProcessState::Starting, .. }) => None,
        // Whether there will be a child is told all the same.
        (A::Spawned, H::Entered { state: ProcessState::Stopping, .. }) => None,
        (A::Spawned, H::Entered { state: ProcessState::Running, .. }) => Some(Ok(())),
        (A::Spawned | A::Running, H::Entered { .. }) => fault(FaultCode::AbnormalTermination),
        (A::Stopped { .. }, H::Entered { state, .. }) if state.is_stopped() => Some(Ok(())),
        (A::StopSent | A::Stopped { .. }, H::SignalRefused { purpose: Purpose::Kill, why })
        | (A::Signalled, H::SignalRefused { purpose: Purpose::Request, why }) => {
            Some(Err(Fault::new(FaultCode::Failed, why)))
        }
        (A::StopSent | A::Signalled, H::Settled) => Some(Ok(())),
        (A::StopSent | A::Stopped { .. } | A::Signalled, H::Entered { .. })
        | (A::Running | A::StopSent | A::Stopped { .. } | A::Signalled, H::Announced)
        // Somebody else's signal.
        | (A::StopSent | A::Stopped { .. } | A::Signalled, H::SignalRefused { .. })
        | (A::Spawned | A::Running, H::SignalRefused { .. })
        | (A::Spawned | A::Running | A::Stopped { .. }, H::Settled) => None,
    }
}

/// A request under way.
#[derive(Clone, Debug)]
enum Open {
    /// One process: its outcome is the answer.
    One,
    /// A list: its rows by when they were decided and by the place of the action.
    List { rows: BTreeMap<(When, usize), ProcessResult>, count: usize },
}

/// All requests under way.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    open: BTreeMap<RequestId, Open>,
}

impl Requests {
    /// A request for one process.
    pub fn open_one(&mut self, id: RequestId) {
        self.open.insert(id, Open::One);
    }

    /// A request for so many processes; the answer if there are none.
    pub fn open_list(&mut self, id: RequestId, count: usize) -> Option<Answer> {
        if count == 0 {
            return Some(Answer::Results(Vec::new()));
        }
        self.open.insert(id, Open::List { rows: BTreeMap::new(), count });
        None
    }

    /// It has no answer yet.
    pub fn is_open(&self, id: RequestId) -> bool {
        self.open.contains_key(&id)
    }

    /// Takes an outcome; the answer, if it was the last that was missing.
    pub fn decide(
        &mut self,
        id: RequestId,
        place: usize,
        when: When,
        (group, name): (&str, &str),
        outcome: Result<(), Fault>,
    ) -> Option<Answer> {
        let answer = match self.open.get_mut(&id)? {
            Open::One => match outcome {
                Ok(()) => Answer::True,
                Err(fault) => Answer::Fault(fault),
            },
            Open::List { rows, count } => {
                rows.insert((when, place), ProcessResult::new(group, name, &outcome));
                if rows.len() < *count {
                    return None;
                }
                Answer::Results(std::mem::take(rows).into_values().collect())
            }
        };
        self.open.remove(&id);
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::state::ALL;
    use ProcessState as S;

    const SPAWNED: Awaited = Awaited::Spawned;
    const RUNNING: Awaited = Awaited::Running;
    const SENT: Awaited = Awaited::StopSent;
    const STOPPED: Awaited = Awaited::Stopped { report_at: None };
    const SIGNALLED: Awaited = Awaited::Signalled;

    fn entered(state: ProcessState) -> Happening<'static> {
        Happening::Entered { state, failed: false }
    }

    fn failed(state: ProcessState) -> Happening<'static> {
        Happening::Entered { state, failed: true }
    }

    fn refused(purpose: Purpose) -> Happening<'static> {
        Happening::SignalRefused { purpose, why: "EPERM" }
    }

    /// The outcome in short: `-` for none yet.
    fn word(awaited: Awaited, happening: Happening<'_>) -> String {
        match outcome(awaited, happening, "g:a") {
            None => "-".to_owned(),
            Some(Ok(())) => "ok".to_owned(),
            Some(Err(fault)) => fault.to_string(),
        }
    }

    #[test]
    fn what_a_happening_means_for_what_is_awaited() {
        const SPAWN_ERROR: &str = "SPAWN_ERROR: g:a";
        const ABNORMAL: &str = "ABNORMAL_TERMINATION: g:a";
        const FAILED: &str = "FAILED: EPERM";
        let columns = [SPAWNED, RUNNING, SENT, STOPPED, SIGNALLED];
        let rows = [
            (Happening::Announced, ["ok", "-", "-", "-", "-"]),
            (Happening::Settled, ["-", "-", "ok", "-", "ok"]),
            (refused(Purpose::Kill), ["-", "-", FAILED, FAILED, "-"]),
            (refused(Purpose::Request), ["-", "-", "-", "-", FAILED]),
            (entered(S::Starting), ["-", "-", "-", "-", "-"]),
            (entered(S::Running), ["ok", "ok", "-", "-", "-"]),
            (entered(S::Stopping), ["-", ABNORMAL, "-", "-", "-"]),
            (entered(S::Stopped), [ABNORMAL, ABNORMAL, "-", "ok", "-"]),
            (entered(S::Exited), [ABNORMAL, ABNORMAL, "-", "ok", "-"]),
            (entered(S::Fatal), [ABNORMAL, ABNORMAL, "-", "ok", "-"]),
            (entered(S::Unknown), [ABNORMAL, ABNORMAL, "-", "ok", "-"]),
            (failed(S::Backoff), [SPAWN_ERROR, SPAWN_ERROR, "-", "-", "-"]),
            (failed(S::Stopped), [SPAWN_ERROR, SPAWN_ERROR, "-", "ok", "-"]),
        ];
        for (happening, wants) in rows {
            for (awaited, want) in columns.into_iter().zip(wants) {
                assert_eq!(word(awaited, happening), want, "{awaited:?}, {happening:?}");
            }
        }
    }

    #[test]
    fn a_stop_ends_in_every_stopped_state_and_in_no_other() {
        for state in ALL {
            let want = if state.is_stopped() { "ok" } else { "-" };
            assert_eq!(word(STOPPED, entered(state)), want, "{state}");
        }
    }

    fn fault() -> Result<(), Fault> {
        Err(Fault::new(FaultCode::NotRunning, "a"))
    }

    #[test]
    fn the_outcome_of_one_is_the_answer() {
        let mut requests = Requests::default();
        let ids = [1, 2].map(RequestId);
        ids.into_iter().for_each(|id| requests.open_one(id));
        let later = When::Later(Mono::ZERO);
        assert_eq!(requests.decide(ids[1], 0, later, ("", ""), Ok(())), Some(Answer::True));
        let answer = requests.decide(ids[0], 0, When::AtOnce, ("", ""), fault());
        assert_eq!(answer, fault().err().map(Answer::Fault));
        assert_eq!(requests.decide(ids[0], 0, later, ("", ""), Ok(())), None, "answered already");
    }

    #[test]
    fn an_empty_list_is_answered_at_once() {
        let mut requests = Requests::default();
        let id = RequestId(1);
        assert_eq!(requests.open_list(id, 0), Some(Answer::Results(Vec::new())));
        assert_eq!(requests.decide(id, 0, When::AtOnce, ("", ""), Ok(())), None);
    }

    #[test]
    fn rows_stand_by_moment_and_then_by_action() {
        let mut requests = Requests::default();
        let id = RequestId(1);
        assert_eq!(requests.open_list(id, 6), None);
        let later = |secs| When::Later(Mono::from_secs(secs));
        let decided = [
            (4, When::AtOnce, "e"),
            (5, later(1), "f"),
            (3, later(2), "d"),
            (0, later(2), "a"),
            (1, When::AtOnce, "b"),
        ];
        for (place, when, name) in decided {
            assert_eq!(requests.decide(id, place, when, ("g", name), Ok(())), None);
        }
        let answer = requests.decide(id, 2, later(3), ("g", "c"), fault());
        let Some(Answer::Results(rows)) = answer else { panic!("{answer:?}") };
        let rows = rows.iter().map(|r| (r.name.as_str(), r.status, r.description.as_str()));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [
                ("b", 80, "OK"),
                ("e", 80, "OK"),
                ("f", 80, "OK"),
                ("a", 80, "OK"),
                ("d", 80, "OK"),
                ("c", 70, "NOT_RUNNING: a")
            ]
        );
        assert_eq!(requests.decide(id, 2, later(3), ("g", "c"), Ok(())), None);
    }
}
