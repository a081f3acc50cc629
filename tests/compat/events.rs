//! Event listeners: what they are sent, and what becomes of their answers.

use crate::support::{Setup, Side, TestDaemon, wait_for};

/// A listener that writes every event to the file it is given, one a line, and accepts it. The
/// second word: how it answers.
const LISTENER: &str = r#"#!/usr/bin/env python3
import os, sys
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
answer = sys.argv[2] if len(sys.argv) > 2 else 'OK'
stdin = sys.stdin.buffer
while True:
    os.write(1, b'READY\n')
    head = stdin.readline()
    if not head:
        break
    words = dict(word.split(':') for word in head.decode().split())
    data = b''
    while len(data.decode('utf-8', 'ignore')) < int(words['len']):
        data += stdin.read(1)
    line = ' '.join([words['eventname'], words['poolserial'], repr(data.decode())])
    os.write(out, line.encode() + b'\n')
    os.write(1, ('RESULT %d\n%s' % (len(answer), answer)).encode())
"#;

fn with_listener(events: &str, lines: &str) -> Setup {
    Setup::new().supervisord("loglevel=debug").script("listener", LISTENER).section(&format!(
        "[eventlistener:lis]\ncommand=%(here)s/listener %(here)s/events\nevents={events}\n\
         buffer_size=1000\n{lines}"
    ))
}

/// The events so far, a line each, without their numbers.
fn events(d: &TestDaemon) -> Vec<String> {
    let words = |line: &str| {
        let (kind, rest) = line.split_once(' ').unwrap();
        format!("{kind} {}", rest.split_once(' ').unwrap().1)
    };
    d.read("events").lines().map(words).collect()
}

#[track_caller]
fn wait_event(d: &TestDaemon, start: &str) -> String {
    wait_for(start, 15, || events(d).into_iter().find(|line| line.starts_with(start)))
}

#[test]
fn a_life_is_told() {
    let d = with_listener("PROCESS_STATE", "")
        .program("a", "command=/bin/sleep 1000\nautostart=false")
        .program("b", "command=/bin/false\nautostart=false\nstartretries=0\nstartsecs=5")
        .start();
    d.wait_state("lis", "RUNNING", 15);
    d.ctl(&["start", "a"]).expect("a: started\n", 0);
    let pid = d.pid_of("a");
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    d.ctl(&["start", "b"]);
    wait_event(&d, "PROCESS_STATE_FATAL");
    let told: Vec<String> =
        events(&d).into_iter().filter(|line| !line.contains("processname:lis")).collect();
    let a = "'processname:a groupname:a from_state:";
    let b = "'processname:b groupname:b from_state:";
    let want = [
        format!("PROCESS_STATE_STARTING {a}STOPPED tries:0'"),
        format!("PROCESS_STATE_RUNNING {a}STARTING pid:{pid}'"),
        format!("PROCESS_STATE_STOPPING {a}RUNNING pid:{pid}'"),
        format!("PROCESS_STATE_STOPPED {a}STOPPING pid:{pid}'"),
        format!("PROCESS_STATE_STARTING {b}STOPPED tries:0'"),
        format!("PROCESS_STATE_BACKOFF {b}STARTING tries:1'"),
        format!("PROCESS_STATE_FATAL {b}BACKOFF'"),
    ];
    assert_eq!(told, want);
    d.wait_log("DEBG lis: ACKNOWLEDGED -> READY", 5);
    d.wait_log("DEBG event * sent to listener lis", 5);
    d.wait_log("DEBG lis: event was processed", 5);
}

