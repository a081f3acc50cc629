//! Runs rows, a few at once, tells a line about each, and fails with all that is wrong.

use std::{
    env, fs,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError, RwLock},
    thread,
    time::Instant,
};

use crate::{
    finding::{Finding, Step, Wrong},
    ground::{Control, Ground, full},
    support::Side,
};

/// A fault.
pub struct Row {
    /// For the table.
    pub name: &'static str,
    /// Makes it, lifts it, and looks at what became of the daemon.
    pub act: fn(&Ground) -> Step,
    /// Supervisor has nothing that could be asked.
    pub ours_alone: bool,
    /// It takes all processors, so it is made while no other is: neither would measure itself.
    pub fills_machine: bool,
    /// Why ours does not stand it yet. The day that it does, the row says so and fails.
    pub known: Option<&'static str>,
}

/// A row that both can be asked.
pub const fn row(name: &'static str, act: fn(&Ground) -> Step) -> Row {
    Row { name, act, ours_alone: false, fills_machine: false, known: None }
}

/// One that ours does not stand yet, and why.
#[allow(dead_code, reason = "there is none at the moment")]
pub const fn known(name: &'static str, act: fn(&Ground) -> Step, why: &'static str) -> Row {
    Row { name, act, ours_alone: false, fills_machine: false, known: Some(why) }
}

/// Held by each row that is made; by one that fills the machine, alone.
static MACHINE: RwLock<()> = RwLock::new(());

/// Rows of one family that run at the same time: they wait most of their time.
const AT_ONCE: usize = 4;

/// Runs a family. Rows whose names do not contain `MINDER_FAULTS_ROW`, if that is set, are left
/// out.
#[track_caller]
pub fn run(family: &str, rows: &'static [Row]) {
    let side = Side::under_test();
    let wanted = env::var("MINDER_FAULTS_ROW").unwrap_or_default();
    let rows: Vec<&Row> = rows.iter().filter(|row| row.name.contains(&wanted)).collect();
    if rows.is_empty() {
        return;
    }
    let control = Control::start(side);
    let reports: Vec<Mutex<Option<Report>>> = rows.iter().map(|_| Mutex::default()).collect();
    let queue = Mutex::new(rows.iter().zip(&reports));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("the queue").next();
                    let Some((row, place)) = next else { break };
                    let report = if row.fills_machine {
                        let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
                        report(row, Ground::new(side, &control))
                    } else {
                        let _beside = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
                        report(row, Ground::new(side, &control))
                    };
                    eprintln!("{}", report.line());
                    *place.lock().expect("the report") = Some(report);
                }
            });
        }
    });
    let reports: Vec<Report> = reports
        .into_iter()
        .map(|place| place.into_inner().expect("the report").expect("a report of each row"))
        .collect();
    keep(family, side, &reports);
    if side == Side::Theirs {
        return;
    }
    let fallen = rows.iter().zip(&reports).filter_map(|(row, report)| report.fallen(row.known));
    let fallen: Vec<String> = fallen.collect();
    missed(family, &reports);
    assert!(fallen.is_empty(), "{} rows do not stand\n{}", fallen.len(), fallen.join("\n"));
}

/// Tells what of a family could not be had on this machine. Who wants the rows in full wants all.
fn missed(family: &str, reports: &[Report]) {
    let skipped = reports.iter().filter(|report| report.findings.is_none());
    let skipped: Vec<String> = skipped.map(Report::line).collect();
    let unchecked: Vec<String> = reports
        .iter()
        .flat_map(|report| report.unchecked.iter().map(|what| format!("{}: {what}", report.name)))
        .collect();
    for (all, what) in [(&skipped, "rows"), (&unchecked, "checks")] {
        if !all.is_empty() {
            eprintln!("{family}: {} {what} skipped\n    {}", all.len(), all.join("\n    "));
        }
    }
    assert!(skipped.is_empty() || !full(), "MINDER_FULL is set and rows are skipped, see above");
}

/// What came of a row.
struct Report {
    name: &'static str,
    findings: Option<Vec<Finding>>,
    figures: String,
    /// How much was done, where the name says more.
    done: Option<String>,
    /// What of it could not be looked at.
    unchecked: Vec<String>,
}

fn report(row: &Row, ground: Ground<'_>) -> Report {
    if row.ours_alone && ground.side == Side::Theirs {
        let figures = "not asked of the original".to_owned();
        return Report::skipped(row, figures);
    }
    let begin = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| (row.act)(&ground)));
    let mut findings = ground.findings();
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(finding)) => findings.push(finding),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            findings.push(Finding::new(Wrong::Hangs, text.unwrap_or_default()));
        }
    }
    if let Some(figures) = ground.skipped() {
        return Report::skipped(row, figures);
    }
    findings.sort_by_key(|finding| finding.wrong);
    let figures = format!("{}, {:.1?} in all", ground.figures(), begin.elapsed());
    let unchecked = ground.all_unchecked();
    Report { name: row.name, findings: Some(findings), figures, done: ground.done(), unchecked }
}

impl Report {
    /// Of a row that was not run, and why.
    fn skipped(row: &Row, figures: String) -> Report {
        Report { name: row.name, findings: None, figures, done: None, unchecked: Vec::new() }
    }

    /// `stands`, or all kinds of wrong; after a death nothing else counts.
    fn outcome(&self) -> String {
        let Some(findings) = &self.findings else { return "skipped".to_owned() };
        let mut kinds: Vec<Wrong> = findings.iter().map(|finding| finding.wrong).collect();
        kinds.dedup();
        if kinds.first() == Some(&Wrong::Dies) {
            kinds.truncate(1);
        }
        let words: Vec<String> = kinds.iter().map(Wrong::to_string).collect();
        let outcome = if words.is_empty() { "stands".to_owned() } else { words.join("; ") };
        self.done.iter().fold(outcome, |outcome, done| format!("{outcome} ({done})"))
    }

    fn details(&self) -> String {
        let findings = self.findings.iter().flatten();
        findings.map(|finding| format!("\n    {}: {}", finding.wrong, finding.detail)).collect()
    }

    fn line(&self) -> String {
        format!("{}: {} ({}){}", self.name, self.outcome(), self.figures, self.details())
    }

    fn fallen(&self, known: Option<&str>) -> Option<String> {
        let wrong = !self.findings.as_ref()?.is_empty();
        match known {
            None => wrong.then(|| self.line()),
            Some(why) if wrong => {
                eprintln!("{}: known, {why}", self.name);
                None
            }
            Some(why) => Some(format!("{}: it stands now, though {why}", self.name)),
        }
    }
}

/// Adds lines of family, name, outcome and figures, with tabs between them, to the file that
/// `MINDER_FAULTS_REPORT` names.
fn keep(family: &str, side: Side, reports: &[Report]) {
    let Some(path) = env::var_os("MINDER_FAULTS_REPORT") else { return };
    let text: String = reports
        .iter()
        .map(|report| {
            let (name, outcome, figures) = (report.name, report.outcome(), &report.figures);
            format!("{family}\t{side:?}\t{name}\t{outcome}\t{figures}\n")
        })
        .collect();
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).expect("the report");
    file.write_all(text.as_bytes()).expect("the report");
}
