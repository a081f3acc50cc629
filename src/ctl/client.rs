//! The HTTP client: calls over one kept connection, TCP or unix socket, and streams over
//! a connection of their own. Calls have no time-out: a start or stop takes what it takes.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use super::error::CallError;
use super::response::{read_body, read_head};
use super::stream::{Background, copy_to_stdout, follow_several};
use super::url::Address;
use super::visible::Shown;
use crate::xml_rpc::{Logs, Value, parse_answer, write_call};

/// No answer of a daemon is longer; what is has gone astray.
const MOST_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// The daemon that is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `http://host:port` or `unix:///path`, as the user wrote it.
    pub url: String,
    /// The user's name, if the daemon asks for one.
    pub username: Option<String>,
    /// The password. Sent only if there is a name too.
    pub password: Option<String>,
}

/// What actions need of the network; tests have their own.
pub trait Transport {
    /// Calls a method.
    ///
    /// # Errors
    /// See [`CallError`].
    fn call(&mut self, server: &Server, method: &str, params: &[Value])
    -> Result<Value, CallError>;

    /// Copies what `GET path` answers to stdout as it comes, until it ends or the user
    /// interrupts.
    ///
    /// # Errors
    /// See [`CallError`].
    fn stream(&mut self, server: &Server, path: &str, shown: Shown)
    -> Result<StreamEnd, CallError>;

    /// Does the same with several logs at once, line by line. What can't be followed is told on
    /// stderr.
    ///
    /// # Errors
    /// A lack of threads.
    fn follow(
        &mut self,
        server: &Server,
        tails: &[Tail],
        shown: Shown,
    ) -> Result<StreamEnd, CallError>;

    /// Copies several paths while the program goes on. What can't be
    /// followed is told on stderr.
    fn background(&mut self, server: &Server, paths: &[String], shown: Shown) -> Background;
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The daemon ended it.
    Closed,
    /// The user pressed Ctrl-C.
    Interrupted,
    /// One of several could not be followed, which stderr was told.
    Failed,
}

/// One of several logs that are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// What is asked of the daemon.
    pub path: String,
    /// What stands before each line.
    pub prefix: String,
}

/// The real transport.
#[derive(Debug, Default)]
pub struct HttpClient {
    kept: Option<(Server, BufReader<Connection>)>,
    patience: Option<Duration>,
}

impl HttpClient {
    /// A client without a connection: the first call makes it.
    #[must_use]
    pub fn new() -> HttpClient {
        HttpClient::default()
    }

    /// A client that waits no longer than this for each piece of an answer.
    #[must_use]
    pub fn impatient(patience: Duration) -> HttpClient {
        HttpClient { patience: Some(patience), ..HttpClient::default() }
    }

    /// A connection with room for what one read may bring of a long answer.
    fn connect(&self, server: &Server) -> Result<BufReader<Connection>, CallError> {
        let connection = Connection::open(server, self.patience)?;
        Ok(BufReader::with_capacity(64 * 1024, connection))
    }

    /// Sends a request and reads the answer's body.
    fn exchange(&mut self, server: &Server, request: &[u8]) -> Result<Vec<u8>, CallError> {
        let kept = match self.kept.take() {
            Some((owner, connection)) if owner == *server => Some(connection),
            _ => None,
        };
        let mut connection = match kept {
            Some(mut connection) => match send(&mut connection, request) {
                // The daemon may have closed it meanwhile, before it saw the request.
                Err(error) if is_stale(&error) => {
                    connection = self.connect(server)?;
                    send(&mut connection, request)?;
                    connection
                }
                Err(error) => return Err(error),
                Ok(()) => connection,
            },
            None => {
                let mut connection = self.connect(server)?;
                send(&mut connection, request)?;
                connection
            }
        };
        let head = read_head(&mut connection)?;
        if head.code != 200 {
            return Err(CallError::Status { code: head.code, reason: head.reason });
        }
        let mut body = Vec::new();
        read_body(&mut connection, head.framing, &mut |piece| {
            if body.len() + piece.len() > MOST_ANSWER_BYTES {
                return Err(CallError::BadAnswer("the answer is too long".to_owned()));
            }
            body.extend_from_slice(piece);
            Ok(())
        })?;
        if head.keep {
            self.kept = Some((server.clone(), connection));
        }
        Ok(body)
    }
}

