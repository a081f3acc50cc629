//! What a listener says over its stdout: `READY\n` when it can take an event, and after one
//! `RESULT <length>\n` with so many bytes of result. Whoever says anything else gets no more
//! events.
//!
//! Bytes are judged as they come, however they are cut. No result is kept, only compared, so
//! its length costs nothing.

use super::text;

/// The word of one who can take an event.
const READY: &[u8] = b"READY\n";

/// The word before the length.
const RESULT: &[u8] = b"RESULT ";

/// The result that accepts the event; any other rejects it.
const ACCEPTED: &[u8] = b"OK";

/// The longest result that is awaited, bytes. Who announces more is not to be believed, and
/// would keep his event for ever.
const RESULT_MAX: usize = 16 << 20;

/// The longest result line, bytes.
const LINE_MAX: usize = 4096;

/// The state of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerState {
    /// Its result was taken, or it is new: READY is awaited.
    Acknowledged,
    /// It can take an event.
    Ready,
    /// It has one: the result is awaited.
    Busy,
    /// It broke the protocol: it gets no more events.
    Unknown,
}

impl ListenerState {
    /// Its name in the activity log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::Ready => "READY",
            Self::Busy => "BUSY",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What a listener has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// That it can take an event: it is READY.
    Ready,
    /// That it accepts the event: it is ACKNOWLEDGED.
    Accepted,
    /// That it rejects the event: it is ACKNOWLEDGED.
    Rejected,
    /// A line that is no result: it is UNKNOWN, and the event rejected.
    BadResultLine(String),
    /// Something where it should have been silent or READY: it is UNKNOWN.
    OutOfTurn {
        /// The state in which it was.
        from: ListenerState,
    },
}

/// Where in the conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Acknowledged {
        /// Bytes that came, and whether they are those of READY.
        seen: usize,
        fit: bool,
    },
    Ready,
    /// The line is awaited, of which `Listener::line` holds the beginning.
    Line,
    /// The result is awaited.
    Result {
        /// Bytes that came, and whether they are those of an acceptance.
        seen: usize,
        fit: bool,
        /// Bytes to come, at least one.
        left: usize,
    },
    Unknown,
}

const NEW: Place = Place::Acknowledged { seen: 0, fit: true };

/// One child that is a listener.
#[derive(Clone, Debug)]
pub struct Listener {
    place: Place,
    /// At most [`LINE_MAX`] bytes.
    line: Vec<u8>,
}

impl Default for Listener {
    fn default() -> Self {
        Listener { place: NEW, line: Vec::new() }
    }
}

impl Listener {
    /// Its state.
    pub fn state(&self) -> ListenerState {
        match self.place {
            Place::Acknowledged { .. } => ListenerState::Acknowledged,
            Place::Ready => ListenerState::Ready,
            Place::Line | Place::Result { .. } => ListenerState::Busy,
            Place::Unknown => ListenerState::Unknown,
        }
    }

    /// It is sent an event: READY becomes BUSY.
    pub fn send(&mut self) {
        debug_assert_eq!(self.place, Place::Ready, "who is not READY gets no event");
        self.line.clear();
        self.place = Place::Line;
    }

    /// The event could not be sent: BUSY becomes READY again.
    pub fn take_back(&mut self) {
        if self.state() == ListenerState::Busy {
            self.place = Place::Ready;
        }
    }

    /// Its result is awaited no longer: BUSY becomes UNKNOWN.
    pub fn give_up(&mut self) {
        self.place = Place::Unknown;
    }

    /// Reads on in what it wrote, up to the next thing it says. `None`: all of `data` is read.
    pub fn read(&mut self, data: &mut &[u8]) -> Option<Said> {
        while !data.is_empty() {
            let said = match self.place {
                Place::Acknowledged { seen, fit } => self.read_ready(seen, fit, data),
                Place::Ready => Some(self.lose(Said::OutOfTurn { from: ListenerState::Ready })),
                Place::Line => self.read_line(data),
                Place::Result { seen, fit, left } => self.read_result(seen, fit, left, data),
                Place::Unknown => None,
            };
            if self.place == Place::Unknown {
                *data = &[];
            }
            if said.is_some() {
                return said;
            }
        }
        None
    }

    /// It is judged only when as many bytes are there as the word has, whatever they are.
    fn read_ready(&mut self, seen: usize, fit: bool, data: &mut &[u8]) -> Option<Said> {
        let came = take(data, READY.len() - seen);
        let fit = fit && READY.get(seen..seen + came.len()) == Some(came);
        let seen = seen + came.len();
        if seen < READY.len() {
            self.place = Place::Acknowledged { seen, fit };
            None
        } else if fit {
            self.place = Place::Ready;
            Some(Said::Ready)
        } else {
            Some(self.lose(Said::OutOfTurn { from: ListenerState::Acknowledged }))
        }
    }

    fn read_line(&mut self, data: &mut &[u8]) -> Option<Said> {
        let room = LINE_MAX - self.line.len();
        let Some(end) = data.iter().position(|byte| *byte == b'\n').filter(|end| *end <= room)
        else {
            self.line.extend(take(data, room));
            // What comes next is no line feed, for `end` would have been found.
            let is_too_long = self.line.len() == LINE_MAX && !data.is_empty();
            return is_too_long.then(|| self.refuse_line());
        };
        self.line.extend(take(data, end));
        take(data, 1);
        match result_length(&self.line) {
            None => Some(self.refuse_line()),
            Some(0) => Some(self.judge(false)),
            Some(left) => {
                self.place = Place::Result { seen: 0, fit: true, left };
                None
            }
        }
    }

    fn read_result(
        &mut self,
        seen: usize,
        fit: bool,
        left: usize,
        data: &mut &[u8],
    ) -> Option<Said> {
        let came = take(data, left);
        let fit = fit && ACCEPTED.get(seen..seen + came.len()) == Some(came);
        let (seen, left) = (seen + came.len(), left - came.len());
        if left > 0 {
            self.place = Place::Result { seen, fit, left };
            return None;
        }
        Some(self.judge(fit && seen == ACCEPTED.len()))
    }

    fn judge(&mut self, is_accepted: bool) -> Said {
        self.place = NEW;
        if is_accepted { Said::Accepted } else { Said::Rejected }
    }

    fn refuse_line(&mut self) -> Said {
        let line = std::mem::take(&mut self.line);
        self.lose(Said::BadResultLine(text::text(&line).into_owned()))
    }

    fn lose(&mut self, said: Said) -> Said {
        self.place = Place::Unknown;
        said
    }
}

/// Takes at most so many bytes off the front.
fn take<'a>(data: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (came, rest) = data.split_at(count.min(data.len()));
    *data = rest;
    came
}

/// The length in a result line: a decimal number, blanks about it allowed.
fn result_length(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line.strip_prefix(RESULT)?).ok()?;
    let digits = text.trim_matches([' ', '\t', '\r', '\x0b', '\x0c']);
    // Parsing takes a plus sign, as Supervisor does, and no minus sign.
    digits.parse().ok().filter(|length| *length <= RESULT_MAX)
}

#[cfg(test)]
mod tests;
