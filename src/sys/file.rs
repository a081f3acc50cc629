//! Files: logs and what is read of them.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fs::{self, DirEntry, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::inject::{self, Call};
use super::seats;

/// Who may read a new file, before the umask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 0666.
    Usual,
    /// 0600.
    Private,
}

/// A file opened for appending.
#[derive(Debug)]
pub struct Appended {
    /// The file.
    pub file: File,
    /// Its size at that moment, bytes.
    pub size: u64,
    /// It is a regular file: it has a size and can be rotated.
    pub regular: bool,
    /// Some directory has it.
    pub named: bool,
    /// It has places, as files and /dev/null have; pipes and terminals have none.
    pub seekable: bool,
}

/// How an open file is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its size, bytes.
    pub size: u64,
    /// Some directory has it: it was not deleted.
    pub named: bool,
}

/// Opens for appending, creates what is missing. A fifo without a reader does not block.
///
/// # Errors
/// What the system says.
#[cfg_attr(debug_assertions, track_caller)]
pub fn open_append(path: &Path, mode: Mode) -> io::Result<Appended> {
    inject::restarted(Call::Open)?;
    let bits = if mode == Mode::Private { 0o600 } else { 0o666 };
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file =
        OpenOptions::new().append(true).create(true).mode(bits).custom_flags(flags).open(path)?;
    let file = seats::out_of_the_way(file);
    let meta = state_of(&file)?;
    let position = inject::fail(Call::Seek).and_then(|()| (&file).stream_position());
    let seekable = has_places(&position);
    let (size, regular, named) = (meta.len(), meta.file_type().is_file(), meta.nlink() > 0);
    Ok(Appended { file, size, regular, named, seekable })
}

/// Only ESPIPE says that there are none; a bad disk, say, tells nothing of the kind.
fn has_places(position: &io::Result<u64>) -> bool {
    !position.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ESPIPE))
}

/// Looks at an open file.
///
/// # Errors
/// What the system says.
pub fn look(file: &File) -> io::Result<Look> {
    let meta = state_of(file)?;
    Ok(Look { size: meta.len(), named: meta.nlink() > 0 })
}

/// Makes an empty file that only its owner may read, where nothing is.
///
/// # Errors
/// `AlreadyExists`; what the system says.
pub fn create_private(path: &Path) -> io::Result<()> {
    inject::restarted(Call::Open)?;
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// Opens what is there as it is, a link neither followed nor waited for.
///
/// # Errors
/// What the system says.
pub fn open_itself(path: &Path) -> io::Result<File> {
    inject::restarted(Call::Open)?;
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)
}

/// Opens a directory, to hold it.
///
/// # Errors
/// What the system says.
pub fn open_directory(path: &Path) -> io::Result<File> {
    inject::restarted(Call::Open)?;
    File::open(path)
}

/// What is in a directory; what can't be read of it is left out.
///
/// # Errors
/// It can't be read at all.
pub fn entries(directory: &Path) -> io::Result<impl Iterator<Item = DirEntry>> {
    inject::fail(Call::List)?;
    Ok(fs::read_dir(directory)?.flatten())
}

/// All names in a directory.
///
/// # Errors
/// It can't be read to its end.
pub fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    inject::fail(Call::List)?;
    fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect()
}

/// What the name leads to.
///
/// # Errors
/// What the system says.
#[cfg_attr(debug_assertions, track_caller)]
pub fn look_at(path: &Path) -> io::Result<Metadata> {
    inject::fail(Call::Stat)?;
    fs::metadata(path)
}

/// What the open file is now.
///
/// # Errors
/// What the system says.
#[cfg_attr(debug_assertions, track_caller)]
pub fn state_of(file: &File) -> io::Result<Metadata> {
    inject::fail(Call::Stat)?;
    file.metadata()
}

/// Whether the name leads to nothing for certain.
pub fn is_missing(path: &Path) -> bool {
    look_at(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Whether the name leads to something; false as well where nobody can tell.
#[cfg_attr(debug_assertions, track_caller)]
pub fn exists(path: &Path) -> bool {
    look_at(path).is_ok()
}

/// Whether the name leads to a directory; false as well where nobody can tell.
pub fn is_directory(path: &Path) -> bool {
    look_at(path).is_ok_and(|found| found.is_dir())
}

/// Empties the open file.
///
/// # Errors
/// What the system says.
pub fn empty(file: &File) -> io::Result<()> {
    inject::restarted(Call::Truncate)?;
    file.set_len(0)
}

/// Keeps others from cleaning the file away while it is open; false when another has it. The
/// lock ends with the last descriptor of this open file.
pub fn lock(file: &File) -> bool {
    if inject::fail(Call::Lock).is_err() {
        return false;
    }
    // SAFETY: integers only.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Marks this number of a directory or file as in use for as long as it is open, and tells whether
/// no other open file has done so; false as well where the file system has no such marks. Two that
/// mark at the same time each see the other.
pub fn mark(file: &File, number: u32) -> bool {
    if inject::fail(Call::Lock).is_err() {
        return false;
    }
    // SAFETY: all zero is a valid `struct flock`.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_whence = libc::SEEK_SET as _;
    range.l_start = number.into();
    range.l_len = 1;
    // A lock that is shared needs no right to write, which nobody has for a directory; whether
    // there is another one is what would be in the way of a lock that is not.
    range.l_type = libc::F_RDLCK as _;
    // SAFETY: the kernel reads one structure.
    let marked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &range) == 0 };
    range.l_type = libc::F_WRLCK as _;
    // SAFETY: the kernel reads and writes one structure.
    let known = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &mut range) == 0 };
    marked && known && range.l_type == libc::F_UNLCK as _
}

