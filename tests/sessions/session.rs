//! The file of sessions: `tests/fixtures/ctl_sessions.txt`, which says itself how it is written.

use std::fs;

/// The steps that one daemon sees, one after the other.
pub struct Session {
    pub name: String,
    pub steps: Vec<Step>,
}

/// A run of the client, and what belongs to it.
#[derive(Debug, Default)]
pub struct Step {
    /// The line of the file, for the report.
    pub line: usize,
    /// What happens before.
    pub before: Vec<Act>,
    pub words: Vec<String>,
    /// Whether the daemon's configuration is named before the words.
    pub configured: bool,
    pub input: String,
    pub interrupt: Option<String>,
    /// Whether permissions bind the client, as they do not bind root.
    pub bound: bool,
    pub seen: Seen,
    /// Entries of the list of what is bettered that this step meets.
    pub bettered: Vec<String>,
}

/// What a session does beside running the client.
#[derive(Debug)]
pub enum Act {
    /// A process comes to be in a state.
    State(String, String),
    /// The activity log comes to have a message that matches.
    Log(String),
    /// The same two times.
    LogTwice(String),
    /// The configuration gets these lines at its end.
    Append(String),
    /// A text of the configuration is replaced.
    Edit(String, String),
    /// A file of the daemon's directory is written.
    Write(String, String),
    /// A file of the daemon's directory comes to have this text.
    File(String, String),
    /// The daemon is told to end, and ends.
    End,
}

/// What of stdout is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    #[default]
    All,
    /// All lines, in any order.
    Sorted,
    /// The last two lines: the lines before tell of times and pids.
    End,
}

/// All sessions of the file.
pub fn all() -> Vec<Session> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ctl_sessions.txt");
    parse(&fs::read_to_string(path).expect("the file of sessions"))
}

fn parse(text: &str) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut before = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        if mark.is_empty() || mark == "#" {
            continue;
        }
        if mark == "==" {
            assert!(before.is_empty(), "line {number}: nothing follows what was to be before it");
            sessions.push(Session { name: rest.to_owned(), steps: Vec::new() });
            continue;
        }
        let steps = &mut sessions.last_mut().expect("a line before the first ==").steps;
        match mark {
            "@" => {
                before.push(act(rest).unwrap_or_else(|| panic!("line {number}: no act: {rest}")));
                continue;
            }
            "$" | "%" => {
                let configured = mark == "$";
                let before = std::mem::take(&mut before);
                let words = words(rest);
                steps.push(Step { line: number, before, words, configured, ..Step::default() });
                continue;
            }
            _ => {}
        }
        let step = steps.last_mut().expect("a line before the first step");
        match (mark, rest) {
            ("<", line) => step.input.push_str(&format!("{line}\n")),
            ("^", text) => step.interrupt = Some(text.to_owned()),
            ("~", "bound") => step.bound = true,
            ("~", "sorted") => step.seen = Seen::Sorted,
            ("~", "end") => step.seen = Seen::End,
            ("!", ids) => step.bettered.extend(ids.split_whitespace().map(str::to_owned)),
            _ => panic!("line {number}: what is {line:?}?"),
        }
    }
    assert!(before.is_empty(), "nothing follows what was to be before it");
    sessions
}

fn act(text: &str) -> Option<Act> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.replace("\\n", "\n");
    match verb {
        "state" => {
            let (name, state) = rest.split_once(' ')?;
            Some(Act::State(name.to_owned(), state.to_owned()))
        }
        "log" => Some(Act::Log(rest)),
        "twice" => Some(Act::LogTwice(rest)),
        "append" => Some(Act::Append(rest)),
        "edit" => {
            let (from, to) = rest.split_once(" => ")?;
            Some(Act::Edit(from.to_owned(), to.to_owned()))
        }
        "file" => {
            let (name, text) = rest.split_once(' ')?;
            Some(Act::File(name.to_owned(), text.to_owned()))
        }
        "write" => {
            let (name, text) = rest.split_once(' ').unwrap_or((&rest, ""));
            Some(Act::Write(name.to_owned(), text.to_owned()))
        }
        "end" => Some(Act::End),
        _ => None,
    }
}

/// Words between blanks; in single quotes a word may be empty or have blanks.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    assert!(!quoted, "a quote that is not closed: {text}");
    words.extend(word);
    words
}
