//! The bytes on the wire, and what a bad client gets.

use std::{
    io::{Read, Write},
    net::Shutdown,
    time::Duration,
};

use crate::support::{
    Setup, Side, TestDaemon, alive,
    rpc::{Connection, fault, request, scalar},
    wait_for,
};

fn one() -> TestDaemon {
    let d = Setup::new().tcp().program("a", "command=/bin/sleep 1000\nstartsecs=0").start();
    d.wait_state("a", "RUNNING", 15);
    d
}

/// The head with its date replaced, after a look at the date's form.
#[track_caller]
pub fn undated(head: &str) -> String {
    let date = head.lines().find_map(|line| line.strip_prefix("Date: ")).expect("a date");
    let shape: String = date
        .chars()
        .map(|letter| match letter {
            '0'..='9' => '9',
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            other => other,
        })
        .collect();
    assert_eq!(shape, "Aaa, 99 Aaa 9999 99:99:99 AAA");
    head.replace(date, "DATE")
}

/// Sends bytes on a new connection and returns the one response.
fn raw(d: &TestDaemon, bytes: &str) -> (String, String) {
    let mut connection = Connection::tcp(d.port()).unwrap();
    connection.send(bytes.as_bytes()).unwrap();
    let response = connection.receive().unwrap();
    (undated(&response.head), response.body)
}

fn posted(body: &str) -> String {
    format!(
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn head_of(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nServer: Medusa/1.12\r\nDate: DATE\r\nContent-Type: text/xml\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
}

const STATE: &str = "<?xml version='1.0'?>
<methodResponse>
<params>
<param>
<value><struct>
<member>
<name>statecode</name>
<value><int>1</int></value>
</member>
<member>
<name>statename</name>
<value><string>RUNNING</string></value>
</member>
</struct></value>
</param>
</params>
</methodResponse>
";

fn fault_text(code: i32, text: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n\
         <name>faultCode</name>\n<value><int>{code}</int></value>\n</member>\n<member>\n\
         <name>faultString</name>\n<value><string>{text}</string></value>\n</member>\n\
         </struct></value>\n</fault>\n</methodResponse>\n"
    )
}

fn result_text(value: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>{value}</value>\n\
         </param>\n</params>\n</methodResponse>\n"
    )
}

#[test]
fn answers_are_the_same_byte_for_byte() {
    let d = one();
    let call = |method: &str, params: &str| posted(&request(method, params));
    let table = [
        (call("supervisor.getState", ""), STATE.to_owned()),
        (
            call("supervisor.getProcessInfo", "<string>zzz</string>"),
            fault_text(10, "BAD_NAME: zzz"),
        ),
        (call("supervisor.stopProcess", "<string>a</string>"), result_text("<boolean>1</boolean>")),
        (call("supervisor.stopProcess", "<string>a</string>"), fault_text(70, "NOT_RUNNING: a")),
        (
            call("supervisor.startProcess", "<string>a</string>"),
            result_text("<boolean>1</boolean>"),
        ),
        (call("supervisor.getAPIVersion", ""), result_text("<string>3.0</string>")),
        (call("supervisor.getIdentification", ""), result_text("<string>supervisor</string>")),
        (call("supervisor.nope", ""), fault_text(1, "UNKNOWN_METHOD")),
        (call("supervisor.getPID", "<int>1</int>"), fault_text(2, "INCORRECT_PARAMETERS")),
        // Lenient: no declaration, no parameters, a value without a type.
        (
            posted("<methodCall><methodName>supervisor.getPID</methodName></methodCall>"),
            result_text(&format!("<int>{}</int>", d.pid)),
        ),
        (
            posted(
                "<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param>\
                 <value>zzz</value></param></params></methodCall>",
            ),
            fault_text(10, "BAD_NAME: zzz"),
        ),
    ];
    for (sent, expected) in table {
        let (head, body) = raw(&d, &sent);
        assert_eq!(body, expected, "{sent}");
        assert_eq!(head, head_of(&expected), "{sent}");
    }
}

