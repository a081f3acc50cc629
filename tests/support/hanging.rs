//! A file system that hangs when it is told to (tests/fixtures/hanging_fs): whoever touches it
//! waits.

use std::{fs, process::Command};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use super::{Setup, TestDaemon, copy_fixtures, process_stat, wait_for};

/// The server of the file system; it hangs while the server is stopped.
pub struct FileSystem(Pid);

impl FileSystem {
    /// That of a daemon with a [`mounted`] one.
    pub fn of(d: &TestDaemon) -> FileSystem {
        let pid = d.read("fs.pid").trim().parse().expect("the server's pid");
        FileSystem(Pid::from_raw(pid))
    }

    /// What it has taken up before it stops it would never answer, and who waits for that can't even
    /// be killed.
    pub fn hang(&self) {
        signal::kill(self.0, Signal::SIGSTOP).expect("the server");
        let stopped = || process_stat(self.0.as_raw()).filter(|stat| stat.state == 'T');
        wait_for("the server to stop", 20, stopped);
    }

    /// It answers again.
    pub fn go_on(&self) {
        signal::kill(self.0, Signal::SIGCONT).expect("the server");
    }
}

/// With the server the file system ends, and all who wait for it are released.
impl Drop for FileSystem {
    fn drop(&mut self) {
        let _ = signal::kill(self.0, Signal::SIGKILL);
    }
}

/// Mounts it at `disk`, for the daemon alone; or why that can't be done here.
pub fn mounted(setup: Setup) -> Result<Setup, String> {
    copy_fixtures(&["hanging_fs"], &setup.path(""));
    fs::create_dir(setup.path("disk")).expect("a directory to mount at");
    let [server, disk, pidfile, probe] =
        ["hanging_fs", "disk", "fs.pid", "probe.pid"].map(|name| setup.path(name));
    let possible = Command::new("unshare")
        .args(["--mount", "/bin/sh", "-c", "\"$0\" \"$1\" \"$2\" && kill $(cat \"$2\")"])
        .args([&server, &disk, &probe])
        .output()
        .expect("unshare");
    let _ = fs::remove_file(&probe);
    if !possible.status.success() {
        let why = String::from_utf8_lossy(&possible.stderr).trim().to_owned();
        return Err(format!("FUSE can't be had here: {why}"));
    }
    let [server, disk, pidfile] = [server, disk, pidfile].map(|path| path.display().to_string());
    let start = format!("{server} {disk} {pidfile} /usr/bin/tail");
    Ok(setup.launcher(&["unshare", "--mount"]).prelude(&start))
}
