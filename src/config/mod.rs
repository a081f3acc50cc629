//! Configuration: text → options. Pure: no file is opened, no user looked up here.
#![forbid(unsafe_code)]

pub mod options;
