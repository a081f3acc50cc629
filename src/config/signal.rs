//! Signals by number and name, as Linux numbers them.

use std::fmt;

use super::values;

/// Ends a process at once.
pub const KILL: i32 = 9;

/// Names without `SIG`; where two names share a number, the one that is printed stands first.
const NAMES: [(i32, &str); 36] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (6, "IOT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (16, "STKFLT"),
    (17, "CHLD"),
    (17, "CLD"),
    (18, "CONT"),
    (19, "STOP"),
    (20, "TSTP"),
    (21, "TTIN"),
    (22, "TTOU"),
    (23, "URG"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (26, "VTALRM"),
    (27, "PROF"),
    (28, "WINCH"),
    (29, "POLL"),
    (29, "IO"),
    (30, "PWR"),
    (31, "SYS"),
    (34, "RTMIN"),
    (64, "RTMAX"),
];

/// A signal's number in words: `SIGTERM`, or `signal 35` where it has no name.
pub struct Name(pub i32);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

/// What a text names as a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// A word that is no signal's name.
    Name,
    /// A number that is no signal.
    Number,
}

/// Reads a number, or a name in any case with or without `SIG`, blanks around it ignored.
/// Number 0 is accepted: it tests whether the process is there.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<i32, Bad> {
    let text = text.trim();
    if let Ok(number) = values::integer(text) {
        let known = |n: i64| n == 0 || NAMES.iter().any(|(number, _)| i64::from(*number) == n);
        return match i32::try_from(number) {
            Ok(n) if known(number) => Ok(n),
            Ok(_) | Err(_) => Err(Bad::Number),
        };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    NAMES.iter().find(|(_, n)| *n == name).map(|(number, _)| *number).ok_or(Bad::Name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let rows = [
            ("TERM", Ok(15)),
            (" sigHup ", Ok(1)),
            ("9", Ok(9)),
            ("0", Ok(0)),
            ("SIGCLD", Ok(17)),
            ("FOO", Err(Bad::Name)),
            ("", Err(Bad::Name)),
            ("200", Err(Bad::Number)),
            ("35", Err(Bad::Number)),
            ("-1", Err(Bad::Number)),
            ("1_5", Ok(15)),
            ("99999999999999999999", Err(Bad::Number)),
        ];
        for (text, want) in rows {
            assert_eq!(parse(text), want, "{text}");
        }
        assert_eq!(Name(17).to_string(), "SIGCHLD");
        assert_eq!(Name(29).to_string(), "SIGPOLL");
    }
}
