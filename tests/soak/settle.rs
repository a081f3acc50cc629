//! The pause: everybody is gone, all is as configured again. What must hold then.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::{
    programs::{self, RESTING, RUNNING},
    support::{Side, TestDaemon, rpc, run},
    vitals::{Vitals, children},
};

/// Nothing takes so long but what never comes, however much the machine has to do.
const PATIENCE: Duration = Duration::from_secs(240);

/// A process as the daemon tells of it.
#[derive(Clone, Debug)]
pub struct Told {
    pub name: String,
    pub state: String,
    pub pid: i32,
}

/// All processes that it knows.
pub fn told(d: &TestDaemon) -> Option<Vec<Told>> {
    let answer = d.rpc().call("supervisor.getAllProcessInfo", "").ok()?;
    let [names, groups, states, pids] =
        ["name", "group", "statename", "pid"].map(|field| rpc::members(&answer, field));
    let all = names.iter().zip(groups).zip(states).zip(pids);
    all.map(|(((name, group), state), pid)| {
        Some(Told { name: format!("{group}:{name}"), state, pid: pid.parse().ok()? })
    })
    .collect()
}

/// Asks for what is missing until all is as configured; what is missing for now.
fn restore(d: &TestDaemon) -> Option<String> {
    let Some(all) = told(d) else { return Some("an answer to getAllProcessInfo".to_owned()) };
    let now: BTreeMap<&str, &Told> = all.iter().map(|told| (told.name.as_str(), told)).collect();
    let names: BTreeSet<&str> = RUNNING.into_iter().chain(RESTING).collect();
    if now.len() != all.len() {
        return Some(format!("one process once: {all:?}"));
    }
    if now.keys().copied().ne(names.iter().copied()) {
        return Some(format!("{names:?}, there are {:?}", now.keys()));
    }
    let mut missing = None;
    let ask = |method: &str, name: &str| {
        let params = format!("<string>{name}</string><boolean>0</boolean>");
        let _ = d.rpc().call(method, &params);
    };
    for name in RUNNING.into_iter().filter(|name| now[name].state != "RUNNING") {
        ask("supervisor.startProcess", name);
        missing = Some(format!("{name} RUNNING, it is {}", now[name].state));
    }
    for name in RESTING {
        match now[name].state.as_str() {
            "STOPPED" | "EXITED" | "FATAL" => continue,
            "RUNNING" => ask("supervisor.stopProcess", name),
            _ => {}
        }
        missing = Some(format!("{name} at rest, it is {}", now[name].state));
    }
    missing
}

/// What does not hold for now, of what must hold when all is as configured.
fn wrong(d: &TestDaemon, start: Option<&Vitals>) -> Option<String> {
    let all = told(d)?;
    let known: BTreeSet<i32> = all.iter().map(|told| told.pid).filter(|pid| *pid != 0).collect();
    let children = children(d.pid);
    if let Some((zombie, _)) = children.iter().find(|(_, zombie)| *zombie) {
        return Some(format!("{zombie} is a zombie"));
    }
    let alive: BTreeSet<i32> = children.into_iter().map(|(pid, _)| pid).collect();
    if alive != known || known.len() != RUNNING.len() {
        return Some(format!("its children are {alive:?}, it tells of {all:?}"));
    }
    let beyond = Vitals::of(d.pid).beyond(start?);
    (!beyond.is_empty()).then_some(beyond)
}

/// Lets all become as configured, and fails unless the daemon then is what it was at the start.
pub fn settled(d: &TestDaemon, start: Option<&Vitals>) -> Vitals {
    programs::calm(d);
    for (child, _) in children(d.pid) {
        let _ = signal::kill(Pid::from_raw(child), Signal::SIGCONT);
    }
    // New children all: what an old one has been sent and does not read is kept for it.
    let _ = d.rpc().call("supervisor.stopAllProcesses", "");
    let until = Instant::now() + PATIENCE;
    let mut asked = None;
    loop {
        for (child, _) in children(d.pid) {
            let _ = signal::kill(Pid::from_raw(child), Signal::SIGCONT);
        }
        // A restart that is under way refuses it, and reads the file by itself or has done so.
        let update = run(&mut d.ctl_command(Side::Ours, &["update"]), 240);
        let missing = restore(d).or_else(|| {
            let quiet = update.stdout.is_empty() && update.code == 0;
            (!quiet).then(|| format!("nothing to update: {update:?}"))
        });
        if missing.is_none() {
            break;
        }
        assert!(Instant::now() < until, "after {PATIENCE:?} still not: {}", missing.unwrap());
        asked = missing.or(asked);
        thread::sleep(Duration::from_millis(200));
    }
    let until = Instant::now() + PATIENCE;
    while let Some(what) = wrong(d, start) {
        assert!(Instant::now() < until, "after {PATIENCE:?} still: {what}");
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(d.rpc_pid(), d.pid, "another daemon");
    steady(d)
}

/// The vitals once they have been the same for a second: what served the last clients is gone.
fn steady(d: &TestDaemon) -> Vitals {
    let until = Instant::now() + PATIENCE;
    let (mut vitals, mut since) = (Vitals::of(d.pid), Instant::now());
    while since.elapsed() < Duration::from_secs(1) {
        thread::sleep(Duration::from_millis(50));
        let now = Vitals::of(d.pid);
        if now != vitals {
            (vitals, since) = (now, Instant::now());
        }
        assert!(Instant::now() < until, "no second in which nothing changes: {vitals:?}");
    }
    vitals
}
