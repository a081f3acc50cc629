//! Children whose process the daemon no longer knows: they are read while they live, and leave
//! nothing behind.

use std::{env, fs};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::support::{Setup, Side, TestDaemon, wait_for};

/// The descriptors by which the daemon's threads are woken: one for each child's, and others.
pub fn wake_fds(d: &TestDaemon) -> usize {
    let entries = fs::read_dir(format!("/proc/{}/fd", d.pid)).unwrap().flatten();
    let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_str() == Some("anon_inode:[eventfd]")).count()
}

#[test]
fn one_that_outlives_a_restart_is_read_until_it_ends() {
    let _alone = super::alone();
    if !Side::ours_only("the original's signals can't be made to fail") {
        return;
    }
    if !cfg!(debug_assertions) || env::var_os("MINDER_OURS").is_some() {
        eprintln!("skipped: it takes the daemon of a build with debug_assertions");
        return;
    }
    let setup = Setup::new().program("a", "command=/bin/sleep 1000\nstartsecs=0");
    let lift = setup.path("lift");
    let order = format!("thread=daemon,call=kill,n=1,errno=1,for=ever,lift={}", lift.display());
    let mut d = setup.env("MINDER_INJECT", &order).start();
    d.wait_state("a", "RUNNING", 15);
    let (before, old) = (wake_fds(&d), d.pid_of("a"));
    let answer = d.rpc().call("supervisor.stopProcess", "<string>a</string>").unwrap();
    assert!(answer.contains("FAILED: unknown problem killing a"), "{answer}");
    d.signal(Signal::SIGHUP);
    let forgotten =
        format!("WARN pid {old}, which could not be stopped, is forgotten; it runs on: *");
    d.wait_log_order(&[&forgotten, "INFO spawned: 'a' with pid *"], 60);
    d.wait_state("a", "RUNNING", 60);
    assert_eq!(wake_fds(&d), before + 1, "both are read");
    signal::kill(Pid::from_raw(old), Signal::SIGKILL).unwrap();
    d.wait_log(&format!("INFO reaped unknown pid {old} (*"), 60);
    wait_for("the end of its thread", 60, || (wake_fds(&d) == before).then_some(()));
    fs::write(&lift, "").unwrap();
    assert_eq!(d.shut_down(60), 0);
}
