//! A log file that more than one thread writes: that of the child, and those of earlier children
//! of its process whose own children still write (`drain_timeout`). They share the open file, so
//! that who rotates it rotates it for all, and nobody cuts a line of another in two.

use std::collections::HashMap;
use std::io;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::child_log::LogFile;
use super::rotating::{Limits, Rotating, Trouble};
use crate::counters::{OfProcess, Tally};
use crate::process::output::Output;
use crate::sys::file;

/// What a writer that lets others finish their lines keeps at the most, bytes.
const MOST_HELD: usize = 64 * 1024;

/// How long it lets somebody else finish a line: a prompt may never be finished.
const PATIENCE: Duration = Duration::from_secs(1);

/// An open log file.
#[derive(Debug)]
pub struct Shared(Mutex<State>);

#[derive(Debug)]
struct State {
    file: Rotating,
    /// The number of the next writer.
    next: NonZeroU64,
    /// Who wrote last, unless that ended a line.
    within_line: Option<NonZeroU64>,
}

impl Shared {
    fn new(file: Rotating) -> Shared {
        Shared(Mutex::new(State { file, next: NonZeroU64::MIN, within_line: None }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a process's log can be found while somebody has it open.
#[derive(Debug, Default)]
struct Slot(Mutex<Weak<Shared>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Weak<Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The logs of one process that are open.
#[derive(Debug, Default)]
pub struct Slots([Slot; 2]);

impl Slots {
    fn of(&self, output: Output) -> &Slot {
        let [stdout, stderr] = &self.0;
        match output {
            Output::Stdout => stdout,
            Output::Stderr => stderr,
        }
    }

    /// Begins a log anew, in the hands of those who have it open, if anybody has.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self, output: Output, log: &LogFile) -> io::Result<()> {
        let open = self.of(output).lock().upgrade();
        match open.filter(|open| open.lock().file.path() == &*log.path) {
            Some(open) => open.lock().file.clear(),
            None => log.clear(),
        }
    }
}

/// Where processes find the logs that an earlier process of their name has open: after an update
/// or a restart of the daemon their files may be the same. Holds those with a `drain_timeout`.
#[derive(Clone, Debug, Default)]
pub struct OpenLogs(Arc<Mutex<HashMap<String, Weak<Slots>>>>);

impl OpenLogs {
    /// The slots of a process; `outlives`: its threads may outlive it.
    pub fn of(&self, group: &str, process: &str, outlives: bool) -> Arc<Slots> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, slots| slots.strong_count() > 0);
        let name = format!("{group}:{process}");
        let slots = known.get(&name).and_then(Weak::upgrade).unwrap_or_default();
        if outlives {
            known.insert(name, Arc::downgrade(&slots));
        }
        slots
    }
}

/// One of those who write a log.
#[derive(Debug)]
pub struct Writer {
    log: Arc<Shared>,
    number: NonZeroU64,
    tally: Arc<Tally>,
    /// What waits for the end of a line, its own or another's; `None`: nothing ever does, as
    /// nearly always.
    held: Option<Box<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// Since when somebody else's line keeps them waiting.
    since: Option<Instant>,
}

/// How far a writer that holds lines has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// It waits for the end of another's line: to be asked again soon.
    pub waits: bool,
    /// It can't take more.
    pub full: bool,
}

impl Writer {
    /// Joins those who have the log open, or opens it.
    ///
    /// # Errors
    /// What opening it says.
    pub fn join(
        (slots, tally): (&Slots, &Arc<Tally>),
        output: Output,
        path: &Path,
        limits: Limits,
        open: impl FnOnce() -> io::Result<Rotating>,
        tell: &mut dyn FnMut(Trouble),
    ) -> io::Result<Writer> {
        let mut slot = slots.of(output).lock();
        if let Some(log) = slot.upgrade()
            && let Some(number) = log.take_in(path, limits, tell)
        {
            return Ok(Writer { log, number, tally: Arc::clone(tally), held: None });
        }
        let log = Arc::new(Shared::new(open()?));
        *slot = Arc::downgrade(&log);
        let number = log.lock().number();
        Ok(Writer { log, number, tally: Arc::clone(tally), held: None })
    }

