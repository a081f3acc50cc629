//! What the black-box tests share: a daemon in a directory of its own, commands given to it,
//! and waits that end with a condition or a deadline.
//!
//! Two sets of programs can stand under a test. *Ours* are the binaries that cargo has just
//! built. *Theirs* is Supervisor itself, below the directory that `MINDER_ORACLE` names.
//! `MINDER_COMPAT=theirs` turns the whole suite onto the original: what passes there is a true
//! statement about the interface, and what then fails on ours is a defect of ours.
#![allow(dead_code, reason = "each test program uses a part of this module")]

pub mod hanging;
pub mod rpc;
pub mod system_log;
mod wall_clock;

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixDatagram},
            process::ExitStatusExt,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use rpc::Connection;

/// Whose programs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The binaries of this package.
    Ours,
    /// Supervisor 4.3.0.
    Theirs,
}

impl Side {
    /// The side that the whole suite runs on.
    pub fn under_test() -> Side {
        match env::var("MINDER_COMPAT").as_deref() {
            Ok("theirs") => Side::Theirs,
            Ok("ours") | Err(_) => Side::Ours,
            Ok(other) => panic!("MINDER_COMPAT is {other:?}; it can be ours or theirs"),
        }
    }

    /// Whether a statement that is true of ours alone is to be tested; says so where it is not.
    pub fn ours_only(what: &str) -> bool {
        let ours = Side::under_test() == Side::Ours;
        if !ours {
            eprintln!("not asked of the original: {what}");
        }
        ours
    }

    /// The daemon's binary.
    pub fn supervisord(self) -> PathBuf {
        match self {
            Side::Ours => ours("supervisord", env!("CARGO_BIN_EXE_supervisord")),
            Side::Theirs => oracle("supervisord"),
        }
    }

    /// The client's binary.
    pub fn supervisorctl(self) -> PathBuf {
        match self {
            Side::Ours => ours("supervisorctl", env!("CARGO_BIN_EXE_supervisorctl")),
            Side::Theirs => oracle("supervisorctl"),
        }
    }

    /// The binary that stands for a daemon with a pidfile.
    pub fn pidproxy(self) -> PathBuf {
        match self {
            Side::Ours => ours("pidproxy", env!("CARGO_BIN_EXE_pidproxy")),
            Side::Theirs => oracle("pidproxy"),
        }
    }

    /// The binary that prints a sample configuration.
    pub fn echo_supervisord_conf(self) -> PathBuf {
        match self {
            Side::Ours => {
                ours("echo_supervisord_conf", env!("CARGO_BIN_EXE_echo_supervisord_conf"))
            }
            Side::Theirs => oracle("echo_supervisord_conf"),
        }
    }
}

/// A program of ours: that of this build, unless MINDER_OURS names a directory with another one,
/// such as the static build.
fn ours(program: &str, built: &str) -> PathBuf {
    match env::var_os("MINDER_OURS") {
        Some(directory) => PathBuf::from(directory).join(program),
        None => built.into(),
    }
}

/// A program of the original.
pub fn oracle(program: &str) -> PathBuf {
    let Some(root) = env::var_os("MINDER_ORACLE") else {
        panic!(
            "this test needs Supervisor 4.3.0: set MINDER_ORACLE to a directory with \
             bin/supervisord (scripts/test makes one)"
        );
    };
    let path = Path::new(&root).join("bin").join(program);
    assert!(path.exists(), "MINDER_ORACLE has no {}", path.display());
    path
}

/// What a finished command left.
#[derive(Clone, Debug)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
    /// The exit code; minus the signal where one ended it.
    pub code: i32,
}

impl Output {
    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// Fails unless standard output and the exit code are these.
    #[track_caller]
    pub fn expect(&self, stdout: &str, code: i32) {
        assert_eq!(self.stdout, stdout, "stdout of {self:?}");
        assert_eq!(self.code, code, "exit code of {self:?}");
    }

    /// Fails unless standard output contains `part` and the exit code is this.
    #[track_caller]
    pub fn expect_part(&self, part: &str, code: i32) {
        assert!(self.stdout.contains(part), "{part:?} is not in the stdout of {self:?}");
        assert_eq!(self.code, code, "exit code of {self:?}");
    }
}

