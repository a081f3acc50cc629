//! Waiting for descriptors, and the eventfd that wakes a thread out of its wait.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::Duration;

use super::inject::{self, Call};

/// How long a thread rests that can't be kept from waking.
const REST: Duration = Duration::from_millis(20);

/// One descriptor to wait for; the layout is `struct pollfd`.
pub type PollFd = libc::pollfd;

/// Something can be read, or the peer closed.
pub const IN: i16 = libc::POLLIN;
/// Told unasked: nobody can write to it any more.
pub const HUP: i16 = libc::POLLHUP;
/// Something can be written.
pub const OUT: i16 = libc::POLLOUT;

/// An entry of a poll list.
pub fn entry(fd: RawFd, events: i16) -> PollFd {
    PollFd { fd, events, revents: 0 }
}

/// Waits until one of the descriptors is ready, or the time is over (`None`: without end).
/// Returns how many are ready; an interrupted wait counts as none.
///
/// # Errors
/// `ENOMEM`, `EINVAL` (more descriptors than the process may have).
#[cfg_attr(debug_assertions, track_caller)]
pub fn poll(fds: &mut [PollFd], timeout: Option<Duration>) -> io::Result<usize> {
    if let Err(error) = inject::fail(Call::Poll) {
        return none_if_interrupted(error);
    }
    let spec = timeout.map(|t| libc::timespec {
        // Its type differs between C libraries; this fits all of them.
        tv_sec: t.as_secs().min(i32::MAX as u64) as _,
        tv_nsec: t.subsec_nanos() as _,
    });
    let spec = spec.as_ref().map_or(std::ptr::null(), |s| s as *const libc::timespec);
    // SAFETY: the slice gives pointer and length; the time, if any, lives through the call.
    let n = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as _, spec, std::ptr::null()) };
    if n >= 0 {
        return Ok(n as usize);
    }
    none_if_interrupted(io::Error::last_os_error())
}

fn none_if_interrupted(error: io::Error) -> io::Result<usize> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(error) }
}

/// Wakes a thread that polls [`Waker::as_fd`]. Any thread may wake; waking twice is as once.
#[derive(Debug)]
pub struct Waker {
    fd: OwnedFd,
}

impl Waker {
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> io::Result<Waker> {
        inject::fail(Call::EventFd)?;
        // SAFETY: integers only; the new descriptor has no other owner.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, ours alone.
        Ok(Waker { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Another descriptor of the same.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn duplicate(&self) -> io::Result<OwnedFd> {
        inject::fail(Call::Dup)?;
        self.fd.try_clone()
    }

    /// Makes the descriptor readable. Never blocks; a full counter is already readable. A write
    /// that fails for no reason is made again, for whoever is not woken sleeps on.
    pub fn wake(&self) {
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            if inject::fail(Call::Wake).and_then(|()| self.add_one()).is_ok() {
                return;
            }
        }
    }

    fn add_one(&self) -> io::Result<()> {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight readable bytes.
        let done = unsafe { libc::write(self.fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Makes the descriptor unreadable again, before the thread looks what there is to do. Should
    /// that fail, the thread rests for a moment: it will find the descriptor readable again.
    pub fn clear(&self) {
        match inject::fail(Call::Clear).and_then(|()| self.take_all()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => thread::sleep(REST),
            _ => {}
        }
    }

    fn take_all(&self) -> io::Result<()> {
        let mut count = [0u8; 8];
        let to = count.as_mut_ptr().cast();
        // SAFETY: eight writable bytes.
        let done = unsafe { libc::read(self.fd.as_raw_fd(), to, count.len()) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Waker {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
