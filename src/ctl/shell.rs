//! Without an action: lines from stdin, one action each.

use super::actions::{Next, Session};
use super::history::History;

/// Shows the status, then runs line after line until `exit`, `quit` or the end of input.
pub(super) fn run(session: &mut Session, prompt: &str, history_file: Option<&str>) {
    let prompt = format!("{prompt}> ");
    let mut history = History::open(history_file);
    session.run("status");
    loop {
        let asked = session.ask(&prompt);
        history.add(asked.as_deref().unwrap_or_default());
        // The end of input is an action of its own.
        let line = asked.unwrap_or_else(|_| "EOF".to_owned());
        if session.run(&line) == Next::Leave {
            break;
        }
    }
    session.finish();
}
