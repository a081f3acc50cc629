//! Bytes of a connection, and waiting for it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{self, sockopt};
use nix::sys::time::TimeVal;

use crate::sys::inject::{self, Call};
use crate::sys::poll;

/// Receives into the buffer's spare capacity, of which the caller sees to; a full buffer grows
/// by 512 bytes. Returns 0 at the end of the stream.
///
/// # Errors
/// `WouldBlock`; those of `recv`.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> io::Result<usize> {
    receive_with(fd, buffer, libc::MSG_DONTWAIT)
}

/// As [`receive`], but waits as long as [`set_patience`] says. One system call where waiting by
/// `poll` would be two.
///
/// # Errors
/// `WouldBlock` when nothing came in time; those of `recv`.
pub fn receive_waiting(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> io::Result<usize> {
    receive_with(fd, buffer, 0)
}

fn receive_with(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>, flags: i32) -> io::Result<usize> {
    if buffer.capacity() == buffer.len() {
        buffer.reserve_exact(512);
    }
    let spare = buffer.spare_capacity_mut();
    let room = spare.len();
    loop {
        inject::restarted(Call::Receive)?;
        // SAFETY: `room` bytes from there on belong to the buffer and need not be initialized.
        let got = unsafe { libc::recv(fd.as_raw_fd(), spare.as_mut_ptr().cast(), room, flags) };
        if let Ok(got) = usize::try_from(got) {
            // SAFETY: the kernel has written that many bytes behind the old length.
            unsafe { buffer.set_len(buffer.len() + got) };
            return Ok(got);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Sets how long [`receive_waiting`] waits on this connection; never without end.
///
/// # Errors
/// Those of `setsockopt`.
pub fn set_patience(fd: BorrowedFd<'_>, time: Duration) -> io::Result<()> {
    inject::fail(Call::SockOpt)?;
    let time = time.max(Duration::from_micros(1));
    let secs = time.as_secs().min(i32::MAX as u64);
    let time = TimeVal::new(secs as _, time.subsec_micros() as _);
    Ok(socket::setsockopt(&fd, sockopt::ReceiveTimeout, &time)?)
}

/// Sends as much of the two parts, one behind the other, as the socket takes now.
///
/// # Errors
/// `WouldBlock`; those of `sendmsg`. No SIGPIPE.
#[cfg_attr(debug_assertions, track_caller)]
pub fn send(fd: BorrowedFd<'_>, first: &[u8], second: &[u8]) -> io::Result<usize> {
    loop {
        match send_once(fd, first, second) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            sent => return sent,
        }
    }
}

#[cfg_attr(debug_assertions, track_caller)]
fn send_once(fd: BorrowedFd<'_>, first: &[u8], second: &[u8]) -> io::Result<usize> {
    let taken = inject::part(Call::Send, first.len() + second.len())?;
    let first = first.get(..taken).unwrap_or(first);
    let second = second.get(..taken - first.len()).unwrap_or(second);
    let mut parts = [first, second]
        .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
    // SAFETY: all zero is a valid empty header.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len() as _;
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: the header points to two parts that live through the call and are only read.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &message, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Waits until the socket is ready for that, or its peer is gone.
///
/// # Errors
/// `TimedOut` at the deadline; those of `poll`.
pub fn wait_until(fd: BorrowedFd<'_>, events: i16, deadline: Instant) -> io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if poll::poll(&mut [poll::entry(fd.as_raw_fd(), events)], Some(left))? > 0 {
            return Ok(());
        }
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

/// The peer has closed, or at least its sending half.
pub const HUNG_UP: i16 = libc::POLLRDHUP;

/// Whether the peer has closed. One that closed only its sending half counts too: the two can't
/// be told apart without sending.
pub fn peer_gone(fd: BorrowedFd<'_>) -> bool {
    let mut entry = [poll::entry(fd.as_raw_fd(), HUNG_UP)];
    matches!(poll::poll(&mut entry, Some(Duration::ZERO)), Ok(n) if n > 0)
}

/// Tells the peer that nothing more will come.
pub fn end_sending(fd: BorrowedFd<'_>) {
    if inject::fail(Call::Shutdown).is_err() {
        return;
    }
    let _ = socket::shutdown(fd.as_raw_fd(), socket::Shutdown::Write);
}
