//! Thousands of random events.
