//! The thread that owns every connection which is idle, half sent or slow to read. One `poll`
//! waits for all of them and for newcomers; without connections it has no time-out.

mod memory;

use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::connection::{Connection, LAST_TIME, Turn, Worth};
use super::core::Core;
use super::defect::panic_text;
use super::limits::Trouble;
use super::request::Request;
use super::waiting::Desertable;
use crate::sys::net::{AcceptError, Listener};
use crate::sys::poll::{self, PollFd};

/// Newcomers taken from one listener before the others get their turn.
const ACCEPTS_A_TURN: usize = 64;
/// Entries of the list for `poll` before the listeners: the waker, and the clients of parked jobs.
const BEFORE_LISTENERS: usize = 2;
/// How long the listeners rest when accepting fails and nothing here can cure it.
const PAUSE: Duration = Duration::from_secs(1);

/// A lack of descriptors that is shorter refuses nobody.
const LACK: Duration = Duration::from_millis(500);

/// How often it is looked whether it is over.
const MOMENT: Duration = Duration::from_millis(10);

pub(super) struct Acceptor {
    core: Arc<Core>,
    deliver: Box<dyn Fn(Request) + Send>,
    waiting: Arc<dyn Desertable>,
    listeners: Vec<Listener>,
    #[expect(clippy::vec_box, reason = "they move between lists and threads")]
    connections: Vec<Box<Connection>>,
    /// The list of the last `poll`, kept for its memory.
    polled: Vec<PollFd>,
    /// A descriptor to give up when there is none to accept with.
    reserve: Option<OwnedFd>,
    /// Since when newcomers wait because descriptors lack.
    lacking_since: Option<Instant>,
    paused_until: Option<Instant>,
    /// Set once the server is stopped: the end of all answers.
    ends: Option<Instant>,
}

/// What came of one attempt to accept.
enum Accepted {
    Go,
    Enough,
    /// No listener is asked before then.
    Pause(Instant),
}

impl Acceptor {
    pub(super) fn new(
        core: Arc<Core>,
        listeners: Vec<Listener>,
        deliver: Box<dyn Fn(Request) + Send>,
        waiting: Arc<dyn Desertable>,
    ) -> io::Result<Acceptor> {
        let reserve = Some(core.waker.duplicate()?);
        Ok(Acceptor {
            core,
            deliver,
            waiting,
            listeners,
            connections: Vec::new(),
            polled: Vec::new(),
            reserve,
            lacking_since: None,
            paused_until: None,
            ends: None,
        })
    }

