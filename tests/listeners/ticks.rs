//! What listeners hear when a minute or an hour is over: the daemons get a clock that can be set.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::both::{END, Scenario, without_serials};
use crate::recorder::{Record, Recorders, ready, records, remote, wait_event};
use crate::support::wait_for;

const HOUR: u64 = 3600;

/// The clock is set forward to a little before a full hour, which then comes; and back.
#[test]
fn ticks_of_minutes_and_hours() {
    Scenario::new(
        |setup| setup.own_wall_clock().listener("TICK,REMOTE_COMMUNICATION", "buffer_size=100"),
        |d| {
            ready(d, &["lis"]);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let full = (now / HOUR + 3) * HOUR;
            let lead = full - 10 - now;
            d.set_wall_clock(i64::try_from(lead).unwrap());
            let [minute, hour] = [60, HOUR].map(|secs| format!("TICK_{secs} when:{full}"));
            wait_event(d, "lis", &hour);
            let events: Vec<String> = records(d, "lis").iter().map(Record::event).collect();
            let at = events.iter().position(|event| *event == hour).unwrap();
            assert_eq!(events[at - 1], minute);
            assert!(events[at - 2].starts_with("TICK_5 when:"), "{events:?}");
            d.set_wall_clock(0);
            let earlier = now - now % HOUR;
            let back = [0, HOUR].map(|passed| format!("TICK_3600 when:{}", earlier + passed));
            wait_for("a tick of the hour before", 60, || {
                records(d, "lis").iter().any(|tick| back.contains(&tick.event())).then_some(())
            });
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .same(first_ticks)
    .compare();
}

/// The first event of each of the long ticks. How many of them, and of the short ones, come
/// before a clock that was set is looked at, is nobody's.
fn first_ticks(records: Vec<Record>) -> Vec<Record> {
    let first = |kind| records.iter().find(|record| record.header("eventname") == kind);
    ["TICK_60", "TICK_3600"].into_iter().filter_map(first).cloned().map(without_serials).collect()
}
