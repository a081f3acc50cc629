//! `[supervisord]`, and the command line over it.
#![forbid(unsafe_code)]

use super::Context;
use super::programs::LOST_QUOTES;
use crate::config::command_line::{CommandLine, Given};
use crate::config::document::Section;
use crate::config::error::ConfigError;
use crate::config::expand::{Names, expand, expand_marked};
use crate::config::host::{self, Host};
use crate::config::options::{LogLevel, MainLog, OnLeftover, Supervisord};
use crate::config::pairs::{lost_quotes, pairs};
use crate::config::paths::{absolute, existing_directory, existing_dirpath, normalized};
use crate::config::values::{self, ValueError};

/// `[supervisord]` before the user is looked up and paths become absolute: what is not the
/// winning value need not exist.
pub(super) struct Draft {
    logfile: String,
    logfile_maxbytes: i64,
    logfile_backups: i64,
    loglevel: LogLevel,
    pidfile: String,
    umask: u32,
    nodaemon: bool,
    silent: bool,
    minfds: i64,
    minprocs: i64,
    nocleanup: bool,
    childlogdir: String,
    user: Option<String>,
    /// How the command line spelled the option, where the user is its own.
    user_spelling: Option<String>,
    directory: Option<String>,
    strip_ansi: bool,
    identifier: String,
    on_leftover: OnLeftover,
    state_file: Option<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) skip_plugins: bool,
}

/// The command line's values, each of its type.
pub(super) struct Overlay {
    flags: [bool; 4],
    user: Option<Given>,
    umask: Option<u32>,
    directory: Option<String>,
    logfile: Option<String>,
    logfile_maxbytes: Option<i64>,
    logfile_backups: Option<i64>,
    loglevel: Option<LogLevel>,
    pidfile: Option<String>,
    identifier: Option<String>,
    childlogdir: Option<String>,
    minfds: Option<i64>,
    minprocs: Option<i64>,
}

/// Reads the command line's values.
pub(super) fn given(line: &CommandLine, host: &dyn Host) -> Result<Overlay, ConfigError> {
    let text = |given: &Option<Given>| given.as_ref().map(|g| g.text.clone());
    let directory = |text: &str| existing_directory(host, text);
    let dirpath = |text: &str| existing_dirpath(host, text);
    Ok(Overlay {
        flags: [line.nodaemon, line.silent, line.nocleanup, line.strip_ansi],
        user: line.user.clone(),
        umask: typed(&line.umask, values::octal)?,
        directory: typed(&line.directory, directory)?,
        logfile: typed(&line.logfile, dirpath)?,
        logfile_maxbytes: typed(&line.logfile_maxbytes, values::byte_size)?,
        logfile_backups: typed(&line.logfile_backups, values::integer)?,
        loglevel: typed(&line.loglevel, values::log_level)?,
        pidfile: typed(&line.pidfile, dirpath)?,
        identifier: text(&line.identifier),
        childlogdir: typed(&line.childlogdir, directory)?,
        minfds: typed(&line.minfds, values::integer)?,
        minprocs: typed(&line.minprocs, values::integer)?,
    })
}

fn typed<T>(
    given: &Option<Given>,
    convert: impl Fn(&str) -> Result<T, ValueError>,
) -> Result<Option<T>, ConfigError> {
    let Some(Given { spelling, text }) = given else {
        return Ok(None);
    };
    convert(text).map(Some).map_err(|error| ConfigError::CommandLine {
        spelling: spelling.clone(),
        text: text.clone(),
        error,
    })
}

