//! `%(name)s`: the part of Python's `%` formatting that configuration values may use.
//!
//! Conversions `s r a c d i u o x X e E f F g G`, the flags `-+ 0#`, width and precision; `%%` is
//! `%`. Every conversion but `%%` needs a name in parentheses. The result is not expanded again.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::quote::{quote, quote_ascii};

mod number;

/// A value that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, which number conversions refuse.
    Text(String),
    /// `process_num` and `numprocs`.
    Number(i64),
}

/// The names that a text may use. The large part, the environment, is shared between copies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    environment: Arc<BTreeMap<String, Value>>,
    /// These come first.
    own: BTreeMap<String, Value>,
}

impl Names {
    /// Sets a name to a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.own.insert(name.to_owned(), Value::Text(value.to_owned()));
    }

    /// Sets a name to a number.
    pub fn number(&mut self, name: &str, value: i64) {
        self.own.insert(name.to_owned(), Value::Number(value));
    }

    /// Sets `ENV_x` for each variable `x` of a program.
    pub fn variables(&mut self, variables: &[(String, String)]) {
        for (key, value) in variables {
            self.text(&format!("ENV_{key}"), value);
        }
    }

    /// Sets `ENV_x` for each variable `x` of the daemon.
    pub fn environment(&mut self, variables: &[(String, String)]) {
        let environment = Arc::make_mut(&mut self.environment);
        let named =
            |(key, value): &(String, String)| (format!("ENV_{key}"), Value::Text(value.clone()));
        environment.extend(variables.iter().map(named));
    }

    /// Forgets what a program's variables have covered of the daemon's.
    pub fn uncover_environment(&mut self) {
        self.own.retain(|name, _| !self.environment.contains_key(name));
    }

    /// These names, and one more.
    pub fn with(&self, name: &str, value: &str) -> Names {
        let mut names = self.clone();
        names.text(name, value);
        names
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.own.get(name).or_else(|| self.environment.get(name))
    }

    fn all(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.own.keys().chain(self.environment.keys()).collect();
        names.into_iter().cloned().collect()
    }
}

/// A text that cannot be expanded. `Display` is Supervisor's sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandError {
    /// The whole text.
    pub text: String,
    /// Where it was written, as `program:a.command`.
    pub place: String,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A name that does not exist here, and those that do.
    UnknownName(String, Vec<String>),
    /// The text ends inside a conversion.
    Incomplete,
    /// No closing parenthesis.
    IncompleteKey,
    /// A letter that is no conversion, at this index.
    Unsupported(char, usize),
    /// `%d` and its like on something that is no number (its kind).
    NeedsNumber(char, &'static str),
    /// `%x` and its like on something that is no number (its kind).
    NeedsInteger(char, &'static str),
    /// `%f` and its like on something that is no number (its kind).
    NeedsReal(&'static str),
    /// `%c` on a text that is not one character.
    NeedsChar,
    /// `%c` on a number that is no character.
    CharRange,
    /// `*` as width or precision.
    StarNeedsInteger,
    /// A conversion without a name.
    NoName,
    /// A width that cannot be meant.
    WidthTooBig,
    /// A precision that cannot be meant.
    PrecisionTooBig,
}

impl std::error::Error for ExpandError {}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Format string {} for {} ", quote(&self.text), quote(&self.place))?;
        if let Reason::UnknownName(name, available) = &self.reason {
            return write!(
                f,
                "contains names ({}) which cannot be expanded. Available names: {}",
                quote(name),
                available.join(", ")
            );
        }
        f.write_str("is badly formatted: ")?;
        match &self.reason {
            Reason::UnknownName(..) => Ok(()),
            Reason::Incomplete => f.write_str("incomplete format"),
            Reason::IncompleteKey => f.write_str("incomplete format key"),
            Reason::Unsupported(c, index) => {
                let shown = if (' '..='}').contains(c) { *c } else { '?' };
                let code = u32::from(*c);
                write!(f, "unsupported format character '{shown}' (0x{code:x}) at index {index}")
            }
            Reason::NeedsNumber(c, got) => {
                write!(f, "%{c} format: a real number is required, not {got}")
            }
            Reason::NeedsInteger(c, got) => {
                write!(f, "%{c} format: an integer is required, not {got}")
            }
            Reason::NeedsReal(got) => write!(f, "must be real number, not {got}"),
            Reason::NeedsChar => f.write_str("%c requires int or char"),
            Reason::CharRange => f.write_str("%c arg not in range(0x110000)"),
            Reason::StarNeedsInteger => f.write_str("* wants int"),
            Reason::NoName => f.write_str("not enough arguments for format string"),
            Reason::WidthTooBig => f.write_str("width too big"),
            Reason::PrecisionTooBig => f.write_str("precision too big"),
        }
    }
}

