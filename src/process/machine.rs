//! The state machine of one process: `step(input, now)` gives effects. The only writer of a
//! state.
//!
//! A start makes the process STARTING at once and asks for a spawn; the spawn runs elsewhere
//! and is told by `Announced` or `SpawnFailed`. Until then there may be no pid: a stop that
//! comes meanwhile makes the process STOPPING, and its signal is sent on `Announced`.
//!
//! An exit comes in two inputs. `Reaped` ends the pid as a target of signals and asks for the
//! drain of the pipes; `Drained`, or a deadline where a disk hangs, changes the state. So all
//! output is in the log before the exit is told, and yet nothing waits for ever.
//!
//! `Deadline` is the one input of time: it does whatever is due at `now`, and nothing else.
//! Which wish wins: a stop beats everything that is under way; a shutdown forbids spawns
//! (`may_spawn`) but lets STARTING become RUNNING.

use std::sync::Arc;
use std::time::Duration;

use super::exit::ExitStatus;
use super::notice::{Notice, Purpose, Scope};
use super::restarts::Restarts;
use super::state::ProcessState;
use super::time::{Mono, Now, secs};
use crate::config::options::{Autorestart, Program, RestartLimit, Retries};
use crate::config::signal;

/// How long a drain may hold back the exit: a log on a disk that hangs must not.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// What clients see as `spawnerr` of a child that never was RUNNING.
const TOO_QUICKLY: &str = "Exited too quickly (process log may have details)";

/// The longest wait between tries after a lack of resources.
const RESOURCE_DELAY_LIMIT: u32 = 5;

/// SIGKILL is not repeated faster than this, whatever `stopwaitsecs` says.
const KILL_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Tells the spawns of one process apart; messages of an old one are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpawnNumber(pub u64);

/// Why no child was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnFailure {
    /// What clients see as `spawnerr`.
    pub text: String,
    /// Descriptors, memory, processes or threads were lacking: tried again without end.
    pub lacks_resources: bool,
}

/// What can happen to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time went on to `now`.
    Deadline,
    /// A request to start.
    Start,
    /// A request to stop.
    Stop,
    /// Its group is being shut down and it does not run: no more tries.
    GiveUp,
    /// A request to send a signal.
    Signal(i32),
    /// The child of the current spawn exists.
    Announced {
        /// Its pid.
        pid: i32,
    },
    /// The current spawn failed.
    SpawnFailed(SpawnFailure),
    /// Its child can't execute the program for a lack of resources, and is about to exit. Comes
    /// before `Announced`.
    ExecLacked,
    /// The child was waited for: the pid is gone.
    Reaped(ExitStatus),
    /// All that the child wrote is in its logs.
    Drained,
    /// The last signal met nobody.
    SignalTooLate {
        /// The system's words.
        error: String,
        /// What it was for.
        purpose: Purpose,
    },
    /// The system refused the last signal.
    SignalRefused {
        /// The system's words.
        error: String,
        /// What it was for.
        purpose: Purpose,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Create a thread that makes a child; it answers with this number.
    Spawn(SpawnNumber),
    /// Send a signal.
    Signal {
        /// To this pid, or to its group.
        pid: i32,
        /// Which.
        signal: i32,
        /// How far.
        scope: Scope,
        /// What for.
        purpose: Purpose,
    },
    /// Keep the thread of that spawn from making a child.
    CallOff(SpawnNumber),
    /// Have the child's thread read what is left and end.
    Drain(SpawnNumber),
    /// The state changed.
    Transition(Transition),
    /// Write a line to the activity log.
    Notice(Notice),
}

/// A change of state, with what is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: ProcessState,
    /// The state now.
    pub to: ProcessState,
    /// The pid at that moment, 0 for none.
    pub pid: i32,
    /// The count of failed starts.
    pub tries: u32,
    /// For EXITED: the exit code is one of `exitcodes`.
    pub expected: bool,
}

/// An exit that waits for its drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PendingExit {
    status: ExitStatus,
    at: Now,
}

