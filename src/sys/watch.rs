//! Being told when a file grows, moves or is replaced.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use super::inject::{self, Call};

/// Watches one file by its name, whatever becomes of what it leads to.
#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
    file: Option<WatchDescriptor>,
}

impl Watch {
    /// Watches the directory of the file; the file itself with [`Watch::follow`].
    ///
    /// # Errors
    /// `EMFILE`, `ENOSPC` (too many watches), `ENOENT`.
    pub fn new(path: &Path) -> io::Result<Watch> {
        inject::fail(Call::Inotify)?;
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = parent.unwrap_or(Path::new("."));
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        inject::fail(Call::Inotify)?;
        inotify.add_watch(directory, flags)?;
        Ok(Watch { inotify, file: None })
    }

    /// Watches the file that the name leads to now.
    ///
    /// # Errors
    /// As above.
    pub fn follow(&mut self, path: &Path) -> io::Result<()> {
        if let Some(old) = self.file.take() {
            // Gone already if the file was deleted.
            let _ = self.inotify.rm_watch(old);
        }
        let flags = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DELETE_SELF;
        inject::fail(Call::Inotify)?;
        self.file = Some(self.inotify.add_watch(path, flags)?);
        Ok(())
    }

    /// Takes what was told, so that the descriptor rests until more is.
    pub fn clear(&self) {
        let read = || inject::fail(Call::Read).and_then(|()| Ok(self.inotify.read_events()?));
        while read().is_ok_and(|events| !events.is_empty()) {}
    }
}

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.inotify.as_fd().as_raw_fd()
    }
}
