//! superlance 2.0.0's listeners under our daemon: what they hear makes them act, and their calls
//! are answered.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{
    PASSWORD, USER, Way, client,
    support::{Setup, Side, free_port, wait_for},
};

/// Takes one letter after the other, as a mail server does, and passes them on.
fn mail_server() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, letters) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Some(letter) = letter(stream.unwrap()) else { continue };
            if send.send(letter).is_err() {
                return;
            }
        }
    });
    (port, letters)
}

fn letter(mut stream: TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let (mut text, mut is_text) = (String::new(), false);
    stream.write_all(b"220 here\r\n").ok()?;
    loop {
        let line = lines.next()?.ok()?;
        let answer = match line.as_str() {
            "." if is_text => {
                is_text = false;
                "250 taken"
            }
            _ if is_text => {
                text.push_str(&line);
                text.push('\n');
                continue;
            }
            "data" | "DATA" => {
                is_text = true;
                "354 go on"
            }
            "quit" | "QUIT" => {
                stream.write_all(b"221 bye\r\n").ok()?;
                return Some(text);
            }
            _ => "250 well",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).ok()?;
    }
}

fn listens_and_acts(way: Way) {
    let (mail_port, letters) = mail_server();
    let bin = |name: &str| client("venv/bin").join(name).display().to_string();
    let nobody = free_port();
    let listeners = format!(
        "[eventlistener:httpok]\nevents=TICK_5\nstderr_logfile=%(here)s/httpok.err\n\
         command={} -p web -t 2 http://127.0.0.1:{nobody}/\n\
         [eventlistener:memmon]\nevents=TICK_5\nstderr_logfile=%(here)s/memmon.err\n\
         command={} -p big=1KB -g pair=1KB\n\
         [eventlistener:crashmail]\nevents=PROCESS_STATE_EXITED\n\
         command={} -p g:crasher -s %(here)s/sendmail -m a@example.org\n\
         [eventlistener:fatal]\nevents=PROCESS_STATE_FATAL,TICK_5\n\
         command={} -t a@example.org -f b@example.org -s fatal -H 127.0.0.1:{mail_port} -e TICK_5 \
         -i 0.01\n",
        bin("httpok"),
        bin("memmon"),
        bin("crashmail"),
        bin("fatalmailbatch"),
    );
    let sleep = "command=/bin/sleep 1000\nstartsecs=0";
    let mut setup = Setup::new()
        .side(Side::Ours)
        .login(USER, PASSWORD)
        // The listeners take these from their environment; no daemon puts them there by itself.
        .supervisord(&format!(
            "environment=SUPERVISOR_USERNAME={USER},SUPERVISOR_PASSWORD={PASSWORD}"
        ))
        .script(
            "sendmail",
            "#!/bin/sh\ncat >\"$(dirname \"$0\")/letter.new\"\n\
                 mv \"$(dirname \"$0\")/letter.new\" \"$(dirname \"$0\")/letter\"\n",
        )
        .section(&listeners)
        .program("web", sleep)
        .program("big", sleep)
        .program("member", sleep)
        .section("[group:pair]\nprograms=member")
        .program(
            "crasher",
            "command=/bin/sh -c \"exit 3\"\nstartsecs=0\nautorestart=false\nautostart=false",
        )
        .section("[group:g]\nprograms=crasher")
        .program("never", "command=/bin/false\nstartretries=0\nautostart=false");
    if way == Way::Tcp {
        setup = setup.tcp();
    }
    let d = setup.start();
    d.wait_state("web", "RUNNING", 10);
    let before = ["web", "big", "pair:member"].map(|name| (name, d.pid_of(name)));
    assert!(before.iter().all(|(_, pid)| *pid > 0), "{before:?}");
    let start = |name: &str| {
        d.rpc().call("supervisor.startProcess", &format!("<string>{name}</string>")).unwrap()
    };
    start("g:crasher");
    start("never");

    let text = d.wait_file("letter", 20, |text| text.contains("unexpectedly"));
    assert!(text.starts_with("To: a@example.org\nSubject: "), "{text}");
    assert!(text.contains("Process crasher in group g exited unexpectedly"), "{text}");

    for (name, pid) in before {
        wait_for(&format!("another {name}"), 30, || {
            let now = d.pid_of(name);
            (now > 0 && now != pid).then_some(())
        });
    }
    d.wait_file("httpok.err", 10, |text| text.contains("web restarted"));
    let err = d.wait_file("memmon.err", 10, |text| text.contains("Restarting pair:member"));
    assert!(err.contains("Restarting big:big"), "{err}");

    let letter = letters.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(letter.contains("Process never:never failed to start too many times"), "{letter}");
    for name in ["httpok", "memmon", "crashmail", "fatal"] {
        assert_eq!(d.state(name), "RUNNING", "{name}");
        d.has_count(&format!("INFO spawned: '{name}' *"), 1);
    }
    fs::remove_file(d.path("letter")).unwrap();
}

#[test]
fn listeners_act_over_unix() {
    listens_and_acts(Way::Unix);
}

#[test]
fn listeners_act_over_tcp() {
    listens_and_acts(Way::Tcp);
}
