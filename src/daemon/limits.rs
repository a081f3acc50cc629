//! The limits that a configuration asks for and those that it needs.

use std::sync::Arc;

use super::POOL;
use crate::config::options::{ChildLog, Group, Notice, NoticeLevel, Options, Program};
use crate::sys::limits::{self, ForChildren, Limit, Needs};

/// The daemon's threads besides those of children: the coordinator, signals, the activity log, the
/// acceptor, the pool, and one that prepares a restart. Streams of logs are not reckoned: they come
/// and go, and one without a thread closes.
const THREADS: u64 = 5 + POOL as u64;

/// Descriptors besides those of children. At rest it has a dozen; the others are for starts that
/// are under way and for clients.
const DESCRIPTORS: u64 = 64;

/// What minfds and minprocs ask for; the lines about it.
///
/// # Errors
/// What start-up prints.
pub fn ensure(options: &Options) -> Result<Vec<Notice>, String> {
    let main = &options.supervisord;
    let wanted = [(Limit::Descriptors, main.minfds), (Limit::Processes, main.minprocs)];
    let mut lines = Vec::new();
    for (limit, wanted) in wanted {
        let raised = limits::ensure(limit, wanted).map_err(|error| error.to_string())?;
        lines.extend(raised.map(|text| Notice { level: NoticeLevel::Info, text }));
    }
    Ok(lines)
}

/// What the daemon itself needs to run all programs; a line for what it can't get.
pub fn raise_own(options: &Options, before: &ForChildren) -> Vec<Notice> {
    let short = limits::raise_own(&needs(&options.groups), before);
    let warn = |text| Notice { level: NoticeLevel::Warn, text };
    short.into_iter().map(|short| warn(short.to_string())).collect()
}

fn needs(groups: &[Arc<Group>]) -> Needs {
    let programs = || groups.iter().flat_map(|group| &group.processes);
    Needs {
        descriptors: programs().map(|program| descriptors(program)).sum::<u64>() + DESCRIPTORS,
        children: programs().map(|_| 1).sum(),
        threads: THREADS,
    }
}

/// What the daemon holds for a live child.
fn descriptors(program: &Program) -> u64 {
    /// The end of its stdin, and what wakes its thread.
    const ALWAYS: u64 = 2;
    let channel = |log: &ChildLog| 1 + u64::from(!matches!(log, ChildLog::None | ChildLog::Empty));
    let stderr = if program.redirect_stderr { 0 } else { channel(&program.stderr.logfile) };
    ALWAYS + channel(&program.stdout.logfile) + stderr
}
