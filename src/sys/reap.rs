//! Waiting for children, in two steps: a zombie is named first and waited for once its owner
//! is known. Between the two its pid can't be used again. Not by nix: it refuses a child that a
//! realtime signal ended, which has no name there.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

use super::inject::{self, Call};
use crate::process::exit::ExitStatus;

/// The pid of some child that has ended and was not waited for.
///
/// # Errors
/// What the system says; having no child is none.
pub fn next_zombie() -> io::Result<Option<i32>> {
    loop {
        inject::restarted(Call::Wait)?;
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: the kernel fills the structure, or leaves it zeroed when nobody has ended.
        let (done, pid) = unsafe {
            let done = libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), flags);
            (done, info.assume_init().si_pid())
        };
        if done == 0 {
            return Ok((pid != 0).then_some(pid));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ECHILD) => return Ok(None),
            Some(libc::EINTR) => {}
            _ => return Err(error),
        }
    }
}

/// Whether that pid is a child of ours that was not waited for, so that it can't be anybody
/// else's.
pub fn is_ours(pid: i32) -> bool {
    if inject::fail(Call::Wait).is_err() {
        return false;
    }
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: as above; a negative pid is refused by the kernel.
    unsafe { libc::waitid(libc::P_PID, pid as libc::id_t, info.as_mut_ptr(), flags) == 0 }
}

/// Takes the zombie away and tells how it ended.
///
/// # Errors
/// What the system says.
pub fn reap(pid: i32) -> io::Result<ExitStatus> {
    loop {
        inject::restarted(Call::Wait)?;
        let mut raw = 0;
        // SAFETY: the status goes into an int of ours.
        if unsafe { libc::waitpid(pid, &mut raw, libc::WNOHANG) } == pid {
            return Ok(status(raw));
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
}

fn status(raw: i32) -> ExitStatus {
    if libc::WIFEXITED(raw) {
        ExitStatus::Code(libc::WEXITSTATUS(raw))
    } else if libc::WIFSIGNALED(raw) {
        ExitStatus::Signal { number: libc::WTERMSIG(raw), core: libc::WCOREDUMP(raw) }
    } else {
        ExitStatus::Other(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_as_the_kernel_codes_them() {
        let rows = [
            (0x0000, ExitStatus::Code(0)),
            (0x0300, ExitStatus::Code(3)),
            (0x0009, ExitStatus::Signal { number: 9, core: false }),
            (0x008b, ExitStatus::Signal { number: 11, core: true }),
            (35, ExitStatus::Signal { number: 35, core: false }),
            (0x007f, ExitStatus::Other(0x007f)),
        ];
        for (raw, want) in rows {
            assert_eq!(status(raw), want, "{raw:#x}");
        }
    }
}
