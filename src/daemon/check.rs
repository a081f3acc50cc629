//! `--check`: every problem of the configuration and of the machine that start-up or a start of
//! a program would meet. Asks only: nothing is created, bound, locked, cleaned or signalled, so
//! that it can run beside the daemon.

use std::cell::OnceCell;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::command_line::Account;
use super::restart::Place;
use crate::child::command;
use crate::child::environment::Inherited;
use crate::config::options::{
    Channel, ChildLog, FcgiAddress, HttpServer, MainLog, OnLeftover, Options, Program,
    ServerAddress, Supervisord,
};
use crate::config::paths::join;
use crate::config::sections::{self, Inspect, Problem, Remark, Source};
use crate::config::values::ValueError;
use crate::sys::foresee::{self, Who};
use crate::sys::limits::{self, Limit, TooLow};
use crate::sys::users::Machine;
use crate::sys::{config_files, file, privileges};

/// Tells the problems on stderr, a line each and then their number; that there is none on stdout.
pub fn run(place: &Place, account: Option<&Account>) -> ExitCode {
    let file = &place.file;
    let problems = problems(place, account);
    if problems.is_empty() {
        let _ = writeln!(io::stdout(), "{file}: no problems found");
        return ExitCode::SUCCESS;
    }
    let mut text: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    let s = if problems.len() == 1 { "" } else { "s" };
    text.push_str(&format!("{} problem{s} found in {file}\n", problems.len()));
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::from(2)
}

fn problems(place: &Place, account: Option<&Account>) -> Vec<Problem> {
    let Place { file, command_line } = place;
    let (document, mut known) = match config_files::gather(file, &Machine) {
        Ok(read) => read,
        Err(problem) => return vec![problem],
    };
    let source = Source { document: &document, file };
    if let Some(section) = document.section("supervisorctl")
        && let Err(error) = sections::load_ctl(source, &Machine)
    {
        known.push(Problem::of_section(&document, section, None, &error.to_string()));
    }
    let survey = Survey { inherited: Inherited::of_this_process(), daemon: OnceCell::new() };
    if let Some(path) = account.and_then(|account| account.file.as_ref())
        && let Err(error) = foresee::append(Path::new(path), &Who::us())
    {
        let what = format!("could not open the profile {path}: {error}");
        known.push(Problem::of_command_line(file, "--profile", what));
    }
    sections::check(source, command_line, &Machine, &survey, known)
}

/// What the machine is asked.
struct Survey {
    inherited: Inherited,
    /// Whom the daemon runs as, once its user is known.
    daemon: OnceCell<Who>,
}

impl Survey {
    fn who(&self, main: &Supervisord) -> &Who {
        self.daemon.get_or_init(|| main.user.as_ref().map_or_else(Who::us, Who::becoming))
    }

    fn limit(&self, limit: Limit, wanted: i64, main: &Supervisord) -> Result<(), TooLow> {
        if self.who(main).is_us() {
            // Raises nothing but what this process has until its end.
            limits::ensure(limit, wanted).map(drop)
        } else {
            limits::is_allowed(limit, wanted)
        }
    }

    /// A log of a process, as the daemon opens it at each start.
    fn log(&self, channel: &Channel, main: &Supervisord) -> Option<String> {
        let ChildLog::File(path) = &channel.logfile else { return None };
        let error = foresee::append(Path::new(&seen(main, path)), self.who(main)).err()?;
        Some(format!("could not open the log {path}: {error}"))
    }
}

impl Inspect for Survey {
    fn daemon(&self, options: &Options) -> Vec<Remark> {
        let main = &options.supervisord;
        let who = self.who(main);
        let mut remarks: Vec<Remark> = Vec::new();
        if let Some(Err(why)) = main.user.as_ref().map(privileges::may_become) {
            remarks.push(("user", why.to_owned()));
        }
        let limits = [
            ("minfds", Limit::Descriptors, main.minfds),
            ("minprocs", Limit::Processes, main.minprocs),
        ];
        for (key, limit, wanted) in limits {
            let low = self.limit(limit, wanted, main).err();
            remarks.extend(low.map(|low| (key, low.to_string())));
        }
        if let MainLog::File(path) = &main.logfile {
            let error = foresee::append(Path::new(path), who).err();
            let failure = error.map(|error| super::log_failure(&super::log_setup(options), &error));
            remarks.extend(failure.map(|what| ("logfile", what)));
        }
        if let Err(error) = foresee::append(Path::new(&main.pidfile), who) {
            let what = format!("could not write pidfile {}: {error}", main.pidfile);
            remarks.push(("pidfile", what));
        }
        if main.on_leftover != OnLeftover::Ignore
            && let Err(error) = foresee::append(Path::new(&main.state_file), who)
        {
            let what = format!("could not use the state file {}: {error}", main.state_file);
            remarks.push(("state_file", what));
        }
        let log = Path::new(&main.childlogdir).join("log");
        if has_auto_logs(options) && main.identifier.contains('/') {
            let what = "a '/' in it keeps logs of programs from being created in childlogdir";
            remarks.push(("identifier", what.to_owned()));
        }
        if has_auto_logs(options)
            && let Err(error) = foresee::make(&log, who)
        {
            let what = format!("could not create logs in {}: {error}", main.childlogdir);
            remarks.push(("childlogdir", what));
        }
        remarks
    }

