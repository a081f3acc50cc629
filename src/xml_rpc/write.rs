//! Values to text: Supervisor's wire form byte for byte, and always legal XML.
//!
//! Large answers are written member by member with [`Writer`], without building a
//! [`Value`] first; `write_answer` goes the same way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Value;
use super::parse::is_legal;

const DECLARATION: &[u8] = b"<?xml version='1.0'?>\n";
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

/// Appends the answer that carries `value`, complete.
pub fn write_answer(value: &Value, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.begin_answer();
    writer.value(value);
    writer.end_answer();
}

/// Appends the answer that says the call failed.
pub fn write_fault(code: i64, text: &str, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.raw(DECLARATION);
    writer.raw(b"<methodResponse>\n<fault>\n");
    writer.begin_struct();
    writer.member_int("faultCode", code);
    writer.member_string("faultString", text);
    writer.end_struct();
    writer.raw(b"</fault>\n</methodResponse>\n");
}

/// The request that calls `method`.
#[must_use]
pub fn write_call(method: &str, params: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut writer = Writer::new(&mut out);
    writer.raw(DECLARATION);
    writer.raw(b"<methodCall>\n<methodName>");
    writer.escaped(method);
    writer.raw(b"</methodName>\n<params>\n");
    for param in params {
        writer.raw(b"<param>\n");
        writer.value(param);
        writer.raw(b"</param>\n");
    }
    writer.raw(b"</params>\n</methodCall>\n");
    out
}

/// Writes values one after the other. The caller keeps `begin_` and `end_` in pairs.
///
/// Every call writes a whole `<value>` element with its line end, or the opening or
/// closing part of one.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    logs: Logs,
}

/// How the bytes of a log go where they are no text that XML can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// As a string in which U+FFFD stands for what XML can't carry: any client can read it.
    Text,
    /// As `<base64>`, for a client that asked for it.
    Exactly,
}

impl Logs {
    /// The header of a request that asks for logs in base64. Supervisor's daemon does not know it.
    pub const HEADER: &str = "X-Exact-Logs";
    /// The value of that header.
    pub const BASE64: &str = "base64";