    /// Appends. Whoever holds lines does so later.
    pub fn write(&mut self, data: &[u8], tell: &mut dyn FnMut(Trouble)) {
        match &mut self.held {
            None => self.log.lock().write((self.number, &self.tally), data, tell),
            Some(held) => {
                held.bytes.extend_from_slice(data);
                self.settle(Instant::now(), tell);
            }
        }
    }

    /// From now on only whole lines are written, and none into another's: for a writer that has
    /// time.
    pub fn hold_lines(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Writes what is held and can go.
    pub fn settle(&mut self, now: Instant, tell: &mut dyn FnMut(Trouble)) -> Holding {
        let Some(held) = &mut self.held else { return Holding::default() };
        let lines = held.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let ready = if held.bytes.len() >= MOST_HELD { held.bytes.len() } else { lines };
        let mut waits = false;
        if ready > 0 {
            let mut log = self.log.lock();
            let is_amid = log.within_line.is_some_and(|other| other != self.number);
            let since = *held.since.get_or_insert(now);
            waits = is_amid && now.saturating_duration_since(since) < PATIENCE;
            if !waits {
                let lines = held.bytes.get(..ready).unwrap_or_default();
                log.write((self.number, &self.tally), lines, tell);
                held.bytes.drain(..ready);
                held.since = None;
            }
        }
        Holding { waits, full: held.bytes.len() >= MOST_HELD }
    }

    /// Writes all that is held; the last writer tells what is lost for good.
    pub fn finish(&mut self, tell: &mut dyn FnMut(Trouble)) {
        let mut log = self.log.lock();
        if let Some(held) = self.held.take().filter(|held| !held.bytes.is_empty()) {
            log.write((self.number, &self.tally), &held.bytes, tell);
        }
        if Arc::strong_count(&self.log) == 1 {
            log.file.finish(tell);
        }
    }

    /// What is counted of its process.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What there is to tell of a log that can't be rotated.
    pub fn check_rotation(&self) -> Option<Trouble> {
        self.log.lock().file.check_rotation()
    }

    /// Where it is, as it is told.
    pub fn path(&self) -> String {
        self.log.lock().file.path().display().to_string()
    }

    /// Closes it and opens it by name, for all.
    pub fn reopen(&self, tell: &mut dyn FnMut(Trouble)) {
        self.log.lock().file.reopen(tell);
    }

    /// Begins it anew, for all.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> io::Result<()> {
        self.log.lock().file.clear()
    }
}

impl Shared {
    /// A number for one more writer; `None`: it is another file. As at every start of a child,
    /// what was moved away is replaced.
    fn take_in(
        &self,
        path: &Path,
        limits: Limits,
        tell: &mut dyn FnMut(Trouble),
    ) -> Option<NonZeroU64> {
        let mut log = self.lock();
        if log.file.path() != path {
            return None;
        }
        log.file.set_limits(limits);
        if log.file.file().is_some_and(|open| file::was_replaced(path, open)) {
            log.file.reopen(tell);
        }
        Some(log.number())
    }
}

impl State {
    fn number(&mut self) -> NonZeroU64 {
        let number = self.next;
        self.next = number.saturating_add(1);
        number
    }

    fn write(
        &mut self,
        (writer, tally): (NonZeroU64, &Tally),
        data: &[u8],
        tell: &mut dyn FnMut(Trouble),
    ) {
        let lost = self.file.write(data, tell);
        if lost > 0 {
            tally.add(OfProcess::LogBytesLost, lost);
        }
        if let Some(last) = data.last() {
            self.within_line = (*last != b'\n').then_some(writer);
        }
    }
}

#[cfg(test)]
mod tests;