/// One process: its configuration and all that is known of its life.
#[derive(Clone, Debug)]
pub struct Process {
    /// How it is configured.
    pub program: Arc<Program>,
    state: ProcessState,
    pid: Option<i32>,
    /// The last pid, for what is told about an exit.
    last_pid: i32,
    spawn: SpawnNumber,
    /// The current spawn has neither a pid nor failed.
    spawning: bool,
    /// Boxed: it is there for a moment.
    exit: Option<Box<PendingExit>>,
    /// When something is due in BACKOFF (next try) or STOPPING (SIGKILL).
    due: Option<Mono>,
    started: Option<Now>,
    stopped_at: Option<Now>,
    /// Starts that failed since it was last RUNNING.
    backoff: u32,
    /// Where restarts wait, and when they are too many.
    restarts: Restarts,
    /// Spawns in a row for which resources were lacking.
    lacking: u32,
    /// An exit is what was asked for.
    killing: bool,
    /// The stop signal waits for the pid.
    stop_unsent: bool,
    /// The child of the current spawn executes nothing, for resources are lacking.
    exec_lacked: bool,
    exit_code: Option<i32>,
    spawn_error: Option<String>,
}

impl Process {
    /// A process that never ran.
    pub fn new(program: Arc<Program>) -> Process {
        Process {
            program,
            state: ProcessState::Stopped,
            pid: None,
            last_pid: 0,
            spawn: SpawnNumber::default(),
            spawning: false,
            exit: None,
            due: None,
            started: None,
            stopped_at: None,
            backoff: 0,
            restarts: Restarts::default(),
            lacking: 0,
            killing: false,
            stop_unsent: false,
            exec_lacked: false,
            exit_code: None,
            spawn_error: None,
        }
    }

    /// Its state.
    pub fn state(&self) -> ProcessState {
        self.state
    }

    /// The live child, the only one that signals may reach.
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// The number of the last spawn.
    pub fn spawn_number(&self) -> SpawnNumber {
        self.spawn
    }

    /// A spawn was asked for and has not answered.
    pub fn is_spawning(&self) -> bool {
        self.spawning
    }

    /// When the last child began, or its start was asked for where there is none yet.
    pub fn started(&self) -> Option<Now> {
        self.started
    }

    /// The last exit.
    pub fn stopped_at(&self) -> Option<Now> {
        self.stopped_at
    }

    /// The code of the last exit; -1 for a death by signal; none while it runs or when the exit
    /// came too quickly.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// Why the last start failed, or that the exit code was bad.
    pub fn spawn_error(&self) -> Option<&str> {
        self.spawn_error.as_deref()
    }

    /// Whether it has a child, is about to get one, or will get one by itself. `may_spawn` as below.
    pub fn is_live(&self, may_spawn: bool) -> bool {
        use ProcessState as S;
        match self.state {
            S::Starting | S::Running | S::Stopping => true,
            S::Unknown => self.pid.is_some() || self.spawning || self.exit.is_some(),
            S::Stopped | S::Exited | S::Backoff | S::Fatal => {
                self.next_deadline(may_spawn).is_some()
            }
        }
    }

    /// When `Deadline` has something to do; `may_spawn` is false while the daemon shuts down.
    pub fn next_deadline(&self, may_spawn: bool) -> Option<Mono> {
        use ProcessState as S;
        if let Some(exit) = &self.exit {
            let drained_by = exit.at.mono + DRAIN_LIMIT;
            // SIGKILL would have no target any more; the drain is all that is left.
            return Some(drained_by);
        }
        match self.state {
            S::Stopped => (may_spawn && self.wants_autostart()).then_some(Mono::ZERO),
            S::Exited => (may_spawn && self.wants_restart()).then_some(Mono::ZERO),
            S::Backoff if self.has_retries() => self.due.filter(|_| may_spawn),
            S::Backoff => Some(Mono::ZERO),
            S::Starting if self.spawning || self.exec_lacked => None,
            S::Starting => self.started.map(|now| now.mono + secs(self.program.startsecs)),
            S::Stopping => self.due,
            S::Running | S::Fatal | S::Unknown => None,
        }
    }

