//! Lives made of thousands of random events from a seed: requests, children that come, fail and
//! die when they like, listeners that say anything, refused signals, a daemon that is suspended for
//! weeks, and a wall clock that jumps to any year. What must hold is looked at after each.

use std::collections::BTreeMap;

use super::*;
use crate::config::options::RestartPolicy;

mod happenings;

/// Marsaglia's xorshift: the same events for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

/// What the system knows of a child.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Child {
    /// Its thread has been started.
    Spawning,
    Alive(i32),
    /// It was waited for; its output is still read.
    Reaped,
}

/// Which wall clock a life has.
#[derive(Clone, Copy, PartialEq)]
enum WallClock {
    /// It goes as the monotonic one does.
    Steady,
    /// It is set now and then, forwards and backwards.
    Jumping,
}

struct Chaos {
    random: Random,
    world: World,
    millis: u64,
    clock: WallClock,
    /// Chance of the wall clock's own, so that the events stay the same without it.
    jumps: Random,
    wall: Duration,
    /// What was to be done, in order, for lives without listeners.
    done: Vec<String>,
    /// Some groups are listeners.
    listens: bool,
    children: BTreeMap<(ProcessId, SpawnNumber), Child>,
    states: BTreeMap<ProcessId, ProcessState>,
    /// Processes that were UNKNOWN when they were removed.
    given_up: BTreeSet<ProcessId>,
    /// Sockets that are open.
    open: BTreeSet<SocketId>,
    pids: i32,
    requests: u64,
    unanswered: BTreeSet<RequestId>,
    finished: Vec<SupervisorState>,
    /// Events that listeners were sent.
    sent: u32,
    /// What a listener that keeps to the protocol says next.
    talks: BTreeMap<(ProcessId, SpawnNumber), &'static str>,
}

impl Chaos {
    fn new(seed: u64, clock: WallClock, listens: bool) -> Chaos {
        Chaos {
            random: Random(seed),
            world: World::default(),
            millis: 5_000,
            clock,
            jumps: Random(!seed),
            wall: Duration::from_secs(1_795_222_152),
            done: Vec::new(),
            listens,
            children: BTreeMap::new(),
            states: BTreeMap::new(),
            given_up: BTreeSet::new(),
            open: BTreeSet::new(),
            pids: 0,
            requests: 0,
            unanswered: BTreeSet::new(),
            finished: Vec::new(),
            sent: 0,
            talks: BTreeMap::new(),
        }
    }

    fn now(&self) -> Now {
        Now { mono: Duration::from_millis(self.millis), wall: self.wall }
    }

    fn set_wall_clock(&mut self) {
        const YEAR: u64 = 31_556_952;
        let secs = [0, 1, 59, 3_600, 56 * YEAR, 56 * YEAR + 1, 68 * YEAR, 400 * YEAR];
        if self.clock == WallClock::Jumping && self.jumps.one_in(4) {
            self.wall = Duration::from_secs(self.jumps.pick(&secs));
        }
    }

