//! `minder.getCounters`: what was made to fail is counted, and nothing else.

use std::{fs, os::unix::fs::DirBuilderExt};

use nix::sys::signal::Signal;

use crate::support::{Setup, Side, TestDaemon, rpc, wait_for};

/// The number in a struct of the answer.
fn number(answer: &str, part: &str, name: &str) -> f64 {
    let numbers = rpc::numbers(answer, part).unwrap_or_else(|| panic!("no {part}"));
    *numbers.get(name).unwrap_or_else(|| panic!("no {name} in {numbers:?}"))
}

/// The number of that name in a struct.
fn value(members: &str, name: &str) -> Option<f64> {
    let (_, rest) = members.split_once(&format!("<name>{name}</name>\n<value>"))?;
    let (_, rest) = rest.split_once('>')?;
    rest.split('<').next()?.parse().ok()
}

fn counters(d: &TestDaemon) -> String {
    let answer = d.rpc().call("minder.getCounters", "").unwrap();
    assert_eq!(rpc::fault(&answer), None, "{answer}");
    answer
}

/// That of one process, from the array.
fn of(answer: &str, process: &str, name: &str) -> f64 {
    let start = format!("<name>name</name>\n<value><string>{process}</string>");
    let (_, rest) = answer.split_once(&start).unwrap_or_else(|| panic!("no {process}"));
    value(rest.split("</struct>").next().unwrap(), name).unwrap()
}

/// Waits until a number is what it is to be.
fn wait_number(d: &TestDaemon, what: &str, read: impl Fn(&str) -> bool) -> String {
    wait_for(what, 30, || Some(counters(d)).filter(|answer| read(answer)))
}

fn ours_only() -> bool {
    Side::ours_only("minder.getCounters is a method of ours")
}

#[test]
fn a_daemon_that_is_well_has_counted_starts_only() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let d = Setup::new().program("a", "command=/bin/sleep 1000\nstartsecs=0").start();
    d.wait_state("a", "RUNNING", 20);
    let answer = counters(&d);
    let numbers: Vec<f64> =
        rpc::members(&answer, "spawned").iter().map(|number| number.parse().unwrap()).collect();
    assert_eq!(numbers, [1.0, 1.0]);
    let others = answer.matches("<int>").count() - answer.matches("<int>0</int>").count();
    assert_eq!(others, 2, "{answer}");
    let call = |method: &str, name: &str| {
        d.rpc().call(method, &format!("<string>{name}</string>")).unwrap()
    };
    let list = d.rpc().call("system.listMethods", "").unwrap();
    assert!(list.contains("<string>minder.getCounters</string>"), "{list}");
    let signature = call("system.methodSignature", "minder.getCounters");
    assert_eq!(signature.matches("<string>").count(), 1, "{signature}");
    assert!(signature.contains("<string>struct</string>"));
    assert!(call("system.methodHelp", "minder.getCounters").contains("errors and losses"));
    assert!(call("minder.getCounters", "x").contains("INCORRECT_PARAMETERS"));
}

#[test]
fn failures_of_programs_are_counted_of_each_and_of_all() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let d = Setup::new()
        .script("unrunnable", "#!/no/such/interpreter\n")
        .program("crasher", "command=/bin/false\nstartsecs=0\nautorestart=true")
        .program("absent", "command=/no/such\nstartretries=1\nrestart_delay_min=0.1")
        .program("unrunnable", "command=%(here)s/unrunnable\nstartretries=0")
        .program("good", "command=/bin/sleep 1000\nstartsecs=0")
        .start();
    d.wait_state("absent", "FATAL", 30);
    d.wait_state("unrunnable", "FATAL", 30);
    let answer = wait_number(&d, "three restarts", |a| of(a, "crasher", "restarted") >= 3.0);
    assert!(of(&answer, "crasher", "spawned") >= 3.0);
    assert_eq!(of(&answer, "absent", "spawn_failed"), 2.0);
    assert_eq!(of(&answer, "absent", "restarted"), 1.0);
    assert_eq!(of(&answer, "absent", "spawned"), 0.0);
    assert_eq!(of(&answer, "unrunnable", "exec_failed"), 1.0);
    assert_eq!(of(&answer, "unrunnable", "restarted"), 0.0);
    assert_eq!(of(&answer, "good", "spawned"), 1.0);
    assert_eq!(of(&answer, "good", "restarted"), 0.0);
    assert_eq!(number(&answer, "processes", "exec_failed"), 1.0);
    assert_eq!(number(&answer, "processes", "spawn_failed"), 2.0);
    // A start by a client is no restart, and those that are gone stay in the sums.
    d.ctl(&["stop", "crasher"]);
    let before = number(&counters(&d), "processes", "spawned");
    d.ctl(&["restart", "good"]);
    d.ctl(&["remove", "crasher"]);
    let answer = counters(&d);
    assert_eq!(of(&answer, "good", "restarted"), 0.0);
    assert_eq!(number(&answer, "processes", "spawned"), before + 1.0);
    assert!(!answer.contains("<string>crasher</string>"));
}

