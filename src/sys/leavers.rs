//! Sockets of which nothing is awaited but that their peer leaves, all behind one descriptor, so
//! that a thread that polls need not be woken for each that comes and goes.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::inject::{self, Call};

/// How many are told of at a time.
const PORTION: usize = 32;

/// The sockets. Readable, as `poll` sees it, when a peer has left.
#[derive(Debug)]
pub struct Leavers {
    epoll: OwnedFd,
}

impl Leavers {
    /// None yet.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> io::Result<Leavers> {
        inject::fail(Call::Epoll)?;
        // SAFETY: integers only.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, ours alone.
        Ok(Leavers { epoll: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Watches a socket until its peer leaves, [`Leavers::forget`], or its last descriptor is
    /// closed. `number` tells it from others.
    ///
    /// # Errors
    /// `ENOSPC` (more than the user may watch), `ENOMEM`, `EEXIST`.
    pub fn watch(&self, fd: BorrowedFd<'_>, number: u64) -> io::Result<()> {
        let events = (libc::EPOLLRDHUP | libc::EPOLLONESHOT) as u32;
        let mut event = libc::epoll_event { events, u64: number };
        self.control(libc::EPOLL_CTL_ADD, fd, &mut event)
    }

    /// Watches it no more; one that is not watched is no error.
    pub fn forget(&self, fd: BorrowedFd<'_>) {
        let mut none = libc::epoll_event { events: 0, u64: 0 };
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, &mut none);
    }

    fn control(
        &self,
        what: i32,
        fd: BorrowedFd<'_>,
        event: &mut libc::epoll_event,
    ) -> io::Result<()> {
        inject::fail(Call::Epoll)?;
        // SAFETY: the event lives through the call, which only reads it.
        let done = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), what, fd.as_raw_fd(), event) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The numbers of some whose peers have left, each told once; empty when there are no more.
    /// Never waits.
    pub fn take(&self) -> Vec<u64> {
        if inject::fail(Call::Epoll).is_err() {
            return Vec::new();
        }
        let mut events = [MaybeUninit::<libc::epoll_event>::uninit(); PORTION];
        let epoll = self.epoll.as_raw_fd();
        // SAFETY: room for so many events, which the kernel only writes.
        let n = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr().cast(), PORTION as i32, 0) };
        let known = events.iter().take(usize::try_from(n).unwrap_or(0));
        // SAFETY: the kernel has written the first `n`.
        known.map(|event| unsafe { event.assume_init() }.u64).collect()
    }
}

impl AsRawFd for Leavers {
    fn as_raw_fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    #[test]
    fn each_that_leaves_is_told_once() {
        let leavers = Leavers::new().unwrap();
        let pairs = [(); 4].map(|()| UnixStream::pair().unwrap());
        for (number, (ours, _)) in pairs.iter().enumerate() {
            leavers.watch(ours.as_fd(), number as u64).unwrap();
        }
        assert_eq!(leavers.take(), []);
        let [(_a, a), (b, b_peer), (_c, mut c), (d, d_peer)] = pairs;
        leavers.forget(b.as_fd());
        leavers.forget(b.as_fd());
        drop((a, b_peer));
        // What comes is no leaving.
        c.write_all(b"x").unwrap();
        d_peer.shutdown(std::net::Shutdown::Write).unwrap();
        // A child that another test makes has copies of all until it executes.
        let until = Instant::now() + Duration::from_secs(20);
        let mut left = Vec::new();
        while left.len() < 2 && Instant::now() < until {
            left.extend(leavers.take());
            std::thread::yield_now();
        }
        left.sort();
        assert_eq!(left, [0, 3]);
        assert_eq!(leavers.take(), []);
        // It may be watched again.
        leavers.forget(d.as_fd());
        leavers.watch(d.as_fd(), 7).unwrap();
        assert_eq!(leavers.take(), [7]);
    }
}
