//! What Supervisor's users rely on, asked of a real daemon and a real client.
//!
//! The suite knows no internals. `MINDER_COMPAT=theirs` runs it on Supervisor 4.3.0, which has
//! to pass all of it: a test that fails there states something false about the interface.
//! The original works in steps of a second, so the deadlines are generous and no test asserts
//! that something is quick; `tests/daemon` does.
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

mod check;
mod child;
mod command_line;
mod cross;
mod ctl;
mod debug;
mod edges;
mod events;
mod extras;
mod fastcgi;
mod groups;
mod http;
mod logs;
mod parsers;
mod pidproxy;
mod process;
mod profile;
mod refused;
mod reread;
mod restart;
mod sample;
mod signals;
mod startup;
mod static_files;
mod stream;
mod trace;
mod users;
