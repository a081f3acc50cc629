//! supervisorctl: the command line client of the daemon.
//!
//! Data's way: command line and file → [`options::Options`] → a line of words →
//! [`actions`] → calls through [`client`] → lines by [`output`] and an exit status.
//! Without an action `shell` asks for line after line. `interrupt` alone knows Ctrl-C.
//! All that an action says goes to stdout, errors too: scripts read it there.
#![forbid(unsafe_code)]

pub mod actions;
pub mod client;
pub mod color;
mod error;
mod help;
mod history;
pub mod input;
mod interrupt;
mod json;
pub mod options;
pub mod output;
mod pattern;
mod prefixed;
mod response;
mod shell;
pub mod stream;
mod url;
pub mod visible;

use std::io::{self, Write as _};
use std::process::ExitCode;

use actions::Session;
use client::HttpClient;
use input::Stdin;
use options::{Options, Refusal};
use output::Output;

/// Runs supervisorctl on this process's command line.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let options = match Options::from_command_line(&words) {
        Ok(options) => options,
        Err(Refusal::Answered(text)) => {
            // A reader that went away has nothing to be told.
            let _ = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(Refusal::Usage(text)) => {
            let program = words.first().map_or("supervisorctl", String::as_str);
            let _ = write!(io::stderr(), "Error: {text}\nFor help, use {program} -h\n");
            return ExitCode::from(2);
        }
    };
    for warning in &options.warnings {
        let _ = writeln!(io::stderr(), "{warning}");
    }
    let client = HttpClient::new();
    let input = Box::new(Stdin::default());
    let mut session = Session::new(&options, Box::new(client), input, Output::stdout());
    if options.words.is_empty() {
        // Where it can't be watched, Ctrl-C ends the program in the system's way.
        let _ = interrupt::watch(0);
        shell::run(&mut session, &options);
        return ExitCode::SUCCESS;
    }
    session.run(&options.words.join(" "));
    session.finish()
}
