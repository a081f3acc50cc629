//! What probes look at: processes, their files, the activity log.

use std::{fs, path::Path};

use nix::sys::signal::Signal;

use crate::{
    effect::Run,
    support::{TestDaemon, process_stat, rpc},
};

/// A program that does nothing, up at once.
pub const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";

/// The pid of the run's program; none yet: 0.
pub fn pid(run: &Run<'_>) -> i32 {
    run.daemon.pid_of(run.name())
}

/// A line of `/proc/<pid>/status`, without its name.
pub fn status_line(pid: i32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map(|rest| rest.trim().to_owned()).unwrap_or_default()
}

/// The real user of a process.
pub fn uid(pid: i32) -> String {
    status_line(pid, "Uid").split('\t').next().unwrap_or_default().to_owned()
}

/// A variable in the environment that a process was started with.
pub fn variable(pid: i32, name: &str) -> String {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let value = text.split('\0').find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or("unset").to_owned()
}

/// Where a link below `/proc/<pid>` leads, seen from the test's directory.
pub fn link(daemon: &TestDaemon, pid: i32, name: &str) -> String {
    let target = fs::read_link(format!("/proc/{pid}/{name}"));
    target.map(|target| here(daemon, &target)).unwrap_or_default()
}

/// A path with HERE for the test's directory.
pub fn here(daemon: &TestDaemon, path: &Path) -> String {
    let directory = daemon.path("");
    path.display().to_string().replace(directory.to_str().unwrap().trim_end_matches('/'), "HERE")
}

/// The soft limit of a process, by its name in `/proc/<pid>/limits`.
pub fn soft_limit(pid: i32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let rest = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Whether a process is in the session of its daemon.
pub fn session(run: &Run<'_>) -> &'static str {
    let pid = pid(run);
    // A session may have the number 0: that of a leader outside this PID namespace.
    let session = |pid: i32| process_stat(pid).map(|stat| stat.session);
    match (session(pid), session(run.daemon.pid)) {
        (Some(own), _) if own == pid => "its own",
        (Some(own), Some(daemons)) if own == daemons => "the daemon's",
        (Some(_), Some(_)) => "another",
        _ => "",
    }
}

/// All processes as `group:name`.
pub fn processes(daemon: &TestDaemon) -> Vec<String> {
    let answer = daemon.rpc().call("supervisor.getAllProcessInfo", "").unwrap_or_default();
    let groups = rpc::members(&answer, "group");
    let names = rpc::members(&answer, "name");
    groups.iter().zip(&names).map(|(group, name)| format!("{group}:{name}")).collect()
}

/// How often the run's program was started, and its state.
pub fn starts_and_state(run: &Run<'_>) -> String {
    let state = run.daemon.state(run.name());
    format!("{} {state}", run.daemon.count(&format!("INFO spawned: '{}' *", run.name())))
}

/// Has the daemon shut down.
pub fn shut_down(run: &Run<'_>) {
    run.daemon.wait_state("anchor", "RUNNING", 15);
    run.daemon.signal(Signal::SIGTERM);
}

/// Whether a program was stopped before `anchor`, in a shutdown: the last to start is the first
/// to be stopped. The next one is not before it has ended, so the log's order is certain.
pub fn stopped(daemon: &TestDaemon, name: &str) -> &'static str {
    let lines = daemon.messages();
    let at = |name: &str| {
        let stop = format!("WARN stopped: {name} (");
        lines.iter().position(|line| line.starts_with(&stop))
    };
    match (at(name), at("anchor")) {
        (Some(own), Some(anchor)) if own < anchor => "before",
        (Some(_), Some(_)) => "after",
        _ => "",
    }
}

/// The activity log's lines, each with its second of the day.
fn moments(daemon: &TestDaemon) -> Vec<(f64, String)> {
    let moment = |line: &str| {
        let (time, message) = (line.get(11..23)?, line.get(24..)?);
        let mut parts = time.split([':', ',']).map(str::parse::<f64>);
        let mut next = || parts.next()?.ok();
        let seconds = next()? * 3600.0 + next()? * 60.0 + next()? + next()? / 1000.0;
        Some((seconds, message.to_owned()))
    };
    daemon.log().lines().filter_map(moment).collect()
}

/// The seconds between two lines of the log, from each that begins with `from` to the next that
/// begins with `to`.
pub fn gaps(daemon: &TestDaemon, from: &str, to: &str) -> Vec<f64> {
    const DAY: f64 = 86_400.0;
    let mut gaps = Vec::new();
    let mut since = None;
    for (at, message) in moments(daemon) {
        if message.starts_with(from) {
            since = Some(at);
        } else if message.starts_with(to)
            && let Some(since) = since.take()
        {
            let gap: f64 = at - since;
            gaps.push(if gap < 0.0 { gap + DAY } else { gap });
        }
    }
    gaps
}

/// Which of the two times that are possible it is. They are far apart, for a loaded machine may
/// be seconds late; that a time shows too short, as the line at its start came late, is rarer.
pub fn which(seconds: Option<f64>, short: f64, long: f64) -> String {
    let is_long = |seconds: f64| seconds > long - (long - short) / 4.0;
    let name = |seconds| format!("{} s", if is_long(seconds) { long } else { short });
    seconds.map(name).unwrap_or_default()
}
