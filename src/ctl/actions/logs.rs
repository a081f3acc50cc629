//! tail and maintail.

use std::io::{self, Write as _};

use super::super::client::{CallError, StreamEnd};
use super::super::output::code;
use super::super::stream::failure;
use super::tails::Tails;
use super::{Done, Session};
use crate::config::quote::quote;
use crate::xml_rpc::Value;

/// Bytes shown without a wish for more or less.
const DEFAULT_BYTES: i64 = 1600;

/// How much of a log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Much {
    /// The last bytes.
    Last(i64),
    /// All that comes from now on.
    Follow,
}

impl Default for Much {
    fn default() -> Much {
        Much::Last(DEFAULT_BYTES)
    }
}

/// Which of a process's logs is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Stdout,
    Stderr,
}

impl Channel {
    /// Its name, in any case.
    pub(super) fn of(word: &str) -> Option<Channel> {
        let all = [Channel::Stdout, Channel::Stderr];
        all.into_iter().find(|channel| channel.name().eq_ignore_ascii_case(word))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Channel::Stdout => "stdout",
            Channel::Stderr => "stderr",
        }
    }

    /// The method that reads it.
    pub(super) fn method(self) -> &'static str {
        match self {
            Channel::Stdout => "readProcessStdoutLog",
            Channel::Stderr => "readProcessStderrLog",
        }
    }
}

/// Reads `-f` or `-N`.
pub(super) fn much(modifier: &str) -> Option<Much> {
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
    if let Some(tails) = Tails::of(session, &words) {
        return tails.show(session);
    }
    let (modifier, words) = match words.as_slice() {
        [] => return session.misused("tail", "Error: too few arguments"),
        [_, _, _, _, ..] => return session.misused("tail", "Error: too many arguments"),
        [modifier, rest @ ..] if modifier.starts_with('-') => (Some(*modifier), rest),
        all => (None, all),
    };
    let (name, word) = match words {
        [] => return fail(session, "Error: tail requires process name"),
        [name] => (*name, "stdout"),
        [name, .., channel] => (*name, *channel),
    };
    let Some(channel) = Channel::of(word) else {
        return fail(session, &format!("Error: bad channel {}", quote(&word.to_lowercase())));
    };
    match modifier.map_or(Some(Much::default()), much) {
        Some(Much::Last(bytes)) => {
            let [offset, length] = from_end(bytes);
            show(session, name, channel.method(), &[Value::from(name), offset, length])
        }
        Some(Much::Follow) => {
            follow(session, &format!("/logtail/{}/{}", escaped(name), channel.name()))
        }
        None => fail(session, &format!("Error: bad argument {}", modifier.unwrap_or_default())),
    }
}

pub(super) fn maintail(session: &mut Session, arguments: &str) -> Done {
    if !session.is_up()? {
        return Ok(());
    }
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let wanted = match words.as_slice() {
        [] => Some(Much::default()),
        [modifier] => much(modifier),
        _ => return session.misused("maintail", "Error: too many arguments"),
    };
    match wanted {
        Some(Much::Last(bytes)) => show(session, "supervisord", "readLog", &from_end(bytes)),
        Some(Much::Follow) => follow(session, "/mainlogtail"),
        None => fail(session, &format!("Error: bad argument {}", words.concat())),
    }
}

/// The offset and length that mean so many bytes at the end.
pub(super) fn from_end(bytes: i64) -> [Value; 2] {
    [Value::Int(bytes.saturating_neg()), Value::Int(0)]
}

pub(super) fn fail(session: &mut Session, line: &str) -> Done {
    session.fail(line);
    Ok(())
}

/// Shows what a method reads of a log, and a line end.
fn show(session: &mut Session, name: &str, method: &str, params: &[Value]) -> Done {
    match session.call(method, params) {
        Ok(text) => {
            session.out.bytes(&session.shown.text(text.as_bytes().unwrap_or_default()));
            session.out.line("");
            Ok(())
        }
        // The daemon's own log has no name to be wrong.
        Err(error) if method == "readLog" && error.fault_code() == Some(code::BAD_NAME) => {
            Err(error)
        }
        Err(error) => unreadable(session, name, error),
    }
}

/// Says why a log was not read, if there are words for it.
pub(super) fn unreadable(session: &mut Session, name: &str, error: CallError) -> Done {
    let reason = match error.fault_code() {
        Some(code::NO_FILE) => "no log file",
        Some(code::FAILED) => "unknown error reading log",
        Some(code::BAD_NAME) => "no such process name",
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
        // A single stream that failed is an error.
        Ok(StreamEnd::Closed | StreamEnd::Failed) => return Ok(()),
        Ok(StreamEnd::Interrupted) => {
            session.out.line("");
            return Ok(());
        }
        Err(error @ CallError::Unwritten(_)) => {
            session.out.keep_unwritten(error);
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
