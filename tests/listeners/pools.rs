//! Several listeners and several pools: who gets what, and what becomes of answers.

use crate::both::{END, Scenario, without_serials};
use crate::recorder::{
    Record, Recorders, TIMELESS, ready, release, remote, wait_event, wait_events,
};
use crate::support::TestDaemon;

const REMOTE: &str = "REMOTE_COMMUNICATION";

/// Sends remote events with these numbers as their data.
fn numbers(d: &TestDaemon, numbers: std::ops::Range<u32>) {
    numbers.for_each(|number| remote(d, "n", &number.to_string()));
}

#[test]
fn pools_with_subscriptions_that_overlap() {
    Scenario::new(
        |setup| {
            setup
                .pool("all", "EVENT", "", "buffer_size=100")
                .pool(
                    "states",
                    "PROCESS_STATE,REMOTE_COMMUNICATION",
                    "",
                    "buffer_size=100\npriority=5",
                )
                .pool(
                    "some",
                    "process_state_running,PROCESS_STATE_EXITED,Remote_Communication",
                    "",
                    "buffer_size=100\npriority=6",
                )
                .program("a", "command=/bin/sleep 1000\nautostart=false\npriority=4")
                .program(
                    "b",
                    "command=/bin/sleep 1\nautostart=false\nstartsecs=0\nautorestart=false",
                )
        },
        |d| {
            ready(d, &["all", "states", "some"]);
            d.ctl(&["start", "a"]).expect("a: started\n", 0);
            d.ctl(&["start", "b"]);
            d.wait_state("b", "EXITED", 20);
            d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
            remote(d, "end", "");
        },
    )
    .stream("all", END)
    .stream("states", END)
    .stream("some", END)
    .same(without_ticks)
    .compare();
}

/// Ticks come when they come, and shift the serials.
fn without_ticks(records: Vec<Record>) -> Vec<Record> {
    let kept = records.into_iter().filter(|record| !record.event().starts_with("TICK"));
    kept.map(without_serials).collect()
}

