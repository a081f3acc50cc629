//! The command line client of the daemon.
fn main() {}
