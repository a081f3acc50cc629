//! Listening sockets, and the few calls on connections: accept, receive, send, without ever
//! blocking. A unix socket appears under its name only when it already listens with its final
//! mode and owner, so no client sees a refusing or a too open one.
#![allow(unsafe_code)]

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, sockopt};
use nix::sys::time::TimeVal;

use super::poll;
use crate::config::options::{HttpServer, ServerAddress};

/// Connections that the kernel holds for us until we accept them.
const BACKLOG: i32 = 1024;
/// How long whoever listens on our unix socket's name may take to answer the probe.
const PROBE_TIME: Duration = Duration::from_secs(2);
/// How often a name may be found stale before it counts as in use.
const TAKES: usize = 5;

/// Why a listener could not be opened; `Display` is the text after `Error: `.
#[derive(Debug)]
pub enum ListenError {
    /// Another program has the port, or answers on the unix socket.
    InUse,
    /// The host name has no address.
    Lookup(io::Error),
    /// A call on the socket, or on its path, failed.
    Socket(io::Error),
    /// "chown" is beyond what this user may do.
    Chown {
        /// The socket's path.
        file: String,
        /// The wanted owner.
        uid: u32,
        /// The wanted group; `None`: unchanged.
        gid: Option<u32>,
        /// Who we are.
        user: String,
    },
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::InUse => f.write_str(
                "Another program is already listening on a port that one of our HTTP servers is \
                 configured to use.  Shut this program down first before starting supervisord.",
            ),
            ListenError::Lookup(error) => {
                write!(f, "Cannot open an HTTP server: socket.error reported {error}")
            }
            ListenError::Socket(error) => match error.raw_os_error() {
                Some(number) => write!(
                    f,
                    "Cannot open an HTTP server: socket.error reported errno.{:?} ({number})",
                    Errno::from_raw(number)
                ),
                None => write!(f, "Cannot open an HTTP server: socket.error reported {error}"),
            },
            ListenError::Chown { file, uid, gid, user } => {
                let gid = gid.map_or(-1, i64::from);
                write!(
                    f,
                    "Not permitted to chown {file} to uid/gid ({uid}, {gid}); adjust \"sockchown\" \
                     value in config file or on command line to values that the current user \
                     ({user}) can successfully chown"
                )
            }
        }
    }
}

impl std::error::Error for ListenError {}

impl From<Errno> for ListenError {
    fn from(error: Errno) -> ListenError {
        ListenError::from(io::Error::from(error))
    }
}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> ListenError {
        if error.kind() == io::ErrorKind::AddrInUse {
            ListenError::InUse
        } else {
            ListenError::Socket(error)
        }
    }
}

/// What a connection needs to know of the listener that it came by.
#[derive(Debug)]
pub struct ListenerInfo {
    server: HttpServer,
    closed: AtomicBool,
}

impl ListenerInfo {
    /// Section, address and credentials.
    pub fn server(&self) -> &HttpServer {
        &self.server
    }

    /// Name and password that each request needs, if any.
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.server.credentials.as_ref().map(|(name, password)| (name.as_str(), password.as_str()))
    }

    /// Whether it listens on a unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self.server.address, ServerAddress::Unix { .. })
    }

    /// Whether the listener is gone: then its connections end with the answer they wait for.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Says that the listener is gone.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

/// The socket itself; the last owner closes it and takes its path away.
#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    /// The unix path with device and inode of what we made there.
    path: Option<(String, (u64, u64))>,
    unlinked: AtomicBool,
}

impl Socket {
    /// Removes the path, if it still leads to the socket made here.
    fn unlink(&self) {
        let Some((path, made)) = &self.path else { return };
        if self.unlinked.swap(true, Ordering::AcqRel) {
            return;
        }
        if identity(path).is_ok_and(|found| found == *made) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.unlink();
    }
}

