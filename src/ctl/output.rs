//! What the user reads: lines for results, the status table, columns of words.
//! Every text here is known to scripts.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use super::color::Color;
use super::error::CallError;
use crate::xml_rpc::Value;

/// The exit status: 0, or the last error's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// Nothing failed.
    pub const SUCCESS: Exit = Exit(0);
    /// Something failed.
    pub const FAILURE: Exit = Exit(1);
    /// `start` without a process, or of an unknown group.
    pub const INVALID: Exit = Exit(2);
    /// The daemon does not offer the interface.
    pub const NO_INTERFACE: Exit = Exit(3);
    /// Nobody listens.
    pub const REFUSED: Exit = Exit(4);
    /// The daemon speaks another version of the interface.
    pub const OTHER_VERSION: Exit = Exit(5);
    /// The socket's file is missing, or a process is not running.
    pub const NOT_RUNNING: Exit = Exit(7);
    /// `status`: a process that was shown does not run.
    pub const STATUS_STOPPED: Exit = Exit(3);
    /// `status`: the daemon did not answer or did not know a name.
    pub const STATUS_UNKNOWN: Exit = Exit(4);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.0)
    }
}

/// Lines on their way to stdout, kept back until something may take time.
#[derive(Debug)]
pub struct Output {
    pending: Vec<u8>,
    to_stdout: bool,
    failures: Failures,
    /// Whether somebody reads explanations.
    explains: bool,
    /// Why stdout did not take something.
    unwritten: Option<CallError>,
    /// What would have gone to stderr, if `to_stdout` is not set.
    errors: String,
}

/// Where it is said that something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// Among the results, as scripts know it.
    Stdout,
    /// Beside them, where a program reads the results as a whole.
    Stderr,
}

impl Output {
    /// Writes to this process's stdout.
    #[must_use]
    pub fn stdout() -> Output {
        Output {
            pending: Vec::with_capacity(8192),
            to_stdout: true,
            failures: Failures::Stdout,
            explains: io::stderr().is_terminal(),
            unwritten: None,
            errors: String::new(),
        }
    }

    /// Adds text and a line end.
    pub fn line(&mut self, text: &str) {
        self.text(text);
        self.pending.push(b'\n');
    }

    /// Adds a line about a failure, or says it on stderr.
    pub fn failure(&mut self, text: &str) {
        match self.failures {
            Failures::Stdout => self.line(text),
            Failures::Stderr => self.error(text),
        }
    }

    /// Chooses where failures are told from now on.
    pub fn tell_failures(&mut self, failures: Failures) {
        self.failures = failures;
    }

    /// Tells a person at a terminal more than scripts expect.
    pub fn explain(&mut self, text: &str) {
        if self.explains {
            self.error(text);
        }
    }

    /// Says a line on stderr, behind all that was added before.
    fn error(&mut self, text: &str) {
        if self.to_stdout {
            self.flush();
            // A stderr that is closed can't be told of anything.
            let _ = writeln!(io::stderr(), "{text}");
        } else {
            self.errors.push_str(text);
            self.errors.push('\n');
        }
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) {
        self.pending.extend_from_slice(text.as_bytes());
    }

    /// Adds bytes that need not be text.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Lets the user see all that was added so far.
    pub fn flush(&mut self) {
        if self.to_stdout && !self.pending.is_empty() {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(&self.pending).and_then(|()| stdout.flush());
            self.pending.clear();
            drop(stdout);
            if let Err(error) = written {
                self.keep_unwritten(CallError::Unwritten(error));
            }
        }
    }

    /// Remembers why stdout did not take something. A reader that went away (`| head`) has seen
    /// enough.
    pub(super) fn keep_unwritten(&mut self, error: CallError) {
        if !error.is_of_reader() {
            self.unwritten.get_or_insert(error);
        }
    }

    /// Tells on stderr what stdout did not take; whether there is something to tell.
    pub(super) fn tell_unwritten(&mut self) -> bool {
        match self.unwritten.take() {
            Some(error) => {
                self.error(&unwritten(&error));
                true
            }
            None => false,
        }
    }

    /// Keeps all lines, for a test to look at.
    #[cfg(test)]
    pub(super) fn kept() -> Output {
        Output {
            pending: Vec::new(),
            to_stdout: false,
            failures: Failures::Stdout,
            explains: true,
            unwritten: None,
            errors: String::new(),
        }
    }

