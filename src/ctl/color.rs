//! Colours, for who asks for them.

use std::borrow::Cow;

/// Whether words are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// All text is plain.
    Never,
    /// `--color`: also where stdout is no terminal.
    Always,
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
/// For names side by side: those that tell neither good nor bad.
const NAMES: [&str; 4] = ["36", "35", "34", "33"];

impl Color {
    /// A state's name: green for what runs, yellow for what is on its way, red for what failed.
    pub(super) fn state(self, name: &str) -> Cow<'_, str> {
        let code = match name {
            "RUNNING" => GREEN,
            "STARTING" | "BACKOFF" | "STOPPING" => YELLOW,
            "FATAL" | "EXITED" | "UNKNOWN" => RED,
            _ => return name.into(),
        };
        self.paint(name, code)
    }

    /// The text in the colour of this number.
    pub(super) fn numbered(self, text: &str, number: usize) -> Cow<'_, str> {
        match NAMES.get(number % NAMES.len()) {
            Some(code) => self.paint(text, code),
            None => text.into(),
        }
    }

    fn paint<'t>(self, text: &'t str, code: &str) -> Cow<'t, str> {
        match self {
            Color::Never => text.into(),
            Color::Always => format!("\x1b[{code}m{text}\x1b[0m").into(),
        }
    }
}
