//! The server's bounds, and what it reports when one of them is met.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::options::LogLevel;

/// Every bound of a server. A deadline ends its connection.
#[derive(Clone)]
pub struct Limits {
    /// Connections at a time, those with a request in flight included. At the bound the oldest
    /// that does nothing makes room; if all wait for answers, newcomers wait in the kernel.
    pub connections: usize,
    /// How many of them only a unix socket may use.
    pub reserved_for_unix: usize,
    /// Bytes of request line and headers.
    pub head_bytes: usize,
    /// Bytes of one request's body.
    pub body_bytes: usize,
    /// Bytes of all bodies that are being received or answered, as far as they have come.
    pub bodies_bytes: usize,
    /// Bytes of all answers that wait for slow readers; beyond, the slowest is dropped.
    pub unsent_bytes: usize,
    /// From the first byte of a head to its end.
    pub head_time: Duration,
    /// From a connection's beginning, or its last answer, to the next request.
    pub idle_time: Duration,
    /// From the end of the head to the end of the body: for all of it, so that a body sent by
    /// drops ends too.
    pub body_time: Duration,
    /// Of a body that stops for so long the memory may be given to another body.
    pub body_quiet: Duration,
    /// Of one that takes so long, too.
    pub body_slow: Duration,
    /// How long a reader of an answer may take nothing of it. Also how long a [`super::Stream`]
    /// waits for its reader.
    pub unread_time: Duration,
    /// How long a pool thread that answered waits for the next request on the same connection.
    pub linger: Duration,
    /// How long a pool thread waits for a reader before the rest becomes the acceptor's.
    pub send_time: Duration,
    /// How long the answer to a peer's first wrong password waits; the second one twice as long
    /// and so on, up to [`Limits::login_delay_most`].
    pub login_delay: Duration,
    /// The longest of these delays.
    pub login_delay_most: Duration,
    /// Told of every trouble: once, and again each minute that it lasts. Called by the server's
    /// threads, so it must not block.
    pub on_error: Arc<dyn Fn(HttpNotice) + Send + Sync>,
    /// Told of every answer when it goes out, in the words of the common log format. They are
    /// put together only if they are asked for. Must not block either.
    pub on_answer: OnAnswer,
}

/// See [`Limits::on_answer`].
pub type OnAnswer = Arc<dyn Fn(&dyn fmt::Display) + Send + Sync>;

impl Limits {
    /// With no more connections than leave enough of so many descriptors to the rest of the
    /// process: clients must not keep programs from being started.
    #[must_use]
    pub fn within(mut self, descriptors: u64) -> Limits {
        /// Fewer would be of no use to anybody.
        const LEAST: usize = 16;
        // A stream takes two.
        let most = usize::try_from(descriptors / 4).unwrap_or(usize::MAX).max(LEAST);
        self.connections = self.connections.min(most);
        self.reserved_for_unix = self.reserved_for_unix.min(self.connections / 4);
        self
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 512,
            reserved_for_unix: 64,
            head_bytes: 16 << 10,
            body_bytes: 16 << 20,
            bodies_bytes: 32 << 20,
            unsent_bytes: 64 << 20,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            body_time: Duration::from_secs(60),
            body_quiet: Duration::from_secs(1),
            body_slow: Duration::from_secs(5),
            unread_time: Duration::from_secs(60),
            linger: Duration::from_millis(5),
            send_time: Duration::from_millis(5),
            login_delay: Duration::from_millis(250),
            login_delay_most: Duration::from_secs(3),
            on_error: Arc::new(|_| {}),
            on_answer: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// What can trouble the server as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No descriptor is left to accept with: newcomers are closed at once, or wait.
    Descriptors,
    /// Accepting fails for another reason; it is tried again after a second.
    Accept,
    /// All connections are in use and none is idle: newcomers wait.
    Connections,
    /// The bodies of all requests together are too large: a request was refused.
    Bodies,
    /// Too many calls wait and too many logs are followed: one more was refused.
    Leases,
    /// The answers that nobody reads are too large: a connection was dropped.
    Unsent,
    /// Waiting for the connections failed; some were dropped.
    Poll,
    /// A defect: a connection was dropped, or more than one.
    Panic,
    /// More answers came than there are requests: one was dropped.
    Queue,
    /// A browser sent a request for another site: it was refused.
    Foreign,
    /// A wrong name or password: told once of each peer, until it has given none for a minute.
    Login,
}

impl Trouble {
    /// How loud it is in the activity log.
    pub fn level(self) -> LogLevel {
        match self {
            // The server is well; somebody else may not be.
            Trouble::Foreign | Trouble::Login => LogLevel::Warn,
            Trouble::Descriptors
            | Trouble::Accept
            | Trouble::Connections
            | Trouble::Bodies
            | Trouble::Leases
            | Trouble::Unsent
            | Trouble::Poll
            | Trouble::Panic
            | Trouble::Queue => LogLevel::Error,
        }
    }
}

/// The statuses of answers that are counted: refusals, each by its kind.
pub const ANSWERS_COUNTED: [u16; 9] = [400, 401, 403, 404, 411, 413, 431, 500, 503];

/// How many kinds of trouble there are.
const TROUBLES: usize = Trouble::Login as usize + 1;

/// One report for the activity log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpNotice {
    /// The kind.
    pub trouble: Trouble,
    /// What the system said of it; may be empty.
    pub detail: String,
    /// How often it happened since the last report, this time included.
    pub times: u64,
}

