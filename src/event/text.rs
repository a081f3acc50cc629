//! Bytes of a process as text.

use std::borrow::Cow;
use std::fmt::Write;

/// What stands for bytes that are no UTF-8.
const UNDECODABLE: &str = "Undecodable: ";

/// The text of bytes that are complete: a message, a line.
pub fn text(data: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(data) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(undecodable(data)),
    }
}

/// Makes text of one channel's output, read by read. A character that two reads share is told
/// with the second.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a character, at most three bytes.
    held: Vec<u8>,
}

impl Decoder {
    /// The text of what was held back and `data`; empty when all is held back.
    pub fn decode<'a>(&mut self, data: &'a [u8]) -> Cow<'a, str> {
        if self.held.is_empty() {
            let (data, rest) = data.split_at(data.len() - incomplete(data));
            self.held.extend(rest);
            return text(data);
        }
        let mut joined = std::mem::take(&mut self.held);
        joined.extend(data);
        self.held = joined.split_off(joined.len() - incomplete(&joined));
        Cow::Owned(owned(joined))
    }

    /// The output has ended: the text of what was held back, empty if nothing was.
    pub fn finish(&mut self) -> String {
        owned(std::mem::take(&mut self.held))
    }
}

fn owned(data: Vec<u8>) -> String {
    String::from_utf8(data).unwrap_or_else(|error| undecodable(error.as_bytes()))
}

/// How many of the last bytes begin a character that may yet be completed.
fn incomplete(data: &[u8]) -> usize {
    (1..=3)
        .filter(|count| *count <= data.len())
        .find(|count| {
            let tail = data.get(data.len() - count..).unwrap_or_default();
            let error = std::str::from_utf8(tail).err();
            error.is_some_and(|error| error.error_len().is_none())
        })
        .unwrap_or(0)
}

fn undecodable(data: &[u8]) -> String {
    let mut out = String::with_capacity(UNDECODABLE.len() + 3 + data.len() * 4);
    out.push_str(UNDECODABLE);
    push_notation(&mut out, data);
    out
}

/// Bytes as Python writes them: `b'\xff\n'`, in double quotes when they hold `'` and no `"`.
fn push_notation(out: &mut String, data: &[u8]) {
    let mark = if data.contains(&b'\'') && !data.contains(&b'"') { b'"' } else { b'\'' };
    out.push('b');
    out.push(char::from(mark));
    for &byte in data {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if byte == mark => {
                out.push('\\');
                out.push(char::from(mark));
            }
            b' '..=b'~' => out.push(char::from(byte)),
            byte => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(char::from(mark));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_texts() {
        let rows: [(&[u8], &str); 8] = [
            (b"", ""),
            ("été 1\n".as_bytes(), "été 1\n"),
            (b"\xff", r"Undecodable: b'\xff'"),
            (b"\x88\n", r"Undecodable: b'\x88\n'"),
            (b"it's \xff", r#"Undecodable: b"it's \xff""#),
            (b"'\"\xff", r#"Undecodable: b'\'"\xff'"#),
            (b"\x00\t\n\r\\ \x7f\x80~ '", r#"Undecodable: b"\x00\t\n\r\\ \x7f\x80~ '""#),
            // A surrogate, and a character without its end.
            (b"\xed\xa0\x80\xe2\x82", r"Undecodable: b'\xed\xa0\x80\xe2\x82'"),
        ];
        for (data, want) in rows {
            assert_eq!(text(data), want, "{data:?}");
        }
    }

    fn decoded(chunks: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::default();
        let mut told: Vec<String> =
            chunks.iter().map(|chunk| decoder.decode(chunk).into_owned()).collect();
        told.push(decoder.finish());
        told.retain(|text| !text.is_empty());
        told
    }

    #[test]
    fn any_cut_of_a_text_gives_the_text() {
        let whole = "a é € 😀 z\n";
        let bytes = whole.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(decoded(&chunks).concat(), whole, "{first} {second}");
            }
        }
    }

    #[test]
    fn what_no_byte_can_complete_is_told_at_once() {
        let rows: [(&[&[u8]], &[&str]); 7] = [
            (&[b"a\xe2\x82", b"\xacb"], &["a", "€b"]),
            (&[b"\xe2", b"\x82", b"\xac"], &["€"]),
            (&[b"\xff", b"b"], &[r"Undecodable: b'\xff'", "b"]),
            // 0xe2 0x28 and 0xed 0xa0 begin nothing.
            (&[b"\xe2\x28", b"b"], &[r"Undecodable: b'\xe2('", "b"]),
            (&[b"\xed\xa0", b"b"], &[r"Undecodable: b'\xed\xa0'", "b"]),
            (&[b"\xff\xc3", b"\xa9"], &[r"Undecodable: b'\xff'", "é"]),
            (&[b"x\xf0\x9f\x98"], &["x", r"Undecodable: b'\xf0\x9f\x98'"]),
        ];
        for (chunks, want) in rows {
            assert_eq!(decoded(chunks), want, "{chunks:?}");
        }
    }
}
