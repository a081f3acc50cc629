//! Programs that read supervisorctl's output (Ansible, Salt, Chef, Puppet, fabtools, testinfra,
//! checks of Nagios): each finds in it what is there, in every state. Their ways to read stand in
//! `tests/fixtures/parsers.py`.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
};

use crate::support::{Output, Scratch, Setup, Side, TestDaemon, run};

/// What each reader makes of the text: lines `name reader answer`.
#[track_caller]
fn read_by_all(text: &str, words: &[&str]) -> Vec<[String; 3]> {
    let place = Scratch::new();
    let file = place.path().join("text");
    fs::write(&file, text).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parsers.py");
    let mut command = Command::new("sh");
    command.args(["-c", "exec python3 \"$@\" <\"$0\""]).arg(&file).arg(script).args(words);
    let output = run(&mut command, 20);
    assert_eq!((output.stderr.as_str(), output.code), ("", 0), "{text}");
    let words = |line: &str| {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        <[String; 3]>::try_from(words).unwrap()
    };
    output.stdout.lines().map(words).collect()
}

/// Fails unless every reader finds these states.
#[track_caller]
fn read_status(output: &Output, states: &[(&str, &str)]) {
    let names = states.iter().map(|(name, _)| *name);
    let words: Vec<&str> = ["status"].into_iter().chain(names).collect();
    let read = read_by_all(&output.stdout, &words);
    assert_eq!(read.len(), states.len() * 7);
    for [name, reader, state] in read {
        let wanted = states.iter().find(|(known, _)| *known == name).unwrap().1;
        assert_eq!(state, wanted, "{reader} of {name} in {output:?}");
    }
}

/// Fails unless every reader but these takes the lines for a success, or for none.
#[track_caller]
fn read_result(output: &Output, word: &str, name: &str, success: bool, but: &[&str]) {
    for [name, reader, answer] in read_by_all(&output.stdout, &["result", word, name]) {
        let wanted = success != but.contains(&reader.as_str());
        let wanted = if wanted { "True" } else { "False" };
        assert_eq!(answer, wanted, "{reader} of {name} in {output:?}");
    }
}

const STUBBORN: &str = "#!/bin/sh\ntrap '' TERM\necho deaf\nwhile :; do sleep 0.1; done\n";

/// Processes that stay in one state each.
fn states() -> TestDaemon {
    let d = Setup::new()
        .script("stubborn", STUBBORN)
        .program("running", "command=/bin/sleep 1000\nstartsecs=0")
        .program("web", "command=/bin/sleep 1000\nstartsecs=0")
        .section("[group:pair]\nprograms=web")
        .program("starting", "command=/bin/sleep 1000\nstartsecs=1000")
        .program("backoff", "command=/bin/false\nstartretries=1000")
        .program(
            "stopping",
            "command=%(here)s/stubborn\nstartsecs=0\nstopwaitsecs=1000\n\
             stdout_logfile=%(here)s/stubborn.log",
        )
        .program("exited", "command=/bin/true\nstartsecs=0\nautorestart=false")
        .program("fatal", "command=/no/such/file\nstartretries=0")
        .program("stopped", "command=/bin/sleep 1000\nautostart=false")
        .start();
    d.wait_file("stubborn.log", 20, |text| text == "deaf\n");
    let wait = "<string>stopping</string><boolean>0</boolean>";
    assert!(d.rpc().call("supervisor.stopProcess", wait).unwrap().contains("<boolean>1<"));
    for (name, state) in [("exited", "EXITED"), ("fatal", "FATAL"), ("running", "RUNNING")] {
        d.wait_state(name, state, 20);
    }
    // It stays longer there after each start that failed: after the third for three seconds.
    d.wait_log_order(&["INFO spawned: 'backoff' with pid *"; 3], 20);
    d.wait_state("backoff", "BACKOFF", 20);
    d
}

#[test]
fn every_reader_finds_every_state_of_a_daemon() {
    let d = states();
    read_status(
        &d.ctl(&["status"]),
        &[
            ("backoff", "BACKOFF"),
            ("running", "RUNNING"),
            ("pair:web", "RUNNING"),
            ("starting", "STARTING"),
            ("stopping", "STOPPING"),
            ("exited", "EXITED"),
            ("fatal", "FATAL"),
            ("stopped", "STOPPED"),
        ],
    );
    // As those ask that look at the second word.
    for (name, state) in [("starting", "STARTING"), ("pair:web", "RUNNING"), ("fatal", "FATAL")] {
        read_status(&d.ctl(&["status", name]), &[(name, state)]);
    }
    // Whole answers of health checks.
    assert_eq!(d.ctl(&["status", "running", "starting"]).code, 0);
    assert_eq!(d.ctl(&["status", "fatal"]).code, 3);
    let pid = d.ctl(&["pid"]);
    assert_eq!(pid.stdout.trim_end().parse::<i32>().unwrap(), d.pid);
}

