//! Every sentence that refuses a configuration. The literal ones are Supervisor's and interface.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use super::expand::ExpandError;
use super::quote::quote;
use super::values::ValueError;

/// What a user can do about names of Python code.
const SKIPS: &str = "skip_unloadable_plugins=true in [supervisord]";

/// Why a configuration is refused. `Display` is the message without `Error: ` before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// None of the default paths exists; these are they.
    NoDefaultFile(Vec<String>),
    /// The file does not exist.
    NotFound(String),
    /// The file cannot be read, or is a directory.
    NotReadable(String),
    /// The file is a pipe or a terminal, and its data did not come in time.
    Unwritten(String),
    /// Bytes that are no UTF-8, in this file and line.
    NotUtf8 {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// An option stands before the first section header.
    MissingHeader {
        /// The file.
        file: String,
        /// The option's line.
        line: BadLine,
    },
    /// Lines that are neither header nor option.
    Parsing {
        /// The file.
        file: String,
        /// All such lines of the file.
        lines: Vec<BadLine>,
    },
    /// The reader behind the dialect pass did not take the canonical text: a defect of ours.
    Canonical {
        /// The file.
        file: String,
        /// What that reader said.
        why: String,
    },
    /// No `[supervisord]`, or for supervisorctl no `[supervisorctl]`.
    NoSection(&'static str),
    /// `[include]` without `files`.
    IncludeWithoutFiles,
    /// A value is not of its type.
    Value(ValueError),
    /// A value cannot be expanded.
    Expand(ExpandError),
    /// The same, given on the command line with this spelling of the option.
    CommandLine {
        /// As `-e` or `--loglevel`.
        spelling: String,
        /// The text given.
        text: String,
        /// What is wrong with it.
        error: ValueError,
    },
    /// An error raised while building the processes of one program.
    InProgram {
        /// The error.
        error: Box<ConfigError>,
        /// The program's section.
        section: String,
        /// The file in which that section first appeared.
        file: String,
    },
    /// A program without command.
    NoCommand(String),
    /// Several processes would have one name.
    NoProcessNum,
    /// More processes than anyone can mean.
    TooManyProcesses(i64),
    /// stopasgroup without killasgroup.
    StopWithoutKill,
    /// A group names a program that does not exist.
    UnknownProgram {
        /// The group's section.
        section: String,
        /// The program.
        program: String,
    },
    /// A group names a program that exists in two kinds.
    AmbiguousProgram {
        /// The group's section.
        section: String,
        /// The program.
        program: String,
    },
    /// A listener with a user name or a password alone.
    IncompleteAuthentication(String),
    /// A listener without its address: section and missing key.
    NoAddress(String, &'static str),
    /// The "chown" of a socket.
    SocketOwner(String),
    /// The "chmod" of a socket.
    SocketMode(String),
    /// `[rpcinterface:x]` or `[ctlplugin:x]` without factory.
    NoFactory {
        /// Its name.
        section: String,
        /// The key.
        key: &'static str,
    },
    /// `[rpcinterface:x]` with a factory that is not ours.
    ForeignFactory {
        /// The section.
        section: String,
        /// The factory.
        factory: String,
        /// Where it was written.
        file: String,
        /// The line there.
        line: usize,
    },
    /// An error with the place of the option that led to it; worded as the error.
    At {
        /// The error.
        error: Box<ConfigError>,
        /// The option's place.
        place: Place,
    },
    /// `[fcgi-program:x]` without "socket".
    NoSocket(String),
    /// What is wrong with the "socket" of a section.
    Socket {
        /// The section.
        section: String,
        /// What.
        fault: SocketFault,
    },
    /// "socket_backlog" is not from 1 to 65535.
    SocketBacklog(i64),
    /// "socket_owner" of a FastCGI program.
    FcgiOwner(String),
    /// "socket_mode" of a FastCGI program.
    FcgiMode(String),
    /// `[eventlistener:x]` without "events".
    NoEvents(String),
    /// A section's "events" has a type that does not exist.
    EventType(String, String),
    /// A section's "buffer_size" below 1.
    BufferSize(String, i64),
    /// "result_handler" is not the stock one.
    ForeignHandler {
        /// The section.
        section: String,
        /// The handler.
        handler: String,
    },
    /// redirect_stderr for an event listener.
    RedirectedListener(String),
    /// A fault that was noted already, where all are gathered; what depends on it can't be had.
    Noted,
}

/// What is wrong with the "socket" of a FastCGI program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketFault {
    /// Neither `tcp://host:port` nor `unix://path`.
    Format(String),
    /// A unix socket with a relative path.
    Relative(String),
    /// Owner or mode for what has neither.
    OwnerOfTcp,
}

impl fmt::Display for SocketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Supervisor's own texts have this shape, and scripts may match them.
            SocketFault::Format(socket) => {
                write!(f, "('Bad socket format %s', {})", quote(socket))
            }
            SocketFault::Relative(path) => {
                write!(f, "('Unix socket path %s is not an absolute path', {})", quote(path))
            }
            SocketFault::OwnerOfTcp => f.write_str(
                "socket_owner and socket_mode params should only be used with a Unix domain socket",
            ),
        }
    }
}

