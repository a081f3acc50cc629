//! What a child leaves behind: pipes that its own children still hold, read for a while after its
//! exit (`drain_timeout`). Its process's state does not wait for this, and the next child may
//! live already, writing the same logs.

use std::time::{Duration, Instant};

use super::blind::Blind;
use super::stream::{AGAIN, Amount, Stream};
use super::thread::Job;
use crate::sys::poll;

/// How soon a line is offered again while the next child is within one of its own.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The rest of a child's output.
pub struct Lingering<'a> {
    /// What its thread was started for.
    pub job: &'a Job,
    /// The pid that it had.
    pub pid: i32,
    /// Its outputs.
    pub streams: [Option<Box<Stream>>; 2],
    /// When it ends; `None`: with the last of those who write.
    pub until: Option<Instant>,
    /// Whether it was told that waiting for it fails.
    pub blind: Blind,
}

impl Lingering<'_> {
    /// Reads until nobody can write any more, the time is over, or the coordinator wishes the end.
    pub fn run(mut self) {
        let mut holds = [true, true];
        while self.streams.iter().flatten().any(|stream| stream.fd() >= 0) {
            let now = Instant::now();
            let left = self.until.map(|until| until.saturating_duration_since(now));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let waits = self.settle(now, &mut holds);
            let soon = waits.then_some(LOOK_AGAIN);
            if self.turn(left.into_iter().chain(soon).min(), holds) == Next::End {
                break;
            }
        }
        self.finish();
    }

    /// Writes what can go. Whether something waits for another's line; which can take more.
    fn settle(&mut self, now: Instant, takes: &mut [bool; 2]) -> bool {
        let mut waits = false;
        for (stream, takes) in self.streams.iter_mut().zip(takes) {
            if let Some(stream) = stream {
                let holding = stream.settle(now, self.job.speaker());
                waits |= holding.waits;
                *takes = !(holding.waits && holding.full);
            }
        }
        waits
    }

    /// Waits for what comes, and reads it.
    fn turn(&mut self, timeout: Option<Duration>, takes: [bool; 2]) -> Next {
        let outputs = self.streams.each_ref();
        let [stdout, stderr] =
            outputs.map(|s| s.as_ref().map_or(-1, |stream| stream.wants_output()));
        let [takes_stdout, takes_stderr] = takes;
        let mut fds = [
            poll::entry(self.job.link.waker_fd(), poll::IN),
            poll::entry(if takes_stdout { stdout } else { -1 }, poll::IN),
            poll::entry(if takes_stderr { stderr } else { -1 }, poll::IN),
        ];
        let fails = self.streams.iter().flatten().any(|stream| stream.has_failed());
        let again = fails.then_some(AGAIN);
        let polled = poll::poll(&mut fds, timeout.into_iter().chain(again).min());
        let [waker, stdout, stderr] = match polled {
            Ok(_) => fds.map(|fd| fd.revents != 0),
            Err(error) => {
                self.blind.rest(&error, self.job.speaker());
                [true, takes_stdout, takes_stderr]
            }
        };
        if waker {
            let wishes = self.job.link.take_wishes();
            if wishes.reopen {
                for stream in self.streams.iter_mut().flatten() {
                    stream.reopen_log(self.job.speaker());
                }
            }
            if wishes.drain {
                return Next::End;
            }
        }
        if stdout || stderr {
            self.read([stdout, stderr]);
        }
        Next::Turn
    }

    fn read(&mut self, ready: [bool; 2]) {
        let mut buffer = self.job.common.buffers.take();
        for (stream, ready) in self.streams.iter_mut().zip(ready) {
            let (Some(stream), true) = (stream, ready) else { continue };
            // What comes of an event listener now is no answer of it.
            match stream.read(&mut buffer, self.job.speaker(), &|_, _| {}) {
                Amount::Little | Amount::Much => {}
                Amount::End => stream.close(self.job, self.pid),
            }
        }
        self.job.common.buffers.put(buffer);
    }

    /// What is there already is taken yet.
    fn finish(mut self) {
        let mut buffer = self.job.common.buffers.take();
        for stream in self.streams.iter_mut().flatten() {
            stream.drain(&mut buffer, self.job.speaker(), &|_, _| {});
            stream.close(self.job, self.pid);
        }
        self.job.common.buffers.put(buffer);
    }
}

/// Whether there is a next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Turn,
    End,
}
