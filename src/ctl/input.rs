//! Lines from the user, or from whatever stands in for him.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};

use crate::sys::{pipe, poll};

/// What came of waiting for a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A line, without its end.
    Line(String),
    /// There are no more.
    End,
    /// Something else wants attention.
    Interrupted,
}

/// Where lines come from.
pub trait Input {
    /// Waits for a line, or until the descriptor can be read.
    ///
    /// # Errors
    /// Those of reading.
    fn line(&mut self, until: Option<BorrowedFd<'_>>) -> io::Result<Heard>;
}

/// This process's stdin. It has a buffer of its own, as `io::Stdin` does not tell what it holds.
#[derive(Debug, Default)]
pub struct Stdin {
    buffer: Vec<u8>,
}

impl Input for Stdin {
    fn line(&mut self, until: Option<BorrowedFd<'_>>) -> io::Result<Heard> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                return Ok(Heard::Line(text(&std::mem::replace(&mut self.buffer, rest))));
            }
            if until.is_some_and(|until| comes_first(until).unwrap_or(false)) {
                return Ok(Heard::Interrupted);
            }
            let mut piece = [0; 4096];
            match pipe::read(&io::stdin(), &mut piece) {
                Ok(0) if self.buffer.is_empty() => return Ok(Heard::End),
                Ok(0) => return Ok(Heard::Line(text(&std::mem::take(&mut self.buffer)))),
                Ok(length) => self.buffer.extend_from_slice(piece.get(..length).unwrap_or(&[])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits for stdin or the descriptor, and tells whether it was the descriptor.
fn comes_first(until: BorrowedFd<'_>) -> io::Result<bool> {
    loop {
        let stdin = io::stdin();
        let mut fds = [
            poll::entry(until.as_raw_fd(), poll::IN),
            poll::entry(stdin.as_fd().as_raw_fd(), poll::IN),
        ];
        if poll::poll(&mut fds, None)? > 0 {
            return Ok(fds.first().is_some_and(|entry| entry.revents != 0));
        }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).to_owned()
}
