//! Either supervisorctl, run many times.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::support::{Output, Scratch, Side, oracle, process_stat, read, root};

/// How long one run may take. Both daemons answer within a second or two; the machine may be busy.
const SECS: u64 = 90;

/// One run.
pub struct Call<'a> {
    /// The command line, without the program.
    pub words: &'a [String],
    /// What stands on stdin.
    pub input: &'a str,
    /// The working directory.
    pub directory: &'a Path,
    /// Ctrl-C comes once stdout has this.
    pub interrupt: Option<&'a str>,
    /// Whether permissions bind it, as they do not bind root.
    pub bound: bool,
}

/// A client and the files that its runs read and write.
pub struct Client {
    side: Side,
    files: Scratch,
    original: Option<Original>,
}

impl Client {
    pub fn new(side: Side) -> Client {
        let original = (side == Side::Theirs).then(Original::start);
        Client { side, files: Scratch::new(), original }
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(&mut self, call: &Call<'_>) -> Output {
        let [input, out, err] = ["in", "out", "err"].map(|name| self.files.path().join(name));
        fs::write(&input, call.input).expect("a file for stdin");
        for file in [&out, &err] {
            File::create(file).expect("an empty file");
        }
        let mut running = match &mut self.original {
            Some(original) if !call.bound => original.run(&[&input, &out, &err], self.side, call),
            _ => executed(&[&input, &out, &err], self.side, call),
        };
        let mut interrupt = call.interrupt;
        let deadline = Instant::now() + Duration::from_secs(SECS);
        let code = loop {
            if let Some(code) = running.ended() {
                break code;
            }
            // In the midst of its work the original's client takes Ctrl-C for a failure.
            let waits = || process_stat(running.pid()).is_some_and(|stat| stat.state == 'S');
            if interrupt.is_some_and(|text| read(&out).contains(text) && waits()) {
                running.signal(Signal::SIGINT);
                interrupt = None;
            }
            if Instant::now() > deadline {
                running.signal(Signal::SIGKILL);
                panic!("{:?} {:?} still ran after {SECS} s: {}", self.side, call.words, read(&out));
            }
            thread::sleep(Duration::from_millis(10));
        };
        Output { stdout: read(&out), stderr: read(&err), code }
    }
}

/// A run that goes on.
enum Running<'a> {
    Executed(Child),
    Forked { pid: i32, lines: &'a Receiver<String> },
}

impl Running<'_> {
    fn ended(&mut self) -> Option<i32> {
        match self {
            Running::Executed(child) => {
                let status = child.try_wait().expect("try_wait")?;
                Some(status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)))
            }
            Running::Forked { lines, .. } => Some(number(&lines.try_recv().ok()?)),
        }
    }

    fn pid(&self) -> i32 {
        match self {
            Running::Executed(child) => child.id() as i32,
            Running::Forked { pid, .. } => *pid,
        }
    }

    fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.pid()), signal).expect("a signal to the client");
    }
}

fn executed<'a>(files: &[&PathBuf; 3], side: Side, call: &Call<'_>) -> Running<'a> {
    let mut line: Vec<OsString> = Vec::new();
    if call.bound && root() {
        line.extend(["setpriv", "--bounding-set=-dac_override,-dac_read_search"].map(Into::into));
    }
    line.push(side.supervisorctl().into());
    line.extend(call.words.iter().map(Into::into));
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).current_dir(call.directory);
    environment(&mut command);
    let file = |path| File::options().write(true).open(path).expect("its file");
    let input = File::open(files[0]).expect("its stdin");
    command.stdin(input).stdout(file(files[1])).stderr(file(files[2]));
    Running::Executed(command.spawn().expect("the client, or setpriv of util-linux"))
}

/// The same for both clients, as errors tell of it.
fn environment(command: &mut Command) {
    command.env_clear().env("LC_ALL", "C.UTF-8");
    command.envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, env::var_os(name)?))));
}

/// The original's client, whose modules are imported once.
struct Original {
    child: Child,
    requests: ChildStdin,
    lines: Receiver<String>,
}

impl Original {
    fn start() -> Original {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/original_client.py");
        let mut command = Command::new(oracle("python3"));
        command.arg(script);
        environment(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the original's python");
        let requests = child.stdin.take().expect("its stdin");
        let answers = BufReader::new(child.stdout.take().expect("its stdout"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in answers.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Original { child, requests, lines }
    }

    #[track_caller]
    fn run(&mut self, files: &[&PathBuf; 3], side: Side, call: &Call<'_>) -> Running<'_> {
        let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let mut fields: Vec<String> = files.iter().map(|file| path(file)).collect();
        fields.push(path(call.directory));
        fields.push(path(&side.supervisorctl()));
        fields.extend(call.words.iter().cloned());
        writeln!(self.requests, "{}", fields.join("\u{1f}")).expect("a request");
        let pid = self.lines.recv_timeout(Duration::from_secs(SECS)).expect("a process");
        Running::Forked { pid: number(&pid), lines: &self.lines }
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn number(line: &str) -> i32 {
    line.parse().expect("a number")
}
