//! `[group:x]`, and the groups that programs without one form by themselves.
#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::sync::Arc;

use super::{Context, fcgi, listeners, programs};
use crate::config::document::Section;
use crate::config::error::ConfigError;
use crate::config::options::{GroupKind, Program};
use crate::config::quote::quote;
use crate::config::values;

/// A group whose processes lack what is known only later.
pub(super) struct Draft<'a> {
    section: &'a Section,
    pub(super) name: String,
    pub(super) priority: i64,
    pub(super) kind: GroupKind,
    pub(super) processes: Vec<Arc<Program>>,
}

/// All groups in start order; of equal names the first. They are read kind by kind, as the order
/// decides which fault is told first.
pub(super) fn read<'a>(context: &Context<'a>) -> Result<Vec<Draft<'a>>, ConfigError> {
    let mut groups = Vec::new();
    let mut taken = HashSet::new();
    let of = |prefix: &'static str| {
        let sections = context.document.sections.iter();
        sections.filter_map(move |s| s.name.strip_prefix(prefix).map(|name| (s, name)))
    };
    for (section, name) in of("group:") {
        groups.extend(context.attempt(section, || group(context, section, name, &mut taken))?);
    }
    for (section, name) in of("program:").filter(|(s, _)| !taken.contains(&s.name)) {
        groups.extend(context.attempt(section, || alone(context, section, name))?);
    }
    for (section, name) in of("eventlistener:") {
        groups.extend(context.attempt(section, || pool(context, section, name))?);
    }
    for (section, name) in of("fcgi-program:").filter(|(s, _)| !taken.contains(&s.name)) {
        groups.extend(context.attempt(section, || alone(context, section, name))?);
    }
    groups.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    Ok(without_doubles(context, groups))
}

fn group<'a>(
    context: &Context<'a>,
    section: &'a Section,
    name: &str,
    taken: &mut HashSet<String>,
) -> Result<Draft<'a>, ConfigError> {
    context.enter();
    let name = values::name(name)?;
    warn_of_empty(context, section, &name);
    let reader = context.reader(section);
    let names = context.names_here();
    let programs = values::strings(&reader.value("programs", &names)?);
    let priority = reader.get("priority", &names, values::integer)?;
    let mut processes = Vec::new();
    for program in programs {
        reader.written("programs");
        let found = context.attempt(section, || member(context, section, &program))?;
        let Some(member) = found else { continue };
        taken.insert(member.name.clone());
        let read = context.attempt(member, || members(context, member, &name))?;
        processes.extend(read.unwrap_or_default());
    }
    let processes = last_of_each(context, section, processes);
    Ok(Draft { section, name, priority, kind: GroupKind::Programs, processes })
}

/// The processes of one program, those of FastCGI with their socket.
fn members(
    context: &Context<'_>,
    section: &Section,
    group: &str,
) -> Result<Vec<Program>, ConfigError> {
    context.enter();
    let socket = match section.name.strip_prefix("fcgi-program:") {
        Some(name) => Some(fcgi::read(context, section, &values::name(name)?)?),
        None => None,
    };
    let mut processes = programs::read(context, section, group)?;
    for process in &mut processes {
        process.socket.clone_from(&socket);
        context.see(section, process);
    }
    Ok(processes)
}

/// The section of a program that a group names.
fn member<'a>(
    context: &Context<'a>,
    group: &Section,
    program: &str,
) -> Result<&'a Section, ConfigError> {
    let named = |kind: &str| context.document.section(&format!("{kind}:{program}"));
    let (section, program) = (group.name.clone(), program.to_owned());
    match (named("program"), named("fcgi-program")) {
        (Some(member), None) | (None, Some(member)) => Ok(member),
        (None, None) => Err(ConfigError::UnknownProgram { section, program }),
        (Some(_), Some(_)) => Err(ConfigError::AmbiguousProgram { section, program }),
    }
}

/// A program that is its own group.
fn alone<'a>(
    context: &Context<'a>,
    section: &'a Section,
    name: &str,
) -> Result<Draft<'a>, ConfigError> {
    context.enter();
    let name = values::name(name)?;
    let names = context.names_here();
    let priority = context.reader(section).get("priority", &names, values::integer)?;
    let processes = members(context, section, &name)?;
    let kind = if section.name.starts_with("fcgi-program:") {
        GroupKind::FastCgi
    } else {
        GroupKind::Programs
    };
    let processes = last_of_each(context, section, processes);
    Ok(Draft { section, name, priority, kind, processes })
}

/// Event listeners, whose own priority is not that of their pool.
fn pool<'a>(
    context: &Context<'a>,
    section: &'a Section,
    name: &str,
) -> Result<Draft<'a>, ConfigError> {
    context.enter();
    let name = values::name(name)?;
    let names = context.names_here();
    let priority = context.reader(section).get("priority", &names, values::integer)?;
    let kind = GroupKind::EventListeners(listeners::read(context, section)?);
    let processes = programs::read(context, section, &name)?;
    processes.iter().for_each(|process| context.see(section, process));
    let processes = last_of_each(context, section, processes);
    Ok(Draft { section, name, priority, kind, processes })
}

/// Supervisor takes the empty name, so files with it must work.
pub(super) fn warn_of_empty(context: &Context<'_>, section: &Section, name: &str) {
    if name.is_empty() {
        let (name, file) = (quote(&section.name), quote(&section.file));
        let line = format!("empty name in section {name} (file: {file}, line: {})", section.line);
        context.remark(section, None, "empty name", line);
    }
}

/// Of processes with the same name Supervisor runs the last, in the place of the first. Each is
/// where it stays: what a thousand leave behind when they are moved later would be there for good.
fn last_of_each(
    context: &Context<'_>,
    section: &Section,
    processes: Vec<Program>,
) -> Vec<Arc<Program>> {
    let mut places = std::collections::HashMap::new();
    let mut kept: Vec<Arc<Program>> = Vec::with_capacity(processes.len());
    for process in processes {
        let place = *places.entry(process.name.clone()).or_insert(kept.len());
        match kept.get_mut(place) {
            None => kept.push(Arc::new(process)),
            Some(first) => {
                let line = format!(
                    "several processes of section {} are named {}: only the last one is used",
                    quote(&section.name),
                    quote(&process.name)
                );
                context.warn(section, None, line);
                *first = Arc::new(process);
            }
        }
    }
    kept
}

/// Of groups with the same name Supervisor activates the first in start order.
fn without_doubles<'a>(context: &Context<'_>, groups: Vec<Draft<'a>>) -> Vec<Draft<'a>> {
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(groups.len());
    for group in groups {
        if seen.insert(group.name.clone()) {
            kept.push(group);
        } else {
            let name = quote(&group.name);
            let line = format!("several groups are named {name}: only the first one is used");
            context.warn(group.section, None, line);
        }
    }
    kept
}
