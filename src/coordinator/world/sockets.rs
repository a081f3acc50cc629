//! Who shares which FastCGI socket, and until when it stays open.
//!
//! A socket is open from the first spawn that needs it for as long as one of its processes lives
//! or will live again by itself. After a stop by request it stays a little longer, so that a
//! restart refuses nobody: connections wait for the next child.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Effect, ProcessId, World};
use crate::config::options::{FcgiAddress, Group};
use crate::process::machine;
use crate::process::state::ProcessState;
use crate::process::time::{Mono, Now};

/// How long a socket stays open after a stop by request.
const GRACE: Duration = Duration::from_secs(2);

/// For each process of a group the place of the first one that has the same socket: members of
/// one program share it, and so do programs of one group that name the same place.
pub fn sharing(group: &Group) -> Vec<Option<usize>> {
    let address = |place: usize| group.processes.get(place)?.socket.as_ref().map(|s| &s.address);
    let first = |wanted| {
        (0..group.processes.len())
            .find(|place| address(*place).is_some_and(|found| is_same(found, wanted)))
    };
    (0..group.processes.len()).map(|place| first(address(place)?)).collect()
}

/// Whether two addresses have one URL.
pub fn is_same(a: &FcgiAddress, b: &FcgiAddress) -> bool {
    use FcgiAddress as A;
    match (a, b) {
        (A::Tcp { host, port }, A::Tcp { host: other, port: same }) => {
            (host, port) == (other, same)
        }
        (A::Unix { path, .. }, A::Unix { path: other, .. }) => path == other,
        (A::Tcp { .. }, A::Unix { .. }) | (A::Unix { .. }, A::Tcp { .. }) => false,
    }
}

/// Tells sockets apart, by the first of the processes that share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(pub ProcessId);

/// Whether a socket is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// No spawn has needed it since it was last closed.
    Closed,
    /// A process needs it.
    Needed,
    /// Nobody does; it closes then.
    KeptUntil(Mono),
}

#[derive(Clone, Debug)]
struct Shared {
    members: Vec<ProcessId>,
    opening: Opening,
    /// The last stop by request, if nothing was started since.
    stopped: Option<Mono>,
}

/// The sockets of all active groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Sockets {
    of: BTreeMap<ProcessId, SocketId>,
    all: BTreeMap<SocketId, Shared>,
}

impl Sockets {
    /// A group became active; its processes have these ids, in configured order.
    pub(super) fn add(&mut self, group: &Group, ids: &[ProcessId]) {
        for (id, first) in ids.iter().zip(sharing(group)) {
            let Some(first) = first.and_then(|place| ids.get(place)) else { continue };
            let socket = SocketId(*first);
            self.of.insert(*id, socket);
            let (members, opening, stopped) = (Vec::new(), Opening::Closed, None);
            let new = || Shared { members, opening, stopped };
            self.all.entry(socket).or_insert_with(new).members.push(*id);
        }
    }

    /// The socket of a process, for tests.
    #[cfg(test)]
    pub(super) fn of(&self, process: ProcessId) -> Option<SocketId> {
        self.of.get(&process).copied()
    }

    /// All that exist.
    pub(super) fn ids(&self) -> Vec<SocketId> {
        self.all.keys().copied().collect()
    }

    /// When one is due.
    pub(super) fn next_deadline(&self) -> Option<Mono> {
        self.all.values().filter_map(Shared::due).min()
    }

    /// Those that are due.
    pub(super) fn due(&self, now: Mono) -> Vec<SocketId> {
        let is_due = |shared: &Shared| shared.due().is_some_and(|due| due <= now);
        self.all.iter().filter(|(_, shared)| is_due(shared)).map(|(id, _)| *id).collect()
    }
}

impl Shared {
    fn due(&self) -> Option<Mono> {
        match self.opening {
            Opening::KeptUntil(until) => Some(until),
            Opening::Closed | Opening::Needed => None,
        }
    }

    /// What it comes to, now that this is so. While the daemon leaves nothing is kept for a
    /// restart.
    fn decide(&self, now: Mono, needed: bool, leaving: bool) -> Opening {
        let grace = self.stopped.map(|at| at + GRACE).filter(|until| *until > now && !leaving);
        match grace {
            _ if self.opening == Opening::Closed => Opening::Closed,
            _ if needed => Opening::Needed,
            Some(until) => Opening::KeptUntil(until),
            None => Opening::Closed,
        }
    }
}

impl World {
    /// Sees to the socket of a process that did this: whether it is to be closed.
    pub(super) fn tend_socket(
        &mut self,
        now: Now,
        id: ProcessId,
        done: &[machine::Effect],
    ) -> Option<Effect> {
        let socket = *self.sockets.of.get(&id)?;
        let shared = self.sockets.all.get_mut(&socket)?;
        for effect in done {
            match effect {
                machine::Effect::Spawn(_) => {
                    shared.opening = Opening::Needed;
                    shared.stopped = None;
                }
                // Only requests end there.
                machine::Effect::Transition(t) if t.to == ProcessState::Stopped => {
                    shared.stopped = Some(now.mono);
                }
                machine::Effect::Transition(_)
                | machine::Effect::Notice(_)
                | machine::Effect::Signal { .. }
                | machine::Effect::CallOff(_)
                | machine::Effect::Drain(_) => {}
            }
        }
        self.settle_socket(now, socket)
    }

    /// Decides anew about some sockets.
    pub(super) fn settle_sockets(
        &mut self,
        now: Now,
        sockets: Vec<SocketId>,
        out: &mut Vec<Effect>,
    ) {
        out.extend(sockets.into_iter().filter_map(|socket| self.settle_socket(now, socket)));
    }

    fn settle_socket(&mut self, now: Now, socket: SocketId) -> Option<Effect> {
        let may_spawn = self.may_spawn();
        let shared = self.sockets.all.get_mut(&socket)?;
        let mut members = shared.members.iter().filter_map(|id| self.members.get(id));
        let needed = members.any(|member| member.process.is_live(may_spawn));
        let opening = shared.decide(now.mono, needed, !may_spawn);
        let closes = shared.opening != opening && opening == Opening::Closed;
        shared.opening = opening;
        closes.then_some(Effect::CloseSocket(socket))
    }

    /// These processes are gone, or their ends don't matter any more: their sockets close.
    pub(super) fn forget_sockets(&mut self, ids: &[ProcessId], out: &mut Vec<Effect>) {
        for id in ids {
            let Some(socket) = self.sockets.of.remove(id) else { continue };
            let shared = self.sockets.all.remove(&socket);
            if shared.is_some_and(|shared| shared.opening != Opening::Closed) {
                out.push(Effect::CloseSocket(socket));
            }
        }
    }
}
