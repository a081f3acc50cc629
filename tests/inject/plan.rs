//! Which calls are made to fail, and how.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::{ALL, Scenario};

/// The errors, by number; what the kernel may say of one call or another.
pub const ERRORS: [(i32, &str); 8] = [
    (libc::EINTR, "EINTR"),
    (libc::EAGAIN, "EAGAIN"),
    (libc::EMFILE, "EMFILE"),
    (libc::ENOSPC, "ENOSPC"),
    (libc::EIO, "EIO"),
    (libc::EPIPE, "EPIPE"),
    (libc::ENOENT, "ENOENT"),
    (libc::EACCES, "EACCES"),
];

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lasts {
    Once,
    /// And its like from then on.
    Ever,
    /// It takes half of its data, and the next call of that thread fails.
    Torn,
    /// It fails, and so does a later one of that thread: the next is 1.
    Then(u8),
}

/// As they are written in names.
const LASTS: [(Lasts, &str); 6] = [
    (Lasts::Once, "once"),
    (Lasts::Ever, "ever"),
    (Lasts::Torn, "torn"),
    (Lasts::Then(1), "then1"),
    (Lasts::Then(2), "then2"),
    (Lasts::Then(3), "then3"),
];

/// A call that fails: the n-th of its kind in its kind of thread.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub scenario: usize,
    pub thread: String,
    pub call: String,
    pub n: usize,
    pub errno: i32,
    pub lasts: Lasts,
}

impl Fault {
    /// For `MINDER_INJECT`.
    pub fn order(&self) -> String {
        let Fault { thread, call, n, errno, lasts, .. } = self;
        let time = match lasts {
            Lasts::Once => "once".to_owned(),
            Lasts::Ever => "ever".to_owned(),
            Lasts::Torn => "torn,then=1".to_owned(),
            Lasts::Then(later) => format!("once,then={later}"),
        };
        format!("thread={thread},call={call},n={n},errno={errno},for={time}")
    }

    /// For whoever looks at a failure, and for `MINDER_INJECT_ONLY`.
    pub fn shown(&self) -> String {
        let error = ERRORS.iter().find(|(number, _)| *number == self.errno).map_or("?", |e| e.1);
        let time = LASTS.iter().find(|(known, _)| *known == self.lasts).map_or("?", |e| e.1);
        let Fault { scenario, thread, call, n, .. } = self;
        format!("{}/{thread}/{call}/{n}/{error}/{time}", ALL[*scenario].name)
    }

    /// The reverse.
    pub fn named(name: &str) -> Option<Fault> {
        let parts: Vec<&str> = name.split('/').collect();
        let [scenario, thread, call, n, error, time] = parts[..] else { return None };
        Some(Fault {
            scenario: ALL.iter().position(|known| known.name == scenario)?,
            thread: thread.to_owned(),
            call: call.to_owned(),
            n: n.parse().ok()?,
            errno: ERRORS.iter().find(|(_, known)| *known == error)?.0,
            lasts: LASTS.iter().find(|(_, known)| *known == time)?.0,
        })
    }

    /// Whether its name begins with these words; `*` is any.
    pub fn is_of(&self, words: &str) -> bool {
        let name = self.shown();
        let mut parts = name.split('/');
        words.split('/').all(|word| parts.next().is_some_and(|part| word == "*" || word == part))
    }

    /// Whether it goes on until it is lifted.
    pub fn ever(&self) -> bool {
        self.lasts == Lasts::Ever
    }

    /// The kernel says that it is ready and then that it is not, again and again: whoever asks it
    /// what is ready can do nothing else than ask again.
    pub fn lies(&self) -> bool {
        matches!(self.errno, libc::EAGAIN | libc::EINTR)
    }

    /// Something is lacking that may be there again, as no fault of a configuration is. A look at a
    /// command needs nothing that could lack: one that fails means that there is none.
    pub fn is_a_lack(&self) -> bool {
        let lacks = matches!(self.errno, libc::EAGAIN | libc::EMFILE | libc::ENOSPC);
        lacks && !matches!(self.call.as_str(), "access" | "stat")
    }

