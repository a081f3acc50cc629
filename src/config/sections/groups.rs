//! `[group:x]`, and the groups that programs without one form by themselves.
#![forbid(unsafe_code)]

use std::collections::HashSet;

use super::{Context, programs};
use crate::config::document::Section;
use crate::config::error::ConfigError;
use crate::config::options::Program;
use crate::config::quote::quote;
use crate::config::table;
use crate::config::values;

/// A group whose processes lack what is known only later.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) priority: i64,
    pub(super) processes: Vec<Program>,
}

/// All groups in start order; of equal names the first.
pub(super) fn read(context: &mut Context<'_>) -> Result<Vec<Draft>, ConfigError> {
    let document = context.document;
    document.sections.iter().try_for_each(refuse_unsupported)?;
    let mut groups = Vec::new();
    let mut taken = HashSet::new();
    for section in &document.sections {
        if let Some(name) = section.name.strip_prefix("group:") {
            groups.push(group(context, section, name, &mut taken)?);
        }
    }
    for section in &document.sections {
        if let Some(name) = section.name.strip_prefix("program:")
            && !taken.contains(&section.name)
        {
            groups.push(alone(context, section, name)?);
        }
    }
    groups.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    Ok(without_doubles(context, groups))
}

/// The kinds of programs that are not built yet. To be replaced by their readers.
fn refuse_unsupported(section: &Section) -> Result<(), ConfigError> {
    match table::Section::of(&section.name) {
        Some(table::Section::EventListener | table::Section::FcgiProgram) => {
            Err(ConfigError::NotSupported {
                section: section.name.clone(),
                file: section.file.to_string(),
                line: section.line,
            })
        }
        _ => Ok(()),
    }
}

fn group(
    context: &mut Context<'_>,
    section: &Section,
    name: &str,
    taken: &mut HashSet<String>,
) -> Result<Draft, ConfigError> {
    let name = values::name(name)?;
    warn_of_empty(context, section, &name);
    let reader = context.reader(section);
    let names = context.names_here();
    let programs = values::strings(&reader.value("programs", &names)?);
    let priority = values::integer(&reader.value("priority", &names)?)?;
    let mut processes = Vec::new();
    for program in programs {
        let member = member(context, section, &program)?;
        taken.insert(member.name.clone());
        processes.extend(programs::read(context, member, &name)?);
    }
    let processes = last_of_each(context, section, processes);
    Ok(Draft { name, priority, processes })
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
fn alone(context: &mut Context<'_>, section: &Section, name: &str) -> Result<Draft, ConfigError> {
    let name = values::name(name)?;
    let priority = context.reader(section).value("priority", &context.names_here())?;
    let priority = values::integer(&priority)?;
    let processes = programs::read(context, section, &name)?;
    let processes = last_of_each(context, section, processes);
    Ok(Draft { name, priority, processes })
}

/// Supervisor takes the empty name, so files with it must work.
pub(super) fn warn_of_empty(context: &mut Context<'_>, section: &Section, name: &str) {
    if name.is_empty() {
        let (section, file, line) = (quote(&section.name), quote(&section.file), section.line);
        context.warn(format!("empty name in section {section} (file: {file}, line: {line})"));
    }
}

/// Of processes with the same name Supervisor runs the last, in the place of the first.
fn last_of_each(
    context: &mut Context<'_>,
    section: &Section,
    processes: Vec<Program>,
) -> Vec<Program> {
    let mut places = std::collections::HashMap::new();
    let mut kept: Vec<Program> = Vec::with_capacity(processes.len());
    for process in processes {
        let place = *places.entry(process.name.clone()).or_insert(kept.len());
        match kept.get_mut(place) {
            None => kept.push(process),
            Some(first) => {
                context.warn(format!(
                    "several processes of section {} are named {}: only the last one is used",
                    quote(&section.name),
                    quote(&process.name)
                ));
                *first = process;
            }
        }
    }
    kept
}

/// Of groups with the same name Supervisor activates the first in start order.
fn without_doubles(context: &mut Context<'_>, groups: Vec<Draft>) -> Vec<Draft> {
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(groups.len());
    for group in groups {
        if seen.insert(group.name.clone()) {
            kept.push(group);
        } else {
            let name = quote(&group.name);
            context.warn(format!("several groups are named {name}: only the first one is used"));
        }
    }
    kept
}
