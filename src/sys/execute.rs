//! One child for a program that has a single thread: its environment, descriptors and process
//! group are ours.
#![allow(unsafe_code)]

use std::ffi::{CString, OsStr, OsString, c_char};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::signal::SigSet;
use nix::unistd::{ForkResult, fork};

use super::pipe;

/// Starts the file, which is not looked for in PATH, with these words, the first of which is its
/// name for itself; returns its pid. Signals that this program ignores and the file's user does
/// not expect to be ignored (SIGPIPE) have their default effect.
///
/// # Errors
/// What the system says of fork and of the execution: `ENOENT`, `EACCES`, `ENOEXEC`.
pub fn start(file: &Path, words: &[OsString], mask: &SigSet) -> io::Result<i32> {
    let file = text(file.as_os_str())?;
    let words: Vec<CString> = words.iter().map(|word| text(word)).collect::<Result<_, _>>()?;
    let mut argv: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
    argv.push(std::ptr::null());
    let pipe = pipe::pipe()?;
    // SAFETY: there is no other thread whose locks the child could find held.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(pipe.write);
            let mut told = [0; 4];
            match File::from(pipe.read).read_exact(&mut told) {
                Ok(()) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(told))),
                // Closed without a word by a successful execution.
                Err(_) => Ok(child.as_raw()),
            }
        }
        ForkResult::Child => {
            let _ = mask.thread_set_mask();
            // SAFETY: all pointers lead to texts that live on; a failure is told and ends the
            // child without running what this program would run at its exit.
            unsafe {
                libc::signal(libc::SIGPIPE, libc::SIG_DFL);
                libc::execv(file.as_ptr(), argv.as_ptr());
                let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0).to_ne_bytes();
                libc::write(pipe.write.as_raw_fd(), errno.as_ptr().cast(), errno.len());
                libc::_exit(127)
            }
        }
    }
}

fn text(word: &OsStr) -> io::Result<CString> {
    CString::new(word.as_bytes()).map_err(io::Error::from)
}
