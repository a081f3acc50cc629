//! What other threads see of the coordinator's knowledge: an unchanging picture, made when
//! somebody asks and shared until something changes. It is as true as an answer from the
//! coordinator itself: it is withdrawn before anyone is told of a change.

use std::sync::{Arc, Mutex, PoisonError};

use crate::child::link::Link;
use crate::child::socket::SharedSocket;
use crate::child::thread::Logs;
use crate::config::options::{FcgiAddress, Group, Options, Program};
use crate::process::name::Namespec;
use crate::process::output::Output;
use crate::process::state::{ProcessState, SupervisorState};
use crate::rpc::fault::{Fault, FaultCode};

/// One process.
#[derive(Clone, Debug)]
pub struct ProcessView {
    /// Its group.
    pub group: Arc<str>,
    /// Its options.
    pub program: Arc<Program>,
    /// Where its output goes.
    pub logs: Arc<Logs>,
    /// What its stdin is, for FastCGI.
    pub socket: Option<Arc<SharedSocket>>,
    /// The way to its child's thread, while there is one.
    pub link: Option<Arc<Link>>,
    /// Its state.
    pub state: ProcessState,
    /// Its pid, 0 for none.
    pub pid: i32,
    /// The last spawn attempt in seconds since the epoch, 0 for never.
    pub start: i64,
    /// The last exit, likewise.
    pub stop: i64,
    /// Why the last start failed.
    pub spawn_error: String,
    /// The code of the last exit, 0 when there is none.
    pub exit_status: i64,
}

impl ProcessView {
    /// The path of a log, empty for none.
    pub fn log_path(&self, output: Output) -> String {
        self.logs.path(output).map_or_else(String::new, |path| path.display().to_string())
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub struct View {
    /// The daemon's state.
    pub state: SupervisorState,
    /// All processes by group and name, in code point order.
    pub processes: Vec<Arc<ProcessView>>,
    /// The active groups in their order.
    pub groups: Vec<Arc<Group>>,
    /// The configuration as it was last read.
    pub options: Arc<Options>,
    /// The configuration as it was at start: what only a restart changes.
    pub running: Arc<Options>,
}

/// What a namespec leads to.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    /// One process.
    Process(&'a Arc<ProcessView>),
    /// A whole group.
    Group(&'a Arc<Group>),
}

impl View {
    /// The processes of a group.
    pub fn members<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Arc<ProcessView>> {
        let start = self.processes.partition_point(|process| &*process.group < group);
        let rest = self.processes.iter().skip(start);
        rest.take_while(move |process| &*process.group == group)
    }

    /// Where FastCGI sockets are open.
    pub fn open_sockets(&self) -> Vec<FcgiAddress> {
        let sockets = self.processes.iter().filter_map(|process| process.socket.as_ref());
        sockets.filter(|socket| socket.is_open()).map(|socket| socket.address().clone()).collect()
    }

    /// What the name means.
    ///
    /// # Errors
    /// BAD_NAME.
    pub fn find(&self, name: &str) -> Result<Found<'_>, Fault> {
        let bad = || Fault::new(FaultCode::BadName, name);
        let spec = Namespec::parse(name);
        let group = self.groups.iter().find(|group| group.name == spec.group).ok_or_else(bad)?;
        let Some(process) = &spec.process else { return Ok(Found::Group(group)) };
        self.named(&spec.group, process).map(Found::Process).ok_or_else(bad)
    }

    fn named(&self, group: &str, name: &str) -> Option<&Arc<ProcessView>> {
        let place = self
            .processes
            .binary_search_by(|p| (&*p.group, p.program.name.as_str()).cmp(&(group, name)));
        place.ok().and_then(|place| self.processes.get(place))
    }

    /// The process that was made from these very options, not from ones that read the same.
    pub fn made_from(&self, group: &str, program: &Arc<Program>) -> Option<&Arc<ProcessView>> {
        self.named(group, &program.name).filter(|p| Arc::ptr_eq(&p.program, program))
    }

    /// One process; a group's form is no name here.
    ///
    /// # Errors
    /// BAD_NAME.
    pub fn process(&self, name: &str) -> Result<&Arc<ProcessView>, Fault> {
        match self.find(name)? {
            Found::Process(process) => Ok(process),
            Found::Group(_) => Err(Fault::new(FaultCode::BadName, name)),
        }
    }
}

/// The place where the picture hangs.
#[derive(Debug, Default)]
pub struct Published(Mutex<Option<Arc<View>>>);

impl Published {
    /// The picture, if it is still true.
    pub fn get(&self) -> Option<Arc<View>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hangs a new one.
    pub fn put(&self, view: Arc<View>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
    }

    /// It is no longer true.
    pub fn withdraw(&self) {
        let old = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(old);
    }
}
