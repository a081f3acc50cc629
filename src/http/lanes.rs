//! Requests that reach for files take turns, as whoever touches a file system that hangs is kept
//! by it: one at a time for each place that may hang by itself, the logs of one process being one.
//! Of those that read large parts of logs, only one by TCP and one by unix sockets are at it, so
//! that only what two of them make is in memory at a time.
//!
//! Who has no turn waits as a parked job, without a thread, and is gone when its client leaves. A
//! few threads are always left to requests that need no file: threads are added to the pool while
//! many places hang.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::methods::Service;
use super::pool;
use super::rpc::Job;
use super::server::Server;
use super::waiting::Ticket;
use crate::rpc::touched::Touched;

/// Places where somebody may be at a time, each with a thread.
const PLACES: usize = 16;

/// Of them kept for what is no log: with all logs on a disk that hangs, programs still start.
const NOT_FOR_LOGS: usize = 4;

/// Threads of the pool that are left to requests that need no file.
const FREE: usize = 2;

/// Whose turn it is, and who waits for one.
#[derive(Default)]
pub struct Lanes(Mutex<State>);

#[derive(Default)]
struct State {
    /// The pool's threads.
    threads: usize,
    /// How many of them were added while places hung.
    added: usize,
    held: Vec<Want>,
    /// In the order of coming. Bounded, as each that is not deserted has a lease.
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    want: Want,
    server: Arc<Server<Job>>,
    ticket: Ticket<Job>,
}

/// What may hang by itself. Two that are mistaken for one wait for each other, no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    hash: u64,
    is_log: bool,
}

impl Place {
    pub(super) fn of(touched: &Touched<'_>) -> Place {
        let mut hasher = DefaultHasher::new();
        touched.hash(&mut hasher);
        let is_log = matches!(touched, Touched::MainLog | Touched::Logs(_) | Touched::AllLogs);
        Place { hash: hasher.finish(), is_log }
    }
}

/// Large parts of logs go by one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Tcp,
    Unix,
}

/// What a turn is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) place: Place,
    /// For a large part.
    pub(super) lane: Option<Lane>,
}

impl Want {
    fn excludes(self, other: Want) -> bool {
        self.place == other.place || (self.lane.is_some() && self.lane == other.lane)
    }
}

/// A request's turn. Dropped, it is the next one's.
pub(super) struct Turn {
    service: Arc<Service>,
    want: Want,
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool has one more thread of its own.
    pub(super) fn joined(&self) {
        self.lock().threads += 1;
    }

    /// Whether the pool has more threads than it needs now.
    pub(super) fn has_spare(&self) -> bool {
        self.lock().has_spare()
    }

    /// Whether a thread may end, which then has left the pool.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.lock();
        let spare = state.has_spare();
        if spare {
            state.threads -= 1;
            state.added -= 1;
        }
        spare
    }

    /// Ends a turn; those whose turn it is now.
    fn release(&self, service: &Arc<Service>, want: Want) -> Vec<(Arc<Server<Job>>, Job)> {
        let mut state = self.lock();
        if let Some(at) = state.held.iter().position(|held| *held == want) {
            state.held.swap_remove(at);
        }
        let (mut next, mut at) = (Vec::new(), 0);
        while let Some(waiter) = state.waiting.get(at) {
            let (want, server) = (waiter.want, Arc::clone(&waiter.server));
            let may = state.is_free(want)
                && (!waiter.ticket.is_kept() || state.admit(service, &server, want));
            if !may {
                at += 1;
                continue;
            }
            let waiter = state.waiting.remove(at);
            match waiter.and_then(|waiter| waiter.ticket.redeem()) {
                Some(mut job) => {
                    job.has_turn(Turn { service: Arc::clone(service), want });
                    next.push((server, job));
                }
                // Its client has left.
                None => state.held.retain(|held| *held != want),
            }
        }
        if state.waiting.is_empty() {
            state.waiting = VecDeque::new();
        }
        next
    }
}

impl State {
    fn has_spare(&self) -> bool {
        self.added > 0 && self.threads > self.held.len() + FREE
    }

