//! Logs of children: where they go, how they rotate, how they are read and cleared.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{Setup, Side, matches, read, rpc, wait_for};

/// Writes numbered lines of 32 bytes, with a pause now and then so that they can't all be read
/// at once, then stays.
const WRITER: &str = "#!/bin/sh
n=0
while [ $n -lt \"$1\" ]; do
    n=$((n+1))
    printf 'line %026d\\n' $n
    [ $((n % 400)) -ne 0 ] || sleep 0.3
done
sleep 1000
";

fn numbered(count: usize) -> String {
    (1..=count).map(|n| format!("line {n:026}\n")).collect()
}

#[test]
fn auto_logs_have_the_known_names() {
    let d = Setup::new()
        .supervisord("identifier=ident")
        .program("a", "command=/bin/sh -c \"echo out; echo err >&2; sleep 1000\"")
        .program("none", "command=/bin/sleep 1000\nstdout_logfile=NONE\nredirect_stderr=true")
        .start();
    d.wait_state("a", "RUNNING", 15);
    let mut names: Vec<String> = fs::read_dir(d.path(""))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.contains("---"))
        .collect();
    names.sort_unstable();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(matches("a-stderr---ident-*.log", &names[0]), "{names:?}");
    assert!(matches("a-stdout---ident-*.log", &names[1]), "{names:?}");
    for name in &names {
        assert_eq!(name.len(), "a-stdout---ident-12345678.log".len(), "{name}");
        let mode = fs::metadata(d.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    d.wait_file(&names[0], 5, |text| text == "err\n");
    d.wait_file(&names[1], 5, |text| text == "out\n");
    let shown = d.info("a", "stdout_logfile").unwrap();
    assert_eq!(shown, d.path(&names[1]).to_str().unwrap());
    assert_eq!(d.info("none", "stdout_logfile").as_deref(), Some(""));
    d.ctl(&["tail", "none"]).expect("none: ERROR (no log file)\n", 1);
}

/// Two daemons, one childlogdir: what belongs to nobody goes, what may belong to a living one stays.
#[test]
fn auto_logs_of_a_living_daemon_are_its_own() {
    if !Side::ours_only("childlogdir shared by daemons") {
        return;
    }
    let idle = "command=/bin/sleep 1000\nautostart=false";
    let first = Setup::new().supervisord("identifier=first").program("a", idle).start();
    first.wait_log("INFO supervisord started with pid *", 15);
    let directory = first.path("");
    let directory = directory.to_str().unwrap();
    let old =
        ["first", "second"].map(|name| first.path(&format!("x-stdout---{name}-abcdefgh.log")));
    let beside = |identifier: &str| {
        old.iter().for_each(|path| fs::write(path, "old\n").unwrap());
        let lines = format!("identifier={identifier}\nchildlogdir={directory}");
        let second = Setup::new().supervisord(&lines).program("b", idle).start();
        second.wait_log("INFO supervisord started with pid *", 15);
        old.iter().map(|path| path.exists()).collect::<Vec<bool>>()
    };
    assert_eq!(beside("first"), [true, true], "of its name, and it lives");
    assert_eq!(beside("second"), [true, false], "of its own name");
    let own = first.info("a", "stdout_logfile").unwrap();
    assert!(fs::exists(&own).unwrap(), "{own} of a program that does not run");
}

#[test]
fn redirect_stderr_puts_both_into_one_file_in_order() {
    let d = Setup::new()
        .program(
            "a",
            "command=/bin/sh -c \"echo 1; echo 2 >&2; echo 3; sleep 1000\"\n\
             redirect_stderr=true\nstdout_logfile=%(here)s/a.log",
        )
        .start();
    d.wait_file("a.log", 15, |text| text == "1\n2\n3\n");
}

#[test]
fn rotation_keeps_every_byte_that_its_backups_hold() {
    let d = Setup::new()
        .script("writer", WRITER)
        .program(
            "all",
            "command=%(here)s/writer 2000\nstdout_logfile=%(here)s/all.log\n\
             stdout_logfile_maxbytes=1KB\nstdout_logfile_backups=1000",
        )
        .program(
            "two",
            "command=%(here)s/writer 2000\nstdout_logfile=%(here)s/two.log\n\
             stdout_logfile_maxbytes=1KB\nstdout_logfile_backups=2",
        )
        .program(
            "zero",
            "command=%(here)s/writer 2000\nstdout_logfile=%(here)s/zero.log\n\
             stdout_logfile_maxbytes=1KB\nstdout_logfile_backups=0",
        )
        .program(
            "never",
            "command=%(here)s/writer 2000\nstdout_logfile=%(here)s/never.log\n\
             stdout_logfile_maxbytes=0",
        )
        .start();
    // The oldest backup has the highest number.
    let whole = |name: &str| {
        let mut paths: Vec<_> = (1..1000)
            .map(|n| d.path(&format!("{name}.log.{n}")))
            .take_while(|path| path.exists())
            .collect();
        let backups = paths.len();
        paths.reverse();
        paths.push(d.path(&format!("{name}.log")));
        (paths.iter().map(|path| read(path)).collect::<String>(), backups)
    };
    let expected = numbered(2000);
    wait_for("all of the log", 30, || (whole("all").0 == expected).then_some(()));
    wait_for("the end of two", 30, || {
        let (text, backups) = whole("two");
        (backups == 2 && expected.ends_with(&text)).then_some(())
    });
    d.wait_file("never.log", 30, |text| text == expected);
    wait_for("the end of zero", 30, || {
        let (text, backups) = whole("zero");
        (backups == 0 && text.len() < 140_000 && expected.ends_with(&text)).then_some(())
    });
    assert!(whole("all").1 > 0, "a file of 1 KB never held 64 KB");
}

#[test]
fn the_activity_log_rotates_too() {
    let d = Setup::new()
        .supervisord("logfile_maxbytes=2KB\nlogfile_backups=9")
        .program(
            "a",
            "command=/bin/sleep 1000\nnumprocs=60\nprocess_name=%(program_name)s_%(process_num)02d",
        )
        .start();
    d.wait_state("a:a_59", "RUNNING", 20);
    wait_for("the first backup", 5, || d.path("activity.log.1").exists().then_some(()));
    assert!(fs::metadata(d.path("activity.log.1")).unwrap().len() < 2048 + 200);
}

#[test]
fn a_log_is_kept_over_restarts_of_its_program() {
    let d = Setup::new()
        .program(
            "a",
            "command=/bin/sh -c \"echo here; sleep 1000\"\nstdout_logfile=%(here)s/a.log\n\
             startsecs=0",
        )
        .start();
    d.wait_file("a.log", 15, |text| text == "here\n");
    d.ctl(&["restart", "a"]).expect("a: stopped\na: started\n", 0);
    d.wait_file("a.log", 15, |text| text == "here\nhere\n");
}

#[test]
fn tail_and_maintail_show_the_last_bytes() {
    let d = Setup::new()
        .script("writer", WRITER)
        .program(
            "a",
            "command=%(here)s/writer 100\nstdout_logfile=%(here)s/a.log\n\
             stderr_logfile=%(here)s/a.err",
        )
        .start();
    d.wait_file("a.log", 15, |text| text == numbered(100));
    let text = numbered(100);
    d.ctl(&["tail", "a"]).expect(&format!("{}\n", &text[text.len() - 1600..]), 0);
    d.ctl(&["tail", "-40", "a"]).expect(&format!("{}\n", &text[text.len() - 40..]), 0);
    d.ctl(&["tail", "-99999", "a"]).expect(&format!("{text}\n"), 0);
    d.ctl(&["tail", "a", "STDERR"]).expect("\n", 0);
    d.wait_state("a", "RUNNING", 15);
    d.ctl(&["maintail"]).expect_part("RUNNING", 0);
    let log = d.log();
    d.ctl(&["maintail", "-30"]).expect(&format!("{}\n", &log[log.len() - 30..]), 0);
}

#[test]
fn clear_empties_a_live_log() {
    let script = "#!/bin/sh\ntrap 'echo again' HUP\necho before\nwhile :; do sleep 0.1; done\n";
    let d = Setup::new()
        .script("speaker", script)
        .program("a", "command=%(here)s/speaker\nstdout_logfile=%(here)s/a.log\nstartsecs=0")
        .start();
    d.wait_file("a.log", 15, |text| text == "before\n");
    d.ctl(&["clear", "a"]).expect("a: cleared\n", 0);
    assert_eq!(d.read("a.log"), "");
    d.ctl(&["signal", "HUP", "a"]).expect("a: signalled\n", 0);
    d.wait_file("a.log", 15, |text| text == "again\n");
    assert_eq!(d.ctl(&["clear", "all"]).stdout, "a: cleared\n");
}

#[test]
fn strip_ansi_drops_colours() {
    let d = Setup::new()
        .supervisord("strip_ansi=true")
        .script(
            "colours",
            "#!/bin/sh\nprintf '\\033[31mred\\033[0m and \\033[1;32mgreen\\n'\nsleep 1000\n",
        )
        .program("a", "command=%(here)s/colours\nstdout_logfile=%(here)s/a.log")
        .start();
    d.wait_file("a.log", 15, |text| text == "red and green\n");
}

#[test]
fn a_log_that_cannot_be_opened_fails_the_start() {
    let d = Setup::new()
        .program("a", "command=/bin/sleep 1000\nstartretries=0\nstdout_logfile=%(here)s/gone/a.log")
        .section("[program:b]\ncommand=/bin/sleep 1000");
    fs::create_dir(d.path("gone")).unwrap();
    let config = d.write();
    // The place is there while the file is read and goes before the start.
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("startretries=0", "startretries=0\nautostart=false")).unwrap();
    let d = d.start_file(config);
    fs::remove_dir_all(d.path("gone")).unwrap();
    let answer = d.ctl(&["start", "a"]);
    assert_eq!((answer.stdout.as_str(), answer.code), ("a: ERROR (spawn error)\n", 7));
    d.wait_log("INFO spawnerr: unknown error making dispatchers for 'a': ENOENT", 5);
    d.wait_state("b", "RUNNING", 15);
}

#[test]
fn output_right_before_the_exit_is_not_lost() {
    let d = Setup::new()
        .program(
            "a",
            "command=/bin/sh -c \"head -c 60000 /dev/zero | tr '\\\\0' x; exit 3\"\n\
             stdout_logfile=%(here)s/a.log\nstartsecs=0\nautorestart=false",
        )
        .start();
    d.wait_log("WARN exited: a (exit status 3; not expected)", 15);
    assert_eq!(d.read("a.log").len(), 60000);
}

#[test]
fn a_warning_tells_of_auto_without_rotation() {
    let d = Setup::new()
        .program("a", "command=/bin/sleep 1000\nstdout_logfile_maxbytes=0")
        .program(
            "b",
            "command=/bin/sleep 1000\nredirect_stderr=true\nstderr_logfile=%(here)s/b.err",
        )
        .start();
    d.wait_log(
        "WARN For [program:a], AUTO logging used for stdout_logfile without rollover, set \
         maxbytes > 0 to avoid filling up filesystem unintentionally",
        5,
    );
    d.wait_log(
        "WARN For [program:b], redirect_stderr=true but stderr_logfile has also been set to a \
         filename, the filename has been ignored",
        5,
    );
}

#[test]
fn a_fifo_without_a_reader_does_not_keep_a_program_from_running() {
    if !Side::ours_only("the original makes the program FATAL") {
        return;
    }
    let setup = Setup::new();
    nix::unistd::mkfifo(&setup.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let ticker = "#!/bin/sh\nwhile :; do echo tick; sleep 0.05; done\n";
    let d = setup
        .script("ticker", ticker)
        .program(
            "a",
            "command=%(here)s/ticker\nstartsecs=0\nstdout_logfile=%(here)s/fifo\n\
             stdout_logfile_maxbytes=0",
        )
        .start();
    d.wait_state("a", "RUNNING", 15);
    // It heals once somebody reads.
    let mut reader = std::io::BufReader::new(fs::File::open(d.path("fifo")).unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    assert_eq!(line, "tick\n");
}

#[test]
fn captured_output_does_not_reach_the_log() {
    let speaker = "#!/bin/sh
printf 'a line before the message\\n<!--XSUPER'; sleep 0.2
printf 'VISOR:BEGIN-->secret<!--'; sleep 0.2
printf 'XSUPERVISOR:END-->a line behind the message\\n'
printf '<!--XSUPERVISOR:BEGIN-->again<!--XSUPERVISOR:END-->the last line of them all\\n'
sleep 1000
";
    let d = Setup::new()
        .supervisord("loglevel=debug")
        .script("speaker", speaker)
        .program(
            "a",
            "command=%(here)s/speaker\nstdout_logfile=%(here)s/a.log\nstdout_capture_maxbytes=1MB",
        )
        .program("b", "command=%(here)s/speaker\nstdout_logfile=%(here)s/b.log")
        .start();
    let plain = "a line before the message\na line behind the message\nthe last line of them all\n";
    d.wait_file("a.log", 15, |text| text == plain);
    d.wait_file("b.log", 15, |text| text.contains("secret<!--XSUPERVISOR:END-->a line"));
    wait_for("both messages", 5, || {
        (d.count("DEBG 'a' stdout emitted a comm event") == 2).then_some(())
    });
    assert_eq!(d.count("DEBG 'b' stdout emitted a comm event"), 0);
}

#[test]
fn an_empty_log_is_none_and_told_as_it_is_written() {
    let d = Setup::new()
        .program("a", "command=/bin/echo a\nstdout_logfile=\nstderr_logfile=NONE\nautostart=false")
        .program("b", "command=/bin/echo b\nstdout_logfile=off\nstderr_logfile=\nautostart=false")
        .program("c", "command=/bin/echo c\nredirect_stderr=true\nstderr_logfile=\nautostart=false")
        .start();
    d.wait_log("WARN For [program:c], redirect_stderr=true but stderr_logfile has also been*", 15);
    let answer = d.rpc().call("supervisor.getAllConfigInfo", "").unwrap();
    assert_eq!(rpc::members(&answer, "name"), ["a", "b", "c"]);
    assert_eq!(rpc::members(&answer, "stdout_logfile")[..2], ["", "none"]);
    assert_eq!(rpc::members(&answer, "stderr_logfile"), ["none", "", "none"]);
    let answer = d.rpc().call("supervisor.getAllProcessInfo", "").unwrap();
    assert_eq!(rpc::members(&answer, "stdout_logfile")[..2], ["", ""]);
    d.ctl(&["reread"]).expect("No config updates to processes\n", 0);
    d.edit("stdout_logfile=\n", "stdout_logfile=NONE\n");
    d.ctl(&["reread"]).expect("a: changed\n", 0);
}

#[test]
fn capture_mode_holds_nothing_back_at_the_exit() {
    if !Side::ours_only("the original loses up to 24 bytes") {
        return;
    }
    let d = Setup::new()
        .program(
            "a",
            "command=/bin/sh -c \"printf 'short<!--XSUPERVISOR:BE'\"\nstartsecs=0\n\
             autorestart=false\nstdout_logfile=%(here)s/a.log\nstdout_capture_maxbytes=1KB",
        )
        .start();
    d.wait_log("INFO exited: a (exit status 0; expected)", 15);
    assert_eq!(d.read("a.log"), "short<!--XSUPERVISOR:BE");
}
