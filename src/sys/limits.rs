//! Raising the limits that `minfds` and `minprocs` ask for.

use std::fmt;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// A limit that start-up sees to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// RLIMIT_NOFILE, for `minfds`.
    Descriptors,
    /// RLIMIT_NPROC, for `minprocs`.
    Processes,
}

/// The limit could not be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLow {
    limit: Limit,
    wanted: u64,
    hard: u64,
}

impl fmt::Display for TooLow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooLow { wanted, hard, .. } = self;
        match self.limit {
            Limit::Descriptors => write!(
                f,
                "The minimum number of file descriptors required to run this process is {wanted} \
                 as per the \"minfds\" command-line argument or config file setting. The current \
                 environment will only allow you to open {hard} file descriptors.  Either raise \
                 the number of usable file descriptors in your environment (see README.rst) or \
                 lower the minfds setting in the config file to allow the process to start."
            ),
            Limit::Processes => write!(
                f,
                "The minimum number of available processes required to run this program is \
                 {wanted} as per the \"minprocs\" command-line argument or config file setting. \
                 The current environment will only allow you to open {hard} processes.  Either \
                 raise the number of usable processes in your environment (see README.rst) or \
                 lower the minprocs setting in the config file to allow the program to start."
            ),
        }
    }
}

/// A limit of descriptors, soft and hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// What holds.
    pub soft: u64,
    /// What it can be raised to.
    pub hard: u64,
}

/// Lets the daemon itself have as many descriptors as it may: each program costs it a few, and
/// `minfds` was made for a daemon that used fewer. Children start with the limit as it was,
/// which is returned.
pub fn raise_own_descriptors() -> Option<Descriptors> {
    /// Enough for ten thousand programs; some systems allow a thousand million.
    const MOST: u64 = 65_536;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let wanted = hard.min(MOST);
    if wanted <= soft || setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_err() {
        return None;
    }
    Some(Descriptors { soft, hard })
}

/// Makes sure that the limit is at least `wanted`; tells the line for the log if it was raised.
///
/// # Errors
/// It can't be had.
pub fn ensure(limit: Limit, wanted: i64) -> Result<Option<String>, TooLow> {
    let wanted = u64::try_from(wanted).unwrap_or(0);
    let (resource, name) = match limit {
        Limit::Descriptors => (Resource::RLIMIT_NOFILE, "RLIMIT_NOFILE"),
        Limit::Processes => (Resource::RLIMIT_NPROC, "RLIMIT_NPROC"),
    };
    let Ok((soft, hard)) = getrlimit(resource) else { return Ok(None) };
    if soft >= wanted || soft == RLIM_INFINITY {
        return Ok(None);
    }
    let new_hard = if hard < wanted { wanted } else { hard };
    match setrlimit(resource, wanted, new_hard) {
        Ok(()) => Ok(Some(format!("Increased {name} limit to {wanted}"))),
        Err(_) => Err(TooLow { limit, wanted, hard }),
    }
}
