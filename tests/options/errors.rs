//! Bad values and the literal errors that tell them, most by type. The sentences are the
//! original's wherever it has the option; `MINDER_COMPAT=theirs` asks it.

use std::{fs, process::Command};

use minder::config::table::{Kind, Row, Section};

use crate::{
    Name,
    support::{Output, Scratch, Side, run},
    title,
};

/// Options whose error is worded by the option, not by the type, or that have one beyond it.
const BY_ROW: &[(Section, &str, &str, &str)] = &[
    (Section::UnixHttpServer, "chmod", "9", "Invalid chmod value 9"),
    (Section::UnixHttpServer, "chown", "no-such-user", "Invalid sockchown value no-such-user"),
    (Section::FcgiProgram, "socket_mode", "9", "Invalid socket_mode value 9"),
    (
        Section::FcgiProgram,
        "socket_owner",
        "no-such-user",
        "Invalid socket_owner value no-such-user",
    ),
    (Section::FcgiProgram, "socket_backlog", "0", "Invalid socket_backlog value 0"),
    (
        Section::FcgiProgram,
        "socket",
        "unix://relative",
        "('Unix socket path %s is not an absolute path', 'relative') in [fcgi-program:a] socket",
    ),
    (
        Section::EventListener,
        "buffer_size",
        "0",
        "[eventlistener:a] section sets invalid buffer_size (0)",
    ),
    (
        Section::EventListener,
        "result_handler",
        "nowhere:handler",
        "nowhere:handler cannot be resolved within [eventlistener:a]",
    ),
    (Section::EventListener, "events", "", "[eventlistener:a] section requires an \"events\" line"),
    (Section::Program, "process_name", "a b", "Invalid name: 'a b' because of character: ' '"),
    (Section::Program, "stopsignal", "200", "value '200' is not a valid signal number"),
    (Section::Program, "user", "-2", "Invalid user id -2"),
    (
        Section::Group,
        "programs",
        "no-such",
        "[group:a] names unknown program or fcgi-program no-such",
    ),
    (
        Section::RpcInterface,
        "supervisor.rpcinterface_factory",
        "nowhere:make",
        "nowhere:make cannot be resolved within [rpcinterface:a]",
    ),
    (Section::InetHttpServer, "port", "127.0.0.1:70000", "70000 is above upper bound (65535)"),
    (Section::InetHttpServer, "port", "127.0.0.1:", "no port number specified in ''"),
];

/// A bad value of a type, and what is said of it. `None`: the type takes every text.
fn by_kind(kind: Kind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        Kind::Text | Kind::Strings => return None,
        // Said by the client that is to connect.
        Kind::Url => ("foo", "Unknown protocol for serverurl foo"),
        // Worded by each option.
        Kind::Owner => return None,
        Kind::Seconds => ("soon", "not a number of seconds: 'soon'"),
        Kind::Retries | Kind::Integer => ("1.5", "invalid literal for int() with base 10: '1.5'"),
        Kind::Bytes => ("1.5MB", "invalid literal for int() with base 10: '1.5'"),
        Kind::Backoff => ("slow", "invalid 'restart_backoff' value 'slow': linear or double"),
        Kind::RestartLimit => {
            ("5", "not a number of restarts and a time, as in 5/60s, 10/5m or 20/1h: '5'")
        }
        Kind::Socket => (
            "tcp://localhost",
            "('Bad socket format %s', 'tcp://localhost') in [fcgi-program:a] socket",
        ),
        Kind::Events => ("FOO", "Unknown event type FOO in [eventlistener:a] events"),
        Kind::OnLeftover => ("adopt", "invalid 'on_leftover' value 'adopt': ignore, kill or fail"),
        Kind::EventLength => ("words", "invalid 'event_length' value 'words': characters or bytes"),
        Kind::ListenerError => {
            ("ignore", "invalid 'listener_error' value 'ignore': unknown or restart")
        }
        Kind::Boolean => ("maybe", "not a valid boolean value: 'maybe'"),
        Kind::Octal => ("9", "9 can not be converted to an octal type"),
        Kind::Signal => ("FOO", "value 'FOO' is not a valid signal name"),
        Kind::Autorestart => ("Sometimes", "invalid 'autorestart' value 'sometimes'"),
        Kind::ExitCodes => ("256", "not a valid list of exit codes: '256'"),
        Kind::LogLevel => ("loud", "bad logging level name 'loud'"),
        Kind::User => ("no-such-user", "Invalid user name no-such-user"),
        Kind::Directory => ("/no/such", "/no/such is not an existing directory"),
        Kind::DirPath | Kind::ChildLog => {
            ("/no/such/x", "The directory named as part of the path /no/such/x does not exist")
        }
        Kind::Address => ("foo", "not a valid port number: 'foo' "),
        Kind::Pairs => ("A=1 B=2", "Unexpected end of key/value pairs in value 'A=1 B=2'"),
    })
}

