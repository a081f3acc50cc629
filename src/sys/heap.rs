//! Memory that was needed once and is not kept. musl's allocator does so by itself.
#![allow(unsafe_code)]

/// A block so large is the kernel's again as soon as it is freed, bytes. Else glibc raises the
/// bound with each large block that is freed, and a few requests of megabytes would stay with
/// the daemon for good.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 256 * 1024;

/// Keeps no large block once it is freed. For the start of the program.
pub fn keep_no_large_blocks() {
    // SAFETY: takes integers only.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE)
    };
}

/// Gives back what is free in whole pages: for when the program rests.
pub fn give_back() {
    // SAFETY: touches free memory only, under the allocator's own locks.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}
