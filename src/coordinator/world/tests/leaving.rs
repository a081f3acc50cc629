//! The end of the daemon, or of one of its lives.

use super::*;

const SHUTDOWN: Event = Event::Leave(SupervisorState::Shutdown);
const RESTART: Event = Event::Leave(SupervisorState::Restarting);

fn of_priority(priority: i64, name: &str) -> Program {
    with(name, |p| p.priority = priority)
}

#[test]
fn groups_stop_in_reverse_and_members_by_descending_priority() {
    let mut play = Play::up([
        alone(of_priority(1, "a")),
        group("g", 2, [of_priority(5, "x"), of_priority(9, "y"), of_priority(5, "z")]),
        alone(of_priority(3, "b")),
    ]);
    assert_eq!(
        play.step(SHUTDOWN),
        [
            "b STOPPING",
            "signal 15 to b",
            "waiting for a (RUNNING), x (RUNNING), y (RUNNING), z (RUNNING), b (STOPPING) to die"
        ]
    );
    assert_eq!(
        play.exit("b", 0),
        [
            "b STOPPED",
            "g:y STOPPING",
            "signal 15 to g:y",
            "g:z STOPPING",
            "signal 15 to g:z",
            "g:x STOPPING",
            "signal 15 to g:x"
        ]
    );
    assert_eq!(play.exit("g:x", 0), ["g:x STOPPED"]);
    assert_eq!(play.exit("g:z", 0), ["g:z STOPPED"]);
    assert_eq!(play.exit("g:y", 0), ["g:y STOPPED", "a STOPPING", "signal 15 to a"]);
    assert_eq!(play.exit("a", 0), ["a STOPPED", "finished SHUTDOWN"]);
    assert_eq!(play.world.next_deadline(), None);
}

#[test]
fn waits_are_told_at_once_and_every_three_seconds() {
    let slow = with("a", |p| p.stopwaitsecs = 7);
    let mut play = Play::up([alone(slow), group("g", 1_000, [program("b")])]);
    play.step(SHUTDOWN);
    assert_eq!(play.sleep(2_999), NOTHING);
    assert_eq!(play.sleep(1), ["waiting for a (RUNNING), b (STOPPING) to die"]);
    play.sleep(500);
    assert_eq!(play.exit("g:b", 0), ["g:b STOPPED", "a STOPPING", "signal 15 to a"]);
    assert_eq!(play.sleep(2_499), NOTHING);
    assert_eq!(play.sleep(1), ["waiting for a (STOPPING) to die"]);
    assert_eq!(play.sleep(3_000), ["waiting for a (STOPPING) to die"]);
    assert_eq!(play.sleep(1_500), ["signal 9 to a"], "the limit of each program counts");
    assert_eq!(play.exit("a", 0), ["a STOPPED", "finished SHUTDOWN"]);
    assert_eq!(play.sleep(60_000), NOTHING);
}

#[test]
fn idle_groups_cost_no_time() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut play =
        Play::up(names.map(|name| alone(if name == "c" { program(name) } else { idle(name) })));
    assert_eq!(
        play.step(SHUTDOWN),
        ["c STOPPING", "signal 15 to c", "waiting for c (STOPPING) to die"]
    );
    assert_eq!(play.exit("c", 0), ["c STOPPED", "finished SHUTDOWN"]);
}

#[test]
fn nothing_to_stop_finishes_at_once_and_once() {
    for mut play in [Play::new([]), Play::new([alone(program("a")), group("g", 1, [])])] {
        assert_eq!(play.step(RESTART), ["finished RESTARTING"]);
        assert_eq!(play.sleep(60_000), NOTHING);
        assert_eq!(play.step(Event::Deadline), NOTHING);
        assert_eq!(play.step(RESTART), NOTHING);
        assert_eq!(play.step(SHUTDOWN), ["finished SHUTDOWN"]);
        assert_eq!(play.step(SHUTDOWN), NOTHING);
    }
}

#[test]
fn backoff_becomes_fatal_without_a_line_when_its_group_has_its_turn() {
    let mut play = Play::new([group("g", 1, [program("x"), program("y")]), alone(program("a"))]);
    play.sleep(0);
    for name in ["g:x", "a"] {
        play.failed(name);
    }
    play.spawned("g:y");
    assert_eq!(
        play.step(SHUTDOWN),
        [
            "a FATAL",
            "g:y STOPPING",
            "signal 15 to g:y",
            "g:x FATAL",
            "waiting for y (STOPPING) to die"
        ]
    );
    assert_eq!(play.exit("g:y", 0), ["g:y STOPPED", "finished SHUTDOWN"]);

    let mut play = Play::new([alone(program("x")), alone(program("y"))]);
    play.sleep(0);
    play.failed("x");
    play.spawned("y");
    play.step(SHUTDOWN);
    assert_eq!(play.state("x"), ProcessState::Backoff, "y is first");
    assert_eq!(play.sleep(2_000), NOTHING, "no further try");
    assert_eq!(play.exit("y", 0), ["y STOPPED", "x FATAL", "finished SHUTDOWN"]);
}

