//! A server of tiny_http, in a process of its own as it does not survive.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Tells the process that it is the server.
const MARK: &str = "MINDER_TINY_HTTP";

pub fn is_server() -> bool {
    env::var_os(MARK).is_some()
}

/// Reads each request's body and answers, in as many threads as our daemon has.
pub fn serve() {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    println!("port {}", server.server_addr().to_ip().unwrap().port());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Ok(mut request) = server.recv() {
                    let mut body = Vec::new();
                    let _ = request.as_reader().read_to_end(&mut body);
                    let _ = request.respond(tiny_http::Response::from_string("still here"));
                }
            });
        }
    });
}

pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    pub fn start() -> Server {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "tiny_http_does_not_stand_it", "--nocapture"]).env(MARK, "1");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let port =
            lines.find_map(|line| line.split_once("port ").map(|(_, port)| port.parse().unwrap()));
        Server { child, port: port.unwrap() }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