/// A listening socket. Clones share it; it is closed, and its unix path removed, with the last.
#[derive(Clone, Debug)]
pub struct Listener {
    socket: Arc<Socket>,
    info: Arc<ListenerInfo>,
}

impl Listener {
    /// Opens the listener. `say` gets the line for stderr when a stale socket is taken away.
    /// May wait some seconds for whoever has the unix socket's name.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn open(server: &HttpServer, say: &mut dyn FnMut(&str)) -> Result<Listener, ListenError> {
        let (fd, path) = match &server.address {
            ServerAddress::Inet { host, port } => (open_tcp(host, *port)?, None),
            ServerAddress::Unix { file, mode, owner } => {
                let (fd, made) = open_unix(file, *mode, *owner, say)?;
                (fd, Some((file.clone(), made)))
            }
        };
        Ok(Listener::new(fd, path, server))
    }

    /// Whether that section means the place where this socket listens already. A unix socket
    /// whose path was removed or taken by another serves nobody.
    pub fn serves(&self, server: &HttpServer) -> bool {
        match &server.address {
            ServerAddress::Unix { file, .. } => {
                let made = self.socket.path.as_ref().filter(|(path, _)| path == file);
                made.is_some_and(|(path, made)| identity(path).is_ok_and(|found| found == *made))
            }
            ServerAddress::Inet { host, port } => {
                let wanted = resolve(host, *port).ok();
                wanted.is_some() && wanted == self.tcp_address()
            }
        }
    }

    /// Opens a TCP listener on the port of one that is about to go, such as another host on the
    /// same port, which the kernel would refuse while both live.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn open_in_place_of(server: &HttpServer, old: &Listener) -> Result<Listener, ListenError> {
        let ServerAddress::Inet { host, port } = &server.address else {
            return Listener::open(server, &mut |_| {});
        };
        let address = resolve(host, *port)?;
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let fd = new_socket(family)?;
        socket::setsockopt(&old.socket.fd, sockopt::ReusePort, &true)?;
        socket::setsockopt(&fd, sockopt::ReusePort, &true)?;
        socket::setsockopt(&fd, sockopt::ReuseAddr, &true)?;
        let bound = match address {
            SocketAddr::V4(v4) => socket::bind(fd.as_raw_fd(), &SockaddrIn::from(v4)),
            SocketAddr::V6(v6) => socket::bind(fd.as_raw_fd(), &SockaddrIn6::from(v6)),
        };
        // Listening looks for the same conflicts again.
        let opened = bound.map_err(ListenError::from).and_then(|()| ready_tcp(fd));
        // Only for this moment: a second daemon must not get in by the same door.
        socket::setsockopt(&old.socket.fd, sockopt::ReusePort, &false)?;
        let fd = opened?;
        socket::setsockopt(&fd, sockopt::ReusePort, &false)?;
        Ok(Listener::new(fd, None, server))
    }

    fn new(fd: OwnedFd, path: Option<(String, (u64, u64))>, server: &HttpServer) -> Listener {
        let info = ListenerInfo { server: server.clone(), closed: AtomicBool::new(false) };
        let socket = Socket { fd, path, unlinked: AtomicBool::new(false) };
        Listener { socket: Arc::new(socket), info: Arc::new(info) }
    }

    /// The port of a TCP section or listener.
    pub fn has_port_of(&self, server: &HttpServer) -> bool {
        let ServerAddress::Inet { port, .. } = server.address else { return false };
        self.tcp_address().is_some_and(|address| address.port() == port)
    }

    /// The same socket under a new section and credentials, without closing it. Mode and owner
    /// of its path follow with [`Listener::settle`].
    pub fn reconfigured(&self, server: &HttpServer) -> Listener {
        if self.info.server == *server {
            return self.clone();
        }
        let info = ListenerInfo { server: server.clone(), closed: AtomicBool::new(false) };
        Listener { socket: Arc::clone(&self.socket), info: Arc::new(info) }
    }

    /// Gives a unix socket's path the mode and owner that its section asks for.
    ///
    /// # Errors
    /// They could not be changed.
    pub fn settle(&self) -> Result<(), ListenError> {
        let ServerAddress::Unix { file, mode, owner } = &self.info.server.address else {
            return Ok(());
        };
        fs::set_permissions(file, fs::Permissions::from_mode(*mode))?;
        change_owner(file, file, *owner)
    }

    /// What connections know of it.
    pub fn info(&self) -> &Arc<ListenerInfo> {
        &self.info
    }

    /// The address of a TCP listener, with the port that the kernel chose for port 0.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        if self.info.is_unix() {
            return None;
        }
        let copy = self.socket.fd.try_clone().ok()?;
        TcpListener::from(copy).local_addr().ok()
    }

    /// Takes one connection, close-on-exec. It is not set non-blocking: each call here says
    /// whether it may wait, and [`receive_waiting`] does.
    ///
    /// # Errors
    /// See [`AcceptError`].
    pub fn accept(&self) -> Result<(OwnedFd, Peer), AcceptError> {
        let fd = socket::accept4(self.socket.fd.as_raw_fd(), SockFlag::SOCK_CLOEXEC)
            .map_err(AcceptError::from)?;
        // SAFETY: the kernel just made it, and it has no other owner.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        if self.info.is_unix() {
            return Ok((fd, Peer::Local));
        }
        let stream = TcpStream::from(fd);
        let peer = stream.peer_addr().map_err(|_| AcceptError::Broken)?;
        Ok((OwnedFd::from(stream), Peer::Inet(peer)))
    }

    /// Refuses newcomers and removes the path, though clones may live on for a moment.
    pub fn close(&self) {
        self.info.close();
        self.socket.unlink();
        let _ = socket::shutdown(self.socket.fd.as_raw_fd(), socket::Shutdown::Both);
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.fd.as_raw_fd()
    }
}

