//! Ours and theirs together: each client drives the other daemon, and a stock configuration
//! means the same to both.

use std::{fs, process::Command};

use crate::support::{Setup, Side, TestDaemon, run};

/// The words of status lines that do not depend on pids and times.
fn states(d: &TestDaemon, client: Side) -> Vec<String> {
    let status = d.ctl_of(client, &["status"]);
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let rest = if words[1] == "RUNNING" { "pid, uptime".into() } else { words[2..].join(" ") };
        format!("{} {} {rest}", words[0], words[1])
    };
    status.stdout.lines().map(line).collect()
}

fn drive(client: Side, daemon: Side) {
    let ticker = "#!/bin/sh\necho started\nexec sleep 1000\n";
    let mut d = Setup::new()
        .side(daemon)
        .script("ticker", ticker)
        .program("a", "command=%(here)s/ticker\nstdout_logfile=%(here)s/a.log\nstopwaitsecs=5")
        .program("b", "command=/bin/sleep 1000\nautostart=false")
        .start();
    d.wait_state("a", "RUNNING", 15);
    let ask = |args: &[&str]| d.ctl_of(client, args);
    assert_eq!(ask(&["status"]).code, 3);
    assert_eq!(states(&d, client), ["a RUNNING pid, uptime", "b STOPPED Not started"]);
    ask(&["pid"]).expect(&format!("{}\n", d.pid), 0);
    ask(&["start", "b"]).expect("b: started\n", 0);
    ask(&["start", "b"]).expect("b: ERROR (already started)\n", 0);
    assert_eq!(ask(&["status"]).code, 0);
    ask(&["stop", "b"]).expect("b: stopped\n", 0);
    ask(&["restart", "a"]).expect("a: stopped\na: started\n", 0);
    ask(&["tail", "a"]).expect("started\nstarted\n\n", 0);
    ask(&["tail", "-4", "a"]).expect("ted\n\n", 0);
    ask(&["clear", "a"]).expect("a: cleared\n", 0);
    ask(&["signal", "WINCH", "a"]).expect("a: signalled\n", 0);
    ask(&["maintail"]).expect_part("RUNNING", 0);
    ask(&["avail"]).expect_part("in use", 0);
    assert!(ask(&["version"]).stdout.starts_with("4.3.0"));
    d.append("[program:c]\ncommand=/bin/sleep 1000\n");
    d.edit("stopwaitsecs=5", "stopwaitsecs=6");
    ask(&["reread"]).expect("a: changed\nc: available\n", 0);
    ask(&["update"]).expect("a: stopped\na: updated process group\nc: added process group\n", 0);
    d.wait_state("c", "RUNNING", 15);
    d.edit("[program:c]\ncommand=/bin/sleep 1000\n", "");
    ask(&["update"]).expect("c: stopped\nc: removed process group\n", 0);
    ask(&["reload"]).expect("Restarted supervisord\n", 0);
    d.wait_log_order(&["WARN stopped: a *", "INFO supervisord started with pid *"], 20);
    d.wait_state("a", "RUNNING", 20);
    d.ctl_of(client, &["shutdown"]).expect("Shut down\n", 0);
    assert_eq!(d.wait_exit(30), 0);
}

#[test]
fn each_client_drives_the_other_daemon() {
    match Side::under_test() {
        Side::Ours => {
            drive(Side::Theirs, Side::Ours);
            drive(Side::Ours, Side::Theirs);
        }
        // The original with itself: what the test says is true of it.
        Side::Theirs => drive(Side::Theirs, Side::Theirs),
    }
}

#[test]
fn a_stock_configuration_runs_unchanged_in_both() {
    for sample in [Side::Theirs, Side::Ours] {
        a_sample_means_the_same_to_both(sample);
    }
}

fn a_sample_means_the_same_to_both(sample: Side) {
    let stock = run(&mut Command::new(sample.echo_supervisord_conf()), 20).stdout;
    assert!(stock.contains("[rpcinterface:supervisor]"), "{stock}");
    let programs = "
[program:web]
command=/bin/sleep 1000
priority=5

[program:worker]
command=/bin/sleep 1000
process_name=%(program_name)s_%(process_num)02d
numprocs=3

[program:job]
command=/bin/sleep 1000
autostart=false

[program:broken]
command=/bin/false
startretries=0

[group:pair]
programs=web,job
";
    let all = |side: Side| {
        let setup = Setup::new().side(side);
        // The places of the stock file, all below /tmp, are everybody's; each side has its own.
        let text = stock
            .replace("/tmp/supervisor.sock", setup.path("s.sock").to_str().unwrap())
            .replace("/tmp/supervisord.log", setup.path("activity.log").to_str().unwrap())
            .replace("/tmp/supervisord.pid", setup.path("d.pid").to_str().unwrap());
        let config = setup.path("c.conf");
        fs::write(&config, text + programs).unwrap();
        let d = setup.start_file(config);
        d.wait_state("broken", "FATAL", 20);
        for name in ["pair:web", "worker:worker_00", "worker:worker_01", "worker:worker_02"] {
            d.wait_state(name, "RUNNING", 20);
        }
        let client = if side == Side::Ours { Side::Theirs } else { side };
        states(&d, client)
    };
    let theirs = all(Side::Theirs);
    assert_eq!(
        theirs,
        [
            "broken FATAL Exited too quickly (process log may have details)",
            "pair:job STOPPED Not started",
            "pair:web RUNNING pid, uptime",
            "worker:worker_00 RUNNING pid, uptime",
            "worker:worker_01 RUNNING pid, uptime",
            "worker:worker_02 RUNNING pid, uptime",
        ]
    );
    if Side::under_test() == Side::Ours {
        assert_eq!(all(Side::Ours), theirs);
    }
}
