//! One connection and the phase it is in. Whoever holds it, acceptor or pool thread, moves it on
//! with [`Connection::advance`], which never blocks.

mod body;
mod sending;

use std::io::ErrorKind;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::auth::{self, Access};
use super::core::Core;
use super::head::{Framing, Head, end_of_head};
use super::limits::Trouble;
use super::origin::{Marks, Names};
use super::output::Output;
use super::request::Request;
use crate::config::host::Host as _;
use crate::config::options::ServerAddress;
use crate::config::quote::quote_short;
use crate::sys::net::{self, ListenerInfo, Peer};
use crate::sys::poll;
use crate::sys::users::Machine;

pub(super) use self::sending::LAST_TIME;

/// The first buffer; nearly all requests fit in.
const FIRST_READ: usize = 2048;
/// Bodies up to this length are not counted against all bodies together: so many connections
/// as there may be can't hold much of these.
const SMALL_BODY: usize = 16 << 10;
/// For so long a connection is safe from making room for others.
const SPARED: Duration = Duration::from_millis(100);
/// Reads or writes in one turn, so that one busy connection doesn't hold up the others.
const STEPS: usize = 64;

/// Where a connection stands.
enum Phase {
    /// No request yet, or a part of its head.
    Head,
    /// The head has come; so many bytes of body must follow.
    Body(Head, usize),
    /// A wrong password: the answer waits for the deadline.
    Withheld(Vec<u8>),
    /// An answer is on its way.
    Sending(Then),
    /// Answered for good; so many bytes were read away.
    Draining(usize),
}

/// What comes after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Keep,
    Close,
    /// Close, but read away first what the client still sends.
    Drain,
}

/// What [`Connection::advance`] came to.
pub(super) enum Turn {
    /// Nothing more can be done now.
    Wait(Box<Connection>),
    /// A whole request.
    Request(Request),
    /// It is over.
    Close,
}

/// What one step of a phase came to.
enum Step {
    Again,
    Wait,
    Ready(Head, Vec<u8>),
    Close,
}

/// The order in which connections make room for newcomers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    Refused,
    Idle,
    HalfHead,
    HalfBody,
    Unread,
}

pub(super) struct Connection {
    socket: OwnedFd,
    core: Arc<Core>,
    info: Arc<ListenerInfo>,
    peer: Peer,
    phase: Phase,
    /// When the phase ends, one way or the other.
    deadline: Instant,
    /// When it came, or was last answered.
    since: Instant,
    /// Received, not yet consumed.
    input: Vec<u8>,
    /// So much of the input holds no end of a head.
    searched: usize,
    output: Output,
    /// Bytes counted in [`Core::hold`].
    held: usize,
    /// Bytes that [`Core::hold`] refused; the body is not read on without them.
    lacks: usize,
    /// When the body began to come, and when the last of it came.
    began: Instant,
    heard: Instant,
    /// Whether the socket knows how long a pool thread lingers.
    patient: bool,
    /// Reads and writes left in this turn.
    budget: usize,
}

impl Connection {
    pub(super) fn new(
        socket: OwnedFd,
        core: &Arc<Core>,
        info: &Arc<ListenerInfo>,
        peer: Peer,
        now: Instant,
    ) -> Box<Connection> {
        core.connected(info.is_unix());
        Box::new(Connection {
            socket,
            core: Arc::clone(core),
            info: Arc::clone(info),
            peer,
            phase: Phase::Head,
            deadline: now + core.limits.idle_time,
            since: now,
            input: Vec::new(),
            searched: 0,
            output: Output::default(),
            held: 0,
            lacks: 0,
            began: now,
            heard: now,
            patient: false,
            budget: 0,
        })
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(super) fn info(&self) -> &Arc<ListenerInfo> {
        &self.info
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the connection waits for a request of which nothing has come.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Head) && self.input.is_empty()
    }