/// Why no connection was taken.
#[derive(Debug)]
pub enum AcceptError {
    /// None waits.
    Nobody,
    /// One broke before it was taken, or a firewall forbids it; the next may be well.
    Broken,
    /// No descriptor is left: the process's own, or the system's.
    Descriptors(io::Error),
    /// Memory, or anything else that trying again at once won't cure.
    Other(io::Error),
}

impl From<Errno> for AcceptError {
    fn from(error: Errno) -> AcceptError {
        use Errno as E;
        match error {
            E::EAGAIN => AcceptError::Nobody,
            E::EINTR | E::ECONNABORTED | E::ECONNRESET | E::EPERM | E::EPROTO => {
                AcceptError::Broken
            }
            // Linux passes what the network said of the newcomer.
            E::ENETDOWN | E::ENETUNREACH | E::EHOSTDOWN | E::EHOSTUNREACH | E::ENONET => {
                AcceptError::Broken
            }
            E::EMFILE | E::ENFILE => AcceptError::Descriptors(error.into()),
            _ => AcceptError::Other(error.into()),
        }
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A program of this machine, over a unix socket.
    Local,
    /// Over TCP.
    Inet(SocketAddr),
}

impl Peer {
    /// The address without the port, the same for all connections of one machine.
    pub fn host(&self) -> Option<IpAddr> {
        match self {
            Peer::Local => None,
            Peer::Inet(address) => Some(address.ip()),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Local => f.write_str("localhost:0"),
            Peer::Inet(address) => address.fmt(f),
        }
    }
}

fn new_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    socket::socket(family, SockType::Stream, flags, None)
}

fn listen(fd: &OwnedFd) -> Result<(), Errno> {
    // Not nix's: it refuses more than the SOMAXCONN of the C library, which says 128 with musl
    // whatever the kernel allows.
    // SAFETY: integers only.
    Errno::result(unsafe { libc::listen(fd.as_raw_fd(), BACKLOG) }).map(drop)
}

