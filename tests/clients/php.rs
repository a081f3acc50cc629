//! What supervisord-monitor and others in PHP send: HTTP/1.0 without keep-alive, `wait` as an
//! integer, values without a type.

use crate::{
    PASSWORD, USER, Way, guarded,
    support::{
        Setup, TestDaemon,
        rpc::{Connection, base64},
    },
};

/// One call on a connection of its own, up to the end of it.
fn call(d: &TestDaemon, way: Way, method: &str, values: &[&str]) -> String {
    let params: String =
        values.iter().map(|value| format!("<param>\n<value>{value}</value>\n</param>\n")).collect();
    let body = format!(
        "<?xml version=\"1.0\"?>\n<methodCall>\n<methodName>{method}</methodName>\n\
         <params>\n{params}</params>\n</methodCall>\n"
    );
    let login = base64(&format!("{USER}:{PASSWORD}"));
    let head = format!(
        "POST /RPC2 HTTP/1.0\r\nUser-Agent: CodeIgniter XML-RPC\r\nHost: localhost\r\n\
         Authorization: Basic {login}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = match way {
        Way::Unix => Connection::unix(&d.path("s.sock")).unwrap(),
        Way::Tcp => Connection::tcp(d.port()).unwrap(),
    };
    connection.send(format!("{head}{body}").as_bytes()).unwrap();
    let answer = connection.receive_all().unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(!answer.contains("chunked"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{answer}");
    body.to_owned()
}

#[test]
fn an_old_library_starts_and_stops_with_an_integer_for_wait() {
    for way in [Way::Unix, Way::Tcp] {
        let d = guarded(Setup::new())
            .program("a", "command=/bin/sleep 1000\nstartsecs=1\nautostart=false")
            .start();
        let yes = "<value><boolean>1</boolean></value>";
        let answer = call(&d, way, "supervisor.startProcess", &["a", "<int>1</int>"]);
        assert!(answer.contains(yes), "{answer}");
        assert_eq!(d.state("a"), "RUNNING", "the answer came when it was up");
        let answer = call(&d, way, "supervisor.stopProcess", &["a", "<i4>1</i4>"]);
        assert!(answer.contains(yes), "{answer}");
        assert_eq!(d.state("a"), "STOPPED");
        let answer = call(&d, way, "supervisor.startProcess", &["a", "<int>0</int>"]);
        assert!(answer.contains(yes), "{answer}");
        assert_eq!(d.state("a"), "STARTING", "the answer came before it was up");
        let answer = call(&d, way, "supervisor.stopAllProcesses", &["<int>1</int>"]);
        assert!(answer.contains("<value><int>80</int></value>"), "{answer}");
        let answer = call(&d, way, "supervisor.startProcess", &["zzz", "<int>1</int>"]);
        assert!(answer.contains("<string>BAD_NAME: zzz</string>"), "{answer}");
    }
}
