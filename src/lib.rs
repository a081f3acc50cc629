//! minder: a process supervisor with Supervisor's configuration, clients and commands.

pub mod child;
pub mod config;
pub mod coordinator;
pub mod ctl;
pub mod daemon;
pub mod getopt;
pub mod http;
pub mod log;
pub mod process;
pub mod rpc;
pub mod sys;
pub mod xml_rpc;

/// What `--version` and getSupervisorVersion tell: the Supervisor whose clients we serve, and our
/// own version.
pub const VERSION: &str = concat!("4.3.0+minder.", env!("CARGO_PKG_VERSION"));
