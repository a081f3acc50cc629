//! The two clocks, as plain values.

use std::time::Duration;

/// A moment of the monotonic clock: time since some fixed moment before the daemon started.
/// All delays are reckoned on it, so that a step of the wall clock changes none of them.
pub type Mono = Duration;

/// A moment as both clocks tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For decisions.
    pub mono: Mono,
    /// Since the epoch; for display only.
    pub wall: Duration,
}

impl Now {
    /// The wall clock in whole seconds.
    pub fn wall_secs(&self) -> i64 {
        i64::try_from(self.wall.as_secs()).unwrap_or(i64::MAX)
    }
}

/// A configured number of seconds as a duration; negative ones count as none, and absurd ones
/// are cut at some thirty years so that no sum overflows.
pub fn secs(configured: i64) -> Duration {
    Duration::from_secs(u64::try_from(configured.clamp(0, 1_000_000_000)).unwrap_or(0))
}
