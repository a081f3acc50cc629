//! What bad clients may do to the daemon, as a list: during and after each item everybody else is
//! answered about as soon as without it, memory stays bounded, and no connection is left over.
//! tiny_http has to go through the same list, and fails.
//!
//! How fast and how large is compared with the same daemon at rest in the same run, so that the
//! machine hardly matters.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test ends by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod list;
mod probe;
mod tiny;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use list::LIST;
use probe::{Probe, Probing};
use support::rpc::request;
use support::{Setup, Side, TestDaemon, alive, wait_for};

/// Nothing on the list takes as long, nor does the way back to rest.
const TIME: Duration = Duration::from_secs(30);

/// Whoever is abused.
pub struct Target {
    pub pid: i32,
    pub port: u16,
    pub unix: Option<PathBuf>,
}

/// They measure, so they take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Descriptors that a process has open.
pub fn descriptors(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Bytes of memory that a process had at its peak.
fn peak(pid: i32) -> u64 {
    let status = support::read(format!("/proc/{pid}/status").as_ref());
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// Processor time that a process has used so far, in the kernel's unit.
fn ticks(pid: i32) -> u64 {
    let stat = support::read(format!("/proc/{pid}/stat").as_ref());
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Goes through the list and tells how many items were tried, and of each that the target does not
/// stand. `fresh` gives a target for each item. Where there are failures it ends after `enough`.
fn failures<T>(
    mut fresh: impl FnMut() -> (Target, T),
    patience: Duration,
    enough: Duration,
) -> (usize, Vec<String>) {
    let (begun, mut failures) = (Instant::now(), Vec::new());
    for (tried, item) in LIST.iter().enumerate() {
        if !failures.is_empty() && begun.elapsed() > enough {
            return (tried, failures);
        }
        let (target, keep) = fresh();
        let probe = Probe { port: target.port, unix: target.unix.clone(), patience };
        let idle = probe.rest();
        let (open, memory) = (descriptors(target.pid), peak(target.pid));
        let begin = Instant::now();
        let probing = item.others_meanwhile.then(|| Probing::start(&probe));
        let mut outcome = (item.act)(&target);
        if let Some(probing) = probing {
            outcome = outcome.and(probing.stop().compare(&idle));
        }
        let took = begin.elapsed();
        outcome = outcome
            .and_then(|()| require(alive(target.pid), "it ended"))
            .and_then(|()| require(took < TIME, format!("it took {took:?}")))
            .and_then(|()| probe.rest().compare(&idle).map_err(|why| format!("afterwards, {why}")))
            .and_then(|()| {
                let grown = peak(target.pid).saturating_sub(memory);
                require(grown < item.memory, format!("it grew by {} KiB", grown >> 10))
            })
            .and_then(|()| {
                let (mut used, mut end) = (ticks(target.pid), Instant::now() + TIME);
                while descriptors(target.pid) > open && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(10));
                    // On a busy machine it may still work on what it was sent.
                    if std::mem::replace(&mut used, ticks(target.pid)) != used {
                        end = Instant::now() + TIME;
                    }
                }
                let now = descriptors(target.pid);
                require(now <= open, format!("{now} descriptors were open, {open} before"))
            });
        let grown = peak(target.pid).saturating_sub(memory) >> 10;
        println!("{}: {took:?}, {grown} KiB more: {outcome:?}", item.name);
        failures.extend(outcome.err().map(|why| format!("{}: {why}", item.name)));
        drop(keep);
    }
    (LIST.len(), failures)
}

fn require(holds: bool, why: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.into()) }
}

/// A daemon with the programs that the list calls for.
fn daemon() -> TestDaemon {
    setup().start()
}

fn setup() -> Setup {
    let port = support::free_port();
    let section = format!(
        "[inet_http_server]\nport=127.0.0.1:{port}\nusername=user\npassword=secret\n\
         [program:slow]\ncommand=/bin/sleep 1000\nstartsecs=1000\nautostart=false\nnumprocs=100\n\
         process_name=%(process_num)d\nredirect_stderr=true\nstdout_logfile=NONE\n\
         [program:plain]\ncommand=/bin/sleep 1000\nautostart=false\nstdout_logfile=%(here)s/plain.log\n\
         [program:marks]\ncommand=/bin/sleep 1000\nautostart=false\nstdout_logfile=%(here)s/marks.log\n"
    );
    Setup::new().section(&section).at_port(port)
}

