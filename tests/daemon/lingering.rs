//! `drain_timeout`: what a child's own children write after its exit, while the next child lives.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{self, Setup, TestDaemon, wait_for};

/// Ends at once and leaves a child that writes `old 0001` and so on, cut into pieces without
/// regard to lines, once the next one is there; that one writes `new 0001` and so on and stays.
const TWO: &str = r#"#!/usr/bin/env python3
import os, sys, time
here = sys.argv[1]
def wait(name):
    while not os.path.exists(here + '/' + name):
        time.sleep(0.01)
def lines(word):
    return b''.join(b'%s %05d\n' % (word, n) for n in range(6000))
if not os.path.exists(here + '/again'):
    if os.fork():
        wait('ready')
        open(here + '/again', 'w').close()
        os._exit(0)
    open(here + '/ready', 'w').close()
    wait('second')
    text = lines(b'old')
    for at in range(0, len(text), 997):
        os.write(1, text[at:at + 997])
        time.sleep(0.001)
    open(here + '/old-done', 'w').close()
    os._exit(0)
open(here + '/second', 'w').close()
text = lines(b'new')
for at in range(0, len(text), 10 * 50):
    os.write(1, text[at:at + 10 * 50])
    time.sleep(0.001)
open(here + '/new-done', 'w').close()
time.sleep(1000)
"#;

/// Leaves a child that writes a number every few milliseconds, until nobody takes it.
const LEAVES: &str = r#"#!/usr/bin/env python3
import os, sys, time
if os.fork():
    time.sleep(float(sys.argv[2]))
    os._exit(0)
n = 0
try:
    while True:
        os.write(1, b'number %d\n' % n)
        n += 1
        time.sleep(0.02)
except BrokenPipeError:
    open(sys.argv[1], 'w').write('refused')
"#;

/// The text of a log and its backups, the oldest first.
fn whole(log: &Path) -> String {
    let backup = |n: u32| log.with_extension(format!("log.{n}"));
    let backups = (1..200).map(backup).take_while(|path| path.exists()).collect::<Vec<_>>();
    let all = backups.iter().rev().map(|path| support::read(path));
    all.chain([support::read(log)]).collect()
}

fn last_number(text: &str) -> Option<u32> {
    let whole = text.rfind('\n').map(|at| &text[..at])?;
    whole.lines().last()?.strip_prefix("number ")?.parse().ok()
}

/// Waits until more has come, in the log of that name.
fn wait_more(d: &TestDaemon, name: &str) -> u32 {
    let before = last_number(&d.read(name));
    wait_for("more numbers", 30, || {
        let now = last_number(&d.read(name))?;
        (before.is_none_or(|before| now > before)).then_some(now)
    })
}

fn leaving(more: &str) -> Setup {
    Setup::new().script("leaves", LEAVES).program(
        "a",
        &format!(
            "command=%(here)s/leaves %(here)s/end 0\nstartsecs=0\nautorestart=false\n\
             stdout_logfile=%(here)s/a.log\n{more}"
        ),
    )
}

#[test]
fn two_lives_write_one_rotating_log_and_no_line_is_lost_or_cut() {
    let _turn = crate::alone();
    let d = Setup::new()
        .script("two", TWO)
        .program(
            "a",
            "command=%(here)s/two %(here)s\nstartsecs=0\nautorestart=true\ndrain_timeout=300\n\
             stdout_logfile=%(here)s/a.log\nstdout_logfile_maxbytes=4KB\n\
             stdout_logfile_backups=150",
        )
        .start();
    for name in ["old-done", "new-done"] {
        wait_for(name, 60, || d.path(name).exists().then_some(()));
    }
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let of = |word: &'static str| (0..6000).map(move |n| format!("{word} {n:05}"));
    let want: Vec<String> = of("new").chain(of("old")).collect();
    let text = wait_for("all lines", 60, || {
        let text = whole(&d.path("a.log"));
        (text.len() == want.len() * 10).then_some(text)
    });
    assert!(sorted(&text) == want, "lines are cut or missing");
    for word in ["old", "new"] {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(word)).collect();
        assert!(lines.is_sorted(), "{word} in another order");
    }
    // Both count the same bytes: what was rotated was full, and by one piece at the most too large.
    let sizes: Vec<u64> = (1..150)
        .map_while(|n| fs::metadata(d.path(&format!("a.log.{n}"))).ok())
        .map(|meta| meta.len())
        .collect();
    assert!(sizes.len() > 2, "{sizes:?}");
    assert!(sizes.iter().all(|size| (4096..4096 + 65_536).contains(size)), "{sizes:?}");
}

