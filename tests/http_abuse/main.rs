//! The HTTP server against clients that mean it badly, or are just slow. After, and mostly
//! during, each abuse other clients get their answers, over TCP and over the unix socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod bodies;
mod crowds;
mod doors;
mod requests;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};
use minder::config::options::{HttpServer, ServerAddress};
use minder::http::{HttpNotice, Limits, Request, Response, Server, Ticket, Trouble, Work};
use minder::sys::net::Listener;

/// Nothing that a test waits for takes as long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Two threads: what holds one for long is seen at once.
const POOL: usize = 2;
const BIG: usize = 4 << 20;

/// A server with its listeners, a pool and a thread that answers what is deferred.
struct Bed {
    server: Arc<Server<Request>>,
    listeners: Vec<Listener>,
    directory: PathBuf,
    tcp: SocketAddr,
    pool: Vec<JoinHandle<()>>,
    notices: Arc<Mutex<Vec<HttpNotice>>>,
    /// Requests that the test answers itself.
    held: Arc<Mutex<Vec<Request>>>,
    /// The same, and they end with their clients.
    parked: Parked,
}

type Parked = Arc<Mutex<Vec<Ticket<Request>>>>;

static BEDS: AtomicUsize = AtomicUsize::new(0);

impl Bed {
    fn new() -> Bed {
        Bed::with(Limits::default(), None)
    }

    fn with(limits: Limits, credentials: Option<(&str, &str)>) -> Bed {
        let number = BEDS.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("minder-http-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).unwrap();
        let unix = directory.join("s.sock").to_str().unwrap().to_owned();
        let listeners: Vec<_> = [
            ServerAddress::Inet { host: "127.0.0.1".into(), port: 0 },
            ServerAddress::Unix { file: unix, mode: 0o700, owner: None },
        ]
        .into_iter()
        .map(|address| {
            let credentials = credentials.map(|(name, word)| (name.to_owned(), word.to_owned()));
            let section = HttpServer {
                section: "s".into(),
                address,
                credentials,
                allowed_hosts: vec!["sup.example".into()],
            };
            Listener::open(&section, &mut |_| {}).unwrap()
        })
        .collect();
        let notices = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&notices);
        let on_error = Arc::new(move |notice| told.lock().unwrap().push(notice));
        let server = Server::start(listeners.clone(), Limits { on_error, ..limits }).unwrap();
        let (deferred, waiting) = unbounded::<Request>();
        let held = Arc::new(Mutex::new(Vec::new()));
        let (pusher, holder) = (Arc::clone(&server), Arc::clone(&held));
        let mut pool = vec![thread::spawn(move || {
            for request in waiting {
                match request.path().as_ref() {
                    "/held" => holder.lock().unwrap().push(request),
                    "/job" => pusher.push_job(request).map_err(drop).unwrap(),
                    _ => request.respond(text("deferred")),
                }
            }
        })];
        let parked = Parked::default();
        for _ in 0..POOL {
            let (server, deferred) = (Arc::clone(&server), deferred.clone());
            let (parked, held) = (Arc::clone(&parked), Arc::clone(&held));
            pool.push(thread::spawn(move || serve(&server, &deferred, &parked, &held)));
        }
        let tcp = listeners[0].tcp_address().unwrap();
        Bed { server, listeners, directory, tcp, pool, notices, held, parked }
    }

    fn unix(&self) -> UnixStream {
        let stream = UnixStream::connect(self.directory.join("s.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.tcp).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Both kinds of newcomers are answered, and soon.
    fn answers(&self) {
        let begin = Instant::now();
        assert_eq!(exchange(&mut self.tcp(), GET).1, "hello");
        assert_eq!(exchange(&mut self.unix(), GET).1, "hello");
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(2), "answers took {took:?}");
    }

    fn wait_for(&self, what: &str, mut is_so: impl FnMut(&Bed) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < end, "waited in vain: {what}");
            thread::yield_now();
        }
    }

    fn met(&self, trouble: Trouble) -> bool {
        self.notices.lock().unwrap().iter().any(|notice| notice.trouble == trouble)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.listeners.clear();
        self.server.stop();
        assert!(!self.directory.join("s.sock").exists(), "the socket's path is still there");
        for thread in self.pool.drain(..) {
            let end = thread.join();
            assert!(end.is_ok() || thread::panicking());
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn text(body: &str) -> Response {
    Response::new(200).header("Content-Type", "text/plain").body(body)
}

fn serve(
    server: &Server<Request>,
    deferred: &Sender<Request>,
    parked: &Parked,
    held: &Mutex<Vec<Request>>,
) {
    while let Some(work) = server.recv() {
        match work {
            Work::Job(request) => {
                server.forget(request.as_fd());
                request.respond(text("job"));
            }
            Work::Request(mut request) => match request.path().as_ref() {
                "/taken" => {
                    request.take_body();
                    held.lock().unwrap().push(request);
                }
                "/hello" => request.respond(text("hello")),
                "/big" => request.respond(text(&"b".repeat(BIG))),
                "/defer" | "/held" | "/job" => deferred.send(request).unwrap(),
                "/drop" => drop(request),
                "/park" => {
                    let ticket = server.park(request, |request| request.as_fd());
                    parked.lock().unwrap().push(ticket);
                }
                "/foreign" => {
                    let word = if request.is_foreign() { "foreign" } else { "own" };
                    request.respond(text(word));
                }
                "/endless" => {
                    let Ok(mut stream) = request.into_stream(Response::new(200)) else { continue };
                    while stream.write(&[b'e'; 65536]).is_ok() {}
                }
                "/stream" => {
                    if let Ok(mut stream) = request.into_stream(Response::new(200)) {
                        let _ = stream.write(b"first ");
                        let _ = stream.write(b"second");
                        stream.finish();
                    }
                }
                _ => {
                    let echo = format!("{} {}", request.body().len(), request.target());
                    request.respond(text(&echo));
                }
            },
        }
    }
}

const GET: &str = "GET /hello HTTP/1.1\r\n\r\n";

/// One head and body by Content-Length; what follows stays in the stream.
fn answer(stream: &mut impl Read) -> (String, String) {
    let head = head_of(stream);
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn head_of(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| {
            panic!("{error} after {:?}", String::from_utf8_lossy(&head));
        });
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn exchange(stream: &mut (impl Read + Write), request: &str) -> (String, String) {
    stream.write_all(request.as_bytes()).unwrap();
    answer(stream)
}

fn status(stream: &mut (impl Read + Write), request: &str) -> String {
    exchange(stream, request).0.split(' ').nth(1).unwrap().to_owned()
}

/// The server has closed, in whichever way.
fn assert_closed(stream: &mut impl Read) {
    match stream.read(&mut [0; 16]) {
        Ok(0) => {}
        Ok(_) => panic!("more came"),
        Err(error) => assert!(
            matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            "{error}"
        ),
    }
}

trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}