    /// Takes one input. Effects are appended in the order in which they are to be done.
    pub fn step(&mut self, now: Now, input: Input, may_spawn: bool, out: &mut Vec<Effect>) {
        use Input as I;
        use ProcessState as S;
        match (self.state, input) {
            (S::Stopped, I::Deadline) if may_spawn && self.wants_autostart() => {
                self.start(now, out);
            }
            (S::Stopped, I::Start) => self.start_anew(now, out),
            (S::Stopped, I::Deadline | I::Stop | I::GiveUp | I::Signal(_)) => {}

            (S::Exited, I::Deadline) if may_spawn && self.wants_restart() => self.start(now, out),
            (S::Exited, I::Start) => self.start_anew(now, out),
            (S::Exited, I::Deadline | I::Stop | I::GiveUp | I::Signal(_)) => {}

            (S::Fatal, I::Start) => self.start_anew(now, out),
            (S::Fatal, I::Deadline | I::Stop | I::GiveUp | I::Signal(_)) => {}

            (S::Backoff, I::Deadline) if !self.has_retries() => self.give_up(GaveUp::Retries, out),
            (S::Backoff, I::Deadline) if may_spawn && self.is_due(now) => self.start(now, out),
            (S::Backoff, I::Start) => self.start_anew(now, out),
            (S::Backoff, I::Stop) => self.stop_in_backoff(out),
            (S::Backoff, I::GiveUp) => self.give_up(GaveUp::Shutdown, out),
            (S::Backoff, I::Deadline | I::Signal(_)) => {}

            (S::Starting, I::Deadline) if self.exit.is_some() => {
                self.finish_if_late(now, may_spawn, out)
            }
            (S::Starting, I::Deadline) if self.has_stayed_up(now) => self.succeed(out),
            (S::Starting, I::Stop) => self.stop(now, out),
            (S::Starting, I::Signal(signal)) => self.signal(signal, out),
            (S::Starting, I::Announced { pid }) => self.announce(now, pid, out),
            (S::Starting, I::SpawnFailed(failure)) if self.spawning => {
                self.fail_spawn(now, failure, out);
            }
            (S::Starting | S::Stopping | S::Unknown, I::ExecLacked) => self.exec_lacked = true,
            (S::Starting, I::Reaped(status)) => self.reaped(now, status, out),
            (S::Starting, I::Drained) => self.finish(may_spawn, out),
            (S::Starting, I::Start) => self.refuse_start(out),
            (S::Starting, I::Deadline | I::GiveUp | I::SpawnFailed(_)) => {}

            (S::Running, I::Deadline) => self.finish_if_late(now, may_spawn, out),
            (S::Running, I::Stop) => self.stop(now, out),
            (S::Running, I::Signal(signal)) => self.signal(signal, out),
            (S::Running, I::Reaped(status)) => self.reaped(now, status, out),
            (S::Running, I::Drained) => self.finish(may_spawn, out),
            // The child is known already.
            (S::Running, I::Announced { .. }) => {}
            (S::Running, I::Start) => self.refuse_start(out),
            (S::Running, I::GiveUp | I::SpawnFailed(_) | I::ExecLacked) => {}

            (S::Stopping, I::Deadline) if self.exit.is_some() => {
                self.finish_if_late(now, may_spawn, out)
            }
            (S::Stopping, I::Deadline) if self.is_due(now) => self.escalate(now, out),
            (S::Stopping, I::Signal(signal)) => self.signal(signal, out),
            (S::Stopping, I::Announced { pid }) => self.announce_to_stop(now, pid, out),
            (S::Stopping, I::SpawnFailed(failure)) if self.spawning => {
                self.fail_spawn_to_stop(failure, out);
            }
            (S::Stopping, I::Reaped(status)) => self.reaped(now, status, out),
            (S::Stopping, I::Drained) => self.finish(may_spawn, out),
            (S::Stopping, I::Start) => self.refuse_start(out),
            // It is on its way down already.
            (S::Stopping, I::Deadline | I::Stop | I::GiveUp | I::SpawnFailed(_)) => {}

            (S::Unknown, I::Deadline) => self.finish_if_late(now, may_spawn, out),
            (S::Unknown, I::Reaped(status)) => self.reaped(now, status, out),
            (S::Unknown, I::Drained) => self.finish(may_spawn, out),
            (S::Unknown, I::Announced { pid }) => self.announce(now, pid, out),
            (S::Unknown, I::SpawnFailed(_)) => self.spawning = false,
            (S::Unknown, I::Start) => self.refuse_start(out),
            (S::Unknown, I::Stop | I::GiveUp | I::Signal(_)) => {}

            // No child of the current spawn can be about in these states.
            (
                S::Stopped | S::Exited | S::Fatal | S::Backoff,
                I::Announced { .. } | I::SpawnFailed(_) | I::ExecLacked | I::Reaped(_) | I::Drained,
            ) => {}

            (_, I::SignalTooLate { error, purpose }) => {
                let pid = self.last_pid;
                out.push(Effect::Notice(Notice::SignalTooLate { pid, error, purpose }));
            }
            (S::Starting | S::Running | S::Stopping, I::SignalRefused { error, purpose }) => {
                self.lose_sight(error, purpose, out)
            }
            (
                S::Stopped | S::Exited | S::Fatal | S::Backoff | S::Unknown,
                I::SignalRefused { .. },
            ) => {}
        }
    }

