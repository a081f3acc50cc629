//! What a probe (`tests/fixtures/probe`) saw, as text.

use std::{collections::BTreeMap, fs, path::Path};

use crate::support::process_stat;

/// The lines of `/proc/<pid>/status` that a parent decides on.
const STATUS: [&str; 15] = [
    "Umask",
    "Uid",
    "Gid",
    "Groups",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Cpus_allowed",
];

/// Everything that the probe with this path has written: argv, environment, directory, process
/// group and session, user, masks, limits, descriptors.
pub fn read(base: &Path) -> String {
    let read = |subject: &str| {
        let path = format!("{}.{subject}", base.display());
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    };
    let words = |text: &str| text.trim_end_matches('\0').split('\0').map(String::from).collect();
    let argv: Vec<String> = words(&read("cmdline"));
    let mut environment: Vec<String> = words(&read("environ"));
    environment.sort_unstable();
    let mut out = String::new();
    for (number, word) in argv.iter().enumerate() {
        out.push_str(&format!("argv[{number}] {word}\n"));
    }
    for line in environment {
        out.push_str(&format!("environment {line}\n"));
    }
    out.push_str(&format!("directory {}", read("cwd")));
    out.push_str(&place(&read("stat")));
    for line in read("status").lines() {
        if STATUS.contains(&line.split(':').next().unwrap_or_default()) {
            out.push_str(&format!("{line}\n"));
        }
    }
    for line in read("limits").lines().skip(1) {
        out.push_str(&format!("{line}\n"));
    }
    out + &descriptors(&read("descriptors"), &read("flags"))
}

/// Its process group and session, its terminal, its nice value.
fn place(stat: &str) -> String {
    let (pid, rest) = stat.split_once(' ').unwrap_or_default();
    let words: Vec<&str> = rest.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let own = process_stat(std::process::id().cast_signed()).expect("this process");
    let (group, session) = (word(2), word(3));
    let leads = if group == pid { "its own" } else { "another" };
    let session = if session == own.session.to_string() { "that of the test" } else { "another" };
    format!(
        "process group {leads}\nsession {session}\nterminal {}\nnice {}\nscheduling {} {}\n",
        word(4),
        word(16),
        word(37),
        word(38)
    )
}

/// Each descriptor with its kind, its flags, and which of the pipes it is. The script has one of
/// its own, for its text.
fn descriptors(list: &str, flags: &str) -> String {
    let mut pipes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut entries: Vec<(u32, &str)> = list
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, target)| !target.ends_with("/probe"))
        .filter_map(|(number, target)| Some((number.parse().ok()?, target)))
        .collect();
    entries.sort_unstable();
    for (number, target) in entries {
        let next = pipes.len() + 1;
        let kind = match target.split_once(":[") {
            Some((kind, _)) => format!("{kind} {}", pipes.entry(target).or_insert(next)),
            None => target.to_owned(),
        };
        let mark = format!("/fdinfo/{number}:flags:");
        let flags = flags.lines().find_map(|line| line.split_once(&mark)).unwrap_or_default().1;
        lines.push((number, format!("descriptor {number} {kind} flags {}\n", flags.trim())));
    }
    lines.into_iter().map(|(_, line)| line).collect()
}
