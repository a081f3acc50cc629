//! Document → [`Options`]. All that is not in the text is asked of the [`Host`].
//!
//! Values are read in Supervisor's order, for the first fault is the one that is reported:
//! command line, `[supervisord]`, `[rpcinterface:]`, groups and programs, listeners, and the
//! daemon's own user last.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::Arc;

use super::command_line::CommandLine;
use super::document::{Document, Entry, Section};
use super::error::{ConfigError, Place};
use super::expand::{Names, expand};
use super::host::Host;
use super::options::{Group, Notice, NoticeLevel, Options, Program};
use super::pairs;
use super::paths;
use super::table;

mod check;
mod ctl;
mod daemon;
mod fcgi;
mod groups;
mod listeners;
mod plugins;
mod programs;
mod servers;
mod unknown;

pub use check::{Inspect, Problem, Remark, check};
pub use ctl::{CtlOptions, load_ctl};

/// A document, and which file is the main one.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The merged files, `[include]` already followed.
    pub document: &'a Document,
    /// The main file, as it was named.
    pub file: &'a str,
}

/// What every step of [`load`] shares.
pub(super) struct Context<'a> {
    pub(super) document: &'a Document,
    pub(super) file: &'a str,
    pub(super) host: &'a dyn Host,
    /// Directory of the main file, absolute.
    pub(super) here: String,
    /// `ENV_x`: of the process, later those of `[supervisord] environment` too.
    pub(super) env: Names,
    node_name: String,
    notices: RefCell<Vec<Notice>>,
    /// The option that was read last: the one that an error is about.
    last: RefCell<Option<Place>>,
    /// What names Python code is left out, instead of ending the reading.
    pub(super) skip_plugins: bool,
    /// Faults are gathered instead of ending the reading.
    gathers: bool,
    problems: RefCell<Vec<Problem>>,
    /// All processes with the names of their sections, where faults are gathered.
    seen: RefCell<Vec<(String, Program)>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(source: Source<'a>, host: &'a dyn Host, here: String) -> Context<'a> {
        let mut env = Names::default();
        env.environment(&host.environment());
        let Source { document, file } = source;
        Context {
            document,
            file,
            host,
            here,
            env,
            node_name: host.node_name(),
            notices: RefCell::default(),
            last: RefCell::default(),
            skip_plugins: false,
            gathers: false,
            problems: RefCell::default(),
            seen: RefCell::default(),
        }
    }

    /// The names of most options that belong to no program.
    pub(super) fn names_here(&self) -> Names {
        self.env.with("here", &self.here)
    }

    /// `ENV_x`, here, host_node_name.
    pub(super) fn names_host(&self) -> Names {
        self.names_here().with("host_node_name", &self.node_name)
    }

    /// Something doubtful about a section or one of its options: `line` for the activity log.
    pub(super) fn warn(&self, section: &Section, key: Option<&str>, line: String) {
        self.remark(section, key, &line.clone(), line);
    }

    /// The same in two wordings: `what` for those who read it beside file, line and key.
    pub(super) fn remark(&self, section: &Section, key: Option<&str>, what: &str, line: String) {
        self.notices.borrow_mut().push(Notice { level: NoticeLevel::Warn, text: line });
        self.note(section, key, what);
    }

    /// Ends the reading with the error; where faults are gathered, notes it and goes on.
    ///
    /// # Errors
    /// The error, unless faults are gathered.
    pub(super) fn tolerate(
        &self,
        section: &Section,
        error: ConfigError,
    ) -> Result<(), ConfigError> {
        if !self.gathers {
            return Err(error);
        }
        if !matches!(error, ConfigError::Noted) {
            let place = self.last.borrow().clone().filter(|place| error.is_about(&place.key));
            self.note(section, place.as_ref().map(|place| place.key.as_str()), &error.bare());
        }
        Ok(())
    }

    /// A section is about to be read: errors are about it, and not about what was read before.
    pub(super) fn enter(&self) {
        self.last.take();
    }

    /// What comes of one section; nothing, where faults are gathered and it has one.
    ///
    /// # Errors
    /// The fault, unless faults are gathered.
    pub(super) fn attempt<T>(
        &self,
        section: &Section,
        read: impl FnOnce() -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        match read() {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.tolerate(section, error).map(|()| None),
        }
    }

    pub(super) fn reader<'b>(&'b self, section: &'b Section) -> Reader<'b> {
        Reader { context: self, section, kind: table::Section::of(&section.name) }
    }

    /// The error with the place of the option that led to it.
    fn located(&self, error: ConfigError) -> ConfigError {
        match self.last.take() {
            Some(place) if error.is_about(&place.key) => {
                ConfigError::At { error: Box::new(error), place }
            }
            _ => error,
        }
    }
}

