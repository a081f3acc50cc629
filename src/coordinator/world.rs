//! All that the coordinator knows, and its one function: [`World::step`]. Pure: no clock, no
//! system call, no thread; what is to be done goes out as effects.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::events::Events;
use super::waiters::{Answer, Awaited, Happening, RequestId, Requests, When, outcome};
use crate::config::options::{Group, GroupKind};
use crate::config::signal;
use crate::event::notice::Notice as EventNotice;
use crate::event::payload::{self, Origin};
use crate::event::pool::Heard;
use crate::event::serial::Counter;
use crate::event::subscription::Subscription;
use crate::process::command::CommandProblem;
use crate::process::exit::ExitStatus;
use crate::process::machine::{self, Input, Process, SpawnNumber};
use crate::process::name::{Namespec, display};
use crate::process::notice::{Notice, Purpose};
use crate::process::state::{ProcessState, SupervisorState};
use crate::process::time::{Mono, Now};
use crate::rpc::fault::{Fault, FaultCode};

pub mod sockets;

use self::sockets::{SocketId, Sockets};

/// How often a client's wait for a stop is told.
const STOP_REPORT: Duration = Duration::from_secs(2);

/// How often the daemon's own wait for the last processes is told.
const SHUTDOWN_REPORT: Duration = Duration::from_secs(3);

/// How long a pool of listeners may take, before it is stopped with the daemon, to hear what has
/// happened until then. Not longer than Supervisor's pause between two groups.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The least time between two starts of a listener that breaks the protocol, lest one that always
/// does keep the machine busy.
const BOUNCE: Duration = Duration::from_secs(1);

/// Tells processes apart, also those of a group that was removed and added again. In the order
/// of addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u64);

/// Which processes a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A namespec: one process, or a group.
    Named(String),
    /// A group by its bare name.
    Group(String),
    /// Every process.
    All,
}

/// Commands that can't be run, found before the request was made: by group and process.
pub type Refused = BTreeMap<(String, String), CommandProblem>;

/// What clients ask for that changes something.
#[derive(Clone, Debug)]
pub enum Request {
    /// Start processes.
    Start {
        /// Which.
        target: Target,
        /// Answer when they are RUNNING.
        wait: bool,
        /// Those whose commands can't be run.
        refused: Refused,
    },
    /// Stop processes.
    Stop {
        /// Which.
        target: Target,
        /// Answer when they have stopped.
        wait: bool,
    },
    /// Send a signal.
    Signal {
        /// To which.
        target: Target,
        /// The signal, as the client wrote it.
        signal: String,
    },
    /// Make a group active.
    Add(Arc<Group>),
    /// Forget a group whose processes have stopped.
    Remove(String),
}

impl Request {
    /// Whether its answer may take as long as its processes do.
    pub fn waits(&self) -> bool {
        match self {
            Request::Start { wait, .. } | Request::Stop { wait, .. } => *wait,
            Request::Signal { .. } | Request::Add(_) | Request::Remove(_) => false,
        }
    }
}

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
    /// Every process has stopped: leave.
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

#[derive(Clone, Debug)]
struct Waiter {
    request: RequestId,
    place: usize,
    awaited: Awaited,
    /// How the client named the process.
    name: String,
}

#[derive(Clone, Debug)]
struct Leaving {
    /// Names of the groups that are still to be stopped, the next one last.
    groups: Vec<String>,
    /// The next one is a pool that has not heard everything: when it is stopped nevertheless.
    hearing_until: Option<Mono>,
    report_at: Mono,
    finished: bool,
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

