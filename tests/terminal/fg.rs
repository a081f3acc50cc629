//! fg: both outputs of a process on the screen, typed lines to its stdin.

use nix::sys::signal::Signal;

use crate::{
    daemon,
    screen::{CTRL_C, CTRL_D, Screen},
    support::Side,
};

#[test]
fn lines_go_in_and_both_outputs_come_back() {
    let d = daemon();
    let mut screen = Screen::ctl(&d, &["fg", "parrot"]);
    screen.wait("==> Press Ctrl-C to exit <==\n");
    screen.wait("ready\n");
    screen.keys("hello there\n");
    screen.wait_all(&["got hello there\n", "err hello there\n"]);
    screen.keys(CTRL_C);
    screen.wait("Exiting foreground\n");
    // The original may hang here, in its background.
    if Side::under_test() == Side::Ours {
        assert_eq!(screen.wait_exit(), 0);
    }
    assert_eq!(d.read("parrot.err"), "err hello there\n");
    assert_eq!(d.state("parrot"), "RUNNING");
}

#[test]
fn the_shell_goes_on_after_ctrl_c_and_after_the_end_of_input() {
    let d = daemon();
    let mut screen = Screen::ctl(&d, &[]);
    for (round, end) in [CTRL_C, CTRL_D].into_iter().enumerate() {
        screen.wait("supervisor> ");
        screen.keys("fg parrot\r");
        screen.wait("==> Press Ctrl-C to exit <==\n");
        let line = format!("round-{round}");
        screen.keys(&format!("{line}\n"));
        screen.wait_all(&[&format!("got {line}\n"), &format!("err {line}\n")]);
        screen.keys(end);
        screen.wait("Exiting foreground\n");
    }
    screen.wait("supervisor> ");
    screen.keys("version\r");
    screen.wait("4.3.0");
    // What was typed here is no line for the process.
    assert!(!d.read("parrot.out").contains("version"));
}

#[test]
fn a_process_that_ends_is_noticed_at_the_next_line() {
    let d = daemon();
    let mut screen = Screen::ctl(&d, &["fg", "parrot"]);
    screen.wait("ready\n");
    screen.keys("die\n");
    d.wait_state("parrot", "EXITED", 15);
    screen.keys("more\n");
    screen.wait("Process got killed\n");
    screen.wait("Exiting foreground\n");
    // The original may hang here, too.
    if Side::under_test() == Side::Ours {
        assert_eq!(screen.wait_exit(), 0);
    }
}

#[test]
fn a_daemon_that_goes_away_ends_it() {
    if !Side::ours_only("the original's background goes on without end") {
        return;
    }
    let d = daemon();
    let mut screen = Screen::ctl(&d, &["fg", "parrot"]);
    screen.wait("ready\n");
    d.signal(Signal::SIGKILL);
    screen.keys("hello\n");
    assert_ne!(screen.wait_exit(), 0);
}

#[test]
fn what_can_not_be_in_front_is_told() {
    let d = daemon();
    for (args, line) in [
        (["fg", "", ""], "ERROR: no process name supplied\n"),
        (["fg", "a", "b"], "ERROR: too many process names supplied\n"),
        (["fg", "nobody", ""], "ERROR: bad process name supplied\n"),
        (["fg", "grp:*", ""], "ERROR: bad process name supplied\n"),
        (["fg", "idle-one", ""], "ERROR: process not running\n"),
    ] {
        let answer = d.ctl(&args);
        assert!(answer.stdout.starts_with(line), "{args:?}: {answer:?}");
        assert_eq!(answer.code, 1, "{args:?}: {answer:?}");
    }
    if !Side::ours_only("without input the original hangs") {
        return;
    }
    let answer = d.ctl(&["fg", "parrot"]);
    assert!(answer.stdout.starts_with("==> Press Ctrl-C to exit <==\n"), "{answer:?}");
    assert!(answer.stdout.ends_with("Exiting foreground\n"), "{answer:?}");
    // Streams that were cut off at their beginning are no failure.
    assert_eq!(answer.stderr, "");
    assert_eq!(answer.code, 0);
}
