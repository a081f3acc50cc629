//! "command" as words, and what can be wrong with it.

use std::fmt;

use crate::config::quote::quote;

/// Why a command can't be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandProblem {
    /// A quote or a backslash at the end.
    Unparsable {
        /// The whole command.
        command: String,
        /// What is missing.
        why: &'static str,
    },
    /// No word.
    Empty,
    /// No such file, or none on PATH.
    NotFound(String),
    /// It is a directory.
    Directory(String),
    /// No execute bit at all.
    NotExecutable(String),
    /// The daemon may not execute it.
    NoPermission(String),
}

impl fmt::Display for CommandProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unparsable { command, why } => {
                write!(f, "can't parse command {}: {why}", quote(command))
            }
            Self::Empty => f.write_str("command is empty"),
            Self::NotFound(file) => write!(f, "can't find command {}", quote(file)),
            Self::Directory(file) => write!(f, "command at {} is a directory", quote(file)),
            Self::NotExecutable(file) => write!(f, "command at {} is not executable", quote(file)),
            Self::NoPermission(file) => write!(f, "no permission to run command {}", quote(file)),
        }
    }
}

/// Splits as a POSIX shell would: quotes and backslashes; no comments, variables or globs.
///
/// # Errors
/// Open quotes, a trailing backslash, no word at all.
pub fn split(command: &str) -> Result<Vec<String>, CommandProblem> {
    let fail = |why| Err(CommandProblem::Unparsable { command: command.to_owned(), why });
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => match chars.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return fail("No escaped character"),
            },
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return fail("No closing quotation"),
                    }
                }
            }
            '"' => match double_quoted(&mut chars, word.get_or_insert_default()) {
                Ok(()) => {}
                Err(why) => return fail(why),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if words.is_empty() { Err(CommandProblem::Empty) } else { Ok(words) }
}

/// Up to the closing quote; a backslash escapes only itself and the quote.
fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), &'static str> {
    loop {
        match chars.next() {
            Some('"') => return Ok(()),
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '\\')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => return Err("No escaped character"),
            },
            Some(c) => word.push(c),
            None => return Err("No closing quotation"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell() {
        let rows: [(&str, &[&str]); 8] = [
            ("/bin/cat -u  x", &["/bin/cat", "-u", "x"]),
            ("sh -c 'a \"b\" ; c'", &["sh", "-c", "a \"b\" ; c"]),
            (r#"a "b\"c\\d\e" f\ g"#, &["a", r#"b"c\d\e"#, "f g"]),
            ("a\n\tb", &["a", "b"]),
            ("a '' \"\"", &["a", "", ""]),
            ("a#b #c", &["a#b", "#c"]),
            ("a'b'\"c\"d", &["abcd"]),
            ("é 'ü ö'", &["é", "ü ö"]),
        ];
        for (command, want) in rows {
            assert_eq!(split(command).unwrap(), want, "{command}");
        }
    }

    #[test]
    fn tells_what_is_missing() {
        let rows = [
            ("", "command is empty"),
            ("  \n ", "command is empty"),
            ("sh -c \"x", "can't parse command 'sh -c \"x': No closing quotation"),
            ("sh -c 'x", "can't parse command \"sh -c 'x\": No closing quotation"),
            ("x\\", "can't parse command 'x\\\\': No escaped character"),
        ];
        for (command, want) in rows {
            assert_eq!(split(command).unwrap_err().to_string(), want);
        }
    }
}
