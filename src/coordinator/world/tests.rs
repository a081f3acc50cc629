//! Requests and what comes of them, with time moved by hand. A small shell carries effects out
//! as the loop does: what performing leads to is stepped before anything else.

use std::collections::VecDeque;

use super::requests::{Refused, Target, Target::All};
use super::*;
use crate::config::options::{Autorestart, GroupKind, Program, Retries};
use crate::coordinator::waiters::Awaited;
use crate::process::command::CommandProblem;
use crate::process::machine::SpawnFailure;
use crate::process::name::display;
use crate::process::notice::{Notice, Purpose};

mod events;

mod leaving;
mod lists;
mod random;
mod sockets;

const WAIT: bool = true;
const NO_WAIT: bool = false;

fn program(name: &str) -> Program {
    Program::plain(name, "/bin/a")
}

fn with(name: &str, configure: impl FnOnce(&mut Program)) -> Program {
    let mut program = program(name);
    configure(&mut program);
    program
}

/// Not started by itself.
fn idle(name: &str) -> Program {
    with(name, |p| p.autostart = false)
}

fn group(name: &str, priority: i64, programs: impl IntoIterator<Item = Program>) -> Arc<Group> {
    let processes = programs.into_iter().map(Arc::new).collect();
    Arc::new(Group { name: name.to_owned(), priority, kind: GroupKind::Programs, processes })
}

/// A program that is its own group.
fn alone(program: Program) -> Arc<Group> {
    group(&program.name.clone(), program.priority, [program])
}

fn start(target: Target, wait: bool) -> Request {
    Request::Start { target, wait, refused: Refused::new() }
}

fn stop(target: Target, wait: bool) -> Request {
    Request::Stop { target, wait }
}

fn signal(target: Target, signal: &str) -> Request {
    Request::Signal { target, signal: signal.to_owned() }
}

fn named(name: &str) -> Target {
    Target::Named(name.to_owned())
}

fn members_of(group: &str) -> Target {
    Target::Group(group.to_owned())
}

/// A world, a clock that only the test moves, and a system that does as it is told.
#[derive(Default)]
struct Play {
    world: World,
    millis: u64,
    requests: u64,
    pids: i32,
    /// The processes that the system lets nobody signal.
    untouchable: Vec<&'static str>,
}

impl Play {
    /// With these groups, added in this order; nothing that is due is done yet.
    fn new(groups: impl IntoIterator<Item = Arc<Group>>) -> Play {
        let mut play = Play { millis: 5_000, ..Play::default() };
        for group in groups {
            let name = group.name.clone();
            let lines = play.ask(Request::Add(group));
            assert_eq!(lines, [format!("added {name}"), format!("{} true", play.requests)]);
        }
        play.requests = 0;
        play
    }

    /// With these groups, autostarted, `startsecs` of one second over.
    fn up(groups: impl IntoIterator<Item = Arc<Group>>) -> Play {
        let mut play = Play::new(groups);
        play.sleep(0);
        for id in play.world.members.keys().copied().collect::<Vec<_>>() {
            if play.world.members[&id].process.is_spawning() {
                play.spawned(&play.name(id));
            }
        }
        play.sleep(1_000);
        play
    }

    fn now(&self) -> Now {
        let mono = Duration::from_millis(self.millis);
        Now { mono, wall: Duration::from_secs(1_795_222_152) + mono }
    }

    fn name(&self, id: ProcessId) -> String {
        let member = &self.world.members[&id];
        display(&member.group, &member.process.program.name)
    }

    fn id(&self, name: &str) -> ProcessId {
        let ids = self.world.members.keys();
        ids.copied().find(|id| self.name(*id) == name).expect("a process of this name")
    }

    fn state(&self, name: &str) -> ProcessState {
        self.world.members[&self.id(name)].process.state()
    }

