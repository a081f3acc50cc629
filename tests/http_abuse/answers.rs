//! Answers: in order, later, to slow readers, without end.

use super::*;

#[test]
fn pipelined_requests_are_answered_in_order() {
    let bed = Bed::new();
    for mut client in [Box::new(bed.unix()) as Box<dyn Duplex>, Box::new(bed.tcp())] {
        let mut requests = String::new();
        for i in 0..100 {
            requests += &match i % 3 {
                0 => format!("GET /{i} HTTP/1.1\r\n\r\n"),
                1 => format!("\r\nPOST /{i} HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"),
                _ => "GET /job HTTP/1.1\r\n\r\n".to_owned(),
            };
        }
        requests += "GET /last HTTP/1.1\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n";
        client.write_all(requests.as_bytes()).unwrap();
        for i in 0..100 {
            let wanted = match i % 3 {
                0 => format!("0 /{i}"),
                1 => format!("2 /{i}"),
                _ => "job".to_owned(),
            };
            assert_eq!(answer(&mut client).1, wanted);
        }
        assert_eq!(answer(&mut client).1, "0 /last");
        assert_closed(&mut client);
    }
    bed.answers();
}

#[test]
fn answers_from_other_threads_and_later() {
    let bed = Bed::new();
    let mut client = bed.unix();
    for _ in 0..50 {
        assert_eq!(exchange(&mut client, "GET /defer HTTP/1.1\r\n\r\n").1, "deferred");
        assert_eq!(exchange(&mut client, "GET /job HTTP/1.1\r\n\r\n").1, "job");
        assert_eq!(exchange(&mut client, GET).1, "hello");
    }
    client.write_all(b"GET /drop HTTP/1.1\r\n\r\n").unwrap();
    assert_closed(&mut client);
    bed.answers();
}

#[test]
fn slow_readers_hold_no_thread() {
    let bed = Bed::new();
    let mut slow: Vec<_> = (0..8).map(|_| bed.tcp()).collect();
    for client in &mut slow {
        client.write_all(b"GET /big HTTP/1.1\r\n\r\nGET /after HTTP/1.1\r\n\r\n").unwrap();
        head_of(client);
        bed.answers();
    }
    for client in &mut slow {
        let mut body = vec![0; BIG];
        client.read_exact(&mut body).unwrap();
        assert!(body.iter().all(|&b| b == b'b'));
        assert_eq!(answer(client).1, "0 /after");
    }
}

#[test]
fn unread_answers_are_bounded() {
    let bed = Bed::with(Limits { unsent_bytes: 3 * BIG, ..Limits::default() }, None);
    let mut slow: Vec<_> = (0..8).map(|_| bed.unix()).collect();
    for client in &mut slow {
        client.write_all(b"GET /big HTTP/1.1\r\n\r\n").unwrap();
        head_of(client);
    }
    bed.wait_for("a report", |bed| bed.met(Trouble::Unsent));
    bed.answers();
}

#[test]
fn an_answer_nobody_reads_has_a_deadline() {
    let bed =
        Bed::with(Limits { unread_time: Duration::from_millis(100), ..Limits::default() }, None);
    let mut client = bed.unix();
    client.write_all(b"GET /big HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the connection", |bed| bed.server.connections() == 1);
    bed.wait_for("its end", |bed| bed.server.connections() == 0);
}

#[test]
fn versions_and_kept_connections() {
    let bed = Bed::new();
    let mut old = bed.tcp();
    let (head, body) = exchange(&mut old, "GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert!(head.starts_with("HTTP/1.0 200 OK\r\nServer: Medusa/1.12\r\nDate: "), "{head}");
    let tail =
        "\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\n";
    assert!(head.ends_with(tail), "{head}");
    assert_eq!(body, "hello");
    exchange(&mut old, "GET /hello HTTP/1.0\r\n\r\n");
    assert_closed(&mut old);
    let mut odd = bed.tcp();
    assert!(exchange(&mut odd, "GET /hello HTTP/2.0\r\n\r\n").0.starts_with("HTTP/2.0 200 OK"));
    assert_eq!(status(&mut odd, "GET /x HTTP/1.1\r\nConnection: close\r\n\r\nmore"), "200");
}

#[test]
fn head_has_no_body() {
    let bed = Bed::new();
    let mut client = bed.tcp();
    client.write_all(b"HEAD /hello HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n").unwrap();
    assert!(head_of(&mut client).contains("Content-Length: 5\r\n"));
    assert_eq!(answer(&mut client).1, "hello");
}

#[test]
fn streams() {
    let bed = Bed::new();
    for (version, chunked) in [("1.1", true), ("1.0", false)] {
        let mut client = bed.unix();
        client.write_all(format!("GET /stream HTTP/{version}\r\n\r\n").as_bytes()).unwrap();
        let head = head_of(&mut client);
        assert_eq!(head.ends_with("Transfer-Encoding: chunked\r\n\r\n"), chunked, "{head}");
        let mut body = String::new();
        client.read_to_string(&mut body).unwrap();
        let chunks = "6\r\nfirst \r\n6\r\nsecond\r\n0\r\n\r\n";
        assert_eq!(body, if chunked { chunks } else { "first second" });
    }
}

#[test]
fn a_stream_that_nobody_reads_ends() {
    let bed = Bed::with(Limits { unread_time: Duration::from_secs(3), ..Limits::default() }, None);
    let mut idle = bed.unix();
    idle.write_all(b"GET /endless HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the connection", |bed| bed.server.connections() == 1);
    // One that reads now and then stays.
    let mut slow = bed.tcp();
    slow.write_all(b"GET /endless HTTP/1.0\r\n\r\n").unwrap();
    head_of(&mut slow);
    let mut piece = vec![0; 1 << 20];
    bed.wait_for("the end of the one that is never read", |bed| {
        slow.read_exact(&mut piece).unwrap();
        bed.server.connections() == 1
    });
    assert!(piece.iter().all(|&byte| byte == b'e'));
    drop(slow);
    bed.wait_for("the end of the other", |bed| bed.server.connections() == 0);
}
