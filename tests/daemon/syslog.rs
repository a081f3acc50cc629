//! The system's log: its reader stops reading, goes away and comes again, and nobody waits for it.

use std::{
    io::Read,
    os::unix::net::UnixListener,
    time::{Duration, Instant},
};

use crate::support::{
    Setup, Side, TestDaemon, matches, root, rpc, system_log::SystemLog, wait_for,
};

const BEGAN: &str = "ERRO the system's log /dev/log can't be written: *; lines of output for it \
                     are lost until it can";
const ENDED: &str = "WARN the system's log /dev/log is written again; * lines of output for it \
                     are lost";

/// What a hung child's thread adds to a stop.
const PATIENCE_OF_A_STOP: Duration = Duration::from_secs(2);

fn possible() -> bool {
    if !root() {
        eprintln!("skipped: a /dev of the daemon's own takes root");
        return false;
    }
    Side::ours_only("the original waits for whoever reads the system's log")
}

/// A number in a struct of `minder.getCounters`.
fn counted(d: &TestDaemon, part: &str, name: &str) -> u64 {
    let answer = d.rpc().call("minder.getCounters", "").unwrap();
    let numbers = rpc::numbers(&answer, part).unwrap_or_else(|| panic!("no {part}"));
    *numbers.get(name).unwrap_or_else(|| panic!("no {name} in {numbers:?}")) as u64
}

fn lost(d: &TestDaemon) -> u64 {
    counted(d, "processes", "syslog_lines_lost")
}

/// Lines that the activity log tells to be lost, of all times.
fn told_lost(d: &TestDaemon) -> u64 {
    let lines = d.messages().into_iter().filter(|line| matches(ENDED, line));
    let number =
        |line: String| line.split("again; ").nth(1)?.split(' ').next()?.parse::<u64>().ok();
    lines.filter_map(number).sum()
}

/// Programs that write to the system's log and to their files.
fn speakers() -> Setup {
    let setup = Setup::new().own_dev();
    crate::support::copy_fixtures(&["counter"], &setup.path(""));
    ["a", "b"].into_iter().fold(setup, |setup, name| {
        let lines = format!(
            "command=%(here)s/counter 200\nstartsecs=0\nstdout_syslog=true\nstderr_logfile=NONE\n\
             stdout_logfile=%(here)s/{name}.log\nstdout_logfile_maxbytes=0"
        );
        setup.program(name, &lines)
    })
}

fn lines(d: &TestDaemon, name: &str) -> usize {
    d.read(&format!("{name}.log")).lines().count()
}

/// Waits until both files have so many lines more.
fn wait_lines(d: &TestDaemon, more: usize) {
    for (name, before) in ["a", "b"].map(|name| (name, lines(d, name))) {
        wait_for(&format!("lines of {name}"), 60, || {
            (lines(d, name) >= before + more).then_some(())
        });
    }
}

fn wait_text(log: &SystemLog, what: &str, is: impl Fn(&str) -> bool) {
    wait_for(what, 60, || log.texts().iter().any(|text| is(text)).then_some(()));
}

fn order(d: &TestDaemon, method: &str, name: &str) {
    let answer = d.rpc().call(method, &format!("<string>{name}</string>")).unwrap();
    assert_eq!(rpc::fault(&answer), None, "{answer}");
}

#[test]
fn children_go_on_while_the_reader_of_the_systems_log_does_not() {
    if !possible() {
        return;
    }
    let _turn = crate::alone();
    let setup = speakers();
    let log = setup.system_log();
    let d = setup.start();
    wait_for("lost lines", 60, || (lost(&d) > 0).then_some(()));
    wait_lines(&d, 500);
    // One of them may be slow for another reason.
    let quickest = (0..5).map(|_| {
        let begin = Instant::now();
        order(&d, "supervisor.stopProcess", "b");
        let took = begin.elapsed();
        order(&d, "supervisor.startProcess", "b");
        took
    });
    let quickest = quickest.min().unwrap();
    assert!(quickest < PATIENCE_OF_A_STOP, "a stop takes {quickest:?}");
    wait_lines(&d, 500);
    d.has_count(BEGAN, 1);
    assert!(d.wait_log(BEGAN, 1).contains("[Errno 11]"));
    assert_eq!(d.count(ENDED), 0);

    log.read();
    d.wait_log(ENDED, 60);
    let at = format!("a {:08}", lines(&d, "a"));
    wait_text(&log, "later lines", |text| text.starts_with("a ") && text > at.as_str());
    for name in ["a", "b"] {
        order(&d, "supervisor.stopProcess", name);
    }
    // Nothing is missing that is not counted.
    let written = ["a", "b"].map(|name| lines(&d, name)).iter().sum::<usize>();
    let there = || log.texts().len() + lost(&d) as usize;
    wait_for("every line, or its number", 60, || (there() >= written).then_some(()));
    assert_eq!(there(), written);
    wait_for("what is lost to be told", 60, || {
        order(&d, "supervisor.startProcess", "a");
        wait_lines(&d, 0);
        let told = told_lost(&d) == lost(&d);
        order(&d, "supervisor.stopProcess", "a");
        told.then_some(())
    });
    assert_eq!(counted(&d, "processes", "log_bytes_lost"), 0);
}