    /// Takes an event and all that it leads to.
    fn step(&mut self, event: Event) -> Vec<String> {
        let mut lines = Vec::new();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut effects = Vec::new();
            self.world.step(self.now(), event, &mut effects);
            check_due(&self.world);
            for effect in effects {
                lines.extend(self.word(&effect));
                events.extend(self.perform(effect));
            }
        }
        lines
    }

    fn perform(&self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Settle(request) => Some(Event::Settled(request)),
            Effect::Process(process, machine::Effect::Signal { purpose, .. })
                if self.untouchable.iter().any(|name| *name == self.name(process)) =>
            {
                let input = Input::SignalRefused { error: "EPERM".to_owned(), purpose };
                Some(Event::SignalFailed { process, input })
            }
            _ => None,
        }
    }

    /// What the tests of the machine don't tell already.
    fn word(&self, effect: &Effect) -> Option<String> {
        let line = match effect {
            Effect::Process(id, effect) => {
                let name = self.name(*id);
                match effect {
                    machine::Effect::Spawn(_) => format!("spawn {name}"),
                    machine::Effect::Signal { signal, .. } => format!("signal {signal} to {name}"),
                    machine::Effect::Transition(t) => format!("{name} {}", t.to),
                    machine::Effect::Notice(
                        notice @ (Notice::WaitingToStop | Notice::EnteredFatal),
                    ) => notice.about(&name).to_string(),
                    machine::Effect::CallOff(_) => format!("call off {name}"),
                    machine::Effect::Notice(_) | machine::Effect::Drain(_) => return None,
                }
            }
            Effect::Answer(id, answer) => format!("{} {}", id.0, word_answer(answer)),
            Effect::Settle(_) => return None,
            Effect::Added(name) => format!("added {name}"),
            Effect::Removed(members) => format!("removed {}", members.len()),
            Effect::CloseSocket(SocketId(first)) => format!("close the socket of {}", first.0),
            Effect::WaitingToDie(who) => {
                let who = who.iter().map(|(name, state)| format!("{name} ({state})"));
                format!("waiting for {} to die", who.collect::<Vec<_>>().join(", "))
            }
            Effect::Finished(state) => format!("finished {}", state.name()),
            Effect::Send(id, bytes) => {
                let text = String::from_utf8(bytes.clone()).unwrap();
                let (header, payload) = text.split_once('\n').unwrap();
                let kind = header.split("eventname:").nth(1).unwrap();
                let kind = kind.split(' ').next().unwrap();
                format!("{} < {kind} {}", self.name(*id), payload.trim_end())
            }
            Effect::Tell(notice) => notice.to_string(),
        };
        Some(line)
    }

    /// Lets time go on, and does what is due when it is due.
    fn sleep(&mut self, millis: u64) -> Vec<String> {
        let end = self.millis + millis;
        let mut lines = Vec::new();
        for _ in 0..100 {
            let due = self.world.next_deadline().map(|due| due.as_millis() as u64);
            match due.filter(|due| *due <= end) {
                Some(due) => self.millis = self.millis.max(due),
                None => {
                    self.millis = end;
                    return lines;
                }
            }
            lines.extend(self.step(Event::Deadline));
        }
        panic!("something is due again and again");
    }

    fn ask(&mut self, request: Request) -> Vec<String> {
        self.requests += 1;
        self.step(Event::Request(RequestId(self.requests), request))
    }

    fn child(&mut self, name: &str, input: Input) -> Vec<String> {
        let process = self.id(name);
        let spawn = self.world.members[&process].process.spawn_number();
        self.step(Event::Child { process, spawn, input })
    }

    fn spawned(&mut self, name: &str) -> Vec<String> {
        self.pids += 1;
        self.child(name, Input::Announced { pid: self.pids })
    }

    fn failed(&mut self, name: &str) -> Vec<String> {
        let failure = SpawnFailure { text: "no".to_owned(), lacks_resources: false };
        self.child(name, Input::SpawnFailed(failure))
    }

    /// The child ends, and so does its output.
    fn exit(&mut self, name: &str, code: i32) -> Vec<String> {
        let process = self.id(name);
        let status = ExitStatus::Code(code);
        let mut lines = self.step(Event::Reaped { process, status });
        lines.extend(self.child(name, Input::Drained));
        lines
    }
}

/// What is due must be what the processes say, or somebody is never woken.
fn check_due(world: &World) {
    let due = world
        .members
        .iter()
        .filter_map(|(id, member)| Some((member.process.next_deadline(world.may_spawn())?, *id)));
    assert_eq!(world.due, due.collect());
    let due_of = world.due.iter().map(|(at, id)| (*id, *at));
    assert_eq!(world.due_of, due_of.collect());
}

