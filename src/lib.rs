//! minder: a process supervisor with Supervisor's configuration, clients and commands.

pub mod child;
pub mod config;
pub mod coordinator;
pub mod ctl;
pub mod http;
pub mod log;
pub mod process;
pub mod rpc;
pub mod sys;
pub mod xml_rpc;
