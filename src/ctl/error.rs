//! Why a call to the daemon failed, and the one line that says so.

use std::fmt;
use std::io;

use crate::config::quote::quote;
use crate::xml_rpc::Fault;

/// Why there is no result.
#[derive(Debug)]
pub enum CallError {
    /// The daemon says so.
    Fault(Fault),
    /// The daemon can't be reached, or the connection broke.
    Io(io::Error),
    /// The name of the host is not known; the text is the resolver's.
    Lookup(String),
    /// The connection ended without an answer.
    NoAnswer,
    /// An answer that is not 200.
    Status {
        /// The status code.
        code: u16,
        /// The words after it.
        reason: String,
    },
    /// An answer that does not begin as HTTP does, but so.
    NoHttp(String),
    /// An answer that ends before its time.
    CutOff {
        /// The bytes that came.
        read: u64,
        /// The bytes that did not.
        left: u64,
    },
    /// An answer that is no HTTP or no XML-RPC; the text says what is wrong.
    BadAnswer(String),
    /// The server URL can't be used; the text says why.
    BadUrl(String),
    /// Stdout takes no more of a stream.
    Unwritten(io::Error),
    /// A question to the user met the end of the input.
    EndOfInput,
}

impl CallError {
    /// The code of a fault.
    #[must_use]
    pub fn fault_code(&self) -> Option<i64> {
        match self {
            CallError::Fault(fault) => Some(fault.code),
            _ => None,
        }
    }

    /// Whether nobody listens at that address.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, CallError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Whether the socket's file does not exist.
    #[must_use]
    pub fn is_no_such_file(&self) -> bool {
        matches!(self, CallError::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether no daemon was reached, or it left before its answer's end.
    #[must_use]
    pub fn is_of_connection(&self) -> bool {
        use CallError::{CutOff, Io, Lookup, NoAnswer, NoHttp};
        matches!(self, Io(_) | Lookup(_) | NoAnswer | NoHttp(_) | CutOff { .. })
    }

    /// Whether who read stdout has left.
    pub(super) fn is_of_reader(&self) -> bool {
        let broken = io::ErrorKind::BrokenPipe;
        matches!(self, CallError::Unwritten(error) if error.kind() == broken)
    }

    /// Whether the daemon wants other credentials.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, CallError::Status { code: 401, .. })
    }

    /// The name of the kind, as scripts that match on it know it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            CallError::Fault(_) => "xmlrpc.client.Fault",
            CallError::Io(error) | CallError::Unwritten(error) => io_kind(error),
            CallError::Lookup(_) => "socket.gaierror",
            CallError::NoAnswer => "http.client.RemoteDisconnected",
            CallError::Status { .. } => "xmlrpc.client.ProtocolError",
            CallError::NoHttp(_) => "http.client.BadStatusLine",
            CallError::CutOff { .. } => "http.client.IncompleteRead",
            CallError::BadAnswer(_) => "xmlrpc.client.ResponseError",
            CallError::BadUrl(_) => "ValueError",
            CallError::EndOfInput => "EOFError",
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Fault(fault) => {
                write!(f, "<Fault {}: {}>", fault.code, quote(&fault.text))
            }
            CallError::Io(error) | CallError::Unwritten(error) => write_io(f, error),
            CallError::Lookup(text) => write!(f, "[Errno -2] {text}"),
            CallError::NoAnswer => f.write_str("Remote end closed connection without response"),
            CallError::Status { code, reason } => {
                write!(f, "<ProtocolError for 127.0.0.1/RPC2: {code} {reason}>")
            }
            CallError::CutOff { read, left } => {
                write!(f, "IncompleteRead({read} bytes read, {left} more expected)")
            }
            CallError::NoHttp(text) | CallError::BadAnswer(text) | CallError::BadUrl(text) => {
                f.write_str(text)
            }
            CallError::EndOfInput => f.write_str("EOF when reading a line"),
        }
    }
}

impl std::error::Error for CallError {}

impl From<io::Error> for CallError {
    fn from(error: io::Error) -> CallError {
        CallError::Io(error)
    }
}

fn io_kind(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "ConnectionRefusedError",
        io::ErrorKind::ConnectionReset => "ConnectionResetError",
        io::ErrorKind::ConnectionAborted => "ConnectionAbortedError",
        io::ErrorKind::BrokenPipe => "BrokenPipeError",
        io::ErrorKind::NotFound => "FileNotFoundError",
        io::ErrorKind::NotADirectory => "NotADirectoryError",
        io::ErrorKind::PermissionDenied => "PermissionError",
        io::ErrorKind::TimedOut => "TimeoutError",
        _ => "OSError",
    }
}

/// `[Errno 111] Connection refused`, or the text alone for errors that are not the system's.
fn write_io(f: &mut fmt::Formatter<'_>, error: &io::Error) -> fmt::Result {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(number) => {
            let text = text.split(" (os error").next().unwrap_or_default();
            write!(f, "[Errno {number}] {text}")
        }
        None => f.write_str(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_scripts_know() {
        let refused = CallError::Io(io::Error::from_raw_os_error(111));
        assert_eq!(refused.to_string(), "[Errno 111] Connection refused");
        assert_eq!(refused.kind(), "ConnectionRefusedError");
        let fault = CallError::Fault(Fault { code: 6, text: "SHUTDOWN_STATE".into() });
        assert_eq!(fault.to_string(), "<Fault 6: 'SHUTDOWN_STATE'>");
    }
}
