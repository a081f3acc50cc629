//! Those of supervisorctl.

use std::{fs, path::PathBuf};

use super::{NONE, ran, refuses, refuses_each};
use crate::support::{Output, Scratch, Side};

fn client() -> PathBuf {
    Side::under_test().supervisorctl()
}

#[test]
fn unknown_options() {
    let table = [
        ("-x", "-x"),
        ("-ix", "-x"),
        ("-xi", "-x"),
        ("-i-", "--"),
        ("-:", "-:"),
        ("-v", "-v"),
        ("-n", "-n"),
        ("-z 1", "-z"),
        ("--bogus", "--bogus"),
        ("--bogus=1 status", "--bogus"),
        ("--nodaemon", "--nodaemon"),
        ("-p a -p b -x", "-x"),
        ("-s foo --bogus", "--bogus"),
        ("-hx", "-x"),
        ("-h -x", "-x"),
        ("--version", "--version"),
    ];
    refuses_each(&client(), &table, |option| format!("option {option} not recognized"));
}

#[test]
fn ambiguous_prefixes() {
    let table = [("--h", "--h"), ("--=x", "--")];
    refuses_each(&client(), &table, |option| format!("option {option} not a unique prefix"));
}

#[test]
fn lacking_values() {
    let table = [
        ("--hi", "--history_file"),
        ("--p", "--password"),
        ("--u", "--username"),
        ("--s", "--serverurl"),
        ("--c", "--configuration"),
        ("-c", "-c"),
        ("-ic", "-c"),
        ("--configuration", "--configuration"),
        ("--conf", "--configuration"),
        ("-s", "-s"),
        ("--serv", "--serverurl"),
        ("-u", "-u"),
        ("-p", "-p"),
        ("-r", "-r"),
        ("--hist", "--history_file"),
    ];
    refuses_each(&client(), &table, |option| format!("option {option} requires argument"));
}

#[test]
fn values_that_are_too_many() {
    let table =
        [("--interactive=1", "--interactive"), ("--int=", "--interactive"), ("--help=1", "--help")];
    refuses_each(&client(), &table, |option| format!("option {option} must not have an argument"));
}

#[test]
fn repeated_options() {
    let table = [
        ("-i -i", "-i"),
        ("-ii", "-i"),
        ("-i --int", "--interactive"),
        ("-c a -cb", "-c"),
        ("-u a --username b", "--username"),
        ("-r a --his b", "--history_file"),
        ("-s http://a -s http://b", "-s"),
        ("-i -i -s foo", "-i"),
        ("-i -i -h", "-i"),
    ];
    refuses_each(&client(), &table, |option| format!("conflicting command line option '{option}'"));
}

#[test]
fn bad_values() {
    let table = [
        ("-s http://a -s foo", "-s 'foo': value 'foo' is not a URL"),
        ("-s foo -s foo", "-s 'foo': value 'foo' is not a URL"),
        ("-s foo", "-s 'foo': value 'foo' is not a URL"),
        ("-s ", "-s '': value '' is not a URL"),
        ("-s=http://x", "-s '=http://x': value '=http://x' is not a URL"),
        ("--serverurl= x", "--serverurl '': value '' is not a URL"),
        ("-s http:", "-s 'http:': value 'http:' is not a URL"),
        ("-s http://", "-s 'http://': value 'http://' is not a URL"),
        ("-s //h", "-s '//h': value '//h' is not a URL"),
        ("-s 1:b", "-s '1:b': value '1:b' is not a URL"),
        ("-s http:?q", "-s 'http:?q': value 'http:?q' is not a URL"),
        ("-s it's", "-s \"it's\": value \"it's\" is not a URL"),
        ("-s foo -h", "-s 'foo': value 'foo' is not a URL"),
        ("-s foo -c /no/such", "-s 'foo': value 'foo' is not a URL"),
        ("-s foo -i -i", "-s 'foo': value 'foo' is not a URL"),
        ("-s :x", "-s ':x': value ':x' is not a URL"),
        ("-s http://[ -c /no/such", "-s 'http://[': Invalid IPv6 URL"),
        ("-s http:#x", "-s 'http:#x': value 'http:#x' is not a URL"),
    ];
    refuses_each(&client(), &table, |rest| format!("invalid value for {rest}"));
}

