//! FastCGI programs: a listening socket as stdin, shared by all children of the program.

use std::{
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
        unix::net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{self, Signal},
    sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr},
    unistd::Pid,
};

use crate::support::{Setup, Side, TestDaemon, alive, free_port, root, rpc, wait_for};

/// Accepts on its stdin and answers with its pid, not too quickly for others to get a turn.
const SERVER: &str = "#!/usr/bin/env python3
import os, socket, time
listener = socket.socket(fileno=0)
while True:
    peer, _ = listener.accept()
    peer.sendall(b'%d' % os.getpid())
    peer.close()
    time.sleep(0.02)
";

/// How long a child may take to answer: one that has yet to be made, too.
const PATIENCE: Duration = Duration::from_secs(30);

const UNIX: &str = "socket=unix://%(here)s/f.sock";

fn serving() -> Setup {
    Setup::new().script("server", SERVER)
}

trait FcgiSetup {
    /// Adds `[fcgi-program:<name>]` that runs the server.
    fn server(self, name: &str, lines: &str) -> Self;
}

impl FcgiSetup for Setup {
    fn server(self, name: &str, lines: &str) -> Setup {
        let command = "command=%(here)s/server";
        self.section(&format!("[fcgi-program:{name}]\n{command}\n{lines}\n"))
    }
}

/// The pid that a server answers with, if one answers in time.
fn ask(mut stream: impl Read) -> Option<i32> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.parse().ok()
}

fn ask_unix(path: &Path) -> Option<i32> {
    let stream = UnixStream::connect(path).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    ask(stream)
}

fn ask_tcp(port: u16) -> Option<i32> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    ask(stream)
}

/// What a process has as its stdin, as `socket:[123]`.
fn stdin_of(pid: i32) -> String {
    let link = fs::read_link(format!("/proc/{pid}/fd/0")).expect("its stdin");
    link.to_string_lossy().into_owned()
}

/// The fault that a method answers with.
fn fault(d: &TestDaemon, method: &str, params: &str) -> Option<(i32, String)> {
    rpc::fault(&d.rpc().call(method, params).expect("an answer"))
}

fn lines_about_sockets(d: &TestDaemon) -> Vec<&'static str> {
    let lines = d.messages();
    let kinds = ["INFO Creating socket", "INFO Closing socket"];
    lines.iter().filter_map(|line| kinds.into_iter().find(|kind| line.starts_with(kind))).collect()
}

#[test]
fn a_child_accepts_on_its_stdin() {
    let d = serving().server("a", UNIX).start();
    let path = d.path("f.sock");
    let url = format!("unix://{}", path.display());
    let (creating, closing) =
        (format!("INFO Creating socket {url}"), format!("INFO Closing socket {url}"));
    d.wait_log_order(
        &[
            &creating,
            &closing,
            "INFO supervisord started with pid *",
            &creating,
            "INFO spawned: 'a' with pid *",
            "INFO success: a entered RUNNING state, *",
        ],
        15,
    );
    let pid = d.pid_of("a");
    assert_eq!(ask_unix(&path), Some(pid));
    assert!(stdin_of(pid).starts_with("socket:["));
    let sent = fault(&d, "supervisor.sendProcessStdin", "<string>a</string><string>x</string>");
    assert_eq!(sent, Some((20, "NO_FILE: a".to_owned())), "there is no pipe");

    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    d.wait_log_order(&["WARN stopped: a (terminated by SIGTERM)", &closing], 15);
    assert!(UnixStream::connect(&path).is_err());
    assert!(path.exists(), "the path stays");
    d.ctl(&["start", "a"]).expect("a: started\n", 0);
    assert_eq!(ask_unix(&path), Some(d.pid_of("a")));
}

#[test]
fn over_tcp_too_and_a_restart_takes_the_same_port() {
    let port = free_port();
    let d = serving().server("a", &format!("socket=tcp://LocalHost:{port}")).start();
    d.wait_state("a", "RUNNING", 15);
    let first = d.pid_of("a");
    assert_eq!(ask_tcp(port), Some(first));
    assert!(d.count(&format!("INFO Creating socket tcp://localhost:{port}")) > 0);
    d.ctl(&["restart", "a"]).expect("a: stopped\na: started\n", 0);
    let second = ask_tcp(port);
    assert!(second.is_some() && second != Some(first), "{second:?}");
}

