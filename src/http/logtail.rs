//! `/logtail` and `/mainlogtail`: the end of a log and whatever it grows by, until the client has
//! enough. Each stream has a thread of its own, which opens the log, and sleeps until it changes or
//! the client leaves.

use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::date::http_date;
use super::defect::{ServerError, guarded};
use super::methods::Service;
use super::request::{Request, Stream};
use super::response::Response;
use crate::config::options::{LogLevel, MainLog};
use crate::counters::OfDaemon;
use crate::log::follow::{Follower, News};
use crate::process::output::Output;
use crate::sys::watch::Watch;
use crate::sys::{errno, net, poll, thread};

/// How much of what is there is sent first, bytes.
const LAST: u64 = 1024;

/// Streams at a time; each costs a thread and two descriptors.
const STREAMS: usize = 64;

const STACK: usize = 64 * 1024;

/// A look without being told to: some file systems tell of nothing that other machines write.
const SAFETY: Duration = Duration::from_secs(5);

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Of them kept for unix sockets, so that nobody from afar can take them all.
const RESERVED_FOR_UNIX: usize = 16;

/// A place among the streams.
struct Place;

impl Place {
    fn take(is_unix: bool) -> Option<Place> {
        let most = if is_unix { STREAMS } else { STREAMS - RESERVED_FOR_UNIX };
        if OPEN.fetch_add(1, Ordering::AcqRel) < most {
            return Some(Place);
        }
        OPEN.fetch_sub(1, Ordering::AcqRel);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Answers a request for a log's stream.
pub fn serve(service: &Arc<Service>, request: Request) {
    if request.method() != "GET" {
        return request.respond(Response::error(400));
    }
    let path = match guarded(|| find(service, &request.path())) {
        Ok(Some(path)) => path,
        Ok(None) => return request.respond(Response::error(404)),
        Err(panic) => return tell_of_defect(service, request, &panic),
    };
    let is_unix = request.listener().is_unix();
    let (Some(place), Some(lease)) = (Place::take(is_unix), request.lease(0)) else {
        return request.respond(Response::error(503));
    };
    let for_stream = Arc::clone(service);
    let body = move || {
        let _places = (place, lease);
        // Here already it may hang.
        match guarded(|| Follower::begin(&path, LAST)) {
            // Whatever ends it, the connection closes with it.
            Ok(Ok(follower)) => drop(stream(request, &path, follower)),
            Ok(Err(_)) => request.respond(Response::error(404)),
            Err(panic) => tell_of_defect(&for_stream, request, &panic),
        }
    };
    // Without a thread the connection closes: the request went with the closure.
    if let Err(error) = thread::start(c"stream", STACK, Box::new(body)) {
        let error = errno::described(&error);
        let line = format_args!("no thread for a client that follows a log: {error}");
        service.counters.count(OfDaemon::FollowerRefused);
        service.logger.log(LogLevel::Error, line);
    }
}

fn tell_of_defect(service: &Service, request: Request, panic: &str) {
    let address = request.listener().server().address.shown();
    let error = ServerError { address, details: panic };
    service.logger.log(error.level(), error);
    request.respond(Response::error(500));
}

/// The file that the URI means: `/logtail/<name>[/<channel>]`, or `/mainlogtail`.
fn find(service: &Service, uri: &str) -> Option<PathBuf> {
    let view = service.handle.view().ok()?;
    if uri.starts_with("/mainlogtail") {
        return match &view.running.supervisord.logfile {
            MainLog::File(path) => Some(PathBuf::from(path)),
            MainLog::Syslog => None,
        };
    }
    let mut parts = uri.split('/').skip(2);
    let name = parts.next()?;
    let output = match (parts.next(), parts.next()) {
        (None | Some("stdout"), None) => Output::Stdout,
        (Some("stderr"), None) => Output::Stderr,
        _ => return None,
    };
    let process = view.process(name).ok()?;
    process.logs.path(output).map(Path::to_owned)
}

fn stream(request: Request, path: &Path, mut follower: Follower) -> io::Result<()> {
    let modified = http_date(follower.modified());
    let head = Response::new(200)
        .header("Last-Modified", &String::from_utf8_lossy(&modified))
        .header("Content-Type", "text/plain;charset=utf-8")
        .header("X-Accel-Buffering", "no");
    let mut stream = request.into_stream(head)?;
    let mut watch = Watch::new(path).ok();
    follow(watch.as_mut(), path);
    loop {
        match follower.look()? {
            News::Bytes(bytes) => stream.write(&bytes)?,
            News::Replaced => follow(watch.as_mut(), path),
            News::None => {
                wait(&stream, watch.as_ref())?;
                if stream.is_over() {
                    return Ok(());
                }
            }
        }
    }
}

/// Without a watch the stream looks from time to time.
fn follow(watch: Option<&mut Watch>, path: &Path) {
    if let Some(watch) = watch {
        let _ = watch.follow(path);
    }
}

/// Until the log changes or the client leaves.
fn wait(stream: &Stream, watch: Option<&Watch>) -> io::Result<()> {
    let mut fds = [
        poll::entry(stream.as_raw_fd(), net::HUNG_UP),
        poll::entry(watch.map_or(-1, AsRawFd::as_raw_fd), poll::IN),
    ];
    let patience = if watch.is_some() { SAFETY } else { Duration::from_millis(500) };
    poll::poll(&mut fds, Some(patience))?;
    if let Some(watch) = watch {
        watch.clear();
    }
    Ok(())
}
