//! The daemon's own signals, its pidfile, and going to the background.

use std::fs;

use nix::sys::signal::Signal;

use crate::support::{Setup, Side, alive, process_stat, wait_for};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";

#[test]
fn term_int_and_quit_end_it() {
    for (signal, name) in
        [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGINT, "SIGINT"), (Signal::SIGQUIT, "SIGQUIT")]
    {
        let mut d = Setup::new().program("a", SLEEP).start();
        d.wait_state("a", "RUNNING", 15);
        let child = d.pid_of("a");
        assert_eq!(d.read("d.pid"), format!("{}\n", d.pid));
        d.signal(signal);
        assert_eq!(d.wait_exit(30), 0, "exit code after {name}");
        d.wait_log_order(
            &[
                &format!("WARN received {name} indicating exit request"),
                "INFO waiting for a to die",
                "WARN stopped: a (terminated by SIGTERM)",
            ],
            1,
        );
        assert!(!alive(child));
        assert!(!d.path("d.pid").exists(), "the pidfile is left");
        assert!(!d.path("s.sock").exists(), "the socket is left");
    }
}

#[test]
fn hup_starts_afresh_with_the_file_as_it_is_now() {
    let d = Setup::new().program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    let (pid, child) = (d.pid, d.pid_of("a"));
    d.append("[program:b]\ncommand=/bin/sleep 1000\nstartsecs=0\n");
    d.signal(Signal::SIGHUP);
    d.wait_log_order(
        &[
            "WARN received SIGHUP indicating restart request",
            "WARN stopped: a (terminated by SIGTERM)",
            &format!("INFO supervisord started with pid {pid}"),
            "INFO spawned: 'a' with pid *",
            "INFO spawned: 'b' with pid *",
        ],
        30,
    );
    d.wait_state("b", "RUNNING", 15);
    assert!(!alive(child));
    assert!(alive(pid));
}

#[test]
fn hup_does_not_undo_a_shutdown() {
    let stubborn = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n";
    let mut d = Setup::new()
        .script("stubborn", stubborn)
        .program("a", "command=%(here)s/stubborn\nstopwaitsecs=5")
        .start();
    d.wait_state("a", "RUNNING", 15);
    d.signal(Signal::SIGTERM);
    d.wait_log("INFO waiting for a to die", 10);
    d.signal(Signal::SIGHUP);
    d.wait_log("WARN ignored SIGHUP indicating restart request (shutdown in progress)", 10);
    assert_eq!(d.wait_exit(30), 0);
}

#[test]
fn a_broken_file_at_hup_stops_nothing() {
    if !Side::ours_only("the original stops everything, then finds the file broken and ends") {
        return;
    }
    let d = Setup::new().program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    let child = d.pid_of("a");
    d.append("[program:b]\ncommand=/bin/sleep 1000\npriority=high\n");
    d.signal(Signal::SIGHUP);
    d.wait_log("ERRO *priority*", 10);
    assert_eq!((d.state("a").as_str(), d.pid_of("a")), ("RUNNING", child));
    d.edit("priority=high", "priority=7");
    d.signal(Signal::SIGHUP);
    d.wait_state("b", "RUNNING", 15);
}

#[test]
fn usr2_reopens_every_log() {
    let ticker = "#!/bin/sh\nn=0\nwhile :; do n=$((n+1)); echo $n; sleep 0.1; done\n";
    let d = Setup::new()
        .script("ticker", ticker)
        .program("a", "command=%(here)s/ticker\nstdout_logfile=%(here)s/a.log\nstartsecs=0")
        .start();
    d.wait_file("a.log", 15, |text| text.lines().count() > 3);
    fs::rename(d.path("activity.log"), d.path("activity.old")).unwrap();
    fs::rename(d.path("a.log"), d.path("a.old")).unwrap();
    d.signal(Signal::SIGUSR2);
    d.wait_file("a.log", 15, |text| text.lines().count() > 3);
    wait_for("the reopened activity log", 15, || d.path("activity.log").exists().then_some(()));
    let told = d.read("activity.old") + &d.read("activity.log");
    assert!(told.contains("INFO received SIGUSR2 indicating log reopen request"), "{told}");
    assert!(told.contains("INFO supervisord logreopen"), "{told}");
    // Nothing is lost between the two files, nothing stands in both.
    let both = d.read("a.old") + &d.read("a.log");
    for (at, line) in both.lines().take(6).enumerate() {
        assert_eq!(line, (at + 1).to_string(), "{both}");
    }
    let lines: Vec<&str> = both.lines().collect();
    assert!((1..lines.len()).all(|n| lines[n - 1] == n.to_string()), "{both}");
    // Later lines go to the new file.
    assert_eq!(d.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    d.wait_log("*stopped: a (terminated by SIGTERM)", 10);
}

#[test]
fn in_the_background_it_leaves_the_terminal_behind() {
    let mut d = Setup::new().daemonize().supervisord("umask=027").program("a", SLEEP).start();
    assert_eq!(d.wait_exit(20), 0, "exit code of the parent");
    d.wait_state("a", "RUNNING", 15);
    assert_eq!(d.read("d.pid"), format!("{}\n", d.pid));
    let stat = process_stat(d.pid).unwrap();
    assert_eq!((stat.group, stat.session), (d.pid, d.pid), "it leads a session of its own");
    for fd in 0..3 {
        let target = fs::read_link(format!("/proc/{}/fd/{fd}", d.pid)).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"));
    }
    d.wait_log("INFO daemonizing the supervisord process", 5);
    assert_eq!(d.read("daemon.out"), "", "in the background nothing goes to the terminal");
    let pid = d.pid;
    d.ctl(&["shutdown"]).expect("Shut down\n", 0);
    wait_for("the daemon's end", 20, || (!alive(pid)).then_some(()));
    assert!(!d.path("d.pid").exists());
}
