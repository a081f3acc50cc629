//! Reading a file that may be none: a pipe, a fifo or a terminal gives its data when it likes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use crate::sys::file;
use crate::sys::inject::{self, Call};
use crate::sys::{pipe, poll};

/// How long one that is no regular file may take to give all its data.
const LIMIT: Duration = Duration::from_secs(5);

/// One that gives more than this, bytes, never ends.
const MOST: usize = 16 << 20;

/// How long whoever reads a configuration waits for its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as it takes, as Supervisor does: somebody has named this file to a program that
    /// starts, `-c /dev/stdin` or `-c <(...)`, and can end it.
    Endless,
    /// No more than five seconds: others wait for the reader, or nobody has named just this file.
    Short,
}

/// Reads a file to its end.
///
/// # Errors
/// What the system says; `TimedOut` if the data, or whoever writes it, did not come in time, or
/// there is no end of it.
pub fn read(path: &str, patience: Patience) -> io::Result<Vec<u8>> {
    inject::restarted(Call::Open)?;
    match patience {
        Patience::Endless => {
            inject::restarted(Call::Read)?;
            fs::read(path)
        }
        Patience::Short => read_within(path, LIMIT),
    }
}

/// A fifo without a writer does not keep the open from returning. That it has none would then read
/// as its end; to wait for it tells both apart.
fn read_within(path: &str, limit: Duration) -> io::Result<Vec<u8>> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut open = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file::state_of(&open).is_ok_and(|found| found.is_file()) {
        return read_as_it_comes(&open, limit);
    }
    inject::restarted(Call::Read)?;
    let mut data = Vec::new();
    io::Read::read_to_end(&mut open, &mut data)?;
    Ok(data)
}

fn read_as_it_comes(open: &File, limit: Duration) -> io::Result<Vec<u8>> {
    let began = Instant::now();
    let (mut data, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let left = limit.saturating_sub(began.elapsed());
        if left.is_zero() || data.len() > MOST {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody writes it to the end"));
        }
        if poll::poll(&mut [poll::entry(open.as_raw_fd(), poll::IN)], Some(left))? == 0 {
            continue;
        }
        match pipe::read(open, &mut piece) {
            Ok(0) => return Ok(data),
            Ok(n) => data.extend_from_slice(piece.get(..n).unwrap_or_default()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::thread;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::super::tests::Dir;
    use super::*;

    /// Longer than any test waits for what does come.
    const LONG: Duration = Duration::from_secs(120);

    fn fifo(dir: &Dir) -> String {
        let path = format!("{}/fifo", dir.0);
        mkfifo(path.as_str(), Mode::S_IRWXU).unwrap();
        path
    }

    #[test]
    fn a_fifo_without_a_writer_is_given_up() {
        let dir = Dir::new("fifo-alone");
        let path = fifo(&dir);
        let told = read_within(&path, Duration::from_millis(50)).unwrap_err();
        assert_eq!(told.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn one_whose_writer_does_not_end_is_given_up() {
        let dir = Dir::new("fifo-endless");
        let path = fifo(&dir);
        let mut writer = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        writer.write_all(b"[a]\n").unwrap();
        let told = read_within(&path, Duration::from_millis(50)).unwrap_err();
        assert_eq!(told.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn one_that_gives_without_end_is_given_up_before_it_fills_the_memory() {
        let begun = Instant::now();
        let told = read_within("/dev/zero", LONG).unwrap_err();
        assert_eq!(told.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn one_whose_writer_comes_is_read_to_its_end() {
        let dir = Dir::new("fifo-late");
        let path = fifo(&dir);
        let text = "[a]\n".repeat(100_000);
        let data = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                // Waits for its reader in turn.
                fs::write(&path, &text).unwrap();
            });
            let data = read_within(&path, LONG).unwrap();
            writer.join().unwrap();
            data
        });
        assert!(data == text.as_bytes(), "{} of {} bytes", data.len(), text.len());
    }

    #[test]
    fn a_pipe_whose_writer_has_gone_ends() {
        let pipe = pipe::pipe().unwrap();
        fs::File::from(pipe.write).write_all(b"[a]\n").unwrap();
        let path = format!("/proc/self/fd/{}", pipe.read.as_raw_fd());
        assert_eq!(read_within(&path, LONG).unwrap(), b"[a]\n");
        assert_eq!(read_within(&path, LONG).unwrap(), b"");
    }

    #[test]
    fn what_is_no_pipe_is_read_as_ever() {
        let dir = Dir::new("no-fifo");
        let path = dir.file("f", "[a]\n");
        for patience in [Patience::Endless, Patience::Short] {
            assert_eq!(read(&path, patience).unwrap(), b"[a]\n");
            assert_eq!(read("/dev/null", patience).unwrap(), b"");
            let told = read(&dir.0, patience).unwrap_err();
            assert_eq!(told.raw_os_error(), Some(libc::EISDIR));
        }
    }
}