fn word_answer(answer: &Answer) -> String {
    match answer {
        Answer::True => "true".to_owned(),
        Answer::Fault(fault) => fault.to_string(),
        Answer::Results(rows) => {
            let rows = rows.iter().map(|row| {
                format!("{} {} {}", display(&row.group, &row.name), row.status, row.description)
            });
            format!("[{}]", rows.collect::<Vec<_>>().join(", "))
        }
    }
}

const NOTHING: [&str; 0] = [];

/// The answer to a request among the lines.
fn answer(lines: &[String], request: u64) -> &str {
    let prefix = format!("{request} ");
    lines.iter().find_map(|line| line.strip_prefix(&prefix)).expect("an answer")
}

#[test]
fn autostart_goes_by_group_priority_and_then_by_configured_order() {
    let mut play = Play::new([
        group("g", 5, [with("x", |p| p.priority = 9), idle("y"), with("z", |p| p.priority = 1)]),
        alone(with("late", |p| p.priority = 7)),
        alone(with("first", |p| p.priority = 1)),
        alone(with("later", |p| p.priority = 7)),
    ]);
    assert_eq!(play.world.next_deadline(), Some(Mono::ZERO));
    let started = ["first", "g:x", "g:z", "late", "later"];
    let want: Vec<String> =
        started.iter().flat_map(|n| [format!("{n} STARTING"), format!("spawn {n}")]).collect();
    assert_eq!(play.step(Event::Deadline), want);
    assert_eq!(play.world.next_deadline(), None, "nothing is due before a child tells of itself");
}

#[test]
fn start_with_wait_answers_when_running() {
    let mut play = Play::new([alone(idle("a"))]);
    assert_eq!(play.ask(start(named("a"), WAIT)), ["a STARTING", "spawn a"]);
    assert_eq!(play.spawned("a"), NOTHING);
    assert_eq!(play.sleep(999), NOTHING);
    assert_eq!(play.sleep(1), ["a RUNNING", "1 true"]);
    assert_eq!(play.world.next_deadline(), None);
}

#[test]
fn start_without_wait_answers_when_there_is_a_child() {
    let mut play = Play::new([group("g", 1, [idle("a")])]);
    assert_eq!(play.ask(start(named("g:a"), NO_WAIT)), ["g:a STARTING", "spawn g:a"]);
    assert_eq!(play.spawned("g:a"), ["1 true"]);
    assert_eq!(play.sleep(1_000), ["g:a RUNNING"]);
}

#[test]
fn a_failed_spawn_answers_at_the_first_try() {
    for wait in [WAIT, NO_WAIT] {
        let mut play = Play::new([group("g", 1, [idle("a")])]);
        play.ask(start(named("g:a"), wait));
        assert_eq!(play.failed("g:a"), ["g:a BACKOFF", "1 SPAWN_ERROR: g:a"]);
        assert_eq!(play.sleep(1_000), ["g:a STARTING", "spawn g:a"], "tries go on");
        assert_eq!(play.failed("g:a"), ["g:a BACKOFF"]);
    }
}

#[test]
fn an_exit_that_comes_too_quickly_is_a_spawn_error() {
    let mut play = Play::new([alone(idle("a"))]);
    play.ask(start(named("a"), WAIT));
    play.spawned("a");
    play.sleep(500);
    assert_eq!(play.exit("a", 0), ["a BACKOFF", "1 SPAWN_ERROR: a"]);
}

#[test]
fn a_stop_by_another_client_ends_the_wait_for_a_start() {
    let mut play = Play::new([alone(idle("a"))]);
    play.ask(start(named("a"), WAIT));
    play.spawned("a");
    assert_eq!(
        play.ask(stop(named("a"), WAIT)),
        ["a STOPPING", "signal 15 to a", "1 ABNORMAL_TERMINATION: a", "waiting for a to stop"]
    );
    assert_eq!(play.exit("a", 0), ["a STOPPED", "2 true"]);
}

#[test]
fn a_stop_before_the_child_is_there_leaves_the_answer_without_wait_to_the_spawn() {
    let stopped = || {
        let mut play = Play::new([alone(idle("a"))]);
        play.ask(start(named("a"), NO_WAIT));
        assert_eq!(play.ask(stop(named("a"), NO_WAIT)), ["a STOPPING", "2 true"]);
        play
    };
    assert_eq!(stopped().spawned("a"), ["signal 15 to a", "1 true"]);
    assert_eq!(stopped().failed("a"), ["a STOPPED", "1 SPAWN_ERROR: a"]);
}

