//! node_exporter's supervisord collector, as Debian has it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    PASSWORD, USER, Way,
    support::{Setup, Side, free_port, wait_for},
};

/// A running exporter.
struct Exporter(Child);

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn metrics(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

fn exports(way: Way) {
    let mut setup = Setup::new()
        .side(Side::Ours)
        .program("cat", "command=/bin/cat\nstartsecs=0")
        .program("ended", "command=/bin/sh -c \"exit 3\"\nstartsecs=0\nautorestart=false")
        .program("m", "command=/bin/cat\nautostart=false")
        .section("[group:g]\nprograms=m");
    // Over a unix socket it has no way to give a password.
    if way == Way::Tcp {
        setup = setup.login(USER, PASSWORD).tcp();
    }
    let d = setup.start();
    d.wait_state("cat", "RUNNING", 15);
    d.wait_state("ended", "EXITED", 15);
    let url = match way {
        Way::Unix => format!("unix://{}", d.path("s.sock").display()),
        Way::Tcp => format!("http://{USER}:{PASSWORD}@127.0.0.1:{}/RPC2", d.port()),
    };
    let port = free_port();
    let child = Command::new("prometheus-node-exporter")
        .args(["--collector.disable-defaults", "--collector.supervisord"])
        .arg(format!("--collector.supervisord.url={url}"))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus-node-exporter, which scripts/test installs");
    let _exporter = Exporter(child);
    let text = wait_for("the exporter's metrics", 30, || metrics(port));
    let start = d.info("cat", "start").unwrap();
    let seconds: f64 = start.parse().unwrap();
    for line in [
        "node_scrape_collector_success{collector=\"supervisord\"} 1".to_owned(),
        "node_supervisord_up{group=\"cat\",name=\"cat\"} 1".to_owned(),
        "node_supervisord_up{group=\"g\",name=\"m\"} 0".to_owned(),
        "node_supervisord_state{group=\"cat\",name=\"cat\"} 20".to_owned(),
        "node_supervisord_state{group=\"ended\",name=\"ended\"} 100".to_owned(),
        "node_supervisord_exit_status{group=\"ended\",name=\"ended\"} 3".to_owned(),
    ] {
        assert!(text.lines().any(|told| told == line), "no line {line} in\n{text}");
    }
    let key = "node_supervisord_start_time_seconds{group=\"cat\",name=\"cat\"} ";
    let told = text.lines().find_map(|line| line.strip_prefix(key)).expect("the time of start");
    assert_eq!(told.parse::<f64>().unwrap(), seconds, "{text}");
}

#[test]
fn node_exporter_reads_states_over_unix() {
    exports(Way::Unix);
}

#[test]
fn node_exporter_reads_states_over_tcp() {
    exports(Way::Tcp);
}
