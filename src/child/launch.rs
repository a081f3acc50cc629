//! From a program's options to a child with its pipes and logs.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Instant;

use super::command::{self, Resolved};
use super::environment;
use super::socket::SharedSocket;
use super::stdin::Stdin;
use super::stream::Stream;
use super::thread::Job;
use super::turns::Turn;
use crate::config::options::{LogLevel, Program};
use crate::counters::OfProcess;
use crate::log::child_log::ChildLog;
use crate::process::machine::SpawnFailure;
use crate::process::name;
use crate::process::output::Output;
use crate::sys::pipe::{self, Pipe, pipe};
use crate::sys::spawn::{self, Plan};
use crate::sys::state_file::Place;
use crate::sys::{errno, privileges};

/// A child that exists, with the daemon's ends of its pipes.
#[derive(Debug)]
pub struct Live {
    /// Its pid.
    pub pid: i32,
    /// Why it could not be executed, to be told once its start was.
    pub failure: Option<spawn::Failure>,
    /// Its stdout and, unless redirected, its stderr.
    pub streams: [Option<Box<Stream>>; 2],
    /// Its stdin.
    pub stdin: Stdin,
    /// Its line of the state file, until it was reaped.
    pub place: Option<Place>,
}

/// The daemon's and the child's ends.
struct Channels {
    streams: [Option<Box<Stream>>; 2],
    stdin: Input,
    stdout: OwnedFd,
    stderr: Option<OwnedFd>,
}

/// What the child has as its stdin.
enum Input {
    Pipe(Pipe),
    Socket(Arc<OwnedFd>),
}

impl Input {
    fn child_end(&self) -> RawFd {
        match self {
            Input::Pipe(pipe) => pipe.read.as_raw_fd(),
            Input::Socket(socket) => socket.as_raw_fd(),
        }
    }

    fn daemon_end(self) -> Stdin {
        match self {
            Input::Pipe(pipe) => Stdin::new(pipe.write),
            Input::Socket(_) => Stdin::none(),
        }
    }
}

/// Makes the child when its turn has come.
///
/// # Errors
/// What `spawnerr` says.
pub fn launch(job: &Job, turn: &Turn) -> Result<Live, SpawnFailure> {
    let (program, pace) = (&*job.program, job.logs.pace());
    pace.begin();
    let begun = Instant::now();
    let prepared = prepare(job);
    let took = begun.elapsed();
    // A failure too is told in its turn, and lets nobody pass those before it.
    turn.wait();
    let (plan, channels, place) = prepared.inspect_err(|_| pace.end(took))?;
    if !job.link.begin() {
        return Err(called_off(program));
    }
    let begun = Instant::now();
    let spawned = spawn::spawn(&plan, &job.link.slot);
    pace.end(took + begun.elapsed());
    let spawned = spawned.map_err(|error| fork_failure(program, &error))?;
    job.logs.tally().count(OfProcess::Spawned);
    if let Some(error) = place.as_ref().and_then(|place| place.written().err()) {
        let (name, error) = (&program.name, errno::described(&error));
        let line = format_args!("'{name}' could not be written to the state file: {error}");
        job.logs.tally().count(OfProcess::StateFileFailed);
        job.logger().log(LogLevel::Warn, line);
    }
    if let Some(failure) = &spawned.failure {
        job.logs.tally().count(match failure.lacks_resources {
            true => OfProcess::SpawnLackedResources,
            false => OfProcess::ExecFailed,
        });
    }
    let Channels { streams, stdin, .. } = channels;
    let spawn::Spawned { pid, failure } = spawned;
    Ok(Live { pid, failure, streams, stdin: stdin.daemon_end(), place })
}

fn prepare(job: &Job) -> Result<(Plan, Channels, Option<Place>), SpawnFailure> {
    let program = &*job.program;
    let resolved = command::resolve(program, job.common.inherited.path())
        .map_err(|problem| SpawnFailure { text: problem.to_string(), lacks_resources: false })?;
    let channels = open_channels(job)?;
    let place = reserve(job)?;
    let plan = plan(job, resolved, &channels, place.as_ref())?;
    Ok((plan, channels, place))
}

/// A line of the state file, where there is one.
fn reserve(job: &Job) -> Result<Option<Place>, SpawnFailure> {
    let place = job.common.state_file.as_ref().map(|file| file.reserve()).transpose();
    // Whatever ails that file is no fault of the program: it is started once that is over.
    place.map_err(|error| SpawnFailure {
        text: format!(
            "could not write the state file to spawn '{}': {}",
            job.program.name,
            errno::name(&error)
        ),
        lacks_resources: true,
    })
}

fn open_channels(job: &Job) -> Result<Channels, SpawnFailure> {
    let program = &*job.program;
    let failure = |error| channel_failure(program, &error);
    let (stdout, stdout_end) = open_output(job, Output::Stdout).map_err(failure)?;
    let (stderr, stderr_end) = if program.redirect_stderr {
        (None, None)
    } else {
        let (stream, end) = open_output(job, Output::Stderr).map_err(failure)?;
        (Some(stream), Some(end))
    };
    // Last: a start that fails for a log makes no socket.
    let stdin = match &job.socket {
        None => Input::Pipe(open_stdin().map_err(failure)?),
        Some(socket) => Input::Socket(open_socket(job, socket)?),
    };
    Ok(Channels { streams: [Some(stdout), stderr], stdin, stdout: stdout_end, stderr: stderr_end })
}

