//! Without an action: lines from stdin, one action each.

use super::actions::{Next, Session};

/// Shows the status, then runs line after line until `exit`, `quit` or the end of input.
pub(super) fn run(session: &mut Session, prompt: &str) {
    let prompt = format!("{prompt}> ");
    session.run("status");
    loop {
        // The end of input is an action of its own.
        let line = session.ask(&prompt).unwrap_or_else(|_| "EOF".to_owned());
        if session.run(&line) == Next::Leave {
            break;
        }
    }
    session.finish();
}
