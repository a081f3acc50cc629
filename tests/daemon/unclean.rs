//! Whatever state the daemon is started in, its programs start clean.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use nix::sys::signal::Signal;

use crate::support::{Setup, TestDaemon, alive, root, wait_for};

/// Brings itself into the ways that its first argument names, then executes the rest.
const LAUNCHER: &str = "#!/usr/bin/env python3
import os, resource, signal, sys

ways = sys.argv[1].split(',')
if 'blocked' in ways:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
if 'ignored' in ways:
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            pass
else:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
if 'descriptor' in ways:
    # Above the limit of what can be opened from then on.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    for number in (3, 100, 1500):
        os.dup2(os.open('/dev/null', os.O_RDWR), number, inheritable=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
if 'umask' in ways:
    os.umask(0)
if 'deleted' in ways or 'elsewhere' in ways:
    os.mkdir(sys.argv[2])
    os.chdir(sys.argv[2])
if 'deleted' in ways:
    os.rmdir(sys.argv[2])
if 'child' in ways:
    # It has ended before the daemon knows of signals.
    if os.fork() == 0:
        os._exit(5)
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
if 'closed' in ways:
    for number in range(3):
        os.close(number)
os.execv(sys.argv[3], sys.argv[3:])
";

const ALL: &str = "blocked,ignored,closed,descriptor,umask,deleted";

/// Writes how yes ended whose reader has ended: by SIGPIPE, unless that is ignored.
const PIPER: &str = "#!/bin/sh
(yes; echo \"yes ended with $?\" >&2) | head -n 1
";

fn setup(ways: &str) -> Setup {
    launched(Setup::new(), ways)
}

fn launched(setup: Setup, ways: &str) -> Setup {
    let setup = setup.script("launcher", LAUNCHER).script("piper", PIPER);
    let path = |name: &str| setup.path(name).to_str().unwrap().to_owned();
    let (launcher, gone) = (path("launcher"), path("gone"));
    setup.launcher(&[&launcher, ways, &gone])
}

/// With a program for each way in which children are made.
fn with_programs(setup: Setup) -> Setup {
    let sleep = "command=/bin/sleep 1000\nstartsecs=0";
    let setup = setup
        .program("plain", sleep)
        .program("joined", &format!("{sleep}\nredirect_stderr=true"))
        .program("placed", &format!("{sleep}\ndirectory=/\numask=027"))
        .program("piper", "command=%(here)s/piper\nstderr_logfile=%(here)s/piper.err\nstartsecs=0");
    if root() { setup.program("other", &format!("{sleep}\nuser=nobody")) } else { setup }
}

fn status(pid: i32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).trim().to_owned()
}

fn own_umask() -> String {
    status(std::process::id() as i32, "Umask")
}

/// The descriptors of a process and what each is.
fn descriptors(pid: i32) -> Vec<(i32, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let mut found: Vec<(i32, String)> = entries
        .map(|entry| {
            let number = entry.file_name().to_str().unwrap().parse().unwrap();
            let target = fs::read_link(entry.path()).unwrap_or_default();
            (number, target.to_str().unwrap().to_owned())
        })
        .collect();
    found.sort_unstable();
    found
}

fn check_clean(d: &TestDaemon, name: &str, umask: &str, ways: &str) {
    d.wait_state(name, "RUNNING", 15);
    let pid = d.pid_of(name);
    let comm = || fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    wait_for("the program itself", 15, || (comm() == "sleep\n").then_some(()));
    for field in ["SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"] {
        assert_eq!(status(pid, field), "0000000000000000", "{field} of {name} after {ways}");
    }
    assert_eq!(status(pid, "Umask"), umask, "{name} after {ways}");
    // What loads the program has files open at first.
    let open = wait_for(&format!("0, 1 and 2 alone in {name} after {ways}"), 15, || {
        let open = descriptors(pid);
        open.iter().map(|(number, _)| *number).eq(0..3).then_some(open)
    });
    assert!(open.iter().all(|(_, target)| target.starts_with("pipe:")), "{name}: {open:?}");
    assert!(open[0].1 != open[1].1, "{name}: {open:?}");
    assert_eq!(open[1].1 == open[2].1, name == "joined", "{name}: {open:?}");
    let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    let cwd = cwd.to_str().unwrap();
    match name {
        "placed" => assert_eq!(cwd, "/"),
        _ if ways.contains("deleted") => assert!(cwd.ends_with("/gone (deleted)"), "{cwd}"),
        _ => assert_eq!(Path::new(cwd), d.path("")),
    }
}

/// That what the daemon itself does goes on as ever.
fn check_daemon(d: &mut TestDaemon, ways: &str, daemonize: bool) {
    for (number, target) in descriptors(d.pid).iter().take(3) {
        let null = daemonize || ways.contains("closed") || *number == 0;
        assert_eq!(target == "/dev/null", null, "{number} of the daemon after {ways}: {target}");
    }
    let mode = |name: &str| fs::metadata(d.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("s.sock"), mode("d.pid") & 0o022), (0o700, 0), "after {ways}");
    d.ctl(&["restart", "plain"]).expect("plain: stopped\nplain: started\n", 0);
    d.signal(Signal::SIGHUP);
    d.wait_log_order(
        &[
            "WARN received SIGHUP indicating restart request",
            &format!("INFO supervisord started with pid {}", d.pid),
            "INFO spawned: 'plain' with pid *",
        ],
        30,
    );
    d.wait_state("plain", "RUNNING", 15);
    let pid = d.pid;
    d.signal(Signal::SIGTERM);
    wait_for("the daemon's end", 30, || (!alive(pid)).then_some(()));
    assert_eq!(d.wait_exit(10), 0, "exit code after {ways}");
    assert!(!d.path("d.pid").exists() && !d.path("s.sock").exists());
    assert_eq!(d.read("daemon.err"), "", "after {ways}");
}