    /// The lines kept so far.
    #[cfg(test)]
    pub(super) fn take(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.pending)).unwrap()
    }

    /// What would have gone to stderr so far.
    #[cfg(test)]
    pub(super) fn take_errors(&mut self) -> String {
        std::mem::take(&mut self.errors)
    }
}

/// The line about what stdout did not take.
pub(super) fn unwritten(error: &CallError) -> String {
    format!("supervisorctl: can't write: {error}")
}

/// The codes of faults that have a text of their own.
pub mod code {
    /// The method is not known.
    pub const UNKNOWN_METHOD: i64 = 1;
    /// The daemon is going down or restarting.
    pub const SHUTDOWN_STATE: i64 = 6;
    /// No such process or group.
    pub const BAD_NAME: i64 = 10;
    /// No such signal.
    pub const BAD_SIGNAL: i64 = 11;
    /// No such file.
    pub const NO_FILE: i64 = 20;
    /// The file can't be executed.
    pub const NOT_EXECUTABLE: i64 = 21;
    /// Some other failure.
    pub const FAILED: i64 = 30;
    /// The process ended while it was waited for.
    pub const ABNORMAL_TERMINATION: i64 = 40;
    /// The process could not be started.
    pub const SPAWN_ERROR: i64 = 50;
    /// The process runs already.
    pub const ALREADY_STARTED: i64 = 60;
    /// The process does not run.
    pub const NOT_RUNNING: i64 = 70;
    /// All is well.
    pub const SUCCESS: i64 = 80;
    /// The group is active already.
    pub const ALREADY_ADDED: i64 = 90;
    /// A process of the group still runs.
    pub const STILL_RUNNING: i64 = 91;
    /// The configuration can't be read.
    pub const CANT_REREAD: i64 = 92;
}

/// What is done to processes; each has its words for the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// `start`.
    Start,
    /// `stop`.
    Stop,
    /// `signal`.
    Signal,
    /// `clear`.
    Clear,
}

impl Deed {
    /// The line for an outcome, or `None` for a code that has no words.
    #[must_use]
    pub fn line(self, name: &str, status: i64, description: &str) -> Option<String> {
        let reason = match (self, status) {
            (Deed::Start, code::SUCCESS) => return Some(format!("{name}: started")),
            (Deed::Stop, code::SUCCESS) => return Some(format!("{name}: stopped")),
            (Deed::Signal, code::SUCCESS) => return Some(format!("{name}: signalled")),
            (Deed::Clear, code::SUCCESS) => return Some(format!("{name}: cleared")),
            (Deed::Stop | Deed::Signal, code::FAILED) => return Some(description.to_owned()),
            (_, code::BAD_NAME) => "no such process",
            (Deed::Start, code::NO_FILE) => "no such file",
            (Deed::Start, code::NOT_EXECUTABLE) => "file is not executable",
            (Deed::Start, code::ALREADY_STARTED) => "already started",
            (Deed::Start, code::SPAWN_ERROR) => "spawn error",
            (Deed::Start, code::ABNORMAL_TERMINATION) => "abnormal termination",
            (Deed::Stop | Deed::Signal, code::NOT_RUNNING) => "not running",
            (Deed::Stop | Deed::Signal, code::BAD_SIGNAL) => "bad signal name",
            (Deed::Clear, code::FAILED) => "failed",
            _ => return None,
        };
        Some(format!("{name}: ERROR ({reason})"))
    }

    /// The exit status that an outcome asks for, if any.
    #[must_use]
    pub fn exit(self, status: i64) -> Option<Exit> {
        match (self, status) {
            (_, code::SUCCESS)
            | (Deed::Start, code::ALREADY_STARTED)
            | (Deed::Stop, code::NOT_RUNNING) => None,
            (_, code::SPAWN_ERROR | code::ABNORMAL_TERMINATION | code::NOT_RUNNING) => {
                Some(Exit::NOT_RUNNING)
            }
            _ => Some(Exit::FAILURE),
        }
    }
}

/// The name that users see: short where group and process are equal.
#[must_use]
pub fn short_name(group: &str, process: &str) -> String {
    if group == process { process.to_owned() } else { format!("{group}:{process}") }
}

