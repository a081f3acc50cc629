//! The pipes of a child in the words of the activity log.

use std::fmt;
use std::os::fd::RawFd;

/// One of a child's pipes, as the activity log names it: Supervisor's form, whose numbers are
/// addresses there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel<'a> {
    /// What Supervisor calls such a pipe's keeper.
    pub kind: &'static str,
    /// The daemon's descriptor.
    pub fd: RawFd,
    /// The child.
    pub pid: i32,
    /// The process.
    pub name: &'a str,
    /// `stdin`, `stdout` or `stderr`.
    pub output: &'static str,
}

impl fmt::Display for Channel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Channel { kind, fd, pid, name, output } = self;
        write!(f, "<{kind} at {fd} for <Subprocess at {pid} with name {name}> ({output})>")
    }
}

/// What happens to a channel, for those who look for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening<'a> {
    /// The child has written, or closed its end.
    Readable(Channel<'a>),
    /// There is room for what waits.
    Writable(Channel<'a>),
    /// It is of no more use.
    Closed(Channel<'a>),
}

impl fmt::Display for Happening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Happening::Readable(channel) => write!(f, "read event caused by {channel}"),
            Happening::Writable(channel) => write!(f, "write event caused by {channel}"),
            Happening::Closed(channel) => {
                write!(f, "fd {} closed, stopped monitoring {channel}", channel.fd)
            }
        }
    }
}
