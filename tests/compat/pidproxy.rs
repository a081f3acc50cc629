//! The stand-in of a daemon with a pidfile: what goes on to the daemon, and when it ends.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::support::{
    MARK, Output, Scratch, Setup, Side, alive, kill_marked, read, run, wait_for, write_script,
};

/// A daemon that tells its pid in `p`, and in `log` each signal that it gets and its end, which
/// it takes its time for.
const DAEMON: &str = "#!/bin/sh
for signal in HUP USR1 USR2; do trap \"echo $signal >>log\" $signal; done
for signal in TERM INT QUIT; do
    trap \"echo $signal >>log; sleep 0.5; echo ended >>log; exit 3\" $signal
done
echo $$ >new && mv new p
while :; do sleep 0.05; done
";

/// One that goes to the background: its starter ends before the pidfile is there.
const STARTER: &str = "#!/bin/sh
(sleep 0.5; exec ./daemon) </dev/null >/dev/null 2>&1 &
exit 0
";

/// A pidproxy in a directory of its own.
struct Proxy {
    place: Scratch,
    child: Option<Child>,
}

impl Proxy {
    fn new() -> Proxy {
        let place = Scratch::new();
        write_script(&place.path().join("daemon"), DAEMON);
        write_script(&place.path().join("starter"), STARTER);
        Proxy { place, child: None }
    }

    fn script(self, name: &str, text: &str) -> Proxy {
        write_script(&self.path(name), text);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(Side::under_test().pidproxy());
        command
            .args(args)
            .current_dir(self.place.path())
            .env(MARK, self.place.path())
            .env("PYTHONUNBUFFERED", "1");
        command
    }

    fn start(mut self, args: &[&str]) -> Proxy {
        let file = |name| fs::File::create(self.path(name)).unwrap();
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        self.child = Some(command.spawn().unwrap());
        self
    }

    /// Starts it on the daemon and waits for the pidfile.
    fn with_daemon(command: &str) -> Proxy {
        let proxy = Proxy::new().start(&["p", command]);
        proxy.daemon();
        proxy
    }

    fn run(&self, args: &[&str]) -> Output {
        run(&mut self.command(args), 20)
    }

    #[track_caller]
    fn daemon(&self) -> i32 {
        wait_for("the pidfile", 20, || self.read("p").trim().parse().ok())
    }

    /// Waits for a file: before its command runs, pidproxy may not have heard of signals yet.
    #[track_caller]
    fn wait_file(&self, name: &str) {
        wait_for(name, 20, || self.path(name).exists().then_some(()));
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().unwrap().id();
        signal::kill(Pid::from_raw(pid as i32), signal).unwrap();
    }

    /// Sends a signal and waits until the log ends with this line.
    #[track_caller]
    fn signal_until(&self, signal: Signal, line: &str) {
        self.signal(signal);
        wait_for(line, 20, || (self.read("log").lines().last() == Some(line)).then_some(()));
    }

    fn has_ended(&mut self) -> Option<i32> {
        let status = self.child.as_mut().unwrap().try_wait().unwrap()?;
        Some(status.code().unwrap_or_else(|| -status.signal().unwrap()))
    }

    #[track_caller]
    fn wait_exit(&mut self) -> i32 {
        wait_for("the end of pidproxy", 20, || self.has_ended())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        kill_marked(self.place.path());
    }
}

#[test]
fn too_few_words_show_the_usage() {
    let proxy = Proxy::new();
    for args in [[].as_slice(), &["p"], &["-h"]] {
        let answer = proxy.run(args);
        assert!(answer.stdout.contains("<pidfile name> <command> [<cmdarg1> ...]"), "{answer:?}");
        assert_eq!((answer.stderr.as_str(), answer.code), ("", 1), "{answer:?}");
    }
}

#[test]
fn signals_go_on_to_the_daemon() {
    let mut proxy = Proxy::with_daemon("./daemon");
    proxy.signal_until(Signal::SIGHUP, "HUP");
    proxy.signal_until(Signal::SIGUSR1, "USR1");
    proxy.signal_until(Signal::SIGUSR2, "USR2");
    assert_eq!(proxy.has_ended(), None);
    proxy.signal_until(Signal::SIGTERM, "ended");
    assert_eq!(proxy.wait_exit(), 0);
    assert_eq!(proxy.read("log"), "HUP\nUSR1\nUSR2\nTERM\nended\n");
    assert_eq!((proxy.read("out"), proxy.read("err")), (String::new(), String::new()));
}

#[test]
fn each_signal_that_ends_a_daemon_ends_pidproxy_well() {
    for (signal, name) in
        [(Signal::SIGTERM, "TERM"), (Signal::SIGINT, "INT"), (Signal::SIGQUIT, "QUIT")]
    {
        let mut proxy = Proxy::with_daemon("./daemon");
        proxy.signal_until(signal, "ended");
        assert_eq!((proxy.wait_exit(), proxy.read("log")), (0, format!("{name}\nended\n")));
    }
}

