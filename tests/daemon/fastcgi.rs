//! FastCGI programs on Debian's libfcgi behind Debian's nginx, on unix and on TCP sockets, in pools
//! of three and of one: whoever asks while they are restarted waits a moment and is answered.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{Setup, TestDaemon, free_port, other, run, wait_for};

const REQUESTS: usize = 5_000;
const CLIENTS: usize = 8;

/// The paths that nginx passes on; each is a program of its own.
const PLACES: [&str; 4] = ["unix", "tcp", "unix1", "tcp1"];

/// All processes, in the order of `PLACES`.
const MEMBERS: [&str; 8] = [
    "fcgi:unix_0",
    "fcgi:unix_1",
    "fcgi:unix_2",
    "fcgi:tcp_0",
    "fcgi:tcp_1",
    "fcgi:tcp_2",
    "fcgi:unix1",
    "fcgi:tcp1",
];

/// What all clients saw.
#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    /// The processes that answered.
    pids: Mutex<BTreeSet<i32>>,
    failures: Mutex<Vec<String>>,
    /// Held for reading during a request: who holds it for writing knows that there is none.
    gate: RwLock<()>,
    /// The operator's work is done: the clients may end once there were enough requests.
    finished: AtomicBool,
}

fn connect(port: u16) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// One request: the pid of the process that answered it.
fn ask(stream: &mut BufReader<TcpStream>, place: &str) -> io::Result<i32> {
    write!(stream.get_mut(), "GET /{place} HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut status = String::new();
    stream.read_line(&mut status)?;
    let (mut length, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(other(&format!("closed after {status:?}")));
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body);
    match body.trim().parse() {
        Ok(pid) if status.starts_with("HTTP/1.1 200") => Ok(pid),
        _ => Err(other(&format!("{} {body:?}", status.trim_end()))),
    }
}

/// Requests to one place on a connection that is kept.
fn client(port: u16, place: &str, tally: &Tally) {
    let mut kept = None;
    while !tally.finished.load(Ordering::SeqCst) || tally.answered.load(Ordering::SeqCst) < REQUESTS
    {
        let outcome = {
            let _request = tally.gate.read().unwrap();
            let stream = kept.take().map_or_else(|| connect(port), Ok);
            stream.and_then(|mut stream| ask(&mut stream, place).map(|pid| (stream, pid)))
        };
        match outcome {
            Ok((stream, pid)) => {
                kept = Some(stream);
                tally.pids.lock().unwrap().insert(pid);
                tally.answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                tally.failures.lock().unwrap().push(format!("/{place}: {error}"));
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Waits until the clients are this many answers further.
fn progress(tally: &Tally, more: usize) {
    let goal = tally.answered.load(Ordering::SeqCst) + more;
    wait_for("the clients' progress", 30, || {
        (tally.answered.load(Ordering::SeqCst) >= goal).then_some(())
    });
}

/// The processes of these names, each once it runs.
fn pids(d: &TestDaemon, names: &[&str]) -> Vec<i32> {
    let running = |name: &&str| {
        wait_for(&format!("{name}'s pid"), 10, || Some(d.pid_of(name)).filter(|pid| *pid != 0))
    };
    names.iter().map(running).collect()
}

/// Kills all processes at a moment at which none has accepted a request.
fn kill_all(d: &TestDaemon, tally: &Tally) {
    let old = pids(d, &MEMBERS);
    {
        let _nobody_asks = tally.gate.write().unwrap();
        for pid in &old {
            kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
        }
    }
    wait_for("the successors of killed processes", 10, || {
        let new = MEMBERS.map(|name| d.pid_of(name));
        (new.iter().all(|pid| *pid != 0 && !old.contains(pid))).then_some(())
    });
}

/// Makes the program that all pools run.
fn compile(to: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/answers.c");
    let mut command = Command::new("cc");
    command.args(["-Wall", "-Werror", "-o"]).arg(to).arg(source).arg("-lfcgi");
    let output = run(&mut command, 60);
    assert_eq!(output.code, 0, "is Debian's libfcgi-dev there? {}", output.stderr);
}

fn nginx(web: u16, tcp: u16, tcp1: u16, here: &Path) -> String {
    let here = here.display();
    let addresses = [
        format!("unix:{here}/unix.sock"),
        format!("127.0.0.1:{tcp}"),
        format!("unix:{here}/unix1.sock"),
        format!("127.0.0.1:{tcp1}"),
    ];
    let places: String = PLACES
        .iter()
        .zip(addresses)
        .map(|(place, address)| format!("location = /{place} {{ fastcgi_pass {address}; }}\n"))
        .collect();
    format!(
        "daemon off; pid nginx.pid; user root; worker_processes 1; error_log stderr;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n\
         access_log off; keepalive_requests 10000000;\n\
         client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;\n\
         uwsgi_temp_path t4; scgi_temp_path t5;\n\
         fastcgi_param REQUEST_METHOD $request_method;\n\
         server {{ listen 127.0.0.1:{web};\n{places}}}\n}}\n"
    )
}

fn start(web: u16) -> TestDaemon {
    let (tcp, tcp1) = (free_port(), free_port());
    let pool = |name: &str, socket: &str, count: usize| {
        let process = if count == 1 { "" } else { "_%(process_num)d" };
        format!(
            "[fcgi-program:{name}]\ncommand=%(here)s/answers\nsocket={socket}\n\
             numprocs={count}\nprocess_name=%(program_name)s{process}\n\
             startsecs=0\nautorestart=true\n"
        )
    };
    let setup = Setup::new()
        .section(&pool("unix", "unix://%(here)s/unix.sock", 3))
        .section(&pool("tcp", &format!("tcp://127.0.0.1:{tcp}"), 3))
        .section(&pool("unix1", "unix://%(here)s/unix1.sock", 1))
        .section(&pool("tcp1", &format!("tcp://127.0.0.1:{tcp1}"), 1))
        .section("[group:fcgi]\nprograms=unix,tcp,unix1,tcp1\n")
        .program(
            "nginx",
            "command=/usr/sbin/nginx -e stderr -p %(here)s/n -c %(here)s/nginx.conf\n\
             redirect_stderr=true\nstdout_logfile=%(here)s/nginx.log",
        );
    compile(&setup.path("answers"));
    fs::write(setup.path("nginx.conf"), nginx(web, tcp, tcp1, &setup.path(""))).unwrap();
    fs::create_dir(setup.path("n")).unwrap();
    setup.start()
}

#[test]
fn a_restarted_pool_leaves_no_request_unanswered() {
    let _turn = crate::alone();
    let web = free_port();
    let d = start(web);
    wait_for("nginx's port", 15, || connect(web).ok());
    let mut started: BTreeSet<i32> = pids(&d, &MEMBERS).into_iter().collect();
    let begun = Instant::now();

    let tally = Arc::new(Tally::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let tally = Arc::clone(&tally);
            thread::spawn(move || client(web, PLACES[number % PLACES.len()], &tally))
        })
        .collect();

    progress(&tally, 500);
    for _ in 0..4 {
        for what in [&["fcgi:*"][..], &["fcgi:unix1", "fcgi:tcp1"]] {
            let restart = [&["restart"], what].concat();
            d.ctl(&restart).expect_part("fcgi:tcp1: started\n", 0);
            started.extend(pids(&d, &MEMBERS));
            progress(&tally, 400);
        }
        kill_all(&d, &tally);
        started.extend(pids(&d, &MEMBERS));
        progress(&tally, 400);
    }
    tally.finished.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }

    let answered = tally.answered.load(Ordering::SeqCst);
    let failures = tally.failures.lock().unwrap().clone();
    assert_eq!(failures, Vec::<String>::new(), "{answered} answered; {}", d.read("nginx.log"));
    assert!(answered >= REQUESTS, "{answered}");
    // One generation at the start, four of whole groups, four of the lone members, four after
    // kills; the members of one pool need not all have had work.
    assert_eq!(started.len(), 8 + 4 * 8 + 4 * 2 + 4 * 8, "processes of their own");
    let seen = tally.pids.lock().unwrap().clone();
    assert!(seen.is_subset(&started), "{seen:?} answered, {started:?} were started");
    assert!(seen.len() >= 4 + 4 * 4 + 4 * 2 + 4 * 4, "{} processes answered", seen.len());
    eprintln!("{answered} answers by {} processes in {:?}", seen.len(), begun.elapsed());
}
