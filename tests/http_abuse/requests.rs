//! Requests that are bad, endless, slow or large.

use super::*;

#[test]
fn refusals() {
    let bed = Bed::new();
    let table = [
        ("POST /x HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n", "413"),
        ("POST /x HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\n", "413"),
        ("POST /x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"),
        ("POST /x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"),
        ("POST /x HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "400"),
        ("POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "411"),
        ("POST /x HTTP/1.1\r\n\r\n", "411"),
        ("POST /x HTTP/1.1\r\nContent-Length: nine\r\n\r\n", "400"),
        ("GET /x HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "400"),
        ("GET /x\r\n\r\n", "400"),
        ("garbage\r\n\r\n", "400"),
    ];
    for (request, code) in table {
        let mut client = bed.tcp();
        let (head, body) = exchange(&mut client, request);
        assert_eq!(head.split(' ').nth(1), Some(code), "{request}");
        assert!(body.contains(&format!("<p>Error code {code}.")), "{body}");
        assert_closed(&mut client);
        bed.answers();
    }
    let mut client = bed.unix();
    client.write_all(b"GET /x HTTP/1.1\r\nA: \xff\xfe\r\n\r\n").unwrap();
    assert!(answer(&mut client).0.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    assert_closed(&mut client);
}

#[test]
fn a_refusal_arrives_though_a_large_body_is_on_its_way() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    client.write_all(b"POST /x HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n").unwrap();
    let mut sender = client.try_clone().unwrap();
    let sending = thread::spawn(move || sender.write_all(&vec![b'x'; 20_000_000]));
    assert!(answer(&mut client).0.starts_with("HTTP/1.1 413 "));
    bed.answers();
    drop(client);
    let _ = sending.join().unwrap();
}

#[test]
fn an_endless_head_ends() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let line = [b"X: ".as_slice(), &[b'y'; 1000], b"\r\n"].concat();
    while client.write_all(&line).is_ok() {
        bed.answers();
        client.set_nonblocking(true).unwrap();
        let ended = !matches!(client.peek(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
        client.set_nonblocking(false).unwrap();
        if ended {
            break;
        }
    }
    assert!(answer(&mut client).0.starts_with("HTTP/1.1 431 "));
}

#[test]
fn garbage() {
    let bed = Bed::new();
    let mut client = bed.unix();
    let bytes: Vec<u8> =
        (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let _ = client.write_all(&bytes);
    let mut got = Vec::new();
    let _ = client.read_to_end(&mut got);
    assert!(got.starts_with(b"HTTP/1.0 4"), "{:?}", String::from_utf8_lossy(&got));
    bed.answers();
}

#[test]
fn half_open_heads_leave_room() {
    let limits = Limits { connections: 100, reserved_for_unix: 20, ..Limits::default() };
    let bed = Bed::with(limits, None);
    let mut half = Vec::new();
    for _ in 0..300 {
        let mut client = bed.tcp();
        client.write_all(b"GET /x HTTP/1.1\r\nHost:").unwrap();
        half.push(client);
    }
    bed.answers();
    assert!(bed.server.connections() <= 100);
    // The oldest had to go, the newest are still there.
    assert_closed(&mut half[0]);
    let newest = half.last_mut().unwrap();
    newest.write_all(b" x\r\n\r\n").unwrap();
    assert_eq!(answer(newest).1, "0 /x");
}

#[test]
fn heads_and_bodies_and_idlers_have_deadlines() {
    let limits = Limits {
        head_time: Duration::from_millis(100),
        body_time: Duration::from_millis(100),
        idle_time: Duration::from_millis(200),
        ..Limits::default()
    };
    let bed = Bed::with(limits, None);
    for begun in
        ["", "\r\n", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc"]
    {
        let mut client = bed.tcp();
        client.write_all(begun.as_bytes()).unwrap();
        bed.answers();
        assert_closed(&mut client);
    }
    bed.wait_for("no connections", |bed| bed.server.connections() == 0);
}

#[test]
fn empty_lines_are_no_way_to_stay() {
    let hour = Duration::from_secs(3600);
    let limits =
        Limits { head_time: Duration::from_millis(300), idle_time: hour, ..Limits::default() };
    let bed = Bed::with(limits, None);
    let mut kept = bed.unix();
    assert_eq!(exchange(&mut kept, GET).1, "hello");
    for mut client in [Box::new(kept) as Box<dyn Duplex>, Box::new(bed.tcp())] {
        // As fast as they are taken, so that there is always one to be read.
        let lines = b"\r\n".repeat(1000);
        bed.wait_for("the end of empty lines", |_| client.write_all(&lines).is_err());
        bed.answers();
    }
    // One line alone begins a head, too.
    let mut client = bed.tcp();
    client.write_all(b"\r\n").unwrap();
    assert_closed(&mut client);
    bed.wait_for("no connections", |bed| bed.server.connections() == 0);
}

#[test]
fn stalled_bodies_hold_no_thread() {
    let bed = Bed::new();
    let mut stalled: Vec<_> = (0..50).map(|_| bed.tcp()).collect();
    for client in &mut stalled {
        client.write_all(b"POST /p HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc").unwrap();
    }
    bed.answers();
    for client in &mut stalled {
        client.write_all(b"def").unwrap();
        assert_eq!(answer(client).1, "6 /p");
    }
}

#[test]
fn large_bodies_arrive_however_they_come() {
    let bed = Bed::new();
    for pieces in [1, 7, 300] {
        for mut client in [Box::new(bed.unix()) as Box<dyn Duplex>, Box::new(bed.tcp())] {
            let length = 16 << 20;
            let head = format!("POST /p HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
            client.write_all(head.as_bytes()).unwrap();
            let body = vec![b'x'; length];
            for piece in body.chunks(length / pieces) {
                client.write_all(piece).unwrap();
            }
            assert_eq!(answer(&mut client).1, "16777216 /p");
            assert_eq!(exchange(&mut client, GET).1, "hello");
        }
    }
    let empty_lines = "\r\n".repeat(8000);
    assert_eq!(exchange(&mut bed.unix(), &(empty_lines + GET)).1, "hello");
}

#[test]
fn a_request_by_single_bytes() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    for byte in b"POST /drop%65d?q HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde" {
        client.write_all(&[*byte]).unwrap();
        thread::yield_now();
    }
    assert_eq!(answer(&mut client).1, "5 /drop%65d?q");
}
