//! The tables of waits before restarts: what a program that keeps ending sees of its policy.

use super::*;
use crate::config::options::{Backoff, RestartPolicy};

/// Lets the process live again and again, each time so many milliseconds; the gaps between its
/// ends and the next starts. Fewer gaps than lives: it ended FATAL.
fn gaps(configure: impl FnOnce(&mut Program), lives: &[u64]) -> Vec<u64> {
    let mut life = Life::new(configure);
    let mut gaps = Vec::new();
    life.take(Input::Start);
    for lived in lives {
        live(&mut life, *lived);
        match restart(&mut life) {
            Some(gap) => gaps.push(gap),
            None => {
                assert_eq!(life.process.state(), ProcessState::Fatal);
                return gaps;
            }
        }
    }
    gaps
}

/// From the start to the end of one life.
fn live(life: &mut Life, millis: u64) {
    life.take(announced());
    let end = life.millis + millis;
    while let Some(due) = life.process.next_deadline(true) {
        let due = u64::try_from(due.as_millis()).unwrap();
        if due > end {
            break;
        }
        life.millis = life.millis.max(due);
        life.take(Input::Deadline);
    }
    life.millis = end;
    life.take(reaped(1));
    life.take(Input::Drained);
}

/// Moves the time until the next start; the time that it took.
fn restart(life: &mut Life) -> Option<u64> {
    let ended = life.millis;
    while life.process.state() != ProcessState::Starting {
        let due = life.process.next_deadline(true)?;
        life.millis = life.millis.max(u64::try_from(due.as_millis()).unwrap());
        life.take(Input::Deadline);
    }
    Some(life.millis - ended)
}

/// The policy of these values; zero: not set.
fn policy(backoff: Backoff, min: u64, max: u64, reset: u64) -> impl FnOnce(&mut Program) {
    let time = |millis: u64| (millis > 0).then(|| Duration::from_millis(millis));
    let (delay_min, delay_max, reset) = (time(min), time(max), time(reset));
    move |p| {
        p.restart = RestartPolicy { backoff, delay_min, delay_max, reset, limit: None };
        p.startretries = Retries::Unlimited;
        p.autorestart = Autorestart::Always;
    }
}

#[test]
fn linear() {
    let supervisor = policy(Backoff::Linear, 0, 0, 0);
    assert_eq!(gaps(supervisor, &[0; 5]), [1000, 2000, 3000, 4000, 5000]);
    let own = policy(Backoff::Linear, 500, 1200, 0);
    assert_eq!(gaps(own, &[0; 4]), [500, 1000, 1200, 1200]);
    let after_running = policy(Backoff::Linear, 0, 0, 0);
    assert_eq!(gaps(after_running, &[0, 0, 1500, 0, 0]), [1000, 2000, 0, 1000, 2000]);
}

#[test]
fn double() {
    let observed = policy(Backoff::Double, 500, 1500, 3000);
    assert_eq!(gaps(observed, &[0; 4]), [500, 1000, 1500, 1500]);
    let defaults = policy(Backoff::Double, 0, 0, 0);
    let want: Vec<u64> = (0..14).map(|n| (1000 << n).min(3_600_000)).collect();
    assert_eq!(gaps(defaults, &[0; 14]), want);
}

#[test]
fn a_life_longer_than_the_reset_begins_anew_at_once() {
    let three = || policy(Backoff::Double, 500, 1500, 3000);
    assert_eq!(gaps(three(), &[0, 0, 4000, 0, 0]), [500, 1000, 0, 500, 1000]);
    // RUNNING already, and yet too short a life.
    assert_eq!(gaps(three(), &[2000, 2000, 2999, 3000, 2000]), [500, 1000, 1500, 0, 500]);
    let shorter_than_startsecs = policy(Backoff::Double, 500, 0, 200);
    assert_eq!(gaps(shorter_than_startsecs, &[100, 100, 300, 100]), [500, 1000, 500, 1000]);
}

#[test]
fn a_short_life_after_startsecs_is_told_as_exited_and_waits_in_backoff() {
    let mut life = Life::new(policy(Backoff::Double, 500, 0, 5000)).into(ProcessState::Running);
    life.after(1000, reaped(3));
    check(
        &mut life,
        0,
        Input::Drained,
        ProcessState::Backoff,
        &[
            "RUNNING>EXITED pid:42 tries:0 expected:false",
            "Warn exited: a (exit status 3; not expected)",
            "EXITED>BACKOFF pid:0 tries:1 expected:false",
        ],
    );
    check(&mut life, 499, Input::Deadline, ProcessState::Backoff, &[]);
    check(
        &mut life,
        1,
        Input::Deadline,
        ProcessState::Starting,
        &["BACKOFF>STARTING pid:0 tries:1 expected:false", "spawn 2"],
    );
    // It can be stopped while it waits.
    let mut life = Life::new(policy(Backoff::Double, 500, 0, 5000)).into(ProcessState::Running);
    life.take(reaped(3));
    life.take(Input::Drained);
    life.take(Input::Stop);
    assert_eq!(life.process.state(), ProcessState::Stopped);
}

