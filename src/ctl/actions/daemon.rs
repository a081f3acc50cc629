//! status and pid, version, open, reload and shutdown.

use super::super::client::CallError;
use super::super::json;
use super::super::output::{Exit, Failures, code, number, split_name, status_table};
use super::super::url::scheme;
use super::names::{self, Groups};
use super::{Done, Session};
use crate::xml_rpc::Value;

/// The states in which a process counts as not running: STOPPED, EXITED, FATAL, UNKNOWN.
const STOPPED_STATES: [i64; 4] = [0, 100, 200, 1000];

pub(super) fn status(session: &mut Session, arguments: &str) -> Done {
    let (json, names): (Vec<&str>, Vec<&str>) =
        arguments.split_whitespace().partition(|word| *word == "--json");
    if !json.is_empty() {
        // Who reads stdout reads all of it.
        session.out.tell_failures(Failures::Stderr);
    }
    match session.is_up() {
        Ok(true) => {}
        Ok(false) => {
            session.exit = Exit::STATUS_UNKNOWN;
            return Ok(());
        }
        Err(error) if error.is_refused() || error.is_no_such_file() => {
            session.report(&error);
            session.exit = Exit::STATUS_UNKNOWN;
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    let infos = session.call_list("getAllProcessInfo", &[])?;
    let shown: Vec<&Value> = if names.is_empty() || names.contains(&"all") {
        infos.iter().collect()
    } else {
        names.iter().flat_map(|name| named(session, &infos, name)).collect()
    };
    if json.is_empty() {
        status_table(&shown, session.color, &mut session.out);
    } else {
        session.out.text(&json::list(&shown));
    }
    if shown.iter().any(|info| STOPPED_STATES.contains(&number(info, "state"))) {
        session.exit = Exit::STATUS_STOPPED;
    }
    Ok(())
}

/// The processes of that name or pattern; that there are none is said.
fn named<'v>(session: &mut Session, infos: &'v [Value], name: &str) -> Vec<&'v Value> {
    let found = names::matching(name, infos);
    if found.is_empty() {
        let (group, process) = split_name(name);
        session.out.failure(&match process {
            None => format!("{group}: ERROR (no such group)"),
            Some(_) => format!("{name}: ERROR (no such process)"),
        });
        session.exit = Exit::STATUS_UNKNOWN;
    }
    found
}

pub(super) fn pid(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let names: Vec<&str> = arguments.split_whitespace().collect();
    if names.is_empty() {
        let pid = session.call("getPID", &[])?;
        session.out.line(&pid.as_int().unwrap_or_default().to_string());
    } else if names.contains(&"all") {
        for info in session.call_list("getAllProcessInfo", &[])? {
            session.out.line(&number(&info, "pid").to_string());
        }
    } else {
        for name in names::expand(session, &names, Groups::ByMember)? {
            match session.call("getProcessInfo", &[Value::from(name.as_str())]) {
                Ok(info) => {
                    let pid = number(&info, "pid");
                    session.out.line(&pid.to_string());
                    if pid == 0 {
                        session.exit = Exit::NOT_RUNNING;
                    }
                }
                Err(error) if error.fault_code() == Some(code::BAD_NAME) => {
                    session.fail(&format!("No such process {name}"));
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

pub(super) fn version(session: &mut Session, arguments: &str) -> Done {
    if !arguments.is_empty() {
        return session.misused("version", "Error: version accepts no arguments");
    }
    if session.is_up()? {
        let version = session.call("getSupervisorVersion", &[])?;
        session.out.line(version.as_str().unwrap_or_default());
    }
    Ok(())
}

pub(super) fn open(session: &mut Session, arguments: &str) -> Done {
    if !matches!(scheme(arguments).as_str(), "http" | "unix") {
        session.fail("ERROR: url must be http:// or unix://");
        return Ok(());
    }
    session.server.url = arguments.to_owned();
    session.origin = "as open was told".to_owned();
    let before = session.exit;
    let shown = status(session, "");
    session.exit = before;
    shown
}

pub(super) fn reload(session: &mut Session, arguments: &str) -> Done {
    if !arguments.is_empty() {
        return session.misused("reload", "Error: reload accepts no arguments");
    }
    if !confirmed(session, "Really restart the remote supervisord process y/N? ")? {
        return Ok(());
    }
    match session.call("restart", &[]) {
        Ok(_) => session.out.line("Restarted supervisord"),
        Err(CallError::Fault(fault)) if fault.code == code::SHUTDOWN_STATE => {
            session.fail("ERROR: already shutting down");
        }
        Err(CallError::Fault(fault)) if fault.code == code::CANT_REREAD => {
            session.fail(&format!("ERROR: {}", fault.text));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

pub(super) fn shutdown(session: &mut Session, arguments: &str) -> Done {
    if !arguments.is_empty() {
        return session.misused("shutdown", "Error: shutdown accepts no arguments");
    }
    if !confirmed(session, "Really shut the remote supervisord process down y/N? ")? {
        return Ok(());
    }
    let url = session.server.url.clone();
    match session.call("shutdown", &[]) {
        Ok(_) => session.out.line("Shut down"),
        // What was wanted happens already, so this is no failure.
        Err(error) if error.fault_code() == Some(code::SHUTDOWN_STATE) => {
            session.out.line("ERROR: already shutting down");
        }
        Err(error) if error.is_refused() => {
            session.fail(&format!("ERROR: {url} refused connection (already shut down?)"));
            session.explain(&error);
        }
        Err(error) if error.is_no_such_file() => {
            session.fail(&format!("ERROR: {url} no such file (already shut down?)"));
            session.explain(&error);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Whether the user agrees. Nobody to ask is agreement.
fn confirmed(session: &mut Session, question: &str) -> Result<bool, CallError> {
    if !session.interactive {
        return Ok(true);
    }
    Ok(session.ask(question)?.to_lowercase().starts_with('y'))
}
