//! Children of a daemon that was killed, which still run: found by the state file, ended on wish.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::pidfd::{self, Process};
use super::signals;
use super::state_file::Entry;
use crate::process::notice::Scope;

/// How long they may take after TERM, as long as a program by default.
const OBEDIENCE: Duration = Duration::from_secs(10);

/// How long the kernel may take after KILL.
const CERTAINTY: Duration = Duration::from_secs(5);

/// How often they are looked at meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A child that still runs. Its pid is its own: the process that has it began when the child did.
#[derive(Debug)]
pub struct Leftover {
    /// What was written down of it.
    pub entry: Entry,
    process: Process,
}

/// Those that still run, each once.
pub fn still_running(entries: Vec<Entry>) -> Vec<Leftover> {
    let mut found: Vec<Leftover> = Vec::new();
    for entry in entries {
        // Held first, so that what is looked at after it is the same process.
        let Ok(process) = Process::open(entry.pid) else { continue };
        let is_it = pidfd::began(entry.pid) == Some(entry.began);
        if is_it && !found.iter().any(|other| other.entry.pid == entry.pid) {
            found.push(Leftover { entry, process });
        }
    }
    found.retain(Leftover::lives);
    found
}

impl Leftover {
    /// It, or one of the group that it leads, has not ended. As long as that is so, no other
    /// process or group can get its number.
    fn lives(&self) -> bool {
        !self.process.has_ended() || group_lives(self.entry.pid)
    }

    fn send(&self, signal: Signal) {
        // Where it has left its group, both are due. Who has ended meanwhile is no error, and
        // whoever does not obey is seen.
        if !self.process.has_ended() {
            let _ = self.process.send(signal);
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
pub fn end(leftovers: Vec<Leftover>, killed: &mut dyn FnMut(&Entry)) -> Result<(), Vec<Entry>> {
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
    if left.is_empty() { Ok(()) } else { Err(left.into_iter().map(|left| left.entry).collect()) }
}

fn wait(left: &mut Vec<Leftover>, limit: Duration) {
    let begun = Instant::now();
    loop {
        left.retain(Leftover::lives);
        if left.is_empty() || begun.elapsed() >= limit {
            return;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Whether there is a living process in that group; zombies need nothing more.
fn group_lives(group: i32) -> bool {
    // Cheap, and nearly always enough.
    if signals::send(group, 0, Scope::Group).is_err_and(|e| e.raw_os_error() == Some(libc::ESRCH)) {
        return false;
    }
    let Ok(entries) = fs::read_dir("/proc") else { return true };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.into_iter().any(|pid| pidfd::lives_in(pid, group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    fn child(script: &str) -> (Child, Entry) {
        let mut command = Command::new("/bin/sh");
        let command = command.args(["-c", script]).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let mut byte = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
        let pid = child.id() as i32;
        let began = pidfd::began(pid).unwrap();
        (child, Entry { pid, began, name: "a".to_owned() })
    }

    #[test]
    fn only_the_process_that_began_then_is_meant() {
        let (mut child, entry) = child("echo; exec sleep 1000");
        let other = Entry { began: entry.began - 1, ..entry.clone() };
        assert!(still_running(vec![other]).is_empty());
        let found = still_running(vec![entry.clone(), entry.clone()]);
        assert_eq!(found.len(), 1);
        end(found, &mut |_| panic!("it obeys")).unwrap();
        // It is our child: a zombie until now, which is no leftover.
        assert!(still_running(vec![entry.clone()]).is_empty());
        child.wait().unwrap();
        assert!(still_running(vec![entry]).is_empty());
    }

    #[test]
    fn a_group_ends_with_those_who_do_not_obey() {
        // The one who leads ends at TERM, the other in its group does not.
        let script = "(trap '' TERM; echo; while :; do sleep 1; done) & wait";
        let (mut child, entry) = child(script);
        let found = still_running(vec![entry.clone()]);
        let mut killed = 0;
        let begun = Instant::now();
        end(found, &mut |_| killed += 1).unwrap();
        assert!(begun.elapsed() >= OBEDIENCE);
        assert_eq!(killed, 1);
        assert!(!group_lives(entry.pid));
        child.wait().unwrap();
    }
}