fn open_tcp(host: &str, port: u16) -> Result<OwnedFd, ListenError> {
    // Sets SO_REUSEADDR and close-on-exec, and listens with a short backlog, lengthened below.
    let socket = TcpListener::bind(resolve(host, port)?)?;
    socket.set_nonblocking(true)?;
    ready_tcp(OwnedFd::from(socket))
}

fn ready_tcp(fd: OwnedFd) -> Result<OwnedFd, ListenError> {
    // Accepted connections inherit both. A silent stream is thus found dead in the end, and a
    // long answer's last piece does not wait for the peer's acknowledgement.
    socket::setsockopt(&fd, sockopt::KeepAlive, &true)?;
    let stream = TcpStream::from(fd);
    stream.set_nodelay(true)?;
    let fd = OwnedFd::from(stream);
    listen(&fd)?;
    Ok(fd)
}

/// An empty host means every IPv4 interface; a name with both kinds of address means IPv4.
fn resolve(host: &str, port: u16) -> Result<SocketAddr, ListenError> {
    if host.is_empty() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let all: Vec<_> = (bare, port).to_socket_addrs().map_err(ListenError::Lookup)?.collect();
    let best = all.iter().find(|a| a.is_ipv4()).or(all.first()).copied();
    best.ok_or_else(|| ListenError::Socket(io::Error::from(Errno::EADDRNOTAVAIL)))
}

/// A path that is removed when the owner goes.
struct TemporaryName(String);

impl Drop for TemporaryName {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Binds beside the wanted name, makes all ready, and links it to the name as the last act.
fn open_unix(
    file: &str,
    mode: u32,
    owner: Option<(u32, Option<u32>)>,
    say: &mut dyn FnMut(&str),
) -> Result<(OwnedFd, (u64, u64)), ListenError> {
    let fd = new_socket(AddressFamily::Unix)?;
    let name = TemporaryName(format!("{file}.{}", std::process::id()));
    let _ = fs::remove_file(&name.0);
    socket::bind(fd.as_raw_fd(), &socket::UnixAddr::new(name.0.as_str())?)?;
    fs::set_permissions(&name.0, fs::Permissions::from_mode(mode))?;
    let owned = change_owner(&name.0, file, owner);
    if owned.is_err() {
        // Another program in our place is the greater obstacle and is told first.
        return match owner_of(file)? {
            NameOwner::Alive => Err(ListenError::InUse),
            NameOwner::Nobody | NameOwner::Stale(_) => owned.and(Err(ListenError::InUse)),
        };
    }
    listen(&fd)?;
    let made = identity(&name.0)?;
    take_name(&name.0, file, say)?;
    Ok((fd, made))
}

/// Links the socket to its name, past stale sockets of programs that are gone.
fn take_name(temporary: &str, file: &str, say: &mut dyn FnMut(&str)) -> Result<(), ListenError> {
    for _ in 0..TAKES {
        match fs::hard_link(temporary, file) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A file system without hard links.
            Err(error) if !fs::exists(file)? => {
                return fs::rename(temporary, file).map_err(|_| ListenError::Socket(error));
            }
            Err(error) => return Err(ListenError::Socket(error)),
        }
        match owner_of(file)? {
            NameOwner::Alive => return Err(ListenError::InUse),
            NameOwner::Nobody => {}
            NameOwner::Stale(found) => {
                // Someone else may have cured it meanwhile.
                if identity(file).is_ok_and(|now| now == found) {
                    say(&format!("Unlinking stale socket {file}"));
                    remove_stale(file)?;
                }
            }
        }
    }
    Err(ListenError::InUse)
}

/// What stands at the name that we want.
enum NameOwner {
    Nobody,
    /// Nobody listens there; device and inode of what was looked at.
    Stale((u64, u64)),
    Alive,
}

