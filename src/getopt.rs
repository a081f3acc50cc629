//! Command lines by the rules of `getopt`: short options bundle, long ones may be shortened as
//! long as they stay unique, options end at the first word that is none. clap reads them; the
//! texts of errors are those that scripts know.
#![forbid(unsafe_code)]

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its long name.
    pub long: &'static str,
    /// Another long name, not shown.
    pub alias: Option<&'static str>,
    /// Its letter.
    pub letter: Option<char>,
    /// What its value is called in the help; none: it takes no value.
    pub value: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

impl Row {
    /// An option without a value.
    pub const fn flag(long: &'static str, letter: Option<char>, help: &'static str) -> Row {
        Row { long, alias: None, letter, value: None, help }
    }

    /// An option with a value.
    pub const fn valued(
        long: &'static str,
        letter: Option<char>,
        value: &'static str,
        help: &'static str,
    ) -> Row {
        Row { long, alias: None, letter, value: Some(value), help }
    }

    /// The option under another long name, too.
    pub const fn or(self, alias: &'static str) -> Row {
        Row { alias: Some(alias), ..self }
    }
}

/// A program's options.
#[derive(Clone, Copy, Debug)]
pub struct Grammar {
    /// The program.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its options; `help` (with `-h` and `-?`) is added.
    pub rows: &'static [Row],
    /// What the other words are called in the help; none: it takes none.
    pub words: Option<(&'static str, &'static str)>,
    /// The end of the help.
    pub after_help: &'static str,
}

/// An option as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// `-e` or `--loglevel`.
    pub spelling: String,
    /// Its value.
    pub text: String,
}

/// What a command line says.
#[derive(Debug)]
pub struct Parsed {
    grammar: Grammar,
    matches: ArgMatches,
    options: Vec<String>,
    /// The words behind the options.
    pub words: Vec<String>,
}

/// Why there is nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Help was asked for: this text.
    Help(String),
    /// The command line is wrong: this reason.
    Usage(String),
}

/// Reads a command line; its first word is the program.
///
/// # Errors
/// See [`Refusal`].
pub fn parse(grammar: Grammar, line: &[String]) -> Result<Parsed, Refusal> {
    let mut command = command(grammar);
    let matches = match command.try_get_matches_from_mut(line) {
        Ok(matches) => matches,
        Err(error) => return Err(Refusal::Usage(text_of(&error, grammar, line))),
    };
    if matches.get_count("help") > 0 {
        return Err(Refusal::Help(command.render_help().to_string()));
    }
    let words: Vec<String> = matches.get_many("words").into_iter().flatten().cloned().collect();
    let options = line.get(1..line.len() - words.len().min(line.len())).unwrap_or_default();
    let parsed = Parsed { grammar, matches, options: options.to_vec(), words };
    for row in grammar.rows {
        if parsed.count(row) > 1 {
            let option = parsed.spelling(row);
            return Err(Refusal::Usage(format!("conflicting command line option '{option}'")));
        }
    }
    Ok(parsed)
}

impl Parsed {
    /// Whether a flag was given.
    pub fn flag(&self, long: &str) -> bool {
        self.row(long).is_some_and(|row| row.value.is_none() && self.count(row) > 0)
    }

    /// The value of an option.
    pub fn value(&self, long: &str) -> Option<Given> {
        let row = self.row(long).filter(|row| row.value.is_some())?;
        let text = self.matches.get_one::<String>(row.long)?.clone();
        Some(Given { spelling: self.spelling(row), text })
    }

    /// The text of an option's value.
    pub fn text(&self, long: &str) -> Option<String> {
        self.value(long).map(|given| given.text)
    }

    fn row(&self, long: &str) -> Option<&'static Row> {
        self.grammar.rows.iter().find(|row| row.long == long)
    }

    fn count(&self, row: &Row) -> usize {
        match row.value {
            Some(_) => self.matches.get_many::<String>(row.long).map_or(0, Iterator::count),
            None => usize::from(self.matches.get_count(row.long)),
        }
    }

    /// The option as the user wrote it last: the long name in full, or the letter.
    fn spelling(&self, row: &Row) -> String {
        let last = self.options.iter().rev().find_map(|word| match word.strip_prefix("--") {
            Some(long) if row.long.starts_with(long.split('=').next()?) => Some(true),
            Some(_) => None,
            None => {
                let bundle = word.strip_prefix('-')?;
                row.letter.filter(|letter| bundle.contains(*letter)).map(|_| false)
            }
        });
        match (last, row.letter) {
            (Some(false), Some(letter)) => format!("-{letter}"),
            _ => format!("--{}", row.long),
        }
    }
}

fn command(grammar: Grammar) -> Command {
    let option = |row: &Row| {
        let mut arg = Arg::new(row.long).long(row.long).help(row.help);
        if let Some(letter) = row.letter {
            arg = arg.short(letter);
        }
        if let Some(alias) = row.alias {
            arg = arg.alias(alias);
        }
        match row.value {
            // All are gathered, so that a repeated one is told from a wrong one behind it.
            Some(value) => {
                arg.value_name(value).action(ArgAction::Append).allow_hyphen_values(true)
            }
            None => arg.action(ArgAction::Count),
        }
    };
    let (value, help) = grammar.words.unwrap_or(("WORD", ""));
    Command::new(grammar.name)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .infer_long_args(true)
        .about(grammar.about)
        .args(grammar.rows.iter().map(option))
        .arg(
            Arg::new("help")
                .short('h')
                .short_alias('?')
                .long("help")
                .action(ArgAction::Count)
                .help("Show this text"),
        )
        .arg(
            Arg::new("words")
                .num_args(0..)
                .trailing_var_arg(true)
                .value_name(value)
                .help(help)
                .hide(grammar.words.is_none()),
        )
        .after_help(grammar.after_help)
}

/// The text that `getopt` has for what clap found wrong.
fn text_of(error: &clap::Error, grammar: Grammar, line: &[String]) -> String {
    let subject = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.split([' ', '=']).next().unwrap_or_default(),
        _ => "",
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let prefix = subject.trim_start_matches("--");
            let names = grammar.rows.iter().map(|row| row.long).chain(["help"]);
            if subject.starts_with("--")
                && names.filter(|name| name.starts_with(prefix)).count() > 1
            {
                return format!("option {subject} not a unique prefix");
            }
            format!("option {subject} not recognized")
        }
        ErrorKind::TooManyValues => {
            // clap shows by dots that the option may be repeated.
            format!("option {} must not have an argument", subject.trim_end_matches('.'))
        }
        // What lacks a value is the last word: else the next one had been it.
        _ => match line.last().map(String::as_str) {
            Some(word) if !word.starts_with("--") => {
                let letter = word.chars().last().unwrap_or('-');
                format!("option -{letter} requires argument")
            }
            _ => format!("option {subject} requires argument"),
        },
    }
}
