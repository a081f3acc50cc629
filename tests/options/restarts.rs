//! `[program:x]`: when a start counts, and what follows an exit.

use minder::config::table::Section::Program;

use crate::{
    effect::{Effect, Run, Table, option},
    look::{self, starts_and_state, which},
    support::Setup,
};

pub const TABLE: Table = Table { effects: EFFECTS, setup };

/// What fails is not up for a minute, so that a slow machine does not count its starts as done.
const EFFECTS: &[Effect] = &[
    option(Program, "autorestart", "true")
        .lines("command=%(here)s/once %(here)s/{name}.ran\nstartsecs=0")
        .beside(starts_and_state)
        .shows("2 RUNNING", "1 EXITED"),
    option(Program, "startsecs", "5")
        .lines("command=/bin/sleep 1000")
        .beside(startsecs)
        .shows("5 s", "1 s"),
    option(Program, "startretries", "1")
        .lines("command=/bin/false\nstartsecs=60\nrestart_delay_min=0.05")
        .beside(starts_and_state)
        .shows("2 FATAL", "4 FATAL"),
    option(Program, "exitcodes", "0,7")
        .lines("command=/bin/sh -c \"exit 7\"\nstartsecs=0\nautorestart=false")
        .beside(exit)
        .shows("INFO expected", "WARN not expected"),
    // Waits of 0.4, 0.8, 1.6, 3.2, 6.4 s; else of 0.4, 0.8, 1.2, 1.6, 2 s.
    option(Program, "restart_backoff", "double")
        .lines("command=/bin/false\nstartsecs=60\nstartretries=5\nrestart_delay_min=0.4")
        .beside(|run| which(wait(run, 5), 2.0, 6.4))
        .shows("6.4 s", "2 s"),
    option(Program, "restart_delay_min", "6")
        .lines("command=/bin/false\nstartsecs=60")
        .beside(|run| which(wait(run, 1), 1.0, 6.0))
        .shows("6 s", "1 s"),
    option(Program, "restart_delay_max", "0.5")
        .lines(
            "command=/bin/false\nstartsecs=60\nstartretries=4\nrestart_delay_min=0.5\n\
             restart_backoff=double",
        )
        .beside(|run| which(wait(run, 4), 0.5, 4.0))
        .shows("0.5 s", "4 s"),
    // It lives for less than that, so its restarts wait; else they don't.
    option(Program, "restart_reset_secs", "100")
        .lines(
            "command=/bin/sleep 0.3\nstartsecs=0\nautorestart=true\nrestart_delay_min=0.5\n\
             restart_backoff=double",
        )
        .beside(|run| which(wait(run, 4), 0.0, 4.0))
        .shows("4 s", "0 s"),
    option(Program, "restart_limit", "2/60s")
        .lines("command=/bin/sleep 0.3\nstartsecs=0\nautorestart=true")
        .beside(limit)
        .shows("3 FATAL", "goes on"),
];

/// Ends at its first run, stays at its second.
const ONCE: &str = "#!/bin/sh\n[ -e \"$1\" ] && exec sleep 1000\n: > \"$1\"\n";

fn setup() -> Setup {
    Setup::new().script("once", ONCE)
}

/// The wait between an exit and the start after it, by its number.
fn wait(run: &Run<'_>, number: usize) -> Option<f64> {
    let (exit, start) = (exited(run), format!("INFO spawned: '{}' ", run.name()));
    let gaps = ["WARN", "INFO"].map(|level| {
        look::gaps(run.daemon, &format!("{level} {exit}"), &start).get(number - 1).copied()
    });
    gaps.into_iter().flatten().next()
}

fn exited(run: &Run<'_>) -> String {
    format!("exited: {} (", run.name())
}

/// The time from the daemon's start, which is the program's, to the line that tells its success.
fn startsecs(run: &Run<'_>) -> String {
    let success = format!("INFO success: {} ", run.name());
    let gaps = look::gaps(run.daemon, "INFO supervisord started", &success);
    which(gaps.first().copied(), 1.0, 5.0)
}

/// What the log makes of the exit.
fn exit(run: &Run<'_>) -> String {
    let lines = run.daemon.messages();
    let told = lines.iter().find_map(|line| {
        let (level, rest) = line.split_once(' ')?;
        let (_, verdict) = rest.strip_prefix(&exited(run))?.split_once("; ")?;
        Some(format!("{level} {}", verdict.trim_end_matches(')')))
    });
    told.unwrap_or_default()
}

fn limit(run: &Run<'_>) -> String {
    let seen = starts_and_state(run);
    let starts = seen.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    if starts > 4 { "goes on".to_owned() } else { seen }
}
