//! Event listeners of all kinds, on real daemons: what they are sent is what Supervisor 4.3.0
//! sends, byte for byte; programs written for it work; and those that misbehave harm themselves
//! alone.
//!
//! Needs MINDER_ORACLE. `MINDER_FULL=1` makes the loads as long as they should be once a day.
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

mod both;
mod recorder;

mod daemons;
mod keys;
mod load;
mod misbehaving;
mod output;
mod pools;
mod protocol;
mod states;
mod superlance;
#[cfg(target_env = "gnu")]
mod ticks;
