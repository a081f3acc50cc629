//! The data types: text → value. Users, directories and paths are in `host` and `paths`.
#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use super::dialect::is_space;
use super::options::{
    Autorestart, Backoff, EventLength, ListenerError, LogLevel, OnLeftover, RestartLimit, Retries,
};
use super::quote::{quote, quote_short};
use super::signal;

/// Why a text is not of its type. `Display` is Supervisor's sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueError {
    /// Not a decimal number.
    Integer(String),
    /// Not a boolean word.
    Boolean(String),
    /// Not an octal number.
    Octal(String),
    /// No signal of this name.
    SignalName(String),
    /// No signal of this number.
    SignalNumber(String),
    /// Neither boolean nor "unexpected"; in lower case.
    Autorestart(String),
    /// Not a number of seconds.
    Seconds(String),
    /// Neither "linear" nor "double".
    Backoff(String),
    /// Neither "ignore" nor "kill" nor "fail".
    OnLeftover(String),
    /// Neither "characters" nor "bytes".
    EventLength(String),
    /// Neither "unknown" nor "restart".
    ListenerError(String),
    /// Not of the form `5/60s`.
    RestartLimit(String),
    /// Not a comma list of 0..255.
    ExitCodes(String),
    /// No such level.
    LogLevel(String),
    /// A name with a character that is not allowed in it.
    Name(String, char),
    /// Not a port.
    Port(String),
    /// Nothing after the colon.
    NoPort,
    /// A port below 1.
    PortBelow(i64),
    /// A port above 65535.
    PortAbove(i64),
    /// No scheme, or nothing behind it.
    Url(String),
    /// Tokens that are not `key = value`.
    PairsEnd(String),
    /// A quote is open at the end.
    PairsQuote,
    /// A backslash at the end.
    PairsEscape,
    /// No user of this name.
    UserName(String),
    /// No user of this number.
    UserId(String),
    /// No group of this name.
    GroupName(String),
    /// No group of this number.
    GroupId(String),
    /// A user or group, of which nobody can tell just now, and why.
    Lookup(String, String),
    /// Not a directory that exists.
    Directory(String),
    /// The directory before the file's name does not exist.
    DirPath(String),
    /// A relative path, and there is nothing that it is relative to.
    NoCurrentDirectory(String),
}

impl std::error::Error for ValueError {}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ValueError as E;
        match self {
            E::Integer(v) => {
                write!(f, "invalid literal for int() with base 10: {}", quote_short(v))
            }
            E::Boolean(v) => write!(f, "not a valid boolean value: {}", quote(v)),
            E::Octal(v) => write!(f, "{v} can not be converted to an octal type"),
            E::SignalName(v) => write!(f, "value {} is not a valid signal name", quote(v)),
            E::SignalNumber(v) => write!(f, "value {} is not a valid signal number", quote(v)),
            E::Autorestart(v) => write!(f, "invalid 'autorestart' value {}", quote(v)),
            E::Seconds(v) => write!(f, "not a number of seconds: {}", quote(v)),
            E::Backoff(v) => {
                write!(f, "invalid 'restart_backoff' value {}: linear or double", quote(v))
            }
            E::OnLeftover(v) => {
                write!(f, "invalid 'on_leftover' value {}: ignore, kill or fail", quote(v))
            }
            E::EventLength(v) => {
                write!(f, "invalid 'event_length' value {}: characters or bytes", quote(v))
            }
            E::ListenerError(v) => {
                write!(f, "invalid 'listener_error' value {}: unknown or restart", quote(v))
            }
            E::RestartLimit(v) => write!(
                f,
                "not a number of restarts and a time, as in 5/60s, 10/5m or 20/1h: {}",
                quote(v)
            ),
            E::ExitCodes(v) => write!(f, "not a valid list of exit codes: {}", quote(v)),
            E::LogLevel(v) => write!(f, "bad logging level name {}", quote(v)),
            E::Name(v, c) => {
                let c = quote(&c.to_string());
                write!(f, "Invalid name: {} because of character: {c}", quote(v))
            }
            E::Port(v) => write!(f, "not a valid port number: {} ", quote(v)),
            E::NoPort => f.write_str("no port number specified in ''"),
            E::PortBelow(n) => write!(f, "{n} is below lower bound (1)"),
            E::PortAbove(n) => write!(f, "{n} is above upper bound (65535)"),
            E::Url(v) => write!(f, "value {} is not a URL", quote(v)),
            E::PairsEnd(v) => write!(f, "Unexpected end of key/value pairs in value '{v}'"),
            E::PairsQuote => f.write_str("No closing quotation"),
            E::PairsEscape => f.write_str("No escaped character"),
            E::UserName(v) => write!(f, "Invalid user name {v}"),
            E::UserId(v) => write!(f, "Invalid user id {v}"),
            E::GroupName(v) => write!(f, "Invalid group name {v}"),
            E::GroupId(v) => write!(f, "Invalid group id {v}"),
            E::Lookup(v, why) => write!(f, "{v} could not be looked up: {why}"),
            E::Directory(v) => write!(f, "{v} is not an existing directory"),
            E::DirPath(v) => {
                write!(f, "The directory named as part of the path {v} does not exist")
            }
            E::NoCurrentDirectory(v) => write!(
                f,
                "the path {v} is relative to the current directory, which was removed or has a \
                 name that is not UTF-8"
            ),
        }
    }
}

