//! Listeners that break their side of the bargain: what they cost is bounded, it stands in the
//! activity log, and everybody else goes on as before.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::recorder::{Recorders, records, remote, wait_event, wait_events};
use crate::support::{Setup, TestDaemon, read, wait_for};

/// What all of them need.
const BEGIN: &str = "#!/usr/bin/env python3
import fcntl, os, struct, sys, termios, time

def write(data):
    while data:
        data = data[os.write(1, data):]

def waiting():
    return struct.unpack('i', fcntl.ioctl(0, termios.FIONREAD, b'....'))[0]

def settled():
    # What comes in parts is whole before it is answered.
    before, now = -1, waiting()
    while before != now:
        time.sleep(0.1)
        before, now = now, waiting()
    return now

def note(name):
    open(os.path.dirname(sys.argv[0]) + '/' + name, 'w').close()

";

const MIB: u64 = 1 << 20;

/// Bytes of memory that a process has now, and the most that it ever had.
fn memory(pid: i32) -> (u64, u64) {
    let status = read(format!("/proc/{pid}/status").as_ref());
    let field = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib * 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// Times of calls of getState.
struct Answers(Vec<Duration>);

impl Answers {
    /// Calls until `done`, at least so often.
    fn gather(d: &TestDaemon, least: usize, done: impl Fn() -> bool) -> Answers {
        let mut rpc = d.rpc();
        let mut times = Vec::new();
        while times.len() < least || !done() {
            let begin = Instant::now();
            rpc.call("supervisor.getState", "").unwrap();
            times.push(begin.elapsed());
            thread::sleep(Duration::from_millis(1));
        }
        times.sort_unstable();
        Answers(times)
    }

    fn at(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}

/// A daemon with the listener `bad`, which runs this, beside `good`, that records. Both have been
/// sent one event. At level debug all that a listener writes is shown, which costs what it costs.
fn start(loglevel: &str, body: &str) -> TestDaemon {
    let d = Setup::new()
        .supervisord(&format!("loglevel={loglevel}"))
        .quiet_recorder()
        .script("bad", &format!("{BEGIN}{body}"))
        .section(
            "[eventlistener:bad]\ncommand=%(here)s/bad\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n\
             buffer_size=100\nautorestart=false\nstdout_logfile=NONE\n",
        )
        .pool("good", "REMOTE_COMMUNICATION", "", "buffer_size=1000\npriority=5")
        .program("a", "command=/bin/sleep 1000")
        .start();
    d.wait_state("bad", "RUNNING", 30);
    remote(&d, "first", "");
    wait_event(&d, "good", "*type:first\n");
    d
}

/// Sends so many events of so many bytes while getState is asked, until `done`; the others have
/// to be as they were.
#[track_caller]
fn others_are_untouched(
    d: &TestDaemon,
    events: usize,
    size: usize,
    done: impl Fn() -> bool + Sync,
) {
    let idle = Answers::gather(d, 200, || true);
    let (before, _) = memory(d.pid);
    let sent = AtomicBool::new(false);
    let busy = thread::scope(|scope| {
        let answers =
            scope.spawn(|| Answers::gather(d, 200, || sent.load(Ordering::Relaxed) && done()));
        let data = "x".repeat(size);
        for number in 0..events {
            remote(d, "n", &format!("{number} {data}"));
        }
        sent.store(true, Ordering::Relaxed);
        answers.join().unwrap()
    });
    wait_for("all events at the good listener", 60, || {
        let got = records(d, "good").iter().filter(|r| r.event().contains("type:n\n")).count();
        (got == events).then_some(())
    });
    let (now, most) = memory(d.pid);
    eprintln!(
        "getState idle {:?} {:?}, busy {:?} {:?}; memory {} to {} KiB, at most {}",
        idle.at(50),
        idle.at(99),
        busy.at(50),
        busy.at(99),
        before / 1024,
        now / 1024,
        most / 1024
    );
    assert!(busy.at(50) < idle.at(50) * 20 + Duration::from_millis(20), "getState is slow");
    assert!(busy.at(100) < Duration::from_secs(5), "getState hung");
    assert!(most < before + 12 * MIB, "{before} bytes before, {most} at most");
    assert_eq!(d.state("a"), "RUNNING");
}

#[test]
fn one_that_never_reads() {
    let d = start("info", "write(b'READY\\n')\ntime.sleep(1000)\n");
    others_are_untouched(&d, 300, 10_000, || true);
    assert_eq!(d.state("bad"), "RUNNING");
    d.wait_log("ERRO pool bad event buffer overflowed, *", 5);
}

/// It knows from the size of the pipe's contents that an event has come; once the pipe is full it
/// answers for what it may not have been sent.
#[test]
fn one_that_answers_without_reading() {
    let body = "
write(b'READY\\n')
seen, since = 0, time.monotonic()
while True:
    is_full = seen > 55000
    if waiting() > seen or is_full and time.monotonic() - since > 0.5:
        seen = settled()
        write(b'RESULT 2\\nOKREADY\\n')
        if not is_full:
            since = time.monotonic()
    time.sleep(0.001)
";
    let d = start("debug", body);
    others_are_untouched(&d, 300, 10_000, || true);
    assert_eq!(d.state("bad"), "RUNNING");
    d.wait_log("ERRO pool bad event buffer overflowed, *", 5);
    d.wait_log("WARN bad: has entered the UNKNOWN state *", 10);
    // What fits into the pipe, and one of which a part does not.
    d.has_count("DEBG event * sent to listener bad", 8);
}

/// The next event is sent once there is room for it, and none is lost.
#[test]
fn one_that_reads_late() {
    let body = "
import re
place = os.path.dirname(sys.argv[0])
write(b'READY\\n')
seen = answered = 0
while not os.path.exists(place + '/go'):
    if waiting() > seen:
        seen, answered = settled(), answered + 1
        write(b'RESULT 2\\nOKREADY\\n')
    time.sleep(0.001)
text, number = b'', 0
while True:
    text += os.read(0, 65536)
    while True:
        found = re.match(rb'[^\\n]* len:(\\d+)\\n', text)
        end = found and found.end() + int(found.group(1))
        if not found or len(text) < end:
            break
        data, text, number = text[found.end():end], text[end:], number + 1
        with open(place + '/read', 'ab') as out:
            out.write((data.split() + [b'', b''])[1] + b'\\n')
        if number > answered:
            write(b'RESULT 2\\nOKREADY\\n')
";
    let d = start("debug", body);
    for number in 0..60 {
        remote(&d, "n", &format!("{number} {}", "x".repeat(10_000)));
    }
    // The pipe is full: a part of this one waits.
    d.wait_log_order(&["DEBG event 6 sent to listener bad", "DEBG bad: event was processed"], 20);
    fs::write(d.path("go"), "").unwrap();
    let numbers: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    d.wait_file("read", 20, |text| text.ends_with("\n59\n"));
    let read: Vec<String> = d.read("read").lines().skip(1).map(str::to_owned).collect();
    assert_eq!(read, numbers);
    assert_eq!(d.count("*bad: * -> UNKNOWN"), 0);
}

#[test]
fn one_that_never_answers() {
    let body = "write(b'READY\\n')\nwhile os.read(0, 65536):\n    pass\n";
    let d = start("debug", body);
    others_are_untouched(&d, 300, 10_000, || true);
    d.wait_log("ERRO pool bad event buffer overflowed, *", 5);
    d.has_count("DEBG event * sent to listener bad", 1);
}

const FLOOD: &str = "
for n in range(100):
    write(b'garbage\\n' * (1 << 17))
note('flooded')
time.sleep(1000)
";

#[test]
fn one_that_floods() {
    let d = start("info", FLOOD);
    others_are_untouched(&d, 100, 100, || d.path("flooded").exists());
    d.wait_log("WARN bad: has entered the UNKNOWN state and will no longer receive events, *", 5);
}

/// It is asked for a result, and the line has no end.
#[test]
fn one_that_floods_instead_of_a_result() {
    let body = "
write(b'READY\\n')
os.read(0, 65536)
for n in range(100):
    write(b'x' * (1 << 20))
note('flooded')
time.sleep(1000)
";
    let d = start("info", body);
    others_are_untouched(&d, 100, 100, || d.path("flooded").exists());
    d.wait_log("WARN bad: bad result line: 'xxx*", 5);
    d.wait_log("WARN bad: has entered the UNKNOWN state *", 5);
}

#[test]
fn one_that_claims_an_enormous_result() {
    let body = "
write(b'READY\\n')
os.read(0, 65536)
write(b'RESULT 1000000000000\\n')
for n in range(100):
    write(b'x' * (1 << 20))
note('flooded')
time.sleep(1000)
";
    let d = start("info", body);
    others_are_untouched(&d, 100, 100, || d.path("flooded").exists());
    d.wait_log("WARN bad: bad result line: 'RESULT 1000000000000'", 5);
    d.wait_log("WARN bad: has entered the UNKNOWN state *", 5);
}

#[test]
fn one_that_writes_garbage() {
    let body = "
write(b'READY\\n')
os.read(0, 65536)
write(b'RESULT \\xff\\xfe\\x00 2\\nOK\\nREADY\\n')
time.sleep(1000)
";
    let d = start("info", body);
    others_are_untouched(&d, 20, 100, || true);
    d.wait_log("WARN bad: bad result line: 'Undecodable: b'RESULT \\xff\\xfe\\x00 2''", 5);
    d.wait_log("WARN bad: has entered the UNKNOWN state *", 5);
}

#[test]
fn one_that_closes_its_stdin() {
    let body = "os.close(0)\nwrite(b'READY\\n')\ntime.sleep(1000)\n";
    let d = start("debug", body);
    others_are_untouched(&d, 300, 10_000, || true);
    d.wait_log(
        "DEBG epipe occurred while sending event 0 to listener bad, listener state unchanged",
        5,
    );
    d.has_count("DEBG epipe *", 1);
    d.wait_log("ERRO pool bad event buffer overflowed, *", 5);
    assert_eq!(d.state("bad"), "RUNNING");
}

#[test]
fn one_that_closes_its_stdout() {
    let body = "write(b'READY\\n')\nos.close(1)\ntime.sleep(1000)\n";
    let d = start("info", body);
    others_are_untouched(&d, 300, 10_000, || true);
    d.wait_log("ERRO pool bad event buffer overflowed, *", 5);
    assert_eq!(d.state("bad"), "RUNNING");
}

/// As large as a request may be.
#[test]
fn an_event_of_sixteen_mebibytes() {
    let body = "write(b'READY\\n')\ntime.sleep(1000)\n";
    let d = start("info", body);
    let (before, _) = memory(d.pid);
    let data = "x".repeat((16 * MIB - 4096) as usize);
    for count in 1..=3 {
        remote(&d, "large", &data);
        let got = wait_events(&d, "good", "*type:large\n*", count);
        assert!(got.iter().all(|record| record.event().ends_with(&data)));
    }
    // One in the pipe of `bad`, one in its buffer (another pushed it out), one on its way to
    // `good` with a copy; and requests.
    let (_, most) = memory(d.pid);
    eprintln!("memory {} KiB, at most {}", before / 1024, most / 1024);
    assert!(most < before + 128 * MIB, "{before} bytes before, {most} at most");
    d.has_count("ERRO pool bad event buffer overflowed, *", 2);
    assert_eq!(d.count("ERRO pool good event buffer overflowed, *"), 0);
    d.ctl(&["stop", "bad"]);
    wait_for("memory that is given back", 20, || {
        (memory(d.pid).0 < before + 40 * MIB).then_some(())
    });
}

/// A program whose every read is an event for a listener that never answers.
#[test]
fn a_program_that_floods_events() {
    let d = start("info", "write(b'READY\\n')\ntime.sleep(1000)\n");
    d.append(
        "[program:flood]\ncommand=/bin/sh -c 'yes | head -c 200000000; touch %(here)s/flooded; \
         sleep 1000'\nstdout_events_enabled=true\nstdout_logfile=NONE\nstartsecs=0\n\
         [eventlistener:deaf]\ncommand=/bin/sh -c 'echo READY; sleep 1000'\nevents=PROCESS_LOG\n\
         buffer_size=100000\nstartsecs=0\n",
    );
    let (before, _) = memory(d.pid);
    d.ctl(&["update", "deaf"]).expect("deaf: added process group\n", 0);
    d.wait_state("deaf", "RUNNING", 30);
    d.ctl(&["update", "flood"]).expect("flood: added process group\n", 0);
    let slowest = Answers::gather(&d, 200, || d.path("flooded").exists()).at(100);
    let (_, most) = memory(d.pid);
    eprintln!("memory {} KiB, at most {}; {slowest:?}", before / 1024, most / 1024);
    // The buffer takes 16 MiB, what is on its way to it as much.
    assert!(most < before + 64 * MIB, "{before} bytes before, {most} at most");
    assert!(slowest < Duration::from_secs(5), "getState hung");
    d.wait_log("ERRO pool deaf event buffer overflowed, discarding event * and * before it", 20);
}

/// Twenty thousand events that nobody takes.
#[test]
fn a_flood_of_losses_is_told_once_a_second() {
    let d = start("info", "time.sleep(1000)\n");
    let begin = Instant::now();
    let mut rpc = d.rpc();
    let mut sent = 0;
    while begin.elapsed() < Duration::from_millis(3500) {
        rpc.call("supervisor.sendRemoteCommEvent", "<string>n</string><string>d</string>").unwrap();
        sent += 1;
    }
    let lines = || -> Vec<u64> {
        let lines = d.messages().into_iter();
        lines
            .filter(|line| line.starts_with("ERRO pool bad event buffer overflowed, "))
            .map(|line| match line.split_once(" and ") {
                None => 1,
                Some((_, rest)) => rest.split(' ').next().unwrap().parse::<u64>().unwrap() + 1,
            })
            .collect()
    };
    wait_for("all losses told", 5, || {
        (lines().iter().sum::<u64>() == sent + 1 - 100).then_some(())
    });
    let seconds = begin.elapsed().as_secs() as usize + 1;
    assert!(sent > 300 && lines().len() <= 10 + seconds, "{sent} events: {:?}", lines());
}
