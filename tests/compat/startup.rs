//! What the daemon refuses at its start: one message, exit code 2, nothing touched.

use std::{fs, net::TcpListener, process::Command};

use crate::support::{Output, Scratch, Setup, Side, alive, matches, root, run};

/// Fails unless it is the two lines of an error and exit code 2.
#[track_caller]
fn refused(output: &Output, message: &str) {
    assert_eq!(output.code, 2, "{output:?}");
    let line = output.stderr.lines().find(|line| line.starts_with("Error: "));
    let line = line.unwrap_or_else(|| panic!("no error line in {output:?}"));
    assert!(line.contains(message), "{message:?} is not in {line:?}");
    assert!(output.stderr.contains("For help, use "), "{output:?}");
    assert!(!output.stderr.contains("panicked"), "{output:?}");
}

const GLOBAL: &str = "[supervisord]\nlogfile=%(here)s/activity.log\npidfile=%(here)s/d.pid\n";

#[test]
fn a_file_that_cannot_be_understood_is_refused() {
    let table = [
        ("garbage\n", "File contains no section headers."),
        ("[program:a]\ncommand=/bin/true\n", ".ini file does not include supervisord section"),
        ("[supervisord]\nnodaemon\n", "Source contains parsing errors: "),
    ];
    for (text, message) in table {
        refused(&Setup::new().run_file(text, 20), message);
    }
}

#[test]
fn the_place_in_the_file_is_named() {
    let table = [
        ("garbage\n", "File contains no section headers.\nfile: '*/c.conf', line: 1\n'garbage\\n'"),
        (
            "[supervisord]\nnodaemon\n = x\n",
            "Source contains parsing errors: '*/c.conf'\n\t[line  2]: 'nodaemon\\n'\n\t[line  3]: \
             ' = x\\n'",
        ),
        (
            "[supervisord]\n[program:a]\ncommand=/bin/true\nstartsecs=1.5\n",
            "invalid literal for int() with base 10: '1.5' in section 'program:a' (file: \
             '*/c.conf')",
        ),
    ];
    for (text, message) in table {
        let output = Setup::new().run_file(text, 20);
        let whole = format!("Error: {message}\nFor help, use * -h\n*");
        assert!(matches(&whole, &output.stderr), "{output:?} is not {whole:?}");
        assert_eq!(output.code, 2);
    }
}

#[test]
fn a_bad_value_of_a_listener_is_named() {
    let table = [
        ("foo", "not a valid port number: 'foo' "),
        ("127.0.0.1:", "no port number specified in ''"),
        ("127.0.0.1:0", "0 is below lower bound (1)"),
        ("127.0.0.1:70000", "70000 is above upper bound (65535)"),
        (
            "192.0.2.1:9001",
            "Cannot open an HTTP server: socket.error reported errno.EADDRNOTAVAIL (99)",
        ),
        ("-:9001", "Cannot open an HTTP server: socket.error reported -2"),
    ];
    for (port, message) in table {
        let text = format!("{GLOBAL}[inet_http_server]\nport={port}\n");
        refused(&Setup::new().run_file(&text, 20), message);
    }
    let extension = "[rpcinterface:x]\nsupervisor.rpcinterface_factory = no.such:factory\n";
    let output = Setup::new().run_file(&format!("{GLOBAL}{extension}"), 20);
    refused(&output, "no.such:factory cannot be resolved within [rpcinterface:x]");
}

#[test]
fn a_bad_value_of_a_fastcgi_program_is_named() {
    let table = [
        ("", "[fcgi-program:f] section requires a \"socket\" line"),
        ("socket=unix:///tmp/f\nsocket_backlog=0", "Invalid socket_backlog value 0"),
        ("socket=unix:///tmp/f\nsocket_owner=no-such", "Invalid socket_owner value no-such"),
        ("socket=unix:///tmp/f\nsocket_mode=9", "Invalid socket_mode value 9"),
        (
            "socket=tcp://localhost:9\nsocket_mode=0700",
            "socket_owner and socket_mode params should only be used with a Unix domain socket in \
             [fcgi-program:f] socket",
        ),
        (
            "socket=tcp://localhost",
            "('Bad socket format %s', 'tcp://localhost') in [fcgi-program:f] socket",
        ),
        (
            "socket=unix://foo",
            "('Unix socket path %s is not an absolute path', 'foo') in [fcgi-program:f] socket",
        ),
    ];
    for (lines, message) in table {
        let text = format!("{GLOBAL}[fcgi-program:f]\ncommand=/bin/true\n{lines}\n");
        refused(&Setup::new().run_file(&text, 20), message);
    }
}