    /// Whether more of a request is read when it comes.
    pub(super) fn is_receiving(&self) -> bool {
        self.lacks == 0 && matches!(self.phase, Phase::Head | Phase::Body(..))
    }

    pub(super) fn is_sending(&self) -> bool {
        matches!(self.phase, Phase::Sending(_))
    }

    /// Bytes of its answer that the client has not taken.
    pub(super) fn unsent(&self) -> usize {
        self.output.unsent()
    }

    /// From when on it may make room for others: one that only just came is about to ask.
    pub(super) fn spared_until(&self) -> Instant {
        match self.phase {
            // Else those who guess passwords would keep others waiting.
            Phase::Withheld(_) => self.since,
            _ => self.since + SPARED,
        }
    }

    /// How soon it makes room for others.
    pub(super) fn worth(&self) -> Worth {
        match self.phase {
            Phase::Withheld(_) | Phase::Draining(_) => Worth::Refused,
            Phase::Head if self.input.is_empty() => Worth::Idle,
            Phase::Head => Worth::HalfHead,
            Phase::Body(..) => Worth::HalfBody,
            Phase::Sending(_) => Worth::Unread,
        }
    }

    /// What to poll for.
    pub(super) fn events(&self) -> i16 {
        match self.phase {
            // Nothing but its end, of which `poll` tells anyway.
            Phase::Body(..) if self.lacks > 0 => 0,
            Phase::Head | Phase::Body(..) | Phase::Draining(_) => poll::IN,
            Phase::Sending(_) => poll::OUT,
            Phase::Withheld(_) => net::HUNG_UP,
        }
    }

    /// Gives the buffer of an idle connection back.
    pub(super) fn rest(&mut self) {
        if self.is_idle() {
            self.input = Vec::new();
        }
    }

    /// Does all that can be done without waiting.
    pub(super) fn advance(mut self: Box<Self>) -> Turn {
        self.budget = STEPS;
        loop {
            let step = match self.phase {
                Phase::Head => self.step_head(),
                Phase::Body(_, length) => self.step_body(length),
                // The answer's time is the deadline, unless the client has gone before.
                Phase::Withheld(_) if net::peer_gone(self.socket.as_fd()) => Step::Close,
                Phase::Withheld(_) => Step::Wait,
                Phase::Sending(_) if self.budget == 0 => Step::Wait,
                Phase::Sending(then) => {
                    self.budget -= 1;
                    self.step_sending(then)
                }
                Phase::Draining(read) => self.step_draining(read),
            };
            match step {
                Step::Again => {}
                Step::Wait => return Turn::Wait(self),
                Step::Ready(head, body) => return Turn::Request(Request::new(head, body, self)),
                Step::Close => return Turn::Close,
            }
        }
    }

    /// The deadline has passed: a withheld answer is due, a body that never got its memory is
    /// refused, all else is over.
    pub(super) fn expire(mut self: Box<Self>) -> Turn {
        if self.lacks > 0 {
            return self.give_way();
        }
        match mem::replace(&mut self.phase, Phase::Head) {
            Phase::Withheld(answer) => {
                self.load(answer, Vec::new(), Then::Drain);
                self.advance()
            }
            Phase::Head | Phase::Body(..) | Phase::Sending(_) | Phase::Draining(_) => Turn::Close,
        }
    }

    fn step_head(&mut self) -> Step {
        // Empty lines before a request are nothing.
        let (pairs, _) = self.input.as_chunks::<2>();
        let empty = 2 * pairs.iter().take_while(|pair| *pair == b"\r\n").count();
        if empty > 0 {
            self.input.drain(..empty);
            self.searched = 0;
        }
        let most = self.core.limits.head_bytes;
        if let Some(end) = end_of_head(&self.input, self.searched) {
            return if end > most { self.refuse(431) } else { self.take_head(end) };
        }
        self.searched = self.input.len();
        if self.input.len() >= most {
            return self.refuse(431);
        }
        if self.input.capacity() - self.input.len() < FIRST_READ / 8 {
            self.input.reserve(FIRST_READ);
        }
        let first = self.input.is_empty();
        let step = self.read();
        self.begun(first, step)
    }

