use super::*;

const B: &str = "<!--XSUPERVISOR:BEGIN-->";
const E: &str = "<!--XSUPERVISOR:END-->";

/// What is told, with pieces of one kind joined: `P`lain, `C`aptured, `M`essage.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told(Vec<(char, Vec<u8>)>);

impl Told {
    fn take(&mut self, piece: Piece<'_>) {
        let (kind, data) = match piece {
            Piece::Plain(data) => ('P', data),
            Piece::Captured(data) => ('C', data),
            Piece::Message(data) => ('M', data),
        };
        assert!(kind == 'M' || !data.is_empty(), "an empty piece");
        match self.0.last_mut() {
            Some((last, joined)) if *last == kind && kind != 'M' => joined.extend(data),
            _ => self.0.push((kind, data.to_vec())),
        }
    }

    fn of(capture: &mut Capture, chunks: &[&[u8]]) -> Told {
        let mut told = Told::default();
        for chunk in chunks {
            capture.feed(chunk, &mut |piece| told.take(piece));
        }
        told
    }

    fn finished(maxbytes: usize, chunks: &[&[u8]]) -> Told {
        let mut capture = Capture::new(maxbytes);
        let mut told = Told::of(&mut capture, chunks);
        capture.finish(&mut |piece| told.take(piece));
        told
    }

    fn lines(&self) -> Vec<String> {
        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
        self.0.iter().map(|(kind, data)| format!("{kind} {}", text(data))).collect()
    }
}

/// Splits a whole text, in another way.
fn model(text: &[u8]) -> Told {
    let find = |text: &[u8], token: &str| {
        text.windows(token.len()).position(|window| window == token.as_bytes())
    };
    let mut told = Told::default();
    let mut rest = text;
    while !rest.is_empty() {
        let begin = find(rest, B).unwrap_or(rest.len());
        if begin > 0 {
            told.take(Piece::Plain(&rest[..begin]));
        }
        rest = rest.get(begin + B.len()..).unwrap_or_default();
        let end = find(rest, E).unwrap_or(rest.len());
        if end > 0 {
            told.take(Piece::Captured(&rest[..end]));
        }
        if end < rest.len() {
            told.take(Piece::Message(&rest[..end]));
        }
        rest = rest.get(end + E.len()..).unwrap_or_default();
    }
    told
}

/// Texts that hold all that can happen.
fn samples() -> Vec<String> {
    vec![
        String::new(),
        "hello\n".into(),
        format!("{B}{E}"),
        format!("{B}hi{E}"),
        format!("a\n{B}b\n{E}c\n{B}d{E}"),
        format!("{B}é x{B}y{E}{E}z"),
        format!("<<!--{B}<b><!--XSUPERVISOR:EN{E}<"),
        format!("<!--XSUPERVISOR:<!--XSUPERVISOR:BEGIN--<{B}<!--XSUPERVISOR:BEGIN{E}"),
        "<!--XSUPERVISOR:BEGIN--".into(),
        format!("x{B}never ended <!--XSUPERVISOR:END--"),
        format!("{E}outside{E}"),
        format!("{}{B}{}{E}", "far ".repeat(20), "away <".repeat(20)),
    ]
}

#[test]
fn the_tokens_are_long_as_told_and_begin_once() {
    assert_eq!((BEGIN.len(), END.len()), (24, 22));
    assert_eq!((BEGIN, END), (B.as_bytes(), E.as_bytes()));
    for token in [BEGIN, END] {
        assert_eq!(token.iter().filter(|byte| **byte == FIRST).count(), 1);
    }
}

#[test]
fn pieces() {
    let rows: [(&[&str], &[&str]); 9] = [
        (&["hello\n"], &["P hello\n"]),
        (&[&format!("a{B}b{E}c")], &["P a", "C b", "M b", "P c"]),
        (&[&format!("{B}hi"), E], &["C hi", "M hi"]),
        (&[B, E], &["M "]),
        (
            &[&format!("{B}one\ntwo"), &format!("{E}{B}3{E}")],
            &["C one\ntwo", "M one\ntwo", "C 3", "M 3"],
        ),
        (&[&format!("{B}a{B}b{E}")], &[&format!("C a{B}b"), &format!("M a{B}b")]),
        (&[&format!("a{E}b")], &[&format!("P a{E}b")]),
        (&["<!--", "no"], &["P <!--no"]),
        (&["<b>bold</b> < 3\n"], &["P <b>bold</b> < 3\n"]),
    ];
    for (chunks, want) in rows {
        let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
        assert_eq!(Told::of(&mut Capture::new(1024), &chunks).lines(), want, "{chunks:?}");
    }
}