/// Connects and asks for a page, as only a program that lives can answer that.
fn owner_of(file: &str) -> Result<NameOwner, ListenError> {
    let found = match identity(file) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(NameOwner::Nobody),
        Err(error) => return Err(ListenError::Socket(error)),
    };
    let fd = new_socket(AddressFamily::Unix)?;
    match socket::connect(fd.as_raw_fd(), &socket::UnixAddr::new(file)?) {
        Ok(()) => {}
        // Its backlog is full: it is slow, but it is there.
        Err(Errno::EAGAIN | Errno::EINPROGRESS) => return Ok(NameOwner::Alive),
        Err(Errno::ENOENT) => return Ok(NameOwner::Nobody),
        Err(_) => return Ok(NameOwner::Stale(found)),
    }
    let answered = send(fd.as_fd(), b"GET / HTTP/1.0\r\n\r\n", b"").and_then(|_| {
        wait_until(fd.as_fd(), poll::IN, Instant::now() + PROBE_TIME)?;
        receive(fd.as_fd(), &mut Vec::new())
    });
    Ok(match answered {
        Ok(0) => NameOwner::Stale(found),
        Ok(_) => NameOwner::Alive,
        // Silent but listening, perhaps stopped by a signal: its place must not be taken.
        Err(error) if error.kind() == io::ErrorKind::TimedOut => NameOwner::Alive,
        Err(_) => NameOwner::Stale(found),
    })
}

/// Removes what nobody listens on; never a file that holds something.
fn remove_stale(file: &str) -> Result<(), ListenError> {
    let found = fs::symlink_metadata(file)?;
    if !found.file_type().is_socket() && !found.file_type().is_symlink() && found.len() > 0 {
        return Err(ListenError::Socket(io::Error::from(Errno::EEXIST)));
    }
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ListenError::Socket(error)),
        _ => Ok(()),
    }
}

fn change_owner(
    path: &str,
    shown: &str,
    owner: Option<(u32, Option<u32>)>,
) -> Result<(), ListenError> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    match std::os::unix::fs::chown(path, Some(uid), gid) {
        Ok(()) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            let me = nix::unistd::Uid::effective();
            let user = nix::unistd::User::from_uid(me).ok().flatten();
            let user = user.map_or_else(|| me.to_string(), |user| user.name);
            Err(ListenError::Chown { file: shown.to_owned(), uid, gid, user })
        }
        Err(error) => Err(ListenError::Socket(error)),
    }
}

/// Device and inode.
fn identity(path: &str) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

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
    let time = time.max(Duration::from_micros(1));
    let secs = time.as_secs().min(i32::MAX as u64);
    let time = TimeVal::new(secs as _, time.subsec_micros() as _);
    Ok(socket::setsockopt(&fd, sockopt::ReceiveTimeout, &time)?)
}

