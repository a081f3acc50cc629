//! `[program:x]`: from one section to its processes.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use super::{Context, Reader, groups};
use crate::config::document::Section;
use crate::config::error::ConfigError;
use crate::config::expand::{Names, expand, expand_marked};
use crate::config::host;
use crate::config::options::{
    Autorestart, Channel, ChildLog, Program, RestartPolicy, Retries, User,
};
use crate::config::pairs::{lost_quotes, pairs};
use crate::config::paths::{ChildLogfile, child_logfile};
use crate::config::table;
use crate::config::values;

/// A bound against slips of the keyboard: each process takes memory before any is started.
const MOST_PROCESSES: i64 = 100_000;

/// The processes of a program, by name.
///
/// # Errors
/// Each names the section and the file in which it first appeared.
pub(super) fn read(
    context: &Context<'_>,
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
    context: &Context<'_>,
    section: &Section,
    group: &str,
) -> Result<Vec<Program>, ConfigError> {
    let name = section.name.split_once(':').map_or("", |(_, name)| name);
    context.enter();
    let name = values::name(name)?;
    groups::warn_of_empty(context, section, &name);
    let mut names = context.names_host().with("program_name", &name);
    names.text("group_name", group);
    // What these sections share has the defaults of a program, in whatever section it stands.
    let reader = context.reader(section).of_kind(table::Section::Program);
    let common = Common::read(context, reader, &names)?;
    let mut out = Vec::new();
    let (first, count) = (common.numprocs_start, common.numprocs);
    names.number("numprocs", count);
    for number in first..first.saturating_add(count.max(0)) {
        names.number("process_num", number);
        names.uncover_environment();
        let (program, notices) = common.process(context, reader, &mut names)?;
        for (key, text) in notices {
            context.remark(section, Some(&key), &text, format!("For [{}], {text}", section.name));
        }
        out.push(program);
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

/// Said of an "environment" that 4.3.0 would refuse.
pub(super) const LOST_QUOTES: &str = "an expansion in environment holds quotes like those around it, \
                                      which are left out; the other kind of quotes around it \
                                      would keep them";

/// An option, and what there is to warn of about it.
type Remark = (String, String);

fn restart_policy(reader: Reader<'_>, names: &Names) -> Result<RestartPolicy, ConfigError> {
    let seconds = |key: &str| reader.find(key, names, values::seconds);
    Ok(RestartPolicy {
        backoff: reader.get("restart_backoff", names, values::backoff)?,
        delay_min: seconds("restart_delay_min")?,
        delay_max: seconds("restart_delay_max")?,
        reset: seconds("restart_reset_secs")?,
        limit: reader.find("restart_limit", names, values::restart_limit)?,
    })
}

/// What all processes of a program share.
struct Common {
    priority: i64,
    autostart: bool,
    autorestart: Autorestart,
    startsecs: i64,
    startretries: Retries,
    restart: RestartPolicy,
    stopsignal: i32,
    stopwaitsecs: i64,
    stopasgroup: bool,
    killasgroup: bool,
    exitcodes: Vec<i32>,
    setsid: bool,
    drain_timeout: Duration,
    redirect_stderr: bool,
    numprocs: i64,
    numprocs_start: i64,
    capture_maxbytes: [i64; 2],
    events_enabled: [bool; 2],
    serverurl: Option<Arc<str>>,
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
        let integer = |key: &str| reader.get(key, names, values::integer);
        let boolean = |key: &str| reader.get(key, names, values::boolean);
        let bytes = |key: &str| reader.get(key, names, values::byte_size);
        let priority = integer("priority")?;
        let autostart = boolean("autostart")?;
        let autorestart = reader.get("autorestart", names, values::autorestart)?;
        let startsecs = integer("startsecs")?;
        let startretries = reader.get("startretries", names, values::retries)?;
        let restart = restart_policy(reader, names)?;
        let stopsignal = reader.get("stopsignal", names, values::signal)?;
        let stopwaitsecs = integer("stopwaitsecs")?;
        let stopasgroup = boolean("stopasgroup")?;
        let killasgroup = reader.find("killasgroup", names, values::boolean)?;
        let exitcodes = reader.get("exitcodes", names, values::exit_codes)?;
        let drain_timeout = reader.get("drain_timeout", names, values::seconds)?;
        let setsid = boolean("setsid")?;
        let redirect_stderr = boolean("redirect_stderr")?;
        let numprocs = integer("numprocs")?;
        let numprocs_start = integer("numprocs_start")?;
        let (out_bytes, out_events) =
            (bytes("stdout_capture_maxbytes")?, boolean("stdout_events_enabled")?);
        let (err_bytes, err_events) =
            (bytes("stderr_capture_maxbytes")?, boolean("stderr_events_enabled")?);
        let serverurl = reader.text("serverurl", names)?;
        let auto = |url: &str| url.trim().eq_ignore_ascii_case("auto");
        let user = reader.find("user", names, |text| host::user(context.host, text))?;
        let umask = reader.find("umask", names, values::octal)?;
        // Not expanded yet: that is done for each process.
        let name = reader.raw("process_name").unwrap_or_default();
        let process_name = context.attempt(reader.section, || Ok(values::name(name)?))?;
        let process_name = process_name.unwrap_or_else(|| name.to_owned());
        let common = Common {
            priority,
            autostart,
            autorestart,
            startsecs,
            startretries,
            restart,
            stopsignal,
            stopwaitsecs,
            stopasgroup,
            killasgroup: killasgroup.unwrap_or(stopasgroup),
            exitcodes,
            setsid,
            drain_timeout,
            redirect_stderr,
            numprocs,
            numprocs_start,
            capture_maxbytes: [out_bytes, err_bytes],
            events_enabled: [out_events, err_events],
            serverurl: serverurl.filter(|url| !auto(url)).map(Arc::from),
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
    ) -> Result<(Program, Vec<Remark>), ConfigError> {
        let raw = reader.raw("environment").unwrap_or_default();
        let read = context.attempt(reader.section, || {
            let (text, inserted) = expand_marked(raw, names, "environment")?;
            Ok((pairs(&text)?, lost_quotes(&text, &inserted)))
        })?;
        let (environment, lost) = read.unwrap_or_default();
        names.variables(&environment);
        let names = &*names;
        let directory = reader.text("directory", names)?;
        let mut notices = Vec::new();
        if lost {
            notices.push(("environment".to_owned(), LOST_QUOTES.to_owned()));
        }
        let (stdout, _) = self.channel(context, reader, names, "stdout", &mut notices)?;
        let (mut stderr, named) = self.channel(context, reader, names, "stderr", &mut notices)?;
        if self.redirect_stderr {
            if named {
                let text = "redirect_stderr=true but stderr_logfile has also been set to a \
                            filename, the filename has been ignored";
                notices.push(("stderr_logfile".to_owned(), text.to_owned()));
            }
            stderr.logfile = ChildLog::None;
        }
        let text = |text: &str| Ok::<String, ConfigError>(text.to_owned());
        let command = reader.need("command", names, text, ConfigError::NoCommand)?;
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
            restart: self.restart.clone(),
            exitcodes: self.exitcodes.clone(),
            stopsignal: self.stopsignal,
            stopwaitsecs: self.stopwaitsecs,
            stopasgroup: self.stopasgroup,
            killasgroup: self.killasgroup,
            setsid: self.setsid,
            drain_timeout: self.drain_timeout,
            redirect_stderr: self.redirect_stderr,
            stdout,
            stderr,
            environment,
            server_url: None,
            configured_server_url: self.serverurl.clone(),
            socket: None,
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
        notices: &mut Vec<Remark>,
    ) -> Result<(Channel, bool), ConfigError> {
        let key = |end: &str| format!("{channel}_{end}");
        // Twice: files in use write `%%%%` for one `%` here.
        let target = reader.get(&key("logfile"), names, |logfile| {
            let logfile = expand(logfile, names, &key("logfile"))?;
            Ok::<_, ConfigError>(child_logfile(context.host, &logfile)?)
        })?;
        let backups = reader.get(&key("logfile_backups"), names, values::integer)?;
        let maxbytes = reader.get(&key("logfile_maxbytes"), names, values::byte_size)?;
        let mut syslog = reader.get(&key("syslog"), names, values::boolean)?;
        let logfile = match target {
            ChildLogfile::Place(place) => place,
            ChildLogfile::Syslog => {
                let text = format!(
                    "{channel}_logfile=syslog but this is deprecated and will be removed.  Use \
                     {channel}_syslog=true to enable syslog instead."
                );
                notices.push((key("logfile"), text));
                syslog = true;
                ChildLog::None
            }
        };
        if logfile == ChildLog::Auto && maxbytes == 0 {
            let text = format!(
                "AUTO logging used for {channel}_logfile without rollover, set maxbytes > 0 to \
                 avoid filling up filesystem unintentionally"
            );
            notices.push((key("logfile_maxbytes"), text));
        }
        let side = usize::from(channel == "stderr");
        let named = matches!(logfile, ChildLog::File(_) | ChildLog::Empty);
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
