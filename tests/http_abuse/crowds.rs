//! Many clients, clients that leave, and a lack of descriptors.

use super::*;

#[test]
fn a_burst_is_answered_whole() {
    let bed = Bed::new();
    let mut clients: Vec<_> = (0..200).map(|_| bed.tcp()).collect();
    let mut local: Vec<_> = (0..200).map(|_| bed.unix()).collect();
    for client in &mut clients {
        client.write_all(b"POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").unwrap();
    }
    for client in &mut local {
        client.write_all(b"POST /b HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").unwrap();
    }
    for client in &mut clients {
        assert_eq!(answer(client).1, "3 /b");
    }
    for client in &mut local {
        assert_eq!(answer(client).1, "3 /b");
        assert_closed(client);
    }
}

#[test]
fn more_clients_than_connections_all_get_their_turn() {
    let limits = Limits { connections: 12, reserved_for_unix: 4, ..Limits::default() };
    let bed = Bed::with(limits, None);
    let clients: Vec<_> = (0..60)
        .map(|_| {
            let address = bed.tcp;
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                exchange(&mut stream, "GET /defer HTTP/1.0\r\n\r\n").1
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), "deferred");
    }
}

#[test]
fn a_client_that_left_is_noticed() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    client.write_all(b"GET /held HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the request", |bed| !bed.held.lock().unwrap().is_empty());
    let request = bed.held.lock().unwrap().pop().unwrap();
    assert!(!request.peer_gone());
    assert_eq!(request.peer(), client.local_addr().unwrap().to_string());
    drop(client);
    bed.wait_for("the client's end", |_| request.peer_gone());
    request.respond(text("to nobody"));
    bed.answers();
}

#[test]
fn a_client_that_leaves_does_not_hold_its_connection_until_its_answer() {
    let bed = Bed::new();
    let parked = |bed: &Bed| bed.parked.lock().unwrap().len();
    let ticket = |bed: &Bed| bed.parked.lock().unwrap().remove(0);
    for round in 0..3 {
        // More than are told of at a time.
        let mut clients: Vec<_> = (0..20).map(|_| (bed.tcp(), bed.unix())).collect();
        for (tcp, unix) in &mut clients {
            tcp.write_all(b"GET /park HTTP/1.1\r\n\r\n").unwrap();
            unix.write_all(b"GET /park HTTP/1.1\r\n\r\n").unwrap();
        }
        bed.wait_for("the requests", |bed| parked(bed) == 40);
        let (mut tcp, mut unix) = clients.pop().unwrap();
        drop(clients);
        bed.wait_for("their ends", |bed| bed.server.connections() == 2);
        assert!(matches!(nonblocking_peek(&tcp), Err(e) if e.kind() == ErrorKind::WouldBlock));
        while parked(&bed) > 0 {
            bed.server.resume(ticket(&bed), |_| {});
        }
        assert_eq!(answer(&mut tcp).1, "job", "round {round}");
        assert_eq!(answer(&mut unix).1, "job", "round {round}");
        // Once more on the same connection, which is watched anew.
        tcp.write_all(b"GET /park HTTP/1.1\r\n\r\n").unwrap();
        bed.wait_for("the request", |bed| parked(bed) == 1);
        drop(tcp);
        bed.wait_for("its end", |bed| bed.server.connections() == 1);
        drop(ticket(&bed));
        assert_eq!(exchange(&mut unix, GET).1, "hello");
        drop(unix);
        bed.wait_for("no connections", |bed| bed.server.connections() == 0);
    }
    // Who is never given an answer learns it.
    let mut client = bed.tcp();
    client.write_all(b"GET /park HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the request", |bed| parked(bed) == 1);
    drop(ticket(&bed));
    assert_closed(&mut client);
}

fn nonblocking_peek(stream: &TcpStream) -> std::io::Result<usize> {
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    peeked
}

/// Run again as a process of its own, as descriptors are the whole process's.
fn apart(test: &str) -> Option<Command> {
    if std::env::var_os("MINDER_HTTP_APART").is_some() {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("MINDER_HTTP_APART", "1");
    Some(command)
}

#[test]
fn out_of_descriptors_heals() {
    if let Some(mut command) = apart("crowds::out_of_descriptors_heals") {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "it ran");
        return;
    }
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let bed = Bed::new();
    let mut idle = bed.unix();
    assert_eq!(exchange(&mut idle, GET).1, "hello");
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
    // Clients and the server share the limit: these take all that is left but one.
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    // A newcomer takes the place of the idle one, once no pool thread lingers on that; the
    // client's own descriptor is the last. Earlier ones are closed at once.
    let mut last = None;
    bed.wait_for("an answer", |bed| {
        last = None;
        let client = last.insert(bed.unix());
        let mut got = [0; 4096];
        let asked = client.write_all(GET.as_bytes());
        asked.is_ok() && matches!(client.read(&mut got), Ok(n) if got[..n].ends_with(b"hello"))
    });
    let mut newcomer = last.unwrap();
    assert_closed(&mut idle);
    assert!(bed.met(Trouble::Descriptors));
    // Now a request in flight holds the only one, and no idle connection makes room.
    newcomer.write_all(b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\na").unwrap();
    drop(idle);
    let mut refused = bed.unix();
    assert_closed(&mut refused);
    drop(hoard);
    drop(refused);
    newcomer.write_all(b"bc").unwrap();
    assert_eq!(answer(&mut newcomer).1, "3 /x");
    bed.answers();
}

#[test]
fn an_idle_server_makes_no_system_call() {
    if let Some(mut command) = apart("crowds::an_idle_server_makes_no_system_call") {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "it ran");
        return;
    }
    let bed = Bed::new();
    // Its thread has its name once it has done something.
    bed.answers();
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let acceptor = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|task| read(task.join("comm")).trim() == "http")
        .unwrap();
    let switches = || {
        let status = read(acceptor.join("status"));
        status.lines().find(|line| line.starts_with("voluntary")).unwrap().to_owned()
    };
    bed.wait_for("no connections", |bed| bed.server.connections() == 0);
    bed.wait_for("the acceptor at rest", |_| read(acceptor.join("stat")).contains(") S "));
    let before = switches();
    // Some time goes by with another server's work.
    let (other, begin) = (Bed::new(), Instant::now());
    while begin.elapsed() < Duration::from_millis(300) {
        other.answers();
    }
    assert_eq!(switches(), before);
}
