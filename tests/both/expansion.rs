//! What `%(name)s` stands for, in every option that takes it.

use crate::{row::row, run::same};

#[test]
fn names() {
    same(vec![
        row(
            "every name of a process",
            "
            [program:a]
            command=%(here)s/probe %(program_name)s%(process_num)d here=%(here)s
                node=%(host_node_name)s group=%(group_name)s of=%(numprocs)d row=%(ENV_ROW)s 100%%
            process_name=%(program_name)s-%(process_num)02d
            numprocs=3
            numprocs_start=8
            startsecs=0
            environment=NAMES=\"%(program_name)s %(process_num)d %(group_name)s %(numprocs)s\",
                NODE=\"%(host_node_name)s\",HERE='%(here)s',PERCENT=\"%%\"
            directory=%(here)s/d%(process_num)d
            stdout_logfile=%(here)s/%(program_name)s%(process_num)d.out
            stderr_logfile=%(here)s/%(group_name)s-%(ENV_ROW)s-%(process_num)d.err
            ",
        )
        .env("ROW", "row")
        .file("d8/", "")
        .file("d9/", "")
        .file("d10/", "")
        .probes(&["a8", "a9", "a10"]),
        row(
            "the name of the group, not of the program",
            "
            [program:a]
            command=%(here)s/probe a %(group_name)s %(program_name)s
            startsecs=0
            [program:b]
            command=%(here)s/probe b %(group_name)s
            startsecs=0
            process_name=%(group_name)s_%(program_name)s
            [program:c]
            command=%(here)s/probe c %(group_name)s
            startsecs=0
            [group:both]
            programs=a,b
            ",
        )
        .probes(&["a", "b", "c"]),
        row(
            "a name that has a slash once it is expanded",
            "
            [program:a]
            command=%(here)s/probe a
            process_name=x%(here)s
            startsecs=0
            stdout_logfile=NONE
            stderr_logfile=NONE
            ",
        )
        .probes(&["a"]),
    ]);
}

#[test]
fn formats() {
    same(vec![
        row(
            "numbers",
            "
            [program:a]
            command=%(here)s/probe a '%(process_num)d' '%(process_num)5d' '%(process_num)05d'
                '%(process_num)-5d|' '%(process_num)+d' '%(process_num) d' '%(process_num)x'
                '%(process_num)X' '%(process_num)#x' '%(process_num)o' '%(process_num)#o'
                '%(process_num).4d' '%(process_num)7.4d' '%(process_num)i' '%(process_num)u'
                '%(process_num)s' '%(process_num)r' '%(process_num)4s' '%(process_num)f'
                '%(process_num).1f' '%(process_num)e' '%(process_num)g' '%(process_num)G'
                '%(process_num)E' '%(process_num)c' '%(process_num)ld' '%(process_num)a'
                '%(numprocs)03d'
            numprocs_start=77
            startsecs=0
            process_name=p%(process_num)d
            ",
        )
        .probes(&["a"]),
        row(
            "negative numbers",
            "
            [program:a]
            command=%(here)s/probe a%(process_num)d '%(process_num)03d' '%(process_num)x'
                '%(process_num)#o' '%(process_num).3d' '%(process_num)e'
            numprocs_start=-12
            numprocs=2
            startsecs=0
            process_name=p%(process_num)d
            ",
        )
        .probes(&["a-12", "a-11"]),
        row(
            "texts",
            r#"
            [program:abc]
            command=%(here)s/probe a '%(program_name)s' '%(program_name)5s' '%(program_name)-5s|'
                '%(program_name).2s' '%(program_name)5.1s' "%(program_name)r" "%(program_name)a"
                '%(program_name)05s' "%(ENV_ODD)s" %(ENV_QUOTED)s %% %%%% %(ENV_ODD)r
                '%(ENV_EMPTY)s' %(ENV_EMPTY)s
            startsecs=0
            "#,
        )
        .env("ODD", "it's 100% ünï")
        .env("QUOTED", "\"two words\"")
        .env("EMPTY", "")
        .probes(&["a"]),
    ]);
}

