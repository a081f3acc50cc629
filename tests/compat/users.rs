//! The daemon and its programs under other users, and what each of them may not do. Only root
//! can become somebody else.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use nix::unistd::User;

use crate::support::{Output, Setup, matches, root, rpc, wait_for, write_script};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";
const NO_RETRY: &str = "autorestart=false\nstderr_logfile=%(here)s/a.err";

fn uid_of(name: &str) -> u32 {
    User::from_name(name).unwrap().expect("a user that every system has").uid.as_raw()
}

/// A daemon that runs as nobody.
#[track_caller]
fn as_nobody() -> Setup {
    assert!(root(), "this test runs the daemon as another user: run it as root");
    Setup::new().supervisord("user=nobody")
}

/// With some of the daemon's system calls refused.
fn refusing(setup: Setup, call: &str) -> Setup {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error=EPERM"));
    let quiet = ["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"];
    setup.launcher(&["strace"]).launcher(&quiet).launcher(&["-e", &trace, "-e", &inject])
}

#[track_caller]
fn refused(output: &Output, message: &str) {
    let line = output.stderr.lines().find(|line| line.starts_with("Error: "));
    let line = line.unwrap_or_else(|| panic!("no error line in {output:?}"));
    assert!(matches(&format!("Error: {message}"), line), "{message:?} is not {line:?}");
    assert_eq!(output.code, 2, "{output:?}");
}

/// What the child of `[program:a]` wrote before it ended.
#[track_caller]
fn last_words(setup: Setup, words: &str) {
    let d = setup.start();
    d.wait_log("WARN exited: a (exit status 127; not expected)", 20);
    assert_eq!(d.read("a.err"), format!("{words}\nsupervisor: child process was not spawned\n"));
}

#[test]
fn the_daemon_becomes_the_user_and_can_become_no_other() {
    let d = as_nobody()
        .program("a", &format!("{SLEEP}\nuser=daemon\n{NO_RETRY}"))
        .program("b", "command=%(here)s/roots_own\nstartretries=0")
        .program("c", &format!("{SLEEP}\nuser=nobody"));
    let script = d.path("roots_own");
    write_script(&script, "#!/bin/sh\n");
    fs::set_permissions(&script, Permissions::from_mode(0o700)).unwrap();
    let d = d.start();
    d.wait_log(&format!("INFO Set uid to user {} succeeded", uid_of("nobody")), 15);
    let words = format!(
        "supervisor: couldn't setuid to {}: Can't drop privilege as nonroot user\n\
         supervisor: child process was not spawned\n",
        uid_of("daemon")
    );
    d.wait_file("a.err", 15, |text| text == words);
    let command = script.display();
    d.wait_log(&format!("INFO spawnerr: no permission to run command '{command}'"), 15);
    // The same user is no switch.
    d.wait_state("c", "RUNNING", 15);
}

/// With a user `ghost` of that number, in an /etc/passwd of its own: the file `passwd` in the
/// test's directory.
#[track_caller]
fn with_ghost(setup: Setup, uid: u32) -> Setup {
    assert!(root(), "this test mounts an /etc/passwd in a namespace of its own: run it as root");
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let passwd = setup.path("passwd");
    fs::write(&passwd, format!("{users}ghost:x:{uid}:65534::/nonexistent:/bin/false\n")).unwrap();
    let mount = "mount --bind \"$0\" /etc/passwd && exec \"$@\"";
    setup.launcher(&["unshare", "--mount", "sh", "-c", mount, passwd.to_str().unwrap()])
}

#[test]
fn a_user_that_is_gone_is_nobody_to_become() {
    let lines = format!("{SLEEP}\nuser=ghost\nautostart=false\n{NO_RETRY}");
    let d = with_ghost(Setup::new().program("a", &lines), 54321).start();
    d.ctl(&["start", "a"]);
    d.wait_state("a", "RUNNING", 15);
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    // In place: the mount shows this file, not its name.
    let gone = d.read("passwd").replace("ghost:x:54321", "other:x:54322");
    fs::write(d.path("passwd"), gone).unwrap();
    d.ctl(&["start", "a"]);
    let words = "supervisor: couldn't setuid to 54321: Can't find uid 54321\n\
                 supervisor: child process was not spawned\n";
    d.wait_file("a.err", 15, |text| text == words);
}

#[test]
fn a_child_tells_which_step_of_the_switch_was_refused() {
    assert!(root(), "only root can switch users: run this test as root");
    let setup = || Setup::new().program("a", &format!("{SLEEP}\nuser=nobody\n{NO_RETRY}"));
    let uid = uid_of("nobody");
    last_words(
        refusing(setup(), "setgroups"),
        &format!("supervisor: couldn't setuid to {uid}: Could not set groups of effective user"),
    );
    last_words(
        refusing(setup(), "setgid"),
        &format!("supervisor: couldn't setuid to {uid}: Could not set group id of effective user"),
    );
}

