//! The direction of dependencies, read off the sources: a pure module that reaches for a shell
//! module or for the system fails, and so does `unsafe` outside `src/sys`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test ends by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Modules without descriptors, clocks, threads or channels, each with the modules of this
/// package that it may name.
const PURE: [(&str, &[&str]); 5] = [
    ("xml_rpc", &["xml_rpc"]),
    ("config", &["config"]),
    ("process", &["process", "config"]),
    ("event", &["event", "process", "config"]),
    ("rpc", &["rpc", "event", "process", "config", "xml_rpc"]),
];

/// What a pure module names of the standard library only by mistake.
const FORBIDDEN_STD: [&str; 5] = ["fs", "net", "thread", "process", "env"];

/// Crates that do what pure modules don't.
const FORBIDDEN_CRATES: [&str; 4] = ["nix", "libc", "crossbeam_channel", "signal_hook"];

/// A source file and its text without comments and string literals.
struct Source {
    path: PathBuf,
    code: String,
}

fn sources(below: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut directories = vec![below.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = code_of(&fs::read_to_string(&path).unwrap());
                found.push(Source { path, code });
            }
        }
    }
    found
}

/// The text without comments and the contents of string literals.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if first == '"' {
            end_of_string(rest)
        } else if rest.starts_with("r\"") || rest.starts_with("r#\"") {
            let close = if rest.starts_with("r#") { "\"#" } else { "\"" };
            let open = rest.find('"').unwrap() + 1;
            rest[open..].find(close).map_or(rest.len(), |at| open + at + close.len())
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(rest.len(), |at| at + 2)
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The paths that the code names below `root`: `crate::log`, `crate::{log, sys}` and so on give
/// `log` and `sys`.
fn named_below(code: &str, root: &str) -> Vec<String> {
    let start = format!("{root}::");
    let mut names = Vec::new();
    for (at, _) in code.match_indices(&start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || "_:$".contains(letter)) {
            continue;
        }
        let rest = &code[at + start.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            names.extend(heads_of_list(list));
        } else {
            names.push(identifier(rest));
        }
    }
    names
}

/// The first identifier of each item of `a::b, c::{d, e}, f}`.
fn heads_of_list(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = Vec::new();
    let mut item_starts = true;
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => item_starts = true,
            _ if item_starts && !letter.is_whitespace() => {
                heads.push(identifier(&list[at..]));
                item_starts = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

/// What a pure module's code names against the rules.
fn offences(code: &str, allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for name in named_below(code, "crate") {
        if !allowed.contains(&name.as_str()) && name.chars().all(|c| !c.is_uppercase()) {
            found.push(format!("crate::{name}"));
        }
    }
    for name in named_below(code, "std") {
        if FORBIDDEN_STD.contains(&name.as_str()) {
            found.push(format!("std::{name}"));
        }
    }
    for name in FORBIDDEN_CRATES {
        if !named_below(code, name).is_empty() || code.contains(&format!("use {name};")) {
            found.push(name.to_owned());
        }
    }
    for clock in ["Instant::now", "SystemTime::now", "Local::now", "Utc::now"] {
        if code.contains(clock) {
            found.push(clock.to_owned());
        }
    }
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn pure_modules_name_nothing_of_the_shell() {
    let mut wrong = Vec::new();
    let mut files = 0;
    for (module, allowed) in PURE {
        let directory = src().join(module);
        if !directory.exists() {
            continue;
        }
        for source in sources(&directory) {
            files += 1;
            // A module's unit tests may look at the world: a file of samples, a clock to time a
            // bounded run.
            let (code, _) =
                source.code.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&source.code, ""));
            if source.path.ends_with("tests.rs") {
                continue;
            }
            for offence in offences(code, allowed) {
                wrong.push(format!("{}: {offence}", source.path.display()));
            }
        }
    }
    assert!(files > 0, "no pure module was found below {}", src().display());
    assert!(wrong.is_empty(), "pure modules name what they may not:\n{}", wrong.join("\n"));
}

#[test]
fn pure_modules_forbid_unsafe_code() {
    for (module, _) in PURE {
        let file = src().join(module).join("mod.rs");
        if src().join(module).exists() {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.contains("#![forbid(unsafe_code)]"), "{}", file.display());
        }
    }
}

