//! Paths as text: joined, normalized, `~` expanded. Only [`Host`] knows what exists.
#![forbid(unsafe_code)]

use super::host::Host;
use super::options::ChildLog;
use super::values::ValueError;

/// The part before the last `/`; empty without one.
pub fn dirname(path: &str) -> &str {
    let end = path.rfind('/').map_or(0, |slash| slash + 1);
    let head = path.get(..end).unwrap_or_default();
    let trimmed = head.trim_end_matches('/');
    if trimmed.is_empty() { head } else { trimmed }
}

/// `path` under `base`, unless it is absolute.
pub fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') || base.is_empty() {
        path.to_owned()
    } else if base.ends_with('/') {
        format!("{base}{path}")
    } else {
        format!("{base}/{path}")
    }
}

/// Absolute, without `.`, `..` and doubled slashes. Pure text: no link is followed.
///
/// # Errors
/// [`ValueError::NoCurrentDirectory`] for a relative path: it must not mean another place.
pub fn absolute(host: &dyn Host, path: &str) -> Result<String, ValueError> {
    if path.starts_with('/') {
        return Ok(normal(path));
    }
    let no_directory = || ValueError::NoCurrentDirectory(path.to_owned());
    let directory = host.current_dir().ok_or_else(no_directory)?;
    Ok(normal(&join(&directory, path)))
}

/// `~` expanded, then absolute.
///
/// # Errors
/// As for [`absolute`].
pub fn normalized(host: &dyn Host, path: &str) -> Result<String, ValueError> {
    absolute(host, &expand_user(host, path))
}

fn normal(path: &str) -> String {
    // POSIX leaves exactly two leading slashes to the system.
    let root = match path.len() - path.trim_start_matches('/').len() {
        2 => "//",
        0 => "",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if root.is_empty() => parts.push(part),
            ".." => {}
            _ => parts.push(part),
        }
    }
    let text = format!("{root}{}", parts.join("/"));
    if text.is_empty() { ".".to_owned() } else { text }
}

/// `~` or `~user` at the start replaced by the home directory, if that is known.
pub fn expand_user(host: &dyn Host, path: &str) -> String {
    let Some(after) = path.strip_prefix('~') else {
        return path.to_owned();
    };
    let (user, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
    match host.home((!user.is_empty()).then_some(user)) {
        Some(home) => match format!("{}{rest}", home.trim_end_matches('/')) {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        },
        None => path.to_owned(),
    }
}

/// A directory that exists, `~` expanded.
///
/// # Errors
/// [`ValueError::Directory`].
pub fn existing_directory(host: &dyn Host, text: &str) -> Result<String, ValueError> {
    let path = expand_user(host, text);
    if host.is_dir(&path) { Ok(path) } else { Err(ValueError::Directory(text.to_owned())) }
}

/// A file whose directory exists, `~` expanded.
///
/// # Errors
/// [`ValueError::DirPath`].
pub fn existing_dirpath(host: &dyn Host, text: &str) -> Result<String, ValueError> {
    let path = expand_user(host, text);
    let directory = dirname(&path);
    if directory.is_empty() || host.is_dir(directory) {
        Ok(path)
    } else {
        Err(ValueError::DirPath(text.to_owned()))
    }
}

/// What "stdout_logfile" and "stderr_logfile" can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildLogfile {
    /// One of the places of the options, `NONE` and a path.
    Place(ChildLog),
    /// The deprecated file name `syslog`.
    Syslog,
}

/// `NONE`, `OFF`, `AUTO`, `syslog`, or a file whose directory exists. Empty is a file name
/// that opens nothing.
///
/// # Errors
/// [`ValueError::DirPath`].
pub fn child_logfile(host: &dyn Host, text: &str) -> Result<ChildLogfile, ValueError> {
    let place = match text.to_lowercase().as_str() {
        "none" | "off" => ChildLog::None,
        "auto" => ChildLog::Auto,
        "syslog" => return Ok(ChildLogfile::Syslog),
        _ => match existing_dirpath(host, text)? {
            path if path.is_empty() => ChildLog::Empty,
            path => ChildLog::File(path),
        },
    };
    Ok(ChildLogfile::Place(place))
}
