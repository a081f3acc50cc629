//! The system's log: datagrams to /dev/log, of the form that the C library's syslog(3) gives them.
//! That call waits for a reader that has stopped reading, for ever, and with it all who log. This
//! one waits for a moment, so that a reader that is only slow makes its writers slow; then lines
//! are refused at once until the reader goes on.
#![allow(unsafe_code)]

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};

use super::inject::{self, Call};
use super::{clock, net, poll};

/// Where whoever keeps the log reads.
pub const PATH: &str = "/dev/log";

/// Of each line: the facility and its level.
const PRIORITY: i32 = libc::LOG_USER | libc::LOG_INFO;

/// How long a line waits for room.
const PATIENCE: Duration = Duration::from_millis(500);

/// So often one line waits, for so long, while the reader seems to have stopped.
const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBE: Duration = Duration::from_millis(100);

/// A line that the socket calls too long is not made shorter than this, bytes.
const SHORTEST: usize = 1024;

/// What is kept of the room for a line, bytes.
const KEPT: usize = 4096;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

static STATE: Mutex<State> = Mutex::new(State::new());

/// What all lines of the process have in common.
struct State {
    ident: String,
    /// What a line of this second begins with.
    head: String,
    second: Option<u64>,
    /// Room for a line.
    line: String,
    /// Shared with those who wait for it without the lock.
    connection: Option<Arc<Connection>>,
    /// The reader had no room for a line that waited; when one waited last.
    stalled: Option<Instant>,
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets the name under which lines appear.
pub fn open(ident: &str) {
    let mut state = lock();
    ident.clone_into(&mut state.ident);
    state.second = None;
}

/// Sends one line, level INFO, of these parts. What follows a NUL is cut.
///
/// # Errors
/// Nobody reads, or not fast enough, or the line was too long for the socket (`EMSGSIZE`: its head
/// was sent); those of `socket` and `connect`. The next line is tried anew.
pub fn line(parts: &[&str]) -> io::Result<()> {
    let mut state = lock();
    let line = state.compose(parts, clock::wall());
    let mut waits_until = None;
    let sent = loop {
        let sent = state.send_or_cut(&line);
        if !sent.as_ref().is_err_and(is_full) {
            break sent;
        }
        let now = Instant::now();
        let deadline = *waits_until.get_or_insert_with(|| now + state.patience(now));
        let left = deadline.saturating_duration_since(now);
        let Some(connection) = state.connection.clone().filter(|_| !left.is_zero()) else {
            break sent;
        };
        drop(state);
        let mut entry = [poll::entry(connection.fd.as_raw_fd(), poll::OUT)];
        let waited = poll::poll(&mut entry, Some(left));
        state = lock();
        if waited.is_err() {
            break sent;
        }
    };
    match &sent {
        Ok(()) if waits_until.is_some() => state.stalled = None,
        Ok(()) => {}
        Err(error) => {
            if is_full(error) {
                state.stalled.get_or_insert_with(Instant::now);
            }
            // Another may read there by now.
            state.connection = None;
        }
    }
    state.line = line;
    state.line.clear();
    state.line.shrink_to(KEPT);
    sent
}

impl State {
    const fn new() -> State {
        State {
            ident: String::new(),
            head: String::new(),
            second: None,
            line: String::new(),
            connection: None,
            stalled: None,
        }
    }

    fn compose(&mut self, parts: &[&str], at: Duration) -> String {
        let second = at.as_secs();
        if self.second != Some(second) {
            self.head = head(local(second).as_ref(), &self.ident);
            self.second = Some(second);
        }
        let mut line = std::mem::take(&mut self.line);
        line.push_str(&self.head);
        parts.iter().for_each(|part| line.push_str(part));
        line.truncate(line.find('\0').unwrap_or(line.len()));
        line
    }

    /// How long the line that finds no room now may wait for it.
    fn patience(&mut self, now: Instant) -> Duration {
        match self.stalled {
            None => PATIENCE,
            Some(last) if now.saturating_duration_since(last) >= PROBE_EVERY => {
                self.stalled = Some(now);
                PROBE
            }
            Some(_) => Duration::ZERO,
        }
    }

    /// Sends it, by its first half if it is too long, and so on.
    fn send_or_cut(&mut self, line: &str) -> io::Result<()> {
        let mut rest = line;
        loop {
            let sent = self.send(rest);
            match &sent {
                Err(error) if is_too_long(error) && rest.len() > SHORTEST => {
                    rest = begin_of(rest, (rest.len() / 2).max(SHORTEST));
                }
                Ok(whole) if !whole || rest.len() < line.len() => {
                    return Err(Errno::EMSGSIZE.into());
                }
                _ => return sent.map(drop),
            }
        }
    }

    /// Sends it, to a new reader if the old one is gone.
    fn send(&mut self, line: &str) -> io::Result<bool> {
        if let Some(connection) = &self.connection {
            match connection.send(line) {
                Err(error) if !is_full(&error) && !is_too_long(&error) => self.connection = None,
                sent => return sent,
            }
        }
        let connection = Arc::new(Connection::open()?);
        self.connection.insert(connection).send(line)
    }
}

/// A socket that leads to the reader.
struct Connection {
    fd: OwnedFd,
    /// It keeps no lines apart: each ends with a NUL.
    stream: bool,
}

impl Connection {
    fn open() -> io::Result<Connection> {
        match Connection::of(SockType::Datagram) {
            Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
                Connection::of(SockType::Stream)
            }
            opened => opened,
        }
    }

