//! What listeners hear of what programs write, and of what clients send.

use std::fs;

use crate::both::{END, Scenario};
use crate::recorder::{Recorders, ready, remote, running, wait_event, wait_events};
use crate::support::{Setup, TestDaemon, wait_for};

/// `says FILE`: for each command in the file, once it is there, writes the text (with escapes)
/// to stdout or stderr: `1 text`, `2 text`; each in one write, and waits until it is read.
const SAYS: &str = r#"#!/usr/bin/env python3
import fcntl, os, struct, sys, termios, time
while True:
    try:
        text = open(sys.argv[1]).read()
    except OSError:
        time.sleep(0.01)
        continue
    fd, text = text.split(' ', 1)
    os.write(int(fd), text.encode('latin-1').decode('unicode_escape').encode('latin-1'))
    while struct.unpack('i', fcntl.ioctl(int(fd), termios.FIONREAD, b'....'))[0]:
        time.sleep(0.01)
    os.unlink(sys.argv[1])
"#;

/// Lets `says` write: the text has Python's escapes, a byte each.
#[track_caller]
fn say(d: &TestDaemon, fd: u8, text: &str) {
    let command = d.path("command");
    fs::write(d.path("command.new"), format!("{fd} {text}")).unwrap();
    fs::rename(d.path("command.new"), &command).unwrap();
    wait_for("a program that says what it should", 20, || (!command.exists()).then_some(()));
}

fn says(setup: Setup, lines: &str) -> Setup {
    setup.script("says", SAYS).program(
        "a",
        &format!(
            "command=%(here)s/says %(here)s/command\nstdout_events_enabled=true\n\
             stderr_events_enabled=true\n{lines}"
        ),
    )
}

fn up(d: &TestDaemon) {
    ready(d, &["lis"]);
    running(d, &["a"]);
}

