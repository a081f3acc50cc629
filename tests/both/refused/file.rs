//! Files that are no configuration at all, and their includes.

use crate::refusal::{Refused, all_refused, refused};

fn whole(text: &[u8], message: &str) -> Refused {
    Refused { text: text.to_vec(), message: message.to_owned(), ..Refused::default() }
}

#[test]
fn the_form_of_the_file() {
    let no_header = |line: &str, number: usize| {
        format!("File contains no section headers.\nfile: '<dir>/c.conf', line: {number}\n{line}")
    };
    all_refused(vec![
        whole(b"", ".ini file does not include supervisord section"),
        whole(b"\n\n; nothing\n# at all\n", ".ini file does not include supervisord section"),
        whole(b"[program:a]\ncommand=x\n", ".ini file does not include supervisord section"),
        whole(b"[Supervisord]\n", ".ini file does not include supervisord section"),
        whole(b"[ supervisord ]\n", ".ini file does not include supervisord section"),
        whole(b"[include]\nfiles=none/*\n", ".ini file does not include supervisord section"),
        whole(b"garbage\n", &no_header("'garbage\\n'", 1)),
        whole(b"; remark\n\nkey=value\n[supervisord]\n", &no_header("'key=value\\n'", 3)),
        whole(b"it's\n[supervisord]\n", &no_header("\"it's\\n\"", 1)),
        whole(
            b"[supervisord]\nnodaemon\n",
            "Source contains parsing errors: '<dir>/c.conf'\n\t[line  2]: 'nodaemon\\n'",
        ),
        whole(
            b"[supervisord]\n=value\n[]\n[program:a]\ncommand=x\nbad\ttab 'quoted'\n",
            "Source contains parsing errors: '<dir>/c.conf'\n\t[line  2]: '=value\\n'\n\t\
             [line  3]: '[]\\n'\n\t[line  6]: \"bad\\ttab 'quoted'\\n\"",
        ),
        whole(
            b"[supervisord]\nlast line",
            "Source contains parsing errors: '<dir>/c.conf'\n\t[line  2]: 'last line'",
        ),
        Refused {
            bettered: vec!["not-utf-8"],
            ..whole(
                b"[supervisord]\nidentifier=\xff\n",
                "'utf-8' codec can't decode byte 0xff in position 25: invalid start byte",
            )
        },
    ]);
}

#[test]
fn includes() {
    refused(&[
        ("[include]", ".ini file has [include] section, but no files setting"),
        ("[include]\nfile=x", ".ini file has [include] section, but no files setting"),
        (
            "[include]\nfiles=%(program_name)s",
            "Format string '%(program_name)s' for 'include.files' contains names \
             ('program_name') which cannot be expanded. Available names: ENV_*, here, \
             host_node_name",
        ),
        (
            "[include]\nfiles=100%",
            "Format string '100%' for 'include.files' is badly formatted: incomplete format",
        ),
    ]);
    let included = |text: &'static str, message: &str| Refused {
        text: b"[supervisord]\nlogfile=%(here)s/activity.log\n[include]\nfiles=x.ini\n".to_vec(),
        files: vec![("x.ini", text)],
        message: message.to_owned(),
        ..Refused::default()
    };
    all_refused(vec![
        included(
            "garbage\n",
            "File contains no section headers.\nfile: '<dir>/x.ini', line: 1\n'garbage\\n'",
        ),
        included(
            "[supervisord]\ngarbage\n",
            "Source contains parsing errors: '<dir>/x.ini'\n\t[line  2]: 'garbage\\n'",
        ),
        included(
            "[program:a]\ncommand=x\nstartsecs=low\n",
            "invalid literal for int() with base 10: 'low' in section 'program:a' (file: \
             '<dir>/x.ini')",
        ),
        included("[supervisord]\nloglevel=loud\n", "bad logging level name 'loud'"),
        included("[group:g]\nprograms=a\n", "[group:g] names unknown program or fcgi-program a"),
    ]);
}

#[test]
fn defaults() {
    refused(&[
        (
            "[program:a]\ncommand=x\n[DEFAULT]\nstartsecs=x",
            "invalid literal for int() with base 10: 'x' in section 'program:a' (file: \
             '<dir>/c.conf')",
        ),
        ("[DEFAULT]\nloglevel=loud", "bad logging level name 'loud'"),
        ("[DEFAULT]\nfiles=%(x)s\n[include]", "Format string '%(x)s' for 'include.files' *"),
        ("[DEFAULT]\nfile=%(here)s/s\n[unix_http_server]\nchmod=9", "Invalid chmod value 9"),
        (
            "[default]\ncommand=x\n[program:a]",
            "program section program:a does not specify a command in section 'program:a' (file: '<dir>/c.conf')",
        ),
    ]);
}
