//! One log file and its backups `.1`, `.2`, ...

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::losses::{Change, Losses};
use crate::sys::file::{self, Mode};

/// A file that can't be opened is tried again at the first write after this time.
const RETRY: Duration = Duration::from_secs(1);

/// What the owner of the file should tell.
#[derive(Debug)]
pub enum Trouble {
    /// Bytes are lost, or no longer.
    Writing(Change),
    /// It is too large and can't be rotated; nothing is lost.
    CannotRotate(io::Error),
    /// It has no size (a pipe, a terminal), so it is not rotated.
    NotRotated,
}

/// How large a file may become and what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes; 0: never rotate.
    pub max_bytes: u64,
    /// Backups kept; 0: the file is emptied.
    pub backups: u32,
}

impl Limits {
    /// From configured values; anything below 1 means none.
    pub fn new(max_bytes: i64, backups: i64) -> Limits {
        Limits {
            max_bytes: u64::try_from(max_bytes).unwrap_or(0),
            backups: u32::try_from(backups.max(0)).unwrap_or(u32::MAX),
        }
    }
}

/// A log file. Writing to it never fails: what can't be written is counted.
#[derive(Debug)]
pub struct Rotating {
    path: Box<Path>,
    mode: Mode,
    limits: Limits,
    file: Option<File>,
    size: u64,
    regular: bool,
    /// It had a name when it was opened: what stdout is may have none.
    named: bool,
    /// It has places: /dev/null has, a pipe has none.
    seekable: bool,
    /// Bytes.
    losses: Losses,
    retry_at: Option<Instant>,
    rotation_failed: bool,
}