#[test]
fn a_multicall_answers_each_call_in_order() {
    let d = one();
    let call = |name: &str, params: &str| {
        format!(
            "<value><struct><member><name>methodName</name><value><string>{name}</string></value>\
             </member><member><name>params</name><value><array><data>{params}</data></array>\
             </value></member></struct></value>"
        )
    };
    let list = format!(
        "<array><data>{}{}</data></array>",
        call("supervisor.getPID", ""),
        call("supervisor.getProcessInfo", "<value><string>zz</string></value>")
    );
    let sent = format!(
        "<methodCall><methodName>system.multicall</methodName><params><param><value>{list}\
         </value></param></params></methodCall>"
    );
    let (head, body) = raw(&d, &posted(&sent));
    let expected = result_text(&format!(
        "<array><data>\n<value><int>{}</int></value>\n<value><struct>\n<member>\n\
         <name>faultCode</name>\n<value><int>10</int></value>\n</member>\n<member>\n\
         <name>faultString</name>\n<value><string>BAD_NAME: zz</string></value>\n</member>\n\
         </struct></value>\n</data></array>",
        d.pid
    ));
    assert_eq!(body, expected);
    assert_eq!(head, head_of(&expected));
}

#[test]
fn http_errors_are_the_same_byte_for_byte() {
    let d = one();
    let table = [
        (posted("junk"), 400, "Bad Request"),
        (posted("<methodCall></methodCall>"), 400, "Bad Request"),
        ("GET /RPC2 HTTP/1.1\r\n\r\n".to_owned(), 400, "Bad Request"),
        ("POST /RPC2 HTTP/1.1\r\n\r\n".to_owned(), 411, "Length Required"),
        ("GET /no/such/page HTTP/1.1\r\n\r\n".to_owned(), 404, "Not Found"),
    ];
    for (sent, code, text) in table {
        let (head, body) = raw(&d, &sent);
        let page = format!(
            "<head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n\
             <h1>Error response</h1>\r\n<p>Error code {code}.\r\n<p>Message: {text}.\r\n</body>\r\n"
        );
        assert_eq!(body, page, "{sent}");
        assert_eq!(
            head,
            format!(
                "HTTP/1.1 {code} {text}\r\nServer: Medusa/1.12\r\nDate: DATE\r\n\
                 Content-Length: {}\r\nContent-Type: text/html\r\n\r\n",
                page.len()
            ),
            "{sent}"
        );
    }
}

#[test]
fn who_asks_whether_all_is_well_is_told_so() {
    let d = one();
    for request in ["GET /ok.html", "GET //ok.html?x=y", "POST /ok.html", "GET /%6fk.html#x"] {
        let (head, body) = raw(&d, &format!("{request} HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"));
        assert_eq!(
            head,
            "HTTP/1.1 200 OK\r\nServer: Medusa/1.12\r\nDate: DATE\r\nContent-Type: text/plain\r\n\
             Content-Length: 2\r\n\r\n",
            "{request}"
        );
        assert_eq!(body, "OK", "{request}");
    }
    for (request, status) in [("GET /ok.htm", "404"), ("DELETE /ok.html", "400")] {
        let (head, _) = raw(&d, &format!("{request} HTTP/1.1\r\n\r\n"));
        assert_eq!(head.split(' ').nth(1), Some(status), "{request}");
    }
}

#[test]
fn the_version_of_the_request_is_that_of_the_answer() {
    let d = one();
    for version in ["1.0", "1.1", "1.10", "2.0", "01.01", "11.1"] {
        let (head, body) = raw(&d, &format!("GET /ok.html HTTP/{version}\r\n\r\n"));
        assert!(head.starts_with(&format!("HTTP/{version} 200 OK\r\n")), "{head}");
        assert_eq!(body, "OK", "{version}");
    }
}

#[test]
fn a_kept_connection_serves_call_after_call() {
    let d = one();
    let mut connection = Connection::tcp(d.port()).unwrap();
    for _ in 0..50 {
        let pid = connection.call("supervisor.getPID", "").unwrap();
        assert_eq!(scalar(&pid), Some(d.pid.to_string()));
    }
    // The second request already waits when the first is answered, in pieces of any size.
    let call = posted(&request("supervisor.getState", ""));
    for piece in call.as_bytes().chunks(7) {
        connection.send(piece).unwrap();
    }
    assert_eq!(connection.receive().unwrap().body, STATE);
}

