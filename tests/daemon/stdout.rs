//! The daemon's own stdout and stderr, whose reader stalls, goes away or is slow: nobody waits for
//! it, and what it misses is told.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::support::{Setup, Side, TestDaemon, matches, rpc, wait_for};

const UNPRINTED: &str = "ERRO stdout can't be written: *; lines are lost there until it can";
const PRINTED: &str = "WARN stdout is written again; * bytes were not printed there";
const NEVER_PRINTED: &str =
    "WARN stdout could not be written to the end; * bytes were not printed there";

fn ours_only() -> bool {
    Side::ours_only("the original waits for whoever reads its stdout")
}

/// A number of `minder.getCounters`. At the level trace each question is a line of the log.
fn counted(d: &TestDaemon, part: &str, name: &str) -> u64 {
    let answer = d.rpc().call("minder.getCounters", "").unwrap();
    let numbers = rpc::numbers(&answer, part).unwrap_or_else(|| panic!("no {part}"));
    *numbers.get(name).unwrap_or_else(|| panic!("no {name} in {numbers:?}")) as u64
}

/// Writes to a fifo until it takes no byte more.
fn fill(fifo: &Path) {
    let open = File::options().write(true).custom_flags(nix::libc::O_NONBLOCK).open(fifo);
    let mut file = open.unwrap();
    for length in [4096, 1] {
        while match file.write(&[b'x'; 4096][..length]) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        } {}
    }
}

#[test]
fn the_main_log_heals_while_nobody_reads_stderr() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let setup = Setup::new().supervisord("logfile=%(here)s/logs/main.log\nloglevel=trace");
    let (fifo, logs) = (setup.path("out"), setup.path("logs"));
    fs::create_dir(&logs).unwrap();
    let shell = format!("mkfifo {0}; exec 1<>{0} 2>&1", fifo.display());
    let d = setup.prelude(&shell).program("a", "command=/bin/cat\nstartsecs=0").start();
    fill(&fifo);
    // At one stroke: the daemon would make the log again meanwhile.
    fs::rename(&logs, d.path("gone")).unwrap();
    fs::remove_dir_all(d.path("gone")).unwrap();
    wait_for("lost lines", 60, || (counted(&d, "activity_log", "failed") > 0).then_some(()));
    fs::create_dir(&logs).unwrap();
    wait_for("a line about what is lost", 60, || {
        counted(&d, "activity_log", "failed");
        d.read("logs/main.log").contains(" ERRO this log could not be written: ").then_some(())
    });
    assert_eq!(counted(&d, "activity_log", "failed"), 1);
}

/// The number before the word `bytes` of a line.
fn bytes(line: &str) -> u64 {
    let before = line.split_once(" bytes ").unwrap().0;
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

fn unprinted(d: &TestDaemon) -> u64 {
    counted(d, "activity_log", "bytes_not_printed")
}

#[test]
fn lines_that_a_full_stdout_refuses_are_counted_and_told() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let setup = Setup::new().supervisord("loglevel=trace").prelude("exec >/dev/full");
    let mut d = setup.program("a", "command=/bin/cat\nstartsecs=0").start();
    let before = wait_for("unprinted lines", 60, || Some(unprinted(&d)).filter(|n| *n > 0));
    let more = wait_for("more of them", 60, || Some(unprinted(&d)).filter(|n| *n > before));
    d.has_count(UNPRINTED, 1);
    assert!(d.wait_log(UNPRINTED, 1).contains("[Errno 28]"));
    assert_eq!(d.count(PRINTED), 0);
    d.shut_down(60);
    d.has_count(NEVER_PRINTED, 1);
    assert!(bytes(&d.wait_log(NEVER_PRINTED, 1)) > more);
    d.has_count(UNPRINTED, 1);
}

#[test]
fn a_reader_of_stdout_that_goes_and_comes_is_told_of() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let setup = Setup::new().supervisord("loglevel=trace");
    let fifo = setup.path("out");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let reader = || {
        let flags = nix::libc::O_NONBLOCK;
        File::options().read(true).custom_flags(flags).open(&fifo).unwrap()
    };
    let first = reader();
    let shell = format!("exec >{}", fifo.display());
    let d = setup.prelude(&shell).program("a", "command=/bin/cat\nstartsecs=0").start();
    assert_eq!(unprinted(&d), 0);
    drop(first);
    wait_for("unprinted lines", 60, || (unprinted(&d) > 1000).then_some(()));
    d.has_count(UNPRINTED, 1);
    assert!(d.wait_log(UNPRINTED, 1).contains("[Errno 32]"));
    let _second = reader();
    let lost = unprinted(&d);
    // No other line has to come for that.
    assert_eq!(bytes(&d.wait_log(PRINTED, 60)), unprinted(&d));
    assert!(unprinted(&d) - lost < 1000);
    d.has_count(UNPRINTED, 1);
    d.has_count(NEVER_PRINTED, 0);
}

#[test]
fn a_slow_reader_of_a_programs_output_is_told_of_once_in_a_while() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let setup = Setup::new();
    let fifo = setup.path("out");
    let shell = format!("mkfifo {0}; exec 1<>{0}", fifo.display());
    let d = setup
        .prelude(&shell)
        .script("loud", "#!/bin/sh\nwhile :; do head -c 65536 /dev/zero; sleep 0.01; done\n")
        .program(
            "a",
            "command=%(here)s/loud\nstartsecs=0\nstdout_logfile=/dev/stdout\n\
             stdout_logfile_maxbytes=0\nstderr_logfile=NONE\nstopasgroup=true",
        )
        .start();
    let begin = Instant::now();
    let mut reader =
        File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(&fifo).unwrap();
    let lost = || counted(&d, "processes", "log_bytes_lost");
    let (mut before, mut times, mut buffer) = (0, 0, [0; 8192]);
    wait_for("losses between what is read", 60, || {
        let _ = reader.read(&mut buffer);
        thread::sleep(Duration::from_millis(20));
        times += usize::from(lost() > before);
        before = lost();
        (times > 100).then_some(())
    });
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    let (began, secs) = ("ERRO 'a' stdout log * can't be written: *", begin.elapsed().as_secs());
    // An end takes a second without a loss.
    let told = d.count(began) as u64;
    assert!((1..=secs + 1).contains(&told), "told {told} times in {secs} s");
    let sum = || {
        let lines = d.messages().into_iter();
        let lines = lines.filter(|line| matches("WARN 'a' stdout log * bytes of * lost", line));
        lines.map(|line| bytes(&line)).sum::<u64>()
    };
    wait_for("all that is lost to be told", 60, || (sum() == lost()).then_some(()));
    d.has_count(began, told as usize);
    assert_eq!(counted(&d, "processes", "log_failed"), told);
}
