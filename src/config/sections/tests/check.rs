//! All problems at once.

use super::*;

/// The problems of a file with this text, a line each; the machine knows no program `gone`.
fn problems(text: &str) -> Vec<String> {
    let document = document(text);
    let source = Source { document: &document, file: "/dir/x.conf" };
    let inspect = |program: &Program| {
        let gone = program.command == "gone";
        gone.then(|| ("command", "can't find command 'gone'".to_owned())).into_iter().collect()
    };
    let found = check(source, &CommandLine::default(), &Fake, &inspect);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_file_has_none() {
    let text = "[supervisord]\n[program:a]\ncommand=c\nnumprocs=2\nprocess_name=%(process_num)s\n";
    assert_eq!(problems(text), Vec::<String>::new());
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
        ":7: [program:a] command: can't find command 'gone'",
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
         are not supported (file: '/dir/x.conf', line: 27)",
        ":28: [colours] unknown section",
        ":29: [fcgi-program:f] [fcgi-program:f] section requires a \"socket\" line",
        ":31: [eventlistener] unknown section",
    ];
    let want: Vec<String> = want.iter().map(|line| format!("/dir/x.conf{line}")).collect();
    assert_eq!(problems(text), want);
}

#[test]
fn without_its_main_section_that_is_all() {
    let all = problems("[program:a]\ncommand=c\n");
    assert_eq!(all, ["/dir/x.conf: .ini file does not include supervisord section"]);
}
