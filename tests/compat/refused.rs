//! What is told when the system refuses what the daemon or a child asks of it.

use std::fs;

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::support::{Setup, all_pids, process_stat, read, wait_for};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";

/// The daemon below strace, which lets a call fail without making it.
fn failing(calls: &str, how: &str) -> Setup {
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{how}"));
    let quiet = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"];
    Setup::new().launcher(&quiet).launcher(&["-e", &trace, "-e", &inject])
}

#[test]
fn a_stop_signal_that_is_refused_leads_to_unknown() {
    let d = failing("kill", "error=EPERM").program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    let answer = d.rpc().call("supervisor.stopProcess", "<string>a</string>").unwrap();
    let why = format!("unknown problem killing a ({pid}):");
    assert!(answer.contains(&format!("FAILED: {why}")), "{answer}");
    d.wait_log(&format!("CRIT unknown problem killing a ({pid}):*"), 15);
    assert_eq!(d.state("a"), "UNKNOWN");
}

#[test]
fn a_signal_by_request_that_is_refused_leads_to_unknown() {
    let d = failing("kill", "error=EPERM").program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    let params = "<string>a</string><string>HUP</string>";
    let answer = d.rpc().call("supervisor.signalProcess", params).unwrap();
    assert!(answer.contains(&format!("unknown problem sending sig a ({pid}):")), "{answer}");
    d.wait_log(&format!("CRIT unknown problem sending sig a ({pid}):*"), 15);
    assert_eq!(d.state("a"), "UNKNOWN");
}

#[test]
fn a_signal_that_meets_nobody_is_no_failure() {
    let d =
        failing("kill", "error=ESRCH").supervisord("loglevel=debug").program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    d.ctl(&["signal", "HUP", "a"]).expect("a: signalled\n", 0);
    d.wait_log(
        &format!(
            "DEBG unable to signal a (pid {pid}), it probably just now exited on its own: \
             [Errno 3] No such process"
        ),
        15,
    );
    assert_eq!(d.state("a"), "RUNNING");
}

#[test]
fn waiting_for_children_that_fails_is_told() {
    let d = failing("wait4,waitid", "error=EINVAL:when=1")
        .program("a", "command=/bin/true\nstartsecs=0\nautorestart=false")
        .start();
    d.wait_log("CRIT waitpid error 22; a process may not be cleaned up properly", 15);
}

#[test]
fn pipes_that_cannot_be_had_fail_the_start() {
    let d = failing("pipe2", "error=EMFILE").program("a", SLEEP).start();
    d.wait_log("INFO spawnerr: too many open files to spawn 'a'", 15);
    d.wait_state("a", "BACKOFF", 15);
}

#[test]
fn a_fastcgi_socket_whose_mode_is_refused_is_no_socket() {
    let setup = failing("?chmod,?fchmodat", "error=EPERM");
    let socket = setup.path("f.sock");
    let shown = socket.display();
    // No listener, whose socket has a mode as well.
    let text = "[supervisord]\nlogfile=%(here)s/activity.log\npidfile=%(here)s/d.pid\n\
                [fcgi-program:a]\ncommand=/bin/true\nsocket=unix://%(here)s/f.sock\n";
    let output = setup.run_file(text, 20);
    let why = format!(
        "Could not create FastCGI socket unix://{shown}: Could not change permissions of socket \
         file: [Errno 1] Operation not permitted: '{shown}'"
    );
    assert!(output.stderr.contains(&why), "{output:?}");
    assert_ne!(output.code, 0);
    assert!(!socket.exists());
}

