//! The program's own code, given back while the daemon rests.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

/// Gives back the pages of the program's own code and constants: start-up touched nearly all of
/// them, an answer to a client many, and a daemon at rest needs few. What is needed comes back
/// from the page cache, unchanged, since none of these pages can be written.
pub fn forget() {
    // SAFETY: the callback matches the declared type and keeps nothing.
    unsafe { libc::dl_iterate_phdr(Some(forget_segments), std::ptr::null_mut()) };
}

/// For the first object, which is the program itself.
unsafe extern "C" fn forget_segments(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    _data: *mut c_void,
) -> c_int {
    const PAGE: usize = 4096;
    // SAFETY: the loader gives a valid description for the time of the call.
    let (base, count, headers) =
        unsafe { ((*info).dlpi_addr, (*info).dlpi_phnum, (*info).dlpi_phdr) };
    for n in 0..usize::from(count) {
        // SAFETY: `count` headers stand there.
        let header = unsafe { &*headers.add(n) };
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let start = (base as usize + header.p_vaddr as usize) & !(PAGE - 1);
        let len = header.p_memsz as usize & !(PAGE - 1);
        // SAFETY: whole pages of a segment that is mapped from the file and can't be written,
        // so each comes back with the same bytes.
        unsafe { libc::madvise(start as *mut c_void, len, libc::MADV_DONTNEED) };
    }
    1
}
