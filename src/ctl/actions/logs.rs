//! tail and maintail.

use std::io::{self, Write as _};

use super::super::client::StreamEnd;
use super::super::output::code;
use super::super::stream::failure;
use super::{Done, Session};
use crate::config::quote::quote;
use crate::xml_rpc::Value;

/// Bytes shown without a wish for more or less.
const DEFAULT_BYTES: i64 = 1600;

/// How much of a log is wanted.
enum Much {
    /// The last bytes.
    Last(i64),
    /// All that comes from now on.
    Follow,
}

/// Reads `-f` or `-N`.
fn much(modifier: &str) -> Option<Much> {
    match modifier.strip_prefix('-')? {
        "f" => Some(Much::Follow),
        number => number.parse().ok().map(Much::Last),
    }
}

pub(super) fn tail(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let (modifier, words) = match words.as_slice() {
        [] => return session.misused("tail", "Error: too few arguments"),
        [_, _, _, _, ..] => return session.misused("tail", "Error: too many arguments"),
        [modifier, rest @ ..] if modifier.starts_with('-') => (Some(*modifier), rest),
        all => (None, all),
    };
    let (name, channel) = match words {
        [] => return fail(session, "Error: tail requires process name"),
        [name] => (*name, "stdout".to_owned()),
        [name, .., channel] => (*name, channel.to_lowercase()),
    };
    let method = match channel.as_str() {
        "stdout" => "readProcessStdoutLog",
        "stderr" => "readProcessStderrLog",
        _ => return fail(session, &format!("Error: bad channel {}", quote(&channel))),
    };
    match modifier.map_or(Some(Much::Last(DEFAULT_BYTES)), much) {
        Some(Much::Last(bytes)) => {
            let offset = Value::Int(bytes.saturating_neg());
            show(session, name, method, &[Value::from(name), offset, Value::Int(0)])
        }
        Some(Much::Follow) => follow(session, &format!("/logtail/{}/{channel}", escaped(name))),
        None => fail(session, &format!("Error: bad argument {}", modifier.unwrap_or_default())),
    }
}

pub(super) fn maintail(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let wanted = match words.as_slice() {
        [] => Some(Much::Last(DEFAULT_BYTES)),
        [modifier] => much(modifier),
        _ => return session.misused("maintail", "Error: too many arguments"),
    };
    match wanted {
        Some(Much::Last(bytes)) => {
            let offset = Value::Int(bytes.saturating_neg());
            show(session, "supervisord", "readLog", &[offset, Value::Int(0)])
        }
        Some(Much::Follow) => follow(session, "/mainlogtail"),
        None => fail(session, &format!("Error: bad argument {}", words.concat())),
    }
}

fn fail(session: &mut Session, line: &str) -> Done {
    session.fail(line);
    Ok(())
}

/// Shows what a method reads of a log, and a line end.
fn show(session: &mut Session, name: &str, method: &str, params: &[Value]) -> Done {
    let error = match session.call(method, params) {
        Ok(text) => {
            let text = text.as_str().unwrap_or_default();
            session.out.bytes(&session.shown.text(text.as_bytes()));
            session.out.line("");
            return Ok(());
        }
        Err(error) => error,
    };
    let reason = match error.fault_code() {
        Some(code::NO_FILE) => "no log file",
        Some(code::FAILED) => "unknown error reading log",
        // The daemon's own log has no name to be wrong.
        Some(code::BAD_NAME) if method != "readLog" => "no such process name",
        _ => return Err(error),
    };
    fail(session, &format!("{name}: ERROR ({reason})"))
}

/// Shows what comes until the daemon or the user ends it. Failures go to stderr, as
/// stdout belongs to the log.
fn follow(session: &mut Session, path: &str) -> Done {
    session.out.line("==> Press Ctrl-C to exit <==");
    session.out.flush();
    let error = match session.transport.stream(&session.server, path, session.shown) {
        Ok(StreamEnd::Closed) => return Ok(()),
        Ok(StreamEnd::Interrupted) => {
            session.out.line("");
            return Ok(());
        }
        Err(error) => error,
    };
    // A stderr that is closed can't be told of anything.
    let _ = io::stderr().write_all(failure(&session.server, path, &error).as_bytes());
    session.exit = super::Exit::FAILURE;
    Ok(())
}

/// A name as part of a path.
pub(super) fn escaped(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'%' | b'?' | b'#' | b'/' | b'\\' | ..=b' ' | 0x7f.. => {
                path.push_str(&format!("%{byte:02X}"));
            }
            _ => path.push(char::from(byte)),
        }
    }
    path
}