/// Options that are ours alone, under their names and their other names.
pub fn is_ours_alone(key: &str) -> bool {
    key.starts_with("restart_")
        || [
            "ack_timeout",
            "allowed_hosts",
            "drain_timeout",
            "event_length",
            "listener_error",
            "maxbackoff",
            "on_leftover",
            "restartpause",
            "setsid",
            "skip_unloadable_plugins",
            "state_file",
        ]
        .contains(&key)
}

/// The key of a row, and its other name.
pub fn keys(row: &Row) -> impl Iterator<Item = &'static str> + use<> {
    [Some(row.key), row.alias].into_iter().flatten()
}

/// The bad values of a row: key, value, error.
pub fn of_row(row: &Row) -> Vec<(&'static str, String, String)> {
    let own = BY_ROW.iter().filter(|(s, key, ..)| Name(*s, key) == Name(row.section, row.key));
    let own: Vec<_> = own.map(|(.., value, error)| (*value, *error)).collect();
    // What the option tells in its own words, the type does not tell.
    let is_reworded = own.iter().any(|(value, _)| Some(*value) == by_kind(row.kind).map(|b| b.0));
    let of_kind = by_kind(row.kind).filter(|_| !is_reworded);
    let mut all = Vec::new();
    for key in keys(row) {
        let typed = of_kind.iter().chain(&own);
        all.extend(typed.map(|(value, error)| (key, (*value).to_owned(), (*error).to_owned())));
        all.push((key, "%(nope)s".to_owned(), not_expanded(row.section, key)));
    }
    all
}

/// What is said of a name that nothing can be put in for, which every option shares.
fn not_expanded(section: Section, key: &str) -> String {
    let place = match (section, key) {
        (Section::Program, "environment" | "process_name") => key.to_owned(),
        _ => format!("{}.{key}", header(section)),
    };
    format!(
        "Format string '%(nope)s' for '{place}' contains names ('nope') which cannot be expanded. \
         Available names: "
    )
}

/// The section in which an option is tried.
fn header(section: Section) -> String {
    match section {
        Section::Supervisord
        | Section::UnixHttpServer
        | Section::InetHttpServer
        | Section::Supervisorctl
        | Section::Include => title(section).to_owned(),
        _ => format!("{}:a", title(section)),
    }
}

/// A file with this section, the daemon's own, and a program for groups.
fn file(section: Section, text: &str) -> String {
    const MAIN: &str = "[supervisord]\nlogfile=%(here)s/activity.log\npidfile=%(here)s/d.pid\n\
                        childlogdir=%(here)s\n";
    match section {
        Section::Supervisord => format!("{MAIN}{text}"),
        _ => format!("{MAIN}[program:member]\ncommand=/bin/true\n[{}]\n{text}", header(section)),
    }
}

/// Runs the program that reads the section on it, with more words.
fn read(section: Section, text: &str, words: &[&str]) -> Output {
    let scratch = Scratch::new();
    let path = scratch.path().join("c.conf");
    fs::write(&path, file(section, text)).unwrap();
    fs::create_dir(scratch.path().join("logs")).unwrap();
    let side = Side::under_test();
    let mut command = match section {
        Section::Supervisorctl => Command::new(side.supervisorctl()),
        _ => Command::new(side.supervisord()),
    };
    run(command.arg("-c").arg(&path).args(words).current_dir(scratch.path()), 20)
}

/// What comes of a section that has to be refused.
pub fn refusal(section: Section, text: &str) -> Output {
    match section {
        Section::Supervisorctl => read(section, text, &["pid"]),
        _ => read(section, text, &["-n"]),
    }
}

/// Whether it is a refusal in these words.
pub fn tells(output: &Output, error: &str) -> Result<(), String> {
    let refused = output.stderr.lines().find_map(|line| line.strip_prefix("Error: "));
    // What the client says of a daemon that it can't talk to.
    let unreached = output.stdout.strip_prefix("error: <class 'ValueError'>, ");
    match (refused, unreached, output.code) {
        (Some(line), _, 2) | (None, Some(line), 1) if line.starts_with(error) => Ok(()),
        (Some(line), ..) | (None, Some(line), _) => {
            Err(format!("{line:?} (exit code {}) and not {error:?}", output.code))
        }
        (None, None, _) => Err(format!("no error {error:?}: {output:?}")),
    }
}

/// Whether the section has no fault: the last one that is looked for is the only one found.
pub fn is_taken(section: Section, text: &str) -> Result<(), String> {
    if section == Section::Supervisorctl {
        let output = read(section, text, &["help"]);
        let is_clean = output.code == 0 && output.stderr.is_empty();
        return is_clean.then_some(()).ok_or_else(|| format!("{output:?}"));
    }
    tells(&read(section, text, &["-n", "-u", "no-such-user"]), "Invalid user name no-such-user")
}
