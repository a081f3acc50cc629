//! Limits of descriptors and processes: those that `minfds` and `minprocs` ask for, and those
//! that the daemon needs itself.

use std::fmt;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use super::inject::{self, Call};

/// A limit that start-up sees to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// RLIMIT_NOFILE, for `minfds`.
    Descriptors,
    /// RLIMIT_NPROC, for `minprocs`. It counts threads too, over all that a user runs.
    Processes,
}

impl Limit {
    fn resource(self) -> Resource {
        match self {
            Limit::Descriptors => Resource::RLIMIT_NOFILE,
            Limit::Processes => Resource::RLIMIT_NPROC,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Limit::Descriptors => "RLIMIT_NOFILE",
            Limit::Processes => "RLIMIT_NPROC",
        }
    }
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

/// Whether somebody without privileges can have that much.
///
/// # Errors
/// It can't be had.
pub fn is_allowed(limit: Limit, wanted: i64) -> Result<(), TooLow> {
    let wanted = u64::try_from(wanted).unwrap_or(0);
    let resource = match limit {
        Limit::Descriptors => Resource::RLIMIT_NOFILE,
        Limit::Processes => Resource::RLIMIT_NPROC,
    };
    match getrlimit(resource) {
        Ok((_, hard)) if hard < wanted => Err(TooLow { limit, wanted, hard }),
        _ => Ok(()),
    }
}

/// How many descriptors this process may have now; no limit is a very large number.
pub fn own_descriptors() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

/// Makes sure that the limit is at least `wanted`; tells the line for the log if it was raised.
///
/// # Errors
/// It can't be had.
pub fn ensure(limit: Limit, wanted: i64) -> Result<Option<String>, TooLow> {
    let wanted = u64::try_from(wanted).unwrap_or(0);
    let (resource, name) = (limit.resource(), limit.name());
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

/// A limit, soft and hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What holds.
    pub soft: u64,
    /// What it can be raised to.
    pub hard: u64,
}

impl Bounds {
    fn of(limit: Limit) -> Option<Bounds> {
        let (soft, hard) = getrlimit(limit.resource()).ok()?;
        Some(Bounds { soft, hard })
    }

    /// The soft limit to set so that it is `wanted`, or as near to it as may be; none: it stays.
    fn raised(self, wanted: u64) -> Option<u64> {
        let soft = wanted.min(self.hard);
        (soft > self.soft).then_some(soft)
    }
}

/// The limits that children start with: the daemon's, before it raised its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForChildren {
    /// For all.
    pub descriptors: Option<Bounds>,
    /// For those of another user than the daemon's. For the others the raised limit holds, as the
    /// daemon's threads count among what their user runs.
    pub processes: Option<Bounds>,
}

impl ForChildren {
    /// As they are now.
    pub fn now() -> ForChildren {
        ForChildren {
            descriptors: Bounds::of(Limit::Descriptors),
            processes: Bounds::of(Limit::Processes),
        }
    }
}

/// What the daemon needs when all that is configured runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Its descriptors, those for children included.
    pub descriptors: u64,
    /// Its children. Each costs a thread, too.
    pub children: u64,
    /// Its own threads, those for children not included.
    pub threads: u64,
}

impl Needs {
    fn of(&self, limit: Limit) -> u64 {
        match limit {
            Limit::Descriptors => self.descriptors,
            Limit::Processes => self.threads.saturating_add(self.children.saturating_mul(2)),
        }
    }

    /// What the limit should be, where it was `before`.
    fn wanted(&self, limit: Limit, before: Bounds) -> u64 {
        /// Enough for ten thousand programs; some systems allow a thousand million.
        const DESCRIPTORS: u64 = 65_536;
        let generous = match limit {
            // `minfds` was made for a daemon that used fewer.
            Limit::Descriptors => DESCRIPTORS,
            // What the threads take would else be missing to what programs start themselves.
            Limit::Processes => {
                let threads = self.threads.saturating_add(self.children);
                before.soft.saturating_add(threads)
            }
        };
        self.of(limit).max(generous)
    }
}

/// The daemon may not have what it needs for all its programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    limit: Limit,
    needed: u64,
    allowed: u64,
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Short { needed, allowed, .. } = self;
        let (what, how) = match self.limit {
            Limit::Descriptors => ("file descriptors", "ulimit -Hn, LimitNOFILE="),
            Limit::Processes => (
                "processes, a thread of supervisord for each program among them",
                "ulimit -Hu, LimitNPROC=",
            ),
        };
        let name = self.limit.name();
        write!(
            f,
            "all programs together need {needed} {what}, and {allowed} are allowed ({name}): some \
             may have to wait until others stop; raise the hard limit ({how}) or configure fewer"
        )
    }
}

/// Raises the daemon's own soft limits to what it needs, as far as the hard ones allow; what is
/// short then.
pub fn raise_own(needs: &Needs, before: &ForChildren) -> Vec<Short> {
    let limits = [(Limit::Descriptors, before.descriptors), (Limit::Processes, before.processes)];
    let raise = |(limit, before): (Limit, Option<Bounds>)| {
        let now = Bounds::of(limit)?;
        let soft = now.raised(needs.wanted(limit, before.unwrap_or(now)));
        let set = soft.filter(|soft| {
            let set = || Ok(setrlimit(limit.resource(), *soft, now.hard)?);
            inject::fail(Call::Limit).and_then(|()| set()).is_ok()
        });
        let (needed, allowed) = (needs.of(limit), set.unwrap_or(now.soft));
        (allowed < needed).then_some(Short { limit, needed, allowed })
    };
    limits.into_iter().filter_map(raise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: u64 = RLIM_INFINITY;

    #[test]
    fn soft_limits_are_raised_as_far_as_the_hard_ones_allow() {
        let rows = [
            // Soft, hard, wanted; the new soft one.
            (1024, 4096, 1000, None),
            (1024, 4096, 1024, None),
            (1024, 4096, 1025, Some(1025)),
            (1024, 4096, 4096, Some(4096)),
            (1024, 4096, 5000, Some(4096)),
            (1024, 1024, 5000, None),
            (1024, NONE, 5000, Some(5000)),
            (1024, NONE, u64::MAX, Some(NONE)),
            (NONE, NONE, 5000, None),
            (NONE, NONE, u64::MAX, None),
            (0, 0, 1, None),
        ];
        for (soft, hard, wanted, new) in rows {
            assert_eq!(Bounds { soft, hard }.raised(wanted), new, "{soft} {hard} {wanted}");
        }
    }

    #[test]
    fn processes_need_their_threads_too() {
        let rows = [
            // Children, soft limit before; needed, wanted.
            (0, 0, 9, 9),
            (1, 0, 11, 11),
            (100, 0, 209, 209),
            (100, 100, 209, 209),
            (100, 200, 209, 309),
            (100, NONE, 209, NONE),
            (u64::MAX, NONE, u64::MAX, NONE),
        ];
        for (children, soft, needed, wanted) in rows {
            let needs = Needs { descriptors: 7, children, threads: 9 };
            let before = Bounds { soft, hard: NONE };
            let limit = Limit::Processes;
            assert_eq!((needs.of(limit), needs.wanted(limit, before)), (needed, wanted));
        }
    }

    #[test]
    fn descriptors_are_wanted_in_plenty() {
        for (needed, wanted) in [(0, 65_536), (65_536, 65_536), (100_000, 100_000)] {
            let needs = Needs { descriptors: needed, children: 0, threads: 0 };
            let before = Bounds { soft: 1024, hard: NONE };
            assert_eq!(needs.wanted(Limit::Descriptors, before), wanted);
        }
    }
}