#[test]
fn an_old_client_gets_its_connection_closed() {
    let d = one();
    let body = "<methodCall><methodName>supervisor.getState</methodName></methodCall>";
    let mut connection = Connection::tcp(d.port()).unwrap();
    let head = format!("POST /RPC2 HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.send(format!("{head}{body}").as_bytes()).unwrap();
    let all = connection.receive_all().unwrap();
    assert!(all.starts_with("HTTP/1.0 200 OK\r\n"), "{all}");
    assert!(all.ends_with(STATE), "{all}");
}

#[test]
fn a_password_is_required_where_one_is_set() {
    let d = Setup::new()
        .section("[inet_http_server:b]\nport=127.0.0.1:{port}\nusername=user\npassword=secret");
    let port = crate::support::free_port();
    let config = d.write();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("{port}", &port.to_string())).unwrap();
    let _d = d.start_file(config);
    let ask = |header: &str| {
        let body = request("supervisor.getState", "");
        let mut connection = Connection::tcp(port).unwrap();
        let head = format!("POST /RPC2 HTTP/1.1\r\n{header}Content-Length: {}\r\n\r\n", body.len());
        connection.send(format!("{head}{body}").as_bytes()).unwrap();
        connection.receive().unwrap()
    };
    let refused = ask("");
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.header("WWW-Authenticate"), Some("Basic realm=\"default\""));
    assert_eq!(refused.header("Connection"), Some("close"));
    // user:wrong, user:secret
    assert_eq!(ask("Authorization: Basic dXNlcjp3cm9uZw==\r\n").status(), 401);
    assert_eq!(ask("Authorization: Basic dXNlcjpzZWNyZXQ=\r\n").body, STATE);
}

/// The status of a page that is not there, for whoever sends these credentials, or none.
fn ask(mut connection: Connection, word: &str) -> u16 {
    let header = match word {
        "" => String::new(),
        word => format!("authorization: basic {word}\r\n"),
    };
    let call = format!("GET /nope HTTP/1.1\r\n{header}\r\n");
    connection.send(call.as_bytes()).unwrap();
    connection.receive().unwrap().status()
}

#[test]
fn each_listener_has_its_own_credentials() {
    let ports = [(); 3].map(|()| crate::support::free_port());
    let d = Setup::new()
        .section(&format!(
            "[inet_http_server]\nport=127.0.0.1:{}\nusername=one\npassword=a:b\n\
             [inet_http_server:two]\nport=localhost:{}\nusername=two\n\
             password={{SHA}}e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98\n\
             [inet_http_server:none]\nport=*:{}\n\
             [unix_http_server:other]\nfile=%(here)s/other.sock\nusername=one\npassword=c\n",
            ports[0], ports[1], ports[2]
        ))
        .start();
    // one:a:b, two:b, one:c
    let words = ["", "b25lOmE6Yg==", "dHdvOmI=", "b25lOmM="];
    let tcp = |port: u16| words.map(|word| ask(Connection::tcp(port).unwrap(), word));
    let unix = |name: &str| words.map(|word| ask(Connection::unix(&d.path(name)).unwrap(), word));
    assert_eq!(tcp(ports[0]), [401, 404, 401, 401]);
    assert_eq!(tcp(ports[1]), [401, 401, 404, 401]);
    assert_eq!(tcp(ports[2]), [404; 4]);
    assert_eq!(unix("s.sock"), [404; 4]);
    assert_eq!(unix("other.sock"), [401, 401, 401, 404]);
    let open = "CRIT Server '*' running without any HTTP authentication checking";
    let lines = d.wait_log_order(&[open, open], 5);
    assert!(lines[0].contains("'inet_http_server"), "{lines:?}");
    assert!(lines[1].contains("'unix_http_server'"), "{lines:?}");
    d.has_count(open, 2);
}

#[test]
fn an_empty_user_name_asks_nobody() {
    let ports = [(); 3].map(|()| crate::support::free_port());
    let d = Setup::new()
        .env("NOBODY", "")
        // All of [unix_http_server] and, with a password that is not asked for, of the client.
        .login("", "secret")
        .section(&format!(
            "[inet_http_server:empty]\nport=127.0.0.1:{}\nusername=\npassword=\n\
             [inet_http_server:expanded]\nport=127.0.0.1:{}\nusername=%(ENV_NOBODY)s\n\
             password=x\n\
             [inet_http_server:blank_password]\nport=127.0.0.1:{}\nusername=u\npassword=\n",
            ports[0], ports[1], ports[2]
        ))
        .start();
    // Nothing, u and an empty password, u:x
    let words = ["", "dTo=", "dTp4"];
    let tcp = |port: u16| words.map(|word| ask(Connection::tcp(port).unwrap(), word));
    assert_eq!(tcp(ports[0]), [404; 3]);
    assert_eq!(tcp(ports[1]), [404; 3]);
    assert_eq!(tcp(ports[2]), [401, 404, 401]);
    assert_eq!(words.map(|word| ask(Connection::unix(&d.path("s.sock")).unwrap(), word)), [404; 3]);
    d.ctl(&["status"]).expect("", 0);
    d.has_count("CRIT Server '*' running without any HTTP authentication checking", 3);
    for name in ["inet_http_server:empty", "inet_http_server:expanded", "unix_http_server"] {
        d.wait_log(&format!("CRIT Server '{name}' running without any HTTP*"), 15);
    }
}

