//! Who has nothing to do does nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::{MARK, Scratch, Setup, Side, kill_marked, read, run, wait_for, write_script};

/// The system calls that a process and its threads make in ten seconds, line by line.
fn calls_of(pid: i32) -> String {
    let place = Scratch::new();
    let trace = place.path().join("strace.txt");
    // On INT strace detaches and writes its table.
    let mut strace = Command::new("timeout");
    strace.args(["-s", "INT", "10", "strace", "-f", "-o"]).arg(&trace);
    let output = run(strace.args(["-p", &pid.to_string()]), 30);
    assert!(output.stderr.contains("attached"), "strace could not attach: {output:?}");
    // The calls in which the threads already wait show as unfinished; that strace takes hold of
    // a thread and lets it go interrupts them, and they begin again by themselves.
    let trace = read(&trace);
    let calls: Vec<&str> = trace
        .lines()
        .filter(|line| !line.contains("<unfinished") && !line.contains("<detached"))
        .filter(|line| !line.contains("ERESTART"))
        .collect();
    calls.join("\n")
}

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
    assert_eq!(calls_of(d.pid), "");
    assert_eq!(d.rpc_pid(), d.pid, "it still answers");
}

#[test]
fn an_idle_pidproxy_makes_no_system_call_in_ten_seconds() {
    let _turn = crate::alone();
    let place = Scratch::new();
    let place = place.path();
    let pidfile = place.join("p");
    let script = place.join("daemon");
    write_script(&script, "#!/bin/sh\necho $$ >$1\nexec sleep 1000\n");
    let mut proxy = Command::new(Side::under_test().pidproxy())
        .args([&pidfile, &script, &pidfile])
        .env(MARK, place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _end = EndOf(place);
    let daemon = wait_for("the pidfile", 10, || read(&pidfile).trim().parse().ok());
    // It has seen the pidfile once it watches it no longer.
    let descriptors = PathBuf::from(format!("/proc/{}/fd", proxy.id()));
    wait_for("an end of pidproxy's watch", 10, || {
        let links = fs::read_dir(&descriptors).unwrap().flatten();
        let mut targets = links.filter_map(|link| fs::read_link(link.path()).ok());
        (!targets.any(|target| target.ends_with("anon_inode:inotify"))).then_some(())
    });
    assert_eq!(calls_of(proxy.id() as i32), "");
    let daemon = nix::unistd::Pid::from_raw(daemon);
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL).unwrap();
    let status = wait_for("the end of pidproxy", 10, || proxy.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

/// Ends what the test started in its directory.
struct EndOf<'a>(&'a Path);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        kill_marked(self.0);
    }
}
