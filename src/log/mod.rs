//! Log files: the activity log with its thread, child logs, and reading them back.

pub mod activity;
pub mod ansi;
pub mod child_log;
pub mod follow;
pub mod losses;
pub mod read;
pub mod room;
pub mod rotating;
pub mod shared;
pub mod syslog;