    fn wants_autostart(&self) -> bool {
        self.program.autostart && self.started.is_none()
    }

    fn wants_restart(&self) -> bool {
        match self.program.autorestart {
            Autorestart::Never => false,
            Autorestart::Always => true,
            Autorestart::Unexpected => self.exit_code.is_none_or(|code| !self.is_listed(code)),
        }
    }

    fn is_listed(&self, code: i32) -> bool {
        self.program.exitcodes.contains(&code)
    }

    fn has_retries(&self) -> bool {
        let allowed = match self.program.startretries {
            Retries::Limited(retries) => i64::from(self.backoff) <= retries,
            Retries::Unlimited => true,
        };
        allowed || self.lacking > 0
    }

    fn is_due(&self, now: Now) -> bool {
        self.due.is_some_and(|due| now.mono >= due)
    }

    fn has_stayed_up(&self, now: Now) -> bool {
        let since = self.started.map_or(now.mono, |started| started.mono);
        let lives = self.pid.is_some() && !self.exec_lacked;
        lives && now.mono >= since + secs(self.program.startsecs)
    }

    fn enter(&mut self, to: ProcessState, expected: bool, out: &mut Vec<Effect>) {
        let from = self.state;
        if from == to {
            return;
        }
        self.state = to;
        let pid = self.pid.unwrap_or(match to {
            // The pid of the child that has just ended belongs to what is told of its end.
            ProcessState::Exited | ProcessState::Running | ProcessState::Stopping => self.last_pid,
            ProcessState::Stopped if from != ProcessState::Backoff => self.last_pid,
            _ => 0,
        });
        let tries = self.backoff.max(self.restarts.waits());
        out.push(Effect::Transition(Transition { from, to, pid, tries, expected }));
    }

    /// By request: earlier restarts no longer count, though failed starts do.
    fn start_anew(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.restarts.forgive();
        self.lacking = 0;
        self.start(now, out);
    }

    fn start(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.killing = false;
        self.stop_unsent = false;
        self.exec_lacked = false;
        self.spawn_error = None;
        self.exit_code = None;
        self.due = None;
        self.started = Some(now);
        self.last_pid = 0;
        self.spawn = SpawnNumber(self.spawn.0 + 1);
        self.spawning = true;
        self.enter(ProcessState::Starting, false, out);
        out.push(Effect::Spawn(self.spawn));
    }