#[test]
fn startsecs_zero_is_running_at_once() {
    let mut play = Play::new([alone(with("a", |p| (p.autostart, p.startsecs) = (false, 0)))]);
    play.ask(start(named("a"), WAIT));
    play.spawned("a");
    assert_eq!(play.sleep(0), ["a RUNNING", "1 true"]);
    play.exit("a", 0);
    play.ask(start(named("a"), WAIT));
    play.spawned("a");
    assert_eq!(play.exit("a", 3), ["a RUNNING", "a EXITED", "2 true"], "it was up, however short");
}

#[test]
fn start_is_refused_in_supervisors_order() {
    let mut play = Play::up([group("g", 1, [program("a"), idle("b")])]);
    let problem = CommandProblem::NotFound("/bin/a".to_owned());
    let refused = Refused::from([(("g".to_owned(), "a".to_owned()), problem)]);
    let start_refused =
        |name| Request::Start { target: named(name), wait: WAIT, refused: refused.clone() };
    let rows = [
        (start(named("g:zz"), WAIT), "BAD_NAME: g:zz"),
        (start(named("g"), WAIT), "BAD_NAME: g"),
        (start(named("zz"), NO_WAIT), "BAD_NAME: zz"),
        (start(named("zz:*"), NO_WAIT), "BAD_NAME: zz:*"),
        (start(members_of("g:*"), NO_WAIT), "BAD_NAME: g:*"),
        (start(named("g:a"), WAIT), "ALREADY_STARTED: g:a"),
        (start(named("g:a"), NO_WAIT), "ALREADY_STARTED: g:a"),
        (start_refused("g:a"), "NO_FILE: can't find command '/bin/a'"),
    ];
    for (request, fault) in rows {
        let lines = play.ask(request);
        assert_eq!(lines, [format!("{} {fault}", play.requests)]);
    }
    assert_eq!(play.ask(start_refused("g:b")), ["g:b STARTING", "spawn g:b"]);
    play.failed("g:b");
    assert_eq!(play.ask(start(named("g:b"), WAIT)), ["10 ALREADY_STARTED: g:b"], "BACKOFF");
}

#[test]
fn start_of_an_unknown_one_fails() {
    let mut play = Play::up([alone(program("a"))]);
    play.untouchable.push("a");
    play.ask(stop(named("a"), NO_WAIT));
    assert_eq!(play.state("a"), ProcessState::Unknown);
    let why = "FAILED: a is in an unknown process state";
    assert_eq!(play.ask(start(named("a"), WAIT)), [format!("2 {why}")]);
    assert_eq!(play.ask(start(named("a"), NO_WAIT)), [format!("3 {why}")]);
    assert_eq!(play.ask(stop(named("a"), WAIT)), ["4 NOT_RUNNING: a"]);
}

#[test]
fn start_while_stopping_starts_nothing() {
    let mut play = Play::up([alone(program("a"))]);
    play.ask(stop(named("a"), NO_WAIT));
    assert_eq!(play.ask(start(named("a"), WAIT)), ["2 ABNORMAL_TERMINATION: a"]);
    assert_eq!(play.ask(start(named("a"), NO_WAIT)), ["3 true"]);
    assert_eq!(play.exit("a", 0), ["a STOPPED"]);
    assert_eq!(play.sleep(60_000), NOTHING, "nothing was queued");
}

#[test]
fn stop_with_wait_answers_when_stopped_and_says_meanwhile_that_it_waits() {
    let mut play = Play::up([alone(program("a"))]);
    assert_eq!(
        play.ask(stop(named("a"), WAIT)),
        ["a STOPPING", "signal 15 to a", "waiting for a to stop"]
    );
    for _ in 0..4 {
        assert_eq!(play.sleep(1_999), NOTHING);
        assert_eq!(play.sleep(1), ["waiting for a to stop"]);
    }
    assert_eq!(play.sleep(2_000), ["signal 9 to a", "waiting for a to stop"]);
    let process = play.id("a");
    let status = ExitStatus::Signal { number: 9, core: false };
    assert_eq!(play.step(Event::Reaped { process, status }), NOTHING, "its output comes first");
    assert_eq!(play.child("a", Input::Drained), ["a STOPPED", "1 true"]);
    assert_eq!(play.sleep(60_000), NOTHING);
    assert_eq!(play.world.next_deadline(), None);
}

