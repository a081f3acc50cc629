//! What becomes of one output channel of a child: its file, the system's log, the debug lines.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::activity::Logger;
use super::ansi::Ansi;
use super::losses::Change;
use super::rotating::{Limits, Rotating, Trouble};
use super::shared::{Holding, Slots, Writer};
use super::syslog;
use crate::config::options::LogLevel;
use crate::counters::{OfProcess, Tally};
use crate::event::capture::{Capture, Piece};
use crate::event::notice::Notice;
use crate::event::text::{self, Decoder};
use crate::process::output::Output;
use crate::sys::errno;
use crate::sys::file::{self, Mode};
use crate::sys::syslog as system;

/// Where a channel's bytes go, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The file, if any.
    pub file: Option<LogFile>,
    /// Lines go to the system's log as well.
    pub syslog: bool,
    /// Bytes of a message between capture tokens that are kept; `None`: tokens mean nothing.
    pub capture: Option<NonZeroUsize>,
    /// Each piece is an event.
    pub events: bool,
}

/// A child's log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Where.
    pub path: Box<Path>,
    /// The daemon named it, in childlogdir.
    pub auto: bool,
    /// When it rotates.
    pub limits: Limits,
}

impl LogFile {
    /// Begins it anew, while no child has it open.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> io::Result<()> {
        match file::look_at(&self.path) {
            Ok(found) if found.is_file() => {
                Rotating::closed(&self.path, self.mode(), self.limits).clear()
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Who may read it.
    pub fn mode(&self) -> Mode {
        if self.auto { Mode::Private } else { Mode::Usual }
    }
}

/// The log of one channel of one child.
#[derive(Debug)]
pub struct ChildLog {
    output: Output,
    file: Option<Writer>,
    /// Lines go to the system's log; those that don't are counted here.
    syslog: Option<Arc<Tally>>,
    stripping: Option<Box<Stripping>>,
    capture: Option<Box<Capture>>,
    events: bool,
    /// From when somebody first wanted text.
    decoder: Option<Box<Decoder>>,
}

/// Control sequences are dropped.
#[derive(Debug, Default)]
struct Stripping {
    ansi: Ansi,
    /// What is left of a read.
    text: Vec<u8>,
}

/// What a channel's log needs to speak for itself.
#[derive(Clone, Copy)]
pub struct Speaker<'a> {
    /// The process.
    pub name: &'a str,
    /// Where it speaks.
    pub logger: &'a Logger,
    /// Who else listens.
    pub audience: &'a dyn Audience,
    /// What is counted of it.
    pub tally: &'a Tally,
}

/// What a process has written, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken<'a> {
    /// As it came.
    Piece(&'a str),
    /// Between capture tokens, whole.
    Message(&'a str),
}

/// Those who hear what a process writes, besides its logs.
pub trait Audience {
    /// Whether anybody wants pieces of this output.
    fn wants_pieces(&self, output: Output) -> bool;
    /// They are told.
    fn hear(&self, output: Output, spoken: Spoken<'_>);
}

impl ChildLog {
    /// Opens the log of a channel.
    ///
    /// # Errors
    /// The file can't be opened, and never could: a fault of the configuration. One that could
    /// be opened before is tried again while the child runs.
    pub fn open(
        output: Output,
        (target, slots, tally): (&Target, &Slots, &Arc<Tally>),
        strip_ansi: bool,
        opened_before: bool,
        speaker: Speaker<'_>,
    ) -> io::Result<ChildLog> {
        let mut troubles = Vec::new();
        let open = |log: &LogFile| match Rotating::open(&log.path, log.mode(), log.limits) {
            Err(error) if opened_before || has_no_reader(&error) => {
                Ok(Rotating::closed(&log.path, log.mode(), log.limits))
            }
            opened => opened,
        };
        let mut join = |log: &LogFile| {
            let mut tell = |trouble| troubles.push(trouble);
            Writer::join((slots, tally), output, &log.path, log.limits, || open(log), &mut tell)
        };
        let file = target.file.as_ref().map(&mut join).transpose()?;
        // Once for a process, not at each of its starts.
        troubles.extend(file.as_ref().filter(|_| !opened_before).and_then(Writer::check_rotation));
        for trouble in &troubles {
            tell(output, file.as_ref(), trouble, speaker);
        }
        let stripping = strip_ansi.then(Box::default);
        let capture = target.capture.map(|maxbytes| Box::new(Capture::new(maxbytes.get())));
        Ok(ChildLog {
            output,
            file,
            syslog: target.syslog.then(|| Arc::clone(tally)),
            stripping,
            capture,
            events: target.events,
            decoder: None,
        })
    }

    /// Takes what the child wrote.
    pub fn write(&mut self, data: &[u8], speaker: Speaker<'_>) {
        match self.stripping.take() {
            None => self.split(data, speaker),
            Some(mut stripping) => {
                let Stripping { ansi, text } = &mut *stripping;
                text.clear();
                ansi.strip(data, text);
                self.split(text, speaker);
                self.stripping = Some(stripping);
            }
        }
    }

    /// Parts messages from the rest.
    fn split(&mut self, data: &[u8], speaker: Speaker<'_>) {
        match self.capture.take() {
            None => self.deliver(Piece::Plain(data), speaker),
            Some(mut capture) => {
                capture.feed(data, &mut |piece| self.deliver(piece, speaker));
                self.capture = Some(capture);
            }
        }
    }

    /// The output has ended: what may have been the begin of a sequence or a token was none.
    pub fn finish(&mut self, speaker: Speaker<'_>) {
        let mut held = Vec::new();
        if let Some(stripping) = &mut self.stripping {
            stripping.ansi.finish(&mut held);
        }
        if !held.is_empty() {
            self.split(&held, speaker);
        }
        if let Some(mut capture) = self.capture.take() {
            capture.finish(&mut |piece| self.deliver(piece, speaker));
        }
        if let Some(mut decoder) = self.decoder.take() {
            self.show(&decoder.finish(), speaker);
        }
        self.with_file(speaker, |file, tell| file.finish(tell));
    }

    /// From now on only whole lines go to the file, and none into those of a later child.
    pub fn hold_lines(&mut self) {
        if let Some(file) = &mut self.file {
            file.hold_lines();
        }
    }

    /// Writes what was held of lines and can go.
    pub fn settle(&mut self, now: Instant, speaker: Speaker<'_>) -> Holding {
        self.with_file(speaker, |file, tell| file.settle(now, tell)).unwrap_or_default()
    }

    /// Does something with the file, and tells what troubles came of it.
    fn with_file<T>(
        &mut self,
        speaker: Speaker<'_>,
        act: impl FnOnce(&mut Writer, &mut dyn FnMut(Trouble)) -> T,
    ) -> Option<T> {
        let mut troubles = Vec::new();
        let done = self.file.as_mut().map(|file| act(file, &mut |trouble| troubles.push(trouble)));
        for trouble in &troubles {
            tell(self.output, self.file.as_ref(), trouble, speaker);
        }
        done
    }

    fn deliver(&mut self, piece: Piece<'_>, speaker: Speaker<'_>) {
        match piece {
            Piece::Plain(data) => {
                self.keep(data, speaker);
                self.decode(data, speaker);
            }
            Piece::Captured(data) => self.decode(data, speaker),
            Piece::Message(data) => {
                let (process, output) = (speaker.name.into(), self.output);
                let notice = Notice::Communication { process, output };
                speaker.logger.log(notice.level(), notice);
                speaker.audience.hear(output, Spoken::Message(&text::text(data)));
            }
        }
    }

    /// To the file and to the system's log.
    fn keep(&mut self, data: &[u8], speaker: Speaker<'_>) {
        self.with_file(speaker, |file, tell| file.write(data, tell));
        let Some(tally) = &self.syslog else { return };
        for line in String::from_utf8_lossy(data).lines() {
            let sent = system::line(&[speaker.name, " ", line]);
            if sent.is_err() {
                tally.count(OfProcess::SyslogLinesLost);
            }
            let now = Instant::now();
            let change = match sent {
                Ok(()) => syslog::of_children().go(now),
                Err(error) => syslog::of_children().lose(1, error, now),
            };
            if let Some(change) = change {
                tell_of_syslog(&change, speaker.logger);
            }
        }
    }

    /// As text, where anybody wants that.
    fn decode(&mut self, data: &[u8], speaker: Speaker<'_>) {
        if self.is_heard(speaker) || speaker.logger.writes(LogLevel::Debug) {
            let mut decoder = self.decoder.take().unwrap_or_default();
            self.show(&decoder.decode(data), speaker);
            self.decoder = Some(decoder);
        }
    }

    fn is_heard(&self, speaker: Speaker<'_>) -> bool {
        self.events && speaker.audience.wants_pieces(self.output)
    }

    /// To the activity log, for those who look for a fault, and to listeners.
    fn show(&self, text: &str, speaker: Speaker<'_>) {
        if text.is_empty() {
            return;
        }
        if speaker.logger.writes(LogLevel::Debug) {
            let (name, output) = (speaker.name, self.output.name());
            speaker.logger.log(LogLevel::Debug, format_args!("'{name}' {output} output:\n{text}"));
        }
        if self.is_heard(speaker) {
            speaker.audience.hear(self.output, Spoken::Piece(text));
        }
    }

    /// Opens the file by its name again.
    pub fn reopen(&mut self, speaker: Speaker<'_>) {
        self.with_file(speaker, |file, tell| file.reopen(tell));
    }

    /// Removes the file and begins a new one.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&mut self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), Writer::clear)
    }
}

/// A fifo that nobody reads yet.
fn has_no_reader(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENXIO)
}

fn tell(output: Output, file: Option<&Writer>, trouble: &Trouble, speaker: Speaker<'_>) {
    let path = file.map_or_else(String::new, Writer::path);
    match (trouble, file.map(Writer::tally)) {
        (Trouble::Writing(Change::Began(_)), Some(tally)) => tally.count(OfProcess::LogFailed),
        (Trouble::CannotRotate(_), Some(tally)) => tally.count(OfProcess::RotationFailed),
        (Trouble::Writing(Change::Ended(_) | Change::Left(_)) | Trouble::NotRotated, _)
        | (_, None) => {}
    }
    let whose = format!("'{}' {} log {path}", speaker.name, output.name());
    match trouble {
        Trouble::Writing(Change::Began(error)) => speaker.logger.log(
            LogLevel::Error,
            format_args!(
                "{whose} can't be written: {}; output is lost until it can",
                errno::described(error)
            ),
        ),
        Trouble::Writing(Change::Ended(bytes)) => speaker.logger.log(
            LogLevel::Warn,
            format_args!("{whose} is written again; {bytes} bytes of output are lost"),
        ),
        Trouble::Writing(Change::Left(bytes)) => speaker.logger.log(
            LogLevel::Warn,
            format_args!(
                "{whose} could not be written to the end; {bytes} bytes of output are lost"
            ),
        ),
        Trouble::CannotRotate(error) => speaker.logger.log(
            LogLevel::Error,
            format_args!("{whose} can't be rotated: {}; it grows on", errno::described(error)),
        ),
        Trouble::NotRotated => speaker.logger.log(
            LogLevel::Warn,
            format_args!("{whose} has no size, so it is never rotated; set maxbytes to 0"),
        ),
    }
}

fn tell_of_syslog(change: &Change, logger: &Logger) {
    let path = system::PATH;
    match change {
        Change::Began(error) => logger.log(
            LogLevel::Error,
            format_args!(
                "the system's log {path} can't be written: {}; lines of output for it are lost \
                 until it can",
                errno::described(error)
            ),
        ),
        Change::Ended(lines) | Change::Left(lines) => logger.log(
            LogLevel::Warn,
            format_args!(
                "the system's log {path} is written again; {lines} lines of output for it are lost"
            ),
        ),
    }
}
