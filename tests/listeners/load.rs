//! Many events, on listeners that use the original's own library: what does not arrive is what
//! the overflow lines name, and what arrives does so in its order.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::support::rpc::Connection;
use crate::support::{Setup, TestDaemon, oracle, wait_for};

/// `listen FILE EVERY PAUSE`: writes the serial of each event on a line of the file, and stops
/// for so long before it answers every so many.
const LISTEN: &str = "
import os, sys, time
from supervisor import childutils
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
every, pause, count = int(sys.argv[2]), float(sys.argv[3]), 0
while True:
    headers, payload = childutils.listener.wait()
    os.write(out, ('%s %s\\n' % (headers['serial'], payload.split('\\n')[1])).encode())
    count += 1
    if count % every == 0:
        time.sleep(pause)
    childutils.listener.ok()
";

fn setup(arguments: &str, lines: &str) -> Setup {
    let python = oracle("python3");
    Setup::new().script("listen", &format!("#!{}\n{LISTEN}", python.display())).section(&format!(
        "[eventlistener:lis]\nprocess_name=%(program_name)s_%(process_num)d\n\
             command=%(here)s/listen %(here)s/lis_%(process_num)d {arguments}\n\
             events=REMOTE_COMMUNICATION\n{lines}\nstdout_logfile=NONE\n"
    ))
}

/// The serials that a listener was sent, each with the number that was sent as data.
fn heard(d: &TestDaemon, member: usize) -> Vec<(u64, u64)> {
    let text = d.read(&format!("lis_{member}"));
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let pair = |line: &str| {
        let (serial, number) = line.split_once(' ').unwrap();
        (serial.parse().unwrap(), number.parse().unwrap())
    };
    whole.lines().map(pair).collect()
}

/// The overflow lines: the last serial that each names, and how many it tells of.
fn told_as_lost(d: &TestDaemon) -> Vec<(u64, u64)> {
    let mut told = Vec::new();
    for line in d.messages() {
        let Some(rest) =
            line.strip_prefix("ERRO pool lis event buffer overflowed, discarding event ")
        else {
            continue;
        };
        let words: Vec<&str> = rest.split(' ').collect();
        told.push(match words[..] {
            [serial] => (serial.parse().unwrap(), 1),
            [serial, "and", others, "before", "it"] => {
                (serial.parse().unwrap(), others.parse::<u64>().unwrap() + 1)
            }
            _ => panic!("{line}"),
        });
    }
    told
}

/// Sends so many numbers from `next` on, in one request.
fn send(rpc: &mut Connection, next: u64, count: u64) {
    let call = |number: u64| {
        format!(
            "<value><struct>\
             <member><name>methodName</name>\
             <value><string>supervisor.sendRemoteCommEvent</string></value></member>\
             <member><name>params</name><value><array><data>\
             <value><string>t</string></value><value><string>{number}</string></value>\
             </data></array></value></member></struct></value>"
        )
    };
    let calls: String = (next..next + count).map(call).collect();
    let answer = rpc
        .post(&format!(
            "<?xml version='1.0'?><methodCall><methodName>system.multicall</methodName><params>\
             <param><value><array><data>{calls}</data></array></value></param></params>\
             </methodCall>"
        ))
        .unwrap();
    let trues = answer.body.matches("<boolean>1</boolean>").count() as u64;
    assert_eq!(trues, count, "{}", answer.body);
}

/// Sends `total` numbers, so many a second as far as the machine lets it.
fn send_at(d: &TestDaemon, total: u64, rate: u64) {
    let mut rpc = d.rpc();
    let (begin, mut sent) = (Instant::now(), 0);
    while sent < total {
        let due = (begin.elapsed().as_secs_f64() * rate as f64) as u64;
        let count = due.min(total).saturating_sub(sent).min(500);
        match count {
            0 => thread::sleep(Duration::from_millis(2)),
            count => send(&mut rpc, sent, count),
        }
        sent += count;
    }
    let rate = total as f64 / begin.elapsed().as_secs_f64();
    eprintln!("{total} events, {rate:.0} a second");
}

fn ready(d: &TestDaemon, members: usize) {
    for member in 0..members {
        // The listener makes the file a moment before it says READY.
        wait_for("a listener", 30, || d.path(&format!("lis_{member}")).exists().then_some(()));
        d.wait_state(&format!("lis:lis_{member}"), "RUNNING", 30);
    }
}

