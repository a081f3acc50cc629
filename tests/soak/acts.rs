//! What can happen: one act at a time of each actor, chosen at random. None of them cares for what
//! comes of it: that is looked at in the pauses.

use std::{
    env, fs,
    io::{Read, Write},
    iter,
    net::TcpStream,
    os::unix::net::UnixStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::{
    programs::{self, CHANGES, LOGIN, RESTING, RUNNING},
    settle::told,
    support::{
        Side, TestDaemon, process_stat,
        rpc::{Connection, Stream, base64, request},
        run,
    },
};

/// An act's name, how often it comes among all, and what it is.
pub struct Act {
    pub name: &'static str,
    weight: usize,
    act: fn(&mut Actor),
}

const fn act(name: &'static str, weight: usize, act: fn(&mut Actor)) -> Act {
    Act { name, weight, act }
}

pub const ALL: &[Act] = &[
    act("kills", 40, kill),
    act("pauses of a child", 10, stop_and_continue),
    act("starts and stops", 60, start_or_stop),
    act("of whole groups", 10, whole_group),
    act("of all", 1, everything),
    act("signals", 20, signal_by_rpc),
    act("changes of the configuration", 10, reconfigure),
    act("supervisorctl", 10, client),
    act("HUPs", 2, hang_up),
    act("USR2s", 5, reopen),
    act("followers", 30, follow),
    act("reads of logs", 40, read_logs),
    act("bad requests", 40, bad_request),
    act("wrong passwords", 10, wrong_password),
    act("idle connections", 10, idle),
    act("calls broken off", 20, broken_off),
    act("events", 40, remote_event),
    act("writes to stdin", 40, to_stdin),
    act("clearings", 10, clear),
    act("logs gone", 10, remove_logs),
    act("logs cut", 10, cut_logs),
    act("questions", 40, ask_about),
];

/// One who acts, with numbers that look like chance.
pub struct Actor<'a> {
    d: &'a TestDaemon,
    seed: u64,
    state: u64,
    count: u64,
}

/// How long an answer is awaited: of a start that a stop must come before, for example.
const PATIENCE: Duration = Duration::from_secs(10);

impl<'a> Actor<'a> {
    pub fn new(d: &'a TestDaemon, seed: u64) -> Actor<'a> {
        let state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Actor { d, seed, state, count: 0 }
    }

    /// Does its share of one act of each kind: none may be missing, however slow the machine is.
    pub fn act_once_each(mut self, share: usize, of: usize, counts: &[AtomicUsize]) {
        let all = (share..ALL.len()).step_by(of);
        all.for_each(|place| self.act(place, counts));
    }

    /// Acts at random until that is over.
    pub fn act_until(mut self, over: &AtomicBool, counts: &[AtomicUsize]) {
        let only = env::var("MINDER_SOAK_ONLY").ok();
        let weight = |act: &Act| match &only {
            Some(name) => usize::from(act.name == name),
            None => act.weight,
        };
        let places: Vec<usize> =
            (0..ALL.len()).flat_map(|place| iter::repeat_n(place, weight(&ALL[place]))).collect();
        assert!(!places.is_empty(), "no act is called {only:?}");
        while !over.load(Ordering::Relaxed) {
            let place = self.one_of(&places);
            self.act(place, counts);
            self.wait(20);
        }
    }

    fn act(&mut self, place: usize, counts: &[AtomicUsize]) {
        self.count += 1;
        (ALL[place].act)(self);
        counts[place].fetch_add(1, Ordering::Relaxed);
    }

    /// Marsaglia's xorshift.
    fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 16) as usize % end
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Lets some milliseconds go by, at random up to that many.
    fn wait(&mut self, most: usize) {
        thread::sleep(Duration::from_millis(self.below(most) as u64));
    }

    /// A process of the configuration: `group:name`.
    fn process(&mut self) -> &'static str {
        let all: Vec<&str> = RUNNING.into_iter().chain(RESTING).collect();
        self.one_of(&all)
    }

    fn group(&mut self) -> &'static str {
        self.process().split(':').next().unwrap()
    }

    /// A connection over either socket.
    fn connect(&mut self) -> Option<Box<dyn Stream>> {
        if self.below(2) == 0 {
            let stream = UnixStream::connect(self.d.path("s.sock")).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            stream.set_write_timeout(Some(PATIENCE)).ok()?;
            return Some(Box::new(stream));
        }
        let stream = TcpStream::connect(("127.0.0.1", self.d.port())).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        Some(Box::new(stream))
    }

    /// A call on a new connection.
    fn call(&mut self, method: &str, params: &str) {
        let method = format!("supervisor.{method}");
        let connection = Connection::unix_within(&self.d.path("s.sock"), PATIENCE);
        let Ok(connection) = connection else { return };
        let _ = connection.with_login(LOGIN.0, LOGIN.1).call(&method, params);
    }

    /// A request to another address than that of calls.
    fn get(&mut self, path: &str) -> Option<Box<dyn Stream>> {
        let mut stream = self.connect()?;
        let login = base64(&format!("{}:{}", LOGIN.0, LOGIN.1));
        let head = format!("GET {path} HTTP/1.1\r\nAuthorization: Basic {login}\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        Some(stream)
    }

    /// A child of the daemon at random.
    fn child(&mut self) -> Option<Pid> {
        let pids: Vec<i32> =
            told(self.d)?.iter().map(|told| told.pid).filter(|pid| *pid > 0).collect();
        if pids.is_empty() {
            return None;
        }
        let pid = self.one_of(&pids);
        // It may have ended meanwhile, and others of this machine must not be met.
        let ours = process_stat(pid).is_some_and(|stat| stat.parent == self.d.pid);
        ours.then_some(Pid::from_raw(pid))
    }

    fn supervisorctl(&self, words: &[&str]) {
        run(self.d.ctl_command(Side::Ours, &[]).args(words), 240);
    }

    fn unique(&self) -> String {
        format!("{}-{}", self.seed, self.count)
    }
}

