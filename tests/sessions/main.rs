//! Every action of supervisorctl with good and bad arguments, by both clients at both daemons.
//!
//! The sessions stand in `tests/fixtures/ctl_sessions.txt`. Four runs of a session go on side by
//! side, each with a daemon of its own: the original's client and daemon say what is right, step
//! by step in stdout, stderr and exit code; ours, in place of either or of both, has to say the
//! same, except for what `list.rs` lists with a reason and a test each. A step names the
//! entries that it meets: a difference that no entry explains fails, and so does an entry that is
//! not met.
//!
//! `MINDER_COMPAT=theirs` compares the original with itself: what then fails is a step that is
//! not certain of itself.
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

mod bettered;
mod client;
mod fakes;
mod list;
mod run;
mod session;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use bettered::{Pair, Part, Shown};
use fakes::Fakes;
use list::LIST;
use run::Run;
use session::Session;
use support::Side;

/// Sessions that run at the same time. They wait most of their time.
const AT_ONCE: usize = 4;

/// Whose client at whose daemon.
#[derive(Clone, Copy, Debug)]
pub struct Sides {
    client: Side,
    daemon: Side,
}

const ORIGINAL: Sides = Sides { client: Side::Theirs, daemon: Side::Theirs };

/// What is compared with the original.
fn compared() -> Vec<Sides> {
    match Side::under_test() {
        Side::Theirs => vec![ORIGINAL],
        Side::Ours => vec![
            Sides { client: Side::Theirs, daemon: Side::Ours },
            Sides { client: Side::Ours, daemon: Side::Theirs },
            Sides { client: Side::Ours, daemon: Side::Ours },
        ],
    }
}

impl Sides {
    fn is_ours(self, part: Part) -> bool {
        match part {
            Part::Client => self.client == Side::Ours,
            Part::Daemon => self.daemon == Side::Ours,
            Part::Either => self.client == Side::Ours || self.daemon == Side::Ours,
        }
    }
}

#[test]
fn four_runs_say_the_same() {
    let fakes = Fakes::start();
    let sessions = session::all();
    let queue = Mutex::new(sessions.iter());
    let (wrong, shown) = (Mutex::new(String::new()), Mutex::new(Shown::new()));
    let next = || queue.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(session) = next() {
                    let differences =
                        catch_unwind(AssertUnwindSafe(|| compare(session, &fakes, &shown)))
                            .unwrap_or_else(|_| format!("== {}: it panicked\n", session.name));
                    wrong.lock().unwrap().push_str(&differences);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    if Side::under_test() == Side::Ours && wrong.is_empty() {
        wrong = bettered::stale(&shown.into_inner().unwrap()).concat();
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// All differences of a session.
fn compare(session: &Session, fakes: &Fakes, shown: &Mutex<Shown>) -> String {
    let compared = compared();
    let (theirs, others) = thread::scope(|scope| {
        let play = |sides: Sides| scope.spawn(move || Run::start(sides, fakes).play(session));
        let theirs = play(ORIGINAL);
        let others: Vec<_> = compared.iter().map(|sides| play(*sides)).collect();
        let join = |run: thread::ScopedJoinHandle<'_, Vec<Vec<String>>>| {
            run.join().expect("a run, see above")
        };
        (join(theirs), others.into_iter().map(join).collect::<Vec<_>>())
    });
    let mut report = String::new();
    for (sides, ours) in compared.iter().zip(others) {
        for (step, (theirs, mut ours)) in session.steps.iter().zip(theirs.iter().zip(ours)) {
            let mut theirs = theirs.clone();
            let mut pair = Pair { theirs: &mut theirs, ours: &mut ours };
            let mut shown = shown.lock().unwrap();
            let is_ours = |part| sides.is_ours(part);
            let unmet = bettered::settle(&step.bettered, is_ours, &mut pair, &mut shown);
            if theirs == ours && unmet.is_empty() {
                continue;
            }
            let lines = |mark: &str, lines: &[String]| -> String {
                lines.iter().map(|line| format!("  {mark} {line}\n")).collect()
            };
            let unmet: String = unmet.iter().map(|text| format!("  ! {text}\n")).collect();
            report.push_str(&format!(
                "== {}, line {}: {} (client: {:?}, daemon: {:?})\n{}{}{unmet}",
                session.name,
                step.line,
                step.words.join(" "),
                sides.client,
                sides.daemon,
                lines("-", &theirs),
                lines("+", &ours),
            ));
        }
    }
    report
}

#[test]
fn what_is_bettered_is_listed_used_and_tested() {
    let used: Vec<String> = session::all()
        .into_iter()
        .flat_map(|session| session.steps)
        .flat_map(|step| step.bettered)
        .collect();
    let tests = sources(Path::new(env!("CARGO_MANIFEST_DIR")));
    for (at, entry) in LIST.iter().enumerate() {
        let id = entry.id;
        assert!(LIST[..at].iter().all(|other| other.id != id), "{id} is there twice");
        assert!(used.iter().any(|used| used == id), "no session meets {id}");
        let test = format!("\nfn {}() ", entry.test);
        assert!(tests.iter().any(|text| text.contains(&test)), "{id}: no test {}", entry.test);
        for text in [entry.theirs, entry.ours, entry.why] {
            assert!(!text.is_empty(), "{id} says too little");
        }
    }
}

/// The texts of all sources with tests. Those in modules are taken as if they stood alone.
fn sources(root: &Path) -> Vec<String> {
    let mut directories: Vec<PathBuf> = ["src", "tests"].map(|name| root.join(name)).into();
    let mut texts = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(&path).unwrap().replace("\n    fn ", "\nfn "));
            }
        }
    }
    texts
}
