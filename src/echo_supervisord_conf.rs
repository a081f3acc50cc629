//! echo_supervisord_conf: prints a sample configuration, whatever its arguments.
#![forbid(unsafe_code)]

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::config::sample::sample;

/// Prints the sample; a disk that is full must not leave half of it with exit code 0.
#[must_use]
pub fn main() -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(sample().as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "echo_supervisord_conf: {error}");
            ExitCode::FAILURE
        }
    }
}
