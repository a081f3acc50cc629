//! Lives made of thousands of random events from a seed: requests, children that come, fail and
//! die when they like, refused signals, clock steps. What must hold is looked at after each.

use std::collections::BTreeMap;

use super::*;
use crate::config::options::{FcgiAddress, FcgiSocket};

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
#[derive(Clone, Copy, PartialEq)]
enum Child {
    /// Its thread has been started.
    Spawning,
    Alive(i32),
    /// It was waited for; its output is still read.
    Reaped,
}

struct Chaos {
    random: Random,
    world: World,
    millis: u64,
    children: BTreeMap<(ProcessId, SpawnNumber), Child>,
    states: BTreeMap<ProcessId, ProcessState>,
    /// Sockets that are open.
    open: BTreeSet<SocketId>,
    pids: i32,
    requests: u64,
    unanswered: BTreeSet<RequestId>,
    finished: u32,
}

fn fcgi(port: u16) -> Arc<FcgiSocket> {
    let address = FcgiAddress::Tcp { host: "localhost".to_owned(), port };
    Arc::new(FcgiSocket { address, backlog: None })
}

const GROUPS: [&str; 5] = ["a", "b", "c", "d", "e"];

impl Chaos {
    fn new(seed: u64) -> Chaos {
        Chaos {
            random: Random(seed),
            world: World::default(),
            millis: 5_000,
            children: BTreeMap::new(),
            states: BTreeMap::new(),
            open: BTreeSet::new(),
            pids: 0,
            requests: 0,
            unanswered: BTreeSet::new(),
            finished: 0,
        }
    }

    fn now(&self) -> Now {
        let mono = Duration::from_millis(self.millis);
        Now { mono, wall: mono }
    }

