//! The command line, laid over the configuration file.
//!
//! The rules are those of `getopt`: options end at the first word that is none, long
//! names may be shortened as long as they stay unique. The texts of errors are known
//! to scripts; clap's kinds of errors are put into them.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::client::Server;
use super::error::Quoted;
use super::url::is_url;

pub use super::options_file::{find_config, read_config};

/// What `[supervisorctl]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CtlFile {
    /// "serverurl"; a unix path is absolute.
    pub serverurl: Option<String>,
    /// "username".
    pub username: Option<String>,
    /// "password".
    pub password: Option<String>,
    /// "prompt".
    pub prompt: Option<String>,
    /// "history_file", absolute.
    pub history_file: Option<String>,
}

/// All that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The daemon.
    pub server: Server,
    /// The shell's prompt, without `> `.
    pub prompt: String,
    /// Where the shell keeps its history.
    pub history_file: Option<String>,
    /// Whether questions may be asked.
    pub interactive: bool,
    /// The action and its arguments; none: the shell.
    pub words: Vec<String>,
}

/// Why there is nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Help was asked for: this text.
    Help(String),
    /// The command line or the file is wrong: this reason.
    Usage(String),
}

impl Options {
    /// Reads the command line (the first word is the program) and the file it names or
    /// that is found.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn from_command_line(line: &[String]) -> Result<Options, Refusal> {
        let given = parse(line)?;
        let file = match &given.configuration {
            Some(path) if path.is_empty() => None,
            Some(path) => Some(path.clone()),
            None => find_config(line.first().map_or("", String::as_str)),
        };
        let file = match file {
            Some(path) => read_config(&path).map_err(Refusal::Usage)?,
            None => CtlFile::default(),
        };
        let url = given.serverurl.or(file.serverurl);
        Ok(Options {
            server: Server {
                url: url.unwrap_or_else(|| "http://localhost:9001".to_owned()),
                username: given.username.or(file.username),
                password: given.password.or(file.password),
            },
            prompt: file.prompt.unwrap_or_else(|| "supervisor".to_owned()),
            history_file: given.history_file.or(file.history_file),
            interactive: given.interactive || given.words.is_empty(),
            words: given.words,
        })
    }
}

/// The command line alone.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    configuration: Option<String>,
    interactive: bool,
    serverurl: Option<String>,
    username: Option<String>,
    password: Option<String>,
    history_file: Option<String>,
    words: Vec<String>,
}

/// The options that take a value: name, letter, what the value is, help.
const VALUED: [(&str, char, &str, &str); 5] = [
    ("configuration", 'c', "FILE", "Read this configuration file; without it, look for one"),
    ("serverurl", 's', "URL", "Talk to the daemon at http://HOST:PORT or unix:///PATH"),
    ("username", 'u', "NAME", "Log in with this name"),
    ("password", 'p', "PASSWORD", "Log in with this password"),
    ("history_file", 'r', "FILE", "Keep the shell's history in this file"),
];

fn command() -> Command {
    let valued = VALUED.map(|(name, letter, value, help)| {
        let arg = Arg::new(name).short(letter).long(name).value_name(value).help(help);
        let arg = if name == "history_file" { arg.alias("history-file") } else { arg };
        // All are gathered, so that a repeated one is told from a wrong one behind it.
        arg.action(ArgAction::Append).allow_hyphen_values(true)
    });
    Command::new("supervisorctl")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .infer_long_args(true)
        .about("Look at and control the programs of a supervisord.")
        .args(valued)
        .arg(
            Arg::new("interactive")
                .short('i')
                .long("interactive")
                .action(ArgAction::Count)
                .help("Ask before reload and shutdown, and for a login where one is needed"),
        )
        .arg(
            Arg::new("help")
                .short('h')
                .short_alias('?')
                .long("help")
                .action(ArgAction::Count)
                .help("Show this text"),
        )
        .arg(
            Arg::new("action")
                .num_args(0..)
                .trailing_var_arg(true)
                .value_name("ACTION")
                .help("What to do, and with what; without it a shell reads actions"),
        )
        .after_help("The action \"help\" lists the actions.")
}

fn parse(line: &[String]) -> Result<Given, Refusal> {
    let mut command = command();
    let matches = match command.try_get_matches_from_mut(line) {
        Ok(matches) => matches,
        Err(error) => return Err(Refusal::Usage(getopt_text(&error, line))),
    };
    if matches.get_count("help") > 0 {
        return Err(Refusal::Help(command.render_help().to_string()));
    }
    let words: Vec<String> = matches.get_many("action").into_iter().flatten().cloned().collect();
    let options = line.get(1..line.len() - words.len().min(line.len())).unwrap_or_default();
    if matches.get_count("interactive") > 1 {
        return Err(conflict(options, "interactive", 'i'));
    }
    let serverurl = valued(&matches, options, "serverurl", 's')?;
    if let Some(url) = serverurl.as_deref().filter(|url| !is_url(url)) {
        let (option, url) = (spelling(options, "serverurl", 's'), Quoted(url));
        let text = format!("invalid value for {option} {url}: value {url} is not a URL");
        return Err(Refusal::Usage(text));
    }
    Ok(Given {
        configuration: valued(&matches, options, "configuration", 'c')?,
        interactive: matches.get_count("interactive") > 0,
        serverurl,
        username: valued(&matches, options, "username", 'u')?,
        password: valued(&matches, options, "password", 'p')?,
        history_file: valued(&matches, options, "history_file", 'r')?,
        words,
    })
}

