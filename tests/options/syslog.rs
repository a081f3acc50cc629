//! Output to the system's log: the daemon has a /dev of its own, whose log the test reads.

use std::{
    fs,
    io::Write as _,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use minder::config::table::Section::Program;

use crate::{
    effect::{Effect, Run, Table, option},
    support::{Setup, TestDaemon},
};

pub const TABLE: Table = Table { effects: EFFECTS, setup: Setup::new };

const EFFECTS: &[Effect] = &[
    option(Program, "stdout_syslog", "true")
        .lines(SPEAKER)
        .own(start, seen)
        .shows("<14>* supervisord: a said-out\n", "nothing"),
    option(Program, "stderr_syslog", "true")
        .lines(SPEAKER)
        .own(start, seen)
        .shows("<14>* supervisord: a said-err\n", "nothing"),
];

const SPEAKER: &str = "command=/bin/sh -c \"echo said-out; echo said-err >&2; sleep 1000\"\n\
                       stdout_logfile=%(here)s/a.log\nstderr_logfile=%(here)s/a.err";

fn start(text: &str) -> TestDaemon {
    let setup = Setup::new().program("a", text);
    let output = setup.path("syslog.txt");
    let mut unshare = Command::new("unshare");
    let allowed = unshare.args(["-m", "true"]).stderr(Stdio::null()).status();
    if allowed.is_ok_and(|status| status.success()) {
        let setup = setup.own_dev();
        receive(setup.path("dev/log"), output);
        return setup.start();
    }
    // A container without that right has no syslogd either.
    receive(PathBuf::from("/dev/log"), output);
    setup.start()
}

/// Writes what comes to a file, a line each, as long as the test's directory is there.
fn receive(socket: PathBuf, output: PathBuf) {
    let listener = UnixDatagram::bind(&socket)
        .unwrap_or_else(|error| panic!("{}: {error}; this test needs it", socket.display()));
    listener.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut file = fs::File::create(&output).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while output.exists() {
            if let Ok(length) = listener.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let _ = writeln!(file, "{}", text.trim_end_matches('\0'));
            }
        }
        let _ = fs::remove_file(socket);
    });
}

/// What came to the system's log of the program's output, once its file has it.
fn seen(run: &Run<'_>) -> String {
    let logs = [run.daemon.read("a.log"), run.daemon.read("a.err")];
    if logs != ["said-out\n", "said-err\n"] {
        return String::new();
    }
    match run.daemon.read("syslog.txt") {
        text if text.is_empty() => "nothing".to_owned(),
        text => text,
    }
}
