//! Lines from a pipe: the same bytes as from the original, whatever the lines ask for.

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
};

use crate::{
    daemon_of,
    support::{Scratch, Setup, Side, free_port},
};

/// Stdout and exit code of a client whose stdin is this text.
fn session(mut command: Command, input: &str) -> (String, i32) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = thread::spawn(move || {
        // A client that left reads no more.
        let _ = pipe.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

/// The pid and the time of a running process are another one's business.
fn steady(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("pid ") {
        Some((start, _)) => format!("{start}pid ...\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

const LINES: &str = "
status idle-one
status grp:*
status nobody nogroup:*
start grp:*
start grp:a
stop grp:a grp:b
stop grp:a
restart grp:a
signal HUP idle-one
signal BOGUS grp:a
stop grp:*
stop all
start nobody
start nogroup:
pid idle-one
pid nobody
clear idle-one
clear nobody
tail nobody
tail -x idle-one
tail idle-one bogus
maintail -x
fg nobody
fg idle-one
fg a b
avail
reread
update
update nogroup
add grp
add nobody
remove grp
remove nobody
remove idle-one
add idle-one
bogus
bogus words here
!ls
   status    idle-one   
status\tidle-one
STATUS
open ftp://x
help bogus
? bogus
shutdown
no
reload
";

/// Both clients on daemons of this side, after which nothing is left of either.
fn compare(daemon: Side) {
    let run = |client: Side, input: &str| {
        let d = daemon_of(daemon);
        let (text, code) = session(d.ctl_command(client, &[]), input);
        (steady(&text).replace(&d.path("").display().to_string(), "/"), code)
    };
    let short = |end: &str| format!("status idle-one\n{end}");
    let mut inputs = vec![format!("{LINES}n\n")];
    inputs.extend(["exit\nversion\n", "quit", "EOF\nversion\n", "version"].map(short));
    for input in inputs {
        let (theirs, ours) = (run(Side::Theirs, &input), run(Side::Ours, &input));
        for (number, (their, our)) in theirs.0.lines().zip(ours.0.lines()).enumerate() {
            assert_eq!(our, their, "line {number} of {daemon:?}'s answers to {input:?}");
        }
        assert_eq!(ours, theirs, "{daemon:?}'s answers to {input:?}");
    }
}

#[test]
fn a_long_session_has_the_originals_bytes() {
    compare(Side::Ours);
}

#[test]
fn a_long_session_with_the_original_has_the_originals_bytes() {
    compare(Side::Theirs);
}

#[test]
fn an_absent_daemon_is_told_line_by_line() {
    let place = Scratch::new();
    let path = |name: &str| place.path().join(name).display().to_string();
    std::fs::write(path("file"), "").unwrap();
    for url in [
        format!("http://127.0.0.1:{}", free_port()),
        format!("unix://{}", path("none")),
        format!("unix://{}", path("file")),
        format!("unix://{}", path(&"long".repeat(40))),
        "http://no-such-host.invalid:9001".to_owned(),
        "https://localhost:1".to_owned(),
        "ftp://localhost".to_owned(),
    ] {
        let run = |side: Side| {
            let mut command = Command::new(side.supervisorctl());
            command.args(["-s", &url]).current_dir(place.path());
            let input = "status\nstop x\nversion\nhelp bogus\nbogus\nmaintail\nfg a\npid\n";
            let (text, code) = session(command, input);
            // Where in the client an error was met is its own business.
            let lines = text.lines().map(|line| line.split(": file: ").next().unwrap());
            (lines.collect::<Vec<_>>().join("\n"), code)
        };
        assert_eq!(run(Side::Ours), run(Side::Theirs), "{url}");
    }
}

#[test]
fn an_answer_to_the_login_can_be_piped() {
    if !Side::ours_only("the original asks the controlling terminal, if there is one") {
        return;
    }
    let port = free_port();
    let lock = format!("[inet_http_server:b]\nport=127.0.0.1:{port}\nusername=u\npassword=p");
    let d = Setup::new().section(&lock).start();
    let url = format!("http://127.0.0.1:{port}");
    let command = d.ctl_command(Side::Ours, &["-i", "-s", &url, "pid"]);
    let (text, code) = session(command, "u\np\n");
    assert_eq!(text, format!("Server requires authentication\nUsername:Password:\n{}\n", d.pid));
    assert_eq!(code, 0);
    let command = d.ctl_command(Side::Ours, &["-i", "-s", &url, "pid"]);
    let (text, code) = session(command, "");
    assert!(text.starts_with("Server requires authentication\nUsername:error: <class 'EOFError'>"));
    assert_eq!(code, 1);
}
