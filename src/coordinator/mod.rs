//! The coordinator: one thread that owns every process, group and waiter. It alone changes a
//! state, sends a signal, reaps; and it waits for nothing but its mailbox.

pub mod events;
pub mod lingering;
pub mod message;
pub mod orphans;
pub mod perform;
pub mod prepare;
pub mod profile;
pub mod run;
pub mod view;
pub mod waiters;
pub mod world;
