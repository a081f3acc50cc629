//! The keys of ours: `ack_timeout`, `listener_error`, `event_length`.

use crate::recorder::{Recorders, ready, records, remote, wait_event, wait_events};
use crate::support::Setup;

#[test]
fn who_owes_a_result_for_too_long_gets_no_more_and_another_gets_the_event() {
    let d =
        Setup::new().recorder().recorder_pool(2, "none", "ack_timeout=1\nbuffer_size=100").start();
    ready(&d, &["lis:lis_0", "lis:lis_1"]);
    remote(&d, "n", "0");
    wait_event(&d, "lis_0", "*\n0");
    d.wait_log_order(
        &[
            "WARN lis_0: no result for event 0 within ack_timeout",
            "DEBG lis_0: BUSY -> UNKNOWN",
            "WARN lis_0: has entered the UNKNOWN state and will no longer receive events, *",
            "DEBG event 0 sent to listener lis_1",
            "WARN lis_1: no result for event 0 within ack_timeout",
        ],
        20,
    );
    assert_eq!(records(&d, "lis_0"), records(&d, "lis_1"));
}

#[test]
fn who_is_in_time_is_left_alone() {
    let d = Setup::new()
        .recorder()
        .pool("good", "REMOTE_COMMUNICATION", "", "ack_timeout=1")
        .pool("late", "REMOTE_COMMUNICATION", "OK OK none", "ack_timeout=1")
        .start();
    ready(&d, &["good", "late"]);
    for number in 0..3 {
        remote(&d, "n", &number.to_string());
    }
    wait_event(&d, "good", "*\n2");
    d.wait_log_order(&["DEBG good: event was processed"; 3], 20);
    // Whatever may be due for the one is due for the other.
    d.wait_log("WARN late: no result for event 2 within ack_timeout", 20);
    assert_eq!(d.count("*good: * -> UNKNOWN"), 0);
}

/// Each time it fails, it is started again, and is sent what it failed on.
#[test]
fn who_breaks_the_protocol_is_started_again_and_loses_nothing() {
    let d = Setup::new()
        .recorder()
        .pool(
            "lis",
            "REMOTE_COMMUNICATION",
            r"OK 'raw+no result\n' none 'raw+RESULT\n'",
            "ack_timeout=1\nlistener_error=restart\nbuffer_size=100\nstartsecs=0",
        )
        .start();
    ready(&d, &["lis"]);
    for number in 0..5 {
        remote(&d, "n", &number.to_string());
    }
    wait_event(&d, "lis", "*\n4");
    let numbers: Vec<String> = records(&d, "lis")
        .iter()
        .map(|record| record.event().rsplit('\n').next().unwrap().to_owned())
        .collect();
    assert_eq!(numbers, ["0", "1", "1", "1", "1", "2", "3", "4"]);
    let serials: Vec<u64> = records(&d, "lis").iter().map(|record| record.serial()).collect();
    assert_eq!(serials, [0, 1, 1, 1, 1, 2, 3, 4]);
    d.has_count("INFO spawned: 'lis' with pid *", 4);
    d.has_count("WARN lis: no result for event 1 within ack_timeout", 1);
}

#[test]
fn the_length_in_bytes() {
    let d = Setup::new()
        .recorder()
        .pool("bytes", "REMOTE_COMMUNICATION", "bytes", "event_length=bytes")
        .pool("characters", "REMOTE_COMMUNICATION", "", "event_length=characters")
        .start();
    ready(&d, &["bytes", "characters"]);
    for data in ["été 1\n", "plain", "\u{1f600}", ""] {
        remote(&d, "é", data);
    }
    let lengths = |file: &str| -> Vec<String> {
        let records = wait_events(&d, file, "REMOTE_COMMUNICATION type:é\n*", 4);
        records.iter().map(|record| record.header("len")).collect()
    };
    assert_eq!(lengths("bytes"), ["16", "13", "12", "8"]);
    assert_eq!(lengths("characters"), ["13", "12", "8", "7"]);
    let payloads = |file: &str| -> Vec<String> {
        records(&d, file).iter().map(|record| record.event()).collect()
    };
    assert_eq!(payloads("bytes"), payloads("characters"));
}
