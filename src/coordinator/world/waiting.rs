//! Who waits for which process, and for what: the answers of requests that take as long as it does.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{Effect, ProcessId, World};
use crate::coordinator::waiters::{Awaited, Happening, RequestId, When, outcome};
use crate::process::machine::{self, Process};
use crate::process::notice::{Notice, Purpose};
use crate::process::state::ProcessState;
use crate::process::time::{Mono, Now};
use crate::rpc::fault::{Fault, FaultCode};

/// How often a client's wait for a stop is told.
const STOP_REPORT: Duration = Duration::from_secs(2);

/// A request that waits for a process.
#[derive(Clone, Debug)]
pub struct Waiter {
    pub(super) request: RequestId,
    pub(super) place: usize,
    pub(super) awaited: Awaited,
    /// How the client named the process.
    pub(super) name: String,
}

impl World {
    /// Says, or says again, that clients wait for a stop: in the order of their requests.
    pub(super) fn report_waits(&mut self, now: Now, out: &mut Vec<Effect>) {
        let (mut next, mut due) = (None, Vec::new());
        for (id, waiters) in &mut self.waiters {
            for waiter in waiters {
                let Awaited::Stopped { report_at: Some(report_at) } = &mut waiter.awaited else {
                    continue;
                };
                if *report_at <= now.mono {
                    *report_at = now.mono + STOP_REPORT;
                    due.push((waiter.request, waiter.place, *id));
                }
                next = Some(next.map_or(*report_at, |at: Mono| at.min(*report_at)));
            }
        }
        self.wait_report = next;
        due.sort_unstable();
        let notice = || machine::Effect::Notice(Notice::WaitingToStop);
        out.extend(due.into_iter().map(|(_, _, id)| Effect::Process(id, notice())));
    }

    pub(super) fn wake(
        &mut self,
        now: Now,
        id: ProcessId,
        happening: Happening<'_>,
        out: &mut Vec<Effect>,
    ) {
        self.wake_if(now, id, happening, |_| true, out);
    }

    fn wake_if(
        &mut self,
        now: Now,
        id: ProcessId,
        happening: Happening<'_>,
        is_met: impl Fn(&Waiter) -> bool,
        out: &mut Vec<Effect>,
    ) {
        let Some(waiters) = self.waiters.remove(&id) else { return };
        let (mut kept, mut decided) = (Vec::new(), Vec::new());
        for waiter in waiters {
            let met = is_met(&waiter).then(|| outcome(waiter.awaited, happening, &waiter.name));
            match met.flatten() {
                Some(outcome) => decided.push((waiter, outcome)),
                None => kept.push(waiter),
            }
        }
        if !kept.is_empty() {
            self.waiters.insert(id, kept);
        }
        for (waiter, outcome) in decided {
            let at_once = self.is_at_once(id, waiter.awaited, &outcome);
            let when = if at_once { When::AtOnce } else { When::Later(now.mono) };
            self.decide(waiter.request, waiter.place, id, when, outcome, out);
        }
    }

    /// Whether an outcome counts as reached at once: what Supervisor decides before it waits.
    fn is_at_once(&self, id: ProcessId, awaited: Awaited, outcome: &Result<(), Fault>) -> bool {
        let Some(process) = self.members.get(&id).map(|m| &m.process) else { return true };
        match awaited {
            Awaited::Spawned | Awaited::StopSent | Awaited::Signalled => true,
            Awaited::Running if process.program.startsecs <= 0 => true,
            Awaited::Running => is_spawn_error(outcome) && never_was_up(process),
            Awaited::Stopped { report_at } => report_at.is_none(),
        }
    }

    pub(super) fn decide(
        &mut self,
        request: RequestId,
        place: usize,
        id: ProcessId,
        when: When,
        outcome: Result<(), Fault>,
        out: &mut Vec<Effect>,
    ) {
        let names = self.members.get(&id);
        let names = names.map_or(("", ""), |m| (&*m.group, m.process.program.name.as_str()));
        if let Some(answer) = self.requests.decide(request, place, when, names, outcome) {
            out.push(Effect::Answer(request, answer));
        }
    }

    /// What was sent has gone well; from now on the request waits, and that is told.
    pub(super) fn settled(&mut self, now: Now, request: RequestId, out: &mut Vec<Effect>) {
        let is_mine = |waiter: &Waiter| waiter.request == request;
        let waiting = self.waiters.iter().filter(|(_, waiters)| waiters.iter().any(is_mine));
        let processes: Vec<ProcessId> = waiting.map(|(id, _)| *id).collect();
        for id in processes {
            self.wake_if(now, id, Happening::Settled, is_mine, out);
        }
        for waiter in self.waiters.values_mut().flatten().filter(|waiter| is_mine(waiter)) {
            if let Awaited::Stopped { report_at } = &mut waiter.awaited {
                *report_at = Some(now.mono);
            }
        }
        self.report_waits(now, out);
    }
}

fn is_spawn_error(outcome: &Result<(), Fault>) -> bool {
    outcome.as_ref().is_err_and(|fault| fault.code == FaultCode::SpawnError)
}

/// No child came of the last start.
fn never_was_up(process: &Process) -> bool {
    let ended = process.stopped_at().map(|at| at.mono) >= process.started().map(|at| at.mono);
    process.pid().is_none() && !(process.stopped_at().is_some() && ended)
}

/// A happening with what it borrows.
pub enum Happened {
    Announced,
    Entered { state: ProcessState, failed: bool },
    SignalRefused { purpose: Purpose, why: String },
}

impl Happened {
    pub fn as_happening(&self) -> Happening<'_> {
        match self {
            Happened::Announced => Happening::Announced,
            Happened::Entered { state, failed } => {
                Happening::Entered { state: *state, failed: *failed }
            }
            Happened::SignalRefused { purpose, why } => {
                Happening::SignalRefused { purpose: *purpose, why }
            }
        }
    }
}

/// What waiters need to hear of a step.
pub fn happenings(
    process: &Process,
    effects: &[machine::Effect],
    announced: bool,
) -> Vec<Happened> {
    let mut happened = Vec::new();
    let name = &process.program.name;
    if announced {
        happened.push(Happened::Announced);
    }
    for effect in effects {
        match effect {
            machine::Effect::Notice(notice @ Notice::SignalRefused { purpose, .. }) => {
                let why = notice.about(name).to_string();
                happened.push(Happened::SignalRefused { purpose: *purpose, why });
            }
            // A stop that meets nobody has what it wants.
            machine::Effect::Notice(
                notice @ Notice::NotRunning { purpose: purpose @ Purpose::Request, .. },
            ) => {
                let why = notice.about(name).to_string();
                happened.push(Happened::SignalRefused { purpose: *purpose, why });
            }
            machine::Effect::Transition(t) => {
                let failed = t.to == ProcessState::Backoff
                    || (t.from == ProcessState::Stopping && process.spawn_error().is_some());
                happened.push(Happened::Entered { state: t.to, failed });
            }
            machine::Effect::Notice(_)
            | machine::Effect::Spawn(_)
            | machine::Effect::Signal { .. }
            | machine::Effect::CallOff(_)
            | machine::Effect::Drain(_) => {}
        }
    }
    happened
}
