//! XML-RPC: values, requests and answers as text. The only module that knows the XML crate.
#![forbid(unsafe_code)]

/// A value that a call or an answer carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `<int>`, `<i4>`; answers outside 32 bits are clamped.
    Int(i64),
    /// `<boolean>`.
    Bool(bool),
    /// `<string>`, bare text, `<base64>` of UTF-8 text, and the text of unknown elements.
    String(String),
    /// `<double>`.
    Double(f64),
    /// `<nil/>`; never sent.
    Nil,
    /// `<array>`.
    Array(Vec<Value>),
    /// `<struct>`, in the order of the fields.
    Struct(Vec<(String, Value)>),
}
