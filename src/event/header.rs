//! The line before the payload.

use std::fmt;

use super::serial::{PoolSerial, Serial};
use crate::config::event_kind::Kind;

/// All that the header says. Names stand in it as they are; a blank in one breaks readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The daemon's "identifier".
    pub server: &'a str,
    /// The event's number.
    pub serial: Serial,
    /// The pool's name.
    pub pool: &'a str,
    /// The event's number in the pool.
    pub pool_serial: PoolSerial,
    /// Its type.
    pub kind: Kind,
    /// The length of the payload.
    pub len: usize,
}

impl fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Header { server, serial, pool, pool_serial, kind, len } = self;
        writeln!(
            f,
            "ver:3.0 server:{server} serial:{serial} pool:{pool} poolserial:{pool_serial} \
             eventname:{kind} len:{len}"
        )
    }
}
