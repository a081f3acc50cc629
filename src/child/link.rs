//! How other threads reach a child's thread.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::stdin::StdinError;
use crate::sys::poll::Waker;
use crate::sys::spawn::PidSlot;

/// Messages that may wait; who finds the box full is told so.
const MAILBOX: usize = 4;

/// How long an asker waits for a child's thread that may hang on a disk.
const PATIENCE: Duration = Duration::from_secs(5);

const DRAIN: u8 = 1;
const REOPEN: u8 = 2;

/// The way to the thread of one spawn.
#[derive(Debug)]
pub struct Link {
    /// The pid, from the moment that there is one.
    pub slot: PidSlot,
    wishes: AtomicU8,
    waker: Waker,
    mail: Sender<ToChild>,
}

/// What others ask of the thread, beyond wishes.
#[derive(Debug)]
pub enum ToChild {
    /// Bytes for the child's stdin.
    Stdin(Vec<u8>, Sender<Result<(), StdinError>>),
    /// Begin the log files anew.
    Clear(Sender<io::Result<()>>),
}

/// Wishes that are as good once as many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// Read what is left, report, end.
    pub drain: bool,
    /// Open the log files by their names again.
    pub reopen: bool,
}

impl Link {
    /// A link, and the thread's end of its mail.
    ///
    /// # Errors
    /// No descriptor was left.
    pub fn new() -> io::Result<(Link, Receiver<ToChild>)> {
        let (mail, letters) = bounded(MAILBOX);
        let waker = Waker::new()?;
        Ok((Link { slot: PidSlot::default(), wishes: AtomicU8::new(0), waker, mail }, letters))
    }

    /// The child was reaped: read what is left and end.
    pub fn drain(&self) {
        self.wish(DRAIN);
    }

    /// Log files were moved away.
    pub fn reopen_logs(&self) {
        self.wish(REOPEN);
    }

    fn wish(&self, wish: u8) {
        self.wishes.fetch_or(wish, Ordering::AcqRel);
        self.waker.wake();
    }

    /// Sends bytes to the child. Waits for the thread to take them, not for the child.
    ///
    /// # Errors
    /// See [`StdinError`].
    pub fn send_stdin(&self, data: Vec<u8>) -> Result<(), StdinError> {
        let (done, wait) = bounded(1);
        self.post(ToChild::Stdin(data, done)).map_err(|_| StdinError::Busy)?;
        wait.recv_timeout(PATIENCE).unwrap_or(Err(StdinError::Closed))
    }

    /// Begins the log files anew.
    ///
    /// # Errors
    /// What the system says; `TimedOut`; `NotConnected` when the thread has ended.
    pub fn clear_logs(&self) -> io::Result<()> {
        let (done, wait) = bounded(1);
        self.post(ToChild::Clear(done))?;
        wait.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            Err(io::Error::from(if error.is_timeout() {
                io::ErrorKind::TimedOut
            } else {
                io::ErrorKind::NotConnected
            }))
        })
    }

    fn post(&self, letter: ToChild) -> io::Result<()> {
        self.mail.send_timeout(letter, PATIENCE).map_err(|error| {
            io::Error::from(if error.is_timeout() {
                io::ErrorKind::TimedOut
            } else {
                io::ErrorKind::NotConnected
            })
        })?;
        self.waker.wake();
        Ok(())
    }

    /// For the thread: what to poll.
    pub fn waker_fd(&self) -> RawFd {
        self.waker.as_raw_fd()
    }

    /// For the thread: what is wished since it last asked.
    pub fn take_wishes(&self) -> Wishes {
        self.waker.clear();
        let bits = self.wishes.swap(0, Ordering::AcqRel);
        Wishes { drain: bits & DRAIN != 0, reopen: bits & REOPEN != 0 }
    }
}