/// Runs a command to its end; a command that takes longer than `secs` is killed and fails.
#[track_caller]
pub fn run(command: &mut Command, secs: u64) -> Output {
    let scratch = Scratch::new();
    let (out, err) = (scratch.path().join("out"), scratch.path().join("err"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out).expect("a file for stdout"))
        .stderr(fs::File::create(&err).expect("a file for stderr"))
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let deadline = Instant::now() + Duration::from_secs(secs);
    let status = loop {
        if let Some(status) = child.try_wait().expect("try_wait") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{command:?} still ran after {secs} s; stdout so far: {}", read(&out));
        }
        thread::sleep(Duration::from_millis(5));
    };
    Output {
        stdout: read(&out),
        stderr: read(&err),
        code: status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)),
    }
}

/// The text of a file, bad bytes replaced; empty where there is none.
pub fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Asks until `condition` has an answer; fails once `secs` have passed.
#[track_caller]
pub fn wait_for<T>(what: &str, secs: u64, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(secs);
    loop {
        if let Some(answer) = condition() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {secs} s in vain for: {what}");
        thread::sleep(poll_interval());
    }
}

/// The original spends milliseconds on an answer: asked too often, it does nothing else.
fn poll_interval() -> Duration {
    match Side::under_test() {
        Side::Ours => Duration::from_millis(10),
        Side::Theirs => Duration::from_millis(60),
    }
}

/// Whether `text` has the parts of `pattern` between its `*` in this order, from its first
/// character to its last.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A TCP port of 127.0.0.1 that no other test has, in this process or another, until this one
/// ends. It is none of those that clients' ends of connections get, which come and go.
pub fn free_port() -> u16 {
    static HELD: Mutex<Vec<UnixDatagram>> = Mutex::new(Vec::new());
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    let begin = std::process::id().wrapping_mul(7919);
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let already = u32::try_from(held.len()).expect("few ports");
    for number in already..already + COUNT {
        let port = FIRST + begin.wrapping_add(number) % COUNT;
        // A name that is gone with this process; who has it has the port.
        let name = SocketAddr::from_abstract_name(format!("minder-port-{port}"));
        let Ok(name) = UnixDatagram::bind_addr(&name.expect("a name")) else { continue };
        let port = u16::try_from(port).expect("a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            held.push(name);
            return port;
        }
    }
    panic!("no port is free")
}

/// Whether the tests run as root.
pub fn root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether a process exists and is no zombie.
pub fn alive(pid: i32) -> bool {
    process_stat(pid).is_some_and(|stat| stat.state != 'Z')
}

/// What `/proc/<pid>/stat` tells.
#[derive(Clone, Copy, Debug)]
pub struct ProcessStat {
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
}

/// Reads `/proc/<pid>/stat`.
pub fn process_stat(pid: i32) -> Option<ProcessStat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may itself hold blanks and parentheses.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    Some(ProcessStat {
        state: words.next()?.chars().next()?,
        parent: words.next()?.parse().ok()?,
        group: words.next()?.parse().ok()?,
        session: words.next()?.parse().ok()?,
    })
}

/// Every process of the machine.
pub fn all_pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A directory of its own, removed at the end unless its test failed.
pub struct Scratch(PathBuf);

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

impl Scratch {
    /// Makes the directory. Its name is short: the path of a unix socket ends at 107 bytes. All
    /// of a test program's names are of one length, so that nothing depends on it.
    pub fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("minder-{}-{number:04}", std::process::id()));
        fs::create_dir_all(&path).expect("a scratch directory");
        // Programs with user= write here too.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("its mode");
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Name of the variable that every process below a test's daemon carries, so that none outlives
/// the test however it was started.
pub const MARK: &str = "MINDER_TEST_DIR";

/// A configuration in the making.
pub struct Setup {
    scratch: Scratch,
    side: Side,
    supervisord: String,
    sections: String,
    port: Option<u16>,
    told_port: Option<u16>,
    login: Option<(String, String)>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    bare: bool,
    prelude: String,
    own_mounts: bool,
    nodaemon: bool,
    launcher: Vec<String>,
    supervisord_file: Option<PathBuf>,
    pid_namespace: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup::new()
    }
}

