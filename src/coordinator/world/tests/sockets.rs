//! When FastCGI sockets close, with time moved by hand.

use super::*;
use crate::config::options::{FcgiAddress, FcgiSocket};

const CLOSED: &str = "close the socket of 0";

/// A program whose processes have this port as their stdin.
fn fcgi(name: &str, port: u16) -> Program {
    with(name, |p| {
        let address = FcgiAddress::Tcp { host: "localhost".to_owned(), port };
        p.socket = Some(Arc::new(FcgiSocket { address, backlog: None }));
        p.autorestart = Autorestart::Never;
        p.startretries = Retries::Limited(1);
    })
}

fn restarting(program: Program) -> Program {
    Program { autorestart: Autorestart::Always, ..program }
}

#[test]
fn after_a_stop_by_request_it_stays_for_two_seconds() {
    let mut play = Play::up([alone(fcgi("a", 9_000))]);
    play.ask(stop(named("a"), WAIT));
    assert_eq!(play.exit("a", 0), ["a STOPPED", "1 true"]);
    assert_eq!(play.sleep(1_999), NOTHING);
    assert_eq!(play.sleep(1), [CLOSED]);
    assert_eq!(play.sleep(60_000), NOTHING, "once");
    assert_eq!(play.world.next_deadline(), None);
}

#[test]
fn a_restart_finds_it_open() {
    let mut play = Play::up([alone(fcgi("a", 9_000))]);
    play.ask(stop(named("a"), WAIT));
    play.exit("a", 0);
    play.sleep(1_900);
    assert_eq!(play.ask(start(named("a"), NO_WAIT)), ["a STARTING", "spawn a"]);
    assert_eq!(play.sleep(60_000), NOTHING, "however long the new child takes");
    play.spawned("a");
}

#[test]
fn a_stop_before_a_start_keeps_it_no_longer() {
    let mut play = Play::up([alone(Program { startsecs: 0, ..fcgi("a", 9_000) })]);
    play.ask(stop(named("a"), WAIT));
    play.exit("a", 0);
    play.ask(start(named("a"), NO_WAIT));
    play.spawned("a");
    play.sleep(10);
    assert_eq!(play.exit("a", 0), ["a EXITED", CLOSED]);
}

#[test]
fn it_closes_at_once_when_the_last_one_ends_for_good() {
    let mut play = Play::up([group("g", 1, [fcgi("a", 9_000), fcgi("b", 9_000)])]);
    assert_eq!(play.exit("g:a", 0), ["g:a EXITED"]);
    assert_eq!(play.exit("g:b", 7), ["g:b EXITED", CLOSED]);
    play.ask(start(named("g:b"), NO_WAIT));
    assert_eq!(play.failed("g:b"), ["g:b BACKOFF", "1 SPAWN_ERROR: g:b"]);
    play.sleep(1_000);
    play.failed("g:b");
    let fatal = "gave up: g:b entered FATAL state, too many start retries too quickly";
    assert_eq!(play.sleep(0), ["g:b FATAL", fatal, CLOSED]);
}

#[test]
fn it_stays_open_across_restarts_of_its_last_child() {
    let mut play = Play::up([alone(restarting(fcgi("a", 9_000)))]);
    assert_eq!(play.exit("a", 0), ["a EXITED"]);
    assert_eq!(play.sleep(0), ["a STARTING", "spawn a"]);
    play.spawned("a");
    assert_eq!(play.exit("a", 0), ["a BACKOFF"]);
    assert_eq!(play.sleep(1_000), ["a STARTING", "spawn a"]);
    play.spawned("a");
    assert_eq!(play.sleep(1_000), ["a RUNNING"]);
    assert_eq!(play.exit("a", 0), ["a EXITED"]);
    assert_eq!(play.sleep(0), ["a STARTING", "spawn a"]);
    assert_eq!(play.failed("a"), ["a BACKOFF"]);
}

#[test]
fn a_stop_in_backoff_counts_as_a_request() {
    let mut play = Play::up([alone(restarting(fcgi("a", 9_000)))]);
    play.exit("a", 0);
    play.sleep(0);
    play.failed("a");
    assert_eq!(play.ask(stop(named("a"), NO_WAIT)), ["a STOPPED", "1 true"]);
    assert_eq!(play.sleep(1_999), NOTHING);
    assert_eq!(play.sleep(1), [CLOSED]);
}

