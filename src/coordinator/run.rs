//! The loop: receive until the next deadline, step, perform.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2};

use super::lingering::{self, Lingering};
use super::message::{Handle, Message, Reply};
use super::orphans::Orphans;
use super::perform::Shell;
use super::prepare::{NewGroup, Next};
use super::profile::Profile;
use super::view::{ProcessView, View};
use super::waiters::{Answer, RequestId};
use super::world::requests::Request;
use super::world::{Effect, Event, ProcessId, World};
use crate::child::audience::Wanted;
use crate::child::buffers::Buffers;
use crate::child::environment::Inherited;
use crate::child::link::Link;
use crate::child::thread::{Common, Report};
use crate::child::turns::Turns;
use crate::config::options::{LogLevel, Options};
use crate::config::reread::{self, Changes};
use crate::config::signal;
use crate::counters::{Counters, OfDaemon, OfProcess};
use crate::event::serial::Counter;
use crate::log::activity::Logger;
use crate::process::machine::{Input, SpawnNumber};
use crate::process::notice::Scope;
use crate::process::state::SupervisorState;
use crate::process::time::Mono;
use crate::sys::limits::ForChildren;
use crate::sys::state_file::StateFile;
use crate::sys::{clock, code, errno, heap, reap, thread};

/// After so long without a message the daemon is at rest, and gives back what it needed last.
const REST: Duration = Duration::from_secs(1);

/// Zombies that are taken away before a message or a deadline gets its turn: as PID 1 the daemon
/// may get orphans faster than it can reap them.
const REAPED_IN_A_ROW: usize = 100;

/// Zombies that could not be looked for are looked for again after so long.
const REAP_AGAIN: Duration = Duration::from_secs(1);

/// Enough for the files thread, which reads a configuration and looks up users and hosts, bytes.
const FILES_STACK: usize = 2 << 20;

/// Prepares a restart of the daemon that looks like this: reads the configuration and opens what
/// is new. On a thread of its own.
pub type Prepare = Arc<dyn Fn(&View) -> Result<Box<Next>, String> + Send + Sync>;

/// What comes when every process has stopped.
pub enum Then {
    /// The daemon begins anew with this.
    Restart(Box<Next>),
    /// It ends; with what was prepared for a restart that was called off. To drop that touches
    /// paths.
    End(Option<Box<Next>>),
}

/// What the coordinator works with.
pub struct Means {
    /// The mailbox.
    pub inbox: Receiver<Message>,
    /// How others, and it itself, reach it.
    pub handle: Handle,
    /// The activity log.
    pub logger: Logger,
    /// The daemon's environment at start.
    pub inherited: Arc<Inherited>,
    /// Buffers for busy children.
    pub buffers: Buffers,
    /// The order of starts.
    pub turns: Turns,
    /// The limits that children start with.
    pub limits: ForChildren,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// Where children are written down.
    pub state_file: Option<Arc<StateFile>>,
    /// For HUP.
    pub prepare: Prepare,
    /// The number of the first process of the next coordinator.
    pub next_process: AtomicU64,
    /// That of its first event.
    pub next_event: AtomicU64,
    /// What listeners want, for the children's threads.
    pub wanted: Wanted,
    /// Threads that still hear what a child has left.
    pub lingering: RefCell<Lingering>,
    /// Threads of children whose processes are no longer known.
    pub orphans: RefCell<Orphans>,
    /// The account of the loop's work, if anybody wants it.
    pub profile: Option<RefCell<Profile>>,
}

/// The one owner of all states.
pub struct Coordinator<'a> {
    pub(super) means: &'a Means,
    /// What all children's threads need of that.
    pub(super) common: Arc<Common>,
    pub(super) world: World,
    pub(super) shells: BTreeMap<ProcessId, Shell>,
    /// Live children by pid, for reaping.
    pub(super) by_pid: HashMap<i32, ProcessId>,
    pub(super) replies: HashMap<RequestId, Reply>,
    pub(super) options: Arc<Options>,
    running: Arc<Options>,
    /// The group that is being added, for its logs.
    pub(super) incoming: Option<Box<NewGroup>>,
    /// Events that performing effects led to.
    pub(super) follow_ups: VecDeque<Event>,
    pub(super) finished: Option<SupervisorState>,
    next: Option<Box<Next>>,
    preparing: bool,
    prepare_again: bool,
    /// What happens now was asked for.
    pub(super) asked_for: bool,
    /// There may be more zombies than were reaped.
    zombies_left: bool,
    /// When zombies are looked for again, after that has failed.
    reap_at: Option<Mono>,
    /// When the daemon comes to rest if nothing more happens; once, not again and again.
    rest_at: Option<Mono>,
}