/// Where an option stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<str>,
    /// The line of the key.
    pub line: usize,
    /// The key.
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}, key {}", self.file, self.line, self.key)
    }
}

impl ConfigError {
    /// The option that led to the error, where one did. Supervisor's texts do not tell it.
    pub fn place(&self) -> Option<&Place> {
        match self {
            ConfigError::At { place, .. } => Some(place),
            _ => None,
        }
    }

    /// The message without what is said of the section around it.
    pub(super) fn bare(&self) -> String {
        match self {
            ConfigError::InProgram { error, .. } | ConfigError::At { error, .. } => error.bare(),
            _ => self.to_string(),
        }
    }

    /// Whether the value of that option is at fault, as far as the error tells.
    pub(super) fn is_about(&self, key: &str) -> bool {
        match self {
            ConfigError::InProgram { error, .. } => error.is_about(key),
            ConfigError::Expand(error) => error.place.rsplit('.').next() == Some(key),
            ConfigError::Value(_) => true,
            ConfigError::SocketOwner(_) => key == "chown",
            ConfigError::SocketMode(_) => key == "chmod",
            ConfigError::ForeignFactory { .. } => key == "supervisor.rpcinterface_factory",
            ConfigError::SocketBacklog(_) => key == "socket_backlog",
            ConfigError::FcgiOwner(_) => key == "socket_owner",
            ConfigError::FcgiMode(_) => key == "socket_mode",
            ConfigError::Socket { .. } => key == "socket",
            ConfigError::NoEvents(_) | ConfigError::EventType(..) => key == "events",
            ConfigError::BufferSize(..) => key == "buffer_size",
            ConfigError::ForeignHandler { .. } => key == "result_handler",
            ConfigError::RedirectedListener(_) => key == "redirect_stderr",
            ConfigError::UnknownProgram { .. } | ConfigError::AmbiguousProgram { .. } => {
                key == "programs"
            }
            _ => false,
        }
    }
}

/// A line as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub number: usize,
    /// The whole line, with its `\n` if it has one.
    pub text: String,
}

impl From<ValueError> for ConfigError {
    fn from(error: ValueError) -> ConfigError {
        ConfigError::Value(error)
    }
}

impl From<ExpandError> for ConfigError {
    fn from(error: ExpandError) -> ConfigError {
        ConfigError::Expand(error)
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConfigError as E;
        match self {
            E::At { error, .. } => error.fmt(f),
            E::NoDefaultFile(_)
            | E::NotFound(_)
            | E::NotReadable(_)
            | E::Unwritten(_)
            | E::NotUtf8 { .. }
            | E::MissingHeader { .. }
            | E::Parsing { .. }
            | E::Canonical { .. } => self.about_file(f),
            E::NoSection(name) => write!(f, ".ini file does not include {name} section"),
            E::IncludeWithoutFiles => {
                f.write_str(".ini file has [include] section, but no files setting")
            }
            E::Value(error) => error.fmt(f),
            E::Expand(error) => error.fmt(f),
            E::CommandLine { spelling, text, error } => {
                write!(f, "invalid value for {spelling} {}: {error}", quote(text))
            }
            E::InProgram { .. }
            | E::NoCommand(_)
            | E::NoProcessNum
            | E::TooManyProcesses(_)
            | E::StopWithoutKill
            | E::UnknownProgram { .. }
            | E::AmbiguousProgram { .. } => self.about_program(f),
            E::IncompleteAuthentication(section) => write!(
                f,
                "Section [{section}] contains incomplete authentication: If a username or a \
                 password is specified, both the username and password must be specified"
            ),
            E::NoAddress(section, key) => write!(f, "section [{section}] has no {key} value"),
            E::SocketOwner(value) => write!(f, "Invalid sockchown value {value}"),
            E::SocketMode(value) => write!(f, "Invalid chmod value {value}"),
            E::NoFactory { section, key } => {
                write!(f, "section [{section}] does not specify a {key}")
            }
            E::ForeignFactory { section, factory, file, line } => write!(
                f,
                "{factory} cannot be resolved within [{section}]: Python extensions are not \
                 supported (file: {}, line: {line}); {SKIPS} skips the section",
                quote(file)
            ),
            E::NoEvents(_)
            | E::EventType(..)
            | E::BufferSize(..)
            | E::ForeignHandler { .. }
            | E::RedirectedListener(_) => self.about_listeners(f),
            E::NoSocket(_)
            | E::Socket { .. }
            | E::SocketBacklog(_)
            | E::FcgiOwner(_)
            | E::FcgiMode(_) => self.about_socket(f),
            E::Noted => Ok(()),
        }
    }
}