/// Digits with an optional sign; whitespace around and single `_` between digits are allowed.
/// A number too large for 64 bits becomes the largest, for Python's have no bound.
///
/// # Errors
/// [`ValueError::Integer`].
pub fn integer(text: &str) -> Result<i64, ValueError> {
    let (negative, digits) = signed(text);
    let magnitude = digits_of(digits, 10).ok_or_else(|| ValueError::Integer(text.to_owned()))?;
    Ok(if negative { magnitude.saturating_neg() } else { magnitude })
}

/// Whether a number is negative, and its text without whitespace and sign.
fn signed(text: &str) -> (bool, &str) {
    let trimmed = text.trim_matches(is_space);
    match trimmed.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    }
}

fn digits_of(text: &str, radix: u32) -> Option<i64> {
    let mut value: i64 = 0;
    for part in text.split('_') {
        if part.is_empty() {
            return None;
        }
        for c in part.chars() {
            let digit = i64::from(c.to_digit(radix)?);
            value = value.saturating_mul(i64::from(radix)).saturating_add(digit);
        }
    }
    Some(value)
}

/// One of the eight words in any case; `None` for other text.
fn boolean_word(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// `yes true on 1` or `no false off 0`, in any case.
///
/// # Errors
/// [`ValueError::Boolean`].
pub fn boolean(text: &str) -> Result<bool, ValueError> {
    boolean_word(text).ok_or_else(|| ValueError::Boolean(text.to_owned()))
}

/// A number, or a number and `KB`, `MB`, `GB` in any case: bytes.
///
/// # Errors
/// [`ValueError::Integer`] on what stands before the suffix.
pub fn byte_size(text: &str) -> Result<i64, ValueError> {
    let lower = text.to_lowercase();
    for (suffix, factor) in [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)] {
        if let Some(number) = lower.strip_suffix(suffix) {
            return Ok(integer(number)?.saturating_mul(factor));
        }
    }
    integer(&lower)
}

/// Octal digits with an optional sign, with or without `0o`. A negative number stands for its
/// bits: the system looks at the lowest of them.
///
/// # Errors
/// [`ValueError::Octal`].
pub fn octal(text: &str) -> Result<u32, ValueError> {
    let (negative, digits) = signed(text);
    let bare = digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O"));
    let digits = bare.map_or(digits, |d| d.strip_prefix('_').unwrap_or(d));
    let magnitude = digits_of(digits, 8).and_then(|n| u32::try_from(n).ok());
    let bits = magnitude.map(|n| if negative { n.wrapping_neg() } else { n });
    bits.ok_or_else(|| ValueError::Octal(text.to_owned()))
}

