//! Listening sockets, and the few calls on connections: accept, receive, send, without ever
//! blocking. Sockets of FastCGI programs are made here too; their children accept on them.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType};

use super::inject::{self, Call};

mod bytes;
pub mod fcgi;
mod listener;
mod tcp;
mod unix;

pub use self::bytes::{
    HUNG_UP, end_sending, peer_gone, receive, receive_waiting, send, set_patience, wait_until,
};
pub use self::listener::{AcceptError, ListenError, Listener, ListenerInfo, Peer};

/// Connections that the kernel holds for us until we accept them.
const BACKLOG: i32 = 1024;

fn new_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    inject::fail(Call::Socket).map_err(errno_of)?;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    socket::socket(family, SockType::Stream, flags, None)
}

fn listen(fd: &OwnedFd, backlog: i32) -> Result<(), Errno> {
    inject::fail(Call::Listen).map_err(errno_of)?;
    // Not nix's: it refuses more than the SOMAXCONN of the C library, which says 128 with musl
    // whatever the kernel allows.
    // SAFETY: integers only.
    Errno::result(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

fn errno_of(error: std::io::Error) -> Errno {
    Errno::try_from(error).unwrap_or(Errno::EIO)
}

#[cfg(test)]
mod tests;
