//! A /dev of the daemon's own, and whoever reads the system's log there: it may stop reading, go
//! away and come again.

use std::{
    fs, io,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::{Setup, TestDaemon};

/// Where the log of the daemon's /dev is, for the test.
const SOCKET: &str = "dev/log";

impl Setup {
    /// Puts a /dev without a log in the place of the machine's, for the daemon alone. Needs root.
    pub fn own_dev(mut self) -> Setup {
        let dev = self.path("dev");
        fs::create_dir(&dev).expect("a directory for devices");
        self.own_mounts = true;
        self.prelude(&in_place_of_dev(&dev))
    }

    /// Begins to keep the log of that /dev.
    pub fn system_log(&self) -> SystemLog {
        SystemLog::bind(&self.path(SOCKET))
    }
}

/// Commands of a shell that has mounts of its own.
pub fn in_place_of_dev(dev: &Path) -> String {
    let dev = dev.display();
    format!(
        "for name in null zero random urandom tty; do \
         : > {dev}/$name; mount --bind /dev/$name {dev}/$name; done; mount --rbind {dev} /dev"
    )
}

impl TestDaemon {
    /// Begins to keep the log of its /dev, in the place of whoever did.
    pub fn system_log(&self) -> SystemLog {
        SystemLog::bind(&self.path(SOCKET))
    }
}

/// Keeps the log: reads nothing until it is told to.
pub struct SystemLog {
    path: PathBuf,
    socket: Arc<UnixDatagram>,
    lines: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
}

impl SystemLog {
    /// Takes the name, whoever has it.
    pub fn bind(path: &Path) -> SystemLog {
        let new = path.with_extension("new");
        let socket = UnixDatagram::bind(&new).expect("a socket for the system's log");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        fs::rename(new, path).expect("the system's log");
        let (socket, lines, ends) = (Arc::new(socket), Arc::default(), Arc::default());
        SystemLog { path: path.to_owned(), socket, lines, ends }
    }

    /// Reads from now on.
    pub fn read(&self) {
        let (socket, lines) = (Arc::clone(&self.socket), Arc::clone(&self.lines));
        let ends = Arc::clone(&self.ends);
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 18];
            while !ends.load(Ordering::Relaxed) {
                match socket.recv(&mut buffer) {
                    Ok(length) => {
                        let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
                        lines.lock().expect("the lines").push(line);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => panic!("the system's log: {error}"),
                }
            }
        });
    }

    /// Goes away, and the name with it.
    pub fn end(self) {
        fs::remove_file(&self.path).expect("the system's log");
    }

    /// What was read: the text of each line behind time and name, which are as they should be.
    pub fn texts(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("the lines");
        let text = |line: &String| {
            let text = line.get("<14>Nov 21 01:58:09".len()..);
            let text = text.and_then(|rest| rest.strip_prefix(" supervisord: "));
            text.unwrap_or_else(|| panic!("not a line of the system's log: {line:?}")).to_owned()
        };
        lines.iter().map(text).collect()
    }
}

impl Drop for SystemLog {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}