#[test]
fn a_bad_value_is_named() {
    let table = [
        // [supervisord]
        ("user=no-such-user", "Invalid user name no-such-user"),
        ("loglevel=loud", "bad logging level name 'loud'"),
        ("logfile_maxbytes=lots", "invalid literal for int() with base 10: 'lots'"),
        ("minfds=many", "invalid literal for int() with base 10: 'many'"),
        ("umask=9", "9 can not be converted to an octal type"),
        ("childlogdir=/no/such", "/no/such is not an existing directory"),
        ("environment=A=1 B=2", "Unexpected end of key/value pairs in value 'A=1 B=2'"),
        // The listeners
        ("[unix_http_server]", "section [unix_http_server] has no file value"),
        ("[unix_http_server]\nfile=%(here)s/s\nchmod=9", "Invalid chmod value 9"),
        ("[unix_http_server]\nfile=%(here)s/s\nchown=no-such", "Invalid sockchown value no-such"),
        ("[inet_http_server]", "section [inet_http_server] has no port value"),
        (
            "[inet_http_server]\nport=127.0.0.1:9\nusername=a",
            "Section [inet_http_server] contains incomplete authentication: If a username or a \
             password is specified, both the username and password must be specified",
        ),
        // Others
        ("[include]", ".ini file has [include] section, but no files setting"),
        ("[group:g]\nprograms=zz", "[group:g] names unknown program or fcgi-program zz"),
        (
            "[program:x]\ncommand=/bin/true\n[fcgi-program:x]\ncommand=/bin/true\n\
             socket=unix:///tmp/x\n[group:g]\nprograms=x",
            "[group:g] name x is ambiguous (exists as program and fcgi-program)",
        ),
        (
            "[rpcinterface:x]",
            "section [rpcinterface:x] does not specify a supervisor.rpcinterface_factory",
        ),
        ("[program:a b]\ncommand=/bin/true", "Invalid name: 'a b' because of character: ' '"),
    ];
    for (lines, message) in table {
        refused(&Setup::new().run_file(&format!("{GLOBAL}{lines}\n"), 20), message);
    }
}

#[test]
fn a_bad_value_of_a_program_is_named() {
    let table = [
        ("", "program section program:a does not specify a command"),
        ("stopsignal=FOO", "value 'FOO' is not a valid signal name"),
        ("stopsignal=200", "value '200' is not a valid signal number"),
        ("user=-2", "Invalid user id -2"),
        ("priority=high", "invalid literal for int() with base 10: 'high'"),
        ("autostart=maybe", "not a valid boolean value: 'maybe'"),
        ("autorestart=sometimes", "invalid 'autorestart' value 'sometimes'"),
        ("user=no-such-user", "Invalid user name no-such-user"),
        ("numprocs=2", "%(process_num) must be present within process_name when numprocs > 1"),
        (
            "stopasgroup=true\nkillasgroup=false",
            "Cannot set stopasgroup=true and killasgroup=false",
        ),
        ("exitcodes=a", "not a valid list of exit codes: 'a'"),
        ("environment=A=1 B=2", "Unexpected end of key/value pairs in value 'A=1 B=2'"),
        (
            "directory=%(nope)s",
            "Format string '%(nope)s' for 'program:a.directory' contains names ('nope') which \
             cannot be expanded. Available names: ",
        ),
        (
            "directory=%(ENV_NO_SUCH)s",
            "Format string '%(ENV_NO_SUCH)s' for 'program:a.directory' contains names \
             ('ENV_NO_SUCH') which cannot be expanded. Available names: ",
        ),
        (
            "directory=%d",
            "Format string '%d' for 'program:a.directory' is badly formatted: %d format: a real \
             number is required, not dict",
        ),
        (
            "directory=100%",
            "Format string '100%' for 'program:a.directory' is badly formatted: incomplete format",
        ),
        (
            "directory=%(here)Y",
            "Format string '%(here)Y' for 'program:a.directory' is badly formatted: unsupported \
             format character 'Y' (0x59) at index 7",
        ),
        (
            "directory=%(here)d",
            "Format string '%(here)d' for 'program:a.directory' is badly formatted: %d format: a \
             real number is required, not str",
        ),
        (
            "stdout_logfile=/no/such/x",
            "The directory named as part of the path /no/such/x does not exist",
        ),
        ("process_name=a b", "Invalid name: 'a b' because of character: ' '"),
    ];
    for (lines, message) in table {
        let command = if lines.is_empty() { "" } else { "command=/bin/true\n" };
        let text = format!("{GLOBAL}[program:a]\n{command}{lines}\n");
        let output = Setup::new().run_file(&text, 20);
        refused(&output, message);
    }
}

