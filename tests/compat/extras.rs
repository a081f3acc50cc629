//! What our supervisorctl has beyond Supervisor's, asked of both daemons: it needs nothing of the
//! daemon that the original lacks.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::support::{Output, Scratch, Setup, Side, TestDaemon, free_port, run, wait_for};

/// The daemon under test, and the other one; nothing where the client would be the original.
fn daemons() -> &'static [Side] {
    match Side::ours_only("what its client does not have") {
        true => &[Side::Ours, Side::Theirs],
        false => &[],
    }
}

fn ctl(d: &TestDaemon, args: &[&str]) -> Output {
    d.ctl_of(Side::Ours, args)
}

/// Two workers and a program of its own, each with a line in its log; one that does not run.
fn workers(side: Side) -> TestDaemon {
    let d = Setup::new()
        .side(side)
        .script("talker", "#!/bin/sh\necho \"I am $1\"\nexec sleep 1000\n")
        .program(
            "worker",
            "command=%(here)s/talker w%(process_num)d\nnumprocs=2\nstartsecs=0\n\
             process_name=%(program_name)s_%(process_num)d\n\
             stdout_logfile=%(here)s/w%(process_num)d.log",
        )
        .program("web", "command=%(here)s/talker web\nstartsecs=0\nstdout_logfile=%(here)s/web.log")
        .program("idle", "command=/bin/sleep 1000\nautostart=false")
        .start();
    for (name, log) in [("worker:worker_0", "w0"), ("worker:worker_1", "w1"), ("web", "web")] {
        d.wait_state(name, "RUNNING", 20);
        d.wait_file(&format!("{log}.log"), 20, |text| text.ends_with('\n'));
    }
    d
}

#[test]
fn patterns_name_several() {
    for side in daemons() {
        let mut d = workers(*side);
        let both = |word: &str| format!("worker:worker_0: {word}\nworker:worker_1: {word}\n");
        ctl(&d, &["stop", "worker_*"]).expect(&both("stopped"), 0);
        ctl(&d, &["start", "worker:*_?"]).expect(&both("started"), 0);
        // A whole group stops in one call, and its members in any order.
        let restarted = ctl(&d, &["restart", "w*r*:*"]);
        let mut lines = restarted.lines();
        lines.sort_unstable();
        let wanted = format!("{}{}", both("started"), both("stopped"));
        let mut wanted: Vec<&str> = wanted.lines().collect();
        wanted.sort_unstable();
        assert_eq!((lines, restarted.code), (wanted, 0));
        ctl(&d, &["signal", "WINCH", "w*"])
            .expect(&format!("web: signalled\n{}", both("signalled")), 0);
        let pids = ["worker:worker_0", "worker:worker_1"].map(|name| d.pid_of(name).to_string());
        ctl(&d, &["pid", "worker_*"]).expect(&format!("{}\n", pids.join("\n")), 0);
        assert_eq!(ctl(&d, &["status", "worker_*", "id?e"]).lines().len(), 3);
        ctl(&d, &["start", "nothing*"]).expect("nothing*: ERROR (no such process)\n", 1);
        ctl(&d, &["stop", "no*:*"]).expect("no*: ERROR (no such group)\n", 1);
        ctl(&d, &["clear", "w?b"]).expect("web: cleared\n", 0);
        ctl(&d, &["stop", "w*"]).expect(&format!("web: stopped\n{}", both("stopped")), 0);
        let removed = "web: removed process group\nworker: removed process group\n";
        ctl(&d, &["remove", "w*"]).expect(removed, 0);
        ctl(&d, &["add", "wo*"]).expect("worker: added process group\n", 0);
        ctl(&d, &["update", "we*", "no*"])
            .expect("ERROR: no such group: no*\nweb: added process group\n", 1);
        d.shut_down(40);
    }
}

