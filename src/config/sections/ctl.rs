//! `[supervisorctl]`, with rules of its own: no `[include]`, and no other section matters.
#![forbid(unsafe_code)]

use super::{Context, Source};
use crate::config::error::ConfigError;
use crate::config::host::Host;
use crate::config::paths::{expand_user, normalized};
use crate::config::quote::quote;
use crate::config::table;

/// What names a plugin of `[ctlplugin:x]`.
const FACTORY: &str = "supervisor.ctl_factory";

/// What supervisorctl needs to know; its command line is laid over it by its own code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtlOptions {
    /// "serverurl". The path of a `unix://` one is absolute.
    pub serverurl: String,
    /// The file has a "serverurl".
    pub has_serverurl: bool,
    /// "username".
    pub username: Option<String>,
    /// "password".
    pub password: Option<String>,
    /// "prompt".
    pub prompt: String,
    /// "history_file", absolute.
    pub history_file: Option<String>,
    /// What to say on stderr before going on: plugins that are not supported.
    pub warnings: Vec<String>,
}

impl Default for CtlOptions {
    /// What holds when there is no file.
    fn default() -> CtlOptions {
        let default = |key: &str| {
            let row = table::row(table::Section::Supervisorctl, key);
            row.and_then(|row| row.default).unwrap_or_default().to_owned()
        };
        CtlOptions {
            serverurl: default("serverurl"),
            has_serverurl: false,
            username: None,
            password: None,
            prompt: default("prompt"),
            history_file: None,
            warnings: Vec::new(),
        }
    }
}

/// Reads the section.
///
/// # Errors
/// No such section, a text that cannot be expanded, a plugin without a factory.
pub fn load_ctl(source: Source<'_>, host: &dyn Host) -> Result<CtlOptions, ConfigError> {
    let section = source.document.section("supervisorctl");
    let section = section.ok_or(ConfigError::NoSection("supervisorctl"))?;
    let here = super::here(host, &expand_user(host, source.file));
    let context = Context::new(source, host, here);
    let reader = context.reader(section);
    let (env, names) = (&context.env, context.names_here());
    let serverurl = reader.value("serverurl", &names)?;
    let serverurl = match serverurl.strip_prefix("unix://") {
        Some(path) => format!("unix://{}", normalized(host, path)?),
        None => serverurl,
    };
    let has_serverurl = reader.written("serverurl").is_some();
    let prompt = reader.value("prompt", env)?;
    let username = reader.text("username", env)?;
    let password = reader.text("password", env)?;
    let history_file = reader.text("history_file", &names)?.filter(|file| !file.is_empty());
    let history_file = history_file.map(|file| normalized(host, &file)).transpose()?;
    let mut warnings = Vec::new();
    for section in &source.document.sections {
        if section.name.starts_with("ctlplugin:") {
            let absent = ConfigError::NoFactory { section: section.name.clone(), key: FACTORY };
            context.reader(section).text(FACTORY, env)?.ok_or(absent)?;
            warnings.push(format!(
                "section [{}] is ignored: Python extensions are not supported (file: {}, line: {})",
                section.name,
                quote(&section.file),
                section.line
            ));
        }
    }
    Ok(CtlOptions { serverurl, has_serverurl, username, password, prompt, history_file, warnings })
}
