//! A wall clock of the daemon's own, which the test sets.
//!
//! libfaketime, preloaded, lays an offset that stands in a file over the wall clock and leaves
//! the monotonic one alone. Only a dynamic binary loads it, so ours is the build of this
//! package, whatever MINDER_OURS names.

use std::fs;
use std::path::PathBuf;

use super::{Setup, Side, TestDaemon};

fn library() -> PathBuf {
    let below = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let file = "faketime/libfaketimeMT.so.1";
    let found = below.map(|entry| entry.path().join(file)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no /usr/lib/*/{file}: install Debian's package libfaketime"))
}

impl Setup {
    /// Lets the daemon's wall clock be set. Its children see the true one.
    pub fn own_wall_clock(mut self) -> Setup {
        if self.side == Side::Ours {
            self = self.supervisord_file(env!("CARGO_BIN_EXE_supervisord").into());
        }
        let offset = self.path("offset");
        fs::write(&offset, "+0").expect("the clock's offset");
        self.env("LD_PRELOAD", library().to_str().expect("a path"))
            .env("FAKETIME_TIMESTAMP_FILE", offset.to_str().expect("a path"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .supervisord("environment=LD_PRELOAD=\"\"")
    }
}

impl TestDaemon {
    /// Lays that many seconds over the wall clock.
    pub fn set_wall_clock(&self, offset: i64) {
        // Not in place: a half-written file would read as another time.
        fs::write(self.path("offset.new"), format!("{offset:+}")).expect("the clock's offset");
        fs::rename(self.path("offset.new"), self.path("offset")).expect("the clock's offset");
    }
}
