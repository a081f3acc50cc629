//! SIGHUP: what was removed is made again, what is new is taken.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::{Setup, Side, free_port, root, rpc, wait_for};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";
const STARTED: &str = "INFO supervisord started with pid *";

#[test]
fn a_removed_socket_and_pidfile_are_made_again() {
    let d = Setup::new().program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    fs::remove_file(d.path("s.sock")).unwrap();
    fs::remove_file(d.path("d.pid")).unwrap();
    d.signal(Signal::SIGHUP);
    d.wait_log_order(&[STARTED, STARTED], 20);
    d.wait_state("a", "RUNNING", 15);
    assert_eq!(d.read("d.pid"), format!("{}\n", d.pid));
}

#[test]
fn a_listener_moves_to_another_host_on_its_port() {
    let port = free_port();
    let d = Setup::new()
        .section(&format!("[inet_http_server]\nport=127.0.0.1:{port}\n"))
        .program("a", SLEEP)
        .start();
    d.wait_state("a", "RUNNING", 15);
    let reaches = |host: &str| TcpStream::connect((host, port)).is_ok();
    assert!(reaches("127.0.0.1") && !reaches("127.0.0.2"));
    for host in ["*", "127.0.0.2", "localhost"] {
        let before = d.count(STARTED);
        let text = d.read("c.conf");
        let old = text.lines().find(|line| line.starts_with("port=")).unwrap().to_owned();
        d.edit(&old, &format!("port={host}:{port}"));
        d.signal(Signal::SIGHUP);
        wait_for("the restart", 20, || (d.count(STARTED) > before).then_some(()));
        let host = if host == "*" { "127.0.0.2" } else { host };
        wait_for("the new listener", 10, || reaches(host).then_some(()));
        assert_eq!(reaches("127.0.0.2"), host == "127.0.0.2");
    }
}

/// The listener and the file of the first configuration, not only those of later ones.
#[test]
fn what_a_restart_leaves_is_closed() {
    let ports = [(); 3].map(|()| free_port());
    let d = Setup::new()
        .section(&format!("[inet_http_server]\nport=127.0.0.1:{}\n", ports[0]))
        .supervisord("on_leftover=kill\nstate_file=%(here)s/state0")
        .program("a", SLEEP)
        .start();
    d.wait_state("a", "RUNNING", 15);
    // Two that listen, and a pair that signals come by on ours; no client's.
    let sockets = if Side::under_test() == Side::Ours { 4 } else { 2 };
    let wait_closed = |state: &str| {
        wait_for("what is closed", 15, || {
            let entries = fs::read_dir(format!("/proc/{}/fd", d.pid)).unwrap().flatten();
            let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
            let targets: Vec<String> = targets.map(|path| path.display().to_string()).collect();
            let count = |part: &str| targets.iter().filter(|target| target.contains(part)).count();
            let states = if Side::under_test() == Side::Ours { 1 } else { 0 };
            (count("socket:") == sockets && count("/state") == states && count(state) == states)
                .then_some(())
        });
    };
    wait_closed("/state0");
    for (at, pair) in ports.windows(2).enumerate() {
        d.edit(&pair[0].to_string(), &pair[1].to_string());
        d.edit(&format!("/state{at}"), &format!("/state{}", at + 1));
        d.signal(Signal::SIGHUP);
        d.has_count(STARTED, at + 2);
        d.wait_state("a", "RUNNING", 15);
        wait_closed(&format!("/state{}", at + 1));
    }
}

#[test]
fn a_second_hup_reads_the_file_once_more() {
    let stubborn = "#!/bin/sh\ntrap '' TERM\necho up\nwhile :; do sleep 0.1; done\n";
    let d = Setup::new()
        .script("stubborn", stubborn)
        .program(
            "a",
            "command=%(here)s/stubborn\nstartsecs=0\nstopwaitsecs=3\n\
                       stdout_logfile=%(here)s/a.log",
        )
        .start();
    d.wait_file("a.log", 15, |text| text.contains("up"));
    d.signal(Signal::SIGHUP);
    d.wait_log("INFO waiting for a to die", 15);
    d.append("[program:late]\ncommand=/bin/sleep 1000\nstartsecs=0\n");
    d.signal(Signal::SIGHUP);
    d.wait_state("late", "RUNNING", 30);
}

/// While the file is read once more, nothing runs and nothing is to be started.
#[test]
fn a_shutdown_ends_a_restart_that_has_stopped_everything() {
    if !Side::ours_only("the original reads the file once, and waits for whatever it names") {
        return;
    }
    let waits = "#!/bin/sh\ntrap '' TERM\necho up\nwhile ! [ -e end ]; do sleep 0.1; done\n";
    let mut d = Setup::new()
        .script("waits", waits)
        .program(
            "a",
            "command=%(here)s/waits\nstartsecs=0\nstopwaitsecs=1000\n\
                       stdout_logfile=%(here)s/a.log",
        )
        .start();
    d.wait_file("a.log", 15, |text| text.contains("up"));
    d.signal(Signal::SIGHUP);
    d.wait_log("INFO waiting for a to die", 15);
    // Nobody writes it: reading it takes five seconds, and each signal has it read again.
    mkfifo(&d.path("silent.conf"), Mode::S_IRWXU).unwrap();
    d.append("[include]\nfiles=%(here)s/silent.conf\n");
    let read_again = || d.signal(Signal::SIGHUP);
    read_again();
    fs::write(d.path("end"), "").unwrap();
    wait_for("the program's end", 60, || {
        read_again();
        (d.count("* stopped: a (*") > 0).then_some(())
    });
    read_again();
    d.signal(Signal::SIGTERM);
    assert_eq!(d.wait_exit(60), 0);
    assert_eq!(d.count("INFO spawned: *"), 1);
    assert_eq!(d.count(STARTED), 1);
}

