//! The thread of one child, from spawn to drain.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::audience::Wanted;
use super::blind::Blind;
use super::buffers::Buffers;
use super::channel::{Channel, Happening};
use super::environment::Inherited;
use super::launch::{Live, launch};
use super::linger::Lingering;
use super::link::{Link, ToChild};
use super::socket::SharedSocket;
use super::stdin::Stdin;
use super::stream::{AGAIN, Amount, Stream};
use super::turns::{Pace, Turn};
use crate::config::options::{LogLevel, Program};
use crate::counters::{OfProcess, Tally};
use crate::event::payload::{self, Event, Origin};
use crate::event::pool;
use crate::log::activity::Logger;
use crate::log::child_log::{Audience, Speaker, Spoken, Target};
use crate::log::shared::Slots;
use crate::process::machine::SpawnFailure;
use crate::process::notice::Notice;
use crate::process::output::Output;
use crate::sys::limits::ForChildren;
use crate::sys::poll::{self, PollFd};
use crate::sys::state_file::{Place, StateFile};
use crate::sys::{errno, stack, thread};

/// The stack of a child's thread, bytes.
const STACK: usize = 64 * 1024;

/// That of one that looks up the groups of a user or the address of a host: this may load and run
/// modules of the system that were not written for small stacks. What it touched is given back.
const STACK_FOR_LOOKUPS: usize = 1024 * 1024;

/// After a read that did not fill much, small writes may gather for so long: four times less
/// CPU for a child that writes a line at a time. The first line has been written by then.
const REST: Duration = Duration::from_micros(300);

/// A busy child that writes nothing for so long gives its buffer back.
const QUIET: Duration = Duration::from_millis(100);

/// Where the output of one process goes; outlives its children.
#[derive(Debug)]
pub struct Logs {
    targets: [Target; 2],
    opened: [AtomicBool; 2],
    open: Arc<Slots>,
    tally: Arc<Tally>,
    pace: Pace,
}

impl Logs {
    /// The targets of stdout and stderr, and where those that are open are found.
    pub fn new(stdout: Target, stderr: Target, open: Arc<Slots>, tally: Tally) -> Logs {
        let opened = [AtomicBool::new(false), AtomicBool::new(false)];
        let (tally, pace) = (Arc::new(tally), Pace::default());
        Logs { targets: [stdout, stderr], opened, open, tally, pace }
    }

    /// How long the starts of the process take.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// What is counted of the process.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Those that are open.
    pub fn open(&self) -> &Slots {
        &self.open
    }

    /// Begins a file anew, while no child has it.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self, output: Output) -> io::Result<()> {
        let file = self.target(output).file.as_ref();
        file.map_or(Ok(()), |log| self.open.clear(output, log))
    }

    /// Where an output goes.
    pub fn target(&self, output: Output) -> &Target {
        let [stdout, stderr] = &self.targets;
        match output {
            Output::Stdout => stdout,
            Output::Stderr => stderr,
        }
    }

    /// The file of an output.
    pub fn path(&self, output: Output) -> Option<&Path> {
        self.target(output).file.as_ref().map(|file| &*file.path)
    }

    /// Its file could be opened at least once.
    pub fn was_opened(&self, output: Output) -> bool {
        self.opened_flag(output).load(Ordering::Relaxed)
    }

    /// Its file was opened.
    pub fn set_opened(&self, output: Output) {
        self.opened_flag(output).store(true, Ordering::Relaxed);
    }

    fn opened_flag(&self, output: Output) -> &AtomicBool {
        let [stdout, stderr] = &self.opened;
        match output {
            Output::Stdout => stdout,
            Output::Stderr => stderr,
        }
    }
}

/// What a thread tells of its child.
#[derive(Debug)]
pub enum Report {
    /// The child exists.
    Spawned {
        /// Its pid.
        pid: i32,
    },
    /// It could not be made.
    Failed(SpawnFailure),
    /// It is about to exit, for a lack of resources. Comes before `Spawned`.
    ExecLacked,
    /// All it wrote is in its logs.
    Drained,
    /// Its own children write on, and are heard for a while. Comes before `Drained`.
    Lingers(Arc<Link>),
    /// They are heard no more.
    Lingered,
    /// It wrote something that is an event.
    Occurred(Box<Event>),
    /// It is an event listener, and this came of it.
    Heard(Box<pool::Heard>),
    /// The thread has a defect; its child, if any, has nobody to read its output.
    Panicked(String),
}

