//! `tail -f` and `maintail -f`: the end of a log and what it grows by, also across a rotation.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{Setup, Side, TestDaemon};

const TICKER: &str = "#!/bin/sh\nn=0\nwhile :; do n=$((n+1)); echo tick $n; sleep 0.02; done\n";

struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a client that follows, and reads its lines behind the first, which tells how to stop.
fn follow(
    d: &TestDaemon,
    client: Side,
    words: &[&str],
) -> (Following, impl Iterator<Item = String>) {
    let mut command = Command::new(client.supervisorctl());
    command.arg("-c").arg(d.path("c.conf")).args(words).env("PYTHONUNBUFFERED", "1");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "==> Press Ctrl-C to exit <==");
    (Following(child), lines)
}

#[test]
fn a_follower_sees_every_line_across_rotations() {
    let d = Setup::new()
        .script("ticker", TICKER)
        .program(
            "a",
            "command=%(here)s/ticker\nstartsecs=0\nredirect_stderr=true\n\
             stdout_logfile=%(here)s/a.log\nstdout_logfile_maxbytes=600\nstdout_logfile_backups=50",
        )
        .start();
    d.wait_file("a.log", 15, |text| text.contains("tick 3"));
    let (_child, lines) = follow(&d, Side::under_test(), &["tail", "-f", "a"]);
    let numbers = lines.filter_map(|line| line.strip_prefix("tick ")?.parse::<u64>().ok());
    let seen: Vec<u64> = numbers.take(150).collect();
    // The original may lose what was written around a rotation.
    if Side::under_test() == Side::Ours {
        assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
    }
    assert!(d.path("a.log.1").exists());
}

#[test]
fn the_main_log_can_be_followed_and_a_missing_one_not() {
    let d = Setup::new()
        .program("a", "command=/bin/sleep 1000\nstartsecs=0\nstdout_logfile=NONE")
        .start();
    d.wait_state("a", "RUNNING", 15);
    let (_child, mut lines) = follow(&d, Side::under_test(), &["maintail", "-f"]);
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    assert!(lines.any(|line| line.contains("stopped: a")));
    let none = d.ctl(&["tail", "-f", "a"]);
    assert!(none.stderr.contains("Cannot read, status code 404"), "{none:?}");
}