#[test]
fn stop_without_wait_answers_when_the_signal_was_sent() {
    let mut play = Play::up([alone(program("a"))]);
    assert_eq!(play.ask(stop(named("a"), NO_WAIT)), ["a STOPPING", "signal 15 to a", "1 true"]);
    assert_eq!(play.ask(stop(named("a"), NO_WAIT)), ["2 NOT_RUNNING: a"]);
    assert_eq!(play.sleep(9_999), NOTHING, "nobody waits");
    assert_eq!(play.exit("a", 0), ["a STOPPED"]);
    for wait in [WAIT, NO_WAIT] {
        let lines = play.ask(stop(named("a"), wait));
        assert_eq!(lines, [format!("{} NOT_RUNNING: a", play.requests)]);
    }
    assert_eq!(play.ask(stop(named("b"), WAIT)), ["5 BAD_NAME: b"]);
}

#[test]
fn a_stop_of_one_that_already_ended_signals_nobody() {
    let mut play = Play::up([alone(program("a"))]);
    let process = play.id("a");
    play.step(Event::Reaped { process, status: ExitStatus::Code(3) });
    assert_eq!(play.ask(stop(named("a"), WAIT)), ["a STOPPING", "waiting for a to stop"]);
    assert_eq!(play.child("a", Input::Drained), ["a STOPPED", "1 true"]);
    assert_eq!(play.sleep(60_000), NOTHING, "no restart");
}

#[test]
fn a_stop_in_backoff_is_done_at_once() {
    for wait in [WAIT, NO_WAIT] {
        let mut play = Play::new([alone(program("a"))]);
        play.sleep(0);
        play.failed("a");
        assert_eq!(play.ask(stop(named("a"), wait)), ["a STOPPED", "1 true"]);
        assert_eq!(play.sleep(60_000), NOTHING);
    }
}

#[test]
fn a_stop_whose_signal_is_refused_fails() {
    for wait in [WAIT, NO_WAIT] {
        let mut play = Play::up([alone(program("a"))]);
        play.untouchable.push("a");
        assert_eq!(
            play.ask(stop(named("a"), wait)),
            [
                "a STOPPING",
                "signal 15 to a",
                "a UNKNOWN",
                "1 FAILED: unknown problem killing a (1):EPERM"
            ]
        );
        assert_eq!(play.sleep(60_000), NOTHING);
        assert_eq!(play.exit("a", 0), ["a STOPPED"], "the exit is taken all the same");
    }
}

#[test]
fn a_refused_signal_of_another_client_leaves_a_stop_as_good_as_done() {
    let mut play = Play::up([alone(program("a"))]);
    play.ask(stop(named("a"), WAIT));
    play.untouchable.push("a");
    assert_eq!(
        play.ask(signal(named("a"), "HUP")),
        [
            "signal 1 to a",
            "a UNKNOWN",
            "2 FAILED: unknown problem sending sig a (1):EPERM",
            "1 true"
        ]
    );
}

#[test]
fn signals_are_checked_by_name_signal_and_state() {
    let mut play = Play::up([group("g", 1, [program("a"), idle("b")])]);
    let rows = [
        ("g:zz", "FOO", "BAD_NAME: g:zz"),
        ("g:b", "FOO", "BAD_SIGNAL: FOO"),
        ("g:b", "HUP", "NOT_RUNNING: g:b"),
    ];
    for (name, text, fault) in rows {
        let lines = play.ask(signal(named(name), text));
        assert_eq!(lines, [format!("{} {fault}", play.requests)]);
    }
    assert_eq!(play.ask(signal(named("g:a"), " sigusr1 ")), ["signal 10 to g:a", "4 true"]);
    play.ask(stop(named("g:a"), NO_WAIT));
    assert_eq!(play.ask(signal(named("g:a"), "0")), ["signal 0 to g:a", "6 true"], "STOPPING");
    play.exit("g:a", 0);
    assert_eq!(play.ask(signal(named("g:a"), "HUP")), ["7 NOT_RUNNING: g:a"]);
    play.ask(start(named("g:a"), NO_WAIT));
    assert_eq!(
        play.ask(signal(named("g:a"), "HUP")),
        ["9 FAILED: attempted to send a sig SIGHUP but it wasn't running"],
        "no child yet"
    );
}

