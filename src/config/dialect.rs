//! Supervisor's INI lines → canonical text and spans. No meaning of any key is known here.
//!
//! Lines are classified as Python's `RawConfigParser` does with the settings of Supervisor 4.3.0
//! (`;` and `#` as inline comments, nothing strict, `=` and `:` as delimiters). The result is
//! text that any INI reader reads alike: one `[section]` or `key=value` a line, no comment and
//! no continuation, names and values escaped. Beside it stand the spans: where each section and
//! option was written, in order.
//!
//! Two differences are wanted. A byte order mark at the start is skipped. And the *first* `;` or
//! `#` that begins a comment cuts the line; Python looks at the n-th of each character in turn
//! and so keeps `#z` in `a=x#y #z ;w`.
#![forbid(unsafe_code)]

use super::error::{BadLine, ConfigError};

/// A file in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// One `[section]` or `key=value` a line, everything escaped: see [`unescape`].
    pub text: String,
    /// What the lines of `text` come from, in the same order.
    pub spans: Vec<Span>,
}

/// Where one section header or option was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Line of the header or of the key, from 1.
    pub line: usize,
    /// What stands there.
    pub kind: SpanKind,
}

/// What a [`Span`] is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// A header with this name.
    Section(String),
    /// An option with this key, in the section of the last header before it.
    Option(String),
}

/// Whitespace as Python has it: Unicode's, and the four separators of ASCII.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Classifies the lines of a file.
///
/// # Errors
/// An option before the first header, at once; else all bad lines of the file together.
pub fn canonical(text: &str, file: &str) -> Result<Canonical, ConfigError> {
    let file = || file.to_owned();
    match tolerant(text) {
        (_, Flaws { headless: Some(line), .. }) => {
            Err(ConfigError::MissingHeader { file: file(), line })
        }
        (_, Flaws { bad, .. }) if !bad.is_empty() => {
            Err(ConfigError::Parsing { file: file(), lines: bad })
        }
        (canonical, _) => Ok(canonical),
    }
}

/// The lines of a file that have no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flaws {
    /// The first line before the first header, if anything stands there.
    pub headless: Option<BadLine>,
    /// Lines in sections that are neither header nor option.
    pub bad: Vec<BadLine>,
}

/// Classifies the lines of a file and leaves out those that have no meaning.
pub fn tolerant(text: &str) -> (Canonical, Flaws) {
    let mut reader = Reader::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in (Lines { rest: text }).enumerate() {
        reader.line(&line, index + 1);
    }
    let flaws = std::mem::take(&mut reader.flaws);
    (reader.emit(), flaws)
}

/// Undoes the escaping of names, keys and values; `None` for text that was not escaped here.
pub fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

/// Escapes all but letters, digits and a few marks that no INI reader minds.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-./".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

/// Lines ended by LF, CRLF or CR. An ended line keeps one `\n`, for messages show it.
struct Lines<'a> {
    rest: &'a str,
}

impl Iterator for Lines<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((line, rest)) = self.rest.split_once(['\n', '\r']) else {
            return Some(std::mem::take(&mut self.rest).to_owned());
        };
        let crlf = self.rest.get(line.len()..).is_some_and(|end| end.starts_with("\r\n"));
        self.rest = if crlf { rest.get(1..).unwrap_or_default() } else { rest };
        Some(format!("{line}\n"))
    }
}

enum Item {
    Section { name: String, line: usize },
    Option { key: String, parts: Vec<String>, line: usize },
}

/// What is known between two lines.
#[derive(Default)]
struct Reader {
    items: Vec<Item>,
    flaws: Flaws,
    /// Indent of the last line that was no continuation.
    indent: usize,
    in_section: bool,
    /// Whether a deeper line continues the last option. A bad line does not close the option.
    open: bool,
}

impl Reader {
    fn line(&mut self, line: &str, number: usize) {
        let cut = comment_start(line);
        let content = line.get(..cut.unwrap_or(line.len())).unwrap_or(line).trim_matches(is_space);
        if content.is_empty() {
            if cut.is_none() {
                self.append("");
            }
            return;
        }
        let indent = line.chars().take_while(|c| is_space(*c)).count();
        if self.open && indent > self.indent {
            self.append(content);
            return;
        }
        self.indent = indent;
        if let Some(name) = header(content) {
            self.items.push(Item::Section { name: name.to_owned(), line: number });
            self.in_section = true;
            self.open = false;
        } else if !self.in_section {
            let line = BadLine { number, text: line.to_owned() };
            self.flaws.headless.get_or_insert(line);
        } else {
            self.option(content, line, number);
        }
    }

