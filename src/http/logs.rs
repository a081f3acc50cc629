//! What methods do with logs, on a pool thread: read them, and begin them anew.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use super::describe;
use crate::child::link::{Clearing, PATIENCE};
use crate::config::options::MainLog;
use crate::coordinator::view::{ProcessView, View};
use crate::coordinator::waiters::ProcessResult;
use crate::log::read::{self, ReadError};
use crate::process::output::Output;
use crate::rpc::fault::{Fault, FaultCode};
use crate::rpc::method::LogChannel;
use crate::sys::file;
use crate::xml_rpc::Writer;

fn output(channel: LogChannel) -> Output {
    match channel {
        LogChannel::Stdout => Output::Stdout,
        LogChannel::Stderr => Output::Stderr,
    }
}

/// What readLog answers.
///
/// # Errors
/// The fault that the client gets.
pub(super) fn read_main(view: &View, offset: i64, length: i64) -> Result<Vec<u8>, Fault> {
    let MainLog::File(path) = &view.running.supervisord.logfile else {
        return Err(Fault::bare(FaultCode::NoFile));
    };
    read::read_log(Path::new(path), offset, length).map_err(|error| read_fault(&error, path))
}

/// What readProcessStdoutLog and readProcessStderrLog answer.
///
/// # Errors
/// The fault that the client gets.
pub(super) fn read(
    process: &ProcessView,
    channel: LogChannel,
    offset: i64,
    length: i64,
) -> Result<Vec<u8>, Fault> {
    let path = process.logs.path(output(channel));
    let path = path.ok_or_else(|| Fault::bare(FaultCode::NoFile))?;
    read::read_log(path, offset, length)
        .map_err(|error| read_fault(&error, &path.display().to_string()))
}

fn read_fault(error: &ReadError, path: &str) -> Fault {
    match error {
        ReadError::BadArguments => Fault::bare(FaultCode::BadArguments),
        ReadError::NoFile => Fault::new(FaultCode::NoFile, path),
        ReadError::TooLong => too_long(),
        ReadError::Failed => Fault::bare(FaultCode::Failed),
    }
}

fn too_long() -> Fault {
    let most = read::ANSWER_LIMIT >> 20;
    Fault::new(
        FaultCode::Failed,
        format!("more than {most} MiB of log; read it in pieces, with an offset and a length"),
    )
}

/// Writes what the tail methods answer.
///
/// # Errors
/// The fault that the client gets; nothing is written then.
pub(super) fn tail(
    process: &ProcessView,
    channel: LogChannel,
    offset: i64,
    length: i64,
    w: &mut Writer<'_>,
) -> Result<(), Fault> {
    let (bytes, offset, overflow) = match process.logs.path(output(channel)) {
        None => (Vec::new(), 0, false),
        Some(path) => {
            let (bytes, tail) = read::tail_log(path, offset, length).map_err(|_| too_long())?;
            (bytes, i64::try_from(tail.offset).unwrap_or(i64::MAX), tail.overflow)
        }
    };
    w.begin_array();
    w.log(&bytes);
    w.int(offset);
    w.bool(overflow);
    w.end_array();
    Ok(())
}

/// A log is opened, and nothing read.
pub(super) fn reach_main(view: &View) {
    if let MainLog::File(path) = &view.running.supervisord.logfile {
        let _ = file::open_read(Path::new(path));
    }
}

/// The same with that of a process.
pub(super) fn reach(process: &ProcessView, channel: LogChannel) {
    if let Some(path) = process.logs.path(output(channel)) {
        let _ = file::open_read(path);
    }
}

/// Begins the logs anew: the child's thread does it while there is one, for it has them open.
pub(super) fn clear(process: &ProcessView) -> Result<(), ()> {
    finish_clearing(process, begin_clearing(process), Instant::now() + PATIENCE)
}

fn begin_clearing(process: &ProcessView) -> Option<Clearing> {
    process.link.as_ref().map(|link| link.clear_logs())
}

fn finish_clearing(
    process: &ProcessView,
    clearing: Option<Clearing>,
    until: Instant,
) -> Result<(), ()> {
    match clearing.map(|clearing| clearing.wait(until)) {
        Some(Ok(())) => return Ok(()),
        Some(Err(error)) if error.kind() == ErrorKind::NotConnected => {}
        Some(Err(_)) => return Err(()),
        None => {}
    }
    for output in [Output::Stdout, Output::Stderr] {
        process.logs.clear(output).map_err(drop)?;
    }
    Ok(())
}

/// The same with all, of which several may hang at the same time.
pub(super) fn clear_all(view: &View, w: &mut Writer<'_>) {
    let mut all = Vec::with_capacity(view.processes.len());
    for group in &view.groups {
        let mut members: Vec<_> = view.members(&group.name).collect();
        members.sort_by_key(|process| process.program.priority);
        all.extend(members.into_iter().map(|process| (group, process, begin_clearing(process))));
    }
    let until = Instant::now() + PATIENCE;
    w.begin_array();
    for (group, process, clearing) in all {
        let name = &process.program.name;
        let shown = crate::process::name::display(&group.name, name);
        let outcome = finish_clearing(process, clearing, until);
        let outcome = outcome.map_err(|()| Fault::new(FaultCode::Failed, shown));
        describe::result(&ProcessResult::new(&group.name, name, &outcome), w);
    }
    w.end_array();
}