#[test]
fn an_address_of_version_6_is_listened_on() {
    if !Side::ours_only("the original knows version 4 only") {
        return;
    }
    if let Err(error) = std::net::TcpListener::bind("[::1]:0") {
        // Past the capture of output, so that it is seen even if all is well.
        writeln!(std::io::stderr(), "NOT TESTED: [::1] as a listener's address: {error}").unwrap();
        let without = [nix::libc::EADDRNOTAVAIL, nix::libc::EAFNOSUPPORT];
        return assert!(
            error.raw_os_error().is_some_and(|code| without.contains(&code)),
            "{error}"
        );
    }
    let port = crate::support::free_port();
    let _d = Setup::new().section(&format!("[inet_http_server]\nport=[::1]:{port}\n")).start();
    let mut stream = std::net::TcpStream::connect(("::1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"GET /ok.html HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nOK"), "{answer}");
}

#[test]
fn a_browser_calls_for_our_own_pages_only() {
    if !Side::ours_only("the original takes what any site lets a browser send") {
        return;
    }
    let port = crate::support::free_port();
    let section = format!("[inet_http_server]\nport=127.0.0.1:{port}\nallowed_hosts=sup.example");
    let d = Setup::new().section(&section).start();
    let status = |headers: &str| {
        let body = request("supervisor.getState", "");
        let mut connection = Connection::tcp(port).unwrap();
        let length = body.len();
        let head = format!("POST /RPC2 HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n");
        connection.send(format!("{head}{body}").as_bytes()).unwrap();
        connection.receive().unwrap().status()
    };
    assert_eq!(status("Host: evil.example\r\n"), 200);
    let own = format!("Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n");
    assert_eq!(status(&own), 200);
    assert_eq!(status("Host: sup.example\r\nOrigin: https://sup.example\r\n"), 200);
    assert_eq!(status("Host: evil.example\r\nOrigin: http://evil.example\r\n"), 403);
    d.wait_log(
        "WARN HTTP server: a request from another site was refused *'http://evil.example'*",
        5,
    );
}

#[test]
fn a_call_that_waits_holds_nobody_up() {
    let stubborn = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n";
    let d = Setup::new()
        .script("stubborn", stubborn)
        .program("s", "command=%(here)s/stubborn\nstopwaitsecs=4\nstartsecs=0")
        .start();
    d.wait_state("s", "RUNNING", 15);
    let mut waits = d.rpc();
    let stop = std::thread::spawn(move || {
        waits.call("supervisor.stopProcess", "<string>s</string>").unwrap()
    });
    d.wait_state("s", "STOPPING", 5);
    assert!(!stop.is_finished());
    assert_eq!(d.rpc_pid(), d.pid);
    let answer = stop.join().unwrap();
    assert_eq!(answer, result_text("<boolean>1</boolean>"));
    assert_eq!(d.state("s"), "STOPPED");
}

#[test]
fn a_client_that_leaves_during_a_waiting_call_takes_its_connection_along() {
    let d = Setup::new()
        .program(
            "a",
            "command=/bin/sleep 1000\nstartsecs=1000\nautostart=false\nnumprocs=5\n\
             process_name=%(process_num)d",
        )
        .start();
    let sockets = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", d.pid)).unwrap();
        let links = files.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    };
    let mut asks = d.rpc();
    let mut states = || {
        let answer = asks.call("supervisor.getAllProcessInfo", "").unwrap();
        crate::support::rpc::members(&answer, "statename")
    };
    assert_eq!(states(), ["STOPPED"; 5]);
    let waits: Vec<_> = (0..5)
        .map(|n| {
            let mut connection = d.rpc();
            let params = format!("<string>a:{n}</string>");
            let call = posted(&request("supervisor.startProcess", &params));
            connection.send(call.as_bytes()).unwrap();
            connection
        })
        .collect();
    wait_for("all starts", 15, || (states() == ["STARTING"; 5]).then_some(()));
    let all = sockets();
    drop(waits);
    wait_for("the connections' ends", 15, || (sockets() + 5 <= all).then_some(()));
    assert_eq!(states(), ["STARTING"; 5]);
}

#[test]
fn wrong_types_in_a_call_are_a_fault() {
    if !Side::ours_only("the original answers 500 to wrong types") {
        return;
    }
    let d = one();
    for (method, params) in [
        ("supervisor.startProcess", "<int>1</int>"),
        ("supervisor.startProcess", "<array><data></data></array>"),
        ("supervisor.getProcessInfo", "<boolean>1</boolean>"),
        ("supervisor.readProcessStdoutLog", "<string>a</string><string>x</string><int>1</int>"),
        ("system.multicall", "<string>no list</string>"),
    ] {
        let answer = d.rpc().call(method, params).unwrap();
        assert_eq!(fault(&answer).map(|fault| fault.0), Some(2), "{method} {params}: {answer}");
    }
    assert_eq!(d.state("a"), "RUNNING");
}

/// Sends bytes, tolerating that the daemon hangs up in the middle, and returns what it says.
fn abuse(d: &TestDaemon, bytes: &[u8]) -> String {
    let mut stream = d.connect_tcp();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.take(1 << 20).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn abuse_of_the_port_harms_nobody_else() {
    if !Side::ours_only("what the original does about abuse is no contract") {
        return;
    }
    let d = one();
    let child = d.pid_of("a");
    let mut garbage = Vec::new();
    let mut state: u32 = 1;
    while garbage.len() < 100_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        garbage.extend_from_slice(&state.to_be_bytes());
    }
    abuse(&d, &garbage);
    abuse(&d, &vec![b'a'; 100_000]);
    abuse(&d, "GET / HTTP/1.1\r\n".repeat(10_000).as_bytes());
    let big = "POST /RPC2 HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n<methodCall>";
    let answer = abuse(&d, big.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    for length in ["-1", "99999999999999999999999999", "abc", "5, 6", ""] {
        let bytes = format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {length}\r\n\r\n12345");
        let answer = abuse(&d, bytes.as_bytes());
        assert!(!answer.starts_with("HTTP/1.1 2"), "{length}: {answer}");
    }
    let deep = format!("{}{}", "<value><array><data>".repeat(50_000), "</data></array></value>");
    abuse(&d, posted(&deep).as_bytes());
    let entities = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;\">]>\
                    <methodCall><methodName>&b;&b;&b;</methodName></methodCall>";
    abuse(&d, posted(entities).as_bytes());
    // Meanwhile half a request hangs on each of these.
    let hanging: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = d.connect_tcp();
            stream.write_all(b"POST /RPC2 HTTP/1.1\r\nContent-Le").unwrap();
            stream
        })
        .collect();
    let (_, body) = raw(&d, &posted(&request("supervisor.getState", "")));
    assert_eq!(body, STATE);
    drop(hanging);
    assert_eq!((d.state("a").as_str(), d.pid_of("a")), ("RUNNING", child));
    assert!(alive(d.pid));
    assert!(!d.log().contains("panicked"), "a thread panicked");
}

