//! The state file: which children this daemon has, for the daemon that comes after one that was
//! killed.
//!
//! It holds a line of fixed length for each child that lives, in a place of its own that a later
//! child gets once the first was reaped. So it is as long as there were ever children at a time,
//! needs no tidying however many come and go, and a torn or foreign line means nothing to the
//! others. The child writes its own line, between clone and exec (`sys/spawn.rs`): there is no
//! moment in which the daemon can be killed and leave a child that is not written down. The line
//! of one that has ended is harmless: who reads it compares the time at which the process with
//! this pid began, to the kernel's tick, and the machine's boot id.
//!
//! A disk that hangs makes the child's thread hang, or the child: the daemon itself writes
//! nothing here while it runs.
#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, str};

use super::inject::{self, Call};
use super::{file, pidfile, seats};

/// The length of a line, bytes.
const LINE: usize = 128;

/// Where the pid ends; its digits stand right before, and blanks before those.
const PID_END: usize = 10;

/// Where the beginning of the process, in the kernel's ticks, ends.
const BEGAN_END: usize = 31;

/// What the file begins with.
const HEAD: &str = "# children of a supervisord: pid, begin in ticks since boot, boot id, name";

/// The kernel's own boot id.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The length of that, bytes.
const BOOT_ID_LENGTH: usize = 36;

/// No state file is larger, bytes: as many lines as there may be processes.
const MOST: u64 = 16 << 20;

/// Why it can't be had.
#[derive(Debug)]
pub enum Refused {
    /// Another daemon has it.
    InUse,
    /// It is something else.
    Strange,
    /// Others than this user may have written it.
    Foreign,
    /// What the system says.
    Failed(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::InUse => f.write_str("another supervisord uses it"),
            Refused::Strange => {
                f.write_str("it holds something else; choose another name or remove it")
            }
            Refused::Foreign => f.write_str(
                "others than the daemon's user may have written it, and it says whom to kill; \
                 remove it",
            ),
            Refused::Failed(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Failed(error)
    }
}

/// A child as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its pid.
    pub pid: i32,
    /// When it began, in the kernel's ticks since the machine's start.
    pub began: u64,
    /// Its process's name, for messages; cut if it is long.
    pub name: String,
}

impl Entry {
    /// Whether it is what would be written down of a process with this name.
    pub fn is_named(&self, name: &str) -> bool {
        let line = unwritten(&"-".repeat(BOOT_ID_LENGTH), name);
        let words = str::from_utf8(&line).unwrap_or_default().split_whitespace().skip(1);
        words.collect::<Vec<_>>().join(" ") == self.name
    }
}

/// The state file of this daemon.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    boot_id: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Arc<File>,
    /// Which places are taken.
    taken: Vec<bool>,
}

