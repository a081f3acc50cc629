//! One pool of listeners: the buffer of its events, and who gets the next one.
//!
//! An event waits in the buffer until a member is RUNNING, READY, and has been written all that
//! it was sent before. That member holds it until it accepts it. One that it rejects, or that it
//! still holds when it ends, goes back to the head of this pool's buffer. When the buffer is
//! full its oldest event is lost.
//!
//! Every function ends by sending what can be sent, so an event never waits while a member could
//! take it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::notice::Notice;
use super::overflow::{Loss, Overflow};
use super::payload::Event;
use super::protocol::{Listener, ListenerState, Said};
use super::serial::{Counter, PoolSerial, Serial};
use super::subscription::Subscription;
use crate::config::options::EventLength as Length;
use crate::process::state::ProcessState;
use crate::process::time::Mono;

/// Memory that the buffered events of a pool may take, whatever their number. Payloads that
/// pools share are counted in each.
const BYTES_MAX: usize = 16 << 20;

/// A pool as configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, that of its group.
    pub name: Arc<str>,
    /// The daemon's "identifier".
    pub server: Arc<str>,
    /// "events".
    pub events: Subscription,
    /// "buffer_size", events; one is held even if it is 0.
    pub buffer_size: usize,
    /// "event_length".
    pub length: Length,
    /// "ack_timeout": how long a result may take; `None`: for ever.
    pub ack_timeout: Option<Duration>,
    /// The names of its processes, in configured order.
    pub members: Vec<Arc<str>>,
}

/// A process of the pool: its place in the configured order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberIndex(pub usize);

/// Whether a member has been written all that was sent to its stdin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing waits.
    Written,
    /// Something waits for the member to read.
    Waiting,
}

/// What a listener's thread tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It wrote to its stdout.
    Output {
        /// What.
        data: Vec<u8>,
        /// Whether it had been written all that it was sent.
        stdin: Stdin,
    },
    /// It has read all that it was sent.
    Written,
    /// It has closed its stdin.
    Refused,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write to the stdin of a member.
    Send {
        /// Which.
        member: MemberIndex,
        /// All of the event.
        bytes: Vec<u8>,
    },
    /// Write a line to the activity log.
    Notice(Notice),
    /// A member broke the protocol and gets no more events until it is spawned again.
    Lost(MemberIndex),
}

/// An event that the pool has accepted.
#[derive(Clone, Debug)]
struct Accepted {
    event: Event,
    serial: Serial,
    pool_serial: PoolSerial,
}

impl Accepted {
    /// Memory that it takes in the buffer, bytes.
    fn size(&self) -> usize {
        size_of::<Accepted>() + self.event.payload().len()
    }
}

/// One process of the pool.
#[derive(Clone, Debug)]
struct Member {
    name: Arc<str>,
    is_running: bool,
    child: Child,
}

/// What belongs to one spawn of a member.
#[derive(Clone, Debug, Default)]
struct Child {
    listener: Listener,
    /// The event that it was sent and has not accepted.
    held: Option<Accepted>,
    /// When its result must have come.
    due: Option<Mono>,
    stdin: StdinState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum StdinState {
    #[default]
    Open,
    /// A part of an event waits for the member to read.
    Waiting,
    /// The member has closed it.
    Closed,
}

impl Member {
    /// When the result that it owes must have come.
    fn due(&self) -> Option<Mono> {
        self.child.due.filter(|_| self.child.held.is_some())
    }

    fn can_take(&self) -> bool {
        self.takes_part()
            && self.child.stdin == StdinState::Open
            && self.child.listener.state() == ListenerState::Ready
    }

    /// It may yet take an event or answer for one.
    fn takes_part(&self) -> bool {
        self.is_running
            && self.child.stdin != StdinState::Closed
            && self.child.listener.state() != ListenerState::Unknown
    }
}

/// Where an event enters the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Head,
    Tail,
}

/// One pool of listeners.
#[derive(Clone, Debug)]
pub struct Pool {
    settings: Settings,
    members: Vec<Member>,
    buffer: VecDeque<Accepted>,
    /// Memory that the buffer's events take.
    bytes: usize,
    serials: Counter,
    overflow: Overflow,
}

impl Pool {
    /// One whose members have not run yet.
    pub fn new(settings: Settings) -> Pool {
        let member = |name: &Arc<str>| Member {
            name: Arc::clone(name),
            is_running: false,
            child: Child::default(),
        };
        Pool {
            members: settings.members.iter().map(member).collect(),
            settings,
            buffer: VecDeque::new(),
            bytes: 0,
            serials: Counter::default(),
            overflow: Overflow::default(),
        }
    }

    /// What it wants to hear of.
    pub fn events(&self) -> Subscription {
        self.settings.events
    }

