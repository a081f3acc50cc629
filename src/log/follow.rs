//! Following a log as it grows: what is new, across rotation and truncation.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys::file;

/// What a follower is told when the file has become shorter.
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

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
        self.file.metadata().map_or(0, |meta| u64::try_from(meta.mtime()).unwrap_or(0))
    }

    /// What is new. The old file is read to its end before a new one is looked at, so a rotation
    /// loses nothing.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn look(&mut self) -> io::Result<News> {
        let size = self.file.metadata()?.len();
        if size < self.offset {
            self.offset = 0;
            return Ok(News::Bytes(TRUNCATED.to_vec()));
        }
        let bytes = file::read_at(&self.file, self.offset, PIECE)?;
        if !bytes.is_empty() {
            self.offset += bytes.len() as u64;
            return Ok(News::Bytes(bytes));
        }
        // A file that was unlinked and not made again is kept.
        if fs::metadata(&self.path).is_err() || !file::was_replaced(&self.path, &self.file) {
            return Ok(News::None);
        }
        let (file, _) = file::open_read(&self.path)?;
        self.file = file;
        self.offset = 0;
        Ok(News::Replaced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

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
        let directory = std::env::temp_dir().join(format!("minder-follow-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
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
}
