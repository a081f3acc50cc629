//! How a process ended.

use std::fmt;

use crate::config::signal;

/// What waiting for a process told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number.
        number: i32,
        /// A core file was written.
        core: bool,
    },
    /// Neither; the raw status.
    Other(i32),
}

impl ExitStatus {
    /// The number that `exitcodes` and `exitstatus` speak of: -1 for all but an exit.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal { .. } | Self::Other(_) => -1,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal { number, core } => {
                write!(f, "terminated by {}", signal::Name(number))?;
                f.write_str(if core { " (core dumped)" } else { "" })
            }
            Self::Other(raw) => write!(f, "unknown termination cause 0x{raw:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wording() {
        let rows = [
            (ExitStatus::Code(3), 3, "exit status 3"),
            (ExitStatus::Signal { number: 9, core: false }, -1, "terminated by SIGKILL"),
            (
                ExitStatus::Signal { number: 11, core: true },
                -1,
                "terminated by SIGSEGV (core dumped)",
            ),
            (ExitStatus::Signal { number: 35, core: false }, -1, "terminated by signal 35"),
            (ExitStatus::Other(0xabc), -1, "unknown termination cause 0x0abc"),
        ];
        for (status, code, text) in rows {
            assert_eq!((status.code(), status.to_string().as_str()), (code, text));
        }
    }
}
