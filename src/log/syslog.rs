//! Lines of children that the system's log did not take.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::losses::Losses;

/// Those of all children: they have one reader, and trouble with it is told once.
static OF_CHILDREN: Mutex<Losses> = Mutex::new(Losses::none());

/// Those of all children.
pub fn of_children() -> MutexGuard<'static, Losses> {
    OF_CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}
