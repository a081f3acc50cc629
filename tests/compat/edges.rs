//! Edges that somebody depends on: addresses, signals twice, odd files as logs.

use std::{
    fs,
    net::{TcpListener, TcpStream},
};

use nix::sys::signal::Signal;

use crate::support::{Setup, Side, alive, wait_for};

#[test]
fn listeners_have_ipv6_addresses_too() {
    if !Side::ours_only("the original knows IPv4 addresses") {
        return;
    }
    let port = TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
    let d = Setup::new()
        .section(&format!("[inet_http_server]\nport=[::1]:{port}"))
        .program("a", "command=/bin/sleep 1000\nstartsecs=0")
        .start();
    assert!(TcpStream::connect(("::1", port)).is_ok());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let text = fs::read_to_string(&d.config).unwrap();
    let url = format!("serverurl=http://[::1]:{port}\n#");
    fs::write(&d.config, text.replace("serverurl=", &url)).unwrap();
    d.wait_state("a", "RUNNING", 15);
    d.ctl(&["status"]).expect_part("RUNNING", 0);
}

#[test]
fn a_second_term_is_told_and_changes_nothing() {
    let script = "#!/bin/sh\ntrap 'echo term' TERM\necho ready\nwhile :; do sleep 0.1; done\n";
    let mut d = Setup::new()
        .script("stubborn", script)
        .program(
            "a",
            "command=%(here)s/stubborn\nstartsecs=0\nstopwaitsecs=3\nstdout_logfile=%(here)s/out",
        )
        .start();
    d.wait_state("a", "RUNNING", 15);
    d.wait_file("out", 15, |text| text == "ready\n");
    let pid = d.pid_of("a");
    d.signal(Signal::SIGTERM);
    d.wait_log("WARN received SIGTERM indicating exit request", 5);
    d.wait_file("out", 5, |text| text == "ready\nterm\n");
    d.signal(Signal::SIGTERM);
    wait_for("the second line", 5, || {
        (d.count("WARN received SIGTERM indicating exit request") == 2).then_some(())
    });
    assert!(alive(pid), "it was killed before its time");
    assert_eq!(d.wait_exit(20), 0);
    let order = [
        "WARN received SIGTERM indicating exit request",
        "WARN received SIGTERM indicating exit request",
        "WARN killing 'a' (*) with SIGKILL",
        "WARN stopped: a (terminated by SIGKILL)",
    ];
    d.wait_log_order(&order, 5);
    assert_eq!(d.read("out"), "ready\nterm\n", "one signal for two requests");
}

#[test]
fn the_activity_log_on_standard_output_has_each_line_once() {
    if !Side::ours_only("the original writes each line twice, and cannot start with rotation on") {
        return;
    }
    let d = Setup::new()
        .arg("-l")
        .arg("/dev/stdout")
        .program("a", "command=/bin/sleep 1000\nstartsecs=0")
        .start();
    d.wait_state("a", "RUNNING", 15);
    let line = format!("INFO supervisord started with pid {}", d.pid);
    let text =
        d.wait_file("daemon.out", 5, |text| text.contains("INFO success: a entered RUNNING"));
    assert_eq!(text.matches(&line).count(), 1, "{text}");
}

#[test]
fn a_pidfile_that_is_no_file_is_left_alone() {
    if !Side::ours_only("the original of root's removes the device") {
        return;
    }
    let setup = Setup::new();
    nix::sys::stat::mknod(
        &setup.path("null"),
        nix::sys::stat::SFlag::S_IFCHR,
        nix::sys::stat::Mode::from_bits_truncate(0o666),
        nix::sys::stat::makedev(1, 3),
    )
    .unwrap();
    let null = setup.path("null").display().to_string();
    let mut d = setup.arg("-j").arg(&null).start();
    assert_eq!(d.shut_down(20), 0);
    assert!(d.path("null").exists());
}

#[test]
fn a_number_without_an_entry_can_be_a_user() {
    if !Side::ours_only("the original knows users of the user data base alone") {
        return;
    }
    let d = Setup::new()
        .program(
            "a",
            "command=/bin/sh -c \"grep -E '^(Uid|Gid|Groups):' /proc/self/status\"\nuser=1234567\n\
             startsecs=0\nautorestart=false\nstdout_logfile=%(here)s/out",
        )
        .start();
    let n = "1234567";
    let want = format!("Uid:\t{n}\t{n}\t{n}\t{n}\nGid:\t{n}\t{n}\t{n}\t{n}\nGroups:\t{n} \n");
    d.wait_file("out", 15, |text| text == want);
}
