//! Every row of the protocol, spoken to both daemons at once: a listener for each, and what the
//! activity log says of it.

use crate::both::Scenario;
use crate::recorder::{Recorders, remote, wait_event};
use crate::support::{Setup, TestDaemon, wait_for};

/// `speak NAME [SAYING]...`: writes each saying (with Python's escapes) once what it wrote before
/// was read. `EVENT` waits for an event. Makes the file `NAME.said` at the end.
const SPEAK: &str = r#"#!/usr/bin/env python3
import fcntl, os, struct, sys, termios, time

def until_read():
    while struct.unpack('i', fcntl.ioctl(1, termios.FIONREAD, b'....'))[0]:
        time.sleep(0.01)

for saying in sys.argv[2:]:
    if saying == 'EVENT':
        data = b''
        while not data.endswith(b'begin'):
            data += os.read(0, 65536)
        continue
    os.write(1, saying.encode().decode('unicode_escape').encode('latin-1'))
    until_read()
open(os.path.dirname(sys.argv[0]) + '/' + sys.argv[1] + '.said', 'w').close()
time.sleep(1000)
"#;

/// A listener: what it says, and what is told of that after its name.
struct Row(&'static [&'static str], &'static [&'static str]);

const READY: &str = "ACKNOWLEDGED -> READY";
const PROCESSED: [&str; 3] = [READY, "event was processed", "BUSY -> ACKNOWLEDGED"];
const REJECTED: [&str; 3] = [READY, "event was rejected", "BUSY -> ACKNOWLEDGED"];
const LOST: &str = "has entered the UNKNOWN state and will no longer receive events, this usually \
                    indicates the process violated the eventlistener protocol";

const ROWS: [Row; 24] = [
    // Until it is ready.
    Row(&[r"READ"], &[]),
    Row(&[r"nope\n"], &[]),
    Row(&[r"READY\n"], &[READY]),
    Row(&[r"R", r"E", r"A", r"D", r"Y", r"\n"], &[READY]),
    Row(&[r"READYx"], &["ACKNOWLEDGED -> UNKNOWN", LOST]),
    Row(&[r"\nREADY\n"], &["ACKNOWLEDGED -> UNKNOWN", LOST]),
    Row(&[r"nonsense", r"READY\n"], &["ACKNOWLEDGED -> UNKNOWN", LOST]),
    // Ready, and no event yet.
    Row(&[r"READY\n", r"x"], &[READY, "READY -> UNKNOWN", LOST]),
    Row(&[r"READY\nREADY\n"], &[READY, "READY -> UNKNOWN", LOST]),
    Row(&[r"READY\nRESULT 2\nOK"], &[READY, "READY -> UNKNOWN", LOST]),
    // It has an event.
    Row(&[r"READY\n", "EVENT", r"RESULT 2"], &[READY]),
    Row(&[r"READY\n", "EVENT", r"RESULT 5\nFAIL"], &[READY]),
    Row(&[r"READY\n", "EVENT", r"RESULT 2\nOK"], &PROCESSED),
    Row(&[r"READY\n", "EVENT", r"RES", r"ULT 2", r"\n", r"O", r"K"], &PROCESSED),
    Row(&[r"READY\n", "EVENT", r"RESULT  2 \nOK"], &PROCESSED),
    Row(&[r"READY\n", "EVENT", r"RESULT 4\nFAIL"], &REJECTED),
    Row(&[r"READY\n", "EVENT", r"RESULT 3\nOK\n"], &REJECTED),
    Row(
        &[r"READY\n", "EVENT", r"RESULT x\n"],
        &[READY, "bad result line: 'RESULT x'", "BUSY -> UNKNOWN", LOST],
    ),
    Row(
        &[r"READY\n", "EVENT", r"RESULT 2 OK\n"],
        &[READY, "bad result line: 'RESULT 2 OK'", "BUSY -> UNKNOWN", LOST],
    ),
    Row(
        &[r"READY\n", "EVENT", r"RESULT \n"],
        &[READY, "bad result line: 'RESULT '", "BUSY -> UNKNOWN", LOST],
    ),
    // What follows a result.
    Row(
        &[r"READY\n", "EVENT", r"RESULT 2\nOKREADY\n"],
        &[READY, "event was processed", "BUSY -> ACKNOWLEDGED", READY],
    ),
    Row(
        &[r"READY\n", "EVENT", r"RESULT 2\nOKREA", r"DY\n"],
        &[READY, "event was processed", "BUSY -> ACKNOWLEDGED", READY],
    ),
    Row(
        &[r"READY\n", "EVENT", r"RESULT 2\nOK\nREADY\n"],
        &[READY, "event was processed", "BUSY -> ACKNOWLEDGED", "ACKNOWLEDGED -> UNKNOWN", LOST],
    ),
    Row(&[r"READY\n", "EVENT", r"RESULT 2\nOKREAD"], &PROCESSED),
];

