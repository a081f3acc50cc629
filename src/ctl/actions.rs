//! The actions: each makes calls, says lines and may set the exit status.
//!
//! This file holds the session that all actions share, and what happens to their
//! errors; the actions stand below by subject.

mod daemon;
mod fg;
mod groups;
mod logs;
mod names;
mod processes;
mod tails;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use super::client::{CallError, Server, Transport};
use super::color::Color;
use super::help;
use super::input::{Heard, Input};
use super::interrupt;
use super::options::Options;
use super::output::{Exit, Failures, Output, code};
use super::url::Address;
use super::visible::Shown;
use crate::sys::terminal::Settings;
use crate::xml_rpc::Value;

/// The version of the interface that is spoken here.
const API_VERSION: &str = "3.0";

/// What an action comes to: its lines are said already.
pub(super) type Done = Result<(), CallError>;

/// An action, with the words after its name.
pub(super) type Action = fn(&mut Session, &str) -> Done;

/// All actions, but those that end the shell.
pub(super) const ACTIONS: [(&str, Action); 21] = [
    ("add", groups::add),
    ("avail", groups::avail),
    ("clear", processes::clear),
    ("help", Session::help),
    ("maintail", logs::maintail),
    ("open", daemon::open),
    ("pid", daemon::pid),
    ("reload", daemon::reload),
    ("remove", groups::remove),
    ("reread", groups::reread),
    ("restart", processes::restart),
    ("shutdown", daemon::shutdown),
    ("signal", processes::signal),
    ("start", processes::start),
    ("status", daemon::status),
    ("stop", processes::stop),
    ("tail", logs::tail),
    ("update", groups::update),
    ("version", daemon::version),
    ("fg", fg::fg),
    ("?", Session::help),
];

/// Whether the shell goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next line, please.
    Continue,
    /// The user is done.
    Leave,
}

/// A daemon, a user, and what came of it so far.
pub struct Session {
    server: Server,
    interactive: bool,
    transport: Box<dyn Transport>,
    input: Box<dyn Input>,
    out: Output,
    shown: Shown,
    color: Color,
    /// Where the server's URL comes from.
    origin: String,
    exit: Exit,
}

impl Session {
    /// A session that has done nothing yet.
    #[must_use]
    pub fn new(
        options: &Options,
        transport: Box<dyn Transport>,
        input: Box<dyn Input>,
        out: Output,
    ) -> Session {
        Session {
            server: options.server.clone(),
            interactive: options.interactive,
            transport,
            input,
            out,
            shown: Shown::on_stdout(options.raw),
            color: options.color,
            origin: options.origin.clone(),
            exit: Exit::SUCCESS,
        }
    }

    /// Runs one line: an action and its arguments.
    pub fn run(&mut self, line: &str) -> Next {
        let line = line.trim();
        let (word, arguments) = split_line(line);
        match word {
            _ if line.is_empty() => return Next::Continue,
            "exit" | "quit" | "EOF" => {
                self.out.line("");
                return Next::Leave;
            }
            _ => {}
        }
        self.out.tell_failures(Failures::Stdout);
        match ACTIONS.iter().find(|(name, _)| *name == word) {
            Some((_, action)) => self.perform(*action, arguments),
            None => self.fail(&format!("*** Unknown syntax: {line}")),
        }
        self.out.flush();
        Next::Continue
    }

    /// Lets the user see everything, and tells the exit status.
    pub fn finish(&mut self) -> ExitCode {
        self.out.flush();
        if self.out.tell_unwritten() {
            self.exit = Exit::FAILURE;
        }
        self.exit.into()
    }

    /// Asks the user, and reads one line of an answer.
    ///
    /// # Errors
    /// `EndOfInput`, and those of reading.
    pub fn ask(&mut self, question: &str) -> Result<String, CallError> {
        self.out.text(question);
        self.out.flush();
        match self.input.line(None)? {
            Heard::Line(line) => Ok(line),
            Heard::End | Heard::Interrupted => Err(CallError::EndOfInput),
        }
    }

    /// The daemon that is spoken to now.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Runs an action, with a login in between if the daemon wants one and a user is there.
    fn perform(&mut self, action: Action, arguments: &str) {
        loop {
            match action(self, arguments) {
                Ok(()) => return,
                Err(error) if error.is_unauthorized() => {
                    self.out.failure("Server requires authentication");
                    if !self.interactive {
                        self.exit = Exit::FAILURE;
                        return;
                    }
                    if let Err(error) = self.log_in() {
                        return self.report(&error);
                    }
                }
                Err(error) => return self.report(&error),
            }
        }
    }

