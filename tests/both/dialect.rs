//! Files as people write them: includes, comments, continuations, odd sections and keys.

use crate::{row::row, run::same};

#[test]
fn includes() {
    same(vec![
        row(
            "globs and their places",
            "
            [include]
            files = inc/*.ini %(here)s/deep/[ab]?/x.conf inc/none.*
                    inc/exact.conf %(ENV_WHERE)s/*.cfg inc/.hidden inc/[!e]*.conf
            [program:main]
            command=%(here)s/probe main %(here)s
            startsecs=0
            ",
        )
        .env("WHERE", "inc/sub")
        .file("inc/", "")
        .file("inc/sub/", "")
        .file("deep/", "")
        .file("deep/a1/", "")
        .file("deep/b2/", "")
        .file("deep/c3/", "")
        .file("inc/b.ini", "[program:b]\ncommand=%(here)s/../probe b %(here)s\nstartsecs=0\n")
        .file("inc/a.ini", "[program:a]\ncommand=%(here)s/../probe a %(here)s\nstartsecs=0\n")
        .file("inc/.dot.ini", "[program:dot]\ncommand=/bin/cat\n")
        .file("inc/.hidden", "[program:hidden]\ncommand=%(here)s/../probe hidden\nstartsecs=0\n")
        .file("inc/exact.conf", "[program:exact]\ncommand=%(here)s/../probe exact\nstartsecs=0\n")
        .file("inc/other.conf", "[include]\nfiles=../never.ini\n[program:other]\ncommand=/bin/cat\nstartsecs=0\n")
        .file("never.ini", "[program:never]\ncommand=/bin/cat\n")
        .file("inc/sub/c.cfg", "[program:c]\ncommand=%(here)s/../../probe c %(here)s\nstartsecs=0\n")
        .file("deep/a1/x.conf", "[program:a1]\ncommand=/bin/cat\nstartsecs=0\ndirectory=%(here)s\n")
        .file("deep/b2/x.conf", "[program:b2]\ncommand=/bin/cat\nstartsecs=0\ndirectory=%(here)s\n")
        .file("deep/c3/x.conf", "[program:c3]\ncommand=/bin/cat\nstartsecs=0\ndirectory=%(here)s\n")
        .probes(&["main", "a", "b", "exact", "hidden", "c"]),
        row(
            "what comes later wins",
            "
            [include]
            files = z.ini a.ini
            [program:a]
            command=%(here)s/probe main
            startsecs=0
            environment=FROM=\"main\"
            priority=5
            [program:b]
            command=/bin/cat
            startsecs=0
            ",
        )
        .file("z.ini", "[program:a]\ncommand=%(here)s/probe z\nautostart=false\n[supervisord]\nidentifier=z\n")
        .file(
            "a.ini",
            "[program:a]\nautostart=true\ncommand=%(here)s/probe a\n[supervisord]\nidentifier=a\n\
             environment=A=\"%(here)s\"\n[group:g]\nprograms=b\n",
        )
        .probes(&["a"]),
        row(
            "what is no file",
            "
            [include]
            files = sub* sub/* /no/such/*.conf *.nothing
            ",
        )
        .file("sub/", "")
        .file("sub/directory.conf/", ""),
        row(
            "the daemon's own section in another file",
            "
            [include]
            files = more.ini
            [program:a]
            command=%(here)s/probe a
            startsecs=0
            ",
        )
        .file("more.ini", "[supervisord]\nloglevel=debug\nenvironment=MORE=\"%(here)s\"\n[unix_http_server]\nchmod=0750\n")
        .probes(&["a"]),
    ]);
}

#[test]
fn lines() {
    same(vec![
        row(
            "comments, delimiters and blanks",
            "
            ; a remark
            # another
            [program:a] ; behind a header
            command : %(here)s/probe a one;two three#four ; five
            Environment = A=\"1\",   # a remark
                ; not in the value
                B=\"2\"
            STARTSECS=0
            priority = 5\t; after a tab
            directory=sub;not a remark
            [program:b]
              command=%(here)s/probe b
              startsecs:0

              priority=6
            [program:c]
            command=%(here)s/probe c = d : e
            startsecs=0
            startsecs = 0
            command=%(here)s/probe d = e : f
            [program:c]
            umask=027
            ",
        )
        .file("sub;not a remark/", "")
        .probes(&["a", "b", "d"]),
        row(
            "values over several lines",
            "
            [program:a]
            command=
                %(here)s/probe

                a
              last
            environment=
                A=\"1\",
                B=\"2\"
            startsecs=0
            exitcodes=0,
                1
            [group:g]
            programs=
                a,
                b
            [program:b]
            command=%(here)s/probe b
             [program:swallowed]
             command=x
            startsecs=0
            ",
        )
        .probes(&["a", "b"]),
        row("other line ends", "[include]\nfiles=crlf.ini cr.ini\n")
            .file(
                "crlf.ini",
                "[program:a]\r\ncommand=%(here)s/probe a\r\n  more\r\nstartsecs=0\r\n\r\n\
                 umask=027 ; x\r\n",
            )
            .file("cr.ini", "[program:b]\rcommand=%(here)s/probe b\rstartsecs=0\r")
            .probes(&["a", "b"]),
        row(
            "sections",
            "
            [program:a] trailing
            command=%(here)s/probe a
            startsecs=0
            [program:b]]
            command=%(here)s/probe b
            startsecs=0
            [unknown]
            key=value
            [program]
            command=/bin/cat
            [ program:spaced]
            command=/bin/cat
            [PROGRAM:c]
            command=/bin/cat
            [program:d]
            command=%(here)s/probe d
            startsecs=0
            ",
        )
        .bettered("unknown")
        .probes(&["a", "b", "d"]),
    ]);
}

#[test]
fn values() {
    same(vec![
        row(
            "numbers, words and sizes",
            "
            [program:a]
            command=/bin/cat
            startsecs=+0
            priority= 007
            startretries=1_0
            stopwaitsecs=-5
            autostart=YES
            redirect_stderr=On
            stopasgroup=1
            stdout_events_enabled=False
            stderr_events_enabled=off
            stdout_logfile_maxbytes=2 Mb
            stderr_logfile_maxbytes=1GB
            stdout_capture_maxbytes=-1KB
            stderr_capture_maxbytes=+3kb
            stdout_logfile_backups=-1
            exitcodes= 0 , 255,0
            stopsignal=sigkill
            umask=0o0027
            user=0
            autorestart=Unexpected
            [program:b]
            command=/bin/cat
            startsecs=0
            autostart=No
            killasgroup=true
            stopsignal=CLD
            umask=777
            autorestart=ON
            exitcodes=
            [program:c]
            command=/bin/cat
            startsecs=0
            stopsignal=6_4
            stopasgroup=false
            killasgroup=no
            umask=0
            autorestart=0
            priority=-1
            ",
        ),
        row("of the daemon", "[program:a]\ncommand=%(here)s/probe a\nstartsecs=0\n")
            .supervisord(
                "logfile_maxbytes = 1 GB\nlogfile_backups=0\nloglevel=Info\nminfds=+512\n\
                 minprocs=0100\nnodaemon=no\nsilent=OFF\nstrip_ansi=0\nidentifier=\n\
                 environment=\numask=0o27",
            )
            .probes(&["a"])
            .ctl(&["version"]),
        row("keys that nobody reads", "[program:a]\ncommand=/bin/cat\nstartsecs=0\ncomand=x\n")
            .supervisord("nosuchkey=1\nlog_file=x")
            .bettered("unknown"),
    ]);
}
