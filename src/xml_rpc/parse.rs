//! Text to calls (the daemon's side) and to answers (the client's side).

use std::fmt;

use super::Value;
use super::tree::{self, Rules, Texts};

/// A request holds no more than this: beyond any use, and small enough for any box.
const CALL_RULES: Rules = Rules { depth: 64, values: 100_000, texts: Texts::Xml };

/// An answer comes from the daemon that was asked: a hundred thousand programs fit.
const ANSWER_RULES: Rules = Rules { depth: 64, values: 4_000_000, texts: Texts::AsSent };

/// A request that could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The method as sent: nothing is trimmed.
    pub method: String,
    /// The parameters in order; none if the request has no `params`.
    pub params: Vec<Value>,
}

/// An answer that says the call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `faultCode`.
    pub code: i64,
    /// `faultString`.
    pub text: String,
}

/// Why a text is no call, or no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Not UTF-8, not XML, a value that is not of its type, a document type declaration.
    NotWellFormed,
    /// A request without `methodName`, or with an empty one.
    NoMethodName,
    /// Nested too deep or too many values.
    TooLarge,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParseError::NotWellFormed => "unmarshallable",
            ParseError::NoMethodName => "no method name",
            ParseError::TooLarge => "too large",
        })
    }
}

impl std::error::Error for ParseError {}

/// Reads a request.
///
/// # Errors
/// See [`ParseError`].
pub fn parse_call(body: &[u8]) -> Result<Call, ParseError> {
    let text = std::str::from_utf8(body).map_err(|_| ParseError::NotWellFormed)?;
    if !is_legal(text) {
        return Err(ParseError::NotWellFormed);
    }
    let found = tree::read(text, CALL_RULES)?;
    match found.method {
        Some(method) if !method.is_empty() => {
            Ok(Call { method, params: found.params.unwrap_or_default() })
        }
        _ => Err(ParseError::NoMethodName),
    }
}

/// Reads an answer: its one value, or the fault.
///
/// Supervisor's daemon sends log texts with characters that XML forbids, and with carriage returns
/// that are no line ends; they are taken as they come.
///
/// # Errors
/// See [`ParseError`].
pub fn parse_answer(body: &[u8]) -> Result<Result<Value, Fault>, ParseError> {
    let text = String::from_utf8_lossy(body);
    let found = tree::read(&text, ANSWER_RULES)?;
    if let Some(fault) = found.fault {
        let code = fault.member("faultCode").and_then(Value::as_int);
        let text = fault.member("faultString").and_then(Value::as_str);
        let (Some(code), Some(text)) = (code, text) else {
            return Err(ParseError::NotWellFormed);
        };
        return Ok(Err(Fault { code, text: text.to_owned() }));
    }
    let mut params = found.params.unwrap_or_default();
    match (params.pop(), params.is_empty()) {
        (Some(value), true) => Ok(Ok(value)),
        _ => Err(ParseError::NotWellFormed),
    }
}

/// Whether no character is one that XML 1.0 forbids, anywhere.
pub(super) fn is_legal(text: &str) -> bool {
    // Almost every text is free of these bytes; only then the characters are looked at.
    let suspect =
        |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0xEF;
    !text.bytes().any(suspect) || text.chars().all(tree::is_xml_char)
}
