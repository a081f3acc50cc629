//! What a difference that is meant looks like; `list.rs` has all of them.

use std::collections::BTreeSet;

use crate::{list::LIST, support::matches};

/// Whose difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Client,
    Daemon,
    /// It shows as soon as one of them is ours.
    Either,
}

/// One difference that is meant.
pub struct Bettered {
    /// By which steps of the sessions call it.
    pub id: &'static str,
    pub part: Part,
    /// What the original does.
    pub theirs: &'static str,
    /// What ours does.
    pub ours: &'static str,
    /// Why.
    pub why: &'static str,
    /// A test that shows it; the sessions show that it is so.
    pub test: &'static str,
    /// How it shows.
    pub changes: &'static [Change],
}

/// How a difference shows, in whole lines (the last one is `exit <code>`); `*` in a pattern stands
/// for anything.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Ours alone has such lines.
    OursAlone(&'static str),
    /// The original alone has such lines.
    TheirsAlone(&'static str),
    /// Where the original has the first, ours has the second.
    Instead(&'static str, &'static str),
}

/// What two sides said at a step.
pub struct Pair<'a> {
    pub theirs: &'a mut Vec<String>,
    pub ours: &'a mut Vec<String>,
}

/// What showed: entries, and for each the places of its changes.
pub type Shown = BTreeSet<(&'static str, usize)>;

/// Changes of the list that did not show anywhere.
pub fn stale(shown: &Shown) -> Vec<String> {
    let mut stale = Vec::new();
    for entry in LIST {
        for (at, change) in entry.changes.iter().enumerate() {
            if !shown.contains(&(entry.id, at)) {
                stale.push(format!("{}: {change:?} shows nowhere\n", entry.id));
            }
        }
    }
    stale
}

/// Takes what these entries say out of both; names the entries that were not met.
pub fn settle(
    ids: &[String],
    is_ours: impl Fn(Part) -> bool,
    pair: &mut Pair<'_>,
    shown: &mut Shown,
) -> Vec<String> {
    let mut unmet = Vec::new();
    for id in ids {
        let entry = LIST.iter().find(|entry| entry.id == id);
        let entry = entry.unwrap_or_else(|| panic!("no entry {id} in the list"));
        if !is_ours(entry.part) {
            continue;
        }
        let mark = format!("<bettered: {id}>");
        let mut met = false;
        for (at, change) in entry.changes.iter().enumerate() {
            let shows = match *change {
                Change::OursAlone(pattern) => replace(pair.ours, pattern, None),
                Change::TheirsAlone(pattern) => replace(pair.theirs, pattern, None),
                Change::Instead(old, new) if has(pair.theirs, old) && has(pair.ours, new) => {
                    replace(pair.theirs, old, Some(&mark)) & replace(pair.ours, new, Some(&mark))
                }
                Change::Instead(..) => false,
            };
            if shows {
                shown.insert((entry.id, at));
                met = true;
            }
        }
        if !met {
            unmet.push(format!("{id} is not met"));
        }
    }
    unmet
}

/// Whether the pattern means the line. The exit code is meant by what names it alone.
fn is_meant(pattern: &str, line: &str) -> bool {
    matches(pattern, line) && (pattern.starts_with("exit ") || !line.starts_with("exit "))
}

fn has(lines: &[String], pattern: &str) -> bool {
    lines.iter().any(|line| is_meant(pattern, line))
}

/// Replaces each line that is meant, or drops it; whether there was one.
fn replace(lines: &mut Vec<String>, pattern: &str, by: Option<&str>) -> bool {
    let met = has(lines, pattern);
    let line = |line: String| match is_meant(pattern, &line) {
        true => by.map(str::to_owned),
        false => Some(line),
    };
    *lines = std::mem::take(lines).into_iter().filter_map(line).collect();
    met
}
