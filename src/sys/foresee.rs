//! What an opening would come to, asked without opening, making or binding anything.

use std::fs;
use std::io;
use std::net::ToSocketAddrs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::UnixAddr;
use nix::unistd::{AccessFlags, Uid, User as Record, access, getegid, geteuid, getgroups};

use super::net::ListenError;
use super::privileges::{self, Identity};
use crate::config::options::{HttpServer, ServerAddress, User};

/// Who will open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    uid: u32,
    groups: Vec<u32>,
    /// It is the user that asks.
    is_us: bool,
}

impl Who {
    /// The user of this process.
    pub fn us() -> Who {
        let groups = getgroups().unwrap_or_default().into_iter().chain([getegid()]);
        let groups = groups.map(nix::unistd::Gid::as_raw).collect();
        Who { uid: geteuid().as_raw(), groups, is_us: true }
    }

    /// The user that this process would become, if it may.
    pub fn becoming(user: &User) -> Who {
        match privileges::identity_of(user) {
            Ok(Some(Identity { uid, groups, .. })) => Who { uid, groups, is_us: false },
            Ok(None) | Err(_) => Who::us(),
        }
    }

    /// Whether it is the user that asks.
    pub fn is_us(&self) -> bool {
        self.is_us
    }

    /// Whether it can become that user.
    pub fn may_become(&self, user: &User) -> bool {
        self.uid == 0 || self.uid == user.uid
    }

    /// Whether these bits of `rwx` are set for it in a mode. Lists of access rights are not looked
    /// at.
    fn has(&self, found: &fs::Metadata, bits: u32) -> bool {
        let shift = match (found.uid() == self.uid, self.groups.contains(&found.gid())) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        self.uid == 0 || (found.mode() >> shift) & bits == bits
    }

    /// Whether it may write what is there; in a directory: make something.
    fn may_write(&self, path: &Path) -> io::Result<()> {
        let found = fs::metadata(path)?;
        let needed = match found.is_dir() {
            true => AccessFlags::W_OK | AccessFlags::X_OK,
            false => AccessFlags::W_OK,
        };
        // Of us the system knows best. For others it still tells that nobody can write there.
        match access(path, needed) {
            Err(Errno::EACCES) if !self.is_us => {}
            other => other?,
        }
        if self.is_us {
            return Ok(());
        }
        let bits = if found.is_dir() { 0o3 } else { 0o2 };
        let path = fs::canonicalize(path)?;
        let mut above = path.ancestors().skip(1);
        let enters = above.all(|directory| fs::metadata(directory).is_ok_and(|d| self.has(&d, 1)));
        if enters && self.has(&found, bits) { Ok(()) } else { Err(Errno::EACCES.into()) }
    }
}

/// Whether a file can be opened for appending, or made. Of pipes and devices nobody knows before
/// it is tried, and `/dev/stdout` means another file in each process.
///
/// # Errors
/// What the system would say.
pub fn append(path: &Path, who: &Who) -> io::Result<()> {
    if ["/dev", "/proc/self"].iter().any(|own| path.starts_with(own)) {
        return Ok(());
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(Errno::EISDIR.into()),
        Ok(found) if !found.is_file() => Ok(()),
        Ok(_) => who.may_write(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path, who),
        Err(error) => Err(error),
    }
}

/// Whether a path that is not there can be made.
///
/// # Errors
/// What the system would say.
pub fn make(path: &Path, who: &Who) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => who.may_write(parent),
        None => who.may_write(Path::new(".")),
    }
}

/// Whether a listener can be opened, as far as that is known before: not whether somebody
/// listens there already.
///
/// # Errors
/// What start-up would print.
pub fn listen(server: &HttpServer, who: &Who) -> Result<(), ListenError> {
    match &server.address {
        ServerAddress::Inet { host, .. } if host.is_empty() => Ok(()),
        ServerAddress::Inet { host, port } => {
            let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            (bare, *port).to_socket_addrs().map(drop).map_err(ListenError::Socket)
        }
        ServerAddress::Unix { file, owner, .. } => {
            // It is bound under a longer name first.
            UnixAddr::new(format!("{file}.{}", std::process::id()).as_str())?;
            make(Path::new(file), who)?;
            if stands_in_the_way(file) {
                return Err(ListenError::Occupied(file.clone()));
            }
            owner.map_or(Ok(()), |owner| may_give(file, owner, who))
        }
    }
}

/// A file that holds something is never removed for a socket.
fn stands_in_the_way(file: &str) -> bool {
    let Ok(found) = fs::symlink_metadata(file) else { return false };
    let kind = found.file_type();
    !kind.is_socket() && !kind.is_symlink() && (found.len() > 0 || kind.is_dir())
}

