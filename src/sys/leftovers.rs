//! Children of a daemon that was killed, which still run: found by the state file, ended on wish.
//!
//! A child leads a process group, or a session, with the number of its pid, and as long as one
//! process of that group lives nobody else can get the number, as a pid or for a group. A line of
//! the state file says when the child began, so of whoever has the pid now there are three kinds:
//!
//! - A process that began when the child did: it is the child.
//! - A process that began at another time: child and group are gone, and nothing is left.
//! - None, while processes of the group live. They are what the child, which has ended, left
//!   running; or, where its group was gone as a whole, what a later process with the same pid left
//!   of a group that it led. A process of the group that began no earlier than the child and was
//!   started with an environment that names the child, as the daemon gives it to its children,
//!   shows that it is the former. A program may have started its own with another environment, so
//!   where there is none such nobody can know: it is told of them, and they are left alone.
//!
//! A child that ended while its daemon lived is not written down any more. What it has left in its
//! group runs on when it is restarted, as with Supervisor, and so it does here.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::pidfd::{self, Process};
use super::poll;
use super::signals;
use super::state_file::Entry;
use crate::process::name;
use crate::process::notice::Scope;

/// How long they may take after TERM, as long as a program by default.
const OBEDIENCE: Duration = Duration::from_secs(10);

/// How long the kernel may take after KILL.
const CERTAINTY: Duration = Duration::from_secs(5);

/// So many of a group are waited for at a time: all have to end, so any will do.
const AT_A_TIME: usize = 16;

/// A child that still runs, or whose group does. The number is its own.
#[derive(Debug)]
pub struct Leftover {
    /// What was written down of it.
    pub entry: Entry,
    /// The processes of its group, where it has ended itself.
    pub orphans: Vec<i32>,
    /// Itself; none where it has ended, or can't be held.
    process: Option<Process>,
}

/// Processes of a group with the number of a child that has ended, which may be its own or not.
#[derive(Debug, PartialEq, Eq)]
pub struct Doubtful {
    /// What was written down of the child.
    pub entry: Entry,
    /// Their pids.
    pub pids: Vec<i32>,
}

/// What an earlier daemon has left.
#[derive(Debug, Default)]
pub struct Found {
    /// Those that still run, each once.
    pub ours: Vec<Leftover>,
    /// Those of which nobody can know.
    pub doubtful: Vec<Doubtful>,
}

/// Looks for those that were written down.
pub fn still_running(entries: Vec<Entry>) -> Found {
    let mut found = Found::default();
    let mut last_begun: BTreeMap<i32, u64> = BTreeMap::new();
    for Entry { pid, began, .. } in &entries {
        let last = last_begun.entry(*pid).or_default();
        *last = (*last).max(*began);
    }
    for entry in entries {
        let is_last = last_begun.get(&entry.pid) == Some(&entry.began);
        // Of two with one pid, the earlier's group was gone when the later got it.
        if is_last && last_begun.remove(&entry.pid).is_some() {
            look_for(entry, &mut found);
        }
    }
    found.ours.retain(Leftover::lives);
    found
}

fn look_for(entry: Entry, found: &mut Found) {
    // Held first, so that what is looked at after it is the same process.
    let process = Process::open(entry.pid).ok();
    match pidfd::began(entry.pid) {
        Some(began) if began == entry.began => {
            found.ours.push(Leftover { entry, orphans: Vec::new(), process });
        }
        Some(_) => {}
        None => {
            let pids = members(entry.pid);
            if pids.iter().any(|pid| is_of(*pid, &entry)) {
                found.ours.push(Leftover { entry, orphans: pids, process: None });
            } else if !pids.is_empty() {
                found.doubtful.push(Doubtful { entry, pids });
            }
        }
    }
}

