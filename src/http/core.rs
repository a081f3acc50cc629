//! What the acceptor, the pool's threads and every connection share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, mem};

use super::auth::FailedLogins;
use super::connection::Connection;
use super::limits::{ANSWERS_COUNTED, Limits, Notices, Trouble};
use crate::sys::net::{Listener, Peer};
use crate::sys::poll::Waker;

/// Shared state of one server. Nothing here waits for anything but a short lock.
pub(super) struct Core {
    pub(super) limits: Limits,
    pub(super) notices: Notices,
    /// Wakes the acceptor.
    pub(super) waker: Waker,
    /// Work that no thread has taken yet; answers don't wait for slow readers then.
    pub(super) backlog: AtomicUsize,
    inbox: Mutex<Inbox>,
    tcp: AtomicUsize,
    unix: AtomicUsize,
    /// The acceptor wants to know when a connection ends.
    room_wanted: AtomicBool,
    bodies: AtomicUsize,
    /// A body waits for memory.
    memory_wanted: AtomicBool,
    /// See [`super::lease::Lease`].
    pub(super) leases: AtomicUsize,
    /// Bytes of unfinished answers that have one.
    pub(super) leased: AtomicUsize,
    stopped: AtomicBool,
    failed_logins: Mutex<FailedLogins>,
    pub(super) answers: Answers,
}

/// How many answers of each status that is an error went out.
#[derive(Default)]
pub(super) struct Answers([AtomicU64; ANSWERS_COUNTED.len()]);

impl Answers {
    pub(super) fn add(&self, status: u16) {
        if let Some(count) = self.of(status) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count(&self, status: u16) -> u64 {
        self.of(status).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn of(&self, status: u16) -> Option<&AtomicU64> {
        self.0.get(ANSWERS_COUNTED.iter().position(|counted| *counted == status)?)
    }
}

/// What waits for the acceptor. Bounded: each connection is in one place only.
#[derive(Default)]
pub(super) struct Inbox {
    /// Answered, or with a rest of an answer.
    #[expect(clippy::vec_box, reason = "they move between lists and threads")]
    pub(super) returned: Vec<Box<Connection>>,
    /// The listeners from now on.
    pub(super) listeners: Option<Vec<Listener>>,
}

impl Core {
    pub(super) fn new(limits: Limits) -> io::Result<Core> {
        Ok(Core {
            notices: Notices::new(limits.on_error.clone()),
            limits,
            waker: Waker::new()?,
            backlog: AtomicUsize::new(0),
            inbox: Mutex::default(),
            tcp: AtomicUsize::new(0),
            unix: AtomicUsize::new(0),
            room_wanted: AtomicBool::new(false),
            bodies: AtomicUsize::new(0),
            memory_wanted: AtomicBool::new(false),
            leases: AtomicUsize::new(0),
            leased: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            failed_logins: Mutex::default(),
            answers: Answers::default(),
        })
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the connection the acceptor's.
    pub(super) fn give_back(&self, connection: Box<Connection>) {
        let mut inbox = self.inbox();
        // Checked under the lock, and the acceptor looks once more after it stopped.
        if self.is_stopped() {
            drop(inbox);
            return connection.send_last();
        }
        inbox.returned.push(connection);
        let first = inbox.returned.len() == 1;
        drop(inbox);
        // Whoever made the inbox not empty has woken it.
        if first {
            self.waker.wake();
        }
    }

    pub(super) fn replace_listeners(&self, listeners: Vec<Listener>) {
        self.inbox().listeners = Some(listeners);
        self.waker.wake();
    }

    pub(super) fn take_inbox(&self) -> Inbox {
        let mut inbox = self.inbox();
        Inbox { returned: mem::take(&mut inbox.returned), listeners: inbox.listeners.take() }
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Connections by TCP and by unix socket.
    pub(super) fn connections(&self) -> (usize, usize) {
        (self.tcp.load(Ordering::SeqCst), self.unix.load(Ordering::SeqCst))
    }

    pub(super) fn connected(&self, unix: bool) {
        let count = if unix { &self.unix } else { &self.tcp };
        count.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn disconnected(&self, unix: bool) {
        let count = if unix { &self.unix } else { &self.tcp };
        count.fetch_sub(1, Ordering::SeqCst);
        if self.room_wanted.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    /// From now on the next end of a connection wakes the acceptor.
    pub(super) fn want_room(&self) {
        self.room_wanted.store(true, Ordering::SeqCst);
    }

    /// Reserves memory for a body, unless all bodies together would be too large.
    pub(super) fn hold(&self, bytes: usize) -> bool {
        let most = self.limits.bodies_bytes;
        let add = |held: usize| held.checked_add(bytes).filter(|&sum| sum <= most);
        self.bodies.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add).is_ok()
    }

    /// Whether so much could be reserved now. If not, what is given back wakes the acceptor.
    pub(super) fn has_memory(&self, bytes: usize) -> bool {
        // Before the look, lest what is given back between the two wakes nobody.
        self.memory_wanted.store(true, Ordering::SeqCst);
        self.memory_held().saturating_add(bytes) <= self.limits.bodies_bytes
    }

    /// Bytes reserved for bodies.
    pub(super) fn memory_held(&self) -> usize {
        self.bodies.load(Ordering::SeqCst)
    }

    pub(super) fn release(&self, bytes: usize) {
        self.bodies.fetch_sub(bytes, Ordering::SeqCst);
        if self.memory_wanted.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    /// Notes a wrong password, and tells of it if the peer's last one is long ago; returns how
    /// long its answer waits.
    pub(super) fn login_failed(&self, peer: Peer, now: Instant) -> Duration {
        let Limits { login_delay, login_delay_most, .. } = self.limits;
        let failed = {
            let mut logins = self.failed_logins.lock().unwrap_or_else(PoisonError::into_inner);
            logins.failed(peer.host(), now, login_delay, login_delay_most)
        };
        if failed.first {
            let host = peer.host().map_or_else(|| "a local client".into(), |ip| ip.to_string());
            self.notices.tell(Trouble::Login, host);
        }
        failed.delay
    }
}