#[test]
fn the_state_does_not_wait_and_the_time_has_an_end() {
    let _turn = crate::alone();
    let d = leaving("drain_timeout=3").start();
    d.wait_state("a", "EXITED", 15);
    let exited = Instant::now();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", d.pid)).unwrap().count();
    let threads = || fs::read_dir(format!("/proc/{}/task", d.pid)).unwrap().count();
    let open = descriptors();
    let lives = threads();
    wait_more(&d, "a.log");
    let numbers = last_number(&d.read("a.log")).unwrap();
    d.wait_file("end", 60, |text| text == "refused");
    assert!(exited.elapsed() > Duration::from_secs(2), "{:?}", exited.elapsed());
    // Some of them: stdout, stderr, what wakes the thread.
    wait_for("the end of the thread", 15, || (threads() < lives).then_some(()));
    wait_for("closed pipes", 15, || (descriptors() <= open - 3).then_some(()));
    let text = d.read("a.log");
    assert!(last_number(&text).unwrap() > numbers);
    for (n, line) in text.lines().enumerate() {
        assert_eq!(line, format!("number {n}"));
    }
    // The next life is as the first.
    assert_eq!(d.ctl(&["start", "a"]).code, 0);
    d.wait_state("a", "EXITED", 15);
}

#[test]
fn without_it_what_comes_later_is_dropped() {
    let _turn = crate::alone();
    let d = leaving("").start();
    d.wait_state("a", "EXITED", 15);
    let text = d.read("a.log");
    d.wait_file("end", 60, |text| text == "refused");
    assert_eq!(d.read("a.log"), text);
}

#[test]
fn moved_and_cleared_logs_go_on_below_their_names() {
    let _turn = crate::alone();
    let d = leaving("drain_timeout=300").start();
    d.wait_state("a", "EXITED", 15);
    wait_more(&d, "a.log");
    fs::rename(d.path("a.log"), d.path("moved")).unwrap();
    d.signal(Signal::SIGUSR2);
    wait_for("the new file", 30, || last_number(&d.read("a.log")));
    let [moved, new] = ["moved", "a.log"].map(|name| d.read(name));
    let all = format!("{moved}{new}");
    assert!(all.lines().enumerate().all(|(n, line)| line == format!("number {n}")), "{all}");
    let before = wait_more(&d, "a.log");
    d.ctl(&["clear", "a"]).expect("a: cleared\n", 0);
    let text = wait_for("new numbers", 30, || {
        let text = d.read("a.log");
        last_number(&text).map(|_| text)
    });
    assert!(!text.contains("number 0\n"), "{text}");
    let first: u32 = text.lines().next().unwrap().strip_prefix("number ").unwrap().parse().unwrap();
    assert!(first > before);
}

