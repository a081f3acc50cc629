//! `[program:x]`: where output goes.

use minder::config::table::Section::Program;

use crate::{
    effect::{Effect, Run, Table, option},
    look,
    support::Setup,
};

pub const TABLE: Table = Table { effects: EFFECTS, setup };

const EFFECTS: &[Effect] = &[
    option(Program, "redirect_stderr", "true")
        .lines("command=%(here)s/speaker\nstdout_logfile=%(here)s/{name}.log")
        .beside(content)
        .shows("out\nerr\n", "out\n"),
    option(Program, "stdout_logfile", "%(here)s/{name}.log")
        .lines("command=%(here)s/speaker")
        .beside(stdout)
        .shows("HERE/stdout_logfile-with.log: out\n", "HERE/*-stdout---supervisor-*.log: out\n"),
    option(Program, "stdout_logfile_maxbytes", "1KB")
        .lines("command=%(here)s/flood\nstdout_logfile=%(here)s/{name}.log")
        .beside(rotation)
        .shows("rotated", "only grows"),
    option(Program, "stdout_logfile_backups", "2")
        .lines(
            "command=%(here)s/flood\nstdout_logfile=%(here)s/{name}.log\n\
             stdout_logfile_maxbytes=1KB",
        )
        .beside(backups)
        .shows("2", "10"),
    option(Program, "stdout_capture_maxbytes", "1KB")
        .lines("command=%(here)s/messenger\nstdout_logfile=%(here)s/{name}.log")
        .beside(content)
        .shows("before after\n", "before <!--*secret*-->after\n"),
    option(Program, "stderr_logfile", "%(here)s/{name}.log")
        .lines("command=%(here)s/speaker")
        .beside(stderr)
        .shows("HERE/stderr_logfile-with.log: err\n", "HERE/*-stderr---supervisor-*.log: err\n"),
    option(Program, "stderr_logfile_maxbytes", "1KB")
        .lines("command=%(here)s/flood\nstderr_logfile=%(here)s/{name}.log")
        .beside(rotation)
        .shows("rotated", "only grows"),
    option(Program, "stderr_logfile_backups", "2")
        .lines(
            "command=%(here)s/flood\nstderr_logfile=%(here)s/{name}.log\n\
             stderr_logfile_maxbytes=1KB",
        )
        .beside(backups)
        .shows("2", "10"),
    option(Program, "stderr_capture_maxbytes", "1KB")
        .lines("command=%(here)s/messenger\nstderr_logfile=%(here)s/{name}.log")
        .beside(content)
        .shows("before after\n", "before <!--*secret*-->after\n"),
    option(Program, "drain_timeout", "100").lines(LATE).beside(content).shows("late\n", ""),
];

const LATE: &str = "command=/bin/sh -c \"(sleep 1; echo late) &\"\nstartsecs=0\nautorestart=false\n\
                    stdout_logfile=%(here)s/{name}.log";

const SPEAKER: &str = "#!/bin/sh\necho out\necho err >&2\nexec sleep 1000\n";

/// Fills both logs, a kilobyte at a time, with pauses so that each is read by itself, and stops
/// in the end.
const FLOOD: &str = "#!/bin/sh
line=$(printf '%01100d' 0)
n=0
while [ $n -lt 200 ]; do
    n=$((n+1))
    echo $line
    echo $line >&2
    sleep 0.05
done
exec sleep 1000
";

const MESSENGER: &str = "#!/bin/sh
say() { echo 'before <!--XSUPERVISOR:BEGIN-->secret<!--XSUPERVISOR:END-->after'; }
say
say >&2
exec sleep 1000
";

fn setup() -> Setup {
    Setup::new().script("speaker", SPEAKER).script("flood", FLOOD).script("messenger", MESSENGER)
}

/// The text of the log that is named after the run.
fn content(run: &Run<'_>) -> String {
    run.daemon.read(&format!("{}.log", run.name()))
}

fn stdout(run: &Run<'_>) -> String {
    shown(run, "stdout_logfile")
}

fn stderr(run: &Run<'_>) -> String {
    shown(run, "stderr_logfile")
}

/// The log that clients are told of, and its text.
fn shown(run: &Run<'_>, field: &str) -> String {
    let path = run.daemon.info(run.name(), field).unwrap_or_default();
    let text = crate::support::read(path.as_ref());
    format!("{}: {text}", look::here(run.daemon, path.as_ref()))
}

fn rotation(run: &Run<'_>) -> String {
    let length = content(run).len();
    match run.daemon.path(&format!("{}.log.1", run.name())).exists() {
        true => "rotated",
        false if length > 4096 => "only grows",
        false => "",
    }
    .to_owned()
}

fn backups(run: &Run<'_>) -> String {
    let is_there = |number: &u32| run.daemon.path(&format!("{}.log.{number}", run.name())).exists();
    (1..=20).filter(is_there).count().to_string()
}
