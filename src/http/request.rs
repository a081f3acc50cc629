//! A whole request, to be answered by any thread at any later time, and the stream that an
//! answer without end becomes.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Instant;

use super::access::Asked;
use super::connection::{Connection, Then};
use super::head::Head;
use super::lease::Lease;
use super::response::{Announce, Extent, Response};
use super::server;
use crate::sys::net::{self, ListenerInfo};
use crate::sys::poll;

/// A request whose head and body are complete and whose credentials are right. Dropped without
/// an answer, it closes its connection.
pub struct Request {
    head: Head,
    body: Vec<u8>,
    connection: Box<Connection>,
}

impl Request {
    pub(super) fn new(head: Head, body: Vec<u8>, connection: Box<Connection>) -> Request {
        Request { head, body, connection }
    }

    /// The method as sent, as in `POST`.
    pub fn method(&self) -> &str {
        self.head.method()
    }

    /// The URI as sent, with its query.
    pub fn target(&self) -> &str {
        self.head.target()
    }

    /// The URI before its query, percent-decoded once.
    pub fn path(&self) -> Cow<'_, str> {
        self.head.path()
    }

    /// What names a page or a file: the path without leading slashes, up to what a fragment or
    /// parameters begin with.
    pub fn page(&self) -> String {
        let path = self.path();
        let end = path.find([';', '?', '#']).unwrap_or(path.len());
        path.get(..end).unwrap_or_default().trim_start_matches('/').to_owned()
    }

    /// What follows the first `?`, as sent; empty when there is none.
    pub fn query(&self) -> &str {
        self.head.query()
    }

    /// As in `HTTP/1.1`.
    pub fn version(&self) -> &str {
        self.head.version()
    }

    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Name and value of each header, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.headers()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Takes the body out, which is then no longer counted among those that the server bounds:
    /// for answers that come much later and need it no more.
    pub fn take_body(&mut self) -> Vec<u8> {
        self.connection.release_body();
        mem::take(&mut self.body)
    }

    /// The listener by which it came.
    pub fn listener(&self) -> &Arc<ListenerInfo> {
        self.connection.info()
    }

    /// Leave to keep the connection until an answer comes from elsewhere, or without an end;
    /// `None`: too many are kept so already.
    /// So many bytes are kept with it.
    pub(super) fn lease(&self, bytes: usize) -> Option<Lease> {
        Lease::take(self.connection.core(), self.listener().is_unix(), bytes)
    }

    /// The client's address, as in `127.0.0.1:45310`; `localhost:0` for a unix socket.
    pub fn peer(&self) -> String {
        self.connection.peer().to_string()
    }

    /// Whether a browser sends it for another site. A POST from there never gets here; what
    /// changes something by another method has to ask.
    pub fn is_foreign(&self) -> bool {
        self.connection.is_foreign(&self.head)
    }

    /// Whether the client hung up; one that closed only its sending half counts too. One
    /// system call.
    pub fn peer_gone(&self) -> bool {
        net::peer_gone(self.connection.socket().as_fd())
    }

    /// Answers. Never blocks for longer than [`super::Limits::send_time`]: what a slow reader
    /// has not taken by then is sent by the acceptor.
    pub fn respond(self, response: Response) {
        let Request { head, body, mut connection } = self;
        drop(body);
        connection.release_body();
        let wanted = head.keep_alive();
        let kept = wanted && !connection.info().is_closed() && !connection.core().is_stopped();
        let announce = match (wanted, kept) {
            (true, true) if head.is_http_1_0() => Announce::KeepAlive,
            (true, false) if !head.is_http_1_0() => Announce::Close,
            _ => Announce::Nothing,
        };
        let extent = if head.method() == "HEAD" { Extent::HeadOnly } else { Extent::Whole };
        let status = response.status();
        let (bytes, body) = response.render(head.version(), extent, announce);
        connection.tell(Asked::Request(&head), status, bytes.len() + body.len());
        connection.load(bytes, body, if kept { Then::Keep } else { Then::Close });
        if let Some(connection) = connection.send_soon() {
            server::keep(connection);
        }
    }

    /// Begins an answer without end. The head is that of the response, its body is left out. The
    /// stream is chunked if the version and the client's wish for a kept connection allow it;
    /// the header that tells so is added as the last.
    ///
    /// # Errors
    /// The client is gone, or does not read.
    pub fn into_stream(self, response: Response) -> io::Result<Stream> {
        let Request { head, connection, .. } = self;
        let chunked = head.keep_alive() && !head.is_http_1_0();
        let response =
            if chunked { response.header("Transfer-Encoding", "chunked") } else { response };
        let status = response.status();
        let (bytes, _) = response.render(head.version(), Extent::Stream, Announce::Nothing);
        let mut stream = Stream { head, status, connection, chunked, sent: 0 };
        stream.connection.release_body();
        stream.send(&bytes, b"")?;
        Ok(stream)
    }
}

impl AsFd for Request {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.socket().as_fd()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} from {}", self.method(), self.target(), self.connection.peer())
    }
}

/// A connection that is written to until one side has enough. It counts as a connection in use
/// and closes when it is dropped. Poll its descriptor for [`net::HUNG_UP`] to learn at once
/// that the client left.
pub struct Stream {
    head: Head,
    status: u16,
    connection: Box<Connection>,
    chunked: bool,
    /// Bytes, head and framing included.
    sent: usize,
}

impl Stream {
    /// Sends the bytes, as one chunk if the stream is chunked. Waits for a slow reader as long as
    /// it takes something within [`super::Limits::unread_time`].
    ///
    /// # Errors
    /// The client is gone or does not read; the listener was closed or the server stopped.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.chunked {
            return self.send(bytes, b"");
        }
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        self.send(&framed, b"\r\n")
    }

    /// Ends the answer in form and closes.
    pub fn finish(mut self) {
        if self.chunked {
            let _ = self.send(b"0\r\n\r\n", b"");
        }
    }

    /// Whether there is no use in going on: the client hung up, its listener was closed, or the
    /// server stopped.
    pub fn is_over(&self) -> bool {
        let closed = self.connection.info().is_closed() || self.connection.core().is_stopped();
        closed || net::peer_gone(self.connection.socket().as_fd())
    }

    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<()> {
        let socket = self.connection.socket().as_fd();
        let patience = self.connection.core().limits.unread_time;
        let whole = first.len() + second.len();
        let mut sent = 0;
        while sent < whole {
            let in_second = sent.saturating_sub(first.len());
            let rest = (first.get(sent..), second.get(in_second..));
            match net::send(socket, rest.0.unwrap_or_default(), rest.1.unwrap_or_default()) {
                Ok(more) => {
                    sent += more;
                    self.sent = self.sent.saturating_add(more);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.connection.info().is_closed() || self.connection.core().is_stopped() {
                        return Err(ErrorKind::ConnectionAborted.into());
                    }
                    net::wait_until(socket, poll::OUT, Instant::now() + patience)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.tell(Asked::Request(&self.head), self.status, self.sent);
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.connection.as_raw_fd()
    }
}