/// Expands a text; `place` is for the message alone.
///
/// # Errors
/// An unknown name or a bad conversion, the first from the left.
pub fn expand(text: &str, names: &Names, place: &str) -> Result<String, ExpandError> {
    expand_marked(text, names, place).map(|(expanded, _)| expanded)
}

/// The same, and which bytes of the result stood in no file but for a name.
///
/// # Errors
/// As those of [`expand`].
pub fn expand_marked(
    text: &str,
    names: &Names,
    place: &str,
) -> Result<(String, Vec<Range<usize>>), ExpandError> {
    if !text.contains('%') {
        return Ok((text.to_owned(), Vec::new()));
    }
    expanded(text, names).map_err(|reason| ExpandError {
        text: text.to_owned(),
        place: place.to_owned(),
        reason,
    })
}

fn expanded(text: &str, names: &Names) -> Result<(String, Vec<Range<usize>>), Reason> {
    let mut marks = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut cursor = Cursor { rest: text, index: 0 };
    let mut first = true;
    while let Some(c) = cursor.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if cursor.peek() == Some('%') {
            cursor.next();
            out.push('%');
            continue;
        }
        let spec = Spec { first, ..Spec::read(&mut cursor, names)? };
        let start = out.len();
        out.push_str(&spec.format()?);
        marks.push(start..out.len());
        first = false;
    }
    Ok((out, marks))
}

/// The text that is not read yet, and how many characters are.
struct Cursor<'a> {
    rest: &'a str,
    index: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        self.index += 1;
        Some(c)
    }

    /// The name up to the parenthesis that closes it; inner ones are balanced.
    fn name(&mut self) -> Result<String, Reason> {
        let mut name = String::new();
        let mut depth = 1;
        loop {
            let c = self.next().ok_or(Reason::IncompleteKey)?;
            match c {
                '(' => depth += 1,
                ')' if depth == 1 => return Ok(name),
                ')' => depth -= 1,
                _ => {}
            }
            name.push(c);
        }
    }

    /// Digits as a number; `None` if there are none.
    fn digits(&mut self, too_big: Reason) -> Result<Option<usize>, Reason> {
        let mut value = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.next();
            let sum = value.unwrap_or(0) * 10 + usize::try_from(digit).unwrap_or(0);
            // Enough for every name, and not enough to exhaust the memory.
            if sum > 65_535 {
                return Err(too_big);
            }
            value = Some(sum);
        }
        Ok(value)
    }
}

#[derive(Clone, Copy, Default)]
struct Flags {
    left: bool,
    plus: bool,
    blank: bool,
    zero: bool,
    alternate: bool,
}

/// One conversion, read.
struct Spec<'a> {
    value: Option<&'a Value>,
    flags: Flags,
    width: usize,
    precision: Option<usize>,
    conversion: char,
    /// Of the conversion letter.
    index: usize,
    /// Whether no conversion stands before it: Python hands the whole set of names to a bare one.
    first: bool,
}

