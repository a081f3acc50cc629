//! Runs rows: both sides of a row at once, a few rows at once.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    bettered,
    outcome::Outcome,
    processes::Processes,
    row::{PORTS, Row, Step, Wait},
    support::{Side, TestDaemon, alive, matches},
};

/// Rows of one table that run at the same time. They wait most of their time.
const AT_ONCE: usize = 3;

/// How long one row may take to settle, or one step.
const SECS: u64 = 40;

/// How long what has settled may still be written: logs are written by threads of their own.
const WRITTEN: Duration = Duration::from_secs(3);

/// Compares each of these rows; fails with all their differences.
#[track_caller]
pub fn same(rows: Vec<Row>) {
    all(rows, AT_ONCE, |row| compare(&row).map_err(|why| format!("##### {}\n{why}", row.name)));
}

/// Does something with each item, several at once; fails with all that went wrong.
#[track_caller]
pub fn all<T: Send>(items: Vec<T>, at_once: usize, each: impl Fn(T) -> Result<(), String> + Sync) {
    let queue = Mutex::new(items.into_iter());
    let wrong = Mutex::new(Vec::new());
    let next = || queue.lock().expect("the queue").next();
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(item) = next() {
                    let result = catch_unwind(AssertUnwindSafe(|| each(item)));
                    let why = match result {
                        Ok(Ok(())) => continue,
                        Ok(Err(why)) => why,
                        Err(_) => "it panicked, see above".to_owned(),
                    };
                    wrong.lock().expect("the list").push(why);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("the list");
    assert!(wrong.is_empty(), "{} rows differ\n{}", wrong.len(), wrong.join("\n"));
}

/// Does the same on both sides at once: first the original's, then ours.
pub fn both<T: Send>(act: impl Fn(Side) -> T + Sync) -> (T, T) {
    thread::scope(|scope| {
        let theirs = scope.spawn(|| act(Side::Theirs));
        let ours = act(Side::under_test());
        (theirs.join().expect("the original's side, see above"), ours)
    })
}

fn compare(row: &Row) -> Result<(), String> {
    let (theirs, ours) = both(|side| {
        let mut run = Run::start(row, side);
        run.settle();
        if !row.goes_on {
            run.told();
        }
        run.steps();
        run
    });
    let deadline = Instant::now() + WRITTEN;
    loop {
        let (mut left, mut right) = (theirs.outcome(), ours.outcome());
        let unmet = bettered::settle(&row.bettered, &mut left, &mut right);
        let why = left.differs_from(&right) + &unmet;
        if why.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(why);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A row on one side.
struct Run<'a> {
    row: &'a Row,
    side: Side,
    daemon: TestDaemon,
    /// What was said, in order: what was asked, and the answer.
    said: Outcome,
    running: bool,
}

impl Run<'_> {
    #[track_caller]
    fn start(row: &Row, side: Side) -> Run<'_> {
        let daemon = row.setup(side).start();
        Run { row, side, daemon, said: Outcome::default(), running: true }
    }

    fn settle(&self) {
        let processes = Processes::configured(&self.daemon);
        let settled = || {
            let what = || format!("{} on {:?} to settle", self.row.name, self.side);
            if !self.row.goes_on {
                wait_slowly(&what, || processes.settled(&self.daemon));
            }
        };
        settled();
        for wait in &self.row.waits {
            self.wait(*wait);
        }
        for probe in &self.row.probes {
            let name = format!("probe.{probe}.done");
            wait_slowly(&|| format!("{name} of {:?}", self.side), || {
                self.daemon.path(&name).exists()
            });
        }
        // What had to happen first may have disturbed what had settled.
        settled();
    }

    fn wait(&self, wait: Wait) {
        let what = || format!("{wait:?} in {} on {:?}", self.row.name, self.side);
        wait_slowly(&what, || match wait {
            Wait::State(name, state) => self.daemon.state(name) == state,
            Wait::Lines(name, count) => self.daemon.read(name).lines().count() >= count,
            Wait::Message(pattern) => {
                self.daemon.messages().iter().any(|message| matches(pattern, message))
            }
        });
    }

    /// What the client and XML-RPC tell.
    fn told(&mut self) {
        self.ask(&["status"]);
        self.said.add("options, by XML-RPC", Processes::options(&self.daemon));
        self.said.add("processes, by XML-RPC", Processes::facts(&self.daemon));
    }

    fn ask(&mut self, words: &[&str]) {
        let answer = self.daemon.ctl(words);
        let mut lines = answer.lines();
        if words.first() == Some(&"stop") {
            // Which of several ends first is the kernel's to say.
            lines.sort_unstable();
        }
        let text = format!("{}\n{}exit {}\n", lines.join("\n"), answer.stderr, answer.code);
        self.said.add(&format!("supervisorctl {}", words.join(" ")), text);
    }

    fn steps(&mut self) {
        for step in &self.row.steps {
            match step {
                Step::Ctl(words) => self.ask(words),
                Step::Stop(name) => {
                    let answer = Processes::stop(&self.daemon, name);
                    self.said.add(&format!("stop of {name}, by XML-RPC"), answer);
                }
                Step::Signal(signal) => self.daemon.signal(*signal),
                Step::Wait(wait) => self.wait(*wait),
                Step::ShutDown => {
                    self.daemon.signal(Signal::SIGTERM);
                    let pid = self.daemon.pid;
                    wait_slowly(&|| format!("the end of {:?}", self.side), || !alive(pid));
                    let code = self.daemon.wait_exit(SECS);
                    self.said.add("the daemon's exit status", code.to_string());
                    self.running = false;
                }
            }
        }
        if self.running && !self.row.steps.is_empty() {
            self.told();
        }
    }

    fn outcome(&self) -> Outcome {
        let mut outcome = self.said.clone();
        outcome.collect(&self.daemon, &self.row.probes);
        outcome.normalize(self.side, &self.daemon.path(""));
        for name in PORTS {
            if let Some(port) = self.daemon.setup.variable(name) {
                outcome.replace(port, name);
            }
        }
        outcome
    }
}

/// The original spends milliseconds on each answer: it is not asked more often than this.
#[track_caller]
fn wait_slowly(what: &dyn Fn() -> String, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(SECS);
    while !condition() {
        assert!(Instant::now() < deadline, "waited {SECS} s in vain for {}", what());
        thread::sleep(Duration::from_millis(100));
    }
}
