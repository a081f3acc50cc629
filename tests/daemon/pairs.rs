//! Starts and stops by the thousand leave nothing behind.

use std::fs;

use crate::support::{Setup, TestDaemon, all_pids, process_stat, wait_for};

const PAIRS: usize = 1_000;

/// What a daemon holds: threads, descriptors, children of any state.
fn holdings(d: &TestDaemon) -> (usize, usize, usize) {
    let entries = |name: &str| fs::read_dir(format!("/proc/{}/{name}", d.pid)).unwrap().count();
    let children = all_pids()
        .into_iter()
        .filter(|pid| process_stat(*pid).is_some_and(|stat| stat.parent == d.pid))
        .count();
    (entries("task"), entries("fd"), children)
}

#[test]
fn a_thousand_starts_and_stops_leave_nothing_behind() {
    let _turn = crate::alone();
    let d = Setup::new()
        .program(
            "a",
            "command=/bin/sleep 1000\nstartsecs=0\nautostart=false\nredirect_stderr=true\n\
             stdout_logfile=%(here)s/a.log",
        )
        .start();
    let mut rpc = d.rpc();
    let mut call = |method: &str, wait: u8| {
        let params = format!("<string>a</string><boolean>{wait}</boolean>");
        let answer = rpc.call(method, &params).unwrap();
        assert!(answer.contains("<boolean>1</boolean>"), "{method}: {answer}");
    };
    // The first pair may make what is then kept, such as a thread of a pool.
    call("supervisor.startProcess", 1);
    call("supervisor.stopProcess", 1);
    let before = holdings(&d);
    for _ in 0..PAIRS {
        call("supervisor.startProcess", 1);
        call("supervisor.stopProcess", 1);
    }
    let mut after = holdings(&d);
    // A thread may still be about to end.
    wait_for("the daemon as it was", 5, || {
        after = holdings(&d);
        (after == before).then_some(())
    });
    assert_eq!(after.2, 0, "children are left");
    d.has_count("INFO spawned: 'a' *", PAIRS + 1);
    d.has_count("* stopped: a (terminated by SIGTERM)", PAIRS + 1);
    assert_eq!(d.state("a"), "STOPPED");
}

#[test]
fn a_stop_right_after_a_start_catches_every_moment_of_the_spawn() {
    let _turn = crate::alone();
    let d =
        Setup::new().program("a", "command=/bin/sleep 1000\nstartsecs=0\nautostart=false").start();
    let mut rpc = d.rpc();
    let before = holdings(&d);
    for _ in 0..200 {
        let params = "<string>a</string><boolean>0</boolean>";
        let answer = rpc.call("supervisor.startProcess", params).unwrap();
        assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
        let answer = rpc.call("supervisor.stopProcess", "<string>a</string>").unwrap();
        assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
        assert_eq!(d.state("a"), "STOPPED");
    }
    wait_for("the daemon as it was", 5, || (holdings(&d) == before).then_some(()));
}

#[test]
fn starts_that_fail_hold_nothing() {
    const PROGRAMS: usize = 100;
    let _turn = crate::alone();
    let mut setup = Setup::new();
    for n in 0..PROGRAMS {
        let lines = "command=/no/such/file\nstartretries=0";
        setup = setup.program(&format!("f{n}"), lines);
    }
    let d = setup.start();
    for n in 0..PROGRAMS {
        d.wait_state(&format!("f{n}"), "FATAL", 15);
    }
    let (threads, descriptors, children) = holdings(&d);
    assert!(threads < PROGRAMS / 2 && descriptors < PROGRAMS / 2, "{threads}, {descriptors}");
    assert_eq!(children, 0);
}
