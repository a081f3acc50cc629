//! What is refused, by subject.

mod daemon;
mod file;
mod invocation;
mod names;
mod program;
mod servers;
