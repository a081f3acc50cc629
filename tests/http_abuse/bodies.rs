//! Bodies that together would be too large: who gets the memory.

use super::*;

const MIB: usize = 1 << 20;
/// Each body; two of them are too much.
const BODY: usize = 2 * MIB;
const HOUR: Duration = Duration::from_secs(3600);

/// Room for one body and a half; nothing is quiet or slow but what a test says.
fn limits() -> Limits {
    Limits {
        bodies_bytes: 3 * MIB,
        body_time: HOUR,
        body_quiet: HOUR,
        body_slow: HOUR,
        ..Limits::default()
    }
}

fn head() -> String {
    format!("POST /p HTTP/1.1\r\nContent-Length: {BODY}\r\n\r\n")
}

/// Begins a body and sends so much of it.
fn begin(client: &mut impl Write, length: usize) {
    client.write_all(head().as_bytes()).unwrap();
    client.write_all(&vec![b'x'; length]).unwrap();
}

/// Sends so much of a body from a thread of its own, as the server may not take it yet.
fn send<S: Write + Send + 'static>(mut client: S, length: usize) {
    thread::spawn(move || client.write_all(&vec![b'x'; length]));
}

/// A client that has sent its whole body, or waits until the server takes it.
fn tcp(bed: &Bed) -> TcpStream {
    let client = bed.tcp();
    (&client).write_all(head().as_bytes()).unwrap();
    send(client.try_clone().unwrap(), BODY);
    client
}

fn unix(bed: &Bed) -> UnixStream {
    let client = bed.unix();
    (&client).write_all(head().as_bytes()).unwrap();
    send(client.try_clone().unwrap(), BODY);
    client
}

fn assert_answered(client: &mut impl Read) {
    assert_eq!(answer(client).1, "2097152 /p");
}

fn assert_refused(client: &mut impl Read) {
    let (head, _) = answer(client);
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
}

/// One that stops just before its end.
fn stalled(bed: &Bed) -> TcpStream {
    let mut client = bed.tcp();
    begin(&mut client, BODY - 1);
    client
}

#[test]
fn a_body_waits_until_there_is_memory() {
    let bed = Bed::with(limits(), None);
    let mut first = bed.tcp();
    begin(&mut first, BODY - 1);
    bed.answers();
    let mut second = tcp(&bed);
    let mut small = bed.tcp();
    small.write_all(b"POST /s HTTP/1.1\r\nContent-Length: 9000\r\n\r\n").unwrap();
    small.write_all(&[b'x'; 9000]).unwrap();
    assert_eq!(answer(&mut small).1, "9000 /s", "small ones need none");
    bed.answers();
    assert!(nothing_yet(&second));
    first.write_all(b"x").unwrap();
    assert_answered(&mut first);
    assert_answered(&mut second);
    // What was answered, and what left, holds nothing.
    drop(stalled(&bed));
    for _ in 0..3 {
        assert_answered(&mut tcp(&bed));
        assert_answered(&mut unix(&bed));
    }
    assert!(!bed.met(Trouble::Bodies));
}

