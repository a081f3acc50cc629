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

mod ctl;
mod daemon;
mod groups;
mod plugins;
mod programs;
mod servers;
mod unknown;

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
}

impl<'a> Context<'a> {
    pub(super) fn new(source: Source<'a>, host: &'a dyn Host, here: String) -> Context<'a> {
        let mut env = Names::default();
        env.environment(&host.environment());
        let Source { document, file } = source;
        let node_name = host.node_name();
        let (notices, last) = (RefCell::default(), RefCell::default());
        Context { document, file, host, here, env, node_name, notices, last }
    }

    /// The names of most options that belong to no program.
    pub(super) fn names_here(&self) -> Names {
        self.env.with("here", &self.here)
    }

    /// `ENV_x`, here, host_node_name.
    pub(super) fn names_host(&self) -> Names {
        self.names_here().with("host_node_name", &self.node_name)
    }

    pub(super) fn warn(&self, text: String) {
        self.notices.borrow_mut().push(Notice { level: NoticeLevel::Warn, text });
    }

    pub(super) fn reader<'b>(&'b self, section: &'b Section) -> Reader<'b> {
        let kind = table::Section::of(&section.name);
        Reader { document: self.document, section, kind, last: &self.last }
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
    document: &'a Document,
    section: &'a Section,
    kind: Option<table::Section>,
    last: &'a RefCell<Option<Place>>,
}

impl<'a> Reader<'a> {
    /// The option as written, or its default; `None`: neither.
    pub(super) fn raw(&self, key: &str) -> Option<&'a str> {
        let written = self.written(key).map(|e| e.value.as_str());
        written.or_else(|| self.kind.and_then(|kind| table::row(kind, key))?.default)
    }

    pub(super) fn written(&self, key: &str) -> Option<&'a Entry> {
        let entry = self.document.entry(self.section, key);
        *self.last.borrow_mut() = entry.map(|entry| Place {
            file: Arc::clone(&entry.file),
            line: entry.line,
            key: entry.key.clone(),
        });
        entry
    }

    /// The option or its default, expanded.
    pub(super) fn text(&self, key: &str, names: &Names) -> Result<Option<String>, ConfigError> {
        let Some(raw) = self.raw(key) else {
            return Ok(None);
        };
        Ok(Some(expand(raw, names, &self.place(key))?))
    }

    /// The same for an option whose absence means the empty text.
    pub(super) fn value(&self, key: &str, names: &Names) -> Result<String, ConfigError> {
        Ok(self.text(key, names)?.unwrap_or_default())
    }

    /// How messages name the option.
    pub(super) fn place(&self, key: &str) -> String {
        format!("{}.{key}", self.section.name)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &'a Entry> {
        self.document.entries(self.section)
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
    let section = document.section("supervisord").ok_or(ConfigError::NoSection("supervisord"))?;
    unknown::warn(context);
    let mut file = daemon::read(context, section)?;
    let environment = file.environment.clone();
    context.env.environment(&environment);
    let rpc_interfaces = plugins::read(context, file.skip_plugins)?;
    let groups = groups::read(context)?;
    let servers = servers::read(context)?;
    let server_url = servers::url(&servers);
    given.lay_over(&mut file);
    let supervisord = daemon::finish(context, file)?;
    let groups = groups
        .into_iter()
        .map(|group| finished(group, &environment, server_url.as_deref()))
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

/// The directory that `%(here)s` means in a file.
pub fn here(host: &dyn Host, file: &str) -> String {
    paths::absolute(host, paths::dirname(file))
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

/// Lays the daemon's environment below that of each process, and gives it its server's URL.
fn finished(
    group: groups::Draft,
    environment: &[(String, String)],
    server_url: Option<&str>,
) -> Arc<Group> {
    let finish = |mut program: Program| {
        let mut merged = environment.to_vec();
        for (key, value) in &program.environment {
            pairs::set(&mut merged, key, value);
        }
        program.environment = merged;
        program.server_url = match &program.configured_server_url {
            Some(url) if url.is_empty() => None,
            Some(url) => Some(url.clone()),
            None => server_url.map(str::to_owned),
        };
        Arc::new(program)
    };
    let groups::Draft { name, priority, processes } = group;
    Arc::new(Group { name, priority, processes: processes.into_iter().map(finish).collect() })
}

#[cfg(test)]
mod tests;
