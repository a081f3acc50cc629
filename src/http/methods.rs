//! The methods, carried out on a pool thread: what needs a path is done here, what changes a
//! state is handed to the coordinator.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::lanes::Lanes;
use super::rpc::Job;
use super::server::Server;
use super::{counters, describe, logs};
use crate::VERSION;
use crate::child::command;
use crate::child::environment::Inherited;
use crate::child::stdin::StdinError;
use crate::config::options::{FcgiAddress, MainLog, Options};
use crate::coordinator::message::{Handle, Message};
use crate::coordinator::prepare;
use crate::coordinator::run::Prepare;
use crate::coordinator::view::{Found, ProcessView, View};
use crate::coordinator::waiters::Answer;
use crate::coordinator::world::requests::{Refused, Request, Target};
use crate::counters::Counters;
use crate::event::payload::Event;
use crate::log::activity::Logger;
use crate::log::shared::OpenLogs;
use crate::process::state::{ProcessState, SupervisorState};
use crate::rpc::fault::{Fault, FaultCode};
use crate::rpc::method::{Earlier, Method, Whom};
use crate::rpc::table;
use crate::sys::{clock, file};
use crate::xml_rpc::Writer;

/// How long a reader of the activity log waits for lines that are on their way.
const LINES_AWAITED: Duration = Duration::from_millis(200);

/// The version of the interface that clients compare.
const API_VERSION: &str = "3.0";

/// Reads the configuration again.
pub type Reload = Arc<dyn Fn() -> Result<Options, String> + Send + Sync>;

/// What methods work with.
pub struct Service {
    /// The coordinator.
    pub handle: Handle,
    /// The activity log.
    pub logger: Logger,
    /// The daemon's environment, for PATH.
    pub inherited: Arc<Inherited>,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// Logs that are open though nothing of the configuration has them.
    pub open_logs: OpenLogs,
    /// For reloadConfig.
    pub reload: Reload,
    /// For restart.
    pub prepare: Prepare,
    /// Whose turn it is at files.
    pub lanes: Lanes,
}

/// How a method went on.
pub enum Flow {
    /// Its value is written.
    Done,
    /// The coordinator answers, at once or later.
    Wait(Request),
}

impl Service {
    /// Carries out a call. Nothing is written when it fails.
    ///
    /// # Errors
    /// The fault that the client gets.
    pub fn execute(
        &self,
        method: Method,
        server: &Server<Job>,
        w: &mut Writer<'_>,
    ) -> Result<Flow, Fault> {
        let view = self.handle.view()?;
        if view.state != SupervisorState::Running && !method.is_always_served() {
            return Err(Fault::bare(FaultCode::ShutdownState));
        }
        match method {
            Method::Start { whom, wait } => {
                let refused = self.refused(&view, &whom);
                return Ok(Flow::Wait(Request::Start { target: target(whom), wait, refused }));
            }
            Method::Stop { whom, wait } => {
                return Ok(Flow::Wait(Request::Stop { target: target(whom), wait }));
            }
            Method::Signal { whom, signal } => {
                return Ok(Flow::Wait(Request::Signal { target: target(whom), signal }));
            }
            Method::RemoveProcessGroup(name) => return Ok(Flow::Wait(Request::Remove(name))),
            Method::GetApiVersion => w.string(API_VERSION),
            Method::GetSupervisorVersion => w.string(VERSION),
            Method::GetIdentification => w.string(&view.options.supervisord.identifier),
            Method::GetState => {
                w.begin_struct();
                w.member_int("statecode", view.state.code());
                w.member_string("statename", view.state.name());
                w.end_struct();
            }
            Method::GetPid => w.int(i64::from(std::process::id())),
            Method::GetProcessInfo(name) => {
                describe::process_info(view.process(&name)?, clock::now().wall_secs(), w);
            }
            Method::GetAllProcessInfo => all_process_info(&view, w),
            Method::GetAllConfigInfo => all_config_info(&view, w),
            Method::ReadLog { offset, length } => {
                // Who was told of something finds its line.
                self.logger.flush(LINES_AWAITED);
                let bytes = logs::read_main(&view, offset, length)?;
                w.log(&bytes);
            }
            Method::ReadProcessLog { name, channel, offset, length } => {
                let bytes = logs::read(view.process(&name)?, channel, offset, length)?;
                w.log(&bytes);
            }
            Method::TailProcessLog { name, channel, offset, length } => {
                logs::tail(view.process(&name)?, channel, offset, length, w)?;
            }
            Method::ClearLog => self.clear_main_log(&view, w)?,
            Method::ClearProcessLogs(name) => {
                let process = view.process(&name)?;
                logs::clear(process).map_err(|()| Fault::new(FaultCode::Failed, &*name))?;
                w.bool(true);
            }
            Method::ClearAllProcessLogs => logs::clear_all(&view, w),
            Method::SendProcessStdin { name, chars } => {
                send_stdin(view.process(&name)?, &name, chars)?;
                w.bool(true);
            }
            Method::SendRemoteCommEvent { kind, data } => {
                self.handle.occurred(Event::remote(&kind, &data))?;
                w.bool(true);
            }
            Method::ReloadConfig => self.reload_config(w)?,
            Method::AddProcessGroup(name) => self.add_group(&view, &name, w)?,
            Method::Shutdown => self.leave(None, w)?,
            Method::Restart => {
                let next = (self.prepare)(&view);
                let next = next.map_err(|why| Fault::new(FaultCode::CantReread, why))?;
                self.leave(Some(next), w)?;
            }
            Method::GetCounters => counters::write(&view, &self.counters, &self.logger, server, w),
            Method::ListMethods => {
                w.begin_array();
                for name in table::all_names(&view.running.rpc_interfaces) {
                    w.string(&name);
                }
                w.end_array();
            }
            Method::MethodHelp(name) => w.string(find(&view, &name)?.help),
            Method::MethodSignature(name) => {
                let row = find(&view, &name)?;
                w.begin_array();
                for word in row.signature {
                    w.string(word);
                }
                w.end_array();
            }
            Method::Wrong { earlier, fault } => return Err(wrong(&view, &earlier, fault)),
            // The caller takes it apart; inside another it is refused before it gets here.
            Method::Multicall(_) => return Err(Fault::bare(FaultCode::IncorrectParameters)),
        }
        Ok(Flow::Done)
    }