    /// There is a child, or what is left of one.
    fn refuse_start(&mut self, out: &mut Vec<Effect>) {
        if self.pid.is_some() {
            out.push(Effect::Notice(Notice::AlreadyRunning));
        }
    }

    /// From here on it lives: what came before, a slow disk or the turns of others, is no part of
    /// the time that it has stayed up.
    fn announce(&mut self, now: Now, pid: i32, out: &mut Vec<Effect>) {
        if self.pid.is_some() || !self.spawning {
            return;
        }
        self.spawning = false;
        self.started = Some(now);
        self.pid = Some(pid);
        self.last_pid = pid;
        out.push(Effect::Notice(Notice::Spawned { pid }));
    }

    fn announce_to_stop(&mut self, now: Now, pid: i32, out: &mut Vec<Effect>) {
        self.announce(now, pid, out);
        if std::mem::take(&mut self.stop_unsent) {
            self.due = Some(now.mono + secs(self.program.stopwaitsecs));
            self.send_stop(out);
        }
    }

    fn fail_spawn(&mut self, now: Now, failure: SpawnFailure, out: &mut Vec<Effect>) {
        self.spawning = false;
        // A lack is told once, however often it is tried and whatever it meets first.
        if !failure.lacks_resources || self.lacking == 0 {
            out.push(Effect::Notice(Notice::SpawnError(failure.text.clone())));
        }
        self.spawn_error = Some(failure.text);
        if failure.lacks_resources {
            self.wait_for_resources(now.mono, out);
        } else {
            self.back_off(now.mono, out);
            self.is_one_too_many(now.mono, out);
        }
    }

    /// A start has failed that counts as none.
    fn wait_for_resources(&mut self, now: Mono, out: &mut Vec<Effect>) {
        self.lacking = self.lacking.saturating_add(1);
        let delay = self.lacking.min(RESOURCE_DELAY_LIMIT);
        self.due = Some(now + Duration::from_secs(u64::from(delay)));
        self.enter(ProcessState::Backoff, false, out);
    }

    /// A start has failed.
    fn back_off(&mut self, now: Mono, out: &mut Vec<Effect>) {
        self.lacking = 0;
        self.backoff = self.backoff.saturating_add(1);
        self.wait_for_restart(now, out);
    }

    /// The next start waits its time.
    fn wait_for_restart(&mut self, now: Mono, out: &mut Vec<Effect>) {
        let delay = self.restarts.next_wait(&self.program.restart);
        self.due = Some(now + delay);
        self.enter(ProcessState::Backoff, false, out);
    }

    /// Counts a restart to come; true: it is one too many, and the process is FATAL.
    fn is_one_too_many(&mut self, now: Mono, out: &mut Vec<Effect>) -> bool {
        let Some(limit) = self.restarts.exceeded(now, &self.program.restart) else { return false };
        self.give_up(GaveUp::Limit(limit), out);
        true
    }

    fn fail_spawn_to_stop(&mut self, failure: SpawnFailure, out: &mut Vec<Effect>) {
        self.spawning = false;
        self.killing = false;
        self.stop_unsent = false;
        self.due = None;
        self.spawn_error = Some(failure.text.clone());
        out.push(Effect::Notice(Notice::SpawnError(failure.text)));
        self.enter(ProcessState::Stopped, false, out);
    }

    fn give_up(&mut self, why: GaveUp, out: &mut Vec<Effect>) {
        self.due = None;
        self.backoff = 0;
        self.lacking = 0;
        self.restarts = Restarts::default();
        self.enter(ProcessState::Fatal, false, out);
        match why {
            GaveUp::Shutdown => {}
            GaveUp::Retries => out.push(Effect::Notice(Notice::EnteredFatal)),
            GaveUp::Limit(limit) => {
                let notice = Notice::TooManyRestarts(limit);
                self.spawn_error = Some(notice.reason());
                out.push(Effect::Notice(notice));
            }
        }
    }