    fn append(&mut self, content: &str) {
        if !self.open {
            return;
        }
        for item in self.items.iter_mut().rev() {
            if let Item::Option { parts, .. } = item {
                parts.push(content.to_owned());
                return;
            }
        }
    }

    fn option(&mut self, content: &str, line: &str, number: usize) {
        let Some((key, value)) = content.split_once(['=', ':']) else {
            self.flaws.bad.push(BadLine { number, text: line.to_owned() });
            return;
        };
        let key = key.trim_end_matches(is_space).to_lowercase();
        self.open = !key.is_empty();
        if key.is_empty() {
            self.flaws.bad.push(BadLine { number, text: line.to_owned() });
            return;
        }
        let parts = vec![value.trim_matches(is_space).to_owned()];
        self.items.push(Item::Option { key, parts, line: number });
    }

    fn emit(self) -> Canonical {
        let mut text = String::new();
        let mut spans = Vec::with_capacity(self.items.len());
        for item in self.items {
            match item {
                Item::Section { name, line } => {
                    text.push_str(&format!("[{}]\n", escape(&name)));
                    spans.push(Span { line, kind: SpanKind::Section(name) });
                }
                Item::Option { key, parts, line } => {
                    let value = parts.join("\n");
                    let value = value.trim_end_matches(is_space);
                    text.push_str(&format!("{}={}\n", escape(&key), escape(value)));
                    spans.push(Span { line, kind: SpanKind::Option(key) });
                }
            }
        }
        Canonical { text, spans }
    }
}

/// Where a comment begins: at a `;` or `#` in column 0 or after whitespace.
fn comment_start(line: &str) -> Option<usize> {
    let mut after_space = true;
    for (index, c) in line.char_indices() {
        if after_space && matches!(c, ';' | '#') {
            return Some(index);
        }
        after_space = is_space(c);
    }
    None
}

/// The name in a header line: everything up to the last `]`, at least one character.
fn header(content: &str) -> Option<&str> {
    let (name, _) = content.strip_prefix('[')?.rsplit_once(']')?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        canonical(text, "/x").unwrap_err().to_string()
    }

    #[test]
    fn a_file_becomes_one_line_per_header_and_option() {
        let c = canonical("\u{feff}[a b]\r\nK : v ; c\r  w\n\nx=#1\n", "/x").unwrap();
        assert_eq!(c.text, "[a%20b]\nk=v%0aw\nx=%231\n");
        let lines: Vec<usize> = c.spans.iter().map(|s| s.line).collect();
        assert_eq!(lines, [1, 2, 5]);
    }

    #[test]
    fn escaping_is_undone() {
        for text in ["", "a=b;c", "%25\n é\u{a0}"] {
            assert_eq!(unescape(&escape(text)).as_deref(), Some(text));
        }
        assert_eq!(unescape("%4"), None);
        assert_eq!(unescape("%zz"), None);
        assert_eq!(unescape("%ff"), None);
    }

    #[test]
    fn the_first_comment_cuts() {
        let c = canonical("[a]\na=x#y #z ;w\n", "/x").unwrap();
        assert_eq!(c.text, "[a]\na=x%23y\n");
    }

    #[test]
    fn bad_lines_are_collected_for_the_whole_file() {
        assert_eq!(
            error("[a]\nfoo\nb=1\n[]\n=x"),
            "Source contains parsing errors: '/x'\n\t[line  2]: 'foo\\n'\n\t[line  4]: '[]\\n'\
             \n\t[line  5]: '=x'"
        );
        assert_eq!(
            error("; c\n\nfoo=1\n"),
            "File contains no section headers.\nfile: '/x', line: 3\n'foo=1\\n'"
        );
    }

    #[test]
    fn what_has_a_meaning_is_read_around_what_has_none() {
        let (c, flaws) = tolerant("a=1\nb\n[s]\nc=2\nfoo\n d\n[]\n[t]\ne=3\n");
        assert_eq!(c.text, "[s]\nc=2%0ad\n[t]\ne=3\n");
        let line = |number, text: &str| BadLine { number, text: text.to_owned() };
        assert_eq!(flaws.headless, Some(line(1, "a=1\n")));
        assert_eq!(flaws.bad, [line(5, "foo\n"), line(7, "[]\n")]);
    }
}
