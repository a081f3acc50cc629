//! Supervisor 4.3.0's supervisorctl prints the same and exits with the same codes whichever
//! daemon it drives, over a unix socket and over TCP, with a password.

use std::{fs, process::Command, thread};

use crate::{
    PASSWORD, USER, Way,
    support::{Setup, Side, TestDaemon, run},
    url,
};

const PROGRAMS: &str = "\
[program:cat]\ncommand=/bin/cat\nstartsecs=0\n\
[program:manual]\ncommand=/bin/sleep 1000\nstartsecs=0\nautostart=false\n\
[program:w]\ncommand=/bin/sleep 1000\nstartsecs=0\nautostart=false\nnumprocs=2\n\
process_name=%(program_name)s_%(process_num)d\n\
[program:quick]\ncommand=/bin/false\nstartretries=0\nautostart=false\n\
[program:nofile]\ncommand=/no/such/file\nautostart=false\n\
[program:talk]\ncommand=/bin/sh -c \"echo out; echo err >&2; exec sleep 1000\"\nstartsecs=0\n\
autostart=false\nstdout_logfile=%(here)s/talk.out\nstderr_logfile=%(here)s/talk.err\n\
[program:leaving]\ncommand=/bin/sleep 1000\nstartsecs=0\n\
[program:changing]\ncommand=/bin/sleep 1001\nstartsecs=0\n";

const FIRST: &[&str] = &[
    "version",
    "pid",
    "pid cat",
    "pid manual",
    "pid nosuch",
    "status",
    "status cat",
    "status w:*",
    "status nosuch",
    "avail",
    "start manual",
    "start manual",
    "stop manual",
    "stop manual",
    "start w:*",
    "status w:*",
    "restart w:w_1",
    "stop w:*",
    "start nofile",
    "start quick",
    "start nosuch",
    "start cat manual",
    "restart manual",
    "signal CONT cat",
    "signal nope cat",
    "signal CONT nosuch",
    "signal CONT manual",
    "start talk",
    "tail talk",
    "tail -3 talk stderr",
    "tail nosuch",
    "tail cat nosuch",
    "clear talk",
    "clear all",
    "tail talk",
    "maintail -5",
    "reread",
    "update",
    "add nosuch",
    "add cat",
    "remove cat",
    "remove nosuch",
];

const SECOND: &[&str] = &[
    "reread",
    "reread",
    "avail",
    "add arriving",
    "update",
    "status",
    "stop all",
    "status",
    "clear nosuch",
    "nonsense",
    "start",
    "shutdown",
    "status",
];

/// What there is to see of the way to the daemon; the rest is the same over any.
const SHORT: &[&str] = &[
    "version",
    "pid",
    "status",
    "start manual",
    "stop manual",
    "stop manual",
    "start talk",
    "tail talk",
    "maintail -5",
    "clear all",
];

/// What may differ: numbers, dates, and the order in which things ended.
fn normal(text: &str, d: &TestDaemon) -> Vec<String> {
    let text = text.replace(&d.path("").display().to_string(), "<dir>/");
    let text = text.replace(&format!(":{}", d.setup.try_port().unwrap_or(1)), ":<port>");
    let line = |line: &str| -> String {
        if line.contains(" STOPPED ") || line.contains(" EXITED ") {
            // The date is not of interest, and it may be another minute.
            let words: Vec<&str> = line.split_whitespace().take(2).collect();
            return words.join(" ");
        }
        let mut out = String::new();
        for c in line.chars() {
            match c {
                '0'..='9' if out.ends_with('#') => {}
                '0'..='9' => out.push('#'),
                c => out.push(c),
            }
        }
        out
    };
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.sort();
    lines
}

fn ask(d: &TestDaemon, way: Way, password: &str, words: &str) -> String {
    let mut command: Command = d.ctl_command(Side::Theirs, &[]);
    command.args(["-s", &url(d, way), "-u", USER, "-p", password]).args(words.split(' '));
    let output = run(&mut command, 60);
    let lines = match words {
        "version" | "maintail -5" => vec!["something".to_owned(); output.lines().len().min(1)],
        _ => normal(&output.stdout, d),
    };
    format!("{words}: {} {lines:#?} {:?}", output.code, normal(&output.stderr, d))
}

fn drive(daemon: Side, way: Way) -> Vec<String> {
    let mut d = Setup::new().side(daemon).login(USER, PASSWORD).tcp().section(PROGRAMS).start();
    d.wait_state("changing", "RUNNING", 20);
    let mut told = vec![ask(&d, way, "wrong", "status")];
    let (first, second) = match way {
        Way::Unix => (FIRST, SECOND),
        Way::Tcp => (SHORT, &["update", "shutdown", "status"][..]),
    };
    told.extend(first.iter().map(|words| ask(&d, way, PASSWORD, words)));
    let config = fs::read_to_string(&d.config).unwrap();
    let config = config.replace("[program:leaving]", "[program:arriving]");
    fs::write(&d.config, config.replace("sleep 1001", "sleep 1002")).unwrap();
    for words in second {
        told.push(ask(&d, way, PASSWORD, words));
        if *words == "shutdown" {
            assert_eq!(d.wait_exit(30), 0);
        }
    }
    told
}

fn same_on_both(way: Way) {
    let theirs = thread::spawn(move || drive(Side::Theirs, way));
    let ours = drive(Side::Ours, way);
    for (theirs, ours) in theirs.join().unwrap().iter().zip(&ours) {
        assert_eq!(ours, theirs, "{way:?}");
    }
}

#[test]
fn the_original_client_says_the_same_of_both_daemons_over_unix() {
    same_on_both(Way::Unix);
}

#[test]
fn the_original_client_says_the_same_of_both_daemons_over_tcp() {
    same_on_both(Way::Tcp);
}
