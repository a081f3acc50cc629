//! Threads whose child still lives while nobody knows its process any more: that of a process
//! removed, or left behind by a restart, while it was UNKNOWN, and that of a start which was called
//! off too late.

use std::sync::Arc;

use crate::child::link::Link;

/// The ways to those threads. They outlive a restart of the daemon.
#[derive(Debug, Default)]
pub struct Orphans(Vec<Arc<Link>>);

impl Orphans {
    /// One more, whose child lives or is just being made. Those whose thread has ended without
    /// one need nothing more, and go.
    pub fn add(&mut self, link: Arc<Link>) {
        self.0.retain(|link| Arc::strong_count(link) > 1);
        self.0.push(link);
    }

    /// That child was reaped: its thread reads what is left, and ends.
    pub fn reaped(&mut self, pid: i32) {
        self.0.retain(|link| {
            let is_its = link.slot.get() == Some(pid);
            if is_its {
                link.drain();
            }
            !is_its
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::spawn::PidSlot;

    #[test]
    fn the_thread_of_a_reaped_child_is_drained_and_forgotten() {
        let mut orphans = Orphans::default();
        let threads = [7, 8].map(|pid| {
            let mut link = Link::new().unwrap();
            link.slot = PidSlot::of(pid);
            let link = Arc::new(link);
            orphans.add(Arc::clone(&link));
            link
        });
        orphans.reaped(9);
        assert!(threads.iter().all(|link| !link.take_wishes().drain));
        orphans.reaped(8);
        let [other, its] = threads;
        assert!(its.take_wishes().drain && !other.take_wishes().drain);
        assert_eq!([&other, &its].map(Arc::strong_count), [2, 1]);
        drop(other);
        orphans.add(its);
        assert_eq!(orphans.0.len(), 1, "whose thread has ended is gone");
    }
}
