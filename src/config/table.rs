//! Every option: one row each, with kind, default and a line of help. The only defaults.
#![forbid(unsafe_code)]

/// The kinds of sections, each with rows of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `[supervisord]`.
    Supervisord,
    /// `[unix_http_server]` and every section whose name begins so.
    UnixHttpServer,
    /// `[inet_http_server]` and every section whose name begins so.
    InetHttpServer,
    /// `[supervisorctl]`.
    Supervisorctl,
    /// `[include]`.
    Include,
    /// `[program:x]`.
    Program,
    /// `[group:x]`.
    Group,
    /// `[eventlistener:x]`.
    EventListener,
    /// `[fcgi-program:x]`.
    FcgiProgram,
    /// `[rpcinterface:x]`; keys without a row belong to the factory, if it is not the stock one.
    RpcInterface,
    /// `[ctlplugin:x]`; all keys belong to the plugin.
    CtlPlugin,
}

impl Section {
    /// The kind of a section, by its name; `None`: unknown.
    pub fn of(name: &str) -> Option<Section> {
        const PREFIXES: &[(&str, Section)] = &[
            ("program:", Section::Program),
            ("group:", Section::Group),
            ("eventlistener:", Section::EventListener),
            ("fcgi-program:", Section::FcgiProgram),
            ("rpcinterface:", Section::RpcInterface),
            ("ctlplugin:", Section::CtlPlugin),
            ("unix_http_server", Section::UnixHttpServer),
            ("inet_http_server", Section::InetHttpServer),
        ];
        match name {
            "supervisord" => Some(Section::Supervisord),
            "supervisorctl" => Some(Section::Supervisorctl),
            "include" => Some(Section::Include),
            _ => PREFIXES.iter().find(|(p, _)| name.starts_with(p)).map(|(_, section)| *section),
        }
    }

    /// Whether a key that has no row may stand in the section.
    pub fn takes_any_key(self) -> bool {
        match self {
            Section::RpcInterface | Section::CtlPlugin => true,
            Section::EventListener
            | Section::FcgiProgram
            | Section::Supervisord
            | Section::UnixHttpServer
            | Section::InetHttpServer
            | Section::Supervisorctl
            | Section::Include
            | Section::Program
            | Section::Group => false,
        }
    }

    /// The section whose rows hold here too, for keys without a row of their own.
    fn base(self) -> Option<Section> {
        matches!(self, Section::EventListener | Section::FcgiProgram).then_some(Section::Program)
    }
}

/// The type of a value: what a text must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Seconds, a fraction allowed.
    Seconds,
    /// A number, or `unlimited`.
    Retries,
    /// `linear` or `double`.
    Backoff,
    /// Restarts and a time, as in `5/60s`.
    RestartLimit,
    /// The socket of a FastCGI program.
    Socket,
    /// A comma list of event types.
    Events,
    /// `ignore`, `kill` or `fail`.
    OnLeftover,
    /// `characters` or `bytes`.
    EventLength,
    /// `unknown` or `restart`.
    ListenerError,
    /// A decimal number.
    Integer,
    /// `true`, `false` and their like.
    Boolean,
    /// A number with `KB`, `MB` or `GB`.
    Bytes,
    /// An octal number.
    Octal,
    /// A signal's name or number.
    Signal,
    /// `true`, `false`, `unexpected`.
    Autorestart,
    /// A comma list of exit codes.
    ExitCodes,
    /// A comma list.
    Strings,
    /// A level of the activity log.
    LogLevel,
    /// A user's name or number.
    User,
    /// A user, or user and group.
    Owner,
    /// A directory that exists.
    Directory,
    /// A file in a directory that exists.
    DirPath,
    /// A file, `AUTO`, `NONE` or `syslog`.
    ChildLog,
    /// A port, or host and port.
    Address,
    /// Key/value pairs.
    Pairs,
    /// A URL.
    Url,
}

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it stands.
    pub section: Section,
    /// Its key.
    pub key: &'static str,
    /// Another name of the key, which files for other supervisors use.
    pub alias: Option<&'static str>,
    /// Its type.
    pub kind: Kind,
    /// The text that stands for it when it is absent; `None`: unset, or computed.
    pub default: Option<&'static str>,
    /// What it does, in a line.
    pub help: &'static str,
    /// What a sample shows where that is not the default.
    pub example: Option<&'static str>,
}

/// The row of an option, by its key or the key's other name.
pub fn row(section: Section, key: &str) -> Option<&'static Row> {
    let is_it = |row: &&Row| row.section == section && (row.key == key || row.alias == Some(key));
    ROWS.iter().find(is_it).or_else(|| row(section.base()?, key))
}

