//! The life of a process, as the activity log and the client tell it.

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::support::{Setup, Side, TestDaemon, alive, wait_for};

const SLEEP: &str = "command=/bin/sleep 1000";

fn kill(pid: i32, signal: Signal) {
    signal::kill(Pid::from_raw(pid), signal).expect("a signal to a child");
}

#[test]
fn starts_runs_and_stops() {
    let d = Setup::new().program("a", SLEEP).start();
    d.wait_log_order(
        &[
            "INFO RPC interface 'supervisor' initialized",
            "CRIT Server 'unix_http_server' running without any HTTP authentication checking",
            "INFO supervisord started with pid *",
            "INFO spawned: 'a' with pid *",
            "INFO success: a entered RUNNING state, process has stayed up for > than 1 seconds \
             (startsecs)",
        ],
        15,
    );
    let pid = d.pid_of("a");
    assert!(alive(pid));
    d.has_count(&format!("INFO spawned: 'a' with pid {pid}"), 1);
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    d.wait_log_order(&["INFO waiting for a to stop", "WARN stopped: a (terminated by SIGTERM)"], 5);
    assert!(!alive(pid));
    assert_eq!(d.state("a"), "STOPPED");
    d.ctl(&["start", "a"]).expect("a: started\n", 0);
    assert_eq!(d.state("a"), "RUNNING");
    let second = d.pid_of("a");
    d.ctl(&["restart", "a"]).expect("a: stopped\na: started\n", 0);
    assert_ne!(d.pid_of("a"), second);
}

#[test]
fn lines_of_the_activity_log_have_the_known_form() {
    let d = Setup::new().program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    for line in d.log().lines() {
        let shape: String = line
            .chars()
            .take(24)
            .map(|letter| if letter.is_ascii_digit() { '9' } else { letter })
            .collect();
        assert_eq!(shape, "9999-99-99 99:99:99,999 ", "{line}");
        let level = &line[24..28];
        assert!(["CRIT", "ERRO", "WARN", "INFO"].contains(&level), "{line}");
        assert_eq!(&line[28..29], " ", "{line}");
    }
    // In the foreground the same lines go to standard output.
    for line in d.messages() {
        assert!(d.read("daemon.out").contains(&line), "{line} is not on standard output");
    }
}

#[test]
fn a_program_that_is_not_started_automatically_waits() {
    let d = Setup::new().program("a", &format!("{SLEEP}\nautostart=false")).start();
    assert_eq!(d.state("a"), "STOPPED");
    assert_eq!(d.info("a", "description").as_deref(), Some("Not started"));
    d.ctl(&["start", "a"]).expect("a: started\n", 0);
}

#[test]
fn an_expected_exit_is_final_and_an_unexpected_one_is_not() {
    let d = Setup::new()
        .program("good", "command=/bin/sh -c \"sleep 3; exit 7\"\nexitcodes=0,7")
        .program("bad", "command=/bin/sh -c \"sleep 3; exit 3\"")
        .start();
    d.wait_log_order(
        &[
            "INFO spawned: 'good' with pid *",
            "INFO success: good entered RUNNING state, *",
            "INFO exited: good (exit status 7; expected)",
        ],
        15,
    );
    d.wait_log_order(
        &[
            "INFO spawned: 'bad' with pid *",
            "INFO success: bad entered RUNNING state, *",
            "WARN exited: bad (exit status 3; not expected)",
            "INFO spawned: 'bad' with pid *",
            "INFO success: bad entered RUNNING state, *",
        ],
        20,
    );
    d.has_count("INFO spawned: 'good' *", 1);
    assert_eq!(d.state("good"), "EXITED");
    assert_eq!(d.info("good", "exitstatus").as_deref(), Some("7"));
}

#[test]
fn autorestart_true_restarts_always_and_false_never() {
    let d = Setup::new()
        .program("always", "command=/bin/sh -c \"sleep 2; exit 0\"\nautorestart=true\nstartsecs=0")
        .program("never", "command=/bin/sh -c \"sleep 2; exit 9\"\nautorestart=false\nstartsecs=0")
        .start();
    d.wait_log_order(
        &[
            "INFO exited: always (exit status 0; expected)",
            "INFO spawned: 'always' with pid *",
            "INFO exited: always (exit status 0; expected)",
        ],
        15,
    );
    d.wait_log("WARN exited: never (exit status 9; not expected)", 5);
    assert_eq!(d.state("never"), "EXITED");
    d.has_count("INFO spawned: 'never' *", 1);
}

#[test]
fn a_killed_program_comes_back() {
    let d = Setup::new().program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    kill(pid, Signal::SIGKILL);
    d.wait_log_order(
        &[
            "INFO success: a entered RUNNING state, *",
            "WARN exited: a (terminated by SIGKILL; not expected)",
            "INFO spawned: 'a' with pid *",
            "INFO success: a entered RUNNING state, *",
        ],
        15,
    );
    assert_ne!(d.pid_of("a"), pid);
}

