//! Who gets the memory for bodies when there is none left. Without this, a few clients that stop
//! in the middle of what they send would keep every other large body out.
//!
//! A body that lacks memory waits. Unix sockets come first, then whichever waits for longest. It
//! gets what is given back, and what others have to give: those of which nothing has come for
//! [`Limits::body_quiet`], those that take longer than [`Limits::body_slow`], and for a unix
//! socket any that comes by TCP. TCP never gets what a unix socket has. Should all of them wait
//! for each other, the youngest gives way.
//!
//! [`Limits::body_quiet`]: crate::http::Limits::body_quiet
//! [`Limits::body_slow`]: crate::http::Limits::body_slow

use std::time::Instant;

use super::Acceptor;
use crate::http::connection::Connection;

impl Acceptor {
    /// Lets bodies that lack memory have what there is.
    pub(super) fn feed(&mut self) {
        while let Some(at) = self.hungriest() {
            let Some(hungry) = self.connections.get(at) else { return };
            let act = if self.core.has_memory(hungry.lacks()) {
                (at, Connection::advance as fn(_) -> _)
            } else if let Some(victim) = self.victim(hungry) {
                (victim, Connection::give_way as fn(_) -> _)
            } else {
                return;
            };
            let connection = self.connections.remove(act.0);
            self.step(connection, act.1);
        }
    }

    /// The body that gets memory next.
    fn hungriest(&self) -> Option<usize> {
        let hungry = self.connections.iter().enumerate().filter(|(_, c)| c.lacks() > 0);
        hungry.min_by_key(|(_, c)| (!c.info().is_unix(), c.began())).map(|(at, _)| at)
    }

    /// Whose memory it gets, if anybody's.
    fn victim(&self, hungry: &Connection) -> Option<usize> {
        let now = Instant::now();
        let others = || {
            let same = |other: &Connection| std::ptr::eq(other, hungry);
            let bodies = self.connections.iter().map(|other| &**other).enumerate();
            bodies.filter_map(move |(at, c)| Some((at, c, c.yields_at()?)).filter(|_| !same(c)))
        };
        let is_unix = hungry.info().is_unix();
        let due = others().filter(|(_, other, yields_at)| match other.info().is_unix() {
            true => is_unix && *yields_at <= now,
            false => is_unix || *yields_at <= now,
        });
        let due = due.min_by_key(|(_, other, yields_at)| (other.info().is_unix(), *yields_at));
        let stuck = || {
            let waiting = self.connections.iter().filter(|c| c.lacks() > 0);
            let all = waiting.map(|c| c.held()).sum::<usize>() == self.core.memory_held();
            let youngest =
                others().max_by_key(|(_, other, _)| (!other.info().is_unix(), other.began()));
            youngest.filter(|_| all)
        };
        due.or_else(stuck).map(|(at, _, _)| at)
    }

    /// When a body that lacks memory may get another's, if no time-out or client comes before.
    pub(super) fn fed_at(&self, now: Instant) -> Option<Instant> {
        self.hungriest()?;
        let bodies = self.connections.iter().filter_map(|connection| connection.yields_at());
        bodies.filter(|yields_at| *yields_at > now).min()
    }
}
