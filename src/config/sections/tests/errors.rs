//! The literal texts, a row each.

use super::*;

fn error(text: &str) -> String {
    read_with(text, &CommandLine::default()).expect_err(text)
}

#[test]
fn the_daemon_s_own_options() {
    for (line, message) in [
        ("minfds=1.5", "invalid literal for int() with base 10: '1.5'"),
        ("minprocs=", "invalid literal for int() with base 10: ''"),
        ("nodaemon=maybe", "not a valid boolean value: 'maybe'"),
        ("logfile_maxbytes=1.5MB", "invalid literal for int() with base 10: '1.5'"),
        ("umask=9", "9 can not be converted to an octal type"),
        ("loglevel=warning", "bad logging level name 'warning'"),
        ("user=nouser", "Invalid user name nouser"),
        ("user=-2", "Invalid user id -2"),
        ("directory=/none", "/none is not an existing directory"),
        ("childlogdir=~no", "~no is not an existing directory"),
        ("pidfile=~/none/p", "The directory named as part of the path ~/none/p does not exist"),
        ("environment=A", "Unexpected end of key/value pairs in value 'A'"),
        ("environment=A=\"x ; y\"", "No closing quotation"),
        ("environment=A=\\", "No escaped character"),
        (
            "logfile=%(x)s",
            "Format string '%(x)s' for 'supervisord.logfile' contains names ('x') which cannot be \
             expanded. Available names: ENV_X, here",
        ),
    ] {
        assert_eq!(error(&format!("{line}\n")), message);
    }
}

#[test]
fn the_command_line() {
    let given = |text: &str| Some(Given { spelling: "-e".to_owned(), text: text.to_owned() });
    let line = CommandLine { loglevel: given("foo"), ..CommandLine::default() };
    let message = "invalid value for -e 'foo': bad logging level name 'foo'";
    assert_eq!(read_with("nodaemon=maybe\n", &line).unwrap_err(), message);
    let line = CommandLine { user: given("foo"), ..CommandLine::default() };
    assert_eq!(read_with("", &line).unwrap_err(), "Invalid user name foo");
}

#[test]
fn one_program() {
    for (line, message) in [
        ("autostart=maybe", "not a valid boolean value: 'maybe'"),
        ("autorestart=Sometimes", "invalid 'autorestart' value 'sometimes'"),
        ("startsecs=x", "invalid literal for int() with base 10: 'x'"),
        ("exitcodes=256", "not a valid list of exit codes: '256'"),
        ("stopsignal=FOO", "value 'FOO' is not a valid signal name"),
        ("stopsignal=200", "value '200' is not a valid signal number"),
        ("stdout_capture_maxbytes=1B", "invalid literal for int() with base 10: '1b'"),
        ("startretries=ever", "invalid literal for int() with base 10: 'ever'"),
        ("restart_backoff=fast", "invalid 'restart_backoff' value 'fast': linear or double"),
        ("restart_delay_min=-1", "not a number of seconds: '-1'"),
        ("restartpause=1e3", "not a number of seconds: '1e3'"),
        ("restart_delay_max=x", "not a number of seconds: 'x'"),
        ("restart_reset_secs=", "not a number of seconds: ''"),
        (
            "restart_limit=0/60s",
            "not a number of restarts and a time, as in 5/60s, 10/5m or 20/1h: '0/60s'",
        ),
        ("user=nouser", "Invalid user name nouser"),
        ("umask=z", "z can not be converted to an octal type"),
        ("process_name=a b", "Invalid name: 'a b' because of character: ' '"),
        ("numprocs=2", "%(process_num) must be present within process_name when numprocs > 1"),
        (
            "stopasgroup=true\nkillasgroup=false",
            "Cannot set stopasgroup=true and killasgroup=false",
        ),
        (
            "stdout_logfile=/none/x",
            "The directory named as part of the path /none/x does not exist",
        ),
        ("environment=A=", "Unexpected end of key/value pairs in value 'A='"),
        (
            "command=date +%Y",
            "Format string 'date +%Y' for 'program:a.command' is badly formatted: unsupported \
             format character 'Y' (0x59) at index 7",
        ),
        (
            "directory=%(ENV_X)d",
            "Format string '%(ENV_X)d' for 'program:a.directory' is badly formatted: %d format: a \
             real number is required, not str",
        ),
        (
            "process_name=%(x)s",
            "Format string '%(x)s' for 'process_name' contains names ('x') which cannot be \
             expanded. Available names: ENV_X, group_name, here, host_node_name, numprocs, \
             process_num, program_name",
        ),
        (
            "stdout_logfile=%%d",
            "Format string '%d' for 'stdout_logfile' is badly formatted: %d format: a real number \
             is required, not dict",
        ),
    ] {
        let suffix = " in section 'program:a' (file: '/dir/x.conf')";
        let text = format!("[program:a]\ncommand=c\n{line}\n");
        assert_eq!(error(&text), format!("{message}{suffix}"));
    }
    assert_eq!(
        error("[program:a]\n"),
        "program section program:a does not specify a command in section 'program:a' (file: \
         '/dir/x.conf')"
    );
}

