//! Command lines that end at once, word for word: which are understood, which of several faults
//! is told, and how the option in it is spelled.

mod client;

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Output, Scratch, Side, run};

/// A file that does not exist: told only once the whole command line was found good.
const NONE: &str = "could not find config file /no/such";

/// Runs a program on words; its directory is empty.
fn ran(program: &PathBuf, words: &[&str]) -> Output {
    let scratch = Scratch::new();
    run(Command::new(program).args(words).current_dir(scratch.path()), 60)
}

/// Fails unless the program refuses the words with this text.
#[track_caller]
fn refuses(program: &PathBuf, words: &[&str], text: &str) {
    let output = ran(program, words);
    let error = output.stderr.lines().find(|line| line.starts_with("Error: "));
    assert_eq!(error, Some(format!("Error: {text}").as_str()), "{words:?} {output:?}");
    assert_eq!(output.code, 2, "{words:?}");
}

/// Lines of words with one blank between two, so that two blanks hold an empty word. `whole`
/// makes the text of a row complete.
#[track_caller]
fn refuses_each(program: &PathBuf, table: &[(&str, &str)], whole: impl Fn(&str) -> String) {
    for (line, part) in table {
        let words: Vec<&str> = line.split(' ').collect();
        refuses(program, &words, &whole(part));
    }
}

fn daemon() -> PathBuf {
    Side::under_test().supervisord()
}

#[test]
fn unknown_options() {
    let table = [
        ("-x", "-x"),
        ("-nx", "-x"),
        ("-xn", "-x"),
        ("-n-", "--"),
        ("-:", "-:"),
        ("-é", "-é"),
        ("--bogus", "--bogus"),
        ("--bogus=1 -c /no/such", "--bogus"),
        ("---n", "---n"),
        ("--profile_optionsx a", "--profile_optionsx"),
        ("-nA", "-A"),
        ("--no-daemon", "--no-daemon"),
        ("--logfile-maxbytes 1", "--logfile-maxbytes"),
        ("-cx --bogus", "--bogus"),
        ("--NODAEMON", "--NODAEMON"),
        ("-hx", "-x"),
        ("-h -x", "-x"),
        ("-x -h", "-x"),
        ("-hn --bogus", "--bogus"),
        ("-n -n -x", "-x"),
        ("-m 9 -x", "-x"),
    ];
    refuses_each(&daemon(), &table, |option| format!("option {option} not recognized"));
}

#[test]
fn ambiguous_prefixes() {
    let table = [
        ("--log x", "--log"),
        ("--log=x", "--log"),
        ("--logfile_ 1", "--logfile_"),
        ("--no", "--no"),
        ("--n", "--n"),
        ("--s", "--s"),
        ("--p x", "--p"),
        ("--m 1", "--m"),
        ("--mi 1", "--mi"),
        ("--c x", "--c"),
        ("--=x", "--"),
        ("--u", "--u"),
        ("--l", "--l"),
    ];
    refuses_each(&daemon(), &table, |option| format!("option {option} not a unique prefix"));
}

#[test]
fn lacking_values() {
    let table = [
        ("--i", "--identifier"),
        ("-c", "-c"),
        ("-nc", "-c"),
        ("--configuration", "--configuration"),
        ("--conf", "--configuration"),
        ("-e", "-e"),
        ("-n -e", "-e"),
        ("--loglevel", "--loglevel"),
        ("--profile_options", "--profile_options"),
        ("--prof", "--profile_options"),
        ("--minprocs", "--minprocs"),
        ("-a", "-a"),
        ("-vc", "-c"),
        ("-v -e", "-e"),
        ("-e", "-e"),
        ("-m 9 -e", "-e"),
    ];
    refuses_each(&daemon(), &table, |option| format!("option {option} requires argument"));
}

#[test]
fn values_that_are_too_many() {
    let table = [
        ("--nodaemon=1", "--nodaemon"),
        ("--nodaemon=", "--nodaemon"),
        ("--nod=1", "--nodaemon"),
        ("--help=", "--help"),
        ("--version=1", "--version"),
        ("--vers=1", "--version"),
        ("--silent=no", "--silent"),
    ];
    refuses_each(&daemon(), &table, |option| format!("option {option} must not have an argument"));
}

