//! The daemon's own stdout, which somebody may have stopped reading, and its stderr.
#![allow(unsafe_code)]

use std::io::{self, Write as _};
use std::time::Duration;

use super::inject::{self, Call};
use super::poll;

const FD: i32 = 1;

/// What a pipe that has room takes without blocking.
const PIECE: usize = 4096;

/// Whether a write would not block.
pub fn has_room() -> bool {
    let mut fds = [poll::entry(FD, poll::OUT)];
    poll::poll(&mut fds, Some(Duration::ZERO)).is_ok_and(|ready| ready > 0)
}

/// Prints as much as goes without blocking; how many bytes did not go. The descriptor is shared
/// with others, so it can't be made not to block.
pub fn print(text: &[u8]) -> usize {
    let mut left = text;
    while !left.is_empty() {
        if !has_room() {
            return left.len();
        }
        let piece = left.get(..PIECE).unwrap_or(left);
        if inject::fail(Call::Write).is_err() {
            return 0;
        }
        // SAFETY: pointer and length of one slice.
        let written = unsafe { libc::write(FD, piece.as_ptr().cast(), piece.len()) };
        match usize::try_from(written) {
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            // Nobody can be told of it but by the log itself, which goes on.
            Err(_) => return 0,
        }
    }
    0
}

/// Prints a line on stderr. Nobody can be told if that fails.
pub fn complain(line: &str) {
    if inject::fail(Call::Write).is_err() {
        return;
    }
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
