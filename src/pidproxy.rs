//! pidproxy: runs a command and stands, below a supervisor, for the daemon whose pid a file
//! holds. Signals go on to that daemon, and pidproxy lives until it has ended: a supervisor that
//! sees pidproxy's end may start the next daemon.
//!
//! Which process is the daemon? The command itself, if the pidfile names it. Else the process that
//! the pidfile names, provided that it began after the command: the pidfile of an earlier run
//! may name a stranger, whose end nobody should wait for.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::process::exit::ExitStatus;
use crate::sys::inbox::{Inbox, Signal};
use crate::sys::pidfd::{self, LOOK_AGAIN, Process};
use crate::sys::watch::Watch;
use crate::sys::{errno, execute, poll, reap};

/// How long a command that has ended well may take to show in the pidfile which daemon it left.
const GRACE: Duration = Duration::from_secs(5);

/// What goes on to the daemon.
const PASSED_ON: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGQUIT,
];

const USAGE: &str = "\
pidproxy runs a command and stands for the daemon whose pid a file holds: it passes the
signals TERM, HUP, INT, USR1, USR2 and QUIT on to it and ends when it has ended.

Usage: pidproxy <pidfile name> <command> [<cmdarg1> ...]";

/// Exit codes; the command's own is not passed on, as no program that relies on
/// `exitcodes=0` expects it.
const USED_WRONGLY: u8 = 1;
const CAN_NOT_RUN: u8 = 127;

/// Runs pidproxy on this process's command line.
#[must_use]
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(pidfile), Some(command)) = (words.next(), words.next()) else {
        say(USAGE);
        return ExitCode::from(USED_WRONGLY);
    };
    let words: Vec<OsString> = [command.clone()].into_iter().chain(words).collect();
    match Proxy::start(pidfile.into(), Path::new(&command), &words) {
        Ok(mut proxy) => {
            proxy.run();
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("can't run {}: {}", command.display(), errno::described(&error)));
            ExitCode::from(CAN_NOT_RUN)
        }
    }
}

/// Whom signals went to that end a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Command,
    Daemon,
}

struct Proxy {
    pidfile: PathBuf,
    inbox: Inbox,
    /// While the pidfile is waited for.
    watch: Option<Watch>,
    command: i32,
    /// When the command began, in the kernel's ticks.
    began: Option<u64>,
    /// How and when the command ended.
    ended: Option<(ExitStatus, Instant)>,
    /// The pidfile has named the command, or a daemon that it left.
    known: bool,
    /// The daemon, if it is another process than the command.
    daemon: Option<Process>,
    /// A signal that ends daemons and came before there was a pidfile.
    held: Option<Signal>,
    /// Who was sent such a signal.
    ending: Option<Ended>,
}

impl Proxy {
    fn start(pidfile: PathBuf, command: &Path, words: &[OsString]) -> io::Result<Proxy> {
        let heard: Vec<Signal> = PASSED_ON.into_iter().chain([Signal::SIGCHLD]).collect();
        // Before there is a command, so that none of its signals is missed.
        let inbox = Inbox::open(&heard)?;
        let command = execute::start(&std::path::absolute(command)?, words, inbox.mask_before())?;
        Ok(Proxy {
            pidfile,
            inbox,
            watch: None,
            command,
            began: pidfd::began(command),
            ended: None,
            known: false,
            daemon: None,
            held: None,
            ending: None,
        })
    }

    /// Returns when nobody is left to stand for.
    fn run(&mut self) {
        while !self.is_done() {
            self.wait();
            while let Some(signal) = self.inbox.next() {
                match signal {
                    Signal::SIGCHLD => self.reap(),
                    signal => self.pass_on(signal),
                }
            }
            if self.daemon.as_ref().is_some_and(Process::has_ended) {
                self.daemon = None;
            }
            if self.ending.is_none() && self.daemon.is_none() {
                self.look();
            }
        }
    }

    fn is_done(&self) -> bool {
        match self.ending {
            Some(Ended::Daemon) => self.daemon.is_none(),
            Some(Ended::Command) => self.ended.is_some(),
            None => match self.ended {
                None => false,
                Some(_) if self.daemon.is_some() => false,
                Some((ExitStatus::Code(0), when)) => self.known || when.elapsed() >= GRACE,
                Some(_) => true,
            },
        }
    }

