//! What happens to events and listeners, in the words of the activity log. Log scrapers match
//! these texts: each stands here once and nowhere else.
//!
//! `<listener>: event caused an error` is not among them: a result handler of the user's own
//! could fail so, and there is none.

use std::fmt;
use std::sync::Arc;

use super::protocol::ListenerState;
use super::serial::Serial;
use crate::config::options::LogLevel;
use crate::process::output::Output;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An event came back to its pool.
    Rebuffering {
        /// The event.
        serial: Serial,
        /// The pool.
        pool: Arc<str>,
        /// How many events the pool's buffer held before.
        size: usize,
        /// How many it may hold.
        max: usize,
    },
    /// A pool's buffer was full.
    Overflowed {
        /// The pool.
        pool: Arc<str>,
        /// The event that was dropped.
        serial: Serial,
        /// How many were dropped since the line before, besides that one.
        others: u64,
    },
    /// A listener got an event.
    Sent {
        /// The event.
        serial: Serial,
        /// The listener.
        listener: Arc<str>,
    },
    /// A listener has closed its stdin.
    BrokenPipe {
        /// The event that it did not get.
        serial: Serial,
        /// The listener.
        listener: Arc<str>,
    },
    /// A listener's state changed.
    Changed {
        /// The listener.
        listener: Arc<str>,
        /// The state before.
        from: ListenerState,
        /// The state now.
        to: ListenerState,
    },
    /// A listener gets no more events.
    Lost {
        /// The listener.
        listener: Arc<str>,
    },
    /// What should have been a result is none.
    BadResultLine {
        /// The listener.
        listener: Arc<str>,
        /// What came instead.
        line: String,
    },
    /// A result was `OK`.
    Processed {
        /// The listener.
        listener: Arc<str>,
    },
    /// A result was something else.
    Rejected {
        /// The listener.
        listener: Arc<str>,
    },
    /// A listener owed a result for too long.
    Late {
        /// The listener.
        listener: Arc<str>,
        /// The event.
        serial: Serial,
    },
    /// A message of a process ended.
    Communication {
        /// The process.
        process: Arc<str>,
        /// Where it wrote it.
        output: Output,
    },
}

impl Notice {
    /// The level of its line.
    pub fn level(&self) -> LogLevel {
        match self {
            Self::Overflowed { .. } => LogLevel::Error,
            Self::Lost { .. }
            | Self::BadResultLine { .. }
            | Self::Rejected { .. }
            | Self::Late { .. } => LogLevel::Warn,
            Self::Rebuffering { .. }
            | Self::Sent { .. }
            | Self::BrokenPipe { .. }
            | Self::Changed { .. }
            | Self::Processed { .. }
            | Self::Communication { .. } => LogLevel::Debug,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rebuffering { serial, pool, size, max } => {
                write!(f, "rebuffering event {serial} for pool {pool} (buf size={size}, max={max})")
            }
            Self::Overflowed { pool, serial, others } => {
                write!(f, "pool {pool} event buffer overflowed, discarding event {serial}")?;
                if *others > 0 { write!(f, " and {others} before it") } else { Ok(()) }
            }
            Self::Sent { serial, listener } => {
                write!(f, "event {serial} sent to listener {listener}")
            }
            Self::BrokenPipe { serial, listener } => write!(
                f,
                "epipe occurred while sending event {serial} to listener {listener}, listener \
                 state unchanged"
            ),
            Self::Changed { listener, from, to } => {
                write!(f, "{listener}: {} -> {}", from.name(), to.name())
            }
            Self::Lost { listener } => write!(
                f,
                "{listener}: has entered the UNKNOWN state and will no longer receive events, \
                 this usually indicates the process violated the eventlistener protocol"
            ),
            Self::BadResultLine { listener, line } => {
                write!(f, "{listener}: bad result line: '{line}'")
            }
            Self::Processed { listener } => write!(f, "{listener}: event was processed"),
            Self::Rejected { listener } => write!(f, "{listener}: event was rejected"),
            Self::Late { listener, serial } => {
                write!(f, "{listener}: no result for event {serial} within ack_timeout")
            }
            Self::Communication { process, output } => {
                write!(f, "'{process}' {} emitted a comm event", output.name())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_scrapers_match() {
        use ListenerState as S;
        let lis = || Arc::<str>::from("lis");
        let (listener, lis_00) = (lis(), Arc::<str>::from("lis_00"));
        let changed = |from, to| Notice::Changed { listener: lis(), from, to };
        let rows = [
            (
                Notice::Rebuffering { serial: Serial(3), pool: lis(), size: 65, max: 1000 },
                "Debug rebuffering event 3 for pool lis (buf size=65, max=1000)",
            ),
            (
                Notice::Overflowed { pool: lis(), serial: Serial(8), others: 0 },
                "Error pool lis event buffer overflowed, discarding event 8",
            ),
            (
                Notice::Overflowed { pool: lis(), serial: Serial(50), others: 41 },
                "Error pool lis event buffer overflowed, discarding event 50 and 41 before it",
            ),
            (
                Notice::Sent { serial: Serial(3), listener: lis_00.clone() },
                "Debug event 3 sent to listener lis_00",
            ),
            (
                Notice::BrokenPipe { serial: Serial(3), listener: lis_00 },
                "Debug epipe occurred while sending event 3 to listener lis_00, listener state \
                 unchanged",
            ),
            (changed(S::Acknowledged, S::Ready), "Debug lis: ACKNOWLEDGED -> READY"),
            (changed(S::Busy, S::Unknown), "Debug lis: BUSY -> UNKNOWN"),
            (
                Notice::Lost { listener: listener.clone() },
                "Warn lis: has entered the UNKNOWN state and will no longer receive events, this \
                 usually indicates the process violated the eventlistener protocol",
            ),
            (
                Notice::BadResultLine { listener: listener.clone(), line: "RESULT x".into() },
                "Warn lis: bad result line: 'RESULT x'",
            ),
            (Notice::Processed { listener: listener.clone() }, "Debug lis: event was processed"),
            (Notice::Rejected { listener }, "Warn lis: event was rejected"),
            (
                Notice::Communication { process: "a".into(), output: Output::Stdout },
                "Debug 'a' stdout emitted a comm event",
            ),
        ];
        for (notice, want) in rows {
            assert_eq!(format!("{:?} {notice}", notice.level()), want);
        }
    }
}
