//! The pidfile: locked for as long as the daemon lives, so that a second one finds out.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::inject::{self, Call};
use super::{file, seats};

/// A pidfile that this process holds. Dropping it unlocks and leaves the file; see
/// [`Pidfile::remove`].
#[derive(Debug)]
pub struct Pidfile {
    path: PathBuf,
    file: File,
    /// Whether there was none before.
    created: bool,
    /// It is a file. A device such as /dev/null, for who wants none, is everybody's: it is
    /// neither locked nor emptied nor removed.
    regular: bool,
}

/// Whatever the mask: who can write here chooses whom an administrator kills.
const MODE: u32 = 0o644;

/// Why the pidfile could not be taken.
#[derive(Debug)]
pub enum Taken {
    /// Another daemon holds it; what it wrote there.
    Held(String),
    /// It can't be opened.
    Failed(io::Error),
}

impl Pidfile {
    /// Opens and locks it; its old text stays until [`Pidfile::write`].
    ///
    /// # Errors
    /// Held by another, or not to be opened.
    pub fn take(path: &Path) -> Result<Pidfile, Taken> {
        let created = !file::exists(path);
        inject::restarted(Call::Open).map_err(Taken::Failed)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(MODE)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(Taken::Failed)?;
        let mut file = seats::out_of_the_way(file);
        let regular = file::state_of(&file).is_ok_and(|data| data.is_file());
        if !regular || lock(&file) {
            return Ok(Pidfile { path: path.to_owned(), file, created, regular });
        }
        let mut text = String::new();
        let _ = (&mut file).take(32).read_to_string(&mut text);
        Err(Taken::Held(text.trim().to_owned()))
    }

    /// Whether no daemon holds it, as far as that can be told without taking or making it: a
    /// device, or a file that can't be opened, does not tell.
    pub fn is_free(path: &Path) -> bool {
        let file = inject::restarted(Call::Open).and_then(|()| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)
        });
        match file {
            Ok(file) => file::state_of(&file).is_ok_and(|data| data.is_file()) && !is_locked(&file),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Takes what this mask forbids from the mode of a file that was made before the mask was set.
    ///
    /// # Errors
    /// What the system says.
    pub fn mask(&self, mask: u32) -> io::Result<()> {
        if !self.created {
            return Ok(());
        }
        inject::restarted(Call::Chmod)?;
        self.file.set_permissions(Permissions::from_mode(MODE & !mask))
    }

    /// Writes the pid of this process over whatever it says.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self) -> io::Result<()> {
        if self.regular {
            file::empty(&self.file)?;
            inject::fail(Call::Seek)?;
            self.file.seek(SeekFrom::Start(0))?;
        }
        file::write_whole(&self.file, format!("{}\n", std::process::id()).as_bytes())
    }

    /// Whether its name still leads to the file that is locked.
    fn is_in_place(&self) -> bool {
        !file::was_replaced(&self.path, &self.file)
    }

    /// Whether that name leads to it. Another name than it was taken by can: the directory's, say,
    /// and a link's.
    ///
    /// # Errors
    /// Nobody can tell.
    pub fn is_at(&self, path: &Path) -> io::Result<bool> {
        file::leads_to(path, &self.file)
    }

    /// The same, known by that name from now on.
    #[must_use]
    pub fn under(self, path: &Path) -> Pidfile {
        Pidfile { path: path.to_owned(), ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Unlinks it, unless the name has come to mean another file.
    pub fn remove(self) {
        if self.regular && self.is_in_place() {
            let _ = file::remove(&self.path);
        }
    }
}

/// A lock that only who may write the file can hold: with `flock` anybody who can read it could
/// keep the daemon from starting. It belongs to the open file, so a fork shares it.
pub(super) fn lock(file: &File) -> bool {
    if inject::fail(Call::Lock).is_err() {
        return false;
    }
    let range = whole_file();
    // SAFETY: the kernel reads one structure.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &range) == 0 }
}

/// Whether another open file has that lock, or nobody can tell.
fn is_locked(file: &File) -> bool {
    let mut range = whole_file();
    // SAFETY: the kernel writes one structure.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &mut range) == 0 };
    !asked || range.l_type != libc::F_UNLCK as libc::c_short
}

/// What a lock for writing is about: every byte.
fn whole_file() -> libc::flock {
    // SAFETY: all zero is a valid `struct flock`: the whole file.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = libc::F_WRLCK as _;
    range.l_whence = libc::SEEK_SET as _;
    range
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_held_and_removed() {
        let path = std::env::temp_dir().join(format!("minder-pidfile-{}", std::process::id()));
        assert!(Pidfile::is_free(&path) && !path.exists());
        let mut held = Pidfile::take(&path).unwrap();
        held.write().unwrap();
        assert!(!Pidfile::is_free(&path));
        let pid = std::process::id().to_string();
        assert!(matches!(Pidfile::take(&path), Err(Taken::Held(text)) if text == pid));
        drop(held);
        assert!(Pidfile::is_free(&path));
        Pidfile::take(&path).unwrap().remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_device_is_written_and_left_to_others() {
        let path = Path::new("/dev/null");
        let mut one = Pidfile::take(path).unwrap();
        let mut other = Pidfile::take(path).unwrap();
        one.write().unwrap();
        other.write().unwrap();
        one.remove();
        assert!(path.exists() && !Pidfile::is_free(path));
    }
}
