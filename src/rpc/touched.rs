//! What of the file system a call reaches for: there it may hang.

use super::method::{Method, Whom};
use crate::process::name::Namespec;

/// So many bytes of a log are many.
const MUCH: i64 = 64 << 10;

/// What hangs together: calls for the same wait for each other, calls for another do not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Touched<'a> {
    /// The activity log.
    MainLog,
    /// The logs of a process.
    Logs(Namespec),
    /// Those of all.
    AllLogs,
    /// The thread of a process's child, which hangs when its log does.
    Child(Namespec),
    /// The files that are to be executed.
    Commands(&'a Whom),
    /// The configuration, and what it names.
    Configuration,
    /// The logs and sockets of a group that is to be.
    Group(&'a str),
}

impl Method {
    /// What of the file system it reaches for on the thread that carries it out.
    pub fn touched(&self) -> Option<Touched<'_>> {
        match self {
            Method::ReadLog { .. } | Method::ClearLog => Some(Touched::MainLog),
            Method::ReadProcessLog { name, .. }
            | Method::TailProcessLog { name, .. }
            | Method::ClearProcessLogs(name) => Some(Touched::Logs(Namespec::parse(name))),
            Method::ClearAllProcessLogs => Some(Touched::AllLogs),
            Method::SendProcessStdin { name, .. } => Some(Touched::Child(Namespec::parse(name))),
            Method::Start { whom, .. } => Some(Touched::Commands(whom)),
            Method::ReloadConfig | Method::Restart => Some(Touched::Configuration),
            Method::AddProcessGroup(name) => Some(Touched::Group(name)),
            Method::GetApiVersion
            | Method::GetSupervisorVersion
            | Method::GetIdentification
            | Method::GetState
            | Method::GetPid
            | Method::Shutdown
            | Method::RemoveProcessGroup(_)
            | Method::Stop { .. }
            | Method::Signal { .. }
            | Method::GetProcessInfo(_)
            | Method::GetAllProcessInfo
            | Method::GetAllConfigInfo
            | Method::SendRemoteCommEvent { .. }
            | Method::GetCounters
            | Method::ListMethods
            | Method::MethodHelp(_)
            | Method::MethodSignature(_)
            | Method::Multicall(_)
            | Method::Wrong { .. } => None,
        }
    }

    /// Whether it may read much of a log.
    pub fn reads_much(&self) -> bool {
        match self {
            Method::ReadLog { length, .. } | Method::ReadProcessLog { length, .. } => {
                // All there is.
                *length == 0 || *length > MUCH
            }
            Method::TailProcessLog { length, .. } => *length > MUCH,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::method::LogChannel;

    fn read(name: &str, length: i64) -> Method {
        Method::ReadProcessLog {
            name: name.to_owned(),
            channel: LogChannel::Stdout,
            offset: 0,
            length,
        }
    }

    #[test]
    fn a_process_is_itself_by_all_its_names() {
        assert_eq!(read("a", 1).touched(), read("a:a", 1).touched());
        assert_ne!(read("a", 1).touched(), read("b", 1).touched());
        let stdin = Method::SendProcessStdin { name: "a".to_owned(), chars: String::new() };
        assert_ne!(read("a", 1).touched(), stdin.touched());
        assert_eq!(Method::GetState.touched(), None);
        assert_eq!(Method::Stop { whom: Whom::All, wait: true }.touched(), None);
    }

    #[test]
    fn all_there_is_may_be_much() {
        let table = [(0, true), (1, false), (MUCH, false), (MUCH + 1, true), (-1, false)];
        for (length, much) in table {
            assert_eq!(read("a", length).reads_much(), much, "{length}");
        }
    }
}
