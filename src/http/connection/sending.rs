//! A connection's answers: sent, withheld, and what follows them.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::{Connection, FIRST_READ, Phase, Step, Then};
use crate::http::access::{Answered, Asked};
use crate::http::head::version_of;
use crate::http::output::{Output, refusal};
use crate::sys::{net, poll};

/// How long, and how many bytes, a refused request's rest is read away. Closing before that
/// would let the kernel drop the refusal too.
const DRAIN_TIME: Duration = Duration::from_secs(2);
const DRAIN_BYTES: usize = 32 << 20;
/// How long an answer may still be sent once the server was stopped.
pub(in crate::http) const LAST_TIME: Duration = Duration::from_secs(2);

impl Connection {
    pub(super) fn step_sending(&mut self, then: Then) -> Step {
        match self.send() {
            Ok(()) if self.output.unsent() > 0 => Step::Again,
            Ok(()) => self.sent(then),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Step::Wait,
            Err(_) => Step::Close,
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let (head, body) = self.output.rest();
        self.output.sent += net::send(self.socket.as_fd(), head, body)?;
        if self.output.unsent() > 0 {
            self.deadline = Instant::now() + self.core.limits.unread_time;
        }
        Ok(())
    }

    /// The answer is out.
    fn sent(&mut self, then: Then) -> Step {
        self.output = Output::default();
        match then {
            Then::Close => Step::Close,
            Then::Keep => {
                self.phase = Phase::Head;
                let limits = &self.core.limits;
                let time = if self.input.is_empty() { limits.idle_time } else { limits.head_time };
                self.since = Instant::now();
                self.deadline = self.since + time;
                if self.input.is_empty() { Step::Wait } else { Step::Again }
            }
            Then::Drain => {
                net::end_sending(self.socket.as_fd());
                self.input = Vec::with_capacity(FIRST_READ);
                self.deadline = Instant::now() + DRAIN_TIME;
                self.phase = Phase::Draining(0);
                Step::Again
            }
        }
    }

    pub(super) fn step_draining(&mut self, read: usize) -> Step {
        self.input.clear();
        let step = self.read();
        let read = read + self.input.len();
        self.phase = Phase::Draining(read);
        if read > DRAIN_BYTES { Step::Close } else { step }
    }

    /// The refusal of what stands in the input, or is being received as its body.
    fn refusal(&self, status: u16) -> Vec<u8> {
        let (request, answer) = match &self.phase {
            Phase::Body(head, _) => {
                let answer = refusal(status, head.version(), head.method() == "HEAD");
                (Asked::Request(head), answer)
            }
            _ => {
                let head_only = self.input.starts_with(b"HEAD ");
                let answer = refusal(status, version_of(&self.input), head_only);
                (Asked::Received(&self.input), answer)
            }
        };
        self.tell(request, status, answer.len());
        answer
    }

    /// Tells of an answer of so many bytes.
    pub(in crate::http) fn tell(&self, request: Asked<'_>, status: u16, bytes: usize) {
        let line = Answered { peer: self.peer, request, status, bytes };
        (self.core.limits.on_answer)(&line);
        self.core.answers.add(status);
    }

    /// Answers with an error and ends the connection: where its next request would begin is
    /// either unknown or not worth the wait.
    pub(super) fn refuse(&mut self, status: u16) -> Step {
        let answer = self.refusal(status);
        self.input = Vec::new();
        self.release_body();
        self.load(answer, Vec::new(), Then::Drain);
        Step::Again
    }

    /// Refuses a wrong password, but later.
    pub(super) fn withhold(&mut self) -> Step {
        let now = Instant::now();
        let answer = self.refusal(401);
        self.input = Vec::new();
        self.deadline = now + self.core.login_failed(self.peer, now);
        self.phase = Phase::Withheld(answer);
        Step::Wait
    }

    /// Sets the answer to be sent.
    pub(in crate::http) fn load(&mut self, head: Vec<u8>, body: Vec<u8>, then: Then) {
        self.output = Output { head, body, sent: 0 };
        self.deadline = Instant::now() + self.core.limits.unread_time;
        self.phase = Phase::Sending(then);
    }

    /// Sends the answer, waiting a little for the reader unless others wait for this thread.
    /// `None`: it is sent and the connection over, or broken.
    pub(in crate::http) fn send_soon(mut self: Box<Self>) -> Option<Box<Connection>> {
        let mut deadline = None;
        while let Phase::Sending(then) = self.phase {
            match self.step_sending(then) {
                Step::Close => return None,
                Step::Again | Step::Ready(..) => {}
                Step::Wait if !self.is_sending() => break,
                Step::Wait => {
                    let limits = &self.core.limits;
                    let until = *deadline.get_or_insert_with(|| Instant::now() + limits.send_time);
                    let busy = self.core.backlog.load(std::sync::atomic::Ordering::Relaxed) > 0;
                    if busy || net::wait_until(self.socket.as_fd(), poll::OUT, until).is_err() {
                        break;
                    }
                }
            }
        }
        Some(self)
    }

    /// Sends what is left of an answer when no acceptor will do it any more.
    pub(in crate::http) fn send_last(mut self: Box<Self>) {
        let deadline = Instant::now() + LAST_TIME;
        while let Phase::Sending(then) = self.phase {
            match self.step_sending(then) {
                Step::Again => {}
                Step::Close | Step::Ready(..) => return,
                Step::Wait => {
                    if net::wait_until(self.socket.as_fd(), poll::OUT, deadline).is_err() {
                        return;
                    }
                }
            }
        }
    }
}