    fn stop_in_backoff(&mut self, out: &mut Vec<Effect>) {
        self.due = None;
        out.push(Effect::Notice(Notice::StoppedInBackoff));
        self.enter(ProcessState::Stopped, false, out);
    }

    /// The program was executed.
    fn lack_no_more(&mut self, out: &mut Vec<Effect>) {
        let tries = std::mem::take(&mut self.lacking);
        if tries > 1 {
            out.push(Effect::Notice(Notice::LackEnded { tries }));
        }
    }

    fn succeed(&mut self, out: &mut Vec<Effect>) {
        self.lack_no_more(out);
        self.backoff = 0;
        if self.program.restart.reset.is_none() {
            self.restarts.begin_anew();
        }
        self.due = None;
        self.enter(ProcessState::Running, false, out);
        let startsecs = self.program.startsecs;
        out.push(Effect::Notice(Notice::EnteredRunning { startsecs }));
    }

    fn stop(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.killing = true;
        self.due = Some(now.mono + secs(self.program.stopwaitsecs));
        if self.exit.is_some() {
            // Nobody is left to signal; what ended counts as stopped.
            let (signal, purpose) = (self.program.stopsignal, Purpose::Kill);
            out.push(Effect::Notice(Notice::NotRunning { signal, purpose }));
            self.enter(ProcessState::Stopping, false, out);
        } else if self.pid.is_none() {
            // The signal waits for the pid. If none comes in that time, for a disk that hangs,
            // the start is called off.
            self.stop_unsent = true;
            self.enter(ProcessState::Stopping, false, out);
        } else {
            self.send_stop(out);
        }
    }

    /// The state is entered before the signal is sent; after an announcement it already is.
    fn send_stop(&mut self, out: &mut Vec<Effect>) {
        let Some(pid) = self.pid else { return };
        let (signal, scope) = self.stop_signal();
        let purpose = Purpose::Kill;
        out.push(Effect::Notice(Notice::Signalling { pid, signal, scope, purpose }));
        self.enter(ProcessState::Stopping, false, out);
        out.push(Effect::Signal { pid, signal, scope, purpose });
    }

    fn stop_signal(&self) -> (i32, Scope) {
        let scope = if self.program.stopasgroup { Scope::Group } else { Scope::Process };
        (self.program.stopsignal, scope)
    }

    fn escalate(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(pid) = self.pid else { return self.call_off(out) };
        let scope = if self.program.killasgroup { Scope::Group } else { Scope::Process };
        let (signal, purpose) = (signal::KILL, Purpose::Kill);
        self.due = Some(now.mono + secs(self.program.stopwaitsecs).max(KILL_INTERVAL_MIN));
        out.push(Effect::Notice(Notice::Killing { pid }));
        out.push(Effect::Notice(Notice::Signalling { pid, signal, scope, purpose }));
        out.push(Effect::Signal { pid, signal, scope, purpose });
    }

    /// The start that does not get to a child is none: its thread must not make one any more,
    /// and what it still reports is that of an old spawn.
    fn call_off(&mut self, out: &mut Vec<Effect>) {
        out.push(Effect::CallOff(self.spawn));
        self.spawn = SpawnNumber(self.spawn.0 + 1);
        self.spawning = false;
        self.killing = false;
        self.stop_unsent = false;
        self.due = None;
        self.enter(ProcessState::Stopped, false, out);
    }

    fn signal(&mut self, signal: i32, out: &mut Vec<Effect>) {
        let (scope, purpose) = (Scope::Process, Purpose::Request);
        let Some(pid) = self.pid else {
            return out.push(Effect::Notice(Notice::NotRunning { signal, purpose }));
        };
        out.push(Effect::Notice(Notice::Signalling { pid, signal, scope, purpose }));
        out.push(Effect::Signal { pid, signal, scope, purpose });
    }

    fn lose_sight(&mut self, error: String, purpose: Purpose, out: &mut Vec<Effect>) {
        let pid = self.last_pid;
        self.due = None;
        out.push(Effect::Notice(Notice::SignalRefused { pid, error, purpose }));
        self.enter(ProcessState::Unknown, false, out);
    }