#[test]
fn repeated_options() {
    let table = [
        ("-n -n -h", "-n"),
        ("-n -n -v", "-n"),
        ("-n -n", "-n"),
        ("-nn", "-n"),
        ("-n --nodaemon", "--nodaemon"),
        ("--nodaemon -n", "-n"),
        ("--nod --nodae", "--nodaemon"),
        ("-c a -c b", "-c"),
        ("-c a --conf=a", "--configuration"),
        ("--conf=a -ca", "-c"),
        ("-e info -e info", "-e"),
        ("-e info --loglevel info", "--loglevel"),
        ("--loglev=info -einfo", "-e"),
        ("-u a -u a", "-u"),
        ("-u  -u ", "-u"),
        ("-k --nocleanup", "--nocleanup"),
        ("-t -s -t", "-t"),
        ("--silent -s", "-s"),
        ("--profile_options calls --prof calls", "--profile_options"),
        ("--prof=x --profile_options=y", "--profile_options"),
        ("-i a --identifier a", "--identifier"),
        ("-n -n -e loud", "-n"),
    ];
    refuses_each(&daemon(), &table, |option| format!("conflicting command line option '{option}'"));
}

#[test]
fn words_that_are_no_options() {
    let table = [
        ("-- -c /no/such", "['-c', '/no/such']"),
        ("foo", "['foo']"),
        ("foo bar", "['foo', 'bar']"),
        ("-n foo -x", "['foo', '-x']"),
        ("- x", "['-', 'x']"),
        ("-n - -v", "['-', '-v']"),
        ("-- -v", "['-v']"),
        ("-- foo", "['foo']"),
        ("-c /no/such foo", "['foo']"),
        ("foo -h", "['foo', '-h']"),
        ("-h foo", "['foo']"),
        ("-v foo", "['foo']"),
        ("--version foo", "['foo']"),
        ("-e loud foo", "['foo']"),
        (" ", "['', '']"),
        ("it's a\"b", "[\"it's\", 'a\"b']"),
        ("a\tb \x7f", "['a\\tb', '\\x7f']"),
        ("-- --", "['--']"),
        ("-c /no/such -- -x", "['-x']"),
        ("é", "['é']"),
        ("--profile -c /no/such", "['/no/such']"),
        ("-m 9 foo", "['foo']"),
    ];
    refuses_each(&daemon(), &table, |words| {
        format!("positional arguments are not supported: {words}")
    });
}