#[test]
fn all_processes_of_a_program_share_one_socket() {
    let d =
        serving().server("f", &format!("{UNIX}\nnumprocs=2\nprocess_name=%(process_num)s")).start();
    d.wait_state("f:0", "RUNNING", 15);
    d.wait_state("f:1", "RUNNING", 15);
    let pids = [d.pid_of("f:0"), d.pid_of("f:1")];
    assert_eq!(stdin_of(pids[0]), stdin_of(pids[1]));
    let path = d.path("f.sock");
    let mut missing = pids.to_vec();
    wait_for("an answer of each", 15, || {
        let answer = ask_unix(&path);
        missing.retain(|pid| Some(*pid) != answer);
        missing.is_empty().then_some(())
    });
    // The first takes nothing away from the second.
    d.ctl(&["stop", "f:0"]).expect("f:0: stopped\n", 0);
    assert_eq!(ask_unix(&path), Some(pids[1]));
    let [creating, closing] = ["INFO Creating socket", "INFO Closing socket"];
    assert_eq!(lines_about_sockets(&d), [creating, closing, creating]);
    d.ctl(&["stop", "f:1"]).expect("f:1: stopped\n", 0);
    d.wait_log_order(&["WARN stopped: 1 (*)", "INFO Closing socket *"], 15);
}

#[test]
fn it_closes_when_the_last_child_ends_for_good() {
    let lines = format!("command=/bin/sh -c 'exit 7'\n{UNIX}\nstartsecs=0\nautorestart=false");
    let d = Setup::new().section(&format!("[fcgi-program:a]\n{lines}")).start();
    let exited = "WARN exited: a (exit status 7; not expected)";
    d.wait_log_order(&["INFO spawned: 'a' *", exited, "INFO Closing socket *"], 15);
    assert_eq!(lines_about_sockets(&d).len(), 4);
}

/// How many connections the socket holds before somebody accepts them.
fn room(path: &Path) -> usize {
    let mut held: Vec<OwnedFd> = Vec::new();
    loop {
        let flags = SockFlag::SOCK_NONBLOCK;
        let fd = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
        match socket::connect(fd.as_raw_fd(), &UnixAddr::new(path).unwrap()) {
            Ok(()) => held.push(fd),
            Err(Errno::EAGAIN) => return held.len(),
            Err(error) => panic!("connect: {error}"),
        }
        assert!(held.len() < 100, "no end of room");
    }
}

#[test]
fn mode_and_backlog_are_as_configured() {
    let sleep = "command=/bin/sleep 1000\nstartsecs=0";
    let lines = format!("{sleep}\n{UNIX}\nsocket_mode=0612\nsocket_backlog=5");
    let d = Setup::new()
        .section(&format!("[fcgi-program:a]\n{lines}"))
        .section(&format!("[fcgi-program:b]\n{sleep}\nsocket=unix://%(here)s/%(program_name)s"))
        .start();
    d.wait_state("a", "RUNNING", 15);
    d.wait_state("b", "RUNNING", 15);
    let mode = |name: &str| fs::metadata(d.path(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("f.sock"), mode("b")), (0o612, 0o700));
    assert_eq!(room(&d.path("f.sock")), 6, "Linux holds one more than it is asked for");
}

#[test]
fn a_unix_socket_belongs_to_its_owner_or_else_to_the_user() {
    if !root() {
        return;
    }
    let sleep = "command=/bin/sleep 1000\nstartsecs=0";
    let d = Setup::new()
        .section(&format!("[fcgi-program:a]\n{sleep}\n{UNIX}\nsocket_owner=nobody:root"))
        .section(&format!("[fcgi-program:b]\n{sleep}\nsocket=unix://%(here)s/b.sock\nuser=nobody"))
        .start();
    d.wait_state("a", "RUNNING", 15);
    d.wait_state("b", "RUNNING", 15);
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let found = fs::metadata(d.path("f.sock")).unwrap();
    assert_eq!((found.uid(), found.gid()), (nobody.uid.as_raw(), 0));
    let found = fs::metadata(d.path("b.sock")).unwrap();
    assert_eq!((found.uid(), found.gid()), (nobody.uid.as_raw(), nobody.gid.as_raw()));
}