    fn reaped(&mut self, now: Now, status: ExitStatus, out: &mut Vec<Effect>) {
        if self.exit.is_some() {
            return;
        }
        self.pid = None;
        self.spawning = false;
        self.exit = Some(Box::new(PendingExit { status, at: now }));
        out.push(Effect::Drain(self.spawn));
    }

    fn finish_if_late(&mut self, now: Now, may_spawn: bool, out: &mut Vec<Effect>) {
        if self.exit.as_ref().is_some_and(|exit| now.mono >= exit.at.mono + DRAIN_LIMIT) {
            self.finish(may_spawn, out);
        }
    }

    /// The state changes now for the exit that was noticed earlier.
    fn finish(&mut self, may_spawn: bool, out: &mut Vec<Effect>) {
        let Some(exit) = self.exit.take() else { return };
        let PendingExit { status, at } = *exit;
        let lived = at.mono.saturating_sub(self.started.map_or(at.mono, |s| s.mono));
        let too_quick = lived < secs(self.program.startsecs);
        if self.program.restart.reset.is_some_and(|reset| lived >= reset) {
            self.restarts.begin_anew();
        }
        self.stopped_at = Some(at);
        self.stop_unsent = false;
        self.due = None;
        // Only here is that sure: who tells of it may come behind the news of the exit.
        if !self.exec_lacked {
            self.lack_no_more(out);
        }
        if self.killing {
            self.finish_stop(status, out);
        } else if self.state == ProcessState::Starting && self.exec_lacked {
            self.spawn_error = Some(TOO_QUICKLY.to_owned());
            self.exit_code = None;
            self.wait_for_resources(at.mono, out);
            out.push(Effect::Notice(Notice::Exited { status, expected: false }));
        } else if self.state == ProcessState::Starting && too_quick {
            self.spawn_error = Some(TOO_QUICKLY.to_owned());
            self.exit_code = None;
            self.back_off(at.mono, out);
            out.push(Effect::Notice(Notice::Exited { status, expected: false }));
            // In a shutdown there is no restart to count or to wait for.
            if may_spawn {
                self.is_one_too_many(at.mono, out);
            }
        } else {
            let short = self.program.restart.reset.is_some_and(|reset| lived < reset);
            self.finish_run(status, out);
            let again = may_spawn && self.wants_restart();
            if again && !self.is_one_too_many(at.mono, out) && short {
                let why = "Exited too soon for a restart at once (restart_reset_secs)";
                self.spawn_error.get_or_insert_with(|| why.to_owned());
                self.wait_for_restart(at.mono, out);
            }
        }
    }

    fn finish_stop(&mut self, status: ExitStatus, out: &mut Vec<Effect>) {
        self.killing = false;
        self.exit_code = Some(status.code());
        let listed = self.is_listed(status.code());
        self.enter(ProcessState::Stopped, false, out);
        out.push(Effect::Notice(Notice::Stopped { status, listed }));
    }

    fn finish_run(&mut self, status: ExitStatus, out: &mut Vec<Effect>) {
        let code = status.code();
        let expected = self.is_listed(code);
        self.backoff = 0;
        if self.program.restart.reset.is_none() {
            self.restarts.begin_anew();
        }
        self.exit_code = Some(code);
        if self.state == ProcessState::Starting {
            self.enter(ProcessState::Running, false, out);
        }
        if !expected {
            self.spawn_error = Some(format!("Bad exit code {code}"));
        }
        self.enter(ProcessState::Exited, expected, out);
        out.push(Effect::Notice(Notice::Exited { status, expected }));
    }
}

/// Why there are no more tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GaveUp {
    /// "startretries".
    Retries,
    /// "restart_limit".
    Limit(RestartLimit),
    /// The daemon leaves; no line tells it.
    Shutdown,
}

#[cfg(test)]
mod tests;
