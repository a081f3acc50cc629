//! Ctrl-C, and the signals that end the program while a terminal is set in another way.
//!
//! One thread waits for them. As long as something streams, Ctrl-C ends the streams; at any other
//! time it ends the program, with the terminal as it was found.

use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::client::Connection;
use crate::sys::terminal::Settings;

/// The exit status of a program that Ctrl-C ended, as shells count it.
pub(super) const ENDED: i32 = 130;

/// What a signal finds.
struct State {
    /// Connections that the next Ctrl-C ends.
    streams: Vec<Connection>,
    /// How the terminal was found.
    terminal: Option<Settings>,
    /// The exit status where there is nothing to end but the program.
    status: i32,
}

fn state() -> MutexGuard<'static, State> {
    static STATE: Mutex<State> =
        Mutex::new(State { streams: Vec::new(), terminal: None, status: 0 });
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on Ctrl-C ends the streams, or where there are none the program with this status.
/// The status of the first call counts: it knows what the program is here for.
///
/// # Errors
/// A lack of descriptors or threads: Ctrl-C then goes on ending the program in the system's way.
pub(super) fn watch(status: i32) -> io::Result<()> {
    static WATCHED: OnceLock<()> = OnceLock::new();
    if WATCHED.set(()).is_err() {
        return Ok(());
    }
    let terminal = Settings::now().ok();
    // Without a terminal there is nothing to put back.
    let signals: &[i32] = if terminal.is_some() { &[SIGINT, SIGTERM, SIGHUP] } else { &[SIGINT] };
    let mut signals = Signals::new(signals)?;
    {
        let mut state = state();
        state.terminal = terminal;
        state.status = status;
    }
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            meet(signal);
        }
    })?;
    Ok(())
}

/// Does what the signal asks for.
fn meet(signal: i32) {
    let mut state = state();
    if signal == SIGINT && !state.streams.is_empty() {
        return end(&mut state);
    }
    if let Some(terminal) = &state.terminal {
        terminal.put_back();
    }
    if signal == SIGINT {
        // Nobody is left to be told of a failure.
        let _ = writeln!(io::stdout());
        std::process::exit(state.status);
    }
    let _ = emulate_default_handler(signal);
}

fn end(state: &mut State) {
    for stream in state.streams.drain(..) {
        stream.end();
    }
}

/// Streams that Ctrl-C ends. Dropped, they are left alone again.
#[derive(Debug)]
pub(super) struct Streams(());

impl Streams {
    /// Names the streams.
    pub(super) fn new(streams: Vec<Connection>) -> Streams {
        state().streams = streams;
        Streams(())
    }

    /// Ends them, as Ctrl-C does.
    pub(super) fn end(&self) {
        end(&mut state());
    }

    /// Whether Ctrl-C has ended them.
    pub(super) fn are_ended(&self) -> bool {
        state().streams.is_empty()
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        state().streams.clear();
    }
}
