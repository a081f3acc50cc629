//! The pools of event listeners among the groups: which there are, what they want to hear, and
//! how what happens reaches them. Pure, as the world that owns it.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::world::{Effect, ProcessId};
use crate::config::options::{Group, GroupKind, ListenerError};
use crate::event::payload::Event;
use crate::event::pool::{self, Heard, MemberIndex, Pool, Settings};
use crate::event::serial::Counter;
use crate::event::subscription::Subscription;
use crate::event::tick::Ticks;
use crate::process::state::ProcessState;
use crate::process::time::{Mono, Now};

/// A pool with the processes that are its members.
#[derive(Clone, Debug)]
struct ActivePool {
    group: Arc<str>,
    priority: i64,
    members: Vec<ProcessId>,
    pool: Pool,
    on_error: ListenerError,
    /// Members that broke the protocol and are to be started again.
    broken: Vec<ProcessId>,
}

/// Everything about events.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// "identifier".
    server: Arc<str>,
    /// By priority, those added later behind older ones of the same.
    pools: Vec<ActivePool>,
    serials: Counter,
    ticks: Ticks,
    /// When the clock is to be looked at for ticks.
    tick_at: Option<Mono>,
    /// What any pool wants.
    wanted: Subscription,
}

impl Events {
    /// Without pools. The numbers of events go on where an earlier life of the daemon ended.
    pub fn new(server: &str, serials: Counter) -> Events {
        Events { server: server.into(), serials, ..Events::default() }
    }

    /// The numbers given so far.
    pub fn serials(&self) -> &Counter {
        &self.serials
    }

    /// What any pool wants: other events need not be made.
    pub fn wanted(&self) -> Subscription {
        self.wanted
    }

