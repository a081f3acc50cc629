//! What listeners hear of processes that start, end, fail and are stopped.

use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::both::{END, Scenario};
use crate::recorder::{Recorders, ready, remote, running, wait_event};
use crate::support::{Setup, TestDaemon, read, root, wait_for};

/// A program that exits with a code once it is told so.
const EXIT: &str = "#!/bin/sh
while :; do
    for code in 0 2 3; do
        [ -e \"$1.$code\" ] && rm \"$1.$code\" && exit $code
    done
    sleep 0.05
done
";

const EVENTS: &str = "PROCESS_STATE,REMOTE_COMMUNICATION";

/// Lets an `EXIT` end with that code; its name is that of its program.
#[track_caller]
fn exit(d: &TestDaemon, name: &str, code: i32) {
    fs::write(d.path(&format!("{name}.{code}")), "").unwrap();
}

/// The scenario's end, and nothing left to happen before it.
fn end(d: &TestDaemon) {
    remote(d, "end", "");
}

#[test]
fn a_start_and_a_stop() {
    Scenario::new(
        |setup| {
            setup
                .listener(EVENTS, "buffer_size=100")
                .program("a", "command=/bin/sleep 1000\nautostart=false")
        },
        |d| {
            ready(d, &["lis"]);
            for _ in 0..2 {
                d.ctl(&["start", "a"]).expect("a: started\n", 0);
                d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
            }
            end(d);
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn exits_that_were_expected_and_others() {
    Scenario::new(
        |setup| {
            setup
                .listener(EVENTS, "buffer_size=100")
                .script("exit", EXIT)
                .program(
                    "a",
                    "command=%(here)s/exit %(here)s/a\nautorestart=unexpected\nexitcodes=0,2",
                )
                .program("b", "command=%(here)s/exit %(here)s/b\nautorestart=false\nexitcodes=3")
                .program("c", "command=%(here)s/exit %(here)s/c\nautorestart=true")
        },
        |d| {
            ready(d, &["lis"]);
            running(d, &["a", "b", "c"]);
            exit(d, "a", 3);
            wait_event(d, "lis", "*processname:a *expected:0 *");
            wait_event(d, "lis", "PROCESS_STATE_STARTING processname:a *EXITED*");
            running(d, &["a"]);
            exit(d, "a", 2);
            d.wait_state("a", "EXITED", 20);
            exit(d, "b", 3);
            d.wait_state("b", "EXITED", 20);
            d.ctl(&["start", "b"]).expect("b: started\n", 0);
            d.ctl(&["signal", "KILL", "b"]).expect("b: signalled\n", 0);
            d.wait_state("b", "EXITED", 20);
            exit(d, "c", 0);
            wait_event(d, "lis", "PROCESS_STATE_STARTING processname:c *EXITED*");
            running(d, &["c"]);
            end(d);
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn starts_that_fail_until_it_is_fatal() {
    Scenario::new(
        |setup| {
            setup
                .listener(EVENTS, "buffer_size=100")
                .program(
                    "a",
                    "command=/bin/sh -c \"exit 3\"\nautostart=false\nstartretries=2\nstartsecs=4",
                )
                .program("b", "command=/bin/none\nautostart=false\nstartretries=1")
        },
        |d| {
            ready(d, &["lis"]);
            d.ctl(&["start", "a"]);
            d.wait_state("a", "FATAL", 30);
            d.ctl(&["start", "b"]);
            d.wait_state("b", "STOPPED", 30);
            d.ctl(&["start", "a"]);
            d.wait_state("a", "FATAL", 30);
            end(d);
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn a_command_that_is_gone() {
    Scenario::new(
        |setup| {
            setup
                .listener(EVENTS, "buffer_size=100")
                .program("a", "command=/bin/none\nstartretries=1")
        },
        |d| {
            ready(d, &["lis"]);
            d.wait_state("a", "FATAL", 30);
            end(d);
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn a_stop_between_two_tries() {
    Scenario::new(
        |setup| {
            setup.listener(EVENTS, "buffer_size=100").program(
                "a",
                "command=/bin/sh -c \"exit 3\"\nautostart=false\nstartretries=100\nstartsecs=4",
            )
        },
        |d| {
            ready(d, &["lis"]);
            // The pauses grow: a stop that follows the third failure comes in time.
            for tries in [3, 4] {
                let call = |method, params| d.rpc().call(method, params).unwrap();
                call("supervisor.startProcess", "<string>a</string><boolean>0</boolean>");
                wait_event(d, "lis", &format!("PROCESS_STATE_BACKOFF * tries:{tries}"));
                call("supervisor.stopProcess", "<string>a</string>");
            }
            end(d);
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn a_process_that_has_to_be_killed() {
    Scenario::new(
        |setup| {
            setup
                .listener(EVENTS, "buffer_size=100")
                .script("deaf", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n")
                .program("a", "command=%(here)s/deaf\nstopwaitsecs=2")
        },
        |d| {
            ready(d, &["lis"]);
            running(d, &["a"]);
            d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
            d.has_count("WARN killing 'a' (*) with SIGKILL", 1);
            end(d);
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn starts_that_are_cut_short_and_starts_of_no_duration() {
    Scenario::new(
        |setup| {
            setup
                .listener(EVENTS, "buffer_size=100")
                .program("slow", "command=/bin/sleep 1000\nautostart=false\nstartsecs=100")
                .program(
                    "quick",
                    "command=/bin/true\nautostart=false\nstartsecs=0\nautorestart=false",
                )
                .program(
                    "again",
                    "command=/bin/sh -c 'exit 1'\nautostart=false\nstartsecs=0\nautorestart=false",
                )
        },
        |d| {
            ready(d, &["lis"]);
            d.rpc()
                .call("supervisor.startProcess", "<string>slow</string><boolean>0</boolean>")
                .unwrap();
            wait_event(d, "lis", "PROCESS_STATE_STARTING processname:slow *");
            d.ctl(&["stop", "slow"]).expect("slow: stopped\n", 0);
            d.ctl(&["start", "quick"]);
            d.wait_state("quick", "EXITED", 20);
            d.ctl(&["start", "again"]);
            d.wait_state("again", "EXITED", 20);
            end(d);
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn a_group_by_its_priorities() {
    Scenario::new(
        |setup| {
            setup
                .listener(EVENTS, "buffer_size=100")
                // Started last, it is up last: of those that are up in the same moment the original
                // tells in configured order, ours in the order of their births.
                .program("x", "command=/bin/sleep 1000\npriority=3\nstartsecs=3")
                .program("y", "command=/bin/sleep 1000\npriority=1")
                .program(
                    "z",
                    "command=/bin/sleep 1000\npriority=2\nnumprocs=2\n\
                     process_name=%(program_name)s_%(process_num)02d",
                )
                .section("[group:g]\nprograms=x,y,z")
        },
        |d| {
            ready(d, &["lis"]);
            running(d, &["g:x", "g:y", "g:z_00", "g:z_01"]);
            let one = |name| {
                d.ctl(&["stop", name]).expect(&format!("{name}: stopped\n"), 0);
            };
            // One after another: the order of exits that come together is nobody's.
            ["g:x", "g:y", "g:z_00", "g:z_01"].into_iter().for_each(one);
            d.ctl(&["start", "g:*"]);
            end(d);
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn a_signal_is_no_event_and_its_effect_is() {
    Scenario::new(
        |setup| {
            setup
                .listener(EVENTS, "buffer_size=100")
                .script(
                    "usr",
                    "#!/bin/sh\ntrap 'echo x >> \"$1\"' USR1\nwhile :; do sleep 0.05; done\n",
                )
                .program("a", "command=%(here)s/usr %(here)s/noted\nautorestart=false")
        },
        |d| {
            ready(d, &["lis"]);
            running(d, &["a"]);
            d.ctl(&["signal", "USR1", "a"]).expect("a: signalled\n", 0);
            wait_for("the signal", 20, || d.path("noted").exists().then_some(()));
            d.ctl(&["signal", "TERM", "a"]).expect("a: signalled\n", 0);
            d.wait_state("a", "EXITED", 20);
            end(d);
        },
    )
    .stream("lis", END)
    .compare();
}

/// Root's for good, whoever starts it: a daemon of another user may not signal it.
const STRANGER: &str = "command=%(here)s/setpriv --reuid 0 --regid 0 --clear-groups sleep 1000";

/// The daemon belongs to nobody.
fn strangers(setup: Setup) -> Setup {
    let program = setup.path("setpriv");
    let install = ["-m", "4755", "/usr/bin/setpriv"];
    let status = Command::new("install").args(install).arg(program).status().unwrap();
    assert!(status.success(), "no program that changes its user");
    setup
        .supervisord("user=nobody")
        .listener(EVENTS, "buffer_size=100")
        .program("stopped", STRANGER)
        .program("starting", &format!("{STRANGER}\nstartsecs=1000\nautostart=false"))
        .program("signalled", &format!("{STRANGER}\nautorestart=false"))
}

/// Waits until a process is root's through and through.
#[track_caller]
fn is_roots(d: &TestDaemon, name: &str) {
    wait_for(&format!("{name} of root"), 30, || {
        let status = read(format!("/proc/{}/status", d.pid_of(name)).as_ref());
        status.contains("Uid:\t0\t0\t0\t0").then_some(())
    });
}

fn lose_strangers(d: &TestDaemon) {
    ready(d, &["lis"]);
    running(d, &["stopped", "signalled"]);
    let start = "<string>starting</string><boolean>0</boolean>";
    d.rpc().call("supervisor.startProcess", start).unwrap();
    ["stopped", "starting", "signalled"].into_iter().for_each(|name| is_roots(d, name));
    d.ctl(&["stop", "stopped"]);
    d.ctl(&["stop", "starting"]);
    d.ctl(&["signal", "HUP", "signalled"]);
    for name in ["stopped", "starting", "signalled"] {
        d.wait_state(name, "UNKNOWN", 20);
    }
}

fn is_root() -> bool {
    let root = root();
    if !root {
        eprintln!("skipped: only root can make processes of several users");
    }
    root
}

#[test]
fn processes_that_nobody_may_signal() {
    if is_root() {
        let act = |d: &TestDaemon| {
            lose_strangers(d);
            end(d);
        };
        Scenario::new(strangers, act).stream("lis", END).compare();
    }
}

/// The end of an UNKNOWN process ends the original, too.
#[test]
fn the_end_of_processes_that_nobody_may_signal() {
    if !is_root() {
        return;
    }
    let d = strangers(Setup::new().recorder()).start();
    lose_strangers(&d);
    for (name, state, expected) in [
        ("stopped", "STOPPED", ""),
        ("starting", "STOPPED", ""),
        ("signalled", "EXITED", "expected:0 "),
    ] {
        let pid = d.pid_of(name);
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        let event = format!(
            "PROCESS_STATE_{state} processname:{name} groupname:{name} from_state:UNKNOWN \
             {expected}pid:{pid}"
        );
        wait_event(&d, "lis", &event);
        assert_eq!(d.state(name), state);
    }
}
