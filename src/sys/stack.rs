//! Memory of a thread's stack that it no longer needs.
#![allow(unsafe_code)]

/// Gives back the pages of the calling thread's stack below the current frame: what a deep call
/// touched once would else stay with a thread that lives as long as its child. `size` is the
/// size that the thread was created with.
pub fn give_back(size: usize) {
    const PAGE: usize = 4096;
    /// What the calls made here may use themselves.
    const OWN: usize = 512;
    let here = 0u8;
    let frame = std::ptr::from_ref(&here) as usize;
    let top = frame.saturating_sub(OWN) & !(PAGE - 1);
    let len = (size / 2) & !(PAGE - 1);
    let Some(bottom) = top.checked_sub(len) else { return };
    // SAFETY: the range lies below the current frame, inside the stack: the caller's depth is
    // far less than half of it. Nothing there is live; the kernel gives zero pages when needed.
    unsafe { libc::madvise(bottom as *mut libc::c_void, len, libc::MADV_DONTNEED) };
}
