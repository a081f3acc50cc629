//! The prompt: completion, history, the ways to leave, odd terminals.

use nix::sys::signal::Signal;

use crate::{
    daemon,
    screen::{CTRL_C, CTRL_D, HOME, Screen, UP},
    support::{Side, wait_for},
};

const PROMPT: &str = "supervisor> ";

#[test]
fn tab_completes_actions_processes_and_groups() {
    let d = daemon();
    let mut screen = Screen::ctl(&d, &[]);
    screen.wait(PROMPT);
    screen.keys("vers\t\r");
    screen.wait("4.3.0");
    screen.wait(PROMPT);
    screen.keys("stat\tidl\t\r");
    screen.wait("idle-one                         STOPPED");
    screen.wait(PROMPT);
    screen.keys("start grp:\t\t");
    for name in ["grp:*", "grp:a", "grp:b", "\n"] {
        screen.wait(name);
    }
    screen.wait("start grp:");
    screen.keys("*\t\r");
    screen.wait("grp:a: started\ngrp:b: started\n");
    screen.wait(PROMPT);
    screen.keys("remove gr\t\r");
    screen.wait("ERROR: process/group still running: grp\n");
    screen.wait(PROMPT);
    screen.keys("help sig\t\r");
    screen.wait("signal <signal");
    screen.wait(PROMPT);
    // Nothing fits: nothing happens.
    screen.keys("start zz\t\t\r");
    screen.wait("zz: ERROR (no such process)\n");
}

#[test]
fn names_are_asked_for_once_a_line_and_again_for_the_next() {
    let d = daemon();
    let mut screen = Screen::ctl(&d, &[]);
    screen.wait(PROMPT);
    d.append("[program:newcomer]\ncommand=/bin/sleep 1000\nautostart=false\n");
    screen.keys("update\r");
    screen.wait("newcomer: added process group");
    screen.wait(PROMPT);
    screen.keys("status newc\t\r");
    screen.wait("newcomer                         STOPPED");
}

#[test]
fn lines_come_back_in_the_next_run() {
    let d = daemon();
    let path = d.path("history");
    d.edit("[supervisorctl]\n", &format!("[supervisorctl]\nhistory_file={}\n", path.display()));
    let mut first = Screen::ctl(&d, &[]);
    first.wait(PROMPT);
    for line in ["version\r", "status idle-one\r"] {
        first.keys(line);
        first.wait(PROMPT);
    }
    first.keys("exit\r");
    assert_eq!(first.wait_exit(), 0);
    let mut second = Screen::ctl(&d, &[]);
    second.wait(PROMPT);
    // exit, status, version.
    second.keys(&format!("{UP}{UP}{UP}\r"));
    second.wait("version\n4.3.0");
    second.wait(PROMPT);
    assert_eq!(second.text().matches("idle-one  ").count(), 1, "only the table at the start");
    second.keys(CTRL_D);
    assert_eq!(second.wait_exit(), 0);
    let kept = d.read("history");
    assert_eq!(kept, "version\nstatus idle-one\nexit\nversion\n");
}

#[test]
fn ctrl_c_and_ctrl_d_leave_with_an_empty_line() {
    let d = daemon();
    for (keys, end) in [(CTRL_D, "supervisor> \n"), (CTRL_C, "\n"), ("half a li\x03", "\n")] {
        let mut screen = Screen::ctl(&d, &[]);
        screen.wait(PROMPT);
        screen.keys(keys);
        assert_eq!(screen.wait_exit(), 0, "{keys:?}");
        let text =
            wait_for("the last line", 5, || Some(screen.text()).filter(|t| t.ends_with(end)));
        assert!(!text.ends_with("\n\n"), "{keys:?}: {text:?}");
        assert!(screen.echoes(), "the terminal is as it was, {keys:?}");
    }
}

#[test]
fn ctrl_c_leaves_from_within_an_action() {
    let d = daemon();
    // Its start takes as long as startsecs, which is beyond the test's patience.
    d.append("[program:slow]\ncommand=/bin/sleep 1000\nautostart=false\nstartsecs=100\n");
    let mut screen = Screen::ctl(&d, &[]);
    screen.wait(PROMPT);
    screen.keys("update\rstart slow\r");
    d.wait_state("slow", "STARTING", 15);
    screen.keys(CTRL_C);
    assert_eq!(screen.wait_exit(), 0);
    assert!(screen.echoes());
}

#[test]
fn a_signal_that_ends_it_leaves_the_terminal_as_it_was() {
    if !Side::ours_only("the original's readline is not asked about SIGTERM") {
        return;
    }
    let d = daemon();
    let mut screen = Screen::ctl(&d, &[]);
    screen.wait(PROMPT);
    wait_for("the editor", 10, || (!screen.echoes()).then_some(()));
    screen.signal(Signal::SIGTERM);
    assert_ne!(screen.wait_exit(), 0);
    assert!(screen.echoes());
}

#[test]
fn several_lines_pasted_are_several_lines() {
    let d = daemon();
    let mut screen = Screen::ctl(&d, &[]);
    screen.wait(PROMPT);
    screen.keys("pid idle-one\rversion\rpid nobody\r");
    screen.wait("0\n");
    screen.wait("4.3.0");
    screen.wait("No such process nobody\n");
}

#[test]
fn a_question_is_asked_before_the_daemon_ends() {
    let mut d = daemon();
    let mut screen = Screen::ctl(&d, &[]);
    screen.wait(PROMPT);
    screen.keys("shutdown\r");
    screen.wait("Really shut the remote supervisord process down y/N? ");
    screen.keys("n\r");
    screen.wait(PROMPT);
    screen.keys("shutdown\r");
    screen.wait("y/N? ");
    screen.keys("Yes\r");
    screen.wait("Shut down\n");
    assert_eq!(d.wait_exit(40), 0);
}

#[test]
fn a_window_narrower_than_the_table_changes_no_line_of_it() {
    let d = daemon();
    let mut screen = Screen::of(d.ctl_command(Side::under_test(), &[]), 20, "xterm");
    // The terminal wraps; the program does not.
    screen.wait("grp:a                            STOPPED   Not started\n");
    screen.wait("idle-one                         STOPPED   Not started\n");
    screen.wait(PROMPT);
    // A line longer than the window, changed at both of its ends.
    screen.keys(&format!("tatus nobody-of-that-name-is-there{HOME}s\r"));
    screen.wait("nobody-of-that-name-is-there: ERROR (no such process)\n");
    screen.wait(PROMPT);
    screen.keys("stop \t\t");
    let list = screen.wait("parrot");
    assert!(list.lines().all(|line| line.trim_end().len() <= 20), "{list:?}");
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let d = daemon();
    for term in ["dumb", ""] {
        if Side::under_test() == Side::Theirs && term.is_empty() {
            continue;
        }
        let mut screen = Screen::of(d.ctl_command(Side::under_test(), &[]), 80, term);
        screen.wait(PROMPT);
        screen.keys("version\n");
        screen.wait("4.3.0");
        screen.wait(PROMPT);
        screen.keys(CTRL_D);
        screen.wait("\n");
        assert_eq!(screen.wait_exit(), 0);
        if Side::under_test() == Side::Ours {
            assert!(!screen.bytes().contains(&0x1b), "{:?}", screen.bytes());
            assert!(screen.text().ends_with("\nsupervisor> \n"), "{:?}", screen.text());
        }
        let mut screen = Screen::of(d.ctl_command(Side::under_test(), &[]), 80, term);
        screen.wait(PROMPT);
        screen.keys(CTRL_C);
        assert_eq!(screen.wait_exit(), 0);
    }
}
