//! Leave to keep a connection for as long as somebody else takes: for calls that wait and for
//! streams. Not all connections are given out so, or nobody else would find one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::core::Core;
use super::limits::Trouble;

/// Dropped, it is given back.
pub(super) struct Lease {
    core: Arc<Core>,
    /// Of an answer that is not finished.
    bytes: usize,
}

impl Lease {
    /// `None`, which is reported: there are too many already.
    pub(super) fn take(core: &Arc<Core>, is_unix: bool, bytes: usize) -> Option<Lease> {
        let reserved = if is_unix { 0 } else { core.limits.reserved_for_unix };
        let connections = three_quarters(core.limits.connections.saturating_sub(reserved));
        let memory = core.limits.bodies_bytes;
        let memory = if is_unix { memory } else { three_quarters(memory) };
        if add(&core.leases, 1, connections) {
            if add(&core.leased, bytes, memory) {
                return Some(Lease { core: Arc::clone(core), bytes });
            }
            core.leases.fetch_sub(1, Ordering::SeqCst);
        }
        core.notices.report(Trouble::Leases, "");
        None
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.core.leases.fetch_sub(1, Ordering::SeqCst);
        self.core.leased.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

/// Adds so much, unless the sum were more than `most`.
fn add(count: &AtomicUsize, more: usize, most: usize) -> bool {
    let sum = |now: usize| now.checked_add(more).filter(|&sum| sum <= most);
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, sum).is_ok()
}

/// What may be leased; the rest is for those who need none.
fn three_quarters(all: usize) -> usize {
    all - all / 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;

    fn core(limits: Limits) -> Arc<Core> {
        Arc::new(Core::new(limits).unwrap())
    }

    fn all(core: &Arc<Core>, is_unix: bool, bytes: usize) -> Vec<Lease> {
        std::iter::from_fn(|| Lease::take(core, is_unix, bytes)).collect()
    }

    #[test]
    fn some_connections_are_left_to_others() {
        let table = [(u64::MAX, (336, 384)), (1024, (144, 192)), (64, (9, 12))];
        for (descriptors, (tcp, unix)) in table {
            let core = core(Limits::default().within(descriptors));
            let by_tcp = all(&core, false, 0);
            assert_eq!(by_tcp.len(), tcp, "{descriptors}");
            assert_eq!(core.notices.count(Trouble::Leases), 1);
            assert_eq!(all(&core, true, 0).len(), unix - tcp, "{descriptors}");
            drop(by_tcp);
            assert_eq!(all(&core, true, 0).len(), unix, "{descriptors}");
        }
    }

    #[test]
    fn unfinished_answers_are_bounded() {
        let core = core(Limits { bodies_bytes: 1000, ..Limits::default() });
        let by_tcp = all(&core, false, 200);
        assert_eq!(by_tcp.len(), 3);
        assert!(Lease::take(&core, false, 0).is_some());
        assert_eq!(all(&core, true, 200).len(), 2);
        drop(by_tcp);
        assert_eq!(all(&core, true, 200).len(), 5);
    }
}
