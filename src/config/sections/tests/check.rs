//! All problems at once.

use super::*;
use crate::config::options::HttpServer;

/// A machine that knows no program `gone`, allows 10 descriptors and has the port 1 taken.
struct Small;

impl Inspect for Small {
    fn daemon(&self, options: &Options) -> Vec<Remark> {
        let wanted = options.supervisord.minfds;
        (wanted > 10).then(|| ("minfds", format!("{wanted} is too many"))).into_iter().collect()
    }

    fn server(&self, server: &HttpServer, _: &Options) -> Vec<Remark> {
        let taken = matches!(server.address, ServerAddress::Inet { port: 1, .. });
        taken.then(|| ("port", "taken".to_owned())).into_iter().collect()
    }

    fn process(&self, program: &Program, options: &Options) -> Vec<Remark> {
        let gone = program.command == "gone";
        let path = program.environment.iter().find(|(key, _)| key == "PATH");
        let path = path.map_or("", |(_, path)| path.as_str());
        let name = &options.supervisord.identifier;
        let what = || ("command", format!("can't find command 'gone' on '{path}' of {name}"));
        gone.then(what).into_iter().collect()
    }
}

/// The problems of a file with this text, a line each.
fn problems(text: &str) -> Vec<String> {
    problems_with(text, &CommandLine::default())
}

fn problems_with(text: &str, line: &CommandLine) -> Vec<String> {
    let document = document(text);
    let source = Source { document: &document, file: "/dir/x.conf" };
    let found = check(source, line, &Fake, &Small, Vec::new());
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_file_has_none() {
    let text = "[supervisord]\nminfds=1\n[program:a]\ncommand=c\nnumprocs=2\nprocess_name=%(process_num)s\n";
    assert_eq!(problems(text), Vec::<String>::new());
}

#[test]
fn a_key_that_the_stock_factory_does_not_take_is_told() {
    let text = "[supervisord]\nminfds=1\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = \
                supervisor.rpcinterface: make_main_rpcinterface\nretries=1\n";
    assert_eq!(problems(text), ["/dir/x.conf:5: [rpcinterface:supervisor] retries: unknown key"]);
}

#[test]
fn an_empty_user_name_is_told() {
    let text = "[supervisord]\nminfds=1\n[unix_http_server]\nfile=/s\nusername=\npassword=p\n\
                [unix_http_server:b]\nfile=/b\nusername=u\npassword=\n";
    assert_eq!(
        problems(text),
        ["/dir/x.conf:5: [unix_http_server] username: an empty user name means that nobody is \
          asked for one, nor for a password"]
    );
}

#[test]
fn every_fault_is_told_with_its_place_and_once() {
    let text = "\
[supervisord]
minfds=many
childlogdir=/none
user=nouser
colour=red
[program:a]
command=gone
numprocs=3
process_name=%(process_num)s
priority=%(nope)d
stopsignal=FOO
user=nobody2
stdout_logfile=/none/x
environment=A
restart_limit=5
[program:b]
autostrat=true
[program:c d]
command=c
[group:g]
programs=a,zz,b
[unix_http_server]
chmod=9
[inet_http_server]
port=foo
[rpcinterface:x]
supervisor.rpcinterface_factory=mine
[colours]
[fcgi-program:f]
command=c
[eventlistener]
";
    let want = [
        ":2: [supervisord] minfds: invalid literal for int() with base 10: 'many'",
        ":3: [supervisord] childlogdir: /none is not an existing directory",
        ":4: [supervisord] user: Invalid user name nouser",
        ":5: [supervisord] colour: unknown key",
        ":7: [program:a] command: can't find command 'gone' on '' of supervisor",
        ":10: [program:a] priority: Format string '%(nope)d' for 'program:a.priority' contains \
         names ('nope') which cannot be expanded. Available names: ENV_X, group_name, here, \
         host_node_name, program_name",
        ":11: [program:a] stopsignal: value 'FOO' is not a valid signal name",
        ":12: [program:a] user: Invalid user name nobody2",
        ":13: [program:a] stdout_logfile: The directory named as part of the path /none/x does \
         not exist",
        ":14: [program:a] environment: Unexpected end of key/value pairs in value 'A'",
        ":15: [program:a] restart_limit: not a number of restarts and a time, as in 5/60s, 10/5m \
         or 20/1h: '5'",
        ":16: [program:b] program section program:b does not specify a command",
        ":17: [program:b] autostrat: unknown key",
        ":18: [program:c d] Invalid name: 'c d' because of character: ' '",
        ":21: [group:g] programs: [group:g] names unknown program or fcgi-program zz",
        ":22: [unix_http_server] section [unix_http_server] has no file value",
        ":25: [inet_http_server] port: not a valid port number: 'foo' ",
        ":27: [rpcinterface:x] supervisor.rpcinterface_factory: mine cannot be resolved within [rpcinterface:x]: Python extensions \
         are not supported (file: '/dir/x.conf', line: 27); skip_unloadable_plugins=true in [supervisord] skips the section",
        ":28: [colours] unknown section",
        ":29: [fcgi-program:f] [fcgi-program:f] section requires a \"socket\" line",
        ":31: [eventlistener] unknown section",
    ];
    let want: Vec<String> = want.iter().map(|line| format!("/dir/x.conf{line}")).collect();
    assert_eq!(problems(text), want);
}

#[test]
fn without_its_main_section_the_others_are_read() {
    let all = problems("[supervisor]\n[program:a]\ncommand=c\nautostart=x\n");
    assert_eq!(
        all,
        [
            "/dir/x.conf: .ini file does not include supervisord section",
            "/dir/x.conf:1: [supervisor] unknown section",
            "/dir/x.conf:4: [program:a] autostart: not a valid boolean value: 'x'",
        ]
    );
}

#[test]
fn the_machine_is_asked_about_what_was_read() {
    let text = "[supervisord]\nidentifier=i\nenvironment=PATH=/p\nminfds=11\n\
                [program:a]\ncommand=gone\n[group:g]\nprograms=a\n\
                [inet_http_server]\nport=1\n[inet_http_server2]\nport=2\n";
    assert_eq!(
        problems(text),
        [
            "/dir/x.conf:4: [supervisord] minfds: 11 is too many",
            "/dir/x.conf:6: [program:a] command: can't find command 'gone' on '/p' of i",
            "/dir/x.conf:10: [inet_http_server] port: taken",
        ]
    );
}

#[test]
fn the_command_line_beats_the_file_and_has_its_own_place() {
    let given = |spelling: &str, text: &str| {
        Some(Given { spelling: spelling.to_owned(), text: text.to_owned() })
    };
    let line = CommandLine {
        user: given("-u", "nouser"),
        minfds: given("--minfds", "12"),
        identifier: given("-i", "j"),
        ..CommandLine::default()
    };
    let text = "[supervisord]\nidentifier=i\nminfds=1\n[program:a]\ncommand=gone\n";
    assert_eq!(
        problems_with(text, &line),
        [
            "/dir/x.conf: -u: Invalid user name nouser",
            "/dir/x.conf: --minfds: 12 is too many",
            "/dir/x.conf:5: [program:a] command: can't find command 'gone' on '' of j",
        ]
    );
}

#[test]
fn a_problem_is_one_line() {
    let all = problems("[supervisord]\nminfds=1\ndirectory=/a\n b\n");
    assert_eq!(
        all,
        ["/dir/x.conf:3: [supervisord] directory: /a\\nb is not an existing directory"]
    );
}