/// Supervisor sends each event once for each of the types that it belongs to.
#[test]
fn a_subscription_that_overlaps_itself() {
    let [theirs, ours] = Scenario::new(
        |setup| {
            setup
                .listener(
                    "PROCESS_STATE,PROCESS_STATE_RUNNING,REMOTE_COMMUNICATION",
                    "buffer_size=100",
                )
                .program("a", "command=/bin/sleep 1000\nautostart=false")
        },
        |d| {
            ready(d, &["lis"]);
            d.ctl(&["start", "a"]).expect("a: started\n", 0);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .play();
    let mut once = theirs.streams[0].clone();
    once.dedup();
    assert_eq!(once.len() + 2, theirs.streams[0].len(), "RUNNING of lis and a twice");
    assert_eq!(ours.streams[0], once);
}

#[test]
fn three_listeners_in_turn() {
    Scenario::new(
        |setup| setup.recorder_pool(3, "hold+OK hold+OK", "buffer_size=100"),
        |d| {
            ready(d, &["lis:lis_0", "lis:lis_1", "lis:lis_2"]);
            numbers(d, 0..3);
            for (number, file) in ["lis_0", "lis_1", "lis_2"].into_iter().enumerate() {
                wait_event(d, file, &format!("*\n{number}"));
            }
            numbers(d, 3..6);
            for (file, number) in [("lis_2", 3), ("lis_0", 4), ("lis_1", 5)] {
                release(d, file);
                wait_event(d, file, &format!("*\n{number}"));
            }
            for file in ["lis_0", "lis_1", "lis_2"] {
                release(d, file);
            }
        },
    )
    .stream("lis_0", "*\n4")
    .stream("lis_1", "*\n5")
    .stream("lis_2", "*\n3")
    .compare();
}

#[test]
fn an_event_that_is_rejected_comes_again() {
    Scenario::new(
        |setup| setup.pool("lis", REMOTE, "OK FAIL FAIL OK NOK O OKAY", "buffer_size=100"),
        |d| {
            ready(d, &["lis"]);
            numbers(d, 0..5);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .lines("event was rejected")
    .compare();
}

/// Both members break the protocol in turn; the event stays, and comes once one is new.
#[test]
fn a_bad_result_gives_the_event_to_another() {
    Scenario::new(
        |setup| setup.recorder_pool(3, r"'raw+RESULT\x20x\nOK' OK", "buffer_size=100"),
        |d| {
            ready(d, &["lis:lis_0", "lis:lis_1", "lis:lis_2"]);
            numbers(d, 0..1);
            for file in ["lis_0", "lis_1", "lis_2"] {
                wait_event(d, file, "*\n0");
            }
            d.wait_log_order(&["WARN lis_2: has entered the UNKNOWN state *"], 20);
            numbers(d, 1..2);
            d.ctl(&["restart", "lis:lis_1"]);
            wait_event(d, "lis_1", "*\n1");
        },
    )
    .stream("lis_0", "*\n0")
    .stream("lis_1", "*\n1")
    .stream("lis_2", "*\n0")
    .lines("bad result line")
    .compare();
}

#[test]
fn a_full_buffer_loses_the_oldest() {
    Scenario::new(
        |setup| setup.pool("lis", REMOTE, "hold+OK", "buffer_size=3"),
        |d| {
            ready(d, &["lis"]);
            numbers(d, 0..1);
            wait_event(d, "lis", "*\n0");
            numbers(d, 1..9);
            release(d, "lis");
            wait_event(d, "lis", "*\n8");
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .lines("overflowed")
    .compare();
}

/// The rejected one comes to the head, at the cost of the oldest other.
#[test]
fn a_rejection_into_a_full_buffer() {
    Scenario::new(
        |setup| setup.pool("lis", REMOTE, "hold+FAIL", "buffer_size=2"),
        |d| {
            ready(d, &["lis"]);
            numbers(d, 0..1);
            wait_event(d, "lis", "*\n0");
            numbers(d, 1..4);
            release(d, "lis");
            wait_event(d, "lis", "*\n3");
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .lines("overflowed")
    .compare();
}

#[test]
fn a_listener_that_dies_with_an_event() {
    Scenario::new(
        |setup| {
            setup.pool(
                "lis",
                "PROCESS_STATE,REMOTE_COMMUNICATION",
                "OK OK OK die",
                "buffer_size=100",
            )
        },
        |d| {
            wait_event(d, "lis", "PROCESS_STATE_RUNNING *");
            numbers(d, 0..2);
            wait_events(d, "lis", "PROCESS_STATE_RUNNING *", 2);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

/// Dies with a part of its first event, of which most does not fit into the pipe.
const HALF: &str = "#!/bin/sh
[ -e \"$0.died\" ] && exec \"${0%half}recorder\" \"$@\"
echo READY
head -c 1000 >/dev/null
touch \"$0.died\"
kill -9 $$
";

#[test]
fn a_listener_that_dies_while_an_event_is_written() {
    Scenario::new(
        |setup| {
            setup.script("half", HALF).section(
                "[eventlistener:lis]\ncommand=%(here)s/half %(here)s/lis\n\
                 events=REMOTE_COMMUNICATION\nbuffer_size=100\n",
            )
        },
        |d| {
            ready(d, &["lis"]);
            remote(d, "large", &"0123456789abcde\n".repeat(20_000));
            remote(d, "next", "");
            d.wait_log("WARN exited: lis (terminated by SIGKILL; not expected)", 20);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn a_listener_that_is_stopped_and_started() {
    Scenario::new(
        |setup| setup.pool("lis", "PROCESS_STATE,REMOTE_COMMUNICATION", "", "buffer_size=100"),
        |d| {
            ready(d, &["lis"]);
            numbers(d, 0..2);
            wait_event(d, "lis", "*\n1");
            d.ctl(&["stop", "lis"]).expect("lis: stopped\n", 0);
            numbers(d, 2..4);
            d.ctl(&["start", "lis"]).expect("lis: started\n", 0);
            wait_event(d, "lis", "*\n3");
            d.ctl(&["signal", "KILL", "lis"]).expect("lis: signalled\n", 0);
            wait_events(d, "lis", "PROCESS_STATE_RUNNING *", 3);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn what_happens_while_a_listener_starts_waits_for_it() {
    Scenario::new(
        |setup| {
            setup
                .pool("lis", TIMELESS, "", "startsecs=4")
                .program("a", "command=/bin/sleep 1000\nnumprocs=4\nprocess_name=%(process_num)d")
        },
        |d| {
            ready(d, &["lis"]);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .lines("overflowed")
    .compare();
}

#[test]
fn pools_by_their_priorities() {
    Scenario::new(
        |setup| {
            setup
                .pool("late", "PROCESS_GROUP,REMOTE_COMMUNICATION", "", "priority=1000")
                .pool("early", "PROCESS_GROUP,REMOTE_COMMUNICATION", "", "priority=-5")
                .pool("usual", "PROCESS_GROUP,REMOTE_COMMUNICATION", "", "")
                .program("a", "command=/bin/sleep 1000\npriority=7")
                .program("b", "command=/bin/sleep 1000\npriority=2000")
        },
        |d| {
            ready(d, &["late", "early", "usual"]);
            remote(d, "end", "");
        },
    )
    .stream("late", END)
    .stream("early", END)
    .stream("usual", END)
    .compare();
}

/// Supervisor gives what one pool rejects to all pools of the same priority.
#[test]
fn a_rejection_concerns_its_own_pool() {
    let [theirs, ours] = Scenario::new(
        |setup| {
            setup.pool("one", REMOTE, "FAIL", "buffer_size=100").pool(
                "two",
                "PROCESS_GROUP,REMOTE_COMMUNICATION",
                "",
                "buffer_size=100",
            )
        },
        |d| {
            ready(d, &["one", "two"]);
            numbers(d, 0..1);
            wait_events(d, "one", "*\n0", 2);
            remote(d, "end", "");
        },
    )
    .stream("one", END)
    .stream("two", END)
    .play();
    assert_eq!(ours.streams[0], theirs.streams[0]);
    let count = |records: &[Record]| {
        records.iter().filter(|record| record.event().ends_with("type:n\n0")).count()
    };
    assert_eq!(count(&theirs.streams[1]), 2, "the original leaks no more: compare the streams");
    assert_eq!(count(&ours.streams[1]), 1);
    let mut once = theirs.streams[1].clone();
    once.dedup();
    assert_eq!(once, ours.streams[1]);
}