    /// Gives a head its time, if a first part of it has come.
    fn begun(&mut self, first: bool, step: Step) -> Step {
        if first && matches!(step, Step::Again) {
            // Never later than before, lest empty lines keep the connection for ever.
            self.deadline = self.deadline.min(Instant::now() + self.core.limits.head_time);
        }
        step
    }

    /// Waits [`super::Limits::linger`] for the next request on an idle connection. `false`: none
    /// came, or the connection is over, which [`Connection::advance`] will find too.
    pub(super) fn linger(&mut self) -> bool {
        let socket = self.socket.as_fd();
        if !self.patient {
            self.patient = net::set_patience(socket, self.core.limits.linger).is_ok();
        }
        if self.input.capacity() == 0 {
            self.input.reserve(FIRST_READ);
        }
        let came = self.patient && matches!(net::receive_waiting(socket, &mut self.input), Ok(1..));
        if came {
            self.begun(true, Step::Again);
        }
        came
    }

    /// Judges a head that is complete, before anything of the body is waited for.
    fn take_head(&mut self, end: usize) -> Step {
        let Ok(head) = Head::parse(self.input.get(..end).unwrap_or_default()) else {
            return self.refuse(400);
        };
        match auth::check(self.info.credentials(), head.header("authorization")) {
            Access::Granted => {}
            Access::Malformed => return self.refuse(400),
            Access::Missing => return self.refuse(401),
            Access::Wrong => return self.withhold(),
        }
        if head.method() == "POST" && self.is_foreign(&head) {
            let marks = Marks::of(&head);
            let site = marks.origin.or(marks.referer).unwrap_or("unknown");
            let host = marks.host.unwrap_or_default();
            let detail = format!("site {}, Host {}", quote_short(site), quote_short(host));
            self.core.notices.report(Trouble::Foreign, detail);
            return self.refuse(403);
        }
        let length = match head.framing() {
            Framing::Unknown => return self.refuse(411),
            Framing::None => 0,
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= self.core.limits.body_bytes => length,
                _ => return self.refuse(413),
            },
        };
        self.searched = 0;
        let all_there = self.input.len() - end;
        if all_there >= length && self.input.capacity() <= SMALL_BODY {
            // The usual case: the buffer stays for the next request.
            let body = self.input.get(end..end + length).unwrap_or_default().to_vec();
            self.input.drain(..end + length);
            return Step::Ready(head, body);
        }
        self.input.drain(..end);
        self.began = Instant::now();
        self.heard = self.began;
        self.deadline = self.began + self.core.limits.body_time;
        self.phase = Phase::Body(head, length);
        Step::Again
    }

    /// One read into the buffer's spare room.
    fn read(&mut self) -> Step {
        // Whatever was received is looked at; what was not makes `poll` return again.
        let Some(budget) = self.budget.checked_sub(1) else { return Step::Wait };
        self.budget = budget;
        match net::receive(self.socket.as_fd(), &mut self.input) {
            Ok(0) => Step::Close,
            Ok(_) => Step::Again,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Step::Wait,
            Err(_) => Step::Close,
        }
    }

    /// Whether a browser sends the request for another site. Then it may change nothing.
    pub(super) fn is_foreign(&self, head: &Head) -> bool {
        let marks = Marks::of(head);
        if !marks.is_marked() {
            return false;
        }
        let server = self.info.server();
        let listening = match &server.address {
            ServerAddress::Inet { host, .. } => host,
            ServerAddress::Unix { .. } => "",
        };
        let machine = Machine.node_name();
        marks.is_foreign(&Names { listed: &server.allowed_hosts, listening, machine: &machine })
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.release_body();
        self.core.disconnected(self.info.is_unix());
    }
}