/// Supervisor waits for one byte more than the token has, with anything.
#[test]
fn nothing_waits_for_a_byte_that_may_never_come() {
    let mut capture = Capture::new(1024);
    assert_eq!(Told::of(&mut capture, &[b"$ "]).lines(), ["P $ "]);
    assert_eq!(Told::of(&mut capture, &[B.as_bytes()]).lines(), [""; 0]);
    assert_eq!(Told::of(&mut capture, &[b"x"]).lines(), ["C x"]);
    assert_eq!(Told::of(&mut capture, &[E.as_bytes()]).lines(), ["M x"]);
    assert_eq!(Told::of(&mut capture, &[b"y <"]).lines(), ["P y "]);
}

#[test]
fn the_end_of_output_releases_what_was_held_back() {
    assert_eq!(Told::finished(9, &[b"x <!--XSUP"]).lines(), ["P x <!--XSUP"]);
    let (open, end) = (format!("{B}lost"), b"<!--XSUPERVISOR:END--");
    let mut capture = Capture::new(9);
    let mut told = Told::of(&mut capture, &[open.as_bytes(), end]);
    capture.finish(&mut |piece| told.take(piece));
    assert_eq!(told.lines(), ["C lost<!--XSUPERVISOR:END--"], "and no message");
    assert_eq!(Told::of(&mut capture, &[b"next"]).lines(), ["P next"], "it begins anew");
}

#[test]
fn every_cut_gives_the_same() {
    for text in samples() {
        let bytes = text.as_bytes();
        let want = model(bytes);
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(Told::finished(0, &chunks), want, "{text:?} at {first} and {second}");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(Told::finished(0, &single), want, "{text:?} byte by byte");
    }
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

#[test]
fn random_texts_in_random_chunks_give_the_same() {
    let words =
        [B, E, "<", "<!--XSUPERVISOR:", "-->", "BEGIN", "line\n", "é", "<!--XSUPERVISOR:END", "\0"];
    let mut chance = Chance(430);
    for round in 0..2000 {
        let text: String =
            (0..chance.below(12)).map(|_| words[chance.below(words.len())]).collect();
        let want = model(text.as_bytes());
        let mut chunks = Vec::new();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(1 + chance.below(rest.len().min(40)));
            chunks.push(chunk);
            rest = after;
        }
        assert_eq!(Told::finished(0, &chunks), want, "round {round}: {text:?} as {chunks:?}");
    }
}

/// The message that comes of `data` in chunks of that size.
fn message(maxbytes: usize, data: &[u8], size: usize) -> (Vec<u8>, usize) {
    let mut capture = Capture::new(maxbytes);
    let mut told = Vec::new();
    let mut most = 0;
    capture.feed(B.as_bytes(), &mut |_| {});
    for chunk in data.chunks(size) {
        capture.feed(chunk, &mut |_| {});
        most = most.max(capture.message.bytes.capacity());
    }
    capture.feed(E.as_bytes(), &mut |piece| match piece {
        Piece::Message(data) => told.push(data.to_vec()),
        Piece::Plain(_) | Piece::Captured(_) => panic!("more than the message: {piece:?}"),
    });
    assert!(capture.message.bytes.capacity() <= KEPT, "the room of the message is given back");
    (told.concat(), most)
}

#[test]
fn a_message_is_bounded_and_does_not_depend_on_reads() {
    let data: Vec<u8> = (0..700_000_u32).map(|n| b'a' + u8::try_from(n % 23).unwrap()).collect();
    let rows = [
        // What Supervisor would keep whole, if it came in one read, is kept whole.
        (10, 5_000, 5_000),
        (10, 131_072, 131_072),
        (10, 131_073, 131_072),
        (10, 700_000, 131_072),
        (200_000, 700_000, 200_000),
        (1_000_000, 700_000, 700_000),
    ];
    for (maxbytes, written, kept) in rows {
        for size in [1000, 65_536, 131_072, 700_000] {
            let (got, room) = message(maxbytes, &data[..written], size);
            assert!(got == data[written - kept..written], "{maxbytes} {written} by {size}");
            assert!(room <= 2 * maxbytes.max(WHOLE), "{room} bytes for {maxbytes}");
        }
    }
}

#[test]
fn a_cut_message_begins_with_a_character() {
    let euros = "€".repeat(WHOLE);
    for extra in ["", "a", "aa"] {
        let text = format!("{euros}{extra}");
        let (got, _) = message(0, text.as_bytes(), 1000);
        assert!(got.len() > WHOLE - 3 && text.as_bytes().ends_with(&got), "{extra:?}");
        assert!(std::str::from_utf8(&got).is_ok(), "{extra:?}");
    }
    // A message that is whole is left as it is, even so.
    assert_eq!(message(0, b"\x80\x80x", 1).0, b"\x80\x80x");
}
