//! The environment of a child.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use crate::config::options::Program;

/// `NAME=value`, as a child gets it.
#[derive(Clone, Debug)]
struct Variable {
    text: Arc<CStr>,
    /// The length of the name, bytes.
    name: usize,
}

impl Variable {
    /// What has a NUL in it can't be passed on.
    fn new(name: &[u8], value: &[u8]) -> Option<Variable> {
        let text = CString::new([name, b"=", value].concat()).ok()?;
        Some(Variable { text: text.into(), name: name.len() })
    }

    fn name(&self) -> &[u8] {
        self.text.to_bytes().get(..self.name).unwrap_or_default()
    }

    fn value(&self) -> &[u8] {
        self.text.to_bytes().get(self.name + 1..).unwrap_or_default()
    }
}

/// The daemon's own environment as it was at start, kept for all children, who share it: a
/// thousand that wait for their turn to start need no memory for it.
#[derive(Clone, Debug, Default)]
pub struct Inherited(Vec<Variable>);

impl Inherited {
    /// Takes that of this process.
    pub fn of_this_process() -> Inherited {
        let all = std::env::vars_os();
        Inherited(all.filter_map(|(name, value)| variable(&name, &value)).collect())
    }

    /// The daemon's PATH.
    pub fn path(&self) -> Option<&str> {
        let path = self.0.iter().find(|variable| variable.name() == b"PATH");
        path.and_then(|variable| std::str::from_utf8(variable.value()).ok())
    }
}

/// The whole environment of a child: the daemon's, Supervisor's variables, then what is
/// configured, later ones winning.
pub fn of_child(inherited: &Inherited, program: &Program, group: &str) -> Vec<Arc<CStr>> {
    let url = program.server_url.as_deref().map(|url| ("SUPERVISOR_SERVER_URL", url));
    let own = [("SUPERVISOR_ENABLED", "1")].into_iter().chain(url).chain([
        ("SUPERVISOR_PROCESS_NAME", program.name.as_str()),
        ("SUPERVISOR_GROUP_NAME", group),
    ]);
    let configured = program.environment.iter().map(|(name, value)| (&**name, &**value));
    let added = own.chain(configured).filter_map(|(name, value)| variable(name, value));
    let added: Vec<Variable> = added.collect();
    let all: BTreeMap<&[u8], &Variable> =
        inherited.0.iter().chain(&added).map(|variable| (variable.name(), variable)).collect();
    all.into_values().map(|variable| Arc::clone(&variable.text)).collect()
}

fn variable(name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Option<Variable> {
    Variable::new(name.as_ref().as_bytes(), value.as_ref().as_bytes())
}
