//! Events and their way to the listeners, pure: types, payloads, subscriptions, pools, the
//! protocol. No descriptor, no clock, no thread: time comes in as a value.
//!
//! An [`payload::Event`] is made once, with its text, and offered to each [`pool::Pool`]. The
//! pool buffers it, and sends it to a member of which [`protocol::Listener`] says that it is
//! READY; what comes back over the member's stdout ends or returns it.
#![forbid(unsafe_code)]

pub mod capture;
pub mod header;
pub mod notice;
pub mod overflow;
pub mod payload;
pub mod pool;
pub mod protocol;
pub mod serial;
pub mod subscription;
pub mod text;
pub mod tick;
