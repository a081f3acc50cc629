//! Every action of supervisorctl: its lines and its exit codes.

use std::process::Command;

use crate::support::{Scratch, Setup, Side, TestDaemon, run};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";

fn several() -> TestDaemon {
    let d = Setup::new()
        .script("plain", "exit 0\n")
        .program("run", &format!("{SLEEP}\nstdout_logfile=NONE"))
        .program("idle", &format!("{SLEEP}\nautostart=false"))
        .program("quick", "command=/bin/false\nautostart=false\nstartretries=0")
        .program("nofile", "command=/no/such/file\nautostart=false")
        .program("noexec", "command=/etc/passwd\nautostart=false")
        .program("m", &format!("{SLEEP}\nautostart=false\npriority=7"))
        .section("[group:g]\nprograms=m\npriority=3")
        .start();
    d.wait_state("run", "RUNNING", 15);
    d
}

#[test]
fn status_lines_have_the_known_columns() {
    let d = several();
    let all = d.ctl(&["status"]);
    assert_eq!(all.code, 3, "something is not running");
    let pid = d.pid_of("run");
    let lines = all.lines();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[0], "g:m                              STOPPED   Not started");
    assert_eq!(lines[1], "idle                             STOPPED   Not started");
    let running = lines.iter().find(|line| line.starts_with("run ")).unwrap();
    let start = format!("run                              RUNNING   pid {pid}, uptime 0:00:");
    assert!(running.starts_with(&start), "{running}");
    assert_eq!(running.len(), start.len() + 2);

    assert_eq!(d.ctl(&["status", "run"]).code, 0);
    let asked = d.ctl(&["status", "run", "idle", "nope", "no:*"]);
    let lines = asked.lines();
    assert_eq!(lines[0], "nope: ERROR (no such process)");
    assert_eq!(lines[1], "no: ERROR (no such group)");
    assert!(lines[2].starts_with("run ") && lines[3].starts_with("idle "), "{asked:?}");
    assert_eq!(asked.code, 3, "3 beats 4");
    d.ctl(&["status", "nope"]).expect("nope: ERROR (no such process)\n", 4);
}

#[test]
fn the_name_column_grows_with_the_longest_name() {
    let name = "a-name-that-is-longer-than-thirty-characters";
    let d = Setup::new().program(name, &format!("{SLEEP}\nautostart=false")).start();
    d.ctl(&["status"]).expect(&format!("{name}   STOPPED   Not started\n"), 3);
}

#[test]
fn start_says_what_became_of_each() {
    let d = several();
    d.ctl(&["start", "idle"]).expect("idle: started\n", 0);
    d.ctl(&["start", "idle"]).expect("idle: ERROR (already started)\n", 0);
    d.ctl(&["start", "nope"]).expect("nope: ERROR (no such process)\n", 1);
    d.ctl(&["start", "nofile"]).expect("nofile: ERROR (no such file)\n", 1);
    d.ctl(&["start", "noexec"]).expect("noexec: ERROR (file is not executable)\n", 1);
    d.ctl(&["start", "quick"]).expect("quick: ERROR (spawn error)\n", 7);
    d.ctl(&["start", "no:*"]).expect("no: ERROR (no such group)\n", 2);
    d.ctl(&["start", "g:*"]).expect("g:m: started\n", 0);
    d.ctl(&["start", "g:*"]).expect("", 0);
    let none = d.ctl(&["start"]);
    assert!(none.stdout.starts_with("Error: start requires a process name\n"), "{none:?}");
    assert!(none.stdout.contains("start <name>"), "{none:?}");
    assert_eq!(none.code, 2);
    // With several names the last error gives the code.
    d.ctl(&["start", "quick", "nope", "run"]).expect(
        "quick: ERROR (spawn error)\nnope: ERROR (no such process)\n\
         run: ERROR (already started)\n",
        1,
    );
}

#[test]
fn stop_says_what_became_of_each() {
    let d = several();
    d.ctl(&["stop", "run"]).expect("run: stopped\n", 0);
    d.ctl(&["stop", "run"]).expect("run: ERROR (not running)\n", 0);
    d.ctl(&["stop", "nope"]).expect("nope: ERROR (no such process)\n", 1);
    d.ctl(&["stop", "no:*"]).expect("no: ERROR (no such group)\n", 1);
    let none = d.ctl(&["stop"]);
    assert!(none.stdout.starts_with("Error: stop requires a process name\n"), "{none:?}");
    assert_eq!(none.code, 1);
}

