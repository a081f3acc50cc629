//! A daemon with some twenty programs that has no rest: random kills, starts, stops, changed
//! configurations, HUPs, clients good and bad, logs that vanish. In the pauses it has to be what it
//! was at the start: the same pid, descriptors, threads and children, no zombie, no more memory.
//!
//! A minute by default, ten under `MINDER_FULL=1`, or as many seconds as `MINDER_SOAK_SECS` says.
//! `MINDER_SEED` chooses other acts; which of them meet at what moment is up to the machine.
//! `MINDER_SOAK_ONLY` names the only act of the list (`acts.rs`), to find out whose a trace is.
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

mod acts;
mod known_lines;
mod programs;
mod settle;
mod vitals;

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use acts::{ALL, Actor};
use settle::settled;
use support::{Side, root};
use vitals::{cpu_time, least_memory};

/// Clients at a time.
const ACTORS: usize = 4;

/// What the memory may grow by between the first pauses and the last, KiB. glibc's heap still
/// spreads for some minutes: what stays below is no proof, what leaks by the request is above. That
/// of the static build (`MINDER_OURS`) does not, once it is warm.
fn most_growth(length: Duration) -> u64 {
    match (env::var_os("MINDER_OURS"), length.as_secs()) {
        (Some(_), 150..) => 64,
        _ => 1024,
    }
}

/// What all may cost of one core.
const MOST_CPU: f64 = 0.5;

fn variable(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn length() -> Duration {
    let usual = if env::var_os("MINDER_FULL").is_some() { 600 } else { 60 };
    Duration::from_secs(variable("MINDER_SOAK_SECS").unwrap_or(usual))
}

#[test]
fn after_all_that_can_happen_it_is_as_at_the_start() {
    if !Side::ours_only("what is left of a long time of everything at once") {
        return;
    }
    assert!(root(), "one of the programs runs as another user: run this as root");
    let length = length();
    let seed = variable("MINDER_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::from(now.subsec_micros())
    });
    println!("MINDER_SEED={seed}, {length:?}");
    let d = programs::start();
    let start = settled(&d, None);
    println!("at the start {start}");
    let round = (length / 10).clamp(Duration::from_secs(3), Duration::from_secs(30));
    let counts: Vec<AtomicUsize> = ALL.iter().map(|_| AtomicUsize::new(0)).collect();
    let (began, before) = (Instant::now(), cpu_time(d.pid));
    let mut memory = Vec::new();
    for number in 1.. {
        programs::let_loose(&d);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for actor in 0..ACTORS {
                let seed = seed.wrapping_add((number * ACTORS + actor) as u64);
                let (d, over, counts) = (&d, &over, &counts);
                scope.spawn(move || {
                    if number == 1 && env::var_os("MINDER_SOAK_ONLY").is_none() {
                        Actor::new(d, !seed).act_once_each(actor, ACTORS, counts);
                    }
                    Actor::new(d, seed).act_until(over, counts);
                });
            }
            // How long it has no rest is what is chosen.
            thread::sleep(round);
            over.store(true, Ordering::Relaxed);
        });
        settled(&d, Some(&start));
        memory.push(least_memory(d.pid));
        let last = memory.last().unwrap();
        println!("pause {number} after {:.0?}: {last}", began.elapsed());
        if began.elapsed() >= length {
            break;
        }
    }
    let (took, used) = (began.elapsed(), cpu_time(d.pid) - before);
    let acts: Vec<String> = ALL
        .iter()
        .zip(&counts)
        .map(|(act, count)| format!("{} {}", count.load(Ordering::Relaxed), act.name))
        .collect();
    println!("{}; {used:.1?} of CPU in {took:.0?}", acts.join(", "));
    known_lines::check(&d);
    let share = used.as_secs_f64() / took.as_secs_f64();
    assert!(share < MOST_CPU, "{used:?} of CPU in {took:?}");
    // The first pauses show a daemon that has not met everything yet.
    let third = memory.len().div_ceil(3);
    let warm = &memory[third.min(memory.len() - 1)..];
    let [first, last] = [&warm[..warm.len().div_ceil(2)], &warm[warm.len() / 2..]]
        .map(|part| part.iter().map(|memory| memory.own).min().unwrap());
    println!("own memory after the warm-up {first} KiB, at the end {last} KiB");
    assert!(last <= first + most_growth(length), "from {first} to {last} KiB: {memory:?}");
}