#[test]
fn json_has_all_that_is_known_of_each_process() {
    let script = "import json, sys
for row in json.load(sys.stdin):
    print(' '.join(row), type(row['pid']).__name__)
    print(row['group'], row['name'], row['statename'], row['pid'], row['stdout_logfile'])
";
    let fields = "name group start stop now state statename spawnerr exitstatus logfile \
                  stdout_logfile stderr_logfile pid description int";
    for side in daemons() {
        let d = workers(*side);
        let output = ctl(&d, &["status", "--json", "web", "idle"]);
        assert_eq!((output.stderr.as_str(), output.code), ("", 3));
        let file = d.path("status.json");
        fs::write(&file, &output.stdout).unwrap();
        let mut python = Command::new("sh");
        python.args(["-c", "exec python3 -c \"$0\" <\"$1\"", script]).arg(&file);
        let home = d.path("");
        let home = home.to_str().unwrap().trim_end_matches('/');
        let pid = d.pid_of("web");
        let read = run(&mut python, 20);
        let lines = read.lines();
        assert_eq!(lines[..3], [fields, &format!("web web RUNNING {pid} {home}/web.log"), fields]);
        assert!(lines[3].starts_with("idle idle STOPPED 0 "), "{read:?}");
        assert_eq!(ctl(&d, &["status", "web", "--json"]).code, 0);
        let unknown = ctl(&d, &["status", "--json", "nope"]);
        assert_eq!((unknown.stdout.as_str(), unknown.code), ("[]\n", 4));
        assert_eq!(unknown.stderr, "nope: ERROR (no such process)\n");
    }
    if daemons().is_empty() {
        return;
    }
    let mut command = Command::new(Side::Ours.supervisorctl());
    let output = run(command.args(["-c", "", "-s", "unix:///no/such", "status", "--json"]), 20);
    assert_eq!((output.stdout.as_str(), output.code), ("", 4));
    assert_eq!(output.stderr, "unix:///no/such no such file\n");
}

#[test]
fn states_are_coloured_for_who_asks() {
    for side in daemons() {
        let d = workers(*side);
        let plain = ctl(&d, &["status"]);
        assert!(!plain.stdout.contains('\u{1b}'));
        let colored = ctl(&d, &["--color", "status"]);
        let line = colored.lines()[1].to_owned();
        let start = "web                              \u{1b}[32mRUNNING\u{1b}[0m   pid ";
        assert!(line.starts_with(start), "{line:?}");
        let strip = |text: &str| text.replace("\u{1b}[32m", "").replace("\u{1b}[0m", "");
        let columns =
            |text: &str| text.lines().map(|line| line[..44].to_owned()).collect::<Vec<_>>();
        assert_eq!(columns(&strip(&colored.stdout)), columns(&plain.stdout));
    }
}

#[test]
fn several_logs_stand_behind_their_names() {
    for side in daemons() {
        let d = workers(*side);
        ctl(&d, &["tail", "worker_*", "web"]).expect(
            "worker:worker_0 | I am w0\nworker:worker_1 | I am w1\nweb             | I am web\n",
            0,
        );
        ctl(&d, &["tail", "-4", "worker:*"])
            .expect("worker:worker_0 |  w0\nworker:worker_1 |  w1\n", 0);
        let output = ctl(&d, &["--color", "tail", "w?b"]);
        output.expect("\u{1b}[36mweb\u{1b}[0m | I am web\n", 0);
        ctl(&d, &["tail", "web", "nope"]).expect("Error: bad channel 'nope'\n", 1);
    }
}

