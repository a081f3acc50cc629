//! System calls: the only place of nix, libc and `unsafe`. Wrappers are thin: one call, types
//! instead of integers, `io::Result`. Those that can fail ask `inject::fail` first, so that a test
//! can let them.

pub mod clock;
pub mod code;
pub mod config_files;
pub mod daemonize;
pub mod errno;
pub mod execute;
pub mod file;
pub mod foresee;
pub mod heap;
pub mod inbox;
pub mod inject;
pub mod leavers;
pub mod leftovers;
pub mod limits;
pub mod net;
pub mod pidfd;
pub mod pidfile;
pub mod pipe;
pub mod poll;
pub mod privileges;
pub mod reap;
pub mod seats;
pub mod signals;
pub mod spawn;
pub mod stack;
pub mod state_file;

pub mod stdout;
pub mod syslog;
pub mod terminal;
pub mod thread;
pub mod users;
pub mod watch;
