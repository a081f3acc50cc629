//! Editing the configuration of a running daemon: reread, add, remove, update.

use std::process::Command;
use std::{fs, thread};

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::{Setup, Side, TestDaemon, matches, run};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";

fn three() -> TestDaemon {
    let d = Setup::new()
        .program("keep", SLEEP)
        .program("change", &format!("{SLEEP}\nstopwaitsecs=5"))
        .program("gone", SLEEP)
        .start();
    for name in ["keep", "change", "gone"] {
        d.wait_state(name, "RUNNING", 15);
    }
    d
}

/// One program more, one other, one less.
fn edit(d: &TestDaemon) {
    d.edit("stopwaitsecs=5", "stopwaitsecs=6");
    d.edit("[program:gone]", "[program:added]");
}

#[test]
fn reread_tells_and_changes_nothing() {
    let d = three();
    d.ctl(&["reread"]).expect("No config updates to processes\n", 0);
    edit(&d);
    let told = "added: available\nchange: changed\ngone: disappeared\n";
    d.ctl(&["reread"]).expect(told, 0);
    d.ctl(&["reread"]).expect(told, 0);
    for name in ["keep", "change", "gone"] {
        assert_eq!(d.state(name), "RUNNING");
    }
    assert_eq!(d.state("added"), "");
    d.ctl(&["avail"]).expect(
        "added                            avail     auto      999:999\n\
         change                           in use    auto      999:999\n\
         keep                             in use    auto      999:999\n",
        0,
    );
}

#[test]
fn update_does_what_reread_tells() {
    let d = three();
    let pids: Vec<i32> = ["keep", "change", "gone"].map(|name| d.pid_of(name)).to_vec();
    d.ctl(&["update"]).expect("", 0);
    edit(&d);
    d.ctl(&["update"]).expect(
        "gone: stopped\ngone: removed process group\nchange: stopped\n\
         change: updated process group\nadded: added process group\n",
        0,
    );
    d.wait_state("added", "RUNNING", 15);
    d.wait_state("change", "RUNNING", 15);
    assert_eq!(d.state("gone"), "");
    assert_eq!(d.pid_of("keep"), pids[0], "an unchanged program is left alone");
    assert_ne!(d.pid_of("change"), pids[1]);
    d.ctl(&["update"]).expect("", 0);
    d.ctl(&["reread"]).expect("No config updates to processes\n", 0);
}

#[test]
fn update_of_named_groups_leaves_the_others() {
    let d = three();
    edit(&d);
    d.ctl(&["update", "added", "nope"]).expect_part("added: added process group\n", 1);
    d.wait_state("added", "RUNNING", 15);
    assert_eq!(d.state("gone"), "RUNNING");
    d.ctl(&["update", "nope"]).expect("ERROR: no such group: nope\n", 1);
    let all = d.ctl(&["update", "all"]);
    assert!(all.stdout.contains("gone: removed process group"), "{all:?}");
}

#[test]
fn add_and_remove_by_hand() {
    let d = three();
    d.ctl(&["remove", "gone"]).expect("ERROR: process/group still running: gone\n", 1);
    d.ctl(&["remove", "nope"]).expect("ERROR: no such process/group: nope\n", 1);
    d.ctl(&["stop", "gone"]).expect("gone: stopped\n", 0);
    d.ctl(&["remove", "gone"]).expect("gone: removed process group\n", 0);
    assert_eq!(d.state("gone"), "");
    d.ctl(&["add", "gone"]).expect("gone: added process group\n", 0);
    d.wait_state("gone", "RUNNING", 15);
    d.ctl(&["add", "gone"]).expect("ERROR: process group already active\n", 0);
    d.ctl(&["add", "nope"]).expect("ERROR: no such process/group: nope\n", 1);
}

#[test]
fn a_broken_file_is_told_and_nothing_is_lost() {
    let d = three();
    edit(&d);
    d.edit("stopwaitsecs=6", "stopwaitsecs=soon");
    let answer = d.ctl(&["reread"]);
    assert!(answer.stdout.starts_with("ERROR: CANT_REREAD: "), "{answer:?}");
    assert!(answer.stdout.contains("'soon'"), "{answer:?}");
    assert_eq!(answer.code, 1);
    let answer = d.ctl(&["update"]);
    assert!(answer.stdout.contains("CANT_REREAD"), "{answer:?}");
    assert_eq!(answer.code, 1);
    for name in ["keep", "change", "gone"] {
        assert_eq!(d.state(name), "RUNNING");
    }
    d.edit("stopwaitsecs=soon", "stopwaitsecs=6");
    d.ctl(&["update"]).expect_part("change: updated process group", 0);
    d.wait_state("added", "RUNNING", 15);
}

