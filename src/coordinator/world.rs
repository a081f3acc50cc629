//! All that the coordinator knows, and its one function: [`World::step`]. Pure: no clock, no
//! system call, no thread; what is to be done goes out as effects.
//!
//! Here is what happens to processes. What clients ask for is in `requests`, their waiting in
//! `waiting`, the daemon's way down in `leaving`, FastCGI sockets in `sockets`.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::events::Events;
use super::waiters::{Answer, RequestId, Requests};
use crate::config::options::Group;
use crate::event::notice::Notice as EventNotice;
use crate::event::payload::{self, Origin};
use crate::event::pool::Heard;
use crate::event::serial::Counter;
use crate::event::subscription::Subscription;
use crate::process::exit::ExitStatus;
use crate::process::machine::{self, Input, Process, SpawnNumber};
use crate::process::state::{ProcessState, SupervisorState};
use crate::process::time::{Mono, Now};

mod leaving;
pub mod requests;
pub mod sockets;
mod waiting;

use self::leaving::Leaving;
use self::requests::Request;
use self::sockets::{SocketId, Sockets};
use self::waiting::{Waiter, happenings};

/// The least time between two starts of a listener that breaks the protocol, lest one that always
/// does keep the machine busy.
const BOUNCE: Duration = Duration::from_secs(1);

/// Tells processes apart, also those of a group that was removed and added again. In the order
/// of addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u64);

/// What can happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// Something is due.
    Deadline,
    /// A child's thread has something to tell.
    Child {
        /// Of this process.
        process: ProcessId,
        /// Of this spawn.
        spawn: SpawnNumber,
        /// What.
        input: Input,
    },
    /// A child was waited for.
    Reaped {
        /// Whose.
        process: ProcessId,
        /// How it ended.
        status: ExitStatus,
    },
    /// The outcome of a signal that an effect asked for, if it did not go well.
    SignalFailed {
        /// To which.
        process: ProcessId,
        /// `SignalTooLate` or `SignalRefused`.
        input: Input,
    },
    /// All effects of a request were carried out.
    Settled(RequestId),
    /// A client asks.
    Request(RequestId, Request),
    /// The daemon is to end or to begin anew.
    Leave(SupervisorState),
    /// The groups of the start are there.
    Began,
    /// Something that listeners may want to hear of.
    Occurred(payload::Event),
    /// A listener's thread has something to tell.
    Listener {
        /// Of this process.
        process: ProcessId,
        /// Of this spawn.
        spawn: SpawnNumber,
        /// What.
        heard: Heard,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What a process's machine wants.
    Process(ProcessId, machine::Effect),
    /// Answer a request.
    Answer(RequestId, Answer),
    /// Come back with `Settled` when the effects before this one are done.
    Settle(RequestId),
    /// These processes exist from now on.
    Added(String),
    /// These exist no longer.
    Removed(Vec<ProcessId>),
    /// Nobody needs this socket any more.
    CloseSocket(SocketId),
    /// Write that these are waited for: names and states.
    WaitingToDie(Vec<(String, ProcessState)>),
    /// Every process has stopped: leave. Once more where a shutdown overrules a restart that has
    /// come so far.
    Finished(SupervisorState),
    /// Write this to the stdin of a listener.
    Send(ProcessId, Vec<u8>),
    /// Write what happened to an event or a listener.
    Tell(EventNotice),
}

/// A process with its names.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its group.
    pub group: Arc<str>,
    /// Its group's priority.
    pub group_priority: i64,
    /// It is an event listener.
    pub listener: bool,
    /// The machine.
    pub process: Process,
}

