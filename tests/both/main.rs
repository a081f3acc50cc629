//! The same configuration in both daemons, at the same time: Supervisor 4.3.0 (MINDER_ORACLE) and
//! ours, each in a directory of its own. Nothing here states what is right: what the original
//! does is right, except for the lines that `bettered.rs` lists with a reason each.
//!
//! A row of a table is one configuration. One that is refused is compared in its exit status and
//! in all that it printed (`refusal.rs`). One that runs is compared once it has settled, in the
//! client's status, in what XML-RPC tells of every option, in the activity log's messages about
//! each program in their order, in the files that are left and their contents, and in what its
//! probes saw: argv, environment, umask, user, groups, limits, signals, descriptors
//! (`outcome.rs`). Pids, times, directories and the random words of AUTO logs are made alike first
//! (`normal.rs`).
//!
//! `MINDER_COMPAT=theirs` compares the original with itself: what then fails is a row that is not
//! certain of itself.
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

mod bettered;
mod normal;
mod outcome;
mod probe;
mod processes;
mod refusal;
mod row;
mod run;

mod child;
mod dialect;
mod expansion;
mod fast_cgi;
mod life;
mod listeners;
mod logs;
mod order;
mod refused;
mod spawn;
