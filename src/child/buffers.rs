//! Buffers to read with, shared by all children: one at rest holds none, and those that write
//! little use the same few pages in turn.

use std::sync::{Arc, Mutex, PoisonError};

/// The size of a buffer, bytes.
pub const SIZE: usize = 64 * 1024;

/// Buffers kept for the next who needs one; more are given back to the system.
const KEPT: usize = 2;

/// The shared store.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Mutex<Vec<Box<[u8]>>>>);

impl Buffers {
    /// A buffer, with what it last held.
    pub fn take(&self) -> Box<[u8]> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice())
    }

    /// Gives one back.
    pub fn put(&self, buffer: Box<[u8]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    }
}
