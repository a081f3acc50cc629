//! `tail -f`, `maintail -f` and the output side of `fg`: the daemon's streams to stdout.

use std::io::{self, BufReader, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::client::{CallError, Connection, Server, StreamEnd, Tail, head};
use super::interrupt::{self, Streams};
use super::output::unwritten;
use super::prefixed::Prefixed;
use super::response::{read_body, read_head};
use super::url::Address;
use super::visible::{Pieces, Shown};

/// Copies what `GET path` answers to stdout, each piece as it comes, until Ctrl-C.
pub(super) fn copy_to_stdout(
    server: &Server,
    path: &str,
    shown: Shown,
) -> Result<StreamEnd, CallError> {
    let connection = Connection::open(server, None)?;
    interrupt::watch(0)?;
    let streams = Streams::new(vec![connection.try_clone()?]);
    let copied = copy(connection, server, path, shown, None);
    match copied {
        _ if streams.are_ended() => Ok(StreamEnd::Interrupted),
        // It has seen enough.
        Err(error) if error.is_of_reader() => Ok(StreamEnd::Closed),
        Err(error) => Err(error),
        Ok(()) => Ok(StreamEnd::Closed),
    }
}

/// Copies lines of several logs to stdout, each behind its prefix, until all end or Ctrl-C.
pub(super) fn follow_several(
    server: &Server,
    tails: &[Tail],
    shown: Shown,
) -> Result<StreamEnd, CallError> {
    interrupt::watch(0)?;
    let failed = AtomicBool::new(false);
    let fail = |tail: &Tail, error: &CallError| {
        failed.store(true, Ordering::Release);
        tell(&failure(server, &tail.path, error));
    };
    let mut open = Vec::new();
    let mut handles = Vec::new();
    for tail in tails {
        let connection = Connection::open(server, None);
        match connection.and_then(|connection| Ok((connection.try_clone()?, connection))) {
            Ok((handle, connection)) => {
                handles.push(handle);
                open.push((tail, connection));
            }
            Err(error) => fail(tail, &error),
        }
    }
    if open.is_empty() {
        return Ok(StreamEnd::Failed);
    }
    let streams = Streams::new(handles);
    std::thread::scope(|scope| {
        for (tail, connection) in open {
            let lines = Prefixed::new(&tail.prefix);
            let (fail, streams) = (&fail, &streams);
            let follow = move || match copy(connection, server, &tail.path, shown, Some(lines)) {
                Err(_) if streams.are_ended() => {}
                // It has seen enough of all of them.
                Err(error) if error.is_of_reader() => streams.end(),
                Err(error) => fail(tail, &error),
                Ok(()) => {}
            };
            let thread = std::thread::Builder::new().name(tail.path.clone());
            if let Err(error) = thread.spawn_scoped(scope, follow) {
                fail(tail, &error.into());
            }
        }
    });
    match failed.into_inner() {
        _ if streams.are_ended() => Ok(StreamEnd::Interrupted),
        true => Ok(StreamEnd::Failed),
        false => Ok(StreamEnd::Closed),
    }
}

/// Why a stream does not go on, for stderr: stdout belongs to the log.
pub(super) fn failure(server: &Server, path: &str, error: &CallError) -> String {
    let reason = match error {
        CallError::Unwritten(_) => return format!("{}\n", unwritten(error)),
        CallError::Status { code, .. } => format!("Cannot read, status code {code}"),
        error => format!("Cannot connect, error: <class '{}'> ({error})", error.kind()),
    };
    format!("{}{path} {reason}\n", server.url)
}

/// Streams that go to stdout while the program does something else.
#[derive(Debug, Default)]
pub struct Background {
    connections: Vec<Connection>,
    threads: Vec<JoinHandle<()>>,
    /// Set before the connections are ended: what fails then is no failure.
    ended: Arc<AtomicBool>,
}

impl Background {
    /// Follows these paths. One that can't be followed is told on stderr.
    pub(super) fn start(server: &Server, paths: &[String], shown: Shown) -> Background {
        let mut background = Background::default();
        for path in paths {
            if let Err(error) = background.follow(server, path, shown) {
                tell(&failure(server, path, &error));
            }
        }
        background
    }

    fn follow(&mut self, server: &Server, path: &str, shown: Shown) -> Result<(), CallError> {
        let connection = Connection::open(server, None)?;
        self.connections.push(connection.try_clone()?);
        let (server, path, ended) = (server.clone(), path.to_owned(), self.ended.clone());
        let thread = std::thread::Builder::new().name(path.clone());
        self.threads.push(thread.spawn(move || {
            let copied = copy(connection, &server, &path, shown, None);
            if let Err(error) = copied
                && !ended.load(Ordering::Acquire)
            {
                tell(&failure(&server, &path, &error));
            }
        })?);
        Ok(())
    }

    /// Ends the streams: nothing of them is shown any more.
    pub(super) fn end(self) {
        self.ended.store(true, Ordering::Release);
        for connection in &self.connections {
            connection.end();
        }
        for thread in self.threads {
            // One that panicked has ended too.
            let _ = thread.join();
        }
    }
}

/// A stderr that is closed can't be told of anything.
fn tell(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Asks for the path, and copies until the connection ends: pieces as they come, or lines.
fn copy(
    mut connection: Connection,
    server: &Server,
    path: &str,
    shown: Shown,
    mut lines: Option<Prefixed>,
) -> Result<(), CallError> {
    let address = Address::parse(&server.url).map_err(CallError::BadUrl)?;
    let mut request = head(server, &address, "GET", path);
    request.extend_from_slice(b"Accept: */*\r\n\r\n");
    connection.write_all(&request)?;
    let mut reader = BufReader::with_capacity(64 * 1024, connection);
    let head = read_head(&mut reader)?;
    if head.code != 200 {
        return Err(CallError::Status { code: head.code, reason: head.reason });
    }
    let mut pieces = Pieces::new(shown);
    let copied = read_body(&mut reader, head.framing, &mut |piece| {
        let piece = pieces.next(piece);
        match &mut lines {
            Some(lines) => show(&lines.next(&piece)),
            None => show(&piece),
        }
    });
    let mut rest = pieces.rest();
    if let Some(lines) = &mut lines {
        rest = lines.next(&rest);
        rest.extend(lines.rest());
    }
    show(&rest)?;
    match copied {
        Err(CallError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        copied => copied,
    }
}

fn show(bytes: &[u8]) -> Result<(), CallError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(CallError::Unwritten)
}
