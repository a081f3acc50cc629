//! The files below the web pages, and what is no file.

use std::io::{Read, Write};

use crate::http::undated;
use crate::support::{Setup, Side, TestDaemon, rpc::Connection};

const CSS: &str = "/stylesheets/supervisor.css";

/// Each file and how its content begins.
const FILES: [(&str, &str, &[u8]); 8] = [
    (CSS, "text/css", b"/*"),
    ("/images/icon.png", "image/png", b"\x89PNG\r\n\x1a\n"),
    ("/images/rule.gif", "image/gif", b"GIF89a"),
    ("/images/state0.gif", "image/gif", b"GIF89a"),
    ("/images/state1.gif", "image/gif", b"GIF89a"),
    ("/images/state2.gif", "image/gif", b"GIF89a"),
    ("/images/state3.gif", "image/gif", b"GIF89a"),
    ("/images/supervisor.gif", "image/gif", b"GIF89a"),
];

fn daemon() -> TestDaemon {
    Setup::new().tcp().start()
}

/// All that one request on a connection of its own is answered: head and body.
fn ask(d: &TestDaemon, method: &str, uri: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = d.connect_tcp();
    let request = format!("{method} {uri} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("an end of the head") + 4;
    let body = all.split_off(end);
    (String::from_utf8(all).unwrap(), body)
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// When the file was changed, as the daemon words it.
fn modified(d: &TestDaemon) -> String {
    let (head, _) = ask(d, "HEAD", CSS, "");
    header(&head, "Last-Modified").unwrap().to_owned()
}

#[test]
fn each_file_is_there() {
    let d = daemon();
    for (uri, kind, begin) in FILES {
        let (head, body) = ask(&d, "GET", uri, "");
        let changed = header(&head, "Last-Modified").unwrap().to_owned();
        assert_eq!(
            undated(&head),
            format!(
                "HTTP/1.1 200 OK\r\nServer: Medusa/1.12\r\nDate: DATE\r\n\
                 Last-Modified: {changed}\r\nContent-Length: {}\r\nContent-Type: {kind}\r\n\r\n",
                body.len()
            ),
            "{uri}"
        );
        assert!(body.starts_with(begin), "{uri}");
        let (only, nothing) = ask(&d, "HEAD", uri, "");
        assert_eq!(undated(&only), undated(&head), "{uri}");
        assert_eq!(nothing, b"", "{uri}");
    }
}

#[test]
fn a_file_has_many_spellings_and_a_neighbour_none() {
    let d = daemon();
    let table = [
        ("/stylesheets/supervisor.css?x=y", 200),
        ("/stylesheets/supervisor.css;x?y#z", 200),
        ("/stylesheets/supervisor.css#x", 200),
        ("/stylesheets%2fsupervisor%2Ecss", 200),
        ("///stylesheets//./supervisor.css", 200),
        ("/stylesheets/../stylesheets/supervisor.css", 200),
        ("stylesheets/supervisor.css", 200),
        ("/stylesheets/supervisor.cs", 404),
        ("/stylesheets/supervisor.css%00", 404),
        ("/Stylesheets/supervisor.css", 404),
        ("/stylesheets/", 404),
        ("/images/", 404),
        ("/images//", 404),
        ("/images/...", 404),
        ("/images/../", 404),
        ("/../", 404),
        ("/../ui/stylesheets/supervisor.css", 404),
        ("/%2e%2e/ui/stylesheets/supervisor.css", 404),
        ("/../../../../../../../../../../etc/passwd", 404),
        ("/images/../../../etc/passwd", 404),
        ("/nope", 404),
        ("/nope/", 404),
        ("http://localhost/stylesheets/supervisor.css", 404),
        ("*", 404),
    ];
    for (uri, wanted) in table {
        let (head, body) = ask(&d, "GET", uri, "");
        assert_eq!(status(&head), wanted, "{uri}");
        let page = String::from_utf8(body).unwrap();
        assert_eq!(page.contains("<p>Error code 404.\r\n"), wanted == 404, "{uri}: {page}");
    }
    if Side::ours_only("the original redirects what begins with two dots, and shows its templates")
    {
        for uri in ["/..", "/%2e%2e", "/..a", "/status.html"] {
            assert_eq!(status(&ask(&d, "GET", uri, "").0), 404, "{uri}");
        }
        assert_eq!(status(&ask(&d, "HEAD", "/tail.html", "").0), 404);
    }
}

#[test]
fn a_directory_is_redirected_to_itself_with_a_slash() {
    let d = daemon();
    for (uri, path) in [
        ("/images", "images"),
        ("//stylesheets", "stylesheets"),
        ("/images?x", "images"),
        ("/images#x", "images"),
        ("/images/..", "images/.."),
    ] {
        let (head, body) = ask(&d, "GET", uri, "Host: sup.example:9001\r\n");
        assert_eq!(
            undated(&head),
            format!(
                "HTTP/1.1 301 Moved Permanently\r\nServer: Medusa/1.12\r\nDate: DATE\r\n\
                 Location: http://localhost/{path}/\r\nContent-Length: 142\r\n\
                 Content-Type: text/html\r\n\r\n"
            ),
            "{uri}"
        );
        assert!(String::from_utf8(body).unwrap().contains("<p>Message: Moved Permanently.\r\n"));
        assert_eq!(undated(&ask(&d, "HEAD", uri, "").0), undated(&head), "{uri}");
    }
    let mut local = Connection::unix(&d.path("s.sock")).unwrap();
    local.send(b"GET /images HTTP/1.1\r\n\r\n").unwrap();
    let answer = local.receive().unwrap();
    assert_eq!(answer.status(), 301);
    if Side::ours_only("the original leads to http://<unix domain socket>/images/") {
        assert_eq!(answer.header("Location"), Some("/images/"));
    }
}

#[test]
fn other_methods_are_refused() {
    let d = daemon();
    for uri in [CSS, "/images", "/nope", "/", "/index.html", "/tail.html", "/ok.html"] {
        for method in ["DELETE", "PUT", "OPTIONS", "PATCH", "get"] {
            assert_eq!(status(&ask(&d, method, uri, "").0), 400, "{method} {uri}");
        }
    }
    for uri in ["/", "/index.html", "/ok.html", "/nope"] {
        assert_eq!(status(&ask(&d, "HEAD", uri, "").0), 404, "{uri}");
    }
    let empty = "Content-Length: 1\r\n\r\nx";
    assert_eq!(status(&ask(&d, "POST", CSS, empty).0), 400);
}

#[test]
fn a_copy_that_is_new_enough_is_not_sent_again() {
    let d = daemon();
    let changed = modified(&d);
    let length = ask(&d, "GET", CSS, "").1.len();
    let since = |date: &str| ask(&d, "GET", CSS, &format!("If-Modified-Since: {date}\r\n"));
    for date in [
        changed.clone(),
        changed.to_lowercase(),
        format!("{changed}; length={length}"),
        "Mon, 21 Nov 2044 00:49:47 GMT".to_owned(),
        "Monday, 21-Nov-2044 00:49:47 GMT".to_owned(),
    ] {
        let (head, body) = since(&date);
        assert_eq!(status(&head), 304, "{date}");
        if Side::under_test() == Side::Ours {
            let wanted = "HTTP/1.1 304 Not Modified\r\nServer: Medusa/1.12\r\nDate: DATE\r\n\r\n";
            assert_eq!((&*undated(&head), &*body), (wanted, b"".as_slice()), "{date}");
        }
    }
    for date in [
        "Sat, 21 Nov 1998 00:49:47 GMT".to_owned(),
        format!("{changed}; length={}", length + 1),
        format!("{changed}; length=x"),
        "yesterday".to_owned(),
        String::new(),
    ] {
        let (head, body) = since(&date);
        assert_eq!((status(&head), body.len()), (200, length), "{date}");
    }
}