/// The value of an option, which may stand there once.
fn valued(
    matches: &ArgMatches,
    options: &[String],
    name: &str,
    letter: char,
) -> Result<Option<String>, Refusal> {
    let mut values = matches.get_many::<String>(name).into_iter().flatten();
    let value = values.next().cloned();
    match values.next() {
        Some(_) => Err(conflict(options, name, letter)),
        None => Ok(value),
    }
}

fn conflict(options: &[String], name: &str, letter: char) -> Refusal {
    let option = spelling(options, name, letter);
    Refusal::Usage(format!("conflicting command line option '{option}'"))
}

/// The option as the user wrote it last: `--name` in full, or `-n`.
fn spelling(options: &[String], name: &str, letter: char) -> String {
    let last = options.iter().rev().find_map(|word| match word.strip_prefix("--") {
        Some(long) if name.starts_with(long.split('=').next()?) => Some(true),
        Some(_) => None,
        None => (word.starts_with('-') && word.contains(letter)).then_some(false),
    });
    if last == Some(true) { format!("--{name}") } else { format!("-{letter}") }
}

/// The text that `getopt` has for what clap found wrong.
fn getopt_text(error: &clap::Error, line: &[String]) -> String {
    let subject = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.split([' ', '=']).next().unwrap_or_default(),
        _ => "",
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let prefix = subject.trim_start_matches("--");
            let names = VALUED.iter().map(|row| row.0).chain(["interactive", "help"]);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Given, Refusal> {
        let line: Vec<String> =
            ["ctl"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        parse(&line)
    }

    fn words(words: &[&str]) -> Vec<String> {
        parse_words(words).unwrap().words
    }

    #[test]
    fn options_end_at_the_first_word() {
        assert_eq!(words(&["tail", "-f", "x"]), ["tail", "-f", "x"]);
        assert_eq!(words(&["-i", "status", "-c", "x"]), ["status", "-c", "x"]);
        assert_eq!(words(&["--", "-x", "y"]), ["-x", "y"]);
        assert_eq!(words(&["start", "--", "y"]), ["start", "--", "y"]);
        assert_eq!(words(&["-", "-x"]), ["-", "-x"]);
        assert_eq!(words(&[]), [""; 0]);
        assert_eq!(words(&["", "a"]), ["", "a"]);
    }

    #[test]
    fn values_in_every_form() {
        for line in [
            ["-s", "http://h"].as_slice(),
            &["-shttp://h"],
            &["-ishttp://h"],
            &["--serverurl", "http://h"],
            &["--serverurl=http://h"],
            &["--serv", "http://h"],
            &["--s=http://h"],
        ] {
            assert_eq!(
                parse_words(line).unwrap().serverurl.as_deref(),
                Some("http://h"),
                "{line:?}"
            );
        }
        let given = parse_words(&["-p", "-x", "-u", "", "-r", "h", "-c", "--a", "pid"]).unwrap();
        assert_eq!(given.password.as_deref(), Some("-x"));
        assert_eq!(given.username.as_deref(), Some(""));
        assert_eq!(given.history_file.as_deref(), Some("h"));
        assert_eq!(given.configuration.as_deref(), Some("--a"));
        for long in ["--history_file", "--history-file", "--his"] {
            assert_eq!(
                parse_words(&[long, "h"]).unwrap().history_file.as_deref(),
                Some("h"),
                "{long}"
            );
        }
        assert!(parse_words(&["--inter"]).unwrap().interactive);
    }

    #[test]
    fn errors_have_getopts_texts() {
        for (line, wanted) in [
            (["-x"].as_slice(), "option -x not recognized"),
            (&["-ix"], "option -x not recognized"),
            (&["--bogus"], "option --bogus not recognized"),
            (&["--bogus=1", "status"], "option --bogus not recognized"),
            (&["-c"], "option -c requires argument"),
            (&["-ic"], "option -c requires argument"),
            (&["--configuration"], "option --configuration requires argument"),
            (&["--conf"], "option --configuration requires argument"),
            (&["--interactive=1"], "option --interactive must not have an argument"),
            (&["--h"], "option --h not a unique prefix"),
            (&["-i", "-i"], "conflicting command line option '-i'"),
            (&["-i", "--int"], "conflicting command line option '--interactive'"),
            (&["-c", "a", "-cb"], "conflicting command line option '-c'"),
            (&["-s", "foo"], "invalid value for -s 'foo': value 'foo' is not a URL"),
            (&["--serverurl=", "x"], "invalid value for --serverurl '': value '' is not a URL"),
        ] {
            assert_eq!(parse_words(line), Err(Refusal::Usage(wanted.into())), "{line:?}");
        }
    }

    #[test]
    fn help_is_a_text() {
        for option in ["-h", "-?", "--help", "--hel"] {
            let Err(Refusal::Help(text)) = parse_words(&[option]) else { panic!("{option}") };
            assert!(text.contains("--configuration") && text.contains("-i"), "{text}");
        }
    }
}