/// Each line tells of as many serials as are missing between the line before and its own.
fn check_lines(told: &[(u64, u64)], missing: &BTreeSet<u64>) {
    let mut from = 0;
    for (serial, count) in told {
        let between = missing.range(from..=*serial).count() as u64;
        assert_eq!(between, *count, "up to {serial}, {told:?}");
        assert!(missing.contains(serial), "{serial} was told as lost and came");
        from = serial + 1;
    }
    assert_eq!(missing.range(from..).next(), None, "missing and told by no line: {told:?}");
}

#[test]
fn what_is_missing_is_what_the_overflow_lines_name() {
    let seconds = if std::env::var_os("MINDER_FULL").is_some() { 60 } else { 10 };
    let total = 2000 * seconds;
    // A stop in which some 600 events come, of which 100 find room.
    let d = setup("4000 0.3", "buffer_size=100").start();
    ready(&d, 1);
    send_at(&d, total, 2000);
    let last = |d: &TestDaemon| heard(d, 0).last().is_some_and(|(_, number)| *number == total - 1);
    wait_for("the last event", 60, || last(&d).then_some(()));
    let heard = heard(&d, 0);
    assert!(heard.iter().all(|(serial, number)| serial == number));
    let serials: Vec<u64> = heard.iter().map(|(serial, _)| *serial).collect();
    assert!(serials.is_sorted_by(|a, b| a < b), "in order, each once");
    let heard: BTreeSet<u64> = serials.into_iter().collect();
    let missing: BTreeSet<u64> = (0..total).filter(|serial| !heard.contains(serial)).collect();
    assert!(!missing.is_empty(), "nothing was lost: the test shows nothing");
    wait_for("all losses told", 5, || {
        let told: u64 = told_as_lost(&d).iter().map(|(_, count)| count).sum();
        (told >= missing.len() as u64).then_some(())
    });
    let told = told_as_lost(&d);
    check_lines(&told, &missing);
    eprintln!("{} of {total} missing, told in {} lines", missing.len(), told.len());
}

/// The numbers that came to anyone, and how many came twice.
fn heard_by_all(d: &TestDaemon, members: usize) -> (BTreeSet<u64>, usize) {
    let all: Vec<u64> =
        (0..members).flat_map(|member| heard(d, member)).map(|(_, number)| number).collect();
    let different: BTreeSet<u64> = all.iter().copied().collect();
    let twice = all.len() - different.len();
    (different, twice)
}

const MANY: u64 = 10_000;

/// Sends many to a pool of three and kills one in the middle.
fn kill_one_of_three(lines: &str) -> TestDaemon {
    let d = setup("1000000 0", &format!("numprocs=3\n{lines}")).start();
    ready(&d, 3);
    let sending = thread::scope(|scope| {
        let sender = scope.spawn(|| send_at(&d, MANY, 5000));
        wait_for("a third of the events", 60, || {
            let last = heard_by_all(&d, 3).0.last().copied();
            last.is_some_and(|number| number > MANY / 3).then_some(())
        });
        let pid = d.pid_of("lis:lis_0");
        signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        sender.join()
    });
    sending.unwrap();
    d.wait_log("WARN exited: lis_0 (terminated by SIGKILL; not expected)", 20);
    d
}

#[test]
fn ten_thousand_events_survive_the_death_of_one_of_three_listeners() {
    let d = kill_one_of_three("buffer_size=10000");
    wait_for("all events", 60, || (heard_by_all(&d, 3).0.len() as u64 == MANY).then_some(()));
    let (_, twice) = heard_by_all(&d, 3);
    assert!(twice <= 1, "only what the killed one held may come again: {twice}");
    assert_eq!(told_as_lost(&d), []);
    for member in 0..3 {
        let numbers: Vec<u64> = heard(&d, member).into_iter().map(|(_, number)| number).collect();
        let steps_back = numbers.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!(steps_back <= 1, "{member}: {steps_back}");
    }
}

#[test]
fn with_a_small_buffer_the_lines_count_what_a_death_costs() {
    let d = kill_one_of_three("buffer_size=20");
    let lost = |d: &TestDaemon| told_as_lost(d).iter().map(|(_, count)| count).sum::<u64>();
    let done = |d: &TestDaemon| heard_by_all(d, 3).0.len() as u64 + lost(d);
    // What the killed one had noted, and then was dropped, counts twice.
    wait_for("all accounted for", 60, || (done(&d) >= MANY).then_some(()));
    assert!(done(&d) <= MANY + 1, "{} heard, {} lost", done(&d) - lost(&d), lost(&d));
    eprintln!("{} of {MANY} lost", lost(&d));
}
