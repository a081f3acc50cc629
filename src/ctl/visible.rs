//! What a program wrote, made safe to look at: a log may hold bytes that move the cursor, rename
//! the window or have the terminal type for the user.

use std::io::{self, IsTerminal as _};

/// How the bytes of logs are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Byte for byte.
    Exactly,
    /// Control characters as `\x1b`; all else as it is.
    Escaped,
}

impl Shown {
    /// Escaped where stdout is a terminal, unless the user wants it raw.
    #[must_use]
    pub fn on_stdout(raw: bool) -> Shown {
        if !raw && io::stdout().is_terminal() { Shown::Escaped } else { Shown::Exactly }
    }

    /// The whole text.
    pub(super) fn text(self, bytes: &[u8]) -> Vec<u8> {
        let mut pieces = Pieces::new(self);
        let mut shown = pieces.next(bytes);
        shown.extend(pieces.rest());
        shown
    }
}

/// A text that comes in pieces, which may end within a character.
#[derive(Debug)]
pub(super) struct Pieces {
    shown: Shown,
    /// A character's beginning, or a carriage return that may belong to a line's end.
    held: Vec<u8>,
}

impl Pieces {
    pub(super) fn new(shown: Shown) -> Pieces {
        Pieces { shown, held: Vec::new() }
    }

    /// What can be shown with this piece.
    pub(super) fn next(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.shown == Shown::Exactly {
            return piece.to_vec();
        }
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(piece);
        let held = unfinished(&bytes);
        self.held = bytes.split_off(bytes.len() - held);
        escape(&bytes)
    }

    /// What was held back, at the end.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        escape(&std::mem::take(&mut self.held))
    }
}

/// How many bytes at the end may go on.
fn unfinished(bytes: &[u8]) -> usize {
    if bytes.last() == Some(&b'\r') {
        return 1;
    }
    let tail = bytes.get(bytes.len().saturating_sub(4)..).unwrap_or(bytes);
    // Where the last character begins, if it is one of several bytes.
    let Some(start) = tail.iter().rposition(|byte| *byte >= 0xc0) else { return 0 };
    let last = tail.get(start..).unwrap_or_default();
    match std::str::from_utf8(last) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => last.len(),
        _ => 0,
    }
}

fn escape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut letters = chunk.valid().chars().peekable();
        while let Some(letter) = letters.next() {
            let line_end = letter == '\r' && letters.peek() == Some(&'\n');
            if matches!(letter, '\n' | '\t') || line_end || !letter.is_control() {
                let mut buffer = [0; 4];
                out.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
            } else {
                out.extend_from_slice(format!("\\x{:02x}", u32::from(letter)).as_bytes());
            }
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        String::from_utf8(Shown::Escaped.text(bytes)).unwrap()
    }

    #[test]
    fn control_characters_are_seen_and_text_is_text() {
        assert_eq!(escaped("a\tb\r\n\u{e4}\u{1f600}\n".as_bytes()), "a\tb\r\n\u{e4}\u{1f600}\n");
        assert_eq!(escaped(b"\x1b]0;x\x07"), "\\x1b]0;x\\x07");
        assert_eq!(escaped(b"50%\r60%\r"), "50%\\x0d60%\\x0d");
        assert_eq!(escaped(b"\x00\x7f\x08"), "\\x00\\x7f\\x08");
        // A control character of eight bits, as UTF-8 has it, and bare.
        assert_eq!(escaped("\u{9b}1m".as_bytes()), "\\x9b1m");
        assert_eq!(escaped(b"\x9b1m \xff \xe2\x82"), "\\x9b1m \\xff \\xe2\\x82");
    }

    #[test]
    fn exactly_is_exactly() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(Shown::Exactly.text(&all), all);
    }

    #[test]
    fn pieces_show_what_the_whole_shows() {
        let text = "a\r\nb\rc\u{e4}\u{20ac}\u{1f600}\u{9b}\u{1b}[1m".as_bytes();
        let bytes: Vec<u8> = [text, b"\xf0\x9f", b"x", b"\xe2", b"\xe2\x82\xac", b"\x80"].concat();
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let mut pieces = Pieces::new(Shown::Escaped);
                let mut shown = pieces.next(&bytes[..first]);
                shown.extend(pieces.next(&bytes[first..second]));
                shown.extend(pieces.next(&bytes[second..]));
                shown.extend(pieces.rest());
                assert_eq!(shown, Shown::Escaped.text(&bytes), "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn whole_characters_are_not_held_back() {
        let mut pieces = Pieces::new(Shown::Escaped);
        assert_eq!(pieces.next("prompt> \u{e4}".as_bytes()), "prompt> \u{e4}".as_bytes());
    }
}