impl<'a> Spec<'a> {
    fn read(cursor: &mut Cursor<'_>, names: &'a Names) -> Result<Spec<'a>, Reason> {
        let mut value = None;
        if cursor.peek() == Some('(') {
            cursor.next();
            let name = cursor.name()?;
            let found = names.get(&name);
            value = Some(found.ok_or_else(|| Reason::UnknownName(name, names.all()))?);
        }
        let flags = read_flags(cursor);
        if cursor.peek() == Some('*') {
            return Err(star(value));
        }
        let width = cursor.digits(Reason::WidthTooBig)?.unwrap_or(0);
        let mut precision = None;
        if cursor.peek() == Some('.') {
            cursor.next();
            if cursor.peek() == Some('*') {
                return Err(star(value));
            }
            precision = Some(cursor.digits(Reason::PrecisionTooBig)?.unwrap_or(0));
        }
        if matches!(cursor.peek(), Some('h' | 'l' | 'L')) {
            cursor.next();
        }
        let index = cursor.index;
        let conversion = cursor.next().ok_or(Reason::Incomplete)?;
        Ok(Spec { value, flags, width, precision, conversion, index, first: true })
    }

    fn format(&self) -> Result<String, Reason> {
        let conversion = self.conversion;
        if self.value.is_none() && !self.first {
            return Err(Reason::NoName);
        }
        if !"sracdiuoxXeEfFgG".contains(conversion) {
            return Err(Reason::Unsupported(conversion, self.index));
        }
        match self.value {
            None => Err(self.refusal("dict").unwrap_or(Reason::NoName)),
            Some(Value::Number(n)) => self.format_number(*n),
            Some(Value::Text(text)) => match self.refusal("str") {
                Some(Reason::NeedsChar) if text.chars().count() == 1 => Ok(self.padded(text)),
                Some(reason) => Err(reason),
                None => Ok(self.format_text(text)),
            },
        }
    }

    /// Why the conversion does not take something that is no number.
    fn refusal(&self, got: &'static str) -> Option<Reason> {
        match self.conversion {
            'd' | 'i' | 'u' => Some(Reason::NeedsNumber(self.conversion, got)),
            'o' | 'x' | 'X' => Some(Reason::NeedsInteger(self.conversion, got)),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => Some(Reason::NeedsReal(got)),
            'c' => Some(Reason::NeedsChar),
            _ => None,
        }
    }

    fn format_text(&self, text: &str) -> String {
        let shown = match self.conversion {
            'r' => quote(text),
            'a' => quote_ascii(text),
            _ => text.to_owned(),
        };
        let cut: String = match self.precision {
            Some(precision) => shown.chars().take(precision).collect(),
            None => shown,
        };
        self.padded(&cut)
    }

    fn format_number(&self, n: i64) -> Result<String, Reason> {
        match self.conversion {
            's' | 'r' | 'a' => {
                let shown = n.to_string();
                let cut = self.precision.unwrap_or(usize::MAX).min(shown.len());
                Ok(self.padded(shown.get(..cut).unwrap_or_default()))
            }
            'c' => {
                let c = u32::try_from(n).ok().filter(|n| *n < 0x11_0000);
                // A surrogate would be a character to Python, but could never be written.
                let c = c.and_then(char::from_u32).ok_or(Reason::CharRange)?;
                Ok(self.padded(&c.to_string()))
            }
            _ => Ok(number::format(self, n)),
        }
    }

    fn padded(&self, text: &str) -> String {
        let fill = " ".repeat(self.width.saturating_sub(text.chars().count()));
        if self.flags.left { format!("{text}{fill}") } else { format!("{fill}{text}") }
    }
}

/// A `*` takes the value itself, and if that is a number nothing is left to be formatted.
fn star(value: Option<&Value>) -> Reason {
    match value {
        Some(Value::Number(_)) => Reason::NoName,
        Some(Value::Text(_)) | None => Reason::StarNeedsInteger,
    }
}

fn read_flags(cursor: &mut Cursor<'_>) -> Flags {
    let mut flags = Flags::default();
    loop {
        match cursor.peek() {
            Some('-') => flags.left = true,
            Some('+') => flags.plus = true,
            Some(' ') => flags.blank = true,
            Some('0') => flags.zero = true,
            Some('#') => flags.alternate = true,
            _ => return flags,
        }
        cursor.next();
    }
}

#[cfg(test)]
mod tests;
