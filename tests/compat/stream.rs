//! `tail -f` and `maintail -f`: the end of a log and what it grows by, also across a rotation.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{Setup, Side, TestDaemon};

const TICKER: &str = "#!/bin/sh\nn=0\nwhile :; do n=$((n+1)); echo tick $n; sleep 0.02; done\n";

struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a client that follows, and reads its lines behind the first, which tells how to stop.
fn follow(
    d: &TestDaemon,
    client: Side,
    words: &[&str],
) -> (Following, impl Iterator<Item = String>) {
    let mut command = Command::new(client.supervisorctl());
    command.arg("-c").arg(d.path("c.conf")).args(words).env("PYTHONUNBUFFERED", "1");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "==> Press Ctrl-C to exit <==");
    (Following(child), lines)
}

#[test]
fn a_follower_sees_every_line_across_rotations() {
    let d = Setup::new()
        .script("ticker", TICKER)
        .program(
            "a",
            "command=%(here)s/ticker\nstartsecs=0\nredirect_stderr=true\n\
             stdout_logfile=%(here)s/a.log\nstdout_logfile_maxbytes=600\nstdout_logfile_backups=50",
        )
        .start();
    d.wait_file("a.log", 15, |text| text.contains("tick 3"));
    let (_child, lines) = follow(&d, Side::under_test(), &["tail", "-f", "a"]);
    let numbers = lines.filter_map(|line| line.strip_prefix("tick ")?.parse::<u64>().ok());
    let seen: Vec<u64> = numbers.take(150).collect();
    // The original may lose what was written around a rotation.
    if Side::under_test() == Side::Ours {
        assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
    }
    assert!(d.path("a.log.1").exists());
}

#[test]
fn the_main_log_can_be_followed_and_a_missing_one_not() {
    let d = Setup::new()
        .program("a", "command=/bin/sleep 1000\nstartsecs=0\nstdout_logfile=NONE")
        .start();
    d.wait_state("a", "RUNNING", 15);
    let (_child, mut lines) = follow(&d, Side::under_test(), &["maintail", "-f"]);
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    assert!(lines.any(|line| line.contains("stopped: a")));
    let none = d.ctl(&["tail", "-f", "a"]);
    assert!(none.stderr.contains("Cannot read, status code 404"), "{none:?}");
}

/// A stream as it comes, up to some text in it.
struct Raw(TcpStream);

impl Raw {
    fn ask(d: &TestDaemon, request: &str) -> Raw {
        let mut stream = d.connect_tcp();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        Raw(stream)
    }

    #[track_caller]
    fn until(&mut self, end: &str) -> String {
        let mut got = Vec::new();
        while !got.ends_with(end.as_bytes()) {
            let mut byte = [0];
            let read = self.0.read(&mut byte);
            let so_far = String::from_utf8_lossy(&got);
            assert!(matches!(read, Ok(1)), "{read:?} after {so_far:?}, not {end:?}");
            got.push(byte[0]);
        }
        String::from_utf8_lossy(&got).into_owned()
    }
}

/// A program that writes what it is told.
fn echo() -> TestDaemon {
    let d = Setup::new()
        .tcp()
        .program("a", "command=/bin/cat\nstartsecs=0\nstdout_logfile=%(here)s/a.log")
        .program("none", "command=/bin/cat\nstartsecs=0\nstdout_logfile=NONE")
        .start();
    d.wait_state("a", "RUNNING", 15);
    d.wait_state("none", "RUNNING", 15);
    d
}

fn say(d: &TestDaemon, text: &str) {
    let params = format!("<string>a</string><string>{text}</string>");
    d.rpc().call("supervisor.sendProcessStdin", &params).unwrap();
}

