//! A terminal's settings: kept, changed, and put back.

use std::io;
use std::os::fd::AsFd;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// How stdin's terminal was set when it was asked.
#[derive(Clone, Debug)]
pub struct Settings(Termios);

impl Settings {
    /// Those of stdin's terminal now.
    ///
    /// # Errors
    /// `ENOTTY` where stdin is none.
    pub fn now() -> io::Result<Settings> {
        Ok(Settings(tcgetattr(io::stdin().as_fd())?))
    }

    /// Sets the terminal this way again, once what was written has been shown. Nobody can be told
    /// of a failure: the terminal is gone then.
    pub fn put_back(&self) {
        let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSADRAIN, &self.0);
    }

    /// Sets the terminal this way, but that what is typed is not shown; what was typed before is
    /// dropped, as it was shown.
    ///
    /// # Errors
    /// `EIO` where the terminal is gone.
    pub fn hide(&self) -> io::Result<()> {
        let mut hidden = self.0.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        Ok(tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, &hidden)?)
    }
}
