//! The list. An item fails only if the server owes its client an answer that does not come; how
//! others fare is measured around it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::Target;
use crate::support::rpc::request;

/// `user:secret` and `user:wrong`.
pub const RIGHT: &str = "dXNlcjpzZWNyZXQ=";
const WRONG: &str = "dXNlcjp3cm9uZw==";

/// The 32 MiB of bodies that are taken in at a time, and as much for copies and for what
/// allocators keep.
const BODIES: u64 = 64 << 20;

/// The answers that may wait for their readers.
const UNREAD: u64 = 64 << 20;

/// One answer while it is made, and the log that it is made of.
const ANSWER: u64 = 80 << 20;

/// How large a log is made.
const LOG: usize = 12 << 20;

/// How long a large request may wait for its answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// The largest body that the daemon takes.
const LARGEST: usize = 16 << 20;

/// One thing that bad clients do.
pub struct Abuse {
    pub name: &'static str,
    pub act: fn(&Target) -> Result<(), String>,
    /// Whether others are to be answered meanwhile, not only afterwards.
    pub others_meanwhile: bool,
    /// What the daemon may need at its peak beyond what it needs at rest, bytes.
    pub memory: u64,
}

const fn abuse(name: &'static str, act: fn(&Target) -> Result<(), String>) -> Abuse {
    Abuse { name, act, others_meanwhile: true, memory: BODIES }
}

