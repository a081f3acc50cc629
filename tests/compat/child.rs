//! What a program finds when it starts: environment, directory, umask, user, descriptors.

use crate::support::{Setup, Side, process_stat, read, root, wait_for};

/// The log of a program that runs once and ends.
fn once(name: &str, lines: &str, global: &str) -> String {
    let d = Setup::new()
        .supervisord(global)
        .program(
            name,
            &format!(
                "{lines}\nstartsecs=0\nautorestart=false\nredirect_stderr=true\n\
                 stdout_logfile=%(here)s/out.log"
            ),
        )
        .start();
    d.wait_log(&format!("* exited: {name} (*)"), 15);
    d.read("out.log")
}

#[test]
fn the_environment_is_made_of_layers() {
    let d = Setup::new()
        .env("FROM_DAEMON", "kept")
        .env("OVERLAID", "daemon")
        .supervisord("environment=GLOBAL=\"g\",OVERLAID=\"global\",BOTH=\"global\"")
        .program(
            "p",
            "command=/usr/bin/env\nenvironment=A=\"1,2\",B='x y',C=/usr/bin:/x,BOTH=\"own\",\
             D=\"%(program_name)s-%(ENV_FROM_DAEMON)s\"\nstartsecs=0\nautorestart=false\n\
             stdout_logfile=%(here)s/out.log",
        )
        .section("[group:g]\nprograms=p")
        .start();
    d.wait_log("INFO exited: p (exit status 0; expected)", 15);
    let out = d.read("out.log");
    let server = format!("SUPERVISOR_SERVER_URL=unix://{}", d.path("s.sock").display());
    for line in [
        "SUPERVISOR_ENABLED=1",
        "SUPERVISOR_PROCESS_NAME=p",
        "SUPERVISOR_GROUP_NAME=g",
        &server,
        "FROM_DAEMON=kept",
        "GLOBAL=g",
        "OVERLAID=global",
        "BOTH=own",
        "A=1,2",
        "B=x y",
        "C=/usr/bin:/x",
        "D=p-kept",
    ] {
        assert_eq!(out.lines().filter(|found| *found == line).count(), 1, "{line} in {out}");
    }
}

#[test]
fn umask_and_directory_are_set() {
    let out = once("a", "command=/bin/sh -c \"umask; pwd\"\numask=027\ndirectory=/usr/bin", "");
    assert_eq!(out, "0027\n/usr/bin\n");
}

#[test]
fn user_switches_wholly_or_not_at_all() {
    let lines = "command=/usr/bin/id\nuser=nobody";
    let out = once("a", lines, "");
    if root() {
        // Real and effective alike, and none of root's groups left.
        let words: Vec<&str> = out.split_whitespace().collect();
        assert!(words[0].contains("(nobody)"), "{out}");
        assert!(words[1].contains("(nogroup)") || words[1].contains("(nobody)"), "{out}");
        assert!(!out.contains("(root)") && !out.contains("euid"), "{out}");
    } else {
        assert!(out.contains("Can't drop privilege as nonroot user"), "{out}");
        assert!(out.contains("supervisor: child process was not spawned"), "{out}");
    }
}

#[test]
fn the_command_is_split_as_a_shell_would_without_being_one() {
    let command =
        r#"/bin/sh -c 'for a; do echo "[$a]"; done' x "two words" a\ b '$HOME' *.c "" q'"'q"#;
    let out = once("a", &format!("command={command}"), "");
    assert_eq!(out, "[two words]\n[a b]\n[$HOME]\n[*.c]\n[]\n[q\"q]\n");
}

#[test]
fn the_path_of_its_environment_finds_the_command() {
    let d = Setup::new()
        .script("tool", "#!/bin/sh\necho found $0\n")
        .program(
            "a",
            "command=tool\nenvironment=PATH=\"%(here)s:/usr/bin:/bin\"\nstartsecs=0\n\
             autorestart=false\nstdout_logfile=%(here)s/out.log",
        )
        .start();
    d.wait_log("INFO exited: a (exit status 0; expected)", 15);
    assert_eq!(d.read("out.log"), format!("found {}\n", d.path("tool").display()));
}

#[test]
fn it_leads_a_group_in_the_daemons_session_with_three_descriptors() {
    let d = Setup::new().program("a", "command=/bin/sleep 1000").start();
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    let (child, daemon) = (process_stat(pid).unwrap(), process_stat(d.pid).unwrap());
    assert_eq!((child.parent, child.group, child.session), (d.pid, pid, daemon.session));
    let mut open: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    open.sort_unstable();
    assert_eq!(open, ["0", "1", "2"]);
    let status = read(format!("/proc/{pid}/status").as_ref());
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    assert_eq!(mask("SigBlk:"), 0, "{status}");
    if Side::ours_only("the original's children inherit its ignored SIGPIPE") {
        assert_eq!(mask("SigIgn:"), 0, "{status}");
    }
}

#[test]
fn with_setsid_it_leads_a_session() {
    if !Side::ours_only("setsid= is a key of ours") {
        return;
    }
    let d = Setup::new().program("a", "command=/bin/sleep 1000\nsetsid=true").start();
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    let child = process_stat(pid).unwrap();
    assert_eq!((child.group, child.session), (pid, pid));
}

#[test]
fn standard_input_stays_open() {
    let d = Setup::new().program("a", "command=/bin/cat\nstdout_logfile=%(here)s/out.log").start();
    d.wait_state("a", "RUNNING", 15);
    wait_for("cat still there", 5, || (d.state("a") == "RUNNING").then_some(()));
    d.has_count("INFO spawned: 'a' *", 1);
}
