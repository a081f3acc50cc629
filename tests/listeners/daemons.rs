//! What listeners hear of groups, of time and of the daemon itself.

use nix::sys::signal::Signal;

use crate::both::{END, Played, Scenario};
use crate::recorder::{
    Record, Recorders, TIMELESS, ready, remote, running, wait_event, wait_events,
};

#[test]
fn groups_that_come_and_go() {
    Scenario::new(
        |setup| {
            setup
                .listener("PROCESS_GROUP,PROCESS_STATE,REMOTE_COMMUNICATION", "buffer_size=100")
                .program("a", "command=/bin/sleep 1000")
                .program("b", "command=/bin/sleep 1000\nautostart=false")
        },
        |d| {
            ready(d, &["lis"]);
            running(d, &["a"]);
            d.edit("[program:b]\ncommand=/bin/sleep 1000\nautostart=false\n", "");
            d.append("[program:new]\ncommand=/bin/sleep 1000\n");
            d.ctl(&["update"]);
            running(d, &["new"]);
            d.edit("sleep 1000", "sleep 1001");
            d.ctl(&["update"]);
            wait_events(d, "lis", "PROCESS_STATE_RUNNING processname:a *", 2);
            d.ctl(&["stop", "new"]).expect("new: stopped\n", 0);
            d.ctl(&["remove", "new"]).expect("new: removed process group\n", 0);
            d.ctl(&["add", "new"]).expect("new: added process group\n", 0);
            running(d, &["new"]);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn a_pool_that_is_removed_and_added() {
    Scenario::new(
        |setup| {
            setup.listener("PROCESS_GROUP,REMOTE_COMMUNICATION", "buffer_size=100").pool(
                "other",
                "PROCESS_GROUP,REMOTE_COMMUNICATION",
                "",
                "priority=-2",
            )
        },
        |d| {
            ready(d, &["lis", "other"]);
            remote(d, "one", "");
            wait_event(d, "other", "*type:one\n");
            d.ctl(&["stop", "other"]).expect("other: stopped\n", 0);
            d.ctl(&["remove", "other"]).expect("other: removed process group\n", 0);
            remote(d, "two", "");
            d.ctl(&["add", "other"]).expect("other: added process group\n", 0);
            d.wait_state("other", "RUNNING", 20);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .stream("other", END)
    .compare();
}

/// How much of the end reaches a listener is told by `the_end_of_the_daemon`.
#[test]
fn a_restart_goes_on_with_the_serials() {
    let [_, ours] = Scenario::new(
        |setup| setup.listener(TIMELESS, "buffer_size=100").program("a", "command=/bin/sleep 1000"),
        |d| {
            ready(d, &["lis"]);
            running(d, &["a"]);
            remote(d, "one", "");
            wait_event(d, "lis", "*type:one\n");
            d.ctl(&["reload"]).expect("Restarted supervisord\n", 0);
            wait_events(d, "lis", "SUPERVISOR_STATE_CHANGE_RUNNING *", 2);
            wait_events(d, "lis", "PROCESS_STATE_RUNNING processname:a *", 2);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .same(without_the_end)
    .compare();
    let begins = |record: &&Record| record.header("poolserial") == "0";
    let begins: Vec<u64> = ours.streams[0].iter().filter(begins).map(Record::serial).collect();
    // Between the two lives the pool accepted the end of the first.
    assert_eq!(begins, [0, 13]);
}

fn without_the_end(records: Vec<Record>) -> Vec<Record> {
    let mut ends = false;
    let mut is_of_a_life = |record: &Record| {
        let begins = record.header("poolserial") == "0";
        ends |= record.header("eventname") == "SUPERVISOR_STATE_CHANGE_STOPPING";
        ends &= !begins;
        !ends
    };
    records.into_iter().filter(|record| is_of_a_life(record)).collect()
}

/// The original stops its listeners at once when their turn has come, whatever they have not
/// heard yet; ours lets them hear what happened before.
#[test]
fn the_end_of_the_daemon() {
    let [theirs, ours] = Scenario::new(
        |setup| {
            setup
                .listener(TIMELESS, "buffer_size=100")
                .program("a", "command=/bin/sleep 1000\npriority=1")
                .program("b", "command=/bin/sleep 1000\npriority=2")
                .program("c", "command=/bin/none\npriority=3\nstartretries=100")
        },
        |d| {
            ready(d, &["lis"]);
            running(d, &["a", "b"]);
            d.wait_state("c", "BACKOFF", 20);
            d.signal(Signal::SIGTERM);
            d.wait_log("WARN stopped: lis *", 30);
        },
    )
    .stream("lis", "*")
    .play();
    let end = |played: &Played| -> Vec<String> {
        let events = played.streams[0].iter().map(Record::event);
        events.skip_while(|event| !event.starts_with("SUPERVISOR_STATE_CHANGE_STOPPING")).collect()
    };
    let ours: Vec<String> = end(&ours);
    let want = [
        "SUPERVISOR_STATE_CHANGE_STOPPING ",
        "PROCESS_STATE_FATAL processname:c groupname:c from_state:BACKOFF",
        "PROCESS_STATE_STOPPING processname:b groupname:b from_state:RUNNING pid:<3>",
        "PROCESS_STATE_STOPPED processname:b groupname:b from_state:STOPPING pid:<3>",
        "PROCESS_STATE_STOPPING processname:a groupname:a from_state:RUNNING pid:<2>",
        "PROCESS_STATE_STOPPED processname:a groupname:a from_state:STOPPING pid:<2>",
    ];
    assert_eq!(ours, want);
    let theirs = end(&theirs);
    assert_eq!(theirs, want[..theirs.len()]);
}

#[test]
fn ticks() {
    Scenario::new(
        |setup| setup.listener("TICK_5,REMOTE_COMMUNICATION", "startsecs=0"),
        |d| {
            ready(d, &["lis"]);
            let ticks = wait_events(d, "lis", "TICK_5 when:*", 2);
            let when: Vec<u64> = ticks
                .iter()
                .map(|tick| tick.event().rsplit(':').next().unwrap().parse().unwrap())
                .collect();
            assert_eq!(when[0] % 5, 0);
            assert_eq!(when[1], when[0] + 5);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn names_stand_as_they_are() {
    Scenario::new(
        |setup| {
            setup
                .supervisord("identifier=my own: 1")
                .pool("a.b-c_9", "REMOTE_COMMUNICATION,PROCESS_GROUP", "", "")
                .program("x.y", "command=/bin/true\nautostart=false")
                .program("été", "command=/bin/true\nautostart=false")
        },
        |d| {
            ready(d, &["a.b-c_9"]);
            remote(d, "end", "");
        },
    )
    .stream("a.b-c_9", END)
    .compare();
}
