//! What a configuration led to, as titled texts that can be compared.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

use crate::{
    normal, probe, row,
    support::{MARK, Side, TestDaemon, marked, matches},
};

/// Titled texts, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Outcome(Vec<(String, String)>);

impl Outcome {
    /// Adds a text.
    pub fn add(&mut self, title: &str, text: String) {
        self.0.push((title.to_owned(), text));
    }

    /// Every title with its text.
    pub fn texts(&mut self) -> impl Iterator<Item = (&str, &mut String)> {
        self.0.iter_mut().map(|(title, text)| (title.as_str(), text))
    }

    /// One text; empty where there is none.
    pub fn text_of(&self, title: &str) -> String {
        let found = self.0.iter().find(|(name, _)| name == title);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    }

    /// Drops the texts whose titles match.
    pub fn forget(&mut self, titles: &[&str]) {
        self.0.retain(|(title, _)| !titles.iter().any(|pattern| matches(pattern, title)));
    }

    /// Adds all that can be read without asking anybody.
    pub fn collect(&mut self, daemon: &TestDaemon, probes: &[&str]) {
        self.log(&daemon.log());
        self.add("stderr", daemon.read("daemon.err"));
        let stdout = daemon.read("daemon.out");
        let same = normal::messages(&stdout) == normal::messages(&daemon.log());
        self.add("stdout", if same { "as the activity log".to_owned() } else { stdout });
        let pid = daemon.read("d.pid").replace(&daemon.pid.to_string(), "<pid>");
        self.add("pidfile", pid);
        self.files(&daemon.path(""));
        for name in probes {
            let seen = probe::read(&daemon.path(&format!("probe.{name}")));
            self.add(&format!("probe {name}"), seen);
        }
        self.add("processes that live", living(daemon));
    }

    /// The activity log, by program, each in its order.
    fn log(&mut self, log: &str) {
        let names = names(log);
        let mut streams: BTreeMap<String, String> = BTreeMap::new();
        let mut starts: Vec<String> = Vec::new();
        let mut stops = String::new();
        // A reason of a failed start names no program: several may fail at the same time.
        let mut reasons: Vec<&str> = Vec::new();
        for message in normal::messages(log) {
            let (level, text) = message.split_once(' ').unwrap_or((message, ""));
            if text.starts_with("spawnerr: ") {
                reasons.push(message);
                continue;
            }
            if is_of_the_moment(text) {
                continue;
            }
            let Some(name) = names.iter().find(|name| about(text, name)) else {
                let line = format!("{message}\n");
                streams.entry("the daemon".to_owned()).or_default().push_str(&line);
                continue;
            };
            if text.starts_with("spawned: ") && !starts.contains(name) {
                starts.push(name.clone());
            }
            if level == "DEBG" && text.starts_with("killing ") {
                stops.push_str(&format!("{name}\n"));
            }
            streams.entry(format!("'{name}'")).or_default().push_str(&format!("{message}\n"));
        }
        reasons.sort_unstable();
        for (name, text) in streams {
            self.add(&format!("messages about {name}"), text);
        }
        self.add("reasons of failed starts", reasons.join("\n"));
        self.add("order of first starts", starts.join("\n"));
        self.add("order of stops", stops);
    }

