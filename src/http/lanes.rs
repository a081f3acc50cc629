//! Requests for large parts of logs take turns: one at a time by TCP, and one by unix sockets. So
//! they leave threads of the pool to others, however many they are, and only what two of them
//! make is in memory at a time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::methods::Service;
use super::rpc::Job;
use super::server::Server;

/// The two lanes.
#[derive(Default)]
pub struct Lanes {
    tcp: Mutex<Lane>,
    unix: Mutex<Lane>,
}

#[derive(Default)]
struct Lane {
    busy: bool,
    /// Bounded, as each has a lease.
    waiting: VecDeque<(Arc<Server<Job>>, Job)>,
}

/// A request's turn. Dropped, it is the next one's.
pub(super) struct Turn {
    service: Arc<Service>,
    is_unix: bool,
}

impl Lanes {
    fn lane(&self, is_unix: bool) -> MutexGuard<'_, Lane> {
        let lane = if is_unix { &self.unix } else { &self.tcp };
        lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// `None`: it is another's.
    pub(super) fn take(service: &Arc<Service>, is_unix: bool) -> Option<Turn> {
        let mut lane = service.lanes.lane(is_unix);
        let free = !std::mem::replace(&mut lane.busy, true);
        free.then(|| Turn { service: Arc::clone(service), is_unix })
    }

    /// Lets the job go on when it has its turn; if that is now, it comes back.
    pub(super) fn await_by(
        service: &Arc<Service>,
        server: &Arc<Server<Job>>,
        mut job: Job,
        is_unix: bool,
    ) -> Option<Job> {
        let mut lane = service.lanes.lane(is_unix);
        if lane.busy {
            lane.waiting.push_back((Arc::clone(server), job));
            return None;
        }
        lane.busy = true;
        drop(lane);
        job.has_turn(Turn { service: Arc::clone(service), is_unix });
        Some(job)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = || {
            let mut lane = self.service.lanes.lane(self.is_unix);
            let next = lane.waiting.pop_front();
            lane.busy = next.is_some();
            next
        };
        while let Some((server, mut job)) = next() {
            if job.is_deserted() {
                continue;
            }
            job.has_turn(Turn { service: Arc::clone(&self.service), is_unix: self.is_unix });
            // Stopped, or no room, which was reported: the connection closes with the job.
            let _ = server.push_job(job);
            return;
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}
