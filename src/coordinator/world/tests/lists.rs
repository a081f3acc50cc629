//! Requests for groups and for all: who appears, in which order they act, in which order rows
//! stand.

use super::*;

fn priority(name: &str, priority: i64) -> Program {
    with(name, |p| p.priority = priority)
}

/// Two groups; priorities say `g:y g:x g:z b a`.
fn two_groups(configure: impl Fn(&mut Program)) -> [Arc<Group>; 3] {
    let of = |name: &str, value: i64| {
        let mut program = priority(name, value);
        configure(&mut program);
        program
    };
    [group("g", 1, [of("x", 5), of("y", 1), of("z", 5)]), alone(of("b", 2)), alone(of("a", 3))]
}

fn chosen(lines: &[String], prefix: &str) -> Vec<String> {
    lines.iter().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect()
}

#[test]
fn all_act_by_ascending_priority_of_group_and_process() {
    let order = ["g:y", "g:x", "g:z", "b", "a"];
    let mut play = Play::new(two_groups(|p| p.autostart = false));
    assert_eq!(chosen(&play.ask(start(All, WAIT)), "spawn "), order);
    for name in order {
        play.spawned(name);
    }
    play.sleep(1_000);
    assert_eq!(chosen(&play.ask(signal(All, "HUP")), "signal 1 to "), order);
    assert_eq!(chosen(&play.ask(stop(All, WAIT)), "signal 15 to "), order);
}

#[test]
fn a_namespec_of_a_group_is_the_group() {
    for target in [named("g:*"), named("g:"), members_of("g")] {
        let mut play = Play::new(two_groups(|_| {}));
        let lines = play.ask(start(target.clone(), NO_WAIT));
        assert_eq!(chosen(&lines, "spawn "), ["g:y", "g:x", "g:z"], "{target:?}");
        for name in ["g:z", "g:x"] {
            assert_eq!(play.spawned(name), NOTHING);
        }
        assert_eq!(play.spawned("g:y"), ["1 [g:y 80 OK, g:x 80 OK, g:z 80 OK]"], "{target:?}");
    }
}

#[test]
fn nothing_to_do_is_an_empty_list() {
    let mut play = Play::up([group("g", 1, [program("a")])]);
    assert_eq!(play.ask(start(named("g:*"), WAIT)), ["1 []"]);
    assert_eq!(play.ask(start(All, NO_WAIT)), ["2 []"]);
    play.ask(stop(All, NO_WAIT));
    assert_eq!(play.ask(stop(members_of("g"), WAIT)), ["4 []"]);
    play.exit("g:a", 0);
    assert_eq!(play.ask(signal(All, "FOO")), ["5 []"]);
    assert_eq!(Play::new([]).ask(start(All, WAIT)), ["1 []"]);
}

#[test]
fn an_unknown_group_is_a_bad_name() {
    let mut play = Play::up([group("g", 1, [program("a")])]);
    assert_eq!(play.ask(start(members_of("a"), WAIT)), ["1 BAD_NAME: a"]);
    assert_eq!(play.ask(stop(members_of("g:a"), WAIT)), ["2 BAD_NAME: g:a"]);
    assert_eq!(play.ask(signal(members_of(""), "HUP")), ["3 BAD_NAME: "]);
}

/// One process in each state that there is, named after it.
fn every_state() -> Play {
    let quiet = |name: &str| with(name, |p| p.autorestart = Autorestart::Never);
    let mut play = Play::up([
        alone(idle("stopped")),
        alone(quiet("exited")),
        alone(with("fatal", |p| p.startretries = Retries::Limited(-1))),
        alone(program("unknown")),
        alone(program("stopping")),
        alone(program("running")),
        alone(idle("starting")),
        alone(idle("backoff")),
    ]);
    play.exit("exited", 0);
    play.exit("fatal", 1);
    play.sleep(0);
    play.failed("fatal");
    play.sleep(0);
    play.untouchable.push("unknown");
    for name in ["unknown", "stopping"] {
        play.ask(stop(named(name), NO_WAIT));
    }
    for name in ["starting", "backoff"] {
        play.ask(start(named(name), NO_WAIT));
    }
    play.spawned("starting");
    play.failed("backoff");
    for (_, member) in play.world.members() {
        let process = &member.process;
        assert_eq!(process.state().name().to_lowercase(), process.program.name);
    }
    play.requests = 0;
    play
}

#[test]
fn start_appears_for_all_that_are_not_started() {
    let mut play = every_state();
    let lines = play.ask(start(All, WAIT));
    assert_eq!(chosen(&lines, "spawn "), ["stopped", "exited", "fatal"]);
    for name in ["fatal", "stopped", "exited"] {
        play.spawned(name);
    }
    assert_eq!(
        answer(&play.sleep(1_000), 1),
        "[unknown 30 FAILED: unknown is in an unknown process state, \
         stopping 40 ABNORMAL_TERMINATION: stopping, \
         stopped 80 OK, exited 80 OK, fatal 80 OK]",
        "what is decided at once stands first"
    );
}

#[test]
fn start_without_wait_is_in_the_order_of_the_actions() {
    let mut play = every_state();
    play.ask(start(All, NO_WAIT));
    play.spawned("fatal");
    play.failed("exited");
    assert_eq!(
        play.spawned("stopped"),
        ["1 [stopped 80 OK, exited 50 SPAWN_ERROR: exited, fatal 80 OK, \
          unknown 30 FAILED: unknown is in an unknown process state, stopping 80 OK]"]
    );
}

