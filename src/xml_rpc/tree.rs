//! One pass over the XML events that keeps only values.
//!
//! Supervisor reads a request bottom up: each closed element turns into a value, and
//! its parent picks what it needs from its children. That is what makes it so lenient
//! (any outer element, unknown elements, either order of name and parameters), so it
//! is done in the same way here.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::{ParseError, Value};

/// What a document may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Elements within each other.
    pub depth: usize,
    /// Values in parameters, arrays and structs.
    pub values: usize,
    /// What becomes of texts.
    pub texts: Texts,
}

/// How texts are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// As XML has it: a line ends with a line feed, however it was sent, and base64 is of a text.
    Xml,
    /// Every byte as it was sent.
    AsSent,
}

/// What the text held, in whatever place: of each the last one counts.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub method: Option<String>,
    pub params: Option<Vec<Value>>,
    pub fault: Option<Value>,
}

/// Reads a whole document.
pub(super) fn read(text: &str, rules: Rules) -> Result<Found, ParseError> {
    let mut reader = Reader::from_str(text);
    let mut tree = Tree::new(rules);
    let mut at_start = true;
    loop {
        let event = reader.read_event().map_err(|_| ParseError::NotWellFormed)?;
        match event {
            Event::Start(tag) => tree.open(&tag)?,
            Event::Empty(tag) => {
                tree.open(&tag)?;
                tree.close()?;
            }
            Event::End(_) => tree.close()?,
            Event::Text(text) if !text.contains("]]>") => tree.text(match rules.texts {
                Texts::Xml => text.xml10_content(),
                Texts::AsSent => text.into_inner(),
            })?,
            Event::CData(text) if !tree.frames.is_empty() => tree.text(match rules.texts {
                Texts::Xml => text.xml10_content(),
                Texts::AsSent => text.into_inner(),
            })?,
            Event::GeneralRef(name) if !tree.frames.is_empty() => {
                tree.text(Cow::Owned(resolve(&name)?.to_string()))?;
            }
            Event::PI(instruction) if is_name(instruction.target()) => {}
            Event::Comment(_) => {}
            Event::Decl(declaration) if at_start && is_declaration(&declaration) => {}
            // A declaration of types could define entities that grow without bound.
            Event::CData(_)
            | Event::Text(_)
            | Event::GeneralRef(_)
            | Event::PI(_)
            | Event::Decl(_)
            | Event::DocType(_) => return Err(ParseError::NotWellFormed),
            Event::Eof => break,
        }
        at_start = false;
    }
    if tree.frames.is_empty() && tree.root_seen {
        Ok(tree.found)
    } else {
        Err(ParseError::NotWellFormed)
    }
}

/// The character of a numeric or predefined reference; there are no others without
/// a declaration.
fn resolve(reference: &BytesRef<'_>) -> Result<char, ParseError> {
    if reference.is_char_ref() {
        let resolved = reference.resolve_char_ref();
        return match resolved.map_err(|_| ParseError::NotWellFormed)? {
            Some(char) if is_xml_char(char) => Ok(char),
            _ => Err(ParseError::NotWellFormed),
        };
    }
    let name: &str = reference;
    match name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(ParseError::NotWellFormed),
    }
}

/// Whether XML 1.0 allows the character.
pub(super) fn is_xml_char(char: char) -> bool {
    match char {
        '\t' | '\n' | '\r' => true,
        _ => char >= ' ' && char != '\u{FFFE}' && char != '\u{FFFF}',
    }
}

/// The elements that mean something; their order in the text hardly matters.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tag {
    Int,
    Boolean,
    String,
    Double,
    DateTime,
    Base64,
    Array,
    Data,
    Struct,
    Value,
    Param,
    Params,
    MethodName,
    Fault,
    Other,
}

impl Tag {
    fn new(name: &str) -> Tag {
        match name {
            "int" | "i4" => Tag::Int,
            "boolean" => Tag::Boolean,
            "string" => Tag::String,
            "double" => Tag::Double,
            "dateTime.iso8601" => Tag::DateTime,
            "base64" => Tag::Base64,
            "array" => Tag::Array,
            "data" => Tag::Data,
            "struct" => Tag::Struct,
            "value" => Tag::Value,
            "param" => Tag::Param,
            "params" => Tag::Params,
            "methodName" => Tag::MethodName,
            "fault" => Tag::Fault,
            _ => Tag::Other,
        }
    }