fn check(daemonize: bool) {
    let own_umask = own_umask();
    for ways in ["none", "blocked", "ignored", "closed", "descriptor", "umask", "deleted", ALL] {
        let setup = with_programs(setup(ways));
        let mut d = if daemonize { setup.daemonize() } else { setup }.start();
        // In the foreground the daemon keeps its mask, and "umask" does nothing.
        let umask = match (daemonize, ways.contains("umask")) {
            (true, _) => "0022",
            (false, true) => "0000",
            (false, false) => own_umask.as_str(),
        };
        for name in ["plain", "joined", "other"] {
            if name != "other" || root() {
                check_clean(&d, name, umask, ways);
            }
        }
        check_clean(&d, "placed", "0027", ways);
        d.wait_file("piper.err", 15, |text| text.contains("yes ended with 141"));
        check_daemon(&mut d, ways, daemonize);
    }
}

#[test]
fn in_the_foreground_children_start_clean() {
    let _turn = crate::alone();
    check(false);
}

#[test]
fn in_the_background_children_start_clean() {
    let _turn = crate::alone();
    check(true);
}

#[test]
fn a_child_that_the_daemon_was_given_is_reaped() {
    let _turn = crate::alone();
    let d = setup("child").start();
    d.wait_log("INFO reaped unknown pid * (exit status 5)", 20);
}

#[test]
fn children_start_clean_where_close_range_is_refused() {
    let _turn = crate::alone();
    let refuse = ["-e", "trace=close_range", "-e", "inject=close_range:error=ENOSYS"];
    let strace = Setup::new().launcher(&["strace", "-f", "-qq", "-o", "trace"]).launcher(&refuse);
    let d = with_programs(launched(strace, "descriptor")).start();
    for name in ["plain", "joined", "other"] {
        if name != "other" || root() {
            check_clean(&d, name, &own_umask(), "descriptor");
        }
    }
    assert!(d.read("trace").contains("ENOSYS"), "close_range was not asked for");
}

#[test]
fn a_relative_path_without_a_current_directory_is_refused() {
    let _turn = crate::alone();
    let message = "is relative to the current directory, which was removed";
    for relative in ["logfile=relative", "pidfile=relative", "childlogdir=."] {
        let text = format!(
            "[supervisord]\nlogfile=%(here)s/activity.log\npidfile=%(here)s/d.pid\n\
             childlogdir=%(here)s\n{relative}\n"
        );
        let output = setup("deleted").run_file(&text, 20);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.starts_with("Error: the path "), "{output:?}");
        assert!(output.stderr.contains(message), "{output:?}");
    }
}

#[test]
fn a_restart_without_the_directory_that_it_was_started_in_stops_nothing() {
    let _turn = crate::alone();
    let d = setup("elsewhere")
        .supervisord("childlogdir=.")
        .program(
            "a",
            "command=/bin/sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE",
        )
        .start();
    d.wait_state("a", "RUNNING", 15);
    let child = d.pid_of("a");
    fs::remove_dir(d.path("gone")).unwrap();
    d.signal(Signal::SIGHUP);
    d.wait_log(
        "ERRO could not restart, everything goes on as it is: the path . is relative to *",
        15,
    );
    assert_eq!((d.state("a").as_str(), d.pid_of("a")), ("RUNNING", child));
}
