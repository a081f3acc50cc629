//! What happens to a process, in the words of the activity log. Log scrapers match these
//! texts: each stands here once and nowhere else.

use std::fmt;

use super::exit::ExitStatus;
use crate::config::options::{LogLevel, RestartLimit};
use crate::config::signal;

/// Whom a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The process alone.
    Process,
    /// Its process group.
    Group,
}

/// Why a signal is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To end it: a stop, or the SIGKILL after it.
    Kill,
    /// By request of a client.
    Request,
}

/// One line about a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A child was made.
    Spawned {
        /// Its pid.
        pid: i32,
    },
    /// It could not be made, and why.
    SpawnError(String),
    /// It could be made at last.
    LackEnded {
        /// Tries in vain before, in a row, of which the first was told.
        tries: u32,
    },
    /// `startsecs` are over.
    EnteredRunning {
        /// The configured seconds.
        startsecs: i64,
    },
    /// No more tries.
    EnteredFatal,
    /// No more restarts: this limit was passed.
    TooManyRestarts(RestartLimit),
    /// It ended without being asked to.
    Exited {
        /// How.
        status: ExitStatus,
        /// After `startsecs`, with a code of `exitcodes`.
        expected: bool,
    },
    /// It ended as asked.
    Stopped {
        /// How.
        status: ExitStatus,
        /// With a code of `exitcodes`.
        listed: bool,
    },
    /// `stopwaitsecs` are over.
    Killing {
        /// Whom.
        pid: i32,
    },
    /// A signal is about to be sent.
    Signalling {
        /// Whom.
        pid: i32,
        /// Which.
        signal: i32,
        /// How far it reaches.
        scope: Scope,
        /// What for.
        purpose: Purpose,
    },
    /// It was gone already.
    SignalTooLate {
        /// Whom.
        pid: i32,
        /// The system's words.
        error: String,
        /// What the signal was for.
        purpose: Purpose,
    },
    /// The system refused.
    SignalRefused {
        /// Whom.
        pid: i32,
        /// The system's words.
        error: String,
        /// What the signal was for.
        purpose: Purpose,
    },
    /// Nobody is there to signal.
    NotRunning {
        /// Which signal.
        signal: i32,
        /// What for.
        purpose: Purpose,
    },
    /// A start while there is a child.
    AlreadyRunning,
    /// A stop in BACKOFF.
    StoppedInBackoff,
    /// A client waits for its end.
    WaitingToStop,
}

impl Notice {
    /// The level of its line.
    pub fn level(&self) -> LogLevel {
        match self {
            Self::Spawned { .. }
            | Self::SpawnError(_)
            | Self::LackEnded { .. }
            | Self::EnteredRunning { .. }
            | Self::EnteredFatal
            | Self::TooManyRestarts(_)
            | Self::Exited { expected: true, .. }
            | Self::Stopped { listed: true, .. }
            | Self::WaitingToStop => LogLevel::Info,
            Self::Exited { expected: false, .. }
            | Self::Stopped { listed: false, .. }
            | Self::Killing { .. }
            | Self::AlreadyRunning => LogLevel::Warn,
            Self::Signalling { .. }
            | Self::SignalTooLate { .. }
            | Self::NotRunning { .. }
            | Self::StoppedInBackoff => LogLevel::Debug,
            Self::SignalRefused { .. } => LogLevel::Critical,
        }
    }

    /// What clients are told where the line gives a reason; empty for most.
    pub fn reason(&self) -> String {
        match self {
            Self::SpawnError(why) => why.clone(),
            Self::TooManyRestarts(RestartLimit { count, within }) => {
                let secs = within.as_secs_f64();
                format!("more than {count} restarts in {secs} seconds (restart_limit)")
            }
            _ => String::new(),
        }
    }

    /// The line, for the process of this name.
    pub fn about<'a>(&'a self, name: &'a str) -> impl fmt::Display + 'a {
        Worded { notice: self, name }
    }
}

struct Worded<'a> {
    notice: &'a Notice,
    name: &'a str,
}

impl fmt::Display for Worded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.notice {
            Notice::Spawned { pid } => write!(f, "spawned: '{name}' with pid {pid}"),
            Notice::SpawnError(why) => write!(f, "spawnerr: {why}"),
            Notice::LackEnded { tries } => {
                write!(f, "'{name}' can be started again, after {tries} tries in vain")
            }
            Notice::EnteredRunning { startsecs } => write!(
                f,
                "success: {name} entered RUNNING state, process has stayed up for > than \
                 {startsecs} seconds (startsecs)"
            ),
            Notice::EnteredFatal => {
                write!(f, "gave up: {name} entered FATAL state, too many start retries too quickly")
            }
            Notice::TooManyRestarts(_) => {
                write!(f, "gave up: {name} entered FATAL state, {}", self.notice.reason())
            }
            Notice::Exited { status, expected } => {
                let word = if *expected { "expected" } else { "not expected" };
                write!(f, "exited: {name} ({status}; {word})")
            }
            Notice::Stopped { status, .. } => write!(f, "stopped: {name} ({status})"),
            Notice::Killing { pid } => write!(f, "killing '{name}' ({pid}) with SIGKILL"),
            Notice::Signalling { pid, signal, scope, purpose: Purpose::Kill } => {
                let whom = if *scope == Scope::Group { "process group " } else { "" };
                write!(f, "killing {name} (pid {pid}) {whom}with signal {}", signal::Name(*signal))
            }
            Notice::Signalling { pid, signal, purpose: Purpose::Request, .. } => {
                write!(f, "sending {name} (pid {pid}) sig {}", signal::Name(*signal))
            }
            Notice::SignalTooLate { pid, error, purpose } => {
                let when =
                    if *purpose == Purpose::Kill { "just exited" } else { "just now exited" };
                write!(
                    f,
                    "unable to signal {name} (pid {pid}), it probably {when} on its own: {error}"
                )
            }
            Notice::SignalRefused { pid, error, purpose: Purpose::Kill } => {
                write!(f, "unknown problem killing {name} ({pid}):{error}")
            }
            Notice::SignalRefused { pid, error, purpose: Purpose::Request } => {
                write!(f, "unknown problem sending sig {name} ({pid}):{error}")
            }
            Notice::NotRunning { signal, purpose: Purpose::Kill } => {
                let sig = signal::Name(*signal);
                write!(f, "attempted to kill {name} with sig {sig} but it wasn't running")
            }
            Notice::NotRunning { signal, purpose: Purpose::Request } => {
                let sig = signal::Name(*signal);
                write!(f, "attempted to send {name} sig {sig} but it wasn't running")
            }
            Notice::AlreadyRunning => write!(f, "process '{name}' already running"),
            Notice::StoppedInBackoff => {
                write!(f, "Attempted to kill {name}, which is in BACKOFF state.")
            }
            Notice::WaitingToStop => write!(f, "waiting for {name} to stop"),
        }
    }
}

#[cfg(test)]
mod tests;
