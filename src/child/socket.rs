//! The socket of a FastCGI program, which all its children have as their stdin.
//!
//! The first child's thread that needs it makes it, as that may take long: a path on a slow disk,
//! a name to look up. The coordinator says when it is wanted and when no longer.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::options::{FcgiAddress, FcgiSocket, LogLevel};
use crate::log::activity::Logger;
use crate::sys::net::fcgi::{self, FcgiError};

/// One socket; lives as long as its group.
#[derive(Debug)]
pub struct SharedSocket {
    options: Arc<FcgiSocket>,
    /// Held while the socket is made: by children's threads alone, who wait for one another.
    making: Mutex<()>,
    /// Held for a moment, by anybody.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A process needs it. A thread that comes too late must leave nothing open behind.
    wanted: bool,
    open: Option<Arc<OwnedFd>>,
}

impl SharedSocket {
    /// The socket of these options, not open yet.
    pub fn new(options: Arc<FcgiSocket>) -> SharedSocket {
        SharedSocket { options, making: Mutex::default(), state: Mutex::default() }
    }

    /// Where it listens.
    pub fn address(&self) -> &FcgiAddress {
        &self.options.address
    }

    /// Whether the daemon has it open.
    pub fn is_open(&self) -> bool {
        self.state().open.is_some()
    }

    /// A child that needs it is about to be made.
    pub fn want(&self) {
        self.state().wanted = true;
    }

    /// The socket, made unless it is open. `None`: nobody wants it any more.
    ///
    /// # Errors
    /// It could not be made.
    pub fn get(&self, logger: &Logger) -> Result<Option<Arc<OwnedFd>>, FcgiError> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let open = self.state().open.clone();
        if open.is_some() {
            return Ok(open);
        }
        let made = Arc::new(create(&self.options, logger)?);
        let mut state = self.state();
        if state.wanted {
            state.open = Some(Arc::clone(&made));
            return Ok(Some(made));
        }
        drop(state);
        say_closing(&self.options, logger);
        Ok(None)
    }

    /// Nobody needs it. Waits for nothing; children that live keep their copies.
    pub fn close(&self, logger: &Logger) {
        let mut state = self.state();
        state.wanted = false;
        let open = state.open.take();
        drop(state);
        if open.is_some() {
            say_closing(&self.options, logger);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a socket and closes it again: a fault is to be told before anything depends on it.
///
/// # Errors
/// It could not be made.
pub fn try_out(options: &FcgiSocket, logger: &Logger) -> Result<(), FcgiError> {
    let made = create(options, logger)?;
    say_closing(options, logger);
    drop(made);
    Ok(())
}

fn create(options: &FcgiSocket, logger: &Logger) -> Result<OwnedFd, FcgiError> {
    logger.log(LogLevel::Info, format_args!("Creating socket {}", options.address));
    fcgi::open(options)
}

fn say_closing(options: &FcgiSocket, logger: &Logger) {
    logger.log(LogLevel::Info, format_args!("Closing socket {}", options.address));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::activity::Logger;

    fn socket() -> SharedSocket {
        let address = FcgiAddress::Tcp { host: "127.0.0.1".to_owned(), port: 0 };
        SharedSocket::new(Arc::new(FcgiSocket { address, backlog: None }))
    }

    fn logger() -> Logger {
        Logger::new(LogLevel::Critical).0
    }

    #[test]
    fn all_who_ask_get_one_until_it_is_closed() {
        let (socket, logger) = (socket(), logger());
        socket.want();
        let first = socket.get(&logger).unwrap().unwrap();
        let second = socket.get(&logger).unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &second) && socket.is_open());
        socket.close(&logger);
        assert!(!socket.is_open());
        socket.want();
        let third = socket.get(&logger).unwrap().unwrap();
        assert!(!Arc::ptr_eq(&first, &third));
    }

    #[test]
    fn who_comes_too_late_leaves_nothing_open() {
        let (socket, logger) = (socket(), logger());
        socket.want();
        socket.close(&logger);
        assert!(socket.get(&logger).unwrap().is_none());
        assert!(!socket.is_open());
    }
}
