//! The listeners. One daemon has them all.

use std::{
    fs,
    net::TcpStream,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use minder::config::table::Section::{InetHttpServer, UnixHttpServer};

use crate::{
    effect::{Effect, Run, Table, option},
    support::{Setup, rpc},
};

pub const TABLE: Table = Table { effects: EFFECTS, setup: Setup::new };

const FILE: &str = "file=%(here)s/{name}.sock";

const EFFECTS: &[Effect] = &[
    option(UnixHttpServer, "file", "%(here)s/{name}-1.sock")
        .instead("%(here)s/{name}-2.sock")
        .beside(socket)
        .shows("1", "2"),
    option(UnixHttpServer, "chmod", "0777").lines(FILE).beside(mode).shows("777", "700"),
    option(UnixHttpServer, "chown", "nobody").lines(FILE).beside(owner).shows("65534", "0"),
    option(UnixHttpServer, "username", "probe")
        .instead("other")
        .lines("file=%(here)s/{name}.sock\npassword=secret")
        .beside(unix_login)
        .shows("200 after 401", "401 after 401"),
    option(UnixHttpServer, "password", "secret")
        .instead("other")
        .lines("file=%(here)s/{name}.sock\nusername=probe")
        .beside(unix_login)
        .shows("200 after 401", "401 after 401"),
    option(UnixHttpServer, "allowed_hosts", "sup.example.org")
        .lines(FILE)
        .beside(unix_browser)
        .shows("200", "403"),
    option(InetHttpServer, "allowed_hosts", "sup.example.org")
        .lines("port=127.0.0.1:{port}")
        .beside(tcp_browser)
        .shows("200", "403"),
    option(InetHttpServer, "port", "127.0.0.1:{port}")
        .instead("127.0.0.2:{port}")
        .beside(hosts)
        .shows("127.0.0.1", "127.0.0.2"),
    option(InetHttpServer, "username", "probe")
        .instead("other")
        .lines("port=127.0.0.1:{port}\npassword=secret")
        .beside(tcp_login)
        .shows("200 after 401", "401 after 401"),
    option(InetHttpServer, "password", "secret")
        .instead("other")
        .lines("port=127.0.0.1:{port}\nusername=probe")
        .beside(tcp_login)
        .shows("200 after 401", "401 after 401"),
];

/// The number of the socket that answers.
fn socket(run: &Run<'_>) -> String {
    let answers = |number: &&str| {
        let path = run.daemon.path(&format!("{}-{number}.sock", run.name()));
        rpc::Connection::unix(&path).and_then(|mut c| c.call("supervisor.getPID", "")).is_ok()
    };
    ["1", "2"].into_iter().filter(answers).collect()
}

fn metadata(run: &Run<'_>) -> fs::Metadata {
    fs::metadata(run.daemon.path(&format!("{}.sock", run.name()))).unwrap()
}

fn mode(run: &Run<'_>) -> String {
    format!("{:o}", metadata(run).permissions().mode() & 0o7777)
}

fn owner(run: &Run<'_>) -> String {
    metadata(run).uid().to_string()
}

/// The status for the user probe with the password secret, and the one for nobody.
fn login(connect: impl Fn() -> rpc::Connection) -> String {
    // probe:secret
    const CREDENTIALS: &str = "Authorization: Basic cHJvYmU6c2VjcmV0\r\n";
    let body = rpc::request("supervisor.getState", "");
    let status = |header: &str| {
        let length = body.len();
        let head = format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {length}\r\n{header}\r\n");
        let mut connection = connect();
        connection.send(format!("{head}{body}").as_bytes()).unwrap();
        connection.receive().map_or(0, |response| response.status())
    };
    let before = status("");
    format!("{} after {before}", status(CREDENTIALS))
}

fn unix_login(run: &Run<'_>) -> String {
    let path = run.daemon.path(&format!("{}.sock", run.name()));
    login(|| rpc::Connection::unix(&path).unwrap())
}

fn tcp_login(run: &Run<'_>) -> String {
    login(|| rpc::Connection::tcp(run.case.port).unwrap())
}

/// The status for a browser that shows a page of `sup.example.org`.
fn browser(mut connection: rpc::Connection) -> String {
    let body = rpc::request("supervisor.getState", "");
    let head = format!(
        "POST /RPC2 HTTP/1.1\r\nHost: sup.example.org\r\nOrigin: http://sup.example.org\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    connection.send(format!("{head}{body}").as_bytes()).unwrap();
    connection.receive().map_or(0, |response| response.status()).to_string()
}

fn unix_browser(run: &Run<'_>) -> String {
    let path = run.daemon.path(&format!("{}.sock", run.name()));
    browser(rpc::Connection::unix(&path).unwrap())
}

fn tcp_browser(run: &Run<'_>) -> String {
    browser(rpc::Connection::tcp(run.case.port).unwrap())
}

/// The addresses at which the port is open.
fn hosts(run: &Run<'_>) -> String {
    let open = |host: &&str| TcpStream::connect((*host, run.case.port)).is_ok();
    ["127.0.0.1", "127.0.0.2"].into_iter().filter(open).collect()
}
