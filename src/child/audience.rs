//! Who wants to hear what a child writes: shared by the coordinator, who knows the listeners,
//! and the children's threads, so that nothing is made that nobody takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::event::subscription::Subscription;

/// The types of events that some listener wants.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Arc<AtomicU32>);

impl Wanted {
    /// What is wanted now.
    pub fn now(&self) -> Subscription {
        Subscription::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// From now on this is wanted.
    pub fn set(&self, subscription: Subscription) {
        self.0.store(subscription.bits(), Ordering::Relaxed);
    }
}