#[test]
fn an_answer_is_bounded_however_it_is_asked_for() {
    if !Side::ours_only("the original builds whatever is asked for") {
        return;
    }
    let program = |name: &str| format!("command=/bin/sleep 1000\nstdout_logfile=%(here)s/{name}");
    let setup = Setup::new()
        .program("plain", &program("plain.log"))
        .program("marks", &program("marks.log"));
    std::fs::write(setup.path("plain.log"), vec![b'x'; 12 << 20]).unwrap();
    std::fs::write(setup.path("marks.log"), vec![b'&'; 12 << 20]).unwrap();
    let d = setup.start();
    let read = |name: &str| format!("<string>{name}</string><int>0</int><int>0</int>");
    let too_large = "FAILED: the answer would have more than 32 MiB; ask for less at a time";
    let answer = d.rpc().call("supervisor.readProcessStdoutLog", &read("marks")).unwrap();
    assert_eq!(crate::support::rpc::fault(&answer), Some((30, too_large.to_owned())));
    let one = "<value><struct><member><name>methodName</name><value>\
               supervisor.readProcessStdoutLog</value></member><member><name>params</name><value>\
               <array><data><value><string>plain</string></value><value><int>0</int></value>\
               <value><int>0</int></value></data></array></value></member></struct></value>";
    let calls = format!(
        "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>\
         {}</data></array></value></param></params></methodCall>",
        one.repeat(50)
    );
    let answer = d.rpc().post(&calls).unwrap().body;
    assert_eq!(answer.matches(too_large).count(), 48);
    assert!(answer.len() < 33 << 20 && answer.len() > 24 << 20, "{}", answer.len());
}