    fn server(&self, server: &HttpServer, options: &Options) -> Vec<Remark> {
        let key = match server.address {
            ServerAddress::Inet { .. } => "port",
            ServerAddress::Unix { .. } => "file",
        };
        let who = self.who(&options.supervisord);
        let failure = foresee::listen(server, who).err().map(|error| (key, error.to_string()));
        let mut before = options.servers.iter().take_while(|other| other.section != server.section);
        let same = before.find(|other| is_same_place(&other.address, &server.address));
        let same = same.map(|other| (key, format!("[{}] listens there, too", other.section)));
        failure.into_iter().chain(same).collect()
    }

    fn process(&self, program: &Program, options: &Options) -> Vec<Remark> {
        let main = &options.supervisord;
        let who = self.who(main);
        let mut remarks: Vec<Remark> = Vec::new();
        let mut placed = program.clone();
        placed.directory = program.directory.as_ref().map(|path| seen(main, path)).or(base(main));
        if let Some(directory) = &program.directory
            && !placed.directory.as_ref().is_some_and(|path| file::is_directory(Path::new(path)))
        {
            remarks.push(("directory", ValueError::Directory(directory.clone()).to_string()));
        }
        let problem = command::resolve(&placed, self.inherited.path()).err();
        remarks.extend(problem.map(|problem| ("command", problem.to_string())));
        if program.user.as_ref().is_some_and(|user| !who.may_become(user)) {
            remarks.push(("user", "Can't drop privilege as nonroot user".to_owned()));
        }
        for (key, channel) in logs(program) {
            remarks.extend(self.log(channel, main).map(|what| (key, what)));
            remarks.extend(shared_log(program, key, channel, options).map(|what| (key, what)));
        }
        if let Some(FcgiAddress::Unix { path, .. }) =
            program.socket.as_ref().map(|socket| &socket.address)
            && let Err(error) = foresee::make(Path::new(path), who)
        {
            remarks.push(("socket", format!("could not make the socket {path}: {error}")));
        }
        remarks
    }
}

/// The directory that the daemon is in when it starts programs, if it changes it.
fn base(main: &Supervisord) -> Option<String> {
    main.directory.clone().filter(|_| !main.nodaemon)
}

/// A path as the daemon sees it then.
fn seen(main: &Supervisord, path: &str) -> String {
    base(main).map_or_else(|| path.to_owned(), |base| join(&base, path))
}

/// The logs that a process has, with the option that names each.
fn logs(program: &Program) -> impl Iterator<Item = (&'static str, &Channel)> {
    let stderr = (!program.redirect_stderr).then_some(("stderr_logfile", &program.stderr));
    [("stdout_logfile", &program.stdout)].into_iter().chain(stderr)
}

/// All logs of the configuration, each with its process.
fn all_logs(options: &Options) -> impl Iterator<Item = (&Program, &'static str, &Channel)> {
    let programs = options.groups.iter().flat_map(|group| &group.processes);
    programs.flat_map(|program| logs(program).map(|(key, channel)| (&**program, key, channel)))
}

fn has_auto_logs(options: &Options) -> bool {
    all_logs(options).any(|(_, _, channel)| channel.logfile == ChildLog::Auto)
}

/// Who else rotates this file, of those before: each renames it under the other's hands.
fn shared_log(own: &Program, key: &str, channel: &Channel, options: &Options) -> Option<String> {
    let ChildLog::File(path) = &channel.logfile else { return None };
    let is_same = |other: &Channel| other.maxbytes > 0 && other.logfile == channel.logfile;
    let (first, first_key, _) = all_logs(options).find(|(_, _, other)| is_same(other))?;
    let is_own = first.name == own.name;
    if channel.maxbytes <= 0 || path.starts_with("/dev/") || (is_own && first_key == key) {
        return None;
    }
    let whose = if is_own { "its" } else { &format!("process {}'s", first.name) };
    Some(format!("{path} is {whose} {first_key}, too, and each rotates it for itself"))
}

fn is_same_place(one: &ServerAddress, other: &ServerAddress) -> bool {
    match (one, other) {
        (ServerAddress::Inet { host, port }, ServerAddress::Inet { host: h, port: p }) => {
            (host, port) == (h, p)
        }
        (ServerAddress::Unix { file, .. }, ServerAddress::Unix { file: f, .. }) => file == f,
        (ServerAddress::Inet { .. }, ServerAddress::Unix { .. })
        | (ServerAddress::Unix { .. }, ServerAddress::Inet { .. }) => false,
    }
}