#[test]
fn stop_appears_for_all_that_are_started() {
    let mut play = every_state();
    let lines = play.ask(stop(All, WAIT));
    assert_eq!(chosen(&lines, "signal 15 to "), ["running", "starting"]);
    assert!(lines.contains(&"backoff STOPPED".to_owned()));
    play.exit("starting", 0);
    play.sleep(1);
    assert_eq!(
        answer(&play.exit("running", 0), 1),
        "[backoff 80 OK, starting 80 OK, running 80 OK]",
        "a stop in BACKOFF is done at once, the others as they end"
    );
}

#[test]
fn signals_appear_for_all_that_take_them() {
    let mut play = every_state();
    let signalled = ["stopping", "running", "starting"];
    let lines = play.ask(signal(All, "USR2"));
    assert_eq!(chosen(&lines, "signal 12 to "), signalled);
    assert_eq!(answer(&lines, 1), "[stopping 80 OK, running 80 OK, starting 80 OK]");
    let bad = signalled.map(|name| format!("{name} 11 BAD_SIGNAL: FOO")).join(", ");
    assert_eq!(play.ask(signal(All, "FOO")), [format!("2 [{bad}]")]);
}

#[test]
fn refused_starts_stand_first_in_the_order_of_the_actions() {
    let mut play = Play::new(two_groups(|p| p.autostart = false));
    let problem = || CommandProblem::NotFound("/z".to_owned());
    let names = [("a", "a"), ("g", "x")].map(|(g, n)| (g.to_owned(), n.to_owned()));
    let refused = Refused::from(names.map(|names| (names, problem())));
    play.ask(Request::Start { target: All, wait: WAIT, refused });
    for name in ["b", "g:z", "g:y"] {
        play.spawned(name);
    }
    assert_eq!(play.exit("g:z", 0), ["g:z BACKOFF"]);
    assert_eq!(
        answer(&play.sleep(1_000), 1),
        "[g:x 20 NO_FILE: can't find command '/z', a 20 NO_FILE: can't find command '/z', \
         g:z 50 SPAWN_ERROR: g:z, g:y 80 OK, b 80 OK]"
    );
}

#[test]
fn a_spawn_that_fails_counts_as_decided_at_once() {
    let mut play = Play::new(two_groups(|p| p.autostart = false));
    play.ask(start(All, WAIT));
    for name in ["g:y", "g:x", "b"] {
        play.spawned(name);
    }
    play.exit("b", 1);
    play.sleep(1);
    for name in ["a", "g:z"] {
        play.failed(name);
    }
    assert_eq!(
        answer(&play.sleep(999), 1),
        "[g:z 50 SPAWN_ERROR: g:z, a 50 SPAWN_ERROR: a, b 50 SPAWN_ERROR: b, \
         g:y 80 OK, g:x 80 OK]",
        "b had a child"
    );
}

#[test]
fn startsecs_zero_counts_as_decided_at_once() {
    let zero = with("zero", |p| (p.startsecs, p.priority, p.autostart) = (0, 1_000, false));
    let mut play = Play::new([alone(idle("a")), alone(zero)]);
    play.ask(start(All, WAIT));
    play.spawned("a");
    play.sleep(1_000);
    play.spawned("zero");
    assert_eq!(answer(&play.sleep(500), 1), "[zero 80 OK, a 80 OK]");
}

#[test]
fn a_stop_by_another_client_counts_as_later() {
    let mut play = Play::new(two_groups(|p| p.autostart = false));
    play.ask(start(members_of("g"), WAIT));
    play.spawned("g:x");
    play.sleep(1_000);
    play.sleep(1);
    // One has no child yet, the other has.
    play.ask(stop(named("g:y"), NO_WAIT));
    play.spawned("g:z");
    assert_eq!(
        answer(&play.ask(stop(named("g:z"), NO_WAIT)), 1),
        "[g:x 80 OK, g:y 40 ABNORMAL_TERMINATION: g:y, g:z 40 ABNORMAL_TERMINATION: g:z]"
    );
}

#[test]
fn rows_of_one_moment_are_in_the_order_of_the_actions() {
    let mut play = Play::up(two_groups(|_| {}));
    play.ask(stop(All, WAIT));
    for name in ["a", "g:x", "g:z", "b"] {
        play.exit(name, 0);
    }
    assert_eq!(
        answer(&play.exit("g:y", 0), 1),
        "[g:y 80 OK, g:x 80 OK, g:z 80 OK, b 80 OK, a 80 OK]"
    );
}

#[test]
fn stopped_rows_come_as_they_end_and_failed_signals_first() {
    let mut play = Play::up(two_groups(|_| {}));
    play.untouchable.push("b");
    assert_eq!(
        chosen(&play.ask(stop(All, WAIT)), "waiting for "),
        ["g:y to stop", "g:x to stop", "g:z to stop", "a to stop"]
    );
    for name in ["a", "g:x", "g:y"] {
        play.exit(name, 0);
        play.sleep(1);
    }
    assert_eq!(
        answer(&play.exit("g:z", 0), 1),
        "[b 30 FAILED: unknown problem killing b (4):EPERM, \
         a 80 OK, g:x 80 OK, g:y 80 OK, g:z 80 OK]"
    );
}

#[test]
fn a_refused_signal_and_a_stop_in_backoff_stand_in_the_order_of_the_actions() {
    let mut play = Play::up([alone(program("a")), alone(program("b")), alone(program("c"))]);
    play.untouchable.push("a");
    play.exit("b", 1);
    play.sleep(0);
    play.failed("b");
    play.ask(stop(All, WAIT));
    assert_eq!(
        answer(&play.exit("c", 0), 1),
        "[a 30 FAILED: unknown problem killing a (1):EPERM, b 80 OK, c 80 OK]"
    );
}
