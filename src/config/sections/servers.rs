//! `[inet_http_server]` and `[unix_http_server]`: every section whose name begins so.
#![forbid(unsafe_code)]

use super::{Context, Reader};
use crate::config::dialect::is_space;
use crate::config::document::Section;
use crate::config::error::ConfigError;
use crate::config::host;
use crate::config::options::{HttpServer, ServerAddress};
use crate::config::paths::normalized;
use crate::config::values;

/// The listeners: all TCP ones, then the others, each kind in file order.
pub(super) fn read(context: &Context<'_>) -> Result<Vec<HttpServer>, ConfigError> {
    let named = |prefix: &'static str| {
        context.document.sections.iter().filter(move |s| s.name.starts_with(prefix))
    };
    let attempt = |section, read: fn(&Context<'_>, &Section) -> Result<HttpServer, ConfigError>| {
        context.attempt(section, || read(context, section)).transpose()
    };
    let inet = named("inet_http_server").filter_map(|section| attempt(section, inet));
    let unix = named("unix_http_server").filter_map(|section| attempt(section, unix));
    inet.chain(unix).collect()
}

/// The URL given to children: the first unix socket, else the last TCP port.
pub(super) fn url(servers: &[HttpServer]) -> Option<String> {
    let unix = servers.iter().find_map(|server| match &server.address {
        ServerAddress::Unix { file, .. } => Some(format!("unix://{file}")),
        ServerAddress::Inet { .. } => None,
    });
    unix.or_else(|| match &servers.last()?.address {
        ServerAddress::Inet { host, port } if host.is_empty() => {
            Some(format!("http://localhost:{port}"))
        }
        ServerAddress::Inet { host, port } => Some(format!("http://{host}:{port}")),
        ServerAddress::Unix { .. } => None,
    })
}

/// The name and password that clients must give. An empty name asks for none, as in Supervisor.
fn credentials(
    context: &Context<'_>,
    reader: Reader<'_>,
    section: &Section,
) -> Result<Option<(String, String)>, ConfigError> {
    let username = reader.text("username", &context.env)?;
    let password = reader.text("password", &context.env)?;
    match (username, password) {
        (None, None) => Ok(None),
        (Some(username), Some(_)) if username.is_empty() => {
            // At a start the line about a server without authentication says so.
            let what = "an empty user name means that nobody is asked for one, nor for a password";
            context.note(section, Some("username"), what);
            Ok(None)
        }
        (Some(username), Some(password)) => Ok(Some((username, password))),
        (Some(_), None) | (None, Some(_)) => {
            Err(ConfigError::IncompleteAuthentication(section.name.clone()))
        }
    }
}

/// The names in lower case, as names of hosts are compared.
fn allowed_hosts(context: &Context<'_>, reader: Reader<'_>) -> Result<Vec<String>, ConfigError> {
    reader.get("allowed_hosts", &context.env, |text| {
        let names = values::strings(&text.to_lowercase()).into_iter();
        Ok::<_, ConfigError>(names.filter(|name| !name.is_empty()).collect())
    })
}

fn inet(context: &Context<'_>, section: &Section) -> Result<HttpServer, ConfigError> {
    let reader = context.reader(section);
    let credentials = credentials(context, reader, section)?;
    let absent = |section| ConfigError::NoAddress(section, "port");
    let (host, port) = reader.need("port", &context.env, values::inet_address, absent)?;
    let address = ServerAddress::Inet { host, port };
    let allowed_hosts = allowed_hosts(context, reader)?;
    Ok(HttpServer { section: section.name.clone(), address, credentials, allowed_hosts })
}

fn unix(context: &Context<'_>, section: &Section) -> Result<HttpServer, ConfigError> {
    let reader = context.reader(section);
    let path = |file: &str| normalized(context.host, file.trim_matches(is_space));
    let absent = |section| ConfigError::NoAddress(section, "file");
    let file = reader.need("file", &context.names_here(), path, absent)?;
    let credentials = credentials(context, reader, section)?;
    let owner = reader.find("chown", &context.env, |text| {
        host::owner(context.host, text).map_err(|_| ConfigError::SocketOwner(text.to_owned()))
    })?;
    let mode = reader.get("chmod", &context.env, |text| {
        values::octal(text).map_err(|_| ConfigError::SocketMode(text.to_owned()))
    })?;
    let address = ServerAddress::Unix { file, mode, owner };
    let allowed_hosts = allowed_hosts(context, reader)?;
    Ok(HttpServer { section: section.name.clone(), address, credentials, allowed_hosts })
}
