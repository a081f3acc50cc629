//! One run: a daemon with an order to fail a call, a scenario, and what must hold of any.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::{
    client,
    plan::{Fault, Lasts},
    scenario::Scenario,
    support::{
        MARK, Scratch, Side, all_pids, free_port, kill_marked, marked, process_stat, read,
        rpc::{members, numbers, scalar},
        system_log::{SystemLog, in_place_of_dev},
        write_script,
    },
};

/// Everything is as configured so soon after a fault; five seconds on a machine of one's own.
const RECOVERY: Duration = Duration::from_secs(20);

/// How long a fault lasts before it is lifted, besides what the scenario takes.
const LASTS: Duration = Duration::from_millis(1200);

/// The daemon's end takes no longer.
const END: Duration = Duration::from_secs(30);

/// What the daemon may use of a processor from its start to its end; a loop that does not wait
/// takes more in the time that a fault lasts.
const CPU: Duration = Duration::from_millis(900);

/// Lines of the activity log from a short life with one fault.
const LINES: usize = 300;

/// A daemon of a scenario.
pub struct Run {
    scratch: Scratch,
    child: Child,
    /// The port of its TCP listener.
    pub port: u16,
    began: Instant,
    syslog: Option<SystemLog>,
    /// What the report told when the scenario was over.
    pub acted: String,
}

impl Run {
    /// Starts it; the fault may strike from the moment that start-up is done.
    pub fn start(scenario: &Scenario, order: &str) -> Run {
        // Others may have the port.
        let mut tries = (0..5).map(|_| Run::try_start(scenario, order));
        let mut why = String::new();
        tries
            .find_map(|run| run.map_err(|error| why = error).ok())
            .unwrap_or_else(|| panic!("{} does not start: {why}", scenario.name))
    }

