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
    let inet = named("inet_http_server").map(|section| inet(context, section));
    let unix = named("unix_http_server").map(|section| unix(context, section));
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

fn credentials(
    context: &Context<'_>,
    reader: Reader<'_>,
    section: &Section,
) -> Result<Option<(String, String)>, ConfigError> {
    let username = reader.text("username", &context.env)?;
    let password = reader.text("password", &context.env)?;
    match (username, password) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => Ok(Some((username, password))),
        (Some(_), None) | (None, Some(_)) => {
            Err(ConfigError::IncompleteAuthentication(section.name.clone()))
        }
    }
}

fn inet(context: &Context<'_>, section: &Section) -> Result<HttpServer, ConfigError> {
    let reader = context.reader(section);
    let credentials = credentials(context, reader, section)?;
    let port = reader.text("port", &context.env)?;
    let port = port.ok_or_else(|| ConfigError::NoAddress(section.name.clone(), "port"))?;
    let (host, port) = values::inet_address(&port)?;
    let address = ServerAddress::Inet { host, port };
    Ok(HttpServer { section: section.name.clone(), address, credentials })
}

fn unix(context: &Context<'_>, section: &Section) -> Result<HttpServer, ConfigError> {
    let reader = context.reader(section);
    let file = reader.text("file", &context.names_here())?;
    let file = file.ok_or_else(|| ConfigError::NoAddress(section.name.clone(), "file"))?;
    let file = normalized(context.host, file.trim_matches(is_space));
    let credentials = credentials(context, reader, section)?;
    let owner = match reader.text("chown", &context.env)? {
        Some(text) => {
            let owner = host::owner(context.host, &text);
            Some(owner.map_err(|_| ConfigError::SocketOwner(text))?)
        }
        None => None,
    };
    let mode = reader.value("chmod", &context.env)?;
    let mode = values::octal(&mode).map_err(|_| ConfigError::SocketMode(mode))?;
    let address = ServerAddress::Unix { file, mode, owner };
    Ok(HttpServer { section: section.name.clone(), address, credentials })
}