/// A client that runs until the test is over.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn several_logs_can_be_followed() {
    for side in daemons() {
        let d = workers(*side);
        let mut command = d.ctl_command(Side::Ours, &["tail", "-f", "worker_*", "web", "idle"]);
        let file = |name| fs::File::create(d.path(name)).unwrap();
        let child = command.stdout(Stdio::piped()).stderr(file("err")).spawn().unwrap();
        let mut child = Following(child);
        let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().unwrap(), "==> Press Ctrl-C to exit <==");
        let mut first: Vec<String> = lines.by_ref().take(3).collect();
        first.sort();
        let wanted = ["web             | I am web", "worker:worker_0 | I am w0"];
        assert_eq!(first[..2], wanted);
        assert_eq!(first[2], "worker:worker_1 | I am w1");
        // A line that comes in two pieces is shown once it is whole.
        let append = |text: &str| {
            use std::io::Write;
            let log = fs::OpenOptions::new().append(true).open(d.path("w1.log"));
            log.unwrap().write_all(text.as_bytes()).unwrap();
        };
        append("half ");
        append("and half\nmore\n");
        assert_eq!(lines.next().unwrap(), "worker:worker_1 | half and half");
        assert_eq!(lines.next().unwrap(), "worker:worker_1 | more");
        signal::kill(Pid::from_raw(child.0.id() as i32), Signal::SIGINT).unwrap();
        let status = wait_for("its end", 20, || child.0.try_wait().unwrap());
        assert_eq!((status.code(), lines.next().as_deref()), (Some(0), Some("")));
    }
}

#[test]
fn credentials_come_from_a_file_or_the_environment() {
    if daemons().is_empty() {
        return;
    }
    let port = free_port();
    let login = format!("port=127.0.0.1:{port}\nusername=u\npassword=p%%q");
    let d = Setup::new().section(&format!("[inet_http_server:b]\n{login}")).start();
    let url = format!("http://127.0.0.1:{port}");
    let file = d.path("password");
    let file = file.to_str().unwrap();
    let ask = |section: &str, args: &[&str], env: &[(&str, &str)]| {
        let config = d.path("ctl.conf");
        fs::write(&config, format!("[supervisorctl]\nserverurl={url}\n{section}\n")).unwrap();
        let mut command = Command::new(Side::Ours.supervisorctl());
        command.env_remove("SUPERVISOR_USERNAME").env_remove("SUPERVISOR_PASSWORD");
        command.arg("-c").arg(&config).args(args).arg("version").envs(env.iter().copied());
        run(&mut command, 20)
    };
    let right = |section: &str, args: &[&str], env: &[(&str, &str)]| {
        let answer = ask(section, args, env);
        assert!(answer.stdout.starts_with("4.3.0"), "{section:?} {args:?} {env:?}: {answer:?}");
    };
    let wrong = |section: &str, args: &[&str], env: &[(&str, &str)]| {
        ask(section, args, env).expect("Server requires authentication\n", 1);
    };
    const NAME: (&str, &str) = ("SUPERVISOR_USERNAME", "u");
    const PASSWORD: (&str, &str) = ("SUPERVISOR_PASSWORD", "p%q");
    for text in ["p%q", "p%q\n", "p%q\r\nmore\n"] {
        fs::write(file, text).unwrap();
        right("", &["-u", "u", "--password-file", file], &[]);
    }
    right("", &[], &[NAME, PASSWORD]);
    right("username=u", &[], &[PASSWORD]);
    right("password=p%%q", &[], &[NAME]);
    right("username=u", &["-p", "p%q"], &[("SUPERVISOR_USERNAME", "other")]);
    // The command line, then the file, then the environment.
    right("username=no\npassword=no", &["-u", "u", "--password-file", file], &[]);
    right("username=u\npassword=p%%q", &[], &[("SUPERVISOR_PASSWORD", "no")]);
    wrong("password=no", &[], &[NAME, PASSWORD]);
    wrong("", &["-p", "no"], &[NAME, PASSWORD]);
    wrong("", &[], &[("SUPERVISOR_USERNAME", ""), PASSWORD]);
    let place = Scratch::new();
    let no_such = place.path().join("none");
    for (path, why) in [
        (no_such.to_str().unwrap(), "[Errno 2] No such file or directory"),
        (place.path().to_str().unwrap(), "[Errno 21] Is a directory"),
    ] {
        let answer = ask("", &["-u", "u", "--password-file", path], &[]);
        let line = format!("Error: could not read password file {path}: {why}");
        assert_eq!((answer.stderr.lines().next(), answer.code), (Some(line.as_str()), 2));
    }
}