#[test]
fn an_update_and_a_restart_leave_the_log_to_both() {
    let _turn = crate::alone();
    let d = leaving("drain_timeout=300\nstdout_logfile_maxbytes=300\nstdout_logfile_backups=190")
        .start();
    d.wait_state("a", "EXITED", 15);
    let numbers = |d: &TestDaemon| -> Vec<u32> {
        let text = whole(&d.path("a.log"));
        let whole = text.rfind('\n').map_or("", |at| &text[..at]);
        let number = |line: &str| line.strip_prefix("number ")?.parse().ok();
        whole.lines().map(|line| number(line).unwrap_or_else(|| panic!("{line:?}"))).collect()
    };
    let lives = |d: &TestDaemon| numbers(d).iter().filter(|n| **n == 0).count();
    wait_for("the first", 30, || (lives(&d) == 1).then_some(()));
    d.edit("drain_timeout=300", "drain_timeout=301");
    d.ctl(&["update"]).expect("a: stopped\na: updated process group\n", 0);
    wait_for("the second", 30, || (lives(&d) == 2).then_some(()));
    d.signal(Signal::SIGHUP);
    wait_for("the third", 30, || (lives(&d) == 3).then_some(()));
    let last = *numbers(&d).last().unwrap();
    // Each of the three goes on: every number thrice, none missing.
    wait_for("all three", 60, || {
        let all = numbers(&d);
        (0..=last).all(|n| all.iter().filter(|other| **other == n).count() == 3).then_some(())
    });
}

/// The kernel refuses to wait for more descriptors than a process may have.
fn limit_waiting(d: &TestDaemon, soft: &str) {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &d.pid.to_string(), &format!("--nofile={soft}:")]);
    assert_eq!(support::run(&mut prlimit, 60).code, 0);
}

#[test]
fn output_is_not_over_where_nobody_can_tell() {
    let _turn = crate::alone();
    let d = Setup::new()
        .script("leaves", LEAVES)
        .program(
            "a",
            "command=%(here)s/leaves %(here)s/end 1000\nstartsecs=0\nautorestart=false\n\
             drain_timeout=300\nstdout_logfile=%(here)s/a.log",
        )
        .start();
    d.wait_state("a", "RUNNING", 60);
    wait_more(&d, "a.log");
    let pid = d.pid_of("a");
    limit_waiting(&d, "0");
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    d.wait_log("WARN exited: a *", 60);
    limit_waiting(&d, "1000");
    wait_more(&d, "a.log");
    wait_more(&d, "a.log");
}

#[test]
fn where_waiting_fails_it_is_told_once_and_goes_on() {
    let _turn = crate::alone();
    let d = leaving("drain_timeout=300").start();
    d.wait_state("a", "EXITED", 60);
    wait_more(&d, "a.log");
    let limit = |soft| limit_waiting(&d, soft);
    limit("2");
    let line = "ERRO 'a' is looked at in steps, as waiting for it fails: [Errno 22] *";
    d.wait_log(line, 60);
    wait_more(&d, "a.log");
    wait_more(&d, "a.log");
    limit("1000");
    // It waits again, and fails again.
    wait_more(&d, "a.log");
    limit("2");
    wait_more(&d, "a.log");
    wait_more(&d, "a.log");
    limit("1000");
    wait_more(&d, "a.log");
    assert_eq!(d.count(line), 1);
    let text = d.read("a.log");
    let whole = text.rfind('\n').map_or("", |at| &text[..at]);
    assert!(whole.lines().enumerate().all(|(n, line)| line == format!("number {n}")), "{text}");
}

#[test]
fn a_crash_loop_gathers_no_threads() {
    let _turn = crate::alone();
    let d = Setup::new()
        .program(
            "a",
            "command=/bin/sh -c \"sleep 1000 & exit 0\"\nstartsecs=0\nautorestart=true\n\
             drain_timeout=300",
        )
        .start();
    d.wait_log("WARN 'a' has left output open 4 times within drain_timeout; *", 30);
    let threads = || fs::read_dir(format!("/proc/{}/task", d.pid)).unwrap().count();
    wait_for("many lives", 60, || (d.count("INFO spawned: 'a' *") >= 40).then_some(()));
    // Its own eight or so, the four that linger, and those that come and go.
    wait_for("few threads", 30, || (threads() <= 20).then_some(()));
    assert_eq!(d.ctl(&["stop", "a"]).code, 0);
    wait_for("four that linger", 30, || (threads() <= 14).then_some(()));
}
