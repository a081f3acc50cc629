//! The INI dialect against Python's own parser: random documents, and not one difference.
//!
//! One python3 process reads all documents with `configparser.RawConfigParser`, set as Supervisor
//! sets it. Each case is one to three files, read one over the other. Two differences are wanted:
//!
//! - a byte order mark at the start: ours skips it, so ours gets one more;
//! - the comment search: Python tries the first `;` and the first `#`, then the second of each,
//!   and so on, and stops at the first round with a hit. A comment that begins earlier, but with
//!   a later occurrence, is kept: `a=x#y #z ;w` gives `x#y #z`. Cases with such a line (Python
//!   itself looks for them) are left out, and the test bounds how many they may be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::process::Command;

use minder::config::document::{Document, Entry};

const CASES: usize = 25_000;
const SEED: u64 = 0x5eed_0001;

const SCRIPT: &str = r#"
import configparser, io, sys

def has_quirk(line):
    hits = [i for i, c in enumerate(line) if c in ';#' and (i == 0 or line[i - 1].isspace())]
    if not hits or line.strip()[0] in ';#':
        return False
    start, prefixes = sys.maxsize, {';': -1, '#': -1}
    while start == sys.maxsize and prefixes:
        prefixes = {p: line.find(p, i + 1) for p, i in prefixes.items()}
        prefixes = {p: i for p, i in prefixes.items() if i != -1}
        start = min([start] + [i for i in prefixes.values() if i in hits])
    return start != hits[0]

def lines(data):
    return io.TextIOWrapper(io.BytesIO(data), encoding='utf-8')

def h(text):
    return text.encode('utf-8').hex() or '-'

def show(parser):
    sections = [('D', parser._defaults)] + [('S ' + h(s), parser._sections[s]) for s in parser.sections()]
    for title, options in sections:
        print(title)
        for key, value in options.items():
            print('K', h(key), h(value))

for case in open(sys.argv[1]):
    files = [bytes.fromhex(f) for f in case.rstrip('\n').split(' ')]
    if any(has_quirk(line) for f in files for line in lines(f)):
        print('Q')
    parser = configparser.RawConfigParser(inline_comment_prefixes=(';', '#'), strict=False)
    try:
        for number, data in enumerate(files):
            parser.read_file(lines(data), '/%d' % number)
        show(parser)
    except configparser.ParsingError as error:
        print('E', h(str(error)))
    print('.')
"#;

/// xorshift64*: a seed gives the same documents on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        bits as usize % bound
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn text(&mut self, list: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| self.pick(list)).collect()
    }
}

const SPACES: &[&str] =
    &["", "", "", "", "", " ", "  ", "\t", "    ", "\u{a0}", "\u{1c}", "\u{0c}", "\u{85}"];
const KEYS: &[&str] =
    &["a", "B", "command", "Key x", "a", "İ", "ΑΣ", "[x", "%(a)s", "a", "a]", "\u{feff}x"];
const NAMES: &[&str] = &[
    "a",
    "program:x",
    "DEFAULT",
    "default",
    " a ",
    "A",
    "a]b",
    "",
    "]",
    "x;y",
    "x ;y",
    "[a",
    "é",
    "%61",
];
const PIECES: &[&str] = &[
    "a", "b", "=", ":", ";", "#", " ;", " #", "\t#", " ", "  ", "[", "]", "\"", "'", "\\", "%",
    "é", "\u{a0}", "\u{1d}", "\u{2028}", "\u{200b}", "\u{7f}", "\0", "x=y", "[b]", "\u{feff}",
    "🦀",
];
const ENDS: &[&str] = &["\n", "\n", "\n", "\n", "\n", "\r\n", "\r"];

fn line(random: &mut Random) -> String {
    let indent = random.pick(SPACES);
    let body = match random.below(40) {
        0..=6 => {
            format!("[{}]{}", random.pick(NAMES), random.text(&["", " ", "x", " ; c", "]"], 1))
        }
        7..=24 => format!(
            "{}{}{}{}{}",
            random.pick(KEYS),
            random.pick(SPACES),
            random.pick(&["=", "=", "=", ":"]),
            random.pick(SPACES),
            random.text(PIECES, 5)
        ),
        25..=28 => String::new(),
        29..=31 => format!("{}{}", random.pick(&[";", "#"]), random.text(PIECES, 4)),
        32..=37 => format!("  {}", random.text(PIECES, 4)),
        38 => format!("={}", random.text(PIECES, 2)),
        _ => random.text(PIECES, 6),
    };
    format!("{indent}{body}{}", random.pick(SPACES))
}

