//! Calls that wait keep nobody else waiting.

use std::time::{Duration, Instant};

use crate::support::{
    Setup, Side,
    rpc::{Connection, members, request, scalar},
    wait_for,
};

const CALLS: usize = 100;

fn posted(body: &str) -> String {
    format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn others_are_answered_within_ten_milliseconds_while_a_hundred_starts_wait() {
    let d = Setup::new()
        .side(Side::Ours)
        .tcp()
        .program(
            "a",
            "command=/bin/sleep 1000\nstartsecs=1000\nautostart=false\nnumprocs=100\n\
             process_name=%(process_num)d",
        )
        .start();
    let mut waits: Vec<Connection> = (0..CALLS)
        .map(|n| {
            let params = format!("<string>a:{n}</string>");
            let mut connection = match n % 2 {
                0 => Connection::unix(&d.path("s.sock")).unwrap(),
                _ => Connection::tcp(d.port()).unwrap(),
            };
            let call = posted(&request("supervisor.startProcess", &params));
            connection.send(call.as_bytes()).unwrap();
            connection
        })
        .collect();
    let mut asks = d.rpc();
    wait_for("a hundred starts", 30, || {
        let answer = asks.call("supervisor.getAllProcessInfo", "").unwrap();
        let states = members(&answer, "statename");
        (states.iter().filter(|state| *state == "STARTING").count() == CALLS).then_some(())
    });
    let mut times: Vec<Duration> = (0..101)
        .map(|_| {
            let begin = Instant::now();
            let mut fresh = d.rpc();
            let answer = fresh.call("supervisor.getState", "").unwrap();
            assert!(answer.contains("RUNNING"), "{answer}");
            begin.elapsed()
        })
        .collect();
    times.sort();
    let median = times[times.len() / 2];
    assert!(median <= Duration::from_millis(10), "median {median:?}, most {:?}", times.last());
    // All of them did wait: each is told now that its process was stopped.
    d.rpc().call("supervisor.stopAllProcesses", "").unwrap();
    for (n, wait) in waits.iter_mut().enumerate() {
        let answer = wait.receive().unwrap().body;
        assert!(answer.contains(&format!("ABNORMAL_TERMINATION: a:{n}<")), "{answer}");
        assert_eq!(scalar(&answer), None);
    }
}