#[test]
fn a_bad_command_line_is_refused() {
    let table: [(&[&str], &str); 11] = [
        (&["-x"], "option -x not recognized"),
        (&["--bogus"], "option --bogus not recognized"),
        (&["-e"], "option -e requires argument"),
        (&["--minfds"], "option --minfds requires argument"),
        (&["--nodaemon=1"], "option --nodaemon must not have an argument"),
        (&["-e", "loud"], "invalid value for -e 'loud': bad logging level name 'loud'"),
        (&["foo", "bar"], "positional arguments are not supported: ['foo', 'bar']"),
        (&["-c", "/no/such"], "could not find config file /no/such"),
        (&["-c", "/tmp"], "could not read config file /tmp"),
        (&["-e", "info", "-e", "info"], "conflicting command line option '-e'"),
        (&["--log", "x"], "option --log not a unique prefix"),
    ];
    let program = Side::under_test().supervisord();
    for (args, message) in table {
        let output = run(Command::new(&program).args(args), 20);
        refused(&output, message);
        let help = format!("For help, use {} -h", program.display());
        assert_eq!(output.stderr.lines().last(), Some(help.as_str()));
    }
}

#[test]
fn without_a_file_the_places_looked_at_are_named() {
    let program = Side::under_test().supervisord();
    let prefix = program.parent().unwrap().parent().unwrap().display().to_string();
    let scratch = Scratch::new();
    let output = run(Command::new(&program).current_dir(scratch.path()), 20);
    refused(
        &output,
        &format!(
            "No config file found at default paths ({prefix}/etc/supervisord.conf, \
             {prefix}/supervisord.conf, supervisord.conf, etc/supervisord.conf, \
             /etc/supervisord.conf, /etc/supervisor/supervisord.conf); use the -c option to \
             specify a config file at a different path"
        ),
    );
    let whole = "*Error: *\nFor help, use * -h\n";
    assert!(matches(whole, &output.stderr), "{output:?}");
    let warning = "Supervisord is running as root and it is searching for its configuration file \
                   in default locations (including its current working directory); you probably \
                   want to specify a \"-c\" argument specifying an absolute path to a \
                   configuration file for improved security.";
    assert_eq!(output.stderr.contains(warning), root(), "{output:?}");
}

#[test]
fn what_was_strange_in_the_file_is_told_first() {
    let setup = Setup::new()
        .tcp()
        .supervisord("nocleanup=true")
        .section("[include]\nfiles=more/*.conf none/*.conf")
        .program("a", "command=/bin/true\nstdout_logfile=syslog\nstderr_logfile=syslog")
        .program("b", "command=/bin/true\nstdout_logfile_maxbytes=0\nstderr_logfile_maxbytes=0")
        .program("c", "command=/bin/true\nredirect_stderr=true\nstderr_logfile=%(here)s/c.err");
    let more = setup.path("more");
    fs::create_dir(&more).unwrap();
    fs::write(more.join("x.conf"), "[program:d]\ncommand=/bin/true\n").unwrap();
    let (more, none) = (more.join("x.conf"), setup.path("none/*.conf"));
    let d = setup.start();
    let (more, none) = (more.display(), none.display());
    let lines = [
        "WARN For [program:a], stdout_logfile=syslog but this is deprecated and will be removed.  \
         Use stdout_syslog=true to enable syslog instead."
            .to_owned(),
        "WARN For [program:a], stderr_logfile=syslog but this is deprecated and will be removed.  \
         Use stderr_syslog=true to enable syslog instead."
            .to_owned(),
        "WARN For [program:b], AUTO logging used for stdout_logfile without rollover, set maxbytes \
         > 0 to avoid filling up filesystem unintentionally"
            .to_owned(),
        "WARN For [program:b], AUTO logging used for stderr_logfile without rollover, set maxbytes \
         > 0 to avoid filling up filesystem unintentionally"
            .to_owned(),
        "WARN For [program:c], redirect_stderr=true but stderr_logfile has also been set to a \
         filename, the filename has been ignored"
            .to_owned(),
        format!("WARN No file matches via include \"{none}\""),
        format!("INFO Included extra file \"{more}\" during parsing"),
        "CRIT Server 'unix_http_server' running without any HTTP authentication checking"
            .to_owned(),
        "CRIT Server 'inet_http_server' running without any HTTP authentication checking"
            .to_owned(),
    ];
    d.wait_log("INFO supervisord started with pid *", 15);
    for line in lines {
        d.has_count(&line, 1);
    }
    let as_root = "CRIT Supervisor is running as root.  Privileges were not dropped because no \
                   user is specified in the config file.  If you intend to run as root, you can \
                   set user=root in the config file to avoid this message.";
    d.has_count(as_root, usize::from(root()));
    assert_eq!(d.messages().first().is_some_and(|line| line == as_root), root(), "{}", d.log());
}

