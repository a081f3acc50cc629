//! The listeners that people run: superlance 2.0.0, as it is installed beside the original.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::{Setup, TestDaemon, oracle, wait_for};

/// Takes a mail as sendmail does.
const SENDMAIL: &str = "#!/bin/sh\n{ cat; echo; echo '-- end'; } >> \"$(dirname \"$0\")/mails\"\n";

fn setup() -> Setup {
    Setup::new().supervisord("loglevel=debug").script("sendmail", SENDMAIL)
}

/// A section with one of the programs.
fn listener(program: &str, arguments: &str, events: &str) -> String {
    let path = oracle(program);
    format!(
        "[eventlistener:{program}]\ncommand={} {arguments}\nevents={events}\nbuffer_size=100\n\
         stderr_logfile=%(here)s/{program}.err\n",
        path.display()
    )
}

/// Serves connections, each on a thread, as long as the test runs.
fn serve(answer: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || answer(stream));
        }
    });
    port
}

/// A server that takes mails; their texts.
fn smtp() -> (u16, Arc<Mutex<Vec<String>>>) {
    let mails = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&mails);
    let port = serve(move |stream| {
        let mut mail = String::new();
        let _ = converse(stream, &mut mail);
        taken.lock().unwrap().push(mail);
    });
    (port, mails)
}

fn converse(mut stream: TcpStream, mail: &mut String) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    stream.write_all(b"220 test\r\n")?;
    while let Some(line) = lines.next() {
        let line = line?;
        let answer: &[u8] = match line.split(' ').next().unwrap_or("").to_uppercase().as_str() {
            "EHLO" | "HELO" | "MAIL" | "RCPT" => b"250 ok\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                for line in lines.by_ref() {
                    match line? {
                        end if end == "." => break,
                        line => mail.push_str(&(line + "\n")),
                    }
                }
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"500 what\r\n",
        };
        stream.write_all(answer)?;
    }
    Ok(())
}

fn ready(d: &TestDaemon, listener: &str) {
    d.wait_log(&format!("DEBG {listener}: ACKNOWLEDGED -> READY"), 30);
    d.wait_state(listener, "RUNNING", 30);
}

#[test]
fn crashmail_mails_what_exits_unexpectedly() {
    let d = setup()
        .section(&listener(
            "crashmail",
            "-a -s %(here)s/sendmail -m me@example.com -o test",
            "PROCESS_STATE_EXITED",
        ))
        .program(
            "good",
            "command=/bin/sh -c 'exit 0'\nstartsecs=0\nautostart=false\nautorestart=false",
        )
        .program(
            "bad",
            "command=/bin/sh -c 'exit 3'\nstartsecs=0\nautostart=false\nautorestart=false",
        )
        .start();
    ready(&d, "crashmail");
    for name in ["good", "bad"] {
        d.ctl(&["start", name]);
        d.wait_state(name, "EXITED", 20);
    }
    let mails = d.wait_file("mails", 20, |text| text.contains("-- end"));
    assert!(mails.contains("To: me@example.com\nSubject: test: bad crashed at "), "{mails}");
    assert!(mails.contains("Process bad in group bad exited unexpectedly (pid "), "{mails}");
    d.wait_log("DEBG crashmail: event was processed", 20);
    assert!(!d.read("mails").contains("good"));
}

#[test]
fn memmon_restarts_what_is_too_large() {
    let d = setup()
        .section(&listener(
            "memmon",
            "-p large=1KB -p small=100GB -s %(here)s/sendmail -m me@example.com",
            "TICK_5",
        ))
        .program("large", "command=/bin/sleep 1000")
        .program("small", "command=/bin/sleep 1000")
        .start();
    for name in ["memmon", "large", "small"] {
        d.wait_state(name, "RUNNING", 30);
    }
    let (large, small) = (d.pid_of("large"), d.pid_of("small"));
    let mails = d.wait_file("mails", 60, |text| text.contains("-- end"));
    assert!(mails.contains("memmon.py restarted the process named large:large"), "{mails}");
    wait_for("another pid", 30, || {
        let pid = d.pid_of("large");
        (pid != large && pid != 0).then_some(())
    });
    assert_eq!(d.pid_of("small"), small);
    // It goes on listening.
    d.wait_log_order(&["DEBG memmon: event was processed", "DEBG memmon: event was processed"], 60);
}

#[test]
fn httpok_restarts_what_does_not_answer_well() {
    let status = Arc::new(Mutex::new("200 OK"));
    let current = Arc::clone(&status);
    let port = serve(move |mut stream| {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head);
        let status = *current.lock().unwrap();
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
    });
    let d = setup()
        .section(&listener(
            "httpok",
            &format!("-p web -t 5 -s %(here)s/sendmail -m me@example.com http://127.0.0.1:{port}/"),
            "TICK_5",
        ))
        .program("web", "command=/bin/sleep 1000")
        .program("other", "command=/bin/sleep 1000")
        .start();
    for name in ["httpok", "web", "other"] {
        d.wait_state(name, "RUNNING", 30);
    }
    let (web, other) = (d.pid_of("web"), d.pid_of("other"));
    d.wait_log("DEBG httpok: event was processed", 60);
    assert_eq!(d.pid_of("web"), web);
    *status.lock().unwrap() = "500 No";
    let mails = d.wait_file("mails", 60, |text| text.contains("-- end"));
    assert!(mails.contains("bad status returned"), "{mails}");
    assert!(mails.contains("web restarted"), "{mails}");
    *status.lock().unwrap() = "200 OK";
    wait_for("another pid", 30, || {
        let pid = d.pid_of("web");
        (pid != web && pid != 0).then_some(())
    });
    assert_eq!(d.pid_of("other"), other);
}

#[test]
fn the_batches_mail_what_was_fatal_and_what_crashed() {
    let (port, mails) = smtp();
    let options = format!(
        "--toEmail=me@example.com --fromEmail=you@example.com --smtpHost=127.0.0.1:{port} \
         --interval=0.05 --tickEvent=TICK_5"
    );
    let d = setup()
        .section(&listener("fatalmailbatch", &options, "PROCESS_STATE,TICK_5"))
        .section(&listener("crashmailbatch", &options, "PROCESS_STATE,TICK_5"))
        .section(&listener("crashsms", &options, "PROCESS_STATE,TICK_5"))
        .program("fatal", "command=/bin/false\nstartretries=0\nautostart=false\nstartsecs=5")
        .program(
            "bad",
            "command=/bin/sh -c 'exit 3'\nstartsecs=0\nautostart=false\nautorestart=false",
        )
        .start();
    ["fatalmailbatch", "crashmailbatch", "crashsms"].into_iter().for_each(|name| ready(&d, name));
    for name in ["bad", "fatal"] {
        let name = format!("<string>{name}</string><boolean>0</boolean>");
        d.rpc().call("supervisor.startProcess", &name).unwrap();
    }
    for sentence in [
        "Process fatal:fatal failed to start too many times",
        "Process bad:bad (pid ",
        "[bad:bad](",
    ] {
        wait_for(sentence, 60, || {
            mails.lock().unwrap().iter().any(|mail| mail.contains(sentence)).then_some(())
        });
    }
}
