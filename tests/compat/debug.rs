//! What the activity log tells those who look for a fault: its lines at debug and below.

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::support::{Setup, Side, TestDaemon, wait_for};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";

#[track_caller]
fn kill(pid: i32, signal: Signal) {
    assert!(pid > 0, "no child to signal");
    signal::kill(Pid::from_raw(pid), signal).expect("a signal to a child");
}

/// Calls a method that answers with true.
#[track_caller]
fn call(d: &TestDaemon, method: &str, params: &str) {
    let answer = d.rpc().call(method, params).expect("an answer");
    assert!(answer.contains("<boolean>1</boolean>"), "{method}: {answer}");
}

#[test]
fn output_is_shown_and_its_end_is_told() {
    let talker = "#!/bin/sh\necho out\necho err >&2\nexec sleep 1000 >&- 2>&-\n";
    let d = Setup::new()
        .supervisord("loglevel=blather")
        .script("talker", talker)
        .program("a", "command=%(here)s/talker\nstartsecs=0\nstdout_logfile=NONE")
        .start();
    for text in ["DEBG 'a' stdout output:\nout\n\n", "DEBG 'a' stderr output:\nerr\n\n"] {
        d.wait_file("activity.log", 15, |log| log.contains(text));
    }
    for pattern in [
        "BLAT read event caused by <*with name a* (stdout)>",
        "BLAT read event caused by <*with name a* (stderr)>",
        "DEBG fd * closed, stopped monitoring <*with name a* (stdout)>",
        "DEBG fd * closed, stopped monitoring <*with name a* (stderr)>",
    ] {
        d.wait_log(pattern, 15);
    }
}

#[test]
fn the_end_of_output_is_told_at_every_exit() {
    // The pipes do not end: a grandchild keeps them.
    let parent = "#!/bin/sh\nsleep 1000 &\nexec sleep 1000\n";
    let d = Setup::new()
        .supervisord("loglevel=debug")
        .script("parent", parent)
        .program("a", "command=%(here)s/parent\nstartsecs=0")
        .start();
    d.wait_state("a", "RUNNING", 15);
    for count in 1..=5 {
        kill(d.pid_of("a"), Signal::SIGKILL);
        wait_for("the exit and the end of both streams", 15, || {
            let ends = ["stdout", "stderr"].map(|output| {
                d.count(&format!("DEBG fd * closed, stopped monitoring <* ({output})>"))
            });
            let exits = d.count("WARN exited: a (terminated by SIGKILL; not expected)");
            (exits == count && ends == [count, count]).then_some(())
        });
        wait_for("the next start", 15, || (d.state("a") == "RUNNING").then_some(()));
    }
}

#[test]
fn bytes_that_are_no_text_are_shown_in_pythons_notation() {
    let d = Setup::new()
        .supervisord("loglevel=debug")
        .script("bytes", "#!/bin/sh\nprintf 'a\\210\\n'\nexec sleep 1000\n")
        .program("a", "command=%(here)s/bytes\nstartsecs=0\nstdout_logfile=%(here)s/a.log")
        .start();
    let shown = "DEBG 'a' stdout output:\nUndecodable: b'a\\x88\\n'\n";
    d.wait_file("activity.log", 15, |log| log.contains(shown));
    assert_eq!(std::fs::read(d.path("a.log")).unwrap(), b"a\x88\n", "its own log has them as is");
}

#[test]
fn messages_between_tokens_are_told_on_both_streams() {
    let talker = "#!/bin/sh\nfor fd in 1 2; do\n\
                  echo '<!--XSUPERVISOR:BEGIN-->x<!--XSUPERVISOR:END-->and more' >&$fd\ndone\n\
                  exec sleep 1000\n";
    let d = Setup::new()
        .supervisord("loglevel=debug")
        .script("talker", talker)
        .program(
            "a",
            "command=%(here)s/talker\nstartsecs=0\nstdout_capture_maxbytes=1KB\n\
             stderr_capture_maxbytes=1KB",
        )
        .start();
    d.wait_log("DEBG 'a' stdout emitted a comm event", 15);
    d.wait_log("DEBG 'a' stderr emitted a comm event", 15);
}

#[test]
fn what_waits_for_standard_input_is_written_when_there_is_room() {
    let d = Setup::new().supervisord("loglevel=blather").program("a", "command=/bin/cat").start();
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    kill(pid, Signal::SIGSTOP);
    // More than a pipe holds.
    let text = "x".repeat(200_000);
    let params = format!("<string>a</string><string>{text}</string>");
    call(&d, "supervisor.sendProcessStdin", &params);
    assert_eq!(d.count("BLAT write event caused by <*with name a* (stdin)>"), 0);
    kill(pid, Signal::SIGCONT);
    d.wait_log("BLAT write event caused by <*with name a* (stdin)>", 15);
}

