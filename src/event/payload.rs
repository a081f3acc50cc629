//! An event with its text, worded when it is made: what changes later does not change it.

use std::fmt;
use std::sync::Arc;

use super::header::Header;
use super::serial::{Counter, PoolSerial, Serial};
use super::tick::Tick;
use crate::config::event_kind::Kind;
use crate::config::options::EventLength as Length;
use crate::process::machine::Transition;
use crate::process::output::Output;
use crate::process::state::ProcessState;

/// The process that an event tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Its name.
    pub process: &'a str,
    /// Its group's.
    pub group: &'a str,
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "processname:{} groupname:{}", self.process, self.group)
    }
}

/// The type of what is written to an output.
pub fn log_kind(output: Output) -> Kind {
    match output {
        Output::Stdout => Kind::ProcessLogStdout,
        Output::Stderr => Kind::ProcessLogStderr,
    }
}

/// The type of messages in an output.
pub fn communication_kind(output: Output) -> Kind {
    match output {
        Output::Stdout => Kind::ProcessCommunicationStdout,
        Output::Stderr => Kind::ProcessCommunicationStderr,
    }
}

/// The type of a change to that state.
pub fn state_kind(to: ProcessState) -> Kind {
    use ProcessState as S;
    match to {
        S::Starting => Kind::ProcessStateStarting,
        S::Backoff => Kind::ProcessStateBackoff,
        S::Running => Kind::ProcessStateRunning,
        S::Stopping => Kind::ProcessStateStopping,
        S::Stopped => Kind::ProcessStateStopped,
        S::Exited => Kind::ProcessStateExited,
        S::Fatal => Kind::ProcessStateFatal,
        S::Unknown => Kind::ProcessStateUnknown,
    }
}

/// An event. Cheap to clone: pools share the text.
#[derive(Clone, Debug)]
pub struct Event {
    kind: Kind,
    payload: Arc<str>,
    characters: usize,
    serial: Option<Serial>,
}

impl Event {
    fn new(kind: Kind, payload: impl Into<Arc<str>>) -> Event {
        let payload = payload.into();
        let characters = payload.chars().count();
        Event { kind, payload, characters, serial: None }
    }

    /// A process changed its state.
    pub fn process_state(origin: Origin<'_>, transition: &Transition) -> Event {
        use ProcessState as S;
        let Transition { from, to, pid, tries, expected } = transition;
        let expected = u8::from(*expected);
        let head = format_args!("{origin} from_state:{from}");
        let payload = match to {
            S::Starting | S::Backoff => format!("{head} tries:{tries}"),
            S::Running | S::Stopping | S::Stopped => format!("{head} pid:{pid}"),
            S::Exited => format!("{head} expected:{expected} pid:{pid}"),
            S::Fatal | S::Unknown => format!("{head}"),
        };
        Event::new(state_kind(*to), payload)
    }

    /// A process wrote something; `data` as [`super::text::Decoder`] gives it.
    pub fn process_log(output: Output, origin: Origin<'_>, pid: i32, data: &str) -> Event {
        let name = output.name();
        Event::new(log_kind(output), format!("{origin} pid:{pid} channel:{name}\n{data}"))
    }

    /// A process wrote a message between capture tokens; `data` as [`super::text::text`] gives
    /// it.
    pub fn communication(output: Output, origin: Origin<'_>, pid: i32, data: &str) -> Event {
        Event::new(communication_kind(output), format!("{origin} pid:{pid}\n{data}"))
    }

    /// A client called sendRemoteCommEvent with these.
    pub fn remote(kind: &str, data: &str) -> Event {
        Event::new(Kind::RemoteCommunication, format!("type:{kind}\n{data}"))
    }

    /// The daemon has started.
    pub fn supervisor_running() -> Event {
        Event::new(Kind::SupervisorStateChangeRunning, "")
    }

    /// The daemon is about to end or to begin anew.
    pub fn supervisor_stopping() -> Event {
        Event::new(Kind::SupervisorStateChangeStopping, "")
    }

    /// Time went on.
    pub fn tick(tick: Tick) -> Event {
        Event::new(tick.period.kind(), format!("when:{}", tick.when))
    }

    /// A group was added.
    pub fn group_added(group: &str) -> Event {
        Event::new(Kind::ProcessGroupAdded, format!("groupname:{group}\n"))
    }