impl Rotating {
    /// Opens it for appending; an oversized one rotates at the first write.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path, mode: Mode, limits: Limits) -> io::Result<Rotating> {
        let mut log = Rotating::closed(path, mode, limits);
        log.open_file()?;
        Ok(log)
    }

    /// One that can't be opened now and is tried again later.
    pub fn closed(path: &Path, mode: Mode, limits: Limits) -> Rotating {
        Rotating {
            path: path.into(),
            mode,
            limits,
            file: None,
            size: 0,
            regular: true,
            named: true,
            seekable: true,
            losses: Losses::none(),
            retry_at: None,
            rotation_failed: false,
        }
    }

    /// Other limits from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// When it rotates.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Something was asked that it can't do: rotation of what has no size.
    pub fn check_rotation(&self) -> Option<Trouble> {
        (self.file.is_some() && !self.seekable && self.limits.max_bytes > 0)
            .then_some(Trouble::NotRotated)
    }

    /// Appends; rotates when the file has become large enough. How many bytes are lost of it.
    pub fn write(&mut self, data: &[u8], tell: &mut dyn FnMut(Trouble)) -> u64 {
        self.write_at(data, Instant::now(), tell)
    }

    fn write_at(&mut self, data: &[u8], now: Instant, tell: &mut dyn FnMut(Trouble)) -> u64 {
        self.look_after(now, tell);
        if self.file.is_none() {
            self.try_again(now, tell);
        }
        let Some(file) = &self.file else {
            self.losses.lose_more(data.len() as u64, now);
            return data.len() as u64;
        };
        let (written, error) = write_all(file, data);
        self.size += written as u64;
        let lost = (data.len() - written) as u64;
        let change = match error {
            None => self.losses.go(now),
            Some(error) => self.losses.lose(lost, error, now),
        };
        change.map(Trouble::Writing).into_iter().for_each(&mut *tell);
        if self.regular && self.limits.max_bytes > 0 && self.size >= self.limits.max_bytes {
            self.rotate(now, tell);
        }
        lost
    }

    /// When a trouble with it is over, unless a write fails before.
    pub fn due(&self) -> Option<Instant> {
        self.losses.due()
    }

    /// Tells of a trouble that is over, for which no write may come for long.
    pub fn settle(&mut self, now: Instant, tell: &mut dyn FnMut(Trouble)) {
        self.losses.settle(now).map(Trouble::Writing).into_iter().for_each(tell);
    }

    /// Nothing more will be written: tells what is lost for good.
    pub fn finish(&mut self, tell: &mut dyn FnMut(Trouble)) {
        self.losses.finish().map(Trouble::Writing).into_iter().for_each(tell);
    }

    /// Sees what others did to the file: one that was deleted is begun anew, for what goes into
    /// it nobody finds; one that was cut has the size that it has. One that was moved away is
    /// written on, as whoever moves it expects.
    fn look_after(&mut self, now: Instant, tell: &mut dyn FnMut(Trouble)) {
        let Some(file) = self.file.as_ref().filter(|_| self.regular && self.named) else { return };
        let Ok(look) = file::look(file) else { return };
        self.size = look.size;
        if !look.named {
            self.open_again(now, tell);
        }
    }

    /// Closes and opens by name; what was moved away is replaced.
    pub fn reopen(&mut self, tell: &mut dyn FnMut(Trouble)) {
        self.open_again(Instant::now(), tell);
    }

    fn open_again(&mut self, now: Instant, tell: &mut dyn FnMut(Trouble)) {
        self.file = None;
        if let Err(error) = self.open_file() {
            self.fail_to_open(error, now, tell);
        }
    }

    /// Unlinks the file and begins a new one; backups stay.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&mut self) -> io::Result<()> {
        if self.regular {
            file::remove(&self.path)?;
        }
        self.file = None;
        self.open_file()
    }

    fn open_file(&mut self) -> io::Result<()> {
        let opened = file::open_append(&self.path, self.mode)?;
        if self.mode == Mode::Private {
            // So that no other daemon's cleaning takes it away.
            file::lock(&opened.file);
        }
        self.size = opened.size;
        self.regular = opened.regular;
        self.named = opened.named;
        self.seekable = opened.seekable;
        self.file = Some(opened.file);
        self.retry_at = None;
        Ok(())
    }

    fn fail_to_open(&mut self, error: io::Error, now: Instant, tell: &mut dyn FnMut(Trouble)) {
        self.losses.lose(0, error, now).map(Trouble::Writing).into_iter().for_each(tell);
        self.retry_at = now.checked_add(RETRY);
    }

    fn try_again(&mut self, now: Instant, tell: &mut dyn FnMut(Trouble)) {
        if self.retry_at.is_none_or(|at| at <= now) {
            self.open_again(now, tell);
        }
    }

    fn rotate(&mut self, now: Instant, tell: &mut dyn FnMut(Trouble)) {
        let moved = if self.limits.backups == 0 { self.truncate() } else { self.shift_backups() };
        match moved {
            Ok(()) => {
                self.rotation_failed = false;
                if self.limits.backups > 0 {
                    self.open_again(now, tell);
                }
            }
            // The file grows on, and the next write tries again.
            Err(error) if !self.rotation_failed => {
                self.rotation_failed = true;
                tell(Trouble::CannotRotate(error));
            }
            Err(_) => {}
        }
    }

    fn truncate(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file::empty(file)?;
        }
        self.size = 0;
        Ok(())
    }

    /// Moves each backup to the next number, the last one away, the file to `.1`.
    fn shift_backups(&mut self) -> io::Result<()> {
        let there = |n: &u32| !file::is_missing(&self.backup(*n));
        let highest = (1..self.limits.backups).take_while(there).last();
        for n in (1..=highest.unwrap_or(0)).rev() {
            file::rename(&self.backup(n), &self.backup(n + 1))?;
        }
        file::rename(&self.path, &self.backup(1))
    }

    fn backup(&self, n: u32) -> PathBuf {
        backup(&self.path, n)
    }
}

/// The path of a log's backup of that number, from 1.
pub fn backup(log: &Path, n: u32) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