    /// Whether only the children count, never the text.
    fn is_container(self) -> bool {
        matches!(self, Tag::Array | Tag::Data | Tag::Struct | Tag::Param)
    }
}

/// An element that is not closed yet.
#[derive(Debug)]
struct Frame<'t> {
    tag: Tag,
    /// The text before the first child.
    text: Cow<'t, str>,
    children: usize,
    first: Option<Value>,
    second: Option<Value>,
    /// All children, where the element is a list.
    items: Vec<Value>,
    members: Vec<(String, Value)>,
}

#[derive(Debug)]
struct Tree<'t> {
    frames: Vec<Frame<'t>>,
    root_seen: bool,
    values: usize,
    rules: Rules,
    found: Found,
}

impl<'t> Tree<'t> {
    fn new(rules: Rules) -> Tree<'t> {
        Tree { frames: Vec::new(), root_seen: false, values: 0, rules, found: Found::default() }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), ParseError> {
        if self.frames.len() >= self.rules.depth {
            return Err(ParseError::TooLarge);
        }
        match self.frames.last_mut() {
            Some(parent) => parent.children += 1,
            None if self.root_seen => return Err(ParseError::NotWellFormed),
            None => self.root_seen = true,
        }
        let name = start.name().into_inner();
        let tag = Tag::new(name);
        if (tag == Tag::Other && !is_name(name)) || !has_good_attributes(start) {
            return Err(ParseError::NotWellFormed);
        }
        self.frames.push(Frame {
            tag,
            text: Cow::Borrowed(""),
            children: 0,
            first: None,
            second: None,
            items: Vec::new(),
            members: Vec::new(),
        });
        Ok(())
    }

    fn text(&mut self, text: Cow<'t, str>) -> Result<(), ParseError> {
        match self.frames.last_mut() {
            Some(frame) if frame.children > 0 || frame.tag.is_container() => {}
            Some(frame) if frame.text.is_empty() => frame.text = text,
            Some(frame) => frame.text.to_mut().push_str(&text),
            None if text.trim_matches(is_xml_space).is_empty() => {}
            None => return Err(ParseError::NotWellFormed),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), ParseError> {
        let Some(frame) = self.frames.pop() else {
            return Err(ParseError::NotWellFormed);
        };
        if self.frames.last().is_some_and(|parent| parent.tag == Tag::Struct) {
            let member = member(frame)?;
            return self.keep(|parent| parent.members.push(member));
        }
        let value = self.note(frame)?;
        match self.frames.last_mut() {
            Some(parent) if matches!(parent.tag, Tag::Data | Tag::Params) => {
                return self.keep(|parent| parent.items.push(value));
            }
            Some(parent) if parent.first.is_none() => parent.first = Some(value),
            Some(parent) if parent.second.is_none() => parent.second = Some(value),
            _ => {}
        }
        Ok(())
    }

    /// What a closed element is worth; those that carry the call are noted as well.
    fn note(&mut self, mut frame: Frame<'t>) -> Result<Value, ParseError> {
        match frame.tag {
            Tag::MethodName => self.found.method = Some(frame.text.clone().into_owned()),
            Tag::Params => self.found.params = Some(std::mem::take(&mut frame.items)),
            Tag::Fault => self.found.fault = frame.first.take(),
            _ => {}
        }
        value(frame, self.rules.texts)
    }

    /// Adds to the innermost element, if there is still room.
    fn keep(&mut self, add: impl FnOnce(&mut Frame<'t>)) -> Result<(), ParseError> {
        self.values += 1;
        if self.values > self.rules.values {
            return Err(ParseError::TooLarge);
        }
        if let Some(parent) = self.frames.last_mut() {
            add(parent);
        }
        Ok(())
    }
}

/// A closed child of a struct: whatever its name, it has two children, name and value.
fn member(frame: Frame<'_>) -> Result<(String, Value), ParseError> {
    match (frame.tag, frame.children, frame.first, frame.second) {
        (Tag::Other, 2, Some(Value::String(name)), Some(value)) => Ok((name, value)),
        (Tag::Other, 2, Some(Value::Nil), Some(value)) => Ok((String::new(), value)),
        _ => Err(ParseError::NotWellFormed),
    }
}

/// What a closed element is worth.
fn value(frame: Frame<'_>, texts: Texts) -> Result<Value, ParseError> {
    let text = frame.text;
    match frame.tag {
        Tag::Int => whole_number(&text).map(Value::Int).ok_or(ParseError::NotWellFormed),
        Tag::Boolean => Ok(Value::Bool(text == "1")),
        Tag::String => Ok(Value::String(text.into_owned())),
        Tag::Double => {
            let number = text.trim().parse().map_err(|_| ParseError::NotWellFormed)?;
            Ok(Value::Double(number))
        }
        // No method takes one, so the text is as good as a date.
        Tag::DateTime if is_date_time(&text) => Ok(Value::String(text.into_owned())),
        Tag::DateTime => Err(ParseError::NotWellFormed),
        Tag::Base64 => base64(&text, texts),
        Tag::Data => Ok(Value::Array(frame.items)),
        Tag::Struct => Ok(Value::Struct(frame.members)),
        Tag::Array | Tag::Param => frame.first.ok_or(ParseError::NotWellFormed),
        Tag::Value => Ok(frame.first.unwrap_or_else(|| Value::String(text.into_owned()))),
        Tag::Other | Tag::MethodName | Tag::Params | Tag::Fault if text.is_empty() => {
            Ok(Value::Nil)
        }
        Tag::Other | Tag::MethodName | Tag::Params | Tag::Fault => {
            Ok(Value::String(text.into_owned()))
        }
    }
}

/// A decimal number, whose digits single underscores may part, blanks around it or not.
/// Supervisor's have no bound; those that do not fit are as good as the largest that does.
pub fn whole_number(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits.split('_').all(is_number) {
        return None;
    }
    let largest = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.replace('_', "").parse().unwrap_or(largest))
}