/// What the threads of all children share.
pub struct Common {
    /// What listeners want.
    pub wanted: Wanted,
    /// The daemon's environment.
    pub inherited: Arc<Inherited>,
    /// The activity log.
    pub logger: Logger,
    /// Buffers for busy times.
    pub buffers: Buffers,
    /// The limits that children start with.
    pub limits: ForChildren,
    /// Where children are written down.
    pub state_file: Option<Arc<StateFile>>,
}

/// All that a thread needs for its child. There as long as the child lives.
pub struct Job {
    /// The process's options.
    pub program: Arc<Program>,
    /// Its group's name.
    pub group: Arc<str>,
    /// It is an event listener.
    pub listener: bool,
    /// Where its output goes.
    pub logs: Arc<Logs>,
    /// What its stdin is, for FastCGI.
    pub socket: Option<Arc<SharedSocket>>,
    /// Control sequences are dropped from it.
    pub strip_ansi: bool,
    /// How others reach the thread.
    pub link: Arc<Link>,
    /// What it has in common with all others.
    pub common: Arc<Common>,
    /// Where reports go.
    pub report: Box<dyn Fn(Report) + Send>,
}

/// What a listener wrote is passed on in pieces so large: many may wait for the coordinator.
const PIECE: usize = 4096;

impl Job {
    /// Somebody acts on what the child writes, so small writes are not left to gather.
    fn is_waited_for(&self) -> bool {
        let wants = |output| self.logs.target(output).events && self.wants_pieces(output);
        self.listener || wants(Output::Stdout) || wants(Output::Stderr)
    }

    /// Passes on what a listener says; `written`: it had been written all that it was sent.
    fn pass_on(&self, output: Output, data: &[u8], written: bool) {
        if self.listener && output == Output::Stdout {
            let stdin = if written { pool::Stdin::Written } else { pool::Stdin::Waiting };
            for piece in data.chunks(PIECE) {
                self.tell(pool::Heard::Output { data: piece.to_vec(), stdin });
            }
        }
    }

    /// The activity log.
    pub fn logger(&self) -> &Logger {
        &self.common.logger
    }

    /// Who speaks in its logs.
    pub fn speaker(&self) -> Speaker<'_> {
        let (name, tally) = (&self.program.name, self.logs.tally());
        Speaker { name, logger: self.logger(), audience: self, tally }
    }

    fn tell(&self, heard: pool::Heard) {
        (self.report)(Report::Heard(Box::new(heard)));
    }
}

impl Audience for Job {
    fn wants_pieces(&self, output: Output) -> bool {
        self.common.wanted.now().wants(payload::log_kind(output))
    }

    fn hear(&self, output: Output, spoken: Spoken<'_>) {
        let origin = Origin { process: &self.program.name, group: &self.group };
        let pid = self.link.slot.get().unwrap_or(0);
        let event = match spoken {
            Spoken::Piece(text) => Event::process_log(output, origin, pid, text),
            Spoken::Message(text) => Event::communication(output, origin, pid, text),
        };
        (self.report)(Report::Occurred(Box::new(event)));
    }
}

/// Starts the thread of a child, whose start has that place among all.
///
/// # Errors
/// No thread could be had.
pub fn start(job: Job, turn: Turn) -> io::Result<()> {
    let size = stack_size(&job);
    let body = move || {
        let job = &job;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(job, turn))) {
            (job.report)(Report::Panicked(words(&*panic)));
        }
    };
    thread::start(c"child", size, Box::new(body))
}

fn stack_size(job: &Job) -> usize {
    let looks_up = job.program.user.is_some() || job.socket.is_some();
    if looks_up { STACK_FOR_LOOKUPS } else { STACK }
}

/// However the thread ends, nobody waits for an answer of it.
struct Closed<'a>(&'a Link);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

/// Its frame is there for as long as the child lives, a thousand times with as many children: what
/// is large is on the heap, or in frames of those who are not inlined and gone.
fn run(job: &Job, turn: Turn) {
    let _closed = Closed(&job.link);
    let Some((mut pump, place)) = begin(job, turn) else { return };
    // The way to here went deep; the rest of the child's life does not.
    stack::give_back(stack_size(job));
    pump.run();
    let lingering = pump.lingering();
    if lingering.is_some() {
        (job.report)(Report::Lingers(Arc::clone(&job.link)));
        job.link.close();
    }
    (job.report)(Report::Drained);
    // It was reaped. If this takes long, nobody waits for it.
    drop(place);
    if let Some(lingering) = lingering {
        lingering.run();
        (job.report)(Report::Lingered);
    }
}