/// A signal by number, or by name with or without `SIG`, in any case.
///
/// # Errors
/// [`ValueError::SignalName`], [`ValueError::SignalNumber`].
pub fn signal(text: &str) -> Result<i32, ValueError> {
    signal::parse(text).map_err(|bad| match bad {
        signal::Bad::Name => ValueError::SignalName(text.to_owned()),
        signal::Bad::Number => ValueError::SignalNumber(text.to_owned()),
    })
}

/// The boolean words, or `unexpected`.
///
/// # Errors
/// [`ValueError::Autorestart`].
pub fn autorestart(text: &str) -> Result<Autorestart, ValueError> {
    let lower = text.to_lowercase();
    match boolean_word(&lower) {
        Some(true) => Ok(Autorestart::Always),
        Some(false) => Ok(Autorestart::Never),
        None if lower == "unexpected" => Ok(Autorestart::Unexpected),
        None => Err(ValueError::Autorestart(lower)),
    }
}

/// A decimal number of seconds, a fraction allowed; at most some thirty years.
///
/// # Errors
/// [`ValueError::Seconds`].
pub fn seconds(text: &str) -> Result<Duration, ValueError> {
    const MOST: f64 = 1e9;
    let trimmed = text.trim_matches(is_space);
    let plain = trimmed.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number = trimmed.parse::<f64>().ok().filter(|_| plain);
    let number = number.ok_or_else(|| ValueError::Seconds(text.to_owned()))?;
    Duration::try_from_secs_f64(number.min(MOST)).map_err(|_| ValueError::Seconds(text.to_owned()))
}

/// A number, or `unlimited` in any case.
///
/// # Errors
/// [`ValueError::Integer`].
pub fn retries(text: &str) -> Result<Retries, ValueError> {
    if text.trim_matches(is_space).eq_ignore_ascii_case("unlimited") {
        return Ok(Retries::Unlimited);
    }
    integer(text).map(Retries::Limited)
}

/// `linear` or `double`, in any case.
///
/// # Errors
/// [`ValueError::Backoff`].
pub fn backoff(text: &str) -> Result<Backoff, ValueError> {
    match text.to_lowercase().as_str() {
        "linear" => Ok(Backoff::Linear),
        "double" => Ok(Backoff::Double),
        _ => Err(ValueError::Backoff(text.to_owned())),
    }
}

/// `ignore`, `kill` or `fail`, in any case.
///
/// # Errors
/// [`ValueError::OnLeftover`].
pub fn on_leftover(text: &str) -> Result<OnLeftover, ValueError> {
    match text.to_lowercase().as_str() {
        "ignore" => Ok(OnLeftover::Ignore),
        "kill" => Ok(OnLeftover::Kill),
        "fail" => Ok(OnLeftover::Fail),
        _ => Err(ValueError::OnLeftover(text.to_owned())),
    }
}

/// `characters` or `bytes`, in any case.
///
/// # Errors
/// [`ValueError::EventLength`].
pub fn event_length(text: &str) -> Result<EventLength, ValueError> {
    match text.to_lowercase().as_str() {
        "characters" => Ok(EventLength::Characters),
        "bytes" => Ok(EventLength::Bytes),
        _ => Err(ValueError::EventLength(text.to_owned())),
    }
}

/// `unknown` or `restart`, in any case.
///
/// # Errors
/// [`ValueError::ListenerError`].
pub fn listener_error(text: &str) -> Result<ListenerError, ValueError> {
    match text.to_lowercase().as_str() {
        "unknown" => Ok(ListenerError::Unknown),
        "restart" => Ok(ListenerError::Restart),
        _ => Err(ValueError::ListenerError(text.to_owned())),
    }
}

