//! What touches paths before the coordinator hears of it: names and files of AUTO logs, sockets
//! of FastCGI programs, which are tried out.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::world::sockets::{is_same, sharing};
use crate::child::socket::{self, SharedSocket};
use crate::child::thread::Logs;
use crate::config::options::{
    Channel, ChildLog, FcgiAddress, Group, GroupKind, Options, Program, Supervisord,
};
use crate::counters::{Counters, Tally};
use crate::log::activity::{Logger, Sinks};
use crate::log::child_log::{LogFile, Target};
use crate::log::rotating::Limits;
use crate::log::shared::OpenLogs;
use crate::process::output::Output;
use crate::sys::file;
use crate::sys::net::Listener;
use crate::sys::net::fcgi::FcgiError;
use crate::sys::state_file::StateFile;

/// A group with the logs and sockets of its processes, in their order.
#[derive(Debug)]
pub struct NewGroup {
    /// The group.
    pub group: Arc<Group>,
    /// A row for each process.
    pub logs: Vec<Arc<Logs>>,
    /// What their stdin is, for FastCGI.
    pub sockets: Vec<Option<Arc<SharedSocket>>>,
}

/// What the daemon begins anew with. All that can fail was done.
#[derive(Debug)]
pub struct Next {
    /// The configuration.
    pub options: Arc<Options>,
    /// All listeners, those that stay among them.
    pub listeners: Vec<Listener>,
    /// The activity log.
    pub sinks: Sinks,
    /// Where children are written down: the same as before, another, or none.
    pub state_file: Option<Arc<StateFile>>,
}

/// Names the logs of a group's processes and creates those in childlogdir. What can't be
/// created is told; starting the process will fail for the same reason.
pub fn new_group(
    group: &Arc<Group>,
    main: &Supervisord,
    (open, counters): (&OpenLogs, &Arc<Counters>),
    tell: &mut dyn FnMut(String),
) -> NewGroup {
    let listeners = matches!(group.kind, GroupKind::EventListeners(_));
    let mut logs = |program: &Arc<Program>| {
        let (stdout, stderr) = targets(program, listeners, main, tell);
        let lingers = !program.drain_timeout.is_zero();
        let open = open.of(&group.name, &program.name, lingers);
        Arc::new(Logs::new(stdout, stderr, open, Tally::new(Arc::clone(counters))))
    };
    let logs = group.processes.iter().map(&mut logs).collect();
    NewGroup { group: Arc::clone(group), logs, sockets: sockets(group) }
}

/// One for all that share it.
fn sockets(group: &Group) -> Vec<Option<Arc<SharedSocket>>> {
    let mut sockets: Vec<Option<Arc<SharedSocket>>> = Vec::with_capacity(group.processes.len());
    for (program, first) in group.processes.iter().zip(sharing(group)) {
        let shared = first.and_then(|place| sockets.get(place).cloned().flatten());
        let new = || program.socket.clone().map(|options| Arc::new(SharedSocket::new(options)));
        sockets.push(shared.or_else(new));
    }
    sockets
}

/// Makes each socket of the groups once, and closes it again: what is wrong with one is told
/// before anything depends on it. Those of `open` are the daemon's own: they are left alone, and
/// are no fault.
///
/// # Errors
/// One could not be made.
pub fn try_sockets<'a>(
    groups: impl IntoIterator<Item = &'a Arc<Group>>,
    open: &[FcgiAddress],
    logger: &Logger,
) -> Result<(), FcgiError> {
    for group in groups {
        for (place, (program, first)) in group.processes.iter().zip(sharing(group)).enumerate() {
            let Some(socket) = program.socket.as_ref().filter(|_| first == Some(place)) else {
                continue;
            };
            if open.iter().any(|open| is_same(open, &socket.address)) {
                continue;
            }
            match socket::try_out(socket, logger) {
                Err(error) if error.is_in_use() && has_port(open, &socket.address) => {}
                tried => tried?,
            }
        }
    }
    Ok(())
}

/// Whether one of these listens on the port of that address, by another name or interface.
fn has_port(open: &[FcgiAddress], address: &FcgiAddress) -> bool {
    let port = |address: &FcgiAddress| match address {
        FcgiAddress::Tcp { port, .. } => Some(*port),
        FcgiAddress::Unix { .. } => None,
    };
    port(address).is_some_and(|wanted| open.iter().any(|open| port(open) == Some(wanted)))
}

fn targets(
    program: &Program,
    is_listener: bool,
    main: &Supervisord,
    tell: &mut dyn FnMut(String),
) -> (Target, Target) {
    let mut stdout = target(program, &program.stdout, Output::Stdout, main, tell);
    if is_listener {
        // It is the protocol; the file shows it, and nothing else comes of it.
        stdout = Target { syslog: false, capture: None, events: false, ..stdout };
    }
    let stderr = if program.redirect_stderr {
        Target { file: None, syslog: false, capture: None, events: false }
    } else {
        target(program, &program.stderr, Output::Stderr, main, tell)
    };
    (stdout, stderr)
}

