//! Bad values of `[supervisord]`.

use crate::refusal::{all_refused, bettered, refused};

#[test]
fn numbers_words_and_sizes() {
    refused(&[
        ("minfds=many", "invalid literal for int() with base 10: 'many'"),
        ("minfds=", "invalid literal for int() with base 10: ''"),
        ("minprocs=1.5", "invalid literal for int() with base 10: '1.5'"),
        ("logfile_backups=0x10", "invalid literal for int() with base 10: '0x10'"),
        ("logfile_maxbytes=lots", "invalid literal for int() with base 10: 'lots'"),
        ("logfile_maxbytes=1k", "invalid literal for int() with base 10: '1k'"),
        ("logfile_maxbytes=1.5MB", "invalid literal for int() with base 10: '1.5'"),
        ("logfile_maxbytes=10B", "invalid literal for int() with base 10: '10b'"),
        ("logfile_maxbytes=MB", "invalid literal for int() with base 10: ''"),
        ("umask=9", "9 can not be converted to an octal type"),
        ("umask=u=rwx", "u=rwx can not be converted to an octal type"),
        ("umask=", " can not be converted to an octal type"),
        ("nodaemon=maybe", "not a valid boolean value: 'maybe'"),
        ("silent=2", "not a valid boolean value: '2'"),
        ("nocleanup=", "not a valid boolean value: ''"),
        ("strip_ansi=\"true\"", "not a valid boolean value: '\"true\"'"),
        ("loglevel=loud", "bad logging level name 'loud'"),
        ("loglevel=warning", "bad logging level name 'warning'"),
        ("loglevel=", "bad logging level name ''"),
    ]);
}

#[test]
fn users_and_paths() {
    refused(&[
        ("user=no-such-user", "Invalid user name no-such-user"),
        ("user=-2", "Invalid user id -2"),
        ("user=", "Invalid user name "),
        ("childlogdir=/no/such", "/no/such is not an existing directory"),
        ("childlogdir=%(here)s/c.conf", "<dir>/c.conf is not an existing directory"),
        ("directory=/no/such", "/no/such is not an existing directory"),
        ("directory=", " is not an existing directory"),
        (
            "logfile=/no/such/x.log",
            "The directory named as part of the path /no/such/x.log does not exist",
        ),
        (
            "pidfile=/no/such/x.pid",
            "The directory named as part of the path /no/such/x.pid does not exist",
        ),
        (
            "pidfile=~nobody-such/x.pid",
            "The directory named as part of the path ~nobody-such/x.pid does not exist",
        ),
    ]);
}

#[test]
fn environment() {
    refused(&[
        ("environment=A=1 B=2", "Unexpected end of key/value pairs in value 'A=1 B=2'"),
        ("environment=A", "Unexpected end of key/value pairs in value 'A'"),
        ("environment=A=", "Unexpected end of key/value pairs in value 'A='"),
        ("environment=A:1", "Unexpected end of key/value pairs in value 'A:1'"),
        ("environment=A=1,,B=2", "Unexpected end of key/value pairs in value 'A=1,,B=2'"),
        ("environment=A=foo$bar", "Unexpected end of key/value pairs in value 'A=foo$bar'"),
        ("environment=A=a*b", "Unexpected end of key/value pairs in value 'A=a*b'"),
        ("environment=it's", "Unexpected end of key/value pairs in value 'it's'"),
        ("environment=A=\"x", "No closing quotation"),
        ("environment=A=\"x ; y\"", "No closing quotation"),
    ]);
}

#[test]
fn expansion() {
    refused(&[
        (
            "identifier=%(nope)s",
            "Format string '%(nope)s' for 'supervisord.identifier' contains names ('nope') which \
             cannot be expanded. Available names: ENV_*, here",
        ),
        (
            "identifier=%(host_node_name)s",
            "Format string '%(host_node_name)s' for 'supervisord.identifier' contains names \
             ('host_node_name') which cannot be expanded. Available names: ENV_*, here",
        ),
        (
            "identifier=%Y",
            "Format string '%Y' for 'supervisord.identifier' is badly formatted: unsupported \
             format character 'Y' (0x59) at index 1",
        ),
        (
            "identifier=50%",
            "Format string '50%' for 'supervisord.identifier' is badly formatted: incomplete \
             format",
        ),
        (
            "identifier=%d",
            "Format string '%d' for 'supervisord.identifier' is badly formatted: %d format: a \
             real number is required, not dict",
        ),
        (
            "identifier=%(here)d",
            "Format string '%(here)d' for 'supervisord.identifier' is badly formatted: %d format: \
             a real number is required, not str",
        ),
        (
            "identifier=%(here)",
            "Format string '%(here)' for 'supervisord.identifier' is badly formatted: incomplete \
             format",
        ),
        (
            "identifier=%(here",
            "Format string '%(here' for 'supervisord.identifier' is badly formatted: incomplete \
             format key",
        ),
        (
            "identifier=%(here)s %(a)s %(b)s",
            "Format string '%(here)s %(a)s %(b)s' for 'supervisord.identifier' contains names \
             ('a') which cannot be expanded. Available names: ENV_*, here",
        ),
    ]);
}

#[test]
fn told_better() {
    all_refused(vec![
        bettered(
            "environment=A=\"%(ENV_B)s\",B=\"1\"",
            "Format string 'A=\"%(ENV_B)s\",B=\"1\"' for 'supervisord.environment' contains names \
             ('ENV_B') which cannot be expanded. Available names: ENV_*, here",
            "host-name",
        ),
        bettered(
            "minfds=2147483647",
            "The minimum number of file descriptors required to run this process is 2147483647 as \
             per the \"minfds\" command-line argument or config file setting. The current \
             environment will only allow you to open * file descriptors.  Either raise the number \
             of usable file descriptors in your environment (see README.rst) or lower the minfds \
             setting in the config file to allow the process to start.",
            "limit",
        ),
    ]);
}
