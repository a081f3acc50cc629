//! Events, pure: what a process wrote between capture tokens. No descriptor, no clock, no
//! thread.
#![forbid(unsafe_code)]

pub mod capture;
