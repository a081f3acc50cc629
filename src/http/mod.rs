//! The HTTP server: bounded everywhere, a thread for the connections, a pool for whole requests.
#![deny(unsafe_code)]

pub mod auth;
pub mod head;
mod limits;
mod response;

pub use limits::{HttpNotice, Limits, Trouble};
pub use response::{HttpDate, Response, http_date, reason};