    /// An event and all that it leads to, as in the loop.
    fn step(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut effects = Vec::new();
            self.world.step(self.now(), event, &mut effects);
            check_due(&self.world);
            for effect in effects {
                events.extend(self.perform(effect));
            }
        }
        self.check_waiters();
        self.check_sockets();
    }

    fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Process(id, effect) => return self.perform_for(id, effect),
            Effect::Answer(id, _) => assert!(self.unanswered.remove(&id), "{id:?} answered again"),
            Effect::Settle(id) => return Some(Event::Settled(id)),
            Effect::Added(_) | Effect::WaitingToDie(_) | Effect::Send(..) | Effect::Tell(_) => {}
            Effect::CloseSocket(socket) => {
                assert!(self.open.remove(&socket), "a closed one is closed");
                self.check_closed(socket);
            }
            Effect::Removed(members) => {
                for id in members {
                    assert!(self.states.remove(&id).is_none_or(ProcessState::is_stopped));
                }
            }
            Effect::Finished(state) => {
                assert_eq!(state, self.world.state());
                assert!(self.states.values().all(|state| state.is_stopped()));
                self.finished += 1;
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
                assert!(is_legal(t.from, t.to), "{} > {}", t.from, t.to);
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

    fn request(&mut self) -> Request {
        let wait = self.random.one_in(2);
        match self.random.below(8) {
            0..3 => Request::Start { target: self.target(), wait, refused: self.refused() },
            3..5 => Request::Stop { target: self.target(), wait },
            5 => signal(self.target(), ["HUP", "FOO", "0"][self.random.below(3) as usize]),
            6 => Request::Add(self.group()),
            _ => Request::Remove(self.random.pick(&GROUPS).to_owned()),
        }
    }

    fn target(&mut self) -> Target {
        let group = self.random.pick(&GROUPS);
        match self.random.below(8) {
            0..4 => Target::Named(format!("{group}:{}", self.random.pick(&["x", "y", "z"]))),
            4 => Target::Named(format!("{group}:*")),
            5 | 6 => Target::Group(group.to_owned()),
            _ => All,
        }
    }

    fn refused(&mut self) -> Refused {
        let names = (self.random.pick(&GROUPS).to_owned(), "x".to_owned());
        Refused::from([(names, CommandProblem::Empty)])
    }

    fn group(&mut self) -> Arc<Group> {
        let name = self.random.pick(&GROUPS);
        let count = self.random.below(4) as usize;
        let programs: Vec<Program> =
            ["x", "y", "z"].into_iter().take(count).map(|name| self.program(name)).collect();
        group(name, self.random.below(3) as i64, programs)
    }

    fn program(&mut self, name: &str) -> Program {
        let rules = [Autorestart::Never, Autorestart::Unexpected, Autorestart::Always];
        let random = &mut self.random;
        with(name, |p| {
            p.priority = random.below(3) as i64;
            p.autostart = random.one_in(2);
            p.autorestart = random.pick(&rules);
            p.startsecs = random.pick(&[-1, 0, 1, 3]);
            p.startretries = Retries::Limited(random.pick(&[-1, 0, 2]));
            p.stopwaitsecs = random.pick(&[-1, 0, 1, 10]);
            p.socket = random.pick(&[None, Some(fcgi(9_000)), Some(fcgi(9_001))]);
        })
    }

    /// One child does something; now and then a message comes twice, or too late.
    fn child(&mut self) {
        let children: Vec<_> = self.children.iter().map(|(key, child)| (*key, *child)).collect();
        if children.is_empty() {
            return;
        }
        let (key, child) = self.random.pick(&children);
        let (process, spawn) = key;
        let input = match child {
            Child::Spawning if self.random.one_in(4) => {
                self.children.remove(&key);
                let lacks_resources = self.random.one_in(3);
                Input::SpawnFailed(SpawnFailure { text: "no".to_owned(), lacks_resources })
            }
            Child::Spawning => {
                self.pids += 1;
                self.children.insert(key, Child::Alive(self.pids));
                Input::Announced { pid: self.pids }
            }
            Child::Alive(pid) if self.random.one_in(4) => Input::Announced { pid },
            Child::Alive(_) => {
                self.children.insert(key, Child::Reaped);
                let status = match self.random.below(3) {
                    0 => ExitStatus::Signal { number: 9, core: false },
                    code => ExitStatus::Code(code as i32 - 1),
                };
                return self.step(Event::Reaped { process, status });
            }
            Child::Reaped => {
                self.children.remove(&key);
                Input::Drained
            }
        };
        self.step(Event::Child { process, spawn, input });
    }

    fn event(&mut self) {
        match self.random.below(10) {
            0..3 => {
                let request = self.request();
                self.ask(request);
            }
            3..8 => self.child(),
            _ => {
                let millis = self.random.pick(&[0, 1, 500, 999, 1_000, 3_000, 20_000]);
                self.sleep(millis);
            }
        }
    }

    /// Everything is stopped, however long it takes.
    fn end(&mut self) {
        if self.random.one_in(2) {
            self.step(Event::Leave(SupervisorState::Restarting));
        }
        for round in 0.. {
            if self.finished > 0 && self.children.is_empty() {
                break;
            }
            assert!(round < 10_000, "it never ends");
            if self.random.one_in(30) {
                self.step(Event::Leave(SupervisorState::Shutdown));
            }
            self.event();
        }
        self.sleep(60_000);
        assert_eq!(self.finished, 1);
        assert_eq!(self.unanswered, BTreeSet::new());
        assert_eq!(self.open, BTreeSet::new());
        assert_eq!(self.world.next_deadline(), None);
    }
}

fn is_legal(from: ProcessState, to: ProcessState) -> bool {
    use ProcessState as S;
    match from {
        S::Stopped | S::Exited | S::Fatal => to == S::Starting,
        S::Backoff => matches!(to, S::Starting | S::Stopped | S::Fatal),
        S::Starting => matches!(to, S::Running | S::Backoff | S::Stopping | S::Unknown),
        S::Running => matches!(to, S::Exited | S::Stopping | S::Unknown),
        S::Stopping => matches!(to, S::Stopped | S::Unknown),
        S::Unknown => matches!(to, S::Stopped | S::Exited),
    }
}

#[test]
fn whatever_happens_everybody_is_answered_once_and_everything_stops() {
    for seed in 1..=200_u64 {
        println!("seed {seed}");
        let mut chaos = Chaos::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in 0..4 {
            let group = chaos.group();
            chaos.ask(Request::Add(group));
        }
        for _ in 0..400 {
            chaos.event();
        }
        chaos.end();
    }
}
