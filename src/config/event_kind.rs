//! Event types, their names, and which is a kind of which.

use std::fmt;

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Any event.
    Event,
    /// A process changed its state.
    ProcessState,
    /// To STARTING.
    ProcessStateStarting,
    /// To BACKOFF.
    ProcessStateBackoff,
    /// To RUNNING.
    ProcessStateRunning,
    /// To STOPPING.
    ProcessStateStopping,
    /// To STOPPED.
    ProcessStateStopped,
    /// To EXITED.
    ProcessStateExited,
    /// To FATAL.
    ProcessStateFatal,
    /// To UNKNOWN.
    ProcessStateUnknown,
    /// A process wrote a message between capture tokens.
    ProcessCommunication,
    /// To stdout.
    ProcessCommunicationStdout,
    /// To stderr.
    ProcessCommunicationStderr,
    /// A process wrote something.
    ProcessLog,
    /// To stdout.
    ProcessLogStdout,
    /// To stderr.
    ProcessLogStderr,
    /// A client called sendRemoteCommEvent.
    RemoteCommunication,
    /// The daemon's state changed.
    SupervisorStateChange,
    /// It has started.
    SupervisorStateChangeRunning,
    /// It is about to end or to begin anew.
    SupervisorStateChangeStopping,
    /// Time went on.
    Tick,
    /// By five seconds.
    Tick5,
    /// By a minute.
    Tick60,
    /// By an hour.
    Tick3600,
    /// The groups changed.
    ProcessGroup,
    /// One was added.
    ProcessGroupAdded,
    /// One was removed.
    ProcessGroupRemoved,
}

/// Every type, parents first.
pub const ALL: [Kind; 27] = [
    Kind::Event,
    Kind::ProcessState,
    Kind::ProcessStateStarting,
    Kind::ProcessStateBackoff,
    Kind::ProcessStateRunning,
    Kind::ProcessStateStopping,
    Kind::ProcessStateStopped,
    Kind::ProcessStateExited,
    Kind::ProcessStateFatal,
    Kind::ProcessStateUnknown,
    Kind::ProcessCommunication,
    Kind::ProcessCommunicationStdout,
    Kind::ProcessCommunicationStderr,
    Kind::ProcessLog,
    Kind::ProcessLogStdout,
    Kind::ProcessLogStderr,
    Kind::RemoteCommunication,
    Kind::SupervisorStateChange,
    Kind::SupervisorStateChangeRunning,
    Kind::SupervisorStateChangeStopping,
    Kind::Tick,
    Kind::Tick5,
    Kind::Tick60,
    Kind::Tick3600,
    Kind::ProcessGroup,
    Kind::ProcessGroupAdded,
    Kind::ProcessGroupRemoved,
];

