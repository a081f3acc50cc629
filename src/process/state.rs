//! States and their codes on the wire.

use std::fmt;

/// The state of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProcessState {
    /// Not started yet, or stopped by request.
    Stopped,
    /// Spawned, `startsecs` not over.
    Starting,
    /// Up for `startsecs`.
    Running,
    /// Start failed; another try follows.
    Backoff,
    /// The stop signal was sent.
    Stopping,
    /// Ended by itself from RUNNING.
    Exited,
    /// All tries to start it failed.
    Fatal,
    /// A signal could not be sent; what it does is not known.
    Unknown,
}

/// Every state, for tables.
pub const ALL: [ProcessState; 8] = [
    ProcessState::Stopped,
    ProcessState::Starting,
    ProcessState::Running,
    ProcessState::Backoff,
    ProcessState::Stopping,
    ProcessState::Exited,
    ProcessState::Fatal,
    ProcessState::Unknown,
];

impl ProcessState {
    /// The number that clients compare.
    pub fn code(self) -> i64 {
        match self {
            Self::Stopped => 0,
            Self::Starting => 10,
            Self::Running => 20,
            Self::Backoff => 30,
            Self::Stopping => 40,
            Self::Exited => 100,
            Self::Fatal => 200,
            Self::Unknown => 1000,
        }
    }

    /// The name that people and scripts read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Backoff => "BACKOFF",
            Self::Stopping => "STOPPING",
            Self::Exited => "EXITED",
            Self::Fatal => "FATAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Nothing of it is awaited any more: its group may be removed, the daemon may end.
    pub fn is_stopped(self) -> bool {
        matches!(self, Self::Stopped | Self::Exited | Self::Fatal | Self::Unknown)
    }

    /// Counts as started: `start` refuses it, `stop` takes it.
    pub fn is_started(self) -> bool {
        matches!(self, Self::Running | Self::Backoff | Self::Starting)
    }

    /// Takes signals by request.
    pub fn is_signallable(self) -> bool {
        matches!(self, Self::Running | Self::Starting | Self::Stopping)
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisorState {
    /// Serving.
    Running,
    /// Stopping everything to begin anew.
    Restarting,
    /// Stopping everything to end.
    Shutdown,
}

impl SupervisorState {
    /// The number in getState.
    pub fn code(self) -> i64 {
        match self {
            Self::Running => 1,
            Self::Restarting => 0,
            Self::Shutdown => -1,
        }
    }

    /// The name in getState.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Restarting => "RESTARTING",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}
