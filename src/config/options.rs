//! The parsed configuration. No parsing and no state of a run stands here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::event_kind::Kind;

/// A whole configuration, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// `[supervisord]`, the command line already laid over it.
    pub supervisord: Supervisord,
    /// The listeners, all TCP ones first, each kind in file order.
    pub servers: Vec<HttpServer>,
    /// The groups in start order: by priority, then by name.
    pub groups: Vec<Arc<Group>>,
    /// Names `x` of the sections `[rpcinterface:x]` with the stock factory.
    pub rpc_interfaces: Vec<String>,
    /// What the parser has to say without refusing; goes to the activity log once it is open.
    pub notices: Vec<Notice>,
}

/// How loud a [`Notice`] is; the activity log's levels that parsing uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    /// CRIT.
    Critical,
    /// WARN.
    Warn,
    /// INFO.
    Info,
}

/// One remark of the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The level of its line in the activity log.
    pub level: NoticeLevel,
    /// The text of that line.
    pub text: String,
}

/// `[supervisord]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Supervisord {
    /// "logfile": the activity log.
    pub logfile: MainLog,
    /// "logfile_maxbytes", bytes; 0 and below: never rotate.
    pub logfile_maxbytes: i64,
    /// "logfile_backups".
    pub logfile_backups: i64,
    /// "loglevel".
    pub loglevel: LogLevel,
    /// "pidfile", absolute.
    pub pidfile: String,
    /// "umask", applied when daemonizing.
    pub umask: u32,
    /// "nodaemon".
    pub nodaemon: bool,
    /// "silent".
    pub silent: bool,
    /// "minfds".
    pub minfds: i64,
    /// "minprocs".
    pub minprocs: i64,
    /// "nocleanup".
    pub nocleanup: bool,
    /// "childlogdir", absolute.
    pub childlogdir: String,
    /// "user".
    pub user: Option<User>,
    /// "directory", entered when daemonizing.
    pub directory: Option<String>,
    /// "strip_ansi".
    pub strip_ansi: bool,
    /// "environment", for children; in written order.
    pub environment: Vec<(String, String)>,
    /// "identifier".
    pub identifier: String,
    /// "on_leftover".
    pub on_leftover: OnLeftover,
    /// "state_file", absolute.
    pub state_file: String,
    /// The configuration file, absolute.
    pub config_file: String,
}

/// "on_leftover": what becomes of programs that a killed daemon has left running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLeftover {
    /// Nothing, and nobody knows them.
    #[default]
    Ignore,
    /// They are ended before anything is started.
    Kill,
    /// The daemon does not start.
    Fail,
}

/// Where the activity log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MainLog {
    /// A file, absolute.
    File(String),
    /// "syslog".
    Syslog,
}

/// Levels of the activity log, the loudest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// CRIT, 50.
    Critical,
    /// ERRO, 40.
    Error,
    /// WARN, 30.
    Warn,
    /// INFO, 20.
    Info,
    /// DEBG, 10.
    Debug,
    /// TRAC, 5.
    Trace,
    /// BLAT, 3.
    Blather,
}

/// A user of this machine. The name may be missing for a bare number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The login name.
    pub name: String,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpServer {
    /// The section's whole name, as in `unix_http_server`.
    pub section: String,
    /// Where it listens.
    pub address: ServerAddress,
    /// "username" and "password", both or none; none for an empty name. The password may be `{SHA}` and 40 hex digits.
    pub credentials: Option<(String, String)>,
    /// "allowed_hosts", in lower case: names by which browsers may know the server.
    pub allowed_hosts: Vec<String>,
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddress {
    /// `[inet_http_server]`; an empty host means every IPv4 interface.
    Inet {
        /// Name or address, lower case.
        host: String,
        /// The port.
        port: u16,
    },
    /// `[unix_http_server]`.
    Unix {
        /// Absolute path.
        file: String,
        /// "chmod".
        mode: u32,
        /// "chown"; `None`: unchanged.
        owner: Option<(u32, Option<u32>)>,
    },
}

impl ServerAddress {
    /// How lines of the activity log name the server: by its host, empty for every interface, or
    /// by its path.
    pub fn shown(&self) -> &str {
        match self {
            ServerAddress::Inet { host, .. } => host,
            ServerAddress::Unix { file, .. } => file,
        }
    }
}

/// A process group: a program's processes, or those of several programs.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The group's name.
    pub name: String,
    /// Its priority.
    pub priority: i64,
    /// What its processes are.
    pub kind: GroupKind,
    /// Its processes in configured order.
    pub processes: Vec<Arc<Program>>,
}