/// Those who differ: the original looks at no word before the length, waits for a byte more
/// behind a length of 0, and is confused by a negative one.
const OURS: [Row; 4] = [
    Row(
        &[r"READY\n", "EVENT", r"result 2\nOK"],
        &[READY, "bad result line: 'result 2'", "BUSY -> UNKNOWN", LOST],
    ),
    Row(
        &[r"READY\n", "EVENT", r"READY\n 2\nOK"],
        &[READY, "bad result line: 'READY'", "BUSY -> UNKNOWN", LOST],
    ),
    Row(&[r"READY\n", "EVENT", r"RESULT 0\n"], &REJECTED),
    Row(
        &[r"READY\n", "EVENT", r"RESULT -1\n"],
        &[READY, "bad result line: 'RESULT -1'", "BUSY -> UNKNOWN", LOST],
    ),
];

/// A pool of one for each row. Each has a priority of its own, for the original gives what one
/// rejects to all pools of the same.
fn listeners(setup: Setup, rows: &[Row]) -> Setup {
    let listener = |setup: Setup, (number, row): (usize, &Row)| {
        let sayings: String = row.0.iter().map(|saying| format!(" '{saying}'")).collect();
        setup.section(&format!(
            "[eventlistener:row_{number}]\ncommand=%(here)s/speak row_{number}{sayings}\n\
             events=REMOTE_COMMUNICATION\npriority={number}\nstartsecs=0\n"
        ))
    };
    rows.iter().enumerate().fold(setup.script("speak", SPEAK), listener)
}

/// What the activity log tells of a listener.
fn told(d: &TestDaemon, number: usize) -> Vec<String> {
    let name = format!(" row_{number}: ");
    let lines = d.messages().into_iter();
    lines.filter_map(|line| Some(line.split_once(&name)?.1.to_owned())).collect()
}

#[track_caller]
fn wait_told(d: &TestDaemon, number: usize, sayings: &[&str], lines: &[&str]) {
    wait_for(&format!("{lines:?} of {sayings:?}"), 60, || (told(d, number) == lines).then_some(()));
}

/// Sends the event once all have come to where they wait for it, or to their end; waits for all
/// that is told.
fn speak(d: &TestDaemon, rows: &[Row]) {
    let wait_said = |number| {
        let said = d.path(&format!("row_{number}.said"));
        wait_for("the last saying", 60, || said.exists().then_some(()));
    };
    for (number, Row(sayings, lines)) in rows.iter().enumerate() {
        if sayings.contains(&"EVENT") {
            wait_told(d, number, sayings, &[READY]);
        } else {
            wait_said(number);
            wait_told(d, number, sayings, lines);
        }
    }
    remote(d, "t", "begin");
    for (number, Row(sayings, lines)) in rows.iter().enumerate() {
        wait_said(number);
        wait_told(d, number, sayings, lines);
    }
    // Nothing more comes of it.
    remote(d, "t", "end");
    wait_event(d, "lis", "*end");
    for (number, Row(sayings, lines)) in rows.iter().enumerate() {
        assert_eq!(told(d, number), *lines, "{sayings:?}");
    }
}

#[test]
fn each_row_of_the_protocol() {
    Scenario::new(
        |setup| listeners(setup, &ROWS).listener("REMOTE_COMMUNICATION", "priority=1000"),
        |d| speak(d, &ROWS),
    )
    .stream("lis", "*end")
    .compare();
}

#[test]
fn rows_in_which_the_original_is_mistaken() {
    let setup = Setup::new().recorder();
    let d = listeners(setup, &OURS).listener("REMOTE_COMMUNICATION", "priority=1000").start();
    speak(&d, &OURS);
}
