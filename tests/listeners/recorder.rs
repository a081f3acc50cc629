//! A listener that writes down every byte it is sent, and what it wrote.

use std::fs;

use crate::support::{Setup, TestDaemon, matches, wait_for};

/// `recorder FILE [ANSWER]...`: appends each event to the file, its length on a line before it.
/// The n-th event of the file gets the n-th answer, further ones OK. Answers:
/// - `die`: exits without one;
/// - `none`: gives none;
/// - `raw+TEXT`: writes the text with its escapes and no READY;
/// - any other word: is the result;
/// - `hold+ANSWER`: waits for the file `FILE.go` first, and removes it.
///
/// `len` counts characters, or bytes if the first answer is `bytes`. What comes behind an event
/// before it is answered is a record of its own.
const RECORDER: &str = r#"#!/usr/bin/env python3
import os, re, sys, time
place, answers = sys.argv[1], sys.argv[2:]
unit = 'characters'
if answers[:1] == ['bytes']:
    unit = answers.pop(0)
out = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def record(data):
    os.write(out, b'%d\n' % len(data) + data)

def recorded():
    data, count = open(place, 'rb').read(), 0
    while data:
        length, data = data.split(b'\n', 1)
        data, count = data[int(length):], count + 1
    return count

def is_whole(payload, length):
    if unit == 'bytes':
        return len(payload) >= length
    return len(payload.decode('utf-8', 'ignore')) >= length

def write(text):
    data = text.encode()
    while data:
        data = data[os.write(1, data):]

number = recorded()
write('READY\n')
while True:
    head, payload = b'', b''
    while b'\n' not in head:
        data = os.read(0, 65536)
        if not data:
            sys.exit(0)
        head += data
    head, payload = head.split(b'\n', 1)
    length = int(re.search(rb' len:(\d+)$', head).group(1))
    while len(payload) < length or not is_whole(payload, length):
        payload += os.read(0, 65536)
    mine = payload
    if unit == 'characters':
        mine = payload.decode()[:length].encode()
    record(head + b'\n' + mine)
    if mine != payload:
        record(payload[len(mine):])
    answer = answers[number] if number < len(answers) else 'OK'
    number += 1
    if answer.startswith('hold+'):
        answer = answer[5:]
        while not os.path.exists(place + '.go'):
            time.sleep(0.01)
        os.unlink(place + '.go')
    if answer == 'die':
        os._exit(3)
    elif answer.startswith('raw+'):
        write(answer[4:].encode().decode('unicode_escape'))
    elif answer != 'none':
        write('RESULT %d\n%s' % (len(answer), answer))
        write('READY\n')
"#;

/// All types but those of output and of time.
pub const TIMELESS: &str =
    "PROCESS_GROUP,PROCESS_STATE,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION";

/// One event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record(pub Vec<u8>);

impl Record {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// The value behind a key of the header; empty where there is none.
    pub fn header(&self, key: &str) -> String {
        let text = self.text();
        let head = text.lines().next().unwrap_or("");
        let key = format!(" {key}:");
        let value = head.split_once(&key).map_or("", |(_, rest)| rest);
        value.split(' ').next().unwrap_or("").to_owned()
    }

    pub fn serial(&self) -> u64 {
        self.header("serial").parse().unwrap()
    }

    /// The type, a blank, the payload.
    pub fn event(&self) -> String {
        let text = self.text();
        let payload = text.split_once('\n').map_or("", |(_, payload)| payload);
        format!("{} {payload}", self.header("eventname"))
    }
}

/// What the recorder with this file has been sent so far.
pub fn records(d: &TestDaemon, file: &str) -> Vec<Record> {
    let mut data = fs::read(d.path(file)).unwrap_or_default();
    let mut records = Vec::new();
    while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
        let length: usize = std::str::from_utf8(&data[..end]).unwrap().parse().unwrap();
        if data.len() < end + 1 + length {
            break;
        }
        let rest = data.split_off(end + 1 + length);
        records.push(Record(data.split_off(end + 1)));
        data = rest;
    }
    records
}