/// Makes the child, and tells of it or why there is none.
#[inline(never)]
fn begin(job: &Job, turn: Turn) -> Option<(Pump<'_>, Option<Place>)> {
    let mut live = match launch(job, &turn) {
        Ok(live) => live,
        Err(failure) => {
            if !job.link.is_called_off() {
                job.logs.tally().count(match failure.lacks_resources {
                    true => OfProcess::SpawnLackedResources,
                    false => OfProcess::SpawnFailed,
                });
            }
            (job.report)(Report::Failed(failure));
            return None;
        }
    };
    let spawned = Notice::Spawned { pid: live.pid };
    let line = spawned.about(&job.program.name);
    job.link.announce(|| job.logger().log(spawned.level(), line));
    if let Some(failure) = live.failure.take() {
        let (name, why) = (&job.program.name, failure.text);
        job.logger().log(LogLevel::Warn, format_args!("'{name}' could not be executed: {why}"));
        if failure.lacks_resources {
            (job.report)(Report::ExecLacked);
        }
    }
    (job.report)(Report::Spawned { pid: live.pid });
    drop(turn);
    let place = live.place.take();
    Some((Pump::new(job, live), place))
}

/// The loop of a live child.
struct Pump<'a> {
    job: &'a Job,
    pid: i32,
    streams: [Option<Box<Stream>>; 2],
    stdin: Stdin,
    /// The buffer of a busy child, who would take it again at once.
    kept: Option<Box<[u8]>>,
    /// An event was taken that is not known to be written.
    unwritten: bool,
    /// Something of a listener was passed on while it had not been written everything.
    told_waiting: bool,
    blind: Blind,
}

impl<'a> Pump<'a> {
    fn new(job: &'a Job, live: Live) -> Pump<'a> {
        let (pid, streams, stdin) = (live.pid, live.streams, live.stdin);
        let (kept, blind) = (None, Blind::default());
        Pump { job, pid, streams, stdin, kept, unwritten: false, told_waiting: false, blind }
    }

    /// Until the child's pipes are drained.
    fn run(&mut self) {
        loop {
            let [waker, stdout, stderr, stdin] = self.wait();
            if stdin {
                self.job.logger().log(LogLevel::Blather, Happening::Writable(self.stdin_channel()));
                self.write(Stdin::flush);
            }
            let little = self.read([stdout, stderr]);
            if waker && self.take_orders() == Orders::End {
                return;
            }
            self.tell_of_stdin();
            if little && !self.job.is_waited_for() && self.rest() == Orders::End {
                return;
            }
        }
    }

    /// Does something with stdin, and tells if that showed that nobody reads it any more.
    fn write<T>(&mut self, act: impl FnOnce(&mut Stdin) -> T) -> T {
        let channel = self.stdin_channel();
        let done = act(&mut self.stdin);
        if let Some(error) = self.stdin.take_failure() {
            let (name, why) = (&self.job.program.name, errno::described(&error));
            let line = format_args!("'{name}' stdin can't be written and is closed: {why}");
            self.job.logs.tally().count(OfProcess::StdinFailed);
            self.job.logger().log(LogLevel::Error, line);
        }
        if channel.fd >= 0 && self.stdin.fd() < 0 {
            self.job.logger().log(LogLevel::Debug, Happening::Closed(channel));
        }
        done
    }

    fn stdin_channel(&self) -> Channel<'a> {
        let (fd, pid, name) = (self.stdin.fd(), self.pid, &self.job.program.name);
        Channel { kind: "PInputDispatcher", fd, pid, name, output: "stdin" }
    }

    /// Waits for something to do; which of waker, stdout, stderr and stdin are ready.
    fn wait(&mut self) -> [bool; 4] {
        let outputs = self.streams.each_ref();
        let [stdout, stderr] =
            outputs.map(|s| s.as_ref().map_or(-1, |stream| stream.wants_output()));
        let mut fds: [PollFd; 4] = [
            poll::entry(self.job.link.waker_fd(), poll::IN),
            poll::entry(stdout, poll::IN),
            poll::entry(stderr, poll::IN),
            poll::entry(self.stdin.wants_room(), poll::OUT),
        ];
        let fails = self.streams.iter().flatten().any(|stream| stream.has_failed());
        let quiet = self.kept.is_some().then_some(QUIET);
        match poll::poll(&mut fds, if fails { Some(AGAIN) } else { quiet }) {
            Ok(0) => self.give_back(),
            Ok(_) => {}
            Err(error) => {
                self.give_back();
                self.blind.rest(&error, self.job.speaker());
                return [true; 4];
            }
        }
        fds.map(|fd| fd.revents != 0)
    }

