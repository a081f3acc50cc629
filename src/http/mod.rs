//! The HTTP server: bounded everywhere, one thread for the connections, a pool of the caller's
//! for whole requests.
//!
//! ```text
//! newcomer → acceptor (head, credentials, body) → queue → pool thread → Request::respond
//!               ↑ idle, rest of an answer for a slow reader   │   ↑         │
//!               │                     Server::park, until its answer comes  │
//!               └────────────────────────────────────────────────────────────┘
//! ```
//!
//! Invariants:
//! 1. A pool thread never waits for a client, but for a few milliseconds that are bounded.
//! 2. A connection is in one place: acceptor, inbox, queue, request, parked job, or the pool
//!    thread that answered it. So a bound on connections bounds all of these.
//! 3. Everything that waits has a deadline, and memory grows with what came, never with what
//!    was announced.
//! 4. Without connections the acceptor sleeps without a time-out.
//! 5. Who reaches for a file may hang there. Such requests take turns (`lanes`), and some threads
//!    of the pool are always left to those that need no file.
#![deny(unsafe_code)]

mod acceptor;
mod access;
pub mod auth;
mod connection;
mod core;
pub mod counters;
mod date;
mod defect;
pub mod describe;
pub mod head;
pub mod lanes;
mod lease;
mod limits;
mod logs;
pub mod logtail;
pub mod methods;
pub mod origin;
mod output;
pub mod pool;
mod request;
mod response;
pub mod rpc;
mod server;
mod static_files;
mod waiting;

pub use self::date::{HttpDate, http_date};
pub use self::limits::{HttpNotice, Limits, OnAnswer, Trouble};
pub use self::request::{Request, Stream};
pub use self::response::{Response, reason};
pub use self::server::{Server, Work};
pub use self::waiting::Ticket;
