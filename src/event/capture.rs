//! Capture mode: the text that a process writes between two tokens is a message for event
//! listeners and does not reach its log.
//!
//! The splitter holds back only bytes that may turn out to begin a token, so a short line is
//! delivered at once. Those bytes are a prefix of the token itself, hence a number is all that
//! has to be remembered of them; nothing is copied but what goes into the capture buffer.

use std::collections::VecDeque;

/// Begins a message.
const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";

/// Ends it.
const END: &[u8] = b"<!--XSUPERVISOR:END-->";

/// The first byte of both tokens. It occurs in neither again, so a token that breaks off can
/// only begin anew at the byte that broke it off, or later.
const FIRST: u8 = b'<';

/// Bytes of a message that are kept whatever the configured bound is. Supervisor keeps what one
/// read gave whole, even above the bound, and its reads are of so many bytes. Keeping as much
/// always loses nothing that Supervisor delivers and makes the message independent of where the
/// reads cut it.
const WHOLE: usize = 131_072;

/// Room that the capture buffer keeps from one message to the next, bytes.
const KEPT: usize = 4096;

/// A part of the output, in the order in which it was written. None but a message is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Outside of tokens: for file, syslog, debug line and PROCESS_LOG.
    Plain(&'a [u8]),
    /// Inside: for debug line and PROCESS_LOG.
    Captured(&'a [u8]),
    /// The end token came: the data of a PROCESS_COMMUNICATION, all that was captured since the
    /// begin token, or its last bytes where there was too much.
    Message(&'a [u8]),
}

/// Which token is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    Capture,
}

impl Mode {
    fn token(self) -> &'static [u8] {
        match self {
            Mode::Plain => BEGIN,
            Mode::Capture => END,
        }
    }
}

/// The splitter of one output channel of one child.
#[derive(Debug)]
pub struct Capture {
    mode: Mode,
    /// Bytes of the token looked for that have come and are held back.
    matched: usize,
    message: Message,
}

impl Capture {
    /// One whose messages are bounded by `maxbytes` or 131072 bytes, whichever is more. Source:
    /// configuration, "stdout_capture_maxbytes" and "stderr_capture_maxbytes".
    pub fn new(maxbytes: usize) -> Capture {
        let message = Message { bytes: VecDeque::new(), limit: maxbytes.max(WHOLE), cut: false };
        Capture { mode: Mode::Plain, matched: 0, message }
    }

    /// Takes what the child wrote and hands it on in pieces. However the same bytes are cut into
    /// calls, the pieces of each kind between two messages give the same when joined.
    pub fn feed(&mut self, data: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        let mut rest = data;
        while !rest.is_empty() {
            rest = if self.matched > 0 { self.resume(rest, out) } else { self.seek(rest, out) };
        }
    }

    /// The output has ended: hands on what was held back. A message without its end is dropped.
    pub fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        self.deliver_held(out);
        self.mode = Mode::Plain;
        self.message.clear();
    }

    /// Looks for the token in `data` of which nothing is held back; what is left to look at.
    fn seek<'a>(&mut self, data: &'a [u8], out: &mut dyn FnMut(Piece<'_>)) -> &'a [u8] {
        let token = self.mode.token();
        let mut from = 0;
        while let Some(at) = position_of_first(data, from) {
            let (before, tail) = data.split_at(at);
            let common = common_prefix(token, tail);
            if common == token.len() || common == tail.len() {
                self.deliver(before, out);
                return self.matches(common, tail, out);
            }
            from = at + common;
        }
        self.deliver(data, out);
        &[]
    }

    /// Goes on with a token that an earlier call began; what is left to look at.
    fn resume<'a>(&mut self, data: &'a [u8], out: &mut dyn FnMut(Piece<'_>)) -> &'a [u8] {
        let wanted = self.mode.token().get(self.matched..).unwrap_or_default();
        let common = common_prefix(wanted, data);
        if common == wanted.len() || common == data.len() {
            return self.matches(common, data, out);
        }
        self.deliver_held(out);
        data
    }

    /// `count` more bytes of the token stand at the head of `data`; what follows them.
    fn matches<'a>(
        &mut self,
        count: usize,
        data: &'a [u8],
        out: &mut dyn FnMut(Piece<'_>),
    ) -> &'a [u8] {
        self.matched += count;
        if self.matched == self.mode.token().len() {
            self.matched = 0;
            self.toggle(out);
        }
        data.get(count..).unwrap_or_default()
    }

    fn toggle(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        match self.mode {
            Mode::Plain => self.mode = Mode::Capture,
            Mode::Capture => {
                self.mode = Mode::Plain;
                out(Piece::Message(self.message.text()));
                self.message.clear();
            }
        }
    }

    fn deliver_held(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        let held = self.mode.token().get(..self.matched).unwrap_or_default();
        self.matched = 0;
        self.deliver(held, out);
    }

    fn deliver(&mut self, data: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        match self.mode {
            _ if data.is_empty() => {}
            Mode::Plain => out(Piece::Plain(data)),
            Mode::Capture => {
                self.message.push(data);
                out(Piece::Captured(data));
            }
        }
    }
}

/// The capture buffer: the last bytes of what was captured.
#[derive(Debug)]
struct Message {
    bytes: VecDeque<u8>,
    /// Bytes it may hold.
    limit: usize,
    /// Its first bytes are lost.
    cut: bool,
}

impl Message {
    fn push(&mut self, data: &[u8]) {
        let skipped = data.len().saturating_sub(self.limit);
        let data = data.get(skipped..).unwrap_or_default();
        let over = (self.bytes.len() + data.len()).saturating_sub(self.limit);
        self.cut |= skipped > 0 || over > 0;
        self.bytes.drain(..over.min(self.bytes.len()));
        self.bytes.extend(data);
    }

    /// All of it. The rest of a character that was cut in two would make the whole message
    /// undecodable and is left out.
    fn text(&mut self) -> &[u8] {
        let cut = self.cut;
        let bytes: &[u8] = self.bytes.make_contiguous();
        let rest = bytes.iter().take(3).take_while(|byte| cut && is_continuation(**byte)).count();
        bytes.get(rest..).unwrap_or_default()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.cut = false;
    }
}

/// A byte of UTF-8 that begins no character.
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// Where, from `from` on, the first byte of a token stands. The usual output has none: that is
/// found out a block at a time.
fn position_of_first(data: &[u8], from: usize) -> Option<usize> {
    const BLOCK: usize = 64;
    let rest = data.get(from..)?;
    let block = rest.chunks(BLOCK).position(|block| block.contains(&FIRST))?;
    let before = block * BLOCK;
    let inside = rest.get(before..)?.iter().position(|byte| *byte == FIRST)?;
    Some(from + before + inside)
}

fn common_prefix(token: &[u8], data: &[u8]) -> usize {
    token.iter().zip(data).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests;
