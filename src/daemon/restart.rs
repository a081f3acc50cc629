//! Beginning anew: whatever can fail is done before anything stops.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{leftovers, limits};
use crate::config::command_line::CommandLine;
use crate::config::error::ConfigError;
use crate::config::options::{HttpServer, LogLevel, OnLeftover, Options, Supervisord};
use crate::coordinator::prepare::{self, Next};
use crate::coordinator::run::Prepare;
use crate::coordinator::view::View;
use crate::http::methods::Reload;
use crate::log::activity::{Logger, Sinks};
use crate::sys::config_files::{self, Patience};
use crate::sys::limits::ForChildren;
use crate::sys::net::{ListenError, Listener};
use crate::sys::state_file::StateFile;
use crate::sys::users::Machine;
use crate::sys::{privileges, stdout};

/// Where the configuration is read from.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub file: String,
    /// What beats it.
    pub command_line: CommandLine,
}

impl Place {
    /// Reads it.
    ///
    /// # Errors
    /// The fault of the file.
    pub fn load(&self, patience: Patience) -> Result<Options, ConfigError> {
        config_files::load(&self.file, &self.command_line, &Machine, patience)
    }

    /// The same, to be found from whatever directory the daemon is in later.
    #[must_use]
    pub fn absolute(self) -> Place {
        let file = std::path::absolute(&self.file).ok();
        match file.and_then(|file| file.to_str().map(str::to_owned)) {
            Some(file) => Place { file, ..self },
            None => self,
        }
    }
}

/// Knows the file and the listeners that are open.
#[derive(Debug)]
pub struct Restart {
    place: Place,
    logger: Logger,
    listeners: Mutex<Vec<Listener>>,
    /// The one in use, and those of restarts that are prepared.
    state_files: Mutex<Vec<Weak<StateFile>>>,
}

impl Restart {
    /// With the listeners that are open now, and the state file.
    pub fn new(
        place: Place,
        logger: Logger,
        listeners: Vec<Listener>,
        state_file: Option<&Arc<StateFile>>,
    ) -> Restart {
        let state_files = Mutex::new(state_file.map(Arc::downgrade).into_iter().collect());
        Restart { place, logger, listeners: Mutex::new(listeners), state_files }
    }

    /// The listeners have changed.
    pub fn now_listening(&self, listeners: Vec<Listener>) {
        *self.lock() = listeners;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the configuration, for reloadConfig. It may ask for more processes than before.
    pub fn reload(self: &Arc<Self>, before: ForChildren) -> Reload {
        let restart = Arc::clone(self);
        Arc::new(move || {
            let options = restart.place.load(Patience::Short).map_err(|error| error.to_string())?;
            for notice in limits::raise_own(&options, &before) {
                restart.logger.log(LogLevel::Warn, notice.text);
            }
            Ok(options)
        })
    }

    /// Prepares a restart.
    pub fn prepare(self: &Arc<Self>) -> Prepare {
        let restart = Arc::clone(self);
        Arc::new(move |view| restart.next(view).map(Box::new))
    }

    fn next(&self, view: &View) -> Result<Next, String> {
        let options = self.place.load(Patience::Short).map_err(|error| match error.place() {
            Some(place) => format!("{error} ({place})"),
            None => error.to_string(),
        })?;
        if let Some(user) = &options.supervisord.user {
            privileges::may_become(user)?;
        }
        let open = self.lock().clone();
        let listeners = listeners(&options.servers, &open).map_err(|error| error.to_string());
        let setup = super::log_setup(&options);
        let sinks = Sinks::open(&setup).map_err(|error| super::log_failure(&setup, &error))?;
        let listeners = listeners?;
        prepare::try_sockets(&options.groups, &view.open_sockets(), &self.logger)
            .map_err(|error| error.to_string())?;
        // Last, as it may end programs.
        let state_file = self.state_file(&options.supervisord)?;
        Ok(Next { options: Arc::new(options), listeners, sinks, state_file })
    }

    /// The one that is open, if it is the same.
    fn state_file(&self, main: &Supervisord) -> Result<Option<Arc<StateFile>>, String> {
        let mut known = self.state_files.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|file| file.strong_count() > 0);
        let path = Path::new(&main.state_file);
        let same = known.iter().filter_map(Weak::upgrade).find(|file| file.path() == path);
        if let Some(same) = same.filter(|_| main.on_leftover != OnLeftover::Ignore) {
            return Ok(Some(same));
        }
        let taken = leftovers::take(main, &self.logger).map_err(|refused| refused.to_string())?;
        known.extend(taken.as_ref().map(Arc::downgrade));
        Ok(taken)
    }
}

/// Those of these sections.
fn listeners(servers: &[HttpServer], open: &[Listener]) -> Result<Vec<Listener>, ListenError> {
    let mut ready = Vec::new();
    for server in servers {
        ready.push(listener(server, open, &ready)?);
    }
    Ok(ready)
}

/// The listener of a section: one that is open, if it listens there; `ready`: those of sections
/// before it.
fn listener(
    server: &HttpServer,
    open: &[Listener],
    ready: &[Listener],
) -> Result<Listener, ListenError> {
    for same in open {
        if same.serves(server)? {
            return Ok(same.reconfigured(server));
        }
    }
    // Another host on a port of ours: the old listener goes when the new one comes.
    let old = open.iter().filter(|old| old.has_port_of(server));
    let beside = ready.iter().filter(|other| other.leaves_room_to(server));
    let ours: Vec<&Listener> = old.chain(beside).collect();
    if ours.is_empty() {
        Listener::open(server, &mut |line: &str| stdout::complain(line))
    } else {
        Listener::open_beside(server, &ours)
    }
}
