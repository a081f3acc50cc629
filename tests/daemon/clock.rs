//! The wall clock is set under the daemon's feet: no delay changes, and what is shown follows.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;

use crate::support::{Setup, TestDaemon, matches, wait_for};

const HOUR: i64 = 3600;

/// How much later than due something may come on a busy machine. Far below an hour.
const SLACK: Duration = Duration::from_secs(8);

/// How far a shown time may be off: the test reads its own clock a little before or after.
const TOLERANCE: i64 = 60;

/// A daemon whose wall clock can be set. Its children see the true one.
fn start(program: &str) -> TestDaemon {
    Setup::new()
        .own_wall_clock()
        .env("TZ", "UTC")
        .script("stubborn", "#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 0.1; done\n")
        .program("a", &format!("autostart=false\n{program}"))
        .start()
}

/// The wall clock as the daemon should see it, seconds since the epoch.
fn shifted(offset: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + offset
}

fn is_near(shown: i64, offset: i64) -> bool {
    (shown - shifted(offset)).abs() < TOLERANCE
}

/// Lays that many seconds over the wall clock, and sees that the daemon tells the new time, in
/// an answer and in its log, and that the process is still in this state.
fn set_clock(d: &TestDaemon, offset: i64, state: &str) {
    d.set_wall_clock(offset);
    let shown: i64 = d.info("a", "now").unwrap().parse().unwrap();
    assert!(is_near(shown, offset), "now is {shown}, not {}", shifted(offset));
    let lines = d.count("INFO supervisord logreopen");
    d.signal(Signal::SIGUSR2);
    wait_for("a line at the new time", 10, || {
        (d.count("INFO supervisord logreopen") > lines).then_some(())
    });
    let log = d.log();
    let line = log.lines().rfind(|line| line.ends_with("logreopen")).unwrap();
    let stamp = chrono::NaiveDateTime::parse_from_str(&line[..19], "%Y-%m-%d %H:%M:%S").unwrap();
    assert!(is_near(stamp.and_utc().timestamp(), offset), "{line} at offset {offset}");
    assert_eq!(d.state("a"), state, "at offset {offset}");
}

/// One hour forward and two back.
fn set_clock_twice(d: &TestDaemon, state: &str) {
    set_clock(d, HOUR, state);
    set_clock(d, -HOUR, state);
}

/// When something happened, by the clock of the test: after the first moment and not after the
/// second.
#[derive(Clone, Copy, Debug)]
struct Moment {
    after: Instant,
    by: Instant,
}

/// When the activity log got its n-th line that matches.
fn moment_of(d: &TestDaemon, pattern: &str, n: usize) -> Moment {
    let mut after = Instant::now();
    wait_for(pattern, 30, || {
        let asked = Instant::now();
        let there = d.messages().iter().filter(|line| matches(pattern, line)).count() >= n;
        if !there {
            after = asked;
        }
        there.then(|| Moment { after, by: Instant::now() })
    })
}

/// Fails unless the time between two moments can have been this many seconds or little more.
#[track_caller]
fn check_interval(from: Moment, to: Moment, secs: u64) {
    let wanted = Duration::from_secs(secs);
    let (least, most) = (to.after.saturating_duration_since(from.by), to.by - from.after);
    assert!(most >= wanted, "{wanted:?} were due, at most {most:?} passed");
    assert!(least <= wanted + SLACK, "{wanted:?} were due, {least:?} passed");
    eprintln!("{wanted:?} were due: {least:?} to {most:?}");
}

#[test]
fn starting_takes_startsecs_whatever_the_wall_clock_does() {
    let _turn = crate::alone();
    let d = start("command=/bin/sleep 1000\nstartsecs=3");
    let after = Instant::now();
    d.rpc().call("supervisor.startProcess", "<string>a</string><boolean>0</boolean>").unwrap();
    let spawned = moment_of(&d, "INFO spawned: 'a' with pid *", 1);
    set_clock_twice(&d, "STARTING");
    let success = moment_of(&d, "INFO success: a entered RUNNING state, *", 1);
    check_interval(Moment { after, by: spawned.by }, success, 3);
    assert_eq!(d.state("a"), "RUNNING");
    // RUNNING has no delay of its own; both ways at once here.
    set_clock(&d, 2 * HOUR, "RUNNING");
    set_clock(&d, -2 * HOUR, "RUNNING");
}

#[test]
fn backoff_takes_its_seconds_whatever_the_wall_clock_does() {
    let _turn = crate::alone();
    let d = start("command=/bin/false\nstartretries=3");
    d.rpc().call("supervisor.startProcess", "<string>a</string><boolean>0</boolean>").unwrap();
    let exited = "WARN exited: a (exit status 1; not expected)";
    moment_of(&d, exited, 2);
    let third = moment_of(&d, exited, 3);
    set_clock_twice(&d, "BACKOFF");
    let fourth = moment_of(&d, "INFO spawned: 'a' with pid *", 4);
    check_interval(third, fourth, 3);
    d.wait_log("INFO gave up: a entered FATAL state, too many start retries too quickly", 10);
    d.has_count("INFO spawned: 'a' with pid *", 4);
}

#[test]
fn stopping_takes_stopwaitsecs_whatever_the_wall_clock_does() {
    let _turn = crate::alone();
    let d = start(
        "command=%(here)s/stubborn\nstartsecs=0\nstopwaitsecs=3\nstdout_logfile=%(here)s/a.log",
    );
    d.rpc().call("supervisor.startProcess", "<string>a</string><boolean>0</boolean>").unwrap();
    d.wait_file("a.log", 15, |text| text.contains("ready"));
    let after = Instant::now();
    d.rpc().call("supervisor.stopProcess", "<string>a</string><boolean>0</boolean>").unwrap();
    let stop = Moment { after, by: Instant::now() };
    set_clock_twice(&d, "STOPPING");
    let kill = moment_of(&d, "WARN killing 'a' (*) with SIGKILL", 1);
    check_interval(stop, kill, 3);
    d.wait_log_order(
        &["WARN killing 'a' (*) with SIGKILL", "WARN stopped: a (terminated by SIGKILL)"],
        10,
    );
    assert_eq!(d.state("a"), "STOPPED");
}