#[test]
fn a_signal_that_is_too_late_is_no_failure() {
    let mut play = Play::up([alone(program("a"))]);
    let mut effects = Vec::new();
    let request = Request::Signal { target: named("a"), signal: "HUP".to_owned() };
    play.world.step(play.now(), Event::Request(RequestId(1), request), &mut effects);
    let error = "[Errno 3] No such process".to_owned();
    let input = Input::SignalTooLate { error, purpose: Purpose::Request };
    let process = play.id("a");
    assert_eq!(play.step(Event::SignalFailed { process, input }), NOTHING);
    assert_eq!(play.step(Event::Settled(RequestId(1))), ["1 true"]);
}

#[test]
fn two_clients_wait_for_one_process() {
    let mut play = Play::new([alone(idle("a"))]);
    play.ask(start(named("a"), WAIT));
    assert_eq!(play.ask(start(named("a"), WAIT)), ["2 ALREADY_STARTED: a"]);
    play.spawned("a");
    assert_eq!(play.ask(signal(named("a"), "HUP")), ["signal 1 to a", "3 true"]);
    assert_eq!(play.sleep(1_000), ["a RUNNING", "1 true"], "the signal took nobody's place");
    play.ask(stop(named("a"), WAIT));
    assert_eq!(play.ask(stop(members_of("a"), WAIT)), ["5 []"]);
    assert_eq!(play.ask(signal(All, "USR1")), ["signal 10 to a", "6 [a 80 OK]"]);
    assert_eq!(play.ask(start(All, WAIT)), ["7 [a 40 ABNORMAL_TERMINATION: a]"]);
    assert_eq!(play.exit("a", 0), ["a STOPPED", "4 true"]);
}

#[test]
fn each_request_is_settled_by_itself() {
    let mut play = Play::up([alone(program("a"))]);
    let mut effects = Vec::new();
    for number in [1, 2] {
        let event = Event::Request(RequestId(number), signal(named("a"), "HUP"));
        play.world.step(play.now(), event, &mut effects);
    }
    for number in [2, 1] {
        let lines = play.step(Event::Settled(RequestId(number)));
        assert_eq!(lines, [format!("{number} true")]);
    }
}

#[test]
fn a_refused_signal_fails_all_that_were_to_send_one() {
    let mut play = Play::up([alone(program("a"))]);
    let mut effects = Vec::new();
    for (number, text) in [(1, "HUP"), (2, "USR1")] {
        let event = Event::Request(RequestId(number), signal(named("a"), text));
        play.world.step(play.now(), event, &mut effects);
    }
    let input = Input::SignalRefused { error: "EPERM".to_owned(), purpose: Purpose::Request };
    let process = play.id("a");
    let why = "FAILED: unknown problem sending sig a (1):EPERM";
    assert_eq!(
        play.step(Event::SignalFailed { process, input }),
        ["a UNKNOWN".to_owned(), format!("1 {why}"), format!("2 {why}")]
    );
    assert_eq!(play.step(Event::Settled(RequestId(1))), NOTHING);
}

#[test]
fn groups_are_added_behind_older_ones_of_their_priority() {
    let mut play = Play::new([alone(with("b", |p| p.priority = 5)), alone(program("a"))]);
    for (name, priority) in [("c", 5), ("d", 1), ("e", 1_000)] {
        play.ask(Request::Add(alone(with(name, |p| p.priority = priority))));
    }
    let names = |play: &Play| -> Vec<String> {
        play.world.groups().iter().map(|group| group.options.name.clone()).collect()
    };
    assert_eq!(names(&play), ["d", "b", "c", "a", "e"]);
    assert_eq!(play.ask(Request::Add(alone(program("a")))), ["4 ALREADY_ADDED: a"]);
    assert_eq!(names(&play), ["d", "b", "c", "a", "e"]);
}

