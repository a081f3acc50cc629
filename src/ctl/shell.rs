//! Without an action: line after line, one action each.

#[cfg(feature = "line-editing")]
mod completion;
#[cfg(feature = "line-editing")]
mod editor;

use super::actions::{Next, Session};
use super::history::History;
use super::options::Options;

/// Shows the status, then runs line after line until `exit`, `quit` or the end of input.
pub(super) fn run(session: &mut Session, options: &Options) {
    let prompt = format!("{}> ", options.prompt);
    let mut history = History::open(options.history_file.as_deref());
    let mut lines = Lines::new(&history.earlier());
    session.run("status");
    while let Some(line) = lines.next(session, &prompt) {
        history.add(&line);
        if session.run(&line) == Next::Leave {
            break;
        }
    }
    session.finish();
}

/// Where lines come from.
enum Lines {
    #[cfg(feature = "line-editing")]
    Edited(Box<editor::Editor>),
    Plain,
}

impl Lines {
    /// With editing where the terminal can show it.
    #[cfg(feature = "line-editing")]
    fn new(earlier: &[String]) -> Lines {
        editor::Editor::new(earlier).map_or(Lines::Plain, |editor| Lines::Edited(Box::new(editor)))
    }

    #[cfg(not(feature = "line-editing"))]
    fn new(_: &[String]) -> Lines {
        Lines::Plain
    }

    /// The next line; `None` where there is none, and the cursor then stands on a new line.
    fn next(&mut self, session: &mut Session, prompt: &str) -> Option<String> {
        match self {
            #[cfg(feature = "line-editing")]
            Lines::Edited(editor) => editor.line(prompt, session.server()),
            Lines::Plain => {
                let line = session.ask(prompt).ok();
                if line.is_none() {
                    session.run("EOF");
                }
                line
            }
        }
    }
}
