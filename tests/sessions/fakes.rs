//! Servers that are no supervisord, or a strange one: each says the same to everybody.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use crate::support::free_port;

/// What a fake is called in the sessions, and what it says.
const ANSWERS: [(&str, &str); 9] = [
    ("silent", ""),
    ("no-http", "220 mail.example.com ESMTP\r\n"),
    ("error-500", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
    ("error-404", "HTTP/1.0 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"),
    ("no-xml", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    ("cut", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<?xml version='1.0'?>"),
    (
        "version-2",
        "HTTP/1.0 200 OK\r\n\r\n<?xml version='1.0'?><methodResponse><params><param><value>\
         <string>2.0</string></value></param></params></methodResponse>",
    ),
    (
        "no-interface",
        "HTTP/1.0 200 OK\r\n\r\n<?xml version='1.0'?><methodResponse><fault><value><struct>\
         <member><name>faultCode</name><value><int>1</int></value></member>\
         <member><name>faultString</name><value><string>UNKNOWN_METHOD</string></value></member>\
         </struct></value></fault></methodResponse>",
    ),
    (
        "shutting-down",
        "HTTP/1.0 200 OK\r\n\r\n<?xml version='1.0'?><methodResponse><fault><value><struct>\
         <member><name>faultCode</name><value><int>6</int></value></member>\
         <member><name>faultString</name><value><string>SHUTDOWN_STATE</string></value></member>\
         </struct></value></fault></methodResponse>",
    ),
];

/// All of them, each with a port of its own until the test program ends; and a port at which
/// nobody listens.
pub struct Fakes {
    ports: Vec<(&'static str, u16)>,
}

impl Fakes {
    pub fn start() -> Fakes {
        let mut ports = vec![("refusing", free_port())];
        for (name, answer) in ANSWERS {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            ports.push((name, listener.local_addr().expect("its number").port()));
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    thread::spawn(move || serve(stream, answer));
                }
            });
        }
        Fakes { ports }
    }

    /// Replaces `{name}` by the server's address.
    pub fn named(&self, word: &str) -> String {
        let mut word = word.to_owned();
        for (name, port) in &self.ports {
            word = word.replace(&format!("{{{name}}}"), &format!("127.0.0.1:{port}"));
        }
        word
    }
}

/// Reads a request, as an end with unread bytes would reset the connection, and answers.
fn serve(mut stream: TcpStream, answer: &str) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&String::from_utf8_lossy(&request)) {
        match stream.read(&mut piece) {
            Ok(length @ 1..) => request.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
    // A client that left reads no answer.
    let _ = stream.write_all(answer.as_bytes());
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
