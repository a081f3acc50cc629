//! `[include]`, `[group:x]` and `[rpcinterface:x]`: a daemon for each run.

use std::fs;

use minder::config::table::Section::{Group, Include, RpcInterface};

use crate::{
    effect::{Effect, Run, Table, option},
    look::{self, SLEEP},
    support::{Setup, TestDaemon, rpc},
};

pub const TABLE: Table = Table { effects: EFFECTS, setup: Setup::new };

const EFFECTS: &[Effect] = &[
    option(Include, "files", "%(here)s/one/*.conf")
        .instead("%(here)s/two/*.conf")
        .own(including, |run| look::processes(run.daemon).join(" "))
        .shows("one:one", "two:two"),
    option(Group, "programs", "member")
        .own(grouped, |run| look::processes(run.daemon).join(" "))
        .shows("anchor:anchor g:member", "anchor:anchor member:member"),
    option(Group, "priority", "1")
        .lines("programs=member")
        .own(grouped, |run| look::stopped(run.daemon, "member").to_owned())
        .after(look::shut_down)
        .shows("after", "before"),
    option(
        RpcInterface,
        "supervisor.rpcinterface_factory",
        "supervisor.rpcinterface:make_main_rpcinterface",
    )
    .instead("nowhere:make")
    .own(interfaced, namespace)
    .shows("1", "UNKNOWN_METHOD"),
];

fn including(text: &str) -> TestDaemon {
    let setup = Setup::new().section(&format!("[include]\n{text}"));
    for name in ["one", "two"] {
        fs::create_dir(setup.path(name)).unwrap();
        let path = setup.path(&format!("{name}/{name}.conf"));
        fs::write(path, format!("[program:{name}]\n{SLEEP}\n")).unwrap();
    }
    setup.start()
}

fn grouped(text: &str) -> TestDaemon {
    Setup::new()
        .program("member", SLEEP)
        .program("anchor", &format!("{SLEEP}\npriority=500"))
        .section(&format!("[group:g]\n{text}"))
        .start()
}

fn interfaced(text: &str) -> TestDaemon {
    Setup::new()
        .supervisord("skip_unloadable_plugins=true")
        .section(&format!("[rpcinterface:probe]\n{text}"))
        .start()
}

/// Whether the section's methods are there.
fn namespace(run: &Run<'_>) -> String {
    let answer = run.daemon.rpc().call("probe.getState", "").unwrap();
    let state = || rpc::member(&answer, "statecode");
    rpc::fault(&answer).map(|(_, text)| text).or_else(state).unwrap_or_default()
}
