//! `[rpcinterface:x]`: the stock factory alone; others would need Python.
#![forbid(unsafe_code)]

use super::Context;
use crate::config::document::Section;
use crate::config::error::ConfigError;
use crate::config::quote::quote;

const KEY: &str = "supervisor.rpcinterface_factory";
const STOCK: &str = "supervisor.rpcinterface:make_main_rpcinterface";

/// The names of the sections that publish the stock methods.
pub(super) fn read(context: &Context<'_>, skip: bool) -> Result<Vec<String>, ConfigError> {
    let mut names = Vec::new();
    for section in &context.document.sections {
        if let Some(name) = section.name.strip_prefix("rpcinterface:")
            && context.attempt(section, || is_stock(context, section, skip))? == Some(true)
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Whether the section publishes the stock methods; false for one that is skipped.
fn is_stock(context: &Context<'_>, section: &Section, skip: bool) -> Result<bool, ConfigError> {
    let reader = context.reader(section);
    let text = |text: &str| Ok::<String, ConfigError>(text.to_owned());
    let absent = |section| ConfigError::NoFactory { section, key: KEY };
    let factory = reader.need(KEY, &context.env, text, absent)?;
    if factory == STOCK {
        // The keys for a factory must be good format strings, even where it takes none.
        for entry in reader.entries() {
            reader.text(&entry.key, &context.env)?;
        }
        return Ok(true);
    }
    let (file, line) = match reader.written(KEY) {
        Some(entry) => (entry.file.to_string(), entry.line),
        None => (section.file.to_string(), section.line),
    };
    let section_name = section.name.clone();
    if !skip {
        return Err(ConfigError::ForeignFactory { section: section_name, factory, file, line });
    }
    let what = format!("{factory} is a Python extension, which is not supported");
    let place = format!("(file: {}, line: {line})", quote(&file));
    let line = format!("skipped section {}: {what} {place}", quote(&section_name));
    context.remark(section, Some(KEY), &what, line);
    Ok(false)
}
