//! Warnings about sections and keys that nobody reads: most are misspelt.
#![forbid(unsafe_code)]

use super::{Context, plugins};
use crate::config::document::Section;
use crate::config::quote::quote;
use crate::config::table;

/// Warns of each, in file order. What `[DEFAULT]` gives to every section is left alone.
pub(super) fn warn(context: &Context<'_>) {
    for section in &context.document.sections {
        match table::Section::of(&section.name) {
            // The stock factory takes no key of its own.
            Some(kind) if kind.takes_any_key() && !plugins::names_stock(context, section) => {}
            Some(kind) => warn_of_keys(context, section, kind),
            None => {
                let (name, file) = (quote(&section.name), quote(&section.file));
                let line = format!("unknown section {name} (file: {file}, line: {})", section.line);
                context.remark(section, None, "unknown section", line);
            }
        }
    }
}

fn warn_of_keys(context: &Context<'_>, section: &Section, kind: table::Section) {
    for entry in &section.options {
        let inherited = context.document.defaults.iter().any(|d| d.key == entry.key);
        if inherited || table::row(kind, &entry.key).is_some() {
            continue;
        }
        let line = format!(
            "unknown key {} in section {} (file: {}, line: {})",
            quote(&entry.key),
            quote(&section.name),
            quote(&entry.file),
            entry.line
        );
        context.remark(section, Some(&entry.key), "unknown key", line);
    }
}
