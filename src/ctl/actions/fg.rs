//! fg: a process's output on the screen, the user's lines to its stdin.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use super::super::client::{CallError, Connection};
use super::super::input::Heard;
use super::super::interrupt::{self, Streams};
use super::super::output::{code, number};
use super::logs::escaped;
use super::names::{self, Groups};
use super::{Done, Session};
use crate::xml_rpc::Value;

/// RUNNING.
const RUNNING: i64 = 20;

pub(super) fn fg(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let names: Vec<&str> = arguments.split_whitespace().collect();
    let names = match names.as_slice() {
        [] => return session.misused("fg", "ERROR: no process name supplied"),
        [name] => names::expand(session, &[name], Groups::ByMember)?,
        _ => names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let name = match names.as_slice() {
        [name] => name.as_str(),
        _ => {
            session.fail("ERROR: too many process names supplied");
            return Ok(());
        }
    };
    match is_running(session, name) {
        Ok(true) => {}
        Ok(false) => {
            session.fail("ERROR: process not running");
            return Ok(());
        }
        Err(error) if error.fault_code() == Some(code::BAD_NAME) => {
            session.fail("ERROR: bad process name supplied");
            return Ok(());
        }
        Err(CallError::Fault(fault)) => {
            session.out.line(&format!("ERROR: {}", CallError::Fault(fault)));
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    session.out.line("==> Press Ctrl-C to exit <==");
    session.out.flush();
    interrupt::watch(0)?;
    let (wake, woken) = UnixStream::pair()?;
    let streams = Streams::new(vec![Connection::Unix(wake)]);
    let paths = ["stdout", "stderr"].map(|channel| format!("/logtail/{}/{channel}", escaped(name)));
    let output = session.transport.background(&session.server, &paths, session.shown);
    let ended = attend(session, name, &woken);
    // The output first: what is said now is the last.
    output.end();
    drop(streams);
    match ended? {
        Ended::Left => {}
        Ended::Killed => session.out.line("Process got killed"),
        Ended::Refused(error) => session.out.line(&format!("ERROR: {error}")),
    }
    session.out.line("Exiting foreground");
    Ok(())
}

/// Why it is over.
enum Ended {
    /// Ctrl-C, or the end of the input.
    Left,
    /// The process runs no more.
    Killed,
    /// The daemon says no.
    Refused(CallError),
}

/// Passes lines on until something ends it.
fn attend(session: &mut Session, name: &str, woken: &UnixStream) -> Result<Ended, CallError> {
    loop {
        let Heard::Line(mut line) = session.input.line(Some(woken.as_fd()))? else {
            return Ok(Ended::Left);
        };
        line.push('\n');
        let sent = session.call("sendProcessStdin", &[Value::from(name), Value::from(line)]);
        let runs = match sent.and_then(|_| is_running(session, name)) {
            Err(error) if error.fault_code() == Some(code::NOT_RUNNING) => false,
            Err(error @ CallError::Fault(_)) => return Ok(Ended::Refused(error)),
            runs => runs?,
        };
        if !runs {
            return Ok(Ended::Killed);
        }
    }
}

fn is_running(session: &mut Session, name: &str) -> Result<bool, CallError> {
    let info = session.call("getProcessInfo", &[Value::from(name)])?;
    Ok(number(&info, "state") == RUNNING)
}