#[test]
fn groups() {
    for (text, message) in [
        ("[group:g]\nprograms=a\n", "[group:g] names unknown program or fcgi-program a"),
        (
            "[program:a]\ncommand=c\n[group:g]\nprograms=a,\n",
            "[group:g] names unknown program or fcgi-program ",
        ),
        ("[group:g]\npriority=x\n", "invalid literal for int() with base 10: 'x'"),
        ("[group:g h]\n", "Invalid name: 'g h' because of character: ' '"),
        ("[program:a:b]\n", "Invalid name: 'a:b' because of character: ':'"),
        ("[program:a]\npriority=x\n", "invalid literal for int() with base 10: 'x'"),
        (
            "[program:a]\npriority=%(program_name)s\n",
            "Format string '%(program_name)s' for 'program:a.priority' contains names \
             ('program_name') which cannot be expanded. Available names: ENV_X, here",
        ),
    ] {
        assert_eq!(error(text), message);
    }
}

#[test]
fn listeners() {
    for (text, message) in [
        ("[unix_http_server]\n", "section [unix_http_server] has no file value"),
        ("[inet_http_server:b]\n", "section [inet_http_server:b] has no port value"),
        ("[unix_http_server]\nfile=/s\nchmod=9\n", "Invalid chmod value 9"),
        ("[unix_http_server]\nfile=/s\nchown=me:no\n", "Invalid sockchown value me:no"),
        (
            "[inet_http_server]\nusername=u\nport=1\n",
            "Section [inet_http_server] contains incomplete authentication: If a username or a \
             password is specified, both the username and password must be specified",
        ),
        ("[inet_http_server]\nport=foo\n", "not a valid port number: 'foo' "),
        (
            "[inet_http_server]\nport=%(here)s\n",
            "Format string '%(here)s' for 'inet_http_server.port' contains names ('here') which \
             cannot be expanded. Available names: ENV_X",
        ),
    ] {
        assert_eq!(error(text), message);
    }
}

#[test]
fn plugins() {
    assert_eq!(
        error("[rpcinterface:x]\n"),
        "section [rpcinterface:x] does not specify a supervisor.rpcinterface_factory"
    );
    assert_eq!(
        error("[rpcinterface:x]\n\nsupervisor.rpcinterface_factory=t:make\n"),
        "t:make cannot be resolved within [rpcinterface:x]: Python extensions are not supported \
         (file: '/dir/x.conf', line: 4); skip_unloadable_plugins=true in [supervisord] skips the \
         section"
    );
}

#[test]
fn no_daemon() {
    let document = document("[program:a]\n");
    let source = Source { document: &document, file: "/dir/x.conf" };
    let error = load(source, &CommandLine::default(), &Fake).unwrap_err();
    assert_eq!(error.to_string(), ".ini file does not include supervisord section");
}