#[test]
fn signals_that_were_ignored_before_go_on_too() {
    let mut proxy = Proxy::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP TERM; exec \"$0\" p ./daemon"]);
    shell.arg(Side::under_test().pidproxy());
    shell.current_dir(proxy.place.path()).env(MARK, proxy.place.path()).stdin(Stdio::null());
    proxy.child = Some(shell.spawn().unwrap());
    proxy.daemon();
    proxy.signal_until(Signal::SIGHUP, "HUP");
    proxy.signal_until(Signal::SIGTERM, "ended");
    assert_eq!(proxy.wait_exit(), 0);
}

#[test]
fn the_pidfile_is_read_when_a_signal_comes() {
    let proxy = Proxy::new().script("two", "#!/bin/sh\n./daemon & wait\n").start(&["p", "./two"]);
    let first = proxy.daemon();
    let sleep = Command::new("sleep").arg("1000").env(MARK, proxy.place.path()).spawn().unwrap();
    let mut sleep = sleep;
    fs::write(proxy.path("p"), format!(" {}\n\n", sleep.id())).unwrap();
    proxy.signal(Signal::SIGUSR1);
    let status = wait_for("the end of sleep", 20, || sleep.try_wait().unwrap());
    assert_eq!(status.signal(), Some(Signal::SIGUSR1 as i32));
    assert!(alive(first) && proxy.read("log").is_empty());
}

#[test]
fn a_pidfile_that_can_not_be_read_is_told() {
    let mut proxy = Proxy::with_daemon("./daemon");
    let line = "Can't read child pidfile p!\n";
    for (count, text) in [None, Some(""), Some("x12"), Some("1x")].into_iter().enumerate() {
        match text {
            None => fs::remove_file(proxy.path("p")).unwrap(),
            Some(text) => fs::write(proxy.path("p"), text).unwrap(),
        }
        proxy.signal(Signal::SIGHUP);
        let wanted = line.repeat(count + 1);
        wait_for("the line", 20, || (proxy.read("out") == wanted).then_some(()));
    }
    proxy.signal(Signal::SIGTERM);
    wait_for("the line", 20, || (proxy.read("out") == line.repeat(5)).then_some(()));
    assert_eq!((proxy.read("log"), proxy.has_ended()), (String::new(), None));
}

#[test]
fn the_command_is_a_path_and_its_words_stay_as_they_are() {
    let text = "#!/bin/sh\necho \"$#\" \"$1\" \"$2\" \"$PROXIED\" \"$PWD\" >told\nexit 3\n";
    let proxy = Proxy::new().script("tell", text);
    let mut command = proxy.command(&["p", "tell", "-a  b", "$x;"]);
    let answer = run(command.env("PROXIED", "v").env("PATH", "/usr/bin:/bin"), 20);
    // Neither is the command's code passed on.
    answer.expect("", 0);
    let told = format!("2 -a  b $x; v {}\n", proxy.place.path().display());
    assert_eq!(proxy.read("told"), told);
}

#[test]
fn pidproxy_ends_well_when_its_command_has_ended_in_any_way() {
    for end in ["exit 0", "exit 3", "kill -KILL $$"] {
        let text = format!("#!/bin/sh\necho $$ >p\n{end}\n");
        let mut proxy = Proxy::new().script("short", &text).start(&["p", "./short"]);
        assert_eq!(proxy.wait_exit(), 0, "{end}");
    }
}

#[test]
fn a_command_that_can_not_run_is_told() {
    if !Side::ours_only("a command that can't run ends the original with 0") {
        return;
    }
    let proxy = Proxy::new();
    fs::write(proxy.path("plain"), "").unwrap();
    write_script(&proxy.path("empty"), "no interpreter");
    let place = proxy.place.path().display();
    for (command, reason) in [
        ("/no/such", "/no/such: [Errno 2] No such file or directory"),
        ("sh", "sh: [Errno 2] No such file or directory"),
        ("plain", "plain: [Errno 13] Permission denied"),
        ("empty", "empty: [Errno 8] Exec format error"),
        (".", ".: [Errno 13] Permission denied"),
    ] {
        let answer = proxy.run(&["p", command]);
        assert_eq!(answer.stderr, format!("pidproxy: can't run {reason}\n"), "{place}");
        assert_eq!((answer.stdout.as_str(), answer.code), ("", 127), "{answer:?}");
    }
}

#[test]
fn pidproxy_outlives_the_daemon() {
    if !Side::ours_only("the original ends before the daemon") {
        return;
    }
    for command in ["./daemon", "./starter"] {
        let mut proxy = Proxy::with_daemon(command);
        let daemon = proxy.daemon();
        proxy.signal(Signal::SIGTERM);
        assert_eq!(proxy.wait_exit(), 0);
        assert_eq!(proxy.read("log"), "TERM\nended\n", "{command}");
        assert!(!alive(daemon));
    }
}

