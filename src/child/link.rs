//! How other threads reach a child's thread.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::stdin::StdinError;
use crate::sys::poll::Waker;
use crate::sys::spawn::PidSlot;

/// Letters that may wait; who finds the box full is told so.
const MAILBOX: usize = 16;

/// How long an asker waits for a child's thread that may hang on a disk.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The start may still go either way.
const OPEN: u8 = 0;
/// The thread is about to make the child.
const BEGUN: u8 = 1;
/// No child may be made any more.
const CALLED_OFF: u8 = 2;

const DRAIN: u8 = 1;
const REOPEN: u8 = 2;

/// The way to the thread of one spawn.
#[derive(Debug)]
pub struct Link {
    /// The pid, from the moment that there is one.
    pub slot: PidSlot,
    wishes: AtomicU8,
    announced: Mutex<bool>,
    start: AtomicU8,
    waker: Waker,
    /// Empty nearly always: a channel would hold a kilobyte for each child.
    mail: Mutex<Mail>,
}

#[derive(Debug, Default)]
struct Mail {
    letters: VecDeque<ToChild>,
    /// The thread has ended.
    closed: bool,
}

/// What others ask of the thread, beyond wishes.
#[derive(Debug)]
pub enum ToChild {
    /// Bytes for the child's stdin.
    Stdin(Vec<u8>, Sender<Result<(), StdinError>>),
    /// Begin the log files anew.
    Clear(Sender<io::Result<()>>),
    /// An event for a listener's stdin.
    Event(Vec<u8>),
}

/// Log files that are being begun anew.
#[derive(Debug)]
pub struct Clearing(Result<Receiver<io::Result<()>>, io::ErrorKind>);

impl Clearing {
    /// Waits until it is done.
    ///
    /// # Errors
    /// What the system says; `TimedOut` when the thread does not answer; `NotConnected` when it
    /// has ended.
    pub fn wait(self, until: Instant) -> io::Result<()> {
        self.0?.recv_deadline(until).unwrap_or_else(|error| {
            Err(io::Error::from(if error.is_timeout() {
                io::ErrorKind::TimedOut
            } else {
                io::ErrorKind::NotConnected
            }))
        })
    }
}

/// Why a letter was not taken.
enum Unposted {
    Closed,
    Full,
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
    /// A link to a thread that is to be.
    ///
    /// # Errors
    /// No descriptor was left.
    pub fn new() -> io::Result<Link> {
        let (slot, wishes) = (PidSlot::default(), AtomicU8::new(0));
        let (announced, start) = (Mutex::default(), AtomicU8::new(OPEN));
        let (waker, mail) = (Waker::new()?, Mutex::default());
        Ok(Link { slot, wishes, announced, start, waker, mail })
    }

    /// For whoever knows that there is a child: has the first one tell of it, and the other go on
    /// once that is done. Its thread is first, nearly always, and writes the line about the child
    /// before any line about its output.
    pub fn announce(&self, tell: impl FnOnce()) {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *announced, true) {
            tell();
        }
    }

    /// Keeps the thread from making a child, unless it is about to: then its pid is known in a
    /// moment, and the caller asks no more.
    pub fn call_off(&self) -> bool {
        let order = Ordering::AcqRel;
        self.start.compare_exchange(OPEN, CALLED_OFF, order, Ordering::Acquire).is_ok()
    }

    /// Whether that was done in time.
    pub fn is_called_off(&self) -> bool {
        self.start.load(Ordering::Acquire) == CALLED_OFF
    }

    /// For the thread, right before it makes the child: whether it still may.
    pub fn begin(&self) -> bool {
        let order = Ordering::AcqRel;
        self.start.compare_exchange(OPEN, BEGUN, order, Ordering::Acquire).is_ok()
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
        match self.post(ToChild::Stdin(data, done)) {
            Ok(()) => wait.recv_timeout(PATIENCE).unwrap_or(Err(StdinError::Busy)),
            Err(Unposted::Closed) => Err(StdinError::Closed),
            Err(Unposted::Full) => Err(StdinError::Busy),
        }
    }

    /// Sends an event to a listener. Waits for nothing, and finds room however many letters of
    /// clients wait: there is never more than one event. False: the thread has ended.
    pub fn send_event(&self, event: Vec<u8>) -> bool {
        self.post_within(usize::MAX, ToChild::Event(event)).is_ok()
    }

    /// Has the log files begun anew.
    pub fn clear_logs(&self) -> Clearing {
        let (done, wait) = bounded(1);
        Clearing(match self.post(ToChild::Clear(done)) {
            Ok(()) => Ok(wait),
            Err(Unposted::Closed) => Err(io::ErrorKind::NotConnected),
            Err(Unposted::Full) => Err(io::ErrorKind::TimedOut),
        })
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, letter: ToChild) -> Result<(), Unposted> {
        self.post_within(MAILBOX, letter)
    }

    fn post_within(&self, limit: usize, letter: ToChild) -> Result<(), Unposted> {
        let mut mail = self.mail();
        if mail.closed {
            return Err(Unposted::Closed);
        }
        if mail.letters.len() >= limit {
            return Err(Unposted::Full);
        }
        mail.letters.push_back(letter);
        drop(mail);
        self.waker.wake();
        Ok(())
    }

    /// For the thread: the next letter.
    pub fn take_letter(&self) -> Option<ToChild> {
        let mut mail = self.mail();
        let letter = mail.letters.pop_front();
        if letter.is_none() {
            mail.letters = VecDeque::new();
        }
        letter
    }

    /// For the thread, at its end: letters that wait are answered by their loss.
    pub fn close(&self) {
        let mut mail = self.mail();
        mail.closed = true;
        let unanswered = std::mem::take(&mut mail.letters);
        drop(mail);
        drop(unanswered);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_goes_on_once_it_is_told() {
        let link = Link::new().unwrap();
        let told = AtomicU8::new(0);
        let begun = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                link.announce(|| {
                    begun.wait();
                    std::thread::sleep(Duration::from_millis(20));
                    told.store(1, Ordering::Release);
                });
            });
            begun.wait();
            link.announce(|| panic!("told twice"));
            assert_eq!(told.load(Ordering::Acquire), 1);
        });
    }

    #[test]
    fn an_event_is_taken_however_much_waits() {
        let link = Link::new().unwrap();
        let (done, _wait) = bounded(1);
        let letter = || ToChild::Stdin(Vec::new(), done.clone());
        while link.post(letter()).is_ok() {}
        assert_eq!(link.send_stdin(Vec::new()), Err(StdinError::Busy));
        assert!(link.send_event(b"event".to_vec()));
        let mut letters = std::iter::from_fn(|| link.take_letter());
        assert!(matches!(letters.nth(MAILBOX), Some(ToChild::Event(_))));
        link.close();
        assert!(!link.send_event(Vec::new()));
    }
}