#[test]
fn a_reader_that_is_slow_or_replaced_costs_nothing() {
    if !possible() {
        return;
    }
    let _turn = crate::alone();
    let setup = speakers().program(
        "burst",
        "command=%(here)s/counter 0 20000\nautostart=false\nautorestart=false\nstartsecs=0\n\
         stdout_syslog=true\nstdout_logfile=NONE\nstderr_logfile=NONE",
    );
    let first = setup.system_log();
    first.read();
    let d = setup.start();
    wait_lines(&d, 10);
    order(&d, "supervisor.startProcess", "burst");
    // Many more at once than the socket holds.
    wait_text(&first, "the last line of many", |text| text == "burst 00019999");
    let second = d.system_log();
    second.read();
    drop(first);
    wait_text(&second, "lines for the new reader", |text| text.starts_with("a "));
    assert_eq!((lost(&d), d.count(BEGAN)), (0, 0));

    // One that reads no more is given up for one that does.
    let stalled = d.system_log();
    drop(second);
    wait_for("lost lines", 60, || (lost(&d) > 0).then_some(()));
    let third = d.system_log();
    third.read();
    wait_text(&third, "lines for the third reader", |text| text.starts_with("b "));
    d.wait_log(ENDED, 60);
    drop(stalled);
}

#[test]
fn a_system_without_a_log_is_told_of_once() {
    if !possible() {
        return;
    }
    let _turn = crate::alone();
    let d = speakers().start();
    wait_lines(&d, 200);
    order(&d, "supervisor.stopProcess", "a");
    order(&d, "supervisor.startProcess", "a");
    wait_lines(&d, 200);
    d.has_count(BEGAN, 1);
    assert!(d.wait_log(BEGAN, 1).contains("[Errno 2]"));
    assert!(lost(&d) >= 400);
    let log = d.system_log();
    log.read();
    wait_text(&log, "lines of a", |text| text.starts_with("a "));
    d.wait_log(ENDED, 60);
    log.end();
    d.has_count(BEGAN, 2);
}

#[test]
fn lines_to_a_stream_end_with_a_nul() {
    if !possible() {
        return;
    }
    let _turn = crate::alone();
    let setup = speakers();
    let listener = UnixListener::bind(setup.path("dev/log")).unwrap();
    let d = setup.start();
    let (mut stream, _) = listener.accept().unwrap();
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while text.iter().filter(|byte| **byte == 0).count() < 3 {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "the end of the stream");
        text.extend_from_slice(&buffer[..length]);
    }
    let text = String::from_utf8(text).unwrap();
    for line in text.split('\0').take(3) {
        assert!(matches("<14>* supervisord: * 0000000*", line), "{line}");
    }
    assert_eq!(lost(&d), 0);
}

#[test]
fn the_activity_log_goes_on_when_the_systems_log_does() {
    if !possible() {
        return;
    }
    let _turn = crate::alone();
    let setup = Setup::new().own_dev().supervisord("loglevel=trace\nlogfile=syslog");
    let log = setup.system_log();
    let d = setup.program("a", "command=/bin/cat\nstartsecs=0").start();
    let lost = || counted(&d, "activity_log", "syslog_lines_lost");
    // Each question is a line.
    wait_for("lost lines", 60, || (lost() > 0).then_some(()));
    let before = lost();
    wait_for("more lost lines", 60, || (lost() > before).then_some(()));
    assert_eq!(counted(&d, "activity_log", "failed"), 1);
    let complaint = "the activity log can't be written: [Errno 11]";
    assert_eq!(d.read("daemon.err").matches(complaint).count(), 1);
    log.read();
    let told = |text: &str| {
        let (_, rest) = text.split_once(" ERRO this log could not be written: ")?;
        rest.strip_suffix(" lines of it are lost")?.parse::<u64>().ok()
    };
    let all = || log.texts().iter().filter_map(|text| told(text)).sum::<u64>();
    wait_for("what is lost to be told", 60, || (lost() == all()).then_some(()));
}
