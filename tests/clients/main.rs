//! The programs that drive Supervisor, each against this daemon: Python's xmlrpc.client on both
//! daemons with the same calls, the raw text of answers, and real clients as their users get
//! them, over unix sockets and TCP, with passwords.
//!
//! Not one of them may be missing: `scripts/clients` installs them below `target/clients`, or
//! wherever `MINDER_CLIENTS` says.
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

mod ansible;
mod exporter;
mod log_bytes;
mod node;
mod php;
mod scenario;
mod superlance;
mod supervisorctl;
mod waiting;
mod wire;

use std::{env, path::PathBuf};

use support::{Setup, Side, TestDaemon};

/// A file beside the tests.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/clients")).join(name)
}

/// A file of what `scripts/clients` installs.
fn client(name: &str) -> PathBuf {
    let root = match env::var_os("MINDER_CLIENTS") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/clients")),
    };
    let path = root.join(name);
    assert!(path.exists(), "{} is missing: run scripts/clients", path.display());
    path
}

/// How a client reaches the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Unix,
    Tcp,
}

const USER: &str = "user";
const PASSWORD: &str = "secret";

/// Our daemon with these sections; both its listeners ask for the password.
fn guarded(setup: Setup) -> Setup {
    setup.side(Side::Ours).login(USER, PASSWORD).tcp()
}

/// The URL of a listener as `[supervisorctl]` takes it.
fn url(d: &TestDaemon, way: Way) -> String {
    match way {
        Way::Unix => format!("unix://{}", d.path("s.sock").display()),
        Way::Tcp => format!("http://127.0.0.1:{}", d.port()),
    }
}
