//! File systems that hang, and what the daemon must not keep for them.

use std::{fs, thread};

use crate::{
    orphans::wake_fds,
    support::{Setup, Side, TestDaemon, hanging, wait_for},
};

fn mounted(setup: Setup) -> Option<Setup> {
    hanging::mounted(setup).map_err(|why| eprintln!("skipped: {why}")).ok()
}

/// Whether a thread waits for the file system.
fn one_waits(d: &TestDaemon) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", d.pid)).unwrap().flatten();
    let mut places = tasks.filter_map(|task| fs::read_to_string(task.path().join("wchan")).ok());
    places.any(|place| place == "request_wait_answer")
}

#[test]
fn a_reader_of_a_log_that_hangs_keeps_no_daemon() {
    let _alone = super::alone();
    if !Side::ours_only("the original reads logs in its one thread") {
        return;
    }
    let setup = Setup::new().program(
        "a",
        "command=/bin/echo words\nstartsecs=0\nautorestart=false\n\
         stdout_logfile=%(here)s/disk/a.log\nstderr_logfile=NONE",
    );
    let Some(setup) = mounted(setup) else { return };
    let mut d = setup.start();
    d.wait_state("a", "EXITED", 15);
    let disk = hanging::FileSystem::of(&d);
    disk.hang();
    let mut client = d.rpc();
    let log = "<string>a</string><int>0</int><int>0</int>";
    let asker = thread::spawn(move || client.call("supervisor.readProcessStdoutLog", log).is_ok());
    wait_for("a thread that waits", 30, || one_waits(&d).then_some(()));
    assert_eq!(d.shut_down(60), 0);
    assert!(!d.path("d.pid").exists() && !d.path("s.sock").exists());
    d.has_count("WARN answering the last requests takes too long; *", 1);
    assert!(!asker.join().unwrap(), "nobody could answer");
}

/// The thread of a child still hangs in what it wrote last when nobody knows its process any more.
#[test]
fn a_log_that_hangs_until_its_program_is_removed_leaves_nothing_open() {
    let _alone = super::alone();
    if !Side::ours_only("the original has no threads") {
        return;
    }
    let setup = Setup::new().script("writes", "#!/bin/sh\nwhile echo words; do sleep 0.02; done\n");
    let setup = setup.program(
        "a",
        "command=%(here)s/writes\nautostart=false\nstartsecs=0\nstopwaitsecs=2\n\
         stdout_logfile=%(here)s/disk/a.log\nstderr_logfile=NONE",
    );
    let Some(setup) = mounted(setup) else { return };
    let mut d = setup.start();
    let disk = hanging::FileSystem::of(&d);
    let before = wake_fds(&d);
    let order = |method: &str, name: &str| {
        let answer = d.rpc().call(&format!("supervisor.{method}"), name).unwrap();
        assert!(answer.contains("<boolean>1</boolean>"), "{method}: {answer}");
    };
    order("startProcess", "<string>a</string>");
    assert_eq!(wake_fds(&d), before + 1);
    disk.hang();
    wait_for("a thread that waits", 60, || one_waits(&d).then_some(()));
    order("stopProcess", "<string>a</string>");
    order("removeProcessGroup", "<string>a</string>");
    assert_eq!(wake_fds(&d), before + 1, "it hangs yet");
    disk.go_on();
    wait_for("the thread's end", 60, || (wake_fds(&d) == before).then_some(()));
    assert_eq!(d.shut_down(60), 0);
}