#[test]
fn bad_values() {
    let table = [
        ("--ch /no/such", "--childlogdir '/no/such': /no/such is not an existing directory"),
        ("--chi=/no/such", "--childlogdir '/no/such': /no/such is not an existing directory"),
        ("--um 9", "--umask '9': 9 can not be converted to an octal type"),
        ("--minf x", "--minfds 'x': invalid literal for int() with base 10: 'x'"),
        ("--minp x", "--minprocs 'x': invalid literal for int() with base 10: 'x'"),
        (
            "--pi /no/such/x",
            "--pidfile '/no/such/x': The directory named as part of the path /no/such/x does not exist",
        ),
        ("--d /no/such", "--directory '/no/such': /no/such is not an existing directory"),
        ("--logfile_m x", "--logfile_maxbytes 'x': invalid literal for int() with base 10: 'x'"),
        ("--logfile_b x", "--logfile_backups 'x': invalid literal for int() with base 10: 'x'"),
        ("--logl x", "--loglevel 'x': bad logging level name 'x'"),
        ("--loglev=loud", "--loglevel 'loud': bad logging level name 'loud'"),
        ("-e loud -h", "-e 'loud': bad logging level name 'loud'"),
        ("-e loud -?", "-e 'loud': bad logging level name 'loud'"),
        ("-e loud -v", "-e 'loud': bad logging level name 'loud'"),
        ("-d /no/such --version", "-d '/no/such': /no/such is not an existing directory"),
        ("-e loud -e x", "-e 'loud': bad logging level name 'loud'"),
        ("-e info -e loud", "-e 'loud': bad logging level name 'loud'"),
        ("-e loud -n -n", "-e 'loud': bad logging level name 'loud'"),
        ("-e loud", "-e 'loud': bad logging level name 'loud'"),
        ("-e ", "-e '': bad logging level name ''"),
        ("--loglevel=LOUD", "--loglevel 'LOUD': bad logging level name 'LOUD'"),
        ("-e blat -c /no/such", "-e 'blat': bad logging level name 'blat'"),
        ("-e it's", "-e \"it's\": bad logging level name \"it's\""),
        ("-m 9", "-m '9': 9 can not be converted to an octal type"),
        ("-m ", "-m '':  can not be converted to an octal type"),
        ("-m x", "-m 'x': x can not be converted to an octal type"),
        ("--umask=8", "--umask '8': 8 can not be converted to an octal type"),
        ("-d /no/such", "-d '/no/such': /no/such is not an existing directory"),
        ("-d ", "-d '':  is not an existing directory"),
        ("-d /etc/passwd", "-d '/etc/passwd': /etc/passwd is not an existing directory"),
        ("--directory=/no/such", "--directory '/no/such': /no/such is not an existing directory"),
        (
            "-l /no/such/x",
            "-l '/no/such/x': The directory named as part of the path /no/such/x does not exist",
        ),
        (
            "--logfile /no/such/x",
            "--logfile '/no/such/x': The directory named as part of the path /no/such/x does not exist",
        ),
        (
            "-l ~nobodyatall/x",
            "-l '~nobodyatall/x': The directory named as part of the path ~nobodyatall/x does not exist",
        ),
        ("-y lots", "-y 'lots': invalid literal for int() with base 10: 'lots'"),
        ("-y 5XB", "-y '5XB': invalid literal for int() with base 10: '5xb'"),
        ("-y ", "-y '': invalid literal for int() with base 10: ''"),
        ("-y KB", "-y 'KB': invalid literal for int() with base 10: ''"),
        ("-y 1.5MB", "-y '1.5MB': invalid literal for int() with base 10: '1.5'"),
        ("-z many", "-z 'many': invalid literal for int() with base 10: 'many'"),
        ("-z ", "-z '': invalid literal for int() with base 10: ''"),
        ("-z 1__0", "-z '1__0': invalid literal for int() with base 10: '1__0'"),
        (
            "-j /no/such/x",
            "-j '/no/such/x': The directory named as part of the path /no/such/x does not exist",
        ),
        (
            "--pidfile=/no/such/x",
            "--pidfile '/no/such/x': The directory named as part of the path /no/such/x does not exist",
        ),
        ("-q /no/such", "-q '/no/such': /no/such is not an existing directory"),
        ("-q ", "-q '':  is not an existing directory"),
        (
            "--childlogdir /no/such",
            "--childlogdir '/no/such': /no/such is not an existing directory",
        ),
        ("-a many", "-a 'many': invalid literal for int() with base 10: 'many'"),
        ("-a 5.0", "-a '5.0': invalid literal for int() with base 10: '5.0'"),
        ("-a 0x10", "-a '0x10': invalid literal for int() with base 10: '0x10'"),
        ("-a ", "-a '': invalid literal for int() with base 10: ''"),
        ("--minfds=x", "--minfds 'x': invalid literal for int() with base 10: 'x'"),
        ("--minprocs many", "--minprocs 'many': invalid literal for int() with base 10: 'many'"),
        ("--minprocs=", "--minprocs '': invalid literal for int() with base 10: ''"),
        ("-e loud -m 9", "-e 'loud': bad logging level name 'loud'"),
        ("-m 9 -e loud", "-m '9': 9 can not be converted to an octal type"),
        ("-c /no/such -m 9", "-m '9': 9 can not be converted to an octal type"),
        ("-z x -a x", "-z 'x': invalid literal for int() with base 10: 'x'"),
        ("-a x -z x", "-a 'x': invalid literal for int() with base 10: 'x'"),
        (
            "-j /no/such/x -l /no/such/x",
            "-j '/no/such/x': The directory named as part of the path /no/such/x does not exist",
        ),
        ("-q /no/such -d /no/such", "-q '/no/such': /no/such is not an existing directory"),
    ];
    refuses_each(&daemon(), &table, |rest| format!("invalid value for {rest}"));
}

