//! What listeners hear of the world, and when.

use super::*;
use crate::config::event_kind::Kind;
use crate::config::options::{EventLength, ListenerError, Pool};
use crate::event::pool::{Heard, Stdin};

/// A pool of one listener of that name.
fn listener(name: &str, events: &[Kind], listener_error: ListenerError) -> Arc<Group> {
    let pool = Pool {
        events: events.to_vec(),
        buffer_size: 10,
        event_length: EventLength::Characters,
        listener_error,
        ack_timeout: None,
    };
    let processes = vec![Arc::new(with(name, |p| p.startsecs = 0))];
    let kind = GroupKind::EventListeners(Arc::new(pool));
    Arc::new(Group { name: name.to_owned(), priority: -1, kind, processes })
}

/// A world whose listener `lis` is RUNNING and READY, with these groups beside.
fn listening(
    events: &[Kind],
    on_error: ListenerError,
    groups: impl IntoIterator<Item = Arc<Group>>,
) -> Play {
    let mut play = Play::new([listener("lis", events, on_error)]);
    play.sleep(0);
    play.spawned("lis");
    play.sleep(0);
    let lines = says(&mut play, "READY\n");
    accepted(&mut play, lines);
    for group in groups {
        play.ask(Request::Add(group));
    }
    play
}

fn says(play: &mut Play, text: &str) -> Vec<String> {
    let process = play.id("lis");
    let spawn = play.world.member(process).unwrap().process.spawn_number();
    let data = text.as_bytes().to_vec();
    let heard = Heard::Output { data, stdin: Stdin::Written };
    play.step(Event::Listener { process, spawn, heard })
}

/// What the listener was sent among these lines, and what it gets while it accepts all.
fn accepted(play: &mut Play, mut lines: Vec<String>) -> Vec<String> {
    let mut heard = Vec::new();
    while let Some(event) = lines.into_iter().find(|line| line.starts_with("lis < ")) {
        heard.push(event);
        lines = says(play, "RESULT 2\nOKREADY\n");
    }
    heard
}

#[test]
fn a_change_is_sent_before_its_line_and_in_order() {
    let mut play = listening(&[Kind::ProcessState], ListenerError::Unknown, [alone(idle("a"))]);
    let lines = play.ask(start(named("a"), false));
    let want = "lis < PROCESS_STATE_STARTING processname:a groupname:a from_state:STOPPED tries:0";
    let place = |line: &str| lines.iter().position(|found| found == line).unwrap();
    assert!(place(want) < place("a STARTING"), "{lines:?}");
    play.spawned("a");
    play.sleep(1000);
    play.exit("a", 3);
    play.sleep(0);
    assert_eq!(
        accepted(&mut play, lines)[1..4],
        [
            "lis < PROCESS_STATE_RUNNING processname:a groupname:a from_state:STARTING pid:2",
            "lis < PROCESS_STATE_EXITED processname:a groupname:a from_state:RUNNING expected:0 \
             pid:2",
            "lis < PROCESS_STATE_STARTING processname:a groupname:a from_state:EXITED tries:0",
        ]
    );
}

#[test]
fn groups_and_the_daemon_itself() {
    let kinds = [Kind::ProcessGroup, Kind::SupervisorStateChange, Kind::RemoteCommunication];
    let mut play = listening(&kinds, ListenerError::Unknown, []);
    assert_eq!(play.world.serials().peek(), 1, "a pool hears of itself");
    let mut lines = play.step(Event::Began);
    lines.extend(play.ask(Request::Add(alone(idle("a")))));
    lines.extend(play.ask(Request::Remove("a".to_owned())));
    lines.extend(play.step(Event::Occurred(payload::Event::remote("t", "d"))));
    let heard = accepted(&mut play, lines);
    let names: Vec<&str> = heard.iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(
        names,
        [
            "SUPERVISOR_STATE_CHANGE_RUNNING",
            "PROCESS_GROUP_ADDED",
            "PROCESS_GROUP_REMOVED",
            "REMOTE_COMMUNICATION",
        ]
    );
    let lines = play.step(Event::Leave(SupervisorState::Shutdown));
    assert_eq!(play.state("lis"), ProcessState::Running);
    let heard = accepted(&mut play, lines);
    assert!(heard[0].starts_with("lis < SUPERVISOR_STATE_CHANGE_STOPPING"), "{heard:?}");
    assert_eq!(play.state("lis"), ProcessState::Stopping);
}

#[test]
fn ticks_wake_the_world_only_for_those_who_want_them() {
    let idle = listening(&[Kind::ProcessGroup], ListenerError::Unknown, []);
    assert_eq!(idle.world.next_deadline(), None);
    let mut play = listening(&[Kind::Tick5], ListenerError::Unknown, []);
    let due = play.world.next_deadline().expect("a tick to come");
    assert!(due > play.now().mono && due <= play.now().mono + Duration::from_secs(5));
    let lines = play.sleep(5000);
    assert!(lines.iter().any(|line| line.starts_with("lis < TICK_5 when:")), "{lines:?}");
    play.ask(stop(named("lis"), false));
    play.exit("lis", 0);
    play.ask(Request::Remove("lis".to_owned()));
    assert_eq!(play.world.next_deadline(), None);
}

