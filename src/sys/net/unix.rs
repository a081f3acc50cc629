//! Unix sockets that listen. One appears under its name only when it already listens with its
//! final mode and owner, so no client sees a refusing or a too open one.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily};

use super::{BACKLOG, ListenError, listen, new_socket, receive, send, wait_until};
use crate::sys::inject::{self, Call};
use crate::sys::{file, poll};

/// How long whoever listens on our unix socket's name may take to answer the probe.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// How often a name may be found stale before it counts as in use.
const TAKES: usize = 5;

/// A path that is removed when the owner goes.
struct TemporaryName(String);

impl Drop for TemporaryName {
    fn drop(&mut self) {
        let _ = file::remove(Path::new(&self.0));
    }
}

/// Binds beside the wanted name, makes all ready, and links it to the name as the last act.
pub(super) fn open(
    file: &str,
    mode: u32,
    owner: Option<(u32, Option<u32>)>,
    say: &mut dyn FnMut(&str),
) -> Result<(OwnedFd, (u64, u64)), ListenError> {
    let fd = new_socket(AddressFamily::Unix)?;
    let name = TemporaryName(format!("{file}.{}", std::process::id()));
    let _ = file::remove(Path::new(&name.0));
    inject::fail(Call::Bind)?;
    socket::bind(fd.as_raw_fd(), &socket::UnixAddr::new(name.0.as_str())?)?;
    inject::restarted(Call::Chmod)?;
    fs::set_permissions(&name.0, fs::Permissions::from_mode(mode))?;
    let owned = change_owner(&name.0, file, owner);
    if owned.is_err() {
        // Another program in our place is the greater obstacle and is told first.
        return match owner_of(file)? {
            NameOwner::Alive => Err(ListenError::InUse),
            NameOwner::Nobody | NameOwner::Stale(_) => owned.and(Err(ListenError::InUse)),
        };
    }
    listen(&fd, BACKLOG)?;
    let made = identity(&name.0)?;
    take_name(&name.0, file, say)?;
    Ok((fd, made))
}

/// Links the socket to its name, past stale sockets of programs that are gone.
fn take_name(temporary: &str, file: &str, say: &mut dyn FnMut(&str)) -> Result<(), ListenError> {
    for _ in 0..TAKES {
        match inject::fail(Call::Link).and_then(|()| fs::hard_link(temporary, file)) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A file system without hard links.
            Err(error) if !is_there(file)? => {
                return inject::fail(Call::Rename)
                    .and_then(|()| fs::rename(temporary, file))
                    .map_err(|_| ListenError::Socket(error));
            }
            Err(error) => return Err(ListenError::Socket(error)),
        }
        match owner_of(file)? {
            NameOwner::Alive => return Err(ListenError::InUse),
            NameOwner::Nobody => {}
            NameOwner::Stale(found) => {
                // Someone else may have cured it meanwhile.
                if identity(file).is_ok_and(|now| now == found) {
                    remove_stale(file).map_err(|error| match error.kind() {
                        io::ErrorKind::AlreadyExists => ListenError::Occupied(file.to_owned()),
                        _ => ListenError::Socket(error),
                    })?;
                    say(&format!("Unlinking stale socket {file}"));
                }
            }
        }
    }
    Err(ListenError::InUse)
}

fn is_there(file: &str) -> io::Result<bool> {
    inject::fail(Call::Stat)?;
    fs::exists(file)
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
    inject::fail(Call::Connect)?;
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

/// Removes what stands at the name of a socket; never a file that holds something, which is
/// `EEXIST`. Nothing there is no error.
pub(super) fn remove_stale(file: &str) -> io::Result<()> {
    let found = match inject::fail(Call::Stat).and_then(|()| fs::symlink_metadata(file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() && !found.file_type().is_symlink() && found.len() > 0 {
        return Err(io::Error::from(Errno::EEXIST));
    }
    file::remove(Path::new(file))
}

pub(super) fn change_owner(
    path: &str,
    shown: &str,
    owner: Option<(u32, Option<u32>)>,
) -> Result<(), ListenError> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    let changed =
        inject::fail(Call::Chown).and_then(|()| std::os::unix::fs::chown(path, Some(uid), gid));
    match changed {
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
pub(super) fn identity(path: &str) -> io::Result<(u64, u64)> {
    inject::fail(Call::Stat)?;
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