#[test]
fn a_restart_becomes_the_user_of_the_file() {
    if !Side::ours_only("the original can then no longer open its log here") {
        return;
    }
    assert!(root(), "only root can become another user");
    let d = Setup::new().program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    fs::set_permissions(d.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    d.edit("[supervisord]\n", "[supervisord]\nuser=nobody\n");
    d.signal(Signal::SIGHUP);
    d.wait_log("INFO Set uid to user 65534 succeeded", 20);
    d.wait_state("a", "RUNNING", 15);
    for pid in [d.pid, d.pid_of("a")] {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{status}");
    }
    // Every thread of the daemon, not only the one that asked.
    for task in fs::read_dir(format!("/proc/{}/task", d.pid)).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Uid:\t65534"), "{status}");
    }
}

#[test]
fn a_refused_restart_changes_nothing() {
    if !Side::ours_only("the original stops everything and then ends") {
        return;
    }
    let d = Setup::new().program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    let mode = || fs::metadata(d.path("s.sock")).unwrap().permissions().mode() & 0o777;
    let before = mode();
    let text = d.read("c.conf").replace("[unix_http_server]\n", "[unix_http_server]\nchmod=0777\n");
    let log = text.lines().find(|line| line.starts_with("logfile=")).unwrap().to_owned();
    fs::write(d.path("c.conf"), text.replace(&log, "logfile=/tmp")).unwrap();
    d.signal(Signal::SIGHUP);
    d.wait_log("ERRO could not restart, everything goes on as it is: *", 15);
    assert_eq!(mode(), before);
    assert_eq!(d.state("a"), "RUNNING");
}

/// What the daemon holds itself is not taken for another's.
#[test]
fn a_pidfile_by_another_name_is_the_same_one() {
    if !Side::ours_only("the original does not lock its pidfile") {
        return;
    }
    let d = Setup::new().program("a", SLEEP).start();
    let pid = format!("{}\n", d.pid);
    let restart = |times: usize| {
        d.signal(Signal::SIGHUP);
        wait_for("the restart", 60, || (d.count(STARTED) >= times).then_some(()));
    };
    symlink(".", d.path("here")).unwrap();
    d.edit("/d.pid", "/here/d.pid");
    restart(2);
    assert_eq!(d.read("d.pid"), pid);
    // What can't be looked at is what it was.
    fs::rename(d.path("d.pid"), d.path("away")).unwrap();
    symlink("d.pid", d.path("d.pid")).unwrap();
    restart(3);
    d.wait_log("WARN pidfile */here/d.pid can't be looked at and is kept: [Errno 40] *", 60);
    // It was taken away: another one is made.
    fs::remove_file(d.path("d.pid")).unwrap();
    restart(4);
    assert_eq!(d.read("d.pid"), pid);
    assert_eq!(d.count("CRIT another *"), 0);
    assert_eq!(d.count("CRIT could not write *"), 0);
}

#[test]
fn one_port_serves_both_kinds_of_address() {
    if !Side::ours_only("the original knows IPv4 alone") {
        return;
    }
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: there is no IPv6 here");
        return;
    }
    let port = free_port();
    let section = |name: &str, host: &str| {
        format!("[inet_http_server{name}]\nport={host}:{port}\nusername=u{name}\npassword=p\n")
    };
    let v4 = section("4", "127.0.0.1");
    let d = Setup::new().section(&format!("{}{v4}", section("6", "[::]"))).start();
    let served = |host: &str, user: &str| {
        let login = rpc::base64(&format!("{user}:p"));
        let mut stream = TcpStream::connect((host, port)).unwrap();
        let head = format!("GET /ok.html HTTP/1.0\r\nAuthorization: Basic {login}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.0 200")
    };
    assert!(served("127.0.0.1", "u4") && served("::1", "u6"));
    // Alone it serves IPv4 as well; and room is made for the other again.
    for (from, to, user) in [(v4.as_str(), "", "u6"), ("[supervisord]", "[supervisord]", "u4")] {
        let before = d.count(STARTED);
        d.edit(from, to);
        if user == "u4" {
            d.append(&v4);
        }
        d.signal(Signal::SIGHUP);
        wait_for("the restart", 60, || (d.count(STARTED) > before).then_some(()));
        wait_for("its own user", 60, || served("127.0.0.1", user).then_some(()));
        assert!(served("::1", "u6"));
    }
}
