//! The line about each answer, in the common log format.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::date::{TimeOfDay, civil};
use super::head::Head;
use crate::sys::net::Peer;

/// So much is shown of the first line of what is no request.
const SHOWN: usize = 200;

/// One answer. `Display` is its line.
pub(super) struct Answered<'a> {
    pub(super) peer: Peer,
    pub(super) request: Asked<'a>,
    pub(super) status: u16,
    /// Head and body.
    pub(super) bytes: usize,
}

/// What was asked for.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// A request.
    Request(&'a Head),
    /// What came in place of one; its first line is shown.
    Received(&'a [u8]),
}

impl fmt::Display for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let Answered { peer, request, status, bytes } = self;
        write!(f, "{peer} - - [{}] \"{request}\" {status} {bytes}", Date(since.as_secs()))
    }
}

/// As in `21/Nov/2026:01:58:09 +0000`.
struct Date(u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0 / 86400);
        write!(f, "{day:02}/{month}/{year}:{} +0000", TimeOfDay(self.0))
    }
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asked::Request(head) => {
                write!(f, "{} {} {}", head.method(), head.target(), head.version())
            }
            Asked::Received(bytes) => {
                let line = bytes.split(|&byte| byte == b'\r' || byte == b'\n').next();
                let line = line.unwrap_or_default();
                let line = line.get(..SHOWN).unwrap_or(line);
                // No line of the log may be forged, no terminal be moved by what strangers send.
                write!(f, "{}", line.escape_ascii())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_answer() {
        let head = Head::parse(b"POST /RPC2?a%20b HTTP/1.1\r\nContent-Length: 0\r\n\r\n").unwrap();
        let request = Asked::Request(&head);
        let line = Answered { peer: Peer::Local, request, status: 200, bytes: 401 }.to_string();
        let (before, rest) = line.split_once('[').unwrap();
        let (_, after) = rest.split_once(']').unwrap();
        assert_eq!(before, "localhost:0 - - ");
        assert_eq!(after, " \"POST /RPC2?a%20b HTTP/1.1\" 200 401");
        let peer = Peer::Inet(([127, 0, 0, 1], 45310).into());
        let request = Asked::Received(b"G\x1b[31m\"\xff\r\nHost: x\r\n\r\n");
        let line = Answered { peer, request, status: 400, bytes: 1 }.to_string();
        assert!(line.starts_with("127.0.0.1:45310 - - ["), "{line}");
        assert!(line.ends_with("] \"G\\x1b[31m\\\"\\xff\" 400 1"), "{line}");
    }

    #[test]
    fn what_is_no_request_is_shown_in_part() {
        let text = Asked::Received(&[b'x'; 10_000]).to_string();
        assert_eq!(text.len(), SHOWN);
    }

    #[test]
    fn dates() {
        assert_eq!(Date(0).to_string(), "01/Jan/1970:00:00:00 +0000");
        assert_eq!(Date(1_795_222_187).to_string(), "21/Nov/2026:00:49:47 +0000");
        assert_eq!(Date(4_107_542_399).to_string(), "28/Feb/2100:23:59:59 +0000");
    }
}
