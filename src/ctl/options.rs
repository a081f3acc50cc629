//! The command line, laid over the configuration file.
//!
//! The rules are those of `getopt`: options end at the first word that is none, long
//! names may be shortened as long as they stay unique. The texts of errors are known
//! to scripts.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};

use super::client::Server;
use super::color::Color;
use super::url;
use crate::config::quote::quote;
use crate::config::sections::CtlOptions;
use crate::getopt::{self, Grammar, Row};
use crate::sys::users::Machine;
use crate::sys::{config_files, errno};

/// All that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The daemon.
    pub server: Server,
    /// Where its URL comes from, for explanations.
    pub origin: String,
    /// What to say on stderr before anything else.
    pub warnings: Vec<String>,
    /// The shell's prompt, without `> `.
    pub prompt: String,
    /// Where the shell keeps its history.
    pub history_file: Option<String>,
    /// Whether questions may be asked.
    pub interactive: bool,
    /// Whether logs go to a terminal as they are, control characters and all.
    pub raw: bool,
    /// Whether words are coloured.
    pub color: Color,
    /// The action and its arguments; none: the shell.
    pub words: Vec<String>,
}

pub use crate::getopt::Refusal;

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
            None => config_files::find(line.first().map_or("", String::as_str)).ok(),
        };
        let mut origin = "the default, as no configuration was found".to_owned();
        let file = match file {
            Some(path) => {
                let file = config_files::load_ctl(&path, &Machine)
                    .map_err(|error| Refusal::Usage(error.to_string()))?;
                origin = match file.has_serverurl {
                    true => format!("serverurl in {path}"),
                    false => format!("the default, as {path} has no serverurl"),
                };
                file
            }
            None => CtlOptions::default(),
        };
        if given.serverurl.is_some() {
            origin = "-s on the command line".to_owned();
        }
        let password = match &given.password_file {
            Some(path) => Some(read_password(path).map_err(Refusal::Usage)?),
            None => given.password,
        };
        // Empty ones, as some tools leave behind, are none.
        let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        Ok(Options {
            server: Server {
                url: given.serverurl.unwrap_or(file.serverurl),
                username: given.username.or(file.username).or_else(|| variable(USERNAME)),
                password: password.or(file.password).or_else(|| variable(PASSWORD)),
            },
            origin,
            warnings: file.warnings,
            prompt: file.prompt,
            history_file: given.history_file.or(file.history_file),
            interactive: given.interactive || given.words.is_empty(),
            raw: given.raw,
            color: if given.color { Color::Always } else { Color::Never },
            words: given.words,
        })
    }
}

/// Variables that also children which talk to the daemon are given, by `environment=`.
const USERNAME: &str = "SUPERVISOR_USERNAME";
const PASSWORD: &str = "SUPERVISOR_PASSWORD";

/// No password is longer.
const MOST_PASSWORD_BYTES: u64 = 64 * 1024;

/// The first line of a file, which may be a pipe. The error is the sentence for the user.
fn read_password(path: &str) -> Result<String, String> {
    let failed = |why: String| format!("could not read password file {path}: {why}");
    let file = File::open(path).map_err(|error| failed(errno::described(&error)))?;
    let mut line = Vec::new();
    let mut reader = BufReader::new(file.take(MOST_PASSWORD_BYTES));
    reader.read_until(b'\n', &mut line).map_err(|error| failed(errno::described(&error)))?;
    let line = String::from_utf8(line).map_err(|_| failed("it is not UTF-8".to_owned()))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// The command line alone.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    configuration: Option<String>,
    interactive: bool,
    serverurl: Option<String>,
    username: Option<String>,
    password: Option<String>,
    password_file: Option<String>,
    history_file: Option<String>,
    raw: bool,
    color: bool,
    words: Vec<String>,
}

