//! Bytes on their way to a child's stdin.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use crate::sys::pipe;

/// Bytes that may wait for the child to read.
const BACKLOG: usize = 4 << 20;

/// Why bytes can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdinError {
    /// The child has closed it, or there is none.
    Closed,
    /// Too much waits already.
    Full,
    /// The child's thread does not answer.
    Busy,
}

/// The daemon's end of the pipe, if there is one.
#[derive(Debug)]
pub struct Stdin {
    pipe: Option<OwnedFd>,
    waiting: VecDeque<u8>,
    /// Why it was closed, if not by the child.
    failed: Option<io::Error>,
}

impl Stdin {
    /// Owns the end, made not to block.
    pub fn new(pipe: OwnedFd) -> Stdin {
        Stdin { pipe: Some(pipe), waiting: VecDeque::new(), failed: None }
    }

    /// For a child whose stdin is something else.
    pub fn none() -> Stdin {
        Stdin { pipe: None, waiting: VecDeque::new(), failed: None }
    }

    /// The descriptor; -1 once it is closed.
    pub fn fd(&self) -> RawFd {
        self.pipe.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// What to poll for room; -1 while nothing waits.
    pub fn wants_room(&self) -> RawFd {
        match &self.pipe {
            Some(pipe) if !self.waiting.is_empty() => pipe.as_raw_fd(),
            _ => -1,
        }
    }

    /// All that was sent has been written.
    pub fn is_written(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The child has closed it.
    pub fn is_closed(&self) -> bool {
        self.pipe.is_none()
    }

    /// Why it could not be written, once; that the child has closed it is no failure.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// Takes an event for a listener, whatever its size: there is never more than one.
    pub fn send_event(&mut self, event: Vec<u8>) {
        if self.pipe.is_none() {
            return;
        }
        // Copied only behind bytes that a client sent.
        match self.waiting.is_empty() {
            true => self.waiting = VecDeque::from(event),
            false => self.waiting.extend(event),
        }
        self.flush();
    }

    /// Takes bytes, and writes as much as goes at once.
    ///
    /// # Errors
    /// Closed or full; then none of them were taken.
    pub fn send(&mut self, data: &[u8]) -> Result<(), StdinError> {
        if self.pipe.is_none() {
            return Err(StdinError::Closed);
        }
        if self.waiting.len() + data.len() > BACKLOG {
            return Err(StdinError::Full);
        }
        self.waiting.extend(data);
        self.flush();
        if self.pipe.is_none() { Err(StdinError::Closed) } else { Ok(()) }
    }

    /// Writes what waits, as far as the pipe takes it.
    pub fn flush(&mut self) {
        while let (Some(fd), (piece, _)) = (&self.pipe, self.waiting.as_slices()) {
            if piece.is_empty() {
                // A rare large backlog should not stay as memory.
                self.waiting.shrink_to(0);
                return;
            }
            match pipe::write(fd, piece) {
                Ok(n) => drop(self.waiting.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    self.failed = Some(error).filter(|e| e.kind() != io::ErrorKind::BrokenPipe);
                    self.pipe = None;
                    self.waiting = VecDeque::new();
                }
            }
        }
    }
}