#[test]
fn environments() {
    same(vec![
        row(
            "the daemon's variables and those of [supervisord]",
            r#"
            [program:a]
            command=%(here)s/probe a %(ENV_OUT)s %(ENV_IN)s %(ENV_BOTH)s
            startsecs=0
            environment=SEEN="%(ENV_IN)s%(ENV_BOTH)s"
            [program:b]
            command=%(here)s/probe b %(ENV_OWN)s %(ENV_BOTH)s
            startsecs=0
            environment=OWN="own-%(process_num)d",BOTH="b"
            directory=%(ENV_DIR)s
            stdout_logfile=%(here)s/%(ENV_OWN)s.out
            [program:c]
            command=%(here)s/probe c %(ENV_BOTH)s
            startsecs=0
            "#,
        )
        .supervisord("environment=IN=\"in\",BOTH=\"from the file\",HERE=\"%(here)s\"")
        .env("OUT", "out")
        .env("BOTH", "from outside")
        .env("DIR", "/usr/bin")
        .probes(&["a", "b", "c"]),
        row(
            "values of other types",
            "
            [program:a]
            command=%(here)s/probe a%(process_num)d
            numprocs=%(ENV_TWO)s
            numprocs_start=%(ENV_TWO)s
            priority=%(ENV_TWO)s
            autostart=%(ENV_TRUE)s
            autorestart=%(ENV_UNEXPECTED)s
            startsecs=%(ENV_ZERO)s
            startretries=%(ENV_TWO)s
            exitcodes=%(ENV_ZERO)s,%(ENV_TWO)s
            stopsignal=%(ENV_SIGNAL)s
            stopwaitsecs=%(ENV_TWO)s
            stopasgroup=%(ENV_TRUE)s
            killasgroup=%(ENV_TRUE)s
            redirect_stderr=%(ENV_TRUE)s
            umask=0%(ENV_TWO)s
            user=%(ENV_WHO)s
            stdout_logfile_maxbytes=%(ENV_TWO)sKB
            stdout_logfile_backups=%(ENV_TWO)s
            stdout_events_enabled=%(ENV_ZERO)s
            serverurl=http://%(program_name)s
            process_name=p%(process_num)d
            [group:g]
            programs=%(ENV_A)s
            priority=%(ENV_TWO)s%(ENV_ZERO)s
            ",
        )
        .env("TWO", "2")
        .env("ZERO", "0")
        .env("TRUE", "True")
        .env("UNEXPECTED", "UNEXPECTED")
        .env("SIGNAL", "sigusr1")
        .env("WHO", "root")
        .env("A", "a")
        .probes(&["a2", "a3"]),
        row("values of [supervisord]", "[program:a]\ncommand=%(here)s/probe a\nstartsecs=0\n")
            .supervisord(
                "identifier=%(ENV_WHO)s-%%-x\nloglevel=%(ENV_LEVEL)s\n\
                 logfile_maxbytes=%(ENV_N)sMB\nminfds=%(ENV_N)s00\nstrip_ansi=%(ENV_ON)s\n\
                 childlogdir=%(here)s/%(ENV_WHO)s",
            )
            .file("me/", "")
            .env("WHO", "me")
            .env("LEVEL", "WARN")
            .env("N", "3")
            .env("ON", "on")
            .probes(&["a"])
            .ctl(&["version"]),
        row(
            "percent signs",
            r#"
            [program:a]
            command=%(here)s/probe a 100%% %%(here)s %%%%
            startsecs=0
            environment=P="50%%",%(program_name)s="x"
            stdout_logfile=%(here)s/%%%%.out
            stderr_logfile=%(here)s/%%%%(here)s.err
            "#,
        )
        .env("ODD", "%(here)s 5% %%")
        .probes(&["a"]),
    ]);
}
