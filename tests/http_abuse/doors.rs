//! Who is let in: passwords, other sites, listeners that come and go.

use super::*;

#[test]
fn logins() {
    let limits = Limits { login_delay: Duration::from_millis(300), ..Limits::default() };
    let bed = Bed::with(limits, Some(("u", "p")));
    let right = "GET /hello HTTP/1.1\r\nAuthorization: Basic dTpw\r\n\r\n";
    let wrong = "GET /hello HTTP/1.1\r\nAuthorization: Basic dTpx\r\n\r\n";
    let mut client = bed.unix();
    let (head, _) = exchange(&mut client, "POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\nServer: Medusa/1.12\r\nDate: "));
    let tail = "\r\nConnection: close\r\nWWW-Authenticate: Basic realm=\"default\"\r\n\
                Content-Length: 137\r\nContent-Type: text/html\r\n\r\n";
    assert!(head.ends_with(tail), "{head}");
    assert_closed(&mut client);
    assert_eq!(status(&mut bed.tcp(), "GET / HTTP/1.1\r\nAuthorization: Basic !\r\n\r\n"), "400");
    // While wrong passwords wait for their answer, the right one does not.
    let begin = Instant::now();
    let mut guessers: Vec<_> = (0..20).map(|_| bed.tcp()).collect();
    for client in &mut guessers {
        client.write_all(wrong.as_bytes()).unwrap();
    }
    let mut user = bed.tcp();
    for _ in 0..10 {
        assert_eq!(exchange(&mut user, right).1, "hello");
    }
    assert!(begin.elapsed() < Duration::from_millis(300), "{:?}", begin.elapsed());
    assert!(answer(&mut guessers[0]).0.starts_with("HTTP/1.1 401 "));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_closed(&mut guessers[0]);
    // A wrong one on a kept connection, too.
    assert_eq!(status(&mut user, wrong), "401");
    assert_closed(&mut user);
}

#[test]
fn wrong_passwords_keep_nobody_from_the_door() {
    let hour = Duration::from_secs(3600);
    let limits = Limits {
        connections: 20,
        reserved_for_unix: 4,
        login_delay: hour,
        login_delay_most: hour,
        ..Limits::default()
    };
    let bed = Bed::with(limits, Some(("u", "p")));
    let right = "GET /hello HTTP/1.0\r\nAuthorization: Basic dTpw\r\n\r\n";
    let wrong = "GET /hello HTTP/1.1\r\nAuthorization: Basic dTpx\r\n\r\n";
    let mut rounds = Vec::new();
    for _ in 0..100 {
        let begin = Instant::now();
        let mut guessers: Vec<_> = (0..20).map(|_| bed.tcp()).collect();
        for guesser in &mut guessers {
            guesser.write_all(wrong.as_bytes()).unwrap();
        }
        assert_eq!(exchange(&mut bed.tcp(), right).1, "hello");
        assert_eq!(exchange(&mut bed.unix(), right).1, "hello");
        assert!(bed.server.connections() <= 20);
        rounds.push(begin.elapsed());
    }
    // Other newcomers are spared for a tenth of a second, and each round would take as long. A
    // busy machine makes some rounds slow, but not all.
    rounds.sort();
    assert!(rounds[10] < Duration::from_millis(50), "{rounds:?}");
    let notices = bed.notices.lock().unwrap();
    let told: Vec<_> = notices.iter().map(ToString::to_string).collect();
    let line = "HTTP server: wrong user name or password, answers are slowed: 127.0.0.1";
    assert_eq!(told, [line]);
}

#[test]
fn posts_for_another_site_are_refused_before_their_body() {
    let bed = Bed::new();
    let tcp = bed.tcp;
    let foreign = [
        ("Host: 127.0.0.1", "Origin: http://evil.example"),
        ("Host: evil.example", "Origin: http://evil.example"),
        ("Host: 127.0.0.1", "Sec-Fetch-Site: cross-site"),
        ("Host: 127.0.0.1", "Referer: http://evil.example/"),
    ];
    for (host, mark) in foreign {
        let mut client = bed.tcp();
        let head = format!("POST /x HTTP/1.1\r\n{host}\r\n{mark}\r\nContent-Length: 9\r\n\r\n");
        let (head, body) = exchange(&mut client, &head);
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{host} {mark}: {head}");
        assert!(body.contains("<p>Message: Forbidden."), "{body}");
        assert_closed(&mut client);
        // Looking does no harm.
        let get = format!("GET /foreign HTTP/1.1\r\n{host}\r\n{mark}\r\n\r\n");
        assert_eq!(exchange(&mut bed.unix(), &get).1, "foreign");
    }
    assert!(bed.met(Trouble::Foreign));
    let notices = bed.notices.lock().unwrap();
    assert_eq!(notices.len(), 1, "told once");
    assert!(notices[0].to_string().ends_with(": site 'http://evil.example', Host '127.0.0.1'"));
    drop(notices);
    let own = [
        (format!("Host: {tcp}"), format!("Origin: http://{tcp}")),
        ("Host: sup.example".into(), "Origin: https://sup.example".into()),
        ("Host: evil.example".into(), "X: y".into()),
    ];
    for (host, mark) in own {
        let post = format!("POST /x HTTP/1.1\r\n{host}\r\n{mark}\r\nContent-Length: 1\r\n\r\na");
        assert_eq!(exchange(&mut bed.tcp(), &post).1, "1 /x", "{host} {mark}");
        let get = format!("GET /foreign HTTP/1.1\r\n{host}\r\n{mark}\r\n\r\n");
        assert_eq!(exchange(&mut bed.tcp(), &get).1, "own");
    }
}

#[test]
fn listeners_are_replaced() {
    let bed = Bed::new();
    let mut by_tcp = bed.tcp();
    let mut by_unix = bed.unix();
    let mut waiting = bed.tcp();
    assert_eq!(exchange(&mut by_tcp, GET).1, "hello");
    assert_eq!(exchange(&mut by_unix, GET).1, "hello");
    waiting.write_all(b"GET /held HTTP/1.1\r\n\r\n").unwrap();
    bed.wait_for("the request", |bed| !bed.held.lock().unwrap().is_empty());
    bed.server.set_listeners(vec![bed.listeners[1].clone()]);
    assert_closed(&mut by_tcp);
    bed.wait_for("a refusal", |bed| TcpStream::connect(bed.tcp).is_err());
    assert_eq!(exchange(&mut by_unix, GET).1, "hello");
    // A request under way is answered, then its connection ends.
    bed.held.lock().unwrap().pop().unwrap().respond(text("at last"));
    let (head, body) = answer(&mut waiting);
    assert_eq!(body, "at last");
    assert!(head.contains("Connection: close\r\n"));
    assert_closed(&mut waiting);
}

#[test]
fn stopping_ends_all() {
    let bed = Bed::new();
    let mut idle = bed.tcp();
    assert_eq!(exchange(&mut idle, GET).1, "hello");
    bed.server.stop();
    assert_closed(&mut idle);
    assert!(bed.server.recv().is_none());
    bed.wait_for("no connections", |bed| bed.server.connections() == 0);
}
