//! supervisord, from its command line to its end: start-up as one ordered list.

mod account;
mod check;
mod command_line;
mod farewell;
mod leftovers;
mod limits;
mod listeners;
mod restart;

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use crossbeam_channel::bounded;

use self::account::Account;
use self::command_line::Invocation;
use self::farewell::{FAREWELL, Farewell};
use self::restart::Place;
use crate::child::audience::Wanted;
use crate::child::buffers::Buffers;
use crate::child::environment::Inherited;
use crate::child::turns::Turns;
use crate::config::error::ConfigError;
use crate::config::options::{LogLevel, MainLog, Notice, NoticeLevel, Options};
use crate::coordinator::message::{Handle, MAILBOX, Message};
use crate::coordinator::prepare::{self, LogDirectory, NewGroup};
use crate::coordinator::run::{Coordinator, Means, Then};
use crate::counters::{Counters, OfDaemon};
use crate::getopt::Refusal;
use crate::http::lanes::Lanes;
use crate::http::methods::Service;
use crate::http::rpc::Job;
use crate::http::{HttpNotice, Limits as HttpLimits, OnAnswer, Server, pool};
use crate::log::activity::{self, LogQueue, Logger, Setup, Sinks};
use crate::log::rotating::Limits;
use crate::log::shared::OpenLogs;
use crate::sys::config_files::{self, Patience};
use crate::sys::daemonize::{self, Parent, Side};
use crate::sys::limits::ForChildren;
use crate::sys::net::Listener;
use crate::sys::pidfile::{Pidfile, Taken};
use crate::sys::state_file::StateFile;
use crate::sys::users::Machine;
use crate::sys::{errno, heap, inject, privileges, seats, signals, stdout, syslog};

/// Said when root runs the daemon without having asked for it.
const RUNS_AS_ROOT: &str = "Supervisor is running as root.  Privileges were not dropped because no \
     user is specified in the config file.  If you intend to run as root, you can set user=root in \
     the config file to avoid this message.";

/// Threads that serve requests. None of them ever waits for a client or a process; more are added
/// while some hang in files (`http/lanes.rs`).
const POOL: usize = 4;

/// Runs supervisord on this process's command line.
#[must_use]
pub fn main() -> ExitCode {
    daemonize::fill_standard_descriptors();
    daemonize::keep_inherited_from_children();
    seats::keep();
    heap::keep_little();
    let line: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let program = line.first().cloned().unwrap_or_else(|| "supervisord".to_owned());
    match run(&line, &program) {
        Ok(code) => code,
        Err(Failure { why, place, helped }) => {
            let help = if helped { format!("For help, use {program} -h\n") } else { String::new() };
            let place = place.map(|place| format!("({place})\n")).unwrap_or_default();
            let _ = write!(io::stderr(), "Error: {why}\n{help}{place}");
            ExitCode::from(2)
        }
    }
}

/// Why the daemon does not start.
#[derive(Debug)]
struct Failure {
    why: String,
    /// The option at fault, which Supervisor's texts do not tell.
    place: Option<String>,
    /// What the help tells may help; what others do to it, it does not.
    helped: bool,
}

