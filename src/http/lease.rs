//! Leave to keep a connection for as long as somebody else takes: for calls that wait and for
//! streams. Not all connections are given out so, or nobody else would find one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::Core;
use super::limits::{Limits, Trouble};

/// Dropped, it is given back.
pub(super) struct Lease(Arc<Core>);

impl Lease {
    /// `None`, which is reported: there are too many already.
    pub(super) fn take(core: &Arc<Core>, is_unix: bool) -> Option<Lease> {
        let most = most(&core.limits, is_unix);
        let add = |leases| (leases < most).then_some(leases + 1);
        if core.leases.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add).is_ok() {
            return Some(Lease(Arc::clone(core)));
        }
        core.notices.report(Trouble::Leases, "");
        None
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.leases.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

/// Three quarters of the connections; TCP has no share of those reserved for unix sockets.
fn most(limits: &Limits, is_unix: bool) -> usize {
    let reserved = if is_unix { 0 } else { limits.reserved_for_unix };
    let connections = limits.connections.saturating_sub(reserved);
    connections - connections / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_connections_are_left_to_others() {
        let table = [(u64::MAX, (336, 384)), (1024, (144, 192)), (64, (9, 12))];
        for (descriptors, wanted) in table {
            let limits = Limits::default().within(descriptors);
            assert_eq!((most(&limits, false), most(&limits, true)), wanted, "{descriptors}");
        }
    }

    #[test]
    fn a_lease_ends() {
        let limits = Limits { connections: 8, reserved_for_unix: 4, ..Limits::default() };
        let core = Arc::new(Core::new(limits).unwrap());
        let three: Vec<_> = (0..3).map(|_| Lease::take(&core, false).unwrap()).collect();
        assert!(Lease::take(&core, false).is_none());
        assert_eq!(core.notices.count(Trouble::Leases), 1);
        let local: Vec<_> = (0..3).map(|_| Lease::take(&core, true).unwrap()).collect();
        assert!(Lease::take(&core, true).is_none());
        drop((three, local));
        assert!(Lease::take(&core, false).is_some());
    }
}
