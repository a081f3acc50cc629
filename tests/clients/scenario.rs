//! Every method in good and bad forms by Python's xmlrpc.client, on both daemons at once: what
//! it prints has to be the same.

use std::{fs, process::Command, thread};

use crate::{
    PASSWORD, USER, Way, fixture,
    support::{Output, Setup, Side, TestDaemon, oracle, root, run},
};

/// The programs that the scenario knows. Those that are stopped right after their start have a
/// short patience: the original's child may lose a signal that comes before its program.
fn programs() -> String {
    let ear = fixture("listener.py");
    let python = oracle("python3");
    let sleep = "command=/bin/sleep 1000\nstartsecs=0\n";
    let user = if root() { "user=root\n" } else { "" };
    format!(
        "[program:cat]\ncommand=/bin/cat\nstartsecs=0\npriority=5\n\
         [program:manual]\n{sleep}autostart=false\nstopwaitsecs=1\n{user}stderr_capture_maxbytes=2KB\n\
         [program:slow]\ncommand=/bin/sleep 1000\nstartsecs=3\nautostart=false\nstopwaitsecs=1\n\
         [program:brief]\ncommand=/bin/sleep 1000\nstartsecs=1\nautostart=false\n\
         [program:lasting]\ncommand=%(here)s/stubborn\nstartsecs=0\nautostart=false\n\
         stopwaitsecs=5\n\
         [program:stubborn]\ncommand=%(here)s/stubborn\nstartsecs=0\nautostart=false\n\
         stopwaitsecs=3\nstopsignal=INT\nkillasgroup=true\n\
         [program:quick]\ncommand=/bin/sh -c \"exit 3\"\nautostart=false\nstartretries=0\n\
         exitcodes=0,7\n\
         [program:retry]\ncommand=/bin/false\nautostart=false\nstartretries=1000\n\
         [program:nofile]\ncommand=/no/such/file\nautostart=false\n\
         [program:directory]\ncommand=%(here)s/sub\nautostart=false\n\
         [program:plain]\ncommand=%(here)s/plain\nautostart=false\n\
         [program:badquote]\ncommand=/bin/sh -c \"unclosed\nautostart=false\n\
         [program:bad_exec]\ncommand=%(here)s/garbage\nautostart=false\nstartretries=0\n\
         [program:nolog_dir]\n{sleep}autostart=false\nstartretries=0\n\
         stdout_logfile=%(here)s/sub\n\
         [program:sig]\ncommand=%(here)s/sig\nstartsecs=0\nautostart=false\n\
         stdout_logfile=%(here)s/sig.log\n\
         [program:writer]\ncommand=%(here)s/writer\nstartsecs=0\nautostart=false\n\
         stdout_logfile=%(here)s/writer.out\nstderr_logfile=%(here)s/writer.err\n\
         stdout_logfile_maxbytes=1MB\nstdout_logfile_backups=3\n\
         stdout_events_enabled=true\ndirectory=/tmp\nserverurl=http://localhost:1\n\
         [program:gone]\n{sleep}stdout_logfile=%(here)s/gone.log\n\
         [program:nolog]\n{sleep}stdout_logfile=NONE\nstderr_logfile=NONE\n\
         [program:null]\n{sleep}stdout_logfile=NONE\n\
         [program:redirected]\n{sleep}redirect_stderr=true\n\
         [program:deaf]\ncommand=%(here)s/deaf\nstartsecs=0\nautostart=false\n\
         [program:changing]\ncommand=/bin/sleep 1001\nstartsecs=0\n\
         [program:leaving]\n{sleep}autostart=false\n\
         [program:m1]\n{sleep}priority=20\n\
         [program:m2]\n{sleep}priority=10\n\
         [group:mix]\nprograms=m1,m2\npriority=3\n\
         [program:w]\n{sleep}numprocs=3\nprocess_name=%(program_name)s_%(process_num)d\n\
         [program:f1]\ncommand=/bin/sleep 1000\nstartsecs=3\nautostart=false\npriority=1\n\
         [program:f2]\ncommand=/no/such/file\nautostart=false\npriority=2\n\
         [program:f3]\n{sleep}autostart=false\npriority=3\n\
         [program:f4]\ncommand=/bin/sleep 1000\nstartsecs=1\nautostart=false\npriority=4\n\
         [program:f5]\ncommand=%(here)s/plain\nautostart=false\npriority=5\n\
         [group:faults]\nprograms=f1,f2,f3,f4,f5\n\
         [eventlistener:ear]\ncommand={} {} %(here)s\nevents=REMOTE_COMMUNICATION\n",
        python.display(),
        ear.display(),
    )
}

