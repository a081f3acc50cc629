//! One output of a child, read into its log.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use super::channel::{Channel, Happening};
use super::thread::Job;
use crate::config::options::LogLevel;
use crate::counters::OfProcess;
use crate::log::child_log::{ChildLog, Speaker};
use crate::log::shared::Holding;
use crate::process::output::Output;
use crate::sys::{errno, pipe, poll};

/// A read below this is one of small writes.
const SMALL: usize = 4096;

/// Reads in a row from one stream before the others get their turn.
const TURN: usize = 16;

/// What a pipe may hold for a child that writes much, bytes.
const LARGE_PIPE: i32 = 256 * 1024;

/// A pipe that could not be read is tried again after so long.
pub(super) const AGAIN: Duration = Duration::from_millis(200);

/// How often a pipe that is drained may fail.
const DRAIN_TRIES: usize = 3;

/// One output of a child.
#[derive(Debug)]
pub struct Stream {
    output: Output,
    pipe: Option<OwnedFd>,
    log: ChildLog,
    enlarged: bool,
    /// Not read before then, as reading has failed.
    again_at: Option<Instant>,
    told: bool,
    /// What was left when the last attempt to drain it has failed.
    unread: Option<Unread>,
}

/// Output that could not be read.
#[derive(Debug)]
struct Unread {
    /// How much it is, if the system tells.
    bytes: Option<usize>,
    why: io::Error,
}

/// Told what was read of an output.
pub type Heard<'a> = &'a dyn Fn(Output, &[u8]);

/// What reading a stream came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Little was there.
    Little,
    /// The buffer was too small for it.
    Much,
    /// The stream has ended.
    End,
}

impl Stream {
    /// Takes the daemon's end of the pipe, made not to block.
    pub fn new(output: Output, pipe: OwnedFd, log: ChildLog) -> Stream {
        let (pipe, again_at, unread) = (Some(pipe), None, None);
        Stream { output, pipe, log, enlarged: false, again_at, told: false, unread }
    }

