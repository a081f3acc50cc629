//! Going to the background. Done before the first thread exists.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

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

/// Marks the descriptors that this process was started with, but for 0, 1 and 2, to be closed when
/// a child executes. Where a kernel or a sandbox refuses `close_range`, children close one by one
/// up to the limit, and an inherited number may lie above it.
pub fn keep_inherited_from_children() {
    // SAFETY: integers only; nothing is closed here.
    let done =
        unsafe { libc::syscall(libc::SYS_close_range, 3, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done == 0 {
        return;
    }
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    for fd in numbers.filter(|fd| *fd > 2) {
        // SAFETY: integers only; the one that lists the directory has the mark already.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
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
