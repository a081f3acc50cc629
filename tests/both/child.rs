//! What a child finds: its command's words, environment, directory, umask, user, descriptors.

use crate::{row::row, run::same, support::root};

#[test]
fn commands() {
    same(vec![
        row(
            "quotes and backslashes",
            r#"
            [program:a]
            command=%(here)s/probe a "two words" a\ b 'sin"gle' "dou'ble" "q\"q" "b\\s" "k\n" 'k\n'
                "" '' x""y $HOME `pwd` *.c ~ #none {a,b} a=b a\"b "tail"end 'é ü'
            startsecs=0
            [program:b]
            command=/bin/sh %(here)s/probe b -c "a;b" ';' "%%" a#b &
            startsecs=0
            [program:c]
            command = "%(here)s/probe" c   many    blanks
            startsecs=0
            "#,
        )
        .probes(&["a", "b", "c"]),
        row(
            "found on PATH",
            r#"
            [program:a]
            command=sh %(here)s/probe a
            startsecs=0
            [program:b]
            command=probe b
            environment=PATH="/no/such:%(here)s:/usr/bin:/bin"
            startsecs=0
            [program:c]
            command=probe c
            environment=PATH=""
            startsecs=0
            [program:d]
            command=./probe d
            startsecs=0
            [program:e]
            command=probe e
            environment=PATH="/no/such"
            startretries=0
            [program:f]
            command=probe f
            environment=PATH="/no/such:"
            startsecs=0
            "#,
        )
        .probes(&["a", "b", "c", "d", "f"]),
        row(
            "over several lines",
            "
            [program:a]
            command=%(here)s/probe a
              one
                two ; a remark
            \t'three
              four'
            startsecs=0
            ",
        )
        .probes(&["a"]),
    ]);
}