#[test]
fn a_closed_standard_input_is_told() {
    let d = Setup::new()
        .supervisord("loglevel=debug")
        .script("deaf", "#!/bin/sh\nexec 0<&-\necho closed\nexec sleep 1000\n")
        .program("a", "command=%(here)s/deaf\nstdout_logfile=%(here)s/a.log")
        .start();
    d.wait_file("a.log", 15, |text| text == "closed\n");
    d.wait_state("a", "RUNNING", 15);
    let params = "<string>a</string><string>x</string>";
    let answer = d.rpc().call("supervisor.sendProcessStdin", params).expect("an answer");
    assert!(answer.contains("NO_FILE: a"), "{answer}");
    d.wait_log("DEBG fd * closed, stopped monitoring <*with name a* (stdin)>", 15);
}

#[test]
fn signals_to_processes_are_told() {
    let d = Setup::new()
        .supervisord("loglevel=debug")
        .program("a", SLEEP)
        .program("g", &format!("{SLEEP}\nstopasgroup=true"))
        .start();
    d.wait_state("a", "RUNNING", 15);
    d.wait_state("g", "RUNNING", 15);
    let (a, g) = (d.pid_of("a"), d.pid_of("g"));
    d.ctl(&["signal", "CONT", "a"]).expect("a: signalled\n", 0);
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    d.ctl(&["stop", "g"]).expect("g: stopped\n", 0);
    d.wait_log_order(
        &[
            &format!("DEBG sending a (pid {a}) sig SIGCONT"),
            &format!("DEBG killing a (pid {a}) with signal SIGTERM"),
            "WARN stopped: a (terminated by SIGTERM)",
            &format!("DEBG killing g (pid {g}) process group with signal SIGTERM"),
            "WARN stopped: g (terminated by SIGTERM)",
        ],
        15,
    );
    d.wait_log("DEBG received SIGCHLD indicating a child quit", 15);
}

#[test]
fn a_stop_in_backoff_is_told() {
    let d = Setup::new()
        .supervisord("loglevel=debug")
        .program("a", "command=/no/such\nstartretries=1000")
        .start();
    d.wait_log("INFO spawnerr: can't find command '/no/such'", 15);
    d.wait_state("a", "BACKOFF", 15);
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    d.wait_log("DEBG Attempted to kill a, which is in BACKOFF state.", 15);
    assert_eq!(d.state("a"), "STOPPED");
}

#[test]
fn a_group_that_the_process_has_left_is_told() {
    // Into the group of a child of its own, which ends with it.
    let leaver = "#!/usr/bin/env python3\nimport os, time\n\
                  end, held = os.pipe()\nother = os.fork()\n\
                  if not other:\n    os.close(held)\n    os.read(end, 1)\n    os._exit(0)\n\
                  os.setpgid(other, other)\nos.setpgid(0, other)\n\
                  print('left', flush=True)\ntime.sleep(1000)\n";
    let d = Setup::new()
        .supervisord("loglevel=debug")
        .script("leaver", leaver)
        .program("a", "command=%(here)s/leaver\nstopasgroup=true\nstdout_logfile=%(here)s/a.log")
        .start();
    d.wait_file("a.log", 15, |text| text == "left\n");
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    let params = "<string>a</string><boolean>0</boolean>";
    call(&d, "supervisor.stopProcess", params);
    d.wait_log(
        &format!(
            "DEBG unable to signal a (pid {pid}), it probably just exited on its own: [Errno 3] \
             No such process"
        ),
        15,
    );
    assert_eq!(d.state("a"), "STOPPING");
    kill(pid, Signal::SIGTERM);
    d.wait_state("a", "STOPPED", 15);
}

#[test]
fn a_shutdown_names_who_is_left_and_logs_are_reopened_meanwhile() {
    let stubborn = "#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 0.1; done\n";
    let mut d = Setup::new()
        .supervisord("loglevel=blather")
        .script("stubborn", stubborn)
        .program("a", SLEEP)
        .program("b", "command=%(here)s/stubborn\nstopwaitsecs=4\nstdout_logfile=%(here)s/b.log")
        .start();
    d.wait_file("b.log", 15, |text| text == "ready\n");
    d.wait_state("a", "RUNNING", 15);
    d.wait_state("b", "RUNNING", 15);
    d.signal(Signal::SIGTERM);
    d.wait_log_order(
        &["INFO waiting for a, b to die", "BLAT a state: RUNNING", "BLAT b state: STOPPING"],
        15,
    );
    d.signal(Signal::SIGUSR2);
    d.wait_log_order(
        &["INFO received SIGUSR2 indicating log reopen request", "INFO supervisord logreopen"],
        15,
    );
    assert_eq!(d.wait_exit(30), 0);
}

#[test]
fn a_cleared_log_is_empty_and_stdout_tells_it() {
    let d = Setup::new().program("a", SLEEP).start();
    d.wait_log("INFO success: a entered RUNNING state, *", 15);
    call(&d, "supervisor.clearLog", "");
    d.wait_file("daemon.out", 15, |out| out.contains(" INFO reopening log file\n"));
    assert_eq!(d.log(), "");
}

#[test]
fn a_signal_that_means_nothing_is_told() {
    if !Side::ours_only("the original hears no signal that means nothing to it") {
        return;
    }
    let d = Setup::new().supervisord("loglevel=blather").program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 15);
    d.signal(Signal::SIGCONT);
    d.wait_log("BLAT received SIGCONT indicating nothing", 15);
}
