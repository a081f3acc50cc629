//! The configuration file as far as supervisorctl needs it.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::{env, fs, io};

use super::options::CtlFile;

/// The first of the usual places that has a file. `program` is the executable as invoked.
#[must_use]
pub fn find_config(program: &str) -> Option<String> {
    let above = Path::new(program).parent().and_then(Path::parent).unwrap_or(Path::new(""));
    let places = [
        above.join("etc/supervisord.conf"),
        above.join("supervisord.conf"),
        PathBuf::from("supervisord.conf"),
        PathBuf::from("etc/supervisord.conf"),
        PathBuf::from("/etc/supervisord.conf"),
        PathBuf::from("/etc/supervisor/supervisord.conf"),
    ];
    let found = places.into_iter().find(|place| place.exists())?;
    Some(found.to_string_lossy().into_owned())
}

/// Reads the section `[supervisorctl]`.
///
/// # Errors
/// The reason, for the user.
pub fn read_config(path: &str) -> Result<CtlFile, String> {
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("could not find config file {path}"),
        _ => format!("could not read config file {path}"),
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let Some(section) = section(&text) else {
        return Err(".ini file does not include supervisorctl section".to_owned());
    };
    let here = absolute(path).parent().map(|parent| parent.to_string_lossy().into_owned());
    let here = here.unwrap_or_default();
    let value = |key: &str, here: Option<&str>| match section.get(key) {
        Some(raw) => expand(raw, key, here).map(Some),
        None => Ok(None),
    };
    let serverurl = value("serverurl", Some(&here))?.map(|url| match url.strip_prefix("unix://") {
        Some(path) => format!("unix://{}", absolute(path).display()),
        None => url,
    });
    let history_file = value("history_file", Some(&here))?.filter(|path| !path.is_empty());
    Ok(CtlFile {
        serverurl,
        username: value("username", None)?,
        password: value("password", None)?,
        prompt: value("prompt", None)?,
        history_file: history_file.map(|path| absolute(&path).to_string_lossy().into_owned()),
    })
}

/// The keys of `[supervisorctl]`, those of `[DEFAULT]` below them.
fn section(text: &str) -> Option<HashMap<String, String>> {
    let mut values = HashMap::new();
    let (mut current, mut found, mut last) = (String::new(), false, None::<String>);
    for line in text.lines() {
        let content = without_comment(line);
        if content.trim().is_empty() {
            continue;
        }
        let indented = content.starts_with([' ', '\t']);
        let content = content.trim();
        let wanted = current == "supervisorctl" || current == "DEFAULT";
        if let (true, Some(key)) = (indented, &last) {
            if let Some(value) = values.get_mut(key) {
                let value: &mut String = value;
                value.push('\n');
                value.push_str(content);
            }
        } else if let Some((name, _)) =
            content.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        {
            current = name.to_owned();
            found |= current == "supervisorctl";
            last = None;
        } else if let (true, Some((key, value))) = (wanted, content.split_once(['=', ':'])) {
            let key = key.trim().to_lowercase();
            let known = current == "DEFAULT" && values.contains_key(&key);
            if !known {
                values.insert(key.clone(), value.trim().to_owned());
            }
            last = Some(key);
        }
    }
    found.then_some(values)
}

/// The line up to a comment: a mark at its start or after a blank.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, char) in line.char_indices() {
        if matches!(char, ';' | '#') && before.is_whitespace() {
            return line.get(..at).unwrap_or_default();
        }
        before = char;
    }
    line
}

/// Puts in `%(here)s` and `%(ENV_x)s`.
fn expand(raw: &str, key: &str, here: Option<&str>) -> Result<String, String> {
    let bad = |why: &str| {
        format!("Format string '{raw}' for 'supervisorctl.{key}' is badly formatted: {why}")
    };
    let (mut out, mut rest) = (String::new(), raw);
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(tail) = after.strip_prefix('%') {
            out.push('%');
            rest = tail;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|after| after.split_once(")s"));
        let (name, tail) = name.ok_or_else(|| bad("incomplete format"))?;
        let value = match (name.strip_prefix("ENV_"), here) {
            (Some(variable), _) => env::var(variable).ok(),
            (None, Some(here)) if name == "here" => Some(here.to_owned()),
            _ => None,
        };
        let value = value.ok_or_else(|| {
            format!(
                "Format string '{raw}' for 'supervisorctl.{key}' contains names ('{name}') \
                 which cannot be expanded."
            )
        })?;
        out.push_str(&value);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// The path from the root, `~`, `.` and `..` resolved without a look at the disk.
fn absolute(path: &str) -> PathBuf {
    let path = match (path.strip_prefix('~'), env::var("HOME")) {
        (Some(rest), Ok(home)) if rest.is_empty() || rest.starts_with('/') => home + rest,
        _ => path.to_owned(),
    };
    let mut absolute = PathBuf::new();
    for component in env::current_dir().unwrap_or_default().join(path).components() {
        match component {
            Component::ParentDir => {
                absolute.pop();
            }
            Component::CurDir => {}
            other => absolute.push(other),
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_read_with_comments_and_repeats() {
        let text = "; c\n[DEFAULT]\nusername=d\n[supervisord]\nserverurl=no\n[supervisorctl] ; x\n\
            ServerURL = unix:///x ; y\npassword=a;b\nprompt: p\n[other]\nprompt=q\n[supervisorctl]\nprompt=r\n";
        let values = section(text).unwrap();
        let get = |key: &str| values.get(key).map(String::as_str);
        assert_eq!(get("serverurl"), Some("unix:///x"));
        assert_eq!(get("password"), Some("a;b"));
        assert_eq!(get("prompt"), Some("r"));
        assert_eq!(get("username"), Some("d"));
        assert_eq!(section("[supervisord]\n"), None);
    }

    #[test]
    fn expansions() {
        assert_eq!(expand("a%%b%(here)s/x", "serverurl", Some("/h")), Ok("a%b/h/x".into()));
        assert!(expand("%(here)s", "prompt", None).is_err());
        assert!(expand("%x", "prompt", None).is_err());
    }
}
