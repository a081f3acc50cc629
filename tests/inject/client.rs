//! A client that gives up soon: the daemon may have been kept from answering on purpose.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use crate::support::{other, rpc::request};

/// Bounds each wait.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends bytes on a new connection and returns what came until it was closed, or until time was
/// over.
pub fn exchange(socket: &Path, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    read_answer(&mut stream)
}

/// The same over TCP.
pub fn exchange_tcp(port: u16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    read_answer(&mut stream)
}

/// Until the connection ends or an answer of stated length is whole.
fn read_answer(stream: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if is_whole(&bytes) {
            return Ok(bytes);
        }
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let length = length.and_then(|length| length.parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() >= head.len() + 4 + length)
}

/// Calls a method by XML-RPC on a new connection; the answer's body.
pub fn call(socket: &Path, method: &str, params: &str) -> io::Result<String> {
    let body = request(method, params);
    let head = format!(
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = exchange(socket, format!("{head}{body}").as_bytes())?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") && is_whole(answer.as_bytes()) => {
            Ok(body.to_owned())
        }
        _ => Err(other(&format!("no whole answer: {answer:?}"))),
    }
}