#[test]
fn what_a_killed_daemon_left_is_taken_over() {
    let setup = serving().server("a", UNIX);
    drop(UnixListener::bind(setup.path("f.sock")).unwrap());
    let d = setup.start();
    d.wait_state("a", "RUNNING", 15);
    assert_eq!(ask_unix(&d.path("f.sock")), Some(d.pid_of("a")));
}

#[test]
fn another_group_can_take_the_path_over() {
    let d = serving().server("blue", UNIX).start();
    let path = d.path("f.sock");
    d.wait_state("blue", "RUNNING", 15);
    let blue = d.pid_of("blue");
    assert_eq!(ask_unix(&path), Some(blue));
    let command = d.path("server");
    d.append(&format!(
        "\n[fcgi-program:green]\ncommand={}\nsocket=unix://{}\nautostart=false\n",
        command.display(),
        path.display()
    ));
    d.ctl(&["update"]).expect("green: added process group\n", 0);
    if Side::under_test() == Side::Ours {
        assert_eq!(ask_unix(&path), Some(blue), "adding alone takes nothing");
    }
    d.ctl(&["start", "green"]).expect("green: started\n", 0);
    assert_eq!(ask_unix(&path), Some(d.pid_of("green")));
    d.ctl(&["stop", "blue"]).expect("blue: stopped\n", 0);
    assert_eq!(ask_unix(&path), Some(d.pid_of("green")));
}

/// Fails unless the daemon refuses to start and says so.
#[track_caller]
fn refused(setup: &Setup, why: &str) {
    let output = setup.run_to_end(20);
    assert_ne!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains(why), "{why:?} is not in {output:?}");
    assert!(!setup.path("d.pid").exists() && !setup.path("s.sock").exists());
    if Side::under_test() == Side::Ours {
        assert_eq!(output.code, 2);
        assert_eq!(output.stderr.lines().next(), Some(format!("Error: {why}").as_str()));
    }
}

#[test]
fn a_socket_that_cannot_be_made_refuses_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let url = format!("tcp://127.0.0.1:{port}");
    let why = "[Errno 98] Address already in use";
    let why = format!("Could not create FastCGI socket {url}: {why}");
    refused(&serving().server("a", &format!("socket={url}")), &why);
    let why = "Could not create FastCGI socket unix:///no/such/s: [Errno 2] No such file or \
               directory";
    refused(&serving().server("a", "socket=unix:///no/such/s"), why);
}

#[test]
fn an_owner_that_cannot_be_had_refuses_the_start() {
    if !root() {
        return;
    }
    let setup =
        serving().supervisord("user=nobody").server("a", &format!("{UNIX}\nsocket_owner=0"));
    let path = setup.path("f.sock");
    let shown = path.display();
    let why = format!(
        "Could not create FastCGI socket unix://{shown}: Could not change ownership of socket \
         file: [Errno 1] Operation not permitted: '{shown}'"
    );
    refused(&setup, &why);
    assert!(!path.exists());
}

#[test]
fn of_the_socket_only_the_url_is_a_change() {
    let d = serving().server("a", &format!("{UNIX}\nsocket_mode=0700\nsocket_backlog=5")).start();
    d.edit("socket_mode=0700\nsocket_backlog=5", "socket_mode=0777\nsocket_backlog=6");
    d.ctl(&["reread"]).expect("No config updates to processes\n", 0);
    d.edit("f.sock", "other.sock");
    d.ctl(&["reread"]).expect("a: changed\n", 0);
    d.ctl(&["update"]).expect("a: stopped\na: updated process group\n", 0);
    d.wait_state("a", "RUNNING", 15);
    assert_eq!(ask_unix(&d.path("other.sock")), Some(d.pid_of("a")));
}

