//! `[eventlistener:x]`, and what makes programs heard.

use minder::config::table::Section::{self, EventListener, Program};

use crate::{
    effect::{Effect, Run, Table, option},
    errors,
    look::{self, SLEEP},
    support::{Setup, TestDaemon},
};

pub const TABLE: Table = Table { effects: EFFECTS, setup };

/// Listens, into a file that is named after the run.
const LISTEN: &str = "command=%(here)s/listen %(here)s/{name}.heard\nstartsecs=0";

const REMOTE: &str =
    "command=%(here)s/listen %(here)s/heard\nstartsecs=0\nevents=REMOTE_COMMUNICATION";

const SILENT: &str = "command=/bin/sh -c \"echo READY; exec sleep 1000\"\nstartsecs=0\n\
                      events=REMOTE_COMMUNICATION";

const NOISY: &str = "command=/bin/sh -c \"echo nonsense; exec sleep 1000\"\nstartsecs=0\n\
                     events=REMOTE_COMMUNICATION";

const SPEAK: &str = "command=/bin/sh -c \"echo out; echo err >&2; exec sleep 1000\"\nstartsecs=0";

const EFFECTS: &[Effect] = &[
    option(EventListener, "events", "REMOTE_COMMUNICATION")
        .instead("TICK_3600")
        .lines(LISTEN)
        .beside(remote_events)
        .after(remote_event)
        .shows("REMOTE_COMMUNICATION", ""),
    option(EventListener, "priority", "1000")
        .lines("command=/bin/sleep 1000\nstartsecs=0\nevents=TICK_3600")
        .own(anchored, stopped)
        .after(look::shut_down)
        .shows("before", "after"),
    option(EventListener, "buffer_size", "1")
        .lines("command=/bin/sleep 1000\nstartsecs=0\nevents=REMOTE_COMMUNICATION")
        .own(alone, overflows)
        .after(three_remote_events)
        .shows("2 lost", "0 lost"),
    option(EventListener, "result_handler", "supervisor.dispatchers:default_handler")
        .instead("mine:handler")
        .lines("command=/bin/cat\nevents=TICK_5")
        .call(is_taken)
        .shows("taken", "refused"),
    option(EventListener, "event_length", "bytes")
        .lines(REMOTE)
        .own(alone, length)
        .after(remote_event)
        .shows("len:12", "len:11"),
    option(EventListener, "listener_error", "restart")
        .lines(NOISY)
        .own(restless, lives)
        .shows("started again", "started once"),
    option(EventListener, "ack_timeout", "0.2")
        .lines(SILENT)
        .own(alone, lateness)
        .after(remote_event)
        .shows("late", "awaited"),
    option(Program, "stdout_events_enabled", "true").lines(SPEAK).beside(heard).shows("stdout", ""),
    option(Program, "stderr_events_enabled", "true").lines(SPEAK).beside(heard).shows("stderr", ""),
];

/// Writes the header of each event to its file, and what of the payload stands in one line.
const SCRIPT: &str = r#"#!/usr/bin/env python3
import os, sys
heard = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
stdin = sys.stdin.buffer
while True:
    os.write(1, b'READY\n')
    head = stdin.readline()
    if not head:
        break
    words = dict(word.split(':') for word in head.decode().split())
    data = b''
    while len(data) < int(words['len']):
        data += stdin.read(1)
    # What len counts is not said: one character here has two bytes.
    if 'é'.encode()[:1] == data[-1:]:
        data += stdin.read(1)
    os.write(heard, head.strip() + b' ' + data.replace(b'\n', b' ') + b'\n')
    os.write(1, b'RESULT 2\nOK')
"#;

fn setup() -> Setup {
    Setup::new().script("listen", SCRIPT).section(
        "[eventlistener:ear]\ncommand=%(here)s/listen %(here)s/ear.heard\nstartsecs=0\n\
         events=PROCESS_LOG\nbuffer_size=1000",
    )
}

/// A daemon with this pool, which may be stopped and started again all the time.
fn restless(lines: &str) -> TestDaemon {
    let script = Setup::new().script("listen", SCRIPT);
    script.section(&format!("[eventlistener:lis]\n{lines}")).start()
}

/// A daemon with this pool.
fn alone(lines: &str) -> TestDaemon {
    let d = restless(lines);
    d.wait_state("lis", "RUNNING", 15);
    d
}

/// The same with a program that comes after it, unless its priority says otherwise.
fn anchored(lines: &str) -> TestDaemon {
    let pool = format!("[eventlistener:lis]\n{lines}");
    Setup::new().program("anchor", SLEEP).section(&pool).start()
}

fn stopped(run: &Run<'_>) -> String {
    look::stopped(run.daemon, "lis").to_owned()
}

fn remote_event(run: &Run<'_>) {
    let params = "<string>type</string><string>é</string>";
    run.daemon.rpc().call("supervisor.sendRemoteCommEvent", params).unwrap();
}

fn three_remote_events(run: &Run<'_>) {
    (0..3).for_each(|_| remote_event(run));
}

fn words(text: &str, start: &str) -> Vec<String> {
    let words = text.split_whitespace().filter_map(|word| word.strip_prefix(start));
    words.map(str::to_owned).collect()
}

fn remote_events(run: &Run<'_>) -> String {
    let heard = run.daemon.read(&format!("{}.heard", run.name()));
    words(&heard, "eventname:").into_iter().next().unwrap_or_default()
}

fn overflows(run: &Run<'_>) -> String {
    let lines = run.daemon.count("ERRO pool lis event buffer overflowed, discarding event *");
    format!("{lines} lost")
}

fn length(run: &Run<'_>) -> String {
    let len = words(&run.daemon.read("heard"), "len:").into_iter().next();
    len.map(|len| format!("len:{len}")).unwrap_or_default()
}

fn lives(run: &Run<'_>) -> String {
    let lost = run.daemon.count("WARN lis: has entered the UNKNOWN state *") > 0;
    match (lost, run.daemon.count("INFO spawned: 'lis' *")) {
        (true, 1) => "started once".to_owned(),
        (true, 2..) => "started again".to_owned(),
        _ => String::new(),
    }
}

fn lateness(run: &Run<'_>) -> String {
    let late = run.daemon.count("WARN lis: no result for event 0 within ack_timeout") > 0;
    if late { "late" } else { "awaited" }.to_owned()
}

/// The outputs of the program that were heard.
fn heard(run: &Run<'_>) -> String {
    let heard = run.daemon.read("ear.heard");
    let own = format!("processname:{} ", run.name());
    let lines = heard.lines().filter(|line| line.contains(&own));
    lines.flat_map(|line| words(line, "channel:")).collect()
}

fn is_taken(text: &str) -> String {
    const SECTION: Section = EventListener;
    let taken = errors::is_taken(SECTION, text).is_ok();
    if taken { "taken" } else { "refused" }.to_owned()
}
