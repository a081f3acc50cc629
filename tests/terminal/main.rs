//! supervisorctl at a terminal: a person's keys, and what that person sees.
//!
//! `MINDER_COMPAT=theirs` asks the original the same, but for what is ours alone.
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

mod fg;
mod login;
mod piped;
mod refused;
mod screen;
mod shell;
mod tail;

use support::{Setup, Side, TestDaemon};

/// Answers each line on both of its outputs; ends after `die`.
const PARROT: &str = "#!/bin/sh
echo ready
while read line; do
    echo \"got $line\"
    echo \"err $line\" >&2
    [ \"$line\" = die ] && exit 0
done
";

/// A daemon with a program that talks, one that does not run, and a group.
fn daemon() -> TestDaemon {
    daemon_of(Side::under_test())
}

/// The same with the daemon of one side.
fn daemon_of(side: Side) -> TestDaemon {
    let d = Setup::new()
        .side(side)
        .script("parrot", PARROT)
        .program(
            "parrot",
            "command=%(here)s/parrot\nstartsecs=0\nautorestart=false\n\
             stdout_logfile=%(here)s/parrot.out\nstderr_logfile=%(here)s/parrot.err",
        )
        .program("idle-one", "command=/bin/sleep 1000\nautostart=false")
        .program("a", "command=/bin/sleep 1000\nautostart=false\nstartsecs=0")
        .program("b", "command=/bin/sleep 1000\nautostart=false\nstartsecs=0")
        .section("[group:grp]\nprograms=a,b")
        .start();
    d.wait_state("parrot", "RUNNING", 15);
    d.wait_file("parrot.out", 15, |text| text.contains("ready"));
    d
}
