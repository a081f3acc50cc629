//! The activity log: what the daemon did, a line at a time, written by a thread of its own.
//! Nobody waits for it: when it can't follow, lines are dropped, counted, and the count told.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::losses::{self, Change};
use super::room::Room;
use super::rotating::{Limits, Rotating, Trouble};
use crate::config::options::{LogLevel, MainLog};
use crate::sys::file::{self, Mode};
use crate::sys::syslog as system;
use crate::sys::{clock, errno, stdout};

/// Messages that may wait to be written, if their bytes do (`room.rs`).
const QUEUE: usize = 8192;

/// Wishes (to reopen, to clear, to switch) that may wait besides.
const WISHES: usize = 256;

/// Bytes that stay allocated for a line.
const LINE: usize = 64 * 1024;

const STACK: usize = 128 * 1024;

impl LogLevel {
    /// Its four letters in a line.
    pub fn tag(self) -> &'static str {
        match self {
            LogLevel::Critical => "CRIT",
            LogLevel::Error => "ERRO",
            LogLevel::Warn => "WARN",
            LogLevel::Info => "INFO",
            LogLevel::Debug => "DEBG",
            LogLevel::Trace => "TRAC",
            LogLevel::Blather => "BLAT",
        }
    }
}

/// Writes lines to the activity log, from any thread.
#[derive(Clone, Debug)]
pub struct Logger {
    queue: Sender<ToLog>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    level: AtomicU8,
    dropped: AtomicU64,
    losses: Losses,
    /// For what is in the queue.
    room: Room,
}

/// What was lost since the start.
#[derive(Debug, Default)]
struct Losses {
    lines_dropped: AtomicU64,
    failed: AtomicU64,
    bytes_lost: AtomicU64,
    rotation_failed: AtomicU64,
    bytes_not_printed: AtomicU64,
    syslog_lines_lost: AtomicU64,
}

/// Where lines go.
#[derive(Debug)]
pub struct Sinks {
    file: Option<Rotating>,
    syslog: bool,
    stdout: bool,
}

/// How the activity log is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The file, or the system's log.
    pub target: MainLog,
    /// When the file rotates.
    pub limits: Limits,
    /// Lines go to stdout as well.
    pub echo: bool,
}

enum ToLog {
    Line { at: Duration, level: LogLevel, text: String },
    Reopen,
    Clear(Sender<io::Result<()>>),
    Switch(Box<Sinks>),
    Flush(Sender<()>),
    Finish(Sender<()>),
}

impl ToLog {
    /// The memory of its text.
    fn bytes(&self) -> usize {
        match self {
            ToLog::Line { text, .. } => text.capacity(),
            ToLog::Reopen
            | ToLog::Clear(_)
            | ToLog::Switch(_)
            | ToLog::Flush(_)
            | ToLog::Finish(_) => 0,
        }
    }
}

impl std::fmt::Debug for ToLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ToLog")
    }
}

impl Sinks {
    /// Nowhere.
    pub fn none() -> Sinks {
        Sinks { file: None, syslog: false, stdout: false }
    }

    /// Opens the log; nothing is written yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(setup: &Setup) -> io::Result<Sinks> {
        match &setup.target {
            MainLog::Syslog => Ok(Sinks { file: None, syslog: true, stdout: setup.echo }),
            MainLog::File(path) => {
                let file = Rotating::open(&PathBuf::from(path), Mode::Usual, setup.limits)?;
                let stdout = setup.echo && !is_stdout(&file);
                Ok(Sinks { file: Some(file), syslog: false, stdout })
            }
        }
    }
}

/// The log is what stdout is, so each line need not be printed twice.
fn is_stdout(log: &Rotating) -> bool {
    let (Some(Ok(log)), Ok(out)) =
        (log.file().map(file::state_of), file::look_at(Path::new("/proc/self/fd/1")))
    else {
        return false;
    };
    (log.dev(), log.ino()) == (out.dev(), out.ino()) && !log.file_type().is_dir()
}

impl Logger {
    /// A logger and the end that [`start`] reads. Lines wait until then.
    pub fn new(level: LogLevel) -> (Logger, LogQueue) {
        let (queue, lines) = unbounded();
        let level = AtomicU8::new(level as u8);
        let (losses, room) = (Losses::default(), Room::default());
        let shared = Arc::new(Shared { level, dropped: AtomicU64::new(0), losses, room });
        (Logger { queue, shared: Arc::clone(&shared) }, LogQueue { lines, shared })
    }

