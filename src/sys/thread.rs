//! Threads that cost little: no stack for signal handlers, no handle to join. There is one for
//! each live child, and the standard library's cost it two mappings and two pages more.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use super::inject::{self, Call};

type Body = Box<dyn FnOnce() + Send>;

/// Starts a thread of that name (15 bytes at the most) and stack, bytes. Nobody can wait for it.
///
/// # Errors
/// `EAGAIN`, `ENOMEM`: no thread could be had.
pub fn start(name: &'static CStr, stack: usize, body: Body) -> io::Result<()> {
    inject::fail(Call::Thread)?;
    let start = Box::new(Start { name, body });
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    let argument = Box::into_raw(start);
    // SAFETY: initialised before use and destroyed after it; `argument` belongs to the thread
    // from the moment that it was made, and to us again if it was not.
    unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack);
        let failed = libc::pthread_create(
            thread.as_mut_ptr(),
            attributes.as_ptr(),
            run,
            argument.cast::<c_void>(),
        );
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        if failed != 0 {
            drop(Box::from_raw(argument));
            return Err(io::Error::from_raw_os_error(failed));
        }
    }
    Ok(())
}

struct Start {
    name: &'static CStr,
    body: Body,
}

extern "C" fn run(argument: *mut c_void) -> *mut c_void {
    // SAFETY: what `start` gave away.
    let Start { name, body } = *unsafe { Box::from_raw(argument.cast::<Start>()) };
    // SAFETY: a string with its end.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    // Nothing may unwind into the C library; who cares about a panic catches it before.
    let _ = catch_unwind(AssertUnwindSafe(body));
    ptr::null_mut()
}