impl Overlay {
    /// Lays the values over those of the file.
    pub(super) fn lay_over(self, draft: &mut Draft) {
        let [nodaemon, silent, nocleanup, strip_ansi] = self.flags;
        draft.nodaemon |= nodaemon;
        draft.silent |= silent;
        draft.nocleanup |= nocleanup;
        draft.strip_ansi |= strip_ansi;
        if let Some(Given { spelling, text }) = self.user {
            draft.user = Some(text);
            draft.user_spelling = Some(spelling);
        }
        draft.directory = self.directory.or(draft.directory.take());
        put(&mut draft.umask, self.umask);
        put(&mut draft.logfile, self.logfile);
        put(&mut draft.logfile_maxbytes, self.logfile_maxbytes);
        put(&mut draft.logfile_backups, self.logfile_backups);
        put(&mut draft.loglevel, self.loglevel);
        put(&mut draft.pidfile, self.pidfile);
        put(&mut draft.identifier, self.identifier);
        put(&mut draft.childlogdir, self.childlogdir);
        put(&mut draft.minfds, self.minfds);
        put(&mut draft.minprocs, self.minprocs);
    }
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Reads the section.
pub(super) fn read(context: &Context<'_>, section: &Section) -> Result<Draft, ConfigError> {
    let reader = context.reader(section);
    let names = context.names_here();
    let host = context.host;
    let boolean = |key: &str| reader.get(key, &names, values::boolean);
    let integer = |key: &str| reader.get(key, &names, values::integer);
    let directory = |text: &str| existing_directory(host, text);
    let dirpath = |text: &str| existing_dirpath(host, text);
    let minfds = integer("minfds")?;
    let minprocs = integer("minprocs")?;
    let working_directory = reader.find("directory", &names, directory)?;
    let user = reader.text("user", &names)?;
    let umask = reader.get("umask", &names, values::octal)?;
    let logfile = reader.get("logfile", &names, dirpath)?;
    let logfile_maxbytes = reader.get("logfile_maxbytes", &names, values::byte_size)?;
    let logfile_backups = integer("logfile_backups")?;
    let loglevel = reader.get("loglevel", &names, values::log_level)?;
    let pidfile = reader.get("pidfile", &names, dirpath)?;
    let identifier = reader.value("identifier", &names)?;
    let nodaemon = boolean("nodaemon")?;
    let silent = boolean("silent")?;
    let childlogdir = reader.find("childlogdir", &names, directory)?;
    let childlogdir = childlogdir.unwrap_or_else(|| host.temp_dir());
    let nocleanup = boolean("nocleanup")?;
    let strip_ansi = boolean("strip_ansi")?;
    let on_leftover = reader.get("on_leftover", &names, values::on_leftover)?;
    let state_file = reader.find("state_file", &names, dirpath)?;
    let skip_plugins = boolean("skip_unloadable_plugins")?;
    let raw = reader.raw("environment").unwrap_or_default();
    let place = reader.place("environment");
    let environment =
        context.attempt(section, || environment(raw, &context.names_host(), &place))?;
    let (environment, lost) = environment.unwrap_or_default();
    if lost {
        let line = format!("For [{}], {LOST_QUOTES}", section.name);
        context.remark(section, Some("environment"), LOST_QUOTES, line);
    }
    Ok(Draft {
        logfile,
        logfile_maxbytes,
        logfile_backups,
        loglevel,
        pidfile,
        umask,
        nodaemon,
        silent,
        minfds,
        minprocs,
        nocleanup,
        childlogdir,
        user,
        user_spelling: None,
        directory: working_directory,
        strip_ansi,
        identifier,
        on_leftover,
        state_file,
        environment,
        skip_plugins,
    })
}

/// Expanded once, as 4.4 does. 4.3.0 did it twice, so files in use write `%%%%` for one `%`:
/// where that can be meant and the second time succeeds, it is done. With the pairs comes whether
/// quotes were lost.
fn environment(
    raw: &str,
    names: &Names,
    place: &str,
) -> Result<(Vec<(String, String)>, bool), ConfigError> {
    let (once, inserted) = expand_marked(raw, names, place)?;
    Ok(match expand(&once, names, place) {
        Ok(twice) if raw.contains("%%%%") => (pairs(&twice)?, false),
        _ => (pairs(&once)?, lost_quotes(&once, &inserted)),
    })
}

/// Looks up the user and makes the paths absolute.
pub(super) fn finish(
    context: &Context<'_>,
    section: &Section,
    draft: Draft,
) -> Result<Supervisord, ConfigError> {
    let host = context.host;
    // The error is about this option, or about none of the file.
    context.reader(section).written(if draft.user_spelling.is_none() { "user" } else { "" });
    let find = |user: &String| host::user(host, user).map_err(ConfigError::from);
    let user = match (&draft.user, &draft.user_spelling) {
        (None, _) => None,
        (Some(user), None) => context.attempt(section, || find(user))?,
        (Some(user), Some(spelling)) => context.attempt_given(spelling, || find(user))?,
    };
    let logfile = match draft.logfile.as_str() {
        "syslog" => MainLog::Syslog,
        path => MainLog::File(normalized(host, path)?),
    };
    let pidfile = normalized(host, &draft.pidfile)?;
    let state_file = match &draft.state_file {
        Some(path) => normalized(host, path)?,
        None => format!("{pidfile}.children"),
    };
    Ok(Supervisord {
        logfile,
        logfile_maxbytes: draft.logfile_maxbytes,
        logfile_backups: draft.logfile_backups,
        loglevel: draft.loglevel,
        pidfile,
        umask: draft.umask,
        nodaemon: draft.nodaemon,
        silent: draft.silent,
        minfds: draft.minfds,
        minprocs: draft.minprocs,
        nocleanup: draft.nocleanup,
        childlogdir: absolute(host, &draft.childlogdir)?,
        user,
        directory: draft.directory,
        strip_ansi: draft.strip_ansi,
        environment: draft.environment,
        identifier: draft.identifier,
        on_leftover: draft.on_leftover,
        state_file,
        config_file: absolute(host, context.file)?,
    })
}
