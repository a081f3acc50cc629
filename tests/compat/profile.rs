//! `--profile_options` and `--profile`: what the daemon did, told at its end.

use std::fs;

use crate::support::{Setup, Side, TestDaemon};

/// A silent daemon with these words, which has started and stopped a program and has ended.
fn ended(words: &[&str]) -> TestDaemon {
    let mut setup = Setup::new().program("a", "command=/bin/sleep 1000\nstartsecs=0").arg("-s");
    for word in words {
        setup = setup.arg(word);
    }
    let mut d = setup.start();
    d.wait_state("a", "RUNNING", 15);
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    assert_eq!(d.shut_down(20), 0);
    d
}

#[test]
fn nothing_is_told_unasked() {
    assert_eq!(ended(&[]).read("daemon.out"), "");
}

#[test]
fn what_was_done_is_printed_at_the_end() {
    for words in [&["--profile_options=cumulative,callers"][..], &["--profile", "calls"]] {
        let d = ended(words);
        assert!(d.read("daemon.out").lines().count() > 3, "{words:?}");
        assert!(!d.path("calls").exists());
    }
}

/// The names and counts of an account's rows.
fn rows(text: &str) -> Vec<(String, u64)> {
    let rows = text.lines().skip(3);
    let row = |row: &str| {
        let name = row.rsplit("  ").next()?.to_owned();
        Some((name, row.split_whitespace().next()?.parse().ok()?))
    };
    rows.map(|line| row(line).unwrap_or_else(|| panic!("{line:?} in {text}"))).collect()
}

#[test]
fn each_kind_of_message_has_a_row() {
    if !Side::ours_only("the original's profiler lists functions") {
        return;
    }
    let d = ended(&["--profile_options", "calls"]);
    let rows = rows(&d.read("daemon.out"));
    let count = |name: &str| rows.iter().find(|row| row.0 == name).map(|row| row.1);
    assert_eq!(count("request: stop"), Some(1), "{rows:?}");
    assert_eq!(count("child: spawned"), Some(1), "{rows:?}");
    assert_eq!(count("child: output read"), Some(1), "{rows:?}");
    // SIGCHLD and SIGTERM.
    assert_eq!(count("signal"), Some(2), "{rows:?}");
    assert!(count("deadline").is_some(), "{rows:?}");
    let counts: Vec<u64> = rows.iter().map(|row| row.1).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "{rows:?}");
}

#[test]
fn a_file_gets_the_account_in_place_of_its_old_text() {
    if !Side::ours_only("--profile FILE is new") {
        return;
    }
    let place = Setup::new();
    let file = place.path("account");
    fs::write(&file, "old\n".repeat(10_000)).unwrap();
    // The name is relative to where the daemon was started.
    let d = ended(&["--profile", file.to_str().unwrap(), "--profile_options=calls"]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("old"), "{text}");
    assert!(!rows(&text).is_empty());
    assert_eq!(d.read("daemon.out"), "");
    let d = ended(&["-p", "calls"]);
    assert!(!rows(&d.read("calls")).is_empty());
}

#[test]
fn a_daemon_in_the_background_writes_it_too() {
    if !Side::ours_only("--profile FILE is new") {
        return;
    }
    let d = Setup::new().arg("--profile=account").arg("-d").arg("/").daemonize().start();
    assert_eq!(d.read("account"), "");
    d.signal(nix::sys::signal::Signal::SIGTERM);
    let text = d.wait_file("account", 20, |text| text.ends_with('\n'));
    assert!(rows(&text).iter().any(|row| row.0 == "signal"), "{text}");
}

#[test]
fn a_file_that_cannot_be_had_is_refused_at_the_start() {
    if !Side::ours_only("--profile FILE is new") {
        return;
    }
    let output = Setup::new().arg("--profile=/no/such/x").run_to_end(20);
    assert_eq!(output.code, 2);
    let error = "Error: could not open the profile /no/such/x: No such file or directory";
    assert!(output.stderr.starts_with(error), "{output:?}");
}
