//! Effects, carried out: threads, signals, sockets, lines, answers. Decides nothing and waits for
//! nothing.

use std::sync::Arc;

use super::run::Coordinator;
use super::view::ProcessView;
use super::world::sockets::SocketId;
use super::world::{Effect, Event, Member, ProcessId};
use crate::child::link::Link;
use crate::child::socket::SharedSocket;
use crate::child::thread::{self, Job, Logs};
use crate::config::options::LogLevel;
use crate::config::signal;
use crate::counters::{OfDaemon, OfProcess};
use crate::event;
use crate::event::pool::Heard;
use crate::process::machine::{self, Input, SpawnFailure, SpawnNumber};
use crate::process::notice::{Notice, Purpose, Scope};
use crate::process::state::ProcessState;
use crate::process::time::Now;
use crate::sys::{errno, signals};

use super::message::Message;

/// What a process has besides its state: its logs, its socket and, while there is one, its thread.
pub struct Shell {
    /// Where its output goes.
    pub logs: Arc<Logs>,
    /// What its stdin is, for FastCGI.
    pub socket: Option<Arc<SharedSocket>>,
    /// The way to its thread.
    pub link: Option<Arc<Link>>,
    /// Which spawn the thread is for.
    pub spawn: SpawnNumber,
    /// How others saw it last, if nothing has changed since.
    pub view: Option<Arc<ProcessView>>,
}

impl Shell {
    /// How others see the process.
    pub fn view(&mut self, member: &Member) -> Arc<ProcessView> {
        if let Some(view) = &self.view {
            return Arc::clone(view);
        }
        let process = &member.process;
        let secs = |now: Option<Now>| now.map_or(0, |now| now.wall_secs());
        let view = Arc::new(ProcessView {
            group: Arc::clone(&member.group),
            program: Arc::clone(&process.program),
            logs: Arc::clone(&self.logs),
            socket: self.socket.clone(),
            link: self.link.clone(),
            state: process.state(),
            pid: process.pid().unwrap_or(0),
            start: secs(process.started()),
            stop: secs(process.stopped_at()),
            spawn_error: process.spawn_error().unwrap_or("").to_owned(),
            exit_status: process.exit_code().map_or(0, i64::from),
        });
        self.view = Some(Arc::clone(&view));
        view
    }
}