/// Sends as much of the two parts, one behind the other, as the socket takes now.
///
/// # Errors
/// `WouldBlock`; those of `sendmsg`. No SIGPIPE.
pub fn send(fd: BorrowedFd<'_>, first: &[u8], second: &[u8]) -> io::Result<usize> {
    let mut parts = [first, second]
        .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
    // SAFETY: all zero is a valid empty header.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len() as _;
    loop {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: the header points to two parts that live through the call and are only read.
        let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &message, flags) };
        if let Ok(sent) = usize::try_from(sent) {
            return Ok(sent);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
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
    let _ = socket::shutdown(fd.as_raw_fd(), socket::Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn unix(file: &str, mode: u32) -> HttpServer {
        HttpServer {
            section: "unix_http_server".into(),
            address: ServerAddress::Unix { file: file.into(), mode, owner: None },
            credentials: None,
        }
    }

    fn inet(host: &str, port: u16) -> HttpServer {
        HttpServer {
            section: "inet_http_server".into(),
            address: ServerAddress::Inet { host: host.into(), port },
            credentials: None,
        }
    }

    fn directory(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("minder-net-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        path
    }

    fn open(server: &HttpServer) -> (Result<Listener, ListenError>, Vec<String>) {
        let mut said = Vec::new();
        let result = Listener::open(server, &mut |text| said.push(text.to_owned()));
        (result, said)
    }

    #[test]
    fn unix_socket_has_its_mode_and_goes_with_its_listener() {
        let dir = directory("mode");
        let file = dir.join("s.sock");
        let (listener, said) = open(&unix(file.to_str().unwrap(), 0o640));
        assert!(said.is_empty());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "the temporary name is gone");
        UnixStream::connect(&file).unwrap();
        drop(listener);
        assert!(!file.exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_stale_socket_is_taken_and_a_stranger_is_left() {
        let dir = directory("stale");
        let file = dir.join("s.sock");
        let text = file.to_str().unwrap();
        drop(UnixListener::bind(&file).unwrap());
        let (first, said) = open(&unix(text, 0o700));
        let first = first.unwrap();
        assert_eq!(said, [format!("Unlinking stale socket {text}")]);
        // Another program takes the path by force: it is not ours to remove.
        fs::remove_file(&file).unwrap();
        let _other = UnixListener::bind(&file).unwrap();
        first.close();
        drop(first);
        assert!(file.exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_living_socket_refuses_and_leaves_no_temporary_name() {
        let dir = directory("alive");
        let file = dir.join("s.sock");
        let other = UnixListener::bind(&file).unwrap();
        let answering = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = other.accept().unwrap();
            let mut request = [0; 18];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(b"HTTP/1.0 200 OK\r\n").unwrap();
            request
        });
        let (result, _) = open(&unix(file.to_str().unwrap(), 0o700));
        assert!(result.unwrap_err().to_string().starts_with("Another program is already"));
        assert_eq!(&answering.join().unwrap(), b"GET / HTTP/1.0\r\n\r\n");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_file_with_contents_is_no_stale_socket() {
        let dir = directory("file");
        let file = dir.join("s.sock");
        fs::write(&file, "precious").unwrap();
        let (result, _) = open(&unix(file.to_str().unwrap(), 0o700));
        let text = "Cannot open an HTTP server: socket.error reported errno.EEXIST (17)";
        assert_eq!(result.unwrap_err().to_string(), text);
        fs::write(&file, "").unwrap();
        assert!(open(&unix(file.to_str().unwrap(), 0o700)).0.is_ok());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn tcp_tells_its_port_and_refuses_a_second() {
        let first = open(&inet("localhost", 0)).0.unwrap();
        let address = first.tcp_address().unwrap();
        assert!(address.ip().is_loopback() && address.is_ipv4());
        let second = open(&inet("127.0.0.1", address.port())).0;
        assert!(matches!(second, Err(ListenError::InUse)));
        let elsewhere = open(&inet("192.0.2.1", 0)).0.unwrap_err();
        assert_eq!(
            elsewhere.to_string(),
            "Cannot open an HTTP server: socket.error reported errno.EADDRNOTAVAIL (99)"
        );
        assert!(open(&inet("", 0)).0.unwrap().tcp_address().unwrap().ip().is_unspecified());
    }

    #[test]
    fn chown_text() {
        let error =
            ListenError::Chown { file: "/s".into(), uid: 1, gid: Some(2), user: "bob".into() };
        assert_eq!(
            error.to_string(),
            "Not permitted to chown /s to uid/gid (1, 2); adjust \"sockchown\" value in config \
             file or on command line to values that the current user (bob) can successfully chown"
        );
    }

    #[test]
    fn reconfigured_keeps_the_socket() {
        let dir = directory("again");
        let file = dir.join("s.sock");
        let first = open(&unix(file.to_str().unwrap(), 0o700)).0.unwrap();
        let wider = unix(file.to_str().unwrap(), 0o770);
        assert!(first.serves(&wider));
        let second = first.reconfigured(&wider);
        second.settle().unwrap();
        assert_eq!(first.as_raw_fd(), second.as_raw_fd());
        drop(first);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o770);
        drop(second);
        assert!(!file.exists());
        fs::remove_dir_all(dir).unwrap();
    }
}
