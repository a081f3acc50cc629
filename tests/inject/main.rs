//! Faults below the shell: a system call of the daemon fails on purpose, once or from then on, and
//! the daemon lives on, says so, and is as configured again when the fault is gone.
//!
//! A sample by default; `MINDER_FULL=1` tries every call of every scenario, which takes an hour or
//! two. `MINDER_SEED` chooses another sample, `MINDER_INJECT_SECS` how long it takes,
//! `MINDER_INJECT_DAEMONS` how many run at a time;
//! `MINDER_INJECT_ONLY=output/child/write/3/ENOSPC/once` is a single fault, or all whose names begin
//! so; `*` stands for any word of a name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test ends by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod client;
mod plan;
mod run;
mod scenario;
mod words;

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use plan::{Chance, Fault, faults};
use run::Run;
use scenario::ALL;
use support::{Side, root};

/// Daemons at a time: most of them wait.
const AT_A_TIME: usize = 16;

/// No fault is begun after so long, unless all are wanted.
const TIME: Duration = Duration::from_secs(45);

fn variable(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Runs `act` for each of `0..count`, several at a time, until time is over.
fn each(count: usize, until: Option<Instant>, act: impl Fn(usize) + Sync) {
    let at_a_time = variable("MINDER_INJECT_DAEMONS").map_or(AT_A_TIME, |n| n as usize);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count || until.is_some_and(|until| Instant::now() > until) {
                        return;
                    }
                    act(at);
                }
            });
        }
    });
}

/// The faults of all scenarios, those first that differ most from one another.
fn ordered(all: Vec<Fault>, seed: u64) -> Vec<Fault> {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut all = all;
    chance.shuffle(&mut all);
    let mut seen = BTreeMap::<_, usize>::new();
    all.sort_by_cached_key(|fault| {
        let kind = (fault.thread.clone(), fault.call.clone(), fault.scenario, fault.lasts);
        let times = seen.entry(kind).or_default();
        *times += 1;
        *times
    });
    all
}

#[test]
fn a_call_that_fails_costs_no_more_than_itself() {
    if !Side::ours_only("what it does when its system calls fail") {
        return;
    }
    if !cfg!(debug_assertions) || !root() {
        eprintln!("skipped: it takes root and a build with debug_assertions");
        return;
    }
    let seed = variable("MINDER_SEED").unwrap_or(1);
    let full = env::var_os("MINDER_FULL").is_some();
    let only = env::var("MINDER_INJECT_ONLY").ok();
    let began = Instant::now();
    let wrong = Mutex::new(Vec::new());
    let known = Mutex::new(Vec::new());
    let single = only.as_deref().and_then(Fault::named);
    if single.is_none() {
        each(ALL.len(), None, |at| {
            let scenario = &ALL[at];
            let mut run = Run::start(scenario, "n=0,trace=yes");
            if let Err(why) = run.play(scenario, None) {
                let text = format!("{} without a fault: {why}\n{}", scenario.name, run.diagnosis());
                wrong.lock().unwrap().push(text);
            }
            let found = faults(scenario, &run.acted);
            println!("{}: {} faults", scenario.name, found.len());
            known.lock().unwrap().extend(found);
        });
    }
    let mut all = known.into_inner().unwrap();
    all.sort();
    all.extend(single);
    if let Some(only) = &only {
        all.retain(|fault| fault.is_of(only));
    }
    let mut all = ordered(all, seed);
    if only.is_none() {
        all.splice(..0, plan::found());
    }
    println!("{} faults; MINDER_SEED={seed}", all.len());
    let time = variable("MINDER_INJECT_SECS").map(Duration::from_secs);
    let time = time.or((!full && only.is_none()).then_some(TIME));
    let until = time.map(|time| began + time);
    let (done, hits) = (AtomicUsize::new(0), AtomicUsize::new(0));
    each(all.len(), until, |at| {
        let fault = &all[at];
        let scenario = &ALL[fault.scenario];
        let mut run = Run::start(scenario, &fault.order());
        let played = run.play(scenario, Some(fault));
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        if count % 500 == 0 {
            println!("{count} faults tried after {:?}", began.elapsed());
        }
        let hit = run.hit();
        hits.fetch_add(usize::from(!hit.is_empty()), Ordering::Relaxed);
        if let Err(why) = played {
            let text = format!("{} at {hit}: {why}\n{}\n", fault.shown(), run.diagnosis());
            println!("{text}");
            wrong.lock().unwrap().push(text);
        }
    });
    let (done, hits) = (done.into_inner(), hits.into_inner());
    println!("{done} of {} faults tried, {hits} hit, in {:?}", all.len(), began.elapsed());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(hits > 0, "no call failed");
}