fn open_stdin() -> io::Result<Pipe> {
    let stdin = pipe()?;
    pipe::set_nonblocking(stdin.write.as_fd())?;
    Ok(stdin)
}

fn open_socket(job: &Job, socket: &SharedSocket) -> Result<Arc<OwnedFd>, SpawnFailure> {
    let got = socket.get(job.logger()).map_err(|error| SpawnFailure {
        text: error.to_string(),
        lacks_resources: error.lacks_resources(),
    });
    got?.ok_or_else(|| called_off(&job.program))
}

fn open_output(job: &Job, output: Output) -> io::Result<(Box<Stream>, OwnedFd)> {
    let Pipe { read, write } = pipe()?;
    pipe::set_nonblocking(read.as_fd())?;
    if let Some(user) = &job.program.user {
        pipe::give_to(read.as_fd(), user.uid);
        pipe::give_to(write.as_fd(), user.uid);
    }
    let place = (job.logs.target(output), job.logs.open(), job.logs.tally());
    let before = job.logs.was_opened(output);
    let log = ChildLog::open(output, place, job.strip_ansi, before, job.speaker())?;
    job.logs.set_opened(output);
    Ok((Box::new(Stream::new(output, read, log)), write))
}

fn called_off(program: &Program) -> SpawnFailure {
    let text = format!("the start of '{}' was called off", program.name);
    SpawnFailure { text, lacks_resources: false }
}

fn channel_failure(program: &Program, error: &io::Error) -> SpawnFailure {
    let name = &program.name;
    let text = match error.raw_os_error() {
        Some(libc::EMFILE) => format!("too many open files to spawn '{name}'"),
        _ => format!("unknown error making dispatchers for '{name}': {}", errno::name(error)),
    };
    SpawnFailure { text, lacks_resources: errno::lacks_resources(error) }
}

fn fork_failure(program: &Program, error: &io::Error) -> SpawnFailure {
    let name = &program.name;
    let text = match error.raw_os_error() {
        Some(libc::EAGAIN) => format!("Too many processes in process table to spawn '{name}'"),
        _ => format!("unknown error during fork for '{name}': {}", errno::name(error)),
    };
    SpawnFailure { text, lacks_resources: errno::lacks_resources(error) }
}

fn plan(
    job: &Job,
    resolved: Resolved,
    channels: &Channels,
    place: Option<&Place>,
) -> Result<Plan, SpawnFailure> {
    let program = &*job.program;
    let with_nul = |_| SpawnFailure {
        text: format!("a NUL character in the options of '{}'", program.name),
        lacks_resources: false,
    };
    let argv: Result<Vec<CString>, _> = resolved.argv.into_iter().map(CString::new).collect();
    let stdout = channels.stdout.as_raw_fd();
    let stderr = channels.stderr.as_ref().map_or(stdout, AsRawFd::as_raw_fd);
    Ok(Plan {
        file: CString::new(resolved.file).map_err(with_nul)?,
        argv: argv.map_err(with_nul)?,
        environment: environment::of_child(&job.common.inherited, program, &job.group),
        directory: program.directory.clone().map(CString::new).transpose().map_err(with_nul)?,
        umask: program.umask,
        session: program.setsid,
        limits: job.common.limits,
        identity: program.user.as_ref().map_or(Ok(None), privileges::identity_of),
        uid: program.user.as_ref().map_or(0, |user| user.uid),
        stdio: [channels.stdin.child_end(), stdout, stderr],
        record: place.map(|place| place.record(&name::display(&job.group, &program.name))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What both kinds of failure say, and whether the start is tried again without end.
    fn told(number: i32) -> [(String, bool); 2] {
        let program = Program::plain("a", "/bin/a");
        let error = io::Error::from_raw_os_error(number);
        [channel_failure(&program, &error), fork_failure(&program, &error)]
            .map(|failure| (failure.text, failure.lacks_resources))
    }

    #[test]
    fn failures_before_there_is_a_child() {
        let row = |text: &str, lacks: bool| (text.to_owned(), lacks);
        assert_eq!(
            told(libc::EMFILE),
            [
                row("too many open files to spawn 'a'", true),
                row("unknown error during fork for 'a': EMFILE", true),
            ]
        );
        assert_eq!(
            told(libc::EAGAIN),
            [
                row("unknown error making dispatchers for 'a': EAGAIN", true),
                row("Too many processes in process table to spawn 'a'", true),
            ]
        );
        assert_eq!(
            told(libc::ENOMEM),
            [
                row("unknown error making dispatchers for 'a': ENOMEM", true),
                row("unknown error during fork for 'a': ENOMEM", true),
            ]
        );
        assert_eq!(
            told(libc::ENOENT),
            [
                row("unknown error making dispatchers for 'a': ENOENT", false),
                row("unknown error during fork for 'a': ENOENT", false),
            ]
        );
    }
}
