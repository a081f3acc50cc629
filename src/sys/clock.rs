//! The clocks.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::process::time::Now;

/// Both clocks, read together.
pub fn now() -> Now {
    Now { mono: instant_of(Instant::now()), wall: wall() }
}

/// The wall clock since the epoch; a clock before 1970 reads as 1970.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The moment that a monotonic value stands for, to wait until it.
pub fn instant(mono: Duration) -> Instant {
    origin().checked_add(mono).unwrap_or_else(Instant::now)
}

fn instant_of(instant: Instant) -> Duration {
    instant.saturating_duration_since(origin())
}

/// One second before the first use, so that no real moment is zero: zero means "at once".
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
    })
}