#[test]
fn lines_that_are_understood() {
    let table = [
        "-c/no/such",
        "-ic/no/such",
        "-c /no/such",
        "--conf=/no/such",
        "--c=/no/such",
        "-s unix:x -c /no/such",
        "-s unix:///x -c /no/such",
        "-s a:b -c /no/such",
        "-s http://h -c /no/such",
        "-s http:/x -c /no/such",
        "-p -x -c /no/such",
        "-u  -c /no/such",
        "-r  -c /no/such",
    ];
    for line in table {
        refuses(&client(), &line.split(' ').collect::<Vec<_>>(), NONE);
    }
    // What follows -c is the file, whatever it looks like.
    let table = [
        ("-c=/no/such", "find config file =/no/such"),
        ("--configuration==/no/such", "find config file =/no/such"),
        ("-c -x", "find config file -x"),
        ("-c --", "find config file --"),
        ("-c /tmp", "read config file /tmp"),
    ];
    refuses_each(&client(), &table, |file| format!("could not {file}"));
    // Words with blanks.
    let table: [(&[&str], &str); 1] =
        [(&["-s", "a b:c"], "invalid value for -s 'a b:c': value 'a b:c' is not a URL")];
    for (words, text) in table {
        refuses(&client(), words, text);
    }
}

#[test]
fn lines_that_ask_for_help() {
    let table = [
        "--hel",
        "-h -s foo",
        "-h",
        "-?",
        "--help",
        "-ih",
        "-h foo",
        "-hh",
        "-h -i -i",
        "-c /no/such -h",
    ];
    for line in table {
        let output = ran(&client(), &line.split(' ').collect::<Vec<_>>());
        assert!(output.stdout.contains("--configuration"), "{line:?} {output:?}");
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{line:?}");
    }
}

/// A configuration with this text, and the words that name it.
fn configured(text: &str, action: &str) -> (Scratch, Output) {
    let place = Scratch::new();
    let file = place.path().join("x.conf");
    fs::write(&file, text).unwrap();
    let words = ["-c", file.to_str().unwrap(), "-s", "unix:///no/such", action];
    let output = ran(&client(), &words);
    (place, output)
}

#[test]
fn a_plugin_needs_a_factory() {
    let (_place, output) = configured("[supervisorctl]\n[ctlplugin:x]\ny=z\n", "status");
    let error = "Error: section [ctlplugin:x] does not specify a supervisor.ctl_factory\n";
    assert!(output.stderr.starts_with(error), "{output:?}");
    assert_eq!((output.stdout.as_str(), output.code), ("", 2));
}

#[test]
fn client_plugins_are_told_and_passed_over() {
    if !Side::ours_only("the original loads them, or ends") {
        return;
    }
    let text = "[supervisorctl]\n[ctlplugin:x]\nsupervisor.ctl_factory=no.such:thing\ny=z\n";
    let (place, output) = configured(text, "status");
    let warning = format!(
        "section [ctlplugin:x] is ignored: Python extensions are not supported (file: '{}/x.conf', \
         line: 2)\n",
        place.path().display()
    );
    assert_eq!(output.stderr, warning);
    output.expect("unix:///no/such no such file\n", 4);
}

#[test]
fn a_configuration_that_is_none_is_told() {
    if !Side::ours_only("the original ends with a traceback") {
        return;
    }
    let (place, output) = configured("garbage\n", "status");
    let program = client().display().to_string();
    let error = format!(
        "Error: File contains no section headers.\nfile: '{}/x.conf', line: 1\n'garbage\\n'\n\
         For help, use {program} -h\n",
        place.path().display()
    );
    assert_eq!((output.stdout.as_str(), output.stderr, output.code), ("", error, 2));
}
