//! Command lines by the rules of `getopt`: short options bundle, long ones may be shortened as
//! long as they stay unique, options end at the first word that is none.
//!
//! A pass of our own takes the words apart, exactly as Python's `getopt` does for Supervisor, and
//! has its errors; what it makes of them (each option by its whole name, its value attached)
//! clap reads, which writes the help too. Left to itself clap drops the `=` of `-c=x`, tells
//! neither how an option was spelled nor which came first, and lets a new option make an old
//! abbreviation ambiguous.
#![forbid(unsafe_code)]

use clap::{Arg, ArgAction, ArgMatches, Command};

pub use crate::config::command_line::Given;
use crate::config::quote::quote;

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
    /// Supervisor has it; what abbreviates such an option abbreviates no new one.
    known: bool,
    yields: Option<Yields>,
}

/// Values that make an option mean another one.
#[derive(Clone, Copy, Debug)]
struct Yields {
    to: &'static str,
    when: fn(&str) -> bool,
}

impl Row {
    /// An option without a value.
    pub const fn flag(long: &'static str, letter: Option<char>, help: &'static str) -> Row {
        Row { long, alias: None, letter, value: None, help, known: true, yields: None }
    }

    /// An option with a value.
    pub const fn valued(
        long: &'static str,
        letter: Option<char>,
        value: &'static str,
        help: &'static str,
    ) -> Row {
        Row { value: Some(value), ..Row::flag(long, letter, help) }
    }

    /// The option under another long name, too.
    pub const fn or(self, alias: &'static str) -> Row {
        Row { alias: Some(alias), ..self }
    }

    /// An option that Supervisor does not have: all abbreviations of its own go first.
    pub const fn new_here(self) -> Row {
        Row { known: false, ..self }
    }

    /// With such a value the long name means the option `to`, which it abbreviates in Supervisor.
    pub const fn unless(self, when: fn(&str) -> bool, to: &'static str) -> Row {
        Row { yields: Some(Yields { to, when }), ..self }
    }

    fn is_named(&self, name: &str) -> bool {
        self.long == name || self.alias == Some(name)
    }

    /// Whether this abbreviates the option: as Supervisor knows it, or as it does not.
    fn is_abbreviated(&self, name: &str, known: bool) -> bool {
        let alias = self.alias.is_some_and(|alias| alias.starts_with(name));
        if known {
            self.known && self.long.starts_with(name)
        } else {
            self.long.starts_with(name) || alias
        }
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

const HELP: Row = Row::flag("help", Some('h'), "Show this text");

/// What a command line says.
#[derive(Debug)]
pub struct Parsed {
    matches: ArgMatches,
    /// The words behind the options.
    pub words: Vec<String>,
}

/// Why there is nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only this text was asked for: the help, or the version.
    Answered(String),
    /// The command line is wrong: this reason.
    Usage(String),
}

/// Judges one option with its value, in the order of the line: the first one that is wrong, or
/// that ends the program, decides.
pub type Check<'a> = &'a mut dyn FnMut(&Row, &Given) -> Result<(), Refusal>;

/// Reads a command line; its first word is the program.
///
/// # Errors
/// See [`Refusal`].
pub fn parse(grammar: Grammar, line: &[String], check: Check<'_>) -> Result<Parsed, Refusal> {
    let Scanned { given, words } = scan(grammar, line).map_err(Refusal::Usage)?;
    if grammar.words.is_none() && !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let text = format!("positional arguments are not supported: [{}]", words.join(", "));
        return Err(Refusal::Usage(text));
    }
    let mut command = command(grammar);
    for (index, (row, option)) in given.iter().enumerate() {
        if row.long == HELP.long {
            return Err(Refusal::Answered(command.render_help().to_string()));
        }
        check(row, option)?;
        if given.iter().take(index).any(|(earlier, _)| earlier.long == row.long) {
            let text = format!("conflicting command line option '{}'", option.spelling);
            return Err(Refusal::Usage(text));
        }
    }
    let program = line.first().map_or(grammar.name, String::as_str).to_owned();
    let canonical = given.iter().map(|(row, option)| match row.value {
        Some(_) => format!("--{}={}", row.long, option.text),
        None => format!("--{}", row.long),
    });
    let matches = command
        .try_get_matches_from_mut([program].into_iter().chain(canonical))
        .map_err(|error| Refusal::Usage(error.to_string()))?;
    Ok(Parsed { matches, words })
}