/// A number of restarts, `/`, and a time in seconds, or with `s`, `m` or `h` behind it.
///
/// # Errors
/// [`ValueError::RestartLimit`].
pub fn restart_limit(text: &str) -> Result<RestartLimit, ValueError> {
    /// Each restart in the time is remembered.
    const MOST: u32 = 10_000;
    let read = || {
        let (count, time) = text.split_once('/')?;
        let count = count.trim_matches(is_space).parse::<u32>().ok()?;
        let time = time.trim_matches(is_space).to_lowercase();
        let (number, factor) = match time.strip_suffix(['s', 'm', 'h']) {
            Some(number) if time.ends_with('m') => (number, 60),
            Some(number) if time.ends_with('h') => (number, 3600),
            Some(number) => (number, 1),
            None => (time.as_str(), 1),
        };
        let within = seconds(number).ok()?.checked_mul(factor)?;
        ((1..=MOST).contains(&count) && !within.is_zero()).then_some(RestartLimit { count, within })
    };
    read().ok_or_else(|| ValueError::RestartLimit(text.to_owned()))
}

/// A comma list of numbers from 0 to 255; nothing is an empty list.
///
/// # Errors
/// [`ValueError::ExitCodes`].
pub fn exit_codes(text: &str) -> Result<Vec<i32>, ValueError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let code = |item: &str| {
        let code = integer(item).ok().filter(|n| (0..=255).contains(n))?;
        i32::try_from(code).ok()
    };
    let codes: Option<Vec<i32>> = text.split(',').map(code).collect();
    codes.ok_or_else(|| ValueError::ExitCodes(text.to_owned()))
}

/// A comma list; items are trimmed, empty ones kept.
pub fn strings(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim_matches(is_space).to_owned()).collect()
}

/// A level of the activity log.
///
/// # Errors
/// [`ValueError::LogLevel`].
pub fn log_level(text: &str) -> Result<LogLevel, ValueError> {
    match text.to_lowercase().as_str() {
        "critical" => Ok(LogLevel::Critical),
        "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        "trace" => Ok(LogLevel::Trace),
        "blather" => Ok(LogLevel::Blather),
        _ => Err(ValueError::LogLevel(text.to_owned())),
    }
}

/// A name of a process or group, trimmed: no space, `:` or `/`.
///
/// # Errors
/// [`ValueError::Name`].
pub fn name(text: &str) -> Result<String, ValueError> {
    let trimmed = text.trim_matches(is_space);
    match [' ', ':', '/'].into_iter().find(|c| trimmed.contains(*c)) {
        Some(c) => Err(ValueError::Name(text.to_owned(), c)),
        None => Ok(trimmed.to_owned()),
    }
}

/// `port`, `host:port`, `*:port`, `:port`. An empty host means every IPv4 interface.
///
/// # Errors
/// The port errors; with a host part [`ValueError::Integer`] too.
pub fn inet_address(text: &str) -> Result<(String, u16), ValueError> {
    let Some((host, port)) = text.rsplit_once(':') else {
        let port = port_number(text).map_err(|_| ValueError::Port(text.to_owned()))?;
        return Ok((String::new(), port));
    };
    if port.is_empty() {
        return Err(ValueError::NoPort);
    }
    let port = port_number(port)?;
    Ok((if host == "*" { String::new() } else { host.to_lowercase() }, port))
}

fn port_number(text: &str) -> Result<u16, ValueError> {
    match integer(text)? {
        n if n < 1 => Err(ValueError::PortBelow(n)),
        n => u16::try_from(n).map_err(|_| ValueError::PortAbove(n)),
    }
}

/// A URL: a scheme, and an address or a path behind it. The text is returned as it is.
///
/// # Errors
/// [`ValueError::Url`].
pub fn url(text: &str) -> Result<String, ValueError> {
    let bare = text.trim_start_matches(|c: char| c <= ' ');
    let valid = bare.split_once(':').is_some_and(|(scheme, rest)| {
        let marks = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(marks)
            && !rest.is_empty()
            && !rest.starts_with(['?', '#'])
    });
    if valid { Ok(text.to_owned()) } else { Err(ValueError::Url(text.to_owned())) }
}

#[cfg(test)]
mod tests;
