//! The daemon as PID 1 of a namespace, which is what it is in a container: it gets the orphans of
//! everybody, and with its end everything ends.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    process::Command,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::support::{Setup, TestDaemon, alive, all_pids, process_stat, root, run, wait_for};

const ORPHANS: usize = 2_000;

/// Makes children of shells that have ended; each waits for one line from the gate, and then
/// exits with 7.
const BREEDER: &str = "#!/bin/sh
mkfifo \"$2\"
exec 9<>\"$2\"
n=0
while [ $n -lt $1 ]; do
    ( { read line <&9; exit 7; } & )
    n=$((n+1))
done
exec sleep 1000
";

/// Writes when it is told to end and, a while later, when it does.
const ORDERLY: &str = "#!/bin/sh
trap 'echo TERM $1 >>\"$2\"; sleep 0.2; echo end $1 >>\"$2\"; exit 0' TERM
echo ready
while :; do sleep 0.05; done
";

/// The numbers, outside of the namespace, of the daemon's children, and whether each is a zombie.
fn children(d: &TestDaemon) -> Vec<(i32, bool)> {
    let all = all_pids().into_iter().filter_map(|pid| Some((pid, process_stat(pid)?)));
    all.filter(|(_, stat)| stat.parent == d.pid)
        .map(|(pid, stat)| (pid, stat.state == 'Z'))
        .collect()
}

fn reaped(d: &TestDaemon) -> usize {
    d.count("INFO reaped unknown pid * (exit status 7)")
}

#[test]
fn two_thousand_orphans_are_reaped_and_term_ends_all_in_order() {
    let _turn = crate::alone();
    assert!(root(), "this test makes a PID namespace: run it as root");
    let namespace = ["--pid", "--fork", "--mount-proc", "true"];
    let possible = run(Command::new("unshare").args(namespace), 20);
    assert_eq!(possible.code, 0, "no PID namespace can be made here: {possible:?}");

    let orderly = |name: &str, priority: u32| {
        format!(
            "command=%(here)s/orderly {name} %(here)s/ends\npriority={priority}\nstartsecs=0\n\
             stdout_logfile=%(here)s/{name}.log"
        )
    };
    let mut d = Setup::new()
        .in_pid_namespace()
        .script("breeder", BREEDER)
        .script("orderly", ORDERLY)
        .program("first", &orderly("first", 1))
        .program("second", &orderly("second", 5))
        .program("third", &orderly("third", 999))
        // One more than is let go: it outlives all, and ends with the namespace.
        .program(
            "breeder",
            &format!(
                "command=%(here)s/breeder {} %(here)s/gate\nautostart=false\nstartsecs=0\n\
                 priority=1000",
                ORPHANS + 1
            ),
        )
        .program(
            "short",
            "command=/bin/sh -c 'exit 3'\nautostart=false\nautorestart=false\nstartsecs=0",
        )
        .start();
    assert_eq!(d.read("d.pid"), "1\n");
    for name in ["first", "second", "third"] {
        d.wait_file(&format!("{name}.log"), 15, |text| text == "ready\n");
    }
    let pids = || ["first", "second", "third", "breeder"].map(|name| d.pid_of(name));
    d.ctl(&["start", "breeder"]).expect("breeder: started\n", 0);
    let before = pids();
    // Their shells have ended, so that they are the daemon's.
    wait_for("the orphans", 120, || {
        (children(&d).len() == before.len() + ORPHANS + 1).then_some(())
    });
    assert_eq!(reaped(&d), 0);

    // All of them end at once: nothing tells the daemon how many one SIGCHLD stands for.
    d.signal(Signal::SIGSTOP);
    let mut gate = OpenOptions::new().write(true).open(d.path("gate")).unwrap();
    gate.write_all(&[b'\n'; ORPHANS]).unwrap();
    let zombies = || children(&d).iter().filter(|(_, zombie)| *zombie).count();
    wait_for("the orphans' ends", 60, || (zombies() == ORPHANS).then_some(()));
    d.signal(Signal::SIGCONT);
    let released = Instant::now();
    let mut slowest = Duration::ZERO;
    loop {
        assert!(released.elapsed() < Duration::from_secs(60), "{} were reaped", reaped(&d));
        let asked = Instant::now();
        assert_eq!(d.rpc_pid(), 1);
        let answer = d.rpc().call("supervisor.startProcess", "<string>short</string>").unwrap();
        assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
        slowest = slowest.max(asked.elapsed());
        d.wait_state("short", "EXITED", 10);
        if reaped(&d) >= ORPHANS {
            break;
        }
    }
    eprintln!("reaped within {:?}, slowest answer {slowest:?}", released.elapsed());
    assert!(slowest < Duration::from_secs(2), "an answer took {slowest:?}");

    // Nobody is left but the programs and the one orphan, none of them a zombie.
    wait_for("no more zombies", 10, || (zombies() == 0).then_some(()));
    assert_eq!(children(&d).len(), before.len() + 1);
    assert_eq!(reaped(&d), ORPHANS);
    d.has_count("INFO reaped unknown pid *", ORPHANS);
    let short = "WARN exited: short (exit status 3; not expected)";
    let other = |line: &String| line.starts_with("WARN exited: ") && line != short;
    assert!(!d.messages().iter().any(other));
    assert_eq!(pids(), before, "a program was taken for an orphan");
    for name in ["first", "second", "third", "breeder"] {
        assert_eq!(d.state(name), "RUNNING");
        d.has_count(&format!("INFO spawned: '{name}' with pid *"), 1);
    }

    let left = children(&d);
    d.signal(Signal::SIGTERM);
    assert_eq!(d.wait_exit(30), 0, "exit status of the namespace");
    d.wait_log_order(
        &[
            "WARN received SIGTERM indicating exit request",
            "* stopped: breeder (terminated by SIGTERM)",
            "INFO stopped: third (exit status 0)",
            "INFO stopped: second (exit status 0)",
            "INFO stopped: first (exit status 0)",
        ],
        1,
    );
    let names = ["third", "second", "first"];
    let ends: String = names.iter().map(|name| format!("TERM {name}\nend {name}\n")).collect();
    assert_eq!(fs::read_to_string(d.path("ends")).unwrap(), ends);
    assert!(!d.path("d.pid").exists() && !d.path("s.sock").exists());
    assert!(left.iter().all(|(pid, _)| !alive(*pid)), "somebody outlived the namespace");
}
