//! The events of time going on.
//!
//! Time comes in slices that begin where the wall clock is a multiple of the period. A slice
//! that was not current when the clock was last looked at is told, once, whatever was missed
//! between, and also when the clock was set back.

use std::time::Duration;

use super::subscription::Subscription;
use crate::config::event_kind::Kind;
use crate::process::time::{Mono, Now, secs};

/// The clock is looked at so often at least, lest a clock that was set, or a machine that slept,
/// be noticed only when a long slice should have ended.
const LOOK: i64 = 60;

/// The length of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// TICK_5.
    FiveSeconds,
    /// TICK_60.
    Minute,
    /// TICK_3600.
    Hour,
}

/// In the order in which they are told.
const PERIODS: [Period; 3] = [Period::FiveSeconds, Period::Minute, Period::Hour];

impl Period {
    /// The type of its events.
    pub fn kind(self) -> Kind {
        match self {
            Period::FiveSeconds => Kind::Tick5,
            Period::Minute => Kind::Tick60,
            Period::Hour => Kind::Tick3600,
        }
    }

    fn secs(self) -> i64 {
        match self {
            Period::FiveSeconds => 5,
            Period::Minute => 60,
            Period::Hour => 3600,
        }
    }
}

/// A slice that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// How long it is.
    pub period: Period,
    /// When it began, seconds since the epoch.
    pub when: i64,
}

/// The slices that were current last.
#[derive(Clone, Debug, Default)]
pub struct Ticks {
    current: [Option<i64>; 3],
}

impl Ticks {
    /// Looks at the clock; `out` is told of each new slice of which `wanted` wants to hear. The
    /// first look at a period, and the first after nobody wanted it, only remembers.
    pub fn look(&mut self, now: Now, wanted: Subscription, out: &mut dyn FnMut(Tick)) {
        for (period, current) in PERIODS.into_iter().zip(&mut self.current) {
            if !wanted.wants(period.kind()) {
                *current = None;
                continue;
            }
            let wall = now.wall_secs();
            let when = wall - wall.rem_euclid(period.secs());
            if current.replace(when).is_some_and(|last| last != when) {
                out(Tick { period, when });
            }
        }
    }

    /// When to look next; never, while nobody wants any.
    pub fn next_deadline(&self, now: Now, wanted: Subscription) -> Option<Mono> {
        let periods = PERIODS.into_iter().zip(self.current);
        let wanted = periods.filter(|(period, _)| wanted.wants(period.kind()));
        wanted.map(|(period, current)| due(now, period, current)).min()
    }
}

fn due(now: Now, period: Period, current: Option<i64>) -> Mono {
    let Some(current) = current else { return now.mono };
    let end = u64::try_from(current + period.secs()).unwrap_or(0);
    let left = Duration::from_secs(end).saturating_sub(now.wall);
    now.mono + left.min(secs(period.secs().min(LOOK)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now { mono: Duration::from_secs(9), wall: Duration::from_millis(millis) }
    }

    fn look(ticks: &mut Ticks, millis: u64, wanted: &str) -> Vec<String> {
        let mut told = Vec::new();
        let wanted = Subscription::of(wanted);
        ticks.look(at(millis), wanted, &mut |tick| {
            told.push(format!("{} {}", tick.period.kind(), tick.when));
        });
        told
    }

    #[test]
    fn slices() {
        let rows: [(u64, &[&str]); 9] = [
            (7_201_000, &[]),
            (7_204_999, &[]),
            (7_205_000, &["TICK_5 7205"]),
            (7_209_000, &[]),
            // No catching up.
            (7_261_500, &["TICK_5 7260", "TICK_60 7260"]),
            (10_800_000, &["TICK_5 10800", "TICK_60 10800", "TICK_3600 10800"]),
            (10_800_900, &[]),
            // The clock was set back.
            (10_799_000, &["TICK_5 10795", "TICK_60 10740", "TICK_3600 7200"]),
            (0, &["TICK_5 0", "TICK_60 0", "TICK_3600 0"]),
        ];
        let mut ticks = Ticks::default();
        for (millis, want) in rows {
            assert_eq!(look(&mut ticks, millis, "TICK"), want, "{millis}");
        }
    }

    #[test]
    fn who_comes_later_hears_of_later_slices() {
        let mut ticks = Ticks::default();
        assert!(look(&mut ticks, 1_000, "TICK_60").is_empty());
        assert_eq!(look(&mut ticks, 61_000, "TICK_60"), ["TICK_60 60"]);
        assert!(look(&mut ticks, 122_000, "").is_empty());
        assert!(look(&mut ticks, 183_000, "TICK").is_empty(), "only remembered");
        assert_eq!(look(&mut ticks, 185_000, "TICK"), ["TICK_5 185"]);
    }

    #[test]
    fn deadlines() {
        let mut ticks = Ticks::default();
        let next = |ticks: &Ticks, millis: u64, wanted: &str| {
            let wanted = Subscription::of(wanted);
            ticks.next_deadline(at(millis), wanted).map(|due| (due - at(0).mono).as_millis())
        };
        assert_eq!(next(&ticks, 1_000, ""), None);
        assert_eq!(next(&ticks, 1_000, "PROCESS_STATE"), None);
        assert_eq!(next(&ticks, 1_000, "TICK_60"), Some(0), "to remember");
        look(&mut ticks, 7_001_250, "TICK");
        let rows = [
            (7_001_250, "TICK", 3_750),
            (7_001_250, "TICK_60", 18_750),
            (7_001_250, "TICK_3600", 60_000),
            (7_199_999, "TICK_3600", 1),
            (7_300_000, "TICK_3600", 0),
            // Set back: the slice's end is far, the clock is looked at even so.
            (1_000, "TICK_5", 5_000),
        ];
        for (millis, wanted, want) in rows {
            assert_eq!(next(&ticks, millis, wanted), Some(want), "{millis} {wanted}");
        }
    }
}