#[test]
fn only_a_group_that_has_stopped_is_removed() {
    let mut play = Play::up([group("g", 1, [program("a"), idle("b")])]);
    assert_eq!(play.ask(Request::Remove("zz".to_owned())), ["1 BAD_NAME: zz"]);
    assert_eq!(play.ask(Request::Remove("g:*".to_owned())), ["2 BAD_NAME: g:*"]);
    assert_eq!(play.ask(Request::Remove("g".to_owned())), ["3 STILL_RUNNING: g"]);
    play.ask(stop(named("g:a"), NO_WAIT));
    assert_eq!(play.ask(Request::Remove("g".to_owned())), ["5 STILL_RUNNING: g"]);
    play.exit("g:a", 0);
    assert_eq!(play.ask(Request::Remove("g".to_owned())), ["removed 2", "6 true"]);
    assert_eq!(play.world.members().count(), 0);
    assert_eq!(play.ask(start(named("g:a"), WAIT)), ["7 BAD_NAME: g:a"]);
    play.ask(Request::Add(group("g", 1, [program("a")])));
    assert_eq!(play.sleep(0), ["g:a STARTING", "spawn g:a"], "a new one is started by itself");
}

#[test]
fn a_removed_process_that_was_to_start_does_not() {
    let mut play = Play::new([alone(program("a"))]);
    assert_eq!(play.ask(Request::Remove("a".to_owned())), ["removed 1", "1 true"]);
    assert_eq!(play.world.next_deadline(), None);
}

#[test]
fn late_messages_of_a_removed_process_are_dropped() {
    let mut play = Play::up([alone(program("a"))]);
    let process = play.id("a");
    play.untouchable.push("a");
    play.ask(stop(named("a"), NO_WAIT));
    assert_eq!(play.ask(Request::Remove("a".to_owned())), ["removed 1", "2 true"], "UNKNOWN");
    play.untouchable.clear();
    play.ask(Request::Add(alone(idle("a"))));
    assert_ne!(play.id("a"), process, "the same name is another process");
    let status = ExitStatus::Code(0);
    assert_eq!(play.step(Event::Reaped { process, status }), NOTHING);
    for spawn in [0, 1].map(SpawnNumber) {
        let input = Input::Drained;
        assert_eq!(play.step(Event::Child { process, spawn, input }), NOTHING);
    }
    let input = Input::SignalRefused { error: String::new(), purpose: Purpose::Kill };
    assert_eq!(play.step(Event::SignalFailed { process, input }), NOTHING);
    assert_eq!(play.state("a"), ProcessState::Stopped);
}

#[test]
fn whoever_waits_for_a_removed_process_is_answered() {
    let mut play = Play::new([group("g", 1, [program("a")])]);
    play.sleep(0);
    play.failed("g:a");
    let mut effects = Vec::new();
    let request = Event::Request(RequestId(1), stop(members_of("g"), NO_WAIT));
    play.world.step(play.now(), request, &mut effects);
    let lines = play.step(Event::Request(RequestId(2), Request::Remove("g".to_owned())));
    assert_eq!(lines, ["1 [g:a 80 OK]", "removed 1", "2 true"]);
    assert_eq!(play.step(Event::Settled(RequestId(1))), NOTHING);
}

#[test]
fn messages_of_an_old_spawn_are_dropped() {
    let mut play = Play::up([alone(program("a"))]);
    let process = play.id("a");
    play.exit("a", 3);
    assert_eq!(play.sleep(0), ["a STARTING", "spawn a"]);
    let old = SpawnNumber(1);
    let failure = SpawnFailure { text: "no".to_owned(), lacks_resources: false };
    for input in [Input::Announced { pid: 7 }, Input::SpawnFailed(failure), Input::Drained] {
        assert_eq!(play.step(Event::Child { process, spawn: old, input }), NOTHING);
    }
    assert!(play.world.members[&process].process.is_spawning());
    play.spawned("a");
    assert_eq!(play.sleep(1_000), ["a RUNNING"]);
}

#[test]
fn tells_which_processes_have_changed() {
    let mut play = Play::new([alone(program("a")), alone(idle("b"))]);
    let (a, b) = (play.id("a"), play.id("b"));
    assert_eq!(play.world.take_changed(), [a, b].into(), "new ones");
    play.sleep(0);
    assert_eq!(play.world.take_changed(), [a].into());
    assert_eq!(play.world.take_changed(), [].into());
}
