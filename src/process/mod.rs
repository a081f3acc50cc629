//! The life of processes, pure: states, the machine, names, descriptions. No descriptor, no
//! clock, no thread: time comes in with each call, and what is to be done goes out as effects.
#![forbid(unsafe_code)]

pub mod command;
pub mod exit;
pub mod info;
pub mod machine;
pub mod name;
pub mod notice;
pub mod output;
pub mod restarts;
pub mod state;
pub mod time;
