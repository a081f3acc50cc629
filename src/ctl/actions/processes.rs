//! start, stop, restart, signal, clear: one deed to many processes.

use super::super::client::CallError;
use super::super::output::{Deed, Exit, code, field, name_of, number, short_name, split_name};
use super::names::{self, Groups};
use super::{Done, Session};
use crate::xml_rpc::Value;

pub(super) fn start(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let names: Vec<&str> = arguments.split_whitespace().collect();
    if names.is_empty() {
        session.misused("start", "Error: start requires a process name")?;
        session.exit = Exit::INVALID;
        return Ok(());
    }
    each(session, Deed::Start, &names, &[])
}

pub(super) fn stop(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let names: Vec<&str> = arguments.split_whitespace().collect();
    if names.is_empty() {
        return session.misused("stop", "Error: stop requires a process name");
    }
    each(session, Deed::Stop, &names, &[])
}

pub(super) fn restart(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let names: Vec<&str> = arguments.split_whitespace().collect();
    if names.is_empty() {
        return session.misused("restart", "Error: restart requires a process name");
    }
    let meant = Meant::by(session, &names)?;
    act(session, Deed::Stop, &meant, &[])?;
    act(session, Deed::Start, &meant, &[])
}

pub(super) fn signal(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let words: Vec<&str> = arguments.split_whitespace().collect();
    match words.as_slice() {
        [signal, names @ ..] if !names.is_empty() => {
            each(session, Deed::Signal, names, &[Value::from(*signal)])
        }
        _ => session.misused("signal", "Error: signal requires a signal name and a process name"),
    }
}

pub(super) fn clear(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let names: Vec<&str> = arguments.split_whitespace().collect();
    if names.is_empty() {
        return session.misused("clear", "Error: clear requires a process name");
    }
    each(session, Deed::Clear, &names, &[])
}

/// Does the deed to every name in order, and to what patterns among them match.
fn each(session: &mut Session, deed: Deed, names: &[&str], extra: &[Value]) -> Done {
    let meant = Meant::by(session, names)?;
    act(session, deed, &meant, extra)
}

/// To whom a deed is done.
enum Meant {
    Everybody,
    /// Processes and groups; one may be named `all`.
    These(Vec<String>),
}

impl Meant {
    /// `all` among the words means everything. What a pattern matches is only what it is.
    fn by(session: &mut Session, words: &[&str]) -> Result<Meant, CallError> {
        if words.contains(&"all") {
            return Ok(Meant::Everybody);
        }
        names::expand(session, words, Groups::Whole).map(Meant::These)
    }
}

fn act(session: &mut Session, deed: Deed, meant: &Meant, extra: &[Value]) -> Done {
    let names = match meant {
        Meant::Everybody => {
            let results = session.call_list(Methods::of(deed).all, extra)?;
            return say_all(session, deed, &results);
        }
        Meant::These(names) => names,
    };
    for name in names {
        match split_name(name) {
            (group, Some(process)) => {
                let named = Named { typed: name, short: short_name(group, process) };
                one(session, deed, &named, extra)?;
            }
            (group, None) => whole_group(session, deed, group, extra)?,
        }
    }
    Ok(())
}

/// The methods that do a deed.
struct Methods {
    one: &'static str,
    /// `clear` has none.
    group: Option<&'static str>,
    all: &'static str,
}

impl Methods {
    fn of(deed: Deed) -> Methods {
        let (one, group, all) = match deed {
            Deed::Start => ("startProcess", Some("startProcessGroup"), "startAllProcesses"),
            Deed::Stop => ("stopProcess", Some("stopProcessGroup"), "stopAllProcesses"),
            Deed::Signal => ("signalProcess", Some("signalProcessGroup"), "signalAllProcesses"),
            Deed::Clear => ("clearProcessLogs", None, "clearAllProcessLogs"),
        };
        Methods { one, group, all }
    }
}

/// A process as typed, and as it is shown.
struct Named<'a> {
    typed: &'a str,
    short: String,
}

fn one(session: &mut Session, deed: Deed, named: &Named<'_>, extra: &[Value]) -> Done {
    let params = with_name(named.typed, extra);
    match session.call(Methods::of(deed).one, &params) {
        Ok(_) => say(session, deed, &named.short, code::SUCCESS, ""),
        Err(CallError::Fault(fault)) => {
            if say(session, deed, &named.short, fault.code, &fault.text).is_ok() {
                return Ok(());
            }
            Err(CallError::Fault(fault))
        }
        Err(error) => Err(error),
    }
}

fn whole_group(session: &mut Session, deed: Deed, group: &str, extra: &[Value]) -> Done {
    let Some(method) = Methods::of(deed).group else {
        return members(session, deed, group);
    };
    match session.call_list(method, &with_name(group, extra)) {
        Ok(results) => say_all(session, deed, &results),
        Err(error) if error.fault_code() == Some(code::BAD_NAME) => {
            no_such_group(session, deed, group);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// A deed to a group for which the daemon has no method: to each of its processes.
fn members(session: &mut Session, deed: Deed, group: &str) -> Done {
    let infos = session.call_list("getAllProcessInfo", &[])?;
    let mut members = infos.iter().filter(|info| field(info, "group") == group).peekable();
    if members.peek().is_none() {
        no_such_group(session, deed, group);
    }
    for info in members {
        let typed = format!("{group}:{}", field(info, "name"));
        one(session, deed, &Named { typed: &typed, short: name_of(info) }, &[])?;
    }
    Ok(())
}

fn no_such_group(session: &mut Session, deed: Deed, group: &str) {
    session.fail(&format!("{group}: ERROR (no such group)"));
    if deed == Deed::Start {
        session.exit = Exit::INVALID;
    }
}

fn with_name(name: &str, extra: &[Value]) -> Vec<Value> {
    let mut params = vec![Value::from(name)];
    params.extend_from_slice(extra);
    params
}

fn say_all(session: &mut Session, deed: Deed, results: &[Value]) -> Done {
    for result in results {
        let (status, description) = (number(result, "status"), field(result, "description"));
        say(session, deed, &name_of(result), status, description)?;
    }
    Ok(())
}

/// Says how it went. An outcome that has no words is an error.
fn say(session: &mut Session, deed: Deed, name: &str, status: i64, description: &str) -> Done {
    let Some(line) = deed.line(name, status, description) else {
        return Err(CallError::BadAnswer(format!("Unknown result code {status} for {name}")));
    };
    session.out.line(&line);
    if let Some(exit) = deed.exit(status) {
        session.exit = exit;
    }
    Ok(())
}