impl Transport for HttpClient {
    fn call(
        &mut self,
        server: &Server,
        method: &str,
        params: &[Value],
    ) -> Result<Value, CallError> {
        let body = write_call(method, params);
        let address = Address::parse(&server.url).map_err(CallError::BadUrl)?;
        let mut request = head(server, &address, "POST", "/RPC2");
        request.extend_from_slice(b"Content-Type: text/xml\r\nAccept: text/xml\r\n");
        request.extend_from_slice(format!("{}: {}\r\n", Logs::HEADER, Logs::BASE64).as_bytes());
        request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        request.extend_from_slice(&body);
        let answer = self.exchange(server, &request)?;
        match parse_answer(&answer) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => Err(CallError::Fault(fault)),
            Err(error) => Err(CallError::BadAnswer(format!("the answer is {error}"))),
        }
    }

    fn stream(
        &mut self,
        server: &Server,
        path: &str,
        shown: Shown,
    ) -> Result<StreamEnd, CallError> {
        copy_to_stdout(server, path, shown)
    }

    fn follow(
        &mut self,
        server: &Server,
        tails: &[Tail],
        shown: Shown,
    ) -> Result<StreamEnd, CallError> {
        follow_several(server, tails, shown)
    }

    fn background(&mut self, server: &Server, paths: &[String], shown: Shown) -> Background {
        Background::start(server, paths, shown)
    }
}

/// Writes the request and waits for the first byte of the answer.
fn send(connection: &mut BufReader<Connection>, request: &[u8]) -> Result<(), CallError> {
    use std::io::BufRead as _;
    connection.get_mut().write_all(request)?;
    loop {
        match connection.fill_buf() {
            Ok([]) => return Err(CallError::NoAnswer),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a kept connection failed in the way of one that the daemon has closed.
fn is_stale(error: &CallError) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset};
    match error {
        CallError::NoAnswer => true,
        CallError::Io(error) => matches!(error.kind(), BrokenPipe | ConnectionReset),
        _ => false,
    }
}

/// The first lines of a request, up to the headers that are its own.
pub(super) fn head(server: &Server, address: &Address, method: &str, path: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", address.host_header());
    text.push_str(concat!("User-Agent: minder/", env!("CARGO_PKG_VERSION"), "\r\n"));
    if let (Some(username), Some(password)) = (&server.username, &server.password) {
        let credentials = STANDARD.encode(format!("{username}:{password}"));
        text.push_str(&format!("Authorization: Basic {credentials}\r\n"));
    }
    text.into_bytes()
}

/// A connection of either kind.
#[derive(Debug)]
pub(super) enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Connection {
    /// Connects to the server; what is read from it comes in time or fails.
    pub(super) fn open(
        server: &Server,
        patience: Option<Duration>,
    ) -> Result<Connection, CallError> {
        match Address::parse(&server.url).map_err(CallError::BadUrl)? {
            Address::Unix { path } => {
                let stream = UnixStream::connect(path).map_err(unix_error)?;
                stream.set_read_timeout(patience)?;
                Ok(Connection::Unix(stream))
            }
            Address::Tcp { host, port } => {
                let addresses = (host.as_str(), port).to_socket_addrs().map_err(|error| {
                    let text = error.to_string();
                    CallError::Lookup(text.rsplit(": ").next().unwrap_or_default().to_owned())
                })?;
                let addresses: Vec<_> = addresses.collect();
                let stream = match (patience, addresses.first()) {
                    (Some(patience), Some(first)) => TcpStream::connect_timeout(first, patience)?,
                    _ => TcpStream::connect(addresses.as_slice())?,
                };
                stream.set_read_timeout(patience)?;
                // A request is one write; waiting to fill a segment would only delay it.
                stream.set_nodelay(true)?;
                Ok(Connection::Tcp(stream))
            }
        }
    }

    /// A second handle, with which another thread can end the connection.
    pub(super) fn try_clone(&self) -> io::Result<Connection> {
        match self {
            Connection::Tcp(stream) => stream.try_clone().map(Connection::Tcp),
            Connection::Unix(stream) => stream.try_clone().map(Connection::Unix),
        }
    }

    /// Ends the connection: whoever reads it sees its end.
    pub(super) fn end(&self) {
        // It may have ended by itself already.
        let _ = match self {
            Connection::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Connection::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

/// The system was not asked about a path that is no path for a socket: such an error has no number.
fn unix_error(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        None if error.kind() == io::ErrorKind::InvalidInput => {
            io::Error::new(error.kind(), "AF_UNIX path too long")
        }
        _ => error,
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Connection::Tcp(stream) => stream.read(buffer),
            Connection::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Connection::Tcp(stream) => stream.write(buffer),
            Connection::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
