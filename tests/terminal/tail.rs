//! Logs on a terminal: followed until Ctrl-C, and safe to look at.

use std::{
    fs::OpenOptions,
    io::{Read, Write},
    process::{Child, Command, Stdio},
};

use crate::{
    daemon, daemon_of,
    screen::{CTRL_C, Screen},
    support::{Side, TestDaemon, wait_for},
};

const ODD: &[u8] = b"\x1b]0;title\x07\x1b[31mred\x9b \xff \xc3\xa4 50%\r60%\r\nend\n";

fn grow(d: &TestDaemon, bytes: &[u8]) {
    let mut log = OpenOptions::new().append(true).open(d.path("parrot.out")).unwrap();
    log.write_all(bytes).unwrap();
}

#[test]
fn ctrl_c_ends_it_with_a_line_and_exit_0() {
    let d = daemon();
    for args in [["tail", "-f", "parrot"].as_slice(), &["maintail", "-f"]] {
        let mut screen = Screen::ctl(&d, args);
        screen.wait("==> Press Ctrl-C to exit <==\n");
        // Ctrl-C while it waits for more.
        let known = if args[0] == "tail" { "ready\n" } else { "parrot" };
        screen.wait(known);
        screen.keys(CTRL_C);
        screen.wait("^C\n");
        assert_eq!(screen.wait_exit(), 0, "{args:?}");
    }
}

#[test]
fn the_shell_goes_on_after_it() {
    let d = daemon();
    let mut screen = Screen::ctl(&d, &[]);
    for _ in 0..2 {
        screen.wait("supervisor> ");
        screen.keys("tail -f parrot\r");
        screen.wait("ready\n");
        grow(&d, b"grown\n");
        screen.wait("grown\n");
        screen.keys(CTRL_C);
    }
    screen.wait("supervisor> ");
    screen.keys("version\r");
    screen.wait("4.3.0");
}

#[test]
fn control_characters_are_shown_and_not_obeyed() {
    if !Side::ours_only("the original passes them to the terminal") {
        return;
    }
    let d = daemon();
    grow(&d, ODD);
    let shown = "\\x1b]0;title\\x07\\x1b[31mred\\x9b \\xff \u{e4} 50%\\x0d60%\nend\n";
    let mut screen = Screen::ctl(&d, &["tail", "-f", "parrot"]);
    screen.wait(shown);
    let mut raw = Screen::ctl(&d, &["--raw", "tail", "-f", "parrot"]);
    raw.wait("end\n");
    let bytes = raw.bytes();
    assert!(bytes.windows(8).any(|window| window == b"\x1b[31mred"), "{bytes:?}");
    let mut screen = Screen::ctl(&d, &["tail", "parrot"]);
    screen.wait(shown);
    assert!(!screen.bytes().contains(&0x1b));
}

struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_pipe_gets_every_byte_as_it_is() {
    if !Side::ours_only("the original writes Undecodable") {
        return;
    }
    let d = daemon();
    let all: Vec<u8> = (0..=255).collect();
    grow(&d, &all);
    let mut command: Command = d.ctl_command(Side::Ours, &["tail", "-f", "parrot"]);
    let mut child = Following(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut output = child.0.stdout.take().unwrap();
    let wanted = [b"==> Press Ctrl-C to exit <==\nready\n".as_slice(), &all].concat();
    let mut bytes = vec![0; wanted.len()];
    output.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, wanted);
}

/// What `tail` writes to a pipe.
fn piped(d: &TestDaemon, args: &[&str]) -> Vec<u8> {
    let output = d.ctl_command(Side::Ours, args).stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
    output.stdout
}

#[test]
fn the_last_bytes_of_a_log_are_its_bytes() {
    if !Side::ours_only("XML can't carry them") {
        return;
    }
    let d = daemon();
    let all: Vec<u8> = (0..=255).collect();
    grow(&d, &all);
    assert_eq!(piped(&d, &["tail", "-256", "parrot"]), [&all, b"\n".as_slice()].concat());
    // Of each byte, and so of each part of a character.
    for last in [1, 2, 60, 127, 128] {
        let wanted = [&all[256 - last..], b"\n"].concat();
        assert_eq!(piped(&d, &["tail", &format!("-{last}"), "parrot"]), wanted);
    }
    let lines = piped(&d, &["tail", "-256", "parrot", "idle-one"]);
    assert!(lines.starts_with(b"parrot   | \0\x01"), "{lines:?}");
    assert!(lines.ends_with(b"\xfe\xff\n"), "{lines:?}");
}

#[test]
fn the_originals_daemon_has_its_carriage_returns_kept() {
    if !Side::ours_only("its own client takes them for line ends") {
        return;
    }
    let d = daemon_of(Side::Theirs);
    grow(&d, b"\x1b[31m50%\r60%\r\nend \x07\n");
    let wanted = b"ready\n\x1b[31m50%\r60%\r\nend \x07\n\n";
    assert_eq!(piped(&d, &["tail", "parrot"]), wanted);
}

#[test]
fn a_reader_that_leaves_ends_it() {
    if !Side::ours_only("the original tells that it cannot connect") {
        return;
    }
    let d = daemon();
    // The log of idle-one never grows.
    for args in [["tail", "-f", "parrot"].as_slice(), &["tail", "-f", "parrot", "idle-one"]] {
        let mut command = d.ctl_command(Side::Ours, args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Following(command.spawn().unwrap());
        let mut output = child.0.stdout.take().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"ready\n") {
            let mut byte = [0];
            output.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        drop(output);
        // A process that another test is about to execute may still hold the pipe.
        let status = wait_for("its end", 20, || {
            grow(&d, b"more\nready\n");
            child.0.try_wait().unwrap()
        });
        let mut errors = String::new();
        child.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_told() {
    if !Side::ours_only("the original ends with a traceback") {
        return;
    }
    let d = daemon();
    let told = "supervisorctl: can't write: [Errno 28] No space left on device\n";
    for args in [["version"].as_slice(), &["status", "--json"], &["tail", "-f", "parrot"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = d.ctl_command(Side::Ours, args).stdin(Stdio::null()).stdout(full).output();
        let output = output.unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), errors.as_str()), (Some(1), told), "{args:?}");
    }
}

#[test]
fn a_daemon_that_ends_ends_it() {
    let mut d = daemon();
    let mut screen = Screen::ctl(&d, &["tail", "-f", "parrot"]);
    screen.wait("ready\n");
    d.shut_down(40);
    wait_for("its end", 20, || Some(screen.wait_exit()));
}
