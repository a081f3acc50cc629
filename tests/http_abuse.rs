//! The HTTP server against clients that mean it badly, or are just slow. After, and mostly
//! during, each abuse other clients get their answers, over TCP and over the unix socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

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
            let parked = Arc::clone(&parked);
            pool.push(thread::spawn(move || serve(&server, &deferred, &parked)));
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

fn serve(server: &Server<Request>, deferred: &Sender<Request>, parked: &Parked) {
    while let Some(work) = server.recv() {
        match work {
            Work::Job(request) => {
                server.forget(request.as_fd());
                request.respond(text("job"));
            }
            Work::Request(request) => match request.path().as_ref() {
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

#[test]
fn refusals() {
    let bed = Bed::new();
    let table = [
        ("POST /x HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n", "413"),
        ("POST /x HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\n", "413"),
        ("POST /x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"),
        ("POST /x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"),
        ("POST /x HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "400"),
        ("POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "411"),
        ("POST /x HTTP/1.1\r\n\r\n", "411"),
        ("POST /x HTTP/1.1\r\nContent-Length: nine\r\n\r\n", "400"),
        ("GET /x HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "400"),
        ("GET /x\r\n\r\n", "400"),
        ("garbage\r\n\r\n", "400"),
    ];
    for (request, code) in table {
        let mut client = bed.tcp();
        let (head, body) = exchange(&mut client, request);
        assert_eq!(head.split(' ').nth(1), Some(code), "{request}");
        assert!(body.contains(&format!("<p>Error code {code}.")), "{body}");
        assert_closed(&mut client);
        bed.answers();
    }
    let mut client = bed.unix();
    client.write_all(b"GET /x HTTP/1.1\r\nA: \xff\xfe\r\n\r\n").unwrap();
    assert!(answer(&mut client).0.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    assert_closed(&mut client);
}

#[test]
fn a_refusal_arrives_though_a_large_body_is_on_its_way() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    client.write_all(b"POST /x HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n").unwrap();
    let mut sender = client.try_clone().unwrap();
    let sending = thread::spawn(move || sender.write_all(&vec![b'x'; 20_000_000]));
    assert!(answer(&mut client).0.starts_with("HTTP/1.1 413 "));
    bed.answers();
    drop(client);
    let _ = sending.join().unwrap();
}

#[test]
fn an_endless_head_ends() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let line = [b"X: ".as_slice(), &[b'y'; 1000], b"\r\n"].concat();
    while client.write_all(&line).is_ok() {
        bed.answers();
        client.set_nonblocking(true).unwrap();
        let ended = !matches!(client.peek(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
        client.set_nonblocking(false).unwrap();
        if ended {
            break;
        }
    }
    assert!(answer(&mut client).0.starts_with("HTTP/1.1 431 "));
}

#[test]
fn garbage() {
    let bed = Bed::new();
    let mut client = bed.unix();
    let bytes: Vec<u8> =
        (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let _ = client.write_all(&bytes);
    let mut got = Vec::new();
    let _ = client.read_to_end(&mut got);
    assert!(got.starts_with(b"HTTP/1.0 4"), "{:?}", String::from_utf8_lossy(&got));
    bed.answers();
}

#[test]
fn half_open_heads_leave_room() {
    let limits = Limits { connections: 100, reserved_for_unix: 20, ..Limits::default() };
    let bed = Bed::with(limits, None);
    let mut half = Vec::new();
    for _ in 0..300 {
        let mut client = bed.tcp();
        client.write_all(b"GET /x HTTP/1.1\r\nHost:").unwrap();
        half.push(client);
    }
    bed.answers();
    assert!(bed.server.connections() <= 100);
    // The oldest had to go, the newest are still there.
    assert_closed(&mut half[0]);
    let newest = half.last_mut().unwrap();
    newest.write_all(b" x\r\n\r\n").unwrap();
    assert_eq!(answer(newest).1, "0 /x");
}

#[test]
fn heads_and_bodies_and_idlers_have_deadlines() {
    let limits = Limits {
        head_time: Duration::from_millis(100),
        body_time: Duration::from_millis(100),
        idle_time: Duration::from_millis(200),
        ..Limits::default()
    };
    let bed = Bed::with(limits, None);
    for begun in
        ["", "\r\n", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc"]
    {
        let mut client = bed.tcp();
        client.write_all(begun.as_bytes()).unwrap();
        bed.answers();
        assert_closed(&mut client);
    }
    // Empty lines without end are no request, and no way to stay.
    let mut client = bed.unix();
    bed.wait_for("the end of empty lines", |_| client.write_all(b"\r\n").is_err());
    bed.wait_for("no connections", |bed| bed.server.connections() == 0);
}

#[test]
fn stalled_bodies_hold_no_thread() {
    let bed = Bed::new();
    let mut stalled: Vec<_> = (0..50).map(|_| bed.tcp()).collect();
    for client in &mut stalled {
        client.write_all(b"POST /p HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc").unwrap();
    }
    bed.answers();
    for client in &mut stalled {
        client.write_all(b"def").unwrap();
        assert_eq!(answer(client).1, "6 /p");
    }
}

#[test]
fn all_bodies_together_are_bounded() {
    let limits = Limits { bodies_bytes: 3 << 20, ..Limits::default() };
    let bed = Bed::with(limits, None);
    let mut first = bed.unix();
    let mut second = bed.unix();
    let head = format!("POST /p HTTP/1.1\r\nContent-Length: {}\r\n\r\n", 2 << 20);
    let half = vec![b'x'; (2 << 20) - 1];
    first.write_all(head.as_bytes()).unwrap();
    first.write_all(&half).unwrap();
    second.write_all(head.as_bytes()).unwrap();
    let mut sender = second.try_clone().unwrap();
    let sending = thread::spawn(move || sender.write_all(&half));
    assert!(answer(&mut second).0.starts_with("HTTP/1.1 503 "));
    assert!(bed.met(Trouble::Bodies));
    bed.answers();
    drop(second);
    let _ = sending.join().unwrap();
    // What the refused one held is free again, and so is what the answered one held.
    first.write_all(b"x").unwrap();
    assert_eq!(answer(&mut first).1, "2097152 /p");
    for _ in 0..3 {
        let mut third = bed.tcp();
        third.write_all(head.as_bytes()).unwrap();
        third.write_all(&vec![b'x'; 2 << 20]).unwrap();
        assert_eq!(answer(&mut third).1, "2097152 /p");
    }
}

#[test]
fn large_bodies_arrive_however_they_come() {
    let bed = Bed::new();
    for pieces in [1, 7, 300] {
        for mut client in [Box::new(bed.unix()) as Box<dyn Duplex>, Box::new(bed.tcp())] {
            let length = 16 << 20;
            let head = format!("POST /p HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
            client.write_all(head.as_bytes()).unwrap();
            let body = vec![b'x'; length];
            for piece in body.chunks(length / pieces) {
                client.write_all(piece).unwrap();
            }
            assert_eq!(answer(&mut client).1, "16777216 /p");
            assert_eq!(exchange(&mut client, GET).1, "hello");
        }
    }
    let empty_lines = "\r\n".repeat(8000);
    assert_eq!(exchange(&mut bed.unix(), &(empty_lines + GET)).1, "hello");
}

#[test]
fn a_burst_is_answered_whole() {
    let bed = Bed::new();
    let mut clients: Vec<_> = (0..200).map(|_| bed.tcp()).collect();
    let mut local: Vec<_> = (0..200).map(|_| bed.unix()).collect();
    for client in &mut clients {
        client.write_all(b"POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").unwrap();
    }
    for client in &mut local {
        client.write_all(b"POST /b HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").unwrap();
    }
    for client in &mut clients {
        assert_eq!(answer(client).1, "3 /b");
    }
    for client in &mut local {
        assert_eq!(answer(client).1, "3 /b");
        assert_closed(client);
    }
}

#[test]
fn more_clients_than_connections_all_get_their_turn() {
    let limits = Limits { connections: 12, reserved_for_unix: 4, ..Limits::default() };
    let bed = Bed::with(limits, None);
    let clients: Vec<_> = (0..60)
        .map(|_| {
            let address = bed.tcp;
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                exchange(&mut stream, "GET /defer HTTP/1.0\r\n\r\n").1
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), "deferred");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let bed = Bed::new();
    for mut client in [Box::new(bed.unix()) as Box<dyn Duplex>, Box::new(bed.tcp())] {
        let mut requests = String::new();
        for i in 0..100 {
            requests += &match i % 3 {
                0 => format!("GET /{i} HTTP/1.1\r\n\r\n"),
                1 => format!("\r\nPOST /{i} HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"),
                _ => "GET /job HTTP/1.1\r\n\r\n".to_owned(),
            };
        }
        requests += "GET /last HTTP/1.1\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n";
        client.write_all(requests.as_bytes()).unwrap();
        for i in 0..100 {
            let wanted = match i % 3 {
                0 => format!("0 /{i}"),
                1 => format!("2 /{i}"),
                _ => "job".to_owned(),
            };
            assert_eq!(answer(&mut client).1, wanted);
        }
        assert_eq!(answer(&mut client).1, "0 /last");
        assert_closed(&mut client);
    }
    bed.answers();
}

trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

#[test]
fn a_request_by_single_bytes() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    for byte in b"POST /drop%65d?q HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde" {
        client.write_all(&[*byte]).unwrap();
        thread::yield_now();
    }
    assert_eq!(answer(&mut client).1, "5 /drop%65d?q");
}

#[test]
fn answers_from_other_threads_and_later() {
    let bed = Bed::new();
    let mut client = bed.unix();
    for _ in 0..50 {
        assert_eq!(exchange(&mut client, "GET /defer HTTP/1.1\r\n\r\n").1, "deferred");
        assert_eq!(exchange(&mut client, "GET /job HTTP/1.1\r\n\r\n").1, "job");
        assert_eq!(exchange(&mut client, GET).1, "hello");
    }
    client.write_all(b"GET /drop HTTP/1.1\r\n\r\n").unwrap();
    assert_closed(&mut client);
    bed.answers();
}

#[test]
fn slow_readers_hold_no_thread() {
    let bed = Bed::new();
    let mut slow: Vec<_> = (0..8).map(|_| bed.tcp()).collect();
    for client in &mut slow {
        client.write_all(b"GET /big HTTP/1.1\r\n\r\nGET /after HTTP/1.1\r\n\r\n").unwrap();
        head_of(client);
        bed.answers();
    }
    for client in &mut slow {
        let mut body = vec![0; BIG];
        client.read_exact(&mut body).unwrap();
        assert!(body.iter().all(|&b| b == b'b'));
        assert_eq!(answer(client).1, "0 /after");
    }
}

#[test]
fn unread_answers_are_bounded() {
    let bed = Bed::with(Limits { unsent_bytes: 3 * BIG, ..Limits::default() }, None);
    let mut slow: Vec<_> = (0..8).map(|_| bed.unix()).collect();
    for client in &mut slow {
        client.write_all(b"GET /big HTTP/1.1\r\n\r\n").unwrap();
        head_of(client);
    }
    bed.wait_for("a report", |bed| bed.met(Trouble::Unsent));
    bed.answers();
}

#[test]
fn an_answer_nobody_reads_has_a_deadline() {
    let bed =
        Bed::with(Limits { unread_time: Duration::from_millis(100), ..Limits::default() }, None);
    let mut client = bed.unix();
    client.write_all(b"GET /big HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the connection", |bed| bed.server.connections() == 1);
    bed.wait_for("its end", |bed| bed.server.connections() == 0);
}

#[test]
fn versions_and_kept_connections() {
    let bed = Bed::new();
    let mut old = bed.tcp();
    let (head, body) = exchange(&mut old, "GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert!(head.starts_with("HTTP/1.0 200 OK\r\nServer: Medusa/1.12\r\nDate: "), "{head}");
    let tail =
        "\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n";
    assert!(head.ends_with(tail), "{head}");
    assert_eq!(body, "hello");
    exchange(&mut old, "GET /hello HTTP/1.0\r\n\r\n");
    assert_closed(&mut old);
    let mut odd = bed.tcp();
    assert!(exchange(&mut odd, "GET /hello HTTP/2.0\r\n\r\n").0.starts_with("HTTP/2.0 200 OK"));
    assert_eq!(status(&mut odd, "GET /x HTTP/1.1\r\nConnection: close\r\n\r\nmore"), "200");
}

#[test]
fn head_has_no_body() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    client.write_all(b"HEAD /hello HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n").unwrap();
    assert!(head_of(&mut client).contains("Content-Length: 5\r\n"));
    assert_eq!(answer(&mut client).1, "hello");
}

#[test]
fn streams() {
    let bed = Bed::new();
    for (version, chunked) in [("1.1", true), ("1.0", false)] {
        let mut client = bed.unix();
        client.write_all(format!("GET /stream HTTP/{version}\r\n\r\n").as_bytes()).unwrap();
        let head = head_of(&mut client);
        assert_eq!(head.ends_with("Transfer-Encoding: chunked\r\n\r\n"), chunked, "{head}");
        let mut body = String::new();
        client.read_to_string(&mut body).unwrap();
        let chunks = "6\r\nfirst \r\n6\r\nsecond\r\n0\r\n\r\n";
        assert_eq!(body, if chunked { chunks } else { "first second" });
    }
}

#[test]
fn a_stream_that_nobody_reads_ends() {
    let bed =
        Bed::with(Limits { unread_time: Duration::from_millis(300), ..Limits::default() }, None);
    let mut idle = bed.unix();
    idle.write_all(b"GET /endless HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the connection", |bed| bed.server.connections() == 1);
    // One that reads now and then stays.
    let mut slow = bed.tcp();
    slow.write_all(b"GET /endless HTTP/1.0\r\n\r\n").unwrap();
    head_of(&mut slow);
    let mut piece = vec![0; 1 << 20];
    bed.wait_for("the end of the one that is never read", |bed| {
        slow.read_exact(&mut piece).unwrap();
        bed.server.connections() == 1
    });
    assert!(piece.iter().all(|&byte| byte == b'e'));
    drop(slow);
    bed.wait_for("the end of the other", |bed| bed.server.connections() == 0);
}

#[test]
fn logins() {
    let limits = Limits { login_delay: Duration::from_millis(300), ..Limits::default() };
    let bed = Bed::with(limits, Some(("u", "p")));
    let right = "GET /hello HTTP/1.1\r\nAuthorization: Basic dTpw\r\n\r\n";
    let wrong = "GET /hello HTTP/1.1\r\nAuthorization: Basic dTpx\r\n\r\n";
    let mut client = bed.unix();
    let (head, _) = exchange(&mut client, "POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\nServer: Medusa/1.12\r\nDate: "));
    let tail = "\r\nConnection: close\r\nWWW-Authenticate: Basic realm=\"default\"\r\n\
                Content-Length: 137\r\nContent-Type: text/html\r\n\r\n";
    assert!(head.ends_with(tail), "{head}");
    assert_closed(&mut client);
    assert_eq!(status(&mut bed.tcp(), "GET / HTTP/1.1\r\nAuthorization: Basic !\r\n\r\n"), "400");
    // While wrong passwords wait for their answer, the right one does not.
    let begin = Instant::now();
    let mut guessers: Vec<_> = (0..20).map(|_| bed.tcp()).collect();
    for client in &mut guessers {
        client.write_all(wrong.as_bytes()).unwrap();
    }
    let mut user = bed.tcp();
    for _ in 0..10 {
        assert_eq!(exchange(&mut user, right).1, "hello");
    }
    assert!(begin.elapsed() < Duration::from_millis(300), "{:?}", begin.elapsed());
    assert!(answer(&mut guessers[0]).0.starts_with("HTTP/1.1 401 "));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_closed(&mut guessers[0]);
    // A wrong one on a kept connection, too.
    assert_eq!(status(&mut user, wrong), "401");
    assert_closed(&mut user);
}

#[test]
fn wrong_passwords_keep_nobody_from_the_door() {
    let hour = Duration::from_secs(3600);
    let limits = Limits {
        connections: 20,
        reserved_for_unix: 4,
        login_delay: hour,
        login_delay_most: hour,
        ..Limits::default()
    };
    let bed = Bed::with(limits, Some(("u", "p")));
    let right = "GET /hello HTTP/1.0\r\nAuthorization: Basic dTpw\r\n\r\n";
    let wrong = "GET /hello HTTP/1.1\r\nAuthorization: Basic dTpx\r\n\r\n";
    let begin = Instant::now();
    for _ in 0..100 {
        let mut guessers: Vec<_> = (0..20).map(|_| bed.tcp()).collect();
        for guesser in &mut guessers {
            guesser.write_all(wrong.as_bytes()).unwrap();
        }
        assert_eq!(exchange(&mut bed.tcp(), right).1, "hello");
        assert_eq!(exchange(&mut bed.unix(), right).1, "hello");
        assert!(bed.server.connections() <= 20);
    }
    // Other newcomers are spared for a tenth of a second, which would make this ten.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let notices = bed.notices.lock().unwrap();
    let told: Vec<_> = notices.iter().map(ToString::to_string).collect();
    let line = "HTTP server: wrong user name or password, answers are slowed: 127.0.0.1";
    assert_eq!(told, [line]);
}

#[test]
fn posts_for_another_site_are_refused_before_their_body() {
    let bed = Bed::new();
    let tcp = bed.tcp;
    let foreign = [
        ("Host: 127.0.0.1", "Origin: http://evil.example"),
        ("Host: evil.example", "Origin: http://evil.example"),
        ("Host: 127.0.0.1", "Sec-Fetch-Site: cross-site"),
        ("Host: 127.0.0.1", "Referer: http://evil.example/"),
    ];
    for (host, mark) in foreign {
        let mut client = bed.tcp();
        let head = format!("POST /x HTTP/1.1\r\n{host}\r\n{mark}\r\nContent-Length: 9\r\n\r\n");
        let (head, body) = exchange(&mut client, &head);
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{host} {mark}: {head}");
        assert!(body.contains("<p>Message: Forbidden."), "{body}");
        assert_closed(&mut client);
        // Looking does no harm.
        let get = format!("GET /foreign HTTP/1.1\r\n{host}\r\n{mark}\r\n\r\n");
        assert_eq!(exchange(&mut bed.unix(), &get).1, "foreign");
    }
    assert!(bed.met(Trouble::Foreign));
    let notices = bed.notices.lock().unwrap();
    assert_eq!(notices.len(), 1, "told once");
    assert!(notices[0].to_string().ends_with(": site 'http://evil.example', Host '127.0.0.1'"));
    drop(notices);
    let own = [
        (format!("Host: {tcp}"), format!("Origin: http://{tcp}")),
        ("Host: sup.example".into(), "Origin: https://sup.example".into()),
        ("Host: evil.example".into(), "X: y".into()),
    ];
    for (host, mark) in own {
        let post = format!("POST /x HTTP/1.1\r\n{host}\r\n{mark}\r\nContent-Length: 1\r\n\r\na");
        assert_eq!(exchange(&mut bed.tcp(), &post).1, "1 /x", "{host} {mark}");
        let get = format!("GET /foreign HTTP/1.1\r\n{host}\r\n{mark}\r\n\r\n");
        assert_eq!(exchange(&mut bed.tcp(), &get).1, "own");
    }
}

#[test]
fn listeners_are_replaced() {
    let bed = Bed::new();
    let mut by_tcp = bed.tcp();
    let mut by_unix = bed.unix();
    let mut waiting = bed.tcp();
    assert_eq!(exchange(&mut by_tcp, GET).1, "hello");
    assert_eq!(exchange(&mut by_unix, GET).1, "hello");
    waiting.write_all(b"GET /held HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the request", |bed| !bed.held.lock().unwrap().is_empty());
    bed.server.set_listeners(vec![bed.listeners[1].clone()]);
    assert_closed(&mut by_tcp);
    bed.wait_for("a refusal", |bed| TcpStream::connect(bed.tcp).is_err());
    assert_eq!(exchange(&mut by_unix, GET).1, "hello");
    // A request under way is answered, then its connection ends.
    bed.held.lock().unwrap().pop().unwrap().respond(text("at last"));
    let (head, body) = answer(&mut waiting);
    assert_eq!(body, "at last");
    assert!(head.contains("Connection: close\r\n"));
    assert_closed(&mut waiting);
}

#[test]
fn stopping_ends_all() {
    let bed = Bed::new();
    let mut idle = bed.tcp();
    assert_eq!(exchange(&mut idle, GET).1, "hello");
    bed.server.stop();
    assert_closed(&mut idle);
    assert!(bed.server.recv().is_none());
    bed.wait_for("no connections", |bed| bed.server.connections() == 0);
}

#[test]
fn a_client_that_left_is_noticed() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    client.write_all(b"GET /held HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the request", |bed| !bed.held.lock().unwrap().is_empty());
    let request = bed.held.lock().unwrap().pop().unwrap();
    assert!(!request.peer_gone());
    assert_eq!(request.peer(), client.local_addr().unwrap().to_string());
    drop(client);
    bed.wait_for("the client's end", |_| request.peer_gone());
    request.respond(text("to nobody"));
    bed.answers();
}

#[test]
fn a_client_that_leaves_does_not_hold_its_connection_until_its_answer() {
    let bed = Bed::new();
    let parked = |bed: &Bed| bed.parked.lock().unwrap().len();
    let ticket = |bed: &Bed| bed.parked.lock().unwrap().remove(0);
    for round in 0..3 {
        // More than are told of at a time.
        let mut clients: Vec<_> = (0..20).map(|_| (bed.tcp(), bed.unix())).collect();
        for (tcp, unix) in &mut clients {
            tcp.write_all(b"GET /park HTTP/1.1\r\n\r\n").unwrap();
            unix.write_all(b"GET /park HTTP/1.1\r\n\r\n").unwrap();
        }
        bed.wait_for("the requests", |bed| parked(bed) == 40);
        let (mut tcp, mut unix) = clients.pop().unwrap();
        drop(clients);
        bed.wait_for("their ends", |bed| bed.server.connections() == 2);
        assert!(matches!(nonblocking_peek(&tcp), Err(e) if e.kind() == ErrorKind::WouldBlock));
        while parked(&bed) > 0 {
            bed.server.resume(ticket(&bed), |_| {});
        }
        assert_eq!(answer(&mut tcp).1, "job", "round {round}");
        assert_eq!(answer(&mut unix).1, "job", "round {round}");
        // Once more on the same connection, which is watched anew.
        tcp.write_all(b"GET /park HTTP/1.1\r\n\r\n").unwrap();
        bed.wait_for("the request", |bed| parked(bed) == 1);
        drop(tcp);
        bed.wait_for("its end", |bed| bed.server.connections() == 1);
        drop(ticket(&bed));
        assert_eq!(exchange(&mut unix, GET).1, "hello");
        drop(unix);
        bed.wait_for("no connections", |bed| bed.server.connections() == 0);
    }
    // Who is never given an answer learns it.
    let mut client = bed.tcp();
    client.write_all(b"GET /park HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the request", |bed| parked(bed) == 1);
    drop(ticket(&bed));
    assert_closed(&mut client);
}

fn nonblocking_peek(stream: &TcpStream) -> std::io::Result<usize> {
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    peeked
}

/// Run again as a process of its own, as descriptors are the whole process's.
fn apart(test: &str) -> Option<Command> {
    if std::env::var_os("MINDER_HTTP_APART").is_some() {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("MINDER_HTTP_APART", "1");
    Some(command)
}

#[test]
fn out_of_descriptors_heals() {
    if let Some(mut command) = apart("out_of_descriptors_heals") {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let bed = Bed::new();
    let mut idle = bed.unix();
    assert_eq!(exchange(&mut idle, GET).1, "hello");
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
    // Clients and the server share the limit: these take all that is left but one.
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    // A newcomer takes the place of the idle one, once no pool thread lingers on that; the
    // client's own descriptor is the last. Earlier ones are closed at once.
    let mut last = None;
    bed.wait_for("an answer", |bed| {
        last = None;
        let client = last.insert(bed.unix());
        let mut got = [0; 4096];
        let asked = client.write_all(GET.as_bytes());
        asked.is_ok() && matches!(client.read(&mut got), Ok(n) if got[..n].ends_with(b"hello"))
    });
    let mut newcomer = last.unwrap();
    assert_closed(&mut idle);
    assert!(bed.met(Trouble::Descriptors));
    // Now a request in flight holds the only one, and no idle connection makes room.
    newcomer.write_all(b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\na").unwrap();
    drop(idle);
    let mut refused = bed.unix();
    assert_closed(&mut refused);
    drop(hoard);
    drop(refused);
    newcomer.write_all(b"bc").unwrap();
    assert_eq!(answer(&mut newcomer).1, "3 /x");
    bed.answers();
}

#[test]
fn an_idle_server_makes_no_system_call() {
    if let Some(mut command) = apart("an_idle_server_makes_no_system_call") {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let bed = Bed::new();
    // Its thread has its name once it has done something.
    bed.answers();
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let acceptor = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|task| read(task.join("comm")).trim() == "http")
        .unwrap();
    let switches = || {
        let status = read(acceptor.join("status"));
        status.lines().find(|line| line.starts_with("voluntary")).unwrap().to_owned()
    };
    bed.wait_for("no connections", |bed| bed.server.connections() == 0);
    bed.wait_for("the acceptor at rest", |_| read(acceptor.join("stat")).contains(") S "));
    let before = switches();
    // Some time goes by with another server's work.
    let (other, begin) = (Bed::new(), Instant::now());
    while begin.elapsed() < Duration::from_millis(300) {
        other.answers();
    }
    assert_eq!(switches(), before);
}
