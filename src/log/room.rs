//! Room for what waits to be written to the activity log: a count of messages and one of bytes, so
//! that a log that hangs costs a bounded memory, however long the lines are.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of lines that may wait. A longer line may wait alone.
const BYTES: usize = 4 << 20;

/// What waits. It is bounded by these counts and not by a channel of a size, which would hold
/// memory for all from the start.
#[derive(Debug, Default)]
pub struct Room {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

impl Room {
    /// Room for one more message with so many bytes, beside fewer messages than `most`. False:
    /// there is none, and nothing was taken. Never waits, from any thread.
    pub fn take(&self, most: usize, bytes: usize) -> bool {
        let taken = self.messages.fetch_add(1, Ordering::Relaxed) < most && self.take_bytes(bytes);
        if !taken {
            self.messages.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    /// Never more than there is, not for a moment: a long line that finds no room must not take it
    /// from a short one.
    fn take_bytes(&self, bytes: usize) -> bool {
        let all = |waiting: usize| {
            let sum = waiting.saturating_add(bytes);
            (bytes == 0 || waiting == 0 || sum <= BYTES).then_some(sum)
        };
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, all).is_ok()
    }

    /// A message with so many bytes waits no more.
    pub fn give_back(&self, bytes: usize) {
        self.messages.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_messages_are_bounded() {
        let room = Room::default();
        assert!((0..4).all(|_| room.take(9, BYTES / 4)), "as much as there is");
        assert!(!room.take(9, 1));
        assert!(room.take(9, 0), "what has no bytes");
        room.give_back(BYTES / 4);
        assert!(!room.take(9, BYTES / 4 + 1) && room.take(9, BYTES / 4 - 1) && room.take(9, 1));
        assert!(!room.take(6, 0), "six wait");
        room.give_back(1);
        assert!(room.take(6, 1), "nothing was taken by those that found none");
    }

    #[test]
    fn a_line_larger_than_all_room_waits_alone() {
        let room = Room::default();
        assert!(room.take(9, 4 * BYTES));
        assert!(!room.take(9, 1));
        room.give_back(4 * BYTES);
        assert!(room.take(9, 1));
        assert!(!room.take(9, 4 * BYTES));
        assert!(room.take(9, BYTES - 1));
    }
}
