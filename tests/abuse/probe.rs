//! A client that means well and looks at the clock.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::rpc::request;

/// Asks over a new connection each time, in turns by TCP and by the unix socket, if there is one.
#[derive(Clone)]
pub struct Probe {
    pub port: u16,
    pub unix: Option<PathBuf>,
    /// How long an answer may take.
    pub patience: Duration,
}

/// How long answers took.
#[derive(Debug, Default)]
pub struct Times {
    taken: Vec<Duration>,
    failed: Option<String>,
}

/// Probes of a server at rest.
const CALLS: usize = 60;

/// Probes that are made at least, however soon what is measured is over.
const LEAST: usize = 20;

impl Probe {
    /// Some calls, one after the other.
    pub fn rest(&self) -> Times {
        let mut times = Times::default();
        (0..CALLS).for_each(|n| self.ask(n, &mut times));
        times
    }

    fn ask(&self, n: usize, times: &mut Times) {
        let begin = Instant::now();
        match self.call(n.is_multiple_of(2)) {
            Ok(()) => times.taken.push(begin.elapsed()),
            Err(error) => times.failed = times.failed.take().or(Some(error.to_string())),
        }
    }

    fn call(&self, by_tcp: bool) -> std::io::Result<()> {
        let body = request("supervisor.getState", "");
        let call = format!(
            "POST /RPC2 HTTP/1.1\r\nConnection: close\r\nAuthorization: Basic {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            crate::list::RIGHT,
            body.len()
        );
        let mut answer = Vec::new();
        match self.unix.as_ref().filter(|_| !by_tcp) {
            Some(path) => {
                let mut stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(self.patience))?;
                stream.write_all(call.as_bytes())?;
                stream.read_to_end(&mut answer)?;
            }
            None => {
                let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_read_timeout(Some(self.patience))?;
                stream.write_all(call.as_bytes())?;
                stream.read_to_end(&mut answer)?;
            }
        }
        if answer.starts_with(b"HTTP/1.1 200 ") {
            return Ok(());
        }
        Err(crate::support::other(&format!("answered {:?}", String::from_utf8_lossy(&answer))))
    }
}

impl Times {
    /// The middle one.
    pub fn median(&self) -> Duration {
        let mut taken = self.taken.clone();
        taken.sort();
        taken.get(taken.len() / 2).copied().unwrap_or(Duration::MAX)
    }

    /// Whether they are much like those of a server at rest; all were answered.
    pub fn compare(&self, rest: &Times) -> Result<(), String> {
        if let Some(why) = &self.failed {
            return Err(format!("another client had no answer: {why}"));
        }
        if rest.taken.is_empty() {
            return Err("it did not even answer at rest".to_owned());
        }
        let (median, most) = (self.median(), rest.median() * 20 + Duration::from_millis(100));
        if median > most {
            return Err(format!("others waited {median:?}, at rest {:?}", rest.median()));
        }
        Ok(())
    }
}

/// A probe that goes on in a thread of its own.
pub struct Probing {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Times>,
}

impl Probing {
    pub fn start(probe: &Probe) -> Probing {
        let (probe, ends) = (probe.clone(), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let mut times = Times::default();
            for n in 0.. {
                probe.ask(n, &mut times);
                // One failure is enough, and each may take long.
                if times.failed.is_some() || (n >= LEAST && told.load(Ordering::Relaxed)) {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
            times
        });
        Probing { ends, thread }
    }

    pub fn stop(self) -> Times {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
