//! Every way in which a start can fail before or after there is a child.

use crate::{row::row, run::same, support::root};

#[test]
fn in_the_daemon() {
    same(vec![
        row(
            "commands that are none",
            r#"
            [program:quote]
            command=/bin/echo "x
            startretries=0
            [program:single]
            command=it's
            startretries=0
            [program:backslash]
            command=/bin/echo x\
            startretries=0
            [program:empty]
            command=
            startretries=0
            [program:nothing]
            command=""
            startretries=0
            [program:comment]
            command=;
            startretries=0
            [program:odd]
            command="a	b é'" x
            startretries=0
            "#,
        ),
        row(
            "files that cannot be executed",
            "
            [program:missing]
            command=/no/such/file --option
            startretries=0
            [program:word]
            command=no-such-word
            startretries=0
            [program:directory]
            command=/usr
            startretries=0
            [program:slash]
            command=/usr/
            startretries=0
            [program:plain]
            command=%(here)s/c.conf
            startretries=0
            [program:through]
            command=%(here)s/c.conf/x
            startretries=0
            [program:quoted]
            command=\"/no/it's\"
            startretries=0
            [program:onpath]
            command=c.conf
            environment=PATH=\"/no/such:%(here)s:/usr/bin\"
            startretries=0
            [program:dironpath]
            command=sub
            environment=PATH=\"%(here)s\"
            startretries=0
            ",
        )
        .file("sub/", ""),
        row(
            "logs that cannot be opened",
            "
            [program:directory]
            command=/bin/cat
            stdout_logfile=%(here)s/sub
            startretries=0
            [program:long]
            command=/bin/cat
            stdout_logfile=%(here)s/%(ENV_LONG)s
            startretries=0
            [program:missing]
            command=/no/such
            stdout_logfile=%(here)s/sub
            startretries=0
            ",
        )
        .file("sub/", "")
        .env(
            "LONG",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
             xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
             xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
             xxxxxxxxxxxxxxxxxxxxx",
        ),
    ]);
}

#[test]
fn in_the_child() {
    same(vec![
        row(
            "after the fork",
            "
            [program:directory]
            command=/bin/cat
            directory=/no/such
            startsecs=10
            startretries=0
            stderr_logfile=%(here)s/directory.err
            [program:file]
            command=/bin/cat
            directory=%(here)s/c.conf
            startsecs=10
            startretries=0
            redirect_stderr=true
            stdout_logfile=%(here)s/file.out
            [program:format]
            command=%(here)s/format x
            startsecs=10
            startretries=0
            stderr_logfile=%(here)s/format.err
            [program:interpreter]
            command=%(here)s/interpreter
            startsecs=10
            startretries=1
            stderr_logfile=%(here)s/interpreter.err
            ",
        )
        .executable("format", "no program at all\n")
        .executable("interpreter", "#!/no/such/interpreter\n")
        .bettered("not-executed"),
    ]);
}

#[test]
fn of_users() {
    assert!(root(), "other users than root cannot become another user");
    same(vec![
        row(
            "what the user may not do",
            "
            [program:mode]
            command=%(here)s/private
            user=nobody
            startsecs=10
            startretries=0
            stderr_logfile=%(here)s/mode.err
            [program:directory]
            command=/bin/cat
            directory=/root
            user=nobody
            startsecs=10
            startretries=0
            stderr_logfile=%(here)s/directory.err
            ",
        )
        .executable("private", "#!/bin/sh\n")
        .private("private")
        .bettered("not-executed"),
        row(
            "what the daemon's user may not do",
            "
            [program:mode]
            command=%(here)s/private
            startretries=0
            [program:other]
            command=/bin/cat
            user=root
            startsecs=10
            startretries=0
            stderr_logfile=%(here)s/other.err
            ",
        )
        .supervisord("user=nobody\nminfds=512")
        .executable("private", "#!/bin/sh\n")
        .private("private")
        .bettered("not-executed"),
    ]);
}
