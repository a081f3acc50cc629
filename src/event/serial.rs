//! The numbers of events.

use std::fmt;

/// The number after which they begin anew.
const LAST: u64 = i64::MAX as u64;

/// An event's number in this daemon: one that some pool accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial(pub u64);

/// An event's number in one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSerial(pub u64);

/// A counter from 0. The daemon's own goes on through restarts; that of a pool is the pool's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    next: u64,
}

impl Counter {
    /// One that goes on with this number.
    pub fn from(next: u64) -> Counter {
        Counter { next }
    }

    /// The number that comes next.
    pub fn peek(&self) -> u64 {
        self.next
    }

    /// The next number; 0 follows 2^63-1.
    pub fn take(&mut self) -> u64 {
        let number = self.next;
        self.next = if number >= LAST { 0 } else { number + 1 };
        number
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PoolSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_zero_and_round() {
        let mut counter = Counter::default();
        assert_eq!([counter.take(), counter.take(), counter.take()], [0, 1, 2]);
        counter.next = 9_223_372_036_854_775_806;
        let last = [counter.take(), counter.take(), counter.take()];
        assert_eq!(last, [9_223_372_036_854_775_806, 9_223_372_036_854_775_807, 0]);
    }
}