    /// Whether lines of this level are written.
    pub fn writes(&self, level: LogLevel) -> bool {
        level as u8 <= self.shared.level.load(Ordering::Relaxed)
    }

    /// Lines of this level and louder are written from now on.
    pub fn set_level(&self, level: LogLevel) {
        self.shared.level.store(level as u8, Ordering::Relaxed);
    }

    /// Writes a line, if its level is wanted. Never waits.
    pub fn log(&self, level: LogLevel, text: impl std::fmt::Display) {
        if self.writes(level) {
            self.send(ToLog::Line { at: clock::wall(), level, text: text.to_string() });
        }
    }

    /// Opens the file by its name again.
    pub fn reopen(&self) {
        self.send(ToLog::Reopen);
    }

    /// Removes the file and begins a new one. Waits for it.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> io::Result<()> {
        let (done, wait) = bounded(1);
        self.send(ToLog::Clear(done));
        wait.recv_timeout(Duration::from_secs(10))
            .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
    }

    /// Lines go elsewhere from now on.
    pub fn switch(&self, sinks: Sinks) {
        self.send(ToLog::Switch(Box::new(sinks)));
    }

    /// Waits until all that was sent before is written, but not for ever.
    pub fn flush(&self, limit: Duration) {
        let (done, wait) = bounded(1);
        self.send(ToLog::Flush(done));
        let _ = wait.recv_timeout(limit);
    }

    /// Flushes, and has told what was lost: the daemon ends.
    pub fn finish(&self, limit: Duration) {
        let (done, wait) = bounded(1);
        self.send(ToLog::Finish(done));
        let _ = wait.recv_timeout(limit);
    }

    fn send(&self, message: ToLog) {
        let most = match message {
            ToLog::Line { .. } => QUEUE,
            // A log that hangs must not grow by signals to reopen it either.
            ToLog::Reopen
            | ToLog::Clear(_)
            | ToLog::Switch(_)
            | ToLog::Flush(_)
            | ToLog::Finish(_) => QUEUE + WISHES,
        };
        let bytes = message.bytes();
        let fits = self.shared.room.take(most, bytes);
        let sent = fits && self.queue.send(message).is_ok();
        if !sent {
            if fits {
                self.shared.room.give_back(bytes);
            }
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            self.shared.losses.lines_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was lost since the start, with the names that clients see.
    pub fn losses(&self) -> [(&'static str, u64); 6] {
        let Losses {
            lines_dropped,
            failed,
            bytes_lost,
            rotation_failed,
            bytes_not_printed,
            syslog_lines_lost,
        } = &self.shared.losses;
        [
            ("lines_dropped", lines_dropped),
            ("failed", failed),
            ("bytes_lost", bytes_lost),
            ("rotation_failed", rotation_failed),
            ("bytes_not_printed", bytes_not_printed),
            ("syslog_lines_lost", syslog_lines_lost),
        ]
        .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }
}

/// The lines that wait for the thread.
#[derive(Debug)]
pub struct LogQueue {
    lines: Receiver<ToLog>,
    shared: Arc<Shared>,
}

/// Starts the thread that writes the log.
///
/// # Errors
/// No thread could be had.
pub fn start(queue: LogQueue, sinks: Sinks) -> io::Result<()> {
    thread::Builder::new().name("log".to_owned()).stack_size(STACK).spawn(move || {
        let mut writer = Writer {
            shared: Arc::clone(&queue.shared),
            sinks,
            stamp: Stamp::default(),
            line: Vec::new(),
            told_rotation: false,
            unprinted: losses::Losses::none(),
            unsent: losses::Losses::none(),
        };
        loop {
            let run = catch_unwind(AssertUnwindSafe(|| writer.run(&queue)));
            if run.is_ok() {
                return;
            }
            writer.line(clock::wall(), LogLevel::Critical, "the activity log's thread panicked");
        }
    })?;
    Ok(())
}

struct Writer {
    shared: Arc<Shared>,
    sinks: Sinks,
    stamp: Stamp,
    line: Vec<u8>,
    told_rotation: bool,
    /// Bytes that stdout did not take.
    unprinted: losses::Losses,
    /// Lines that the system's log did not take.
    unsent: losses::Losses,
}

impl Writer {
    /// Until every logger is gone.
    fn run(&mut self, queue: &LogQueue) {
        loop {
            let received = match self.due() {
                None => queue.lines.recv().map_err(RecvTimeoutError::from),
                Some(due) => queue.lines.recv_deadline(due),
            };
            match received {
                Ok(message) => self.take(message, queue),
                Err(RecvTimeoutError::Timeout) => self.settle(Instant::now()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, message: ToLog, queue: &LogQueue) {
        queue.shared.room.give_back(message.bytes());
        self.tell_of_rotation();
        match message {
            ToLog::Line { at, level, text } => self.line(at, level, &text),
            ToLog::Reopen => self.reopen(),
            ToLog::Clear(done) => {
                let cleared = self.clear();
                let _ = done.send(cleared);
            }
            ToLog::Switch(sinks) => self.switch(*sinks),
            ToLog::Flush(done) => {
                let _ = done.send(());
            }
            ToLog::Finish(done) => {
                self.finish();
                let _ = done.send(());
            }
        }
        let dropped = queue.shared.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!("{dropped} lines of this log were dropped: it could not follow");
            self.line(clock::wall(), LogLevel::Error, &text);
        }
    }

    /// When a trouble is over, if no line comes and fails before.
    fn due(&self) -> Option<Instant> {
        let of_file = self.sinks.file.as_ref().and_then(Rotating::due);
        [of_file, self.unsent.due(), self.unprinted.due()].into_iter().flatten().min()
    }

    /// Tells of troubles that are over, for which no line may come for long.
    fn settle(&mut self, now: Instant) {
        self.with_file(|file, tell| file.settle(now, tell));
        let unsent = self.unsent.settle(now);
        self.tell_of_syslog(unsent);
        let unprinted = self.unprinted.settle(now);
        self.tell_of_stdout(unprinted);
    }

    /// Tells of all troubles that can be told of.
    fn finish(&mut self) {
        self.with_file(Rotating::finish);
        let unsent = self.unsent.finish();
        self.tell_of_syslog(unsent);
        let unprinted = self.unprinted.finish();
        self.tell_of_stdout(unprinted);
    }

    /// A file that stays the same is kept open: it may have been rotated since the other was.
    fn switch(&mut self, mut sinks: Sinks) {
        let mut left = None;
        match (self.sinks.file.take(), &mut sinks.file) {
            (Some(old), Some(new)) if old.path() == new.path() => {
                let limits = new.limits();
                *new = old;
                new.set_limits(limits);
            }
            (Some(mut old), _) => {
                let path = old.path().display().to_string();
                old.finish(&mut |trouble| left = Some((path.clone(), trouble)));
            }
            (None, _) => {}
        }
        self.sinks = sinks;
        self.told_rotation = false;
        if let Some((path, Trouble::Writing(Change::Ended(bytes) | Change::Left(bytes)))) = left {
            let text = format!("the log {path} could not be written: {bytes} bytes of it are lost");
            self.line(clock::wall(), LogLevel::Error, &text);
        }
    }

    fn line(&mut self, at: Duration, level: LogLevel, text: &str) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        self.stamp.write(at, &mut line);
        let _ = write!(line, " {} ", level.tag());
        if self.sinks.syslog {
            self.syslog(&line, text);
        }
        line.extend_from_slice(text.as_bytes());
        line.push(b'\n');
        self.write(&line);
        line.shrink_to(LINE);
        self.line = line;
    }

    fn syslog(&mut self, prefix: &[u8], text: &str) {
        let prefix = String::from_utf8_lossy(prefix);
        for line in text.lines() {
            let sent = system::line(&[&prefix, line]);
            if sent.is_err() {
                self.shared.losses.syslog_lines_lost.fetch_add(1, Ordering::Relaxed);
            }
            let now = Instant::now();
            let change = match sent {
                Ok(()) => self.unsent.go(now),
                Err(error) => self.unsent.lose(1, error, now),
            };
            self.tell_of_syslog(change);
        }
    }

    fn tell_of_syslog(&mut self, change: Option<Change>) {
        match change {
            Some(Change::Began(error)) => self.complain(&error),
            Some(Change::Ended(lines)) => {
                let text = format!("this log could not be written: {lines} lines of it are lost");
                self.line(clock::wall(), LogLevel::Error, &text);
            }
            // The log of a daemon has no end that could be told in it.
            Some(Change::Left(_)) | None => {}
        }
    }

    fn write(&mut self, line: &[u8]) {
        let mut troubles = Vec::new();
        if let Some(file) = &mut self.sinks.file {
            let lost = file.write(line, &mut |trouble| troubles.push(trouble));
            self.shared.losses.bytes_lost.fetch_add(lost, Ordering::Relaxed);
        }
        if self.sinks.stdout {
            let printed = stdout::print(line);
            let now = Instant::now();
            let change = match printed {
                Ok(()) => self.unprinted.go(now),
                Err(refused) => {
                    let bytes = refused.bytes as u64;
                    self.shared.losses.bytes_not_printed.fetch_add(bytes, Ordering::Relaxed);
                    self.unprinted.lose(bytes, refused.why, now)
                }
            };
            self.tell_of_stdout(change);
        }
        for trouble in troubles {
            self.tell(&trouble);
        }
    }

    /// Trouble with this log is told on stderr, and here once it works again.
    fn tell(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::Writing(Change::Began(error)) => self.complain(error),
            Trouble::Writing(Change::Ended(bytes)) => {
                let text = format!("this log could not be written: {bytes} bytes of it are lost");
                self.line(clock::wall(), LogLevel::Error, &text);
            }
            Trouble::CannotRotate(error) => {
                self.shared.losses.rotation_failed.fetch_add(1, Ordering::Relaxed);
                let text = format!("this log can't be rotated: {}", errno::described(error));
                self.line(clock::wall(), LogLevel::Error, &text);
            }
            // The log of a daemon has no end that could be told in it.
            Trouble::Writing(Change::Left(_)) | Trouble::NotRotated => {}
        }
    }

    fn complain(&self, error: &io::Error) {
        self.shared.losses.failed.fetch_add(1, Ordering::Relaxed);
        stdout::complain(&format!(
            "the activity log can't be written: {}; lines are lost until it can",
            errno::described(error)
        ));
    }

    /// Trouble with stdout is told here, as this log goes on.
    fn tell_of_stdout(&mut self, change: Option<Change>) {
        let (level, text) = match change {
            Some(Change::Began(error)) => {
                let why = errno::described(&error);
                let text =
                    format!("stdout can't be written: {why}; lines are lost there until it can");
                (LogLevel::Error, text)
            }
            Some(Change::Ended(bytes)) => {
                let text = format!("stdout is written again; {bytes} bytes were not printed there");
                (LogLevel::Warn, text)
            }
            Some(Change::Left(bytes)) => {
                // Nor would this line go there.
                self.sinks.stdout = false;
                let text = format!(
                    "stdout could not be written to the end; {bytes} bytes were not printed there"
                );
                (LogLevel::Warn, text)
            }
            None => return,
        };
        self.line(clock::wall(), level, &text);
    }

    fn tell_of_rotation(&mut self) {
        if self.told_rotation {
            return;
        }
        self.told_rotation = true;
        let Some(file) = &self.sinks.file else { return };
        if file.check_rotation().is_some() {
            let text = format!(
                "{} has no size, so it is never rotated; set logfile_maxbytes=0",
                file.path().display()
            );
            self.line(clock::wall(), LogLevel::Warn, &text);
        }
    }

    fn reopen(&mut self) {
        self.with_file(Rotating::reopen);
    }

    /// Does something with the file, if there is one, and tells what troubles came of it.
    fn with_file(&mut self, act: impl FnOnce(&mut Rotating, &mut dyn FnMut(Trouble))) {
        let mut troubles = Vec::new();
        if let Some(file) = &mut self.sinks.file {
            act(file, &mut |trouble| troubles.push(trouble));
        }
        for trouble in troubles {
            self.tell(&trouble);
        }
    }

    fn clear(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.sinks.file else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        file.clear()?;
        // The file begins empty; the line is for stdout.
        let file = self.sinks.file.take();
        self.line(clock::wall(), LogLevel::Info, "reopening log file");
        self.sinks.file = file;
        Ok(())
    }
}

/// Local time as `2026-11-21 01:58:09,123`; what a second has in common is kept, for the look
/// at the time zone costs more than the rest of a line.
#[derive(Debug, Default)]
struct Stamp {
    second: u64,
    text: String,
}

impl Stamp {
    fn write(&mut self, at: Duration, out: &mut Vec<u8>) {
        if self.second != at.as_secs() || self.text.is_empty() {
            self.second = at.as_secs();
            self.text = local(at).map_or_else(
                || at.as_secs().to_string(),
                |time| time.format("%Y-%m-%d %H:%M:%S").to_string(),
            );
        }
        let _ = write!(out, "{},{:03}", self.text, at.subsec_millis());
    }
}

/// A moment in local time.
pub fn local(at: Duration) -> Option<DateTime<Local>> {
    let secs = i64::try_from(at.as_secs()).ok()?;
    Some(DateTime::from_timestamp(secs, at.subsec_nanos())?.with_timezone(&Local))
}

#[cfg(test)]
mod tests;