    /// Names, kinds, modes and owners of the files in the row's directory, and what those that
    /// children wrote contain.
    fn files(&mut self, directory: &Path) {
        let mut list = Vec::new();
        let mut contents = Vec::new();
        for entry in fs::read_dir(directory).expect("the directory") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(metadata) = entry.metadata() else { continue };
            let kind = match metadata.file_type() {
                kind if kind.is_dir() => "directory",
                kind if kind.is_socket() => "socket",
                kind if kind.is_file() => "file",
                _ => "other",
            };
            let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
            list.push(format!("{name} {kind} {mode:04o} {uid}:{gid}\n"));
            let known = ["activity.log", "c.conf", "d.pid", "daemon.out", "daemon.err"];
            let ours = known.contains(&name.as_str()) || name.starts_with("probe.");
            if kind == "file" && !ours && !row::FIXTURES.contains(&name.as_str()) {
                let bytes = fs::read(entry.path()).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                contents.push((format!("contents of {name}"), text));
            }
        }
        list.sort_unstable();
        contents.sort_unstable();
        self.add("files", list.concat());
        self.0.extend(contents);
    }

    /// Makes alike what differs from run to run.
    pub fn normalize(&mut self, side: Side, directory: &Path) {
        for (title, text) in &mut self.0 {
            *title = normal::text(title, side, directory);
            *text = normal::text(text, side, directory);
        }
    }

    /// Replaces a word in every text.
    pub fn replace(&mut self, word: &str, by: &str) {
        for (_, text) in &mut self.0 {
            *text = text.replace(word, by);
        }
    }

    /// Every difference, by title; empty without any.
    pub fn differs_from(&self, other: &Outcome) -> String {
        let text = |outcome: &Outcome, title: &str| {
            let found = outcome.0.iter().filter(|(name, _)| name == title);
            found.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n---\n")
        };
        let mut titles: Vec<&str> = Vec::new();
        for (title, _) in self.0.iter().chain(&other.0) {
            if !titles.contains(&title.as_str()) {
                titles.push(title);
            }
        }
        let mut report = String::new();
        for title in titles {
            let (theirs, ours) = (text(self, title), text(other, title));
            if theirs != ours {
                let all = match theirs.len() < 200 {
                    true => format!("  theirs in all: {theirs:?}\n"),
                    false => String::new(),
                };
                report.push_str(&format!("=== {title}\n{}{all}", lines(&theirs, &ours)));
            }
        }
        report
    }
}

/// The lines in which two texts differ: `-` theirs, `+` ours.
fn lines(theirs: &str, ours: &str) -> String {
    let (left, right): (Vec<&str>, Vec<&str>) =
        (theirs.split('\n').collect(), ours.split('\n').collect());
    // The length of the longest common list of lines from each pair of places on.
    let mut common = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] = match left[i] == right[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = String::new();
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || i < left.len() && common[i + 1][j] >= common[i][j + 1] {
            out.push_str(&format!("  - {}\n", left[i]));
            i += 1;
        } else {
            out.push_str(&format!("  + {}\n", right[j]));
            j += 1;
        }
    }
    out
}

/// Names of all processes that the log tells of, without their groups.
fn names(log: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for message in normal::messages(log) {
        for prefix in ["INFO spawned: '", "INFO gave up: "] {
            let Some(rest) = message.strip_prefix(prefix) else { continue };
            let end = if prefix.ends_with('\'') { "' with pid" } else { " entered" };
            let Some((name, _)) = rest.split_once(end) else { continue };
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Messages that the original itself writes or not, as the moment is: several SIGCHLD may come as
/// one, what ends at once is not waited for, and of a pipe whose last bytes come with the end of
/// its process nobody tells that it was closed.
fn is_of_the_moment(text: &str) -> bool {
    text == "received SIGCHLD indicating a child quit"
        || text.starts_with("waiting for ") && text.ends_with(" to stop")
        || text.starts_with("fd ") && text.contains(" closed, stopped monitoring ")
}

/// Whether a message is about this process.
fn about(text: &str, name: &str) -> bool {
    let plain = ["success: ", "exited: ", "stopped: ", "gave up: ", "killing ", "sending "];
    let quoted = ["spawned: ", "killing ", "", "process "];
    let begins = |prefix: &str, subject: &str| {
        text.strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix(subject))
            .is_some_and(|rest| rest.starts_with(' '))
    };
    plain.iter().any(|prefix| begins(prefix, name))
        || quoted.iter().any(|prefix| begins(prefix, &format!("'{name}'")))
        || begins("unable to signal ", name)
        || begins("Attempted to kill ", &format!("{name},"))
        || begins("attempted to kill ", name)
        || begins("attempted to send ", name)
}

/// The processes below the daemon.
fn living(daemon: &TestDaemon) -> String {
    let mark = format!("{MARK}={}", daemon.path("").display());
    let mut lines: Vec<String> = marked(mark.trim_end_matches('/'))
        .into_iter()
        .filter(|pid| *pid != daemon.pid)
        .map(|pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default())
        .map(|words| String::from_utf8_lossy(&words).replace('\0', " "))
        // The naps of scripts.
        .filter(|words| !words.starts_with("sleep 0."))
        .map(|words| format!("{words}\n"))
        .collect();
    lines.sort_unstable();
    lines.concat()
}