#[test]
fn lost_output_is_counted_while_it_is_lost() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let setup = Setup::new();
    let logs = setup.path("logs");
    fs::create_dir(&logs).unwrap();
    let d = setup
        .script("talks", "#!/bin/sh\nwhile :; do echo 0123456789; sleep 0.02; done\n")
        .program("a", "command=%(here)s/talks\nstartsecs=0\nstdout_logfile=%(here)s/logs/a.log")
        .start();
    d.wait_file("logs/a.log", 20, |text| text.contains('9'));
    assert_eq!(of(&counters(&d), "a", "log_bytes_lost"), 0.0);
    fs::remove_dir_all(&logs).unwrap();
    d.signal(Signal::SIGUSR2);
    let lost = |answer: &str| of(answer, "a", "log_bytes_lost");
    let answer = wait_number(&d, "a loss", |answer| lost(answer) > 0.0);
    assert_eq!(of(&answer, "a", "log_failed"), 1.0);
    let more = wait_number(&d, "a larger loss", |later| lost(later) > lost(&answer));
    assert_eq!(of(&more, "a", "log_failed"), 1.0, "once each time");
    fs::DirBuilder::new().mode(0o755).create(&logs).unwrap();
    let line = d.wait_log("WARN 'a' stdout log * is written again; * bytes of output are lost", 30);
    let bytes: f64 = line
        .split_once("again; ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .unwrap();
    let answer = counters(&d);
    assert_eq!((lost(&answer), number(&answer, "processes", "log_bytes_lost")), (bytes, bytes));
}

#[test]
fn refused_requests_and_discarded_events_are_counted() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let d = Setup::new()
        .section(
            "[eventlistener:deaf]\ncommand=/bin/sleep 1000\nstartsecs=0\nbuffer_size=1\n\
             events=REMOTE_COMMUNICATION",
        )
        .start();
    d.wait_state("deaf", "RUNNING", 20);
    let ask = |text: &str| {
        let mut client = d.rpc();
        client.send(text.as_bytes()).unwrap();
        client.receive().unwrap().status()
    };
    assert_eq!(ask("nonsense\r\n\r\n"), 400);
    assert_eq!(ask(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000))), 431);
    assert_eq!(ask("POST /RPC2 HTTP/1.1\r\n\r\n"), 411);
    assert_eq!(ask("POST /RPC2 HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n"), 413);
    let foreign =
        "POST /RPC2 HTTP/1.1\r\nHost: a\r\nOrigin: http://evil\r\nContent-Length: 1\r\n\r\n";
    assert_eq!(ask(foreign), 403);
    let params = "<string>type</string><string>data</string>";
    for _ in 0..4 {
        d.rpc().call("supervisor.sendRemoteCommEvent", params).unwrap();
    }
    let discarded = |answer: &str| number(answer, "events", "discarded") == 3.0;
    let answer = wait_number(&d, "three discarded events", discarded);
    assert_eq!(of(answer.split("<name>pool</name>").nth(1).unwrap(), "deaf", "discarded"), 3.0);
    for (name, times) in [
        ("answered_400", 1.0),
        ("answered_403", 1.0),
        ("answered_411", 1.0),
        ("answered_413", 1.0),
        ("answered_431", 1.0),
        ("answered_500", 0.0),
        ("foreign", 1.0),
    ] {
        assert_eq!(number(&answer, "http", name), times, "{name}");
    }
}

#[test]
fn what_the_log_could_not_take_is_counted() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let d = Setup::new()
        .launcher(&["prlimit", "--fsize=1000:unlimited"])
        .supervisord("loglevel=trace")
        .program("a", "command=/bin/sleep 1000\nstartsecs=0")
        .start();
    let lost = |answer: &str| number(answer, "activity_log", "bytes_lost");
    let answer = wait_number(&d, "lost lines", |answer| lost(answer) > 0.0);
    assert_eq!(number(&answer, "activity_log", "failed"), 1.0);
    assert_eq!(number(&answer, "activity_log", "lines_dropped"), 0.0);
    wait_number(&d, "more lost lines", |later| lost(later) > lost(&answer));
}
