//! The text of requests and answers: what is accepted, and each answer byte for byte as the
//! original gives it.

use crate::support::{
    Setup, Side, TestDaemon,
    rpc::{Connection, Response},
};

fn start(side: Side) -> TestDaemon {
    let d = Setup::new()
        .side(side)
        .supervisord("identifier=h\u{e9}<&>\"'")
        .program("cat", "command=/bin/cat\nstartsecs=0")
        .section("[program:m]\ncommand=/bin/cat\nautostart=false\n[group:g]\nprograms=m")
        .start();
    d.wait_state("cat", "RUNNING", 20);
    d
}

fn answer(d: &TestDaemon, uri: &str, body: &str) -> Response {
    let head = format!("POST {uri} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut connection = Connection::unix(&d.path("s.sock")).unwrap();
    connection.send(format!("{head}{body}").as_bytes()).unwrap();
    connection.receive().unwrap()
}

/// Head and body without the date and the pid.
fn text(d: &TestDaemon, uri: &str, body: &str) -> String {
    let response = answer(d, uri, body);
    let date = response.header("Date").unwrap_or("no date").to_owned();
    let pid = format!("<int>{}</int>", d.pid);
    format!("{}{}", response.head.replace(&date, "DATE"), response.body)
        .replace(&pid, &format!("<int>{}</int>", "9".repeat(pid.len() - 11)))
}

fn call(method: &str, params: &str) -> String {
    format!("<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>")
}

fn param(value: &str) -> String {
    format!("<param><value>{value}</value></param>")
}

/// getProcessInfo of whatever the value turns into: the fault tells it.
fn told(value: &str) -> String {
    call("supervisor.getProcessInfo", &param(value))
}

fn bodies() -> Vec<String> {
    let pid = "<methodName>supervisor.getPID</methodName>";
    let zzz = param("zzz");
    let multi = |calls: &str| {
        call("system.multicall", &param(&format!("<array><data>{calls}</data></array>")))
    };
    let member = |name: &str, value: &str| {
        format!("<member><name>{name}</name><value>{value}</value></member>")
    };
    let entry = |members: &str| format!("<value><struct>{members}</struct></value>");
    let none = "<array><data></data></array>";
    let mut bodies = vec![
        // The outer element, the declaration, params: all optional or in any order.
        format!("<?xml version='1.0'?>\n<methodCall>\n{pid}\n<params>\n</params>\n</methodCall>\n"),
        format!("<?xml version=\"1.0\" encoding=\"latin-1\"?><methodCall>{pid}</methodCall>"),
        format!("<x>{pid}</x>"),
        format!("<x><y/>{pid}<y>text</y></x>"),
        format!("<x><!-- c --><?pi x?>{pid}</x>"),
        format!("<x><params/>{pid}</x>"),
        format!("<x><params>{zzz}</params><methodName>supervisor.getProcessInfo</methodName></x>"),
        "<x><methodName> supervisor.getPID</methodName></x>".to_owned(),
        "<x><methodName>supervisor.getPID\n</methodName></x>".to_owned(),
        "<x><methodName></methodName></x>".to_owned(),
        "<x><methodName/></x>".to_owned(),
        "<x></x>".to_owned(),
        "<x>".to_owned(),
        "x".to_owned(),
        " <x/>".to_owned(),
        "<x/><x/>".to_owned(),
        "<x a=\"1\" b='2'/>".to_owned(),
        "<x>&nosuch;</x>".to_owned(),
        "<x>]]></x>".to_owned(),
        // Answers of each kind.
        call("supervisor.getState", ""),
        call("supervisor.getIdentification", ""),
        call("supervisor.getAPIVersion", ""),
        call("system.listMethods", &zzz),
        call("system.methodSignature", &param("supervisor.tailProcessLog")),
        call("supervisor.tailProcessLog", &format!("{}{}{}", param("g:m"), param("0"), param("9"))),
        call("supervisor.reloadConfig", ""),
        call("supervisor.stopProcessGroup", &param("g")),
        call("supervisor.signalProcess", &format!("{}{}", param("cat:*"), param("CONT"))),
        call("supervisor.nope", ""),
        multi(""),
        multi(&entry(&member("methodName", "supervisor.getPID"))),
        multi(&format!(
            "{}{}{}",
            entry(&(member("methodName", "supervisor.getPID") + &member("params", none))),
            entry(&member("params", none)),
            entry(&member("methodName", "system.multicall"))
        )),
    ];
    // Values of each kind, as the name of a process.
    bodies.extend(
        [
            "zz",
            "<string>zz</string>",
            "<string></string>",
            "<string/>",
            "",
            " z z ",
            "<string> z\n</string>",
            "&lt;&amp;&gt;&quot;&apos;&#233;&#x20AC;",
            "<![CDATA[<z>&]]>",
            "\u{e9}\u{20ac}\u{1f600}",
            "<base64>enp6</base64>",
            "<base64>e n\np6</base64>",
            "<i8>12</i8>",
            "<what>zz</what>",
            "<string>a\r\nb\tc</string>",
            "<dateTime.iso8601>x</dateTime.iso8601>",
            "<int>x</int>",
            "<int></int>",
            "<double>x</double>",
            "<base64>&#233;</base64>",
        ]
        .map(told),
    );
    bodies.push(told("<string>zz</string>").replace("</value>", "</value><value>y</value>"));
    bodies
}

#[test]
fn each_text_is_answered_byte_for_byte_as_by_the_original() {
    let (ours, theirs) = (start(Side::Ours), start(Side::Theirs));
    let mut served = 0;
    for body in bodies() {
        let ours = text(&ours, "/RPC2", &body);
        assert_eq!(ours, text(&theirs, "/RPC2", &body), "{body}");
        served += usize::from(ours.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert!(served > 35, "only {served} were answered with a result or a fault");
    let state = call("supervisor.getState", "");
    for uri in ["/RPC2", "/RPC2/", "/RPC2xyz", "/RPC2/a?b=c", "/RPC", "/rpc2"] {
        assert_eq!(text(&ours, uri, &state), text(&theirs, uri, &state), "{uri}");
    }
}