#[test]
fn every_reader_sees_what_became_of_an_action() {
    let d = states();
    // To Salt's states it is a success that it is as it should be.
    let states = ["salt_state_result"];
    read_result(&d.ctl(&["start", "stopped"]), "started", "stopped", true, &[]);
    read_result(&d.ctl(&["start", "stopped"]), "started", "stopped", false, &states);
    read_result(&d.ctl(&["stop", "running"]), "stopped", "running", true, &[]);
    read_result(&d.ctl(&["stop", "running"]), "stopped", "running", false, &states);
    // Salt's module looks for ERROR in the lines of the stop, too.
    let but = ["salt_result", "puppet_result"];
    read_result(&d.ctl(&["restart", "running"]), "started", "running", true, &but);
    read_result(&d.ctl(&["restart", "pair:web"]), "started", "pair:web", true, &["puppet_result"]);
    read_result(&d.ctl(&["signal", "WINCH", "pair:web"]), "signalled", "pair:web", true, &[]);
    read_result(&d.ctl(&["signal WINCH", "running"]), "signalled", "running", true, &[]);
    for name in ["nope", "fatal"] {
        read_result(&d.ctl(&["start", name]), "started", name, false, &[]);
    }
    d.append("[program:new]\ncommand=/bin/sleep 1000\nstartsecs=0\n");
    d.ctl(&["reread"]).expect_part("new: available\n", 0);
    read_result(&d.ctl(&["add", "new"]), "added process group", "new", true, &[]);
    read_result(&d.ctl(&["add", "new"]), "added process group", "new", false, &[]);
    d.ctl(&["stop", "new"]).expect("new: stopped\n", 0);
    read_result(&d.ctl(&["remove", "new"]), "removed process group", "new", true, &[]);
    read_result(&d.ctl(&["update"]), "added process group", "new", true, &[]);
}

/// Answers calls as a daemon does whose processes are in all states, one after the other, each
/// alone in its group and in a group.
fn serve(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let value = match String::from_utf8_lossy(&body).contains("getVersion") {
            true => "<string>3.0</string>".to_owned(),
            false => all_states(),
        };
        let body = format!(
            "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>{value}</value>\n\
             </param>\n</params>\n</methodResponse>\n"
        );
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes())?;
    }
}

const STATES: [(&str, i32, &str); 10] = [
    ("STOPPED", 0, "Not started"),
    ("STOPPED", 0, "Nov 21 12:51 AM"),
    ("STARTING", 10, ""),
    ("RUNNING", 20, "pid 42, uptime 1 day, 1:01:01"),
    ("BACKOFF", 30, "Exited too quickly (process log may have details)"),
    ("STOPPING", 40, ""),
    ("EXITED", 100, "Nov 21 12:51 AM"),
    ("FATAL", 200, "unknown error (try \"tail p7\")"),
    ("FATAL", 200, "can't find command '/no/such'"),
    ("UNKNOWN", 1000, ""),
];

fn all_states() -> String {
    let string = |name: &str, text: &str| {
        format!("<member><name>{name}</name><value><string>{text}</string></value></member>")
    };
    let mut all = String::new();
    for (index, (state, code, description)) in STATES.iter().enumerate() {
        for group in [format!("p{index}"), "g".to_owned()] {
            all.push_str("<value><struct>");
            all.push_str(&string("name", &format!("p{index}")));
            all.push_str(&string("group", &group));
            all.push_str(&string("statename", state));
            all.push_str(&string("description", description));
            for (name, number) in [("state", *code), ("pid", if *code == 20 { 42 } else { 0 })] {
                let value = format!("<value><int>{number}</int></value>");
                all.push_str(&format!("<member><name>{name}</name>{value}</member>"));
            }
            all.push_str("</struct></value>");
        }
    }
    format!("<array><data>{all}</data></array>")
}

#[test]
fn every_reader_finds_every_state_there_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that leaves has what it wants.
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    let place = Scratch::new();
    let status = |client: Side, words: &[&str]| {
        let mut command = Command::new(client.supervisorctl());
        run(command.current_dir(place.path()).args(["-s", &url, "status"]).args(words), 20)
    };
    let client = Side::under_test();
    let output = status(client, &[]);
    let both = |index: usize| [format!("p{index}"), format!("g:p{index}")];
    let names: Vec<String> = (0..STATES.len()).flat_map(both).collect();
    let states: Vec<(&str, &str)> =
        names.iter().enumerate().map(|(at, name)| (name.as_str(), STATES[at / 2].0)).collect();
    read_status(&output, &states);
    assert_eq!((output.code, output.lines().len()), (3, 20));
    for (at, name) in names.iter().enumerate() {
        let (state, code, _) = STATES[at / 2];
        let one = status(client, &[name]);
        read_status(&one, &[(name, state)]);
        let is_down = [0, 100, 200, 1000].contains(&code);
        assert_eq!(one.code, if is_down { 3 } else { 0 }, "{one:?}");
    }
    if client == Side::Ours {
        let theirs = status(Side::Theirs, &[]);
        assert_eq!((output.stdout, output.code), (theirs.stdout, theirs.code));
    }
}