/// Whether it is sure that this process comes from the child that led the group in which it was
/// found.
fn is_of(pid: i32, entry: &Entry) -> bool {
    let names_it = || {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let of = |name: &str| {
            let mut all = environment.split(|byte| *byte == 0);
            let value = all.find_map(|one| one.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
            value.and_then(|value| std::str::from_utf8(value).ok())
        };
        let names = of("SUPERVISOR_GROUP_NAME").zip(of("SUPERVISOR_PROCESS_NAME"));
        names.is_some_and(|(group, process)| entry.is_named(&name::display(group, process)))
    };
    let began_after_it = pidfd::began(pid).is_some_and(|began| began >= entry.began);
    // Last, so that all was seen of the same process.
    began_after_it && names_it() && pidfd::lives_in(pid, entry.pid)
}

impl Leftover {
    /// It, or one of the group that it leads, has not ended. As long as that is so, no other
    /// process or group can get its number.
    fn lives(&self) -> bool {
        self.itself().is_some() || group_lives(self.entry.pid)
    }

    fn itself(&self) -> Option<&Process> {
        self.process.as_ref().filter(|process| !process.has_ended())
    }

    /// Waits until nothing of it lives.
    fn wait(&self, until: Instant) {
        while self.lives() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let members = match self.itself() {
                Some(_) => Vec::new(),
                None => {
                    let group = self.entry.pid;
                    let held = members(group).into_iter().filter_map(|pid| Process::open(pid).ok());
                    // Another may have had the pid by then.
                    let held = held.filter(|process| pidfd::lives_in(process.pid(), group));
                    held.take(AT_A_TIME).collect()
                }
            };
            let fds = self.itself().into_iter().chain(&members).filter_map(Process::fd);
            let mut ends: Vec<_> = fds.map(|fd| poll::entry(fd, poll::IN)).collect();
            // The kernel, or a lack of descriptors, may leave nothing to wait for.
            let time = if ends.is_empty() { left.min(pidfd::LOOK_AGAIN) } else { left };
            if poll::poll(&mut ends, Some(time)).is_err() {
                std::thread::sleep(left.min(pidfd::LOOK_AGAIN));
            }
        }
    }

    fn send(&self, signal: Signal) {
        // Where it has left its group, both are due. Who has ended meanwhile is no error, and
        // whoever does not obey is seen.
        if let Some(process) = self.itself() {
            let _ = process.send(signal);
        }
        if group_lives(self.entry.pid) {
            let _ = signals::send(self.entry.pid, signal as i32, Scope::Group);
        }
    }
}

/// Ends them with their process groups: TERM, and KILL for those that live on. Waits for it.
///
/// # Errors
/// Those that could not be ended.
pub fn end(leftovers: Vec<Leftover>, killed: &mut dyn FnMut(&Entry)) -> Result<(), Vec<Leftover>> {
    let mut left = leftovers;
    for leftover in &left {
        leftover.send(Signal::SIGTERM);
        // Who is stopped hears nothing else.
        leftover.send(Signal::SIGCONT);
    }
    wait(&mut left, OBEDIENCE);
    for leftover in &left {
        killed(&leftover.entry);
        leftover.send(Signal::SIGKILL);
    }
    wait(&mut left, CERTAINTY);
    if left.is_empty() { Ok(()) } else { Err(left) }
}

/// One after another: together they take as long as the slowest.
fn wait(left: &mut Vec<Leftover>, limit: Duration) {
    let until = Instant::now() + limit;
    left.iter().for_each(|leftover| leftover.wait(until));
    left.retain(Leftover::lives);
}

/// Whether there is a living process in that group; zombies need nothing more.
fn group_lives(group: i32) -> bool {
    match pids() {
        _ if is_gone(group) => false,
        Some(mut pids) => pids.any(|pid| pidfd::lives_in(pid, group)),
        None => true,
    }
}

/// The living processes of that group.
fn members(group: i32) -> Vec<i32> {
    if is_gone(group) {
        return Vec::new();
    }
    pids().into_iter().flatten().filter(|pid| pidfd::lives_in(*pid, group)).collect()
}

/// There is no such group. Cheap, and nearly always enough.
fn is_gone(group: i32) -> bool {
    signals::send(group, 0, Scope::Group).is_err_and(|e| e.raw_os_error() == Some(libc::ESRCH))
}

/// Every process of the machine; none where nobody tells.
fn pids() -> Option<impl Iterator<Item = i32>> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    Some(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

#[cfg(test)]
mod tests;
