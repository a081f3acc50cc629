//! Key/value pairs, the type of "environment": `A="1,2",B='x y'`.
//!
//! The text is cut into tokens as a POSIX shell lexer does: words, quoted pieces glued to them,
//! and every other character by itself. Then come *key* `=` *value* and one token, whatever it
//! is, as separator.
//!
//! That is the lexer of Supervisor 4.4. 4.3.0 knew no escapes, so files in use write a backslash
//! plainly: `"\\d"` in double quotes keeps both of its backslashes, `"C:\"` ends at that quote, and
//! an apostrophe inside a word is a letter. Such texts keep 4.3.0's reading.
#![forbid(unsafe_code)]

use std::iter::Peekable;
use std::ops::Range;
use std::str::Chars;

use super::values::ValueError;

/// Reads the pairs in written order; a key that comes again keeps its place, the last value wins.
///
/// # Errors
/// [`ValueError::PairsEnd`], [`ValueError::PairsQuote`], [`ValueError::PairsEscape`].
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, ValueError> {
    let read = tokens(text).and_then(|tokens| grouped(&tokens, text));
    let doubled = text.contains(r"\\");
    // Without a backslash the two differ in quotes inside words alone, and beyond ASCII.
    let same_escapes = text.is_ascii() && !text.contains('\\');
    if !doubled && !same_escapes && !matches!(read, Err(ValueError::PairsQuote)) {
        return read;
    }
    match (read, plain(text).map(|tokens| grouped(&tokens, text))) {
        (Ok(escaped), Some(Ok(plain))) if !same_escapes && !only_doubled(&plain, &escaped) => {
            Ok(escaped)
        }
        (_, Some(Ok(plain))) => Ok(plain),
        (Err(_), Some(Err(error))) if same_escapes => Err(error),
        (read, _) => read,
    }
}

/// Whether a quote among the `inserted` bytes, which stood in no file but for a name, ends one that
/// was written around them: then it vanishes from the value. 4.3.0 refuses most such texts; what
/// it reads is read alike, and is no fault.
pub fn lost_quotes(text: &str, inserted: &[Range<usize>]) -> bool {
    if matches!(plain(text).map(|tokens| grouped(&tokens, text)), Some(Ok(_))) {
        return false;
    }
    let is_inserted = |index: usize| inserted.iter().any(|piece| piece.contains(&index));
    let mut opened: Option<(char, bool)> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((index, c)) = chars.next() {
        match (opened, c) {
            (None | Some(('"', _)), '\\') => drop(chars.next()),
            (None, '#') => drop(chars.by_ref().find(|(_, c)| *c == '\n')),
            (None, '"' | '\'') => opened = Some((c, is_inserted(index))),
            (Some((mark, within)), c) if c == mark => {
                if !within && is_inserted(index) {
                    return true;
                }
                opened = None;
            }
            (None | Some(_), _) => {}
        }
    }
    false
}

fn grouped(tokens: &[String], text: &str) -> Result<Vec<(String, String)>, ValueError> {
    let mut out: Vec<(String, String)> = Vec::new();
    for group in tokens.chunks(4) {
        match group {
            [key, equals, value, ..] if equals == "=" => set(&mut out, key, value),
            _ => return Err(ValueError::PairsEnd(text.to_owned())),
        }
    }
    Ok(out)
}

/// Whether two readings differ in doubled backslashes and nothing else.
fn only_doubled(plain: &[(String, String)], escaped: &[(String, String)]) -> bool {
    plain.len() == escaped.len()
        && plain.iter().zip(escaped).all(|(p, e)| p.0 == e.0 && p.1.replace(r"\\", r"\") == e.1)
}

/// Sets one variable in an ordered list.
pub fn set(list: &mut Vec<(String, String)>, key: &str, value: &str) {
    match list.iter_mut().find(|(k, _)| k == key) {
        Some((_, old)) => value.clone_into(old),
        None => list.push((key.to_owned(), value.to_owned())),
    }
}

fn tokens(text: &str) -> Result<Vec<String>, ValueError> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            ' ' | '\t' | '\r' | '\n' => drop(chars.next()),
            '#' => skip_comment(&mut chars),
            '"' | '\'' | '\\' => out.push(word(&mut chars)?),
            c if in_word(c) => out.push(word(&mut chars)?),
            c => {
                chars.next();
                out.push(c.to_string());
            }
        }
    }
    Ok(out)
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '+' | '-' | '(' | ')' | ':')
}

fn skip_comment(chars: &mut Peekable<Chars<'_>>) {
    chars.by_ref().find(|c| *c == '\n');
}

fn word(chars: &mut Peekable<Chars<'_>>) -> Result<String, ValueError> {
    let mut out = String::new();
    while let Some(&c) = chars.peek() {
        match c {
            '"' | '\'' => {
                chars.next();
                quoted(chars, c, &mut out)?;
            }
            '\\' => {
                chars.next();
                out.push(chars.next().ok_or(ValueError::PairsEscape)?);
            }
            c if in_word(c) => {
                chars.next();
                out.push(c);
            }
            _ => break,
        }
    }
    Ok(out)
}