#[test]
fn restart_is_stop_and_start() {
    let d = several();
    d.ctl(&["restart", "run"]).expect("run: stopped\nrun: started\n", 0);
    d.ctl(&["restart", "idle"]).expect("idle: ERROR (not running)\nidle: started\n", 0);
    let none = d.ctl(&["restart"]);
    assert!(none.stdout.starts_with("Error: restart requires a process name\n"), "{none:?}");
    assert_eq!(none.code, 1);
}

#[test]
fn signal_says_what_became_of_each() {
    let d = several();
    d.ctl(&["signal", "WINCH", "run"]).expect("run: signalled\n", 0);
    d.ctl(&["signal", "28", "run"]).expect("run: signalled\n", 0);
    d.ctl(&["signal", "HUP", "idle"]).expect("idle: ERROR (not running)\n", 7);
    d.ctl(&["signal", "HUP", "nope"]).expect("nope: ERROR (no such process)\n", 1);
    d.ctl(&["signal", "NOSUCH", "run"]).expect("run: ERROR (bad signal name)\n", 1);
    let none = d.ctl(&["signal", "HUP"]);
    let text = "Error: signal requires a signal name and a process name\n";
    assert!(none.stdout.starts_with(text), "{none:?}");
    assert_eq!(none.code, 1);
}

#[test]
fn pid_tells_numbers_alone() {
    let d = several();
    d.ctl(&["pid"]).expect(&format!("{}\n", d.pid), 0);
    d.ctl(&["pid", "run"]).expect(&format!("{}\n", d.pid_of("run")), 0);
    d.ctl(&["pid", "idle"]).expect("0\n", 7);
    d.ctl(&["pid", "nope"]).expect("No such process nope\n", 1);
    let all = d.ctl(&["pid", "all"]);
    assert_eq!(all.lines().len(), 6);
    assert_eq!(all.lines().iter().filter(|line| **line == "0").count(), 5);
}

#[test]
fn tail_maintail_and_clear_name_their_errors() {
    let d = several();
    let error = |args: &[&str], text: &str| {
        let answer = d.ctl(args);
        assert!(answer.stdout.starts_with(text), "{args:?}: {answer:?}");
        assert_eq!(answer.code, 1, "{args:?}: {answer:?}");
    };
    error(&["tail"], "Error: too few arguments\n");
    error(&["tail", "a", "b", "c", "d"], "Error: too many arguments\n");
    error(&["tail", "-5"], "Error: tail requires process name\n");
    error(&["tail", "run", "stdin"], "Error: bad channel 'stdin'\n");
    error(&["tail", "-x", "run"], "Error: bad argument -x\n");
    error(&["tail", "run"], "run: ERROR (no log file)\n");
    error(&["tail", "nope"], "nope: ERROR (no such process name)\n");
    error(&["maintail", "a", "b"], "Error: too many arguments\n");
    error(&["clear"], "Error: clear requires a process name\n");
    error(&["clear", "nope"], "nope: ERROR (no such process)\n");
}

#[test]
fn avail_shows_priorities_of_group_and_process() {
    let d = several();
    let answer = d.ctl(&["avail"]);
    assert_eq!(answer.code, 0);
    let lines = answer.lines();
    // Sorted by the bare name: `g:m` stands under m.
    assert_eq!(lines[0], "idle                             in use    manual    999:999");
    assert_eq!(lines[1], "g:m                              in use    manual    3:7");
    assert!(
        lines.contains(&"run                              in use    auto      999:999"),
        "{answer:?}"
    );
    let bad = d.ctl(&["avail", "x"]);
    assert!(bad.stdout.starts_with("Error: avail accepts no arguments\n"), "{bad:?}");
    assert_eq!(bad.code, 1);
}

#[test]
fn actions_without_arguments_refuse_them() {
    let d = several();
    for action in ["reread", "reload", "shutdown", "version"] {
        let answer = d.ctl(&[action, "x"]);
        let text = format!("Error: {action} accepts no arguments\n");
        assert!(answer.stdout.starts_with(&text), "{answer:?}");
        assert_eq!(answer.code, 1, "{answer:?}");
    }
    assert_eq!(d.state("run"), "RUNNING");
    d.ctl(&["add"]).expect("", 0);
    d.ctl(&["remove"]).expect("", 0);
}