#[test]
fn groups_remote_events_and_output_are_told() {
    let d = with_listener(
        "PROCESS_GROUP,REMOTE_COMMUNICATION,PROCESS_LOG_STDOUT,PROCESS_COMMUNICATION,\
         SUPERVISOR_STATE_CHANGE",
        "",
    )
    .program(
        "a",
        "command=/bin/sh -c \"echo '<!--XSUPERVISOR:BEGIN-->été<!--XSUPERVISOR:END-->and then a rest that is long enough'\"\n\
         autostart=false\nautorestart=false\nstartsecs=0\nstdout_capture_maxbytes=1MB\n\
         stdout_events_enabled=true",
    )
    .start();
    d.wait_state("lis", "RUNNING", 15);
    d.append("[program:new]\ncommand=/bin/sleep 1000\nautostart=false\n");
    d.ctl(&["update"]);
    d.ctl(&["remove", "new"]).expect("new: removed process group\n", 0);
    let answer = d.rpc().call(
        "supervisor.sendRemoteCommEvent",
        "<string>a type</string><string>some data</string>",
    );
    assert!(answer.is_ok(), "{answer:?}");
    d.ctl(&["start", "a"]);
    wait_event(&d, "PROCESS_COMMUNICATION_STDOUT 'processname:a groupname:a pid:");
    let told = events(&d);
    let has = |part: &str| assert!(told.iter().any(|line| line.contains(part)), "{part} {told:?}");
    has("PROCESS_GROUP_ADDED 'groupname:lis\\n'");
    has("SUPERVISOR_STATE_CHANGE_RUNNING ''");
    has("PROCESS_GROUP_ADDED 'groupname:new\\n'");
    has("PROCESS_GROUP_REMOVED 'groupname:new\\n'");
    has("REMOTE_COMMUNICATION 'type:a type\\nsome data'");
    has("channel:stdout\\nété");
    has("\\nété'");
    wait_event(&d, "PROCESS_LOG_STDOUT");
    wait_for("the rest", 5, || {
        events(&d).iter().any(|line| line.contains("and then")).then_some(())
    });
}

#[test]
fn a_tick_is_told_every_five_seconds() {
    let d = with_listener("TICK_5", "startsecs=0").start();
    let tick = wait_event(&d, "TICK_5 'when:");
    let when: u64 =
        tick.trim_start_matches("TICK_5 'when:").trim_end_matches('\'').parse().unwrap();
    assert_eq!(when % 5, 0);
}

#[test]
fn who_breaks_the_protocol_gets_no_more() {
    let d = Setup::new()
        .supervisord("loglevel=debug")
        .section(
            "[eventlistener:lis]\ncommand=/bin/sh -c \"echo nonsense; exec sleep 1000\"\n\
             events=EVENT\nstartsecs=0\nstdout_logfile=%(here)s/lis.log",
        )
        .start();
    d.wait_log(
        "WARN lis: has entered the UNKNOWN state and will no longer receive events, this usually \
         indicates the process violated the eventlistener protocol",
        15,
    );
    d.wait_log("DEBG lis: ACKNOWLEDGED -> UNKNOWN", 5);
    d.wait_file("lis.log", 5, |text| text == "nonsense\n");
    d.wait_state("lis", "RUNNING", 5);
}

#[test]
fn a_full_buffer_drops_the_oldest() {
    let d = Setup::new()
        .section(
            "[eventlistener:lis]\ncommand=/bin/sleep 1000\nevents=REMOTE_COMMUNICATION\n\
             buffer_size=2",
        )
        .start();
    for number in 0..3 {
        let data = format!("<string>t</string><string>{number}</string>");
        d.rpc().call("supervisor.sendRemoteCommEvent", &data).unwrap();
    }
    d.wait_log("ERRO pool lis event buffer overflowed, discarding event 0", 5);
    d.has_count("ERRO pool lis event buffer overflowed, *", 1);
}

#[test]
fn a_listener_is_started_again_where_that_is_wished() {
    if !Side::ours_only("listener_error= is a key of ours") {
        return;
    }
    let script = "#!/bin/sh
[ -e \"$1\" ] && exec sleep 1000
touch \"$1\"
echo nonsense
exec sleep 1000
";
    let d = Setup::new()
        .script("once", script)
        .section(
            "[eventlistener:lis]\ncommand=%(here)s/once %(here)s/flag\nevents=EVENT\n\
             startsecs=0\nlistener_error=restart",
        )
        .start();
    d.wait_log_order(
        &[
            "WARN lis: has entered the UNKNOWN state *",
            "WARN stopped: lis (terminated by SIGTERM)",
            "INFO spawned: 'lis' with pid *",
        ],
        15,
    );
    d.wait_state("lis", "RUNNING", 5);
}