impl Setup {
    pub fn new() -> Setup {
        Setup {
            scratch: Scratch::new(),
            side: Side::under_test(),
            supervisord: String::new(),
            sections: String::new(),
            port: None,
            told_port: None,
            login: None,
            args: Vec::new(),
            env: Vec::new(),
            bare: false,
            prelude: String::new(),
            own_mounts: false,
            nodaemon: true,
            launcher: Vec::new(),
            supervisord_file: None,
            pid_namespace: false,
        }
    }

    /// Overrules the side under test.
    pub fn side(mut self, side: Side) -> Setup {
        self.side = side;
        self
    }

    /// Adds lines to `[supervisord]`.
    pub fn supervisord(mut self, lines: &str) -> Setup {
        self.supervisord.push_str(lines);
        self.supervisord.push('\n');
        self
    }

    /// Adds sections as they stand.
    pub fn section(mut self, text: &str) -> Setup {
        self.sections.push_str(text);
        self.sections.push('\n');
        self
    }

    /// Adds `[program:<name>]` with these lines.
    pub fn program(self, name: &str, lines: &str) -> Setup {
        self.section(&format!("[program:{name}]\n{lines}\n"))
    }

    /// Adds a TCP listener on a free port.
    pub fn tcp(mut self) -> Setup {
        self.port = Some(free_port());
        self
    }

    /// Says that a section added by the test has a TCP listener of 127.0.0.1 on this port.
    pub fn at_port(mut self, port: u16) -> Setup {
        self.told_port = Some(port);
        self
    }

