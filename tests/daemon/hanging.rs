//! File systems that hang, and what the daemon must not keep for them.

use std::{fs, thread};

use crate::support::{Setup, Side, TestDaemon, hanging, wait_for};

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
