//! `tail -f` and `maintail -f`: the daemon's stream to stdout, until Ctrl-C.

use std::io::{self, BufReader, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

use super::client::{CallError, Connection, Server, StreamEnd, head};
use super::response::{read_body, read_head};
use super::url::Address;

/// Copies what `GET path` answers to stdout, each piece as it comes.
pub(super) fn copy_to_stdout(server: &Server, path: &str) -> Result<StreamEnd, CallError> {
    let mut connection = Connection::open(server)?;
    watch_interrupts()?;
    set_current(Some(connection.try_clone()?));
    let address = Address::parse(&server.url).map_err(CallError::BadUrl)?;
    let mut request = head(server, &address, "GET", path);
    request.extend_from_slice(b"Accept: */*\r\n\r\n");
    let copied = connection.write_all(&request).map_err(CallError::from);
    let copied = copied.and_then(|()| copy(connection));
    // The handle is gone if Ctrl-C took it to end the connection.
    let interrupted = !set_current(None);
    match copied {
        _ if interrupted => Ok(StreamEnd::Interrupted),
        Ok(()) => Ok(StreamEnd::Closed),
        Err(CallError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(StreamEnd::Closed)
        }
        Err(error) => Err(error),
    }
}

fn copy(connection: Connection) -> Result<(), CallError> {
    let mut reader = BufReader::with_capacity(64 * 1024, connection);
    let head = read_head(&mut reader)?;
    if head.code != 200 {
        return Err(CallError::Status { code: head.code, reason: head.reason });
    }
    read_body(&mut reader, head.framing, &mut |piece| {
        let mut stdout = io::stdout().lock();
        stdout.write_all(piece)?;
        stdout.flush()?;
        Ok(())
    })
}

/// The stream that Ctrl-C ends.
fn current() -> &'static Mutex<Option<Connection>> {
    static CURRENT: Mutex<Option<Connection>> = Mutex::new(None);
    &CURRENT
}

/// Names the stream that Ctrl-C ends from now on; answers whether there was one before.
fn set_current(connection: Option<Connection>) -> bool {
    let mut current = current().lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *current, connection).is_some()
}

/// From the first stream on Ctrl-C ends the stream; where there is none, the program.
fn watch_interrupts() -> io::Result<()> {
    static WATCHED: OnceLock<()> = OnceLock::new();
    if WATCHED.set(()).is_err() {
        return Ok(());
    }
    let mut signals = Signals::new([SIGINT])?;
    std::thread::Builder::new().name("interrupts".to_owned()).spawn(move || {
        for _ in signals.forever() {
            let taken = current().lock().unwrap_or_else(PoisonError::into_inner).take();
            match taken {
                Some(connection) => connection.end(),
                None => {
                    // Nobody is left to be told of a failure.
                    let _ = writeln!(io::stdout());
                    std::process::exit(0);
                }
            }
        }
    })?;
    Ok(())
}
