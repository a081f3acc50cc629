//! `[rpcinterface:x]`: the stock factory alone; others would need Python.
#![forbid(unsafe_code)]

use super::Context;
use crate::config::error::ConfigError;
use crate::config::quote::quote;

const KEY: &str = "supervisor.rpcinterface_factory";
const STOCK: &str = "supervisor.rpcinterface:make_main_rpcinterface";

/// The names of the sections that publish the stock methods.
pub(super) fn read(context: &mut Context<'_>, skip: bool) -> Result<Vec<String>, ConfigError> {
    let document = context.document;
    let mut names = Vec::new();
    for section in &document.sections {
        let Some(name) = section.name.strip_prefix("rpcinterface:") else {
            continue;
        };
        let reader = context.reader(section);
        let factory = reader.text(KEY, &context.env)?;
        let factory = factory.ok_or_else(|| ConfigError::NoFactory(section.name.clone()))?;
        if factory == STOCK {
            // The keys for a factory must be good format strings, even where it takes none.
            for entry in reader.entries() {
                reader.text(&entry.key, &context.env)?;
            }
            names.push(name.to_owned());
            continue;
        }
        let (file, line) = match reader.written(KEY) {
            Some(entry) => (entry.file.to_string(), entry.line),
            None => (section.file.to_string(), section.line),
        };
        let section = section.name.clone();
        if !skip {
            return Err(ConfigError::ForeignFactory { section, factory, file, line });
        }
        context.warn(format!(
            "skipped section {}: {factory} is a Python extension, which is not supported (file: \
             {}, line: {line})",
            quote(&section),
            quote(&file)
        ));
    }
    Ok(names)
}
