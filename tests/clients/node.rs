//! npm's `supervisord`: every method of its list.

use std::process::Command;

use crate::{
    PASSWORD, USER, Way, client, fixture,
    support::{Setup, Side, run},
};

fn calls_everything(way: Way) {
    let mut setup = Setup::new()
        .side(Side::Ours)
        .program("cat", "command=/bin/cat\nstartsecs=0\nstdout_logfile=%(here)s/cat.log")
        .program("leaving", "command=/bin/cat\nstartsecs=0");
    // Over a unix socket it has no way to give a password.
    if way == Way::Tcp {
        setup = setup.login(USER, PASSWORD).tcp();
    }
    let mut d = setup.start();
    d.wait_state("leaving", "RUNNING", 15);
    let url = match way {
        Way::Unix => format!("unix://{}", d.path("s.sock").display()),
        Way::Tcp => format!("http://{USER}:{PASSWORD}@127.0.0.1:{}", d.port()),
    };
    let mut command = Command::new("node");
    command.arg(fixture("calls.js")).arg(url).env("NODE_PATH", client("node_modules"));
    let output = run(&mut command, 60);
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(output.stdout, "40 methods\n", "{output:?}");
    assert_eq!(d.wait_exit(20), 0);
}

#[test]
fn node_calls_every_method_over_unix() {
    calls_everything(Way::Unix);
}

#[test]
fn node_calls_every_method_over_tcp() {
    calls_everything(Way::Tcp);
}
