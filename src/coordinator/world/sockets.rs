//! Who shares which FastCGI socket, and until when it stays open.
//!
//! A socket is open from the first spawn that needs it for as long as one of its processes lives
//! or will live again by itself. After a stop by request it stays a little longer, so that a
//! restart refuses nobody: connections wait for the next child. That little while begins when the
//! first half of such a restart is over, however long others take to stop: when nobody in the
//! group is on his way down any more, and the client has its answers.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Effect, ProcessId, RequestId, World};
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
    /// Nobody does, but others that the same restart may stop have not all stopped yet.
    Held,
    /// Nobody does; it closes then.
    KeptUntil(Mono),
}

#[derive(Clone, Debug)]
struct Shared {
    members: Vec<ProcessId>,
    /// All processes of the group.
    group: Arc<[ProcessId]>,
    opening: Opening,
    /// The last stop by request, or the end of the hold that followed it, if nothing was started
    /// since.
    stopped: Option<Mono>,
    /// Unanswered requests to stop processes that it is held for.
    requests: usize,
}

/// The sockets of all active groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Sockets {
    of: BTreeMap<ProcessId, SocketId>,
    /// For each process of a group that has sockets: those.
    near: BTreeMap<ProcessId, Arc<[SocketId]>>,
    all: BTreeMap<SocketId, Shared>,
    /// The sockets that an unanswered request to stop processes holds.
    stopping: BTreeMap<RequestId, BTreeSet<SocketId>>,
}

impl Sockets {
    /// A group became active; its processes have these ids, in configured order.
    pub(super) fn add(&mut self, group: &Group, ids: &[ProcessId]) {
        let all: Arc<[ProcessId]> = ids.into();
        let mut near = BTreeSet::new();
        for (id, first) in ids.iter().zip(sharing(group)) {
            let Some(first) = first.and_then(|place| ids.get(place)) else { continue };
            let socket = SocketId(*first);
            near.insert(socket);
            self.of.insert(*id, socket);
            let (members, group, requests) = (Vec::new(), Arc::clone(&all), 0);
            let (opening, stopped) = (Opening::Closed, None);
            let new = || Shared { members, group, opening, stopped, requests };
            self.all.entry(socket).or_insert_with(new).members.push(*id);
        }
        if !near.is_empty() {
            let near: Arc<[SocketId]> = near.into_iter().collect();
            self.near.extend(ids.iter().map(|id| (*id, Arc::clone(&near))));
        }
    }

    /// A request stops these. It holds their sockets, and those that are kept already: a restart
    /// of several programs stops one after another before it starts them.
    pub(super) fn stop_begins(&mut self, request: RequestId, processes: &[ProcessId]) {
        let kept = self.all.iter().filter(|(_, shared)| shared.is_kept()).map(|(id, _)| *id);
        let own = processes.iter().filter_map(|id| self.of.get(id).copied());
        let sockets: BTreeSet<SocketId> = own.chain(kept).collect();
        for socket in &sockets {
            if let Some(shared) = self.all.get_mut(socket) {
                shared.requests += 1;
            }
        }
        if !sockets.is_empty() {
            self.stopping.insert(request, sockets);
        }
    }

    /// The request is answered; the sockets that it held.
    fn stop_ends(&mut self, request: RequestId) -> Vec<SocketId> {
        let sockets = self.stopping.remove(&request).unwrap_or_default();
        for socket in &sockets {
            if let Some(shared) = self.all.get_mut(socket) {
                shared.requests -= 1;
            }
        }
        sockets.into_iter().collect()
    }

    /// Those that a request holds and that are still to close at some time.
    fn to_be_held(&self) -> impl Iterator<Item = SocketId> {
        let all = self.stopping.values().flatten().copied();
        all.filter(|id| self.all.get(id).is_some_and(|shared| shared.due().is_some()))
    }

    /// The socket of a process, for tests.
    #[cfg(test)]
    pub(super) fn of(&self, process: ProcessId) -> Option<SocketId> {
        self.of.get(&process).copied()
    }