#[test]
fn version_is_supervisors() {
    let d = several();
    let answer = d.ctl(&["version"]);
    assert!(answer.stdout.starts_with("4.3.0"), "{answer:?}");
    assert_eq!((answer.lines().len(), answer.code), (1, 0));
}

#[test]
fn words_are_joined_before_they_are_split() {
    let d = several();
    d.ctl(&["signal WINCH run"]).expect("run: signalled\n", 0);
    d.ctl(&["bogus", "x"]).expect("*** Unknown syntax: bogus x\n", 1);
}

#[test]
fn shutdown_answers_at_once_and_ends_the_daemon() {
    let mut d = several();
    d.ctl(&["shutdown"]).expect("Shut down\n", 0);
    assert_eq!(d.wait_exit(40), 0);
    let url = format!("unix://{}", d.path("s.sock").display());
    d.ctl(&["shutdown"]).expect(&format!("ERROR: {url} no such file (already shut down?)\n"), 1);
    d.ctl(&["status"]).expect(&format!("{url} no such file\n"), 4);
    d.ctl(&["start", "run"]).expect(&format!("{url} no such file\n"), 7);
}

#[test]
fn an_absent_daemon_is_told_by_line_and_code() {
    let port = crate::support::free_port();
    let url = format!("http://127.0.0.1:{port}");
    let place = Scratch::new();
    let ask = |args: &[&str]| {
        let mut command = Command::new(Side::under_test().supervisorctl());
        // Somewhere without a configuration of its own.
        command.current_dir(place.path()).args(["-s", &url]).args(args);
        run(&mut command, 20)
    };
    ask(&["status"]).expect(&format!("{url} refused connection\n"), 4);
    ask(&["stop", "x"]).expect(&format!("{url} refused connection\n"), 4);
    ask(&["shutdown"])
        .expect(&format!("ERROR: {url} refused connection (already shut down?)\n"), 1);
}

#[test]
fn a_password_is_asked_for_and_taken() {
    let d = Setup::new()
        .section("[inet_http_server:b]\nport=127.0.0.1:{port}\nusername=u\npassword=p%%q")
        .program("run", SLEEP);
    let port = crate::support::free_port();
    let config = d.write();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("{port}", &port.to_string())).unwrap();
    let d = d.start_file(config);
    d.wait_state("run", "RUNNING", 15);
    let url = format!("http://127.0.0.1:{port}");
    let refused = d.ctl(&["-s", &url, "status"]);
    assert!(refused.stdout.starts_with("Server requires authentication\n"), "{refused:?}");
    let wrong = d.ctl(&["-s", &url, "-u", "u", "-p", "wrong", "version"]);
    assert!(wrong.stdout.starts_with("Server requires authentication\n"), "{wrong:?}");
    assert_eq!(wrong.code, 1);
    assert_eq!(d.ctl(&["-s", &url, "-u", "u", "-p", "p%q", "status"]).code, 0);
}

#[test]
fn a_bad_command_line_is_refused() {
    let program = Side::under_test().supervisorctl();
    let place = Scratch::new();
    let table: [(&[&str], &str); 6] = [
        (&["-x"], "Error: option -x not recognized"),
        (&["--bogus"], "Error: option --bogus not recognized"),
        (&["-c"], "Error: option -c requires argument"),
        (&["-i", "-i"], "Error: conflicting command line option '-i'"),
        (&["-c", "/no/such"], "Error: could not find config file /no/such"),
        (&["-s", "foo"], "Error: invalid value for -s 'foo': value 'foo' is not a URL"),
    ];
    for (args, message) in table {
        let answer = run(Command::new(&program).current_dir(place.path()).args(args), 20);
        assert_eq!(answer.stderr.lines().next(), Some(message), "{answer:?}");
        let help = format!("For help, use {} -h", program.display());
        assert_eq!(answer.stderr.lines().last(), Some(help.as_str()), "{answer:?}");
        assert_eq!(answer.code, 2, "{answer:?}");
    }
}
