//! Waiting for children, in two steps: a zombie is named first and waited for once its owner
//! is known. Between the two its pid can't be used again.

use std::io;

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use crate::process::exit::ExitStatus;

/// The pid of some child that has ended and was not waited for.
///
/// # Errors
/// What the system says; having no child is none.
pub fn next_zombie() -> io::Result<Option<i32>> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        return match waitid(Id::All, flags) {
            Ok(status) => Ok(status.pid().map(Pid::as_raw)),
            Err(nix::Error::ECHILD) => Ok(None),
            Err(nix::Error::EINTR) => continue,
            Err(error) => Err(error.into()),
        };
    }
}

/// Takes the zombie away and tells how it ended.
///
/// # Errors
/// What the system says.
pub fn reap(pid: i32) -> io::Result<ExitStatus> {
    loop {
        return match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => Ok(ExitStatus::Code(code)),
            Ok(WaitStatus::Signaled(_, signal, core)) => {
                Ok(ExitStatus::Signal { number: signal as i32, core })
            }
            Ok(_) => Ok(ExitStatus::Other(0)),
            // A realtime signal has no name in nix; its number is lost with it.
            Err(nix::Error::EINVAL) => Ok(ExitStatus::Other(0)),
            Err(nix::Error::EINTR) => continue,
            Err(error) => Err(error.into()),
        };
    }
}