    /// A group was removed.
    pub fn group_removed(group: &str) -> Event {
        Event::new(Kind::ProcessGroupRemoved, format!("groupname:{group}\n"))
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What follows the header.
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// Its number, taken from the daemon's counter when the first pool accepts it.
    pub fn number(&mut self, serials: &mut Counter) -> Serial {
        *self.serial.get_or_insert_with(|| Serial(serials.take()))
    }

    /// All that a listener is sent. `server` is the daemon's identifier; the numbers are those
    /// that it has in the daemon and in the pool.
    pub fn envelope(
        &self,
        server: &str,
        pool: &str,
        (serial, pool_serial): (Serial, PoolSerial),
        length: Length,
    ) -> Vec<u8> {
        let len = match length {
            Length::Characters => self.characters,
            Length::Bytes => self.payload.len(),
        };
        let header = Header { server, serial, pool, pool_serial, kind: self.kind, len };
        let mut bytes = header.to_string().into_bytes();
        bytes.extend(self.payload.as_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::super::tick::Period;
    use super::*;

    fn state(
        origin: (&str, &str),
        (from, to): (ProcessState, ProcessState),
        (pid, tries, expected): (i32, u32, bool),
    ) -> Event {
        let transition = Transition { from, to, pid, tries, expected };
        Event::process_state(Origin { process: origin.0, group: origin.1 }, &transition)
    }

    #[test]
    fn states() {
        use ProcessState as S;
        let (cat, quick, fc) = (("cat_00", "cat"), ("quick", "quick"), ("fc_01", "fc"));
        let rows = [
            (
                state(cat, (S::Stopped, S::Starting), (0, 0, false)),
                "PROCESS_STATE_STARTING processname:cat_00 groupname:cat from_state:STOPPED tries:0",
            ),
            (
                state(quick, (S::Starting, S::Backoff), (0, 1, false)),
                "PROCESS_STATE_BACKOFF processname:quick groupname:quick from_state:STARTING tries:1",
            ),
            (
                state(quick, (S::Backoff, S::Starting), (0, 1, false)),
                "PROCESS_STATE_STARTING processname:quick groupname:quick from_state:BACKOFF tries:1",
            ),
            (
                state(cat, (S::Starting, S::Running), (2766, 0, false)),
                "PROCESS_STATE_RUNNING processname:cat_00 groupname:cat from_state:STARTING pid:2766",
            ),
            (
                state(("exit3", "grp"), (S::Running, S::Exited), (91, 0, false)),
                "PROCESS_STATE_EXITED processname:exit3 groupname:grp from_state:RUNNING expected:0 pid:91",
            ),
            (
                state(("exit0", "grp"), (S::Running, S::Exited), (92, 0, true)),
                "PROCESS_STATE_EXITED processname:exit0 groupname:grp from_state:RUNNING expected:1 pid:92",
            ),
            (
                state(fc, (S::Running, S::Stopping), (22658, 0, false)),
                "PROCESS_STATE_STOPPING processname:fc_01 groupname:fc from_state:RUNNING pid:22658",
            ),
            (
                state(fc, (S::Stopping, S::Stopped), (22658, 0, false)),
                "PROCESS_STATE_STOPPED processname:fc_01 groupname:fc from_state:STOPPING pid:22658",
            ),
            (
                state(("bo", "bo"), (S::Backoff, S::Stopped), (0, 2, false)),
                "PROCESS_STATE_STOPPED processname:bo groupname:bo from_state:BACKOFF pid:0",
            ),
            (
                state(quick, (S::Backoff, S::Fatal), (0, 0, false)),
                "PROCESS_STATE_FATAL processname:quick groupname:quick from_state:BACKOFF",
            ),
            (
                state(quick, (S::Stopping, S::Unknown), (7, 0, false)),
                "PROCESS_STATE_UNKNOWN processname:quick groupname:quick from_state:STOPPING",
            ),
        ];
        for (event, want) in rows {
            assert_eq!(format!("{} {}", event.kind(), event.payload()), want);
        }
    }

    #[test]
    fn others() {
        let origin = Origin { process: "p", group: "g" };
        let tick = |period, when| Event::tick(Tick { period, when });
        let (out, err) = (Output::Stdout, Output::Stderr);
        let undecodable = text::text(b"\xff\n");
        let rows = [
            (
                Event::process_log(out, origin, 7, "a\nb\n"),
                "PROCESS_LOG_STDOUT processname:p groupname:g pid:7 channel:stdout\na\nb\n",
            ),
            (
                Event::process_log(err, origin, 7, ""),
                "PROCESS_LOG_STDERR processname:p groupname:g pid:7 channel:stderr\n",
            ),
            (
                Event::communication(out, origin, 7, "hi"),
                "PROCESS_COMMUNICATION_STDOUT processname:p groupname:g pid:7\nhi",
            ),
            (
                Event::communication(err, origin, 7, &undecodable),
                "PROCESS_COMMUNICATION_STDERR processname:p groupname:g pid:7\nUndecodable: b'\\xff\\n'",
            ),
            (Event::remote("étude", "a\nb"), "REMOTE_COMMUNICATION type:étude\na\nb"),
            (Event::supervisor_running(), "SUPERVISOR_STATE_CHANGE_RUNNING "),
            (Event::supervisor_stopping(), "SUPERVISOR_STATE_CHANGE_STOPPING "),
            (tick(Period::FiveSeconds, 1_201_063_880), "TICK_5 when:1201063880"),
            (tick(Period::Minute, 1_201_063_860), "TICK_60 when:1201063860"),
            (tick(Period::Hour, 1_201_060_800), "TICK_3600 when:1201060800"),
            (Event::group_added("g"), "PROCESS_GROUP_ADDED groupname:g\n"),
            (Event::group_removed("g"), "PROCESS_GROUP_REMOVED groupname:g\n"),
        ];
        for (event, want) in rows {
            assert_eq!(format!("{} {}", event.kind(), event.payload()), want);
        }
    }

    fn sent(event: &Event, serial: u64, length: Length) -> String {
        let numbers = (Serial(serial), PoolSerial(serial));
        String::from_utf8(event.envelope("supervisor", "lis", numbers, length)).unwrap()
    }

    #[test]
    fn envelopes() {
        use ProcessState as S;
        let starting = state(("lis", "lis"), (S::Stopped, S::Starting), (0, 0, false));
        assert_eq!(
            sent(&starting, 21, Length::Characters),
            "ver:3.0 server:supervisor serial:21 pool:lis poolserial:21 \
             eventname:PROCESS_STATE_STARTING len:56\n\
             processname:lis groupname:lis from_state:STOPPED tries:0"
        );
        let running = Event::supervisor_running();
        assert_eq!(
            sent(&running, 0, Length::Characters),
            "ver:3.0 server:supervisor serial:0 pool:lis poolserial:0 \
             eventname:SUPERVISOR_STATE_CHANGE_RUNNING len:0\n"
        );
        let tick = Event::tick(Tick { period: Period::FiveSeconds, when: 1_201_063_880 });
        assert!(sent(&tick, 3, Length::Bytes).ends_with(" len:15\nwhen:1201063880"));
        assert!(
            sent(&Event::group_added("g"), 3, Length::Bytes).ends_with(" len:12\ngroupname:g\n")
        );
    }

    #[test]
    fn len_counts_characters_or_bytes() {
        let origin = Origin { process: "proc", group: "proc" };
        let event = Event::process_log(Output::Stdout, origin, 12345, "été 1\n");
        let head = "processname:proc groupname:proc pid:12345 channel:stdout\n";
        let (characters, bytes) = (head.len() + 6, head.len() + 8);
        assert_eq!((characters, bytes), (63, 65));
        let rows = [(Length::Characters, characters), (Length::Bytes, bytes)];
        for (length, len) in rows {
            let sent = sent(&event, 0, length);
            assert!(sent.ends_with(&format!(" len:{len}\n{head}été 1\n")), "{sent}");
        }
        let ascii = Event::remote("a", "b");
        assert_eq!(sent(&ascii, 0, Length::Characters), sent(&ascii, 0, Length::Bytes));
        assert_eq!(Length::default(), Length::Characters);
    }

    #[test]
    fn a_number_is_given_once() {
        let mut counter = Counter::default();
        let (mut one, mut other) = (Event::supervisor_running(), Event::supervisor_stopping());
        assert_eq!(one.number(&mut counter), Serial(0));
        assert_eq!(other.number(&mut counter), Serial(1));
        assert_eq!(one.number(&mut counter), Serial(0));
        assert_eq!(counter.take(), 2);
    }
}