fn kill(actor: &mut Actor) {
    let number =
        actor.one_of(&[Signal::SIGKILL, Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSEGV]);
    if let Some(pid) = actor.child() {
        let _ = signal::kill(pid, number);
    }
}

fn stop_and_continue(actor: &mut Actor) {
    if let Some(pid) = actor.child() {
        let _ = signal::kill(pid, Signal::SIGSTOP);
        actor.wait(300);
        if process_stat(pid.as_raw()).is_some_and(|stat| stat.parent == actor.d.pid) {
            let _ = signal::kill(pid, Signal::SIGCONT);
        }
    }
}

fn start_or_stop(actor: &mut Actor) {
    let name = actor.process();
    let wait = actor.below(2);
    let methods = actor.one_of::<&[&str]>(&[
        &["startProcess"],
        &["startProcess"],
        &["stopProcess"],
        &["stopProcess", "startProcess"],
    ]);
    for method in methods {
        actor.call(method, &format!("<string>{name}</string><boolean>{wait}</boolean>"));
    }
}

fn whole_group(actor: &mut Actor) {
    let name = actor.group();
    let wait = actor.below(2);
    let method = actor.one_of(&["startProcessGroup", "stopProcessGroup"]);
    actor.call(method, &format!("<string>{name}</string><boolean>{wait}</boolean>"));
}

fn everything(actor: &mut Actor) {
    let wait = actor.below(2);
    let method = actor.one_of(&["stopAllProcesses", "startAllProcesses"]);
    actor.call(method, &format!("<boolean>{wait}</boolean>"));
    actor.call("startAllProcesses", "<boolean>0</boolean>");
}

fn signal_by_rpc(actor: &mut Actor) {
    let number = actor.one_of(&["HUP", "USR1", "CONT", "TERM", "9", "nonsense"]);
    let params = format!("<string>{}</string><string>{number}</string>", actor.process());
    actor.call("signalProcess", &params);
}

fn reconfigure(actor: &mut Actor) {
    // One more than there are: none of them.
    let which = actor.below(CHANGES.len() + 1);
    programs::change(actor.d, which, &actor.unique());
    if actor.below(3) == 0 {
        actor.call("reloadConfig", "");
        let group = format!("<string>{}</string>", actor.group());
        let method = actor.one_of(&["addProcessGroup", "removeProcessGroup"]);
        actor.call(method, &group);
        return;
    }
    actor.supervisorctl(&["update"]);
}

fn client(actor: &mut Actor) {
    let group = actor.group();
    let line = actor.one_of(&[
        "status",
        "reread",
        "update",
        "update GROUP",
        "add GROUP",
        "remove GROUP",
        "restart GROUP",
        "avail",
        "tail GROUP",
        "tail -1000 GROUP stderr",
        "clear GROUP",
        "pid all",
        "nonsense",
    ]);
    let line = line.replace("GROUP", group);
    let words: Vec<&str> = line.split(' ').collect();
    actor.supervisorctl(&words);
}

fn hang_up(actor: &mut Actor) {
    actor.d.signal(Signal::SIGHUP);
}

fn reopen(actor: &mut Actor) {
    actor.d.signal(Signal::SIGUSR2);
}

fn follow(actor: &mut Actor) {
    let name = actor.process();
    let paths =
        [format!("/logtail/{name}"), format!("/logtail/{name}/stderr"), "/mainlogtail".to_owned()];
    let path = paths[actor.below(paths.len())].clone();
    let Some(mut stream) = actor.get(&path) else { return };
    // Some read, some do not.
    if actor.below(2) == 0 {
        let _ = stream.read(&mut [0; 4096]);
    }
    actor.wait(1000);
}

fn read_logs(actor: &mut Actor) {
    let name = actor.process();
    let method = actor.one_of(&[
        "tailProcessStdoutLog",
        "tailProcessStderrLog",
        "readProcessStdoutLog",
        "readProcessStderrLog",
    ]);
    let offset = actor.one_of(&[0, 0, 100, -100, 1_000_000, -1]);
    let length = actor.one_of(&[0, 10, 4096, 100_000, -1]);
    let params = format!("<string>{name}</string><int>{offset}</int><int>{length}</int>");
    actor.call(method, &params);
    actor.call("readLog", &format!("<int>{offset}</int><int>{length}</int>"));
}

