//! A raw client of HTTP and XML-RPC: sends what it is told, returns what came, decodes nothing
//! that a test has not asked for. So it can't share a mistake with the code under test.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use super::other;

/// A connection that can read and write.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One kept connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    /// A header line with credentials, or nothing.
    login: String,
}

/// A response as it came.
#[derive(Clone, Debug)]
pub struct Response {
    /// From the status line to the blank line, which it includes.
    pub head: String,
    pub body: String,
}

impl Response {
    /// The number in the status line.
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Bounds each wait for the daemon; the longest call of a test waits for a slow stop.
const PATIENCE: Duration = Duration::from_secs(60);

impl Connection {
    fn new(stream: impl Stream + 'static) -> Connection {
        Connection { stream: Box::new(stream), login: String::new() }
    }

    /// The same with credentials in each call.
    pub fn with_login(mut self, user: &str, password: &str) -> Connection {
        self.login = format!("Authorization: Basic {}\r\n", base64(&format!("{user}:{password}")));
        self
    }

    /// Connects to a unix socket.
    pub fn unix(path: &Path) -> io::Result<Connection> {
        Connection::unix_within(path, PATIENCE)
    }

    /// The same where no wait may be longer than this.
    pub fn unix_within(path: &Path, patience: Duration) -> io::Result<Connection> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Connection::new(stream))
    }

    /// Connects to a port of 127.0.0.1.
    pub fn tcp(port: u16) -> io::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Connection::new(stream))
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads one response whose length is stated.
    pub fn receive(&mut self) -> io::Result<Response> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.more(&mut bytes)?;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut response = Response { head, body: String::new() };
        let length: usize = response
            .header("content-length")
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| other("the response states no length"))?;
        while bytes.len() < end + length {
            self.more(&mut bytes)?;
        }
        if bytes.len() > end + length {
            return Err(other("more came than the response states"));
        }
        response.body = String::from_utf8_lossy(&bytes[end..]).into_owned();
        Ok(response)
    }

    /// Reads a head and what came with it, of a response that may have no end.
    pub fn receive_head(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            self.more(&mut bytes)?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads until the other side closes.
    pub fn receive_all(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn more(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut chunk = [0; 16384];
        let read = loop {
            match self.stream.read(&mut chunk) {
                // A machine that is suspended ends a read with a time-out so.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        match read {
            0 => Err(other("the daemon closed the connection")),
            length => {
                bytes.extend_from_slice(&chunk[..length]);
                Ok(())
            }
        }
    }

    /// Posts a body to `/RPC2`.
    pub fn post(&mut self, body: &str) -> io::Result<Response> {
        let head = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n{}\
             Content-Length: {}\r\n\r\n",
            self.login,
            body.len()
        );
        self.send(format!("{head}{body}").as_bytes())?;
        self.receive()
    }

    /// Calls a method; `params` are typed values, `<string>a</string><int>1</int>`. Returns the
    /// body of the answer, a fault's body too.
    pub fn call(&mut self, method: &str, params: &str) -> io::Result<String> {
        let response = self.post(&request(method, params))?;
        match response.status() {
            200 => Ok(response.body),
            status => Err(other(&format!("{method}: HTTP {status}"))),
        }
    }
}

/// Text in base64.
pub fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// The body of a call; each typed value becomes one parameter.
pub fn request(method: &str, params: &str) -> String {
    let mut list = String::new();
    let mut rest = params;
    while let Some(tag) = rest.strip_prefix('<').and_then(|text| text.split('>').next()) {
        let close = format!("</{tag}>");
        let end = rest.find(&close).expect("a closed value") + close.len();
        list.push_str(&format!("<param><value>{}</value></param>\n", &rest[..end]));
        rest = &rest[end..];
    }
    format!(
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n\
         <params>\n{list}</params>\n</methodCall>\n"
    )
}

/// The text of the answer's only value.
pub fn scalar(body: &str) -> Option<String> {
    text_of_value(body.split_once("<param>\n<value>")?.1)
}

/// The first member of this name.
pub fn member(body: &str, name: &str) -> Option<String> {
    members(body, name).into_iter().next()
}

/// Every member of this name, in order.
pub fn members(body: &str, name: &str) -> Vec<String> {
    let key = format!("<name>{name}</name>\n<value>");
    body.split(&key).skip(1).filter_map(text_of_value).collect()
}

/// The numbers of a struct that is itself a member, by their names.
pub fn numbers(body: &str, name: &str) -> Option<BTreeMap<String, f64>> {
    let (_, rest) = body.split_once(&format!("<name>{name}</name>\n<value><struct>\n"))?;
    let members = rest.split("</struct>").next()?.split("<name>").skip(1);
    let number = |member: &str| {
        let (name, rest) = member.split_once("</name>\n<value>")?;
        Some((name.to_owned(), text_of_value(rest)?.parse().ok()?))
    };
    members.map(number).collect()
}

/// The code and text of a fault.
pub fn fault(body: &str) -> Option<(i32, String)> {
    let fault = body.split_once("<fault>")?.1;
    Some((member(fault, "faultCode")?.parse().ok()?, member(fault, "faultString")?))
}

fn text_of_value(rest: &str) -> Option<String> {
    let (_, rest) = rest.split_once('>')?;
    let (text, _) = rest.split_once("</")?;
    Some(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}
