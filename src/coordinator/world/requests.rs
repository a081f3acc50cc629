//! What clients ask for that changes something: the checks in Supervisor's order, and what follows.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::waiting::Waiter;
use super::{ActiveGroup, Effect, Member, ProcessId, World};
use crate::config::options::{Group, GroupKind};
use crate::config::signal;
use crate::coordinator::waiters::{Answer, Awaited, Happening, RequestId, When};
use crate::event::payload;
use crate::process::command::CommandProblem;
use crate::process::machine::{Input, Process};
use crate::process::name::{Namespec, display};
use crate::process::state::{ProcessState, SupervisorState};
use crate::process::time::Now;
use crate::rpc::fault::{Fault, FaultCode};

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

impl World {
    pub(super) fn request(
        &mut self,
        now: Now,
        id: RequestId,
        request: Request,
        out: &mut Vec<Effect>,
    ) {
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

    pub(super) fn group(&self, name: &str) -> Result<&ActiveGroup, Fault> {
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
