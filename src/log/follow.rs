//! Following a log as it grows: what is new, across rotation and truncation.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::rotating;
use crate::sys::file;

/// What a follower is told when the file has become shorter.
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// How many backups are looked through.
const MOST_BACKUPS: u32 = 1000;

/// How often the files may have moved on while they are looked at.
const TRIES: usize = 5;

/// The most that is read at a time.
const PIECE: usize = 64 * 1024;

/// A place in a log.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    file: File,
    offset: u64,
}

/// What came of a look.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The name leads to another file now, which is read from its beginning.
    Replaced,
    /// Nothing.
    None,
}

impl Follower {
    /// Begins so many bytes before the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin(path: &Path, last: u64) -> io::Result<Follower> {
        let (file, size) = file::open_read(path)?;
        Ok(Follower { path: path.to_owned(), file, offset: size.saturating_sub(last) })
    }

    /// When the file was last written, in seconds since the epoch.
    pub fn modified(&self) -> u64 {
        file::state_of(&self.file).map_or(0, |meta| u64::try_from(meta.mtime()).unwrap_or(0))
    }

    /// What is new. The old file is read to its end before its successor is looked at, so a
    /// rotation loses nothing, nor do several between two looks while there are backups enough.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn look(&mut self) -> io::Result<News> {
        let size = file::state_of(&self.file)?.len();
        if size < self.offset {
            self.offset = 0;
            return Ok(News::Bytes(TRUNCATED.to_vec()));
        }
        if let Some(bytes) = self.more()? {
            return Ok(News::Bytes(bytes));
        }
        // A file that was unlinked and not made again is kept.
        let replaced = matches!(file::leads_to(&self.path, &self.file), Ok(false));
        if !replaced || !file::exists(&self.path) {
            return Ok(News::None);
        }
        // Whoever writes has the new file by now; what he wrote between the two looks is here.
        if let Some(bytes) = self.more()? {
            return Ok(News::Bytes(bytes));
        }
        let Some(next) = self.successor()? else { return Ok(News::None) };
        self.file = next;
        self.offset = 0;
        Ok(News::Replaced)
    }

    fn more(&mut self) -> io::Result<Option<Vec<u8>>> {
        let bytes = file::read_at(&self.file, self.offset, PIECE)?;
        self.offset += bytes.len() as u64;
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// The file that was begun after ours. A rotation moves each file to the next number, so it
    /// has the number below ours, or none; ours may also be gone, or have another name. `None`:
    /// a rotation is under way, of which there will be news.
    fn successor(&self) -> io::Result<Option<File>> {
        for _ in 0..TRIES {
            let ours = self.backup();
            let path = match ours {
                Some(n @ 2..) => rotating::backup(&self.path, n - 1),
                Some(_) | None => self.path.clone(),
            };
            let opened = match file::open_read(&path) {
                Ok((file, _)) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            // Meanwhile all may have moved on by one.
            if self.backup() == ours {
                return Ok(Some(opened));
            }
        }
        Ok(None)
    }

    /// The number that the open file has among the backups. Numbers grow while they are looked
    /// through from the lowest, so a file that moves is not missed; the one number that a
    /// rotation has just moved away from is no end.
    fn backup(&self) -> Option<u32> {
        let mut missing = 0;
        for n in 1..=MOST_BACKUPS {
            let path = rotating::backup(&self.path, n);
            if !file::was_replaced(&path, &self.file) {
                return Some(n);
            }
            missing = if file::exists(&path) { 0 } else { missing + 1 };
            if missing > 1 {
                return None;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::log::rotating::{Limits, Rotating};
    use crate::sys::file::Mode;
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    fn all(follower: &mut Follower) -> String {
        let mut text = Vec::new();
        loop {
            match follower.look().unwrap() {
                News::Bytes(bytes) => text.extend(bytes),
                News::Replaced => {}
                News::None => return String::from_utf8(text).unwrap(),
            }
        }
    }

    #[test]
    fn follows_growth_rotation_and_truncation() {
        let directory = directory("growth");
        let path = directory.join("a.log");
        fs::write(&path, "0123456789").unwrap();
        let mut log = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let mut follower = Follower::begin(&path, 4).unwrap();
        assert_eq!(all(&mut follower), "6789");
        log.write_all(b"new").unwrap();
        assert_eq!(all(&mut follower), "new");
        // What is written before and after the rename, and to the new file.
        log.write_all(b"one").unwrap();
        fs::rename(&path, directory.join("a.log.1")).unwrap();
        log.write_all(b"two").unwrap();
        fs::write(&path, "three").unwrap();
        assert_eq!(all(&mut follower), "onetwothree");
        fs::write(&path, "x").unwrap();
        assert_eq!(all(&mut follower), "==> File truncated <==\nx");
        fs::remove_file(&path).unwrap();
        assert_eq!(all(&mut follower), "");
    }

    fn directory(name: &str) -> PathBuf {
        let name = format!("minder-follow-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn several_rotations_between_two_looks_lose_nothing() {
        let path = directory("several").join("a.log");
        let mut log = Rotating::open(&path, Mode::Usual, Limits::new(4, 9)).unwrap();
        let mut write = |text: &str| log.write(text.as_bytes(), &mut |_| {});
        write("0..");
        let mut follower = Follower::begin(&path, 1024).unwrap();
        assert_eq!(all(&mut follower), "0..");
        for n in 1..=7 {
            write(&format!("{n}..."));
        }
        write("end");
        assert_eq!(all(&mut follower), "1...2...3...4...5...6...7...end");
        // Ours falls off the end of the backups: what came after it can't be told any more.
        for n in 0..20 {
            write(&format!("{n:03}."));
        }
        write("x");
        assert_eq!(all(&mut follower), "000.x");
    }

    #[test]
    fn a_cleared_log_brings_no_old_backups_back() {
        let path = directory("cleared").join("a.log");
        let mut log = Rotating::open(&path, Mode::Usual, Limits::new(4, 9)).unwrap();
        let write = |log: &mut Rotating, text: &str| log.write(text.as_bytes(), &mut |_| {});
        for n in 0..5 {
            write(&mut log, &format!("{n}..."));
        }
        write(&mut log, "old");
        let mut follower = Follower::begin(&path, 1024).unwrap();
        assert_eq!(all(&mut follower), "old");
        log.clear().unwrap();
        write(&mut log, "new");
        assert_eq!(all(&mut follower), "new");
    }

    #[test]
    fn a_writer_that_rotates_all_the_time_is_followed_without_loss() {
        const NUMBERS: u64 = 8_000;
        let path = directory("race").join("a.log");
        let mut log = Rotating::open(&path, Mode::Usual, Limits::new(100, 40)).unwrap();
        let mut follower = Follower::begin(&path, 0).unwrap();
        let seen = AtomicU64::new(0);
        let end = Instant::now() + Duration::from_secs(30);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..NUMBERS {
                    // Some 20 in a file: never more files ahead than there are backups.
                    while n > seen.load(Ordering::Relaxed) + 600 && Instant::now() < end {
                        std::thread::yield_now();
                    }
                    log.write(format!("{n}\n").as_bytes(), &mut |_| {});
                }
            });
            let (mut rest, mut next) = (Vec::new(), 0);
            while next < NUMBERS {
                assert!(Instant::now() < end, "only {next} came");
                let News::Bytes(bytes) = follower.look().unwrap() else { continue };
                rest.extend(bytes);
                while let Some(at) = rest.iter().position(|&b| b == b'\n') {
                    let line: Vec<u8> = rest.drain(..=at).collect();
                    assert_eq!(String::from_utf8(line).unwrap(), format!("{next}\n"));
                    next += 1;
                }
                seen.store(next, Ordering::Relaxed);
            }
        });
    }
}
