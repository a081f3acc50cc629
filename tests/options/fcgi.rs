//! `[fcgi-program:x]`: the socket that its processes find as descriptor 0.

use std::{
    fs,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::{MetadataExt, PermissionsExt},
    },
};

use minder::config::table::Section::FcgiProgram;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use crate::{
    effect::{Effect, Run, Table, option},
    look::{self, pid},
    support::{Setup, wait_for},
};

pub const TABLE: Table = Table { effects: EFFECTS, setup: Setup::new };

const LINES: &str = "command=/bin/sleep 1000\nstartsecs=0\nsocket=unix://%(here)s/{name}.fcgi";

const EFFECTS: &[Effect] = &[
    option(FcgiProgram, "socket", "unix://%(here)s/{name}-1.fcgi")
        .instead("unix://%(here)s/{name}-2.fcgi")
        .lines("command=/bin/sleep 1000\nstartsecs=0")
        .beside(listening)
        .shows("HERE/socket-with-1.fcgi", "HERE/socket-without-2.fcgi"),
    option(FcgiProgram, "socket_backlog", "1")
        .lines(LINES)
        .beside(room)
        .after(fill)
        .shows("2", "10 or more"),
    option(FcgiProgram, "socket_owner", "nobody").lines(LINES).beside(owner).shows("65534", "0"),
    option(FcgiProgram, "socket_mode", "0777").lines(LINES).beside(mode).shows("777", "700"),
];

/// The path at which descriptor 0 of the program listens.
fn listening(run: &Run<'_>) -> String {
    let target = look::link(run.daemon, pid(run), "fd/0");
    let inode = target.trim_start_matches("socket:[").trim_end_matches(']');
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    let found = table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // The flag of a socket that listens.
        let is_it = words.get(6) == Some(&inode) && words.get(3) == Some(&"00010000");
        words.get(7).filter(|_| is_it).copied()
    });
    look::here(run.daemon, found.unwrap_or("nowhere").as_ref())
}

fn metadata(run: &Run<'_>) -> Option<fs::Metadata> {
    fs::metadata(run.daemon.path(&format!("{}.fcgi", run.name()))).ok()
}

fn mode(run: &Run<'_>) -> String {
    let mode = metadata(run).map(|data| data.permissions().mode() & 0o7777);
    mode.map(|mode| format!("{mode:o}")).unwrap_or_default()
}

fn owner(run: &Run<'_>) -> String {
    metadata(run).map(|data| data.uid().to_string()).unwrap_or_default()
}

/// Connects until no more connections can wait, which nobody accepts: one more than the backlog.
/// They stay in its queue for good, so this can be done but once.
fn fill(run: &Run<'_>) {
    let path = run.daemon.path(&format!("{}.fcgi", run.name()));
    let address = UnixAddr::new(&path).unwrap();
    let connection = || {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
        connect(socket.as_raw_fd(), &address).map(|()| socket)
    };
    let first = wait_for("the socket", 15, || connection().ok());
    let others: Vec<OwnedFd> = (1..10).map_while(|_| connection().ok()).collect();
    drop(first);
    let text = match others.len() {
        9 => "10 or more".to_owned(),
        fewer => (fewer + 1).to_string(),
    };
    fs::write(run.daemon.path(&format!("{}.room", run.name())), text).unwrap();
}

fn room(run: &Run<'_>) -> String {
    run.daemon.read(&format!("{}.room", run.name()))
}
