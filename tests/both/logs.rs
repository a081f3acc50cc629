//! Logs of children: where they go, what is in them, what is cleaned away.

use crate::{
    row::{Wait, row},
    run::same,
};

#[test]
fn places() {
    same(vec![
        row(
            "files, AUTO, NONE and syslog",
            "
            [program:auto]
            command=/bin/sh -c 'echo out; echo err >&2; exec sleep 1000'
            startsecs=0
            stderr_logfile=auto
            [program:none]
            command=/bin/sh -c 'echo out; echo err >&2; exec sleep 1000'
            startsecs=0
            stdout_logfile=NONE
            stderr_logfile=Off
            [program:file]
            command=/bin/sh -c 'echo out; echo err >&2; exec sleep 1000'
            startsecs=0
            stdout_logfile=%(here)s/file.out
            stderr_logfile=%(here)s/../%(ENV_NAME)s/file.err
            [program:relative]
            command=/bin/sh -c 'echo out; echo err >&2; exec sleep 1000'
            startsecs=0
            stdout_logfile=relative.out
            stderr_logfile=sub/relative.err
            directory=/usr
            [program:syslog]
            command=/bin/sh -c 'echo out; echo err >&2; exec sleep 1000'
            startsecs=0
            stdout_logfile=syslog
            stderr_logfile=SysLog
            [program:alsosyslog]
            command=/bin/sh -c 'echo out; echo err >&2; exec sleep 1000'
            startsecs=0
            stdout_syslog=true
            stdout_logfile=%(here)s/also.out
            stderr_syslog=true
            ",
        )
        .file("sub/", "")
        .env("NAME", ".")
        .no_system_log()
        .bettered("no-syslog"),
        row(
            "a file without a name",
            "
            [program:a]
            command=/bin/sh -c 'echo out; echo err >&2; exec sleep 1000'
            startsecs=0
            stdout_logfile=
            stderr_logfile=%(here)s/a.err
            ",
        ),
        row(
            "stderr into stdout",
            "
            [program:auto]
            command=/bin/sh -c 'echo 1; echo 2 >&2; echo 3; exec sleep 1000'
            startsecs=0
            redirect_stderr=true
            [program:file]
            command=/bin/sh -c 'echo 1; echo 2 >&2; echo 3; exec sleep 1000'
            startsecs=0
            redirect_stderr=true
            stdout_logfile=%(here)s/file.out
            [program:ignored]
            command=/bin/sh -c 'echo 1; echo 2 >&2; echo 3; exec sleep 1000'
            startsecs=0
            redirect_stderr=true
            stdout_logfile=%(here)s/ignored.out
            stderr_logfile=%(here)s/ignored.err
            [program:none]
            command=/bin/sh -c 'echo 1; echo 2 >&2; echo 3; exec sleep 1000'
            startsecs=0
            redirect_stderr=true
            stdout_logfile=NONE
            stderr_logfile=AUTO
            ",
        ),
        row(
            "warnings",
            "
            [program:both]
            command=/bin/cat
            startsecs=0
            stdout_logfile_maxbytes=0
            stderr_logfile_maxbytes=0
            [program:out]
            command=/bin/cat
            startsecs=0
            stdout_logfile_maxbytes=0
            stderr_logfile_maxbytes=-1
            [program:redirected]
            command=/bin/cat
            startsecs=0
            redirect_stderr=true
            stderr_logfile_maxbytes=0
            stderr_logfile=syslog
            [program:file]
            command=/bin/cat
            startsecs=0
            stdout_logfile=%(here)s/file.out
            stdout_logfile_maxbytes=0
            [program:several]
            command=/bin/cat
            startsecs=0
            stdout_logfile_maxbytes=0
            process_name=p%(process_num)d
            numprocs=2
            ",
        ),
    ]);
}