    /// When [`Events::deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        let pools = self.pools.iter().filter_map(|active| active.pool.next_deadline());
        pools.chain(self.tick_at).min()
    }

    /// A group has become active; if it is a pool, it hears of everything from now on.
    pub fn subscribe(&mut self, group: &Group, members: &[ProcessId], now: Now) {
        let GroupKind::EventListeners(options) = &group.kind else { return };
        let name: Arc<str> = group.name.as_str().into();
        let settings = Settings {
            name: Arc::clone(&name),
            server: Arc::clone(&self.server),
            events: options.events.iter().copied().collect(),
            buffer_size: options.buffer_size,
            length: options.event_length,
            ack_timeout: options.ack_timeout,
            members: group.processes.iter().map(|p| p.name.as_str().into()).collect(),
        };
        let active = ActivePool {
            group: name,
            priority: group.priority,
            members: members.to_vec(),
            pool: Pool::new(settings),
            on_error: options.listener_error,
            broken: Vec::new(),
        };
        let place = self.pools.partition_point(|other| other.priority <= group.priority);
        self.pools.insert(place, active);
        self.listen(now);
    }

    /// A group is no longer active.
    pub fn unsubscribe(&mut self, group: &str, now: Now, out: &mut Vec<Effect>) {
        let leaves = |active: &ActivePool| *active.group == *group;
        self.pools.iter_mut().filter(|active| leaves(active)).for_each(|active| active.finish(out));
        self.pools.retain(|active| !leaves(active));
        self.listen(now);
    }

    /// No pool hears anything more.
    pub fn finish(&mut self, out: &mut Vec<Effect>) {
        self.pools.iter_mut().for_each(|active| active.finish(out));
    }

    /// The pools have changed.
    fn listen(&mut self, now: Now) {
        let all = self.pools.iter().map(|active| active.pool.events());
        self.wanted = all.fold(Subscription::default(), Subscription::and);
        // Slices that are current already are not told.
        self.ticks.look(now, self.wanted, &mut |_| {});
        self.tick_at = self.ticks.next_deadline(now, self.wanted);
    }

    /// Offers an event to all pools.
    pub fn offer(&mut self, mut event: Event, now: Now, out: &mut Vec<Effect>) {
        if !self.wanted.wants(event.kind()) {
            return;
        }
        let mut effects = Vec::new();
        for active in &mut self.pools {
            active.pool.offer(&mut event, &mut self.serials, now.mono, &mut effects);
            active.pass_on(&mut effects, out);
        }
    }

    /// A process enters a state; its event is about to be offered.
    pub fn enters(&mut self, group: &str, process: ProcessId, state: ProcessState) {
        if state != ProcessState::Running {
            self.with_member(group, process, &mut Vec::new(), |pool, member, _| {
                pool.leaves(member);
            });
        }
    }

    /// A process has entered a state, and its event was offered.
    pub fn entered(
        &mut self,
        group: &str,
        process: ProcessId,
        state: ProcessState,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.with_member(group, process, out, |pool, member, effects| {
            pool.transition(member, state, now.mono, effects);
        });
    }

    /// A listener's thread has something to tell.
    pub fn heard(
        &mut self,
        group: &str,
        process: ProcessId,
        heard: &Heard,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.with_member(group, process, out, |pool, member, effects| match heard {
            Heard::Output { data, stdin } => pool.output(member, data, *stdin, now.mono, effects),
            Heard::Written => pool.written(member, now.mono, effects),
            Heard::Refused => pool.refused(member, now.mono, effects),
        });
    }

    /// A listener that broke the protocol and is to be started again, each told once.
    pub fn take_broken(&mut self) -> Option<ProcessId> {
        self.pools.iter_mut().find_map(|active| active.broken.pop())
    }

    /// A group is a pool that has not heard everything yet, and can.
    pub fn owes(&self, group: &str) -> bool {
        self.pools.iter().any(|active| *active.group == *group && active.pool.owes())
    }

    /// What is due.
    pub fn deadline(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut effects = Vec::new();
        for active in &mut self.pools {
            if active.pool.next_deadline().is_some_and(|due| due <= now.mono) {
                active.pool.deadline(now.mono, &mut effects);
                active.pass_on(&mut effects, out);
            }
        }
        if self.tick_at.is_some_and(|due| due <= now.mono) {
            let mut begun = Vec::new();
            self.ticks.look(now, self.wanted, &mut |tick| begun.push(tick));
            self.tick_at = self.ticks.next_deadline(now, self.wanted);
            begun.into_iter().for_each(|tick| self.offer(Event::tick(tick), now, out));
        }
    }

    fn with_member(
        &mut self,
        group: &str,
        process: ProcessId,
        out: &mut Vec<Effect>,
        act: impl FnOnce(&mut Pool, MemberIndex, &mut Vec<pool::Effect>),
    ) {
        let Some(active) = self.pools.iter_mut().find(|active| *active.group == *group) else {
            return;
        };
        let Some(member) = active.members.iter().position(|id| *id == process) else { return };
        let mut effects = Vec::new();
        act(&mut active.pool, MemberIndex(member), &mut effects);
        active.pass_on(&mut effects, out);
    }
}

impl ActivePool {
    fn finish(&mut self, out: &mut Vec<Effect>) {
        let mut effects = Vec::new();
        self.pool.finish(&mut effects);
        self.pass_on(&mut effects, out);
    }

    fn pass_on(&mut self, effects: &mut Vec<pool::Effect>, out: &mut Vec<Effect>) {
        let ActivePool { members, broken, on_error, .. } = self;
        let id = |member: MemberIndex| members.get(member.0).copied();
        out.extend(effects.drain(..).filter_map(|effect| match effect {
            pool::Effect::Send { member, bytes } => Some(Effect::Send(id(member)?, bytes)),
            pool::Effect::Notice(notice) => Some(Effect::Tell(notice)),
            pool::Effect::Lost(member) => {
                if *on_error == ListenerError::Restart {
                    broken.extend(id(member));
                }
                None
            }
        }));
    }
}
