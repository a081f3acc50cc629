//! Whatever a program writes, Python's client can read its log; and a log can be cleared when
//! nobody writes it any more. The original does neither.

use std::{fs, process::Command};

use crate::{
    fixture,
    support::{Setup, Side, oracle, run},
};

#[test]
fn any_byte_in_a_log_is_an_answer_that_clients_can_read() {
    let d = Setup::new()
        .side(Side::Ours)
        .program(
            "a",
            "command=/bin/cat %(here)s/bytes\nstartsecs=0\nautorestart=false\n\
             stdout_logfile=%(here)s/a.log\nstderr_logfile=%(here)s/a.err",
        )
        .program("b", "command=/bin/sleep 1000\nautostart=false\nstdout_logfile=%(here)s/b.log");
    // Each byte alone, each behind a letter of three bytes that it may cut, and long ones.
    let mut bytes: Vec<u8> = (0..=255).collect();
    for byte in 0..=255 {
        bytes.extend_from_slice("\u{20ac}".as_bytes());
        bytes.push(byte);
    }
    bytes.extend_from_slice("\u{1f600}\u{fffe}\u{ffff}]]>&amp;\r\n".as_bytes());
    fs::write(d.path("bytes"), &bytes).unwrap();
    fs::write(d.path("b.log"), "old").unwrap();
    let d = d.start();
    d.wait_state("a", "EXITED", 15);
    let mut command = Command::new(oracle("python3"));
    command.arg("-B").arg(fixture("log_bytes.py")).arg(d.path("s.sock"));
    let output = run(command.arg(bytes.len().to_string()), 120);
    assert_eq!(output.code, 0, "{output:?}");
    for name in ["a.log", "a.err", "b.log"] {
        assert_eq!(d.read(name), "", "{name} was cleared");
    }
}
