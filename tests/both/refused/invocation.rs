//! Bad command lines beside a good file.

use crate::refusal::{GLOBAL, Refused, all_refused};

fn line(args: &[&'static str], message: &str) -> Refused {
    Refused {
        text: GLOBAL.as_bytes().to_vec(),
        args: args.to_vec(),
        message: message.to_owned(),
        ..Refused::default()
    }
}

#[test]
fn options() {
    all_refused(vec![
        line(&["-x"], "option -x not recognized"),
        line(&["-nx"], "option -x not recognized"),
        line(&["--bogus"], "option --bogus not recognized"),
        line(&["--log", "x"], "option --log not a unique prefix"),
        line(&["-e"], "option -e requires argument"),
        line(&["--minfds"], "option --minfds requires argument"),
        line(&["--nodaemon=yes"], "option --nodaemon must not have an argument"),
        line(&["-e", "info", "--loglevel", "info"], "conflicting command line option '--loglevel'"),
        line(&["foo", "bar"], "positional arguments are not supported: ['foo', 'bar']"),
        line(&["--", "-e"], "positional arguments are not supported: ['-e']"),
    ]);
}

#[test]
fn values() {
    all_refused(vec![
        line(&["-e", "loud"], "invalid value for -e 'loud': bad logging level name 'loud'"),
        line(
            &["--loglevel=warning"],
            "invalid value for --loglevel 'warning': bad logging level name 'warning'",
        ),
        line(&["-m", "9"], "invalid value for -m '9': 9 can not be converted to an octal type"),
        line(
            &["-d", "/no/such"],
            "invalid value for -d '/no/such': /no/such is not an existing directory",
        ),
        line(
            &["-l", "/no/such/x"],
            "invalid value for -l '/no/such/x': The directory named as part of the path \
             /no/such/x does not exist",
        ),
        line(
            &["--pidfile", "/no/such/x"],
            "invalid value for --pidfile '/no/such/x': The directory named as part of the path \
             /no/such/x does not exist",
        ),
        line(
            &["-y", "1.5MB"],
            "invalid value for -y '1.5MB': invalid literal for int() with base 10: '1.5'",
        ),
        line(
            &["-z", "many"],
            "invalid value for -z 'many': invalid literal for int() with base 10: 'many'",
        ),
        line(
            &["-a", "it's"],
            "invalid value for -a \"it's\": invalid literal for int() with base 10: \"it's\"",
        ),
        line(
            &["--minprocs", ""],
            "invalid value for --minprocs '': invalid literal for int() with base 10: ''",
        ),
        line(
            &["-q", "/no/such"],
            "invalid value for -q '/no/such': /no/such is not an existing directory",
        ),
        line(&["-u", "no-such-user"], "Invalid user name no-such-user"),
    ]);
}
