//! Faults: codes and texts that clients compare.

use std::fmt;

/// A fault's code and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its name on the wire")]
pub enum FaultCode {
    UnknownMethod,
    IncorrectParameters,
    BadArguments,
    SignatureUnsupported,
    ShutdownState,
    BadName,
    BadSignal,
    NoFile,
    NotExecutable,
    Failed,
    AbnormalTermination,
    SpawnError,
    AlreadyStarted,
    NotRunning,
    AlreadyAdded,
    StillRunning,
    CantReread,
}

/// The status of a success in a list of results.
pub const SUCCESS: i64 = 80;

impl FaultCode {
    /// The number.
    pub fn code(self) -> i64 {
        self.row().0
    }

    /// The name that begins the text.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (i64, &'static str) {
        match self {
            Self::UnknownMethod => (1, "UNKNOWN_METHOD"),
            Self::IncorrectParameters => (2, "INCORRECT_PARAMETERS"),
            Self::BadArguments => (3, "BAD_ARGUMENTS"),
            Self::SignatureUnsupported => (4, "SIGNATURE_UNSUPPORTED"),
            Self::ShutdownState => (6, "SHUTDOWN_STATE"),
            Self::BadName => (10, "BAD_NAME"),
            Self::BadSignal => (11, "BAD_SIGNAL"),
            Self::NoFile => (20, "NO_FILE"),
            Self::NotExecutable => (21, "NOT_EXECUTABLE"),
            Self::Failed => (30, "FAILED"),
            Self::AbnormalTermination => (40, "ABNORMAL_TERMINATION"),
            Self::SpawnError => (50, "SPAWN_ERROR"),
            Self::AlreadyStarted => (60, "ALREADY_STARTED"),
            Self::NotRunning => (70, "NOT_RUNNING"),
            Self::AlreadyAdded => (90, "ALREADY_ADDED"),
            Self::StillRunning => (91, "STILL_RUNNING"),
            Self::CantReread => (92, "CANT_REREAD"),
        }
    }
}

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub code: FaultCode,
    /// What the name is followed by.
    pub extra: Option<String>,
}

impl Fault {
    /// A fault whose text is its name alone.
    pub fn bare(code: FaultCode) -> Fault {
        Fault { code, extra: None }
    }

    /// A fault that says more.
    pub fn new(code: FaultCode, extra: impl Into<String>) -> Fault {
        Fault { code, extra: Some(extra.into()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.name())?;
        self.extra.as_ref().map_or(Ok(()), |extra| write!(f, ": {extra}"))
    }
}

impl From<&crate::process::command::CommandProblem> for Fault {
    fn from(problem: &crate::process::command::CommandProblem) -> Fault {
        use crate::process::command::CommandProblem as P;
        let code = match problem {
            P::NotFound(_) => FaultCode::NoFile,
            P::Unparsable { .. }
            | P::Empty
            | P::Directory(_)
            | P::NotExecutable(_)
            | P::NoPermission(_) => FaultCode::NotExecutable,
        };
        Fault::new(code, problem.to_string())
    }
}
