//! The HTTP client: calls over one kept connection, TCP or unix socket, and streams over
//! a connection of their own. Calls have no time-out: a start or stop takes what it takes.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use super::error::CallError;
use super::response::{read_body, read_head};
use super::stream::{Background, copy_to_stdout, follow_several};
use super::url::Address;
use super::visible::Shown;
use crate::sys::poll;
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

    /// A new connection on which a request was sent.
    fn connect_with(
        &self,
        server: &Server,
        request: &[u8],
    ) -> Result<BufReader<Connection>, CallError> {
        let mut connection = self.connect(server)?;
        connection.get_mut().write_all(request)?;
        Ok(connection)
    }

    /// Sends a request and reads the answer's body.
    fn exchange(&mut self, server: &Server, request: &[u8]) -> Result<Vec<u8>, CallError> {
        let kept = match self.kept.take() {
            Some((owner, connection)) if owner == *server => Some(connection),
            _ => None,
        };
        let mut connection = match kept.filter(|connection| !is_over(connection)) {
            Some(mut connection) => match connection.get_mut().write_all(request) {
                Ok(()) => connection,
                // The daemon has closed it meanwhile, and has not got the whole request. One that
                // it has got is never sent again: it may have been obeyed.
                Err(error) if is_closed(&error) => self.connect_with(server, request)?,
                Err(error) => return Err(error.into()),
            },
            None => self.connect_with(server, request)?,
        };
        await_answer(&mut connection)?;
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

/// Waits for the first byte of the answer.
fn await_answer(connection: &mut BufReader<Connection>) -> Result<(), CallError> {
    use std::io::BufRead as _;
    loop {
        match connection.fill_buf() {
            Ok([]) => return Err(CallError::NoAnswer),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the daemon has closed a connection on which nothing was asked (or has said something
/// all the same).
fn is_over(connection: &BufReader<Connection>) -> bool {
    let mut fds = [poll::entry(connection.get_ref().fd(), poll::IN)];
    !connection.buffer().is_empty() || !matches!(poll::poll(&mut fds, Some(Duration::ZERO)), Ok(0))
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
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

    fn fd(&self) -> RawFd {
        match self {
            Connection::Tcp(stream) => stream.as_raw_fd(),
            Connection::Unix(stream) => stream.as_raw_fd(),
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

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::thread;

    use super::*;

    /// A server that answers as many requests on each connection as its row says, and then closes
    /// it: after the next request has come, or at once. What each connection was asked.
    fn serve(rows: &'static [(usize, bool)]) -> (Server, thread::JoinHandle<Vec<usize>>, PathBuf) {
        let unique = format!("minder-client-{}-{}", std::process::id(), rows.as_ptr() as usize);
        let path = std::env::temp_dir().join(unique);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let run = move || {
            let one = |(answers, waits): &(usize, bool)| {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let mut asked = 0;
                while asked < *answers || *waits {
                    if !is_asked(&mut stream) {
                        break;
                    }
                    asked += 1;
                    if asked > *answers {
                        break;
                    }
                    stream.write_all(&answer()).unwrap();
                }
                asked
            };
            let asked = rows.iter().map(one).collect();
            listener.set_nonblocking(true).unwrap();
            assert!(listener.accept().is_err(), "one connection more");
            asked
        };
        let url = format!("unix://{}", path.display());
        (Server { url, username: None, password: None }, thread::spawn(run), path)
    }

    fn answer() -> Vec<u8> {
        let body = "<?xml version='1.0'?><methodResponse><params><param><value><int>1</int>\
                    </value></param></params></methodResponse>";
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    /// Reads a whole request; false at the end of the connection.
    fn is_asked(stream: &mut UnixStream) -> bool {
        let (mut text, mut piece) = (Vec::new(), [0; 4096]);
        while !text.ends_with(b"</methodCall>\n") && !text.ends_with(b"</methodCall>") {
            match stream.read(&mut piece) {
                Ok(n @ 1..) => text.extend_from_slice(piece.get(..n).unwrap()),
                _ => return false,
            }
        }
        true
    }

    #[test]
    fn what_the_daemon_has_got_is_not_sent_again() {
        let (server, thread, path) = serve(&[(1, true)]);
        let mut client = HttpClient::new();
        assert!(client.call(&server, "getVersion", &[]).is_ok());
        let failure = client.call(&server, "startProcess", &[]);
        assert!(matches!(failure, Err(CallError::NoAnswer)), "{failure:?}");
        assert_eq!(thread.join().unwrap(), [2]);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_kept_connection_that_was_closed_is_made_anew() {
        let (server, thread, path) = serve(&[(1, false), (2, false)]);
        let mut client = HttpClient::new();
        assert!(client.call(&server, "getVersion", &[]).is_ok());
        // The other thread has not closed it before it accepts the next.
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while !client.kept.as_ref().is_none_or(|(_, kept)| is_over(kept)) {
            assert!(std::time::Instant::now() < until, "it stays open");
            thread::yield_now();
        }
        for _ in 0..2 {
            assert!(client.call(&server, "startProcess", &[]).is_ok());
        }
        assert_eq!(thread.join().unwrap(), [1, 2]);
        std::fs::remove_file(path).unwrap();
    }
}
