//! Values quoted in messages, as Supervisor quotes them: `'a b'`, `"it's"`, `'\x00'`.
#![forbid(unsafe_code)]

/// `text` in quotes: single ones, or double ones when it holds `'` and no `"`. Characters that
/// do not print are escaped.
pub fn quote(text: &str) -> String {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for c in text.chars() {
        push_escaped(&mut out, c, mark);
    }
    out.push(mark);
    out
}

/// The same, cut after 200 characters: the form that number errors have.
pub fn quote_short(text: &str) -> String {
    quote(text).chars().take(200).collect()
}

/// `text` without quotes, in one line: characters that do not print are escaped.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\\' { out.push(c) } else { push_escaped(&mut out, c, '\\') }
    }
    out
}

/// `text` in quotes with every character outside of ASCII escaped (the conversion `%a`).
pub fn quote_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in quote(text).chars() {
        if c.is_ascii() { out.push(c) } else { out.push_str(&code_point(c)) }
    }
    out
}

fn push_escaped(out: &mut String, c: char, mark: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c == mark => {
            out.push('\\');
            out.push(c);
        }
        c if prints(c) => out.push(c),
        c => out.push_str(&code_point(c)),
    }
}

fn code_point(c: char) -> String {
    match u32::from(c) {
        n @ 0..=0xff => format!("\\x{n:02x}"),
        n @ 0x100..=0xffff => format!("\\u{n:04x}"),
        n => format!("\\U{n:08x}"),
    }
}

/// Whether a character prints. Asked of the escaping of a string, not of a lone character,
/// because the latter also escapes combining marks.
fn prints(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let pair: String = ['a', c].into_iter().collect();
    pair.escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_and_the_escapes() {
        for (text, expected) in [
            ("a b", "'a b'"),
            ("it's", "\"it's\""),
            ("'\"", "'\\'\"'"),
            ("a\\b\n\t\r\0\x7f", "'a\\\\b\\n\\t\\r\\x00\\x7f'"),
            ("é\u{301}", "'é\u{301}'"),
            ("\u{a0}\u{200b}\u{e0001}", "'\\xa0\\u200b\\U000e0001'"),
        ] {
            assert_eq!(quote(text), expected);
        }
        assert_eq!(escaped("a\\b'\"\n\x1b\u{a0}é"), "a\\b'\"\\n\\x1b\\xa0é");
        assert_eq!(quote_ascii("é€"), "'\\xe9\\u20ac'");
        assert_eq!(quote_short(&"x".repeat(300)).len(), 200);
    }
}