impl Failure {
    /// Another daemon, or what it has left, is in the way.
    fn by_others(why: String) -> Failure {
        Failure { why, place: None, helped: false }
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Failure {
        Failure { why, place: None, helped: true }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        let place = error.place().map(ToString::to_string);
        Failure { why: error.to_string(), place, helped: true }
    }
}

fn run(line: &[String], program: &str) -> Result<ExitCode, Failure> {
    let invocation = match command_line::read(line, &Machine) {
        Ok(invocation) => invocation,
        Err(Refusal::Answered(text)) => {
            let _ = io::stdout().write_all(text.as_bytes());
            return Ok(ExitCode::SUCCESS);
        }
        Err(Refusal::Usage(why)) => return Err(why.into()),
    };
    if invocation.check {
        return Ok(check::run(&place(&invocation, program)?, invocation.account.as_ref()));
    }
    syslog::open(Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program));
    let place = place(&invocation, program)?;
    let ready = Ready::prepare(place, invocation.account.as_ref())?;
    if let Some(ready) = ready.go_to_background()? {
        ready.serve()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the configuration is, found once: a restart reads the same file.
fn place(invocation: &Invocation, program: &str) -> Result<Place, Failure> {
    let file = match &invocation.configuration {
        Some(file) => file.clone(),
        None => {
            if privileges::is_root() && !invocation.check {
                let _ = writeln!(io::stderr(), "{}", config_files::ROOT_SEARCHES);
            }
            config_files::find(program)?
        }
    };
    Ok(Place { file, command_line: invocation.overrides.clone() })
}

/// Everything that can fail at start, done; no thread exists and nothing was written yet.
struct Ready {
    place: Place,
    options: Arc<Options>,
    logger: Logger,
    queue: LogQueue,
    sinks: Sinks,
    listeners: Vec<Listener>,
    pidfile: Option<Pidfile>,
    state_file: Option<Arc<StateFile>>,
    log_directory: LogDirectory,
    open_logs: OpenLogs,
    counters: Arc<Counters>,
    groups: Vec<NewGroup>,
    for_children: ForChildren,
    account: Option<Account>,
    parent: Option<Parent>,
}

impl Ready {
    fn prepare(place: Place, account: Option<&command_line::Account>) -> Result<Ready, Failure> {
        let options = place.load(Patience::Endless)?;
        // Until here errors name the file as the user did.
        let place = place.absolute();
        let main = &options.supervisord;
        if main.nodaemon {
            stdout::open_errors_anew();
        }
        if main.nodaemon && !main.silent {
            stdout::open_anew();
        }
        let (logger, queue) = Logger::new(main.loglevel);
        let mut told: Vec<Notice> = assume_user(&options)?.into_iter().collect();
        told.extend(limits::ensure(&options)?);
        let for_children = ForChildren::now();
        told.extend(limits::raise_own(&options, &for_children));
        let setup = log_setup(&options);
        let sinks = Sinks::open(&setup).map_err(|error| log_failure(&setup, &error))?;
        let account = account.map(Account::open).transpose()?;
        tell_notices(&logger, &options, &told);
        let mut listeners = Vec::new();
        if let Err(why) = listeners::open(&options, &mut listeners) {
            listeners::tell(&logger, &listeners, &options.rpc_interfaces);
            // Else the log may be that of the daemon that has the pidfile.
            if Pidfile::is_free(Path::new(&main.pidfile)) {
                write_out(&logger, queue, sinks);
            }
            return Err(why.into());
        }
        let counters = Arc::new(Counters::default());
        let pidfile =
            take_pidfile(&main.pidfile, &logger, &counters).map_err(Failure::by_others)?;
        let state_file = match leftovers::take(main, &logger) {
            Ok(taken) => taken,
            Err(refused) => {
                pidfile.into_iter().for_each(Pidfile::remove);
                return Err(match refused {
                    leftovers::Refused::File(why) => why.into(),
                    leftovers::Refused::Running(why) => {
                        // The log is not another daemon's: this one has the pidfile.
                        logger.log(LogLevel::Critical, &why);
                        write_out(&logger, queue, sinks);
                        Failure::by_others(why)
                    }
                });
            }
        };
        // No other instance can be the one that has them, and no program that it has left.
        if let Err(error) = prepare::try_sockets(&options.groups, &[], &logger) {
            pidfile.into_iter().for_each(Pidfile::remove);
            state_file.iter().for_each(|file| file.remove());
            return Err(error.to_string().into());
        }
        let open_logs = OpenLogs::default();
        let (log_directory, groups) = prepare_groups(&options, (&open_logs, &counters), &logger);
        listeners::tell(&logger, &listeners, &options.rpc_interfaces);
        let options = Arc::new(options);
        let parent = None;
        Ok(Ready {
            place,
            options,
            logger,
            queue,
            sinks,
            listeners,
            pidfile,
            state_file,
            log_directory,
            open_logs,
            counters,
            groups,
            for_children,
            account,
            parent,
        })
    }

    /// Unless it stays in the foreground: forks. `None` in the parent, once the daemon is
    /// ready.
    fn go_to_background(mut self) -> Result<Option<Ready>, String> {
        let options = Arc::clone(&self.options);
        let main = &options.supervisord;
        if main.nodaemon {
            return Ok(Some(self));
        }
        let side = daemonize::fork_and_wait().map_err(|error| {
            self.withdraw();
            format!("could not fork: {error}")
        })?;
        match side {
            Side::Parent(outcome) => {
                // Sockets and pidfile belong to the daemon now.
                std::mem::forget(self.listeners);
                outcome.map(|()| None)
            }
            Side::Daemon(parent) => {
                // The parent has no thread that could write its own line.
                self.logger.log(LogLevel::Blather, "supervisord forked; parent exiting");
                self.logger.log(LogLevel::Info, "daemonizing the supervisord process");
                enter_directory(main.directory.as_deref(), &self.logger);
                if let Err(error) = daemonize::leave_terminal(main.umask) {
                    let why = format!("could not leave the terminal: {error}");
                    self.withdraw();
                    parent.failed(&why);
                    return Err(why);
                }
                if let Some(Err(error)) = self.pidfile.as_ref().map(|file| file.mask(main.umask)) {
                    let path = &main.pidfile;
                    self.logger.log(
                        LogLevel::Warn,
                        format_args!("could not change the mode of pidfile {path}: {error}"),
                    );
                }
                self.parent = Some(parent);
                Ok(Some(self))
            }
        }
    }

    fn serve(mut self) -> Result<(), String> {
        signals::ignore_fatal_writes();
        signals::block_all();
        match self.start() {
            Ok(serving) => {
                // Whoever serves owns them now: what a restart leaves behind is closed.
                self.listeners.clear();
                self.state_file = None;
                if let Some(parent) = self.parent.take() {
                    parent.ready();
                }
                serving.run(self.options, (self.log_directory, self.groups), self.pidfile);
                Ok(())
            }
            Err(error) => {
                let why = format!("could not start: {error}");
                self.logger.log(LogLevel::Critical, &why);
                self.logger.flush(FAREWELL);
                self.withdraw();
                if let Some(parent) = self.parent.take() {
                    parent.failed(&why);
                }
                Err(why)
            }
        }
    }

    /// Takes back what others could find, for a start that fails late. Threads that exist already
    /// share the listeners.
    fn withdraw(&mut self) {
        self.listeners.iter().for_each(Listener::close);
        if let Some(pidfile) = self.pidfile.take() {
            pidfile.remove();
        }
        if let Some(state_file) = self.state_file.take() {
            state_file.remove();
        }
    }

    /// The threads.
    fn start(&mut self) -> io::Result<Serving> {
        let (to, inbox) = bounded(MAILBOX);
        let handle = Handle::new(to);
        let (_, empty) = Logger::new(LogLevel::Critical);
        let queue = std::mem::replace(&mut self.queue, empty);
        let sinks = std::mem::replace(&mut self.sinks, Sinks::none());
        activity::start(queue, sinks)?;
        let path = &self.options.supervisord.pidfile;
        write_pidfile(self.pidfile.as_mut(), path, &self.logger, &self.counters);
        listen_to_signals(handle.clone(), self.logger.clone(), Arc::clone(&self.counters))?;
        let inherited = Arc::new(Inherited::of_this_process());
        let restart = Arc::new(restart::Restart::new(
            self.place.clone(),
            self.logger.clone(),
            self.listeners.clone(),
            self.state_file.as_ref(),
        ));
        let reload = restart.reload(self.for_children);
        let server = Server::start(self.listeners.clone(), http_limits(&self.logger))?;
        let service = Arc::new(Service {
            handle: handle.clone(),
            logger: self.logger.clone(),
            inherited: Arc::clone(&inherited),
            open_logs: self.open_logs.clone(),
            counters: Arc::clone(&self.counters),
            reload,
            prepare: restart.prepare(),
            lanes: Lanes::default(),
        });
        let pool: io::Result<Vec<_>> = (0..POOL).map(|_| pool::start(&server, &service)).collect();
        let means = Means {
            turns: Turns::default(),
            limits: self.for_children,
            inbox,
            handle,
            logger: self.logger.clone(),
            inherited,
            buffers: Buffers::default(),
            state_file: self.state_file.clone(),
            counters: Arc::clone(&self.counters),
            prepare: restart.prepare(),
            next_process: AtomicU64::new(0),
            next_event: AtomicU64::new(0),
            wanted: Wanted::default(),
            lingering: RefCell::default(),
            orphans: RefCell::default(),
            profile: self.account.as_ref().map(|_| RefCell::default()),
        };
        let account = self.account.take();
        let open_logs = self.open_logs.clone();
        Ok(Serving { means, server, pool: pool?, restart, open_logs, account })
    }
}

/// The daemon with all its threads.
struct Serving {
    means: Means,
    server: Arc<Server<Job>>,
    pool: Vec<JoinHandle<()>>,
    restart: Arc<restart::Restart>,
    open_logs: OpenLogs,
    account: Option<Account>,
}

impl Serving {
    /// Until a shutdown has stopped everything.
    fn run(
        self,
        mut options: Arc<Options>,
        (mut log_directory, mut groups): (LogDirectory, Vec<NewGroup>),
        mut pidfile: Option<Pidfile>,
    ) {
        let Serving { mut means, server, pool, restart, open_logs, account } = self;
        let logger = means.logger.clone();
        inject::arm();
        let called_off = loop {
            let coordinator = Coordinator::new(&means, Arc::clone(&options), groups);
            let next = match coordinator.run() {
                Then::Restart(next) => next,
                Then::End(called_off) => break called_off,
            };
            options = next.options;
            logger.set_level(options.supervisord.loglevel);
            logger.switch(next.sinks);
            let told = assume_user(&options).unwrap_or_else(|why| {
                // It was asked before anything stopped, so this is no fault of the file.
                Some(Notice { level: NoticeLevel::Critical, text: why })
            });
            let mut told: Vec<Notice> = told.into_iter().collect();
            told.extend(limits::raise_own(&options, &means.limits));
            tell_notices(&logger, &options, &told);
            // Its lock must not stand in the way of the next.
            drop(log_directory);
            (log_directory, groups) =
                prepare_groups(&options, (&open_logs, &means.counters), &logger);
            listeners::settle(&logger, &means.counters, &next.listeners);
            listeners::tell(&logger, &next.listeners, &options.rpc_interfaces);
            restart.now_listening(next.listeners.clone());
            server.set_listeners(next.listeners);
            let path = &options.supervisord.pidfile;
            pidfile = move_pidfile(pidfile, path, &logger, &means.counters);
            let old = std::mem::replace(&mut means.state_file, next.state_file);
            if let Some(old) = old.filter(|old| !is_same(old, means.state_file.as_ref())) {
                old.remove();
            }
        };
        let farewell = Farewell::begin(&logger);
        let profile = means.profile.take();
        farewell.done("removing the state file", move || {
            if let Some(state_file) = means.state_file.take() {
                state_file.remove();
            }
            // Nobody answers any more: whoever asks must learn so, not wait.
            drop(means);
            drop(called_off);
        });
        farewell.done("closing the listeners", move || {
            restart.now_listening(Vec::new());
            server.stop();
        });
        farewell.done("answering the last requests", || {
            for thread in pool {
                let _ = thread.join();
            }
        });
        farewell.done("removing the pidfile", || {
            if let Some(pidfile) = pidfile {
                pidfile.remove();
            }
            drop(log_directory);
        });
        // The last lines come before the account, on the same stdout.
        farewell.finish();
        if let (Some(account), Some(profile)) = (account, profile) {
            farewell.done("writing the profile", move || {
                if let Err(error) = account.write(&profile.into_inner()) {
                    logger
                        .log(LogLevel::Error, format_args!("could not write the profile: {error}"));
                }
            });
            farewell.flush();
        }
        inject::finish();
    }
}

/// Becomes the configured user; the line about it.
fn assume_user(options: &Options) -> Result<Option<Notice>, String> {
    let (level, text) = match &options.supervisord.user {
        Some(user) => {
            privileges::become_user(user)?;
            (NoticeLevel::Info, format!("Set uid to user {} succeeded", user.uid))
        }
        None if privileges::is_root() => (NoticeLevel::Critical, RUNS_AS_ROOT.to_owned()),
        None => return Ok(None),
    };
    Ok(Some(Notice { level, text }))
}

fn log_setup(options: &Options) -> Setup {
    let main = &options.supervisord;
    Setup {
        target: main.logfile.clone(),
        limits: Limits::new(main.logfile_maxbytes, main.logfile_backups),
        echo: main.nodaemon && !main.silent,
    }
}

fn log_failure(setup: &Setup, error: &io::Error) -> String {
    match &setup.target {
        MainLog::File(path) => format!("could not open the activity log {path}: {error}"),
        MainLog::Syslog => format!("could not open the activity log: {error}"),
    }
}

/// What reading the configuration had to say, and then start-up, the gravest first.
fn tell_notices(logger: &Logger, options: &Options, told: &[Notice]) {
    let levels = [
        (NoticeLevel::Critical, LogLevel::Critical),
        (NoticeLevel::Warn, LogLevel::Warn),
        (NoticeLevel::Info, LogLevel::Info),
    ];
    for (level, log_level) in levels {
        for notice in options.notices.iter().chain(told).filter(|notice| notice.level == level) {
            logger.log(log_level, &notice.text);
        }
    }
}

/// Writes the lines of a start that comes to nothing.
fn write_out(logger: &Logger, queue: LogQueue, sinks: Sinks) {
    if activity::start(queue, sinks).is_ok() {
        logger.flush(FAREWELL);
    }
}

fn take_pidfile(
    path: &str,
    logger: &Logger,
    counters: &Counters,
) -> Result<Option<Pidfile>, String> {
    match Pidfile::take(Path::new(path)) {
        Ok(pidfile) => Ok(Some(pidfile)),
        Err(Taken::Held(pid)) => Err(format!(
            "another supervisord (pid {pid}) runs with the pidfile {path}; stop it first, or \
             choose another pidfile"
        )),
        Err(Taken::Failed(_)) => {
            counters.count(OfDaemon::SetupFailed);
            logger.log(LogLevel::Critical, format_args!("could not write pidfile {path}"));
            Ok(None)
        }
    }
}

fn write_pidfile(pidfile: Option<&mut Pidfile>, path: &str, logger: &Logger, counters: &Counters) {
    let Some(pidfile) = pidfile else { return };
    match pidfile.write() {
        Ok(()) => {
            let pid = std::process::id();
            logger.log(LogLevel::Info, format_args!("supervisord started with pid {pid}"));
        }
        Err(_) => {
            counters.count(OfDaemon::SetupFailed);
            logger.log(LogLevel::Critical, format_args!("could not write pidfile {path}"));
        }
    }
}

/// After a restart the pidfile may be another one; the old one goes when the new one is there.
fn move_pidfile(
    held: Option<Pidfile>,
    path: &str,
    logger: &Logger,
    counters: &Counters,
) -> Option<Pidfile> {
    let mut held = match held {
        Some(held) if is_still(&held, path, logger) => Some(held.under(Path::new(path))),
        held => match take_pidfile(path, logger, counters) {
            Ok(Some(new)) => {
                if let Some(old) = held {
                    old.remove();
                }
                Some(new)
            }
            Ok(None) => held,
            Err(why) => {
                logger.log(LogLevel::Critical, why);
                held
            }
        },
    };
    write_pidfile(held.as_mut(), path, logger, counters);
    held
}

/// Whether the pidfile of that name is the one that is held: to take it again would find our own
/// lock, and take it for that of another daemon.
fn is_still(held: &Pidfile, path: &str, logger: &Logger) -> bool {
    match held.is_at(Path::new(path)) {
        Ok(is_at) => is_at,
        Err(error) if held.path() == Path::new(path) => {
            let why = errno::described(&error);
            let line = format_args!("pidfile {path} can't be looked at and is kept: {why}");
            logger.log(LogLevel::Warn, line);
            true
        }
        Err(_) => false,
    }
}

fn is_same(old: &Arc<StateFile>, new: Option<&Arc<StateFile>>) -> bool {
    new.is_some_and(|new| Arc::ptr_eq(old, new))
}

fn prepare_groups(
    options: &Options,
    shared: (&OpenLogs, &Arc<Counters>),
    logger: &Logger,
) -> (LogDirectory, Vec<NewGroup>) {
    let main = &options.supervisord;
    let (_, counters) = shared;
    let tell = &mut |line: String| {
        counters.count(OfDaemon::SetupFailed);
        logger.log(LogLevel::Warn, line);
    };
    let directory = LogDirectory::take(main, tell);
    let groups = options.groups.iter().map(|group| prepare::new_group(group, main, shared, tell));
    let groups = groups.collect();
    (directory, groups)
}

fn enter_directory(directory: Option<&str>, logger: &Logger) {
    let Some(directory) = directory else { return };
    let quoted = crate::config::quote::quote(directory);
    match std::env::set_current_dir(directory) {
        Ok(()) => logger.log(LogLevel::Info, format_args!("set current directory: {quoted}")),
        Err(error) => {
            let error = errno::described(&error);
            let line = format_args!("can't chdir into {quoted}: {error}: {quoted}");
            logger.log(LogLevel::Critical, line);
        }
    }
}

/// One thread turns signals into messages.
fn listen_to_signals(handle: Handle, logger: Logger, counters: Arc<Counters>) -> io::Result<()> {
    const STACK: usize = 128 * 1024;
    let mut heard = signals::listen()?;
    let mut pass_on = move || {
        // The daemon is at its end when nobody takes them any more.
        heard.forever().all(|signal| handle.sender().send(Message::Signal(signal)).is_ok())
    };
    let run = move || {
        signals::unblock_heard();
        while catch_unwind(AssertUnwindSafe(&mut pass_on)).is_err() {
            counters.count(OfDaemon::Panicked);
            logger.log(LogLevel::Critical, "the thread of signals panicked; it goes on");
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).stack_size(STACK).spawn(run)?;
    Ok(())
}

fn http_limits(logger: &Logger) -> HttpLimits {
    let errors = logger.clone();
    let on_error = Arc::new(move |notice: HttpNotice| errors.log(notice.trouble.level(), notice));
    let answers = logger.clone();
    let on_answer: OnAnswer = Arc::new(move |answer| answers.log(LogLevel::Trace, answer));
    let limits = HttpLimits { on_error, on_answer, ..HttpLimits::default() };
    limits.within(crate::sys::limits::own_descriptors())
}
