//! Which files a daemon has made, changed or taken away: the kernel (fanotify) tells of every one on
//! the file systems of `/`, of the tests and of shared memory.
#![allow(unsafe_code, reason = "fanotify's records can only be had through libc")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ffi::{CString, OsStr},
    fs,
    io::{self, Read},
    mem::size_of,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, OnceLock},
    thread,
    time::{Duration, Instant},
};

use nix::libc;

/// What is told: content or attributes changed, a name made, taken away or moved; directories too.
const TOLD: u64 = libc::FAN_MODIFY
    | libc::FAN_ATTRIB
    | libc::FAN_CREATE
    | libc::FAN_DELETE
    | libc::FAN_MOVED_FROM
    | libc::FAN_MOVED_TO
    | libc::FAN_ONDIR;

/// Bytes of a record about an event, before what belongs to it.
const EVENT: usize = size_of::<libc::fanotify_event_metadata>();

/// Bytes of what follows: kind and length, the file system, length and kind of the handle.
const ABOUT: usize = 4 + 8 + 8;

/// All that any process has touched since the first question.
pub struct Watch {
    seen: Mutex<BTreeMap<i32, BTreeSet<PathBuf>>>,
    more: Condvar,
}

/// The one of this run; an error where the kernel does not tell.
pub fn watch() -> Result<&'static Watch, &'static str> {
    static WATCH: OnceLock<Result<Watch, String>> = OnceLock::new();
    let mut source = None;
    let watch = WATCH.get_or_init(|| {
        source = Some(Source::open().map_err(|error| error.to_string())?);
        Ok(Watch { seen: Mutex::default(), more: Condvar::new() })
    });
    let watch = watch.as_ref().map_err(String::as_str)?;
    if let Some(source) = source {
        thread::spawn(|| source.read_into(watch));
    }
    Ok(watch)
}

impl Watch {
    /// The names that a process has touched up to now. `marker` names a file that this makes and
    /// takes away: once that has been told, so has all before.
    pub fn by(&self, pid: i32, marker: &Path) -> BTreeSet<PathBuf> {
        let own = std::process::id().cast_signed();
        fs::write(marker, "").expect("a file");
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut seen = self.seen.lock().expect("what was seen");
        while !seen.get(&own).is_some_and(|names| names.contains(marker)) {
            assert!(Instant::now() < deadline, "the kernel tells of no file");
            let waited = self.more.wait_timeout(seen, Duration::from_millis(100));
            seen = waited.expect("what was seen").0;
        }
        let _ = fs::remove_file(marker);
        seen.get(&pid).cloned().unwrap_or_default()
    }
}

/// Where events come from.
struct Source {
    events: fs::File,
    /// A descriptor on each file system, by its number: what a handle is opened by.
    roots: HashMap<[u8; 8], OwnedFd>,
}

impl Source {
    fn open() -> io::Result<Source> {
        let flags = libc::FAN_CLASS_NOTIF
            | libc::FAN_REPORT_DFID_NAME
            | libc::FAN_UNLIMITED_QUEUE
            | libc::FAN_CLOEXEC;
        // SAFETY: it takes numbers only, and what it returns is ours.
        let events = unsafe { owned(libc::fanotify_init(flags, libc::O_RDONLY as u32))? };
        let mut roots = HashMap::new();
        for path in [Path::new("/"), &std::env::temp_dir(), Path::new("/dev/shm")] {
            let root = OwnedFd::from(fs::File::open(path)?);
            let name = CString::new(path.as_os_str().as_bytes())?;
            let mark = libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM;
            // SAFETY: the descriptor is open, the name ends with a NUL.
            let marked = unsafe {
                libc::fanotify_mark(events.as_raw_fd(), mark, TOLD, libc::AT_FDCWD, name.as_ptr())
            };
            if marked != 0 {
                return Err(io::Error::last_os_error());
            }
            roots.insert(number(&root)?, root);
        }
        Ok(Source { events: events.into(), roots })
    }

    /// Reads for as long as the tests run.
    fn read_into(mut self, watch: &Watch) {
        let mut directories = HashMap::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            let length = self.events.read(&mut buffer).expect("events");
            let mut rest = &buffer[..length];
            let mut seen = watch.seen.lock().expect("what was seen");
            while rest.len() >= EVENT {
                let length = u32_at(rest, 0) as usize;
                let pid = u32_at(rest, EVENT - 4).cast_signed();
                let (event, after) = rest.split_at(length);
                rest = after;
                if let Some(name) = self.name(&event[EVENT..], &mut directories) {
                    seen.entry(pid).or_default().insert(name);
                }
            }
            watch.more.notify_all();
        }
    }

    /// The path that an event is about; none if its directory is gone.
    fn name(
        &self,
        about: &[u8],
        directories: &mut HashMap<Vec<u8>, Option<PathBuf>>,
    ) -> Option<PathBuf> {
        let length = ABOUT + u32_at(about.get(..ABOUT)?, 12) as usize;
        let (handle, name) = about.split_at_checked(length)?;
        let directory = directories.entry(handle[4..].to_vec()).or_insert_with(|| {
            let root = self.roots.get(&handle[4..12])?;
            path_of(root, &handle[12..])
        });
        let name = OsStr::from_bytes(name.split(|byte| *byte == 0).next()?);
        Some(directory.as_ref()?.join(name))
    }
}

/// A descriptor that a call has returned.
///
/// # Safety
/// It is nobody else's.
unsafe fn owned(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as the caller promises.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The number of a file system as events have it.
fn number(root: &OwnedFd) -> io::Result<[u8; 8]> {
    // SAFETY: all zeros are a value of it, and it is written by the kernel alone.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and the place large enough.
    if unsafe { libc::fstatfs(root.as_raw_fd(), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is two numbers of 32 bits.
    Ok(unsafe { std::mem::transmute::<libc::fsid_t, [u8; 8]>(stat.f_fsid) })
}

/// The path of a directory by its handle.
fn path_of(root: &OwnedFd, handle: &[u8]) -> Option<PathBuf> {
    // The kernel wants it aligned.
    let words = handle.chunks(4).map(|word| u32_at(&[word, &[0; 4]].concat(), 0));
    let mut words: Vec<u32> = words.collect();
    // SAFETY: it begins with the length of what follows, which is all there.
    let fd = unsafe {
        owned(libc::syscall(
            libc::SYS_open_by_handle_at,
            root.as_raw_fd(),
            words.as_mut_ptr(),
            libc::O_PATH,
        ) as i32)
    };
    let fd = fd.ok()?;
    fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
