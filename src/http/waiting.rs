//! Requests whose answer somebody else will give, and whose clients may leave before.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::leavers::Leavers;

/// What stands for a job that waits; see [`super::Server::park`]. Dropped, it drops the job.
pub struct Ticket<J> {
    number: u64,
    waiting: Arc<Waiting<J>>,
}

impl<J> Ticket<J> {
    /// Whether the job still waits: its client has not left.
    pub(super) fn is_kept(&self) -> bool {
        self.waiting.lock().by_number.contains_key(&self.number)
    }

    /// The job, unless its client has left. A lock, and no system call.
    pub(super) fn redeem(self) -> Option<J> {
        self.waiting.lock().by_number.remove(&self.number)
    }
}

impl<J> Drop for Ticket<J> {
    fn drop(&mut self) {
        let job = self.waiting.lock().by_number.remove(&self.number);
        // Its connection is closed outside of the lock.
        drop(job);
    }
}

/// The jobs that wait. Bounded, as each has one of the connections.
pub(super) struct Waiting<J> {
    leavers: Leavers,
    jobs: Mutex<Jobs<J>>,
}

struct Jobs<J> {
    by_number: HashMap<u64, J>,
    next: u64,
}

/// What the acceptor does with them.
pub(super) trait Desertable: Send + Sync {
    /// Readable when clients have left.
    fn descriptor(&self) -> RawFd;
    /// Drops the jobs of those who left.
    fn drop_deserted(&self);
}

impl<J> Waiting<J> {
    pub(super) fn new() -> io::Result<Waiting<J>> {
        let jobs = Jobs { by_number: HashMap::new(), next: 0 };
        Ok(Waiting { leavers: Leavers::new()?, jobs: Mutex::new(jobs) })
    }

    fn lock(&self) -> MutexGuard<'_, Jobs<J>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the job until somebody shows the ticket, or its client leaves.
    pub(super) fn park(
        self: &Arc<Self>,
        job: J,
        client: impl Fn(&J) -> BorrowedFd<'_>,
    ) -> Ticket<J> {
        let mut jobs = self.lock();
        let number = jobs.next;
        jobs.next = jobs.next.wrapping_add(1);
        // Unwatched it waits for its answer, as it would for one that comes soon.
        let _ = self.leavers.watch(client(&job), number);
        jobs.by_number.insert(number, job);
        Ticket { number, waiting: Arc::clone(self) }
    }

    /// Watches a client no more.
    pub(super) fn forget(&self, client: BorrowedFd<'_>) {
        self.leavers.forget(client);
    }
}

impl<J: Send> Desertable for Waiting<J> {
    fn descriptor(&self) -> RawFd {
        self.leavers.as_raw_fd()
    }

    fn drop_deserted(&self) {
        loop {
            let left = self.leavers.take();
            if left.is_empty() {
                return;
            }
            let mut jobs = self.lock();
            let gone: Vec<_> = left.iter().filter_map(|n| jobs.by_number.remove(n)).collect();
            // Their connections are closed outside of the lock.
            drop(jobs);
            drop(gone);
        }
    }
}
