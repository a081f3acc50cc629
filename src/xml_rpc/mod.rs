//! XML-RPC: values, requests and answers as text. The only module that knows the XML crate.
//!
//! What is read is bounded in depth and number, whatever the sender does; what is
//! written is Supervisor's text byte for byte, and always legal XML.
#![forbid(unsafe_code)]

mod parse;
mod tree;
mod value;
mod write;

pub use parse::{Call, Fault, ParseError, parse_answer, parse_call};
pub use tree::whole_number;
pub use write::{Logs, Writer, write_answer, write_call, write_fault};

/// A value that a call or an answer carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `<int>`, `<i4>`; answers outside 32 bits are clamped.
    Int(i64),
    /// `<boolean>`.
    Bool(bool),
    /// `<string>`, bare text, `<base64>` of UTF-8 text, and the text of unknown elements.
    String(String),
    /// `<base64>` of other bytes; in answers to who asked for them alone.
    Bytes(Vec<u8>),
    /// `<double>`.
    Double(f64),
    /// `<nil/>`; never sent.
    Nil,
    /// `<array>`.
    Array(Vec<Value>),
    /// `<struct>`, in the order of the fields.
    Struct(Vec<(String, Value)>),
}
