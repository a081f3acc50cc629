//! A daemon with nothing to do does nothing.

use std::{process::Command, time::Duration};

use crate::support::{Setup, run};

#[test]
fn an_idle_daemon_makes_no_system_call_in_ten_seconds() {
    let _turn = crate::alone();
    let d = Setup::new()
        .tcp()
        .program(
            "a",
            "command=/bin/sleep 1000\nstartsecs=1\nnumprocs=10\n\
             process_name=%(program_name)s_%(process_num)02d",
        )
        .program("stopped", "command=/bin/sleep 1000\nautostart=false")
        .program("failed", "command=/bin/false\nstartretries=0")
        .start();
    d.wait_state("failed", "FATAL", 15);
    for n in 0..10 {
        d.wait_state(&format!("a:a_{n:02}"), "RUNNING", 15);
    }
    // What the last answer left (a thread that lingers for the next request) comes to rest: the
    // one wait of this suite that no condition can replace.
    std::thread::sleep(Duration::from_secs(2));
    let counts = d.path("strace.txt");
    // On INT strace detaches and writes its table.
    let mut strace = Command::new("timeout");
    strace.args(["-s", "INT", "10", "strace", "-f", "-o"]).arg(&counts);
    let output = run(strace.args(["-p", &d.pid.to_string()]), 30);
    assert!(output.stderr.contains("attached"), "strace could not attach: {output:?}");
    let trace = d.read("strace.txt");
    // The calls in which the threads already wait show as unfinished; that strace takes hold of
    // a thread and lets it go interrupts them, and they begin again by themselves.
    let calls: Vec<&str> = trace
        .lines()
        .filter(|line| !line.contains("<unfinished") && !line.contains("<detached"))
        .filter(|line| !line.contains("ERESTART"))
        .collect();
    assert!(calls.is_empty(), "{trace}");
    assert_eq!(d.rpc_pid(), d.pid, "it still answers");
}
