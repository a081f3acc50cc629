//! `[program:x]`: from one section to its processes.
#![forbid(unsafe_code)]

use super::{Context, Reader, groups};
use crate::config::document::Section;
use crate::config::error::ConfigError;
use crate::config::expand::{Names, expand};
use crate::config::host;
use crate::config::options::{Autorestart, Channel, ChildLog, Program, User};
use crate::config::pairs::pairs;
use crate::config::paths::{ChildLogfile, child_logfile};
use crate::config::values;

/// A bound against slips of the keyboard: each process takes memory before any is started.
const MOST_PROCESSES: i64 = 100_000;

/// The processes of a program, by name.
///
/// # Errors
/// Each names the section and the file in which it first appeared.
pub(super) fn read(
    context: &mut Context<'_>,
    section: &Section,
    group: &str,
) -> Result<Vec<Program>, ConfigError> {
    processes(context, section, group).map_err(|error| ConfigError::InProgram {
        error: Box::new(error),
        section: section.name.clone(),
        file: section.file.to_string(),
    })
}

fn processes(
    context: &mut Context<'_>,
    section: &Section,
    group: &str,
) -> Result<Vec<Program>, ConfigError> {
    let name = section.name.split_once(':').map_or("", |(_, name)| name);
    let name = values::name(name)?;
    groups::warn_of_empty(context, section, &name);
    let mut names = context.names_host().with("program_name", &name);
    names.text("group_name", group);
    let reader = context.reader(section);
    let common = Common::read(context, reader, &names)?;
    let mut out = Vec::new();
    let (first, count) = (common.numprocs_start, common.numprocs);
    names.number("numprocs", count);
    for number in first..first.saturating_add(count.max(0)) {
        names.number("process_num", number);
        names.uncover_environment();
        let (program, notices) = common.process(context, reader, &mut names)?;
        notices
            .into_iter()
            .for_each(|text| context.warn(format!("For [{}], {text}", section.name)));
        out.push(program);
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

/// What all processes of a program share.
struct Common {
    priority: i64,
    autostart: bool,
    autorestart: Autorestart,
    startsecs: i64,
    startretries: i64,
    stopsignal: i32,
    stopwaitsecs: i64,
    stopasgroup: bool,
    killasgroup: bool,
    exitcodes: Vec<i32>,
    redirect_stderr: bool,
    numprocs: i64,
    numprocs_start: i64,
    capture_maxbytes: [i64; 2],
    events_enabled: [bool; 2],
    serverurl: Option<String>,
    user: Option<User>,
    umask: Option<u32>,
    process_name: String,
}

impl Common {
    fn read(
        context: &Context<'_>,
        reader: Reader<'_>,
        names: &Names,
    ) -> Result<Common, ConfigError> {
        let value = |key: &str| reader.value(key, names);
        let integer = |key: &str| Ok::<i64, ConfigError>(values::integer(&value(key)?)?);
        let boolean = |key: &str| Ok::<bool, ConfigError>(values::boolean(&value(key)?)?);
        let bytes = |key: &str| Ok::<i64, ConfigError>(values::byte_size(&value(key)?)?);
        let priority = integer("priority")?;
        let autostart = boolean("autostart")?;
        let autorestart = values::autorestart(&value("autorestart")?)?;
        let startsecs = integer("startsecs")?;
        let startretries = integer("startretries")?;
        let stopsignal = values::signal(&value("stopsignal")?)?;
        let stopwaitsecs = integer("stopwaitsecs")?;
        let stopasgroup = boolean("stopasgroup")?;
        let killasgroup = match reader.text("killasgroup", names)? {
            Some(text) => values::boolean(&text)?,
            None => stopasgroup,
        };
        let exitcodes = values::exit_codes(&value("exitcodes")?)?;
        let redirect_stderr = boolean("redirect_stderr")?;
        let numprocs = integer("numprocs")?;
        let numprocs_start = integer("numprocs_start")?;
        let (out_bytes, out_events) =
            (bytes("stdout_capture_maxbytes")?, boolean("stdout_events_enabled")?);
        let (err_bytes, err_events) =
            (bytes("stderr_capture_maxbytes")?, boolean("stderr_events_enabled")?);
        let serverurl = reader.text("serverurl", names)?;
        let auto = |url: &str| url.trim().eq_ignore_ascii_case("auto");
        let user = match reader.text("user", names)? {
            Some(text) => Some(host::user(context.host, &text)?),
            None => None,
        };
        let umask = match reader.text("umask", names)? {
            Some(text) => Some(values::octal(&text)?),
            None => None,
        };
        let process_name = values::name(reader.raw("process_name").unwrap_or_default())?;
        let common = Common {
            priority,
            autostart,
            autorestart,
            startsecs,
            startretries,
            stopsignal,
            stopwaitsecs,
            stopasgroup,
            killasgroup,
            exitcodes,
            redirect_stderr,
            numprocs,
            numprocs_start,
            capture_maxbytes: [out_bytes, err_bytes],
            events_enabled: [out_events, err_events],
            serverurl: serverurl.filter(|url| !auto(url)),
            user,
            umask,
            process_name,
        };
        common.checked()
    }

    fn checked(self) -> Result<Common, ConfigError> {
        if self.numprocs > 1 && !self.process_name.contains("%(process_num)") {
            return Err(ConfigError::NoProcessNum);
        }
        if self.stopasgroup && !self.killasgroup {
            return Err(ConfigError::StopWithoutKill);
        }
        if self.numprocs > MOST_PROCESSES {
            return Err(ConfigError::TooManyProcesses(MOST_PROCESSES));
        }
        Ok(self)
    }

    /// One process, and what there is to warn of. Its own variables join the names, for the
    /// options that are read after them.
    fn process(
        &self,
        context: &Context<'_>,
        reader: Reader<'_>,
        names: &mut Names,
    ) -> Result<(Program, Vec<String>), ConfigError> {
        let environment =
            expand(reader.raw("environment").unwrap_or_default(), names, "environment")?;
        let environment = pairs(&environment)?;
        names.variables(&environment);
        let names = &*names;
        let directory = reader.text("directory", names)?;
        let mut notices = Vec::new();
        let (stdout, _) = self.channel(context, reader, names, "stdout", &mut notices)?;
        let (mut stderr, named) = self.channel(context, reader, names, "stderr", &mut notices)?;
        if self.redirect_stderr {
            if named {
                notices.push(
                    "redirect_stderr=true but stderr_logfile has also been set to a filename, \
                     the filename has been ignored"
                        .to_owned(),
                );
            }
            stderr.logfile = ChildLog::None;
        }
        let command = reader.text("command", names)?;
        let command = command.ok_or_else(|| ConfigError::NoCommand(reader.section.name.clone()))?;
        let program = Program {
            name: expand(&self.process_name, names, "process_name")?,
            command,
            directory,
            umask: self.umask,
            user: self.user.clone(),
            priority: self.priority,
            autostart: self.autostart,
            autorestart: self.autorestart,
            startsecs: self.startsecs,
            startretries: self.startretries,
            exitcodes: self.exitcodes.clone(),
            stopsignal: self.stopsignal,
            stopwaitsecs: self.stopwaitsecs,
            stopasgroup: self.stopasgroup,
            killasgroup: self.killasgroup,
            redirect_stderr: self.redirect_stderr,
            stdout,
            stderr,
            environment,
            server_url: None,
            configured_server_url: self.serverurl.clone(),
        };
        Ok((program, notices))
    }

    /// The options of one output, and whether its log was set to a file name.
    fn channel(
        &self,
        context: &Context<'_>,
        reader: Reader<'_>,
        names: &Names,
        channel: &str,
        notices: &mut Vec<String>,
    ) -> Result<(Channel, bool), ConfigError> {
        let key = |end: &str| format!("{channel}_{end}");
        let value = |end: &str| reader.value(&key(end), names);
        // Twice: files in use write `%%%%` for one `%` here.
        let logfile = expand(&value("logfile")?, names, &key("logfile"))?;
        let target = child_logfile(context.host, &logfile)?;
        let backups = values::integer(&value("logfile_backups")?)?;
        let maxbytes = values::byte_size(&value("logfile_maxbytes")?)?;
        let mut syslog = values::boolean(&value("syslog")?)?;
        let logfile = match target {
            ChildLogfile::Place(place) => place,
            ChildLogfile::Syslog => {
                notices.push(format!(
                    "{channel}_logfile=syslog but this is deprecated and will be removed.  Use \
                     {channel}_syslog=true to enable syslog instead."
                ));
                syslog = true;
                ChildLog::None
            }
        };
        if logfile == ChildLog::Auto && maxbytes == 0 {
            notices.push(format!(
                "AUTO logging used for {channel}_logfile without rollover, set maxbytes > 0 to \
                 avoid filling up filesystem unintentionally"
            ));
        }
        let side = usize::from(channel == "stderr");
        let named = matches!(logfile, ChildLog::File(_));
        let channel = Channel {
            logfile,
            maxbytes,
            backups,
            capture_maxbytes: self.capture_maxbytes.get(side).copied().unwrap_or(0),
            events_enabled: self.events_enabled.get(side).copied().unwrap_or(false),
            syslog,
        };
        Ok((channel, named))
    }
}