    /// Says, or says again, that clients wait for a stop: in the order of their requests.
    fn report_waits(&mut self, now: Now, out: &mut Vec<Effect>) {
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

    fn wake(&mut self, now: Now, id: ProcessId, happening: Happening<'_>, out: &mut Vec<Effect>) {
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

    fn decide(
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
    fn settled(&mut self, now: Now, request: RequestId, out: &mut Vec<Effect>) {
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

    fn request(&mut self, now: Now, id: RequestId, request: Request, out: &mut Vec<Effect>) {
        if self.state != SupervisorState::Running {
            let fault = Fault::bare(FaultCode::ShutdownState);
            out.push(Effect::Answer(id, Answer::Fault(fault)));
            return;
        }
        let answered = match request {
            Request::Start { target, wait, refused } => {
                let action = Action::Start { wait, refused };
                self.act_on(now, id, &target, &action, out)
            }
            Request::Stop { target, wait } => {
                self.act_on(now, id, &target, &Action::Stop { wait }, out)
            }
            Request::Signal { target, signal } => {
                self.act_on(now, id, &target, &Action::Signal(signal), out)
            }
            Request::Add(group) => self.add(now, &group, out).map(|()| Some(Answer::True)),
            Request::Remove(name) => self.remove(now, &name, out).map(|()| Some(Answer::True)),
        };
        match answered {
            Ok(Some(answer)) => out.push(Effect::Answer(id, answer)),
            Ok(None) => out.push(Effect::Settle(id)),
            Err(fault) => out.push(Effect::Answer(id, Answer::Fault(fault))),
        }
    }

    fn act_on(
        &mut self,
        now: Now,
        id: RequestId,
        target: &Target,
        action: &Action,
        out: &mut Vec<Effect>,
    ) -> Result<Option<Answer>, Fault> {
        let chosen = match target {
            Target::Named(name) => match self.find(name)? {
                Found::Process(process) => {
                    if matches!(action, Action::Stop { .. }) {
                        self.bouncing.remove(&process);
                        self.sockets.stop_begins(id, &[process]);
                    }
                    self.requests.open_one(id);
                    self.act(now, id, 0, process, name, action, out);
                    return Ok(None);
                }
                Found::Group(members) => members,
            },
            Target::Group(name) => self.group(name)?.members.clone(),
            Target::All => self.groups.iter().flat_map(|g| g.members.iter().copied()).collect(),
        };
        if matches!(action, Action::Stop { .. }) {
            // Who is about to be started again is not, whatever the list holds of it.
            self.bouncing.retain(|id, _| !chosen.contains(id));
        }
        let chosen: Vec<ProcessId> = self.in_priority_order(chosen, action);
        if let Some(answer) = self.requests.open_list(id, chosen.len()) {
            return Ok(Some(answer));
        }
        if matches!(action, Action::Stop { .. }) {
            self.sockets.stop_begins(id, &chosen);
        }
        for (place, process) in chosen.into_iter().enumerate() {
            let name = self
                .members
                .get(&process)
                .map_or_else(String::new, |m| display(&m.group, &m.process.program.name));
            self.act(now, id, place, process, &name, action, out);
        }
        Ok(None)
    }

    /// Those that the action is for, in the order in which requests act: groups as they stand,
    /// processes by priority in their group.
    fn in_priority_order(&self, chosen: Vec<ProcessId>, action: &Action) -> Vec<ProcessId> {
        let chosen: BTreeSet<ProcessId> = chosen.into_iter().collect();
        let mut ordered = Vec::with_capacity(chosen.len());
        for group in &self.groups {
            let mut members: Vec<(i64, ProcessId)> = group
                .members
                .iter()
                .filter(|id| chosen.contains(id))
                .filter_map(|id| Some((*id, self.members.get(id)?)))
                .filter(|(_, member)| action.is_for(member.process.state()))
                .map(|(id, member)| (member.process.program.priority, id))
                .collect();
            members.sort_by_key(|(priority, _)| *priority);
            ordered.extend(members.into_iter().map(|(_, id)| id));
        }
        ordered
    }

    fn find(&self, name: &str) -> Result<Found, Fault> {
        let bad = || Fault::new(FaultCode::BadName, name);
        let spec = Namespec::parse(name);
        let group = self.group(&spec.group).map_err(|_| bad())?;
        match &spec.process {
            None => Ok(Found::Group(group.members.clone())),
            Some(process) => self.in_group(group, process).map(Found::Process).ok_or_else(bad),
        }
    }

    fn in_group(&self, group: &ActiveGroup, name: &str) -> Option<ProcessId> {
        let is_it = |id: &&ProcessId| {
            self.members.get(id).is_some_and(|member| member.process.program.name == name)
        };
        group.members.iter().find(is_it).copied()
    }

    fn group(&self, name: &str) -> Result<&ActiveGroup, Fault> {
        let group = self.groups.iter().find(|group| group.options.name == name);
        group.ok_or_else(|| Fault::new(FaultCode::BadName, name))
    }

    #[allow(clippy::too_many_arguments, reason = "one action with its place in the request")]
    fn act(
        &mut self,
        now: Now,
        request: RequestId,
        place: usize,
        process: ProcessId,
        name: &str,
        action: &Action,
        out: &mut Vec<Effect>,
    ) {
        let Some(member) = self.members.get(&process) else { return };
        match decide_action(member, name, action) {
            Verdict::AtOnce(outcome) => {
                self.decide(request, place, process, When::AtOnce, outcome, out);
            }
            Verdict::Do(input, awaited) => {
                let name = name.to_owned();
                let waiter = Waiter { request, place, awaited, name };
                self.waiters.entry(process).or_default().push(waiter);
                self.input(now, process, input, out);
            }
        }
    }

    fn add(&mut self, now: Now, group: &Arc<Group>, out: &mut Vec<Effect>) -> Result<(), Fault> {
        if self.group(&group.name).is_ok() {
            return Err(Fault::new(FaultCode::AlreadyAdded, &*group.name));
        }
        let name: Arc<str> = Arc::from(group.name.as_str());
        let mut members = Vec::with_capacity(group.processes.len());
        for program in &group.processes {
            let id = ProcessId(self.next_id);
            self.next_id += 1;
            let process = Process::new(Arc::clone(program));
            let listener = matches!(group.kind, GroupKind::EventListeners(_));
            let (group, group_priority) = (Arc::clone(&name), group.priority);
            let member = Member { group, group_priority, listener, process };
            self.members.insert(id, Box::new(member));
            self.changed.insert(id);
            members.push(id);
        }
        let active = ActiveGroup { options: Arc::clone(group), members: members.clone() };
        self.sockets.add(group, &members);
        let place = self.groups.partition_point(|g| g.options.priority <= group.priority);
        self.groups.insert(place, active);
        out.push(Effect::Added(group.name.clone()));
        self.events.subscribe(group, &members, now);
        self.events.offer(payload::Event::group_added(&group.name), now, out);
        for id in members {
            self.schedule(id);
        }
        Ok(())
    }

    fn remove(&mut self, now: Now, name: &str, out: &mut Vec<Effect>) -> Result<(), Fault> {
        let group = self.group(name)?;
        let stopped = |id: &ProcessId| {
            self.members.get(id).is_none_or(|member| member.process.state().is_stopped())
        };
        if !group.members.iter().all(stopped) {
            return Err(Fault::new(FaultCode::StillRunning, name));
        }
        let members = group.members.clone();
        for id in &members {
            // Nothing more will be heard of it.
            self.wake(now, *id, Happening::Settled, out);
            self.members.remove(id);
            self.bouncing.remove(id);
            self.schedule(*id);
        }
        self.groups.retain(|group| group.options.name != name);
        self.forget_sockets(&members, out);
        out.push(Effect::Removed(members));
        self.events.unsubscribe(name, now, out);
        self.events.offer(payload::Event::group_removed(name), now, out);
        Ok(())
    }

    fn leave(&mut self, now: Now, state: SupervisorState, out: &mut Vec<Effect>) {
        if self.state == SupervisorState::Shutdown {
            return;
        }
        self.state = state;
        self.bouncing.clear();
        if self.leaving.is_none() {
            let groups = self.groups.iter().map(|group| group.options.name.clone()).collect();
            self.leaving =
                Some(Leaving { groups, hearing_until: None, report_at: now.mono, finished: false });
            let all: Vec<ProcessId> = self.members.keys().copied().collect();
            for id in all {
                self.schedule(id);
            }
            self.events.offer(payload::Event::supervisor_stopping(), now, out);
            self.settle_sockets(now, self.sockets.ids(), out);
            self.turn_to_next_group(now, out);
        }
    }

    /// Groups stop one after another, the last of the order first.
    fn go_on_leaving(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.leaving.as_ref().is_none_or(|leaving| leaving.finished) {
            return;
        }
        if self.has_heard(now) {
            self.stop_next_group(now, out);
        }
        while self.current_group_is_down() {
            if let Some(leaving) = &mut self.leaving {
                leaving.groups.pop();
            }
            self.turn_to_next_group(now, out);
        }
        self.report_shutdown(now, out);
    }

    /// The pool whose turn it is to stop has heard everything, or had its time.
    fn has_heard(&self, now: Now) -> bool {
        let Some(leaving) = &self.leaving else { return false };
        let Some(until) = leaving.hearing_until else { return false };
        now.mono >= until || !leaving.groups.last().is_some_and(|name| self.events.owes(name))
    }

    /// Stops the next group, a pool of listeners only once it has heard what has happened: they
    /// are stopped last to hear of the end of the others.
    fn turn_to_next_group(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(leaving) = &mut self.leaving else { return };
        let owes = leaving.groups.last().is_some_and(|name| self.events.owes(name));
        leaving.hearing_until = owes.then(|| now.mono + LAST_WORDS);
        if !owes {
            self.stop_next_group(now, out);
        }
    }

    fn current_group_is_down(&self) -> bool {
        let Some(name) = self.leaving.as_ref().and_then(|l| l.groups.last()) else { return false };
        let Ok(group) = self.group(name) else { return true };
        let mut members = group.members.iter().filter_map(|id| self.members.get(id));
        members.all(|member| member.process.state().is_stopped())
    }

    fn stop_next_group(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(leaving) = &mut self.leaving else { return };
        leaving.hearing_until = None;
        let Some(name) = leaving.groups.last().cloned() else { return };
        let Ok(group) = self.group(&name) else { return };
        let mut members: Vec<(i64, ProcessId)> = group
            .members
            .iter()
            .filter_map(|id| Some((self.members.get(id)?.process.program.priority, *id)))
            .collect();
        members.sort_by_key(|(priority, _)| *priority);
        for (_, id) in members.into_iter().rev() {
            let state = self.members.get(&id).map(|member| member.process.state());
            match state {
                Some(ProcessState::Running | ProcessState::Starting) => {
                    self.input(now, id, Input::Stop, out);
                }
                Some(ProcessState::Backoff) => self.input(now, id, Input::GiveUp, out),
                Some(
                    ProcessState::Stopped
                    | ProcessState::Stopping
                    | ProcessState::Exited
                    | ProcessState::Fatal
                    | ProcessState::Unknown,
                )
                | None => {}
            }
        }
    }

    fn unstopped(&self) -> impl Iterator<Item = &Member> {
        let all = self.groups.iter().flat_map(|group| &group.members);
        let all = all.filter_map(|id| self.member(*id));
        all.filter(|member| !member.process.state().is_stopped())
    }

    fn report_shutdown(&mut self, now: Now, out: &mut Vec<Effect>) {
        let is_due = self.leaving.as_ref().is_some_and(|leaving| leaving.report_at <= now.mono);
        let finished = self.unstopped().next().is_none();
        if finished {
            let all: Vec<ProcessId> = self.members.keys().copied().collect();
            self.forget_sockets(&all, out);
            self.events.finish(out);
            out.push(Effect::Finished(self.state));
        } else if is_due {
            let named =
                |member: &Member| (member.process.program.name.clone(), member.process.state());
            out.push(Effect::WaitingToDie(self.unstopped().map(named).collect()));
        }
        let Some(leaving) = &mut self.leaving else { return };
        leaving.finished = finished;
        if is_due {
            leaving.report_at = now.mono + SHUTDOWN_REPORT;
        }
    }
}

enum Found {
    Process(ProcessId),
    Group(Vec<ProcessId>),
}

/// What a request does to each of its processes.
enum Action {
    Start { wait: bool, refused: Refused },
    Stop { wait: bool },
    Signal(String),
}

impl Action {
    /// In a list, whether a process in this state is acted on; others do not appear.
    fn is_for(&self, state: ProcessState) -> bool {
        match self {
            Action::Start { .. } => !state.is_started(),
            Action::Stop { .. } => state.is_started(),
            Action::Signal(_) => state.is_signallable(),
        }
    }
}

enum Verdict {
    AtOnce(Result<(), Fault>),
    Do(Input, Awaited),
}

/// The checks of a request in Supervisor's order.
fn decide_action(member: &Member, name: &str, action: &Action) -> Verdict {
    let state = member.process.state();
    let refuse = |code| Verdict::AtOnce(Err(Fault::new(code, name)));
    match action {
        Action::Start { wait, refused } => {
            let names = (member.group.to_string(), member.process.program.name.clone());
            if let Some(problem) = refused.get(&names) {
                return Verdict::AtOnce(Err(Fault::from(problem)));
            }
            match state {
                state if state.is_started() => refuse(FaultCode::AlreadyStarted),
                ProcessState::Unknown => {
                    let why = format!("{name} is in an unknown process state");
                    Verdict::AtOnce(Err(Fault::new(FaultCode::Failed, why)))
                }
                ProcessState::Stopping if *wait => refuse(FaultCode::AbnormalTermination),
                ProcessState::Stopping => Verdict::AtOnce(Ok(())),
                _ if *wait => Verdict::Do(Input::Start, Awaited::Running),
                _ => Verdict::Do(Input::Start, Awaited::Spawned),
            }
        }
        Action::Stop { wait } => match state {
            state if !state.is_started() => refuse(FaultCode::NotRunning),
            _ if *wait => Verdict::Do(Input::Stop, Awaited::Stopped { report_at: None }),
            _ => Verdict::Do(Input::Stop, Awaited::StopSent),
        },
        Action::Signal(text) => match signal::parse(text) {
            Err(_) => Verdict::AtOnce(Err(Fault::new(FaultCode::BadSignal, text.as_str()))),
            Ok(_) if !state.is_signallable() => refuse(FaultCode::NotRunning),
            Ok(number) => Verdict::Do(Input::Signal(number), Awaited::Signalled),
        },
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
enum Happened {
    Announced,
    Entered { state: ProcessState, failed: bool },
    SignalRefused { purpose: Purpose, why: String },
}

impl Happened {
    fn as_happening(&self) -> Happening<'_> {
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
fn happenings(process: &Process, effects: &[machine::Effect], announced: bool) -> Vec<Happened> {
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

#[cfg(test)]
mod tests;
