//! Faults below the shell: one system call made to fail on purpose, for tests.
//!
//! Each wrapper of `sys` that can fail asks [`fail`] first. In a build with `debug_assertions` the
//! variable `MINDER_INJECT` says which call of which thread fails, and how; without the variable,
//! and always in other builds, no call does. Release builds have none of it: there `fail` is a
//! constant, and the variable's name is not in the program.
//!
//! The order is a list of `key=value`, between commas:
//!
//! | Key | Value |
//! |---|---|
//! | `thread` | `daemon`, `log`, `http`, `child`, `stream`, `files`, or `any` |
//! | `call` | a name of [`Call`], in small letters, or `any` |
//! | `n` | the number of the call that fails, of those that fit, from 1; 0: none does |
//! | `errno` | its number |
//! | `for` | `once`; `ever`: this kind of call fails in this kind of thread from then on; `torn`: it takes half of what it is given, if it takes data |
//! | `then` | the number of a later call that fails, too, of those that the same thread makes after it, from 1; 0: none does |
//! | `kill` | `before`: the daemon is killed in place of the call; `after`: in place of the next one of that thread |
//! | `lift` | a path: once it exists, no call fails any more |
//! | `report` | a file that is told what failed, and at the end how many calls there were |
//! | `trace` | `yes`: the file is told of every call |
//!
//! Calls count from the moment that start-up is done. Out of reach is what a child does between
//! clone and exec, and what is not asked of the kernel: memory, locks, clocks. An EINTR that lasts
//! interrupts every other call, since a call that is made again succeeds some time.

/// A kind of system call, by what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the calls are")]
#[repr(u8)]
pub enum Call {
    Accept,
    Access,
    Become,
    Bind,
    Chmod,
    Chown,
    Clear,
    Clone,
    Connect,
    Dup,
    Epoll,
    EventFd,
    Fcntl,
    Inotify,
    Ioctl,
    Kill,
    Limit,
    Link,
    List,
    Listen,
    Lock,
    Map,
    Open,
    Pipe,
    Poll,
    Read,
    Receive,
    Rename,
    Resolve,
    Seek,
    Send,
    Shutdown,
    Socket,
    SockOpt,
    Stat,
    Thread,
    Truncate,
    Unlink,
    Wait,
    Wake,
    Write,
}

#[cfg(debug_assertions)]
pub use self::armed::{arm, fail, finish, part, restarted};
#[cfg(not(debug_assertions))]
pub use self::never::{arm, fail, finish, part, restarted};

/// What release builds have.
#[cfg(not(debug_assertions))]
mod never {
    use super::Call;
    use std::io;

    /// No call is made to fail.
    ///
    /// # Errors
    /// None.
    #[inline(always)]
    pub const fn fail(_: Call) -> io::Result<()> {
        Ok(())
    }

    /// No call is made to fail.
    ///
    /// # Errors
    /// None.
    #[inline(always)]
    pub const fn restarted(_: Call) -> io::Result<()> {
        Ok(())
    }

    /// All of it is taken.
    ///
    /// # Errors
    /// None.
    #[inline(always)]
    pub const fn part(_: Call, len: usize) -> io::Result<usize> {
        Ok(len)
    }

    /// Nothing is read.
    #[inline(always)]
    pub const fn arm() {}

    /// Nothing was counted.
    #[inline(always)]
    pub const fn finish() {}
}

#[cfg(debug_assertions)]
mod armed;