#[test]
fn the_daemon_stands_the_list() {
    if !Side::ours_only("the original is hurt by most of the list") {
        return;
    }
    let _turn = alone();
    let fresh = || {
        let d = daemon();
        let target = Target { pid: d.pid, port: d.port(), unix: Some(d.path("s.sock")) };
        (target, d)
    };
    let (_, failures) = failures(fresh, Duration::from_secs(10), Duration::MAX);
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The reason for a server of our own. The day that this fails, tiny_http can be had instead.
#[test]
fn tiny_http_does_not_stand_it() {
    if tiny::is_server() {
        return tiny::serve();
    }
    let _turn = alone();
    let fresh = || {
        let server = tiny::Server::start();
        (Target { pid: server.pid(), port: server.port, unix: None }, server)
    };
    // All of it would take minutes.
    let (tried, failures) = failures(fresh, Duration::from_secs(2), Duration::from_secs(30));
    println!("tiny_http fails {} of the first {tried}: {failures:#?}", failures.len());
    assert!(!failures.is_empty(), "tiny_http stands the whole list: have it instead of ours");
}

/// Where 256 descriptors are allowed there are 64 connections, 48 of them for TCP, and 36 of
/// these may wait.
#[test]
fn waiting_calls_leave_connections_to_others() {
    const WAIT: usize = 36;
    const CALLS: usize = 80;
    let _turn = alone();
    let d = setup().supervisord("minfds=256").prelude("ulimit -n 256").start();
    let mut calls: Vec<_> = (0..CALLS)
        .map(|n| {
            let params = format!("<string>slow:{n}</string><boolean>1</boolean>");
            let body = request("supervisor.startProcess", &params);
            let mut call = d.connect_tcp();
            call.write_all(&[list::head(body.len()).as_bytes(), body.as_bytes()].concat()).unwrap();
            call.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            call
        })
        .collect();
    // Whoever waits has no answer yet; the others have one, and nothing was done for them.
    let starting = || (0..CALLS).filter(|n| d.state(&format!("slow:{n}")) == "STARTING").count();
    wait_for("as many starts", 30, || (starting() == WAIT).then_some(()));
    let patience = Duration::from_secs(10);
    let probe = Probe { port: d.port(), unix: Some(d.path("s.sock")), patience };
    probe.rest().compare(&probe.rest()).unwrap();
    d.wait_log("ERRO HTTP server: too many calls wait at a time, one was refused*", 5);
    assert_eq!(d.rpc().call("supervisor.stopAllProcesses", "").map(drop).ok(), Some(()));
    let mut counts = [0; 2];
    for call in &mut calls {
        let answer = rpc_answer(call);
        let refused = "FAILED: too many calls are waiting; ask again later, or without waiting";
        assert!(answer.contains(refused) || answer.contains("ABNORMAL_TERMINATION: "), "{answer}");
        counts[usize::from(answer.contains(refused))] += 1;
    }
    assert_eq!(counts, [WAIT, CALLS - WAIT]);
    // The places are free again.
    let answer =
        d.rpc().call("supervisor.startProcess", "<string>slow:0</string><boolean>0</boolean>");
    assert!(answer.unwrap().contains("<boolean>1</boolean>"));
}

/// One answer to a call, as it came.
fn rpc_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"</methodResponse>\n") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_hundred_waiting_starts_hold_nobody_up() {
    let _turn = alone();
    let d = daemon();
    let mut waits: Vec<_> = (0..100).map(|_| d.rpc()).collect();
    for (n, connection) in waits.iter_mut().enumerate() {
        let body = request("supervisor.startProcess", &format!("<string>slow:{n}</string>"));
        let head = format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.send(format!("{head}{body}").as_bytes()).unwrap();
    }
    wait_for("all starts", 30, || (d.state("slow:99") == "STARTING").then_some(()));
    let patience = Duration::from_secs(10);
    let probe = Probe { port: d.port(), unix: Some(d.path("s.sock")), patience };
    let median = probe.rest().median();
    assert!(median < Duration::from_millis(10), "{median:?}");
}