#[test]
fn a_stream_begins_with_the_last_kilobyte_and_goes_on_in_chunks() {
    let d = echo();
    let before = "x".repeat(1100);
    say(&d, &before);
    d.wait_file("a.log", 15, |text| text.len() == 1100);
    for uri in ["/logtail/a", "/logtail/a%3Aa/stdout", "/logtailx/a?limit=1"] {
        let mut raw = Raw::ask(&d, &format!("GET {uri} HTTP/1.1\r\n\r\n"));
        let head = raw.until("\r\n\r\n");
        let mut lines = head.lines();
        assert_eq!(lines.next(), Some("HTTP/1.1 200 OK"), "{uri}");
        assert_eq!(lines.next(), Some("Server: Medusa/1.12"));
        assert!(lines.next().unwrap().starts_with("Date: "));
        assert!(lines.next().unwrap().starts_with("Last-Modified: "));
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "Content-Type: text/plain;charset=utf-8",
                "X-Accel-Buffering: no",
                "Transfer-Encoding: chunked",
                ""
            ]
        );
        assert_eq!(raw.until("\r\n"), "400\r\n");
        let text = raw.until("\r\n");
        assert_eq!(text.len(), 1026);
        assert!(text.starts_with('x'));
        say(&d, "more");
        assert_eq!(raw.until("more\r\n"), "4\r\nmore\r\n");
    }
    let mut main = Raw::ask(&d, "GET /mainlogtail/whatever HTTP/1.1\r\n\r\n");
    assert!(main.until("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    main.until("entered RUNNING state");
}

#[test]
fn what_has_no_log_cannot_be_streamed() {
    let d = echo();
    let status = |request: &str| {
        let line = Raw::ask(&d, &format!("{request} HTTP/1.1\r\n\r\n")).until("\r\n");
        line.split(' ').nth(1).unwrap().to_owned()
    };
    for uri in ["/", "/zz", "/zz:a", "/a:*", "/a:", "/a:zz", "/a/nope", "/a/stdout/", "/none"] {
        assert_eq!(status(&format!("GET /logtail{uri}")), "404", "{uri}");
    }
    for request in ["HEAD /logtail/a", "DELETE /logtail/a", "HEAD /mainlogtail"] {
        assert_eq!(status(request), "400", "{request}");
    }
    if Side::under_test() == Side::Ours {
        assert_eq!(status("GET /logtail"), "404", "the original has 500");
    }
    std::fs::remove_file(d.path("a.log")).unwrap();
    assert_eq!(status("GET /logtail/a"), "404");
}

#[test]
fn old_clients_get_every_byte_at_once_and_unframed() {
    if !Side::ours_only("the original keeps such a stream back until it has 64 KiB") {
        return;
    }
    let d = echo();
    for head in ["HTTP/1.0\r\n", "HTTP/1.1\r\nConnection: close\r\n"] {
        let mut raw = Raw::ask(&d, &format!("GET /logtail/a {head}\r\n"));
        let head = raw.until("\r\n\r\n");
        assert!(!head.contains("Transfer-Encoding"), "{head}");
        for text in ["one", "&lt;two&gt;", "\n\n"] {
            say(&d, text);
            raw.until(&text.replace("&lt;", "<").replace("&gt;", ">"));
        }
    }
    // Whatever the bytes.
    std::fs::write(d.path("a.log"), b"\xff\0\x1b").unwrap();
    let mut raw = Raw::ask(&d, "GET /logtail/a HTTP/1.0\r\n\r\n");
    raw.until("\r\n\r\n");
    let mut bytes = [0; 3];
    raw.0.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"\xff\0\x1b");
}

#[test]
fn a_stream_goes_on_after_a_truncation_and_after_clearing() {
    if !Side::ours_only("a truncation breaks the original's stream") {
        return;
    }
    let d = echo();
    say(&d, "before");
    d.wait_file("a.log", 15, |text| text == "before");
    let mut raw = Raw::ask(&d, "GET /logtail/a HTTP/1.0\r\n\r\n");
    raw.until("before");
    std::fs::OpenOptions::new().write(true).truncate(true).open(d.path("a.log")).unwrap();
    assert_eq!(raw.until("\n"), "==> File truncated <==\n");
    say(&d, "after");
    assert_eq!(raw.until("after"), "after");
    d.rpc().call("supervisor.clearProcessLogs", "<string>a</string>").unwrap();
    say(&d, "cleared");
    assert_eq!(raw.until("cleared"), "cleared");
}