    fn try_start(scenario: &Scenario, order: &str) -> Result<Run, String> {
        let scratch = Scratch::new();
        let port = take_port();
        let dir = scratch.path();
        for (name, text) in scenario.scripts {
            write_script(&dir.join(name), text);
        }
        fs::write(dir.join("c.conf"), config(scenario.programs, port)).expect("a configuration");
        let order = format!("{order},report={0}/report,lift={0}/lift", dir.display());
        let file = |name: &str| fs::File::create(dir.join(name)).expect("a file for its output");
        let mut command = Command::new(Side::Ours.supervisord());
        let mut syslog = None;
        if scenario.syslog {
            fs::create_dir(dir.join("dev")).expect("a directory for devices");
            let script = format!("{}; exec \"$0\" \"$@\"", in_place_of_dev(&dir.join("dev")));
            command = Command::new("unshare");
            command.args(["--mount", "sh", "-e", "-c", &script]).arg(Side::Ours.supervisord());
            syslog = Some(SystemLog::bind(&dir.join("dev/log")));
            syslog.iter().for_each(SystemLog::read);
        }
        let child = command
            .args(["-n", "-s", "-c"])
            .arg(dir.join("c.conf"))
            .current_dir(dir)
            .env(MARK, dir)
            .env("MINDER_INJECT", order)
            .stdin(Stdio::null())
            .stdout(file("daemon.out"))
            .stderr(file("daemon.err"))
            .spawn()
            .expect("supervisord");
        let (began, acted) = (Instant::now(), String::new());
        let mut run = Run { scratch, child, port, began, syslog, acted };
        let pid = format!("{}\n", run.child.id());
        run.wait("the pidfile", Duration::from_secs(60), |run| {
            if run.read("d.pid") == pid { Ok(()) } else { Err("not written".to_owned()) }
        })
        .map_err(|why| format!("{why}\n{}", run.diagnosis()))?;
        Ok(run)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Calls a method; the answer, a fault's too.
    pub fn call(&self, method: &str, params: &str) -> io::Result<String> {
        client::call(&self.path("s.sock"), method, params)
    }

    /// A method with a name.
    pub fn call_for(&self, method: &str, name: &str) -> io::Result<String> {
        self.call(method, &format!("<string>{name}</string>"))
    }

    /// Bytes to the server and what came back.
    pub fn exchange(&self, text: &str) -> io::Result<Vec<u8>> {
        client::exchange(&self.path("s.sock"), text.as_bytes())
    }

    /// Lets the program `name`, a `cat`, write a line.
    pub fn say(&self, name: &str, line: &str) -> io::Result<String> {
        let params = format!("<string>{name}</string><string>{line}\n</string>");
        self.call("supervisor.sendProcessStdin", &params)
    }

    /// Whether such a line came to the system's log.
    pub fn has_system_logged(&self, text: &str) -> bool {
        self.syslog.as_ref().is_some_and(|log| log.texts().iter().any(|line| line == text))
    }

    pub fn signal(&self, signal: Signal) {
        let _ = signal::kill(Pid::from_raw(self.pid()), signal);
    }

    /// Waits a little for what a fault may have kept from happening: the scenario goes on anyway.
    pub fn await_soon(&self, condition: impl Fn(&Run) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline && !condition(self) {
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        condition: impl Fn(&Run) -> Result<(), String>,
    ) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        loop {
            let why = match condition(self) {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the daemon ended ({status}) before: {what}"));
            }
            if Instant::now() > deadline {
                return Err(format!("waited in vain for {what}: {why}"));
            }
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Plays the scenario and looks at everything; what is wrong.
    pub fn play(&mut self, scenario: &Scenario, fault: Option<&Fault>) -> Result<(), String> {
        (scenario.act)(self);
        self.acted = self.read("report");
        if fault.is_some_and(Fault::ever) {
            let until = self.began + LASTS;
            thread::sleep(until.saturating_duration_since(Instant::now()));
        }
        fs::write(self.path("lift"), "").map_err(|error| error.to_string())?;
        if !scenario.ends {
            let unknown = self.failed("kill") > 0;
            // What only lacked for a while is tried again by itself.
            let may_help = scenario.asks || unknown || !fault.is_some_and(Fault::is_a_lack);
            self.wait("recovery", RECOVERY, |run| {
                let recovered = run.recovered(scenario, unknown, may_help);
                if recovered.is_err() && may_help {
                    (scenario.cure)(run);
                }
                recovered
            })?;
            self.look_at_counters(fault)?;
            if !self.can_not_kill(fault) {
                self.wait("no stranger", RECOVERY, Run::has_no_stranger)?;
            }
        }
        self.end(fault)?;
        self.look_at_logs(fault)
    }

    /// Whether all runs as configured, or does so once it is asked to, if it may be; `unknown`: a
    /// process that could not be signalled is UNKNOWN, as in Supervisor, until it ends.
    fn recovered(&self, scenario: &Scenario, unknown: bool, may_help: bool) -> Result<(), String> {
        let failed = |error: io::Error| error.to_string();
        let all = self.call("supervisor.getAllProcessInfo", "").map_err(failed)?;
        let rows = members(&all, "name").into_iter().zip(members(&all, "group"));
        let states = members(&all, "statename");
        let names: Vec<String> = rows.map(|(name, group)| format!("{group}:{name}")).collect();
        for wanted in scenario.running {
            let wanted = format!("{wanted}:{wanted}");
            if !names.contains(&wanted) && may_help {
                // A request to add it may have failed.
                let group = wanted.split(':').next().unwrap_or_default();
                let _ = self.call("supervisor.reloadConfig", "");
                let _ = self.call_for("supervisor.addProcessGroup", group);
            }
            if !names.contains(&wanted) {
                return Err(format!("{wanted} is not known"));
            }
        }
        for (name, state) in names.iter().zip(&states) {
            let group = name.split(':').next().unwrap_or_default();
            if unknown && state == "UNKNOWN" {
                return Ok(());
            }
            if state != "RUNNING" && scenario.running.contains(&group) {
                let answer = may_help.then(|| self.call_for("supervisor.startProcess", name));
                return Err(format!("{name} is {state}: {answer:?}"));
            }
        }
        // A program reads what it is sent, and its log has it.
        let word = format!("word{}", Instant::now().duration_since(self.began).as_nanos());
        self.say("web", &word).map_err(failed)?;
        self.await_soon(|run| run.read("web.log").contains(&word));
        if !self.read("web.log").contains(&word) {
            return Err(format!("web.log does not grow: {:?}", self.say("web", "x")));
        }
        let page = "GET /nothing HTTP/1.0\r\n\r\n";
        let answer = client::exchange_tcp(self.port, page.as_bytes()).map_err(failed)?;
        if !answer.starts_with(b"HTTP/1.0 404") {
            return Err("TCP does not answer".to_owned());
        }
        (scenario.recovered)(self)
    }

    /// Every child is one that the daemon tells of, and there are no zombies.
    fn has_no_stranger(&self) -> Result<(), String> {
        let all =
            self.call("supervisor.getAllProcessInfo", "").map_err(|error| error.to_string())?;
        let known = members(&all, "pid");
        for (pid, stat) in self.children() {
            if stat == 'Z' || !known.contains(&pid.to_string()) {
                return Err(format!("{pid} ({stat}) is none of {known:?}"));
            }
        }
        Ok(())
    }

    fn children(&self) -> Vec<(i32, char)> {
        let stats = all_pids().into_iter().filter_map(|pid| Some((pid, process_stat(pid)?)));
        stats.filter(|(_, stat)| stat.parent == self.pid()).map(|(p, s)| (p, s.state)).collect()
    }

    fn end(&mut self, fault: Option<&Fault>) -> Result<(), String> {
        let cpu = self.cpu();
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + END;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                _ if Instant::now() > deadline => return Err("it does not end".to_owned()),
                _ => thread::sleep(Duration::from_millis(10)),
            }
        };
        if status.code() != Some(0) {
            return Err(format!("it ended with {status}"));
        }
        let mark = format!("{MARK}={}", self.scratch.path().display());
        // Who can't be signalled can't be ended.
        let spared = self.can_not_kill(fault);
        // One that was killed last may need a moment more.
        let mut left = marked(&mark);
        while !left.is_empty() && !spared && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
            left = marked(&mark);
        }
        if !left.is_empty() && !spared {
            return Err(format!("children are left: {left:?}"));
        }
        // A call that never succeeds may be made again and again.
        let lies = fault.is_some_and(|fault| fault.ever() && fault.lies());
        if cpu > CPU && !lies {
            return Err(format!("{cpu:?} of a processor were used"));
        }
        Ok(())
    }

