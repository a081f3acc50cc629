//! The shell's history: the lines typed at a terminal, one after another as readline keeps them.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

/// The file, as far as there is one. Nothing that fails here is worth a word to the user.
#[derive(Debug)]
pub(super) struct History {
    path: Option<String>,
    file: Option<File>,
    /// A line twice in a row is kept once.
    last: String,
}

impl History {
    /// Opens the file that "history_file" names, for its owner alone. Lines go to its end at
    /// once, so that shells at the same time lose nothing of each other's. What is piped in is
    /// no history.
    pub(super) fn open(path: Option<&str>) -> History {
        let open = |path| OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let typed = io::stdin().is_terminal() && io::stdout().is_terminal();
        let path = path.filter(|_| typed);
        let file = path.and_then(|path| open(path).ok());
        History { path: path.map(str::to_owned), file, last: String::new() }
    }

    /// The lines of earlier shells, oldest first.
    pub(super) fn earlier(&self) -> Vec<String> {
        let bytes = self.path.as_ref().and_then(|path| std::fs::read(path).ok());
        let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Keeps a line.
    pub(super) fn add(&mut self, line: &str) {
        if line.is_empty() || line == self.last {
            return;
        }
        line.clone_into(&mut self.last);
        if let Some(file) = &mut self.file {
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}