impl Parsed {
    /// Whether a flag was given.
    pub fn flag(&self, long: &str) -> bool {
        self.matches.try_get_one::<bool>(long).is_ok_and(|given| given == Some(&true))
    }

    /// The text of an option's value.
    pub fn text(&self, long: &str) -> Option<String> {
        self.matches.try_get_one::<String>(long).ok().flatten().cloned()
    }
}

fn command(grammar: Grammar) -> Command {
    let option = |row: &Row| {
        let mut arg = Arg::new(row.long).long(row.long).help(row.help);
        if let Some(letter) = row.letter {
            arg = arg.short(letter);
        }
        match row.value {
            Some(value) => arg.value_name(value).action(ArgAction::Set),
            None => arg.action(ArgAction::SetTrue),
        }
    };
    // For the help alone: they are taken off before.
    let words = |(value, help)| Arg::new("words").num_args(0..).value_name(value).help(help);
    Command::new(grammar.name)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .about(grammar.about)
        .args(grammar.rows.iter().chain([&HELP]).map(option))
        .args(grammar.words.map(words))
        .after_help(grammar.after_help)
}

/// A command line taken apart.
struct Scanned {
    /// The options in their order.
    given: Vec<(Row, Given)>,
    words: Vec<String>,
}

/// Takes a command line apart. Errors are `getopt`'s texts.
fn scan(grammar: Grammar, line: &[String]) -> Result<Scanned, String> {
    let mut rest = line.get(1..).unwrap_or_default();
    let mut given = Vec::new();
    while let Some((word, after)) = rest.split_first() {
        let Some(option) = word.strip_prefix('-').filter(|option| !option.is_empty()) else {
            break;
        };
        rest = after;
        match option.strip_prefix('-') {
            Some("") => break,
            Some(long) => given.push(scan_long(grammar, long, &mut rest)?),
            None => scan_letters(grammar, option, &mut rest, &mut given)?,
        }
    }
    Ok(Scanned { given, words: rest.to_vec() })
}

/// Takes the next word.
fn take(rest: &mut &[String]) -> Option<String> {
    let (word, after) = rest.split_first()?;
    *rest = after;
    Some(word.clone())
}

/// `--name`, `--name=value` or `--name value`; the name may be shortened.
fn scan_long(grammar: Grammar, option: &str, rest: &mut &[String]) -> Result<(Row, Given), String> {
    let (name, attached) = match option.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (option, None),
    };
    let mut row = long_row(grammar, name)?;
    let text = match (row.value, attached) {
        (Some(_), Some(value)) => value,
        (Some(_), None) => {
            take(rest).ok_or_else(|| format!("option --{} requires argument", row.long))?
        }
        (None, Some(_)) => return Err(format!("option --{} must not have an argument", row.long)),
        (None, None) => String::new(),
    };
    if let Some(yields) = row.yields.filter(|yields| (yields.when)(&text)) {
        row = long_row(grammar, yields.to)?;
    }
    Ok((row, Given { spelling: format!("--{}", row.long), text }))
}

/// The option of a long name. The old options are asked first: what means one of them in
/// Supervisor means it here.
fn long_row(grammar: Grammar, name: &str) -> Result<Row, String> {
    let rows = || grammar.rows.iter().chain([&HELP]);
    if let Some(row) = rows().find(|row| row.is_named(name)) {
        return Ok(*row);
    }
    for known in [true, false] {
        let mut found = rows().filter(|row| row.is_abbreviated(name, known));
        match (found.next(), found.next()) {
            (None, _) => {}
            (Some(row), None) => return Ok(*row),
            (Some(_), Some(_)) => return Err(format!("option --{name} not a unique prefix")),
        }
    }
    Err(format!("option --{name} not recognized"))
}

