//! A process that is not our child: told of its end, and never mistaken for one that got its pid.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::inject::{self, Call};
use super::poll;

/// How often a process is looked at where the kernel can't tell of its end (before Linux 5.3, or
/// in a sandbox).
pub const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A process.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    fd: Option<OwnedFd>,
}

impl Process {
    /// The process that has this pid now.
    ///
    /// # Errors
    /// `ESRCH`: none has; `EINVAL`; `EMFILE`.
    pub fn open(pid: i32) -> io::Result<Process> {
        inject::fail(Call::Open)?;
        // SAFETY: integers only.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        if fd >= 0 {
            // SAFETY: just made, ours alone; the kernel sets close-on-exec.
            let fd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
            return Ok(Process { pid, fd: Some(fd) });
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EPERM) if exists(pid) => Ok(Process { pid, fd: None }),
            Some(libc::ENOSYS | libc::EPERM) => Err(io::Error::from_raw_os_error(libc::ESRCH)),
            _ => Err(error),
        }
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// What `poll` finds readable once it has ended; none: ask [`Process::has_ended`] in steps
    /// of [`LOOK_AGAIN`].
    pub fn fd(&self) -> Option<RawFd> {
        self.fd.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Whether it has ended; a zombie has.
    pub fn has_ended(&self) -> bool {
        match self.fd() {
            Some(fd) => {
                let ready = poll::poll(&mut [poll::entry(fd, poll::IN)], Some(Duration::ZERO));
                ready.is_ok_and(|ready| ready > 0)
            }
            None => !exists(self.pid),
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// `ESRCH`: it has ended; `EPERM`.
    pub fn send(&self, signal: Signal) -> io::Result<()> {
        inject::fail(Call::Kill)?;
        let done = match self.fd() {
            // SAFETY: integers, and no structure where the kernel takes none.
            Some(fd) => unsafe {
                let none = ptr::null::<libc::siginfo_t>();
                libc::syscall(libc::SYS_pidfd_send_signal, fd, signal as i32, none, 0)
            },
            // SAFETY: integers only.
            None => unsafe { libc::kill(self.pid, signal as i32) }.into(),
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// When the process with this pid began, in the kernel's ticks since the machine's start; none:
/// there is no such process.
pub fn began(pid: i32) -> Option<u64> {
    // The 22nd word; counted from behind the name, which may hold blanks, the 20th.
    stat(pid)?.get(19)?.parse().ok()
}

/// Whether there is such a process, no zombie, in that process group.
pub fn lives_in(pid: i32, group: i32) -> bool {
    let Some(words) = stat(pid) else { return false };
    let is_dead = words.first().is_none_or(|state| matches!(state.as_str(), "Z" | "X"));
    !is_dead && words.get(2).is_some_and(|word| word.parse() == Ok(group))
}

fn exists(pid: i32) -> bool {
    // SAFETY: integers only; nothing is sent.
    let refused = unsafe { libc::kill(pid, 0) } < 0
        && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
    let zombie = || stat(pid).is_some_and(|words| words.first().is_some_and(|word| word == "Z"));
    !refused && !zombie()
}

/// The words of `/proc/<pid>/stat` behind the name.
fn stat(pid: i32) -> Option<Vec<String>> {
    inject::restarted(Call::Open).and_then(|()| inject::restarted(Call::Read)).ok()?;
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, words) = text.rsplit_once(") ")?;
    Some(words.split(' ').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// The same with and without the kernel's help.
    #[test]
    fn a_process_is_signalled_and_its_end_is_seen() {
        for helped in [true, false] {
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let pid = child.id() as i32;
            let mut process = Process::open(pid).unwrap();
            if !helped {
                process.fd = None;
            }
            assert!(!process.has_ended());
            assert!(began(pid) >= began(std::process::id() as i32) && began(pid).is_some());
            process.send(Signal::SIGTERM).unwrap();
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            // A zombie until it is waited for, which counts as ended.
            while !process.has_ended() {
                assert!(std::time::Instant::now() < deadline);
                std::thread::sleep(Duration::from_millis(1));
            }
            child.wait().unwrap();
            assert!(process.has_ended());
            let error = process.send(Signal::SIGTERM).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
            assert_eq!(Process::open(pid).unwrap_err().raw_os_error(), Some(libc::ESRCH));
            assert_eq!(began(pid), None);
        }
    }
}
