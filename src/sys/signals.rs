//! Signals to children, and those that the daemon itself gets.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;

use super::inject::{self, Call};
use crate::process::notice::Scope;

/// What the daemon listens to. SIGCONT means nothing to it, but that it was suspended may explain
/// what its log tells afterwards.
const HEARD: [i32; 7] = [SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR2, SIGCHLD, SIGCONT];

/// Sends a signal to a process or to its group.
///
/// # Errors
/// `ESRCH` when nobody is there, `EPERM`.
pub fn send(pid: i32, signal: i32, scope: Scope) -> io::Result<()> {
    inject::fail(Call::Kill)?;
    let target = if scope == Scope::Group { -pid } else { pid };
    raw::kill(target, signal)
}

/// Blocks all signals in the calling thread and in those that it creates from now on.
pub fn block_all() {
    let _ = SigSet::all().thread_block();
}

/// Makes writes to closed pipes and over the file limit errors instead of deaths.
pub fn ignore_fatal_writes() {
    raw::ignore(libc::SIGPIPE);
    raw::ignore(libc::SIGXFSZ);
}

/// Installs the handlers.
///
/// # Errors
/// What the system says.
pub fn listen() -> io::Result<Signals> {
    Signals::new(HEARD)
}

/// Lets the calling thread, and no other, receive what is listened to; and be suspended from a
/// terminal.
pub fn unblock_heard() {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGUSR2,
        Signal::SIGCHLD,
        Signal::SIGCONT,
        Signal::SIGTSTP,
    ] {
        set.add(signal);
    }
    let _ = pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&set), None);
}

#[allow(unsafe_code)]
mod raw {
    use std::io;

    pub fn kill(target: i32, signal: i32) -> io::Result<()> {
        // SAFETY: integers only.
        if unsafe { libc::kill(target, signal) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    pub fn ignore(signal: i32) {
        // SAFETY: SIG_IGN runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