#[test]
fn quick_exits_end_fatal_after_the_retries() {
    let d = Setup::new()
        .program("a", "command=/bin/false\nstartretries=1")
        .program("listed", "command=/bin/true\nstartretries=0")
        .start();
    d.wait_log_order(
        &[
            "INFO spawned: 'a' with pid *",
            "WARN exited: a (exit status 1; not expected)",
            "INFO spawned: 'a' with pid *",
            "WARN exited: a (exit status 1; not expected)",
            "INFO gave up: a entered FATAL state, too many start retries too quickly",
        ],
        20,
    );
    d.has_count("INFO spawned: 'a' *", 2);
    // A quick exit is a failed start, whatever its code.
    d.wait_log_order(
        &[
            "WARN exited: listed (exit status 0; not expected)",
            "INFO gave up: listed entered FATAL state, too many start retries too quickly",
        ],
        10,
    );
    assert_eq!(d.state("a"), "FATAL");
    assert_eq!(
        d.info("a", "spawnerr").as_deref(),
        Some("Exited too quickly (process log may have details)")
    );
    let status = d.ctl(&["status", "a"]);
    status.expect(
        "a                                FATAL     Exited too quickly (process log may have \
         details)\n",
        3,
    );
}

#[test]
fn a_bad_exit_code_is_kept_as_the_error() {
    let d = Setup::new()
        .program("a", "command=/bin/sh -c \"exit 3\"\nstartsecs=0\nautorestart=false")
        .start();
    d.wait_log("WARN exited: a (exit status 3; not expected)", 15);
    assert_eq!(d.info("a", "spawnerr").as_deref(), Some("Bad exit code 3"));
}

#[test]
fn a_stop_ends_backoff() {
    let d = Setup::new().program("a", "command=/bin/false\nstartretries=100").start();
    d.wait_log_order(&["WARN exited: a *", "INFO spawned: 'a' *", "WARN exited: a *"], 15);
    d.wait_state("a", "BACKOFF", 10);
    assert_eq!(d.ctl(&["start", "a"]).stdout, "a: ERROR (already started)\n");
    d.wait_state("a", "BACKOFF", 10);
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    assert_eq!(d.state("a"), "STOPPED");
}

/// A daemon with one program that is started by request and fails at once.
fn failing(lines: &str) -> TestDaemon {
    Setup::new()
        .script("plain", "exit 0\n")
        .script("secret", "#!/bin/sh\nsleep 1000\n")
        .program("a", &format!("{lines}\nstartretries=0"))
        .start()
}

#[test]
fn a_command_that_cannot_run_says_why() {
    let table = [
        ("/no/such/file", "can't find command '/no/such/file'"),
        ("no-such-name-on-path x", "can't find command 'no-such-name-on-path'"),
        ("", "command is empty"),
        ("/tmp", "command at '/tmp' is a directory"),
        ("/etc/passwd", "command at '/etc/passwd' is not executable"),
        (
            "/bin/sh -c \"unclosed",
            "can't parse command '/bin/sh -c \"unclosed': No closing quotation",
        ),
        ("/bin/sh x\\", "can't parse command '/bin/sh x\\\\': No escaped character"),
    ];
    let mut setup = Setup::new();
    for (number, (command, _)) in table.iter().enumerate() {
        setup = setup.program(&format!("p{number}"), &format!("command={command}\nstartretries=0"));
    }
    let d = setup.start();
    for (number, (_, text)) in table.iter().enumerate() {
        let name = format!("p{number}");
        d.wait_state(&name, "FATAL", 15);
        d.wait_log(&format!("INFO spawnerr: {text}"), 5);
        assert_eq!(d.info(&name, "spawnerr").as_deref(), Some(*text));
        d.wait_log(&format!("INFO gave up: {name} entered FATAL state, *"), 5);
    }
}

#[test]
fn a_failure_after_the_fork_stands_in_the_stderr_log() {
    let d = failing("command=%(here)s/plain\nstderr_logfile=%(here)s/a.err");
    d.wait_log("WARN exited: a (exit status 127; not expected)", 10);
    let plain = d.path("plain");
    let text = format!("supervisor: couldn't exec {}: ENOEXEC", plain.display());
    let log = d.wait_file("a.err", 5, |log| log.contains("was not spawned"));
    assert!(log.contains(&text), "{log}");
    assert!(log.contains("supervisor: child process was not spawned"), "{log}");

    let d = failing("command=/bin/true\ndirectory=/no/such\nstderr_logfile=%(here)s/a.err");
    d.wait_log("WARN exited: a (exit status 127; not expected)", 10);
    let log = d.wait_file("a.err", 5, |log| log.contains("was not spawned"));
    assert!(log.contains("supervisor: couldn't chdir to /no/such: ENOENT"), "{log}");
}