fn start(side: Side, way: Way) -> TestDaemon {
    let stubborn = "#!/bin/sh\ntrap '' TERM INT\necho ready\nwhile :; do sleep 0.1; done\n";
    let sig = "#!/bin/sh\ntrap 'echo hup' HUP\ntrap 'echo usr1' USR1\necho ready\n\
               while :; do sleep 0.1; done\n";
    let writer = "#!/bin/sh\nprintf 0123456789\nprintf abcde >&2\nexec sleep 1000\n";
    let deaf = "#!/bin/sh\nexec <&-\necho closed\nexec sleep 1000\n";
    let mut setup = Setup::new()
        .side(side)
        .script("stubborn", stubborn)
        .script("sig", sig)
        .script("writer", writer)
        .script("deaf", deaf)
        .script("garbage", "\u{1}\u{2}no program")
        .section(&programs());
    fs::create_dir(setup.path("sub")).unwrap();
    fs::write(setup.path("plain"), "not executable").unwrap();
    if let Way::Tcp = way {
        setup = setup.login(USER, PASSWORD).tcp();
    }
    setup.start()
}

fn play(side: Side, way: Way) -> Output {
    let mut d = start(side, way);
    for name in ["cat", "gone", "nolog", "redirected", "changing", "mix:m1", "w:w_2", "ear"] {
        d.wait_state(name, "RUNNING", 20);
    }
    let (address, login) = match way {
        Way::Unix => (d.path("s.sock").display().to_string(), ""),
        Way::Tcp => (format!("127.0.0.1:{}", d.port()), "user:secret"),
    };
    // The longer parts are the same whatever carries them.
    let parts: &[&str] = match way {
        Way::Unix => &[],
        Way::Tcp => &["system", "facts", "information", "groups", "logs", "leave"],
    };
    let mut command = Command::new(oracle("python3"));
    command.arg("-B").arg(fixture("scenario.py")).arg(address).arg(login).arg(d.path(""));
    command.args(parts);
    let output = run(command.env("PYTHONIOENCODING", "utf-8"), 240);
    assert_eq!(output.code, 0, "{side:?}: {output:?}");
    assert!(output.stdout.ends_with("-- end\n"), "{side:?}: {output:?}");
    assert_eq!(d.wait_exit(30), 0, "{side:?}");
    output
}

/// Where the original answers HTTP 500, which tells a client nothing, ours answers with the
/// fault of wrong parameters.
fn is_bettered(theirs: &str, ours: &str) -> bool {
    let outcome = |line: &str| line.rsplit_once(" => ").map(|(_, text)| text.to_owned());
    outcome(theirs).is_some_and(|text| text == "HTTP 500")
        && outcome(ours).is_some_and(|text| text.starts_with("FAULT 2 INCORRECT_PARAMETERS"))
}

/// Both lines about where they begin to differ.
fn difference(theirs: &str, ours: &str) -> String {
    let same = theirs.chars().zip(ours.chars()).take_while(|(a, b)| a == b).count();
    let part =
        |line: &str| -> String { line.chars().skip(same.saturating_sub(80)).take(200).collect() };
    let call: String = theirs.chars().take(80).collect();
    format!("{call}\ntheirs: {}\nours:   {}\n", part(theirs), part(ours))
}

fn same_on_both(way: Way) {
    let theirs = thread::spawn(move || play(Side::Theirs, way));
    let ours = play(Side::Ours, way);
    let theirs = theirs.join().unwrap();
    let (ours, theirs) = (ours.lines(), theirs.lines());
    let pairs = theirs.iter().zip(&ours);
    let different: Vec<String> = pairs
        .filter(|(theirs, ours)| theirs != ours && !is_bettered(theirs, ours))
        .map(|(theirs, ours)| difference(theirs, ours))
        .collect();
    for line in ours.iter().chain(&theirs) {
        assert!(!line.starts_with("waited in vain"), "{line}");
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    assert_eq!(ours.len(), theirs.len());
    let least = if let Way::Unix = way { 1000 } else { 300 };
    assert!(ours.len() > least, "only {} calls", ours.len());
}

#[test]
fn each_call_has_the_same_outcome_on_both_daemons_over_unix() {
    same_on_both(Way::Unix);
}

#[test]
fn each_call_has_the_same_outcome_on_both_daemons_over_tcp_with_a_password() {
    same_on_both(Way::Tcp);
}
