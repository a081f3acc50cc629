//! Going to the background. Done before the first thread exists.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, fork, setsid};

use super::pipe;

/// Tells the waiting parent how start-up went.
#[derive(Debug)]
pub struct Parent(File);

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The one that the shell waits for; what it has to print and exit with.
    Parent(Result<(), String>),
    /// The daemon.
    Daemon(Parent),
}

/// Forks. The parent returns when the child has told how it went.
///
/// # Errors
/// What the system says of pipe and fork.
pub fn fork_and_wait() -> io::Result<Side> {
    let pipe = pipe::pipe()?;
    // SAFETY: no other thread exists yet, so the child may go on as if nothing had happened.
    match unsafe { fork() }? {
        ForkResult::Parent { .. } => {
            drop(pipe.write);
            let mut told = String::new();
            File::from(pipe.read).read_to_string(&mut told)?;
            Ok(Side::Parent(match told.strip_prefix("ready") {
                Some(_) => Ok(()),
                None if told.is_empty() => Err("the daemon ended before it was ready".to_owned()),
                None => Err(told),
            }))
        }
        ForkResult::Child => Ok(Side::Daemon(Parent(File::from(pipe.write)))),
    }
}

impl Parent {
    /// Start-up is done: the parent exits with 0.
    pub fn ready(mut self) {
        let _ = self.0.write_all(b"ready");
    }

    /// Start-up failed: the parent prints this and exits with 2.
    pub fn failed(mut self, message: &str) {
        let _ = self.0.write_all(message.as_bytes());
    }
}

/// Leaves the terminal: a session of its own, 0 to 2 on /dev/null, the mask for new files.
///
/// # Errors
/// What the system says.
pub fn leave_terminal(mask: u32) -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for fd in 0..=2 {
        // SAFETY: both are descriptors of this process; 0 to 2 have no owner in our code.
        unsafe { libc::dup2(null.as_raw_fd(), fd) };
    }
    let _ = setsid();
    umask(Mode::from_bits_truncate(mask as libc::mode_t));
    Ok(())
}

/// Opens /dev/null on whichever of 0, 1 and 2 is closed, so that no log or socket gets such a
/// number and is written to by mistake.
pub fn fill_standard_descriptors() {
    while let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let fd = null.as_raw_fd();
        if fd > 2 {
            break;
        }
        std::mem::forget(null);
    }
}
