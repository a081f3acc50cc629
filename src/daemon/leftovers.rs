//! Programs that an earlier daemon has left running: what `on_leftover` says of them, before
//! anything is started.

use std::path::Path;
use std::sync::Arc;

use crate::config::options::{LogLevel, OnLeftover, Supervisord};
use crate::log::activity::Logger;
use crate::sys::leftovers::{self, Leftover};
use crate::sys::state_file::{Entry, StateFile};

/// Takes the state file, if there is to be one, and sees to the programs that it tells of.
///
/// # Errors
/// The file can't be had; programs run and that is not wanted, or they could not be ended.
pub fn take(main: &Supervisord, logger: &Logger) -> Result<Option<Arc<StateFile>>, String> {
    if main.on_leftover == OnLeftover::Ignore {
        return Ok(None);
    }
    let path = &main.state_file;
    let failed =
        |why: &dyn std::fmt::Display| format!("could not use the state file {path}: {why}");
    let (file, entries) = StateFile::open(Path::new(path)).map_err(|why| failed(&why))?;
    let left = leftovers::still_running(entries);
    if !left.is_empty() {
        see_to(left, main.on_leftover, logger)?;
    }
    file.begin().map_err(|error| failed(&error))?;
    Ok(Some(Arc::new(file)))
}

fn see_to(left: Vec<Leftover>, wish: OnLeftover, logger: &Logger) -> Result<(), String> {
    match wish {
        OnLeftover::Ignore => Ok(()),
        OnLeftover::Fail => {
            let entries: Vec<&Entry> = left.iter().map(|left| &left.entry).collect();
            let groups: Vec<String> = entries.iter().map(|e| format!("-{}", e.pid)).collect();
            Err(format!(
                "{} of an earlier supervisord: {}; stop them (kill -- {}), or set \
                 on_leftover=kill to have that done at start",
                still_run(entries.len()),
                listed(entries),
                groups.join(" ")
            ))
        }
        OnLeftover::Kill => {
            for Leftover { entry, .. } in &left {
                let Entry { pid, name, .. } = entry;
                logger.log(
                    LogLevel::Warn,
                    format_args!(
                        "'{name}' of an earlier supervisord still runs with pid {pid}: it is \
                         stopped with its process group"
                    ),
                );
            }
            let mut killed = |Entry { pid, name, .. }: &Entry| {
                let line = format_args!("killing '{name}' ({pid}) with SIGKILL: it did not obey");
                logger.log(LogLevel::Warn, line);
            };
            leftovers::end(left, &mut killed).map_err(|left| {
                let run = still_run(left.len());
                format!("{run} of an earlier supervisord even after SIGKILL: {}", listed(&left))
            })?;
            logger.log(LogLevel::Info, "all that an earlier supervisord has left has ended");
            Ok(())
        }
    }
}

fn still_run(number: usize) -> String {
    if number == 1 {
        "1 process still runs".to_owned()
    } else {
        format!("{number} processes still run")
    }
}

fn listed<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let named = entries.into_iter().map(|entry| format!("{} (pid {})", entry.name, entry.pid));
    named.collect::<Vec<_>>().join(", ")
}
