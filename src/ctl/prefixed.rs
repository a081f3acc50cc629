//! Lines of one log between those of others: each behind the log's name.

/// A longer line is shown as several.
const MOST_LINE_BYTES: usize = 64 * 1024;

/// A text that comes in pieces, shown by whole lines.
#[derive(Debug)]
pub(super) struct Prefixed {
    prefix: String,
    /// The beginning of a line.
    held: Vec<u8>,
}

impl Prefixed {
    pub(super) fn new(prefix: &str) -> Prefixed {
        Prefixed { prefix: prefix.to_owned(), held: Vec::new() }
    }

    /// The whole text.
    pub(super) fn text(prefix: &str, bytes: &[u8]) -> Vec<u8> {
        let mut lines = Prefixed::new(prefix);
        let mut shown = lines.next(bytes);
        shown.extend(lines.rest());
        shown
    }

    /// The lines that this piece ends.
    pub(super) fn next(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(piece.len() + self.prefix.len());
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.held.extend_from_slice(part);
            if part.ends_with(b"\n") || self.held.len() >= MOST_LINE_BYTES {
                shown.extend(self.rest());
            }
        }
        shown
    }

    /// The line that has begun, as if it ended here.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        if self.held.is_empty() {
            return Vec::new();
        }
        let mut line = self.prefix.clone().into_bytes();
        line.append(&mut self.held);
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_come() {
        let text = b"one\n\ntwo \xff\nrest";
        let wanted = b"a | one\na | \na | two \xff\na | rest\n";
        assert_eq!(Prefixed::text("a | ", text), wanted);
        for size in 1..text.len() {
            let mut lines = Prefixed::new("a | ");
            let mut shown = Vec::new();
            for piece in text.chunks(size) {
                let lines = lines.next(piece);
                assert!(lines.is_empty() || lines.ends_with(b"\n"), "{lines:?}");
                shown.extend(lines);
            }
            shown.extend(lines.rest());
            assert_eq!(shown, wanted, "{size}");
        }
        assert_eq!(Prefixed::text("a | ", b""), b"");
    }

    #[test]
    fn a_line_without_end_is_not_kept_for_ever() {
        let mut lines = Prefixed::new("");
        let shown: usize = (0..100).map(|_| lines.next(&[b'x'; 10_000]).len()).sum();
        assert!(shown > 900_000 && lines.held.len() < MOST_LINE_BYTES, "{shown}");
    }
}
