//! What the world can do to the daemon, a fault a row: full and vanished disks, children that
//! misbehave, a lack of descriptors and processes, SIGKILL. Meanwhile the control socket and an
//! idle neighbour are probed, beside those of a daemon that nothing happens to, and afterwards
//! all has to be as configured again.
//!
//! On ours every row has to stand. `MINDER_COMPAT=theirs` runs the same rows on Supervisor and
//! tells what becomes of it; `scripts/faults --against original` makes one table of both.
//! `MINDER_FULL=1` gives the rows that need long the time they need.
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

mod deaths;
mod disks;
mod ending;
mod finding;
mod ground;
mod hang;
mod life;
mod output;
mod probe;
mod requests;
mod resources;
mod rotation;
mod row;
mod scene;
mod syslog;
mod touched;

#[test]
fn disks() {
    row::run("disks", disks::ROWS);
}

#[test]
fn output() {
    row::run("output", output::ROWS);
}

#[test]
fn deaths() {
    row::run("deaths", deaths::ROWS);
}

#[test]
fn life() {
    row::run("life", life::ROWS);
}

#[test]
fn resources() {
    row::run("resources", resources::ROWS);
}

#[test]
fn requests() {
    row::run("requests", requests::ROWS);
}

#[test]
fn hang() {
    row::run("hang", hang::ROWS);
}

#[test]
fn syslog() {
    row::run("syslog", syslog::ROWS);
}
