//! What becomes of one output channel of a child: its file, the system's log, the debug lines.

use std::io;
use std::path::PathBuf;

use super::activity::Logger;
use super::ansi::Ansi;
use super::rotating::{Limits, Rotating, Trouble};
use crate::config::options::LogLevel;
use crate::event::capture::{Capture, Piece};
use crate::sys::file::Mode;
use crate::sys::{errno, syslog};

/// Which output a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

impl Output {
    /// Its name in messages and file names.
    pub fn name(self) -> &'static str {
        match self {
            Output::Stdout => "stdout",
            Output::Stderr => "stderr",
        }
    }
}

/// Where a channel's bytes go, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The file, if any.
    pub file: Option<LogFile>,
    /// Lines go to the system's log as well.
    pub syslog: bool,
    /// Bytes of a message between capture tokens that are kept; `None`: tokens mean nothing.
    pub capture: Option<usize>,
}

/// A child's log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Where.
    pub path: PathBuf,
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
        if self.path.is_file() {
            Rotating::closed(&self.path, self.mode(), self.limits).clear()?;
        }
        Ok(())
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
    file: Option<Rotating>,
    syslog: bool,
    ansi: Option<Ansi>,
    stripped: Vec<u8>,
    capture: Option<Box<Capture>>,
}

/// What a channel's log needs to speak for itself.
#[derive(Clone, Copy)]
pub struct Speaker<'a> {
    /// The process.
    pub name: &'a str,
    /// Where it speaks.
    pub logger: &'a Logger,
}

impl ChildLog {
    /// Opens the log of a channel.
    ///
    /// # Errors
    /// The file can't be opened, and never could: a fault of the configuration. One that could
    /// be opened before is tried again while the child runs.
    pub fn open(
        output: Output,
        target: &Target,
        strip_ansi: bool,
        opened_before: bool,
        speaker: Speaker<'_>,
    ) -> io::Result<ChildLog> {
        let file = match &target.file {
            None => None,
            Some(log) => Some(match Rotating::open(&log.path, log.mode(), log.limits) {
                Ok(file) => file,
                Err(error) if opened_before || has_no_reader(&error) => {
                    Rotating::closed(&log.path, log.mode(), log.limits)
                }
                Err(error) => return Err(error),
            }),
        };
        if let Some(trouble) = file.as_ref().and_then(Rotating::check_rotation) {
            tell(output, file.as_ref(), &trouble, speaker);
        }
        let ansi = strip_ansi.then(Ansi::default);
        let capture = target.capture.map(|maxbytes| Box::new(Capture::new(maxbytes)));
        let (syslog, stripped) = (target.syslog, Vec::new());
        Ok(ChildLog { output, file, syslog, ansi, stripped, capture })
    }

    /// Takes what the child wrote.
    pub fn write(&mut self, data: &[u8], speaker: Speaker<'_>) {
        let mut stripped = std::mem::take(&mut self.stripped);
        let data = match &mut self.ansi {
            None => data,
            Some(ansi) => {
                stripped.clear();
                ansi.strip(data, &mut stripped);
                stripped.as_slice()
            }
        };
        match self.capture.take() {
            None => self.deliver(Piece::Plain(data), speaker),
            Some(mut capture) => {
                capture.feed(data, &mut |piece| self.deliver(piece, speaker));
                self.capture = Some(capture);
            }
        }
        self.stripped = stripped;
    }

    /// The output has ended: what may have been the begin of a token was none.
    pub fn finish(&mut self, speaker: Speaker<'_>) {
        if let Some(mut capture) = self.capture.take() {
            capture.finish(&mut |piece| self.deliver(piece, speaker));
        }
    }

    fn deliver(&mut self, piece: Piece<'_>, speaker: Speaker<'_>) {
        let (name, output) = (speaker.name, self.output.name());
        match piece {
            Piece::Plain(data) => {
                self.keep(data, speaker);
                self.show(data, speaker);
            }
            Piece::Captured(data) => self.show(data, speaker),
            Piece::Message(_) => {
                let line = format_args!("'{name}' {output} emitted a comm event");
                speaker.logger.log(LogLevel::Debug, line);
            }
        }
    }

    /// To the file and to the system's log.
    fn keep(&mut self, data: &[u8], speaker: Speaker<'_>) {
        if let Some(file) = &mut self.file {
            let mut troubles = Vec::new();
            file.write(data, &mut |trouble| troubles.push(trouble));
            self.tell_all(&troubles, speaker);
        }
        if self.syslog {
            for line in String::from_utf8_lossy(data).lines() {
                syslog::line(&format!("{} {line}", speaker.name));
            }
        }
    }

    /// To the activity log, for those who look for a fault.
    fn show(&self, data: &[u8], speaker: Speaker<'_>) {
        if speaker.logger.writes(LogLevel::Debug) {
            let (name, output) = (speaker.name, self.output.name());
            let text = String::from_utf8_lossy(data);
            speaker.logger.log(LogLevel::Debug, format_args!("'{name}' {output} output:\n{text}"));
        }
    }

    /// Opens the file by its name again.
    pub fn reopen(&mut self, speaker: Speaker<'_>) {
        if let Some(file) = &mut self.file {
            let mut troubles = Vec::new();
            file.reopen(&mut |trouble| troubles.push(trouble));
            self.tell_all(&troubles, speaker);
        }
    }

    /// Removes the file and begins a new one.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Rotating::clear)
    }

    fn tell_all(&self, troubles: &[Trouble], speaker: Speaker<'_>) {
        for trouble in troubles {
            tell(self.output, self.file.as_ref(), trouble, speaker);
        }
    }
}

/// A fifo that nobody reads yet.
fn has_no_reader(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENXIO)
}

fn tell(output: Output, file: Option<&Rotating>, trouble: &Trouble, speaker: Speaker<'_>) {
    let path = file.map_or_else(String::new, |file| file.path().display().to_string());
    let whose = format!("'{}' {} log {path}", speaker.name, output.name());
    match trouble {
        Trouble::Began(error) => speaker.logger.log(
            LogLevel::Error,
            format_args!(
                "{whose} can't be written: {}; output is lost until it can",
                errno::described(error)
            ),
        ),
        Trouble::Ended(bytes) => speaker.logger.log(
            LogLevel::Warn,
            format_args!("{whose} is written again; {bytes} bytes of output are lost"),
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