pub const LIST: &[Abuse] = &[
    abuse("an announced body of 100 GB", |target| {
        (0..20).for_each(|_| target.send(&[head(100_000_000_000).as_bytes(), b"abc"]));
        Ok(())
    }),
    abuse("a head without end", |target| {
        let line = [b"X: ".as_slice(), &[b'y'; 8000], b"\r\n"].concat();
        let begin = b"GET / HTTP/1.1\r\n".as_slice();
        target.send(&[&[begin], vec![line.as_slice(); 20_000].as_slice()].concat());
        let endless_line = vec![b'z'; 160_000_000];
        target.send(&[begin, &endless_line]);
        Ok(())
    }),
    abuse("a thousand half heads", |target| {
        hold(target, 1000, b"POST /RPC2 HTTP/1.1\r\nContent-Le")
    }),
    abuse("stalled bodies", |target| {
        hold(target, 100, &[head(1_000_000).as_bytes(), &[b' '; 500_000]].concat())
    }),
    abuse("the largest bodies, which stop just before their end", |target| {
        let begun: Vec<_> = (0..6)
            .map(|_| {
                let mut client = target.connect()?;
                // What the server does not take ends by a time-out.
                Ok(thread::spawn(move || {
                    let _ = client.write_all(head(LARGEST).as_bytes());
                    let _ = client.write_all(&vec![b' '; LARGEST - 1]);
                    client
                }))
            })
            .collect::<Result<_, String>>()?;
        let stalled: Vec<_> = begun.into_iter().map(|thread| thread.join()).collect();
        let body = request("supervisor.getState", "").replace("<params>", &"\n".repeat(12 << 20));
        let body = body.replace("</params>", "");
        let call = [head(body.len()).as_bytes(), body.as_bytes()].concat();
        let honest = target.connect()?;
        let patience = honest.set_read_timeout(Some(PATIENCE));
        let patience = patience.and(honest.set_write_timeout(Some(PATIENCE)));
        patience.map_err(|error| error.to_string())?;
        let answers = [answer_to(honest, &call), target.answer_by_unix(&call)];
        drop(stalled);
        answers.into_iter().collect()
    }),
    abuse("a body of 1 GB", |target| {
        let piece = vec![b' '; 1 << 20];
        target.send(
            &[&[head(1 << 30).as_bytes()], vec![piece.as_slice(); 1 << 10].as_slice()].concat(),
        );
        let chunked = format!(
            "POST /RPC2 HTTP/1.1\r\nAuthorization: Basic {RIGHT}\r\n\
             Transfer-Encoding: chunked\r\n\r\n40000000\r\n"
        );
        target.send(&[&[chunked.as_bytes()], vec![piece.as_slice(); 1 << 10].as_slice()].concat());
        Ok(())
    }),
    abuse("deep nesting", |target| {
        target.post("<value><array><data>".repeat(200_000).as_bytes());
        target.post("<a>".repeat(1_000_000).as_bytes());
        Ok(())
    }),
    abuse("a bomb of entities", |target| {
        let mut bomb = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a0 \"ha\">".to_owned();
        for n in 1..40 {
            let last = format!("&a{};", n - 1).repeat(10);
            bomb.push_str(&format!("<!ENTITY a{n} \"{last}\">"));
        }
        bomb.push_str("]><methodCall><methodName>&a39;</methodName></methodCall>");
        (0..20).for_each(|_| target.post(bomb.as_bytes()));
        Ok(())
    }),
    abuse("a million values", |target| {
        let values = "<value><i4>1</i4></value>".repeat(600_000);
        let list = format!(
            "<methodCall><methodName>supervisor.getState</methodName><params><param>\
             <value><array><data>{values}</data></array></value></param></params></methodCall>"
        );
        let empty = format!("<params>{}</params>", "<value/>".repeat(1_000_000));
        let elements = format!("<x>{}</x>", "<y/>".repeat(2_000_000));
        for body in [list, empty, elements] {
            target.post(body.as_bytes());
        }
        Ok(())
    }),
    abuse("what is not UTF-8", |target| {
        (0..5).for_each(|_| target.post(&vec![0xff; 10_000_000]));
        let name = b"<methodCall><methodName>a\xc3\x28</methodName></methodCall>";
        (0..100).for_each(|_| target.post(name));
        let head = b"GET /\xff\xfe HTTP/1.1\r\nA: \xff\r\n\r\n".as_slice();
        (0..100).for_each(|_| target.send(&[head]));
        Ok(())
    }),
    Abuse {
        // The answers that wait for their readers, and the two that are being made.
        memory: UNREAD + 2 * ANSWER,
        ..abuse("answers of a whole log, which nobody reads", |target| {
            target.write_log("plain.log", b"plain and simple\n");
            target.write_log("marks.log", b"<&>\x1b\xff\x01");
            let read = |name: &str| {
                let name = format!("<value><string>{name}</string></value>");
                format!(
                    "<value><struct><member><name>methodName</name><value>\
                     supervisor.readProcessStdoutLog</value></member><member><name>params</name>\
                     <value><array><data>{name}<value><int>0</int></value><value><int>0</int>\
                     </value></data></array></value></member></struct></value>"
                )
            };
            let mut clients = Vec::new();
            for name in ["plain", "marks"].into_iter().cycle().take(8) {
                let body = format!(
                    "<methodCall><methodName>system.multicall</methodName><params><param><value>\
                     <array><data>{}</data></array></value></param></params></methodCall>",
                    read(name).repeat(100)
                );
                let mut client = target.connect()?;
                let _ = client.write_all(&[head(body.len()).as_bytes(), body.as_bytes()].concat());
                clients.push(client);
            }
            // Some have the beginning of their answers, the others wait for their turn.
            thread::sleep(Duration::from_secs(3));
            Ok(())
        })
    },
    abuse("followers of logs, who never read", |target| {
        target.write_log("plain.log", b"plain and simple\n");
        let follow =
            |uri: &str| format!("GET {uri} HTTP/1.1\r\nAuthorization: Basic {RIGHT}\r\n\r\n");
        let mut clients = Vec::new();
        for n in 0..300 {
            let mut client = target.connect()?;
            let uri = if n % 2 == 0 { "/logtail/plain" } else { "/mainlogtail" };
            let _ = client.write_all(follow(uri).as_bytes());
            clients.push(client);
        }
        // More than all of them can be sent without being read.
        for _ in 0..10 {
            target.append_log("plain.log", &vec![b'x'; 1 << 20]);
        }
        thread::sleep(Duration::from_millis(500));
        Ok(())
    }),
    abuse("two hundred clients at a time", |target| {
        let calls: Vec<_> = (0..200).map(|_| target.connect()).collect::<Result<_, _>>()?;
        answered(calls)
    }),
    Abuse {
        name: "two hundred clients where 64 descriptors are allowed",
        act: |target| {
            let limits = Command::new("prlimit")
                .args(["--pid", &target.pid.to_string(), "--nofile=64:64"])
                .status();
            if !limits.is_ok_and(|status| status.success()) {
                return Err("prlimit could not set the limit".to_owned());
            }
            let call = get_state();
            for _ in 0..3 {
                let mut clients: Vec<_> = (0..200).filter_map(|_| target.connect().ok()).collect();
                for client in &mut clients {
                    let _ = client.write_all(&call);
                }
                // All are there at a time; those who had no place were closed, or wait.
                clients.iter_mut().for_each(|client| drop(client.read(&mut [0; 4096])));
            }
            Ok(())
        },
        others_meanwhile: false,
        memory: BODIES,
    },
    abuse("clients that leave while a start waits", |target| {
        // The last round stops what the one before has started.
        for round in 0..4 {
            for n in 0..100 {
                let call = if round % 2 == 0 { "startProcess" } else { "stopProcess" };
                let name = format!("<string>slow:{n}</string>");
                let body = request(&format!("supervisor.{call}"), &name);
                let mut client = target.connect()?;
                let _ = client.write_all(&[head(body.len()).as_bytes(), body.as_bytes()].concat());
                // All at once would measure how fast processes are made, not what leaving costs.
                thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }),
    abuse("ten thousand wrong passwords", |target| {
        let wrong = format!("GET / HTTP/1.1\r\nAuthorization: Basic {WRONG}\r\n\r\n");
        let mut open = Vec::new();
        for n in 0..10_000 {
            let mut client = target.connect()?;
            let _ = client.write_all(wrong.as_bytes());
            open.push(client);
            if n % 500 == 499 {
                open.clear();
            }
        }
        Ok(())
    }),
];

/// The head of a call with the right password and a body of so many bytes.
pub fn head(length: usize) -> String {
    format!(
        "POST /RPC2 HTTP/1.1\r\nAuthorization: Basic {RIGHT}\r\nContent-Length: {length}\r\n\r\n"
    )
}

fn get_state() -> Vec<u8> {
    let body = request("supervisor.getState", "");
    [head(body.len()).as_bytes(), body.as_bytes()].concat()
}

/// Clients that begin so and then do nothing, for as long as some probes take.
fn hold(target: &Target, count: usize, beginning: &[u8]) -> Result<(), String> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = target.connect()?;
        // It may be closed in favour of others.
        let _ = client.write_all(beginning);
        clients.push(client);
    }
    thread::sleep(Duration::from_millis(500));
    Ok(())
}