    /// What a request with this value of the header, if any, asks for.
    #[must_use]
    pub fn asked_for(header: Option<&str>) -> Logs {
        if header == Some(Logs::BASE64) { Logs::Exactly } else { Logs::Text }
    }
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Writer<'a> {
        Writer { out, logs: Logs::Text }
    }

    /// The same writer, with logs in this way.
    #[must_use]
    pub fn with_logs(self, logs: Logs) -> Writer<'a> {
        Writer { logs, ..self }
    }

    /// Opens a successful answer; exactly one value follows.
    pub fn begin_answer(&mut self) {
        self.raw(DECLARATION);
        self.raw(b"<methodResponse>\n<params>\n<param>\n");
    }

    /// Closes what [`Writer::begin_answer`] opened.
    pub fn end_answer(&mut self) {
        self.raw(b"</param>\n</params>\n</methodResponse>\n");
    }

    /// Opens an array; any number of values follow.
    pub fn begin_array(&mut self) {
        self.raw(b"<value><array><data>\n");
    }

    /// Closes what [`Writer::begin_array`] opened.
    pub fn end_array(&mut self) {
        self.raw(b"</data></array></value>\n");
    }

    /// Opens a struct; any number of members follow.
    pub fn begin_struct(&mut self) {
        self.raw(b"<value><struct>\n");
    }

    /// Closes what [`Writer::begin_struct`] opened.
    pub fn end_struct(&mut self) {
        self.raw(b"</struct></value>\n");
    }

    /// Opens a member; exactly one value follows.
    pub fn begin_member(&mut self, name: &str) {
        self.raw(b"<member>\n<name>");
        self.escaped(name);
        self.raw(b"</name>\n");
    }

    /// Closes what [`Writer::begin_member`] opened.
    pub fn end_member(&mut self) {
        self.raw(b"</member>\n");
    }

    /// A member that is an integer.
    pub fn member_int(&mut self, name: &str, number: i64) {
        self.begin_member(name);
        self.int(number);
        self.end_member();
    }

    /// A member that is a boolean.
    pub fn member_bool(&mut self, name: &str, truth: bool) {
        self.begin_member(name);
        self.bool(truth);
        self.end_member();
    }

    /// A member that is a string.
    pub fn member_string(&mut self, name: &str, text: &str) {
        self.begin_member(name);
        self.string(text);
        self.end_member();
    }

    /// A member of any kind.
    pub fn member_value(&mut self, name: &str, value: &Value) {
        self.begin_member(name);
        self.value(value);
        self.end_member();
    }

    /// An integer, clamped to the 32 bits that clients expect.
    pub fn int(&mut self, number: i64) {
        self.raw(b"<value><int>");
        self.digits(number.clamp(i64::from(i32::MIN), i64::from(i32::MAX)));
        self.raw(b"</int></value>\n");
    }

    /// A boolean.
    pub fn bool(&mut self, truth: bool) {
        self.raw(if truth {
            b"<value><boolean>1</boolean></value>\n"
        } else {
            b"<value><boolean>0</boolean></value>\n"
        });
    }

    /// A floating-point number, always with a point or an exponent.
    pub fn double(&mut self, number: f64) {
        self.raw(b"<value><double>");
        self.raw(format!("{number:?}").as_bytes());
        self.raw(b"</double></value>\n");
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        self.raw(b"<value><string>");
        self.escaped(text);
        self.raw(b"</string></value>\n");
    }

    /// The bytes of a log, which ought to be text.
    pub fn log(&mut self, bytes: &[u8]) {
        let is_text = || std::str::from_utf8(bytes).is_ok_and(is_legal);
        if self.logs == Logs::Exactly && !is_text() {
            return self.base64(bytes);
        }
        self.raw(b"<value><string>");
        for chunk in bytes.utf8_chunks() {
            self.escaped(chunk.valid());
            if !chunk.invalid().is_empty() {
                self.raw(REPLACEMENT);
            }
        }
        self.raw(b"</string></value>\n");
    }

    /// Bytes of any kind, which Supervisor never sends.
    fn base64(&mut self, bytes: &[u8]) {
        self.raw(b"<value><base64>");
        self.raw(STANDARD.encode(bytes).as_bytes());
        self.raw(b"</base64></value>\n");
    }

    /// A value of any kind. `Nil`, which Supervisor's clients do not know, becomes an
    /// empty string.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Int(number) => self.int(*number),
            Value::Bool(truth) => self.bool(*truth),
            Value::String(text) => self.string(text),
            Value::Bytes(bytes) => self.base64(bytes),
            Value::Double(number) => self.double(*number),
            Value::Nil => self.string(""),
            Value::Array(items) => {
                self.begin_array();
                for item in items {
                    self.value(item);
                }
                self.end_array();
            }
            Value::Struct(members) => {
                self.begin_struct();
                for (name, member) in members {
                    self.member_value(name, member);
                }
                self.end_struct();
            }
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn digits(&mut self, number: i64) {
        let mut buffer = [b'0'; 20];
        let mut rest = number.unsigned_abs();
        let mut length = 0;
        for place in buffer.iter_mut().rev() {
            // A remainder of ten fits a byte.
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
            length += 1;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.out.push(b'-');
        }
        self.raw(buffer.get(buffer.len() - length..).unwrap_or_default());
    }

    /// Text with markup escaped and what XML 1.0 forbids replaced, run by run.
    fn escaped(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| is_special(*byte)) {
            let (run, tail) = rest.split_at(at);
            self.raw(run);
            rest = self.special(tail);
        }
        self.raw(rest);
    }

    /// Writes the special character that `tail` begins with, and returns what follows it.
    fn special<'t>(&mut self, tail: &'t [u8]) -> &'t [u8] {
        let (written, length): (&[u8], usize) = match tail {
            [b'&', ..] => (b"&amp;", 1),
            [b'<', ..] => (b"&lt;", 1),
            [b'>', ..] => (b"&gt;", 1),
            // A bare carriage return would be read as a line feed.
            [b'\r', ..] => (b"&#13;", 1),
            // U+FFFE and U+FFFF are no characters in XML.
            [0xEF, 0xBF, 0xBE | 0xBF, ..] => (REPLACEMENT, 3),
            [first @ 0xEF, second, third, ..] => {
                self.raw(&[*first, *second, *third]);
                (b"", 3)
            }
            _ => (REPLACEMENT, 1),
        };
        self.raw(written);
        tail.get(length..).unwrap_or_default()
    }
}

/// Whether text can't be copied from here without a look: markup, control characters,
/// and the first byte of U+FFFE.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'&' | b'<' | b'>' | 0xEF) || (byte < 0x20 && byte != b'\t' && byte != b'\n')
}
