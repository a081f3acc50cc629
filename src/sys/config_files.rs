//! Where a configuration is found, which files it includes, and their texts.

mod gather;
mod patience;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use glob::{MatchOptions, Pattern};

use super::inject::{self, Call};
use super::{errno, file};
use crate::config::command_line::CommandLine;
use crate::config::document::Document;
use crate::config::error::ConfigError;
use crate::config::host::Host;
use crate::config::options::{Notice, NoticeLevel, Options};
use crate::config::paths::{dirname, join};
use crate::config::sections::{self, CtlOptions, Source};

pub use gather::gather;
pub use patience::Patience;
use patience::read;

/// Said on stderr by a supervisord of root's that searches for its file.
pub const ROOT_SEARCHES: &str = "Supervisord is running as root and it is searching for its \
     configuration file in default locations (including its current working directory); you \
     probably want to specify a \"-c\" argument specifying an absolute path to a configuration \
     file for improved security.";

/// The places that are searched, in order. The first two depend on the program's own path.
pub fn default_paths(argv0: &str) -> Vec<String> {
    let parent = dirname(dirname(argv0));
    let mut paths = vec![join(parent, "etc/supervisord.conf"), join(parent, "supervisord.conf")];
    let fixed = [
        "supervisord.conf",
        "etc/supervisord.conf",
        "/etc/supervisord.conf",
        "/etc/supervisor/supervisord.conf",
    ];
    paths.extend(fixed.map(str::to_owned));
    paths
}

/// The first of the default paths that exists.
///
/// # Errors
/// None does. supervisorctl goes on with [`CtlOptions::default`] then.
pub fn find(argv0: &str) -> Result<String, ConfigError> {
    let paths = default_paths(argv0);
    let found = paths.iter().find(|path| file::exists(Path::new(path))).cloned();
    found.ok_or(ConfigError::NoDefaultFile(paths))
}

/// Reads a configuration with all that it includes. Start-up, HUP and reread use this alone. The
/// patience is for the main file; what is included has short shrift always.
///
/// # Errors
/// The first fault of the file, of an included one, or of the command line.
pub fn load(
    path: &str,
    command_line: &CommandLine,
    host: &dyn Host,
    patience: Patience,
) -> Result<Options, ConfigError> {
    let mut document = Document::default();
    document.add(&text(path, patience)?, path)?;
    let patterns = sections::include_patterns(Source { document: &document, file: path }, host)?;
    let mut notices = Vec::new();
    if let Some(patterns) = patterns {
        document.expand_here(&sections::here(host, path));
        for pattern in &patterns {
            include(&mut document, pattern, host, &mut notices)?;
        }
    }
    let mut options =
        sections::load(Source { document: &document, file: path }, command_line, host)?;
    notices.append(&mut options.notices);
    options.notices = notices;
    Ok(options)
}

/// Reads supervisorctl's part of a configuration; `[include]` is not followed.
///
/// # Errors
/// The first fault of the file.
pub fn load_ctl(path: &str, host: &dyn Host) -> Result<CtlOptions, ConfigError> {
    let mut document = Document::default();
    document.add(&text(path, Patience::Endless)?, path)?;
    sections::load_ctl(Source { document: &document, file: path }, host)
}

fn text(path: &str, patience: Patience) -> Result<String, ConfigError> {
    if !file::exists(Path::new(path)) {
        return Err(ConfigError::NotFound(path.to_owned()));
    }
    let bytes = read(path, patience).map_err(|error| unreadable(path, &error))?;
    utf8(bytes, path)
}

fn unreadable(path: &str, error: &io::Error) -> ConfigError {
    match error.kind() {
        io::ErrorKind::TimedOut if error.raw_os_error().is_none() => {
            ConfigError::Unwritten(path.to_owned())
        }
        _ => ConfigError::NotReadable(path.to_owned()),
    }
}

/// It may be there, and just now nobody can tell.
fn may_heal(error: &io::Error) -> bool {
    let late = error.kind() == io::ErrorKind::TimedOut;
    let by_itself = [libc::EIO, libc::EINTR].map(Some).contains(&error.raw_os_error());
    late || by_itself || errno::lacks_resources(error)
}

fn utf8(bytes: Vec<u8>, path: &str) -> Result<String, ConfigError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = valid.filter(|byte| **byte == b'\n').count() + 1;
        ConfigError::NotUtf8 { file: path.to_owned(), line }
    })
}