fn bad_request(actor: &mut Actor) {
    let login = base64(&format!("{}:{}", LOGIN.0, LOGIN.1));
    let posted = |body: &str, length: usize| {
        format!(
            "POST /RPC2 HTTP/1.1\r\nAuthorization: Basic {login}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
    };
    let call = |method: &str, params: &str| {
        let body = request(method, params);
        posted(&body, body.len())
    };
    let deep = "<value><array><data>".repeat(2000);
    let all = [
        "nonsense\r\n\r\n".to_owned(),
        "\0\u{1}\u{2}\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000)),
        format!("GET /{} HTTP/1.1\r\n\r\n", "z".repeat(100_000)),
        "DELETE /RPC2 HTTP/1.1\r\n\r\n".to_owned(),
        "POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n".to_owned(),
        "POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        posted("<methodCall>", 12),
        posted("not xml at all", 14),
        posted(&deep, deep.len()),
        posted("<?xml version='1.0'?><methodCall></methodCall>", 46),
        call("supervisor.nosuch", ""),
        call("supervisor.startProcess", "<int>1</int>"),
        call("supervisor.startProcess", "<string>nobody</string>"),
        call("supervisor.addProcessGroup", "<string>nobody</string>"),
        call("system.multicall", "<string>x</string>"),
        call("supervisor.sendProcessStdin", "<string>later</string><string>x</string>"),
        call("supervisor.readLog", "<string>x</string><string>y</string>"),
    ];
    let text = &all[actor.below(all.len())];
    let Some(mut stream) = actor.connect() else { return };
    if stream.write_all(text.as_bytes()).is_ok() {
        let _ = stream.read(&mut [0; 4096]);
    }
}

fn wrong_password(actor: &mut Actor) {
    let Ok(connection) = Connection::unix_within(&actor.d.path("s.sock"), PATIENCE) else { return };
    let _ = connection.with_login(LOGIN.0, "guess").call("supervisor.getState", "");
}

fn idle(actor: &mut Actor) {
    let streams: Vec<_> = (0..5).map(|_| actor.connect()).collect();
    actor.wait(500);
    drop(streams);
}

/// Calls whose sender leaves, before all is sent or before there is an answer.
fn broken_off(actor: &mut Actor) {
    let login = base64(&format!("{}:{}", LOGIN.0, LOGIN.1));
    let name = actor.process();
    let method = actor.one_of(&["supervisor.stopProcess", "supervisor.startProcess"]);
    let body = request(method, &format!("<string>{name}</string>"));
    let text = format!(
        "POST /RPC2 HTTP/1.1\r\nAuthorization: Basic {login}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let sent = if actor.below(2) == 0 { text.len() } else { actor.below(text.len()) };
    let Some(mut stream) = actor.connect() else { return };
    let _ = stream.write_all(&text.as_bytes()[..sent]);
    actor.wait(100);
}

fn remote_event(actor: &mut Actor) {
    let data = "e".repeat(actor.one_of(&[1, 10, 1000, 50_000]));
    for _ in 0..actor.one_of(&[1, 1, 30]) {
        let params = format!("<string>soak</string><string>{data}</string>");
        actor.call("sendRemoteCommEvent", &params);
    }
}

fn to_stdin(actor: &mut Actor) {
    let name = if actor.below(4) == 0 { actor.process() } else { "echo:echo" };
    let data = "words \n".repeat(actor.one_of(&[1, 10, 1000, 20_000]));
    actor.call("sendProcessStdin", &format!("<string>{name}</string><string>{data}</string>"));
}

fn clear(actor: &mut Actor) {
    let name = actor.process();
    match actor.below(4) {
        0 => actor.call("clearAllProcessLogs", ""),
        1 => actor.call("clearLog", ""),
        _ => actor.call("clearProcessLogs", &format!("<string>{name}</string>")),
    }
}

fn remove_logs(actor: &mut Actor) {
    let logs = programs::logs(actor.d);
    if !logs.is_empty() {
        let _ = fs::remove_file(&logs[actor.below(logs.len())]);
    }
}

fn cut_logs(actor: &mut Actor) {
    let logs = programs::logs(actor.d);
    if !logs.is_empty() {
        let path = &logs[actor.below(logs.len())];
        let file = fs::OpenOptions::new().write(true).open(path);
        let _ = file.and_then(|file| file.set_len(actor.below(3) as u64 * 100));
    }
}

fn ask_about(actor: &mut Actor) {
    let method = actor.one_of(&["getAllProcessInfo", "getAllConfigInfo", "getState", "getPID"]);
    actor.call(method, "");
    let name = format!("<string>{}</string>", actor.process());
    actor.call("getProcessInfo", &name);
    let Ok(connection) = Connection::unix_within(&actor.d.path("s.sock"), PATIENCE) else { return };
    let _ = connection.with_login(LOGIN.0, LOGIN.1).call("minder.getCounters", "");
}