fn may_give(file: &str, (uid, gid): (u32, Option<u32>), who: &Who) -> Result<(), ListenError> {
    let own_group = gid.is_none_or(|gid| who.groups.contains(&gid));
    if who.uid == 0 || (who.uid == uid && own_group) {
        return Ok(());
    }
    let user = Record::from_uid(Uid::from_raw(who.uid)).ok().flatten();
    let user = user.map_or_else(|| who.uid.to_string(), |user| user.name);
    Err(ListenError::Chown { file: file.to_owned(), uid, gid, user })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    /// A directory of its own that goes with the test.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Dir {
            let path = std::env::temp_dir().join(format!("minder-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Dir(path)
        }

        fn file(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        }

        fn set_mode(&self, mode: u32) {
            fs::set_permissions(&self.0, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            self.set_mode(0o700);
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn error(result: io::Result<()>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn what_we_may_append_to() {
        let dir = Dir::new("foresee");
        let us = Who::us();
        let append = |path: &Path| error(append(path, &us));
        assert_eq!(append(&dir.file("a", 0o600)), None);
        assert_eq!(append(&dir.0.join("new")), None);
        assert!(!dir.0.join("new").exists(), "nothing is made");
        assert_eq!(append(&dir.0), Some(libc::EISDIR));
        assert_eq!(append(&dir.0.join("none/x")), Some(libc::ENOENT));
        assert_eq!(append(&dir.0.join("a/x")), Some(libc::ENOTDIR));
        for own in ["/dev/full", "/dev/stdout", "/proc/self/fd/99"] {
            assert_eq!(append(Path::new(own)), None);
        }
        assert_eq!(append(Path::new("x")), error(us.may_write(Path::new("."))));
    }

    #[test]
    fn another_user_is_judged_by_modes() {
        let dir = Dir::new("foresee-other");
        let group = fs::metadata(&dir.0).unwrap().gid();
        let other = |groups: &[u32]| Who { uid: 54321, groups: groups.to_vec(), is_us: false };
        let judge = |path: &Path, groups: &[u32]| error(append(path, &other(groups)));
        let denied = Some(libc::EACCES);
        dir.set_mode(0o755);
        assert_eq!(judge(&dir.file("own", 0o644), &[]), denied);
        assert_eq!(judge(&dir.file("all", 0o606), &[]), None);
        assert_eq!(judge(&dir.file("all", 0o606), &[group]), denied, "the group's bits alone");
        assert_eq!(judge(&dir.file("group", 0o660), &[group]), None);
        assert_eq!(judge(&dir.file("group", 0o660), &[]), denied);
        assert_eq!(judge(&dir.0.join("new"), &[]), denied);
        dir.set_mode(0o773);
        assert_eq!(judge(&dir.0.join("new"), &[]), None);
        assert_eq!(judge(&dir.0.join("new"), &[group]), None);
        dir.set_mode(0o772);
        assert_eq!(judge(&dir.0.join("all"), &[]), denied, "it can't enter the directory");
        assert_eq!(judge(&dir.0.join("new"), &[]), denied);
    }

    fn unix(file: &Path, owner: Option<(u32, Option<u32>)>) -> HttpServer {
        let file = file.to_str().unwrap().to_owned();
        HttpServer {
            section: "unix_http_server".to_owned(),
            address: ServerAddress::Unix { file, mode: 0o700, owner },
            credentials: None,
            allowed_hosts: Vec::new(),
        }
    }

    #[test]
    fn listeners() {
        let dir = Dir::new("foresee-listen");
        let socket = dir.0.join("s");
        let judge = |file: &Path, owner, who: &Who| {
            listen(&unix(file, owner), who).map_err(|error| error.to_string())
        };
        let us = Who::us();
        assert_eq!(judge(&socket, None, &us), Ok(()));
        assert!(!socket.exists());
        let reported = |what: &str| {
            Err(format!("Cannot open an HTTP server: socket.error reported errno.{what}"))
        };
        assert_eq!(judge(&dir.0.join("none/s"), None, &us), reported("ENOENT (2)"));
        let full = dir.file("full", 0o600);
        let occupied = format!("EEXIST (17): {} is no socket, and is not removed", full.display());
        assert_eq!(judge(&full, None, &us), reported(&occupied));
        let long = dir.0.join("x".repeat(110));
        assert_eq!(judge(&long, None, &us), reported("ENAMETOOLONG (36)"));
        dir.set_mode(0o777);
        let other = Who { uid: 54321, groups: vec![7], is_us: false };
        assert_eq!(judge(&socket, Some((54321, Some(7))), &other), Ok(()));
        for owner in [(0, None), (54321, Some(8))] {
            let text = judge(&socket, Some(owner), &other).unwrap_err();
            assert!(text.starts_with("Not permitted to chown"), "{text}");
        }
        let inet = |host: &str| HttpServer {
            address: ServerAddress::Inet { host: host.to_owned(), port: 1 },
            ..unix(&socket, None)
        };
        for host in ["", "127.0.0.1", "[::1]", "::1"] {
            assert!(listen(&inet(host), &us).is_ok(), "{host}");
        }
        let text = listen(&inet(&"x".repeat(300)), &us).unwrap_err().to_string();
        assert!(text.starts_with("Cannot open an HTTP server: "), "{text}");
    }
}
