//! The pool: threads that take whole requests and jobs from the server.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::logtail;
use super::methods::Service;
use super::request::Request;
use super::response::Response;
use super::rpc::{self, Job};
use super::server::{Server, Work};
use super::static_files;
use crate::config::options::LogLevel;
use crate::counters::OfDaemon;

/// Enough for reading a configuration, the deepest that a request does.
const STACK: usize = 512 * 1024;

/// How long a thread that was added waits for work before it ends.
const IDLE: Duration = Duration::from_secs(1);

/// Starts a thread of the pool's own. It ends when the server is stopped.
///
/// # Errors
/// No thread could be had.
pub fn start(server: &Arc<Server<Job>>, service: &Arc<Service>) -> io::Result<JoinHandle<()>> {
    service.lanes.joined();
    spawn(server, service)
}

/// Starts a thread that ends when the pool has more than it needs.
///
/// # Errors
/// No thread could be had.
pub(super) fn spawn(
    server: &Arc<Server<Job>>,
    service: &Arc<Service>,
) -> io::Result<JoinHandle<()>> {
    let (server, service) = (Arc::clone(server), Arc::clone(service));
    thread::Builder::new().name("http".to_owned()).stack_size(STACK).spawn(move || {
        loop {
            let spare = !server.is_stopped() && service.lanes.has_spare();
            let Some(work) = server.recv_within(spare.then_some(IDLE)) else {
                if !spare || service.lanes.leave() {
                    return;
                }
                continue;
            };
            // A defect costs one request, whose connection closes.
            let served = catch_unwind(AssertUnwindSafe(|| match work {
                Work::Request(request) => route(&service, &server, request),
                Work::Job(job) => rpc::proceed(&service, &server, job),
            }));
            if served.is_err() {
                service.counters.count(OfDaemon::Panicked);
                service.logger.log(LogLevel::Critical, "a request made its thread panic");
            }
        }
    })
}

fn route(service: &Arc<Service>, server: &Arc<Server<Job>>, request: Request) {
    if request.path().starts_with("/RPC2") {
        return rpc::serve(service, server, request);
    }
    if request.path().starts_with("/logtail") || request.path().starts_with("/mainlogtail") {
        return logtail::serve(service, request);
    }
    // For whoever asks from time to time whether the daemon answers.
    let asked = matches!(request.method(), "GET" | "POST");
    if asked && request.page() == "ok.html" {
        return request.respond(Response::new(200).header("Content-Type", "text/plain").body("OK"));
    }
    static_files::serve(request);
}