#[test]
fn a_daemon_in_the_background_is_stood_for() {
    if !Side::ours_only("the original ends with the command that left the daemon") {
        return;
    }
    let mut proxy = Proxy::with_daemon("./starter");
    let daemon = proxy.daemon();
    // Longer than it waits for the pidfile of a command that has ended.
    std::thread::sleep(std::time::Duration::from_secs(6));
    assert_eq!(proxy.has_ended(), None);
    signal::kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
    assert_eq!(proxy.wait_exit(), 0);
}

#[test]
fn an_old_pidfile_is_not_stood_for() {
    if !Side::ours_only("the original stands for no daemon in the background") {
        return;
    }
    let proxy = Proxy::new();
    // A stranger that lives, older than the command.
    fs::write(proxy.path("p"), std::process::id().to_string()).unwrap();
    proxy.run(&["p", "/bin/true"]).expect("", 0);
    // Nobody: the signal waits for the daemon to write a better one.
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    fs::write(proxy.path("p"), gone.id().to_string()).unwrap();
    let late = "#!/bin/sh\ntouch started\nuntil [ -e go ]; do sleep 0.05; done\nexec ./daemon\n";
    let mut proxy = proxy.script("late", late).start(&["p", "./late"]);
    proxy.wait_file("started");
    proxy.signal(Signal::SIGTERM);
    wait_for("the complaint", 20, || (!proxy.read("err").is_empty()).then_some(()));
    let complaint = format!(
        "pidproxy: can't signal process {}, named by p: [Errno 3] No such process\n",
        gone.id()
    );
    assert_eq!(proxy.read("err"), complaint);
    fs::write(proxy.path("go"), "").unwrap();
    assert_eq!((proxy.wait_exit(), proxy.read("log")), (0, "TERM\nended\n".into()));
}

#[test]
fn a_signal_that_comes_before_the_pidfile_is_kept() {
    if !Side::ours_only("the original drops it") {
        return;
    }
    for place in ["p", "made/later/p"] {
        let text = format!(
            "#!/bin/sh\ntouch started\nuntil [ -e go ]; do sleep 0.05; done\nmkdir -p made/later\n\
             sed s:new\\ p:new\\ {place}: daemon >it\nchmod +x it\nexec ./it\n"
        );
        let mut proxy = Proxy::new().script("late", &text).start(&[place, "./late"]);
        proxy.wait_file("started");
        for signal in [Signal::SIGHUP, Signal::SIGTERM] {
            let before = proxy.read("out").len();
            proxy.signal(signal);
            wait_for("the line", 20, || (proxy.read("out").len() > before).then_some(()));
        }
        fs::write(proxy.path("go"), "").unwrap();
        assert_eq!(proxy.wait_exit(), 0);
        assert_eq!(proxy.read("log"), "TERM\nended\n", "HUP was dropped, TERM kept");
        assert_eq!(proxy.read("out"), format!("Can't read child pidfile {place}!\n").repeat(2));
    }
}

#[test]
fn a_daemon_that_replaces_itself_is_followed() {
    if !Side::ours_only("the original ends with its command") {
        return;
    }
    let text = "#!/bin/sh
trap './daemon & while [ $(cat p) = $$ ]; do sleep 0.05; done; exit 0' USR2
echo $$ >new && mv new p
while :; do sleep 0.05; done
";
    let mut proxy = Proxy::new().script("first", text).start(&["p", "./first"]);
    let first = proxy.daemon();
    proxy.signal(Signal::SIGUSR2);
    let second = wait_for("the second pid", 20, || Some(proxy.daemon()).filter(|p| *p != first));
    wait_for("the first's end", 20, || (!alive(first)).then_some(()));
    assert!(alive(second));
    proxy.signal(Signal::SIGTERM);
    assert_eq!((proxy.wait_exit(), proxy.read("log")), (0, "TERM\nended\n".into()));
}

#[test]
fn a_supervised_daemon_stops_with_its_proxy() {
    let proxy = Side::under_test().pidproxy();
    let options = "directory=%(here)s\nautorestart=false\nstartsecs=0\nstopwaitsecs=20";
    let command = format!("command={} %(here)s/p ./daemon", proxy.display());
    let mut d = Setup::new()
        .script("daemon", DAEMON)
        .program("proxied", &format!("{command}\n{options}"))
        .start();
    d.wait_file("p", 20, |text| text.ends_with('\n'));
    d.wait_state("proxied", "RUNNING", 20);
    d.ctl(&["signal", "HUP", "proxied"]).expect("proxied: signalled\n", 0);
    d.wait_file("log", 20, |text| text == "HUP\n");
    d.ctl(&["stop", "proxied"]).expect("proxied: stopped\n", 0);
    if Side::ours_only("the daemon has ended when its proxy is stopped") {
        assert_eq!(d.read("log"), "HUP\nTERM\nended\n");
    }
    d.wait_file("log", 20, |text| text == "HUP\nTERM\nended\n");
    assert_eq!(d.shut_down(20), 0);
}
