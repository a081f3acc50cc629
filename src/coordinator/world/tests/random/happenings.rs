//! What may happen next, by chance.

use super::*;
use crate::config::event_kind::Kind;
use crate::config::options::{
    Backoff, EventLength, FcgiAddress, FcgiSocket, ListenerError, Pool, RestartLimit, RestartPolicy,
};
use crate::event::pool::{Heard, Stdin};

fn fcgi(port: u16) -> Arc<FcgiSocket> {
    let address = FcgiAddress::Tcp { host: "localhost".to_owned(), port };
    Arc::new(FcgiSocket { address, backlog: None })
}

const GROUPS: [&str; 5] = ["a", "b", "c", "d", "e"];

impl Chaos {
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

    pub(super) fn group(&mut self) -> Arc<Group> {
        let name = self.random.pick(&GROUPS);
        let count = self.random.below(4) as usize;
        let programs: Vec<Program> =
            ["x", "y", "z"].into_iter().take(count).map(|name| self.program(name)).collect();
        let priority = self.random.below(3) as i64;
        if !self.listens || programs.is_empty() || !self.random.one_in(3) {
            return group(name, priority, programs);
        }
        let kinds = [Kind::Event, Kind::ProcessState, Kind::Tick5, Kind::RemoteCommunication];
        let pool = Pool {
            events: vec![self.random.pick(&kinds)],
            buffer_size: 1 + self.random.below(5) as usize,
            event_length: EventLength::Characters,
            listener_error: self.random.pick(&[ListenerError::Unknown, ListenerError::Restart]),
            ack_timeout: self.random.pick(&[None, Some(Duration::from_secs(1))]),
        };
        let processes = programs.into_iter().map(Arc::new).collect();
        let kind = GroupKind::EventListeners(Arc::new(pool));
        Arc::new(Group { name: name.to_owned(), priority, kind, processes })
    }

    fn policy(&mut self) -> RestartPolicy {
        let secs = Duration::from_secs;
        let limit = RestartLimit { count: 2, within: secs(30) };
        RestartPolicy {
            backoff: self.random.pick(&[Backoff::Linear, Backoff::Double]),
            delay_min: self.random.pick(&[None, Some(secs(0)), Some(secs(2))]),
            delay_max: self.random.pick(&[None, Some(secs(5))]),
            reset: self.random.pick(&[None, None, Some(secs(3))]),
            limit: self.random.pick(&[None, None, Some(limit)]),
        }
    }

    fn program(&mut self, name: &str) -> Program {
        let rules = [Autorestart::Never, Autorestart::Unexpected, Autorestart::Always];
        let policy = self.policy();
        let random = &mut self.random;
        with(name, |p| {
            p.restart = policy;
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
            Child::Spawning if self.random.one_in(6) => Input::ExecLacked,
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

    /// A listener says what is due, or anything, or something of an older spawn; or something happens
    /// that it may want to hear of.
    fn listener(&mut self) {
        let listens = |(id, _): &&(ProcessId, SpawnNumber)| {
            self.world.member(*id).is_none_or(|member| member.listener)
        };
        let listeners: Vec<_> = self.children.keys().filter(listens).copied().collect();
        if listeners.is_empty() || self.random.one_in(3) {
            return self.step(Event::Occurred(payload::Event::remote("kind", "data")));
        }
        let child = self.random.pick(&listeners);
        let due = self.talks.insert(child, "").unwrap_or("READY\n");
        let heard = match self.random.below(30) {
            0 => Heard::Refused,
            1 => Heard::Written,
            2 => Heard::Output { data: b"RESULT 4\nFAILREA".to_vec(), stdin: Stdin::Waiting },
            3 => Heard::Output { data: b"READY\n".to_vec(), stdin: Stdin::Written },
            _ => Heard::Output { data: due.as_bytes().to_vec(), stdin: Stdin::Written },
        };
        let (process, spawn) = child;
        self.step(Event::Listener { process, spawn, heard });
    }

    pub(super) fn event(&mut self) {
        if self.listens && self.random.one_in(3) {
            return self.listener();
        }
        match self.random.below(10) {
            0..3 => {
                let request = self.request();
                self.ask(request);
            }
            3..8 => self.child(),
            _ => {
                // The last is a daemon that was suspended for forty days.
                let times = [0, 1, 500, 999, 1_000, 3_000, 20_000, 3_456_000_000];
                let millis = self.random.pick(&times);
                self.sleep(millis);
            }
        }
    }
}
