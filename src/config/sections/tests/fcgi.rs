//! `[fcgi-program:x]`.

use super::*;

/// The socket of `[fcgi-program:a]` with these lines.
fn socket(lines: &str) -> FcgiSocket {
    let options = read(&format!("[fcgi-program:a]\ncommand=c\n{lines}\n"));
    assert_eq!(options.groups[0].kind, GroupKind::FastCgi);
    options.groups[0].processes[0].socket.as_deref().unwrap().clone()
}

fn unix(path: &str, owner: Option<(u32, Option<u32>)>, mode: u32) -> FcgiAddress {
    FcgiAddress::Unix { path: path.to_owned(), owner, mode }
}

#[test]
fn addresses() {
    let tcp = FcgiAddress::Tcp { host: "localhost".to_owned(), port: 9000 };
    assert_eq!(socket("socket=tcp://LocalHost:9000"), FcgiSocket { address: tcp, backlog: None });
    for (lines, address) in [
        ("socket=unix:///x/../%(program_name)s.sock", unix("/a.sock", None, 0o700)),
        ("socket=unix:///s\nsocket_mode=0777", unix("/s", None, 0o777)),
        ("socket=unix:///s\nsocket_owner=me:wheel", unix("/s", Some((7, Some(3))), 0o700)),
        ("socket=unix:///s\nuser=me", unix("/s", Some((7, Some(8))), 0o700)),
        ("socket=unix:///s\nuser=root", unix("/s", None, 0o700)),
        ("socket=unix:///s\nuser=me\nsocket_owner=root", unix("/s", Some((0, None)), 0o700)),
    ] {
        assert_eq!(socket(lines).address, address, "{lines}");
    }
    assert_eq!(socket("socket=unix:///s\nsocket_backlog=65535").backlog, Some(65_535));
    assert_eq!(unix("/s", None, 0o700).to_string(), "unix:///s");
}

#[test]
fn in_a_group_each_program_keeps_its_socket() {
    let options = read(
        "[group:g]\nprograms=a,b\n[fcgi-program:a]\ncommand=c\nsocket=unix:///a\nnumprocs=2\n\
         process_name=%(process_num)s\n[program:b]\ncommand=c\n",
    );
    let group = &options.groups[0];
    assert_eq!((options.groups.len(), &group.kind), (1, &GroupKind::Programs));
    let sockets: Vec<_> = group.processes.iter().map(|process| process.socket.clone()).collect();
    assert_eq!(sockets[0].as_ref().unwrap().address, unix("/a", None, 0o700));
    assert_eq!((&sockets[0], &sockets[2]), (&sockets[1], &None));
}

#[test]
fn refused() {
    for (lines, message) in [
        ("", "[fcgi-program:a] section requires a \"socket\" line"),
        ("socket=", "[fcgi-program:a] section requires a \"socket\" line"),
        (
            "socket=tcp://localhost",
            "('Bad socket format %s', 'tcp://localhost') in [fcgi-program:a] socket",
        ),
        (
            "socket=tcp://[::1]:9000",
            "('Bad socket format %s', 'tcp://[::1]:9000') in [fcgi-program:a] socket",
        ),
        (
            "socket=unix://foo",
            "('Unix socket path %s is not an absolute path', 'foo') in [fcgi-program:a] socket",
        ),
        (
            "socket=tcp://localhost:1\nsocket_mode=0700",
            "socket_owner and socket_mode params should only be used with a Unix domain socket in \
             [fcgi-program:a] socket",
        ),
        ("socket=unix:///s\nsocket_owner=x", "Invalid socket_owner value x"),
        ("socket=unix:///s\nsocket_mode=9", "Invalid socket_mode value 9"),
        ("socket=unix:///s\nsocket_backlog=0", "Invalid socket_backlog value 0"),
        ("socket=unix:///s\nsocket_backlog=65536", "Invalid socket_backlog value 65536"),
        ("socket=unix:///s\nuser=nouser", "Invalid user name nouser"),
    ] {
        let text = format!("[fcgi-program:a]\ncommand=c\n{lines}\n");
        assert_eq!(read_with(&text, &CommandLine::default()).unwrap_err(), message);
    }
}
