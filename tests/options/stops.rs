//! `[program:x]`: what a stop does. Those that stay without an option are asked first.

use minder::config::table::Section::Program;

use crate::{
    effect::{Effect, Run, Table, option},
    look::{self, which},
    support::{Setup, alive, rpc},
};

pub const TABLE: Table = Table { effects: EFFECTS, setup };

const EFFECTS: &[Effect] = &[
    option(Program, "stopsignal", "USR1")
        .lines("command=%(here)s/mild %(here)s/{name}.pid\nstartsecs=0")
        .beside(end)
        .after(stop)
        .shows("terminated by SIGUSR1", "terminated by SIGTERM"),
    option(Program, "stopwaitsecs", "1")
        .lines("command=%(here)s/stubborn %(here)s/{name}.pid\nstartsecs=0")
        .beside(patience)
        .after(stop)
        .shows("1 s", "10 s"),
    option(Program, "stopasgroup", "true")
        .lines("command=%(here)s/mild %(here)s/{name}.pid\nstartsecs=0")
        .beside(offspring)
        .after(stop)
        .shows("STOPPED, its child gone", "STOPPED, its child alive"),
    option(Program, "killasgroup", "true")
        .lines("command=%(here)s/stubborn %(here)s/{name}.pid\nstartsecs=0\nstopwaitsecs=1")
        .beside(offspring)
        .after(stop)
        .shows("STOPPED, its child gone", "STOPPED, its child alive"),
];

/// Has a child, whose pid it writes down.
const MILD: &str = "#!/bin/sh\nsleep 1001 &\necho $! > \"$1\"\nwait\n";

/// The same, and both ignore TERM.
const STUBBORN: &str =
    "#!/bin/sh\ntrap '' TERM\nsleep 1001 &\necho $! > \"$1\"\nwhile :; do sleep 0.2; done\n";

fn setup() -> Setup {
    Setup::new().supervisord("loglevel=debug").script("mild", MILD).script("stubborn", STUBBORN)
}

fn child(run: &Run<'_>) -> i32 {
    let file = format!("{}.pid", run.name());
    run.daemon.wait_file(&file, 15, |text| text.ends_with('\n')).trim().parse().unwrap()
}

/// Asks for the stop, once the program is what it is to be.
fn stop(run: &Run<'_>) {
    child(run);
    let params = format!("<string>{}</string><boolean>0</boolean>", run.name());
    let answer = run.daemon.rpc().call("supervisor.stopProcess", &params).unwrap();
    assert_eq!(rpc::fault(&answer), None);
}

/// How it ended.
fn end(run: &Run<'_>) -> String {
    let start = format!("WARN stopped: {} (", run.name());
    let lines = run.daemon.messages();
    let told = lines.iter().find_map(|line| line.strip_prefix(&start));
    told.unwrap_or_default().trim_end_matches(')').to_owned()
}

/// The time from the first signal to KILL.
fn patience(run: &Run<'_>) -> String {
    let name = run.name();
    let (asked, killed) = (format!("DEBG killing {name} ("), format!("WARN killing '{name}' ("));
    which(look::gaps(run.daemon, &asked, &killed).first().copied(), 1.0, 10.0)
}

/// Its state, and what became of its child.
fn offspring(run: &Run<'_>) -> String {
    let state = run.daemon.state(run.name());
    format!("{state}, its child {}", if alive(child(run)) { "alive" } else { "gone" })
}