    /// Takes an event that it wants; one that no pool has taken yet gets its number from
    /// `serials`. Pools are to be offered an event in the order of their priorities.
    pub fn offer(
        &mut self,
        event: &mut Event,
        serials: &mut Counter,
        now: Mono,
        out: &mut Vec<Effect>,
    ) {
        if !self.settings.events.wants(event.kind()) {
            return;
        }
        let serial = event.number(serials);
        let pool_serial = PoolSerial(self.serials.take());
        let accepted = Accepted { event: event.clone(), serial, pool_serial };
        self.store(accepted, End::Tail, now, out);
        self.dispatch(now, out);
    }

    /// Events wait for it, or for a member's result, and a member still takes part.
    pub fn owes(&self) -> bool {
        let waits = !self.buffer.is_empty() && self.members.iter().any(Member::takes_part);
        waits || self.members.iter().any(|m| m.takes_part() && m.child.held.is_some())
    }

    /// A member's process enters another state than RUNNING. To be told before the event of that
    /// change is offered, which is not for this member any more.
    pub fn leaves(&mut self, member: MemberIndex) {
        if let Some(found) = self.members.get_mut(member.0) {
            found.is_running = false;
        }
    }

    /// A member's process has entered a state. To be told after the event of that change was
    /// offered; RUNNING of a process that has ended meanwhile is not to be told.
    pub fn transition(
        &mut self,
        member: MemberIndex,
        to: ProcessState,
        now: Mono,
        out: &mut Vec<Effect>,
    ) {
        use ProcessState as S;
        let Some(found) = self.members.get_mut(member.0) else { return };
        found.is_running = to == S::Running;
        match to {
            S::Running | S::Stopping | S::Unknown => {}
            S::Starting | S::Backoff | S::Exited | S::Stopped | S::Fatal => {
                let held = std::mem::take(&mut found.child).held;
                self.give_back(held, now, out);
            }
        }
        self.dispatch(now, out);
    }

    /// A member wrote to its stdout. `stdin` tells whether all that it was sent had been written
    /// by then; if not, [`Pool::written`] follows once it is.
    pub fn output(
        &mut self,
        member: MemberIndex,
        data: &[u8],
        stdin: Stdin,
        now: Mono,
        out: &mut Vec<Effect>,
    ) {
        if let Some(found) = self.members.get_mut(member.0) {
            found.child.note(stdin);
        }
        let mut rest = data;
        while let Some(said) = self.read(member, &mut rest) {
            self.hear(member, said, now, out);
        }
        self.dispatch(now, out);
    }

    /// A member has read all that waited for it.
    pub fn written(&mut self, member: MemberIndex, now: Mono, out: &mut Vec<Effect>) {
        if let Some(found) = self.members.get_mut(member.0) {
            found.child.note(Stdin::Written);
        }
        self.dispatch(now, out);
    }

    /// A member has closed its stdin, so that it could not be written what it was sent. It gets
    /// no more until it is spawned again; another may get its event.
    pub fn refused(&mut self, member: MemberIndex, now: Mono, out: &mut Vec<Effect>) {
        let Some(found) = self.members.get_mut(member.0) else { return };
        found.child.stdin = StdinState::Closed;
        found.child.listener.take_back();
        let held = found.child.held.take();
        let listener = Arc::clone(&found.name);
        let notice = |held: &Accepted| Notice::BrokenPipe { serial: held.serial, listener };
        out.extend(held.as_ref().map(notice).map(Effect::Notice));
        self.give_back(held, now, out);
        self.dispatch(now, out);
    }

    /// The pool is about to be no more: what it has lost is told.
    pub fn finish(&mut self, out: &mut Vec<Effect>) {
        let loss = self.overflow.rest();
        self.tell(loss, out);
    }

    /// Time went on to `now`.
    pub fn deadline(&mut self, now: Mono, out: &mut Vec<Effect>) {
        let loss = self.overflow.due(now);
        self.tell(loss, out);
        for index in 0..self.members.len() {
            self.give_up_if_late(MemberIndex(index), now, out);
        }
        self.dispatch(now, out);
    }

    /// A result that did not come in time is awaited no longer.
    fn give_up_if_late(&mut self, member: MemberIndex, now: Mono, out: &mut Vec<Effect>) {
        let Some(found) = self.members.get_mut(member.0) else { return };
        if found.due().is_none_or(|due| due > now) {
            return;
        }
        let Some(held) = found.child.held.take() else { return };
        found.child.listener.give_up();
        let (listener, serial) = (Arc::clone(&found.name), held.serial);
        let (from, to) = (ListenerState::Busy, ListenerState::Unknown);
        let changed = Notice::Changed { listener: Arc::clone(&listener), from, to };
        let late = Notice::Late { listener: Arc::clone(&listener), serial };
        let lost = Notice::Lost { listener };
        out.extend([late, changed, lost].map(Effect::Notice));
        out.push(Effect::Lost(member));
        self.give_back(Some(held), now, out);
    }

