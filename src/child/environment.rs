//! The environment of a child.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::config::options::Program;

/// The daemon's own environment as it was at start, kept for all children.
#[derive(Clone, Debug, Default)]
pub struct Inherited(Vec<(OsString, OsString)>);

impl Inherited {
    /// Takes that of this process.
    pub fn of_this_process() -> Inherited {
        Inherited(std::env::vars_os().collect())
    }

    /// The daemon's PATH.
    pub fn path(&self) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == "PATH").and_then(|(_, value)| value.to_str())
    }
}

/// The whole environment of a child: the daemon's, Supervisor's variables, then what is
/// configured, later ones winning.
pub fn of_child(inherited: &Inherited, program: &Program, group: &str) -> Vec<CString> {
    let mut all: BTreeMap<&OsStr, &OsStr> =
        inherited.0.iter().map(|(key, value)| (key.as_os_str(), value.as_os_str())).collect();
    let set = |key: &'static str, value: &'_ str| -> (&'static OsStr, OsString) {
        (OsStr::new(key), OsString::from(value))
    };
    let mut own = vec![set("SUPERVISOR_ENABLED", "1")];
    own.extend(program.server_url.as_deref().map(|url| set("SUPERVISOR_SERVER_URL", url)));
    own.push(set("SUPERVISOR_PROCESS_NAME", &program.name));
    own.push(set("SUPERVISOR_GROUP_NAME", group));
    all.extend(own.iter().map(|(key, value)| (*key, value.as_os_str())));
    all.extend(program.environment.iter().map(|(key, value)| (OsStr::new(key), OsStr::new(value))));
    all.into_iter().filter_map(|(key, value)| entry(key, value)).collect()
}

/// `KEY=value`; what has a NUL in it can't be passed on.
fn entry(key: &OsStr, value: &OsStr) -> Option<CString> {
    let mut text = key.to_owned().into_vec();
    text.push(b'=');
    text.extend_from_slice(value.as_bytes());
    CString::new(text).ok()
}
