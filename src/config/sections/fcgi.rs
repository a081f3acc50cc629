//! The socket of `[fcgi-program:x]`.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::Context;
use crate::config::document::Section;
use crate::config::error::{ConfigError, SocketFault};
use crate::config::host;
use crate::config::options::{FcgiAddress, FcgiSocket};
use crate::config::paths::normalized;
use crate::config::values;

/// The mode of a unix socket.
const MODE: u32 = 0o700;

/// Reads the socket of a section, in Supervisor's order.
///
/// # Errors
/// Those of its options; none of them names the file, as in Supervisor.
pub(super) fn read(
    context: &Context<'_>,
    section: &Section,
    program: &str,
) -> Result<Arc<FcgiSocket>, ConfigError> {
    let reader = context.reader(section);
    let names = context.names_here();
    let host = context.host;
    let user = reader.find("user", &names, |text| host::user(host, text))?;
    let backlog = reader.find("socket_backlog", &names, |text| {
        let backlog = values::integer(text)?;
        let valid = u16::try_from(backlog).ok().filter(|backlog| *backlog > 0);
        valid.ok_or(ConfigError::SocketBacklog(backlog))
    })?;
    let owner = reader.find("socket_owner", &names, |text| {
        host::owner(host, text).map_err(|_| ConfigError::FcgiOwner(text.to_owned()))
    })?;
    let mode = reader.find("socket_mode", &names, |text| {
        values::octal(text).map_err(|_| ConfigError::FcgiMode(text.to_owned()))
    })?;
    let names = names.with("program_name", program);
    let text = |text: &str| Ok::<String, ConfigError>(text.to_owned());
    let socket = reader.need("socket", &names, text, ConfigError::NoSocket)?;
    if socket.is_empty() {
        return Err(ConfigError::NoSocket(section.name.clone()));
    }
    // A unix socket belongs to the program's user, who else could not accept on it anew.
    let owned = || {
        let user = user.filter(|user| user.uid != host.uid());
        owner.or(user.map(|user| (user.uid, Some(user.gid))))
    };
    let address = match socket.strip_prefix("unix://") {
        Some(path) if path.starts_with('/') => Ok(FcgiAddress::Unix {
            path: normalized(host, path)?,
            owner: owned(),
            mode: mode.unwrap_or(MODE),
        }),
        Some(path) => Err(SocketFault::Relative(path.to_owned())),
        None if owner.is_some() || mode.is_some() => Err(SocketFault::OwnerOfTcp),
        None => tcp(&socket).ok_or(SocketFault::Format(socket)),
    };
    // The place that an error tells.
    reader.written("socket");
    let section = section.name.clone();
    let address = address.map_err(|fault| ConfigError::Socket { section, fault })?;
    Ok(Arc::new(FcgiSocket { address, backlog }))
}

/// `tcp://host:port`, the host without blanks or colons.
fn tcp(socket: &str) -> Option<FcgiAddress> {
    let (host, port) = socket.strip_prefix("tcp://")?.split_once(':')?;
    let plain = !host.is_empty() && !host.contains(char::is_whitespace);
    let digits = !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    let port = port.parse().ok().filter(|_| plain && digits)?;
    Some(FcgiAddress::Tcp { host: host.to_lowercase(), port })
}
