//! Pipes to and from children.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::inject::{self, Call};

/// The two ends of a pipe.
#[derive(Debug)]
pub struct Pipe {
    /// Where the bytes come out.
    pub read: OwnedFd,
    /// Where they go in.
    pub write: OwnedFd,
}

/// Makes a pipe, both ends closed on exec.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn pipe() -> io::Result<Pipe> {
    inject::fail(Call::Pipe)?;
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    Ok(Pipe { read, write })
}

/// Makes an end not block. Only this end: the child's keeps blocking as programs expect.
///
/// # Errors
/// What the system says.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    inject::fail(Call::Fcntl)?;
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Gives the pipe to a user, who could not open `/dev/stdout` else.
pub fn give_to(fd: BorrowedFd<'_>, uid: u32) {
    if inject::fail(Call::Chown).is_err() {
        return;
    }
    let _ = nix::unistd::fchown(fd, Some(nix::unistd::Uid::from_raw(uid)), None);
}

/// Lets the pipe hold more. The limit for users may refuse it: then it stays as it is.
pub fn enlarge(fd: BorrowedFd<'_>, bytes: i32) {
    if inject::fail(Call::Fcntl).is_ok() {
        let _ = fcntl(fd, FcntlArg::F_SETPIPE_SZ(bytes));
    }
}

/// How many bytes wait to be read.
///
/// # Errors
/// What the system says.
pub fn waiting(fd: BorrowedFd<'_>) -> io::Result<usize> {
    inject::fail(Call::Ioctl)?;
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &mut count) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Reads once; 0 is the end of the stream.
///
/// # Errors
/// `WouldBlock` when there is nothing yet.
#[cfg_attr(debug_assertions, track_caller)]
pub fn read<F: AsFd>(fd: &F, buffer: &mut [u8]) -> io::Result<usize> {
    inject::fail(Call::Read)?;
    nix::unistd::read(fd, buffer).map_err(io::Error::from)
}

/// Writes once; how much went out.
///
/// # Errors
/// `WouldBlock` when the pipe is full, `BrokenPipe` when nobody reads.
#[cfg_attr(debug_assertions, track_caller)]
pub fn write<F: AsFd>(fd: &F, data: &[u8]) -> io::Result<usize> {
    let taken = inject::part(Call::Write, data.len())?;
    let data = data.get(..taken).unwrap_or(data);
    nix::unistd::write(fd, data).map_err(io::Error::from)
}
