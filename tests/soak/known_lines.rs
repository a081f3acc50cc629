//! Lines of trouble that belong to what is done here. Any other is a defect.

use std::collections::BTreeMap;

use crate::support::{TestDaemon, matches};

/// Each with its cause.
const KNOWN: &[&str] = &[
    // No user is configured.
    "CRIT Supervisor is running as root. *",
    // Bad requests.
    "ERRO XML-RPC request data * is invalid: *",
    // A HUP while the file is bad.
    "ERRO could not restart, everything goes on as it is: *",
    // Listeners that were stopped or killed, and small buffers.
    "ERRO pool lis event buffer overflowed, discarding event *",
    "ERRO pool ticks event buffer overflowed, discarding event *",
];

/// Fails if the daemon has said anything else. Its standard output has all lines, also those that
/// are in no log any more.
pub fn check(d: &TestDaemon) {
    let (output, errors) = (d.read("daemon.out"), d.read("daemon.err"));
    let defect = |line: &&str| line.contains("panicked");
    let defects: Vec<&str> = output.lines().chain(errors.lines()).filter(defect).collect();
    assert!(defects.is_empty(), "{defects:?}");
    let lines = output.lines().filter_map(|line| line.get(24..));
    let mut unknown = BTreeMap::<&str, usize>::new();
    let mut count = 0;
    for line in lines {
        count += 1;
        let trouble = ["TRAC ", "ERRO ", "CRIT "].iter().any(|level| line.starts_with(level));
        if trouble && !KNOWN.iter().any(|known| matches(known, line)) {
            *unknown.entry(line).or_default() += 1;
        }
    }
    println!("{count} lines in the activity log");
    assert!(count > 100, "{count} lines only");
    assert!(unknown.is_empty(), "unknown lines: {unknown:#?}");
}