/// An active group.
#[derive(Clone, Debug)]
pub struct ActiveGroup {
    /// Its options.
    pub options: Arc<Group>,
    /// Its members in configured order.
    pub members: Vec<ProcessId>,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct World {
    state: SupervisorState,
    groups: Vec<ActiveGroup>,
    /// Boxed: the nodes of a map that grows at its end are half empty.
    members: BTreeMap<ProcessId, Box<Member>>,
    next_id: u64,
    due: BTreeSet<(Mono, ProcessId)>,
    due_of: BTreeMap<ProcessId, Mono>,
    sockets: Sockets,
    requests: Requests,
    waiters: BTreeMap<ProcessId, Vec<Waiter>>,
    /// When the next wait for a stop is told; not later than the earliest of the waiters.
    wait_report: Option<Mono>,
    leaving: Option<Leaving>,
    changed: BTreeSet<ProcessId>,
    events: Events,
    /// Processes that are started again once they have stopped, but not before that moment.
    bouncing: BTreeMap<ProcessId, Mono>,
}

impl Default for World {
    fn default() -> World {
        World {
            state: SupervisorState::Running,
            groups: Vec::new(),
            members: BTreeMap::new(),
            next_id: 0,
            due: BTreeSet::new(),
            due_of: BTreeMap::new(),
            sockets: Sockets::default(),
            requests: Requests::default(),
            waiters: BTreeMap::new(),
            wait_report: None,
            leaving: None,
            changed: BTreeSet::new(),
            events: Events::default(),
            bouncing: BTreeMap::new(),
        }
    }
}

impl World {
    /// An empty one whose processes are numbered from there: a thread of an earlier world may
    /// still report, and must not be taken for one of this. Events are numbered on, too.
    pub fn following(next_id: u64, serials: Counter, server: &str) -> World {
        World { next_id, events: Events::new(server, serials), ..World::default() }
    }

    /// The numbers of events given so far.
    pub fn serials(&self) -> &Counter {
        self.events.serials()
    }

    /// What any listener wants to hear of.
    pub fn wanted(&self) -> Subscription {
        self.events.wanted()
    }

    /// The number that the next process would get.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// The daemon's state.
    pub fn state(&self) -> SupervisorState {
        self.state
    }

    /// The active groups: by priority, those added later behind older ones of the same.
    pub fn groups(&self) -> &[ActiveGroup] {
        &self.groups
    }

    /// A process by its id.
    pub fn member(&self, id: ProcessId) -> Option<&Member> {
        self.members.get(&id).map(|member| &**member)
    }

    /// All processes.
    pub fn members(&self) -> impl Iterator<Item = (ProcessId, &Member)> {
        self.members.iter().map(|(id, member)| (*id, &**member))
    }

    /// The processes that have changed since this was last asked.
    pub fn take_changed(&mut self) -> BTreeSet<ProcessId> {
        std::mem::take(&mut self.changed)
    }

    /// When [`Event::Deadline`] has something to do; zero: now.
    pub fn next_deadline(&self) -> Option<Mono> {
        let process = self.due.first().map(|(mono, _)| *mono);
        let leaving = self.leaving.as_ref().filter(|leaving| !leaving.finished);
        let leaving =
            leaving.into_iter().flat_map(|l| l.hearing_until.into_iter().chain([l.report_at]));
        let events = self.events.next_deadline();
        let again = self.stopped_bouncing().map(|(_, again)| again);
        let socket = self.sockets.next_deadline();
        let others = socket.into_iter().chain(self.wait_report).chain(events);
        process.into_iter().chain(others).chain(leaving).chain(again).min()
    }

    /// Takes one event. Effects are appended in the order in which they are to be done.
    pub fn step(&mut self, now: Now, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Deadline => self.deadline(now, out),
            Event::Child { process, spawn, input } => {
                let current = self.members.get(&process).map(|m| m.process.spawn_number());
                if current == Some(spawn) {
                    self.input(now, process, input, out);
                }
            }
            Event::Reaped { process, status } => {
                self.input(now, process, Input::Reaped(status), out);
            }
            Event::SignalFailed { process, input } => self.input(now, process, input, out),
            Event::Settled(request) => self.settled(now, request, out),
            Event::Request(id, request) => self.request(now, id, request, out),
            Event::Leave(state) => self.leave(now, state, out),
            Event::Began => self.events.offer(payload::Event::supervisor_running(), now, out),
            Event::Occurred(event) => self.events.offer(event, now, out),
            Event::Listener { process, spawn, heard } => {
                self.listener(now, process, spawn, &heard, out);
            }
        }
        while let Some(broken) = self.events.take_broken() {
            self.bounce(now, broken, out);
        }
        self.hold_sockets(now, out);
        self.go_on_leaving(now, out);
    }

    /// Stops a process that is to be started again.
    fn bounce(&mut self, now: Now, id: ProcessId, out: &mut Vec<Effect>) {
        let Some(process) = self.members.get(&id).map(|member| &member.process) else { return };
        if self.may_spawn() && process.state().is_started() {
            let again = process.started().map_or(now.mono, |started| started.mono + BOUNCE);
            self.bouncing.insert(id, again);
            self.input(now, id, Input::Stop, out);
        }
    }

    fn may_spawn(&self) -> bool {
        self.state == SupervisorState::Running
    }