/// One section, read option by option.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    context: &'a Context<'a>,
    section: &'a Section,
    kind: Option<table::Section>,
}

impl<'a> Reader<'a> {
    /// The reader of the same section with the defaults of another kind.
    pub(super) fn of_kind(self, kind: table::Section) -> Reader<'a> {
        Reader { kind: Some(kind), ..self }
    }

    fn row(&self, key: &str) -> Option<&'static table::Row> {
        self.kind.and_then(|kind| table::row(kind, key))
    }

    /// The option as written, or its default; `None`: neither.
    pub(super) fn raw(&self, key: &str) -> Option<&'a str> {
        let written = self.written(key).map(|e| e.value.as_str());
        written.or_else(|| self.row(key)?.default)
    }

    /// The option, or the one that stands there under its other name.
    pub(super) fn written(&self, key: &str) -> Option<&'a Entry> {
        // What the section itself says, under whatever name, comes before what it inherits.
        let alias = self.row(key).and_then(|row| row.alias);
        let names = || [Some(key), alias].into_iter().flatten();
        let document = self.context.document;
        let own = names().find_map(|key| self.section.options.iter().find(|e| e.key == key));
        let entry = own.or_else(|| names().find_map(|key| document.entry(self.section, key)));
        *self.context.last.borrow_mut() = entry.map(|entry| Place {
            file: Arc::clone(&entry.file),
            line: entry.line,
            key: entry.key.clone(),
        });
        entry
    }

    /// The option or its default, expanded.
    pub(super) fn text(&self, key: &str, names: &Names) -> Result<Option<String>, ConfigError> {
        self.find(key, names, |text| Ok::<String, ConfigError>(text.to_owned()))
    }

    /// The same for an option whose absence means the empty text.
    pub(super) fn value(&self, key: &str, names: &Names) -> Result<String, ConfigError> {
        Ok(self.text(key, names)?.unwrap_or_default())
    }

    /// The option or its default, expanded and of its type; `None`: neither.
    pub(super) fn find<T, E: Into<ConfigError>>(
        &self,
        key: &str,
        names: &Names,
        convert: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        let read = || convert(&expand(raw, names, &self.place(key))?).map_err(Into::into);
        self.context.attempt(self.section, read)
    }

    /// The same for an option that must be there; `absent`: what to say where it is not.
    pub(super) fn need<T, E: Into<ConfigError>>(
        &self,
        key: &str,
        names: &Names,
        convert: impl Fn(&str) -> Result<T, E>,
        absent: impl FnOnce(String) -> ConfigError,
    ) -> Result<T, ConfigError> {
        match self.find(key, names, convert)? {
            Some(value) => Ok(value),
            None if self.raw(key).is_some() => Err(ConfigError::Noted),
            None => Err(absent(self.section.name.clone())),
        }
    }

    /// The same for an option that has a default.
    pub(super) fn get<T, E: Into<ConfigError>>(
        &self,
        key: &str,
        names: &Names,
        convert: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        match self.find(key, names, &convert)? {
            Some(value) => Ok(value),
            // Absent, or bad where faults are gathered.
            None => {
                let default = self.row(key).and_then(|row| row.default).unwrap_or_default();
                convert(default).map_err(Into::into)
            }
        }
    }

    /// How messages name the option.
    pub(super) fn place(&self, key: &str) -> String {
        let key = self.written(key).map_or(key, |entry| entry.key.as_str());
        format!("{}.{key}", self.section.name)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &'a Entry> {
        self.context.document.entries(self.section)
    }
}