impl StateFile {
    /// Opens and locks it. What it says of processes since the machine's start comes along, and
    /// stays until [`StateFile::begin`].
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn open(path: &Path) -> Result<(StateFile, Vec<Entry>), Refused> {
        inject::restarted(Call::Open)?;
        let file = options().create(true).truncate(false).open(path)?;
        let mut file = seats::out_of_the_way(file);
        let meta = file::state_of(&file)?;
        if !meta.is_file() {
            return Err(Refused::Strange);
        }
        if meta.uid() != nix::unistd::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            return Err(Refused::Foreign);
        }
        if !pidfile::lock(&file) {
            return Err(Refused::InUse);
        }
        let mut text = Vec::new();
        inject::restarted(Call::Read)?;
        (&mut file).take(MOST).read_to_end(&mut text)?;
        // After a crash of the machine there may be a length and nothing written.
        let is_blank = text.iter().take(LINE).all(|byte| *byte == 0);
        if !is_blank && !text.starts_with(HEAD.as_bytes()) {
            return Err(Refused::Strange);
        }
        inject::restarted(Call::Open)?;
        inject::restarted(Call::Read)?;
        let boot_id = fs::read_to_string(BOOT_ID)?.trim().to_owned();
        let entries = entries(&text, &boot_id);
        let state = Mutex::new(State { file: Arc::new(file), taken: Vec::new() });
        Ok((StateFile { path: path.to_owned(), boot_id, state }, entries))
    }

    /// Forgets what an earlier daemon has written.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin(&self) -> io::Result<()> {
        let state = self.state();
        file::empty(&state.file)?;
        write(&state.file, &line(HEAD), 0)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Unlinks it, unless the name has come to mean another file.
    pub fn remove(&self) {
        if !file::was_replaced(&self.path, &self.state().file) {
            let _ = file::remove(&self.path);
        }
    }

    /// A place for a child that is to be, written once already: what a disk has no room for, or
    /// refuses, is found out while there is no child.
    ///
    /// # Errors
    /// What the system says.
    pub fn reserve(self: &Arc<Self>) -> io::Result<Place> {
        // Not in the lock: a disk that hangs must not make those wait who have their lines.
        let file = Arc::clone(&self.state().file);
        if self.is_gone(&file)? {
            self.restore()?;
        }
        let mut state = self.state();
        let number = state.taken.iter().position(|taken| !taken).unwrap_or(state.taken.len());
        match state.taken.get_mut(number) {
            Some(free) => *free = true,
            None => state.taken.push(true),
        }
        let file = Arc::clone(&state.file);
        drop(state);
        let place = Place { state_file: Arc::clone(self), file, number };
        write(&place.file, &line(""), place.offset())?;
        Ok(place)
    }

    /// If somebody has removed it (what cleans /tmp, say): makes it anew, with what it said.
    fn restore(&self) -> io::Result<()> {
        let mut state = self.state();
        if !self.is_gone(&state.file)? {
            // Another has done it.
            return Ok(());
        }
        let mut text = vec![0; LINE * (state.taken.len() + 1)];
        inject::restarted(Call::Read)?;
        let length = state.file.read_at(&mut text, 0)?;
        inject::restarted(Call::Open)?;
        let file = seats::out_of_the_way(options().create_new(true).open(&self.path)?);
        pidfile::lock(&file);
        write(&file, text.get(..length).unwrap_or_default(), 0).inspect_err(|_| {
            // It would be taken for the state file.
            let _ = file::remove(&self.path);
        })?;
        state.file = Arc::new(file);
        Ok(())
    }

    /// Whether no name leads to it any more, nor to another. Where this user may not look, it has
    /// at least no name at all when somebody has removed it.
    fn is_gone(&self, file: &File) -> io::Result<bool> {
        match inject::restarted(Call::Stat).and_then(|()| fs::symlink_metadata(&self.path)) {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(!file::look(file)?.named)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY;
    options.read(true).write(true).mode(0o600).custom_flags(flags);
    options
}

fn write(file: &File, text: &[u8], offset: u64) -> io::Result<()> {
    let (mut left, mut offset) = (text, offset);
    while !left.is_empty() {
        match write_once(file, left, offset) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
            Ok(written) => {
                left = left.get(written..).unwrap_or_default();
                offset = offset.saturating_add(written as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg_attr(debug_assertions, track_caller)]
fn write_once(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
    let taken = inject::part(Call::Write, data.len())?;
    file.write_at(data.get(..taken).unwrap_or(data), offset)
}

/// A line's place, for one child. Dropped, once the child was reaped, it is free for another.
#[derive(Debug)]
pub struct Place {
    state_file: Arc<StateFile>,
    /// Into which the child writes.
    file: Arc<File>,
    number: usize,
}

impl Place {
    /// What the child writes of itself there.
    pub fn record(&self, name: &str) -> Record {
        let line = unwritten(&self.state_file.boot_id, name);
        Record { fd: self.file.as_raw_fd(), offset: self.offset(), line }
    }

    fn offset(&self) -> u64 {
        (self.number as u64 + 1).saturating_mul(LINE as u64)
    }

    /// The child has written: into a file that was made anew meanwhile, its line goes too.
    ///
    /// # Errors
    /// It does not, and who comes after this daemon will not know the child.
    pub fn written(&self) -> io::Result<()> {
        let now = Arc::clone(&self.state_file.state().file);
        if Arc::ptr_eq(&now, &self.file) {
            return Ok(());
        }
        let mut line = [0; LINE];
        inject::restarted(Call::Read)?;
        self.file.read_exact_at(&mut line, self.offset())?;
        write(&now, &line, self.offset())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let file = Arc::clone(&self.state_file.state().file);
        let _ = write(&file, &line(""), self.offset());
        if let Some(taken) = self.state_file.state().taken.get_mut(self.number) {
            *taken = false;
        }
    }
}

/// A line that a child completes and writes. The file stays open for as long as its place is
/// held.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    fd: RawFd,
    offset: u64,
    line: [u8; LINE],
}

impl Record {
    /// Writes pid and beginning of the calling process. For the time between clone and exec: raw
    /// calls on memory of the stack. Without `/proc` there is no beginning to be had, and the
    /// line means nothing to a reader, who has none either.
    ///
    /// # Errors
    /// The number of the error.
    pub(super) fn write(&self) -> Result<(), i32> {
        let mut line = self.line;
        // SAFETY: no arguments.
        let pid = unsafe { libc::getpid() };
        put(&mut line, PID_END, u64::from(pid.unsigned_abs()));
        put(&mut line, BEGAN_END, own_beginning().unwrap_or(0));
        let (from, offset) = (line.as_ptr().cast(), self.offset as libc::off64_t);
        // SAFETY: pointer and length of one array.
        let done = unsafe { libc::pwrite64(self.fd, from, line.len(), offset) };
        match usize::try_from(done) {
            Ok(LINE) => Ok(()),
            Ok(_) => Err(libc::ENOSPC),
            Err(_) => Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        }
    }
}

/// When the calling process began. Raw calls on memory of the stack.
fn own_beginning() -> Option<u64> {
    let mut text = [0u8; 1024];
    // SAFETY: a string with its end; then pointer and length of one array.
    let length = unsafe {
        let fd = libc::open(c"/proc/self/stat".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return None;
        }
        let length = libc::read(fd, text.as_mut_ptr().cast(), text.len());
        libc::close(fd);
        length
    };
    beginning(text.get(..usize::try_from(length).ok()?)?)
}

/// The 22nd word of `/proc/<pid>/stat`. Allocates nothing.
fn beginning(stat: &[u8]) -> Option<u64> {
    // The name may hold anything; the 20th word behind it is meant.
    let behind_name = stat.iter().rposition(|byte| *byte == b')')?;
    let mut words = stat.get(behind_name..)?.split(|byte| *byte == b' ');
    let word = words.nth(20)?;
    let digit = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte.wrapping_sub(b'0')))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    word.iter().try_fold(0, digit).filter(|_| !word.is_empty())
}

/// Puts the digits of a number right before `end`. Allocates nothing.
fn put(line: &mut [u8; LINE], end: usize, number: u64) {
    let mut rest = number;
    for byte in line.iter_mut().take(end).rev() {
        *byte = b'0'.wrapping_add((rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            return;
        }
    }
}

/// The line of a child but for what only the child knows.
fn unwritten(boot_id: &str, name: &str) -> [u8; LINE] {
    let blanks = BEGAN_END;
    let name = name.replace(char::is_control, "?");
    line(&format!("{:blanks$} {boot_id} {name}", ""))
}

/// A text as a line: filled up with blanks, cut where it is too long.
fn line(text: &str) -> [u8; LINE] {
    let mut line = [b' '; LINE];
    let end = (0..LINE).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let bytes = text.as_bytes().get(..end).unwrap_or_default();
    for (place, byte) in line.iter_mut().zip(bytes) {
        *place = *byte;
    }
    if let Some(last) = line.last_mut() {
        *last = b'\n';
    }
    line
}

/// The lines that are whole and of this boot.
fn entries(text: &[u8], boot_id: &str) -> Vec<Entry> {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    lines.filter_map(|line| entry(line, boot_id)).collect()
}

fn entry(line: &str, boot_id: &str) -> Option<Entry> {
    let mut words = line.split_whitespace();
    let pid = words.next()?.parse().ok().filter(|pid| *pid > 1)?;
    let began = words.next()?.parse().ok().filter(|began| *began > 0)?;
    let is_of_this_boot = words.next()? == boot_id;
    let name = words.collect::<Vec<_>>().join(" ");
    is_of_this_boot.then_some(Entry { pid, began, name })
}

#[cfg(test)]
mod tests;
