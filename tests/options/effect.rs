//! What an option does, how that is seen, and the runs that try it.

use std::{
    any::Any,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use minder::config::table::{self, Section};

use crate::{
    Name,
    support::{Setup, TestDaemon, free_port, matches},
    title,
};

/// How long the effects of a daemon may take to show.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one that has had its time may flicker.
const FLICKER: Duration = Duration::from_secs(3);

/// Effects that may share a daemon.
pub struct Table {
    pub effects: &'static [Effect],
    /// The daemon that they share, to which their sections are added.
    pub setup: fn() -> Setup,
}

/// What an option does.
pub struct Effect {
    pub section: Section,
    pub key: &'static str,
    /// A good value: that of the run with the option. In it and in `lines`, `{name}` is the name
    /// of the run and `{port}` a free port of its own.
    pub good: &'static str,
    /// The value of the run without, where nothing can run without one.
    instead: Option<&'static str>,
    /// What stands in the section besides.
    lines: &'static str,
    pub probe: Probe,
    /// What has to be seen of the run with the option; `*` stands for anything.
    pub with: &'static str,
    /// What has to be seen of the other.
    pub without: &'static str,
}

/// How an effect is seen. It is looked at until it is there or patience ends, the run with the
/// option first, so that the other run has had its time too; and once more at the very end.
pub enum Probe {
    /// In a daemon with others of the table: each run is a section, named after the run.
    Beside { act: fn(&Run<'_>), see: fn(&Run<'_>) -> String },
    /// In a daemon for each run, started with the section's lines.
    Own { start: fn(&str) -> TestDaemon, act: fn(&Run<'_>), see: fn(&Run<'_>) -> String },
    /// By a call for each run with the section's lines.
    Call(fn(&str) -> String),
    /// Not written: the option is pending.
    ToCome,
}

/// An option and its good value.
pub const fn option(section: Section, key: &'static str, good: &'static str) -> Effect {
    let probe = Probe::ToCome;
    Effect { section, key, good, instead: None, lines: "", probe, with: "", without: "" }
}

fn nothing(_: &Run<'_>) {}

impl Effect {
    /// The value of the run without the option.
    pub const fn instead(mut self, value: &'static str) -> Effect {
        self.instead = Some(value);
        self
    }

    /// Other lines of the section.
    pub const fn lines(mut self, lines: &'static str) -> Effect {
        self.lines = lines;
        self
    }

    /// Seen in the daemon of the table.
    pub const fn beside(mut self, see: fn(&Run<'_>) -> String) -> Effect {
        self.probe = Probe::Beside { act: nothing, see };
        self
    }

    /// Seen in a daemon of its own.
    pub const fn own(mut self, start: fn(&str) -> TestDaemon, see: fn(&Run<'_>) -> String) -> Self {
        self.probe = Probe::Own { start, act: nothing, see };
        self
    }

    /// Seen by a call.
    pub const fn call(mut self, call: fn(&str) -> String) -> Effect {
        self.probe = Probe::Call(call);
        self
    }

    /// Seen after this was done.
    pub const fn after(mut self, action: fn(&Run<'_>)) -> Effect {
        if let Probe::Beside { act, .. } | Probe::Own { act, .. } = &mut self.probe {
            *act = action;
        }
        self
    }

    /// What has to be seen with the option, and without it.
    pub const fn shows(mut self, with: &'static str, without: &'static str) -> Effect {
        self.with = with;
        self.without = without;
        self
    }

    pub fn name(&self) -> Name {
        Name(self.section, self.key)
    }

    /// The lines of the section with a value for the option, under that key.
    pub fn section_with(&self, key: &str, value: &str) -> String {
        Case::new(self, "a", Some((key, value)), "").text
    }

    /// The runs: with the option, with it under its other name, without it.
    fn cases(&self) -> Vec<Case> {
        let alias = table::row(self.section, self.key).and_then(|row| row.alias);
        let with =
            |key: &str| Case::new(self, &format!("{key}-with"), Some((key, self.good)), self.with);
        let instead = self.instead.map(|value| (self.key, value));
        let without = Case::new(self, &format!("{}-without", self.key), instead, self.without);
        [Some(with(self.key)), alias.map(with), Some(without)].into_iter().flatten().collect()
    }
}

/// A run to be.
pub struct Case {
    pub name: String,
    /// The lines of the section.
    pub text: String,
    pub port: u16,
    want: &'static str,
}

impl Case {
    fn new(effect: &Effect, name: &str, value: Option<(&str, &str)>, want: &'static str) -> Case {
        let line = value.map(|(key, value)| format!("{key}={value}\n")).unwrap_or_default();
        let text = format!("{}\n{line}", effect.lines);
        let port = if text.contains("{port}") { free_port() } else { 0 };
        let text = text.replace("{name}", name).replace("{port}", &port.to_string());
        Case { name: name.to_owned(), text, port, want }
    }
}

/// A run: what a probe looks at.
pub struct Run<'a> {
    pub daemon: &'a TestDaemon,
    pub case: &'a Case,
}

impl Run<'_> {
    /// The name of its section, and of its program.
    pub fn name(&self) -> &str {
        &self.case.name
    }

    /// Looks until it is as it has to be; what was seen last.
    fn look(&self, see: fn(&Run<'_>) -> String, deadline: Instant) -> Result<String, String> {
        let deadline = deadline.max(Instant::now() + FLICKER);
        loop {
            let seen = see(self);
            if matches(self.case.want, &seen) {
                return Ok(seen);
            }
            if Instant::now() > deadline {
                let Case { name, want, text, .. } = self.case;
                return Err(format!("{name} shows {seen:?} and not {want:?}; it has {text:?}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Looks at all runs of an effect: the last is the one without the option.
fn compare(
    name: Name,
    see: fn(&Run<'_>) -> String,
    runs: &[Run<'_>],
    deadline: Instant,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = Vec::new();
    for run in runs {
        match run.look(see, deadline) {
            Ok(observed) => seen.push(observed),
            Err(fault) => faults.push(fault),
        }
    }
    if let Some((without, with)) = seen.split_last()
        && with.contains(without)
    {
        faults.push(format!("both runs show {without:?}"));
    }
    faults.into_iter().map(|fault| format!("{name}: {fault}")).collect()
}

/// The daemon that effects of a table share.
fn try_beside(table: &Table, effects: &[&Effect]) -> Result<(), String> {
    let all: Vec<(&Effect, Vec<Case>)> = effects.iter().map(|one| (*one, one.cases())).collect();
    let mut setup = (table.setup)();
    for (effect, cases) in &all {
        for Case { name, text, .. } in cases {
            setup = setup.section(&format!("[{}:{name}]\n{text}", title(effect.section)));
        }
    }
    let daemon = setup.start();
    let runs: Vec<(&Effect, Vec<Run<'_>>)> = all
        .iter()
        .map(|(effect, cases)| {
            (*effect, cases.iter().map(|case| Run { daemon: &daemon, case }).collect())
        })
        .collect();
    for (effect, runs) in &runs {
        if let Probe::Beside { act, .. } = effect.probe {
            // The one that is to stay as it is gets the most time.
            runs.iter().rev().for_each(act);
        }
    }
    let mut faults = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    // The second look is for what was not to change, and has.
    for _ in 0..2 {
        for (effect, runs) in &runs {
            if let Probe::Beside { see, .. } = effect.probe {
                faults.extend(compare(effect.name(), see, runs, deadline));
            }
        }
        if !faults.is_empty() {
            // While the daemon is there: its end tells what it has logged.
            panic!("{}", faults.join("\n"));
        }
    }
    Ok(())
}

/// A daemon for each run, or none.
fn try_alone(effect: &Effect) -> Result<(), String> {
    let cases = effect.cases();
    match effect.probe {
        Probe::Own { start, act, see } => {
            let daemons: Vec<TestDaemon> = cases.iter().map(|case| start(&case.text)).collect();
            let runs = daemons.iter().zip(&cases).map(|(daemon, case)| Run { daemon, case });
            let runs: Vec<Run<'_>> = runs.collect();
            runs.iter().rev().for_each(act);
            let deadline = Instant::now() + PATIENCE;
            for _ in 0..2 {
                let faults = compare(effect.name(), see, &runs, deadline);
                assert!(faults.is_empty(), "{}", faults.join("\n"));
            }
            Ok(())
        }
        Probe::Call(call) => {
            for Case { text, want, name, .. } in &cases {
                let seen = call(text);
                if !matches(want, &seen) {
                    let name = format!("{}: {name}", effect.name());
                    return Err(format!("{name} shows {seen:?} and not {want:?}; it has {text:?}"));
                }
            }
            Ok(())
        }
        Probe::Beside { .. } => Ok(()),
        Probe::ToCome => Err(format!("{} has no probe", effect.name())),
    }
}

/// Tries the effects that are chosen, several at a time, and tells all that fail.
pub fn try_all(tables: &[Table], is_chosen: impl Fn(&Effect) -> bool) {
    type Job<'a> = Box<dyn FnOnce() -> Result<(), String> + Send + 'a>;
    let mut jobs: Vec<(String, Job<'_>)> = Vec::new();
    for table in tables {
        let chosen: Vec<&Effect> = table.effects.iter().filter(|one| is_chosen(one)).collect();
        let is_beside = |effect: &&Effect| matches!(effect.probe, Probe::Beside { .. });
        let (beside, alone): (Vec<&Effect>, Vec<&Effect>) = chosen.into_iter().partition(is_beside);
        if let Some(first) = beside.first() {
            let name = format!("the daemon of {} and others", first.name());
            jobs.push((name, Box::new(move || try_beside(table, &beside))));
        }
        for effect in alone {
            // Before the shared ones, which take longest and so have to begin first.
            jobs.insert(0, (effect.name().to_string(), Box::new(move || try_alone(effect))));
        }
    }
    assert!(!jobs.is_empty(), "no option was chosen");
    // The last is taken first.
    let queue = Mutex::new(jobs);
    let faults = Mutex::new(Vec::new());
    let work = || {
        loop {
            let job = queue.lock().unwrap().pop();
            let Some((name, job)) = job else { return };
            let fault = match catch_unwind(AssertUnwindSafe(job)) {
                Ok(Ok(())) => None,
                Ok(Err(fault)) => Some(fault),
                Err(panic) => Some(format!("({name})\n{}", message(panic.as_ref()))),
            };
            faults.lock().unwrap().extend(fault);
        }
    };
    thread::scope(|scope| {
        for _ in 0..at_once() {
            scope.spawn(work);
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// How many jobs run at a time: as many as tests do.
fn at_once() -> usize {
    env::var("RUST_TEST_THREADS").ok().and_then(|number| number.parse().ok()).unwrap_or(8)
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
