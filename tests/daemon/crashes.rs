//! A program that does nothing but crash.

use std::time::{Duration, Instant};

use crate::support::{Setup, TestDaemon};

const CYCLES: usize = 200;

/// Writes the number of its start as its only line, then fails.
const CRASHER: &str = "#!/bin/sh
n=$(cat \"$1\" 2>/dev/null || echo 0)
n=$((n+1))
echo $n > \"$1\"
echo line $n
exit 3
";

#[test]
fn two_hundred_crashes_end_in_time_and_output_precedes_each_exit_line() {
    let _turn = crate::alone();
    let started = Instant::now();
    let d = Setup::new()
        .script("crasher", CRASHER)
        .program(
            "a",
            "command=%(here)s/crasher %(here)s/count\nstartsecs=0\nautorestart=true\n\
             stdout_logfile=%(here)s/a.log\nstdout_logfile_maxbytes=0",
        )
        .start();
    let mut seen = 0;
    while seen < CYCLES {
        // The activity log first: all that stood before an exit line must be in the child's log
        // by now, whatever has come since.
        let exits = exits(&d);
        assert!(exits >= seen);
        seen = exits;
        let text = d.read("a.log");
        let last = text.lines().last().map_or(0, |line| line[5..].parse().unwrap());
        assert!(last >= seen, "after exit line {seen} the log ends with {last}");
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{seen} cycles in {:?}",
            started.elapsed()
        );
    }
    let text = d.read("a.log");
    for (at, line) in text.lines().enumerate() {
        assert_eq!(line, format!("line {}", at + 1));
    }
    eprintln!("{seen} cycles in {:?}", started.elapsed());
}

fn exits(d: &TestDaemon) -> usize {
    d.count("WARN exited: a (exit status 3; not expected)")
}