/// What the processes of a group are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// Those of `[program:x]`, or of `[group:x]`.
    Programs,
    /// Those of `[fcgi-program:x]`; each of them knows the socket.
    FastCgi,
    /// Those of `[eventlistener:x]`: a pool.
    EventListeners(Arc<Pool>),
}

/// What a pool of event listeners takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// "events": sorted, each once.
    pub events: Vec<Kind>,
    /// "buffer_size": events that may wait; at least 1.
    pub buffer_size: usize,
    /// "event_length".
    pub event_length: EventLength,
    /// "listener_error".
    pub listener_error: ListenerError,
    /// "ack_timeout": how long an answer may take; `None`: for ever.
    pub ack_timeout: Option<Duration>,
}

/// "event_length": what `len` in an event's header counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventLength {
    /// Characters, as Supervisor 4 does.
    #[default]
    Characters,
    /// Bytes, as its manual says.
    Bytes,
}

/// "listener_error": what becomes of a listener that breaks the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListenerError {
    /// It gets no more events.
    #[default]
    Unknown,
    /// It is stopped and started again.
    Restart,
}

/// The socket of `[fcgi-program:x]`, shared by its processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FcgiSocket {
    /// "socket".
    pub address: FcgiAddress,
    /// "socket_backlog"; `None`: as long as the system allows.
    pub backlog: Option<u16>,
}

/// Where a FastCGI program listens. `Display` is the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FcgiAddress {
    /// `tcp://host:port`.
    Tcp {
        /// Name or address, lower case.
        host: String,
        /// The port; 0: any.
        port: u16,
    },
    /// `unix:///path`.
    Unix {
        /// Absolute path.
        path: String,
        /// "socket_owner", or the program's user; `None`: unchanged.
        owner: Option<(u32, Option<u32>)>,
        /// "socket_mode".
        mode: u32,
    },
}

impl fmt::Display for FcgiAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FcgiAddress::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            FcgiAddress::Unix { path, .. } => write!(f, "unix://{path}"),
        }
    }
}

/// One process of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The process's name.
    pub name: String,
    /// "command", expanded; checked when it is started.
    pub command: String,
    /// "directory".
    pub directory: Option<String>,
    /// "umask".
    pub umask: Option<u32>,
    /// "user".
    pub user: Option<User>,
    /// "priority".
    pub priority: i64,
    /// "autostart".
    pub autostart: bool,
    /// "autorestart".
    pub autorestart: Autorestart,
    /// "startsecs", seconds.
    pub startsecs: i64,
    /// "startretries".
    pub startretries: Retries,
    /// How long to wait before a restart, and when to give up.
    pub restart: RestartPolicy,
    /// "exitcodes".
    pub exitcodes: Vec<i32>,
    /// "stopsignal", a number of the platform.
    pub stopsignal: i32,
    /// "stopwaitsecs", seconds.
    pub stopwaitsecs: i64,
    /// "stopasgroup".
    pub stopasgroup: bool,
    /// "killasgroup".
    pub killasgroup: bool,
    /// "setsid": it leads a session of its own, not a process group only.
    pub setsid: bool,
    /// "drain_timeout": how long its output is read after its exit, while others hold it.
    pub drain_timeout: Duration,
    /// "redirect_stderr".
    pub redirect_stderr: bool,
    /// The stdout_ options.
    pub stdout: Channel,
    /// The stderr_ options.
    pub stderr: Channel,
    /// "environment" laid over that of `[supervisord]`; in written order.
    pub environment: Vec<(String, String)>,
    /// What goes into SUPERVISOR_SERVER_URL; `None`: nothing.
    pub server_url: Option<Arc<str>>,
    /// "serverurl" as configured; `None`: AUTO or unset.
    pub configured_server_url: Option<Arc<str>>,
    /// The socket that is its stdin, for `[fcgi-program:x]`.
    pub socket: Option<Arc<FcgiSocket>>,
}