#[test]
fn help_and_version_go_to_stdout() {
    let program = Side::under_test().supervisord();
    let version = run(Command::new(&program).arg("--version"), 20);
    assert!(version.stdout.starts_with("4.3.0"), "{version:?}");
    assert_eq!((version.code, version.lines().len()), (0, 1));
    let help = run(Command::new(&program).arg("-h"), 20);
    assert!(
        help.stdout.contains("--configuration") && help.stdout.contains("--nodaemon"),
        "{help:?}"
    );
    assert_eq!(help.code, 0);
}

#[test]
fn a_port_in_use_is_refused() {
    let setup = Setup::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = format!("{GLOBAL}[inet_http_server]\nport=127.0.0.1:{port}\n");
    let output = setup.run_file(&text, 20);
    refused(
        &output,
        "Another program is already listening on a port that one of our HTTP servers is \
         configured to use.  Shut this program down first before starting supervisord.",
    );
    assert!(!setup.path("d.pid").exists(), "a refused start leaves no pidfile");
}

#[test]
fn a_second_instance_is_refused_and_harms_nothing() {
    let d = Setup::new().program("a", "command=/bin/sleep 1000\nstartsecs=0").start();
    d.wait_state("a", "RUNNING", 15);
    let child = d.pid_of("a");
    let mut second = Command::new(Side::under_test().supervisord());
    second.args(["-n", "-l", "second.log", "-k", "-c"]).arg(&d.config).current_dir(d.path(""));
    let output = run(&mut second, 20);
    assert_eq!(output.code, 2, "{output:?}");
    assert!(output.stderr.starts_with("Error: "), "{output:?}");
    assert!(d.path("s.sock").exists());
    assert_eq!(d.read("d.pid"), format!("{}\n", d.pid));
    assert_eq!((d.state("a").as_str(), d.pid_of("a")), ("RUNNING", child));
    assert!(alive(child));
}

#[test]
fn a_second_instance_by_the_pidfile_alone_is_refused() {
    if !Side::ours_only("the original overwrites the pidfile of a living instance") {
        return;
    }
    let d = Setup::new().program("a", "command=/bin/sleep 1000\nstartsecs=0").start();
    let other = d.path("other.conf");
    let pidfile = d.path("d.pid");
    let text =
        format!("[supervisord]\nlogfile=%(here)s/other.log\npidfile={}\n", pidfile.display());
    fs::write(&other, text).unwrap();
    let output = run(Command::new(Side::Ours.supervisord()).args(["-n", "-c"]).arg(&other), 20);
    assert_eq!(output.code, 2, "{output:?}");
    let error = format!(
        "Error: another supervisord (pid {}) runs with the pidfile {}; stop it first, or choose \
         another pidfile\n",
        d.pid,
        pidfile.display()
    );
    assert!(output.stderr.ends_with(&error), "{output:?}");
    assert_eq!(d.read("d.pid"), format!("{}\n", d.pid));
}