/// Whether the text is `YYYYMMDDThh:mm:ss` with a month, day and time that can be.
fn is_date_time(text: &str) -> bool {
    let shape = text.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'T',
        11 | 14 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let within = |from: usize, least: u8, most: u8| {
        let number = text.get(from..from + 2).and_then(|digits| digits.parse::<u8>().ok());
        number.is_some_and(|number| (least..=most).contains(&number))
    };
    shape
        && text.len() == 17
        && within(4, 1, 12)
        && within(6, 1, 31)
        && within(9, 0, 23)
        && within(12, 0, 59)
        && within(15, 0, 61)
}

/// What is sent in base64. What is not of its alphabet is passed over, and so is all behind the
/// padding.
fn base64(text: &str, texts: Texts) -> Result<Value, ParseError> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone),
    );
    let (mut digits, mut padding) = (Vec::with_capacity(text.len()), 0);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {
                digits.push(byte);
                padding = 0;
            }
            b'=' if digits.len() % 4 >= 2 => padding += 1,
            _ => {}
        }
        if padding > 0 && digits.len() % 4 + padding == 4 {
            break;
        }
    }
    if digits.len() % 4 != 0 && digits.len() % 4 + padding != 4 {
        return Err(ParseError::NotWellFormed);
    }
    let bytes = LENIENT.decode(digits).map_err(|_| ParseError::NotWellFormed)?;
    match (String::from_utf8(bytes), texts) {
        (Ok(text), _) => Ok(Value::String(text)),
        (Err(error), Texts::AsSent) => Ok(Value::Bytes(error.into_bytes())),
        (Err(_), Texts::Xml) => Err(ParseError::NotWellFormed),
    }
}

/// Whether what follows the name can be attributes. Duplicates are not looked for: that
/// would take quadratic time.
fn has_good_attributes(start: &BytesStart<'_>) -> bool {
    start.attributes_raw().is_empty()
        || start.attributes().with_checks(false).all(|attribute| attribute.is_ok())
}

/// Whether the declaration names its version first, as it has to.
fn is_declaration(declaration: &BytesDecl<'_>) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    declaration.version().is_ok_and(|version| version.bytes().all(is_part))
}

fn is_xml_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r')
}

/// Whether the text can name an element; beyond ASCII all is taken.
fn is_name(text: &str) -> bool {
    let start = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':' | 0x80..);
    let rest = |byte: u8| start(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    text.bytes().next().is_some_and(start) && text.bytes().all(rest)
}
