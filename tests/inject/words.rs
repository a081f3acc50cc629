//! A call that fails is told as what it is, and not as what would have been so if it had succeeded
//! otherwise: a look that fails at what the daemon holds itself, as that of another program.

use std::sync::Mutex;

use crate::{
    each,
    plan::Fault,
    run::Run,
    scenario::ALL,
    support::{Side, root},
};

/// The scenario, the thread, the call, each of which fails in turn, and how; what is not so then.
const ROWS: [(&str, &str); 4] = [
    ("reload/files/dup/EMFILE/ever", "already listening"),
    ("reload/files/stat/EIO/once", "already listening"),
    ("reload/daemon/stat/EIO/once", "another supervisord"),
    ("start/child/seek/EIO/once", "has no size"),
];

/// Calls of a row that are tried.
const MOST: usize = 12;

fn fault(row: &str, n: usize) -> Fault {
    let parts: Vec<&str> = row.split('/').collect();
    let [scenario, thread, call, error, time] = parts[..] else { panic!("{row}") };
    let name = format!("{scenario}/{thread}/{call}/{n}/{error}/{time}");
    Fault::named(&name).unwrap_or_else(|| panic!("{row}"))
}

#[test]
fn what_failed_is_told_and_nothing_else() {
    if !Side::ours_only("what it says when its system calls fail") {
        return;
    }
    if !cfg!(debug_assertions) || !root() {
        eprintln!("skipped: it takes root and a build with debug_assertions");
        return;
    }
    let wrong = Mutex::new(Vec::new());
    each(ROWS.len(), None, |at| {
        let (row, words) = ROWS[at];
        for n in 1..MOST {
            let fault = fault(row, n);
            let scenario = &ALL[fault.scenario];
            let mut run = Run::start(scenario, &fault.order());
            let played = run.play(scenario, Some(&fault));
            let hit = run.hit();
            let told = [run.read("activity.log"), run.read("daemon.err")].concat();
            let line = told.lines().find(|line| line.contains(words));
            if let Some(why) = played.err().or(line.map(str::to_owned)) {
                let text = format!("{} at {hit}: {why}\n{}\n", fault.shown(), run.diagnosis());
                wrong.lock().unwrap().push(text);
            }
            if hit.is_empty() {
                break;
            }
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong.join("\n"));
}