    /// An event and all that it leads to, as in the loop.
    fn step(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut effects = Vec::new();
            self.set_wall_clock();
            self.world.step(self.now(), event, &mut effects);
            check_due(&self.world);
            self.check_pids(&effects);
            for effect in effects {
                if !self.listens {
                    self.done.push(format!("{effect:?}"));
                }
                events.extend(self.perform(effect));
            }
        }
        self.check_children();
        self.check_waiters();
        self.check_sockets();
    }

    fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Process(id, effect) => return self.perform_for(id, effect),
            Effect::Answer(id, _) => assert!(self.unanswered.remove(&id), "{id:?} answered again"),
            Effect::Settle(id) => return Some(Event::Settled(id)),
            Effect::Added(_) | Effect::WaitingToDie(_) | Effect::Tell(_) => {}
            Effect::Send(process, _) => {
                let member = self.world.member(process).expect("a listener that is known");
                assert!(member.listener, "an event for a program");
                self.sent += 1;
                let child = (process, member.process.spawn_number());
                self.talks.insert(child, "RESULT 2\nOKREADY\n");
                assert_eq!(self.states.get(&process), Some(&ProcessState::Running));
            }
            Effect::CloseSocket(socket) => {
                assert!(self.open.remove(&socket), "a closed one is closed");
                self.check_closed(socket);
            }
            Effect::Removed(members) => {
                for id in members {
                    let state = self.states.remove(&id).unwrap_or(ProcessState::Stopped);
                    assert!(state.is_stopped());
                    self.given_up.extend((state == ProcessState::Unknown).then_some(id));
                }
            }
            Effect::Finished(state) => {
                assert_eq!(state, self.world.state());
                assert!(self.states.values().all(|state| state.is_stopped()));
                for (process, _) in self.alive().map(|(child, _)| child) {
                    let state = self.states.get(process);
                    assert_eq!(state, Some(&ProcessState::Unknown), "{process:?} is left behind");
                }
                self.finished.push(state);
            }
        }
        None
    }

    fn perform_for(&mut self, process: ProcessId, effect: machine::Effect) -> Option<Event> {
        match effect {
            machine::Effect::Spawn(spawn) => {
                assert_eq!(self.world.state(), SupervisorState::Running, "a start while leaving");
                let others = self.children.iter().filter(|((id, _), _)| *id == process);
                assert!(others.into_iter().all(|(_, child)| *child == Child::Reaped), "a twin");
                self.children.insert((process, spawn), Child::Spawning);
                self.open.extend(self.world.sockets.of(process));
            }
            machine::Effect::Signal { pid, purpose, .. } => {
                let child = self.children.iter().find(|(_, child)| **child == Child::Alive(pid));
                assert_eq!(child.map(|((id, _), _)| *id), Some(process), "a stranger is signalled");
                let error = "no".to_owned();
                let input = match self.random.below(20) {
                    0 => Input::SignalRefused { error, purpose },
                    1 => Input::SignalTooLate { error, purpose },
                    _ => return None,
                };
                return Some(Event::SignalFailed { process, input });
            }
            machine::Effect::Transition(t) => {
                let before = self.states.insert(process, t.to);
                assert_eq!(before.unwrap_or(ProcessState::Stopped), t.from);
                let policy = self.world.member(process).map(|m| m.process.program.restart.clone());
                let legal = is_legal(t.from, t.to, &policy.unwrap_or_default());
                assert!(legal, "{} > {}", t.from, t.to);
                if t.to == ProcessState::Stopping && self.world.leaving.is_some() {
                    self.check_turn(process);
                }
            }
            machine::Effect::CallOff(spawn) => {
                let child = self.children.insert((process, spawn), Child::Reaped);
                assert!(child == Some(Child::Spawning), "a child that exists is called off");
            }
            machine::Effect::Drain(_) | machine::Effect::Notice(_) => {}
        }
        None
    }

    /// What is told of as a process's child is one, and no other's. One that the effects are about
    /// is told in a moment.
    fn check_pids(&self, effects: &[Effect]) {
        let mut pids = BTreeSet::new();
        for (id, member) in self.world.members() {
            let Some(pid) = member.process.pid() else { continue };
            let child = (id, member.process.spawn_number());
            assert_eq!(self.children.get(&child).copied(), Some(Child::Alive(pid)), "{effects:?}");
            assert!(pids.insert(pid), "two have the pid {pid}");
            assert!(!member.process.is_spawning(), "a child is made beside {pid}");
        }
    }

    /// The children that live, and their pids. One that could not be signalled may be given up.
    fn alive(&self) -> impl Iterator<Item = (&(ProcessId, SpawnNumber), i32)> {
        self.children.iter().filter_map(|(child, state)| match state {
            Child::Alive(pid) if !self.given_up.contains(&child.0) => Some((child, *pid)),
            _ => None,
        })
    }

    /// Every child that lives is told of.
    fn check_children(&self) {
        for ((process, spawn), pid) in self.alive() {
            let known = self.world.member(*process).map(|member| &member.process);
            let known = known.filter(|process| process.spawn_number() == *spawn);
            assert_eq!(known.and_then(Process::pid), Some(pid), "{process:?} is forgotten");
        }
    }

    /// No child of an active group is left without the socket that it shares.
    fn check_closed(&self, socket: SocketId) {
        for ((process, spawn), child) in &self.children {
            let current = self.world.member(*process).map(|m| m.process.spawn_number());
            let has = self.world.sockets.of(*process) == Some(socket) && current == Some(*spawn);
            assert!(!has || *child == Child::Reaped, "a child loses its socket");
        }
    }

    /// A socket is open for a reason.
    fn check_sockets(&self) {
        let may_spawn = self.world.may_spawn();
        for socket in &self.open {
            let sharing =
                self.world.members().filter(|(id, _)| self.world.sockets.of(*id) == Some(*socket));
            let live = sharing.filter(|(_, m)| m.process.is_live(may_spawn)).count();
            let kept = self.world.sockets.deadline_of(*socket).is_some();
            let held = self.is_held(*socket);
            assert!(live > 0 || kept || held, "{socket:?} stays open for ever");
        }
    }

    /// Others stop in its group, or a client waits for a stop of several.
    fn is_held(&self, SocketId(first): SocketId) -> bool {
        let group = self.world.member(first).map(|member| Arc::clone(&member.group));
        let mut members = self.world.members().filter(|(_, m)| Some(&m.group) == group.as_ref());
        members.any(|(_, m)| m.process.state() == ProcessState::Stopping)
            || self
                .world
                .waiters
                .values()
                .flatten()
                .any(|waiter| matches!(waiter.awaited, Awaited::Stopped { .. } | Awaited::StopSent))
    }

    /// While leaving, a group is stopped when all behind it are down.
    fn check_turn(&self, process: ProcessId) {
        let groups = self.world.groups().iter().rev();
        for group in groups.take_while(|group| !group.members.contains(&process)) {
            for id in &group.members {
                assert!(self.states.get(id).is_none_or(|state| state.is_stopped()), "not its turn");
            }
        }
    }

    /// Everybody who has no answer waits for something that can still happen.
    fn check_waiters(&self) {
        let mut waiting = BTreeSet::new();
        for (id, waiter) in
            self.world.waiters.iter().flat_map(|(id, w)| w.iter().map(move |w| (id, w)))
        {
            waiting.insert(waiter.request);
            let process = &self.world.members[id].process;
            let possible = match waiter.awaited {
                Awaited::Spawned => process.is_spawning(),
                Awaited::Running => process.state() == ProcessState::Starting,
                Awaited::Stopped { report_at } => {
                    assert!(report_at >= self.world.wait_report && report_at.is_some());
                    process.state() == ProcessState::Stopping
                }
                Awaited::StopSent | Awaited::Signalled => false,
            };
            assert!(possible, "{:?} while {}", waiter.awaited, process.state());
        }
        assert_eq!(waiting, self.unanswered);
    }

    fn sleep(&mut self, millis: u64) {
        self.millis += millis;
        self.wall = self.wall.saturating_add(Duration::from_millis(millis));
        for _ in 0..8 {
            let due = self.world.next_deadline().is_some_and(|due| due <= self.now().mono);
            if !due {
                return;
            }
            self.step(Event::Deadline);
        }
        panic!("something is due again and again");
    }

    fn ask(&mut self, request: Request) {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.unanswered.insert(id);
        self.step(Event::Request(id, request));
    }

    /// Everything is stopped, however long it takes.
    fn end(&mut self) {
        if self.random.one_in(2) {
            self.step(Event::Leave(SupervisorState::Restarting));
        }
        for round in 0.. {
            if !self.finished.is_empty() && self.children.is_empty() {
                break;
            }
            assert!(round < 10_000, "it never ends");
            if self.random.one_in(30) {
                self.step(Event::Leave(SupervisorState::Shutdown));
            }
            self.event();
        }
        self.sleep(60_000);
        assert_eq!(self.finished.last(), Some(&self.world.state()));
        let overruled = [SupervisorState::Restarting, SupervisorState::Shutdown];
        assert!(self.finished.len() == 1 || self.finished == overruled, "{:?}", self.finished);
        assert_eq!(self.unanswered, BTreeSet::new());
        assert_eq!(self.open, BTreeSet::new());
        // A tick is due as long as somebody listens.
        assert!(self.listens || self.world.next_deadline().is_none());
    }
}

