//! Makes alike what differs from run to run: directories, pids, times, random words.

use std::path::Path;

use crate::support::Side;

/// A text with the row's directory, the side's programs, pids, times and the random words of AUTO
/// logs replaced by names.
pub fn text(text: &str, side: Side, directory: &Path) -> String {
    let directory = directory.display().to_string();
    let mut text = text
        .replace(directory.trim_end_matches('/'), "<dir>")
        // Elsewhere it is no program that was started, but a word in an environment.
        .replace(&format!("use {} -h", side.supervisord().display()), "use <supervisord> -h");
    text = after(&text, "pid ", |rest| digits(rest, "<pid>"));
    text = after(&text, "' (", |rest| match digits(rest, "<pid>") {
        (word, end) if rest[end..].starts_with(") with SIGKILL") => (word, end),
        _ => ("", 0),
    });
    text = after(&text, ", uptime ", |rest| {
        let end = rest.find(|c: char| c != ':' && !c.is_ascii_digit()).unwrap_or(rest.len());
        ("<time>", end)
    });
    for state in ["EXITED    ", "STOPPED   "] {
        text = after(&text, state, when);
    }
    auto_words(&text)
}

/// The activity log's messages, each without its time; one may span lines.
pub fn messages(log: &str) -> Vec<&str> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in log.split_inclusive('\n') {
        if begins_with_time(line) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([log.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| log[start + 24..end].trim_end_matches('\n'))
        .collect()
}

/// `2026-11-21 14:53:06,123 `
fn begins_with_time(line: &str) -> bool {
    let shape = "9999-99-99 99:99:99,999 ";
    line.len() > shape.len()
        && line.bytes().zip(shape.bytes()).all(|(byte, form)| match form {
            b'9' => byte.is_ascii_digit(),
            form => byte == form,
        })
}

/// Behind each `mark`: replaces as many bytes as the function says by what it says.
fn after<'a>(text: &str, mark: &str, replace: impl Fn(&str) -> (&'a str, usize)) -> String {
    let mut pieces = text.split(mark);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (word, length) = replace(piece);
        out.push_str(mark);
        out.push_str(if length == 0 { "" } else { word });
        out.push_str(&piece[length..]);
    }
    out
}

fn digits<'a>(rest: &str, word: &'a str) -> (&'a str, usize) {
    (word, rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()))
}

/// `Nov 21 02:53 PM`
fn when(rest: &str) -> (&'static str, usize) {
    let length = "Nov 21 02:53 PM".len();
    match rest.get(..length) {
        Some(time) if time.ends_with('M') && time.as_bytes()[9] == b':' => ("<time>", length),
        _ => ("", 0),
    }
}

/// `a-stdout---supervisor-x7k2m_9q.log` with its random word replaced.
fn auto_words(text: &str) -> String {
    const WORD: usize = 8;
    let mut out = String::new();
    let mut pieces = text.split(".log").peekable();
    while let Some(piece) = pieces.next() {
        let cut = piece.len().saturating_sub(WORD);
        let word = piece.get(cut..).unwrap_or_default();
        let random = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let head = piece.get(..cut).unwrap_or_default();
        let auto = head.ends_with('-')
            && head.rsplit('/').next().is_some_and(|name| name.contains("---"))
            && word.chars().all(random);
        if auto && pieces.peek().is_some() {
            out.push_str(head);
            out.push_str("<random>");
        } else {
            out.push_str(piece);
        }
        if pieces.peek().is_some() {
            out.push_str(".log");
        }
    }
    out
}