#[test]
fn what_a_killed_instance_left_is_taken_over() {
    let mut d = Setup::new().program("a", "command=/bin/sleep 1000\nstartsecs=0").start();
    d.wait_state("a", "RUNNING", 15);
    d.signal(nix::sys::signal::Signal::SIGKILL);
    assert_eq!(d.wait_exit(10), -9);
    assert!(d.path("s.sock").exists() && d.path("d.pid").exists());
    // The pidfile names a process that lives and is no instance: this one.
    fs::write(d.path("d.pid"), format!("{}\n", std::process::id())).unwrap();
    let mut next = Command::new(Side::under_test().supervisord());
    next.arg("-c").arg(&d.config).current_dir(d.path(""));
    next.env("MINDER_TEST_DIR", d.path("").to_str().unwrap().trim_end_matches('/'));
    let said = fs::File::create(d.path("next.err")).unwrap();
    let mut next = next.arg("-n").stdout(std::process::Stdio::null()).stderr(said).spawn().unwrap();
    d.wait_file("d.pid", 20, |text| text == format!("{}\n", next.id()));
    d.wait_state("a", "RUNNING", 15);
    let taken = format!("Unlinking stale socket {}\n", d.path("s.sock").display());
    assert!(d.read("next.err").contains(&taken), "{}", d.read("next.err"));
    next.kill().unwrap();
    next.wait().unwrap();
}

#[test]
fn names_of_python_objects_may_have_blanks_around_the_colon() {
    let setup = Setup::new();
    let config = setup.path("c.conf");
    let text = "[unix_http_server]\nfile=%(here)s/s.sock\n\
                [supervisord]\nlogfile=%(here)s/activity.log\npidfile=%(here)s/d.pid\n\
                childlogdir=%(here)s\n[rpcinterface:supervisor]\n\
                supervisor.rpcinterface_factory = supervisor.rpcinterface: make_main_rpcinterface\n\
                [eventlistener:e]\ncommand=/bin/cat\nevents=TICK_3600\nautostart=false\n\
                result_handler=supervisor.dispatchers : default_handler\n";
    fs::write(&config, text).unwrap();
    let d = setup.start_file(config);
    d.wait_log("INFO RPC interface 'supervisor' initialized", 15);
    assert_eq!(d.state("e"), "STOPPED");
}

#[test]
fn what_was_told_before_a_listener_failed_is_in_the_log() {
    let setup = Setup::new();
    let port = crate::support::free_port();
    // The address is for documentation: no machine has it.
    let listeners = format!(
        "[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [inet_http_server]\nport=127.0.0.1:{port}\n[inet_http_server:b]\nport=192.0.2.1:{port}\n"
    );
    let text = format!("{GLOBAL}{listeners}");
    refused(&setup.run_file(&text, 20), "socket.error reported errno.EADDRNOTAVAIL (99)");
    let mut want = vec![
        "INFO RPC interface 'supervisor' initialized",
        "CRIT Server 'inet_http_server' running without any HTTP authentication checking",
    ];
    if root() {
        want.insert(0, "CRIT Supervisor is running as root.  *");
    }
    let log = fs::read_to_string(setup.path("activity.log")).unwrap();
    let lines: Vec<&str> = log.lines().filter_map(|line| line.get(24..)).collect();
    assert_eq!(lines.len(), want.len(), "{log}");
    assert!(want.iter().zip(&lines).all(|(want, line)| matches(want, line)), "{log}");
    assert!(!setup.path("d.pid").exists());
}

#[test]
fn a_start_that_is_refused_beside_a_living_daemon_writes_into_no_log() {
    if !Side::ours_only("the original writes into the log of the living daemon") {
        return;
    }
    let d = Setup::new().tcp().start();
    d.wait_log("INFO supervisord started with pid *", 15);
    let before = d.log();
    let mut again = Command::new(Side::Ours.supervisord());
    let output = run(again.arg("-n").arg("-c").arg(&d.config), 20);
    refused(&output, "Another program is already listening on a port");
    // By its pidfile alone it is a second one, too.
    let text = fs::read_to_string(&d.config).unwrap().replace("127.0.0.1:", "192.0.2.1:");
    fs::write(d.path("other.conf"), text).unwrap();
    let mut other = Command::new(Side::Ours.supervisord());
    let output = run(other.args(["-n", "-c"]).arg(d.path("other.conf")), 20);
    refused(&output, "socket.error reported errno.EADDRNOTAVAIL (99)");
    assert_eq!(d.log(), before);
}