#[test]
fn unsafe_code_stands_in_sys_alone() {
    let sys = src().join("sys");
    for source in sources(&src()) {
        let found = words(&source.code).any(|word| word == "unsafe");
        assert!(!found || source.path.starts_with(&sys), "unsafe in {}", source.path.display());
    }
}

/// The threads of the daemon, which make their system calls by the wrappers of `src/sys` alone, so
/// that each can be made to fail in one place.
const BY_WRAPPERS: [&str; 5] = ["child", "coordinator", "daemon", "http", "log"];

/// What is a system call of the standard library's.
const CALLS: [&str; 17] = [
    "File::open",
    "File::create",
    "OpenOptions",
    "TcpListener::",
    "TcpStream::",
    "UdpSocket::",
    "UnixListener::",
    "UnixStream::",
    "Command::",
    "thread::spawn",
    ".set_len(",
    ".metadata()",
    ".symlink_metadata()",
    ".canonicalize()",
    ".read_dir()",
    ".exists()",
    ".try_clone_to_owned()",
];

/// The system calls that the code makes without a wrapper.
fn bare_calls(code: &str) -> Vec<String> {
    let is_word = |at: usize| !code[..at].ends_with(|letter: char| letter.is_alphanumeric());
    let is_made = |call: &&&str| {
        code.match_indices(**call).any(|(at, _)| call.starts_with('.') || is_word(at))
    };
    let mut found: Vec<String> =
        CALLS.iter().filter(is_made).map(|call| (*call).to_owned()).collect();
    for (at, _) in code.match_indices("fs::") {
        let name = identifier(&code[at + 4..]);
        // A type or a trait calls nothing.
        if is_word(at) && name.starts_with(|letter: char| letter.is_lowercase()) {
            found.push(format!("fs::{name}"));
        }
    }
    // Of a path, not of what was found there.
    for question in [".is_dir()", ".is_file()"] {
        for (at, _) in code.match_indices(question) {
            let asked = &code[..at];
            if asked.ends_with("path") || asked.ends_with("path)") {
                found.push(question.to_owned());
            }
        }
    }
    found
}

/// The code without its unit tests, which may look at the world.
fn without_tests(code: &str) -> &str {
    code.split_once("#[cfg(test)]").map_or(code, |(code, _)| code)
}

#[test]
fn the_daemons_threads_call_the_system_by_wrappers_alone() {
    let mut wrong = Vec::new();
    let mut files = 0;
    for source in sources(&src()) {
        let below = source.path.strip_prefix(src()).unwrap();
        let module = below.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        if !BY_WRAPPERS.contains(&module) || below.ends_with("tests.rs") {
            continue;
        }
        files += 1;
        for call in bare_calls(without_tests(&source.code)) {
            wrong.push(format!("{}: {call}", source.path.display()));
        }
    }
    assert!(files > BY_WRAPPERS.len(), "{files} files were found below {}", src().display());
    assert!(wrong.is_empty(), "system calls outside of src/sys:\n{}", wrong.join("\n"));
}

/// Files of `src/sys` whose system calls no test can make fail, and why that is no loss.
const NEVER_MADE_TO_FAIL: [(&str, &str); 11] = [
    ("code.rs", "what can't be given back is kept"),
    ("config_files/gather.rs", "for --check, which has its process to itself"),
    ("daemonize.rs", "before start-up is done"),
    ("execute.rs", "for pidproxy"),
    ("foresee.rs", "for --check, which has its process to itself"),
    ("heap.rs", "what can't be given back is kept"),
    ("inbox.rs", "for pidproxy"),
    ("inject/armed.rs", "it is what makes others fail"),
    ("leftovers.rs", "a list of processes that can't be read counts as one that has them all"),
    ("stack.rs", "what can't be given back is kept"),
    ("terminal.rs", "for supervisorctl"),
];

/// Whether the code of `src/sys` can make a system call: it names a function of libc's, of
/// `std::fs` or of nix.
fn makes_calls(code: &str) -> bool {
    let named = |(at, _): (usize, &str)| {
        let name = identifier(&code[at + "libc::".len()..]);
        let is_function = name.starts_with(|letter: char| letter.is_lowercase());
        is_function && code[at + "libc::".len() + name.len()..].starts_with('(')
    };
    code.match_indices("libc::").any(named)
        || !bare_calls(code).is_empty()
        || code.match_indices("nix::").any(|(at, _)| names_a_function(&code[at..]))
}