#[test]
fn two_seconds_count_from_the_last_stop() {
    let mut play = Play::up([group("g", 1, [fcgi("a", 9_000), fcgi("b", 9_000)])]);
    play.ask(stop(named("g:a"), NO_WAIT));
    play.exit("g:a", 0);
    assert_eq!(play.sleep(5_000), NOTHING, "the other one lives");
    play.ask(stop(named("g:b"), NO_WAIT));
    play.exit("g:b", 0);
    assert_eq!(play.sleep(1_999), NOTHING);
    assert_eq!(play.sleep(1), [CLOSED]);
}

#[test]
fn it_is_held_while_others_of_its_group_stop() {
    let members = || [fcgi("a", 9_000), program("slow"), fcgi("b", 9_001)];
    for together in [true, false] {
        let mut play = Play::up([group("g", 1, members())]);
        if together {
            play.ask(stop(members_of("g"), WAIT));
        } else {
            let one_by_one = ["g:a", "g:slow", "g:b"].map(|name| stop(named(name), NO_WAIT));
            one_by_one.into_iter().for_each(|request| drop(play.ask(request)));
        }
        play.exit("g:b", 0);
        play.exit("g:a", 0);
        play.sleep(9_000);
        let stopped = play.exit("g:slow", 0);
        assert!(stopped.iter().all(|line| !line.starts_with("close")), "{stopped:?}");
        assert_eq!(play.sleep(1_999), NOTHING);
        if together {
            assert_eq!(
                play.ask(start(members_of("g"), NO_WAIT))[..2],
                ["g:a STARTING", "spawn g:a"]
            );
            assert_eq!(play.sleep(60_000), NOTHING, "both are needed");
        } else {
            assert_eq!(play.sleep(1), [CLOSED, "close the socket of 2"]);
        }
    }
}

#[test]
fn it_is_held_until_a_stop_of_several_groups_is_answered() {
    let mut play = Play::up([alone(fcgi("a", 9_000)), alone(program("slow"))]);
    assert_eq!(
        play.ask(stop(All, WAIT))[..4],
        ["a STOPPING", "signal 15 to a", "slow STOPPING", "signal 15 to slow"]
    );
    assert_eq!(play.exit("a", 0), ["a STOPPED"]);
    let waiting = "waiting for slow to stop";
    assert_eq!(play.sleep(9_000), [waiting; 4]);
    assert_eq!(play.exit("slow", 0), ["slow STOPPED", "1 [a 80 OK, slow 80 OK]"]);
    assert_eq!(play.sleep(1_999), NOTHING);
    assert_eq!(play.sleep(1), [CLOSED]);
    assert_eq!(play.world.next_deadline(), None);
}

#[test]
fn it_is_held_while_others_stop_one_after_another() {
    let mut play = Play::up(["a", "b", "c"].map(|name| alone(fcgi(name, 9_000))));
    for name in ["a", "b", "c"] {
        play.ask(stop(named(name), WAIT));
        play.sleep(5_000);
        let stopped = play.exit(name, 0);
        assert!(stopped.iter().all(|line| !line.starts_with("close")), "{stopped:?}");
    }
    assert_eq!(play.sleep(1_999), NOTHING);
    assert_eq!(play.sleep(1), [CLOSED, "close the socket of 1", "close the socket of 2"]);
}

/// Its time counts from the end of the last stop, however quick that was.
#[test]
fn the_next_stop_renews_it_and_a_stop_of_nothing_does_not() {
    let mut play = Play::up([alone(fcgi("a", 9_000)), alone(program("b"))]);
    play.ask(stop(named("a"), WAIT));
    play.exit("a", 0);
    play.sleep(1_900);
    play.ask(stop(named("b"), WAIT));
    play.sleep(50);
    assert_eq!(play.exit("b", 0), ["b STOPPED", "2 true"]);
    play.sleep(1_900);
    assert_eq!(play.ask(stop(named("b"), WAIT)), ["3 NOT_RUNNING: b"]);
    assert_eq!(play.sleep(99), NOTHING);
    assert_eq!(play.sleep(1), [CLOSED]);
}

#[test]
fn other_groups_and_other_requests_do_not_hold_it() {
    let mut play = Play::up([alone(fcgi("a", 9_000)), alone(program("slow"))]);
    play.ask(stop(named("slow"), NO_WAIT));
    play.ask(stop(named("a"), WAIT));
    play.exit("a", 0);
    play.sleep(1_000);
    let all = play.ask(stop(All, WAIT));
    assert_eq!(all, ["3 []"], "nobody is left to be stopped");
    play.sleep(999);
    assert_eq!(play.sleep(1), [CLOSED]);
}