#[test]
fn the_last_try_may_fail_while_another_group_stops() {
    let mut play = Play::new([
        alone(with("a", |p| p.startretries = Retries::Limited(-1))),
        alone(program("b")),
    ]);
    play.sleep(0);
    play.spawned("b");
    play.step(SHUTDOWN);
    assert_eq!(play.failed("a"), ["a BACKOFF"]);
    let line = "gave up: a entered FATAL state, too many start retries too quickly";
    assert_eq!(play.sleep(0), ["a FATAL", line], "that is no new start");
    assert_eq!(play.exit("b", 0), ["b STOPPED", "finished SHUTDOWN"]);
}

#[test]
fn nothing_starts_any_more() {
    let mut play = Play::up([
        alone(with("a", |p| p.autorestart = Autorestart::Always)),
        alone(program("b")),
        alone(program("c")),
    ]);
    play.exit("b", 1);
    play.ask(Request::Add(alone(program("new"))));
    play.step(SHUTDOWN);
    assert_eq!(play.exit("a", 1), ["a EXITED"]);
    assert_eq!(play.sleep(2_000), NOTHING, "neither b, EXITED before, nor a, nor the new one");
    assert_eq!(play.exit("c", 0), ["c STOPPED", "finished SHUTDOWN"]);
    assert_eq!(play.state("new"), ProcessState::Stopped);
}

#[test]
fn starting_may_still_become_running() {
    let mut play = Play::new([alone(idle("a")), alone(program("b"))]);
    play.sleep(0);
    play.ask(start(named("a"), WAIT));
    play.spawned("a");
    play.spawned("b");
    play.step(SHUTDOWN);
    assert_eq!(play.sleep(1_000), ["a RUNNING", "1 true"]);
    assert_eq!(play.exit("b", 0), ["b STOPPED", "a STOPPING", "signal 15 to a"]);
}

#[test]
fn waiting_requests_are_still_answered() {
    let mut play = Play::up([alone(program("a")), alone(idle("b")), alone(idle("c"))]);
    play.ask(stop(named("a"), WAIT));
    play.ask(start(named("b"), WAIT));
    play.ask(start(named("c"), NO_WAIT));
    play.spawned("b");
    assert_eq!(
        play.step(SHUTDOWN),
        ["c STOPPING", "waiting for a (STOPPING), b (STARTING), c (STOPPING) to die"]
    );
    assert_eq!(
        play.failed("c"),
        [
            "c STOPPED",
            "3 SPAWN_ERROR: c",
            "b STOPPING",
            "signal 15 to b",
            "2 ABNORMAL_TERMINATION: b"
        ]
    );
    assert_eq!(play.exit("a", 0), ["a STOPPED", "1 true"]);
    assert_eq!(play.exit("b", 0), ["b STOPPED", "finished SHUTDOWN"]);
}

#[test]
fn requests_are_refused() {
    for leave in [SHUTDOWN, RESTART] {
        let mut play = Play::up([alone(program("a"))]);
        play.step(leave);
        let requests = [
            start(named("zz"), WAIT),
            start(All, NO_WAIT),
            stop(named("a"), WAIT),
            signal(named("a"), "FOO"),
            Request::Add(alone(program("b"))),
            Request::Remove("a".to_owned()),
        ];
        for request in requests {
            let lines = play.ask(request);
            assert_eq!(lines, [format!("{} SHUTDOWN_STATE", play.requests)]);
        }
    }
}

#[test]
fn a_shutdown_overrules_a_restart_and_nothing_overrules_a_shutdown() {
    let mut play = Play::up([alone(program("a"))]);
    play.step(RESTART);
    assert_eq!(play.world.state(), SupervisorState::Restarting);
    assert_eq!(play.step(SHUTDOWN), NOTHING, "the stop goes on as it is");
    assert_eq!(play.step(SHUTDOWN), NOTHING, "and not faster");
    assert_eq!(play.step(RESTART), NOTHING);
    assert_eq!(play.world.state(), SupervisorState::Shutdown);
    assert_eq!(play.exit("a", 0), ["a STOPPED", "finished SHUTDOWN"]);
}

/// It may wait for a configuration that is read once more.
#[test]
fn a_shutdown_overrules_a_restart_that_has_stopped_everything() {
    let mut play = Play::up([alone(program("a"))]);
    play.step(RESTART);
    assert_eq!(play.exit("a", 0), ["a STOPPED", "finished RESTARTING"]);
    assert_eq!(play.step(RESTART), NOTHING);
    assert_eq!(play.step(SHUTDOWN), ["finished SHUTDOWN"]);
    assert_eq!(play.step(SHUTDOWN), NOTHING, "once");
}

#[test]
fn an_unknown_one_is_not_waited_for() {
    let mut play = Play::up([alone(program("a")), alone(program("b"))]);
    play.untouchable.push("b");
    assert_eq!(play.step(SHUTDOWN).last().unwrap(), "signal 15 to a");
    assert_eq!(play.state("b"), ProcessState::Unknown);
    assert_eq!(play.exit("a", 0), ["a STOPPED", "finished SHUTDOWN"]);
    assert_eq!(play.exit("b", 0), ["b STOPPED"]);
}

#[test]
fn a_stop_by_request_counts_for_the_shutdown() {
    let mut play = Play::up([alone(program("a"))]);
    play.ask(stop(named("a"), NO_WAIT));
    play.sleep(1_000);
    assert_eq!(play.step(SHUTDOWN), ["waiting for a (STOPPING) to die"], "no second signal");
    assert_eq!(play.sleep(3_000), ["waiting for a (STOPPING) to die"]);
    assert_eq!(play.exit("a", 0), ["a STOPPED", "finished SHUTDOWN"]);
}