/// Whether a path of nix or a list of them ends in something that is no type: `nix::a::{b, C}`.
fn names_a_function(path: &str) -> bool {
    let end = path.find([';', '(']).unwrap_or(path.len());
    let (path, called) = (&path[..end], path[end..].starts_with('('));
    let last = |item: &str| identifier(item.rsplit("::").next().unwrap_or("").trim());
    let is_function = |name: String| name.starts_with(|letter: char| letter.is_lowercase());
    if path.contains('{') || !called {
        let items = path.split(['{', '}', ',']).filter(|item| !item.trim().ends_with("::"));
        return items.map(last).any(is_function);
    }
    is_function(last(path))
}

#[test]
fn calls_below_sys_can_be_made_to_fail() {
    let sys = src().join("sys");
    let mut bare = Vec::new();
    let mut files = 0;
    for source in sources(&sys) {
        let name = source.path.strip_prefix(&sys).unwrap().display().to_string();
        let code = without_tests(&source.code);
        if name.ends_with("tests.rs") || !makes_calls(code) {
            continue;
        }
        files += 1;
        if !code.contains("inject::") {
            bare.push(name);
        }
    }
    assert!(files > 20, "{files} files that call the system were found below {}", sys.display());
    bare.sort();
    let known: Vec<&str> = NEVER_MADE_TO_FAIL.iter().map(|(name, _)| *name).collect();
    assert_eq!(bare, known, "files of src/sys that call the system without asking inject");
}

#[test]
fn calls_of_libraries_are_seen_and_types_are_not() {
    for code in [
        "unsafe { libc::kill(1, 2) }",
        "use nix::unistd::{Uid, access};",
        "use nix::sys::socket::{self, sockopt};",
        "use nix::unistd::getuid;",
        "let me = nix::unistd::getuid();",
        "fs::read(path)?;",
    ] {
        assert!(makes_calls(code), "{code}");
    }
    for code in [
        "use nix::errno::Errno; libc::EIO",
        "Errno::from_raw(libc::EIO)",
        "use nix::sys::signal::{SigSet, Signal};",
        "fn f(a: libc::tm, b: libc::c_int) {}",
        "use std::fs::{File, Metadata};",
    ] {
        assert!(!makes_calls(code), "{code}");
    }
}

#[test]
fn bare_calls_are_seen_and_types_are_not() {
    assert_eq!(bare_calls("let a = std::fs::read(p); use std::fs::{self, File};"), ["fs::read"]);
    assert_eq!(bare_calls("File::open(p)?; if path.exists() {}"), ["File::open", ".exists()"]);
    assert_eq!(bare_calls("OwnFile::open(p)?; (p).exists()"), [".exists()"]);
    assert_eq!(bare_calls("Path::new(path).is_dir()"), [".is_dir()"]);
    assert_eq!(bare_calls("use std::os::unix::fs::MetadataExt; file: fs::File,"), [""; 0]);
    assert_eq!(bare_calls("log.file_type().is_dir() || meta.is_dir()"), [""; 0]);
}

/// The check itself, on what it has to see.
#[test]
fn offences_are_seen_and_comments_are_not() {
    let found = |text: &str| offences(&code_of(text), &["process", "config"]);
    assert_eq!(found("use crate::log::Sink;"), ["crate::log"]);
    assert_eq!(found("use crate::{config::Options, sys, process::{a, log}};"), ["crate::sys"]);
    assert_eq!(found("fn f() { std::fs::read(p) }"), ["std::fs"]);
    assert_eq!(found("use std::{io, thread::{self}, collections::BTreeMap};"), ["std::thread"]);
    assert_eq!(found("use nix::unistd::Pid;"), ["nix"]);
    assert_eq!(found("let now = Instant::now();"), ["Instant::now"]);
    assert_eq!(found("// crate::log\n/* std::fs */ let a = \"use crate::sys;\";"), [""; 0]);
    assert_eq!(found("let a = '\"'; use crate::http::x;"), ["crate::http"]);
    assert_eq!(found("use crate::process::State; use std::time::Instant;"), [""; 0]);
}
