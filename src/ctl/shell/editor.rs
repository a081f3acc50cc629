//! The prompt on a terminal: rustyline, with our completion.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor as Rustyline, Helper};

use super::super::client::{HttpClient, Server, Transport as _};
use super::completion::complete;
use crate::xml_rpc::Value;

/// A daemon that does not answer by then completes nothing: no key works meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines that can be called back.
const MOST_LINES: usize = 1000;

/// Prompts for lines.
pub(super) struct Editor(Rustyline<Names, MemHistory>);

impl Editor {
    /// An editor with these lines as its history; none where the terminal is not one, or one
    /// without a cursor that moves.
    pub(super) fn new(earlier: &[String]) -> Option<Editor> {
        let term = std::env::var("TERM").unwrap_or_default();
        let plain = matches!(term.as_str(), "" | "dumb" | "cons25" | "emacs");
        if plain || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return None;
        }
        let config = Config::builder()
            .max_history_size(MOST_LINES)
            .ok()?
            .completion_type(CompletionType::List)
            // Several lines pasted are several lines.
            .bracketed_paste(false)
            .build();
        let history = MemHistory::with_config(&config);
        let mut editor = Rustyline::with_history(config, history).ok()?;
        editor.set_helper(Some(Names::default()));
        for line in earlier {
            let _ = editor.add_history_entry(line);
        }
        Some(Editor(editor))
    }

    /// Prompts for a line; `None`: the user wants to leave. Names come from this daemon.
    pub(super) fn line(&mut self, prompt: &str, server: &Server) -> Option<String> {
        if let Some(names) = self.0.helper_mut() {
            names.daemon = Some(server.clone());
            names.known.take();
        }
        let line = loop {
            match self.0.readline(prompt) {
                Ok(line) => break line,
                // The window's size changed, or the program was stopped and goes on.
                Err(ReadlineError::Signal(_)) => {}
                Err(_) => return None,
            }
        };
        if !line.is_empty() {
            let _ = self.0.add_history_entry(&line);
        }
        Some(line)
    }
}

/// The names of processes, asked for once a line.
#[derive(Default)]
struct Names {
    daemon: Option<Server>,
    known: RefCell<Option<Vec<Value>>>,
}

impl Names {
    /// All processes; none where the daemon does not say.
    fn ask(&self) -> Vec<Value> {
        let mut client = HttpClient::impatient(PATIENCE);
        let method = "supervisor.getAllProcessInfo";
        let answer = self.daemon.as_ref().map(|server| client.call(server, method, &[]));
        match answer {
            Some(Ok(Value::Array(processes))) => processes,
            _ => Vec::new(),
        }
    }
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let mut known = self.known.borrow_mut();
        let line = line.get(..cursor).unwrap_or_default();
        let (start, names) = complete(line, || known.get_or_insert_with(|| self.ask()));
        let pair = |name: String| Pair { replacement: format!("{name} "), display: name };
        Ok((start, names.into_iter().map(pair).collect()))
    }
}

impl Helper for Names {}
impl Highlighter for Names {}
impl Validator for Names {}
impl Hinter for Names {
    type Hint = String;
}