impl fmt::Display for HttpNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.trouble {
            Trouble::Descriptors => "HTTP server: out of file descriptors, a client was refused",
            Trouble::Accept => "HTTP server: could not accept a connection",
            Trouble::Connections => "HTTP server: all connections are in use, clients must wait",
            Trouble::Bodies => "HTTP server: too many large requests at a time, one was refused",
            Trouble::Leases => "HTTP server: too many calls wait at a time, one was refused",
            Trouble::Unsent => "HTTP server: too many unread answers, a connection was dropped",
            Trouble::Poll => "HTTP server: could not wait for connections, one was dropped",
            Trouble::Panic => "HTTP server: a defect ended a connection",
            Trouble::Queue => "HTTP server: an answer had no place in the queue",
            Trouble::Foreign => {
                "HTTP server: a request from another site was refused (allowed_hosts tells which \
                 names are this server's)"
            }
            Trouble::Login => "HTTP server: wrong user name or password, answers are slowed",
        })?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if self.times > 1 {
            write!(f, " ({} times)", self.times)?;
        }
        Ok(())
    }
}

/// Counts troubles and lets the first of each kind through, then one a minute.
pub(super) struct Notices {
    on_error: Arc<dyn Fn(HttpNotice) + Send + Sync>,
    slots: Mutex<[Slot; TROUBLES]>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    reported: Option<Instant>,
    since: u64,
    total: u64,
}

/// The rest between two reports of one kind.
const QUIET: Duration = Duration::from_secs(60);

impl Notices {
    pub(super) fn new(on_error: Arc<dyn Fn(HttpNotice) + Send + Sync>) -> Notices {
        Notices { on_error, slots: Mutex::default() }
    }

    /// Counts it, and reports it unless its kind was reported within the last minute.
    pub(super) fn report(&self, trouble: Trouble, detail: impl fmt::Display) {
        let now = Instant::now();
        let times = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(slot) = slots.get_mut(trouble as usize) else { return };
            slot.total += 1;
            slot.since += 1;
            if slot.reported.is_some_and(|at| now.duration_since(at) < QUIET) {
                return;
            }
            slot.reported = Some(now);
            std::mem::take(&mut slot.since)
        };
        self.pass_on(HttpNotice { trouble, detail: detail.to_string(), times });
    }

    /// Reports what is bounded otherwise.
    pub(super) fn tell(&self, trouble: Trouble, detail: impl fmt::Display) {
        {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(slot) = slots.get_mut(trouble as usize) else { return };
            slot.total += 1;
        }
        self.pass_on(HttpNotice { trouble, detail: detail.to_string(), times: 1 });
    }

    fn pass_on(&self, notice: HttpNotice) {
        // A defect in the listener of troubles must not end the thread that has one.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.on_error)(notice)));
    }

    /// How often that happened since the start.
    pub(super) fn count(&self, trouble: Trouble) -> u64 {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(trouble as usize).map_or(0, |slot| slot.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_others() {
        let table = [
            (u64::MAX, (512, 64)),
            (2048, (512, 64)),
            (1024, (256, 64)),
            (256, (64, 16)),
            (64, (16, 4)),
            (0, (16, 4)),
        ];
        for (descriptors, wanted) in table {
            let Limits { connections, reserved_for_unix, .. } =
                Limits::default().within(descriptors);
            assert_eq!((connections, reserved_for_unix), wanted, "{descriptors}");
        }
    }

    #[test]
    fn a_trouble_is_told_once_and_counted() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let notices = Notices::new({
            let told = Arc::clone(&told);
            Arc::new(move |notice: HttpNotice| told.lock().unwrap().push(notice.to_string()))
        });
        for _ in 0..3 {
            notices.report(Trouble::Accept, "EPERM");
        }
        notices.report(Trouble::Queue, "");
        assert_eq!(
            *told.lock().unwrap(),
            [
                "HTTP server: could not accept a connection: EPERM",
                "HTTP server: an answer had no place in the queue"
            ]
        );
        assert_eq!((notices.count(Trouble::Accept), notices.count(Trouble::Poll)), (3, 0));
    }
}
