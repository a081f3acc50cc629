//! A terminal with a program on it, and a test in front of it.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use nix::{
    pty::{Winsize, openpty},
    sys::{
        signal::{self, Signal},
        termios::{LocalFlags, tcgetattr},
    },
    unistd::Pid,
};

use crate::support::{Side, TestDaemon, wait_for};

pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";
pub const UP: &str = "\x1b[A";
pub const HOME: &str = "\x1b[H";

/// A pseudo-terminal whose session is the program's.
pub struct Screen {
    child: Child,
    keys: File,
    /// The program's side, kept open so that its settings outlive the program.
    line: OwnedFd,
    bytes: Arc<Mutex<Vec<u8>>>,
    /// How much of the text has been waited for.
    read: usize,
}

impl Screen {
    /// Runs the client of the side under test on a terminal of 80 columns.
    pub fn ctl(d: &TestDaemon, args: &[&str]) -> Screen {
        Screen::of(d.ctl_command(Side::under_test(), args), 80, "xterm")
    }

    /// Runs a command on a terminal of this width and kind.
    #[track_caller]
    pub fn of(command: Command, columns: u16, term: &str) -> Screen {
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).expect("a pseudo-terminal");
        let line = || Stdio::from(pty.slave.try_clone().expect("the terminal's side"));
        // A session of its own, with the terminal: Ctrl-C is a signal to that session alone.
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg("--wait").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            session.env(name, value.unwrap_or_default());
        }
        if let Some(place) = command.get_current_dir() {
            session.current_dir(place);
        }
        session.env("TERM", term).env_remove("COLUMNS").env_remove("LINES").env_remove("INPUTRC");
        let child = session.stdin(line()).stdout(line()).stderr(line()).spawn();
        let child = child.expect("setsid, of util-linux");
        let keys = File::from(pty.master);
        let mut output = keys.try_clone().expect("the terminal's other side");
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = bytes.clone();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                sink.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Screen { child, keys, line: pty.slave, bytes, read: 0 }
    }

    /// Presses keys.
    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("a terminal that takes keys");
    }

    /// All bytes that came so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    /// All text that came so far, without what moves the cursor.
    pub fn text(&self) -> String {
        plain(&self.bytes())
    }

    /// Waits for this text behind what was waited for before; returns what came up to its end.
    #[track_caller]
    pub fn wait(&mut self, wanted: &str) -> String {
        let from = self.read;
        let found = |text: &str| {
            let at = text.get(from..)?.find(wanted)?;
            Some(from + at + wanted.len())
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let text = self.text();
            if let Some(end) = found(&text) {
                self.read = end;
                return text[from..end].to_owned();
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{wanted:?} did not come; on the screen since then: {:?}",
                text.get(from..)
            );
            thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Waits for all of these, in any order.
    #[track_caller]
    pub fn wait_all(&mut self, wanted: &[&str]) {
        let from = self.read;
        let mut end = from;
        for text in wanted {
            self.read = from;
            self.wait(text);
            end = end.max(self.read);
        }
        self.read = end;
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        for pid in self.programs() {
            signal::kill(pid, signal).expect("a signal to the program");
        }
    }

    /// The program, which is the only child of setsid if that had to fork, or setsid's own
    /// process.
    fn programs(&self) -> Vec<Pid> {
        let own = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let children = children.unwrap_or_default();
        let mut pids: Vec<i32> = children.split_whitespace().flat_map(str::parse).collect();
        if pids.is_empty() {
            pids.push(own as i32);
        }
        pids.into_iter().map(Pid::from_raw).collect()
    }

    /// Waits for the program's end; its exit code.
    #[track_caller]
    pub fn wait_exit(&mut self) -> i32 {
        let child = &mut self.child;
        let status = wait_for("the program's end", 20, || child.try_wait().expect("try_wait"));
        status.code().unwrap_or(-1)
    }

    /// Whether the terminal shows what is typed.
    pub fn echoes(&self) -> bool {
        let settings = tcgetattr(self.line.as_fd()).expect("the terminal's settings");
        settings.local_flags.contains(LocalFlags::ECHO)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- the screen\n{}", self.text());
        }
        for pid in self.programs() {
            let _ = signal::kill(pid, Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text without escape sequences, carriage returns and bells.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\x1b' if letters.next() == Some('[') => {
                letters.by_ref().find(|letter| ('@'..='~').contains(letter));
            }
            '\x1b' | '\r' | '\x07' => {}
            letter => plain.push(letter),
        }
    }
    plain
}