    fn log_in(&mut self) -> Done {
        self.server.username = Some(self.ask("Username:")?);
        let hidden = Hidden::new();
        let password = self.ask("Password:");
        if hidden.0.is_some() {
            // Nor did the terminal show that the line was ended.
            self.out.line("");
        }
        drop(hidden);
        self.server.password = Some(password?);
        self.out.line("");
        Ok(())
    }

    /// Says why an action came to nothing.
    fn report(&mut self, error: &CallError) {
        let url = &self.server.url;
        if error.is_refused() {
            self.out.failure(&format!("{url} refused connection"));
            self.exit = Exit::REFUSED;
        } else if error.is_no_such_file() {
            self.out.failure(&format!("{url} no such file"));
            self.exit = Exit::NOT_RUNNING;
        } else {
            let kind = error.kind();
            self.fail(&format!("error: <class '{kind}'>, {error}: file: {url} line: 0"));
        }
        self.explain(error);
    }

    /// Says what was tried where the daemon was not reached.
    fn explain(&mut self, error: &CallError) {
        if let (true, Ok(address)) = (error.is_of_connection(), Address::parse(&self.server.url)) {
            let (place, origin) = (address.described(), &self.origin);
            self.out.explain(&format!("supervisorctl: tried {place} ({origin}): {error}"));
        }
    }

    /// Says a line, and remembers that something failed.
    fn fail(&mut self, line: &str) {
        self.out.failure(line);
        self.exit = Exit::FAILURE;
    }

    /// The same, with the help of the action that was used in a wrong way.
    fn misused(&mut self, action: &str, line: &str) -> Done {
        self.fail(line);
        self.out.line(help::topic(action).unwrap_or_default());
        Ok(())
    }

    /// Calls a method of the daemon; the user sees before what was said so far.
    fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CallError> {
        self.out.flush();
        self.transport.call(&self.server, &format!("supervisor.{method}"), params)
    }

    /// Calls a method that answers a list.
    fn call_list(&mut self, method: &str, params: &[Value]) -> Result<Vec<Value>, CallError> {
        match self.call(method, params)? {
            Value::Array(items) => Ok(items),
            _ => Err(CallError::BadAnswer(format!("{method} answered no array"))),
        }
    }

    /// Whether the daemon is there and speaks this version; what is wrong is said.
    fn is_up(&mut self) -> Result<bool, CallError> {
        match self.call("getVersion", &[]) {
            Ok(Value::String(version)) if version == API_VERSION => Ok(true),
            Ok(version) => {
                let version = version.as_str().unwrap_or_default();
                self.out.failure(&format!(
                    "Sorry, this version of supervisorctl expects to talk to a server with API \
                     version {API_VERSION}, but the remote version is {version}."
                ));
                self.exit = Exit::OTHER_VERSION;
                Ok(false)
            }
            Err(error) if error.fault_code() == Some(code::UNKNOWN_METHOD) => {
                self.out.failure(
                    "Sorry, supervisord responded but did not recognize the supervisor namespace \
                     commands that supervisorctl uses to control it.  Please check that the \
                     [rpcinterface:supervisor] section is enabled in the configuration file (see \
                     sample.conf).",
                );
                self.exit = Exit::NO_INTERFACE;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn help(&mut self, topic: &str) -> Done {
        match (topic, help::topic(topic)) {
            ("", _) => help::list(&mut self.out),
            (_, Some(text)) => self.out.line(text),
            (_, None) => self.out.line(&format!("*** No help on {topic}")),
        }
        Ok(())
    }
}

/// The first word (letters, digits, `_`; or `?`) and the rest of a line.
fn split_line(line: &str) -> (&str, &str) {
    if let Some(rest) = line.strip_prefix('?') {
        return ("?", rest.trim());
    }
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let end = line.find(|char| !is_word(char)).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim())
}

/// While it lives, the terminal does not show what is typed.
struct Hidden(Option<Settings>);

impl Hidden {
    fn new() -> Hidden {
        // Ctrl-C has to find somebody who puts the terminal back.
        let watched = |_: &Settings| interrupt::watch(interrupt::ENDED).is_ok();
        let settings = Settings::now().ok().filter(watched);
        Hidden(settings.filter(|settings| settings.hide().is_ok()))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            settings.put_back();
        }
    }
}
