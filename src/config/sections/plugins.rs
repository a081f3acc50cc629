//! What names Python code: `[rpcinterface:x]` and "result_handler". There is the stock one of
//! each; others would need Python.
#![forbid(unsafe_code)]

use super::{Context, Reader};
use crate::config::document::Section;
use crate::config::error::ConfigError;
use crate::config::expand::expand;
use crate::config::quote::quote;

const KEY: &str = "supervisor.rpcinterface_factory";
const STOCK: &str = "supervisor.rpcinterface:make_main_rpcinterface";
const STOCK_HANDLER: &str = "supervisor.dispatchers:default_handler";

/// The names of the sections that publish the stock methods.
pub(super) fn read(context: &Context<'_>) -> Result<Vec<String>, ConfigError> {
    let mut names = Vec::new();
    for section in &context.document.sections {
        if let Some(name) = section.name.strip_prefix("rpcinterface:")
            && context.attempt(section, || is_stock(context, section))? == Some(true)
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Whether the section has the stock factory. A text that can't be expanded names none; it is
/// refused when it is read.
pub(super) fn names_stock(context: &Context<'_>, section: &Section) -> bool {
    let factory = context.reader(section).raw(KEY).unwrap_or_default();
    expand(factory, &context.env, KEY).is_ok_and(|factory| names(&factory, STOCK))
}

/// Whether the section publishes the stock methods; false for one that is skipped.
fn is_stock(context: &Context<'_>, section: &Section) -> Result<bool, ConfigError> {
    let reader = context.reader(section);
    let text = |text: &str| Ok::<String, ConfigError>(text.to_owned());
    let absent = |section| ConfigError::NoFactory { section, key: KEY };
    let factory = reader.need(KEY, &context.env, text, absent)?;
    if names(&factory, STOCK) {
        // The keys for a factory must be good format strings, even where it takes none.
        for entry in reader.entries() {
            reader.text(&entry.key, &context.env)?;
        }
        return Ok(true);
    }
    let (file, line) = place(reader, section, KEY);
    let section_name = section.name.clone();
    if !context.skip_plugins {
        return Err(ConfigError::ForeignFactory { section: section_name, factory, file, line });
    }
    let what = foreign(&factory);
    let place = format!("(file: {}, line: {line})", quote(&file));
    let line = format!("skipped section {}: {what} {place}", quote(&section_name));
    context.remark(section, Some(KEY), &what, line);
    Ok(false)
}

/// Whether a text names this object of Python's, `module:name`. Blanks may stand around both, but
/// for the beginning, and behind them in brackets what a package could ask for.
fn names(text: &str, object: &str) -> bool {
    let of = |(module, name): (&str, &str)| {
        let name = name.trim();
        let extras = || name.strip_suffix(']').and_then(|name| name.split_once('['));
        let name = extras().map_or(name, |(name, _)| name.trim_end());
        object.split_once(':') == Some((module.trim_end(), name))
    };
    text.split_once(':').is_some_and(of)
}

/// Looks at the "result_handler" of a pool: another than the stock one is refused, or else told,
/// and the stock one stands for it.
pub(super) fn handler(context: &Context<'_>, section: &Section) -> Result<(), ConfigError> {
    const KEY: &str = "result_handler";
    let reader = context.reader(section);
    let name = || section.name.clone();
    let foreign_one = reader.get(KEY, &context.names_here(), |text| match text {
        stock if names(stock, STOCK_HANDLER) => Ok(None),
        other if context.skip_plugins => Ok(Some(other.to_owned())),
        other => Err(ConfigError::ForeignHandler { section: name(), handler: other.to_owned() }),
    })?;
    if let Some(handler) = foreign_one {
        let (file, line) = place(reader, section, KEY);
        let what = format!("{}; the default is used", foreign(&handler));
        let (section_name, file) = (quote(&section.name), quote(&file));
        let line = format!("{KEY} in section {section_name}: {what} (file: {file}, line: {line})");
        context.remark(section, Some(KEY), &what, line);
    }
    Ok(())
}

fn foreign(name: &str) -> String {
    format!("{name} is a Python extension, which is not supported")
}

/// File and line of an option; those of its section where it is a default.
fn place(reader: Reader<'_>, section: &Section, key: &str) -> (String, usize) {
    match reader.written(key) {
        Some(entry) => (entry.file.to_string(), entry.line),
        None => (section.file.to_string(), section.line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_an_object() {
        let (module, name) = STOCK.split_once(':').unwrap();
        for (between, behind) in
            [(":", ""), (": ", ""), (" :\n ", " "), (":", "[x]"), (":", " [] ")]
        {
            assert!(
                names(&format!("{module}{between}{name}{behind}"), STOCK),
                "{between:?} {behind:?}"
            );
        }
        for (before, behind) in [(" ", ""), ("x", ""), ("", "x"), ("", ":"), ("", " x"), ("", " ]")]
        {
            assert!(!names(&format!("{before}{STOCK}{behind}"), STOCK), "{before:?} {behind:?}");
        }
        assert!(!names(module, STOCK) && !names("", STOCK));
    }
}
