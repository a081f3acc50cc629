//! The daemon's own stdout, which somebody may have stopped reading, and its stderr.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::OnceLock;
use std::time::Duration;

use super::inject::{self, Call};
use super::{file, poll, seats};

/// What a pipe that has room takes without blocking, if nobody else writes to it.
const PIECE: usize = 4096;

/// How one of them is written without blocking. Whether its descriptor blocks is no business of
/// ours: the open file is shared with whoever started us, and others may write to it as well, so
/// that the room that was there is gone a moment later.
#[derive(Debug)]
enum Way {
    /// A pipe or a terminal, by an open file of our own, which does not block.
    Own(File),
    /// A socket, which is told at each call not to block.
    Socket,
    /// A file, or what can't be opened anew: after a look whether there is room.
    Shared,
}

/// One of them.
#[derive(Debug)]
struct Output {
    fd: RawFd,
    way: OnceLock<Way>,
}

static STDOUT: Output = Output { fd: 1, way: OnceLock::new() };
static STDERR: Output = Output { fd: 2, way: OnceLock::new() };

impl Way {
    fn to(fd: RawFd) -> Way {
        // SAFETY: used while the descriptor is open; one that is not is an error.
        let stdout = unsafe { BorrowedFd::borrow_raw(fd) };
        let path = format!("/proc/self/fd/{fd}");
        let Ok(found) = file::look_at(path.as_ref()) else { return Way::Shared };
        let kind = found.file_type();
        if kind.is_socket() {
            return Way::Socket;
        }
        if !kind.is_fifo() && !stdout.is_terminal() {
            return Way::Shared;
        }
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let opened = inject::restarted(Call::Open)
            .and_then(|()| OpenOptions::new().write(true).custom_flags(flags).open(path));
        opened.map_or(Way::Shared, |file| Way::Own(seats::out_of_the_way(file)))
    }

    fn write(&self, fd: RawFd, data: &[u8]) -> io::Result<usize> {
        if let Way::Own(file) = self {
            return super::pipe::write(file, data);
        }
        let taken = inject::part(Call::Write, data.len())?;
        let data = data.get(..taken).unwrap_or(data);
        let (start, len) = (data.as_ptr().cast(), data.len());
        let written = match self {
            Way::Socket => {
                let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                // SAFETY: pointer and length of one slice.
                unsafe { libc::send(fd, start, len, flags) }
            }
            // SAFETY: pointer and length of one slice.
            Way::Own(_) | Way::Shared => unsafe { libc::write(fd, start, len) },
        };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }
}

impl Output {
    fn open_anew(&self) {
        let _ = self.way.set(Way::to(self.fd));
    }

    fn has_room(&self) -> bool {
        let mut fds = [poll::entry(self.fd, poll::OUT)];
        poll::poll(&mut fds, Some(Duration::ZERO)).is_ok_and(|ready| ready > 0)
    }

    fn print(&self, text: &[u8]) -> Result<(), Refused> {
        let mut left = text;
        while let Some(piece) = left.get(..PIECE.min(left.len())).filter(|part| !part.is_empty()) {
            match self.write(piece) {
                Ok(0) => {
                    let why = io::Error::from(io::ErrorKind::WriteZero);
                    return Err(Refused { bytes: left.len(), why });
                }
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(Refused { bytes: left.len(), why }),
            }
        }
        Ok(())
    }

    fn write(&self, piece: &[u8]) -> io::Result<usize> {
        if !self.has_room() {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        self.way.get().unwrap_or(&Way::Shared).write(self.fd, piece)
    }
}

/// The end of a text that was not printed.
#[derive(Debug)]
pub struct Refused {
    /// Its length.
    pub bytes: usize,
    /// `WouldBlock` when nobody reads; what else the system says.
    pub why: io::Error,
}

/// Finds the way to write stdout: before the daemon becomes another user, who could not open what
/// belongs to this one. Not in a daemon that leaves its terminal, which would stay open.
pub fn open_anew() {
    STDOUT.open_anew();
}

/// The same for stderr.
pub fn open_errors_anew() {
    STDERR.open_anew();
}

/// Prints as much on stdout as goes without blocking.
///
/// # Errors
/// What did not go, and why.
pub fn print(text: &[u8]) -> Result<(), Refused> {
    STDOUT.print(text)
}

/// Prints a line on stderr, if it goes without blocking. Nobody can be told if it does not.
pub fn complain(line: &str) {
    let _ = STDERR.print(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::pty::openpty;

    use super::*;
    use crate::sys::pipe;

    /// Writes until there is no room, which others had a moment ago; how much went.
    fn fill(fd: RawFd) -> usize {
        let way = Way::to(fd);
        assert!(!matches!(way, Way::Shared));
        let mut count = 0;
        loop {
            match way.write(fd, &[b'x'; PIECE]) {
                Ok(written) => count += written,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return count;
                }
            }
        }
    }

    /// Whoever shares the open file finds it as it was.
    fn blocks(fd: RawFd) -> bool {
        // SAFETY: the caller has it open.
        let flags = fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_GETFL).unwrap();
        !OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK)
    }

    #[test]
    fn a_full_pipe_is_not_waited_for() {
        let pipe = pipe::pipe().unwrap();
        let fd = pipe.write.as_raw_fd();
        let count = fill(fd);
        assert!(blocks(fd));
        drop(pipe.write);
        let mut text = Vec::new();
        File::from(pipe.read).read_to_end(&mut text).unwrap();
        assert_eq!(text.len(), count, "it ended with the last of both");
    }

    #[test]
    fn nor_is_a_socket_or_a_terminal() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(fill(ours.as_raw_fd()) > 0 && blocks(ours.as_raw_fd()));
        let terminal = openpty(None, None).unwrap();
        let fd = terminal.slave.as_raw_fd();
        assert!(fill(fd) > 0 && blocks(fd));
    }

    #[test]
    fn what_finds_no_room_is_left_at_once() {
        let pipe = pipe::pipe().unwrap();
        let output = Output { fd: pipe.write.as_raw_fd(), way: OnceLock::new() };
        output.print(b"before its way is known\n").unwrap();
        output.open_anew();
        fill(output.fd);
        let refused = output.print(&[b'x'; 3 * PIECE]).unwrap_err();
        assert_eq!((refused.bytes, refused.why.kind()), (3 * PIECE, io::ErrorKind::WouldBlock));
        assert!(blocks(output.fd));
    }

    #[test]
    fn what_is_refused_is_told_with_the_reason() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let pipe = pipe::pipe().unwrap();
        drop(pipe.read);
        for (fd, number) in
            [(full.as_raw_fd(), libc::ENOSPC), (pipe.write.as_raw_fd(), libc::EPIPE)]
        {
            let output = Output { fd, way: OnceLock::new() };
            output.open_anew();
            let refused = output.print(b"line\n").unwrap_err();
            assert_eq!((refused.bytes, refused.why.raw_os_error()), (5, Some(number)));
        }
    }

    #[test]
    fn a_file_is_written_where_it_stands() {
        let path = std::env::temp_dir().join(format!("minder-stdout-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        let fd = file.as_raw_fd();
        let way = Way::to(fd);
        assert!(matches!(way, Way::Shared));
        (&file).write_all(b"before\n").unwrap();
        assert_eq!(way.write(fd, b"line\n").unwrap(), 5);
        (&file).write_all(b"after\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\nline\nafter\n");
        std::fs::remove_file(&path).unwrap();
    }
}
