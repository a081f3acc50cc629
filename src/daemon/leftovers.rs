//! Programs that an earlier daemon has left running: what `on_leftover` says of them, before
//! anything is started.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::config::options::{LogLevel, OnLeftover, Supervisord};
use crate::log::activity::Logger;
use crate::sys::leftovers::{self, Doubtful, Found, Leftover};
use crate::sys::state_file::{Entry, StateFile};

/// Why there is no start.
#[derive(Debug)]
pub enum Refused {
    /// The state file can't be had.
    File(String),
    /// Programs run and that is not wanted, or they could not be ended.
    Running(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::File(why) | Refused::Running(why) => f.write_str(why),
        }
    }
}

/// Takes the state file, if there is to be one, and sees to the programs that it tells of.
///
/// # Errors
/// See [`Refused`].
pub fn take(main: &Supervisord, logger: &Logger) -> Result<Option<Arc<StateFile>>, Refused> {
    if main.on_leftover == OnLeftover::Ignore {
        return Ok(None);
    }
    let path = &main.state_file;
    let failed = |why: &dyn fmt::Display| {
        Refused::File(format!("could not use the state file {path}: {why}"))
    };
    let (file, entries) = StateFile::open(Path::new(path)).map_err(|why| failed(&why))?;
    let found = leftovers::still_running(entries);
    match main.on_leftover {
        OnLeftover::Ignore => {}
        OnLeftover::Fail => refuse(&found, path).map_err(Refused::Running)?,
        OnLeftover::Kill => end(found, logger).map_err(Refused::Running)?,
    }
    file.begin().map_err(|error| failed(&error))?;
    Ok(Some(Arc::new(file)))
}

fn refuse(found: &Found, state_file: &str) -> Result<(), String> {
    let Found { ours, doubtful } = found;
    let mut reasons = Vec::new();
    if !ours.is_empty() {
        reasons.push(format!(
            "{} of an earlier supervisord: {}; stop them ({}), or set on_leftover=kill to have \
             that done at start",
            still_run(ours.len()),
            listed(ours),
            kill_command(ours.iter().map(|left| &left.entry)),
        ));
    }
    reasons.extend(doubtful.iter().map(|Doubtful { entry, pids }| {
        let Entry { name, pid, .. } = entry;
        format!(
            "process group {pid} still runs with {} and may be that of {name} of an earlier \
             supervisord, or a later one: stop it ({}), or remove {state_file} if it is another's",
            numbered(pids),
            kill_command([entry]),
        )
    }));
    if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
}

fn end(found: Found, logger: &Logger) -> Result<(), String> {
    let warn = |line: fmt::Arguments<'_>| logger.log(LogLevel::Warn, line);
    for Doubtful { entry: Entry { name, pid, .. }, pids } in &found.doubtful {
        warn(format_args!(
            "process group {pid} still runs with {} and may be that of '{name}' of an earlier \
             supervisord, or a later one: it is left alone",
            numbered(pids)
        ));
    }
    let left = found.ours;
    if left.is_empty() {
        return Ok(());
    }
    for Leftover { entry: Entry { pid, name, .. }, orphans, .. } in &left {
        if orphans.is_empty() {
            warn(format_args!(
                "'{name}' of an earlier supervisord still runs with pid {pid}: it is stopped with \
                 its process group"
            ));
        } else {
            warn(format_args!(
                "'{name}' of an earlier supervisord has ended, but its process group {pid} still \
                 runs with {}: it is stopped",
                numbered(orphans)
            ));
        }
    }
    let mut killed = |Entry { pid, name, .. }: &Entry| {
        warn(format_args!("killing '{name}' ({pid}) with SIGKILL: it did not obey"));
    };
    leftovers::end(left, &mut killed).map_err(|left| {
        let run = still_run(left.len());
        format!("{run} of an earlier supervisord even after SIGKILL: {}", listed(&left))
    })?;
    logger.log(LogLevel::Info, "all that an earlier supervisord has left has ended");
    Ok(())
}

/// What a user can type to stop them with their groups.
fn kill_command<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    entries
        .into_iter()
        .fold("kill --".to_owned(), |command, entry| format!("{command} -{}", entry.pid))
}

/// `pid 4`, `pids 4, 5`.
fn numbered(pids: &[i32]) -> String {
    let all: Vec<String> = pids.iter().map(i32::to_string).collect();
    format!("{} {}", if pids.len() == 1 { "pid" } else { "pids" }, all.join(", "))
}

fn still_run(number: usize) -> String {
    if number == 1 {
        "1 process still runs".to_owned()
    } else {
        format!("{number} processes still run")
    }
}

fn listed(left: &[Leftover]) -> String {
    let named = left.iter().map(|Leftover { entry: Entry { name, pid, .. }, orphans, .. }| {
        let what = if orphans.is_empty() { "pid" } else { "process group" };
        format!("{name} ({what} {pid})")
    });
    named.collect::<Vec<_>>().join(", ")
}