#[test]
fn children_of_others_are_reaped_and_told() {
    // What the shell started is a child of the daemon that the shell becomes.
    let orphans = "sleep 1000 & sh -c 'read line <\"$1\"; exit 3' sh \"$0\" & exec \"$@\"";
    let setup = Setup::new();
    let fifo = setup.path("gate");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let d = setup.launcher(&["sh", "-c", orphans, fifo.to_str().unwrap()]).start();
    fs::write(&fifo, "go\n").unwrap();
    d.wait_log("INFO reaped unknown pid * (exit status 3)", 15);
    let is_child = |pid: &i32| process_stat(*pid).is_some_and(|stat| stat.parent == d.pid);
    let sleep = all_pids().into_iter().find(is_child).expect("the other child");
    signal::kill(Pid::from_raw(sleep), Signal::SIGKILL).unwrap();
    d.wait_log(&format!("INFO reaped unknown pid {sleep} (terminated by SIGKILL)"), 15);
}

#[test]
fn a_log_whose_directory_is_gone_fails_the_start() {
    let setup = Setup::new()
        .program("a", &format!("{SLEEP}\nautostart=false\nstdout_logfile=%(here)s/logs/a.log"));
    fs::create_dir(setup.path("logs")).unwrap();
    let d = setup.start();
    fs::remove_dir(d.path("logs")).unwrap();
    d.ctl(&["start", "a"]).expect("a: ERROR (spawn error)\n", 7);
    d.wait_log("INFO spawnerr: unknown error making dispatchers for 'a': ENOENT", 15);
}

#[test]
fn an_interpreter_that_cannot_be_executed_is_told_by_the_child() {
    let setup = Setup::new()
        .program("a", "command=%(here)s/script\nstartretries=0\nstderr_logfile=%(here)s/a.err");
    fs::write(setup.path("interpreter"), "").unwrap();
    let text = format!("#!{}\n", setup.path("interpreter").display());
    let setup = setup.script("script", &text);
    let words = format!(
        "supervisor: couldn't exec {}: EACCES\nsupervisor: child process was not spawned\n",
        setup.path("script").display()
    );
    let d = setup.start();
    d.wait_file("a.err", 15, |text| text == words);
    d.wait_log("WARN exited: a (exit status 127; not expected)", 15);
}

#[test]
fn an_old_log_that_cannot_be_removed_is_told() {
    let setup = Setup::new().program("a", SLEEP);
    let name = setup.path("a-stdout---supervisor-abcdefgh.log");
    fs::create_dir(&name).unwrap();
    let d = setup.start();
    d.wait_log(&format!("WARN Failed to clean up '{}'", name.display()), 15);
    d.wait_state("a", "RUNNING", 15);
}

#[test]
fn a_pidfile_that_cannot_be_written_is_told() {
    let setup = Setup::new().supervisord("pidfile=%(here)s/directory").program("a", SLEEP);
    let pidfile = setup.path("directory");
    fs::create_dir(&pidfile).unwrap();
    let mut d = setup.start();
    d.wait_log(&format!("CRIT could not write pidfile {}", pidfile.display()), 15);
    d.wait_state("a", "RUNNING", 15);
    assert_eq!(d.shut_down(20), 0);
    assert!(pidfile.is_dir());
}

#[test]
fn going_to_the_background_is_told_step_by_step() {
    let setup = Setup::new()
        .daemonize()
        .supervisord("loglevel=blather\ndirectory=%(here)s/place")
        .program("a", SLEEP);
    let place = setup.path("place");
    fs::create_dir(&place).unwrap();
    let mut d = setup.start();
    assert_eq!(d.wait_exit(20), 0, "exit code of the parent");
    // The original's two processes write the first two lines in either order.
    d.wait_log("BLAT supervisord forked; parent exiting", 15);
    d.wait_log_order(
        &[
            "INFO daemonizing the supervisord process",
            &format!("INFO set current directory: '{}'", place.display()),
            &format!("INFO supervisord started with pid {}", d.pid),
        ],
        15,
    );
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", d.pid)).unwrap(), place);
    let pid = d.pid;
    d.ctl(&["shutdown"]).expect("Shut down\n", 0);
    wait_for("the daemon's end", 20, || {
        read(format!("/proc/{pid}/cmdline").as_ref()).is_empty().then_some(())
    });
}