fn is_legal(from: ProcessState, to: ProcessState, policy: &RestartPolicy) -> bool {
    use ProcessState as S;
    match from {
        // By a policy an exit may lead to a wait, or be one too many.
        S::Exited if to == S::Backoff => policy.reset.is_some(),
        S::Exited if to == S::Fatal => policy.limit.is_some(),
        S::Stopped | S::Exited | S::Fatal => to == S::Starting,
        S::Backoff => matches!(to, S::Starting | S::Stopped | S::Fatal),
        S::Starting => matches!(to, S::Running | S::Backoff | S::Stopping | S::Unknown),
        S::Running => matches!(to, S::Exited | S::Stopping | S::Unknown),
        S::Stopping => matches!(to, S::Stopped | S::Unknown),
        S::Unknown => matches!(to, S::Stopped | S::Exited),
    }
}

/// A life from its begin to its end.
fn live(seed: u64, clock: WallClock, listens: bool) -> Chaos {
    println!("seed {seed}");
    let mut chaos = Chaos::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), clock, listens);
    for _ in 0..4 {
        let group = chaos.group();
        chaos.ask(Request::Add(group));
    }
    for _ in 0..400 {
        chaos.event();
    }
    chaos.end();
    chaos
}

/// Where the lives begin to differ: `MINDER_SEED` makes others.
fn first_seed() -> u64 {
    std::env::var("MINDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

#[test]
fn whatever_happens_everybody_is_answered_once_and_everything_stops() {
    let lives =
        (first_seed()..).take(200).map(|seed| live(seed, WallClock::Jumping, seed % 2 == 0));
    let sent: u32 = lives.map(|life| life.sent).sum();
    // Else the listeners would show nothing.
    assert!(sent > 300, "{sent}");
}

#[test]
fn the_wall_clock_decides_nothing() {
    for seed in (first_seed()..).take(40) {
        let [steady, jumping] =
            [WallClock::Steady, WallClock::Jumping].map(|clock| live(seed, clock, false));
        assert!(jumping.wall < Duration::from_secs(1) || jumping.wall != steady.wall);
        assert_eq!(steady.done, jumping.done, "seed {seed}");
        assert!(steady.done.len() > 100);
    }
}
