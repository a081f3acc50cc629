//! What something that is written did not take: how much, and when there is something to tell.

use std::io;
use std::time::{Duration, Instant};

/// So long after the last loss the next write that goes counts as the end of the trouble: a reader
/// that now and then finds time for a line is told of once.
const HEALED: Duration = Duration::from_secs(1);

/// What there is to tell.
#[derive(Debug)]
pub enum Change {
    /// There are losses from now on.
    Began(io::Error),
    /// All is taken again; how much was lost.
    Ended(u64),
    /// Nothing more is written, and the last of it was lost; how much was.
    Left(u64),
}

/// What was lost and is not told yet, in a unit that its owner knows.
#[derive(Debug, Default)]
pub struct Losses {
    amount: u64,
    /// When the last write failed, unless that is over.
    last: Option<Instant>,
    /// A later one has gone.
    went: bool,
}

impl Losses {
    /// None.
    pub const fn none() -> Losses {
        Losses { amount: 0, last: None, went: false }
    }

    /// So much is lost since a write failed at that moment.
    pub fn lose(&mut self, amount: u64, error: io::Error, now: Instant) -> Option<Change> {
        let begins = self.last.is_none();
        self.lose_more(amount, now);
        begins.then_some(Change::Began(error))
    }

    /// So much is lost without another try to write it, in a trouble that was told.
    pub fn lose_more(&mut self, amount: u64, now: Instant) {
        self.amount += amount;
        self.last = Some(now);
        self.went = false;
    }

    /// A write has gone at that moment.
    pub fn go(&mut self, now: Instant) -> Option<Change> {
        self.went = self.last.is_some();
        self.settle(now)
    }

    /// When the trouble is over, unless a write fails before.
    pub fn due(&self) -> Option<Instant> {
        self.last.filter(|_| self.went)?.checked_add(HEALED)
    }

    /// Ends a trouble that is over at that moment.
    pub fn settle(&mut self, now: Instant) -> Option<Change> {
        self.due().filter(|due| *due <= now)?;
        self.finish()
    }

    /// Nothing more will be written: what is not told yet.
    pub fn finish(&mut self) -> Option<Change> {
        let Losses { amount, last: _, went } = std::mem::take(self);
        let change = if went { Change::Ended } else { Change::Left };
        (amount > 0).then_some(change(amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a write at that millisecond: -1 of a beginning, the amount of an end.
    fn told(losses: &mut Losses, begin: Instant, goes: bool, at: u64) -> Option<i64> {
        let now = begin + Duration::from_millis(at);
        let change = match goes {
            true => losses.go(now),
            false => losses.lose(1, io::ErrorKind::WouldBlock.into(), now),
        };
        change.map(|change| match change {
            Change::Began(_) => -1,
            Change::Ended(amount) => amount as i64,
            Change::Left(amount) => panic!("{amount} are left"),
        })
    }

    #[test]
    fn a_time_of_losses_is_told_twice_however_many_writes_go_between_them() {
        let (mut losses, begin) = (Losses::none(), Instant::now());
        let mut note = |goes, at| told(&mut losses, begin, goes, at);
        assert_eq!(note(true, 0), None);
        assert_eq!(note(false, 1), Some(-1));
        assert_eq!([note(false, 2), note(true, 3), note(false, 4), note(true, 1003)], [None; 4]);
        assert_eq!(note(true, 1004), Some(3));
        assert_eq!(note(true, 1005), None);
        assert_eq!(note(false, 1006), Some(-1), "another time");
        assert_eq!(note(true, 2006), Some(1));
    }

    #[test]
    fn an_end_is_due_once_a_write_has_gone() {
        let (mut losses, begin) = (Losses::none(), Instant::now());
        let at = |millis| begin + Duration::from_millis(millis);
        assert_eq!(losses.due(), None);
        told(&mut losses, begin, false, 0);
        losses.lose_more(9, at(100));
        assert!(losses.settle(at(5000)).is_none(), "nothing has gone");
        assert_eq!(losses.due(), None);
        told(&mut losses, begin, true, 200);
        assert_eq!(losses.due(), Some(at(1100)));
        assert!(losses.settle(at(1099)).is_none());
        assert!(matches!(losses.settle(at(1100)), Some(Change::Ended(10))));
        assert_eq!(losses.due(), None);
    }

    #[test]
    fn nothing_is_forgotten_at_the_end() {
        let (mut losses, begin) = (Losses::none(), Instant::now());
        assert!(losses.finish().is_none());
        told(&mut losses, begin, false, 0);
        assert!(matches!(losses.finish(), Some(Change::Left(1))));
        told(&mut losses, begin, false, 1);
        told(&mut losses, begin, true, 2);
        assert!(matches!(losses.finish(), Some(Change::Ended(1))));
        assert!(losses.finish().is_none(), "told once");
    }
}
