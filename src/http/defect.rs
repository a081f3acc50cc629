//! Panics of what serves a request, turned into answers.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::config::options::LogLevel;

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

/// The line about a request, other than a call, that was answered by 500.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerError<'a> {
    /// The listener's address.
    pub(super) address: &'a str,
    /// What happened.
    pub(super) details: &'a str,
}

impl ServerError<'_> {
    pub(super) fn level(&self) -> LogLevel {
        LogLevel::Error
    }
}

impl fmt::Display for ServerError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:Server Error: {}", self.address, self.details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_has_its_words_in_the_line() {
        let panic = guarded(|| panic!("a defect")).unwrap_err();
        let error = ServerError { address: "127.0.0.1:9001", details: &panic };
        let line = format!("{} {error}", error.level().tag());
        assert_eq!(line, "ERRO 127.0.0.1:9001:Server Error: a defect");
    }
}