/// Reads the matches of one pattern in order of their names. One that cannot be read is skipped
/// and told, unless it can't be read just now: its programs would count as removed.
///
/// # Errors
/// A file or directory can't be read for a lack of descriptors or memory, or a bad disk, or is a
/// pipe whose data did not come; a fault in it.
fn include(
    document: &mut Document,
    pattern: &str,
    host: &dyn Host,
    notices: &mut Vec<Notice>,
) -> Result<(), ConfigError> {
    let mut files = matches(pattern).map_err(ConfigError::NotReadable)?;
    files.sort();
    if files.is_empty() {
        let text = format!("No file matches via include \"{pattern}\"");
        notices.push(Notice { level: NoticeLevel::Warn, text });
    }
    for file in files {
        let text = format!("Included extra file \"{file}\" during parsing");
        notices.push(Notice { level: NoticeLevel::Info, text });
        match read(&file, Patience::Short) {
            Ok(bytes) => document.add(&utf8(bytes, &file)?, &file)?,
            Err(error) if may_heal(&error) => return Err(unreadable(&file, &error)),
            // A pattern may well match directories.
            Err(error) if error.raw_os_error() == Some(libc::EISDIR) => {}
            Err(error) => {
                let why = errno::described(&error);
                let text = format!("Included file \"{file}\" can't be read and is left out: {why}");
                notices.push(Notice { level: NoticeLevel::Warn, text });
            }
        }
        document.expand_here(&sections::here(host, &file));
    }
    Ok(())
}

/// The paths that a pattern names, spelled as the pattern spells them: `*`, `?`, `[...]`,
/// `[!...]` within one component. A leading dot must be written; `**` is `*`.
///
/// # Errors
/// The path that can't be looked at just now: what it holds would count as removed.
fn matches(pattern: &str) -> Result<Vec<String>, String> {
    if !is_magic(pattern) {
        let found = is_there(pattern)?;
        return Ok(if found { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let name = pattern.rsplit_once('/').map_or(pattern, |(_, name)| name);
    let directory = dirname(pattern);
    let directories =
        if is_magic(directory) { matches(directory)? } else { vec![directory.to_owned()] };
    let mut compiled = HashMap::new();
    let mut out = Vec::new();
    for directory in directories {
        if is_magic(name) {
            let pattern = compiled.entry(name).or_insert_with(|| component(name));
            let names = names(&directory)?.into_iter().filter(|n| matches_name(pattern, n));
            out.extend(names.map(|n| join(&directory, &n)));
            continue;
        }
        let path = if name.is_empty() { format!("{directory}/") } else { join(&directory, name) };
        if is_there(&path)? {
            out.push(path);
        }
    }
    Ok(out)
}

/// Whether something has this name; one that ends with a slash is a directory's.
fn is_there(path: &str) -> Result<bool, String> {
    match inject::fail(Call::Stat).and_then(|()| fs::symlink_metadata(path)) {
        Err(error) if may_heal(&error) => Err(path.to_owned()),
        found => Ok(found.is_ok()),
    }
}

fn is_magic(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// The names in a directory; none if it cannot be read, as for a lack of rights.
fn names(directory: &str) -> Result<Vec<String>, String> {
    let directory = if directory.is_empty() { "." } else { directory };
    match file::names(Path::new(directory)) {
        Err(error) if may_heal(&error) => Err(directory.to_owned()),
        Err(_) => Ok(Vec::new()),
        Ok(names) => Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect()),
    }
}

fn matches_name(pattern: &Option<Pattern>, name: &str) -> bool {
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    pattern.as_ref().is_some_and(|pattern| pattern.matches_with(name, options))
}

/// A pattern of one component. The `glob` crate gives `**` a meaning and refuses a `[` that is
/// not closed, which is a plain character here.
fn component(text: &str) -> Option<Pattern> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match (c, set_end(after)) {
            ('[', Some(end)) => {
                plain.push('[');
                plain.push_str(after.get(..end).unwrap_or_default());
                after.get(end..).unwrap_or_default()
            }
            ('[', None) => {
                plain.push_str("[[]");
                after
            }
            ('*', _) => {
                plain.push('*');
                after.trim_start_matches('*')
            }
            (c, _) => {
                plain.push(c);
                after
            }
        };
    }
    Pattern::new(&plain).ok()
}

/// Where the set ends whose `[` stands before `text`: behind its `]`. A `]` at the start of the
/// set is one of its characters.
fn set_end(text: &str) -> Option<usize> {
    let start = usize::from(text.starts_with('!'));
    let start = start + usize::from(text.get(start..)?.starts_with(']'));
    Some(start + text.get(start..)?.find(']')? + 1)
}

#[cfg(test)]
mod tests;
