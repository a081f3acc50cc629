//! The listeners of the HTTP servers.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{self, SockFlag};

use super::{errno_of, tcp, unix};
use crate::config::options::{HttpServer, ServerAddress};
use crate::sys::file;
use crate::sys::inject::{self, Call};

/// Why a listener could not be opened; `Display` is the text after `Error: `.
#[derive(Debug)]
pub enum ListenError {
    /// Another program has the port, or answers on the unix socket.
    InUse,
    /// The host name has no address, or a call on the socket or on its path failed.
    Socket(io::Error),
    /// At the path of the unix socket stands a file that holds something, or a directory.
    Occupied(String),
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
            ListenError::Socket(error) => match error.raw_os_error() {
                Some(number) => write!(
                    f,
                    "Cannot open an HTTP server: socket.error reported errno.{:?} ({number})",
                    Errno::from_raw(number)
                ),
                None => match tcp::lookup_failure(error) {
                    Some((code, why)) => write!(
                        f,
                        "Cannot open an HTTP server: socket.error reported {code} ({why})"
                    ),
                    None => write!(f, "Cannot open an HTTP server: socket.error reported {error}"),
                },
            },
            ListenError::Occupied(path) => write!(
                f,
                "Cannot open an HTTP server: socket.error reported errno.EEXIST (17): {path} is no \
                 socket, and is not removed"
            ),
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
        if unix::identity(path).is_ok_and(|found| found == *made) {
            let _ = file::remove(Path::new(path));
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
            ServerAddress::Inet { host, port } => (tcp::open(host, *port)?, None),
            ServerAddress::Unix { file, mode, owner } => {
                let (fd, made) = unix::open(file, *mode, *owner, say)?;
                (fd, Some((file.clone(), made)))
            }
        };
        Ok(Listener::new(fd, path, server))
    }

    /// Whether that section means the place where this socket listens already. A unix socket
    /// whose path was removed or taken by another serves nobody.
    ///
    /// # Errors
    /// Nobody can tell: to open it would find this one, and take it for that of another program.
    pub fn serves(&self, server: &HttpServer) -> Result<bool, ListenError> {
        match &server.address {
            ServerAddress::Unix { file, .. } => {
                let made = self.socket.path.as_ref().filter(|(path, _)| path == file);
                let Some((path, made)) = made else { return Ok(false) };
                match unix::identity(path) {
                    Ok(found) => Ok(found == *made),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                    Err(error) => Err(ListenError::Socket(error)),
                }
            }
            ServerAddress::Inet { .. } if self.info.is_unix() => Ok(false),
            ServerAddress::Inet { host, port } => {
                let wanted = tcp::resolve(host, *port).map_err(ListenError::Socket)?;
                Ok(self.tcp_address() == Some(wanted))
            }
        }
    }

    /// Opens a TCP listener on the port of others of ours, which the kernel would refuse while both
    /// live: another host in the place of one that is about to go, or [`Listener::leaves_room_to`].
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn open_beside(server: &HttpServer, ours: &[&Listener]) -> Result<Listener, ListenError> {
        let ServerAddress::Inet { host, port } = &server.address else {
            return Listener::open(server, &mut |_| {});
        };
        let ours: Vec<&OwnedFd> = ours.iter().map(|listener| &listener.socket.fd).collect();
        Ok(Listener::new(tcp::open_beside(host, *port, &ours)?, None, server))
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

    /// Whether it has the port of a section with the other kind of address, as `[::]:9001` and
    /// `127.0.0.1:9001` do. A client's connection goes to that of its own address, if there is one.
    pub fn leaves_room_to(&self, server: &HttpServer) -> bool {
        let ServerAddress::Inet { host, port } = &server.address else { return false };
        let own = self.tcp_address().filter(|address| address.port() == *port);
        own.is_some_and(|own| {
            tcp::resolve(host, *port).is_ok_and(|other| own.is_ipv4() != other.is_ipv4())
        })
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
        inject::restarted(Call::Chmod)?;
        fs::set_permissions(file, fs::Permissions::from_mode(*mode))?;
        unix::change_owner(file, file, *owner)
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
        tcp::address_of(&self.socket.fd).ok()
    }

    /// Takes one connection, close-on-exec. It is not set non-blocking: each call here says
    /// whether it may wait, and [`receive_waiting`](super::receive_waiting) does.
    ///
    /// # Errors
    /// See [`AcceptError`].
    pub fn accept(&self) -> Result<(OwnedFd, Peer), AcceptError> {
        inject::fail(Call::Accept).map_err(errno_of)?;
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
        if inject::fail(Call::Shutdown).is_err() {
            return;
        }
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
