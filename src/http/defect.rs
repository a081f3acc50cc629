//! Panics of what serves a request, turned into answers.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does it; a panic is an error with the panic's words. What it was changing when it panicked
/// must not be used any more.
pub(super) fn guarded<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| panic_text(&*panic).to_owned())
}

/// The words of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}