    /// When one closes, for tests.
    #[cfg(test)]
    pub(super) fn deadline_of(&self, socket: SocketId) -> Option<Mono> {
        self.all.get(&socket)?.due()
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

/// Whether others of the group may now be waited for, or no longer.
fn changes_who_stops(effect: &machine::Effect) -> bool {
    let stops = |state: ProcessState| state == ProcessState::Stopping;
    matches!(effect, machine::Effect::Transition(t) if stops(t.from) || stops(t.to))
}

impl Shared {
    /// One of its processes did this.
    fn note(&mut self, now: Mono, effect: &machine::Effect) {
        match effect {
            machine::Effect::Spawn(_) => {
                self.opening = Opening::Needed;
                self.stopped = None;
            }
            // Only requests end there.
            machine::Effect::Transition(t) if t.to == ProcessState::Stopped => {
                self.stopped = Some(now);
            }
            machine::Effect::Transition(_)
            | machine::Effect::Notice(_)
            | machine::Effect::Signal { .. }
            | machine::Effect::CallOff(_)
            | machine::Effect::Drain(_) => {}
        }
    }

    /// Nobody needs it, and yet it is open.
    fn is_kept(&self) -> bool {
        match self.opening {
            Opening::Held | Opening::KeptUntil(_) => true,
            Opening::Closed | Opening::Needed => false,
        }
    }

    fn due(&self) -> Option<Mono> {
        match self.opening {
            Opening::KeptUntil(until) => Some(until),
            Opening::Closed | Opening::Needed | Opening::Held => None,
        }
    }

    /// What it comes to, now that somebody needs it or not, and others are still to stop or not.
    fn decide(&mut self, now: Mono, needed: bool, others_stop: bool) -> Opening {
        if self.opening == Opening::Held && !others_stop {
            self.stopped = self.stopped.map(|_| now);
        }
        match self.stopped.map(|at| at + GRACE) {
            _ if self.opening == Opening::Closed => Opening::Closed,
            _ if needed => Opening::Needed,
            Some(_) if others_stop => Opening::Held,
            Some(until) if until > now => Opening::KeptUntil(until),
            Some(_) | None => Opening::Closed,
        }
    }
}

impl World {
    /// Sees to the sockets that what a process did may concern: those that are to be closed.
    pub(super) fn tend_sockets(
        &mut self,
        now: Now,
        id: ProcessId,
        done: &[machine::Effect],
    ) -> Vec<Effect> {
        let own = self.sockets.of.get(&id).copied();
        let shared = own.and_then(|socket| self.sockets.all.get_mut(&socket));
        if let Some(shared) = shared {
            done.iter().for_each(|effect| shared.note(now.mono, effect));
        }
        let near = self.sockets.near.get(&id).filter(|_| done.iter().any(changes_who_stops));
        let concerned = near.map_or_else(|| own.into_iter().collect(), |near| near.to_vec());
        let mut closed = Vec::new();
        self.settle_sockets(now, concerned, &mut closed);
        closed
    }

    /// Sees to what requests for stops hold: no longer once they are answered.
    pub(super) fn hold_sockets(&mut self, now: Now, out: &mut Vec<Effect>) {
        let all = self.sockets.stopping.keys().copied();
        let answered: Vec<_> = all.filter(|request| !self.requests.is_open(*request)).collect();
        let mut concerned = Vec::new();
        for request in answered {
            concerned.extend(self.sockets.stop_ends(request));
        }
        concerned.extend(self.sockets.to_be_held());
        self.settle_sockets(now, concerned, out);
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
        let process = |id: &ProcessId| self.members.get(id).map(|member| &member.process);
        let stops = |id| process(id).is_some_and(|p| p.state() == ProcessState::Stopping);
        let needed =
            shared.members.iter().filter_map(process).any(|process| process.is_live(may_spawn));
        // While the daemon leaves nothing is kept for a restart.
        shared.stopped = shared.stopped.filter(|_| may_spawn);
        let others_stop = shared.requests > 0 || shared.group.iter().any(stops);
        let opening = shared.decide(now.mono, needed, others_stop);
        let closes = shared.opening != opening && opening == Opening::Closed;
        shared.opening = opening;
        closes.then_some(Effect::CloseSocket(socket))
    }

    /// These processes are gone, or their ends don't matter any more: their sockets close.
    pub(super) fn forget_sockets(&mut self, ids: &[ProcessId], out: &mut Vec<Effect>) {
        for id in ids {
            self.sockets.near.remove(id);
            let Some(socket) = self.sockets.of.remove(id) else { continue };
            let shared = self.sockets.all.remove(&socket);
            if shared.is_some_and(|shared| shared.opening != Opening::Closed) {
                out.push(Effect::CloseSocket(socket));
            }
        }
    }
}