    /// Makes every listener ask for this user and password; the tests' own calls give them.
    pub fn login(mut self, user: &str, password: &str) -> Setup {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// An executable file in the test's directory (`%(here)s/<name>` in the configuration).
    pub fn script(self, name: &str, text: &str) -> Setup {
        write_script(&self.path(name), text);
        self
    }

    /// One more word on the daemon's command line.
    pub fn arg(mut self, arg: &str) -> Setup {
        self.args.push(arg.to_owned());
        self
    }

    /// A variable in the daemon's own environment.
    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Words before the daemon's command line: a program that changes what the daemon inherits and
    /// then executes it, such as `prlimit --nofile=512`.
    pub fn launcher(mut self, words: &[&str]) -> Setup {
        self.launcher.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Makes the daemon PID 1 of a namespace of its own, which ends when the test does.
    pub fn in_pid_namespace(mut self) -> Setup {
        self.pid_namespace = true;
        self.launcher(&["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
    }

    /// Another binary of the daemon than that of the side under test.
    pub fn supervisord_file(mut self, file: PathBuf) -> Setup {
        self.supervisord_file = Some(file);
        self
    }

    /// What [`Setup::env`] has set.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let found = self.env.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Gives the daemon nothing of the test's own environment but PATH and HOME.
    pub fn bare(mut self) -> Setup {
        self.bare = true;
        self
    }

    /// Lets the daemon, and it alone, see these lines at the end of the machine's lists of users
    /// and groups. Needs root: it gets a mount namespace of its own.
    pub fn accounts(mut self, users: &str, groups: &str) -> Setup {
        for (name, lines) in [("passwd", users), ("group", groups)] {
            let list = read(&Path::new("/etc").join(name));
            fs::write(self.path(name), list + lines).expect("a list of accounts");
        }
        self.own_mounts = true;
        let lists = self.scratch.path().display().to_string();
        self.prelude(&format!(
            "mount --bind {lists}/passwd /etc/passwd; mount --bind {lists}/group /etc/group"
        ))
    }

    /// Commands of a shell that then becomes the daemon.
    pub fn prelude(mut self, commands: &str) -> Setup {
        self.prelude.push_str(commands);
        self.prelude.push_str("; ");
        self
    }

    /// Lets the daemon go to the background.
    pub fn daemonize(mut self) -> Setup {
        self.nodaemon = false;
        self
    }

    /// The port of the TCP listener, if there is one.
    pub fn try_port(&self) -> Option<u16> {
        self.port
    }

    /// A path in the test's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Writes the configuration.
    pub fn write(&self) -> PathBuf {
        let login = match &self.login {
            Some((user, password)) => format!("username={user}\npassword={password}\n"),
            None => String::new(),
        };
        let inet = match self.port {
            Some(port) => format!("[inet_http_server]\nport=127.0.0.1:{port}\n{login}"),
            None => String::new(),
        };
        let text = format!(
            "[unix_http_server]\nfile=%(here)s/s.sock\n{login}{inet}\
             [supervisord]\nlogfile=%(here)s/activity.log\npidfile=%(here)s/d.pid\n\
             childlogdir=%(here)s\n{}\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
             [supervisorctl]\nserverurl=unix://%(here)s/s.sock\n{login}{}",
            self.supervisord, self.sections
        );
        let path = self.path("c.conf");
        fs::write(&path, text).expect("the configuration");
        path
    }

    fn command(&self, config: &Path) -> Command {
        let mut words: Vec<OsString> = self.launcher.iter().map(OsString::from).collect();
        if self.own_mounts {
            words.extend(["unshare", "--mount"].map(OsString::from));
        }
        if !self.prelude.is_empty() {
            let script = format!("set -e; {} exec \"$0\" \"$@\"", self.prelude);
            words.extend(["/bin/sh", "-c", &script].map(OsString::from));
        }
        let file = self.supervisord_file.clone().unwrap_or_else(|| self.side.supervisord());
        words.push(file.into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        if self.bare {
            command.env_clear();
            command
                .envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, env::var_os(name)?))));
        }
        if self.nodaemon {
            command.arg("-n");
        }
        command
            .arg("-c")
            .arg(config)
            .args(&self.args)
            .current_dir(self.scratch.path())
            .env(MARK, self.scratch.path())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the daemon to its end: for what it refuses.
    #[track_caller]
    pub fn run_to_end(&self, secs: u64) -> Output {
        let config = self.write();
        run(&mut self.command(&config), secs)
    }

    /// The same with a file that the test has written itself.
    #[track_caller]
    pub fn run_file(&self, text: &str, secs: u64) -> Output {
        let config = self.path("c.conf");
        fs::write(&config, text).expect("the configuration");
        run(&mut self.command(&config), secs)
    }

    /// The same with a file that stands there already, or none.
    #[track_caller]
    pub fn run_path(&self, config: &Path, secs: u64) -> Output {
        run(&mut self.command(config), secs)
    }

    /// Lets the daemon's output go to `daemon.out` and `daemon.err`.
    fn keep_output(&self, command: &mut Command) {
        let file = |name| fs::File::create(self.path(name)).expect(name);
        command.stdout(file("daemon.out")).stderr(file("daemon.err"));
    }

    /// Starts the daemon on a file that stands there already, and waits for nothing.
    pub fn spawn(&self, config: &Path) -> Child {
        let mut command = self.command(config);
        self.keep_output(&mut command);
        command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Starts the daemon and waits until it answers.
    #[track_caller]
    pub fn start(self) -> TestDaemon {
        let config = self.write();
        self.start_file(config)
    }

    /// Starts the daemon on a file that the test has written itself; the file's socket is
    /// `s.sock`, its activity log `activity.log`, its pidfile `d.pid` in the test's directory.
    #[track_caller]
    pub fn start_file(self, config: PathBuf) -> TestDaemon {
        let child = self.spawn(&config);
        let mut daemon = TestDaemon { setup: self, config, child, pid: 0 };
        daemon.await_answer();
        daemon
    }
}

/// Writes an executable file. Another process does: a descriptor for writing that a child of
/// another thread holds for a moment would keep the file from being executed (ETXTBSY).
pub fn write_script(path: &Path, text: &str) {
    let mut writer = Command::new("/bin/sh")
        .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    writer.stdin.take().expect("its stdin").write_all(text.as_bytes()).expect("a script");
    assert!(writer.wait().expect("its end").success(), "{} was not written", path.display());
}

/// Copies programs of tests/fixtures into a directory.
pub fn copy_fixtures(names: &[&str], directory: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let paths = names.iter().map(|name| fixtures.join(name));
    let status =
        Command::new("install").args(["-m", "755", "-t"]).arg(directory).args(paths).status();
    assert!(status.expect("install").success(), "{names:?} were not copied");
}

/// A running daemon.
pub struct TestDaemon {
    pub setup: Setup,
    pub config: PathBuf,
    child: Child,
    /// The daemon's pid (not its parent's, which ends when it daemonizes).
    pub pid: i32,
}

impl TestDaemon {
    #[track_caller]
    fn await_answer(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        self.pid = loop {
            if let Some(pid) = self.try_pid() {
                break if self.setup.pid_namespace { self.pid_outside(pid) } else { pid };
            }
            let ended = self.child.try_wait().expect("try_wait");
            if let Some(status) = ended.filter(|status| !status.success() || self.setup.nodaemon) {
                panic!("the daemon ended at once: {status}\n{}", self.diagnosis());
            }
            assert!(Instant::now() < deadline, "the daemon does not answer\n{}", self.diagnosis());
            thread::sleep(Duration::from_millis(10));
        };
    }

    /// The number outside of the daemon that is PID 1 of its namespace.
    #[track_caller]
    fn pid_outside(&self, inside: i32) -> i32 {
        assert_eq!(inside, 1, "the daemon is not PID 1 of its namespace");
        let launcher = self.child.id() as i32;
        let is_child = |pid: &i32| process_stat(*pid).is_some_and(|stat| stat.parent == launcher);
        all_pids().into_iter().find(is_child).expect("the daemon, the launcher's only child")
    }

    fn try_pid(&self) -> Option<i32> {
        let answer = self.try_rpc().ok()?.call("supervisor.getPID", "");
        rpc::scalar(&answer.ok()?)?.parse().ok()
    }

    /// The pid that the daemon gives as its own.
    #[track_caller]
    pub fn rpc_pid(&self) -> i32 {
        self.try_pid().expect("an answer to getPID")
    }

    /// A path in the test's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.setup.path(name)
    }

    /// The text of a file in the test's directory.
    pub fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }

    /// Adds text to the configuration's end.
    pub fn append(&self, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).open(&self.config).expect("the config");
        file.write_all(text.as_bytes()).expect("the config's new end");
    }