#[test]
fn a_stop_that_begins_while_it_is_kept_holds_it() {
    let mut play = Play::up([group("g", 1, [fcgi("a", 9_000), program("slow")])]);
    play.ask(stop(named("g:a"), WAIT));
    play.exit("g:a", 0);
    play.sleep(1_900);
    play.ask(stop(named("g:slow"), NO_WAIT));
    assert_eq!(play.sleep(9_000), NOTHING);
    play.exit("g:slow", 0);
    assert_eq!(play.sleep(1_999), NOTHING);
    assert_eq!(play.sleep(1), [CLOSED]);
}

#[test]
fn nothing_holds_one_that_closed_by_itself_or_of_a_daemon_that_leaves() {
    let mut play = Play::up([group("g", 1, [fcgi("a", 9_000), program("slow")])]);
    play.ask(stop(named("g:slow"), NO_WAIT));
    assert_eq!(play.exit("g:a", 0), ["g:a EXITED", CLOSED]);

    let mut play = Play::up([group("g", 1, [fcgi("a", 9_000), program("slow")])]);
    play.ask(stop(members_of("g"), WAIT));
    play.exit("g:a", 0);
    let left = play.step(Event::Leave(SupervisorState::Shutdown));
    assert!(left.contains(&CLOSED.to_owned()), "{left:?}");
}

#[test]
fn one_that_nobody_can_signal_holds_it_no_longer() {
    let mut play = Play::up([group("g", 1, [fcgi("a", 9_000), program("slow")])]);
    play.untouchable.push("g:slow");
    play.ask(stop(members_of("g"), WAIT));
    play.exit("g:a", 0);
    assert_eq!(play.state("g:slow"), ProcessState::Unknown);
    assert_eq!(play.sleep(1_999), NOTHING);
    assert_eq!(play.sleep(1), [CLOSED]);
}

#[test]
fn each_program_of_a_group_has_its_own() {
    let members = [fcgi("a", 9_000), program("b"), fcgi("c", 9_001)];
    let mut play = Play::up([group("g", 1, members)]);
    assert_eq!(play.exit("g:b", 0), ["g:b EXITED"]);
    assert_eq!(play.exit("g:c", 0), ["g:c EXITED", "close the socket of 2"]);
    assert_eq!(play.exit("g:a", 0), ["g:a EXITED", CLOSED]);
}

#[test]
fn groups_do_not_share() {
    let mut play = Play::up([alone(fcgi("a", 9_000)), alone(fcgi("b", 9_000))]);
    assert_eq!(play.exit("a", 0), ["a EXITED", CLOSED]);
    assert_eq!(play.exit("b", 0), ["b EXITED", "close the socket of 1"]);
}

#[test]
fn removal_closes_it_before_it_is_answered() {
    let mut play = Play::up([alone(fcgi("a", 9_000))]);
    play.ask(stop(named("a"), NO_WAIT));
    play.exit("a", 0);
    play.sleep(500);
    let removed = play.ask(Request::Remove("a".to_owned()));
    assert_eq!(removed, [CLOSED, "removed 1", "2 true"]);
    assert_eq!(play.sleep(60_000), NOTHING);
}

#[test]
fn leaving_keeps_nothing_for_a_restart() {
    for state in [SupervisorState::Shutdown, SupervisorState::Restarting] {
        let mut play = Play::up([alone(fcgi("a", 9_000)), alone(fcgi("b", 9_001))]);
        play.ask(stop(named("a"), NO_WAIT));
        play.exit("a", 0);
        assert_eq!(
            play.step(Event::Leave(state)),
            [CLOSED, "b STOPPING", "signal 15 to b", "waiting for b (STOPPING) to die"]
        );
        let finished = format!("finished {}", state.name());
        assert_eq!(play.exit("b", 0), ["b STOPPED", "close the socket of 1", &finished]);
    }
}

#[test]
fn leaving_does_not_wait_for_one_that_nobody_can_signal() {
    let mut play = Play::up([alone(fcgi("a", 9_000))]);
    play.untouchable.push("a");
    play.ask(stop(named("a"), NO_WAIT));
    assert_eq!(play.sleep(60_000), NOTHING, "it may live, so its socket stays");
    let left = play.step(Event::Leave(SupervisorState::Shutdown));
    assert_eq!(left, [CLOSED, "finished SHUTDOWN"]);
}

#[test]
fn a_start_called_off_counts_as_a_stop() {
    let mut play = Play::new([alone(fcgi("a", 9_000))]);
    play.sleep(0);
    play.ask(stop(named("a"), NO_WAIT));
    assert_eq!(play.sleep(10_000), ["call off a", "a STOPPED"]);
    assert_eq!(play.sleep(1_999), NOTHING);
    assert_eq!(play.sleep(1), [CLOSED]);
}
