//! Sockets of FastCGI programs: made to listen here, for children who get them as their stdin.
//! They block, as programs expect of what they accept on.

use std::fmt;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType};

use super::{listen, tcp, unix};
use crate::config::options::{FcgiAddress, FcgiSocket};
use crate::config::quote::quote;
use crate::sys::errno;
use crate::sys::file;
use crate::sys::inject::{self, Call};

/// As long as the system allows: the kernel takes its own limit for what is more.
const LONGEST_BACKLOG: i32 = i32::MAX;

/// Why a socket could not be made. `Display` is the whole sentence, for the log, for clients and
/// for `spawnerr`.
#[derive(Debug)]
pub struct FcgiError {
    address: FcgiAddress,
    step: Step,
    error: io::Error,
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Binding and listening.
    Listen,
    /// Taking away what stands at the path.
    Unlink,
    Chown,
    Chmod,
}

impl FcgiError {
    /// Descriptors, memory or room are lacking: it may heal by itself.
    pub fn lacks_resources(&self) -> bool {
        errno::lacks_resources(&self.error)
    }

    /// Somebody listens there.
    pub fn is_in_use(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }
}

impl fmt::Display for FcgiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, why) = (&self.address, errno::described(&self.error));
        write!(f, "Could not create FastCGI socket {address}: ")?;
        let path = match address {
            FcgiAddress::Tcp { .. } => return f.write_str(&why),
            FcgiAddress::Unix { path, .. } => quote(path),
        };
        match self.step {
            Step::Listen => f.write_str(&why),
            Step::Unlink if self.error.kind() == io::ErrorKind::AlreadyExists => {
                write!(f, "{why}: {path} is no socket, and not empty")
            }
            Step::Unlink => write!(f, "{why}: {path}"),
            Step::Chown => {
                write!(f, "Could not change ownership of socket file: {why}: {path}")
            }
            Step::Chmod => {
                write!(f, "Could not change permissions of socket file: {why}: {path}")
            }
        }
    }
}

impl std::error::Error for FcgiError {}

/// Makes the socket. What listened on its unix path before, of this daemon or of a killed one,
/// is reached by nobody any more.
///
/// # Errors
/// See [`FcgiError`]. A unix path is then free again, unless what stood there could not be taken
/// away.
pub fn open(socket: &FcgiSocket) -> Result<OwnedFd, FcgiError> {
    let backlog = socket.backlog.map_or(LONGEST_BACKLOG, i32::from);
    let opened = match &socket.address {
        FcgiAddress::Tcp { host, port } => {
            open_tcp(host, *port, backlog).map_err(|error| (Step::Listen, error))
        }
        FcgiAddress::Unix { path, owner, mode } => open_unix(path, *owner, *mode, backlog),
    };
    opened.map_err(|(step, error)| FcgiError { address: socket.address.clone(), step, error })
}

fn open_tcp(host: &str, port: u16, backlog: i32) -> io::Result<OwnedFd> {
    inject::fail(Call::Bind)?;
    // Sets SO_REUSEADDR and close-on-exec.
    let fd = OwnedFd::from(TcpListener::bind(tcp::resolve(host, port)?)?);
    listen(&fd, backlog)?;
    Ok(fd)
}