#[test]
fn remote_events_of_all_kinds_of_text() {
    Scenario::new(
        |setup| setup.listener("REMOTE_COMMUNICATION", "buffer_size=100"),
        |d| {
            ready(d, &["lis"]);
            let large = "0123456789abcde\n".repeat(10_000);
            let large_umlauts = "äöü€😀\n".repeat(10_000);
            for (kind, data) in [
                ("t", ""),
                ("", "d"),
                ("été", "été 1\n"),
                ("two words", "key:value other:value\nline\n\nline"),
                ("\u{1f600}", "\u{1f600} and \u{e9}\u{301}"),
                ("t", "<&>\"'\\x\t"),
                ("large", &large),
                ("large", &large_umlauts),
                ("after", "a"),
                ("end", ""),
            ] {
                remote(d, kind, data);
            }
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn what_is_written_to_both_outputs() {
    Scenario::new(
        |setup| says(setup, "").listener("PROCESS_LOG,REMOTE_COMMUNICATION", "buffer_size=100"),
        |d| {
            up(d);
            for (fd, text, last) in [
                (1, r"one\n", "PROCESS_LOG_STDOUT *\none\n"),
                (2, r"two\n", "PROCESS_LOG_STDERR *\ntwo\n"),
                (1, r"no line feed", "PROCESS_LOG_STDOUT *\nno line feed"),
                (1, r"\xc3\xa9t\xc3\xa9\n", "PROCESS_LOG_STDOUT *\nété\n"),
                (2, r"\xff\x00'\n", "PROCESS_LOG_STDERR *\nUndecodable: *"),
                (2, r"\n\n", "PROCESS_LOG_STDERR *\n\n\n"),
                (1, r"\x1b[31mred\x1b[0m\n", "PROCESS_LOG_STDOUT *red*"),
            ] {
                say(d, fd, text);
                wait_event(d, "lis", last);
            }
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn one_channel_and_a_redirected_one() {
    Scenario::new(
        |setup| {
            says(setup, "redirect_stderr=true").listener(
                "PROCESS_LOG_STDOUT,REMOTE_COMMUNICATION",
                "buffer_size=100\nstdout_events_enabled=true\nstderr_events_enabled=true",
            )
        },
        |d| {
            up(d);
            say(d, 2, r"to stderr\n");
            wait_event(d, "lis", "PROCESS_LOG_STDOUT *\nto stderr\n");
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn messages_however_they_are_cut() {
    Scenario::new(
        |setup| {
            let lines = "stdout_capture_maxbytes=1MB\nstderr_capture_maxbytes=1MB\n\
                         stdout_events_enabled=false\nstderr_events_enabled=false";
            says(setup, lines)
                .listener("PROCESS_COMMUNICATION,REMOTE_COMMUNICATION", "buffer_size=100")
        },
        |d| {
            up(d);
            let rest = "and a rest that is longer than a token\\n";
            let whole =
                |text: &str| format!("<!--XSUPERVISOR:BEGIN-->{text}<!--XSUPERVISOR:END-->{rest}");
            say(d, 1, &whole("whole"));
            wait_event(d, "lis", "PROCESS_COMMUNICATION_STDOUT *\nwhole");
            say(d, 2, &whole("\\xc3\\xa9t\\xc3\\xa9\\nline"));
            wait_event(d, "lis", "PROCESS_COMMUNICATION_STDERR *\nété\nline");
            say(d, 1, &whole(""));
            wait_event(d, "lis", "PROCESS_COMMUNICATION_STDOUT *\n");
            say(d, 1, &whole("\\xff'\""));
            wait_event(d, "lis", "PROCESS_COMMUNICATION_STDOUT *Undecodable*");
            let two = whole("first") + &whole("second");
            say(d, 1, &two);
            wait_event(d, "lis", "PROCESS_COMMUNICATION_STDOUT *\nsecond");
            // Cut within both tokens and the text; what looks like a token and is none.
            for part in [
                "text<!--XSUPER",
                "VISOR:BEGIN--",
                ">first <!-- half",
                " second <!--XSUPERVISOR:EN",
                "D--",
                ">",
                rest,
            ] {
                say(d, 1, part);
            }
            wait_event(d, "lis", "PROCESS_COMMUNICATION_STDOUT *\nfirst <!-- half second ");
            // BEGIN inside of a message is text; END outside is.
            say(d, 1, "<!--XSUPERVISOR:END-->x<!--XSUPERVISOR:BEGIN-->");
            say(d, 1, &whole("inner"));
            wait_event(d, "lis", "PROCESS_COMMUNICATION_STDOUT *\n<!--XSUPERVISOR:BEGIN-->inner");
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn what_is_captured_is_output_too() {
    Scenario::new(
        |setup| {
            says(setup, "stdout_capture_maxbytes=100").listener(
                "PROCESS_COMMUNICATION,PROCESS_LOG,REMOTE_COMMUNICATION",
                "buffer_size=100",
            )
        },
        |d| {
            up(d);
            let rest = "and a rest that is longer than a token\\n";
            say(
                d,
                1,
                &format!("before<!--XSUPERVISOR:BEGIN-->message<!--XSUPERVISOR:END-->{rest}"),
            );
            wait_event(d, "lis", "PROCESS_LOG_STDOUT *\nand a rest *");
            // Longer than what is kept, in one piece: kept whole.
            let long = "0123456789".repeat(50);
            say(d, 1, &format!("<!--XSUPERVISOR:BEGIN-->{long}<!--XSUPERVISOR:END-->{rest}"));
            wait_events(d, "lis", "PROCESS_LOG_STDOUT *\nand a rest *", 2);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

#[test]
fn a_process_that_ends_right_after_a_message() {
    Scenario::new(
        |setup| {
            setup
                .script(
                    "last",
                    "#!/bin/sh\necho '<!--XSUPERVISOR:BEGIN-->last words<!--XSUPERVISOR:END--> \
                     and what comes behind them'\n",
                )
                .program(
                    "a",
                    "command=%(here)s/last\nstartsecs=0\nautostart=false\nautorestart=false\n\
                     stdout_capture_maxbytes=1KB",
                )
                .listener("PROCESS_COMMUNICATION,PROCESS_STATE_EXITED,REMOTE_COMMUNICATION", "")
        },
        |d| {
            ready(d, &["lis"]);
            d.ctl(&["start", "a"]);
            d.wait_state("a", "EXITED", 20);
            wait_event(d, "lis", "PROCESS_STATE_EXITED *");
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}

/// What a listener writes to its stderr is as any program's; its stdout is the protocol alone.
#[test]
fn what_a_listener_has_to_say_itself() {
    Scenario::new(
        |setup| {
            setup
                .script(
                    "talk",
                    "#!/bin/sh\necho READY\nread head\n\
                     echo '<!--XSUPERVISOR:BEGIN-->I heard it<!--XSUPERVISOR:END--> and said \
                     so, in many words and at length.' >&2\n\
                     printf 'RESULT 2\\nOKREADY\\n'\nsleep 1000\n",
                )
                .section(
                    "[eventlistener:talk]\ncommand=%(here)s/talk\nevents=SUPERVISOR_STATE_CHANGE\n\
                     stdout_events_enabled=true\nstdout_capture_maxbytes=1KB\n\
                     stderr_events_enabled=true\nstderr_capture_maxbytes=1KB\nstartsecs=5",
                )
                .listener("PROCESS_LOG,PROCESS_COMMUNICATION,REMOTE_COMMUNICATION", "")
        },
        |d| {
            ready(d, &["lis", "talk"]);
            wait_event(d, "lis", "PROCESS_LOG_STDERR * and said so, *");
            d.wait_log("DEBG talk: event was processed", 20);
            assert_eq!(d.count("DEBG talk: * -> UNKNOWN"), 0);
            remote(d, "end", "");
        },
    )
    .stream("lis", END)
    .compare();
}
