//! `[program:x]`: what the child is, and when it is first started.

use minder::config::table::Section::Program;

use std::fs;

use crate::{
    effect::{Effect, Run, Table, option},
    look::{self, SLEEP, pid},
    support::{Setup, TestDaemon},
};

pub const TABLE: Table = Table { effects: EFFECTS, setup };

const EFFECTS: &[Effect] = &[
    option(Program, "command", "/bin/sleep 1001")
        .instead("/bin/sleep 1002")
        .lines("startsecs=0")
        .beside(command)
        .shows("/bin/sleep 1001 ", "/bin/sleep 1002 "),
    option(Program, "process_name", "renamed")
        .lines(SLEEP)
        .beside(names)
        .shows("renamed", "process_name-without"),
    option(Program, "numprocs", "2")
        .lines("command=/bin/sleep 1000\nprocess_name=p%(process_num)s")
        .beside(names)
        .shows("p0 p1", "p0"),
    option(Program, "numprocs_start", "7")
        .lines("command=/bin/sleep 1000\nprocess_name=p%(process_num)s")
        .beside(names)
        .shows("p7", "p0"),
    option(Program, "priority", "1")
        .lines(SLEEP)
        .own(with_anchor, |run| look::stopped(run.daemon, "a").to_owned())
        .after(look::shut_down)
        .shows("after", "before"),
    option(Program, "autostart", "false").lines(SLEEP).beside(state).shows("STOPPED", "RUNNING"),
    option(Program, "user", "nobody")
        .lines(SLEEP)
        .beside(|run| look::uid(pid(run)))
        .shows("65534", "0"),
    option(Program, "setsid", "true")
        .lines(SLEEP)
        .beside(|run| look::session(run).to_owned())
        .shows("its own", "the daemon's"),
    option(Program, "environment", "PROBE=\"seen\"")
        .lines(SLEEP)
        .beside(|run| look::variable(pid(run), "PROBE"))
        .shows("seen", "unset"),
    option(Program, "serverurl", "http://probe:1")
        .lines(SLEEP)
        .beside(|run| look::variable(pid(run), "SUPERVISOR_SERVER_URL"))
        .shows("http://probe:1", "unix://*/s.sock"),
    option(Program, "directory", "/usr")
        .lines(SLEEP)
        .beside(|run| look::link(run.daemon, pid(run), "cwd"))
        .shows("/usr", "HERE"),
    option(Program, "umask", "135").lines(SLEEP).beside(umask).shows("0135", "the daemon's"),
];

fn setup() -> Setup {
    Setup::new().program("last", &format!("{SLEEP}\npriority=1000"))
}

fn with_anchor(text: &str) -> TestDaemon {
    let anchor = format!("{SLEEP}\npriority=500");
    Setup::new().program("a", text).program("anchor", &anchor).start()
}

/// The words of its command line.
fn command(run: &Run<'_>) -> String {
    let words = fs::read(format!("/proc/{}/cmdline", pid(run))).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

/// Its file mode mask.
fn umask(run: &Run<'_>) -> String {
    let [own, daemons] = [pid(run), run.daemon.pid].map(|pid| look::status_line(pid, "Umask"));
    if own == daemons { "the daemon's".to_owned() } else { own }
}

/// The processes of its program.
fn names(run: &Run<'_>) -> String {
    let group = format!("{}:", run.name());
    let all = look::processes(run.daemon);
    let own: Vec<&str> = all.iter().filter_map(|name| name.strip_prefix(&group)).collect();
    own.join(" ")
}

/// Its state once all programs that start by themselves were started.
fn state(run: &Run<'_>) -> String {
    match run.daemon.state("last").as_str() {
        "RUNNING" => run.daemon.state(run.name()),
        _ => String::new(),
    }
}
