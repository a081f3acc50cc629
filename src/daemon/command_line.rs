//! supervisord's command line.

use crate::VERSION;
use crate::config::command_line::{CommandLine, Given};
use crate::config::host::Host;
use crate::config::sections;
use crate::coordinator::profile::{self, Order};
use crate::getopt::{self, Grammar, Refusal, Row};

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// `-c`.
    pub configuration: Option<String>,
    /// `--check`: only tell what is wrong with the configuration.
    pub check: bool,
    /// `--profile_options`, `--profile`: whether an account of the loop's work is wanted.
    pub account: Option<Account>,
    /// What is laid over the file.
    pub overrides: CommandLine,
}

/// The account of the loop's work that is wanted at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What it is sorted by.
    pub orders: Vec<Order>,
    /// Where it goes; `None`: to stdout.
    pub file: Option<String>,
}

const GRAMMAR: Grammar = Grammar {
    name: "supervisord",
    about: "Run programs and keep them running.",
    rows: &[
        Row::valued("configuration", Some('c'), "FILE", "Read this file; without it, look for one"),
        Row::flag("nodaemon", Some('n'), "Stay in the foreground"),
        Row::flag("silent", Some('s'), "Print no log in the foreground"),
        Row::flag("version", Some('v'), "Print the version"),
        Row::valued("user", Some('u'), "USER", "Run as this user, by name or number"),
        Row::valued("umask", Some('m'), "OCTAL", "The mask for new files of the daemon"),
        Row::valued("directory", Some('d'), "DIR", "Change to this directory in the background"),
        Row::valued("logfile", Some('l'), "FILE", "Write the activity log here"),
        Row::valued("logfile_maxbytes", Some('y'), "BYTES", "Rotate it at this size"),
        Row::valued("logfile_backups", Some('z'), "N", "Keep so many rotated ones"),
        Row::valued("loglevel", Some('e'), "LEVEL", "How much it says: critical to blather"),
        Row::valued("pidfile", Some('j'), "FILE", "Write the process id here"),
        Row::valued("identifier", Some('i'), "NAME", "The name of this daemon for its clients"),
        Row::valued("childlogdir", Some('q'), "DIR", "Where logs of programs go that name none"),
        Row::flag("nocleanup", Some('k'), "Keep such logs of earlier runs"),
        Row::valued("minfds", Some('a'), "N", "File descriptors that must be had"),
        Row::flag("strip_ansi", Some('t'), "Drop terminal sequences from programs' output"),
        Row::valued("minprocs", None, "N", "Processes that must be had"),
        Row::valued(
            "profile_options",
            None,
            "LIST",
            "Print at the end what the main loop did, sorted by cumulative time or by calls",
        ),
        Row::valued("profile", Some('p'), "FILE", "Write the same to this file")
            .new_here()
            .unless(profile::is_list, "profile_options"),
        Row::flag("check", None, "Tell all that is wrong with the configuration; start nothing")
            .new_here(),
    ],
    words: None,
    after_help: "",
};

/// Reads it; the first word is the program. The machine is asked about users and directories.
///
/// # Errors
/// What is wrong, or a text that alone was asked for.
pub fn read(line: &[String], host: &dyn Host) -> Result<Invocation, Refusal> {
    let mut overrides = CommandLine::default();
    let mut check = |row: &Row, given: &Given| {
        if row.long == "version" {
            return Err(Refusal::Answered(format!("{VERSION}\n")));
        }
        let mut alone = CommandLine::default();
        lay(&mut alone, row.long, given);
        sections::check_command_line(&alone, host)
            .map_err(|error| Refusal::Usage(error.to_string()))?;
        lay(&mut overrides, row.long, given);
        Ok(())
    };
    let parsed = getopt::parse(GRAMMAR, line, &mut check)?;
    let (options, file) = (parsed.text("profile_options"), parsed.text("profile"));
    let orders = options.as_deref().map(profile::orders);
    let account = (orders.is_some() || file.is_some())
        .then(|| Account { orders: orders.unwrap_or_default(), file });
    Ok(Invocation {
        configuration: parsed.text("configuration"),
        check: parsed.flag("check"),
        account,
        overrides,
    })
}

/// Takes up an option that has a key in `[supervisord]`.
fn lay(line: &mut CommandLine, long: &str, given: &Given) {
    let value = match long {
        "nodaemon" => return line.nodaemon = true,
        "silent" => return line.silent = true,
        "nocleanup" => return line.nocleanup = true,
        "strip_ansi" => return line.strip_ansi = true,
        "user" => &mut line.user,
        "umask" => &mut line.umask,
        "directory" => &mut line.directory,
        "logfile" => &mut line.logfile,
        "logfile_maxbytes" => &mut line.logfile_maxbytes,
        "logfile_backups" => &mut line.logfile_backups,
        "loglevel" => &mut line.loglevel,
        "pidfile" => &mut line.pidfile,
        "identifier" => &mut line.identifier,
        "childlogdir" => &mut line.childlogdir,
        "minfds" => &mut line.minfds,
        "minprocs" => &mut line.minprocs,
        _ => return,
    };
    *value = Some(given.clone());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::users::Machine;

    fn read_words(words: &[&str]) -> Result<Invocation, Refusal> {
        let line: Vec<String> =
            ["supervisord"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        read(&line, &Machine)
    }

    #[test]
    fn mistakes_have_getopts_texts() {
        let rows: [(&[&str], &str); 8] = [
            (&["-x"], "option -x not recognized"),
            (&["--foo"], "option --foo not recognized"),
            (&["--log", "x"], "option --log not a unique prefix"),
            (&["-a"], "option -a requires argument"),
            (&["--minfds"], "option --minfds requires argument"),
            (&["--nodaemon=1"], "option --nodaemon must not have an argument"),
            (&["-e", "info", "-e", "debug"], "conflicting command line option '-e'"),
            (&["foo", "bar"], "positional arguments are not supported: ['foo', 'bar']"),
        ];
        for (words, want) in rows {
            match read_words(words) {
                Err(Refusal::Usage(text)) => assert_eq!(text, want, "{words:?}"),
                other => panic!("{words:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn profile_abbreviates_the_old_option_unless_its_value_is_a_file() {
        let account = |words: &[&str]| read_words(words).unwrap().account;
        let wanted = |orders: &[Order], file: Option<&str>| {
            Some(Account { orders: orders.to_vec(), file: file.map(str::to_owned) })
        };
        for (words, want) in [
            (["--profile_options", "calls"], wanted(&[Order::Count], None)),
            (["--profile", "calls"], wanted(&[Order::Count], None)),
            (["--profile", "cumulative,callers"], wanted(&[Order::Time], None)),
            (["--prof", "x"], wanted(&[], None)),
            (["--profile", "x"], wanted(&[], Some("x"))),
            (["--profile=x", "--prof=calls"], wanted(&[Order::Count], Some("x"))),
            (["-p", "calls"], wanted(&[], Some("calls"))),
            (["-n", "-s"], None),
        ] {
            assert_eq!(account(&words), want, "{words:?}");
        }
    }

    #[test]
    fn bundles_and_prefixes() {
        let read = read_words(&["-nsc/x.conf", "--loglev=debug", "-ka", "10"]).unwrap();
        assert_eq!(read.configuration.as_deref(), Some("/x.conf"));
        let over = read.overrides;
        assert!(over.nodaemon && over.silent && over.nocleanup && !over.strip_ansi);
        assert_eq!(over.minfds.unwrap().text, "10");
        let level = over.loglevel.unwrap();
        assert_eq!((level.spelling.as_str(), level.text.as_str()), ("--loglevel", "debug"));
    }
}
