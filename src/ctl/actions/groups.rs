//! reread, update, add, remove, avail: the configuration against what is active.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::super::client::CallError;
use super::super::output::{avail_line, code, field, number, truth};
use super::super::pattern::is_wild;
use super::names::expand_groups;
use super::{Done, Session};
use crate::xml_rpc::Value;

/// What a reread found, group names each.
struct Changes {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

impl Changes {
    /// Lets the daemon read its configuration again.
    fn reread(session: &mut Session) -> Result<Changes, CallError> {
        let answer = session.call("reloadConfig", &[])?;
        // An array in an array: that is how Supervisor has it.
        let lists = answer.as_array().and_then(<[_]>::first).and_then(Value::as_array);
        match lists {
            Some([added, changed, removed]) => Ok(Changes {
                added: texts(added),
                changed: texts(changed),
                removed: texts(removed),
            }),
            _ => Err(CallError::BadAnswer("reloadConfig answered no changes".to_owned())),
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn reread(session: &mut Session, arguments: &str) -> Done {
    if !arguments.is_empty() {
        return session.misused("reread", "Error: reread accepts no arguments");
    }
    let changes = match Changes::reread(session) {
        Ok(changes) => changes,
        Err(error) => return say_fault(session, error, "ERROR: supervisor shutting down"),
    };
    let mut lines = BTreeMap::new();
    for (names, what) in [
        (changes.added, "available"),
        (changes.changed, "changed"),
        (changes.removed, "disappeared"),
    ] {
        lines.extend(names.into_iter().map(|name| (name, what)));
    }
    if lines.is_empty() {
        session.out.line("No config updates to processes");
    }
    for (name, what) in lines {
        session.out.line(&format!("{name}: {what}"));
    }
    Ok(())
}

pub(super) fn update(session: &mut Session, arguments: &str) -> Done {
    let changes = match Changes::reread(session) {
        Ok(changes) => changes,
        Err(error) => return say_fault(session, error, "ERROR: already shutting down"),
    };
    let mut names: Vec<&str> = arguments.split_whitespace().collect();
    if names.contains(&"all") {
        names.clear();
    }
    let meant = if names.is_empty() { Vec::new() } else { meant(session, &names, &changes)? };
    let is_meant = |name: &&String| names.is_empty() || meant.contains(*name);
    for group in changes.removed.iter().filter(is_meant) {
        if stop(session, group)? {
            session.fail(&format!("{group}: has problems; not removing"));
            continue;
        }
        session.call("removeProcessGroup", &[Value::from(group.as_str())])?;
        session.out.line(&format!("{group}: removed process group"));
    }
    for group in changes.changed.iter().filter(is_meant) {
        stop(session, group)?;
        session.call("removeProcessGroup", &[Value::from(group.as_str())])?;
        session.call("addProcessGroup", &[Value::from(group.as_str())])?;
        session.out.line(&format!("{group}: updated process group"));
    }
    for group in changes.added.iter().filter(is_meant) {
        session.call("addProcessGroup", &[Value::from(group.as_str())])?;
        session.out.line(&format!("{group}: added process group"));
    }
    Ok(())
}

/// The groups that are named or matched; which of them are neither active nor new is said.
fn meant(
    session: &mut Session,
    names: &[&str],
    changes: &Changes,
) -> Result<Vec<String>, CallError> {
    let infos = session.call_list("getAllProcessInfo", &[])?;
    let active = infos.iter().map(|info| field(info, "group"));
    // A group without processes shows in the changes only.
    let listed = changes.added.iter().chain(&changes.changed).chain(&changes.removed);
    let known: BTreeSet<&str> = active.chain(listed.map(String::as_str)).collect();
    let meant = expand_groups(names, &known, &known);
    let mut said = HashSet::new();
    for name in meant.iter().filter(|name| !known.contains(name.as_str())) {
        if said.insert(name) {
            session.fail(&format!("ERROR: no such group: {name}"));
        }
    }
    Ok(meant)
}

/// Stops a group, says so, and tells whether a process of it could not be stopped.
fn stop(session: &mut Session, group: &str) -> Result<bool, CallError> {
    let results = session.call_list("stopProcessGroup", &[Value::from(group)])?;
    session.out.line(&format!("{group}: stopped"));
    Ok(results.iter().any(|result| number(result, "status") == code::FAILED))
}

/// Which groups an action takes by a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// Those of the configuration that are not active.
    New,
    Active,
}

/// The words, with patterns replaced by those groups that the action takes.
fn groups_of(
    session: &mut Session,
    arguments: &str,
    takes: Takes,
) -> Result<Vec<String>, CallError> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    if !words.iter().any(|word| is_wild(word)) {
        return Ok(words.into_iter().map(str::to_owned).collect());
    }
    let configured = session.call_list("getAllConfigInfo", &[])?;
    let active = session.call_list("getAllProcessInfo", &[])?;
    fn group(entry: &Value) -> &str {
        field(entry, "group")
    }
    let known = configured.iter().chain(&active).map(group).collect();
    let taken: BTreeSet<&str> = match takes {
        Takes::New => configured.iter().filter(|c| !truth(c, "inuse")).map(group).collect(),
        Takes::Active => active.iter().map(group).collect(),
    };
    Ok(expand_groups(&words, &taken, &known))
}

pub(super) fn add(session: &mut Session, arguments: &str) -> Done {
    for name in groups_of(session, arguments, Takes::New)? {
        match session.call("addProcessGroup", &[Value::from(name.as_str())]) {
            Ok(_) => session.out.line(&format!("{name}: added process group")),
            Err(error) => match error.fault_code() {
                Some(code::SHUTDOWN_STATE) => session.fail("ERROR: shutting down"),
                // It is as was wished, so this is no failure.
                Some(code::ALREADY_ADDED) => {
                    session.out.line("ERROR: process group already active");
                }
                Some(code::BAD_NAME) => {
                    session.fail(&format!("ERROR: no such process/group: {name}"));
                }
                _ => return Err(error),
            },
        }
    }
    Ok(())
}

pub(super) fn remove(session: &mut Session, arguments: &str) -> Done {
    for name in groups_of(session, arguments, Takes::Active)? {
        match session.call("removeProcessGroup", &[Value::from(name.as_str())]) {
            Ok(_) => session.out.line(&format!("{name}: removed process group")),
            Err(error) => match error.fault_code() {
                Some(code::STILL_RUNNING) => {
                    session.fail(&format!("ERROR: process/group still running: {name}"));
                }
                Some(code::BAD_NAME) => {
                    session.fail(&format!("ERROR: no such process/group: {name}"));
                }
                _ => return Err(error),
            },
        }
    }
    Ok(())
}

pub(super) fn avail(session: &mut Session, arguments: &str) -> Done {
    if !arguments.is_empty() {
        return session.misused("avail", "Error: avail accepts no arguments");
    }
    match session.call_list("getAllConfigInfo", &[]) {
        Ok(configs) => {
            for config in &configs {
                session.out.line(&avail_line(config));
            }
            Ok(())
        }
        Err(error) => say_fault(session, error, "ERROR: supervisor shutting down"),
    }
}

/// The two faults that are told in words.
fn say_fault(session: &mut Session, error: CallError, shutting_down: &str) -> Done {
    match &error {
        CallError::Fault(fault) if fault.code == code::SHUTDOWN_STATE => {
            session.fail(shutting_down);
        }
        CallError::Fault(fault) if fault.code == code::CANT_REREAD => {
            session.fail(&format!("ERROR: {}", fault.text));
        }
        _ => return Err(error),
    }
    Ok(())
}
