//! Where ours says more or better than the original on purpose: the whole list.

use crate::{
    outcome::Outcome,
    support::{Side, matches},
};

/// One difference that is meant.
pub struct Bettered {
    /// By which rows call it.
    pub id: &'static str,
    /// Why ours does not do as the original.
    pub why: &'static str,
    what: What,
}

/// How it shows, in whole lines; `*` in a pattern stands for anything.
enum What {
    /// Ours alone has such lines.
    OursAlone(&'static str),
    /// Where the original has the first, ours has the second.
    Instead(&'static str, &'static str),
    /// Texts, by patterns of their titles, that are not compared.
    Uncompared(&'static [&'static str]),
}

use What::{Instead, OursAlone, Uncompared};

/// All of them.
pub const LIST: &[Bettered] = &[
    Bettered {
        id: "place",
        why: "file, line and key of a bad value, which Supervisor's texts do not tell",
        what: OursAlone("(<dir>/*, line *)"),
    },
    Bettered {
        id: "signals",
        why: "children start with default signal dispositions; the original's inherit its ignored \
              SIGPIPE and SIGXFSZ and what its own parent ignored",
        what: Instead("SigIgn:\t*", "SigIgn:\t0000000000000000"),
    },
    Bettered {
        id: "autorestart",
        why: "getAllConfigInfo tells it, as in 4.4, with a value that can be sent for true",
        what: OursAlone("autorestart <*"),
    },
    Bettered {
        id: "version",
        why: "our own version stands behind Supervisor's",
        what: Instead("4.3.0", "4.3.0+minder.*"),
    },
    Bettered {
        id: "unknown",
        why: "unknown keys and sections, mostly misspelt, are told",
        what: OursAlone("WARN unknown *"),
    },
    Bettered {
        id: "not-executed",
        why: "a failure between fork and exec stands in the activity log too",
        what: OursAlone("WARN '*' could not be executed: *"),
    },
    Bettered {
        id: "no-syslog",
        why: "output for syslog on a machine without it is told to be lost",
        what: OursAlone(
            "ERRO the system's log /dev/log can't be written: [Errno 2] No such file or \
             directory; lines of output for it are lost until it can",
        ),
    },
    Bettered {
        id: "empty-name",
        why: "a section without a name is told",
        what: OursAlone("WARN empty name in section *"),
    },
    Bettered {
        id: "doubled",
        why: "groups of one name, and processes of one name in a group, are told",
        what: OursAlone("WARN several * named *"),
    },
    Bettered {
        id: "doubled-options",
        why: "what is not used for its doubled name does not show up with options and log files",
        what: Uncompared(&["options, by XML-RPC", "files", "contents of *"]),
    },
    Bettered {
        id: "not-utf-8",
        why: "file and line instead of a codec's words",
        what: Instead(
            "Error: 'utf-8' codec can't decode byte *",
            "Error: config file is not UTF-8 text (file: '<dir>/c.conf', line: *)",
        ),
    },
    Bettered {
        id: "host-name",
        why: "4.3.0 expands this option twice, the first time without host_node_name, which is \
              then of no use; 4.4 does not",
        what: Instead(
            "Error: Format string * for 'supervisord.environment' *, here",
            "Error: Format string * for 'supervisord.environment' *, here, host_node_name",
        ),
    },
    Bettered {
        id: "limit",
        why: "the hard limit that there is, not the one that was just asked for",
        what: Instead(
            "Error: The minimum number of file descriptors * open 2147483647 file descriptors.  *",
            "Error: The minimum number of file descriptors * open * file descriptors.  *",
        ),
    },
    Bettered {
        id: "threads",
        why: "a program costs a thread of the daemon, and programs of its user are counted with \
              them: the soft limit of processes is higher by what the threads take",
        what: Instead("Max processes *300 *", "Max processes *310 *"),
    },
    Bettered {
        id: "own-group",
        why: "the section at fault, not that of the program named before",
        what: Instead(
            "Error: [program:a] names unknown program or fcgi-program *",
            "Error: [group:g] names unknown program or fcgi-program *",
        ),
    },
    Bettered {
        id: "no-python",
        why: "the reason, as in 4.4: what is written in Python cannot be loaded",
        what: Instead(
            "Error: * cannot be resolved within [rpcinterface:x]",
            "Error: * cannot be resolved within [rpcinterface:x]: Python extensions are not \
             supported (file: '<dir>/c.conf', line: *); skip_unloadable_plugins=true in \
             [supervisord] skips the section",
        ),
    },
];

/// What every row may meet.
const EVERYWHERE: [&str; 4] = ["place", "signals", "autorestart", "version"];

/// Takes out of both outcomes what this row may meet; names what it said it would and did not.
pub fn settle(ids: &[&str], theirs: &mut Outcome, ours: &mut Outcome) -> String {
    let mut unmet = String::new();
    if Side::under_test() == Side::Theirs {
        return unmet;
    }
    for id in EVERYWHERE.iter().chain(ids) {
        let entry = LIST.iter().find(|entry| entry.id == *id);
        let entry = entry.unwrap_or_else(|| panic!("no entry {id} in the list"));
        let mark = format!("<bettered: {id}>");
        let met = match entry.what {
            OursAlone(pattern) => replace(ours, pattern, None),
            Instead(old, new) => {
                replace(theirs, old, Some(&mark)) && replace(ours, new, Some(&mark))
            }
            Uncompared(titles) => {
                let differ = !theirs.differs_from(ours).is_empty();
                theirs.forget(titles);
                ours.forget(titles);
                differ
            }
        };
        if !met && ids.contains(id) {
            unmet.push_str(&format!("=== not met: {} ({})\n", entry.id, entry.why));
        }
    }
    unmet
}

/// Replaces each line that matches, or drops it; whether there was one.
fn replace(outcome: &mut Outcome, pattern: &str, by: Option<&str>) -> bool {
    let mut met = false;
    for (_, text) in outcome.texts() {
        let mut lines: Vec<&str> = Vec::new();
        for line in text.split('\n') {
            if matches(pattern, line) {
                met = true;
                lines.extend(by);
            } else {
                lines.push(line);
            }
        }
        *text = lines.join("\n");
    }
    met
}