    /// Opens the log that a call reads, if it is there, and closes it: where a file system hangs,
    /// this does.
    pub(super) fn reach(&self, method: &Method) {
        let Ok(view) = self.handle.view() else { return };
        match method {
            Method::ReadLog { .. } => logs::reach_main(&view),
            Method::ReadProcessLog { name, channel, .. }
            | Method::TailProcessLog { name, channel, .. } => {
                if let Ok(process) = view.process(name) {
                    logs::reach(process, *channel);
                }
            }
            _ => {}
        }
    }

    /// Commands that can't be run, of those that a start is for.
    fn refused(&self, view: &View, whom: &Whom) -> Refused {
        let chosen: Vec<&Arc<ProcessView>> = match whom {
            Whom::Named(name) => match view.find(name) {
                // A single one is checked even if it runs.
                Ok(Found::Process(process)) => return self.problems([process]),
                Ok(Found::Group(group)) => view.members(&group.name).collect(),
                Err(_) => Vec::new(),
            },
            Whom::Group(name) => view.members(name).collect(),
            Whom::All => view.processes.iter().collect(),
        };
        self.problems(chosen.into_iter().filter(|process| !process.state.is_started()))
    }

    fn problems<'a>(&self, processes: impl IntoIterator<Item = &'a Arc<ProcessView>>) -> Refused {
        let check = |process: &'a Arc<ProcessView>| {
            let problem = command::resolve(&process.program, self.inherited.path()).err()?;
            Some(((process.group.to_string(), process.program.name.clone()), problem))
        };
        processes.into_iter().filter_map(check).collect()
    }

    fn clear_main_log(&self, view: &View, w: &mut Writer<'_>) -> Result<(), Fault> {
        let MainLog::File(path) = &view.running.supervisord.logfile else {
            return Err(Fault::bare(FaultCode::NoFile));
        };
        if !file::exists(Path::new(path)) {
            return Err(Fault::bare(FaultCode::NoFile));
        }
        self.logger.clear().map_err(|_| Fault::bare(FaultCode::Failed))?;
        w.bool(true);
        Ok(())
    }

    fn reload_config(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        let options = (self.reload)().map_err(|why| Fault::new(FaultCode::CantReread, why))?;
        let options = Arc::new(options);
        let changes = self.handle.ask(|reply| Message::Reread { options, reply })?;
        w.begin_array();
        w.begin_array();
        for names in [&changes.added, &changes.changed, &changes.removed] {
            w.begin_array();
            for name in names {
                w.string(name);
            }
            w.end_array();
        }
        w.end_array();
        w.end_array();
        Ok(())
    }

    fn add_group(&self, view: &View, name: &str, w: &mut Writer<'_>) -> Result<(), Fault> {
        let group = view.options.groups.iter().find(|group| group.name == name);
        let group = group.ok_or_else(|| Fault::new(FaultCode::BadName, name))?;
        if view.groups.iter().any(|active| active.name == name) {
            return Err(Fault::new(FaultCode::AlreadyAdded, name));
        }
        let tell = &mut |text: String| {
            self.logger.log(crate::config::options::LogLevel::Warn, text);
        };
        // Who tries a path takes it; another group's stays its own until this one is started.
        let mut open = view.open_sockets();
        open.retain(|address| matches!(address, FcgiAddress::Unix { .. }));
        prepare::try_sockets([group], &open, &self.logger)
            .map_err(|error| Fault::new(FaultCode::Failed, error.to_string()))?;
        let group = Box::new(prepare::new_group(
            group,
            &view.options.supervisord,
            (&self.open_logs, &self.counters),
            tell,
        ));
        match self.handle.ask(|reply| Message::Add { group, reply })? {
            Answer::Fault(fault) => Err(fault),
            Answer::True | Answer::Results(_) => {
                w.bool(true);
                Ok(())
            }
        }
    }

    fn leave(&self, next: Option<Box<prepare::Next>>, w: &mut Writer<'_>) -> Result<(), Fault> {
        if self.handle.ask(|reply| Message::Leave { next, reply })? {
            w.bool(true);
            Ok(())
        } else {
            Err(Fault::bare(FaultCode::ShutdownState))
        }
    }
}

