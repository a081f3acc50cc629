use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::bounded;

use super::*;
use crate::child::environment::Inherited;
use crate::config::command_line::CommandLine;
use crate::config::options::{HttpServer, MainLog, ServerAddress};
use crate::coordinator::message::Handle;
use crate::coordinator::view::View;
use crate::http::lanes::Lanes;
use crate::http::{Limits, pool};
use crate::log::activity::{self, Logger, Setup, Sinks};
use crate::log::rotating;
use crate::process::state::SupervisorState;
use crate::sys::config_files::{self, Patience};
use crate::sys::net::Listener;
use crate::sys::users::Machine;

/// A server whose reloadConfig panics; no coordinator is behind it.
fn directory_with_server() -> (PathBuf, Arc<Server<Job>>, Logger) {
    let directory = std::env::temp_dir().join(format!("minder-rpc-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir(&directory).unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let text = "[supervisord]\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = \
                supervisor.rpcinterface:make_main_rpcinterface\n";
    std::fs::write(path("c.conf"), text).unwrap();
    let options =
        config_files::load(&path("c.conf"), &CommandLine::default(), &Machine, Patience::Short)
            .unwrap();
    let options = Arc::new(options);
    let (logger, queue) = Logger::new(LogLevel::Info);
    let target = MainLog::File(path("log"));
    let setup = Setup { target, limits: rotating::Limits::new(0, 0), echo: false };
    activity::start(queue, Sinks::open(&setup).unwrap()).unwrap();
    let (to, _nobody) = bounded(1);
    let handle = Handle::new(to);
    handle.published().put(Arc::new(View {
        state: SupervisorState::Running,
        processes: Vec::new(),
        groups: Vec::new(),
        options: Arc::clone(&options),
        running: options,
    }));
    let service = Arc::new(Service {
        handle,
        logger: logger.clone(),
        inherited: Arc::new(Inherited::default()),
        counters: Default::default(),
        open_logs: Default::default(),
        reload: Arc::new(|| panic!("a defect")),
        prepare: Arc::new(|_| Err(String::new())),
        lanes: Lanes::default(),
    });
    let section = HttpServer {
        section: "unix_http_server".into(),
        address: ServerAddress::Unix { file: path("s.sock"), mode: 0o700, owner: None },
        credentials: None,
        allowed_hosts: Vec::new(),
    };
    let listener = Listener::open(&section, &mut |_| {}).unwrap();
    let server = Server::start(vec![listener], Limits::default()).unwrap();
    pool::start(&server, &service).unwrap();
    (directory, server, logger)
}

#[test]
fn a_defect_is_answered_and_told() {
    let (directory, server, logger) = directory_with_server();
    let mut client = UnixStream::connect(directory.join("s.sock")).unwrap();
    let mut ask = |call: &str| {
        let body = format!("<methodCall>{call}</methodCall>");
        let length = body.len();
        write!(client, "POST /RPC2 HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"</methodResponse>\n") && !answer.ends_with(b"</body>\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        String::from_utf8(answer).unwrap()
    };
    let reload = "<methodName>supervisor.reloadConfig</methodName>";
    assert!(ask(reload).starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
    let named = |name: &str| {
        format!(
            "<value><struct><member><name>methodName</name><value>{name}</value></member>\
             </struct></value>"
        )
    };
    let calls = named("supervisor.reloadConfig") + &named("supervisor.getAPIVersion");
    let answer = ask(&format!(
        "<methodName>system.multicall</methodName><params><param><value><array><data>{calls}\
         </data></array></value></param></params>"
    ));
    let (_, values) = answer.split_once("<data>").unwrap();
    assert_eq!(
        values,
        "\n<value><struct>\n<member>\n<name>faultCode</name>\n<value><int>30</int></value>\n\
         </member>\n<member>\n<name>faultString</name>\n\
         <value><string>FAILED: a defect</string></value>\n</member>\n</struct></value>\n\
         <value><string>3.0</string></value>\n</data></array></value>\n</param>\n</params>\n\
         </methodResponse>\n"
    );
    logger.flush(Duration::from_secs(10));
    let log = std::fs::read_to_string(directory.join("log")).unwrap();
    let line = format!(
        " CRIT Handling XML-RPC request with data '<methodCall>{reload}</methodCall>' raised an \
         unexpected exception: a defect\n"
    );
    assert!(log.contains(&line), "{log}");
    assert_eq!(log.lines().count(), 2, "{log}");
    server.stop();
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_log_shows_the_beginning_of_what_was_sent() {
    assert_eq!(shown(b"a'\xff"), "\"a'\u{fffd}\"");
    let long = "\u{1f600}".repeat(2 * CHARACTERS);
    assert_eq!(shown(long.as_bytes()).chars().count(), CHARACTERS + 2);
    assert_eq!(shown(&[0xff; 100_000]).chars().count(), CHARACTERS + 2);
}