    /// Waits for a signal, the daemon's end, or a change of the pidfile if it matters.
    fn wait(&mut self) {
        if self.seeks_daemon() {
            self.watch_pidfile();
            // It may have changed before it was watched.
            self.look();
        }
        if !self.seeks_daemon() {
            // In a busy directory each change would wake us.
            self.watch = None;
        }
        if self.is_done() {
            return;
        }
        let daemon = self.daemon.as_ref();
        let watch = self.watch.as_ref();
        let mut fds = vec![poll::entry(self.inbox.as_raw_fd(), poll::IN)];
        fds.extend(watch.map(|watch| poll::entry(watch.as_raw_fd(), poll::IN)));
        fds.extend(daemon.and_then(Process::fd).map(|fd| poll::entry(fd, poll::IN)));
        let grace = self.ended.map(|(_, when)| GRACE.saturating_sub(when.elapsed()));
        let grace = grace.filter(|_| !self.known);
        let unseen = daemon.is_some_and(|daemon| daemon.fd().is_none())
            || (watch.is_none() && (self.held.is_some() || grace.is_some()));
        let again = unseen.then_some(LOOK_AGAIN);
        if poll::poll(&mut fds, [grace, again].into_iter().flatten().min()).is_err() {
            // Memory is lacking; not to be asked again at once.
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Whether a change of the pidfile matters.
    fn seeks_daemon(&self) -> bool {
        !self.known || self.held.is_some()
    }

    fn watch_pidfile(&mut self) {
        let watch = match self.watch.take() {
            Some(watch) => Some(watch),
            // Its directory may have to be made by the daemon.
            None => Watch::new(&self.pidfile).ok(),
        };
        self.watch = watch.map(|mut watch| {
            watch.clear();
            // Where there is no file yet, the directory's watch tells of it.
            let _ = watch.follow(&self.pidfile);
            watch
        });
    }

    fn reap(&mut self) {
        while let Ok(Some(pid)) = reap::next_zombie() {
            match reap::reap(pid) {
                Ok(status) if pid == self.command => self.ended = Some((status, Instant::now())),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    /// Sends a signal to whom the pidfile names at this moment.
    fn pass_on(&mut self, signal: Signal) {
        let sent = self.send(signal);
        if !sent && ends(signal) {
            self.held = Some(signal);
        }
    }

    /// Returns false if the pidfile names nobody.
    fn send(&mut self, signal: Signal) -> bool {
        let Some(pid) = read_pid(&self.pidfile) else {
            say(&format!("Can't read child pidfile {}!", self.pidfile.display()));
            return false;
        };
        let sent = Process::open(pid).and_then(|process| {
            process.send(signal)?;
            Ok(process)
        });
        match sent {
            Ok(_) if pid == self.command && self.ended.is_none() => {
                self.known = true;
                if ends(signal) {
                    self.ending = Some(Ended::Command);
                }
            }
            Ok(process) => {
                if ends(signal) {
                    self.daemon = Some(process);
                    self.ending = Some(Ended::Daemon);
                }
            }
            Err(error) => {
                let (why, file) = (errno::described(&error), self.pidfile.display());
                complain(&format!("can't signal process {pid}, named by {file}: {why}"));
                // Nobody has that pid: the file is an old one, and is to be written yet.
                return !errno::is_no_process(&error);
            }
        }
        true
    }

    /// Looks whom the pidfile names.
    fn look(&mut self) {
        let Some(pid) = read_pid(&self.pidfile) else { return };
        let is_new = if pid == self.command {
            self.known |= self.ended.is_none();
            self.ended.is_none()
        } else if pidfd::began(pid).is_some_and(|began| self.began.is_some_and(|b| began >= b)) {
            self.follow(pid)
        } else {
            false
        };
        if is_new && let Some(signal) = self.held.take() {
            self.pass_on(signal);
        }
    }

    fn follow(&mut self, pid: i32) -> bool {
        if self.daemon.as_ref().is_some_and(|daemon| daemon.pid() == pid) {
            return true;
        }
        match Process::open(pid) {
            Ok(process) if !process.has_ended() => {
                self.daemon = Some(process);
                self.known = true;
                true
            }
            _ => false,
        }
    }
}

/// Whether a daemon that gets the signal is expected to end.
fn ends(signal: Signal) -> bool {
    matches!(signal, Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT)
}

/// The pid in a pidfile; some daemons write more, in lines of their own behind it.
fn read_pid(path: &Path) -> Option<i32> {
    // A fifo would wait for somebody to write.
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let text = fs::read_to_string(path).ok()?;
    text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 0)
}

/// A line on stdout, where the original says all that it says.
fn say(text: &str) {
    // Nobody is left to be told of a failure.
    let _ = writeln!(io::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "pidproxy: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_of_a_file() {
        let path = std::env::temp_dir().join(format!("minder-pidproxy-{}", std::process::id()));
        for (text, pid) in [
            ("12", Some(12)),
            (" 12 \n", Some(12)),
            ("12\n/var/lib/x\n5432\n", Some(12)),
            ("", None),
            ("\n12\n", None),
            ("x12", None),
            ("0", None),
            ("-12", None),
            ("99999999999", None),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(read_pid(&path), pid, "{text:?}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(read_pid(&path), None);
        assert_eq!(read_pid(&std::env::temp_dir()), None);
    }
}
