//! A child's thread: it spawns the child, pumps its output into the logs and its input to it,
//! and ends once the child was reaped and its pipes are drained, or, with a `drain_timeout`, have
//! had their time. It keeps no state, signals nobody and waits for no child.

pub mod audience;
pub mod blind;
pub mod buffers;
pub mod channel;
pub mod command;
pub mod environment;
pub mod launch;
pub mod linger;
pub mod link;
pub mod socket;
pub mod stdin;
pub mod stream;
pub mod thread;
pub mod turns;