    fn of(kind: SockType) -> io::Result<Connection> {
        inject::fail(Call::Socket)?;
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket::socket(AddressFamily::Unix, kind, flags, None)?;
        inject::fail(Call::Connect)?;
        socket::connect(fd.as_raw_fd(), &UnixAddr::new(PATH)?)?;
        Ok(Connection { fd, stream: kind == SockType::Stream })
    }

    /// Whether all of it went: a stream may take a part, and is of no more use then.
    fn send(&self, line: &str) -> io::Result<bool> {
        let end: &[u8] = if self.stream { b"\0" } else { b"" };
        Ok(net::send(self.fd.as_fd(), line.as_bytes(), end)? == line.len() + end.len())
    }
}

/// The reader has no room now.
fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS))
}

fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

/// At most so many bytes of the text, whole characters.
fn begin_of(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// A second since the epoch in local time.
fn local(second: u64) -> Option<libc::tm> {
    let second = second.try_into().ok()?;
    // SAFETY: all zero is a valid `struct tm`; its pointer may be none.
    let mut time: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both live through the call, which writes the second.
    let done = unsafe { libc::localtime_r(&second, &mut time) };
    (!done.is_null()).then_some(time)
}

/// What stands before each line.
fn head(time: Option<&libc::tm>, ident: &str) -> String {
    let mut head = format!("<{PRIORITY}>");
    if let Some(time) = time {
        let month = usize::try_from(time.tm_mon).ok().and_then(|month| MONTHS.get(month));
        let libc::tm { tm_mday, tm_hour, tm_min, tm_sec, .. } = time;
        let month = month.unwrap_or(&"");
        let _ = write!(head, "{month} {tm_mday:>2} {tm_hour:02}:{tm_min:02}:{tm_sec:02} ");
    }
    head + ident + ": "
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use nix::sys::socket::sockopt;

    use super::*;

    #[test]
    fn lines_begin_as_those_of_the_c_library() {
        let at = |month, day| {
            let mut time = local(0).unwrap();
            (time.tm_mon, time.tm_mday) = (month, day);
            (time.tm_hour, time.tm_min, time.tm_sec) = (1, 58, 9);
            head(Some(&time), "supervisord")
        };
        assert_eq!(at(10, 21), "<14>Nov 21 01:58:09 supervisord: ");
        assert_eq!(at(0, 1), "<14>Jan  1 01:58:09 supervisord: ");
        assert_eq!(head(None, "x"), "<14>x: ");
    }

    #[test]
    fn a_line_has_its_parts_until_a_nul_and_the_head_of_its_second() {
        let mut state = State { ident: "d".to_owned(), ..State::new() };
        let text = |line: String| line.split_once(" d: ").unwrap().1.to_owned();
        let day = Duration::from_secs(86_400);
        let first = state.compose(&["web", " ", "ü\tx"], day);
        let second = state.compose(&["web", " ", "a\0b"], day * 40);
        assert_ne!(first.get(..19), second.get(..19));
        assert_eq!([text(first), text(second)], ["web ü\tx", "web a"]);
        assert_eq!(text(state.compose(&[""], day)), "");
    }

    #[test]
    fn a_part_of_a_text_has_whole_characters() {
        assert_eq!(begin_of("aüb", 1), "a");
        assert_eq!(begin_of("aüb", 2), "a");
        assert_eq!(begin_of("aüb", 3), "aü");
        assert_eq!(begin_of("üü", 1), "");
    }

    /// A connection of a process's own, and its other end.
    fn connected() -> (State, UnixDatagram) {
        let (ours, other) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let connection = Arc::new(Connection { fd: ours.into(), stream: false });
        (State { connection: Some(connection), ..State::new() }, other)
    }

    #[test]
    fn a_line_that_the_socket_calls_too_long_is_cut() {
        let (mut state, other) = connected();
        let fd = &state.connection.as_ref().unwrap().fd;
        socket::setsockopt(fd, sockopt::SndBuf, &4096).unwrap();
        let error = state.send_or_cut(&"ü".repeat(50_000)).unwrap_err();
        assert!(is_too_long(&error), "{error}");
        let mut buffer = [0; 100_000];
        let got = other.recv(&mut buffer).unwrap();
        assert!(got >= SHORTEST, "{got} bytes");
        assert_eq!(std::str::from_utf8(&buffer[..got]).unwrap(), "ü".repeat(got / 2));
        state.send_or_cut("short").unwrap();
        assert_eq!(other.recv(&mut buffer).unwrap(), 5);
    }

    #[test]
    fn a_reader_without_room_refuses_the_line() {
        let (mut state, _other) = connected();
        let refused = (0..100_000).find_map(|_| state.send_or_cut("line").err()).unwrap();
        assert!(is_full(&refused), "{refused}");
        assert!(state.connection.is_some(), "it may be waited for");
    }

    #[test]
    fn a_stalled_reader_is_waited_for_once_and_then_now_and_then() {
        let mut state = State::new();
        let begin = Instant::now();
        assert_eq!(state.patience(begin), PATIENCE);
        state.stalled = Some(begin);
        assert_eq!(state.patience(begin + PROBE_EVERY / 2), Duration::ZERO);
        assert_eq!(state.patience(begin + PROBE_EVERY), PROBE);
        assert_eq!(state.patience(begin + PROBE_EVERY), Duration::ZERO, "one at a time");
        assert_eq!(state.patience(begin + 2 * PROBE_EVERY), PROBE);
    }
}