    fn cpu(&self) -> Duration {
        let text = read(Path::new(&format!("/proc/{}/stat", self.pid())));
        let words: Vec<&str> =
            text.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let ticks = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(0u64);
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    fn look_at_logs(&self, fault: Option<&Fault>) -> Result<(), String> {
        let (log, errors) = (self.read("activity.log"), self.read("daemon.err"));
        if log.contains("panicked") || errors.contains("panicked") {
            return Err("a thread panicked".to_owned());
        }
        let lines = log.lines().count();
        if lines > LINES {
            return Err(format!("{lines} lines were logged"));
        }
        let due = fault.is_some_and(|fault| fault.is_worth_a_line(&self.hit()));
        if due && self.is_whole(fault) && !Fault::is_told(&log, &errors) {
            return Err("nothing tells of the fault".to_owned());
        }
        Ok(())
    }

    /// Whether all failed that was to: the fault may be lifted before the second call, and one that
    /// took a part has taken the rest then.
    fn is_whole(&self, fault: Option<&Fault>) -> bool {
        let torn = fault.is_some_and(|fault| fault.lasts == Lasts::Torn);
        !torn || self.read("report").lines().any(|line| line.starts_with("then "))
    }

    /// What costs something is counted.
    fn look_at_counters(&self, fault: Option<&Fault>) -> Result<(), String> {
        let due = fault.is_some_and(|fault| fault.is_worth_a_number(&self.hit()));
        if !due || !self.is_whole(fault) {
            return Ok(());
        }
        let answer = self.call("minder.getCounters", "").map_err(|error| error.to_string())?;
        // Of the http servers most is counted by the client that looks whether all is well.
        let all = ["daemon", "processes", "events", "activity_log", "http"];
        let numbers = all.iter().filter_map(|part| numbers(&answer, part)).flatten();
        let is_well = |name: &str| ["spawned", "restarted"].contains(&name);
        let mut bad = numbers.filter(|(name, _)| !is_well(name) && !name.starts_with("answered_"));
        if bad.any(|(_, number)| number > 0.0) {
            return Ok(());
        }
        Err(format!("nothing counts the fault: {answer}"))
    }

    /// What failed: `child write src/log/rotating.rs:1:2`; empty if nothing did.
    pub fn hit(&self) -> String {
        let report = self.read("report");
        report.lines().find_map(|line| line.strip_prefix("failed ")).unwrap_or("").to_owned()
    }

    /// Whether a signal was refused and refused again: such a process lives on.
    fn can_not_kill(&self, fault: Option<&Fault>) -> bool {
        self.failed("kill") > 1 || fault.is_some_and(|fault| fault.ever() && fault.call == "kill")
    }

    /// How many calls of this kind failed by themselves.
    fn failed(&self, call: &str) -> usize {
        let report = self.read("report");
        let failed = |line: &str| {
            let mut words = line.split(' ');
            matches!(words.next(), Some("failed" | "then")) && words.nth(1) == Some(call)
        };
        report.lines().filter(|line| failed(line)).count()
    }

    /// What there is to know of a run that went wrong.
    pub fn diagnosis(&self) -> String {
        let tail = |name: &str| {
            let text = self.read(name);
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(40)..].join("\n")
        };
        format!("{}\n--- stderr\n{}", tail("activity.log"), tail("daemon.err"))
    }
}

/// Ports of daemons that have ended: each costs the test a descriptor.
static PORTS: Mutex<Vec<u16>> = Mutex::new(Vec::new());

fn take_port() -> u16 {
    let known = PORTS.lock().unwrap_or_else(PoisonError::into_inner).pop();
    known.unwrap_or_else(free_port)
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        kill_marked(self.scratch.path());
        PORTS.lock().unwrap_or_else(PoisonError::into_inner).push(self.port);
        let _ = io::stderr().flush();
    }
}

/// The configuration with these programs.
pub fn config(programs: &str, port: u16) -> String {
    format!(
        "[unix_http_server]\nfile=%(here)s/s.sock\n[inet_http_server]\nport=127.0.0.1:{port}\n\
         [supervisord]\nlogfile=%(here)s/activity.log\npidfile=%(here)s/d.pid\n\
         childlogdir=%(here)s\non_leftover=kill\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [program:web]\ncommand=cat\nautorestart=true\nstartsecs=0\n\
         stdout_logfile=%(here)s/web.log\nstderr_logfile=NONE\n{programs}"
    )
}

/// The text of an answer's only value.
pub fn value(answer: &io::Result<String>) -> Option<String> {
    scalar(answer.as_ref().ok()?)
}