#[test]
fn environments() {
    same(vec![
        row(
            "layers",
            r#"
            [program:a]
            command=%(here)s/probe a
            startsecs=0
            environment=BOTH="own",A="1,2",B='x y',C=/usr/bin:/x-y.(z)+,D="",E="x#y",F=plain,
                I=1;J=2
            [program:b]
            command=%(here)s/probe b
            startsecs=0
            environment=SUPERVISOR_ENABLED="no",SUPERVISOR_PROCESS_NAME="mine",
                SUPERVISOR_GROUP_NAME="ours",SUPERVISOR_SERVER_URL="none",HOME="/home",USER="me"
            [program:c]
            command=%(here)s/probe c
            startsecs=0
            [group:g]
            programs=c
            "#,
        )
        .supervisord("environment=BOTH=\"global\",GLOBAL=\"g\",SUPERVISOR_GROUP_NAME=\"global\"")
        .env("BOTH", "daemon")
        .env("GLOBAL", "daemon")
        .env("SUPERVISOR_ENABLED", "daemon")
        .env("SUPERVISOR_OTHER", "daemon")
        .env("WITH_NEWLINE", "one\ntwo")
        .probes(&["a", "b", "c"]),
        row(
            "texts that a shell would read otherwise",
            r#"
            [program:a]
            command=%(here)s/probe a
            startsecs=0
            environment=A="x'y",B='x"y',C="a=b,c",D='$HOME',E=`,F=(x),G=-1.5e+3,H = spaced ,I="multi
                line",J=x#y
                ,K=~,1=one,A.B=dot,A-B=dash,L=1,L=2,
            [program:backslashes]
            command=%(here)s/probe backslashes
            startsecs=0
            environment=A="C:\dir\new",B='\d+',C="\\",D="C:\",E='\',F="\\d\\w"
            [program:apostrophe]
            command=%(here)s/probe apostrophe
            startsecs=0
            environment=A=it's
            [program:apostrophes]
            command=%(here)s/probe apostrophes
            startsecs=0
            environment=A=don't,B=can't,C=x'y'z
            "#,
        )
        .probes(&["a", "backslashes", "apostrophe", "apostrophes"]),
        row(
            "the server's URL",
            "
            [program:auto]
            command=%(here)s/probe auto
            startsecs=0
            serverurl=Auto
            [program:none]
            command=%(here)s/probe none
            startsecs=0
            serverurl=NONE
            [program:empty]
            command=%(here)s/probe empty
            startsecs=0
            serverurl=
            [program:other]
            command=%(here)s/probe other
            startsecs=0
            serverurl=http://example.com:1/%(program_name)s
            ",
        )
        .probes(&["auto", "none", "empty", "other"]),
        row(
            "several listeners",
            "
            [inet_http_server]
            port=127.0.0.1:%(ENV_PORT)s
            username=user
            password=100%%
            [inet_http_server:second]
            port=LOCALHOST:%(ENV_OTHER_PORT)s
            [unix_http_server:other]
            file = %(here)s/sub/../o.sock ; a remark
            chmod=0700
            chown=root:root
            [program:a]
            command=%(here)s/probe a
            startsecs=0
            ",
        )
        .file("sub/", "")
        .ports()
        .probes(&["a"]),
    ]);
}

#[test]
fn places_and_masks() {
    same(vec![
        row(
            "umask",
            "
            [program:a]
            command=%(here)s/probe a
            startsecs=0
            umask=027
            [program:b]
            command=%(here)s/probe b
            startsecs=0
            umask=0o77
            [program:c]
            command=%(here)s/probe c
            startsecs=0
            umask=0
            [program:d]
            command=%(here)s/probe d
            startsecs=0
            ",
        )
        .supervisord("umask=077")
        .probes(&["a", "b", "c", "d"]),
        row(
            "directory",
            "
            [program:a]
            command=%(here)s/probe a
            startsecs=0
            directory=/usr/lib/../bin
            [program:b]
            command=%(here)s/probe b
            startsecs=0
            directory=sub
            [program:c]
            command=%(here)s/probe c
            startsecs=0
            directory=%(here)s/sub/
            ",
        )
        .supervisord("directory=/usr")
        .file("sub/", "")
        .probes(&["a", "b", "c"]),
        row(
            "descriptors",
            "
            [program:both]
            command=%(here)s/probe both
            startsecs=0
            [program:one]
            command=%(here)s/probe one
            startsecs=0
            redirect_stderr=true
            [program:none]
            command=%(here)s/probe none
            startsecs=0
            stdout_logfile=NONE
            stderr_logfile=none
            [program:file]
            command=%(here)s/probe file
            startsecs=0
            stdout_logfile=%(here)s/file.out
            stderr_logfile=/dev/null
            stderr_logfile_maxbytes=0
            [program:last]
            command=%(here)s/probe last
            priority=1000
            startsecs=0
            ",
        )
        .probes(&["both", "one", "none", "file", "last"]),
        row("limits", "[program:a]\ncommand=%(here)s/probe a\nstartsecs=0")
            .supervisord("minfds=1025\nminprocs=300")
            .prelude("ulimit -Sn 512; ulimit -Hn 2048; ulimit -Sp 100; ulimit -Sc 0")
            .bettered("threads")
            .probes(&["a"]),
    ]);
}

#[test]
fn in_the_background() {
    same(vec![
        row("umask, directory and session", "[program:a]\ncommand=%(here)s/probe a\nstartsecs=0")
            .supervisord("umask=027\ndirectory=%(here)s/sub")
            .file("sub/", "")
            .background()
            .probes(&["a"]),
        row(
            "the command line beats the file",
            "[program:a]\ncommand=%(here)s/probe a\nstartsecs=0",
        )
        .supervisord("umask=022\ndirectory=/usr/lib\nloglevel=critical\nidentifier=file")
        .arg("-m")
        .arg("077")
        .arg("--directory=/usr/bin")
        .arg("-einfo")
        .arg("--ident")
        .arg("line")
        .background()
        .probes(&["a"]),
    ]);
}

#[test]
fn users() {
    assert!(root(), "other users than root cannot become another user");
    same(vec![
        row(
            "users of the machine",
            "
            [program:name]
            command=%(here)s/probe name
            startsecs=0
            user=nobody
            [program:number]
            command=%(here)s/probe number
            startsecs=0
            user=1
            [program:root]
            command=%(here)s/probe root
            startsecs=0
            user=root
            [program:zero]
            command=%(here)s/probe zero
            startsecs=0
            user=0
            ",
        )
        .probes(&["name", "number", "root", "zero"]),
        row(
            "supplementary groups",
            "
            [program:many]
            command=%(here)s/probe many
            startsecs=0
            user=many
            umask=002
            directory=/usr
            environment=HOME=\"/home/many\"
            [program:alone]
            command=%(here)s/probe alone
            startsecs=0
            user=61001
            ",
        )
        .accounts(
            "many:x:61000:61000::/home/many:/bin/sh\nalone:x:61001:100::/:/bin/sh\n",
            "many:x:61000:\none:x:61010:many\ntwo:x:61020:other,many\nthree:x:61005:many\n\
             not:x:61030:other\n",
        )
        .probes(&["many", "alone"]),
        row("the daemon's own user", "[program:a]\ncommand=%(here)s/probe a\nstartsecs=0")
            .supervisord("user=many\nminfds=512")
            .accounts(
                "many:x:61000:61000::/home/many:/bin/sh\n",
                "many:x:61000:\none:x:61010:many\ntwo:x:61020:other,many\n",
            )
            .probes(&["a"]),
        row(
            "another user than the daemon's",
            "
            [program:a]
            command=%(here)s/probe a
            startsecs=30
            startretries=0
            user=daemon
            stderr_logfile=%(here)s/a.err
            [program:b]
            command=%(here)s/probe b
            startsecs=0
            user=nobody
            ",
        )
        .supervisord("user=nobody\nminfds=512")
        .bettered("not-executed")
        .probes(&["b"]),
    ]);
}
