//! Bad listeners and interfaces.

use crate::refusal::{all_refused, bettered, refused};

#[test]
fn unix_sockets() {
    let both = "Section [unix_http_server] contains incomplete authentication: If a username or a \
                password is specified, both the username and password must be specified";
    refused(&[
        ("[unix_http_server]", "section [unix_http_server] has no file value"),
        ("[unix_http_server:b]", "section [unix_http_server:b] has no file value"),
        ("[unix_http_server]\nfile=%(here)s/s\nchmod=9", "Invalid chmod value 9"),
        ("[unix_http_server]\nfile=%(here)s/s\nchmod=rw", "Invalid chmod value rw"),
        ("[unix_http_server]\nfile=%(here)s/s\nchown=no-such", "Invalid sockchown value no-such"),
        (
            "[unix_http_server]\nfile=%(here)s/s\nchown=root:no-such",
            "Invalid sockchown value root:no-such",
        ),
        (
            "[unix_http_server]\nfile=%(here)s/s\nchown=root.root",
            "Invalid sockchown value root.root",
        ),
        ("[unix_http_server]\nfile=%(here)s/s\nusername=a", both),
        ("[unix_http_server]\nfile=%(here)s/s\npassword=a", both),
        (
            "[unix_http_server]\nfile=%(nope)s",
            "Format string '%(nope)s' for 'unix_http_server.file' contains names ('nope') which \
             cannot be expanded. Available names: ENV_*, here",
        ),
        (
            "[unix_http_server]\nfile=%(here)s/s\nusername=a\npassword=50%",
            "Format string '50%' for 'unix_http_server.password' is badly formatted: incomplete \
             format",
        ),
        (
            "[unix_http_server]\nfile=%(here)s/s\nchmod=%(here)s",
            "Format string '%(here)s' for 'unix_http_server.chmod' contains names ('here') which \
             cannot be expanded. Available names: ENV_*",
        ),
    ]);
}

#[test]
fn inet_sockets() {
    refused(&[
        ("[inet_http_server]", "section [inet_http_server] has no port value"),
        ("[inet_http_server]\nport=foo", "not a valid port number: 'foo' "),
        ("[inet_http_server]\nport=", "not a valid port number: '' "),
        ("[inet_http_server]\nport=0", "not a valid port number: '0' "),
        ("[inet_http_server]\nport=70000", "not a valid port number: '70000' "),
        ("[inet_http_server]\nport=localhost:", "no port number specified in ''"),
        ("[inet_http_server]\nport=localhost:0", "0 is below lower bound (1)"),
        ("[inet_http_server]\nport=localhost:70000", "70000 is above upper bound (65535)"),
        (
            "[inet_http_server]\nport=localhost:http",
            "invalid literal for int() with base 10: 'http'",
        ),
        (
            "[inet_http_server:second]\nport=9001\nusername=a",
            "Section [inet_http_server:second] contains incomplete authentication: If a username \
             or a password is specified, both the username and password must be specified",
        ),
        (
            "[inet_http_server]\nport=192.0.2.1:9",
            "Cannot open an HTTP server: socket.error reported errno.EADDRNOTAVAIL (99)",
        ),
    ]);
}

#[test]
fn interfaces() {
    refused(&[(
        "[rpcinterface:x]",
        "section [rpcinterface:x] does not specify a supervisor.rpcinterface_factory",
    )]);
    let factory = |name: &str| {
        bettered(
            &format!("[rpcinterface:x]\nsupervisor.rpcinterface_factory={name}"),
            &format!("{name} cannot be resolved within [rpcinterface:x]"),
            "no-python",
        )
    };
    all_refused(vec![factory(""), factory("no.such:thing")]);
}