fn quoted(chars: &mut Peekable<Chars<'_>>, mark: char, out: &mut String) -> Result<(), ValueError> {
    loop {
        match chars.next().ok_or(ValueError::PairsQuote)? {
            c if c == mark => return Ok(()),
            '\\' if mark == '"' => {
                let c = chars.next().ok_or(ValueError::PairsEscape)?;
                if c != '"' && c != '\\' {
                    out.push('\\');
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
}

/// The tokens as 4.3.0 cuts them: a backslash means nothing, a quote opens only at the start of
/// a token and loses its marks. `None` where 4.3.0 fails, or drops what is glued to a quote.
fn plain(text: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    let letter = |c: char| c.is_ascii() && in_word(c);
    let part = |c: char| letter(c) || matches!(c, '"' | '\'');
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => {}
            '#' => skip_comment(&mut chars),
            '"' | '\'' => {
                let mut token = String::new();
                loop {
                    match chars.next()? {
                        end if end == c => break,
                        inner => token.push(inner),
                    }
                }
                if chars.peek().is_some_and(|next| part(*next)) || token.ends_with(['"', '\'']) {
                    return None;
                }
                out.push(token);
            }
            c if letter(c) => {
                let mut token = c.to_string();
                while let Some(next) = chars.next_if(|next| part(*next)) {
                    token.push(next);
                }
                if token.ends_with(['"', '\'']) {
                    return None;
                }
                out.push(token);
            }
            c => out.push(c.to_string()),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match pairs(text) {
            Ok(list) => list.iter().map(|(k, v)| format!("{k}={v}|")).collect(),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn good_texts() {
        for (text, expected) in [
            ("", ""),
            ("  \n", ""),
            ("A=\"1,2\",B='x y'", "A=1,2|B=x y|"),
            ("A=\"a\\\"b\"", "A=a\"b|"),
            ("A=\"a\\nb\"", "A=a\\nb|"),
            ("A='a\\'", "A=a\\|"),
            ("A=\"abc\"def", "A=abcdef|"),
            ("A=a\\,b", "A=a,b|"),
            ("A=/usr/bin:/x-y.(z)+", "A=/usr/bin:/x-y.(z)+|"),
            ("A=~/x", "A=~|"),
            ("A=x#y", "A=x|"),
            ("A=\"x#y\"", "A=x#y|"),
            ("A=1,", "A=1|"),
            ("A=1;B=2", "A=1|B=2|"),
            ("A=1,\n  B=2", "A=1|B=2|"),
            ("A=\"\"", "A=|"),
            ("'A B'=1", "A B=1|"),
            ("A=1,B=2,A=3", "A=3|B=2|"),
            ("A=é", "A=é|"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn texts_that_4_3_reads_plainly_keep_their_meaning() {
        for (text, expected) in [
            (r#"A="\\d+""#, r"A=\\d+|"),
            (r#"A="C:\""#, r"A=C:\|"),
            (r#"A="C:\",B="y""#, r"A=C:\|B=y|"),
            ("A=it's", "A=it's|"),
            ("A=don't,B=can't", "A=don't|B=can't|"),
            ("A=x'y'z", "A=x'y'z|"),
            (r#"A="a\\\"b""#, r#"A=a\"b|"#),
            ("A='it's'", "! No closing quotation"),
            ("A=x'", "! No closing quotation"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes_of_an_expansion_that_end_others() {
        let lost = |before: &str, inserted: &str, behind: &str| {
            let piece = before.len()..before.len() + inserted.len();
            lost_quotes(&format!("{before}{inserted}{behind}"), &[piece])
        };
        let json = r#"{"a": "b"}"#;
        assert!(lost("A=\"", json, "\""));
        assert!(lost("B=1,A=\"x", json, "y\",C=2"));
        assert!(lost("A='", "it's o'clock", "'"));
        // Inside the other quotes, escaped, or with quotes of their own they stay or mean something.
        for (before, inserted, behind) in [
            ("A='", json, "'"),
            ("A=\"", r#"{\"a\": 1}"#, "\""),
            ("A=\"", "it's", "\""),
            ("A=", "\"x y\"", ""),
            ("A=\"a\"b#\"", "\"", "\n"),
            ("", "A=\"1\",B=\"2\"", ""),
            ("A=\"a\",B=", "x", ",C=d\"e\"f"),
            // 4.3.0 takes it for another variable, too.
            ("A=\"", "x\",B=\"y", "\""),
        ] {
            assert!(!lost(before, inserted, behind), "{before}{inserted}{behind}");
        }
    }

    #[test]
    fn bad_texts() {
        for text in ["A=1 B=2", "A=", "A=foo$bar", "A=a*b", "A=1,,B=2", "A:1", "A", "it's"] {
            let expected = format!("! Unexpected end of key/value pairs in value '{text}'");
            assert_eq!(read(text), expected);
        }
        assert_eq!(read("A=\"x"), "! No closing quotation");
        assert_eq!(read("A=x\\"), "! No escaped character");
        assert_eq!(read("A=\"x\\"), "! No escaped character");
    }
}
