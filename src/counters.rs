//! What the daemon counts of errors and losses since its start; `minder.getCounters` tells it.
//! Each is counted where it happens, by the thread that sees it, without a lock that anybody
//! holds while it waits for something. Two places keep their own: the activity log
//! (`log/activity.rs`) and the HTTP server (`http/limits.rs`).
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What is counted of each process, and of all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfProcess {
    /// A child was made.
    Spawned,
    /// A start that no client asked for: after an exit or a failed start. A try counts, too.
    Restarted,
    /// No child was made, by a fault of the configuration.
    SpawnFailed,
    /// No child was made, or it executed nothing, for lack of descriptors, memory, processes or disk.
    SpawnLackedResources,
    /// Of those, there was no thread to be had.
    ThreadRefused,
    /// The child could not execute the program.
    ExecFailed,
    /// The child's thread had a defect.
    ThreadPanicked,
    /// The system refused a signal to the child.
    SignalRefused,
    /// It could not be written down in the state file.
    StateFileFailed,
    /// An output of the child could not be read.
    ReadFailed,
    /// The child's stdin could not be written, for another reason than that nobody reads it.
    StdinFailed,
    /// Its thread could not wait for it, and looks at it in steps.
    PollFailed,
    /// Its log could no more be written.
    LogFailed,
    /// Bytes of output that are in no log.
    LogBytesLost,
    /// Its log could no more be rotated.
    RotationFailed,
    /// What an earlier child left open was read no more before `drain_timeout`.
    LingeringCut,
    /// Lines of output that the system's log did not take, or not to their end.
    SyslogLinesLost,
}

/// What is counted of the daemon as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfDaemon {
    /// A child was reaped that nobody knew.
    ReapedUnknown,
    /// The system refused to tell of a child's end.
    WaitFailed,
    /// A thread other than a child's had a defect.
    Panicked,
    /// SIGHUP changed nothing, for what it needs could not be had.
    RestartRefused,
    /// A start or restart did without something: the pidfile, the mode or owner of a socket, a log
    /// of its own, the removal of an old one.
    SetupFailed,
    /// A client that would follow a log got no thread.
    FollowerRefused,
    /// An event came to a pool whose buffer was full, so the oldest there was discarded.
    EventDiscarded,
    /// A listener's result was not `OK`.
    EventRejected,
    /// A listener gave no result within `ack_timeout`.
    ResultLate,
    /// A listener broke the protocol.
    ListenerLost,
}

const OF_PROCESS: usize = OfProcess::SyslogLinesLost as usize + 1;
const OF_DAEMON: usize = OfDaemon::ListenerLost as usize + 1;