    /// When [`Pool::deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        let late = self.members.iter().filter_map(Member::due);
        late.chain(self.overflow.next_deadline()).min()
    }

    fn read(&mut self, member: MemberIndex, rest: &mut &[u8]) -> Option<Said> {
        self.members.get_mut(member.0)?.child.listener.read(rest)
    }

    fn hear(&mut self, member: MemberIndex, said: Said, now: Mono, out: &mut Vec<Effect>) {
        use ListenerState as S;
        let Some(found) = self.members.get_mut(member.0) else { return };
        let name = &found.name;
        let mut tell = |notice| out.push(Effect::Notice(notice));
        let changed = |from, to| Notice::Changed { listener: Arc::clone(name), from, to };
        let lost = || Notice::Lost { listener: Arc::clone(name) };
        let held = match said {
            Said::Ready => {
                tell(changed(S::Acknowledged, S::Ready));
                None
            }
            Said::Accepted => {
                tell(Notice::Processed { listener: Arc::clone(name) });
                tell(changed(S::Busy, S::Acknowledged));
                found.child.held = None;
                None
            }
            Said::Rejected => {
                tell(Notice::Rejected { listener: Arc::clone(name) });
                tell(changed(S::Busy, S::Acknowledged));
                found.child.held.take()
            }
            Said::BadResultLine(line) => {
                tell(Notice::BadResultLine { listener: Arc::clone(name), line });
                tell(changed(S::Busy, S::Unknown));
                tell(lost());
                out.push(Effect::Lost(member));
                found.child.held.take()
            }
            Said::OutOfTurn { from } => {
                tell(changed(from, S::Unknown));
                tell(lost());
                out.push(Effect::Lost(member));
                None
            }
        };
        self.give_back(held, now, out);
    }

    /// An event that nobody accepted goes to the head of the buffer.
    fn give_back(&mut self, held: Option<Accepted>, now: Mono, out: &mut Vec<Effect>) {
        let Some(held) = held else { return };
        out.push(Effect::Notice(Notice::Rebuffering {
            serial: held.serial,
            pool: Arc::clone(&self.settings.name),
            size: self.buffer.len(),
            max: self.settings.buffer_size,
        }));
        self.store(held, End::Head, now, out);
    }

    /// Makes room at the cost of the oldest events, and puts one more into the buffer.
    fn store(&mut self, accepted: Accepted, end: End, now: Mono, out: &mut Vec<Effect>) {
        let size = accepted.size();
        while self.is_full(size) {
            let Some(oldest) = self.take_oldest() else { break };
            let loss = self.overflow.lose(oldest.serial, now);
            self.tell(loss, out);
        }
        self.bytes += size;
        match end {
            End::Head => self.buffer.push_front(accepted),
            End::Tail => self.buffer.push_back(accepted),
        }
    }

    fn is_full(&self, more: usize) -> bool {
        self.buffer.len() >= self.settings.buffer_size || self.bytes + more > BYTES_MAX
    }

    fn take_oldest(&mut self) -> Option<Accepted> {
        let oldest = self.buffer.pop_front()?;
        self.bytes -= oldest.size();
        Some(oldest)
    }

    fn tell(&self, loss: Option<Loss>, out: &mut Vec<Effect>) {
        let pool = || Arc::clone(&self.settings.name);
        out.extend(loss.map(|Loss { serial, others }| {
            Effect::Notice(Notice::Overflowed { pool: pool(), serial, others })
        }));
    }

    /// Sends the oldest events, each to the first member that can take one.
    fn dispatch(&mut self, now: Mono, out: &mut Vec<Effect>) {
        while let Some(at) = self.members.iter().position(Member::can_take) {
            let Some(oldest) = self.take_oldest() else { return };
            let Some(member) = self.members.get_mut(at) else { return };
            let Settings { name, server, length, .. } = &self.settings;
            let numbers = (oldest.serial, oldest.pool_serial);
            let bytes = oldest.event.envelope(server, name, numbers, *length);
            out.push(Effect::Send { member: MemberIndex(at), bytes });
            let (serial, listener) = (oldest.serial, Arc::clone(&member.name));
            out.push(Effect::Notice(Notice::Sent { serial, listener }));
            member.child.listener.send();
            member.child.held = Some(oldest);
            member.child.due = self.settings.ack_timeout.map(|timeout| now + timeout);
        }
    }
}

impl Child {
    fn note(&mut self, stdin: Stdin) {
        self.stdin = match (self.stdin, stdin) {
            (StdinState::Closed, _) => StdinState::Closed,
            (_, Stdin::Written) => StdinState::Open,
            (_, Stdin::Waiting) => StdinState::Waiting,
        };
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
