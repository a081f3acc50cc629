//! TCP sockets that listen.

use std::ffi::CStr;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockaddrIn, SockaddrIn6, SockaddrStorage, sockopt};

use super::{BACKLOG, ListenError, listen, new_socket};
use crate::sys::inject::{self, Call};

pub(super) fn open(host: &str, port: u16) -> Result<OwnedFd, ListenError> {
    inject::fail(Call::Bind)?;
    // Sets SO_REUSEADDR and close-on-exec, and listens with a short backlog, lengthened below.
    let socket = TcpListener::bind(resolve(host, port)?)?;
    socket.set_nonblocking(true)?;
    ready(OwnedFd::from(socket))
}

/// Opens a socket on the port of others of ours, which the kernel would refuse: beside one of the
/// other kind of address, or on another host than one that is about to go.
pub(super) fn open_beside(
    host: &str,
    port: u16,
    ours: &[&OwnedFd],
) -> Result<OwnedFd, ListenError> {
    let address = resolve(host, port)?;
    inject::fail(Call::Bind)?;
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = new_socket(family)?;
    socket::setsockopt(&fd, sockopt::ReusePort, &true)?;
    socket::setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    let share = |on| ours.iter().try_for_each(|fd| socket::setsockopt(fd, sockopt::ReusePort, on));
    let shared = share(&true).map_err(ListenError::from);
    let opened = shared.and_then(|()| {
        match address {
            SocketAddr::V4(v4) => socket::bind(fd.as_raw_fd(), &SockaddrIn::from(v4)),
            SocketAddr::V6(v6) => socket::bind(fd.as_raw_fd(), &SockaddrIn6::from(v6)),
        }?;
        // Listening looks for the same conflicts again.
        ready(fd)
    });
    // Only for this moment: a second daemon must not get in by the same door.
    share(&false)?;
    let fd = opened?;
    socket::setsockopt(&fd, sockopt::ReusePort, &false)?;
    Ok(fd)
}

fn ready(fd: OwnedFd) -> Result<OwnedFd, ListenError> {
    inject::fail(Call::SockOpt)?;
    // Accepted connections inherit both. A silent stream is thus found dead in the end, and a
    // long answer's last piece does not wait for the peer's acknowledgement.
    socket::setsockopt(&fd, sockopt::KeepAlive, &true)?;
    let stream = TcpStream::from(fd);
    stream.set_nodelay(true)?;
    let fd = OwnedFd::from(stream);
    listen(&fd, BACKLOG)?;
    Ok(fd)
}

/// Where a socket is bound. Takes no descriptor, so that a lack of them does not hide it.
pub(super) fn address_of(fd: &OwnedFd) -> io::Result<SocketAddr> {
    let bound: SockaddrStorage = socket::getsockname(fd.as_raw_fd())?;
    let v4 = bound.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    let v6 = bound.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()));
    v4.or(v6).ok_or_else(|| io::Error::from(Errno::EAFNOSUPPORT))
}

/// An empty host means every IPv4 interface; a name with both kinds of address means IPv4.
pub(super) fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    if host.is_empty() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    inject::fail(Call::Resolve)?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let all: Vec<_> = (bare, port).to_socket_addrs()?.collect();
    let best = all.iter().find(|a| a.is_ipv4()).or(all.first()).copied();
    best.ok_or_else(|| io::Error::from(Errno::EADDRNOTAVAIL))
}

/// The code that the look-up of a host has failed with, and what it means. The standard library
/// hands on the meaning alone, at the end of its sentence.
pub(super) fn lookup_failure(error: &io::Error) -> Option<(i32, String)> {
    const CODES: [i32; 8] = [
        libc::EAI_BADFLAGS,
        libc::EAI_NONAME,
        libc::EAI_AGAIN,
        libc::EAI_FAIL,
        libc::EAI_FAMILY,
        libc::EAI_SOCKTYPE,
        libc::EAI_SERVICE,
        libc::EAI_MEMORY,
    ];
    let said = error.to_string();
    let mut known = CODES.into_iter().map(|code| (code, meaning(code)));
    known.find(|(_, why)| !why.is_empty() && said.ends_with(why.as_str()))
}

fn meaning(code: i32) -> String {
    // SAFETY: an integer in, a text that lives for ever out.
    let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
    text.to_string_lossy().into_owned()
}