const fn r(
    section: Section,
    key: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    help: &'static str,
) -> Row {
    Row { section, key, alias: None, kind, default, help, example: None }
}

/// The same option under another name, too.
const fn or(alias: &'static str, row: Row) -> Row {
    Row { alias: Some(alias), ..row }
}

/// The same option with something for a sample to show.
const fn eg(example: &'static str, row: Row) -> Row {
    Row { example: Some(example), ..row }
}

use Kind as K;
use Section as S;

/// All options, section by section.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    eg("/tmp/supervisord.log", r(S::Supervisord, "logfile", K::DirPath, Some("supervisord.log"), "activity log: a file, or syslog")),
    r(S::Supervisord, "logfile_maxbytes", K::Bytes, Some("50MB"), "size at which the activity log is rotated; 0: never"),
    r(S::Supervisord, "logfile_backups", K::Integer, Some("10"), "rotated activity logs that are kept"),
    r(S::Supervisord, "loglevel", K::LogLevel, Some("info"), "least level that the activity log takes"),
    eg("/tmp/supervisord.pid", r(S::Supervisord, "pidfile", K::DirPath, Some("supervisord.pid"), "file that holds the daemon's pid")),
    r(S::Supervisord, "umask", K::Octal, Some("022"), "file mode mask, set when daemonizing"),
    r(S::Supervisord, "nodaemon", K::Boolean, Some("false"), "stay in the foreground"),
    r(S::Supervisord, "silent", K::Boolean, Some("false"), "in the foreground, print no log on stdout"),
    r(S::Supervisord, "minfds", K::Integer, Some("1024"), "open files that the daemon must be allowed"),
    r(S::Supervisord, "minprocs", K::Integer, Some("200"), "processes that the daemon must be allowed"),
    r(S::Supervisord, "nocleanup", K::Boolean, Some("false"), "keep the AUTO logs of earlier runs"),
    eg("/tmp", r(S::Supervisord, "childlogdir", K::Directory, None, "directory of the AUTO logs; default: that of temporary files")),
    eg("nobody", r(S::Supervisord, "user", K::User, None, "user that the daemon becomes")),
    eg("/tmp", r(S::Supervisord, "directory", K::Directory, None, "directory entered when daemonizing")),
    r(S::Supervisord, "strip_ansi", K::Boolean, Some("false"), "remove ANSI escapes from child logs"),
    eg("KEY=\"value\"", r(S::Supervisord, "environment", K::Pairs, Some(""), "variables for all children")),
    r(S::Supervisord, "identifier", K::Text, Some("supervisor"), "this daemon's name for clients and AUTO logs"),
    r(S::Supervisord, "on_leftover", K::OnLeftover, Some("ignore"), "programs of a daemon that was killed which still run: ignore them, kill them before the start, or fail to start"),
    eg("/tmp/supervisord.pid.children", r(S::Supervisord, "state_file", K::DirPath, None, "file that tells of them, kept with kill and fail only; default: the pidfile and .children")),
    r(S::Supervisord, "skip_unloadable_plugins", K::Boolean, Some("false"), "instead of refusing the file, skip rpcinterface sections that need Python, and use the default for a result_handler that does"),

    eg("/tmp/supervisor.sock", r(S::UnixHttpServer, "file", K::Text, None, "path of the socket")),
    r(S::UnixHttpServer, "chmod", K::Octal, Some("0700"), "mode of the socket"),
    eg("nobody", r(S::UnixHttpServer, "chown", K::Owner, None, "owner of the socket")),
    eg("user", r(S::UnixHttpServer, "username", K::Text, None, "user name that clients must give; empty: nobody is asked")),
    eg("123", r(S::UnixHttpServer, "password", K::Text, None, "password, plain or {SHA} and its hash")),
    eg("sup.example.org", r(S::UnixHttpServer, "allowed_hosts", K::Strings, Some(""), "host names, as in sup.example.org, under which browsers may change something")),

    eg("127.0.0.1:9001", r(S::InetHttpServer, "port", K::Address, None, "where to listen: port or host:port")),
    eg("user", r(S::InetHttpServer, "username", K::Text, None, "user name that clients must give; empty: nobody is asked")),
    eg("123", r(S::InetHttpServer, "password", K::Text, None, "password, plain or {SHA} and its hash")),
    eg("sup.example.org", r(S::InetHttpServer, "allowed_hosts", K::Strings, Some(""), "host names, as in sup.example.org, under which browsers may change something")),

    eg("unix:///tmp/supervisor.sock", r(S::Supervisorctl, "serverurl", K::Url, Some("http://localhost:9001"), "the daemon to talk to")),
    eg("chris", r(S::Supervisorctl, "username", K::Text, None, "user name given to the daemon")),
    eg("123", r(S::Supervisorctl, "password", K::Text, None, "password given to the daemon")),
    r(S::Supervisorctl, "prompt", K::Text, Some("supervisor"), "prompt of the shell"),
    eg("~/.sc_history", r(S::Supervisorctl, "history_file", K::Text, None, "file that keeps the shell's history")),

    eg("relative/directory/*.ini", r(S::Include, "files", K::Text, None, "patterns of further files")),

    eg("/bin/cat", r(S::Program, "command", K::Text, None, "what is run")),
    r(S::Program, "process_name", K::Text, Some("%(program_name)s"), "name of each process"),
    r(S::Program, "numprocs", K::Integer, Some("1"), "how many processes"),
    r(S::Program, "numprocs_start", K::Integer, Some("0"), "number of the first process"),
    r(S::Program, "priority", K::Integer, Some("999"), "order of start and stop, the lowest first"),
    r(S::Program, "autostart", K::Boolean, Some("true"), "start with the daemon"),
    r(S::Program, "autorestart", K::Autorestart, Some("unexpected"), "start again after an exit"),
    r(S::Program, "startsecs", K::Integer, Some("1"), "seconds up before a start counts as done"),
    r(S::Program, "startretries", K::Retries, Some("3"), "failed starts before giving up; unlimited: never"),
    r(S::Program, "restart_backoff", K::Backoff, Some("linear"), "how waits after failed starts grow: linear or double"),
    or("restartpause", eg("1", r(S::Program, "restart_delay_min", K::Seconds, None, "seconds that the first failed start is followed by; after RUNNING there is no wait, unless restart_reset_secs is set; default: 1"))),
    or("maxbackoff", eg("3600", r(S::Program, "restart_delay_max", K::Seconds, None, "seconds of the longest such wait; default: 3600 where waits double"))),
    eg("10", r(S::Program, "restart_reset_secs", K::Seconds, None, "a shorter life than so many seconds makes the next start wait, even after RUNNING; a longer one makes waits begin anew")),
    eg("5/60s", r(S::Program, "restart_limit", K::RestartLimit, None, "restarts allowed in a time, as in 5/60s; more: give up")),
    r(S::Program, "exitcodes", K::ExitCodes, Some("0"), "exit codes that are expected"),
    r(S::Program, "stopsignal", K::Signal, Some("TERM"), "signal that asks for the end"),
    r(S::Program, "stopwaitsecs", K::Integer, Some("10"), "seconds from that signal to KILL"),
    r(S::Program, "stopasgroup", K::Boolean, Some("false"), "send the stop signal to the process group"),
    eg("false", r(S::Program, "killasgroup", K::Boolean, None, "send KILL to the process group; default: as stopasgroup")),
    r(S::Program, "drain_timeout", K::Seconds, Some("0"), "seconds for which output of its own children is still logged after its exit"),
    r(S::Program, "setsid", K::Boolean, Some("false"), "lead a session of its own, not a process group only"),
    eg("nobody", r(S::Program, "user", K::User, None, "user that runs it")),
    r(S::Program, "redirect_stderr", K::Boolean, Some("false"), "stderr goes where stdout goes"),
    r(S::Program, "stdout_logfile", K::ChildLog, Some("AUTO"), "log of stdout"),
    r(S::Program, "stdout_logfile_maxbytes", K::Bytes, Some("50MB"), "size at which it is rotated; 0: never"),
    r(S::Program, "stdout_logfile_backups", K::Integer, Some("10"), "rotated logs that are kept"),
    r(S::Program, "stdout_capture_maxbytes", K::Bytes, Some("0"), "bytes captured for an event; 0: no capture"),
    r(S::Program, "stdout_events_enabled", K::Boolean, Some("false"), "an event for each piece of stdout"),
    r(S::Program, "stdout_syslog", K::Boolean, Some("false"), "stdout to syslog too"),
    r(S::Program, "stderr_logfile", K::ChildLog, Some("AUTO"), "log of stderr"),
    r(S::Program, "stderr_logfile_maxbytes", K::Bytes, Some("50MB"), "size at which it is rotated; 0: never"),
    r(S::Program, "stderr_logfile_backups", K::Integer, Some("10"), "rotated logs that are kept"),
    r(S::Program, "stderr_capture_maxbytes", K::Bytes, Some("0"), "bytes captured for an event; 0: no capture"),
    r(S::Program, "stderr_events_enabled", K::Boolean, Some("false"), "an event for each piece of stderr"),
    r(S::Program, "stderr_syslog", K::Boolean, Some("false"), "stderr to syslog too"),
    eg("A=\"1\",B=\"2\"", r(S::Program, "environment", K::Pairs, Some(""), "variables for this program")),
    eg("/tmp", r(S::Program, "directory", K::Text, None, "directory it is run in")),
    eg("022", r(S::Program, "umask", K::Octal, None, "its file mode mask")),
    eg("AUTO", r(S::Program, "serverurl", K::Text, None, "URL in SUPERVISOR_SERVER_URL; AUTO: computed")),

    r(S::EventListener, "priority", K::Integer, Some("-1"), "order of start and stop of the pool, the lowest first"),
    eg("PROCESS_STATE,TICK_60", r(S::EventListener, "events", K::Events, None, "types of events that it gets")),
    r(S::EventListener, "buffer_size", K::Integer, Some("10"), "events that may wait for a listener"),
    r(S::EventListener, "result_handler", K::Text, Some("supervisor.dispatchers:default_handler"), "what reads results; there is no other, see skip_unloadable_plugins"),
    r(S::EventListener, "event_length", K::EventLength, Some("characters"), "what len in a header counts: characters or bytes"),
    r(S::EventListener, "listener_error", K::ListenerError, Some("unknown"), "a listener that breaks the protocol: unknown, it gets no more, or restart"),
    eg("60", r(S::EventListener, "ack_timeout", K::Seconds, None, "seconds that a listener may take for a result; 0 or nothing: for ever")),

    eg("unix:///tmp/%(program_name)s.sock", r(S::FcgiProgram, "socket", K::Socket, None, "the socket its processes share: tcp://host:port or unix:///path")),
    eg("128", r(S::FcgiProgram, "socket_backlog", K::Integer, None, "connections that may wait for it; default: what the system allows")),
    eg("nobody", r(S::FcgiProgram, "socket_owner", K::Owner, None, "owner of a unix socket; default: the program's user")),
    eg("0700", r(S::FcgiProgram, "socket_mode", K::Octal, None, "mode of a unix socket; default: 0700")),

    eg("theprogramname", r(S::Group, "programs", K::Strings, Some(""), "programs of the group")),
    r(S::Group, "priority", K::Integer, Some("999"), "order of start and stop, the lowest first"),

    eg("supervisor.rpcinterface:make_main_rpcinterface", r(S::RpcInterface, "supervisor.rpcinterface_factory", K::Text, None, "what makes the methods")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{pairs, values};

    #[test]
    fn every_row_is_alone_and_its_default_is_of_its_kind() {
        for (index, row) in ROWS.iter().enumerate() {
            let same = |other: &Row| other.section == row.section && other.key == row.key;
            assert_eq!(ROWS.iter().position(same), Some(index), "{}", row.key);
            assert!(!row.help.is_empty() && row.key == row.key.to_lowercase());
            for text in row.default.into_iter().chain(row.example) {
                assert!(is_good(row.kind, text), "{}: {text}", row.key);
            }
        }
    }

    fn is_good(kind: Kind, text: &str) -> bool {
        match kind {
            Kind::Integer => values::integer(text).is_ok(),
            Kind::Boolean => values::boolean(text).is_ok(),
            Kind::Bytes => values::byte_size(text).is_ok(),
            Kind::Octal => values::octal(text).is_ok(),
            Kind::Signal => values::signal(text).is_ok(),
            Kind::Autorestart => values::autorestart(text).is_ok(),
            Kind::ExitCodes => values::exit_codes(text).is_ok(),
            Kind::LogLevel => values::log_level(text).is_ok(),
            Kind::Pairs => pairs::pairs(text).is_ok(),
            Kind::Url => values::url(text).is_ok(),
            Kind::Address => values::inet_address(text).is_ok(),
            Kind::Seconds => values::seconds(text).is_ok(),
            Kind::Retries => values::retries(text).is_ok(),
            Kind::Backoff => values::backoff(text).is_ok(),
            Kind::RestartLimit => values::restart_limit(text).is_ok(),
            Kind::OnLeftover => values::on_leftover(text).is_ok(),
            Kind::EventLength => values::event_length(text).is_ok(),
            Kind::ListenerError => values::listener_error(text).is_ok(),
            Kind::Text
            | Kind::Events
            | Kind::Socket
            | Kind::Strings
            | Kind::User
            | Kind::Owner
            | Kind::Directory
            | Kind::DirPath
            | Kind::ChildLog => true,
        }
    }

    #[test]
    fn the_kind_of_a_section() {
        assert_eq!(Section::of("inet_http_server:b"), Some(Section::InetHttpServer));
        assert_eq!(Section::of("program:"), Some(Section::Program));
        for unknown in ["program", " program:a", "Supervisord", "x"] {
            assert_eq!(Section::of(unknown), None);
        }
    }
}