/// Writes as much as it can.
fn write_all(file: &File, data: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while let Some(rest) = data.get(written..).filter(|rest| !rest.is_empty()) {
        match file::write(file, rest) {
            Ok(0) => return (written, Some(io::Error::from(io::ErrorKind::WriteZero))),
            Ok(n) => written += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn directory(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("minder-log-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn write(log: &mut Rotating, data: &[u8]) -> Vec<String> {
        let mut told = Vec::new();
        log.write(data, &mut |trouble| told.push(format!("{trouble:?}")));
        told
    }

    #[test]
    fn rotates_after_the_write_that_fills_it() {
        let dir = directory("rotates");
        let path = dir.join("a.log");
        let limits = Limits::new(10, 2);
        let mut log = Rotating::open(&path, Mode::Usual, limits).unwrap();
        for piece in [b"01234".as_slice(), b"56789ab", b"second one", b"third one!", b"x"] {
            assert!(write(&mut log, piece).is_empty());
        }
        assert_eq!(fs::read(&path).unwrap(), b"x");
        assert_eq!(fs::read(dir.join("a.log.1")).unwrap(), b"third one!");
        assert_eq!(fs::read(dir.join("a.log.2")).unwrap(), b"second one");
        assert!(!dir.join("a.log.3").exists(), "the oldest went");
        // Its size counts from what is there at opening.
        let mut log = Rotating::open(&path, Mode::Usual, limits).unwrap();
        write(&mut log, b"123456789");
        assert_eq!(fs::read(dir.join("a.log.1")).unwrap(), b"x123456789");
    }

    #[test]
    fn without_backups_it_is_emptied() {
        let dir = directory("emptied");
        let path = dir.join("a.log");
        let mut log = Rotating::open(&path, Mode::Usual, Limits::new(4, 0)).unwrap();
        write(&mut log, b"12345");
        assert_eq!(fs::read(&path).unwrap(), b"");
        write(&mut log, b"67");
        assert_eq!(fs::read(&path).unwrap(), b"67");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn a_moved_file_is_replaced_on_reopen() {
        let dir = directory("reopen");
        let path = dir.join("a.log");
        let mut log = Rotating::open(&path, Mode::Usual, Limits::new(0, 0)).unwrap();
        write(&mut log, b"one");
        fs::rename(&path, dir.join("moved")).unwrap();
        write(&mut log, b"two");
        log.reopen(&mut |_| {});
        write(&mut log, b"three");
        assert_eq!(fs::read(dir.join("moved")).unwrap(), b"onetwo");
        assert_eq!(fs::read(&path).unwrap(), b"three");
    }

    #[test]
    fn clear_begins_anew_and_keeps_backups() {
        let dir = directory("clear");
        let path = dir.join("a.log");
        let mut log = Rotating::open(&path, Mode::Usual, Limits::new(3, 1)).unwrap();
        write(&mut log, b"old");
        write(&mut log, b"x");
        log.clear().unwrap();
        write(&mut log, b"y");
        assert_eq!(fs::read(&path).unwrap(), b"y");
        assert_eq!(fs::read(dir.join("a.log.1")).unwrap(), b"old");
    }

    /// A log whose directory comes later; what it tells of writes and of its end.
    struct Absent {
        log: Rotating,
        begin: Instant,
        told: Vec<String>,
    }

    impl Absent {
        fn new(name: &str) -> (PathBuf, Absent) {
            let path = directory(name).join("gone").join("a.log");
            let log = Rotating::closed(&path, Mode::Usual, Limits::new(0, 0));
            (path, Absent { log, begin: Instant::now(), told: Vec::new() })
        }

        /// What is told of a write at that millisecond.
        fn write(&mut self, millis: u64, data: &[u8]) -> Vec<String> {
            let Absent { log, begin, told } = self;
            let now = *begin + Duration::from_millis(millis);
            log.write_at(data, now, &mut |trouble| told.push(format!("{trouble:?}")));
            std::mem::take(told)
        }

        fn finish(&mut self) -> Vec<String> {
            let Absent { log, told, .. } = self;
            log.finish(&mut |trouble| told.push(format!("{trouble:?}")));
            std::mem::take(told)
        }
    }

    #[test]
    fn what_is_lost_is_told_once_and_counted() {
        let (path, mut log) = Absent::new("lost");
        let began = log.write(0, b"12345");
        assert!(began[0].starts_with("Writing(Began("), "{began:?}");
        assert!(log.write(100, b"678").is_empty(), "told once");
        fs::create_dir(path.parent().unwrap()).unwrap();
        assert!(log.write(999, b"9").is_empty() && !path.exists(), "it is tried once a second");
        assert!(log.write(1000, b"back").is_empty(), "it may not last");
        assert_eq!(log.write(1999, b", again"), ["Writing(Ended(9))"]);
        assert_eq!(fs::read(&path).unwrap(), b"back, again");
        assert!(log.finish().is_empty());
    }

    #[test]
    fn a_slow_reader_is_told_of_once_and_nothing_is_forgotten() {
        use std::{io::Read as _, os::fd::AsFd as _};
        let pipe = crate::sys::pipe::pipe().unwrap();
        let by_number = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&pipe.write));
        let open = Rotating::open(Path::new(&by_number), Mode::Usual, Limits::new(0, 0));
        let (_, absent) = Absent::new("slow");
        let mut log = Absent { log: open.unwrap(), ..absent };
        let mut reader = File::from(pipe.read);
        let (mut lost, mut told) = (0, Vec::new());
        let (mut data, mut room) = ([b'x'; 5000], [0; 8192]);
        for n in 0..100 {
            let at = log.begin + Duration::from_millis(20 * n);
            lost += log.log.write_at(&data, at, &mut |trouble| told.push(format!("{trouble:?}")));
            if n % 3 == 2 {
                assert!(reader.read(&mut room).unwrap() > 0);
            }
        }
        assert!(lost > 0 && told.len() == 1 && told[0].contains("WouldBlock"), "{told:?}");
        crate::sys::pipe::set_nonblocking(reader.as_fd()).unwrap();
        while reader.read(&mut room).is_ok() {}
        data.fill(b'y');
        assert!(log.write(2100, &data).is_empty());
        log.log.reopen(&mut |trouble| panic!("{trouble:?}"));
        assert_eq!(log.finish(), [format!("Writing(Ended({lost}))")]);
    }

    #[test]
    fn what_is_lost_in_the_end_is_told() {
        let (_, mut log) = Absent::new("left");
        log.write(0, b"12345");
        assert_eq!(log.finish(), ["Writing(Left(5))"]);
        assert!(log.finish().is_empty());
    }

    #[test]
    fn a_deleted_file_is_begun_anew_and_a_cut_one_has_its_size() {
        let dir = directory("deleted");
        let path = dir.join("a.log");
        let mut log = Rotating::open(&path, Mode::Usual, Limits::new(10, 1)).unwrap();
        assert!(write(&mut log, b"one").is_empty());
        fs::remove_file(&path).unwrap();
        assert!(write(&mut log, b"two").is_empty());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        write(&mut log, b"three");
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        write(&mut log, b"four");
        assert_eq!(fs::read(&path).unwrap(), b"four");
        assert!(!dir.join("a.log.1").exists(), "four bytes are not ten");
    }

    #[test]
    fn a_file_that_never_had_a_name_is_written() {
        let dir = directory("nameless");
        let path = dir.join("a.log");
        let file = File::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let by_number = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        let mut log =
            Rotating::open(Path::new(&by_number), Mode::Usual, Limits::new(0, 0)).unwrap();
        assert!(write(&mut log, b"one").is_empty() && write(&mut log, b"two").is_empty());
        assert_eq!(file.metadata().unwrap().len(), 6);
    }

    #[test]
    fn a_device_is_written_and_not_rotated() {
        let mut log =
            Rotating::open(Path::new("/dev/null"), Mode::Usual, Limits::new(1, 5)).unwrap();
        assert!(log.check_rotation().is_none(), "nobody misses what goes there");
        assert!(write(&mut log, b"12345").is_empty());
        assert!(Path::new("/dev/null").exists());
    }
}
