//! Memory that was needed once and is not kept. musl's allocator does so by itself.
#![allow(unsafe_code)]

/// A block so large is the kernel's again as soon as it is freed, bytes. Else glibc raises the
/// bound with each large block that is freed, and a few requests of megabytes would stay with
/// the daemon for good.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 256 * 1024;

/// Keeps no large block once it is freed, and one heap for all threads: glibc would give each of
/// the first sixteen, say, a heap of its own, which keeps what its thread's successors leave
/// there. None of ours allocates where time counts. For the start of the program.
pub fn keep_little() {
    // SAFETY: takes integers only.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_ARENA_MAX, 1);
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
