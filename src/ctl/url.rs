//! The server's URL, and the daemon's address in it.

use crate::config::quote::quote;

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// `http://host:port`.
    Tcp { host: String, port: u16 },
    /// `unix:///path`.
    Unix { path: String },
}

impl Address {
    /// Reads a server URL: the path, the query and the credentials of an `http` URL have
    /// no meaning. The error is the sentence for the user.
    pub(super) fn parse(url: &str) -> Result<Address, String> {
        if let Some(path) = url.strip_prefix("unix://") {
            return Ok(Address::Unix { path: path.to_owned() });
        }
        let Some(rest) = url.strip_prefix("http://") else {
            return Err(format!("Unknown protocol for serverurl {url}"));
        };
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = place.rsplit('@').next().unwrap_or_default();
        let (host, port) = split_port(place);
        let port = match port {
            None | Some("") => 80,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| "Port out of range 0-65535".to_owned())?
            }
            Some(text) => {
                return Err(format!("Port could not be cast to integer value as {}", quote(text)));
            }
        };
        let host = if host.is_empty() { "localhost" } else { host };
        Ok(Address::Tcp { host: host.to_ascii_lowercase(), port })
    }

    /// The address in words.
    pub(super) fn described(&self) -> String {
        match self {
            Address::Tcp { host, port } => format!("{host}, port {port}"),
            Address::Unix { path } => format!("the socket {path}"),
        }
    }

    /// The value of the `Host` header.
    pub(super) fn host_header(&self) -> String {
        match self {
            // A path is no host name.
            Address::Unix { .. } => "localhost".to_owned(),
            Address::Tcp { host, port: 80 } => host.clone(),
            Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tcp { host, port } => format!("{host}:{port}"),
        }
    }
}

/// Splits `host:port`, where a host in brackets may hold colons itself.
fn split_port(place: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match place.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    }
}

/// Whether the text is a URL at all: a scheme, and something after it.
///
/// # Errors
/// The text behind `invalid value for -s 'x': `.
pub(super) fn check(text: &str) -> Result<(), String> {
    let host = text.split_once(':').and_then(|(_, rest)| rest.strip_prefix("//")).unwrap_or("");
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('[') != host.contains(']') {
        return Err("Invalid IPv6 URL".to_owned());
    }
    if is_url(text) { Ok(()) } else { Err(format!("value {} is not a URL", quote(text))) }
}

fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let after = rest.split(['?', '#']).next().unwrap_or_default();
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !after.is_empty()
}

/// The scheme of a URL, in lower case.
pub(super) fn scheme(url: &str) -> String {
    url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Result<Address, String> {
        Ok(Address::Tcp { host: host.into(), port })
    }

    #[test]
    fn addresses() {
        assert_eq!(Address::parse("http://h:9001"), tcp("h", 9001));
        assert_eq!(Address::parse("http://H/RPC2?x"), tcp("h", 80));
        assert_eq!(Address::parse("http://u:p@h:1/"), tcp("h", 1));
        assert_eq!(Address::parse("http://[::1]:9001"), tcp("::1", 9001));
        assert_eq!(Address::parse("http://:9001"), tcp("localhost", 9001));
        assert_eq!(Address::parse("unix:///a b"), Ok(Address::Unix { path: "/a b".into() }));
        let unknown = "Unknown protocol for serverurl https://h";
        assert_eq!(Address::parse("https://h"), Err(unknown.into()));
        let no_number = "Port could not be cast to integer value as 'x'";
        assert_eq!(Address::parse("http://h:x"), Err(no_number.into()));
        let too_high = "Port out of range 0-65535";
        assert_eq!(Address::parse("http://h:65536"), Err(too_high.into()));
    }

    #[test]
    fn urls_have_a_scheme_and_a_rest() {
        for url in ["http://h", "unix:///x", "localhost:9001", "a:b"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for text in ["", "foo", "http://", "http:", "://x", "1a:b", "/x"] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