/// Waits for an event; `*` in the pattern of its type and payload stands for anything.
#[track_caller]
pub fn wait_event(d: &TestDaemon, file: &str, pattern: &str) -> Record {
    wait_events(d, file, pattern, 1).remove(0)
}

/// Waits for so many such events.
#[track_caller]
pub fn wait_events(d: &TestDaemon, file: &str, pattern: &str, count: usize) -> Vec<Record> {
    wait_for(&format!("{count} of {pattern:?} in {file}"), 120, || {
        let mut found = records(d, file);
        found.retain(|record| matches(pattern, &record.event()));
        (found.len() >= count).then_some(found)
    })
}

/// Lets a recorder that holds its answer go on, and waits until it has seen that.
#[track_caller]
pub fn release(d: &TestDaemon, file: &str) {
    let go = d.path(&format!("{file}.go"));
    fs::write(&go, "").unwrap();
    wait_for("a held answer", 20, || (!go.exists()).then_some(()));
}

/// Sends a REMOTE_COMMUNICATION.
#[track_caller]
pub fn remote(d: &TestDaemon, kind: &str, data: &str) {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let params = format!("<string>{}</string><string>{}</string>", escaped(kind), escaped(data));
    let answer = d.rpc().call("supervisor.sendRemoteCommEvent", &params).unwrap();
    assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
}

/// Waits until these listeners can take an event: from then on none waits for their start.
#[track_caller]
pub fn ready(d: &TestDaemon, listeners: &[&str]) {
    for name in listeners {
        d.wait_state(name, "RUNNING", 30);
        let process = name.rsplit(':').next().unwrap();
        d.wait_log(&format!("DEBG {process}: ACKNOWLEDGED -> READY"), 30);
    }
}

/// Waits until these programs are RUNNING.
#[track_caller]
pub fn running(d: &TestDaemon, programs: &[&str]) {
    programs.iter().for_each(|name| d.wait_state(name, "RUNNING", 30));
}

/// Sections with listeners that record.
pub trait Recorders {
    /// Adds the script, and debug lines, for which `ready` waits.
    fn recorder(self) -> Self;
    /// Adds the script alone.
    fn quiet_recorder(self) -> Self;
    /// Adds a pool of one recorder, `lis`, that records into the file of that name.
    fn listener(self, events: &str, lines: &str) -> Self;
    /// Adds one of any name, with answers.
    fn pool(self, name: &str, events: &str, answers: &str, lines: &str) -> Self;
    /// Adds `lis:lis_0`, `lis:lis_1` and so on, that hear of remote events and have a file each.
    fn recorder_pool(self, members: usize, answers: &str, lines: &str) -> Self;
}

impl Recorders for Setup {
    fn recorder(self) -> Setup {
        self.supervisord("loglevel=debug").quiet_recorder()
    }

    fn quiet_recorder(self) -> Setup {
        self.script("recorder", RECORDER)
    }

    fn listener(self, events: &str, lines: &str) -> Setup {
        self.pool("lis", events, "", lines)
    }

    fn pool(self, name: &str, events: &str, answers: &str, lines: &str) -> Setup {
        self.section(&format!(
            "[eventlistener:{name}]\n\
             command=%(here)s/recorder %(here)s/%(program_name)s {answers}\n\
             events={events}\n{lines}"
        ))
    }

    fn recorder_pool(self, members: usize, answers: &str, lines: &str) -> Setup {
        let lines = format!(
            "numprocs={members}\nprocess_name=%(program_name)s_%(process_num)d\n\
             command=%(here)s/recorder %(here)s/lis_%(process_num)d {answers}\n{lines}"
        );
        self.section(&format!("[eventlistener:lis]\nevents=REMOTE_COMMUNICATION\n{lines}"))
    }
}
