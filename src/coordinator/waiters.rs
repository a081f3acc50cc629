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