#[test]
fn a_restart_of_the_daemon_makes_it_anew() {
    let port = free_port();
    let tcp = format!("socket=tcp://localhost:{port}");
    let d = serving().server("a", UNIX).server("b", &tcp).start();
    d.wait_state("b", "RUNNING", 15);
    let before = d.pid_of("b");
    // Only then is it sure that no child of its own has the socket too.
    assert_eq!(ask_tcp(port), Some(before));
    d.signal(Signal::SIGHUP);
    wait_for("another child", 30, || ask_tcp(port).filter(|pid| *pid != before));
    d.wait_state("a", "RUNNING", 15);
    assert_eq!(ask_unix(&d.path("f.sock")), Some(d.pid_of("a")));
}

#[test]
fn a_program_in_a_group_has_its_socket() {
    if !Side::ours_only("the original runs it as a plain program") {
        return;
    }
    let d = serving()
        .server("a", &format!("{UNIX}\nnumprocs=2\nprocess_name=%(process_num)s"))
        .program("b", "command=/bin/sleep 1000\nstartsecs=0")
        .section("[group:g]\nprograms=a,b")
        .start();
    for name in ["g:0", "g:1", "g:b"] {
        d.wait_state(name, "RUNNING", 15);
    }
    let [first, second, other] = ["g:0", "g:1", "g:b"].map(|name| stdin_of(d.pid_of(name)));
    assert!(first.starts_with("socket:[") && first == second);
    assert!(other.starts_with("pipe:["));
    let answer = ask_unix(&d.path("f.sock"));
    assert!(answer.is_some_and(|pid| [d.pid_of("g:0"), d.pid_of("g:1")].contains(&pid)));
}