    /// The thread's whole life.
    pub(super) fn run(mut self) {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(panic) => {
                    self.core.notices.report(Trouble::Panic, panic_text(&*panic));
                    // Whichever connection it was, it is gone then. Should it be none of them,
                    // a pause keeps the next panic from following at once.
                    self.connections.clear();
                    thread::park_timeout(PAUSE);
                }
            }
        }
        // What came in after the last look and before it was known that nobody looks any more.
        for connection in self.core.take_inbox().returned {
            connection.send_last();
        }
    }

    /// Takes what was handed in, waits, serves what is ready, accepts.
    fn turn(&mut self) -> ControlFlow<()> {
        self.collect();
        if self.core.is_stopped() {
            self.wind_up()?;
        }
        self.feed();
        let ready = self.wait();
        self.serve(&ready);
        self.accept_all(&ready);
        self.polled = ready;
        ControlFlow::Continue(())
    }

    fn collect(&mut self) {
        let inbox = self.core.take_inbox();
        if let Some(listeners) = inbox.listeners {
            self.listeners = listeners;
            self.connections.retain(|c| !(c.info().is_closed() && c.worth() <= Worth::Idle));
        }
        for connection in inbox.returned {
            if connection.is_sending() {
                self.connections.push(connection);
                self.bound_unsent();
            } else if !connection.info().is_closed() {
                self.step(connection, Connection::advance);
            }
        }
    }

    /// After a stop only answers that are on their way keep this thread, for a while.
    fn wind_up(&mut self) -> ControlFlow<()> {
        self.listeners.clear();
        self.connections.retain(|connection| connection.is_sending());
        let ends = *self.ends.get_or_insert_with(|| Instant::now() + LAST_TIME);
        if self.connections.is_empty() || Instant::now() >= ends {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Waits for the waker, for clients of parked jobs to leave, the listeners and the
    /// connections, listed in this order.
    fn wait(&mut self) -> Vec<PollFd> {
        let now = Instant::now();
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        if self.reserve.is_none() {
            self.reserve = self.core.waker.duplicate().ok();
        }
        let mut list = mem::take(&mut self.polled);
        list.clear();
        list.push(poll::entry(self.core.waker.as_raw_fd(), poll::IN));
        list.push(poll::entry(self.waiting.descriptor(), poll::IN));
        let mut room_at = None;
        for listener in &self.listeners {
            let room = match self.paused_until {
                Some(_) => None,
                None => self.room(listener.info().is_unix(), now),
            };
            let open = room == Some(now);
            if !open {
                room_at = room_at.into_iter().chain(room).min();
            }
            // A negative descriptor is passed over.
            list.push(poll::entry(if open { listener.as_raw_fd() } else { -1 }, poll::IN));
        }
        list.extend(self.connections.iter().map(|c| poll::entry(c.as_raw_fd(), c.events())));
        let deadlines = self.connections.iter().map(|connection| connection.deadline());
        let others = [self.paused_until, room_at, self.fed_at(now), self.ends];
        let deadline = deadlines.chain(others.into_iter().flatten()).min();
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(now));
        match poll::poll(&mut list, timeout) {
            Ok(_) => {
                if list.first().is_some_and(|waker| waker.revents != 0) {
                    self.core.waker.clear();
                }
                if list.get(1).is_some_and(|leavers| leavers.revents != 0) {
                    self.waiting.drop_deserted();
                }
            }
            Err(error) => {
                self.core.notices.report(Trouble::Poll, error);
                // Most likely the process may now have fewer descriptors than are listed.
                list.iter_mut().for_each(|entry| entry.revents = 0);
                if !self.evict(|_| true) {
                    thread::park_timeout(PAUSE);
                }
            }
        }
        list
    }

    /// Moves on the connections that are ready or whose time is over.
    fn serve(&mut self, ready: &[PollFd]) {
        let first = BEFORE_LISTENERS + self.listeners.len();
        let now = Instant::now();
        let before = mem::take(&mut self.connections);
        self.connections.reserve(before.len());
        // After an eviction the lists differ, so they are matched by descriptor.
        let mut entries = ready.iter().skip(first);
        for connection in before {
            let fd = connection.as_raw_fd();
            let revents = entries.find(|entry| entry.fd == fd).map_or(0, |entry| entry.revents);
            if revents != 0 && connection.lacks() > 0 {
                // Its client is gone.
            } else if revents != 0 {
                self.step(connection, Connection::advance);
            } else if connection.deadline() <= now {
                self.step(connection, Connection::expire);
            } else {
                self.connections.push(connection);
            }
        }
    }

    /// Moves one connection on; a panic costs this connection alone.
    fn step(&mut self, connection: Box<Connection>, act: fn(Box<Connection>) -> Turn) {
        match catch_unwind(AssertUnwindSafe(|| act(connection))) {
            Ok(Turn::Wait(mut connection)) => {
                connection.rest();
                self.connections.push(connection);
            }
            Ok(Turn::Request(request)) => (self.deliver)(request),
            Ok(Turn::Close) => {}
            Err(panic) => self.core.notices.report(Trouble::Panic, panic_text(&*panic)),
        }
    }

    fn accept_all(&mut self, ready: &[PollFd]) {
        let listeners = ready.iter().skip(BEFORE_LISTENERS).enumerate();
        for (at, _) in listeners.filter(|(_, entry)| entry.revents != 0) {
            let Some(listener) = self.listeners.get(at).cloned() else { return };
            for _ in 0..ACCEPTS_A_TURN {
                match self.accept(&listener) {
                    Accepted::Go => {}
                    Accepted::Enough => break,
                    Accepted::Pause(until) => {
                        self.paused_until = Some(until);
                        return;
                    }
                }
            }
        }
    }

    fn accept(&mut self, listener: &Listener) -> Accepted {
        if !self.make_room(listener.info().is_unix()) {
            return Accepted::Enough;
        }
        match listener.accept() {
            Ok((socket, peer)) => {
                self.lacking_since = None;
                let now = Instant::now();
                let connection = Connection::new(socket, &self.core, listener.info(), peer, now);
                self.step(connection, Connection::advance);
                Accepted::Go
            }
            Err(AcceptError::Nobody) => {
                self.lacking_since = None;
                Accepted::Enough
            }
            Err(AcceptError::Broken) => Accepted::Go,
            Err(AcceptError::Descriptors(error)) => {
                self.core.notices.report(Trouble::Descriptors, error);
                self.out_of_descriptors(listener)
            }
            // It was closed a moment ago, and a message that says so is on its way.
            Err(AcceptError::Other(_)) if listener.info().is_closed() => Accepted::Enough,
            Err(AcceptError::Other(error)) => {
                self.core.notices.report(Trouble::Accept, error);
                Accepted::Pause(Instant::now() + PAUSE)
            }
        }
    }

    /// An idle connection makes room, at once or soon. Where there is none, the newcomer waits for
    /// a moment, as starts of programs take more descriptors than they keep, and then is closed
    /// with the reserve's, so that it learns what would otherwise keep `poll` awake for ever.
    fn out_of_descriptors(&mut self, listener: &Listener) -> Accepted {
        let now = Instant::now();
        if self.evict(|c| c.worth() <= Worth::Idle && c.spared_until() <= now) {
            return Accepted::Go;
        }
        let idle = self.connections.iter().filter(|c| c.worth() <= Worth::Idle);
        if let Some(soon) = idle.map(|c| c.spared_until()).min() {
            return Accepted::Pause(soon);
        }
        if now.duration_since(*self.lacking_since.get_or_insert(now)) < LACK {
            return Accepted::Pause(now + MOMENT);
        }
        if self.reserve.take().is_none() {
            return Accepted::Pause(now + PAUSE);
        }
        let closed = listener.accept().is_ok();
        self.reserve = self.core.waker.duplicate().ok();
        if closed && self.reserve.is_some() { Accepted::Go } else { Accepted::Pause(now + PAUSE) }
    }

    /// Whether TCP has all the connections that it may have.
    fn tcp_full(&self) -> bool {
        let limits = &self.core.limits;
        let (tcp, _) = self.core.connections();
        tcp >= limits.connections.saturating_sub(limits.reserved_for_unix)
    }

    /// Whether the bound lets such a newcomer in now.
    fn below_bound(&self, unix: bool) -> bool {
        let (tcp, local) = self.core.connections();
        tcp + local < self.core.limits.connections && (unix || !self.tcp_full())
    }

    /// Whether such a newcomer can be let in now, if need be in another's place, or when that is
    /// to be asked again; `None`: once a connection has ended.
    fn room(&self, unix: bool, now: Instant) -> Option<Instant> {
        if self.below_bound(unix) {
            return Some(now);
        }
        let only_tcp = !unix && self.tcp_full();
        let victims = self.connections.iter().filter(|c| !(only_tcp && c.info().is_unix()));
        if let Some(soonest) = victims.map(|victim| victim.spared_until()).min() {
            return Some(soonest.max(now));
        }
        self.core.notices.report(Trouble::Connections, "");
        self.core.want_room();
        // One may have ended before it was known that this matters.
        self.below_bound(unix).then_some(now)
    }

    /// Lets a newcomer in, in the place of the connection worth least, if it must be. TCP makes
    /// room first; a part is reserved for the unix socket.
    fn make_room(&mut self, unix: bool) -> bool {
        while !self.below_bound(unix) {
            let now = Instant::now();
            let only_tcp = !unix && self.tcp_full();
            let evicted = self.evict(|c| !c.info().is_unix() && c.spared_until() <= now)
                || (!only_tcp && self.evict(|c| c.spared_until() <= now));
            if !evicted {
                return false;
            }
        }
        true
    }

    /// Closes the one that is worth least and nearest to its end, of those that fit.
    fn evict(&mut self, fits: impl Fn(&Connection) -> bool) -> bool {
        let candidates = self.connections.iter().enumerate().filter(|(_, c)| fits(c));
        let Some((at, _)) = candidates.min_by_key(|(_, c)| (c.worth(), c.deadline())) else {
            return false;
        };
        self.connections.remove(at);
        true
    }

    /// Answers that nobody reads may not pile up: the one unread for longest goes.
    fn bound_unsent(&mut self) {
        let unsent = |connections: &[Box<Connection>]| -> usize {
            connections.iter().map(|connection| connection.unsent()).sum()
        };
        while unsent(&self.connections) > self.core.limits.unsent_bytes {
            self.core.notices.report(Trouble::Unsent, "");
            if !self.evict(|connection| connection.is_sending()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options::{HttpServer, ServerAddress};
    use crate::http::Limits;
    use crate::http::waiting::Waiting;
    use crate::sys::net::Peer;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_panic_costs_one_connection() {
        let section = HttpServer {
            section: "inet_http_server".into(),
            address: ServerAddress::Inet { host: "127.0.0.1".into(), port: 0 },
            credentials: None,
            allowed_hosts: Vec::new(),
        };
        let listener = Listener::open(&section, &mut |_| {}).unwrap();
        // Even whoever is told of it may panic.
        let on_error = Arc::new(|_| panic!("again"));
        let core = Arc::new(Core::new(Limits { on_error, ..Limits::default() }).unwrap());
        let deliver = Box::new(|_| {});
        let waiting = Arc::new(Waiting::<()>::new().unwrap());
        let mut acceptor =
            Acceptor::new(Arc::clone(&core), vec![listener.clone()], deliver, waiting).unwrap();
        let mut clients = Vec::new();
        for act in [Connection::advance, |_| panic!("a defect")] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            clients.push(theirs);
            let now = Instant::now();
            let peer = Peer::Local;
            acceptor.step(Connection::new(ours.into(), &core, listener.info(), peer, now), act);
        }
        assert_eq!(core.connections(), (1, 0));
        assert_eq!(core.notices.count(Trouble::Panic), 1);
    }
}