#[test]
fn what_is_not_to_be_restarted_does_not_wait() {
    let once = |p: &mut Program| {
        policy(Backoff::Double, 500, 0, 5000)(p);
        p.autorestart = Autorestart::Unexpected;
    };
    let mut life = Life::new(once).into(ProcessState::Running);
    life.take(reaped(0));
    life.take(Input::Drained);
    assert_eq!(life.process.state(), ProcessState::Exited);
    assert_eq!(life.process.next_deadline(true), None);
}

#[test]
fn unlimited() {
    let unlimited = |p: &mut Program| p.startretries = Retries::Unlimited;
    assert_eq!(gaps(unlimited, &[0; 50]).len(), 50);
    assert_eq!(gaps(|p| p.startretries = Retries::Limited(3), &[0; 50]).len(), 3);
}

fn limited(count: u32, secs: u64) -> impl FnOnce(&mut Program) {
    let limit = RestartLimit { count, within: Duration::from_secs(secs) };
    move |p| {
        p.restart.limit = Some(limit);
        p.autorestart = Autorestart::Always;
    }
}

#[test]
fn a_limit_counts_exits_from_running_too() {
    // Up for two seconds each: the sixth restart would be the sixth in sixty seconds.
    assert_eq!(gaps(limited(5, 60), &[2000; 50]), [0; 5]);
    // Twelve seconds each: five in sixty seconds, for ever.
    assert_eq!(gaps(limited(5, 60), &[12_000; 50]).len(), 50);
    // Failed starts and exits together.
    assert_eq!(gaps(limited(3, 60), &[2000, 0, 2000, 0, 0]), [0, 1000, 0]);
    let crash_loop = |p: &mut Program| {
        limited(5, 60)(p);
        p.startsecs = 0;
    };
    assert_eq!(gaps(crash_loop, &[0; 50]).len(), 5);
}

#[test]
fn a_limit_that_is_passed_is_told_and_forgiven_by_a_start() {
    let mut life = Life::new(limited(1, 60)).into(ProcessState::Running);
    life.take(reaped(0));
    life.take(Input::Drained);
    life.take(Input::Deadline);
    life.take(announced());
    life.after(1000, Input::Deadline);
    life.take(reaped(0));
    check(
        &mut life,
        0,
        Input::Drained,
        ProcessState::Fatal,
        &[
            "RUNNING>EXITED pid:42 tries:0 expected:true",
            "Info exited: a (exit status 0; expected)",
            "EXITED>FATAL pid:0 tries:0 expected:false",
            "Info gave up: a entered FATAL state, more than 1 restarts in 60 seconds \
             (restart_limit)",
        ],
    );
    let told = "more than 1 restarts in 60 seconds (restart_limit)";
    assert_eq!(life.process.spawn_error(), Some(told));
    assert_eq!(life.process.next_deadline(true), None);
    life.take(Input::Start);
    life.take(announced());
    life.after(1000, Input::Deadline);
    life.take(reaped(0));
    life.take(Input::Drained);
    assert_eq!(life.process.state(), ProcessState::Exited, "one restart is allowed again");
}

#[test]
fn a_request_to_start_forgives_the_limit_and_not_the_failures() {
    let mut life = Life::new(|p| p.startretries = Retries::Limited(2)).into(ProcessState::Backoff);
    life.take(Input::Start);
    assert_eq!(life.take(failed("x"))[1], "STARTING>BACKOFF pid:0 tries:2 expected:false");
}

#[test]
fn in_a_shutdown_an_exit_is_an_exit() {
    let mut life = Life::new(limited(1, 60)).into(ProcessState::Running);
    life.take(reaped(0));
    life.take(Input::Drained);
    life.take(Input::Deadline);
    life.take(announced());
    life.after(1000, Input::Deadline);
    life.may_spawn = false;
    life.take(reaped(0));
    life.take(Input::Drained);
    assert_eq!(life.process.state(), ProcessState::Exited);
    let mut life = Life::new(policy(Backoff::Double, 500, 0, 5000)).into(ProcessState::Running);
    life.may_spawn = false;
    life.take(reaped(3));
    life.take(Input::Drained);
    assert_eq!(life.process.state(), ProcessState::Exited);
}

#[test]
fn the_time_up_counts_from_the_child_not_from_the_wish() {
    let mut life = Life::new(|_| {});
    life.take(Input::Start);
    // The disk was slow, or others had their turn before.
    life.after(5000, announced());
    check(&mut life, 999, Input::Deadline, ProcessState::Starting, &[]);
    assert_eq!(life.process.next_deadline(true), Some(Duration::from_millis(life.millis + 1)));
    life.take(reaped(1));
    life.take(Input::Drained);
    assert_eq!(life.process.state(), ProcessState::Backoff, "it exited too quickly");
}
