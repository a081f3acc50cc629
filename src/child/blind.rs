//! A thread that can't wait for what its child does, as a poll fails.

use std::io;

use super::stream::AGAIN;
use crate::config::options::LogLevel;
use crate::counters::OfProcess;
use crate::log::child_log::Speaker;
use crate::sys::errno;

/// Whether that was told of a child.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blind {
    told: bool,
}

impl Blind {
    /// Without memory for a poll: the thread looks at everything from time to time, as none of it
    /// blocks, until a poll works again. Tells so once in a child's life, and rests until it is
    /// time to look.
    #[inline(never)]
    pub fn rest(&mut self, error: &io::Error, speaker: Speaker<'_>) {
        if !std::mem::replace(&mut self.told, true) {
            let (name, why) = (speaker.name, errno::described(error));
            let line =
                format_args!("'{name}' is looked at in steps, as waiting for it fails: {why}");
            speaker.tally.count(OfProcess::PollFailed);
            speaker.logger.log(LogLevel::Error, line);
        }
        std::thread::sleep(AGAIN);
    }
}