fn target(
    program: &Program,
    channel: &Channel,
    output: Output,
    main: &Supervisord,
    tell: &mut dyn FnMut(String),
) -> Target {
    let limits = Limits::new(channel.maxbytes, channel.backups);
    let file = match &channel.logfile {
        ChildLog::None | ChildLog::Empty => None,
        ChildLog::File(path) => Some(LogFile { path: Path::new(path).into(), auto: false, limits }),
        ChildLog::Auto => {
            let path =
                create_auto(&main.childlogdir, &main.identifier, &program.name, output, tell);
            Some(LogFile { path: path.into(), auto: true, limits })
        }
    };
    let capture = usize::try_from(channel.capture_maxbytes).ok().and_then(NonZeroUsize::new);
    Target { file, syslog: channel.syslog, capture, events: channel.events_enabled }
}

/// Creates an AUTO log, empty, under a name that nothing has.
fn create_auto(
    directory: &str,
    identifier: &str,
    process: &str,
    output: Output,
    tell: &mut dyn FnMut(String),
) -> PathBuf {
    const TRIES: u32 = 100;
    let name = || {
        let random = random_word();
        let output = output.name();
        Path::new(directory).join(format!("{process}-{output}---{identifier}-{random}.log"))
    };
    let mut path = name();
    for _ in 0..TRIES {
        match file::create_private(&path) {
            Ok(()) => return path,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => path = name(),
            Err(error) => {
                tell(format!("could not create log {}: {error}", path.display()));
                return path;
            }
        }
    }
    path
}

/// Eight of `a-z0-9_`, as the names of AUTO logs have.
fn random_word() -> String {
    const LETTERS: &[u8; 37] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
    let mut number = RandomState::new().build_hasher().finish();
    (0..8)
        .map(|_| {
            let letter = LETTERS.get((number % 37) as usize).copied().unwrap_or(b'_');
            number /= 37;
            char::from(letter)
        })
        .collect()
}

/// childlogdir, in use: other daemons of this identifier clean nothing there while this lives,
/// since nobody can tell whose a log is whose program does not run.
#[derive(Debug)]
pub struct LogDirectory(#[allow(dead_code, reason = "held for its lock")] Option<File>);

impl LogDirectory {
    /// Removes the AUTO logs that earlier daemons of this identifier left there, unless another
    /// one of that identifier uses the directory or the configuration forbids it.
    pub fn take(main: &Supervisord, tell: &mut dyn FnMut(String)) -> LogDirectory {
        let Ok(directory) = file::open_directory(Path::new(&main.childlogdir)) else {
            tell("Could not clear childlog dir".to_owned());
            return LogDirectory(None);
        };
        if file::mark(&directory, number(&main.identifier)) && !main.nocleanup {
            clean_auto_logs(main, tell);
        }
        LogDirectory(Some(directory))
    }
}

/// A number for an identifier, the same in every daemon (FNV-1a).
fn number(identifier: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    identifier.bytes().fold(0x811c_9dc5, step)
}

fn clean_auto_logs(main: &Supervisord, tell: &mut dyn FnMut(String)) {
    let Ok(entries) = file::entries(Path::new(&main.childlogdir)) else {
        tell("Could not clear childlog dir".to_owned());
        return;
    };
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if !is_auto_log(name, &main.identifier) || is_in_use(&entry.path()) {
            continue;
        }
        if file::remove(&entry.path()).is_err() {
            tell(format!("Failed to clean up '{}'", entry.path().display()));
        }
    }
}

fn is_in_use(path: &Path) -> bool {
    file::open_itself(path).is_ok_and(|file| !file::lock(&file))
}

/// `<any>---<identifier>-<no blanks>.log`, with a backup's number behind it or not.
fn is_auto_log(name: &str, identifier: &str) -> bool {
    let marker = format!("---{identifier}-");
    let found = name
        .char_indices()
        .skip(1)
        .filter(|(at, _)| name.get(*at..).is_some_and(|rest| rest.starts_with(&marker)));
    let mut rests = found.filter_map(|(at, _)| name.get(at + marker.len()..));
    rests.any(|rest| {
        let base = rest.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = rest.len() - base.len();
        let base = if digits > 0 { base.strip_suffix('.') } else { Some(base) };
        let random = base.and_then(|base| base.strip_suffix(".log"));
        digits <= 4 && random.is_some_and(|r| !r.is_empty() && !r.contains(char::is_whitespace))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_log_names() {
        let rows = [
            ("a-stdout---supervisor-x8_kq0za.log", true),
            ("a-stdout---supervisor-x8_kq0za.log.1", true),
            ("a-stdout---supervisor-x8_kq0za.log.1234", true),
            ("a-stdout---supervisor-x8_kq0za.log.12345", false),
            ("a-stdout---supervisor-x8_kq0za.log.backup", false),
            ("a-stdout---other-x8_kq0za.log", false),
            ("---supervisor-x.log", false),
            ("a---supervisor-a b.log", false),
            ("supervisord.log", false),
        ];
        for (name, want) in rows {
            assert_eq!(is_auto_log(name, "supervisor"), want, "{name}");
        }
        assert!(!is_auto_log("a---superxvisor-x.log", "super.visor"), "no pattern");
        let word = random_word();
        assert_eq!(word.len(), 8);
        assert_ne!(word, random_word());
    }
}