/// Letters behind one `-`. One that takes a value takes the rest of the word, or else the next.
fn scan_letters(
    grammar: Grammar,
    letters: &str,
    rest: &mut &[String],
    given: &mut Vec<(Row, Given)>,
) -> Result<(), String> {
    let mut letters = letters.chars();
    while let Some(letter) = letters.next() {
        let named =
            |row: &&Row| row.letter == Some(letter) || (row.long == HELP.long && letter == '?');
        let row = grammar.rows.iter().chain([&HELP]).find(named);
        let row = *row.ok_or_else(|| format!("option -{letter} not recognized"))?;
        let text = match (row.value, letters.as_str()) {
            (None, _) => String::new(),
            (Some(_), "") => {
                take(rest).ok_or_else(|| format!("option -{letter} requires argument"))?
            }
            (Some(_), value) => value.to_owned(),
        };
        given.push((row, Given { spelling: format!("-{letter}"), text }));
        if row.value.is_some() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `file` is another's abbreviation, as long as its value is a number.
    const GRAMMAR: Grammar = Grammar {
        name: "x",
        about: "",
        rows: &[
            Row::flag("quiet", Some('q'), "Say little"),
            Row::valued("file_number", None, "N", "A file"),
            Row::valued("file", Some('f'), "FILE", "A file")
                .new_here()
                .unless(|text| text.parse::<u8>().is_ok(), "file_number"),
            Row::flag("quick", None, "Be quick").new_here(),
            Row::flag("quote", None, "Quote").or("apostrophe").new_here(),
        ],
        words: Some(("WORD", "Words")),
        after_help: "",
    };

    fn read(line: &str) -> Result<Parsed, Refusal> {
        let line: Vec<String> = format!("x {line}").split(' ').map(str::to_owned).collect();
        parse(GRAMMAR, &line, &mut |_, _| Ok(()))
    }

    fn usage(line: &str) -> String {
        match read(line) {
            Err(Refusal::Usage(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn new_options_take_no_old_abbreviation() {
        for (line, flag) in [
            ("--q", "quiet"),
            ("--qui", "quiet"),
            ("--quiet", "quiet"),
            ("--quic", "quick"),
            ("--quick", "quick"),
            ("--quo", "quote"),
            ("--apo", "quote"),
            ("--apostrophe", "quote"),
        ] {
            let parsed = read(line).unwrap();
            let given: Vec<&str> =
                ["quiet", "quick", "quote"].into_iter().filter(|long| parsed.flag(long)).collect();
            assert_eq!(given, [flag], "{line}");
        }
        assert_eq!(usage("--quix"), "option --quix not recognized");
    }

    #[test]
    fn a_new_option_yields_its_name_to_the_old_one() {
        for (line, number, file) in [
            ("--file 7", Some("7"), None),
            ("--file=7", Some("7"), None),
            ("--fil 7", Some("7"), None),
            ("--fil x", Some("x"), None),
            ("--file x", None, Some("x")),
            ("-f 7", None, Some("7")),
            ("--file 7 --file x", Some("7"), Some("x")),
        ] {
            let parsed = read(line).unwrap();
            let text = (parsed.text("file_number"), parsed.text("file"));
            assert_eq!((text.0.as_deref(), text.1.as_deref()), (number, file), "{line}");
        }
        let text = "conflicting command line option '--file_number'";
        assert_eq!(usage("--file_number 1 --file 2"), text);
    }

    #[test]
    fn values_reach_the_program_as_they_stand() {
        for (line, file, words) in [
            ("-qf=x a", "=x", vec!["a"]),
            ("-f -- --", "--", vec![]),
            ("--file==x - -q", "=x", vec!["-", "-q"]),
            ("--file= -- -q", "", vec!["-q"]),
        ] {
            let parsed = read(line).unwrap();
            assert_eq!(parsed.text("file").as_deref(), Some(file), "{line}");
            assert_eq!(parsed.words, words, "{line}");
        }
    }

    #[test]
    fn options_are_judged_in_their_order() {
        let mut judged = Vec::new();
        let line = ["x", "-f1", "-q", "-f2", "-h"].map(str::to_owned);
        let refusal = parse(GRAMMAR, &line, &mut |row, given| {
            judged.push(format!("{} {} {}", row.long, given.spelling, given.text));
            Ok(())
        });
        assert_eq!(judged, ["file -f 1", "quiet -q ", "file -f 2"]);
        assert!(matches!(refusal, Err(Refusal::Usage(text)) if text.contains("conflicting")));
    }
}
