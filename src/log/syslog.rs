//! Lines that the system's log did not take: how many, and when there is something to tell.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So long after the last loss the next line that goes counts as the end of the trouble: a reader
/// that now and then finds time for a line is told of once.
const HEALED: Duration = Duration::from_secs(1);

/// What there is to tell.
#[derive(Debug)]
pub enum Trouble {
    /// Lines are being lost from now on.
    Began(io::Error),
    /// They are taken again; how many were lost.
    Ended(u64),
}

/// The lines that were lost of those who share what is told.
#[derive(Debug, Default)]
pub struct Losses {
    lines: u64,
    last: Option<Instant>,
}

/// Those of all children: they have one reader, and trouble with it is told once.
static OF_CHILDREN: Mutex<Losses> = Mutex::new(Losses { lines: 0, last: None });

/// Those of all children.
pub fn of_children() -> MutexGuard<'static, Losses> {
    OF_CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Losses {
    /// Takes what became of a line that was sent at that moment.
    pub fn note(&mut self, sent: io::Result<()>, now: Instant) -> Option<Trouble> {
        match (sent, self.last) {
            (Ok(()), Some(last)) if now.saturating_duration_since(last) >= HEALED => {
                self.last = None;
                Some(Trouble::Ended(std::mem::take(&mut self.lines)))
            }
            (Ok(()), _) => None,
            (Err(error), before) => {
                self.lines += 1;
                self.last = Some(now);
                before.is_none().then_some(Trouble::Began(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_losses_is_told_twice_however_many_lines_go_between_them() {
        let mut losses = Losses::default();
        let begin = Instant::now();
        let mut note = |sent: bool, at: u64| {
            let sent = if sent { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) };
            losses.note(sent, begin + Duration::from_millis(at)).map(|told| match told {
                Trouble::Began(_) => 0,
                Trouble::Ended(lines) => lines,
            })
        };
        assert_eq!(note(true, 0), None);
        assert_eq!(note(false, 1), Some(0));
        assert_eq!([note(false, 2), note(true, 3), note(false, 4), note(true, 1003)], [None; 4]);
        assert_eq!(note(true, 1004), Some(3));
        assert_eq!(note(true, 1005), None);
        assert_eq!(note(false, 1006), Some(0), "another time");
        assert_eq!(note(true, 2006), Some(1));
    }
}
