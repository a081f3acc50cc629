//! `[supervisorctl]`, read by our client.

use std::{fs, process::Command};

use minder::config::table::Section::Supervisorctl;

use crate::{
    effect::{Effect, Run, Table, option},
    support::{self, Output, Setup, Side, TestDaemon},
};

pub const TABLE: Table = Table { effects: EFFECTS, setup: Setup::new };

const EFFECTS: &[Effect] = &[
    option(Supervisorctl, "serverurl", "unix://%(here)s/s.sock")
        .instead("unix://%(here)s/none.sock")
        .own(daemon, pid)
        .shows("the daemon's pid", "unix://HERE/none.sock no such file"),
    option(Supervisorctl, "username", "probe")
        .lines("serverurl=unix://%(here)s/locked.sock\npassword=secret")
        .own(daemon, pid)
        .shows("the daemon's pid", "Server requires authentication"),
    option(Supervisorctl, "password", "secret")
        .lines("serverurl=unix://%(here)s/locked.sock\nusername=probe")
        .own(daemon, pid)
        .shows("the daemon's pid", "Server requires authentication"),
    option(Supervisorctl, "prompt", "probe")
        .lines("serverurl=unix://%(here)s/s.sock")
        .own(daemon, prompt)
        .shows("probe> ", "supervisor> "),
    option(Supervisorctl, "history_file", "%(here)s/history")
        .lines("serverurl=unix://%(here)s/s.sock")
        .own(daemon, history)
        .shows("pid\nversion\nexit\n", "no file"),
];

/// With a second socket that asks for a password.
fn daemon(_: &str) -> TestDaemon {
    let locked = "file=%(here)s/locked.sock\nusername=probe\npassword=secret";
    Setup::new().section(&format!("[unix_http_server:locked]\n{locked}")).start()
}

/// The command line of a client that reads the section.
fn command(run: &Run<'_>) -> Command {
    let path = run.daemon.path("client.conf");
    fs::write(&path, format!("[supervisorctl]\n{}", run.case.text)).unwrap();
    let mut command = Command::new(Side::under_test().supervisorctl());
    command.arg("-c").arg(path);
    command
}

fn pid(run: &Run<'_>) -> String {
    let Output { stdout, .. } = support::run(command(run).arg("pid"), 20);
    let place = run.daemon.path("").display().to_string();
    match stdout.trim_end() {
        pid if pid == run.daemon.pid.to_string() => "the daemon's pid".to_owned(),
        other => other.replace(place.trim_end_matches('/'), "HERE"),
    }
}

/// What the shell asks with.
fn prompt(run: &Run<'_>) -> String {
    let Output { stdout, .. } = support::run(&mut command(run), 20);
    stdout.lines().find(|line| line.ends_with("> ")).unwrap_or(&stdout).to_owned()
}

/// The file after some lines were typed into the shell, at a terminal.
fn history(run: &Run<'_>) -> String {
    let path = run.daemon.path("history");
    let _ = fs::remove_file(&path);
    let shell = command(run);
    let words: Vec<&str> = shell.get_args().filter_map(|word| word.to_str()).collect();
    let line = format!("{} {}", shell.get_program().display(), words.join(" "));
    let typed = r"printf 'pid\nversion\n\nexit\n' | script -qec";
    let output =
        support::run(Command::new("sh").args(["-c", &format!("{typed} '{line}' /dev/null")]), 20);
    assert!(output.stdout.contains(&run.daemon.pid.to_string()), "{output:?}");
    fs::read_to_string(path).unwrap_or_else(|_| "no file".to_owned())
}