const GRAMMAR: Grammar = Grammar {
    name: "supervisorctl",
    about: "Look at and control the programs of a supervisord.",
    rows: &[
        Row::valued(
            "configuration",
            Some('c'),
            "FILE",
            "Read this configuration; without it, look for one",
        ),
        Row::valued(
            "serverurl",
            Some('s'),
            "URL",
            "Talk to the daemon at http://HOST:PORT or unix:///PATH",
        ),
        Row::valued("username", Some('u'), "NAME", "Log in with this name"),
        Row::valued("password", Some('p'), "PASSWORD", "Log in with this password"),
        Row::valued("password-file", None, "FILE", "Log in with the password in this file")
            .or("password_file")
            .new_here(),
        Row::valued("history_file", Some('r'), "FILE", "Keep the shell's history in this file")
            .or("history-file"),
        Row::flag(
            "interactive",
            Some('i'),
            "Ask before reload and shutdown, and for a login where one is needed",
        ),
        Row::flag("raw", None, "Show the control characters of logs to a terminal as they are")
            .new_here(),
        Row::flag("color", None, "Colour states and, before the lines of several logs, names")
            .or("colour")
            .new_here(),
    ],
    words: Some(("ACTION", "What to do, and with what; without it a shell reads actions")),
    after_help: "The action \"help\" lists the actions. Where neither the command line nor the \
                 configuration has a name or a password, SUPERVISOR_USERNAME and \
                 SUPERVISOR_PASSWORD are taken.",
};

fn parse(line: &[String]) -> Result<Given, Refusal> {
    let mut check = |row: &Row, given: &getopt::Given| {
        if row.long != "serverurl" {
            return Ok(());
        }
        let (option, url) = (&given.spelling, quote(&given.text));
        url::check(&given.text)
            .map_err(|why| Refusal::Usage(format!("invalid value for {option} {url}: {why}")))
    };
    let parsed = getopt::parse(GRAMMAR, line, &mut check)?;
    if parsed.text("password").is_some() && parsed.text("password-file").is_some() {
        let text = "options --password and --password-file exclude each other";
        return Err(Refusal::Usage(text.to_owned()));
    }
    Ok(Given {
        configuration: parsed.text("configuration"),
        interactive: parsed.flag("interactive"),
        serverurl: parsed.text("serverurl"),
        username: parsed.text("username"),
        password: parsed.text("password"),
        password_file: parsed.text("password-file"),
        history_file: parsed.text("history_file"),
        raw: parsed.flag("raw"),
        color: parsed.flag("color"),
        words: parsed.words,
    })
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
        // What abbreviates Supervisor's option goes on doing so.
        for long in ["--p", "--pass", "--password"] {
            assert_eq!(parse_words(&[long, "x"]).unwrap().password.as_deref(), Some("x"));
        }
        for long in ["--password-file", "--password_file", "--password-"] {
            let given = parse_words(&[long, "x"]).unwrap();
            assert_eq!((given.password_file.as_deref(), given.password), (Some("x"), None));
        }
        assert!(parse_words(&["--inter"]).unwrap().interactive);
        let given = parse_words(&["--raw", "tail", "--raw"]).unwrap();
        assert_eq!(
            (given.raw, given.words.as_slice()),
            (true, ["tail", "--raw"].map(Into::into).as_slice())
        );
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
            (
                &["--password-f", "x", "-p", "y"],
                "options --password and --password-file exclude each other",
            ),
            (&["--password-"], "option --password-file requires argument"),
            (&["-s", "foo"], "invalid value for -s 'foo': value 'foo' is not a URL"),
            (&["--serverurl=", "x"], "invalid value for --serverurl '': value '' is not a URL"),
        ] {
            assert_eq!(parse_words(line), Err(Refusal::Usage(wanted.into())), "{line:?}");
        }
    }

    #[test]
    fn the_origin_of_the_url_is_told() {
        let file = std::env::temp_dir().join(format!("minder-origin-{}", std::process::id()));
        let path = file.to_str().unwrap();
        let origin = |text: &str, words: &[&str]| {
            std::fs::write(&file, text).unwrap();
            let line: Vec<String> =
                ["ctl"].iter().chain(words).map(|word| (*word).to_owned()).collect();
            Options::from_command_line(&line).unwrap().origin
        };
        let given = "[supervisorctl]\nserverurl=http://h\n";
        assert_eq!(origin(given, &["-c", path]), format!("serverurl in {path}"));
        let absent = format!("the default, as {path} has no serverurl");
        assert_eq!(origin("[supervisorctl]\n", &["-c", path]), absent);
        assert_eq!(origin(given, &["-c", path, "-s", "http://x"]), "-s on the command line");
        assert_eq!(origin("", &["-c", ""]), "the default, as no configuration was found");
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn help_is_a_text() {
        for option in ["-h", "-?", "--help", "--hel"] {
            let Err(Refusal::Answered(text)) = parse_words(&[option]) else { panic!("{option}") };
            assert!(text.contains("--configuration") && text.contains("-i"), "{text}");
        }
    }
}