#[test]
fn lines_that_are_understood() {
    let table = [
        "--nod -c /no/such",
        "--noc -c /no/such",
        "--si --st -c /no/such",
        "--conf /no/such",
        "--conf=/no/such",
        "--co /no/such",
        "--us x -c /no/such",
        "--pr calls -c /no/such",
        "--prof calls -c /no/such",
        "--id x -c /no/such",
        "-c/no/such",
        "-nc/no/such",
        "-c /no/such",
        "-nskt -c/no/such",
        "-nskc /no/such",
        "--configuration=/no/such",
        "--configuration /no/such",
        "-c /no/such --",
        "-e INFO -c /no/such",
        "-e warn -c /no/such",
        "-e critical -c /no/such",
        "-e blather -c /no/such",
        "-m 0o22 -c /no/such",
        "-m 022 -c /no/such",
        "-m -1 -c /no/such",
        "-d /tmp -c /no/such",
        "-l x -c /no/such",
        "-l  -c /no/such",
        "-l syslog -c /no/such",
        "-y 10mb -c /no/such",
        "-y -1 -c /no/such",
        "-z -1 -c /no/such",
        "-z 1_000 -c /no/such",
        "-z 99999999999999999999999 -c /no/such",
        "-j x -c /no/such",
        "-i  -c /no/such",
        "-q /tmp -c /no/such",
        "-a +5 -c /no/such",
        "--minprocs=-1 -c /no/such",
        "--profile_options=foo -c /no/such",
        "--profile_options= -c /no/such",
        "--profile_options callers -c /no/such",
        "--profile_options cumulative,calls,callers -c /no/such",
        "--profile calls -c /no/such",
        "--profile=cumulative,callers -c /no/such",
        "--profile= -c /no/such",
        "-u nosuchuser -c /no/such",
        "-u  -c /no/such",
    ];
    for line in table {
        refuses(&daemon(), &line.split(' ').collect::<Vec<_>>(), NONE);
    }
    // What follows -c is the file, whatever it looks like.
    let table = [
        ("-c=/no/such", "find config file =/no/such"),
        ("--configuration==/no/such", "find config file =/no/such"),
        ("-c -x", "find config file -x"),
        ("-c --", "find config file --"),
        ("-c --version", "find config file --version"),
        ("-c-v", "find config file -v"),
        ("-c -", "find config file -"),
        ("-c /tmp", "read config file /tmp"),
        ("--configuration=/tmp", "read config file /tmp"),
        ("-cv", "find config file v"),
    ];
    refuses_each(&daemon(), &table, |file| format!("could not {file}"));
    // Words with blanks.
    let table: [(&[&str], &str); 4] = [
        (&["-y", " 5 KB", "-c", "/no/such"], NONE),
        (
            &["--logfile_maxbytes=1 TB"],
            "invalid value for --logfile_maxbytes '1 TB': invalid literal for int() with base 10: '1 tb'",
        ),
        (&["-i", "a b", "-c", "/no/such"], NONE),
        (&["-a", " 5_0 ", "-c", "/no/such"], NONE),
    ];
    for (words, text) in table {
        refuses(&daemon(), words, text);
    }
}

#[test]
fn lines_that_ask_for_the_version() {
    let table = [
        "--v",
        "--ver",
        "-c /no/such -v",
        "-v -c /no/such",
        "-v",
        "--version",
        "-nv",
        "-vn",
        "-vh",
        "-vv",
        "-v -e loud",
        "-v -n -n",
    ];
    for line in table {
        let output = ran(&daemon(), &line.split(' ').collect::<Vec<_>>());
        assert!(output.stdout.starts_with("4.3.0"), "{line:?} {output:?}");
        assert_eq!(
            (output.code, output.lines().len(), output.stderr.as_str()),
            (0, 1, ""),
            "{line:?}"
        );
    }
}

#[test]
fn lines_that_ask_for_help() {
    let table = [
        "--he",
        "--h",
        "-h",
        "-?",
        "--help",
        "-nh",
        "-n?",
        "-h -e loud",
        "-h -n -n",
        "-hh",
        "-h?",
        "-hv",
    ];
    for line in table {
        let output = ran(&daemon(), &line.split(' ').collect::<Vec<_>>());
        assert!(output.stdout.contains("--configuration"), "{line:?} {output:?}");
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{line:?}");
    }
}