#[test]
fn stopsignal_is_the_one_sent() {
    let script = "#!/bin/sh\ntrap 'exit 5' USR1\nwhile :; do sleep 0.1; done\n";
    let d = Setup::new()
        .script("usr1", script)
        .program("a", "command=%(here)s/usr1\nstopsignal=USR1")
        .program("b", "command=%(here)s/usr1\nstopsignal=SIGUSR1\nexitcodes=5")
        .start();
    d.wait_state("a", "RUNNING", 15);
    d.wait_state("b", "RUNNING", 15);
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    d.wait_log("WARN stopped: a (exit status 5)", 5);
    d.ctl(&["stop", "b"]).expect("b: stopped\n", 0);
    d.wait_log("INFO stopped: b (exit status 5)", 5);
}

/// Ignores TERM, and has a child that does too.
const STUBBORN: &str = "#!/bin/sh
trap '' TERM
sleep 1001 &
echo $! > \"$1\"
while :; do sleep 0.1; done
";

#[test]
fn a_program_that_ignores_the_signal_is_killed() {
    let d = Setup::new()
        .script("stubborn", STUBBORN)
        .program("a", "command=%(here)s/stubborn %(here)s/pid\nstopwaitsecs=1")
        .start();
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    d.wait_log_order(
        &[
            "INFO waiting for a to stop",
            &format!("WARN killing 'a' ({pid}) with SIGKILL"),
            "WARN stopped: a (terminated by SIGKILL)",
        ],
        5,
    );
    // Without killasgroup its child lives on.
    let child: i32 = d.read("pid").trim().parse().unwrap();
    assert!(alive(child));
}

#[test]
fn killasgroup_and_stopasgroup_reach_the_children() {
    let d = Setup::new()
        .script("stubborn", STUBBORN)
        .script("mild", "#!/bin/sh\nsleep 1002 &\necho $! > \"$1\"\nwait\n")
        .program("k", "command=%(here)s/stubborn %(here)s/k\nstopwaitsecs=1\nkillasgroup=true")
        .program("s", "command=%(here)s/mild %(here)s/s\nstopasgroup=true")
        .start();
    for name in ["k", "s"] {
        d.wait_state(name, "RUNNING", 15);
        let child: i32 = d.wait_file(name, 5, |text| text.ends_with('\n')).trim().parse().unwrap();
        assert!(alive(child));
        d.ctl(&["stop", name]).expect(&format!("{name}: stopped\n"), 0);
        wait_for("the grandchild's end", 5, || (!alive(child)).then_some(()));
    }
}

#[test]
fn an_arbitrary_signal_changes_no_state() {
    let script = "#!/bin/sh\ntrap 'echo got' HUP\nwhile :; do sleep 0.1; done\n";
    let d = Setup::new()
        .script("hup", script)
        .program("a", "command=%(here)s/hup\nstdout_logfile=%(here)s/a.log")
        .start();
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    d.ctl(&["signal", "HUP", "a"]).expect("a: signalled\n", 0);
    d.wait_file("a.log", 10, |text| text == "got\n");
    assert_eq!((d.state("a").as_str(), d.pid_of("a")), ("RUNNING", pid));
}

#[test]
fn a_death_by_a_realtime_signal_is_an_exit_like_any_other() {
    let d = Setup::new()
        .program("a", &format!("{SLEEP}\nautorestart=false"))
        .program("b", &format!("{SLEEP}\nautorestart=false"))
        .start();
    d.wait_state("b", "RUNNING", 15);
    d.wait_state("a", "RUNNING", 15);
    // No name for it in the C library's lists.
    let status = std::process::Command::new("kill")
        .args(["-35", &d.pid_of("a").to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    d.wait_log("WARN exited: a (terminated by signal 35; not expected)", 15);
    signal::kill(Pid::from_raw(d.pid_of("b")), Signal::SIGKILL).unwrap();
    d.wait_log("WARN exited: b (terminated by SIGKILL; not expected)", 15);
}

#[test]
fn what_a_child_could_not_do_is_told_behind_its_start() {
    if !Side::ours_only("the original tells it in the child's log alone") {
        return;
    }
    let d = Setup::new()
        .program("a", "command=/bin/true\ndirectory=/no/such/place\nstartretries=2")
        .start();
    d.wait_log("INFO gave up: a entered FATAL state, *", 30);
    let (spawned, failed) =
        ("INFO spawned: 'a' with pid ", "WARN 'a' could not be executed: couldn't chdir to ");
    let about = |line: &String| line.starts_with(spawned) || line.starts_with(failed);
    let lines: Vec<String> = d.messages().into_iter().filter(about).collect();
    assert_eq!(lines.len(), 6, "{lines:#?}");
    for pair in lines.chunks(2) {
        assert!(pair[0].starts_with(spawned) && pair[1].starts_with(failed), "{lines:#?}");
    }
}