/// Listens as the last act: until then nobody gets in, whatever the mode.
fn open_unix(
    path: &str,
    owner: Option<(u32, Option<u32>)>,
    mode: u32,
    backlog: i32,
) -> Result<OwnedFd, (Step, io::Error)> {
    let at = |step| move |error| (step, io::Error::from(error));
    unix::remove_stale(path).map_err(|error| (Step::Unlink, error))?;
    inject::fail(Call::Socket).map_err(|error| (Step::Listen, error))?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None);
    let fd = fd.map_err(at(Step::Listen))?;
    let name = socket::UnixAddr::new(path).map_err(at(Step::Listen))?;
    inject::fail(Call::Bind).map_err(|error| (Step::Listen, error))?;
    socket::bind(fd.as_raw_fd(), &name).map_err(at(Step::Listen))?;
    let owned = match owner {
        Some((uid, gid)) => {
            inject::fail(Call::Chown).and_then(|()| std::os::unix::fs::chown(path, Some(uid), gid))
        }
        None => Ok(()),
    };
    let ready = owned.map_err(|error| (Step::Chown, error)).and_then(|()| {
        let allowed = inject::restarted(Call::Chmod)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
        allowed.map_err(|error| (Step::Chmod, error))?;
        listen(&fd, backlog).map_err(at(Step::Listen))
    });
    match ready {
        Ok(()) => Ok(fd),
        Err(failed) => {
            let _ = file::remove(Path::new(path));
            Err(failed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::PathBuf;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Dir {
            let path = format!("minder-fcgi-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(path);
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Dir(path)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn unix(path: &Path, owner: Option<(u32, Option<u32>)>) -> FcgiSocket {
        let path = path.to_str().unwrap().to_owned();
        FcgiSocket { address: FcgiAddress::Unix { path, owner, mode: 0o750 }, backlog: Some(2) }
    }

    fn local(port: u16) -> FcgiSocket {
        FcgiSocket {
            address: FcgiAddress::Tcp { host: "localhost".to_owned(), port },
            backlog: None,
        }
    }

    #[test]
    fn a_unix_socket_takes_the_place_of_another_and_stays_as_a_path() {
        let dir = Dir::new("unix");
        let path = dir.0.join("s");
        let old = UnixListener::bind(&path).unwrap();
        let fd = open(&unix(&path, None)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o750);
        let _client = UnixStream::connect(&path).unwrap();
        let listener = UnixListener::from(fd);
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_ok(), "the new one listens");
        old.set_nonblocking(true).unwrap();
        assert!(old.accept().is_err());
        drop(listener);
        assert!(path.exists());
        assert!(UnixStream::connect(&path).is_err());
    }

    #[test]
    fn it_blocks_and_does_not_survive_an_exec() {
        let dir = Dir::new("flags");
        for socket in [unix(&dir.0.join("s"), None), local(0)] {
            let fd = open(&socket).unwrap();
            let flags =
                fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
            let flags = flags.lines().find_map(|line| line.strip_prefix("flags:\t")).unwrap();
            let flags = i32::from_str_radix(flags, 8).unwrap();
            assert_eq!(flags & (libc::O_NONBLOCK | libc::O_CLOEXEC), libc::O_CLOEXEC);
        }
    }

    #[test]
    fn what_holds_something_is_not_removed() {
        let dir = Dir::new("file");
        let path = dir.0.join("s");
        fs::write(&path, "precious").unwrap();
        let error = open(&unix(&path, None)).unwrap_err().to_string();
        let shown = path.display();
        let text = format!(
            "Could not create FastCGI socket unix://{shown}: [Errno 17] File exists: '{shown}' is \
             no socket, and not empty"
        );
        assert_eq!(error, text);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::write(&path, "").unwrap();
        assert!(open(&unix(&path, None)).is_ok());
    }

    #[test]
    fn an_owner_that_cannot_be_had_leaves_no_path() {
        if !nix::unistd::geteuid().is_root() {
            let dir = Dir::new("owner");
            let path = dir.0.join("s");
            let error = open(&unix(&path, Some((0, None)))).unwrap_err().to_string();
            let what =
                "Could not change ownership of socket file: [Errno 1] Operation not permitted";
            assert!(error.contains(what), "{error}");
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_port_in_use_is_told() {
        let first = open(&local(0)).unwrap();
        let port = TcpListener::from(first.try_clone().unwrap()).local_addr().unwrap().port();
        let error = open(&local(port)).unwrap_err();
        assert!(error.is_in_use() && !error.lacks_resources());
        let text = format!(
            "Could not create FastCGI socket tcp://localhost:{port}: [Errno 98] Address already in \
             use"
        );
        assert_eq!(error.to_string(), text);
        drop(first);
        assert!(open(&local(port)).is_ok());
    }
}