/// "startretries".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// So many failed starts after the first one, then FATAL.
    Limited(i64),
    /// `unlimited`: never FATAL.
    Unlimited,
}

/// The waits before restarts. The default is Supervisor's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestartPolicy {
    /// "restart_backoff".
    pub backoff: Backoff,
    /// "restart_delay_min": the first wait; `None`: one second.
    pub delay_min: Option<Duration>,
    /// "restart_delay_max": no wait is longer; `None`: an hour where waits double, else no bound.
    pub delay_max: Option<Duration>,
    /// "restart_reset_secs": after a shorter life the next start waits, a longer one makes the
    /// next wait the first again; `None`: "startsecs".
    pub reset: Option<Duration>,
    /// "restart_limit".
    pub limit: Option<RestartLimit>,
}

/// "restart_backoff": how waits grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backoff {
    /// By the first wait each time.
    #[default]
    Linear,
    /// To the double.
    Double,
}

/// "restart_limit": how many restarts are allowed in how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartLimit {
    /// The restarts.
    pub count: u32,
    /// In any time so long.
    pub within: Duration,
}

/// What becomes of one output channel of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// "..._logfile".
    pub logfile: ChildLog,
    /// "..._logfile_maxbytes", bytes; 0 and below: never rotate.
    pub maxbytes: i64,
    /// "..._logfile_backups".
    pub backups: i64,
    /// "..._capture_maxbytes", bytes; 0: no capture mode.
    pub capture_maxbytes: i64,
    /// "..._events_enabled".
    pub events_enabled: bool,
    /// "..._syslog".
    pub syslog: bool,
}

/// Where a child log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildLog {
    /// Read and dropped.
    None,
    /// The same, written as an empty text, as which clients are told it.
    Empty,
    /// A file in childlogdir, named when the group is added.
    Auto,
    /// This file.
    File(String),
}

/// "autorestart".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autorestart {
    /// `false`.
    Never,
    /// `unexpected`: after an exit code that "exitcodes" does not list.
    Unexpected,
    /// `true`.
    Always,
}

#[cfg(test)]
impl Program {
    /// A program with the defaults of its options and no logs, for tests.
    pub(crate) fn plain(name: &str, command: &str) -> Program {
        let channel = Channel {
            logfile: ChildLog::None,
            maxbytes: 0,
            backups: 0,
            capture_maxbytes: 0,
            events_enabled: false,
            syslog: false,
        };
        Program {
            name: name.to_owned(),
            command: command.to_owned(),
            directory: None,
            umask: None,
            user: None,
            priority: 999,
            autostart: true,
            autorestart: Autorestart::Unexpected,
            startsecs: 1,
            startretries: Retries::Limited(3),
            restart: RestartPolicy::default(),
            exitcodes: vec![0],
            stopsignal: 15,
            stopwaitsecs: 10,
            stopasgroup: false,
            killasgroup: false,
            setsid: false,
            drain_timeout: Duration::ZERO,
            redirect_stderr: false,
            stdout: channel.clone(),
            stderr: channel,
            environment: Vec::new(),
            server_url: None,
            configured_server_url: None,
            socket: None,
        }
    }
}