/// One honest client, who may have to wait for memory.
fn answer_to(mut client: impl Read + Write, call: &[u8]) -> Result<(), String> {
    let mut start = [0; 12];
    let answered = client.write_all(call).and_then(|()| client.read_exact(&mut start));
    answered.map_err(|error| format!("an honest client had no answer: {error}"))?;
    match &start {
        b"HTTP/1.1 200" => Ok(()),
        other => Err(format!("an honest client got {:?}", String::from_utf8_lossy(other))),
    }
}

/// Each of these is owed an answer.
fn answered(mut clients: Vec<TcpStream>) -> Result<(), String> {
    let call = get_state();
    let end = Instant::now() + Duration::from_secs(10);
    for client in &mut clients {
        client.write_all(&call).map_err(|error| format!("a client was refused: {error}"))?;
    }
    for (n, client) in clients.iter_mut().enumerate() {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        client.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
        let mut start = [0; 12];
        client
            .read_exact(&mut start)
            .map_err(|error| format!("client {n} had no answer: {error}"))?;
        if start != *b"HTTP/1.1 200" {
            return Err(format!("client {n} got {:?}", String::from_utf8_lossy(&start)));
        }
    }
    Ok(())
}

impl Target {
    fn connect(&self) -> Result<TcpStream, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port));
        let stream = stream.map_err(|error| format!("no connection: {error}"))?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).map_err(|error| error.to_string())?;
        stream
            .set_write_timeout(Some(Duration::from_secs(2)))
            .map_err(|error| error.to_string())?;
        Ok(stream)
    }

    /// A log of a program, if this is a daemon that has one.
    fn write_log(&self, name: &str, line: &[u8]) {
        if let Some(directory) = self.unix.as_ref().and_then(|path| path.parent()) {
            let lines: Vec<u8> = line.iter().copied().cycle().take(LOG).collect();
            std::fs::write(directory.join(name), lines).unwrap();
        }
    }

    fn append_log(&self, name: &str, bytes: &[u8]) {
        if let Some(directory) = self.unix.as_ref().and_then(|path| path.parent()) {
            let file = std::fs::OpenOptions::new().append(true).open(directory.join(name));
            file.unwrap().write_all(bytes).unwrap();
        }
    }

    fn answer_by_unix(&self, call: &[u8]) -> Result<(), String> {
        let Some(path) = &self.unix else { return Ok(()) };
        let client = UnixStream::connect(path).map_err(|error| error.to_string())?;
        client.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        client.set_write_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        answer_to(client, call)
    }

    /// Sends these on a connection of their own until the server has had enough, and hears what
    /// it says.
    fn send(&self, parts: &[&[u8]]) {
        let Ok(mut stream) = self.connect() else { return };
        let begin = Instant::now();
        for part in parts {
            if stream.write_all(part).is_err() || begin.elapsed() > Duration::from_secs(10) {
                break;
            }
        }
        let mut answer = [0; 4096];
        while matches!(stream.read(&mut answer), Err(e) if e.kind() == ErrorKind::Interrupted) {}
    }

    fn post(&self, body: &[u8]) {
        self.send(&[head(body.len()).as_bytes(), body]);
    }
}