impl Kind {
    /// The type of that name, in any case of letters.
    pub fn parse(name: &str) -> Option<Kind> {
        ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Its name in `events=` and in the header.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The type that it is one of.
    pub fn parent(self) -> Option<Kind> {
        self.row().1
    }

    /// It is `other`, or one of its kinds.
    pub fn is_a(self, other: Kind) -> bool {
        self == other || self.parent().is_some_and(|parent| parent.is_a(other))
    }

    /// It only gathers others and is never sent itself.
    pub fn is_abstract(self) -> bool {
        ALL.into_iter().any(|kind| kind.parent() == Some(self))
    }

    fn row(self) -> (&'static str, Option<Kind>) {
        use Kind as K;
        match self {
            K::Event => ("EVENT", None),
            K::ProcessState => ("PROCESS_STATE", Some(K::Event)),
            K::ProcessStateStarting => ("PROCESS_STATE_STARTING", Some(K::ProcessState)),
            K::ProcessStateBackoff => ("PROCESS_STATE_BACKOFF", Some(K::ProcessState)),
            K::ProcessStateRunning => ("PROCESS_STATE_RUNNING", Some(K::ProcessState)),
            K::ProcessStateStopping => ("PROCESS_STATE_STOPPING", Some(K::ProcessState)),
            K::ProcessStateStopped => ("PROCESS_STATE_STOPPED", Some(K::ProcessState)),
            K::ProcessStateExited => ("PROCESS_STATE_EXITED", Some(K::ProcessState)),
            K::ProcessStateFatal => ("PROCESS_STATE_FATAL", Some(K::ProcessState)),
            K::ProcessStateUnknown => ("PROCESS_STATE_UNKNOWN", Some(K::ProcessState)),
            K::ProcessCommunication => ("PROCESS_COMMUNICATION", Some(K::Event)),
            K::ProcessCommunicationStdout => {
                ("PROCESS_COMMUNICATION_STDOUT", Some(K::ProcessCommunication))
            }
            K::ProcessCommunicationStderr => {
                ("PROCESS_COMMUNICATION_STDERR", Some(K::ProcessCommunication))
            }
            K::ProcessLog => ("PROCESS_LOG", Some(K::Event)),
            K::ProcessLogStdout => ("PROCESS_LOG_STDOUT", Some(K::ProcessLog)),
            K::ProcessLogStderr => ("PROCESS_LOG_STDERR", Some(K::ProcessLog)),
            K::RemoteCommunication => ("REMOTE_COMMUNICATION", Some(K::Event)),
            K::SupervisorStateChange => ("SUPERVISOR_STATE_CHANGE", Some(K::Event)),
            K::SupervisorStateChangeRunning => {
                ("SUPERVISOR_STATE_CHANGE_RUNNING", Some(K::SupervisorStateChange))
            }
            K::SupervisorStateChangeStopping => {
                ("SUPERVISOR_STATE_CHANGE_STOPPING", Some(K::SupervisorStateChange))
            }
            K::Tick => ("TICK", Some(K::Event)),
            K::Tick5 => ("TICK_5", Some(K::Tick)),
            K::Tick60 => ("TICK_60", Some(K::Tick)),
            K::Tick3600 => ("TICK_3600", Some(K::Tick)),
            K::ProcessGroup => ("PROCESS_GROUP", Some(K::Event)),
            K::ProcessGroupAdded => ("PROCESS_GROUP_ADDED", Some(K::ProcessGroup)),
            K::ProcessGroupRemoved => ("PROCESS_GROUP_REMOVED", Some(K::ProcessGroup)),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each name with its parent's, and whether it is sent.
    const ROWS: [(&str, &str, bool); 27] = [
        ("EVENT", "", false),
        ("PROCESS_STATE", "EVENT", false),
        ("PROCESS_STATE_STARTING", "PROCESS_STATE", true),
        ("PROCESS_STATE_BACKOFF", "PROCESS_STATE", true),
        ("PROCESS_STATE_RUNNING", "PROCESS_STATE", true),
        ("PROCESS_STATE_STOPPING", "PROCESS_STATE", true),
        ("PROCESS_STATE_STOPPED", "PROCESS_STATE", true),
        ("PROCESS_STATE_EXITED", "PROCESS_STATE", true),
        ("PROCESS_STATE_FATAL", "PROCESS_STATE", true),
        ("PROCESS_STATE_UNKNOWN", "PROCESS_STATE", true),
        ("PROCESS_COMMUNICATION", "EVENT", false),
        ("PROCESS_COMMUNICATION_STDOUT", "PROCESS_COMMUNICATION", true),
        ("PROCESS_COMMUNICATION_STDERR", "PROCESS_COMMUNICATION", true),
        ("PROCESS_LOG", "EVENT", false),
        ("PROCESS_LOG_STDOUT", "PROCESS_LOG", true),
        ("PROCESS_LOG_STDERR", "PROCESS_LOG", true),
        ("REMOTE_COMMUNICATION", "EVENT", true),
        ("SUPERVISOR_STATE_CHANGE", "EVENT", false),
        ("SUPERVISOR_STATE_CHANGE_RUNNING", "SUPERVISOR_STATE_CHANGE", true),
        ("SUPERVISOR_STATE_CHANGE_STOPPING", "SUPERVISOR_STATE_CHANGE", true),
        ("TICK", "EVENT", false),
        ("TICK_5", "TICK", true),
        ("TICK_60", "TICK", true),
        ("TICK_3600", "TICK", true),
        ("PROCESS_GROUP", "EVENT", false),
        ("PROCESS_GROUP_ADDED", "PROCESS_GROUP", true),
        ("PROCESS_GROUP_REMOVED", "PROCESS_GROUP", true),
    ];

    #[test]
    fn the_tree() {
        assert_eq!(ALL.map(Kind::name), ROWS.map(|(name, _, _)| name));
        for (name, parent, sent) in ROWS {
            let kind = Kind::parse(name).unwrap();
            assert_eq!(kind.to_string(), name);
            assert_eq!(kind.parent(), Kind::parse(parent), "{name}");
            assert_eq!(kind.is_abstract(), !sent, "{name}");
            assert!(kind.is_a(kind) && kind.is_a(Kind::Event), "{name}");
        }
        assert!(Kind::Tick5.is_a(Kind::Tick) && !Kind::Tick.is_a(Kind::Tick5));
        assert!(!Kind::Tick5.is_a(Kind::Tick60) && !Kind::ProcessLog.is_a(Kind::ProcessState));
    }

    #[test]
    fn names_in_any_case_and_no_others() {
        assert_eq!(Kind::parse("tick_5"), Some(Kind::Tick5));
        assert_eq!(Kind::parse("Process_State_EXITED"), Some(Kind::ProcessStateExited));
        for name in ["", "TICK_", "TICK_50", " TICK", "PROCESS_STATE_RUNNING_", "EVENTS"] {
            assert_eq!(Kind::parse(name), None, "{name}");
        }
    }
}