fn file(random: &mut Random) -> String {
    // Most begin with a header, for without one the first option ends the reading.
    let mut text = String::from(if random.below(20) == 0 { "" } else { "[a]\n" });
    let count = random.below(12);
    for _ in 0..count {
        text.push_str(&line(random));
        text.push_str(random.pick(ENDS));
    }
    if random.below(4) == 0 {
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
    }
    text
}

fn hex(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(files: &[String]) -> String {
    let mut document = Document::default();
    for (number, text) in files.iter().enumerate() {
        if let Err(error) = document.add(text, &format!("/{number}")) {
            return format!("E {}\n", hex(&error.to_string()));
        }
    }
    let mut out = String::new();
    let mut options = |title: String, entries: &[Entry]| {
        let _ = writeln!(out, "{title}");
        for entry in entries {
            let _ = writeln!(out, "K {} {}", hex(&entry.key), hex(&entry.value));
        }
    };
    options("D".to_owned(), &document.defaults);
    for section in &document.sections {
        options(format!("S {}", hex(&section.name)), &section.options);
    }
    out
}

/// What Python makes of each case, as [`shown`] writes it.
fn python(cases: &[Vec<String>]) -> Vec<String> {
    let mut input = String::new();
    for files in cases {
        let files: Vec<String> = files.iter().map(|f| hex(f).replace('-', "")).collect();
        let _ = writeln!(input, "{}", files.join(" "));
    }
    let name = format!("minder-dialect-{}-{}", std::process::id(), cases.len());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, input).unwrap();
    let output = Command::new("python3").arg("-c").arg(SCRIPT).arg(&path).output();
    let _ = std::fs::remove_file(&path);
    let output = output.expect("this test compares with Python's parser and needs python3 in PATH");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python3 failed: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let blocks: Vec<String> = text.split_terminator(".\n").map(str::to_owned).collect();
    assert_eq!(blocks.len(), cases.len(), "python3 did not answer every case: {errors}");
    blocks
}

#[test]
fn random_documents_are_read_as_python_reads_them() {
    let mut random = Random(SEED);
    let mut cases = Vec::new();
    for _ in 0..CASES {
        let count = 1 + random.below(8).saturating_sub(5);
        cases.push((0..count).map(|_| file(&mut random)).collect::<Vec<String>>());
    }
    let (mut quirks, mut errors, mut values) = (0, 0, 0);
    for (index, (files, theirs)) in cases.iter().zip(python(&cases)).enumerate() {
        if theirs.starts_with("Q\n") {
            quirks += 1;
            continue;
        }
        errors += usize::from(theirs.starts_with('E'));
        values += theirs.matches("\nK ").count();
        let mut files = files.clone();
        for text in &mut files {
            if index % 7 == 0 || text.starts_with('\u{feff}') {
                text.insert(0, '\u{feff}');
            }
        }
        let ours = shown(&files);
        assert_eq!(ours, theirs, "case {index} of seed {SEED:#x}: {files:?}");
    }
    println!("{CASES} cases: {quirks} left out, {errors} errors, {values} values");
    // The test is worth something only while most cases are compared, and many are good.
    assert!(quirks * 20 < CASES, "{quirks} cases left out");
    assert!(errors * 4 < CASES * 3, "{errors} errors");
    assert!(values > CASES, "{values} values");
}

#[test]
fn the_wanted_differences_are_still_there() {
    let quirk = "[s]\na=x#y #z ;w\n";
    let marked = "\u{feff}[s]\na=1\n";
    let theirs = python(&[vec![quirk.to_owned()], vec![marked.to_owned()]]);
    assert_eq!(theirs[0], format!("Q\nD\nS 73\nK 61 {}\n", hex("x#y #z")));
    assert_eq!(shown(&[quirk.to_owned()]), format!("D\nS 73\nK 61 {}\n", hex("x#y")));
    assert!(theirs[1].starts_with("E "), "{}", theirs[1]);
    assert_eq!(shown(&[marked.to_owned()]), "D\nS 73\nK 61 31\n");
}