    /// Feeds one process and looks what its waiters make of what it did.
    fn input(&mut self, now: Now, id: ProcessId, input: Input, out: &mut Vec<Effect>) {
        let may_spawn = self.may_spawn();
        let Some(member) = self.members.get_mut(&id) else { return };
        let announced = matches!(input, Input::Announced { .. });
        let mut effects = Vec::new();
        member.process.step(now, input, may_spawn, &mut effects);
        let happenings = happenings(&member.process, &effects, announced);
        self.changed.insert(id);
        let closed = self.tend_sockets(now, id, &effects);
        self.pass_on(now, id, effects, out);
        out.extend(closed);
        for happening in &happenings {
            self.wake(now, id, happening.as_happening(), out);
        }
        self.schedule(id);
        self.start_again(now, id, out);
    }

    fn start_again(&mut self, now: Now, id: ProcessId, out: &mut Vec<Effect>) {
        let Some(again) = self.bouncing.get(&id) else { return };
        match self.members.get(&id).map(|member| member.process.state()) {
            Some(state) if state.is_stopped() && *again <= now.mono => {
                self.bouncing.remove(&id);
                self.input(now, id, Input::Start, out);
            }
            // Somebody else has started it.
            Some(ProcessState::Starting) | None => drop(self.bouncing.remove(&id)),
            Some(_) => {}
        }
    }

    /// Those that have stopped and wait for the moment at which they are started again.
    fn stopped_bouncing(&self) -> impl Iterator<Item = (ProcessId, Mono)> {
        let has_stopped =
            |id: &ProcessId| self.members.get(id).is_some_and(|m| m.process.state().is_stopped());
        self.bouncing.iter().filter(move |(id, _)| has_stopped(id)).map(|(id, again)| (*id, *again))
    }

    /// The effects of one process, each change of its state told to the listeners before.
    fn pass_on(
        &mut self,
        now: Now,
        id: ProcessId,
        effects: Vec<machine::Effect>,
        out: &mut Vec<Effect>,
    ) {
        let mut entered = None;
        for effect in effects {
            if let (machine::Effect::Transition(transition), Some(member)) =
                (&effect, self.members.get(&id))
            {
                entered = Some(transition.to);
                let (process, group) = (member.process.program.name.as_str(), &*member.group);
                self.events.enters(group, id, transition.to);
                let origin = Origin { process, group };
                if self.events.wanted().wants(payload::state_kind(transition.to)) {
                    let event = payload::Event::process_state(origin, transition);
                    self.events.offer(event, now, out);
                }
            }
            out.push(Effect::Process(id, effect));
        }
        if let (Some(state), Some(member)) = (entered, self.members.get(&id)) {
            let group = Arc::clone(&member.group);
            self.events.entered(&group, id, state, now, out);
        }
    }

    fn listener(
        &mut self,
        now: Now,
        id: ProcessId,
        spawn: SpawnNumber,
        heard: &Heard,
        out: &mut Vec<Effect>,
    ) {
        let Some(member) = self.members.get(&id) else { return };
        if member.process.spawn_number() == spawn {
            let group = Arc::clone(&member.group);
            self.events.heard(&group, id, heard, now, out);
        }
    }

    fn schedule(&mut self, id: ProcessId) {
        let due = self.members.get(&id).and_then(|m| m.process.next_deadline(self.may_spawn()));
        let old = match due {
            Some(due) => self.due_of.insert(id, due),
            None => self.due_of.remove(&id),
        };
        if old == due {
            return;
        }
        if let Some(old) = old {
            self.due.remove(&(old, id));
        }
        if let Some(due) = due {
            self.due.insert((due, id));
        }
    }

    /// What is due, in the order of the groups where it is due at the same time.
    fn deadline(&mut self, now: Now, out: &mut Vec<Effect>) {
        let due = self.due.iter().take_while(|(at, _)| *at <= now.mono);
        let mut due: Vec<(Mono, i64, ProcessId)> = due
            .filter_map(|(at, id)| Some((*at, self.members.get(id)?.group_priority, *id)))
            .collect();
        due.sort_unstable();
        for (_, _, id) in due {
            self.input(now, id, Input::Deadline, out);
        }
        self.settle_sockets(now, self.sockets.due(now.mono), out);
        let bouncing: Vec<ProcessId> = self.stopped_bouncing().map(|(id, _)| id).collect();
        bouncing.into_iter().for_each(|id| self.start_again(now, id, out));
        self.report_waits(now, out);
        self.events.deadline(now, out);
    }
}

#[cfg(test)]
mod tests;
