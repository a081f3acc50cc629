//! The system's log.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::sync::OnceLock;

/// Sets the name under which lines appear. Only the first call counts: libc keeps the pointer.
pub fn open(ident: &str) {
    static IDENT: OnceLock<CString> = OnceLock::new();
    let kept = IDENT.get_or_init(|| CString::new(ident).unwrap_or_default());
    // SAFETY: the string lives as long as the process.
    unsafe { libc::openlog(kept.as_ptr(), 0, libc::LOG_USER) };
}

/// Sends one line, level INFO. What follows a NUL is cut.
pub fn line(text: &str) {
    const FORMAT: &CStr = c"%s";
    let end = text.find('\0').unwrap_or(text.len());
    let Ok(text) = CString::new(text.get(..end).unwrap_or_default()) else { return };
    // SAFETY: the format takes the one string that is given.
    unsafe { libc::syslog(libc::LOG_USER | libc::LOG_INFO, FORMAT.as_ptr(), text.as_ptr()) };
}
