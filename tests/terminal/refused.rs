//! A daemon that is not there: a person is told what was tried, a script what it knows.

use std::{fs, process::Command};

use crate::{
    screen::Screen,
    support::{Scratch, Side, free_port, run},
};

/// The client somewhere without a configuration of its own, its results in `out`.
fn script(place: &Scratch, words: &str) -> Command {
    let program = Side::under_test().supervisorctl();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("\"$0\" {words} >out; echo ended")]);
    command.arg(program).current_dir(place.path());
    command
}

#[test]
fn what_was_tried_stands_on_stderr() {
    if !Side::ours_only("the original says one line") {
        return;
    }
    let place = Scratch::new();
    let port = free_port();
    let file = place.path().join("x.conf");
    fs::write(&file, "[supervisorctl]\nserverurl=unix:///no/such.sock\n").unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let tcp =
        format!("127.0.0.1, port {port} (-s on the command line): [Errno 111] Connection refused");
    let unix = "the socket /no/such.sock (serverurl in x.conf): \
                [Errno 2] No such file or directory";
    for (words, line, tried) in [
        (format!("-s {url} status"), format!("{url} refused connection\n"), &*tcp),
        ("-c x.conf start a".into(), "unix:///no/such.sock no such file\n".into(), unix),
        (
            "-c x.conf shutdown".into(),
            "ERROR: unix:///no/such.sock no such file (already shut down?)\n".into(),
            unix,
        ),
    ] {
        let mut screen = Screen::of(script(&place, &words), 200, "xterm");
        screen.wait(&format!("supervisorctl: tried {tried}\n"));
        screen.wait("ended\n");
        assert_eq!(fs::read_to_string(place.path().join("out")).unwrap(), line, "{words}");
        // Elsewhere than on a terminal nothing is added.
        let output = run(&mut script(&place, &words), 20);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("ended\n", ""), "{words}");
    }
}
