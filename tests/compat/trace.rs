//! What the activity log says of requests and answers at level trace, and that it says nothing
//! of them above that.

use crate::support::{
    Setup,
    rpc::{Connection, request},
};

/// One answer's line; the last number counts its bytes, head included.
fn answered(request: &str, status: u16, bytes: usize) -> String {
    format!("TRAC 127.0.0.1:* - - [*/*/*:*:*:* +0000] \"{request}\" {status} {bytes}")
}

fn posted(body: &str) -> String {
    format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn setup(level: &str) -> Setup {
    Setup::new().tcp().supervisord(&format!("loglevel={level}")).env("TZ", "UTC")
}

#[test]
fn each_request_and_answer_has_its_lines_at_level_trace() {
    let d = setup("trace")
        .section("[rpcinterface:other]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface")
        .start();
    d.wait_log_order(
        &[
            "TRAC 127.0.0.1:Medusa (V1.12) started at * * *:*:* *",
            "INFO RPC interface 'supervisor' initialized",
            "INFO RPC interface 'other' initialized",
            "CRIT Server 'inet_http_server' running without any HTTP authentication checking",
            "TRAC */s.sock:Medusa (V1.12) started at *",
            "INFO RPC interface 'supervisor' initialized",
            "INFO RPC interface 'other' initialized",
            "CRIT Server 'unix_http_server' running without any HTTP authentication checking",
        ],
        15,
    );
    assert!(d.log().contains(&format!("\n\tPort:{}\n", d.port())));
    let call = |method: &str, params: &str| posted(&request(method, params));
    let called = |method: &str| format!("TRAC XML-RPC method called: {method}()");
    let of = |method: &str| {
        [called(method), format!("TRAC XML-RPC method {method}() returned successfully")]
    };
    let fault = |method: &str, code: i32, text: &str| {
        [called(method), format!("TRAC XML-RPC method {method}() returned fault: [{code}] {text}")]
    };
    let rpc = |bytes: usize| answered("POST /RPC2 HTTP/1.1", 200, bytes);
    let lines = |call: [String; 2], bytes| call.into_iter().chain([rpc(bytes)]).collect::<Vec<_>>();
    let junk = "<a>'\n\u{e9}</a";
    let table = [
        (call("supervisor.getState", ""), lines(of("supervisor.getState"), 401)),
        (
            call("supervisor.startProcess", "<string>zz</string><boolean>1</boolean>"),
            lines(fault("supervisor.startProcess", 10, "BAD_NAME: zz"), 390),
        ),
        (call("nope", ""), lines(fault("nope", 1, "UNKNOWN_METHOD"), 391)),
        (
            posted(junk),
            vec![
                "ERRO XML-RPC request data \"<a>'\\n\u{e9}</a\" is invalid: unmarshallable".into(),
                answered("POST /RPC2 HTTP/1.1", 400, 268),
            ],
        ),
        (
            posted("<methodCall></methodCall>"),
            vec![
                "ERRO XML-RPC request data '<methodCall></methodCall>' is invalid: no method name"
                    .into(),
                answered("POST /RPC2 HTTP/1.1", 400, 268),
            ],
        ),
        ("GET /RPC2 HTTP/1.0\r\n\r\n".into(), vec![answered("GET /RPC2 HTTP/1.0", 400, 268)]),
        (
            "GET /no%20page?x=y HTTP/1.1\r\n\r\n".into(),
            vec![answered("GET /no%20page?x=y HTTP/1.1", 404, 264)],
        ),
        ("POST /RPC2 HTTP/1.1\r\n\r\n".into(), vec![answered("POST /RPC2 HTTP/1.1", 411, 276)]),
    ];
    let mut all = Vec::new();
    for (sent, patterns) in table {
        let mut connection = Connection::tcp(d.port()).unwrap();
        connection.send(sent.as_bytes()).unwrap();
        connection.receive().unwrap();
        all.extend(patterns);
    }
    // On a unix socket there is no address.
    d.rpc().call("supervisor.getState", "").unwrap();
    all.push("TRAC localhost:0 - - [*] \"POST /RPC2 HTTP/1.1\" 200 401".into());
    d.wait_log_order(&all.iter().map(String::as_str).collect::<Vec<_>>(), 15);
}

#[test]
fn a_waiting_call_has_its_lines_once_it_is_answered() {
    let d = setup("trace").program("a", "command=/bin/sleep 1000\nautostart=false").start();
    d.rpc().call("supervisor.startProcess", "<string>a</string>").unwrap();
    d.wait_log_order(
        &[
            "TRAC XML-RPC method called: supervisor.startProcess()",
            "INFO success: a entered RUNNING state, *",
            "TRAC localhost:0 - - [*] \"POST /RPC2 HTTP/1.1\" 200 251",
        ],
        15,
    );
    let line = "TRAC XML-RPC method supervisor.startProcess() returned successfully";
    d.has_count(line, 1);
}

#[test]
fn above_trace_nothing_is_said_of_requests() {
    let d = setup("debug").start();
    d.rpc().call("supervisor.getState", "").unwrap();
    let mut connection = Connection::tcp(d.port()).unwrap();
    connection.send(b"GET /nope HTTP/1.1\r\n\r\n").unwrap();
    connection.receive().unwrap();
    // What was said before is in the file by then.
    connection.send(posted("junk").as_bytes()).unwrap();
    connection.receive().unwrap();
    d.wait_log("ERRO XML-RPC request data 'junk' is invalid: unmarshallable", 15);
    assert_eq!(d.count("TRAC *"), 0);
}