#[test]
fn a_file_with_contents_is_kept() {
    if !Side::ours_only("the original deletes it") {
        return;
    }
    let setup = serving().server("a", UNIX);
    let path = setup.path("f.sock");
    fs::write(&path, "precious").unwrap();
    let shown = path.display();
    let why = format!(
        "Could not create FastCGI socket unix://{shown}: [Errno 17] File exists: '{shown}' is no \
         socket, and not empty"
    );
    refused(&setup, &why);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_bind_that_fails_at_a_start_is_a_failed_start() {
    if !Side::ours_only("the original ends") {
        return;
    }
    let port = free_port();
    let lines = format!("socket=tcp://127.0.0.1:{port}\nautostart=false\nstartretries=100");
    let d = serving().server("a", &lines).start();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let started = fault(&d, "supervisor.startProcess", "<string>a</string>");
    assert_eq!(started, Some((50, "SPAWN_ERROR: a".to_owned())));
    let why = format!(
        "Could not create FastCGI socket tcp://127.0.0.1:{port}: [Errno 98] Address already in use"
    );
    assert_eq!(d.info("a", "spawnerr"), Some(why.clone()));
    assert_eq!(d.state("a"), "BACKOFF");
    d.wait_log(&format!("INFO spawnerr: {why}"), 5);
    drop(taken);
    d.wait_state("a", "RUNNING", 30);
    assert_eq!(ask_tcp(port), Some(d.pid_of("a")));
}

#[test]
fn a_bind_that_fails_refuses_add_and_nothing_is_half_added() {
    if !Side::ours_only("the original answers with HTTP 500") {
        return;
    }
    let d = serving().start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let command = d.path("server");
    d.append(&format!(
        "\n[fcgi-program:a]\ncommand={}\nsocket=tcp://127.0.0.1:{port}\n",
        command.display()
    ));
    d.ctl(&["reread"]).expect("a: available\n", 0);
    let why = format!(
        "FAILED: Could not create FastCGI socket tcp://127.0.0.1:{port}: [Errno 98] Address \
         already in use"
    );
    let added = || fault(&d, "supervisor.addProcessGroup", "<string>a</string>");
    assert_eq!(added(), Some((30, why.clone())));
    assert_eq!(d.state("a"), "");
    let logs = fs::read_dir(d.path("")).unwrap().flatten();
    let names: Vec<String> =
        logs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(!names.iter().any(|name| name.starts_with("a-std")), "{names:?}");
    let update = d.ctl(&["update"]);
    assert!(update.stdout.contains(&why) && update.code != 0, "{update:?}");
    drop(taken);
    d.ctl(&["update"]).expect("a: added process group\n", 0);
    d.wait_state("a", "RUNNING", 15);
    assert_eq!(ask_tcp(port), Some(d.pid_of("a")));
}

#[test]
fn a_socket_that_cannot_be_made_refuses_the_restart() {
    if !Side::ours_only("the original stops everything, and then ends") {
        return;
    }
    let port = free_port();
    let tcp = format!("socket=tcp://localhost:{port}");
    let d = serving().server("a", UNIX).server("b", &tcp).start();
    d.wait_state("a", "RUNNING", 15);
    d.wait_state("b", "RUNNING", 15);
    let pids = [d.pid_of("a"), d.pid_of("b")];
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = taken.local_addr().unwrap().port();
    let url = format!("tcp://127.0.0.1:{other}");
    d.append(&format!("\n[fcgi-program:c]\ncommand=/bin/sleep 1000\nsocket={url}\n"));
    let why = format!("Could not create FastCGI socket {url}: [Errno 98] Address already in use");
    d.signal(Signal::SIGHUP);
    d.wait_log(&format!("ERRO could not restart, everything goes on as it is: {why}"), 15);
    d.ctl(&["reload"]).expect_part(&format!("ERROR: CANT_REREAD: {why}"), 1);
    assert_eq!([d.pid_of("a"), d.pid_of("b")], pids);
    assert_eq!(ask_unix(&d.path("f.sock")), Some(pids[0]), "the path is that of the old socket");
    assert_eq!(ask_tcp(port), Some(pids[1]));
    // One that is open under another name is none that others have.
    drop(taken);
    d.edit(&tcp, &format!("socket=tcp://127.0.0.1:{port}"));
    d.ctl(&["reload"]).expect("Restarted supervisord\n", 0);
    wait_for("another child", 30, || ask_tcp(port).filter(|pid| *pid != pids[1]));
}

/// Connects without end on a thread; counts what was taken and what was refused.
struct Load {
    stop: Arc<AtomicBool>,
    taken: Arc<AtomicU32>,
    thread: thread::JoinHandle<Vec<String>>,
}

impl Load {
    /// `pause` between two connections.
    fn on<S>(pause: Duration, connect: impl Fn() -> std::io::Result<S> + Send + 'static) -> Load {
        let (stop, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (ends, counter) = (Arc::clone(&stop), Arc::clone(&taken));
        let thread = thread::spawn(move || {
            let mut refused = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                match connect() {
                    Ok(stream) => {
                        drop(stream);
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => refused.push(error.to_string()),
                }
                thread::sleep(pause);
            }
            refused
        });
        Load { stop, taken, thread }
    }

    fn end(self) -> (u32, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        (self.taken.load(Ordering::Relaxed), self.thread.join().unwrap())
    }
}

#[test]
fn a_restart_refuses_nobody() {
    if !Side::ours_only("the original closes the socket with its last child") {
        return;
    }
    // Quick, so that the backlog does not fill up.
    let server = SERVER.replace("    time.sleep(0.02)\n", "");
    let port = free_port();
    let d = Setup::new()
        .script("server", &server)
        .server("one", &format!("socket=tcp://127.0.0.1:{port}\nstartsecs=0"))
        .server("two", &format!("{UNIX}\nstartsecs=0\nnumprocs=2\nprocess_name=%(process_num)s"))
        .start();
    d.wait_state("one", "RUNNING", 15);
    d.wait_state("two:1", "RUNNING", 15);
    wait_for("an answer", 15, || ask_tcp(port));
    let (path, pause) = (d.path("f.sock"), Duration::from_millis(1));
    let loads = [
        Load::on(pause, move || TcpStream::connect(("127.0.0.1", port))),
        Load::on(pause, move || UnixStream::connect(&path)),
    ];
    for _ in 0..5 {
        assert_eq!(d.ctl(&["restart", "one", "two:*"]).code, 0);
        wait_for("an answer", 15, || ask_tcp(port));
    }
    for load in loads {
        let (taken, refused) = load.end();
        assert!(refused.is_empty(), "{} of {taken}: {refused:?}", refused.len());
        assert!(taken > 20, "{taken} connections are no load");
    }
}

#[test]
fn a_restart_with_others_that_stop_slowly_refuses_nobody() {
    if !Side::ours_only("the original closes the socket with its last child") {
        return;
    }
    let port = free_port();
    // Stopped by force, after longer than a socket is kept for a restart of its own.
    let slow = "command=/bin/sh -c \"trap '' TERM; while :; do sleep 0.1; done\"\n\
                stopasgroup=true\nkillasgroup=true\nstopwaitsecs=4\nstartsecs=0";
    // Those who only connect are no reason to die, nor to fall behind.
    let send = "peer.sendall(b'%d' % os.getpid())";
    let tolerant = format!("try: {send}\n    except OSError: pass");
    let server = SERVER.replace(send, &tolerant).replace("    time.sleep(0.02)\n", "");
    let d = Setup::new()
        .script("server", &server)
        .server("one", &format!("socket=tcp://127.0.0.1:{port}\nstartsecs=0"))
        .program("slow", slow)
        .section("[group:g]\nprograms=one,slow")
        .server("two", &format!("{UNIX}\nstartsecs=0"))
        .start();
    wait_for("an answer", 90, || ask_tcp(port));
    let path = d.path("f.sock");
    wait_for("an answer", 90, || ask_unix(&path));
    d.wait_state("g:slow", "RUNNING", 15);
    // Few enough for the backlog.
    let pause = Duration::from_millis(100);
    let loads = [
        Load::on(pause, move || TcpStream::connect(("127.0.0.1", port))),
        Load::on(pause, move || UnixStream::connect(&path)),
    ];
    for names in [&["g:*"][..], &["all"], &["two", "g:slow"]] {
        let killed = d.count("WARN killing 'slow' (*) with SIGKILL");
        assert_eq!(d.ctl(&[&["restart"], names].concat()).code, 0);
        assert!(d.count("WARN killing 'slow' (*) with SIGKILL") > killed, "it stops quickly");
        wait_for("an answer", 90, || ask_tcp(port));
        wait_for("an answer", 90, || ask_unix(&d.path("f.sock")));
    }
    for load in loads {
        let (taken, refused) = load.end();
        assert!(refused.is_empty(), "{} of {taken}: {refused:?}", refused.len());
    }
}

#[test]
fn it_stays_open_in_backoff_and_across_restarts() {
    if !Side::ours_only("the original closes the socket with its last child") {
        return;
    }
    // Dies at once, but for the third time.
    let script = "#!/bin/sh\n\
        [ -e one ] || { >one; exit 1; }\n[ -e two ] || { >two; exit 1; }\nexec ./python";
    let d = Setup::new()
        .script("python", SERVER)
        .script("server", script)
        .server("a", &format!("{UNIX}\ndirectory=%(here)s\nstartsecs=5"))
        .start();
    d.wait_log("INFO spawned: 'a' *", 15);
    d.wait_state("a", "BACKOFF", 15);
    // Taken while no child is there, answered by the one that comes.
    let answer = ask_unix(&d.path("f.sock"));
    d.wait_state("a", "RUNNING", 15);
    let pid = d.pid_of("a");
    assert_eq!(answer, Some(pid));
    signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    wait_for("another child", 15, || ask_unix(&d.path("f.sock")).filter(|new| *new != pid));
    assert!(!alive(pid));
    let [creating, closing] = ["INFO Creating socket", "INFO Closing socket"];
    assert_eq!(lines_about_sockets(&d), [creating, closing, creating]);
}

#[test]
fn it_is_closed_by_removal_at_once() {
    if !Side::ours_only("the original closes it at the stop") {
        return;
    }
    let port = free_port();
    let d = serving().server("a", &format!("socket=tcp://localhost:{port}")).start();
    wait_for("an answer", 15, || ask_tcp(port));
    d.ctl(&["stop", "a"]).expect("a: stopped\n", 0);
    d.ctl(&["remove", "a"]).expect("a: removed process group\n", 0);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}
