//! Groups, their names, and the order in which priorities start and stop them.

use nix::sys::signal::Signal;

use crate::support::{Setup, TestDaemon, wait_for};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";

/// The names in the activity log's lines of this kind, in their order.
fn names(d: &TestDaemon, prefix: &str) -> Vec<String> {
    let lines = d.messages();
    let lines = lines.iter().filter_map(|line| line.strip_prefix(prefix));
    lines.filter_map(|rest| rest.split([' ', '\'']).next().map(str::to_owned)).collect()
}

/// Programs and groups whose priorities contradict their order in the file.
fn mixed() -> TestDaemon {
    Setup::new()
        .supervisord("loglevel=debug")
        .program("last", &format!("{SLEEP}\npriority=30"))
        .program("x", &format!("{SLEEP}\npriority=2"))
        .program("y", &format!("{SLEEP}\npriority=1"))
        .program("first", &format!("{SLEEP}\npriority=10"))
        .section("[group:middle]\nprograms=x,y\npriority=20")
        .start()
}

#[test]
fn groups_start_by_priority_and_members_as_listed() {
    let d = mixed();
    d.wait_log("INFO success: last *", 15);
    assert_eq!(names(&d, "INFO spawned: '"), ["first", "x", "y", "last"]);
    // The status list has the groups in start order and the members by name.
    let status = d.ctl(&["status"]);
    let shown: Vec<&str> =
        status.lines().iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(shown, ["first", "last", "middle:x", "middle:y"]);
    assert_eq!(status.code, 0);
}

#[test]
fn shutdown_stops_groups_in_reverse_and_members_by_priority() {
    let mut d = mixed();
    d.wait_state("last", "RUNNING", 15);
    d.signal(Signal::SIGTERM);
    assert_eq!(d.wait_exit(40), 0);
    // In which order they then end is the kernel's to say.
    assert_eq!(names(&d, "DEBG killing "), ["last", "x", "y", "first"]);
    d.wait_log_order(
        &[
            "WARN received SIGTERM indicating exit request",
            "INFO waiting for *first*last* to die",
            "WARN stopped: last (terminated by SIGTERM)",
            "WARN stopped: first (terminated by SIGTERM)",
        ],
        1,
    );
}

#[test]
fn a_slow_group_holds_up_those_below_it() {
    let stubborn = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n";
    let mut d = Setup::new()
        .script("stubborn", stubborn)
        .program("low", &format!("{SLEEP}\npriority=1"))
        .program("slow", "command=%(here)s/stubborn\nstopwaitsecs=3\npriority=2")
        .start();
    d.wait_state("slow", "RUNNING", 15);
    assert_eq!(d.shut_down(40), 0);
    d.wait_log_order(
        &[
            "WARN killing 'slow' (*) with SIGKILL",
            "WARN stopped: slow (terminated by SIGKILL)",
            "WARN stopped: low (terminated by SIGTERM)",
        ],
        1,
    );
}

#[test]
fn numprocs_makes_numbered_members() {
    let d = Setup::new()
        .program(
            "w",
            &format!(
                "{SLEEP}\nnumprocs=3\nnumprocs_start=5\nprocess_name=%(program_name)s_%(process_num)02d"
            ),
        )
        .start();
    for name in ["w:w_05", "w:w_06", "w:w_07"] {
        d.wait_state(name, "RUNNING", 15);
    }
    d.ctl(&["stop", "w:w_06"]).expect("w:w_06: stopped\n", 0);
    d.ctl(&["start", "w:*"]).expect("w:w_06: started\n", 0);
    // All members stop together: their order within the group is of no account.
    let stopped = d.ctl(&["stop", "w:*"]);
    let mut lines = stopped.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["w:w_05: stopped", "w:w_06: stopped", "w:w_07: stopped"]);
    let status = d.ctl(&["status", "w:*"]);
    assert_eq!((status.lines().len(), status.code), (3, 3));
    assert!(status.lines().iter().all(|line| line.contains("STOPPED")), "{status:?}");
}

#[test]
fn a_group_takes_its_programs_out_of_their_own_groups() {
    let d = Setup::new()
        .program("a", SLEEP)
        .program("b", SLEEP)
        .section("[group:g]\nprograms=a")
        .start();
    d.wait_state("g:a", "RUNNING", 15);
    assert_eq!(d.ctl(&["status", "a"]).stdout, "a: ERROR (no such process)\n");
    let group = d.ctl(&["status", "g:a", "b"]);
    assert_eq!((group.lines().len(), group.code), (2, 0));
}

#[test]
fn all_means_every_process() {
    let d = mixed();
    d.wait_state("last", "RUNNING", 15);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let stopped = d.ctl(&["stop", "all"]);
    assert_eq!(
        sorted(&stopped.stdout),
        ["first: stopped", "last: stopped", "middle:x: stopped", "middle:y: stopped"]
    );
    assert_eq!(stopped.code, 0);
    let started = d.ctl(&["start", "all"]);
    assert_eq!(
        sorted(&started.stdout),
        ["first: started", "last: started", "middle:x: started", "middle:y: started"]
    );
    // Requests go in ascending priority, also within a group.
    let spawned = wait_for("the lines of all starts", 10, || {
        Some(names(&d, "INFO spawned: '")).filter(|names| names.len() == 8)
    });
    assert_eq!(spawned[4..], ["first", "y", "x", "last"]);
}
