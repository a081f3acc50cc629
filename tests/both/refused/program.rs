//! Bad values of programs.

use crate::refusal::{refused, refused_programs};

#[test]
fn numbers_and_words() {
    refused_programs(&[
        ("startsecs=1s", "invalid literal for int() with base 10: '1s'"),
        ("startsecs=0.5", "invalid literal for int() with base 10: '0.5'"),
        ("startretries=", "invalid literal for int() with base 10: ''"),
        ("stopwaitsecs=ten", "invalid literal for int() with base 10: 'ten'"),
        ("numprocs=two", "invalid literal for int() with base 10: 'two'"),
        ("numprocs_start=a", "invalid literal for int() with base 10: 'a'"),
        ("stdout_logfile_backups=x", "invalid literal for int() with base 10: 'x'"),
        ("stderr_logfile_backups=x", "invalid literal for int() with base 10: 'x'"),
        ("stdout_logfile_maxbytes=1TB", "invalid literal for int() with base 10: '1tb'"),
        ("stderr_logfile_maxbytes=1 K B", "invalid literal for int() with base 10: '1 k b'"),
        ("stdout_capture_maxbytes=-x", "invalid literal for int() with base 10: '-x'"),
        ("stderr_capture_maxbytes=GB", "invalid literal for int() with base 10: ''"),
        ("autostart=maybe", "not a valid boolean value: 'maybe'"),
        ("redirect_stderr=1 2", "not a valid boolean value: '1 2'"),
        ("stdout_events_enabled=unexpected", "not a valid boolean value: 'unexpected'"),
        ("stderr_events_enabled=", "not a valid boolean value: ''"),
        ("stdout_syslog=user", "not a valid boolean value: 'user'"),
        ("stderr_syslog=t", "not a valid boolean value: 't'"),
        ("stopasgroup=x", "not a valid boolean value: 'x'"),
        ("killasgroup=x", "not a valid boolean value: 'x'"),
    ]);
}

#[test]
fn signals_codes_users_and_masks() {
    refused_programs(&[
        ("stopsignal=FOO", "value 'FOO' is not a valid signal name"),
        ("stopsignal=SIGSIGTERM", "value 'SIGSIGTERM' is not a valid signal name"),
        ("stopsignal=200", "value '200' is not a valid signal number"),
        ("stopsignal=-1", "value '-1' is not a valid signal number"),
        ("stopsignal=32", "value '32' is not a valid signal number"),
        (
            "stopsignal=99999999999999999999",
            "value '99999999999999999999' is not a valid signal number",
        ),
        ("stopsignal=40", "value '40' is not a valid signal number"),
        ("stopsignal=", "value '' is not a valid signal name"),
        ("autorestart=Sometimes", "invalid 'autorestart' value 'sometimes'"),
        ("autorestart=", "invalid 'autorestart' value ''"),
        ("exitcodes=a", "not a valid list of exit codes: 'a'"),
        ("exitcodes=256", "not a valid list of exit codes: '256'"),
        ("exitcodes=-1", "not a valid list of exit codes: '-1'"),
        ("exitcodes=0,2,", "not a valid list of exit codes: '0,2,'"),
        ("exitcodes=0 2", "not a valid list of exit codes: '0 2'"),
        ("user=no-such-user", "Invalid user name no-such-user"),
        ("user=-2", "Invalid user id -2"),
        ("user=root:root", "Invalid user name root:root"),
        ("umask=8", "8 can not be converted to an octal type"),
        ("umask=0x1F", "0x1F can not be converted to an octal type"),
        (
            "stopasgroup=true\nkillasgroup=false",
            "Cannot set stopasgroup=true and killasgroup=false",
        ),
    ]);
}

#[test]
fn logs_and_environments() {
    refused_programs(&[
        (
            "stdout_logfile=/no/such/x",
            "The directory named as part of the path /no/such/x does not exist",
        ),
        (
            "stderr_logfile=%(here)s/c.conf/x",
            "The directory named as part of the path <dir>/c.conf/x does not exist",
        ),
        ("environment=A=1 B=2", "Unexpected end of key/value pairs in value 'A=1 B=2'"),
        ("environment=A='x", "No closing quotation"),
        (
            "environment=%(ENV_no)s=1",
            "Format string '%(ENV_no)s=1' for 'environment' contains \
             names ('ENV_no') which cannot be expanded. Available names: ENV_*, group_name, here, \
             host_node_name, numprocs, process_num, program_name",
        ),
        (
            "environment=A=\"1\",B=\"%(ENV_A)s\"",
            "Format string 'A=\"1\",B=\"%(ENV_A)s\"' for 'environment' contains names ('ENV_A') \
             which cannot be expanded. Available names: *",
        ),
    ]);
}

#[test]
fn expansion() {
    refused_programs(&[
        (
            "directory=%(nope)s",
            "Format string '%(nope)s' for 'program:a.directory' contains names ('nope') which \
             cannot be expanded. Available names: ENV_*, group_name, here, host_node_name, \
             numprocs, process_num, program_name",
        ),
        (
            "autostart=%(process_num)d",
            "Format string '%(process_num)d' for 'program:a.autostart' contains names \
             ('process_num') which cannot be expanded. Available names: ENV_*, group_name, here, \
             host_node_name, program_name",
        ),
        (
            "numprocs=%(numprocs)d",
            "Format string '%(numprocs)d' for 'program:a.numprocs' contains names ('numprocs') \
             which cannot be expanded. Available names: ENV_*, group_name, here, host_node_name, \
             program_name",
        ),
        (
            "process_name=%(here)s%",
            "Format string '%(here)s%' for 'process_name' is badly formatted: incomplete format",
        ),
        (
            "process_name=%(program_name)q",
            "Format string '%(program_name)q' for 'process_name' is badly formatted: unsupported \
             format character 'q' (0x71) at index 15",
        ),
        (
            "directory=%(program_name)d",
            "Format string '%(program_name)d' for 'program:a.directory' is badly formatted: %d \
             format: a real number is required, not str",
        ),
        (
            "directory=%(process_num)*d",
            "Format string '%(process_num)*d' for 'program:a.directory' is badly formatted: *",
        ),
        (
            "stdout_logfile=%(here)s/%%x",
            "Format string '<dir>/%x' for 'stdout_logfile' is badly formatted: *",
        ),
        (
            "stderr_logfile=%(here)s/100%%",
            "Format string '<dir>/100%' for 'stderr_logfile' is badly formatted: incomplete format",
        ),
        ("umask=%(ENV_MINDER_TEST_DIR)s", "<dir> can not be converted to an octal type"),
    ]);
    // Above the program itself nothing tells the section.
    refused(&[
        ("[program:a]\ncommand=x\npriority=high", "invalid literal for int() with base 10: 'high'"),
        (
            "[program:a]\ncommand=x\npriority=%(program_name)s",
            "Format string '%(program_name)s' for 'program:a.priority' contains names \
             ('program_name') which cannot be expanded. Available names: ENV_*, here",
        ),
        (
            "[group:g]\nprograms=%(program_name)s",
            "Format string '%(program_name)s' for 'group:g.programs' contains names \
             ('program_name') which cannot be expanded. Available names: ENV_*, here",
        ),
    ]);
}
