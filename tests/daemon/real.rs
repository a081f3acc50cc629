//! Debian's nginx and redis-server below the daemon, under load, while an operator works.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::support::{Setup, Side, TestDaemon, free_port, root, wait_for};

const REQUESTS: usize = 10_000;

type Failures = Mutex<Vec<(Instant, String)>>;

/// What all clients saw.
#[derive(Default)]
struct Tally {
    /// Requests that nginx answered with 200.
    served: AtomicUsize,
    /// PINGs that redis answered.
    ponged: AtomicUsize,
    web_failures: Failures,
    redis_failures: Failures,
    /// The operator's work is done: the clients may end once there were enough requests.
    finished: AtomicBool,
}

fn get(stream: &mut BufReader<TcpStream>, number: usize) -> std::io::Result<()> {
    write!(stream.get_mut(), "GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(std::io::Error::other(format!("answer {line:?}")));
    }
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length])
}

fn ping(stream: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    stream.get_mut().write_all(b"PING\r\n")?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if line == "+PONG\r\n" {
        Ok(())
    } else {
        Err(std::io::Error::other(format!("answer {line:?}")))
    }
}

fn connect(port: u16) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// One request on a kept connection, which is made first where there is none. After a failure
/// there is none, and the failure is noted.
fn ask(
    kept: &mut Option<BufReader<TcpStream>>,
    port: u16,
    failures: &Failures,
    request: impl Fn(&mut BufReader<TcpStream>) -> std::io::Result<()>,
) -> bool {
    let outcome = match kept.take() {
        Some(stream) => Ok(stream),
        None => connect(port),
    };
    let outcome = outcome.and_then(|mut stream| request(&mut stream).map(|()| stream));
    match outcome {
        Ok(stream) => {
            *kept = Some(stream);
            true
        }
        Err(error) => {
            failures.lock().unwrap().push((Instant::now(), error.to_string()));
            thread::sleep(Duration::from_millis(20));
            false
        }
    }
}

/// One client: requests to nginx and to redis in turn.
fn client(web: u16, redis: u16, first: usize, tally: &Tally) {
    let (mut to_web, mut to_redis) = (None, None);
    let mut number = first;
    while !tally.finished.load(Ordering::SeqCst) || tally.served.load(Ordering::SeqCst) < REQUESTS {
        // A failed request keeps its number: each number is served once, so logged once.
        if ask(&mut to_web, web, &tally.web_failures, |stream| get(stream, number)) {
            number += 1;
            tally.served.fetch_add(1, Ordering::SeqCst);
        }
        if ask(&mut to_redis, redis, &tally.redis_failures, ping) {
            tally.ponged.fetch_add(1, Ordering::SeqCst);
        }
        thread::sleep(Duration::from_micros(200));
    }
}

/// Waits until the clients are this many requests further.
fn progress(tally: &Tally, more: usize) {
    let goal = tally.served.load(Ordering::SeqCst) + more;
    wait_for("the clients' progress", 60, || {
        (tally.served.load(Ordering::SeqCst) >= goal).then_some(())
    });
}

/// What logrotate does: rename, then USR2. The clients go on meanwhile.
fn rotate(d: &TestDaemon, number: usize) {
    for log in ["access.log", "redis.log"] {
        fs::rename(d.path(log), d.path(&format!("{log}.{number}"))).unwrap();
    }
    d.signal(Signal::SIGUSR2);
    wait_for("new logs", 10, || {
        ["access.log", "redis.log"].iter().all(|log| d.path(log).exists()).then_some(())
    });
}

fn outside(failures: &Failures, window: (Instant, Instant)) -> Vec<(Instant, String)> {
    let all = failures.lock().unwrap().clone();
    // A client notes its failure a moment after it has happened.
    let end = window.1 + Duration::from_millis(500);
    all.into_iter().filter(|(when, _)| *when < window.0 || *when > end).collect()
}

