//! What a row found wrong.

use std::fmt;

/// The kinds of wrong, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// The daemon ended.
    Dies,
    /// The daemon, or what was asked of it, does not answer.
    Hangs,
    /// It goes on, and something never works again.
    StaysBroken,
    /// A child lives that the daemon does not know, or that nobody reaps.
    Unknown,
    /// A program runs more than once.
    Twice,
    /// What fails at once is started again without end.
    Endless,
    /// A process that is none of the daemon's is signalled.
    Strikes,
    /// Output is neither logged nor told to be lost.
    LosesOutput,
    /// Others wait.
    Delays,
    /// It takes a processor for nothing.
    Spins,
    /// Its memory grows with what comes in.
    Grows,
    /// A child has rights that it should not have.
    Privileges,
    /// A file that is not its own is touched.
    Touches,
    /// An error is told at each attempt.
    Repeats,
    /// An error is not told.
    Silent,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wrong::Dies => "dies",
            Wrong::Hangs => "hangs",
            Wrong::StaysBroken => "stays broken",
            Wrong::Unknown => "leaves unknown children",
            Wrong::Twice => "runs programs twice",
            Wrong::Endless => "restarts without end",
            Wrong::Strikes => "signals strangers",
            Wrong::LosesOutput => "loses output untold",
            Wrong::Delays => "delays others",
            Wrong::Spins => "spins",
            Wrong::Grows => "grows",
            Wrong::Privileges => "gives privileges back",
            Wrong::Touches => "touches others' files",
            Wrong::Repeats => "repeats the error",
            Wrong::Silent => "says nothing",
        })
    }
}

/// One thing that is wrong, and how it showed.
#[derive(Clone, Debug)]
pub struct Finding {
    pub wrong: Wrong,
    pub detail: String,
}

impl Finding {
    pub fn new(wrong: Wrong, detail: impl Into<String>) -> Finding {
        Finding { wrong, detail: detail.into() }
    }
}

/// A step of a row; an error ends the row.
pub type Step<T = ()> = Result<T, Finding>;

/// An error that ends the row unless this holds.
pub fn ensure(wrong: Wrong, holds: bool, detail: impl FnOnce() -> String) -> Step {
    if holds { Ok(()) } else { Err(Finding::new(wrong, detail())) }
}