    /// Whether it costs something that only the log can tell of: not an answer that its client
    /// misses, nor what is done again or in another way.
    fn must_be_told(&self, hit: &str) -> bool {
        match self.thread.as_str() {
            // There the log is cleared.
            _ if ALL[self.scenario].name == "calls" => false,
            "child" if hit.contains("stdin.rs") && self.errno == libc::EPIPE => false,
            // The line of one that has ended is harmless; a start that gets none fails.
            "child" if hit.contains("state_file.rs") => false,
            // The child's own last words are in its log.
            "child" if hit.contains("sys/spawn.rs") && self.call == "read" => false,
            // A line that is sent in vain is sent to a new reader.
            "child" if hit.contains("sys/syslog.rs") => {
                matches!(self.call.as_str(), "connect" | "socket")
            }
            "child" => matches!(
                self.call.as_str(),
                "bind"
                    | "clone"
                    | "listen"
                    | "map"
                    | "open"
                    | "pipe"
                    | "read"
                    | "rename"
                    | "resolve"
                    | "socket"
                    | "truncate"
                    | "write"
            ),
            "daemon" => matches!(self.call.as_str(), "eventfd" | "kill" | "thread" | "wait"),
            // A part that may not be read is left out, as in Supervisor; what is only so for the
            // moment is told.
            "files" if hit.contains("config_files.rs") => {
                matches!(self.call.as_str(), "list" | "open" | "stat")
                    && matches!(self.errno, libc::EMFILE | libc::ENOSPC | libc::EIO)
            }
            "files" => matches!(self.call.as_str(), "bind" | "listen" | "open" | "socket"),
            "http" => self.call == "thread",
            "log" => self.call == "rename" || (self.call == "write" && !self.ever()),
            _ => false,
        }
    }

    /// Whether a line should tell of it.
    pub fn is_worth_a_line(&self, hit: &str) -> bool {
        // An interrupted call is made again; a missing file may be missing.
        let is_harmless = self.lies() || self.errno == libc::ENOENT;
        !hit.is_empty() && !is_harmless && self.must_be_told(hit)
    }

    /// Whether a counter should have it: what a file of the configuration lacks has its line, and
    /// no other cost than what that says.
    pub fn is_worth_a_number(&self, hit: &str) -> bool {
        self.is_worth_a_line(hit) && self.thread != "files"
    }

    /// Whether a line tells of an error.
    pub fn is_told(log: &str, errors: &str) -> bool {
        let words = [
            "can't",
            "could not",
            "Could not",
            "oo many",
            "no thread",
            "unknown error",
            "problem",
            "error ",
        ];
        let bad = |line: &str| words.iter().any(|word| line.contains(word));
        log.lines().chain(errors.lines()).any(bad)
    }
}

/// Faults that the daemon did not get over once; tried each time.
const FOUND: [&str; 10] = [
    // A zombie that nobody looked for again, and a restart that waited for it.
    "reload/daemon/wait/1/EPIPE/ever",
    // A thread that did not wait, and one that took an error for the end of the output.
    "fastcgi/child/poll/1/EPIPE/ever",
    "listener/child/read/24/ENOENT/ever",
    "output/child/read/4/EIO/once",
    // A thread that was not woken.
    "listener/daemon/wake/6/EAGAIN/once",
    // A second child beside one that could not be stopped, and one that nobody knew.
    "restart/daemon/kill/2/EIO/once",
    "reread/daemon/kill/1/EACCES/once",
    // A program without its groups.
    "start/child/resolve/2/EIO/once",
    // A stdin that was closed in silence.
    "output/child/write/1/EIO/once",
    // A listener that a restart left, and that lived on.
    "restart/daemon/unlink/1/ENOSPC/then1",
];

/// The same as faults.
pub fn found() -> Vec<Fault> {
    FOUND.iter().map(|name| Fault::named(name).expect("a fault's name")).collect()
}

/// Numbers that look like chance, the same for the same seed.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at + 1));
        }
    }
}

/// All faults of a scenario, from what a run without any has told of its calls. What is done about
/// a failed call depends on where it is made: there a second one fails, too, once for each place.
pub fn faults(scenario: &Scenario, report: &str) -> Vec<Fault> {
    let place = ALL.iter().position(|known| known.name == scenario.name).expect("a known one");
    let mut counts = BTreeMap::<(&str, &str), usize>::new();
    let mut places = BTreeSet::new();
    let mut all = Vec::new();
    for line in report.lines().filter_map(|line| line.strip_prefix("call ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let [thread, call, at] = words[..] else { continue };
        let n = counts.entry((thread, call)).or_default();
        *n += 1;
        let is_new = places.insert((thread, call, at));
        for (errno, _) in ERRORS {
            for (lasts, _) in LASTS {
                let wanted = match lasts {
                    Lasts::Once => true,
                    // Nobody looks for what he was not told of.
                    Lasts::Ever => call != "wake",
                    Lasts::Torn => takes_data(call, at),
                    Lasts::Then(_) => is_new,
                };
                if wanted {
                    let (thread, call) = (thread.to_owned(), call.to_owned());
                    all.push(Fault { scenario: place, thread, call, n: *n, errno, lasts });
                }
            }
        }
    }
    all
}

/// Whether the call may take a part of its data: a datagram goes whole or not at all.
fn takes_data(call: &str, at: &str) -> bool {
    matches!(call, "write" | "send") && !at.contains("syslog.rs")
}