/// Writes once; how much went out.
///
/// # Errors
/// What the system says.
#[cfg_attr(debug_assertions, track_caller)]
pub fn write(file: &File, data: &[u8]) -> io::Result<usize> {
    let taken = inject::part(Call::Write, data.len())?;
    let data = data.get(..taken).unwrap_or(data);
    nix::unistd::write(file.as_fd(), data).map_err(io::Error::from)
}

/// Writes all of it.
///
/// # Errors
/// What the system says; some of it may have gone out then.
pub fn write_whole(file: &File, data: &[u8]) -> io::Result<()> {
    let mut left = data;
    while !left.is_empty() {
        match write(file, left) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
            Ok(n) => left = left.get(n..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Renames; a missing source is no error.
///
/// # Errors
/// What the system says.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match inject::fail(Call::Rename).and_then(|()| fs::rename(from, to)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Unlinks; a missing file is no error.
///
/// # Errors
/// What the system says.
pub fn remove(path: &Path) -> io::Result<()> {
    match inject::fail(Call::Unlink).and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether the name leads to another file than the open one (or to none); true as well where nobody
/// can tell.
pub fn was_replaced(path: &Path, file: &File) -> bool {
    !leads_to(path, file).unwrap_or(false)
}

/// Whether the name leads to the open file.
///
/// # Errors
/// Nobody can tell.
#[cfg_attr(debug_assertions, track_caller)]
pub fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let open = state_of(file)?;
    match look_at(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a log for reading; only what has a size can be read back.
///
/// # Errors
/// What the system says; `InvalidInput` for a fifo, a socket or a directory.
#[cfg_attr(debug_assertions, track_caller)]
pub fn open_read(path: &Path) -> io::Result<(File, u64)> {
    inject::restarted(Call::Open)?;
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let file = seats::out_of_the_way(file);
    let meta = state_of(&file)?;
    let kind = meta.file_type();
    if kind.is_char_device() {
        // /dev/null is always empty; a terminal can't be read back.
        inject::fail(Call::Seek)?;
        let size = (&file).seek(SeekFrom::End(0))?;
        return Ok((file, size));
    }
    if kind.is_fifo() || kind.is_socket() || kind.is_dir() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    Ok((file, meta.len()))
}

/// Reads at most `len` bytes from `offset`.
///
/// # Errors
/// What the system says.
pub fn read_at(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    let mut file = file.take(0);
    inject::fail(Call::Seek)?;
    file.get_mut().seek(SeekFrom::Start(offset))?;
    file.set_limit(len as u64);
    inject::restarted(Call::Read)?;
    file.read_to_end(&mut data)?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_has_no_places_and_a_bad_disk_has() {
        let path = std::env::temp_dir().join(format!("minder-places-{}", std::process::id()));
        let pipe = crate::sys::pipe::pipe().unwrap();
        let of_pipe = format!("/proc/self/fd/{}", pipe.write.as_raw_fd());
        let seekable = |path: &Path| open_append(path, Mode::Usual).unwrap().seekable;
        assert!(seekable(&path) && seekable(Path::new("/dev/null")));
        assert!(!seekable(Path::new(&of_pipe)));
        fs::remove_file(&path).unwrap();
        let failed = |number| has_places(&Err(io::Error::from_raw_os_error(number)));
        assert!(failed(libc::EIO) && !failed(libc::ESPIPE) && has_places(&Ok(0)));
    }

    #[test]
    fn a_directory_is_marked_by_number() {
        let path = std::env::temp_dir().join(format!("minder-marks-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let open = || File::open(&path).unwrap();
        let (one, other, third) = (open(), open(), open());
        assert!(mark(&one, 1));
        assert!(mark(&one, 1), "its own mark");
        assert!(!mark(&other, 1));
        assert!(mark(&other, u32::MAX), "another number");
        drop((one, other));
        assert!(mark(&third, 1));
        fs::remove_dir(&path).unwrap();
    }
}