    fn give_back(&mut self) {
        if let Some(buffer) = self.kept.take() {
            self.job.common.buffers.put(buffer);
        }
    }

    /// Reads the streams that are ready; whether a rest is worth while.
    fn read(&mut self, ready: [bool; 2]) -> bool {
        if ready == [false, false] {
            return false;
        }
        let (speaker, pid) = (self.job.speaker(), self.pid);
        let mut buffer = self.take_buffer();
        let (job, written) = (self.job, self.stdin.is_written());
        let heard = |output, data: &[u8]| job.pass_on(output, data, written);
        self.told_waiting |= !written;
        let (mut little, mut much) = (false, false);
        for (stream, ready) in self.streams.iter_mut().zip(ready) {
            let (Some(stream), true) = (stream, ready) else { continue };
            let readable = Happening::Readable(stream.channel(job, pid));
            speaker.logger.log(LogLevel::Blather, readable);
            match stream.read(&mut buffer, speaker, &heard) {
                Amount::Little => little = true,
                Amount::Much => {
                    much = true;
                    stream.enlarge();
                }
                Amount::End => stream.close(job, pid),
            }
        }
        if much {
            self.kept = Some(buffer);
        } else {
            self.job.common.buffers.put(buffer);
        }
        little
    }

    /// The buffer of a busy child, or one of those that all share.
    fn take_buffer(&mut self) -> Box<[u8]> {
        self.kept.take().unwrap_or_else(|| self.job.common.buffers.take())
    }

    /// Lets small writes gather; an order ends it.
    fn rest(&mut self) -> Orders {
        let mut fds = [poll::entry(self.job.link.waker_fd(), poll::IN)];
        match poll::poll(&mut fds, Some(REST)) {
            Ok(1..) => self.take_orders(),
            Ok(0) | Err(_) => Orders::None,
        }
    }

    fn take_orders(&mut self) -> Orders {
        let wishes = self.job.link.take_wishes();
        while let Some(letter) = self.job.link.take_letter() {
            self.obey(letter);
        }
        if wishes.reopen {
            let speaker = self.job.speaker();
            for stream in self.streams.iter_mut().flatten() {
                stream.reopen_log(speaker);
            }
        }
        if !wishes.drain {
            return Orders::None;
        }
        let speaker = self.job.speaker();
        let mut buffer = self.take_buffer();
        let (job, written) = (self.job, self.stdin.is_written());
        let heard = |output, data: &[u8]| job.pass_on(output, data, written);
        let may_linger = !job.program.drain_timeout.is_zero();
        for stream in self.streams.iter_mut().flatten() {
            if may_linger {
                // The next child may write there soon.
                stream.hold_lines();
            }
            stream.drain(&mut buffer, speaker, &heard);
            if !(may_linger && stream.is_open()) {
                stream.close(job, self.pid);
            }
        }
        self.job.common.buffers.put(buffer);
        Orders::End
    }

    /// What others than the child may still write to. Its stdin ends here.
    #[inline(never)]
    fn lingering(self) -> Option<Lingering<'a>> {
        let is_open = self.streams.iter().flatten().any(|stream| stream.fd() >= 0);
        let until = Instant::now().checked_add(self.job.program.drain_timeout);
        let Pump { job, pid, streams, blind, .. } = self;
        is_open.then_some(Lingering { job, pid, streams, until, blind })
    }

    /// Whoever sends a listener its events must know when it may go on, and what was not written.
    fn tell_of_stdin(&mut self) {
        if !self.job.listener {
            return;
        }
        if self.stdin.is_closed() {
            if std::mem::take(&mut self.unwritten) {
                self.job.tell(pool::Heard::Refused);
            }
        } else if self.stdin.is_written() {
            self.unwritten = false;
            if std::mem::take(&mut self.told_waiting) {
                self.job.tell(pool::Heard::Written);
            }
        }
    }

    fn obey(&mut self, letter: ToChild) {
        match letter {
            ToChild::Stdin(data, done) => {
                let sent = self.write(|stdin| stdin.send(&data));
                let _ = done.try_send(sent);
            }
            ToChild::Event(event) => {
                self.write(|stdin| stdin.send_event(event));
                self.unwritten = true;
            }
            ToChild::Clear(done) => {
                let mut logs = self.streams.iter_mut().flatten();
                let cleared = logs.try_for_each(|stream| stream.clear_log());
                let _ = done.try_send(cleared);
            }
        }
    }
}

/// Whether the thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Orders {
    None,
    End,
}
