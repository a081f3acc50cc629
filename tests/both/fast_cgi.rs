//! FastCGI programs: their sockets, what their processes find, and what they are refused for.

use crate::{refusal::refused, row::row, run::same};

#[test]
fn bad_ones() {
    let a = |lines: &str| format!("[fcgi-program:a]\ncommand=/bin/cat\n{lines}");
    let rows = [
        ("", "[fcgi-program:a] section requires a \"socket\" line"),
        (
            "socket=tcp://localhost",
            "('Bad socket format %s', 'tcp://localhost') in [fcgi-program:a] socket",
        ),
        ("socket=", "[fcgi-program:a] section requires a \"socket\" line"),
        (
            "socket=udp://localhost:1",
            "('Bad socket format %s', 'udp://localhost:1') in [fcgi-program:a] socket",
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
        ("socket=unix://%(here)s/f\nsocket_mode=9", "Invalid socket_mode value 9"),
        ("socket=unix://%(here)s/f\nsocket_owner=no-such", "Invalid socket_owner value no-such"),
        ("socket=unix://%(here)s/f\nsocket_backlog=0", "Invalid socket_backlog value 0"),
        ("socket=unix://%(here)s/f\nsocket_backlog=65536", "Invalid socket_backlog value 65536"),
        (
            "socket=unix://%(process_num)d",
            "Format string 'unix://%(process_num)d' for 'fcgi-program:a.socket' contains names \
             ('process_num') which cannot be expanded. Available names: ENV_*, here, program_name",
        ),
        (
            "socket=unix://%(here)s/f\nautorestart=x",
            "invalid 'autorestart' value 'x' in section 'fcgi-program:a' (file: '<dir>/c.conf')",
        ),
    ];
    let texts: Vec<(String, &str)> = rows.map(|(lines, message)| (a(lines), message)).into();
    refused(&texts.iter().map(|(text, message)| (text.as_str(), *message)).collect::<Vec<_>>());
    refused(&[(
        "[program:a]\ncommand=x\n[fcgi-program:a]\ncommand=x\nsocket=unix:///x\n[group:g]\n\
         programs=a",
        "[group:g] name a is ambiguous (exists as program and fcgi-program)",
    )]);
}

#[test]
fn sockets() {
    same(vec![
        row(
            "modes, owners and names",
            "
            [fcgi-program:a]
            command=%(here)s/probe a
            socket=unix://%(here)s/%(program_name)s.sock
            startsecs=0
            ",
        )
        .probes(&["a"])
        .ctl(&["stop", "a"]),
        // By itself: whose thread makes its socket first is nobody's business.
        row(
            "several processes",
            "
            [fcgi-program:b]
            command=%(here)s/probe b%(process_num)d
            process_name=%(program_name)s_%(process_num)d
            numprocs=2
            socket=unix://%(here)s/b.sock
            socket_mode=0770
            socket_owner=nobody
            socket_backlog=5
            startsecs=0
            ",
        )
        .probes(&["b0", "b1"]),
    ]);
}
