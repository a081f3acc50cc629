//! Every problem of a configuration at once, each with its place.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use super::{Context, Source, below, daemon, here, read};
use crate::config::command_line::CommandLine;
use crate::config::document::{Document, Entry, Section};
use crate::config::error::ConfigError;
use crate::config::host::Host;
use crate::config::options::{HttpServer, Options, Program};
use crate::config::quote::escaped;

/// A fault or a doubtful place of a configuration, for those who want to see all at once.
/// `Display` is one line, `file:line: [section] key: what`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: Arc<str>,
    /// The line, from 1; 0: no line in particular.
    pub line: usize,
    /// The section; empty: none.
    pub section: String,
    /// The option, where it is one; of the command line, where there is no section.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.file.to_string();
        if self.line > 0 {
            text.push_str(&format!(":{}", self.line));
        }
        text.push_str(": ");
        if !self.section.is_empty() {
            text.push_str(&format!("[{}] ", self.section));
        }
        if let Some(key) = &self.key {
            text.push_str(&format!("{key}: "));
        }
        text.push_str(&self.what);
        f.write_str(&escaped(&text))
    }
}

impl Problem {
    /// A problem of a file, or of one of its lines.
    pub fn of_file(file: &str, line: usize, what: impl fmt::Display) -> Problem {
        let (section, key, what) = (String::new(), None, what.to_string());
        Problem { file: file.into(), line, section, key, what }
    }

    /// A problem of an option of the command line, as it was spelled.
    pub fn of_command_line(file: &str, spelling: &str, what: impl fmt::Display) -> Problem {
        Problem { key: Some(spelling.to_owned()), ..Problem::of_file(file, 0, what) }
    }

    /// A problem of a section, or of one of its options.
    pub fn of_section(
        document: &Document,
        section: &Section,
        key: Option<&str>,
        what: &str,
    ) -> Problem {
        let entry = key.and_then(|key| document.entry(section, key));
        let (file, line) =
            entry.map_or((&section.file, section.line), |Entry { file, line, .. }| (file, *line));
        Problem {
            file: Arc::clone(file),
            line,
            section: section.name.clone(),
            key: key.map(str::to_owned),
            what: what.to_owned(),
        }
    }
}

/// The option at fault, and what is wrong with it.
pub type Remark = (&'static str, String);

/// What the machine has to say of a configuration. It is asked once all is read.
pub trait Inspect {
    /// Of the daemon's own options.
    fn daemon(&self, options: &Options) -> Vec<Remark>;
    /// Of a listener.
    fn server(&self, server: &HttpServer, options: &Options) -> Vec<Remark>;
    /// Of a process, with the daemon's environment below its own.
    fn process(&self, program: &Program, options: &Options) -> Vec<Remark>;
}

/// All that is wrong with a configuration or doubtful in it, by file and line: the `known`
/// problems, those of the text, and what `inspect` says.
pub fn check(
    source: Source<'_>,
    command_line: &CommandLine,
    host: &dyn Host,
    inspect: &dyn Inspect,
    known: Vec<Problem>,
) -> Vec<Problem> {
    let of_file = |error: ConfigError| Problem::of_file(source.file, 0, error);
    let mut context = Context::new(source, host, here(host, source.file));
    context.gathers = true;
    context.problems = known.into();
    match daemon::given(command_line, host) {
        Ok(given) => match read(&mut context, given) {
            Ok(options) => ask(&context, inspect, &options, command_line),
            Err(error) => context.add(of_file(error)),
        },
        Err(error) => context.add(of_file(error)),
    }
    let mut problems = context.problems.take();
    problems.sort_by(|a, b| {
        let key = |p: &Problem| (*p.file != *source.file, Arc::clone(&p.file), p.line);
        key(a).cmp(&key(b))
    });
    problems
}

/// Asks the machine about all that was read.
fn ask(context: &Context<'_>, inspect: &dyn Inspect, options: &Options, line: &CommandLine) {
    // Where an option was found to be wrong the machine was asked about its default.
    let known = context.problems.borrow().clone();
    let is_known = |section: &Section, key: &str| {
        known.iter().any(|p| p.section == section.name && p.key.as_deref() == Some(key))
    };
    let note = |section: &Section, remarks: Vec<Remark>| {
        for (key, what) in remarks.iter().filter(|(key, _)| !is_known(section, key)) {
            context.note(section, Some(key), what);
        }
    };
    if let Some(section) = context.document.section("supervisord") {
        for (key, what) in inspect.daemon(options) {
            match line.spelling(key) {
                Some(spelling) => {
                    context.add(Problem::of_command_line(context.file, spelling, what));
                }
                None => note(section, vec![(key, what)]),
            }
        }
    }
    for server in &options.servers {
        if let Some(section) = context.document.section(&server.section) {
            note(section, inspect.server(server, options));
        }
    }
    for (section, program) in context.seen.take() {
        let Some(section) = context.document.section(&section) else { continue };
        let environment = below(&options.supervisord.environment, &program.environment);
        let program = Program { environment, ..program };
        note(section, inspect.process(&program, options));
    }
}

impl Context<'_> {
    /// Notes a problem for those who gather them, each once.
    pub(super) fn note(&self, section: &Section, key: Option<&str>, what: &str) {
        if self.gathers {
            self.add(Problem::of_section(self.document, section, key, what));
        }
    }

    pub(super) fn add(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// What comes of an option of the command line; nothing, where faults are gathered and it has
    /// one.
    ///
    /// # Errors
    /// The fault, unless faults are gathered.
    pub(super) fn attempt_given<T>(
        &self,
        spelling: &str,
        read: impl FnOnce() -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        match read() {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.gathers => {
                self.add(Problem::of_command_line(self.file, spelling, error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps a process, to ask the machine about it.
    pub(super) fn see(&self, section: &Section, program: &Program) {
        if self.gathers {
            self.seen.borrow_mut().push((section.name.clone(), program.clone()));
        }
    }
}