#[test]
fn reload_restarts_with_the_new_file_and_refuses_a_broken_one() {
    let d = three();
    let pid = d.pid;
    edit(&d);
    d.ctl(&["reload"]).expect("Restarted supervisord\n", 0);
    d.wait_state("added", "RUNNING", 30);
    assert_eq!(d.state("gone"), "");
    assert_eq!(d.rpc_pid(), pid);
    if !Side::ours_only("the original stops everything, then finds the file broken and ends") {
        return;
    }
    // All were started together; `added` may be the first to be up.
    d.wait_state("keep", "RUNNING", 15);
    let kept = d.pid_of("keep");
    d.edit("stopwaitsecs=6", "stopwaitsecs=soon");
    let answer = d.ctl(&["reload"]);
    assert!(answer.stdout.starts_with("ERROR: CANT_REREAD: "), "{answer:?}");
    assert_eq!(answer.code, 1);
    assert_eq!((d.state("keep").as_str(), d.pid_of("keep")), ("RUNNING", kept));
}

#[test]
fn members_of_a_changed_group_are_restarted_together() {
    let d = Setup::new()
        .program("a", SLEEP)
        .program("b", SLEEP)
        .section("[group:g]\nprograms=a,b")
        .start();
    d.wait_state("g:b", "RUNNING", 15);
    let before = (d.pid_of("g:a"), d.pid_of("g:b"));
    d.edit("programs=a,b", "programs=a,b\npriority=5");
    d.ctl(&["update"]).expect("g: stopped\ng: updated process group\n", 0);
    d.wait_state("g:a", "RUNNING", 15);
    d.wait_state("g:b", "RUNNING", 15);
    assert_ne!(d.pid_of("g:a"), before.0);
    assert_ne!(d.pid_of("g:b"), before.1);
}

#[test]
fn included_files_are_read_again_too() {
    let setup = Setup::new().section("[include]\nfiles=%(here)s/conf.d/*.conf");
    std::fs::create_dir(setup.path("conf.d")).unwrap();
    std::fs::write(setup.path("conf.d/a.conf"), format!("[program:a]\n{SLEEP}\n")).unwrap();
    let d = setup.start();
    d.wait_state("a", "RUNNING", 15);
    std::fs::write(d.path("conf.d/b.conf"), format!("[program:b]\n{SLEEP}\n")).unwrap();
    d.ctl(&["reread"]).expect("b: available\n", 0);
    d.ctl(&["update"]).expect("b: added process group\n", 0);
    d.wait_state("b", "RUNNING", 15);
}

/// A configuration can be written to the daemon as it starts, or as it is asked to read it again.
#[test]
fn a_configuration_out_of_a_fifo() {
    let setup = Setup::new().program("a", SLEEP);
    let (file, fifo) = (setup.write(), setup.path("fifo"));
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    // Waits until somebody opens it.
    let write = |text: String| {
        let fifo = fifo.clone();
        thread::spawn(move || fs::write(fifo, text).unwrap())
    };
    let writer = write(text.clone());
    let mut d = setup.start_file(fifo.clone());
    writer.join().unwrap();
    d.config = file;
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    let writer = write(format!("{text}[program:b]\n{SLEEP}\n"));
    d.ctl(&["reread"]).expect("b: available\n", 0);
    writer.join().unwrap();
    if !Side::ours_only("the original waits for a writer, and answers nobody") {
        return;
    }
    let why = "could not read config file * it is no regular file, and nobody writes it to the end";
    d.signal(Signal::SIGHUP);
    d.wait_log(&format!("ERRO could not restart, everything goes on as it is: {why}"), 60);
    let answer = d.ctl(&["reread"]);
    let said = answer.stdout.trim_end();
    assert!(matches(&format!("ERROR: CANT_REREAD: {why}"), said), "{answer:?}");
    assert_eq!(d.pid_of("a"), pid);
}

#[test]
fn an_included_fifo_without_a_writer_is_refused() {
    if !Side::ours_only("the original waits for a writer, and does not start") {
        return;
    }
    let setup = Setup::new().section("[include]\nfiles=*.more\n");
    let file = setup.write();
    mkfifo(&setup.path("fifo.more"), Mode::S_IRWXU).unwrap();
    let why = "could not read config file * it is no regular file, and nobody writes it to the end";
    let output = setup.run_path(&file, 60);
    let said = output.stderr.lines().find(|line| line.starts_with("Error: ")).unwrap_or_default();
    assert!(matches(&format!("Error: {why}"), said), "{output:?}");
    assert!(said.contains("/fifo.more"), "{said}");
    assert_eq!(output.code, 2);
    let program = Side::Ours.supervisord();
    let output = run(Command::new(program).args(["--check", "-c"]).arg(&file), 60);
    assert!(output.stderr.contains("/fifo.more': nobody writes it to the end\n"), "{output:?}");
    assert_eq!(output.code, 2);
}
