//! A connection's bodies: received as memory allows, which all bodies share.
//!
//! Only what has come is counted. When there is no more memory for a body it is not read on, and
//! the acceptor finds some: see `acceptor/memory.rs`.

use std::mem;
use std::time::Instant;

use super::{Connection, FIRST_READ, Phase, SMALL_BODY, Step, Turn};
use crate::http::limits::Trouble;

impl Connection {
    pub(super) fn step_body(&mut self, length: usize) -> Step {
        if self.input.len() >= length {
            return self.take_body(length);
        }
        // The buffer grows with what has come, never with what was announced.
        if self.input.capacity() == self.input.len() {
            let more = self.input.len().max(FIRST_READ).min(length - self.input.len());
            let counted = self.input.len() + more;
            if counted > SMALL_BODY.max(self.held) {
                let lacking = counted - self.held;
                if !self.core.hold(lacking) {
                    self.lacks = lacking;
                    return Step::Wait;
                }
                self.held = counted;
            }
            self.lacks = 0;
            self.input.reserve_exact(more);
        }
        let step = self.read();
        if matches!(step, Step::Again) {
            self.heard = Instant::now();
        }
        step
    }

    fn take_body(&mut self, length: usize) -> Step {
        let Phase::Body(head, _) = mem::replace(&mut self.phase, Phase::Head) else {
            return Step::Close;
        };
        let next = self.input.split_off(length);
        let mut body = mem::replace(&mut self.input, next);
        if body.capacity() > body.len().saturating_mul(2) {
            body.shrink_to_fit();
        }
        Step::Ready(head, body)
    }

    /// Bytes without which its body is not read on; 0: it is read.
    pub(in crate::http) fn lacks(&self) -> usize {
        self.lacks
    }

    /// Bytes counted for its body.
    pub(in crate::http) fn held(&self) -> usize {
        self.held
    }

    /// When its body began to come.
    pub(in crate::http) fn began(&self) -> Instant {
        self.began
    }

    /// From when on its body may give its memory to another; `None`: it has none.
    pub(in crate::http) fn yields_at(&self) -> Option<Instant> {
        if self.held == 0 || !matches!(self.phase, Phase::Body(..)) {
            return None;
        }
        let limits = &self.core.limits;
        let slow = self.began + limits.body_slow;
        // One that is not read can't show that its client is there.
        Some(if self.lacks > 0 { slow } else { slow.min(self.heard + limits.body_quiet) })
    }

    /// Refuses the request whose body is being received, for lack of memory.
    pub(in crate::http) fn give_way(mut self: Box<Self>) -> Turn {
        self.core.notices.report(Trouble::Bodies, self.peer);
        self.refuse(503);
        self.advance()
    }

    /// The request's body is no longer ours to count.
    pub(in crate::http) fn release_body(&mut self) {
        self.lacks = 0;
        if self.held > 0 {
            self.core.release(mem::take(&mut self.held));
        }
    }
}