impl<'a> Coordinator<'a> {
    /// With the groups active, in this order; autostart happens in [`Coordinator::run`].
    pub fn new(means: &'a Means, options: Arc<Options>, groups: Vec<NewGroup>) -> Coordinator<'a> {
        means.handle.published().withdraw();
        let common = Common {
            wanted: means.wanted.clone(),
            inherited: Arc::clone(&means.inherited),
            logger: means.logger.clone(),
            buffers: means.buffers.clone(),
            limits: means.limits,
            state_file: means.state_file.clone(),
        };
        let mut coordinator = Coordinator {
            means,
            common: Arc::new(common),
            world: World::following(
                means.next_process.load(Ordering::Relaxed),
                Counter::from(means.next_event.load(Ordering::Relaxed)),
                &options.supervisord.identifier,
            ),
            shells: BTreeMap::new(),
            by_pid: HashMap::new(),
            replies: HashMap::new(),
            running: Arc::clone(&options),
            options,
            incoming: None,
            follow_ups: VecDeque::new(),
            finished: None,
            next: None,
            preparing: false,
            prepare_again: false,
            asked_for: false,
            // Children of whoever executed the daemon may have ended before it heard of signals.
            zombies_left: true,
            reap_at: None,
            rest_at: Some(clock::now().mono + REST),
        };
        for group in groups {
            coordinator.add(Box::new(group));
        }
        coordinator
    }

    /// Runs until every process has stopped after a request to leave. What comes then.
    pub fn run(mut self) -> Then {
        self.handle(Event::Began);
        loop {
            // A defect in one step must not orphan all children: the next message goes on.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn()));
            if turn.is_err() {
                self.means.counters.count(OfDaemon::Panicked);
                self.log(LogLevel::Critical, "the coordinator panicked on a message; it goes on");
            }
            let Some(state) = self.finished else { continue };
            if self.preparing && state == SupervisorState::Restarting {
                // The file has changed once more.
                continue;
            }
            self.means.next_process.store(self.world.next_id(), Ordering::Relaxed);
            self.means.next_event.store(self.world.serials().peek(), Ordering::Relaxed);
            return match self.next {
                Some(next) if state != SupervisorState::Shutdown => Then::Restart(next),
                called_off => Then::End(called_off),
            };
        }
    }

    /// Takes one message, or what is due.
    fn turn(&mut self) {
        let due = self.world.next_deadline();
        // A tick may be due again and again; between two of them the daemon is at rest.
        let rest = self.rest_at.filter(|rest| due.is_none_or(|due| *rest < due));
        if due.is_some_and(|due| due <= clock::now().mono) {
            self.timed("deadline", |coordinator| {
                coordinator.look_for_pids();
                coordinator.handle(Event::Deadline);
            });
            // What is due must not keep messages waiting for ever.
            return self.receive_waiting();
        }
        if self.zombies_left || self.reap_at.is_some_and(|at| at <= clock::now().mono) {
            self.reap();
            return self.receive_waiting();
        }
        let rest = rest.filter(|rest| self.reap_at.is_none_or(|at| *rest < at));
        let received = match rest.or(due.into_iter().chain(self.reap_at).min()) {
            Some(until) => self.means.inbox.recv_deadline(clock::instant(until)),
            None => self.means.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(message) => self.receive(message),
            Err(_) if rest.is_some() => {
                self.rest_at = None;
                heap::give_back();
                code::forget();
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }

    /// Takes one message if there is one.
    fn receive_waiting(&mut self) {
        if let Ok(message) = self.means.inbox.try_recv() {
            self.receive(message);
        }
    }

    /// Does a piece of work, and takes its time where an account is kept.
    fn timed(&mut self, kind: &'static str, work: impl FnOnce(&mut Self)) {
        let Some(profile) = &self.means.profile else { return work(self) };
        let begin = clock::now().mono;
        work(self);
        let took = clock::now().mono.saturating_sub(begin);
        if let Ok(mut profile) = profile.try_borrow_mut() {
            profile.add(kind, took);
        }
    }

    fn receive(&mut self, message: Message) {
        self.rest_at = Some(clock::now().mono + REST);
        self.timed(message.kind(), |coordinator| coordinator.take(message));
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Signal(number) => self.signal(number),
            Message::Child { process, spawn, report } => self.report(process, spawn, report),
            Message::Request { id, request, reply } => {
                self.replies.insert(id, reply);
                self.look_for_pids();
                self.handle(Event::Request(id, *request));
            }
            Message::Add { group, reply } => {
                let answer = self.add(group);
                let _ = reply.try_send(answer);
            }
            Message::View(reply) => {
                let view = self.view();
                let _ = reply.try_send(view);
            }
            Message::Reread { options, reply } => {
                let changes = self.reread(options);
                let _ = reply.try_send(changes);
            }
            Message::Leave { next, reply } => {
                let leaves = self.world.state() == SupervisorState::Running;
                let _ = reply.try_send(leaves);
                if leaves {
                    self.leave(next);
                }
            }
            Message::Prepared(prepared) => self.prepared(prepared),
            Message::Occurred(event) => self.handle(Event::Occurred(*event)),
        }
    }

    /// Steps, performs, and goes on with what performing led to.
    pub(super) fn handle(&mut self, event: Event) {
        self.follow_ups.push_back(event);
        while let Some(event) = self.follow_ups.pop_front() {
            let mut effects = Vec::new();
            let is_heard = matches!(event, Event::Occurred(_) | Event::Listener { .. });
            self.asked_for = matches!(event, Event::Request(..));
            self.world.step(clock::now(), event, &mut effects);
            self.withdraw_view(is_heard);
            for effect in effects {
                self.perform(effect);
            }
        }
    }

    /// Before anyone hears of a change, the picture without it is gone. What only listeners heard
    /// of changes nothing in it, unless a process did change: else each of thousands of events a
    /// second would cost a new picture.
    fn withdraw_view(&mut self, is_heard: bool) {
        let changed = self.world.take_changed();
        if is_heard && changed.is_empty() {
            return;
        }
        for id in changed {
            if let Some(shell) = self.shells.get_mut(&id) {
                shell.view = None;
            }
        }
        self.means.handle.published().withdraw();
    }

    fn report(&mut self, process: ProcessId, spawn: SpawnNumber, report: Report) {
        let input = match report {
            Report::Spawned { pid } if self.is_stale(process, spawn) => {
                return self.end_late_child(process, pid);
            }
            Report::Spawned { pid } => Input::Announced { pid },
            Report::ExecLacked => Input::ExecLacked,
            Report::Failed(failure) => {
                self.forget_thread(process, spawn);
                Input::SpawnFailed(failure)
            }
            Report::Drained => {
                self.forget_thread(process, spawn);
                Input::Drained
            }
            Report::Lingers(link) => return self.lingers(process, spawn, link),
            Report::Lingered => return self.lingered(process, spawn),
            Report::Occurred(event) => return self.handle(Event::Occurred(*event)),
            Report::Heard(heard) => {
                return self.handle(Event::Listener { process, spawn, heard: *heard });
            }
            Report::Panicked(words) => {
                self.lingered(process, spawn);
                return self.thread_panicked(process, spawn, &words);
            }
        };
        self.handle(Event::Child { process, spawn, input });
    }

    fn lingers(&self, process: ProcessId, spawn: SpawnNumber, link: Arc<Link>) {
        let Ok(mut lingering) = self.means.lingering.try_borrow_mut() else { return };
        if lingering.add(process, spawn, link)
            && let Some(member) = self.world.member(process)
        {
            if let Some(shell) = self.shells.get(&process) {
                shell.logs.tally().count(OfProcess::LingeringCut);
            }
            let (name, most) = (&member.process.program.name, lingering::MOST);
            let text = format!(
                "'{name}' has left output open {most} times within drain_timeout; what was left \
                 first is read no more"
            );
            self.log(LogLevel::Warn, &text);
        }
    }

    fn lingered(&self, process: ProcessId, spawn: SpawnNumber) {
        if let Ok(mut lingering) = self.means.lingering.try_borrow_mut() {
            lingering.remove(process, spawn);
        }
    }

    /// Nobody waits for that spawn any more.
    fn is_stale(&self, process: ProcessId, spawn: SpawnNumber) -> bool {
        self.world.member(process).is_none_or(|member| member.process.spawn_number() != spawn)
    }

    /// A child of a start that was called off, made in the last moment. It is ended and reaped as
    /// unknown.
    fn end_late_child(&self, process: ProcessId, pid: i32) {
        if !reap::is_ours(pid) || self.by_pid.contains_key(&pid) {
            return;
        }
        // It leads its group, and nobody knows it who could end the others.
        if let Err(error) = self.kill(process, pid, Scope::Group) {
            let error = errno::described(&error);
            let text = format!("pid {pid}, whose start was called off, runs on: {error}");
            self.log(LogLevel::Warn, &text);
        }
    }

    /// Takes up pids that the kernel has told but the children's threads have not.
    pub(super) fn look_for_pids(&mut self) {
        let found: Vec<(ProcessId, SpawnNumber, i32)> = self
            .shells
            .iter()
            .filter_map(|(id, shell)| Some((*id, self.world.member(*id)?, shell)))
            .filter(|(_, member, _)| member.process.is_spawning())
            .filter_map(|(id, member, shell)| {
                let pid = shell.link.as_ref()?.slot.get()?;
                Some((id, member.process.spawn_number(), pid))
            })
            .collect();
        for (process, spawn, pid) in found {
            self.handle(Event::Child { process, spawn, input: Input::Announced { pid } });
        }
    }

    fn signal(&mut self, number: i32) {
        let name = signal::Name(number);
        match number {
            SIGTERM | SIGINT | SIGQUIT => {
                let text = format!("received {name} indicating exit request");
                self.log(LogLevel::Warn, &text);
                self.look_for_pids();
                self.handle(Event::Leave(SupervisorState::Shutdown));
            }
            SIGHUP if self.world.state() == SupervisorState::Shutdown => {
                let text =
                    format!("ignored {name} indicating restart request (shutdown in progress)");
                self.log(LogLevel::Warn, &text);
            }
            SIGHUP => {
                let text = format!("received {name} indicating restart request");
                self.log(LogLevel::Warn, &text);
                self.prepare_restart();
            }
            SIGUSR2 => {
                let text = format!("received {name} indicating log reopen request");
                self.log(LogLevel::Info, &text);
                self.reopen_logs();
            }
            SIGCHLD => {
                let text = format!("received {name} indicating a child quit");
                self.log(LogLevel::Debug, &text);
                self.reap();
            }
            _ => {
                let text = format!("received {name} indicating nothing");
                self.log(LogLevel::Blather, &text);
            }
        }
    }

    /// Until no zombie is left, or many were: names it, finds its owner, and only then waits for
    /// it. After that its pid may be anybody's.
    fn reap(&mut self) {
        self.zombies_left = false;
        for _ in 0..REAPED_IN_A_ROW {
            let zombie = match reap::next_zombie() {
                Ok(Some(pid)) => pid,
                Ok(None) => {
                    self.reap_at = None;
                    return;
                }
                Err(error) => return self.reap_failed(&error),
            };
            if !self.by_pid.contains_key(&zombie) {
                self.look_for_pids();
            }
            // It was there a moment ago, and nobody else waits: this can't fail.
            let status = match reap::reap(zombie) {
                Ok(status) => status,
                Err(error) => return self.reap_failed(&error),
            };
            let owner = self.by_pid.remove(&zombie);
            match owner.filter(|process| self.world.member(*process).is_some()) {
                Some(process) => self.handle(Event::Reaped { process, status }),
                None => {
                    self.means.counters.count(OfDaemon::ReapedUnknown);
                    self.log(LogLevel::Info, &format!("reaped unknown pid {zombie} ({status})"));
                }
            }
            if let Ok(mut orphans) = self.means.orphans.try_borrow_mut() {
                orphans.reaped(zombie);
            }
        }
        self.zombies_left = true;
    }

    /// Told once until it works again; no signal would come for those that wait.
    fn reap_failed(&mut self, error: &std::io::Error) {
        self.means.counters.count(OfDaemon::WaitFailed);
        let again = clock::now().mono + REAP_AGAIN;
        if self.reap_at.replace(again).is_some() {
            return;
        }
        let number = error.raw_os_error().unwrap_or(0);
        let text = format!("waitpid error {number}; a process may not be cleaned up properly");
        self.log(LogLevel::Critical, &text);
    }

    fn reopen_logs(&self) {
        self.log(LogLevel::Info, "supervisord logreopen");
        self.means.logger.reopen();
        for link in self.shells.values().filter_map(|shell| shell.link.as_ref()) {
            link.reopen_logs();
        }
        if let Ok(lingering) = self.means.lingering.try_borrow() {
            lingering.reopen_logs();
        }
    }

    /// HUP: whatever can fail is tried on another thread, before anything stops.
    fn prepare_restart(&mut self) {
        if self.preparing {
            // What is being read may be old already.
            self.prepare_again = true;
            return;
        }
        let (prepare, view) = (Arc::clone(&self.means.prepare), self.view());
        let to: Sender<Message> = self.means.handle.sender().clone();
        let body = move || {
            let prepared = catch_unwind(AssertUnwindSafe(|| prepare(&view)))
                .unwrap_or_else(|_| Err("a defect: reading the configuration panicked".to_owned()));
            let _ = to.send(Message::Prepared(prepared));
        };
        match thread::start(c"files", FILES_STACK, Box::new(body)) {
            Ok(()) => self.preparing = true,
            Err(error) => {
                self.means.counters.count(OfDaemon::RestartRefused);
                let text = format!("could not restart: no thread to prepare it: {error}");
                self.log(LogLevel::Error, &text);
            }
        }
    }

    fn prepared(&mut self, prepared: Result<Box<Next>, String>) {
        self.preparing = false;
        if std::mem::take(&mut self.prepare_again) {
            self.prepare_restart();
        }
        match prepared {
            Ok(next) => match self.world.state() {
                SupervisorState::Running if self.preparing => {}
                SupervisorState::Running => self.leave(Some(next)),
                SupervisorState::Restarting => self.next = Some(next),
                // A shutdown came first.
                SupervisorState::Shutdown => {}
            },
            Err(why) => {
                self.means.counters.count(OfDaemon::RestartRefused);
                let text = format!("could not restart, everything goes on as it is: {why}");
                self.log(LogLevel::Error, &text);
            }
        }
    }

    fn leave(&mut self, next: Option<Box<Next>>) {
        let state = match &next {
            Some(_) => SupervisorState::Restarting,
            None => SupervisorState::Shutdown,
        };
        self.next = next;
        self.look_for_pids();
        self.handle(Event::Leave(state));
    }

    fn add(&mut self, group: Box<NewGroup>) -> Answer {
        let request = Request::Add(Arc::clone(&group.group));
        self.incoming = Some(group);
        self.asked_for = true;
        let mut effects = Vec::new();
        // Number 0 is nobody's: the answer is taken from the effects.
        let event = Event::Request(RequestId(0), request);
        self.world.step(clock::now(), event, &mut effects);
        self.withdraw_view(false);
        let mut answer = Answer::True;
        for effect in effects {
            match effect {
                Effect::Answer(_, given) => answer = given,
                other => self.perform(other),
            }
        }
        self.incoming = None;
        answer
    }

    fn reread(&mut self, options: Arc<Options>) -> Changes {
        let active: Vec<_> =
            self.world.groups().iter().map(|group| Arc::clone(&group.options)).collect();
        let changes = reread::compare(&active, &options.groups);
        self.options = options;
        self.means.handle.published().withdraw();
        changes
    }

    fn view(&mut self) -> Arc<View> {
        if let Some(view) = self.means.handle.published().get() {
            return view;
        }
        let mut processes: Vec<Arc<ProcessView>> = Vec::with_capacity(self.shells.len());
        for (id, shell) in &mut self.shells {
            if let Some(member) = self.world.member(*id) {
                processes.push(shell.view(member));
            }
        }
        processes.sort_by(|a, b| (&*a.group, &a.program.name).cmp(&(&*b.group, &b.program.name)));
        let groups = self.world.groups().iter().map(|group| Arc::clone(&group.options)).collect();
        let options = Arc::clone(&self.options);
        let running = Arc::clone(&self.running);
        let state = self.world.state();
        let view = Arc::new(View { state, processes, groups, options, running });
        self.means.handle.published().put(Arc::clone(&view));
        view
    }

    pub(super) fn log(&self, level: LogLevel, text: &str) {
        self.means.logger.log(level, text);
    }
}