    /// Changes the configuration.
    #[track_caller]
    pub fn edit(&self, from: &str, to: &str) {
        let text = read(&self.config);
        assert!(text.contains(from), "{from:?} is not in the configuration");
        fs::write(&self.config, text.replacen(from, to, 1)).expect("the configuration");
    }

    /// The port of the TCP listener.
    pub fn port(&self) -> u16 {
        let port = self.setup.port.or(self.setup.told_port);
        port.expect("neither Setup::tcp nor Setup::at_port was called")
    }

    /// A connection of XML-RPC over the unix socket.
    pub fn rpc(&self) -> Connection {
        self.try_rpc().expect("the daemon's unix socket")
    }

    fn try_rpc(&self) -> io::Result<Connection> {
        let connection = Connection::unix(&self.path("s.sock"))?;
        Ok(match &self.setup.login {
            Some((user, password)) => connection.with_login(user, password),
            None => connection,
        })
    }

    /// A plain TCP connection to the daemon.
    pub fn connect_tcp(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port())).expect("the daemon's TCP port")
    }

    /// Runs the client of the daemon's own side.
    #[track_caller]
    pub fn ctl(&self, args: &[&str]) -> Output {
        self.ctl_of(self.setup.side, args)
    }

    /// Runs either client.
    #[track_caller]
    pub fn ctl_of(&self, side: Side, args: &[&str]) -> Output {
        run(&mut self.ctl_command(side, args), 60)
    }

    /// The command line of either client.
    pub fn ctl_command(&self, side: Side, args: &[&str]) -> Command {
        let mut command = Command::new(side.supervisorctl());
        command.arg("-c").arg(&self.config).args(args).env("PYTHONIOENCODING", "utf-8");
        command
    }

    /// The activity log's text.
    pub fn log(&self) -> String {
        self.read("activity.log")
    }

    /// The activity log's lines without their times: `INFO spawned: 'a' with pid 42`.
    pub fn messages(&self) -> Vec<String> {
        self.log().lines().filter_map(|line| line.get(24..).map(str::to_owned)).collect()
    }

    /// How many lines of the activity log match.
    pub fn count(&self, pattern: &str) -> usize {
        self.messages().iter().filter(|line| matches(pattern, line)).count()
    }

    /// The activity log has this many lines that match, the last of which may be about to come, and
    /// no more.
    #[track_caller]
    pub fn has_count(&self, pattern: &str, number: usize) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while self.count(pattern) < number && Instant::now() < deadline {
            thread::sleep(poll_interval());
        }
        assert_eq!(self.count(pattern), number, "lines like {pattern:?}");
    }

    /// Waits for a line of the activity log; `*` stands for anything.
    #[track_caller]
    pub fn wait_log(&self, pattern: &str, secs: u64) -> String {
        self.wait_log_order(&[pattern], secs).remove(0)
    }

    /// Waits until the activity log has these lines in this order, others between them or not.
    #[track_caller]
    pub fn wait_log_order(&self, patterns: &[&str], secs: u64) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(secs);
        loop {
            let mut found = Vec::new();
            for line in self.messages() {
                if patterns.get(found.len()).is_some_and(|pattern| matches(pattern, &line)) {
                    found.push(line);
                }
            }
            if found.len() == patterns.len() {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "no line {:?} (number {} of {patterns:?}) after {secs} s",
                patterns[found.len()],
                found.len() + 1,
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A field of getProcessInfo.
    pub fn info(&self, name: &str, field: &str) -> Option<String> {
        let name = format!("<string>{name}</string>");
        let answer = self.rpc().call("supervisor.getProcessInfo", &name).ok()?;
        rpc::member(&answer, field)
    }

    /// A process's state name; empty where the daemon does not know it.
    pub fn state(&self, name: &str) -> String {
        self.info(name, "statename").unwrap_or_default()
    }

    /// A process's pid, 0 where it has none.
    pub fn pid_of(&self, name: &str) -> i32 {
        self.info(name, "pid").and_then(|pid| pid.parse().ok()).unwrap_or(0)
    }

    /// Waits until a process has this state.
    #[track_caller]
    pub fn wait_state(&self, name: &str, state: &str, secs: u64) {
        wait_for(&format!("{name} {state}"), secs, || (self.state(name) == state).then_some(()));
    }

    /// Waits until a file in the test's directory has text that satisfies the condition.
    #[track_caller]
    pub fn wait_file(&self, name: &str, secs: u64, condition: impl Fn(&str) -> bool) -> String {
        wait_for(&format!("the text of {name}"), secs, || {
            Some(self.read(name)).filter(|text| condition(text))
        })
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.pid), signal).expect("a signal to the daemon");
    }

    /// Waits for the end of the process that the test started; the code, or minus the signal.
    #[track_caller]
    pub fn wait_exit(&mut self, secs: u64) -> i32 {
        let child = &mut self.child;
        let status = wait_for("the daemon's end", secs, || child.try_wait().expect("try_wait"));
        status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
    }

    /// Sends TERM and waits for the end.
    #[track_caller]
    pub fn shut_down(&mut self, secs: u64) -> i32 {
        self.signal(Signal::SIGTERM);
        self.wait_exit(secs)
    }

    /// Kills it, and waits for the end: its programs live on.
    #[track_caller]
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait_exit(20);
    }

    /// Starts it again after its end, with the same configuration, and waits until it answers.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.child = self.setup.spawn(&self.config);
        self.await_answer();
    }

    fn diagnosis(&self) -> String {
        let tail = |name: &str| {
            let text = self.read(name);
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(60)..].join("\n")
        };
        format!(
            "--- {:?}, activity log\n{}\n--- stderr\n{}\n",
            self.setup.side,
            tail("activity.log"),
            tail("daemon.err")
        )
    }
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        if thread::panicking() {
            let status = self
                .try_rpc()
                .and_then(|mut rpc| rpc.call("supervisor.getAllProcessInfo", ""))
                .unwrap_or_else(|error| format!("no answer: {error}"));
            let states = rpc::members(&status, "statename").join(" ");
            eprintln!("{}--- states: {states}", self.diagnosis());
        }
        // The daemon first: what it can't see ending it does not start again.
        let _ = self.child.kill();
        let _ = self.child.wait();
        kill_marked(self.setup.scratch.path());
    }
}

/// Ends all processes that carry the mark with this directory.
pub fn kill_marked(directory: &Path) {
    let mark = format!("{MARK}={}", directory.display());
    for _ in 0..50 {
        let left = marked(&mark);
        if left.is_empty() {
            return;
        }
        for pid in left {
            let _ = signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(10));
    }
    eprintln!("processes of {mark} are still there");
}

/// Living processes that carry this line in their environment.
pub fn marked(mark: &str) -> Vec<i32> {
    let carries = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|line| line == mark.as_bytes()) && alive(*pid)
    };
    all_pids().into_iter().filter(carries).collect()
}

/// An error of input and output with a sentence.
pub fn other(text: &str) -> io::Error {
    io::Error::other(text.to_owned())
}