fn nothing_yet(client: &TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    let peeked = client.peek(&mut [0]);
    client.set_nonblocking(false).unwrap();
    matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_request_that_is_being_answered_has_its_memory() {
    let bed = Bed::with(limits(), None);
    let mut first = bed.tcp();
    let body = vec![b'x'; BODY];
    first.write_all(head().replace("/p", "/held").as_bytes()).unwrap();
    first.write_all(&body).unwrap();
    bed.wait_for("the request", |bed| !bed.held.lock().unwrap().is_empty());
    let mut waiting = [unix(&bed), unix(&bed)];
    bed.answers();
    let request = bed.held.lock().unwrap().pop().unwrap();
    assert_eq!(request.body().len(), BODY);
    request.respond(text("at last"));
    assert_eq!(answer(&mut first).1, "at last");
    waiting.iter_mut().for_each(assert_answered);
}

#[test]
fn a_request_that_gave_its_body_away_has_none() {
    let bed = Bed::with(limits(), None);
    let mut taken = bed.tcp();
    taken.write_all(head().replace("/p", "/taken").as_bytes()).unwrap();
    taken.write_all(&vec![b'x'; BODY - 1]).unwrap();
    let mut waiting = tcp(&bed);
    bed.answers();
    assert!(nothing_yet(&waiting));
    taken.write_all(b"x").unwrap();
    assert_answered(&mut waiting);
    bed.held.lock().unwrap().pop().unwrap().respond(text("at last"));
    assert_eq!(answer(&mut taken).1, "at last");
}

#[test]
fn one_that_stops_gives_way() {
    let bed = Bed::with(Limits { body_quiet: Duration::from_millis(50), ..limits() }, None);
    // Without anybody who needs its memory it may take its time.
    let mut patient = stalled(&bed);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(200) {
        bed.answers();
    }
    patient.write_all(b"x").unwrap();
    assert_answered(&mut patient);
    let mut silent = stalled(&bed);
    bed.answers();
    assert_answered(&mut tcp(&bed));
    assert_refused(&mut silent);
    assert!(bed.met(Trouble::Bodies));
    bed.answers();
}

#[test]
fn one_that_drips_gives_way() {
    let bed = Bed::with(Limits { body_slow: Duration::from_millis(200), ..limits() }, None);
    let dripping = bed.tcp();
    begin(&mut &dripping, BODY - MIB / 2);
    let drops = dripping.try_clone().unwrap();
    thread::spawn(move || {
        // It lasts as long as the refusal is not read, at most.
        while (&drops).write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert_answered(&mut tcp(&bed));
    assert_refused(&mut &dripping);
    bed.answers();
}

#[test]
fn many_that_stop_give_way_to_one() {
    let bed = Bed::with(Limits { body_quiet: Duration::from_millis(50), ..limits() }, None);
    let mut many: Vec<_> = (0..40).map(|_| bed.tcp()).collect();
    for client in &mut many {
        begin(client, 70 << 10);
    }
    assert_answered(&mut tcp(&bed));
    bed.answers();
}

#[test]
fn a_unix_socket_waits_for_nobody_by_tcp() {
    let bed = Bed::with(limits(), None);
    let mut stopped = stalled(&bed);
    bed.answers();
    assert_answered(&mut unix(&bed));
    assert_refused(&mut stopped);
}

#[test]
fn tcp_gets_nothing_from_a_unix_socket() {
    let short = Duration::from_millis(50);
    let bed = Bed::with(Limits { body_quiet: short, body_slow: short, ..limits() }, None);
    let mut local = bed.unix();
    begin(&mut local, BODY - 1);
    let mut waiting = tcp(&bed);
    let since = Instant::now();
    while since.elapsed() < 6 * short {
        bed.answers();
    }
    assert!(nothing_yet(&waiting));
    local.write_all(b"x").unwrap();
    assert_answered(&mut local);
    assert_answered(&mut waiting);
    // Another unix socket does.
    let mut stopped = bed.unix();
    begin(&mut stopped, BODY - 1);
    assert_answered(&mut unix(&bed));
    assert_refused(&mut stopped);
}

#[test]
fn those_that_wait_for_each_other_get_on() {
    let bed = Bed::with(limits(), None);
    let clients: Vec<_> = (0..3).map(|_| bed.tcp()).collect();
    for client in &clients {
        // A byte more, and each needs a MiB, of which there is none.
        begin(&mut &*client, MIB - 1);
        bed.answers();
    }
    for client in &clients {
        send(client.try_clone().unwrap(), BODY - MIB + 1);
    }
    let answers = clients.iter().map(|mut client| answer(&mut client).0);
    let refused = answers.filter(|head| head.starts_with("HTTP/1.1 503 ")).count();
    assert!(refused < 3, "all were refused");
    assert_answered(&mut tcp(&bed));
}

#[test]
fn one_that_waits_for_too_long_is_told_so() {
    let bed = Bed::with(Limits { body_time: Duration::from_secs(3), ..limits() }, None);
    let mut local = bed.unix();
    local.write_all(head().replace("/p", "/held").as_bytes()).unwrap();
    local.write_all(&vec![b'x'; BODY]).unwrap();
    bed.wait_for("the request", |bed| !bed.held.lock().unwrap().is_empty());
    assert_refused(&mut tcp(&bed));
    bed.held.lock().unwrap().clear();
    assert_answered(&mut tcp(&bed));
}

#[test]
fn one_that_leaves_while_it_waits_is_forgotten() {
    let bed = Bed::with(limits(), None);
    let mut local = bed.unix();
    local.write_all(head().replace("/p", "/held").as_bytes()).unwrap();
    local.write_all(&vec![b'x'; BODY]).unwrap();
    bed.wait_for("the request", |bed| !bed.held.lock().unwrap().is_empty());
    let mut leaving = bed.unix();
    leaving.write_all(head().as_bytes()).unwrap();
    leaving.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(leaving.write_all(&vec![b'x'; BODY]).is_err(), "nobody reads that much");
    bed.answers();
    bed.wait_for("the two", |bed| bed.server.connections() == 2);
    drop(leaving);
    bed.wait_for("its end", |bed| bed.server.connections() == 1);
}