/// Makes options of a document: the command line beats the file, the file beats the defaults.
///
/// # Errors
/// The first fault, in Supervisor's words where it has any.
pub fn load(
    source: Source<'_>,
    command_line: &CommandLine,
    host: &dyn Host,
) -> Result<Options, ConfigError> {
    let given = daemon::given(command_line, host)?;
    let here = here(host, source.file);
    let mut context = Context::new(source, host, here);
    read(&mut context, given).map_err(|error| context.located(error))
}

fn read(context: &mut Context<'_>, given: daemon::Overlay) -> Result<Options, ConfigError> {
    let document = context.document;
    let none = Section::absent("supervisord", context.file);
    let section = match document.section("supervisord") {
        Some(section) => section,
        None if context.gathers => {
            let error = ConfigError::NoSection("supervisord");
            context.add(Problem::of_file(context.file, 0, error));
            &none
        }
        None => return Err(ConfigError::NoSection("supervisord")),
    };
    unknown::warn(context);
    let mut file = daemon::read(context, section)?;
    let environment = file.environment.clone();
    context.env.environment(&environment);
    context.skip_plugins = file.skip_plugins;
    let rpc_interfaces = plugins::read(context)?;
    let groups = groups::read(context)?;
    let servers = servers::read(context)?;
    let server_url = servers::url(&servers).map(Arc::from);
    given.lay_over(&mut file);
    let supervisord = daemon::finish(context, section, file)?;
    let groups = groups
        .into_iter()
        .map(|group| finished(group, &environment, server_url.as_ref()))
        .collect();
    let notices = context.notices.take();
    Ok(Options { supervisord, servers, groups, rpc_interfaces, notices })
}

/// Checks the values of the command line alone, before any file is looked for.
///
/// # Errors
/// The first bad one.
pub fn check_command_line(line: &CommandLine, host: &dyn Host) -> Result<(), ConfigError> {
    daemon::given(line, host).map(drop)
}

/// The directory that `%(here)s` means in a file. Where it can't be told it stays relative: what
/// is made of it may not matter, and is refused if it does.
pub fn here(host: &dyn Host, file: &str) -> String {
    let relative = paths::join(".", paths::dirname(file));
    paths::absolute(host, &relative).unwrap_or(relative)
}

/// The patterns of `[include]`, each under the directory of the main file; `None` without that
/// section. Then `%(here)s` must be replaced as text in every file: [`Document::expand_here`].
///
/// # Errors
/// No `files`, or a text that cannot be expanded.
pub fn include_patterns(
    source: Source<'_>,
    host: &dyn Host,
) -> Result<Option<Vec<String>>, ConfigError> {
    let Some(section) = source.document.section("include") else {
        return Ok(None);
    };
    let context = Context::new(source, host, here(host, source.file));
    let files = context.reader(section).raw("files").ok_or(ConfigError::IncludeWithoutFiles)?;
    let files = expand(files, &context.names_host(), "include.files")?;
    let items = files.split(super::dialect::is_space).filter(|item| !item.is_empty());
    Ok(Some(items.map(|item| paths::join(&context.here, item)).collect()))
}

/// An environment with another one above it.
fn below(base: &[(String, String)], above: &[(String, String)]) -> Vec<(String, String)> {
    let mut merged = base.to_vec();
    for (key, value) in above {
        pairs::set(&mut merged, key, value);
    }
    merged
}

/// Lays the daemon's environment below that of each process, and gives it its server's URL.
fn finished(
    group: groups::Draft,
    environment: &[(String, String)],
    server_url: Option<&Arc<str>>,
) -> Arc<Group> {
    let finish = |mut program: Arc<Program>| {
        let process = Arc::make_mut(&mut program);
        process.environment = below(environment, &process.environment);
        process.server_url = match &process.configured_server_url {
            Some(url) if url.is_empty() => None,
            Some(url) => Some(url.clone()),
            None => server_url.cloned(),
        };
        program
    };
    let groups::Draft { name, priority, kind, processes, .. } = group;
    let processes = processes.into_iter().map(finish).collect();
    Arc::new(Group { name, priority, kind, processes })
}

#[cfg(test)]
mod tests;
