//! What a supervisor has to hold out: crashes in a row, floods of output, a day of starts and
//! stops, and real servers. These ask ours; `MINDER_COMPAT=theirs` runs them on the original
//! where that is of interest (it need not pass).
//!
//! They measure quantities, so they take turns (`alone`), however many threads the runner has.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test ends by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_env = "gnu")]
mod clock;
mod counters;
mod crashes;
mod fastcgi;
mod flood;
mod hanging;
mod idle;
mod leftovers;
mod limits;
mod lingering;
mod orphans;
mod pairs;
mod pid1;
mod real;
mod stdout;
mod syslog;
mod unclean;

/// Held by each test while it runs.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
