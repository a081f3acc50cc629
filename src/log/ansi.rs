//! `strip_ansi`: drops terminal control sequences, however the reads cut them.

/// Where in a sequence the last byte was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC `[`, up to a final byte.
    Sequence,
}

/// A filter with memory across reads.
#[derive(Debug, Default)]
pub struct Ansi {
    place: Place,
}

const ESC: u8 = 0x1b;

impl Ansi {
    /// The output has ended: what was held back as the begin of a sequence.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.place) == Place::Escape {
            out.push(ESC);
        }
    }

    /// Appends to `out` what of `data` is no control sequence.
    pub fn strip(&mut self, data: &[u8], out: &mut Vec<u8>) {
        for &byte in data {
            self.place = match (self.place, byte) {
                (Place::Text, ESC) => Place::Escape,
                (Place::Text, _) => {
                    out.push(byte);
                    Place::Text
                }
                (Place::Escape, b'[') => Place::Sequence,
                (Place::Escape, ESC) => {
                    out.push(ESC);
                    Place::Escape
                }
                (Place::Escape, _) => {
                    out.extend_from_slice(&[ESC, byte]);
                    Place::Text
                }
                // Parameters and intermediates.
                (Place::Sequence, 0x20..=0x3f) => Place::Sequence,
                (Place::Sequence, 0x40..=0x7e) => Place::Text,
                (Place::Sequence, ESC) => Place::Escape,
                // Not a sequence after all: the text goes on.
                (Place::Sequence, _) => {
                    out.push(byte);
                    Place::Text
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same() {
        let rows: [(&[u8], &[u8]); 8] = [
            (b"x\x1b", b"x\x1b"),
            (b"x\x1b[1", b"x"),
            (b"plain\n", b"plain\n"),
            (b"\x1b[1;31mred\x1b[0m!\n", b"red!\n"),
            (b"a\x1b[6nb", b"ab"),
            (b"a\x1bcb", b"a\x1bcb"),
            (b"\x1b\x1b[mx", b"\x1bx"),
            (b"line\x1b[\nnext", b"line\nnext"),
        ];
        for (input, want) in rows {
            for cut in 0..=input.len() {
                let (mut ansi, mut out) = (Ansi::default(), Vec::new());
                ansi.strip(&input[..cut], &mut out);
                ansi.strip(&input[cut..], &mut out);
                ansi.finish(&mut out);
                assert_eq!(out, want, "{input:?} cut at {cut}");
            }
        }
    }
}