/// Splits what a user typed: `g:p` or `x` is one process, `g:*` and `g:` a whole group.
#[must_use]
pub fn split_name(typed: &str) -> (&str, Option<&str>) {
    match typed.split_once(':') {
        Some((group, "" | "*")) => (group, None),
        Some((group, process)) => (group, Some(process)),
        None => (typed, Some(typed)),
    }
}

/// The text of a struct's field; empty if there is none.
#[must_use]
pub fn field<'v>(value: &'v Value, name: &str) -> &'v str {
    value.member(name).and_then(Value::as_str).unwrap_or_default()
}

/// The number of a struct's field; 0 if there is none.
#[must_use]
pub fn number(value: &Value, name: &str) -> i64 {
    value.member(name).and_then(Value::as_int).unwrap_or_default()
}

/// The truth of a struct's field, which a daemon may send as a number.
#[must_use]
pub fn truth(value: &Value, name: &str) -> bool {
    match value.member(name) {
        Some(Value::Bool(truth)) => *truth,
        Some(Value::Int(number)) => *number != 0,
        _ => false,
    }
}

/// The name that users see of the process that a struct tells about.
#[must_use]
pub fn name_of(info: &Value) -> String {
    short_name(field(info, "group"), field(info, "name"))
}

/// The table of `status`. The state is padded even before an empty description: scripts
/// want a character after it.
pub fn status_table(infos: &[&Value], color: Color, out: &mut Output) {
    let names: Vec<String> = infos.iter().map(|info| name_of(info)).collect();
    let longest = names.iter().map(|name| name.chars().count()).fold(30, usize::max);
    let width = longest + 3;
    for (info, name) in infos.iter().zip(&names) {
        let state = field(info, "statename");
        // What is painted has a length that is not seen.
        let padding = " ".repeat(10usize.saturating_sub(state.chars().count()));
        let (state, description) = (color.state(state), field(info, "description"));
        out.line(&format!("{name:width$}{state}{padding}{description}"));
    }
}

/// A line of `avail`.
#[must_use]
pub fn avail_line(config: &Value) -> String {
    let in_use = if truth(config, "inuse") { "in use" } else { "avail" };
    let start = if truth(config, "autostart") { "auto" } else { "manual" };
    let (group, process) = (number(config, "group_prio"), number(config, "process_prio"));
    format!("{:32} {in_use:9} {start:9} {group}:{process}", name_of(config))
}

/// Words in as few lines as fit the width, read down the columns.
#[must_use]
pub fn columns(words: &[&str], width: usize) -> Vec<String> {
    let layout = |rows: usize| -> Vec<usize> {
        let longest = |column: &[&str]| column.iter().map(|word| word.len()).max().unwrap_or(0);
        words.chunks(rows).map(longest).collect()
    };
    let fits = |rows: &usize| {
        let widths = layout(*rows);
        widths.iter().sum::<usize>() + 2 * (widths.len() - 1) <= width
    };
    let rows = (1..words.len()).find(fits).unwrap_or(words.len().max(1));
    let widths = layout(rows);
    let line = |row: usize| {
        let cells = words.chunks(rows).zip(&widths);
        let cells = cells.filter_map(|(column, width)| Some((column.get(row)?, width)));
        let padded: Vec<String> = cells.map(|(word, width)| format!("{word:width$}")).collect();
        padded.join("  ")
    };
    (0..rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(split_name("x"), ("x", Some("x")));
        assert_eq!(split_name("g:x"), ("g", Some("x")));
        assert_eq!(split_name("g:*"), ("g", None));
        assert_eq!(split_name("g:"), ("g", None));
        assert_eq!(split_name("g:a:b"), ("g", Some("a:b")));
        assert_eq!(short_name("x", "x"), "x");
        assert_eq!(short_name("g", "x"), "g:x");
    }

    #[test]
    fn words_run_down_the_columns() {
        assert_eq!(columns(&["a", "bb", "c", "d", "e"], 9), ["a   c  e", "bb  d"]);
        assert_eq!(columns(&["a", "b"], 1), ["a", "b"]);
        assert_eq!(columns(&["one"], 1), ["one"]);
        assert_eq!(columns(&["a", "b"], 80), ["a  b"]);
    }
}