    /// Whether nobody is in the way.
    fn is_free(&self, want: Want) -> bool {
        let most = if want.place.is_log { PLACES - NOT_FOR_LOGS } else { PLACES };
        self.held.len() < most && !self.held.iter().any(|held| held.excludes(want))
    }

    fn admit(&mut self, service: &Arc<Service>, server: &Arc<Server<Job>>, want: Want) -> bool {
        if !self.is_free(want) {
            return false;
        }
        if self.threads < self.held.len() + 1 + FREE {
            match pool::spawn(server, service) {
                Ok(_detached) => {
                    self.threads += 1;
                    self.added += 1;
                }
                // Somebody will end his turn.
                Err(_) if !self.held.is_empty() => return false,
                Err(_) => {}
            }
        }
        self.held.push(want);
        true
    }
}

impl Turn {
    /// `None`: it is another's.
    pub(super) fn take(
        service: &Arc<Service>,
        server: &Arc<Server<Job>>,
        want: Want,
    ) -> Option<Turn> {
        let taken = service.lanes.lock().admit(service, server, want);
        taken.then(|| Turn { service: Arc::clone(service), want })
    }

    /// Lets the job go on when it has its turn; if that is now, it comes back.
    pub(super) fn await_by(
        service: &Arc<Service>,
        server: &Arc<Server<Job>>,
        mut job: Job,
        want: Want,
    ) -> Option<Job> {
        let mut state = service.lanes.lock();
        if state.admit(service, server, want) {
            drop(state);
            job.has_turn(Turn { service: Arc::clone(service), want });
            return Some(job);
        }
        if state.waiting.len() == state.waiting.capacity() {
            // Rather than by those who left it grows by those who wait.
            state.waiting.retain(|waiter| waiter.ticket.is_kept());
        }
        let ticket = server.park(job, Job::client);
        state.waiting.push_back(Waiter { want, server: Arc::clone(server), ticket });
        None
    }

    /// What it is for.
    pub(super) fn want(&self) -> Want {
        self.want
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        for (server, job) in self.service.lanes.release(&self.service, self.want) {
            server.forget(job.client());
            // Stopped, or no room, which was reported: the connection closes with the job.
            let _ = server.push_job(job);
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::name::Namespec;

    fn logs(name: &str, lane: Option<Lane>) -> Want {
        Want { place: Place::of(&Touched::Logs(Namespec::parse(name))), lane }
    }

    #[test]
    fn who_is_in_the_way() {
        let (tcp, unix) = (Some(Lane::Tcp), Some(Lane::Unix));
        let held = vec![logs("a", None), logs("b", tcp)];
        let state = State { held, ..State::default() };
        let table = [
            (logs("a", None), false),
            (logs("a", unix), false),
            (logs("b", None), false),
            (logs("c", None), true),
            (logs("c", tcp), false),
            (logs("c", unix), true),
            (Want { place: Place::of(&Touched::Child(Namespec::parse("a"))), lane: None }, true),
        ];
        for (want, free) in table {
            assert_eq!(state.is_free(want), free, "{want:?}");
        }
    }

    #[test]
    fn logs_leave_places_to_others() {
        let all = (0..PLACES).map(|number| logs(&number.to_string(), None));
        let mut state = State::default();
        for want in all {
            if state.is_free(want) {
                state.held.push(want);
            }
        }
        assert_eq!(state.held.len(), PLACES - NOT_FOR_LOGS);
        let configuration = Want { place: Place::of(&Touched::Configuration), lane: None };
        assert!(state.is_free(configuration));
        while state.held.len() < PLACES {
            state.held.push(configuration);
        }
        assert!(!state.is_free(logs("another", None)));
        assert!(!state.is_free(Want { place: Place::of(&Touched::MainLog), lane: None }));
        assert!(!state.is_free(Want { place: Place::of(&Touched::Group("g")), lane: None }));
    }

    #[test]
    fn threads_that_are_needed_stay() {
        let held = vec![logs("a", None), logs("b", None), logs("c", None)];
        let table = [(5, 1, false), (6, 1, true), (6, 0, false), (6, 2, true)];
        for (threads, added, spare) in table {
            let state = State { threads, added, held: held.clone(), ..State::default() };
            assert_eq!(state.has_spare(), spare, "{threads}, {added}");
        }
    }
}