    /// Its descriptor; -1 once it is closed.
    pub fn fd(&self) -> RawFd {
        self.pipe.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// What to poll for output; -1 while there is none to be had.
    pub fn wants_output(&self) -> RawFd {
        if self.again_at.is_some_and(|at| Instant::now() < at) { -1 } else { self.fd() }
    }

    /// Whether reading it has failed when it was tried last.
    pub fn has_failed(&self) -> bool {
        self.again_at.is_some()
    }

    /// The pipe could not be read, for no reason that a pipe has: it is no end of the output. Told
    /// once.
    fn fail(&mut self, error: &io::Error, speaker: Speaker<'_>) {
        self.again_at = Instant::now().checked_add(AGAIN);
        if !std::mem::replace(&mut self.told, true) {
            let (name, output, why) = (speaker.name, self.output.name(), errno::described(error));
            let line = format_args!("'{name}' {output} can't be read: {why}; it is tried again");
            speaker.tally.count(OfProcess::ReadFailed);
            speaker.logger.log(LogLevel::Error, line);
        }
    }

    /// What was left is read by nobody any more.
    fn lose(&mut self, speaker: Speaker<'_>) {
        let Some(Unread { bytes, why }) = self.unread.take() else { return };
        let what = match bytes {
            Some(0) => return,
            Some(bytes) => {
                speaker.tally.add(OfProcess::LogBytesLost, bytes as u64);
                format!("{bytes} bytes of it are lost")
            }
            None => "what is left of it is lost".to_owned(),
        };
        let (name, output, why) = (speaker.name, self.output.name(), errno::described(&why));
        let line = format_args!("'{name}' {output} can't be read: {why}; {what}");
        speaker.logger.log(LogLevel::Error, line);
    }

    /// Reads until nothing is left or the turn is over.
    pub fn read(&mut self, buffer: &mut [u8], speaker: Speaker<'_>, heard: Heard<'_>) -> Amount {
        (self.again_at, self.unread) = (None, None);
        let Some(fd) = &self.pipe else { return Amount::End };
        for _ in 0..TURN {
            match pipe::read(fd, buffer) {
                Ok(0) => return Amount::End,
                Ok(n) => {
                    let data = buffer.get(..n).unwrap_or_default();
                    self.log.write(data, speaker);
                    heard(self.output, data);
                    if n < buffer.len() {
                        return if n < SMALL { Amount::Little } else { Amount::Much };
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Amount::Little,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fail(&error, speaker);
                    return Amount::Little;
                }
            }
        }
        Amount::Much
    }

    /// Reads what was there when the child was reaped, and no more: others may hold the pipe
    /// and write on.
    pub fn drain(&mut self, buffer: &mut [u8], speaker: Speaker<'_>, heard: Heard<'_>) {
        self.unread = None;
        let Some(fd) = &self.pipe else { return };
        // Who can't tell how much it is ends when there is none, or at what a pipe holds.
        let mut left = pipe::waiting(fd.as_fd()).unwrap_or(LARGE_PIPE as usize);
        let mut failed = 0;
        while left > 0 {
            let want = left.min(buffer.len());
            match pipe::read(fd, buffer.get_mut(..want).unwrap_or_default()) {
                Ok(0) => return,
                Ok(n) => {
                    let data = buffer.get(..n).unwrap_or_default();
                    self.log.write(data, speaker);
                    heard(self.output, data);
                    left = left.saturating_sub(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) if failed < DRAIN_TRIES => failed += 1,
                Err(why) => {
                    // What came since then is of others.
                    let bytes = pipe::waiting(fd.as_fd()).ok().map(|bytes| bytes.min(left));
                    self.unread = Some(Unread { bytes, why });
                    return;
                }
            }
        }
    }

    /// Whether somebody may still write to it; true as well where nobody can tell.
    pub fn is_open(&self) -> bool {
        let mut fds = [poll::entry(self.fd(), poll::IN)];
        let told = poll::poll(&mut fds, Some(Duration::ZERO)).is_ok();
        let is_over = told && fds.iter().all(|fd| fd.revents & (poll::IN | poll::HUP) == poll::HUP);
        self.fd() >= 0 && !is_over
    }

    /// From now on only whole lines go to its log, and none into those of a later child.
    pub fn hold_lines(&mut self) {
        self.log.hold_lines();
    }

    /// Writes what was held of lines and can go.
    pub fn settle(&mut self, now: Instant, speaker: Speaker<'_>) -> Holding {
        self.log.settle(now, speaker)
    }

    /// Opens its log by name again.
    pub fn reopen_log(&mut self, speaker: Speaker<'_>) {
        self.log.reopen(speaker);
    }

    /// Begins its log anew.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear_log(&mut self) -> io::Result<()> {
        self.log.clear()
    }

    /// The child writes much.
    pub fn enlarge(&mut self) {
        if let (Some(fd), false) = (&self.pipe, self.enlarged) {
            self.enlarged = true;
            pipe::enlarge(fd.as_fd(), LARGE_PIPE);
        }
    }

    /// Nothing more is to come, or wanted.
    pub fn close(&mut self, job: &Job, pid: i32) {
        let (channel, speaker) = (self.channel(job, pid), job.speaker());
        self.lose(speaker);
        if self.pipe.take().is_some() {
            self.log.finish(speaker);
            speaker.logger.log(LogLevel::Debug, Happening::Closed(channel));
        }
    }

    /// How the activity log names it.
    pub fn channel<'a>(&self, job: &'a Job, pid: i32) -> Channel<'a> {
        let kind = match self.output {
            Output::Stdout if job.listener => "PEventListenerDispatcher",
            Output::Stdout | Output::Stderr => "POutputDispatcher",
        };
        let (fd, name, output) = (self.fd(), &job.program.name, self.output.name());
        Channel { kind, fd, pid, name, output }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::config::options::MainLog;
    use crate::counters::{Counters, Tally};
    use crate::log::activity::{self, Logger, Setup, Sinks};
    use crate::log::child_log::{Audience, Spoken, Target};
    use crate::log::rotating::Limits;
    use crate::log::shared::Slots;

    struct Nobody;

    impl Audience for Nobody {
        fn wants_pieces(&self, _: Output) -> bool {
            false
        }

        fn hear(&self, _: Output, _: Spoken<'_>) {}
    }

    #[test]
    fn what_cannot_be_read_at_the_end_is_counted_and_told() {
        let path = std::env::temp_dir().join(format!("minder-unread-{}", std::process::id()));
        let target = MainLog::File(path.to_str().unwrap().to_owned());
        let sinks = Sinks::open(&Setup { target, limits: Limits::new(0, 0), echo: false }).unwrap();
        let (logger, queue) = Logger::new(LogLevel::Info);
        activity::start(queue, sinks).unwrap();
        let tally = Arc::new(Tally::new(Arc::new(Counters::default())));
        let speaker = Speaker { name: "a", logger: &logger, audience: &Nobody, tally: &tally };
        let target = Target { file: None, syslog: false, capture: None, events: false };
        let slots = Slots::default();
        let open = (&target, &slots, &tally);
        let log = ChildLog::open(Output::Stdout, open, false, false, speaker).unwrap();
        // This end tells how much there is, and can't be read.
        let pipe = pipe::pipe().unwrap();
        pipe::write(&pipe.write, b"0123456789").unwrap();
        let mut stream = Stream::new(Output::Stdout, pipe.write.try_clone().unwrap(), log);
        for more in [true, false] {
            stream.drain(&mut [0; 64], speaker, &|_, _| {});
            if more {
                // Others may still write, so it is read on.
                assert_eq!(stream.read(&mut [0; 64], speaker, &|_, _| {}), Amount::Little);
                stream.lose(speaker);
                assert_eq!(tally.of(OfProcess::LogBytesLost), 0);
            }
        }
        pipe::write(&pipe.write, b"of others").unwrap();
        stream.lose(speaker);
        stream.lose(speaker);
        assert_eq!(tally.of(OfProcess::LogBytesLost), 10);
        logger.flush(Duration::from_secs(60));
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| &line[24..]).collect();
        let why = "ERRO 'a' stdout can't be read: [Errno 9] Bad file number";
        assert_eq!(
            lines,
            [format!("{why}; it is tried again"), format!("{why}; 10 bytes of it are lost")]
        );
    }
}
