//! How the loss of events is told: each of a few by a line of its own, many by one line a
//! second that says how many.

use std::time::Duration;

use super::serial::Serial;
use crate::process::time::Mono;

/// How long losses are gathered.
const GATHERED: Duration = Duration::from_secs(1);

/// Losses within that time that are told singly, so that a start with a small buffer reads as
/// it does with Supervisor.
const SINGLE: u32 = 10;

/// Losses to tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The last event that was lost.
    pub serial: Serial,
    /// How many were lost besides, since the loss told before.
    pub others: u64,
}

/// What one pool has lost and not told yet.
#[derive(Clone, Debug, Default)]
pub struct Overflow {
    /// The end of the current second; none: nothing was lost of late.
    until: Option<Mono>,
    /// Losses that may still be told singly in it.
    single: u32,
    /// Losses to be told when it ends.
    gathered: Option<Loss>,
}

impl Overflow {
    /// An event is lost: what is to be told at once.
    pub fn lose(&mut self, serial: Serial, now: Mono) -> Option<Loss> {
        if self.until.is_none_or(|until| now >= until && self.gathered.is_none()) {
            self.until = Some(now + GATHERED);
            self.single = SINGLE;
        }
        if self.single > 0 {
            self.single -= 1;
            return Some(Loss { serial, others: 0 });
        }
        let others = self.gathered.map_or(0, |loss| loss.others.saturating_add(1));
        self.gathered = Some(Loss { serial, others });
        self.due(now)
    }

    /// What is to be told now that the second is over. The next one has no single lines: the
    /// flood may go on.
    pub fn due(&mut self, now: Mono) -> Option<Loss> {
        self.until.filter(|until| now >= *until)?;
        let loss = self.gathered.take();
        self.until = loss.map(|_| now + GATHERED);
        loss
    }

    /// What is to be told before nothing more can be.
    pub fn rest(&mut self) -> Option<Loss> {
        self.gathered.take()
    }

    /// When [`Overflow::due`] has something to tell.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.until.filter(|_| self.gathered.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loses `count` events, one each so many milliseconds; the lines with their moments.
    fn flood(count: u64, each_ms: u64) -> Vec<(u64, u64, u64)> {
        let mut overflow = Overflow::default();
        let mut told = Vec::new();
        let mut tell = |loss: Option<Loss>, at: Mono| {
            let at = u64::try_from(at.as_millis()).unwrap();
            told.extend(loss.map(|loss| (at, loss.serial.0, loss.others)));
        };
        for number in 0..count {
            let now = Duration::from_millis(number * each_ms);
            while let Some(due) = overflow.next_deadline().filter(|due| *due <= now) {
                tell(overflow.due(due), due);
            }
            tell(overflow.lose(Serial(number), now), now);
        }
        while let Some(due) = overflow.next_deadline() {
            tell(overflow.due(due), due);
        }
        told
    }

    #[test]
    fn a_few_are_told_singly() {
        assert_eq!(flood(3, 1), [(0, 0, 0), (1, 1, 0), (2, 2, 0)]);
        assert_eq!(flood(50, 100).len(), 50, "ten a second");
        assert!(flood(50, 100).iter().all(|(_, _, others)| *others == 0));
    }

    #[test]
    fn many_are_told_once_a_second() {
        let told = flood(3000, 1);
        let (single, gathered) = told.split_at(10);
        assert!(single.iter().all(|(_, _, others)| *others == 0));
        assert_eq!(gathered, [(1000, 999, 989), (2000, 1999, 999), (3000, 2999, 999)]);
        let lost: u64 = told.iter().map(|(_, _, others)| others + 1).sum();
        assert_eq!(lost, 3000, "each is counted once");
    }

    /// The next loss tells what nobody asked for in time.
    #[test]
    fn a_late_deadline_loses_no_count() {
        let mut overflow = Overflow::default();
        for number in 0..12 {
            overflow.lose(Serial(number), Duration::ZERO);
        }
        let told = Loss { serial: Serial(12), others: 2 };
        assert_eq!(overflow.lose(Serial(12), Duration::from_secs(2)), Some(told));
        assert_eq!(overflow.due(Duration::from_secs(9)), None);
    }

    #[test]
    fn the_rest_is_told_once() {
        let mut overflow = Overflow::default();
        for number in 0..13 {
            overflow.lose(Serial(number), Duration::ZERO);
        }
        assert_eq!(overflow.rest(), Some(Loss { serial: Serial(12), others: 2 }));
        assert_eq!(overflow.rest(), None);
        assert_eq!(overflow.next_deadline(), None);
    }

    #[test]
    fn a_flood_that_ended_is_forgotten() {
        let mut overflow = Overflow::default();
        for number in 0..11 {
            overflow.lose(Serial(number), Duration::ZERO);
        }
        assert_eq!(overflow.next_deadline(), Some(Duration::from_secs(1)));
        assert_eq!(overflow.due(Duration::from_millis(999)), None);
        let last = Loss { serial: Serial(10), others: 0 };
        assert_eq!(overflow.due(Duration::from_secs(1)), Some(last));
        assert_eq!(overflow.next_deadline(), None);
        let single = Loss { serial: Serial(11), others: 0 };
        assert_eq!(overflow.lose(Serial(11), Duration::from_secs(3)), Some(single));
    }
}