#[test]
fn rotation() {
    same(vec![
        row(
            "sizes and backups",
            "
            [program:two]
            command=%(here)s/writes two.log 45 1
            stdout_logfile=%(here)s/two.log
            stdout_logfile_maxbytes=1000
            stdout_logfile_backups=2
            startsecs=0
            [program:zero]
            command=%(here)s/writes zero.log 25 1 10
            stdout_logfile=%(here)s/zero.log
            stdout_logfile_maxbytes=950
            stdout_logfile_backups=0
            startsecs=0
            [program:never]
            command=%(here)s/writes never.log 25 2
            stderr_logfile=%(here)s/never.log
            stderr_logfile_maxbytes=0
            startsecs=0
            [program:stderr]
            command=%(here)s/writes stderr.log 25 2
            stderr_logfile=%(here)s/stderr.log
            stderr_logfile_maxbytes=1kb
            stderr_logfile_backups=1
            startsecs=0
            [program:redirected]
            command=%(here)s/writes redirected.log 12 2
            stdout_logfile=%(here)s/redirected.log
            stdout_logfile_maxbytes=300
            redirect_stderr=on
            startsecs=0
            ",
        )
        .wait(Wait::Lines("wrote.two.log", 1))
        .wait(Wait::Lines("wrote.zero.log", 1))
        .wait(Wait::Lines("wrote.never.log", 1))
        .wait(Wait::Lines("wrote.stderr.log", 1))
        .wait(Wait::Lines("wrote.redirected.log", 1)),
        row(
            "files that are there already",
            "
            [program:kept]
            command=/bin/sh -c 'echo new; exec sleep 1000'
            stdout_logfile=%(here)s/kept.log
            startsecs=0
            [program:full]
            command=/bin/sh -c 'echo new; exec sleep 1000'
            stdout_logfile=%(here)s/full.log
            stdout_logfile_maxbytes=10
            startsecs=0
            ",
        )
        .file("kept.log", "old\n")
        .file("full.log", "older than the rest\n")
        .file("full.log.1", "oldest\n"),
    ]);
}

#[test]
fn contents() {
    same(vec![
        row(
            "escapes",
            r"
            [program:a]
            command=/usr/bin/printf '\\033[31mred\\033[0m plain \\033[1;32mgreen\\033[m\\n'
            startsecs=10
            startretries=0
            stdout_logfile=%(here)s/a.log
            ",
        )
        .supervisord("strip_ansi=true"),
        row(
            "output in the activity log",
            r"
            [program:a]
            command=/usr/bin/printf 'one\\ntwo\\n'
            startsecs=10
            startretries=0
            [program:bytes]
            command=/usr/bin/printf '\\210\\n'
            startsecs=10
            startretries=0
            [program:umlaut]
            command=/usr/bin/printf '\\303\\274'
            startsecs=10
            startretries=0
            stdout_logfile=NONE
            [program:redirected]
            command=/bin/sh -c 'echo x >&2'
            startsecs=10
            startretries=0
            redirect_stderr=true
            ",
        )
        .supervisord("loglevel=debug"),
        row(
            "output right before the end",
            "
            [program:a]
            command=/bin/sh -c 'head -c 60000 /dev/zero | tr \"\\\\0\" x; exit 3'
            startsecs=10
            startretries=0
            stdout_logfile=%(here)s/a.log
            ",
        ),
    ]);
}

#[test]
fn of_earlier_runs() {
    let old = |name| {
        row(name, "[program:a]\ncommand=/bin/cat\nstartsecs=0\n")
            .file("x-stdout---supervisor-abcdefgh.log", "old\n")
            .file("x-stdout---supervisor-abcdefgh.log.1", "old\n")
            .file("x-stdout---supervisor-abcdefgh.log.1234", "old\n")
            .file("x-stdout---other-abcdefgh.log", "old\n")
            .file("---supervisor-abcdefgh.log", "old\n")
            .file("x-stdout---supervisor-a b.log", "old\n")
            .file("mine.log", "old\n")
    };
    same(vec![
        old("cleaned"),
        old("cleaned for another name").supervisord("identifier=other"),
        old("kept").supervisord("nocleanup=true"),
        old("kept, by the command line").arg("-k"),
        old("cleaned elsewhere").supervisord("childlogdir=%(here)s/sub").file("sub/", ""),
    ]);
}

#[test]
fn the_activity_log() {
    let a = "
        [program:a]
        command=/bin/cat
        startsecs=0
        [program:b]
        command=/bin/false
        startsecs=10
        startretries=0
        autorestart=false
    ";
    same(vec![
        row("silent", a).supervisord("silent=true"),
        row("silent, by the command line", a).arg("-s"),
        row("errors alone", a).supervisord("loglevel=ERROR"),
        row("warnings alone, by the command line", a).supervisord("loglevel=debug").arg("-ewarn"),
        row("in the background", a).background(),
        row("with limits raised", a)
            .supervisord("minfds=1000\nminprocs=400")
            .prelude("ulimit -Sn 512; ulimit -Sp 399"),
    ]);
}