impl OfProcess {
    /// All, with the names that clients see.
    pub const NAMES: [(OfProcess, &'static str); OF_PROCESS] = [
        (OfProcess::Spawned, "spawned"),
        (OfProcess::Restarted, "restarted"),
        (OfProcess::SpawnFailed, "spawn_failed"),
        (OfProcess::SpawnLackedResources, "spawn_lacked_resources"),
        (OfProcess::ThreadRefused, "thread_refused"),
        (OfProcess::ExecFailed, "exec_failed"),
        (OfProcess::ThreadPanicked, "thread_panicked"),
        (OfProcess::SignalRefused, "signal_refused"),
        (OfProcess::StateFileFailed, "state_file_failed"),
        (OfProcess::ReadFailed, "read_failed"),
        (OfProcess::StdinFailed, "stdin_failed"),
        (OfProcess::PollFailed, "poll_failed"),
        (OfProcess::LogFailed, "log_failed"),
        (OfProcess::LogBytesLost, "log_bytes_lost"),
        (OfProcess::RotationFailed, "rotation_failed"),
        (OfProcess::LingeringCut, "lingering_cut"),
        (OfProcess::SyslogLinesLost, "syslog_lines_lost"),
    ];
}

impl OfDaemon {
    /// Those of processes in general, with the names that clients see.
    pub const DAEMON: [(OfDaemon, &'static str); 6] = [
        (OfDaemon::ReapedUnknown, "reaped_unknown"),
        (OfDaemon::WaitFailed, "wait_failed"),
        (OfDaemon::Panicked, "panicked"),
        (OfDaemon::RestartRefused, "restart_refused"),
        (OfDaemon::SetupFailed, "setup_failed"),
        (OfDaemon::FollowerRefused, "follower_refused"),
    ];

    /// Those of events, likewise.
    pub const EVENTS: [(OfDaemon, &'static str); 4] = [
        (OfDaemon::EventDiscarded, "discarded"),
        (OfDaemon::EventRejected, "rejected"),
        (OfDaemon::ResultLate, "result_late"),
        (OfDaemon::ListenerLost, "listener_lost"),
    ];
}

/// Those of the daemon, and the sums of those of its processes, past ones among them.
#[derive(Debug, Default)]
pub struct Counters {
    processes: [AtomicU64; OF_PROCESS],
    daemon: [AtomicU64; OF_DAEMON],
    discarded: Mutex<BTreeMap<Arc<str>, u64>>,
}

impl Counters {
    /// Counts one.
    pub fn count(&self, what: OfDaemon) {
        add(&self.daemon, what as usize, 1);
    }

    /// Counts events that a pool has discarded.
    pub fn discarded(&self, pool: &Arc<str>, events: u64) {
        add(&self.daemon, OfDaemon::EventDiscarded as usize, events);
        let mut discarded = self.lock();
        let count = discarded.entry(Arc::clone(pool)).or_default();
        *count = count.saturating_add(events);
    }

    /// How many there were.
    pub fn of_daemon(&self, what: OfDaemon) -> u64 {
        get(&self.daemon, what as usize)
    }

    /// How many there were of all processes.
    pub fn of_processes(&self, what: OfProcess) -> u64 {
        get(&self.processes, what as usize)
    }

    /// The pools that have discarded events, and how many.
    pub fn pools(&self) -> Vec<(Arc<str>, u64)> {
        self.lock().iter().map(|(pool, count)| (Arc::clone(pool), *count)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, u64>> {
        self.discarded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of one process, for as long as it is in the configuration that is active.
#[derive(Debug)]
pub struct Tally {
    spawned: AtomicU64,
    /// All others, from when there is one to count: most processes just run.
    others: OnceLock<Box<[AtomicU64; OF_PROCESS]>>,
    all: Arc<Counters>,
}

impl Tally {
    /// Of a process of that daemon.
    pub fn new(all: Arc<Counters>) -> Tally {
        Tally { spawned: AtomicU64::new(0), others: OnceLock::new(), all }
    }

    /// Counts so many.
    pub fn add(&self, what: OfProcess, number: u64) {
        match what {
            OfProcess::Spawned => drop(self.spawned.fetch_add(number, Ordering::Relaxed)),
            _ => add(&**self.others.get_or_init(Box::default), what as usize, number),
        }
        add(&self.all.processes, what as usize, number);
    }

    /// Counts one.
    pub fn count(&self, what: OfProcess) {
        self.add(what, 1);
    }

    /// How many there were.
    pub fn of(&self, what: OfProcess) -> u64 {
        match what {
            OfProcess::Spawned => self.spawned.load(Ordering::Relaxed),
            _ => self.others.get().map_or(0, |others| get(&**others, what as usize)),
        }
    }
}

fn add(counters: &[AtomicU64], place: usize, number: u64) {
    if let Some(counter) = counters.get(place) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

fn get(counters: &[AtomicU64], place: usize) -> u64 {
    counters.get(place).map_or(0, |counter| counter.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_place_and_its_name() {
        let all = Arc::new(Counters::default());
        let [a, b] = [(); 2].map(|()| Tally::new(Arc::clone(&all)));
        for (n, (what, name)) in (1..).zip(OfProcess::NAMES) {
            a.add(what, n);
            b.count(what);
            assert_eq!((a.of(what), b.of(what), all.of_processes(what)), (n, 1, n + 1), "{name}");
        }
        let pool: Arc<str> = "p".into();
        for (what, name) in OfDaemon::DAEMON.into_iter().chain(OfDaemon::EVENTS) {
            assert_eq!(all.of_daemon(what), 0, "{name}");
            all.count(what);
            assert_eq!(all.of_daemon(what), 1, "{name}");
        }
        all.discarded(&pool, 3);
        all.discarded(&pool, 1);
        assert_eq!((all.of_daemon(OfDaemon::EventDiscarded), all.pools()), (5, vec![(pool, 4)]));
    }
}