impl ConfigError {
    fn about_file(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConfigError as E;
        match self {
            E::NoDefaultFile(paths) => write!(
                f,
                "No config file found at default paths ({}); use the -c option to specify a \
                 config file at a different path",
                paths.join(", ")
            ),
            E::NotFound(path) => write!(f, "could not find config file {path}"),
            E::NotReadable(path) => write!(f, "could not read config file {path}"),
            E::Unwritten(path) => write!(
                f,
                "could not read config file {path}: it is no regular file, and nobody writes it \
                 to the end"
            ),
            E::NotUtf8 { file, line } => {
                write!(f, "config file is not UTF-8 text (file: {}, line: {line})", quote(file))
            }
            E::MissingHeader { file, line } => write!(
                f,
                "File contains no section headers.\nfile: {}, line: {}\n{}",
                quote(file),
                line.number,
                quote(&line.text)
            ),
            E::Parsing { file, lines } => {
                write!(f, "Source contains parsing errors: {}", quote(file))?;
                lines.iter().try_for_each(|line| {
                    write!(f, "\n\t[line {:2}]: {}", line.number, quote(&line.text))
                })
            }
            E::Canonical { file, why } => {
                write!(f, "config file {} was not understood: {why}", quote(file))
            }
            _ => Ok(()),
        }
    }

    fn about_program(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConfigError as E;
        match self {
            E::InProgram { error, section, file } => {
                write!(f, "{error} in section {} (file: {})", quote(section), quote(file))
            }
            E::NoCommand(section) => {
                write!(f, "program section {section} does not specify a command")
            }
            E::NoProcessNum => {
                f.write_str("%(process_num) must be present within process_name when numprocs > 1")
            }
            E::TooManyProcesses(limit) => write!(f, "numprocs must not exceed {limit}"),
            E::StopWithoutKill => f.write_str("Cannot set stopasgroup=true and killasgroup=false"),
            E::UnknownProgram { section, program } => {
                write!(f, "[{section}] names unknown program or fcgi-program {program}")
            }
            E::AmbiguousProgram { section, program } => write!(
                f,
                "[{section}] name {program} is ambiguous (exists as program and fcgi-program)"
            ),
            _ => Ok(()),
        }
    }

    fn about_listeners(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConfigError as E;
        match self {
            E::NoEvents(section) => write!(f, "[{section}] section requires an \"events\" line"),
            E::EventType(section, name) => {
                write!(f, "Unknown event type {name} in [{section}] events")
            }
            E::BufferSize(section, size) => {
                write!(f, "[{section}] section sets invalid buffer_size ({size})")
            }
            E::ForeignHandler { section, handler } => write!(
                f,
                "{handler} cannot be resolved within [{section}]: Python extensions are not \
                 supported; {SKIPS} uses the default instead"
            ),
            E::RedirectedListener(section) => write!(
                f,
                "[{section}] section sets redirect_stderr=true but this is not allowed because it \
                 will interfere with the eventlistener protocol"
            ),
            _ => Ok(()),
        }
    }

    fn about_socket(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConfigError as E;
        match self {
            E::NoSocket(section) => write!(f, "[{section}] section requires a \"socket\" line"),
            E::Socket { section, fault } => write!(f, "{fault} in [{section}] socket"),
            E::SocketBacklog(value) => write!(f, "Invalid socket_backlog value {value}"),
            E::FcgiOwner(value) => write!(f, "Invalid socket_owner value {value}"),
            E::FcgiMode(value) => write!(f, "Invalid socket_mode value {value}"),
            _ => Ok(()),
        }
    }
}