#[test]
fn the_daemon_tells_which_step_of_the_switch_was_refused() {
    let output = refusing(as_nobody(), "setgroups").run_to_end(20);
    refused(&output, "Could not set groups of effective user");
    let output = refusing(as_nobody(), "setgid").run_to_end(20);
    refused(&output, "Could not set group id of effective user");
}

#[test]
fn limits_are_raised_as_far_as_the_user_may() {
    assert!(root(), "only root can raise limits: run this test as root");
    let d = Setup::new().launcher(&["prlimit", "--nofile=512:4096", "--nproc=150:4000"]).start();
    d.wait_log("INFO Increased RLIMIT_NOFILE limit to 1024", 15);
    d.wait_log("INFO Increased RLIMIT_NPROC limit to 200", 15);

    let output = as_nobody().launcher(&["prlimit", "--nofile=512:512"]).run_to_end(20);
    refused(
        &output,
        "The minimum number of file descriptors required to run this process is 1024 as per the \
         \"minfds\" command-line argument or config file setting. The current environment will \
         only allow you to open * file descriptors.  Either raise the number of usable file \
         descriptors in your environment (see README.rst) or lower the minfds setting in the \
         config file to allow the process to start.",
    );
    let output = as_nobody().launcher(&["prlimit", "--nproc=150:150"]).run_to_end(20);
    refused(
        &output,
        "The minimum number of available processes required to run this program is 200 as per \
         the \"minprocs\" command-line argument or config file setting. The current environment \
         will only allow you to open * processes.  Either raise the number of usable processes in \
         your environment (see README.rst) or lower the minprocs setting in the config file to \
         allow the program to start.",
    );
}

#[test]
fn a_full_process_table_fails_starts() {
    // A user of its own, as the limit counts whatever runs, and ended a moment ago, under it.
    let uid = 100_000 + std::process::id() % 1_000_000;
    let d = with_ghost(Setup::new(), uid)
        .launcher(&["prlimit", "--nproc=60:60"])
        .supervisord("user=ghost\nminprocs=60")
        .program("a", &format!("{SLEEP}\nnumprocs=70\nprocess_name=%(process_num)02d"))
        .start();
    d.wait_log("INFO spawnerr: Too many processes in process table to spawn '69'", 15);
    // Whose turn comes while there is room is a matter of chance on a loaded machine.
    wait_for("one that runs", 60, || {
        (d.count("INFO success: * entered RUNNING state, *") > 0).then_some(())
    });
    // There are always some for whom there is no room.
    wait_for("one that has to wait", 60, || {
        let answer = d.rpc().call("supervisor.getAllProcessInfo", "").ok()?;
        rpc::members(&answer, "statename").contains(&"BACKOFF".to_owned()).then_some(())
    });
    let messages = d.messages();
    for line in messages.iter().filter(|line| line.starts_with("INFO spawnerr: ")) {
        let text = "INFO spawnerr: Too many processes in process table to spawn '*'";
        assert!(matches(text, line), "{line}");
    }
}

#[test]
fn a_socket_that_cannot_be_given_away_is_refused() {
    let setup = as_nobody();
    let socket = setup.path("s.sock");
    let text = "[unix_http_server]\nfile=%(here)s/s.sock\nchown=root:root\n[supervisord]\n\
                logfile=%(here)s/activity.log\npidfile=%(here)s/d.pid\nuser=nobody\n";
    refused(
        &setup.run_file(text, 20),
        &format!(
            "Not permitted to chown {} to uid/gid (0, 0); adjust \"sockchown\" value in config \
             file or on command line to values that the current user (nobody) can successfully \
             chown",
            socket.display()
        ),
    );
}

#[test]
fn a_log_directory_that_cannot_be_read_is_told() {
    let setup = as_nobody()
        .supervisord("childlogdir=%(here)s/closed")
        .program("a", &format!("{SLEEP}\nstdout_logfile=NONE\nstderr_logfile=NONE"));
    fs::create_dir(setup.path("closed")).unwrap();
    fs::set_permissions(setup.path("closed"), Permissions::from_mode(0o700)).unwrap();
    let d = setup.start();
    d.wait_log("WARN Could not clear childlog dir", 15);
    d.wait_state("a", "RUNNING", 15);
}

#[test]
fn a_directory_that_cannot_be_entered_is_told() {
    let setup = as_nobody().daemonize().supervisord("directory=%(here)s/closed");
    let closed = setup.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let d = setup.start();
    let closed = closed.display();
    d.wait_log(
        &format!("CRIT can't chdir into '{closed}': [Errno 13] Permission denied: '{closed}'"),
        15,
    );
}