impl Coordinator<'_> {
    /// Carries out one effect.
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Process(id, effect) => self.perform_for(id, effect),
            Effect::Answer(id, answer) => {
                if let Some(reply) = self.replies.remove(&id) {
                    reply(answer);
                }
            }
            Effect::Settle(id) => self.follow_ups.push_back(Event::Settled(id)),
            Effect::Added(name) => {
                self.added(&name);
                self.means.wanted.set(self.world.wanted());
            }
            Effect::Removed(members) => {
                self.means.wanted.set(self.world.wanted());
                self.end_unknown(&members);
                for id in members {
                    self.shells.remove(&id);
                }
            }
            Effect::CloseSocket(SocketId(id)) => {
                if let Some(socket) = self.shells.get(&id).and_then(|s| s.socket.as_ref()) {
                    socket.close(&self.means.logger);
                }
            }
            Effect::WaitingToDie(unstopped) => self.log_waiting(&unstopped),
            Effect::Finished(state) => {
                if self.finished.replace(state).is_none() {
                    let members: Vec<ProcessId> = self.shells.keys().copied().collect();
                    self.end_unknown(&members);
                }
            }
            Effect::Send(id, bytes) => self.send_event(id, bytes),
            Effect::Tell(notice) => {
                self.count_event(&notice);
                self.means.logger.log(notice.level(), notice);
            }
        }
    }

    fn count_event(&self, notice: &event::notice::Notice) {
        use event::notice::Notice as N;
        let counters = &self.means.counters;
        match notice {
            N::Overflowed { pool, others, .. } => counters.discarded(pool, others + 1),
            N::Rejected { .. } => counters.count(OfDaemon::EventRejected),
            N::Late { .. } => counters.count(OfDaemon::ResultLate),
            N::Lost { .. } => counters.count(OfDaemon::ListenerLost),
            N::Rebuffering { .. }
            | N::Sent { .. }
            | N::BrokenPipe { .. }
            | N::Changed { .. }
            | N::BadResultLine { .. }
            | N::Processed { .. }
            | N::Communication { .. } => {}
        }
    }

    fn count_of(&self, id: ProcessId, what: OfProcess) {
        if let Some(shell) = self.shells.get(&id) {
            shell.logs.tally().count(what);
        }
    }

    /// Kills a child that must not live on. A refusal is counted, and the caller tells of it.
    pub(super) fn kill(&self, process: ProcessId, pid: i32, scope: Scope) -> std::io::Result<()> {
        signals::send(pid, signal::KILL, scope)
            .inspect_err(|_| self.count_of(process, OfProcess::SignalRefused))
    }

    /// A thread that has nobody any more but its child.
    fn orphan(&self, link: Arc<Link>) {
        if let Ok(mut orphans) = self.means.orphans.try_borrow_mut() {
            orphans.add(link);
        }
    }

    /// Children of processes that are about to be forgotten: those of UNKNOWN ones, which could not
    /// be signalled when they were to stop. They must not run on beside whoever is started next.
    /// Their threads end with them.
    fn end_unknown(&self, forgotten: &[ProcessId]) {
        let forgotten = |(_, process): &(&i32, &ProcessId)| forgotten.contains(process);
        for (pid, process) in self.by_pid.iter().filter(forgotten) {
            let why = match self.kill(*process, *pid, Scope::Group) {
                Ok(()) => "it is killed".to_owned(),
                Err(error) => format!("it runs on: {}", errno::described(&error)),
            };
            let link = self.shells.get(process).and_then(|shell| shell.link.clone());
            link.into_iter().for_each(|link| self.orphan(link));
            let text = format!("pid {pid}, which could not be stopped, is forgotten; {why}");
            self.log(LogLevel::Warn, &text);
        }
    }

    fn perform_for(&mut self, id: ProcessId, effect: machine::Effect) {
        match effect {
            machine::Effect::Spawn(spawn) => self.spawn(id, spawn),
            machine::Effect::Signal { pid, signal, scope, purpose } => {
                self.send_signal(id, pid, signal, scope, purpose);
            }
            machine::Effect::CallOff(spawn) => self.call_off(id, spawn),
            machine::Effect::Drain(spawn) => self.drain(id, spawn),
            machine::Effect::Transition(_) => {}
            machine::Effect::Notice(notice) => {
                let pid = match notice {
                    Notice::Spawned { pid } => Some(pid),
                    Notice::SignalRefused { .. } => {
                        self.count_of(id, OfProcess::SignalRefused);
                        None
                    }
                    _ => None,
                };
                if let Some(pid) = pid {
                    self.by_pid.insert(pid, id);
                }
                let Some(member) = self.world.member(id) else { return };
                let name = &member.process.program.name;
                let tell = || self.means.logger.log(notice.level(), notice.about(name));
                let link = self.shells.get(&id).and_then(|shell| shell.link.as_ref());
                match link.filter(|_| pid.is_some()) {
                    Some(link) => link.announce(tell),
                    None => tell(),
                }
            }
        }
    }

    /// The thread answers when the listener has read it, or has closed its stdin.
    fn send_event(&mut self, process: ProcessId, bytes: Vec<u8>) {
        let Some(shell) = self.shells.get(&process) else { return };
        let taken = shell.link.as_ref().is_some_and(|link| link.send_event(bytes));
        if !taken {
            let (spawn, heard) = (shell.spawn, Heard::Refused);
            self.follow_ups.push_back(Event::Listener { process, spawn, heard });
        }
    }

    fn added(&mut self, name: &str) {
        let Some(incoming) = self.incoming.take() else { return };
        let Some(group) = self.world.groups().iter().find(|g| g.options.name == name) else {
            return;
        };
        let prepared = incoming.logs.into_iter().zip(incoming.sockets);
        for (id, (logs, socket)) in group.members.iter().zip(prepared) {
            let (spawn, link, view) = (SpawnNumber::default(), None, None);
            self.shells.insert(*id, Shell { logs, socket, link, spawn, view });
        }
    }

    fn spawn(&mut self, id: ProcessId, spawn: SpawnNumber) {
        let is_first = |shell: &Shell| shell.spawn == SpawnNumber::default();
        if !self.asked_for && !self.shells.get(&id).is_some_and(is_first) {
            self.count_of(id, OfProcess::Restarted);
        }
        if let Err(error) = self.start_thread(id, spawn) {
            self.count_of(id, OfProcess::SpawnLackedResources);
            self.count_of(id, OfProcess::ThreadRefused);
            let name = self.world.member(id).map_or("", |m| m.process.program.name.as_str());
            let text = match error.raw_os_error() {
                Some(libc::EMFILE) => format!("too many open files to spawn '{name}'"),
                // Threads count where processes do.
                Some(libc::EAGAIN) => {
                    format!("Too many processes in process table to spawn '{name}'")
                }
                _ => format!("unknown error making a thread for '{name}': {}", errno::name(&error)),
            };
            let input = Input::SpawnFailed(SpawnFailure { text, lacks_resources: true });
            self.follow_ups.push_back(Event::Child { process: id, spawn, input });
        }
    }

    fn start_thread(&mut self, id: ProcessId, spawn: SpawnNumber) -> std::io::Result<()> {
        let (Some(member), Some(shell)) = (self.world.member(id), self.shells.get_mut(&id)) else {
            return Ok(());
        };
        let link = Arc::new(Link::new()?);
        if let Some(socket) = &shell.socket {
            socket.want();
        }
        let to = self.means.handle.sender().clone();
        let report = move |report| {
            let _ = to.send(Message::Child { process: id, spawn, report });
        };
        let job = Job {
            program: Arc::clone(&member.process.program),
            group: Arc::clone(&member.group),
            listener: member.listener,
            logs: Arc::clone(&shell.logs),
            socket: shell.socket.clone(),
            strip_ansi: self.options.supervisord.strip_ansi,
            link: Arc::clone(&link),
            common: Arc::clone(&self.common),
            report: Box::new(report),
        };
        thread::start(job, self.means.turns.take(shell.logs.pace()))?;
        shell.link = Some(link);
        shell.spawn = spawn;
        Ok(())
    }

    fn send_signal(
        &mut self,
        process: ProcessId,
        pid: i32,
        signal: i32,
        scope: Scope,
        purpose: Purpose,
    ) {
        if let Err(error) = signals::send(pid, signal, scope) {
            let gone = error.raw_os_error() == Some(libc::ESRCH);
            let error = errno::described(&error);
            let input = if gone {
                Input::SignalTooLate { error, purpose }
            } else {
                Input::SignalRefused { error, purpose }
            };
            self.follow_ups.push_back(Event::SignalFailed { process, input });
        }
    }

    /// The thread may hang before it makes a child; when it no longer does, it makes none.
    fn call_off(&mut self, id: ProcessId, spawn: SpawnNumber) {
        if let Some(shell) = self.shells.get_mut(&id).filter(|shell| shell.spawn == spawn)
            && let Some(link) = shell.link.take()
            && !link.call_off()
        {
            // Too late: a child is being made.
            self.orphan(link);
        }
    }

    fn drain(&mut self, id: ProcessId, spawn: SpawnNumber) {
        let shell = self.shells.get(&id).filter(|shell| shell.spawn == spawn);
        match shell.and_then(|shell| shell.link.as_ref()) {
            Some(link) => link.drain(),
            None => {
                let event = Event::Child { process: id, spawn, input: Input::Drained };
                self.follow_ups.push_back(event);
            }
        }
    }

    /// The thread of that spawn has ended.
    pub(super) fn forget_thread(&mut self, id: ProcessId, spawn: SpawnNumber) {
        if let Some(shell) = self.shells.get_mut(&id).filter(|shell| shell.spawn == spawn) {
            shell.link = None;
        }
    }

    /// Nobody reads the child's output any more: it is ended and counts as it then ends.
    pub(super) fn thread_panicked(&mut self, id: ProcessId, spawn: SpawnNumber, words: &str) {
        self.count_of(id, OfProcess::ThreadPanicked);
        // It may not have come to tell of its child.
        self.look_for_pids();
        let Some(member) = self.world.member(id) else { return };
        let name = member.process.program.name.clone();
        let text = format!("the thread of '{name}' panicked, its process is killed: {words}");
        self.log(LogLevel::Critical, &text);
        if member.process.spawn_number() != spawn {
            return;
        }
        let (pid, spawning) = (member.process.pid(), member.process.is_spawning());
        self.forget_thread(id, spawn);
        if let Some(pid) = pid
            && let Err(error) = self.kill(id, pid, Scope::Process)
        {
            let error = errno::described(&error);
            self.log(LogLevel::Warn, &format!("pid {pid} of '{name}' runs on: {error}"));
        }
        let input = if spawning {
            let text = format!("the thread of '{name}' panicked");
            Input::SpawnFailed(SpawnFailure { text, lacks_resources: false })
        } else {
            // If it was reaped already, this ends the wait for its drain.
            Input::Drained
        };
        self.handle(Event::Child { process: id, spawn, input });
    }

    fn log_waiting(&self, unstopped: &[(String, ProcessState)]) {
        let names: Vec<&str> = unstopped.iter().map(|(name, _)| name.as_str()).collect();
        self.log(LogLevel::Info, &format!("waiting for {} to die", names.join(", ")));
        for (name, state) in unstopped {
            self.log(LogLevel::Blather, &format!("{name} state: {state}"));
        }
    }
}
