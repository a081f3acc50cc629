//! The time of one call on a kept connection, beside that of a bare echo over the same kind of
//! socket, and the rate of eight clients at a time: `cargo bench --bench http_calls`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use minder::config::options::{HttpServer, ServerAddress};
use minder::http::{Limits, Response, Server, Work};
use minder::sys::net::Listener;

const CALLS: u32 = 20_000;
const ROUNDS: usize = 4;
const POOL: usize = 4;
const CLIENTS: usize = 8;
const CALL: &str = "POST /RPC2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz";

fn main() {
    // Cargo's test runs build this too, and run it without this word.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let file = std::env::temp_dir().join(format!("minder-bench-{}.sock", std::process::id()));
    let address =
        ServerAddress::Unix { file: file.to_str().unwrap().to_owned(), mode: 0o700, owner: None };
    let section = HttpServer {
        section: "bench".into(),
        address,
        credentials: None,
        allowed_hosts: Vec::new(),
    };
    let listener = Listener::open(&section, &mut |_| {}).unwrap();
    let server = Server::<()>::start(vec![listener], Limits::default()).unwrap();
    let pool: Vec<_> = (0..POOL)
        .map(|_| {
            let server = Arc::clone(&server);
            thread::spawn(move || {
                while let Some(work) = server.recv() {
                    if let Work::Request(request) = work {
                        let length = request.body().len().to_string();
                        request.respond(Response::new(200).body(length));
                    }
                }
            })
        })
        .collect();
    for round in 0..ROUNDS {
        let bare = time_of_echo();
        let ours = time_of_calls(UnixStream::connect(&file).unwrap());
        println!("round {round}: {ours:?} a call, a bare echo {bare:?}");
    }
    for round in 0..ROUNDS {
        let begin = Instant::now();
        let clients = [(); CLIENTS].map(|()| UnixStream::connect(&file).unwrap());
        let clients = clients.map(|client| thread::spawn(move || time_of_calls(client)));
        for client in clients {
            client.join().unwrap();
        }
        let rate = CLIENTS as f64 * f64::from(CALLS) / begin.elapsed().as_secs_f64();
        println!("round {round}: {rate:.0} calls a second of {CLIENTS} clients");
    }
    server.stop();
    pool.into_iter().for_each(|thread| thread.join().unwrap());
}

fn time_of_echo() -> Duration {
    let (client, mut echo) = UnixStream::pair().unwrap();
    let echoing = thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = echo.read(&mut buffer) {
            echo.write_all(&buffer[..n]).unwrap();
        }
    });
    let time = time_of_calls(client);
    echoing.join().unwrap();
    time
}

fn time_of_calls(mut client: UnixStream) -> Duration {
    let mut buffer = [0; 4096];
    let begin = Instant::now();
    for _ in 0..CALLS {
        client.write_all(CALL.as_bytes()).unwrap();
        assert!(client.read(&mut buffer).unwrap() > 0);
    }
    begin.elapsed() / CALLS
}
