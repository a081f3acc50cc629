//! The HTTP servers' sockets: opened, given their modes and owners, told of.

use std::fmt;
use std::io::{self, Write as _};

use crate::config::host::Host as _;
use crate::config::options::{HttpServer, LogLevel, Options, ServerAddress};
use crate::counters::{Counters, OfDaemon};
use crate::log::activity::{self, Logger};
use crate::sys::clock;
use crate::sys::net::Listener;
use crate::sys::users::Machine;

/// Opens those of the configuration, in their order; what there is to say meanwhile goes to stderr.
///
/// # Errors
/// Why one could not be opened; `opened` has those before it.
pub(super) fn open(options: &Options, opened: &mut Vec<Listener>) -> Result<(), String> {
    let say = &mut |line: &str| {
        let _ = writeln!(io::stderr(), "{line}");
    };
    for server in &options.servers {
        let beside: Vec<_> = opened.iter().filter(|other| other.leaves_room_to(server)).collect();
        let listener = if beside.is_empty() {
            Listener::open(server, say)
        } else {
            Listener::open_beside(server, &beside)
        };
        opened.push(listener.map_err(|error| error.to_string())?);
    }
    Ok(())
}

/// Listeners that stay take mode and owner of their sections once nothing can fail any more.
pub(super) fn settle(logger: &Logger, counters: &Counters, listeners: &[Listener]) {
    for error in listeners.iter().filter_map(|listener| listener.settle().err()) {
        counters.count(OfDaemon::SetupFailed);
        logger.log(LogLevel::Error, error);
    }
}

/// The lines of servers that listen from now on.
pub(super) fn tell(logger: &Logger, listeners: &[Listener], interfaces: &[String]) {
    for listener in listeners {
        let server = listener.info().server();
        logger.log(LogLevel::Trace, Started(server));
        for name in interfaces {
            logger.log(LogLevel::Info, format_args!("RPC interface '{name}' initialized"));
        }
        if server.credentials.is_none() {
            let section = &server.section;
            logger.log(
                LogLevel::Critical,
                format_args!("Server '{section}' running without any HTTP authentication checking"),
            );
        }
    }
}

/// The line of a server that listens from now on. The name behind "Hostname" is the configured
/// one: looking an address up could take a minute.
struct Started<'a>(&'a HttpServer);

impl fmt::Display for Started<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = activity::local(clock::wall());
        let now = now.map(|now| now.format("%a %b %e %H:%M:%S %Y").to_string());
        let now = now.unwrap_or_default();
        let address = self.0.address.shown();
        write!(f, "{address}:Medusa (V1.12) started at {now}\n\tHostname: ")?;
        match &self.0.address {
            ServerAddress::Inet { host, port } if host.is_empty() => {
                write!(f, "{}\n\tPort:{port}", Machine.node_name())
            }
            ServerAddress::Inet { host, port } => write!(f, "{host}\n\tPort:{port}"),
            ServerAddress::Unix { file, .. } => {
                write!(f, "<unix domain socket>\n\tPort:{file}")
            }
        }
    }
}