#[test]
fn a_listener_that_breaks_the_protocol_is_started_again_where_that_is_wished() {
    let mut unknown = listening(&[Kind::Tick], ListenerError::Unknown, []);
    says(&mut unknown, "noise");
    assert_eq!(unknown.state("lis"), ProcessState::Running);

    let mut play = listening(&[Kind::Tick], ListenerError::Restart, []);
    says(&mut play, "noise");
    assert_eq!(play.state("lis"), ProcessState::Stopping);
    let lines = play.exit("lis", 0);
    assert!(lines.contains(&"lis STOPPED".to_owned()), "{lines:?}");
    // Not at once: it may do the same each time.
    assert_eq!(play.state("lis"), ProcessState::Stopped);
    play.sleep(1000);
    assert_eq!(play.state("lis"), ProcessState::Starting);

    // Who has run for long does not wait.
    play.spawned("lis");
    play.sleep(5000);
    says(&mut play, "noise!");
    play.exit("lis", 0);
    assert_eq!(play.state("lis"), ProcessState::Starting);
}

#[test]
fn clients_decide_about_a_listener_that_is_to_be_started_again() {
    let broken = || {
        let mut play = listening(&[Kind::ProcessGroup], ListenerError::Restart, []);
        says(&mut play, "noise");
        play
    };
    // A stop is a stop, while it stops and while it waits.
    let mut stopping = broken();
    stopping.ask(stop(named("lis"), false));
    stopping.exit("lis", 0);
    let mut stopped = broken();
    stopped.exit("lis", 0);
    stopped.ask(stop(named("lis"), false));
    for mut play in [stopping, stopped] {
        play.sleep(1000);
        assert_eq!(play.state("lis"), ProcessState::Stopped);
        assert_eq!(play.world.next_deadline(), None);
    }
    // Of one that is removed nothing is left.
    let mut removed = broken();
    removed.exit("lis", 0);
    removed.ask(Request::Remove("lis".to_owned()));
    assert_eq!(removed.sleep(1000), NOTHING);
    assert!(removed.world.bouncing.is_empty());
    // After a start by a client there is no second one.
    let mut started = broken();
    started.exit("lis", 0);
    started.ask(start(named("lis"), false));
    started.spawned("lis");
    started.sleep(0);
    started.exit("lis", 0);
    started.sleep(1000);
    assert_eq!(started.state("lis"), ProcessState::Exited);
}

/// It is not there any more when the event is made.
#[test]
fn a_listener_is_not_sent_its_own_end() {
    let mut play = listening(&[Kind::ProcessState], ListenerError::Unknown, []);
    let lines = play.exit("lis", 1);
    assert!(lines.contains(&"lis EXITED".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("lis < ")), "{lines:?}");
}

/// A listener holds the first event, and its pool's buffer takes ten: twelve are lost, the first
/// ten of which are told singly, and another when the first comes back.
#[test]
fn what_was_lost_last_is_told_before_the_end() {
    let told = |lines: &[String]| {
        let mut lines = lines.iter().filter_map(|line| line.split("overflowed, ").nth(1));
        lines.next().map(str::to_owned)
    };
    let play = || {
        let mut play = listening(&[Kind::RemoteCommunication], ListenerError::Unknown, []);
        for _ in 0..23 {
            play.step(Event::Occurred(payload::Event::remote("t", "d")));
        }
        play
    };
    let want = Some("discarding event 13 and 2 before it".to_owned());
    let mut removed = play();
    removed.ask(stop(named("lis"), false));
    removed.exit("lis", 0);
    assert_eq!(told(&removed.ask(Request::Remove("lis".to_owned()))), want);

    let mut left = play();
    left.step(Event::Leave(SupervisorState::Shutdown));
    left.sleep(1000);
    let lines = left.exit("lis", 0);
    assert!(lines.iter().any(|line| line.contains("overflowed")), "{lines:?}");
}

#[test]
fn what_a_listener_held_at_its_end_is_sent_again() {
    let mut play = listening(&[Kind::RemoteCommunication], ListenerError::Unknown, []);
    play.step(Event::Occurred(payload::Event::remote("t", "d")));
    play.exit("lis", 1);
    play.sleep(0);
    play.spawned("lis");
    play.sleep(0);
    let lines = says(&mut play, "READY\n");
    assert!(lines.contains(&"lis < REMOTE_COMMUNICATION type:t\nd".to_owned()), "{lines:?}");
}

/// Steps that lead to the end, the listener accepting all that it is sent.
fn heard_at_the_end(play: &mut Play) -> Vec<String> {
    let lines = play.step(Event::Leave(SupervisorState::Shutdown));
    let mut heard = accepted(play, lines);
    let lines = play.exit("a", 0);
    heard.extend(accepted(play, lines));
    heard
}

#[test]
fn who_is_stopped_last_hears_of_the_end_of_the_others() {
    let mut play = listening(
        &[Kind::ProcessState, Kind::SupervisorStateChange],
        ListenerError::Unknown,
        [alone(idle("a"))],
    );
    let lines = play.ask(start(named("a"), false));
    play.spawned("a");
    play.sleep(1000);
    accepted(&mut play, lines);
    let heard = heard_at_the_end(&mut play);
    assert!(heard.last().unwrap().contains("PROCESS_STATE_STOPPED processname:a"), "{heard:?}");
    assert_eq!(play.state("lis"), ProcessState::Stopping);
}

#[test]
fn who_does_not_answer_is_stopped_a_second_later() {
    let mut play = listening(&[Kind::SupervisorStateChange], ListenerError::Unknown, []);
    play.step(Event::Leave(SupervisorState::Shutdown));
    assert_eq!(play.state("lis"), ProcessState::Running);
    play.sleep(999);
    assert_eq!(play.state("lis"), ProcessState::Running);
    play.sleep(1);
    assert_eq!(play.state("lis"), ProcessState::Stopping);
}

#[test]
fn who_can_hear_nothing_is_not_waited_for() {
    let mut play = listening(&[Kind::SupervisorStateChange], ListenerError::Unknown, []);
    says(&mut play, "noise");
    play.step(Event::Leave(SupervisorState::Shutdown));
    assert_eq!(play.state("lis"), ProcessState::Stopping);
}
