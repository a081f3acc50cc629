//! Signals read from a descriptor, for a program of one thread that waits for other things too.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

pub use nix::sys::signal::Signal;
use nix::sys::signal::{SigHandler, SigSet, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that wait to be read. Readable, as `poll` sees it, when there is one.
#[derive(Debug)]
pub struct Inbox {
    fd: SignalFd,
    before: SigSet,
}

impl Inbox {
    /// Holds these signals back from now on, also those that were ignored until now.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn open(signals: &[Signal]) -> io::Result<Inbox> {
        let set: SigSet = signals.iter().copied().collect();
        let before = SigSet::thread_get_mask()?;
        set.thread_block()?;
        for heard in signals {
            // SAFETY: the default runs no code of ours.
            unsafe { signal(*heard, SigHandler::SigDfl) }?;
        }
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Inbox { fd, before })
    }

    /// The next signal; none: all are read.
    pub fn next(&self) -> Option<Signal> {
        let read = self.fd.read_signal().ok().flatten()?;
        Signal::try_from(i32::try_from(read.ssi_signo).ok()?).ok()
    }

    /// The mask that the process was started with, which a child should have.
    pub fn mask_before(&self) -> &SigSet {
        &self.before
    }
}

impl AsRawFd for Inbox {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_fd().as_raw_fd()
    }
}