fn target(whom: Whom) -> Target {
    match whom {
        Whom::Named(name) => Target::Named(name),
        Whom::Group(name) => Target::Group(name),
        Whom::All => Target::All,
    }
}

/// What is told of a call with wrong types.
fn wrong(view: &View, earlier: &Earlier, fault: Fault) -> Fault {
    let earlier = match earlier {
        Earlier::Nothing | Earlier::Whom(Whom::All) => Ok(()),
        Earlier::Process(name) => view.process(name).map(drop),
        Earlier::Whom(Whom::Named(name)) => view.find(name).map(drop),
        Earlier::Whom(Whom::Group(name)) if view.groups.iter().any(|g| g.name == *name) => Ok(()),
        Earlier::Whom(Whom::Group(name)) => Err(Fault::new(FaultCode::BadName, name)),
    };
    earlier.err().unwrap_or(fault)
}

fn find(view: &View, name: &str) -> Result<&'static table::Row, Fault> {
    let row = table::find(name, &view.running.rpc_interfaces);
    row.ok_or_else(|| Fault::bare(FaultCode::SignatureUnsupported))
}

fn all_process_info(view: &View, w: &mut Writer<'_>) {
    let now = clock::now().wall_secs();
    w.begin_array();
    for process in &view.processes {
        describe::process_info(process, now, w);
    }
    w.end_array();
}

fn all_config_info(view: &View, w: &mut Writer<'_>) {
    let groups = view.options.groups.iter();
    let mut rows: Vec<_> = groups
        .flat_map(|group| group.processes.iter().map(move |program| (group, program)))
        .collect();
    rows.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    w.begin_array();
    for (group, program) in rows {
        let in_use = view.groups.iter().any(|active| active.name == group.name);
        let process = view.made_from(&group.name, program).map(|process| &**process);
        describe::config_info(group, program, in_use, process, w);
    }
    w.end_array();
}

fn send_stdin(process: &ProcessView, name: &str, chars: String) -> Result<(), Fault> {
    let not_running = || Fault::new(FaultCode::NotRunning, name);
    if process.pid == 0 || process.state == ProcessState::Stopping {
        return Err(not_running());
    }
    let link = process.link.as_ref().ok_or_else(not_running)?;
    link.send_stdin(chars.into_bytes()).map_err(|error| match error {
        StdinError::Closed => Fault::new(FaultCode::NoFile, name),
        StdinError::Full => {
            Fault::new(FaultCode::Failed, format!("{name} does not read its stdin: too much waits"))
        }
        StdinError::Busy => {
            Fault::new(FaultCode::Failed, format!("the thread of {name} does not answer"))
        }
    })
}
