//! One scenario, played to the original and to ours at the same time, and their streams compared.

use std::collections::BTreeMap;
use std::thread;

use crate::recorder::{Record, Recorders, records, wait_event};
use crate::support::{Setup, Side, TestDaemon, matches};

/// A scenario.
pub struct Scenario {
    setup: fn(Setup) -> Setup,
    act: fn(&TestDaemon),
    /// A file of records, and the event that is the last of it.
    streams: Vec<(&'static str, &'static str)>,
    /// Lines of the activity log that have to be the same.
    lines: Option<&'static str>,
    same: fn(Vec<Record>) -> Vec<Record>,
}

/// What one side did.
#[derive(Debug, PartialEq, Eq)]
pub struct Played {
    /// The records of each stream, made comparable.
    pub streams: Vec<Vec<Record>>,
    /// The lines of the activity log that were asked for.
    pub lines: Vec<String>,
}

/// The event that ends most scenarios.
pub const END: &str = "REMOTE_COMMUNICATION type:end\n";

impl Scenario {
    /// The setup gets the recorder and no section yet; `act` does something and returns.
    pub fn new(setup: fn(Setup) -> Setup, act: fn(&TestDaemon)) -> Scenario {
        Scenario { setup, act, streams: Vec::new(), lines: None, same: |records| records }
    }

    /// This file of records is to be the same, up to that event.
    pub fn stream(mut self, file: &'static str, last: &'static str) -> Scenario {
        self.streams.push((file, last));
        self
    }

    /// So are the lines of the activity log that contain this.
    pub fn lines(mut self, part: &'static str) -> Scenario {
        self.lines = Some(part);
        self
    }

    /// What is known to differ is made the same by this.
    pub fn same(mut self, same: fn(Vec<Record>) -> Vec<Record>) -> Scenario {
        self.same = same;
        self
    }

    /// Plays it to both, and compares. Both are returned, theirs first.
    #[track_caller]
    pub fn compare(&self) -> [Played; 2] {
        let [theirs, ours] = self.play();
        for ((file, _), (theirs, ours)) in
            self.streams.iter().zip(theirs.streams.iter().zip(&ours.streams))
        {
            assert!(!theirs.is_empty(), "{file}: nothing to compare");
            assert_same(file, theirs, ours);
        }
        assert_eq!(ours.lines, theirs.lines, "lines of the activity log: ours, theirs");
        [theirs, ours]
    }

    /// Plays it to both; theirs first.
    pub fn play(&self) -> [Played; 2] {
        thread::scope(|scope| {
            let theirs = scope.spawn(|| self.play_to(Side::Theirs));
            let ours = scope.spawn(|| self.play_to(Side::Ours));
            [theirs, ours].map(|side| side.join().expect("a side that played"))
        })
    }

    fn play_to(&self, side: Side) -> Played {
        let d = (self.setup)(Setup::new().side(side).recorder()).start();
        (self.act)(&d);
        let mut pids = BTreeMap::new();
        let streams = self.streams.iter().map(|(file, last)| {
            wait_event(&d, file, last);
            let mut found = records(&d, file);
            let end = found.iter().rposition(|record| matches(last, &record.event())).unwrap();
            found.truncate(end + 1);
            (self.same)(found.iter().map(|record| normalised(record, &mut pids)).collect())
        });
        let streams: Vec<Vec<Record>> = streams.collect();
        let lines = self.lines.map_or_else(Vec::new, |part| {
            // The log may be behind: what it says of the last event stands behind all else.
            let last = streams.iter().flatten().map(Record::serial).max().unwrap();
            d.wait_log(&format!("DEBG event {last} sent to listener *"), 20);
            d.messages().into_iter().filter(|line| line.contains(part)).collect()
        });
        Played { streams, lines }
    }
}

/// The record with each pid replaced by its number in the order of appearance, without the time
/// of a tick, and with the length that it then has.
fn normalised(record: &Record, pids: &mut BTreeMap<String, usize>) -> Record {
    let text = record.text();
    let Some((head, payload)) = text.split_once('\n') else { return record.clone() };
    let (head, length) = head.rsplit_once(" len:").expect("a length");
    assert_eq!(length, payload.chars().count().to_string(), "the length of {text:?}");
    let (first, rest) = match payload.split_once('\n') {
        Some((first, rest)) => (first, format!("\n{rest}")),
        None => (payload, String::new()),
    };
    let words = first.split(' ').map(|word| normalised_word(word, pids));
    let payload = words.collect::<Vec<String>>().join(" ") + &rest;
    let length = payload.chars().count();
    Record(format!("{head} len:{length}\n{payload}").into_bytes())
}

fn normalised_word(word: &str, pids: &mut BTreeMap<String, usize>) -> String {
    if word.starts_with("pid:") && word != "pid:0" {
        let next = pids.len() + 1;
        let number = *pids.entry(word.to_owned()).or_insert(next);
        return format!("pid:<{number}>");
    }
    if word.starts_with("when:") { "when:<>".to_owned() } else { word.to_owned() }
}

/// The record without its two numbers, where those are nobody's.
pub fn without_serials(record: Record) -> Record {
    let (serial, pool) = (record.header("serial"), record.header("poolserial"));
    let text = record.text().replacen(&format!(" serial:{serial} "), " ", 1);
    Record(text.replacen(&format!(" poolserial:{pool} "), " ", 1).into_bytes())
}

#[track_caller]
fn assert_same(file: &str, theirs: &[Record], ours: &[Record]) {
    let text = |records: &[Record]| {
        records.iter().map(|record| format!("{:?}\n", record.text())).collect::<String>()
    };
    let same = theirs.iter().zip(ours).take_while(|(theirs, ours)| theirs == ours).count();
    assert!(
        theirs == ours,
        "{file} differs from record {same} on\n--- theirs\n{}--- ours\n{}",
        text(theirs),
        text(ours)
    );
}