#[test]
fn nginx_and_redis_serve_while_an_operator_works() {
    let _turn = crate::alone();
    assert!(root(), "this test switches users: run it as root");
    let (web, redis) = (free_port(), free_port());
    let nginx = format!(
        "daemon off; pid nginx.pid; worker_processes 1; error_log stderr;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n\
         log_format short '$request_uri $status';\n\
         access_log /dev/stdout short;\n\
         client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;\n\
         uwsgi_temp_path t4; scgi_temp_path t5;\n\
         keepalive_requests 10000000;\n\
         server {{ listen 127.0.0.1:{web}; location / {{ return 200 'hello'; }} }}\n}}\n"
    );
    // The pipe belongs to the program's user, so nginx can open /dev/stdout; the original's
    // belongs to root.
    let user = if Side::under_test() == Side::Ours { "user=www-data" } else { "" };
    let setup = Setup::new()
        .program(
            "nginx",
            &format!(
                "command=/usr/sbin/nginx -e stderr -p %(here)s/n -c %(here)s/nginx.conf\n{user}\n\
                 stopsignal=QUIT\nstdout_logfile=%(here)s/access.log\n\
                 stderr_logfile=%(here)s/error.log"
            ),
        )
        .program(
            "redis",
            &format!(
                "command=/usr/bin/redis-server --port {redis} --bind 127.0.0.1 --save '' \
                 --daemonize no --dir %(here)s/n\nuser=nobody\n\
                 stdout_logfile=%(here)s/redis.log\nredirect_stderr=true"
            ),
        );
    fs::write(setup.path("nginx.conf"), nginx).unwrap();
    fs::create_dir(setup.path("n")).unwrap();
    fs::set_permissions(setup.path("n"), fs::Permissions::from_mode(0o777)).unwrap();
    let d = setup.start();
    d.wait_state("nginx", "RUNNING", 15);
    d.wait_state("redis", "RUNNING", 15);
    for port in [web, redis] {
        wait_for("a server's port", 15, || connect(port).ok());
    }
    for (name, user) in [("nginx", user), ("redis", "user=nobody")] {
        let status = fs::read_to_string(format!("/proc/{}/status", d.pid_of(name))).unwrap();
        let uid = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        assert!(user.is_empty() || !uid.split_whitespace().any(|word| word == "0"), "{uid}");
    }

    let tally = Arc::new(Tally::default());
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let tally = Arc::clone(&tally);
            thread::spawn(move || client(web, redis, number * 100_000_000, &tally))
        })
        .collect();

    progress(&tally, 1000);
    let redis_from = Instant::now();
    d.ctl(&["restart", "redis"]).expect("redis: stopped\nredis: started\n", 0);
    let redis_window = (redis_from, Instant::now());
    progress(&tally, 1000);
    rotate(&d, 1);
    progress(&tally, 1000);
    rotate(&d, 2);
    progress(&tally, 1000);
    let web_from = Instant::now();
    d.ctl(&["stop", "nginx"]).expect("nginx: stopped\n", 0);
    d.ctl(&["start", "nginx"]).expect("nginx: started\n", 0);
    let web_window = (web_from, Instant::now());
    progress(&tally, 1000);
    rotate(&d, 3);
    progress(&tally, 1000);
    tally.finished.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }

    let served = tally.served.load(Ordering::SeqCst);
    assert!(served >= REQUESTS, "{served}");
    assert_eq!(outside(&tally.web_failures, web_window), [], "nginx failed outside its restart");
    assert_eq!(
        outside(&tally.redis_failures, redis_window),
        [],
        "redis failed outside its restart"
    );
    assert!(!tally.web_failures.lock().unwrap().is_empty(), "nobody noticed that nginx stopped");

    // Every line that nginx wrote stands in one of the files once the daemon has read it.
    d.ctl(&["stop", "nginx"]).expect("nginx: stopped\n", 0);
    let mut lines: Vec<String> = ["access.log.1", "access.log.2", "access.log.3", "access.log"]
        .iter()
        .flat_map(|name| d.read(name).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(lines.len(), served, "access-log lines over all files and requests served");
    assert!(lines.iter().all(|line| line.starts_with('/') && line.ends_with(" 200")));
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), served, "a line stands twice");
    eprintln!(
        "{served} requests served, {} failed while nginx was down, {} PINGs",
        tally.web_failures.lock().unwrap().len(),
        tally.ponged.load(Ordering::SeqCst)
    );
}
