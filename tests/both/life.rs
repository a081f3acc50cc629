//! Starts, exits and restarts: the messages about each program, and where it ends.

use crate::{
    row::{Step, Wait, row},
    run::same,
};

#[test]
fn exits() {
    same(vec![
        row(
            "autorestart and exit codes",
            "
            [program:expected]
            command=%(here)s/exits expected r0
            startsecs=0
            [program:listed]
            command=%(here)s/exits listed r7
            startsecs=0
            exitcodes=2, 7
            [program:unlisted]
            command=%(here)s/exits unlisted r0 r3
            startsecs=0
            exitcodes=3
            [program:none]
            command=%(here)s/exits none r0
            startsecs=0
            exitcodes=
            [program:always]
            command=%(here)s/exits always r0 r1
            startsecs=0
            autorestart=TRUE
            [program:never]
            command=%(here)s/exits never r9
            startsecs=0
            autorestart=no
            [program:neverzero]
            command=%(here)s/exits neverzero r0
            startsecs=0
            autorestart=false
            ",
        )
        .ends("expected", "EXITED")
        .ends("listed", "EXITED")
        .ends("unlisted", "EXITED")
        .wait(Wait::Lines("runs.none", 2))
        .wait(Wait::Lines("runs.always", 3))
        .ends("never", "EXITED")
        .ends("neverzero", "EXITED"),
        row(
            "deaths by signals",
            "
            [program:kill]
            command=%(here)s/exits kill rKILL
            startsecs=0
            [program:term]
            command=%(here)s/exits term rTERM
            startsecs=0
            autorestart=false
            [program:poll]
            command=%(here)s/exits poll r29
            startsecs=0
            autorestart=false
            [program:hup]
            command=/bin/sh -c 'kill -HUP $$'
            startsecs=10
            startretries=0
            [program:abrt]
            command=/bin/sh -c 'kill -6 $$'
            startsecs=10
            startretries=0
            [program:io]
            command=/bin/sh -c 'kill -29 $$'
            startsecs=10
            startretries=0
            [program:rtmin]
            command=/bin/sh -c 'kill -34 $$'
            startsecs=10
            startretries=0
            [program:rt]
            command=/bin/sh -c 'kill -40 $$'
            startsecs=10
            startretries=0
            [program:chld]
            command=/bin/sh -c 'kill -16 $$'
            startsecs=10
            startretries=0
            ",
        )
        .wait(Wait::Lines("runs.kill", 2))
        .ends("term", "EXITED")
        .ends("poll", "EXITED"),
    ]);
}

#[test]
fn failed_starts() {
    same(vec![
        row(
            "too quick",
            "
            [program:zero]
            command=/bin/true
            startsecs=10
            startretries=0
            [program:expected]
            command=/bin/false
            startsecs=10
            startretries=0
            exitcodes=1
            [program:never]
            command=/bin/false
            startsecs=10
            startretries=0
            autorestart=false
            [program:once]
            command=/bin/false
            startsecs=10
            startretries=1
            [program:less]
            command=/bin/false
            startsecs=10
            startretries=-1
            ",
        ),
        row(
            "all retries",
            "
            [program:a]
            command=/bin/sh -c 'exit 4'
            startsecs=10
            startretries=2
            [program:b]
            command=%(here)s/exits b 1 2
            startsecs=2
            [program:c]
            command=/no/such
            startretries=2
            ",
        )
        .ends("b", "RUNNING"),
        row(
            "seconds up",
            "
            [program:one]
            command=/bin/sleep 1000
            [program:two]
            command=/bin/sleep 1000
            startsecs=2
            [program:less]
            command=/bin/sleep 1000
            startsecs=-1
            [program:left]
            command=/bin/sleep 1000
            autostart=false
            [program:off]
            command=/bin/sleep 1000
            autostart=0
            priority=1
            ",
        ),
    ]);
}

#[test]
fn stops() {
    same(vec![
        row(
            "stopsignal",
            "
            [program:term]
            command=%(here)s/traps term TERM=3
            startsecs=0
            [program:usr1]
            command=%(here)s/traps usr1 USR1=0
            startsecs=0
            stopsignal=usr1
            [program:int]
            command=%(here)s/traps int INT=5
            startsecs=0
            stopsignal= SIGINT
            exitcodes=5
            [program:number]
            command=%(here)s/traps number QUIT=6
            startsecs=0
            stopsignal=3
            [program:plain]
            command=/bin/sleep 1000
            startsecs=0
            stopsignal=POLL
            [program:rt]
            command=/bin/sleep 1000
            startsecs=0
            stopsignal=RTMIN
            ",
        )
        .supervisord("loglevel=debug")
        .wait(Wait::Lines("traps.term", 1))
        .wait(Wait::Lines("traps.usr1", 1))
        .wait(Wait::Lines("traps.int", 1))
        .wait(Wait::Lines("traps.number", 1))
        .ctl(&["stop", "term"])
        .ctl(&["stop", "usr1"])
        .ctl(&["stop", "int"])
        .ctl(&["stop", "number"])
        .ctl(&["stop", "plain"])
        .ctl(&["stop", "rt"])
        .ctl(&["stop", "term"]),
        row(
            "SIGKILL for what does not obey",
            "
            [program:alone]
            command=%(here)s/traps alone TERM=
            startsecs=0
            stopwaitsecs=1
            [program:group]
            command=%(here)s/traps group TERM=
            startsecs=0
            stopwaitsecs=1
            killasgroup=true
            [program:signal]
            command=%(here)s/traps signal TERM=
            startsecs=0
            stopwaitsecs=1
            stopsignal=0
            ",
        )
        .supervisord("loglevel=debug")
        .wait(Wait::Lines("traps.alone", 1))
        .wait(Wait::Lines("traps.group", 1))
        .wait(Wait::Lines("traps.signal", 1))
        .ctl(&["stop", "alone"])
        .ctl(&["stop", "group"])
        .ctl(&["stop", "signal"]),
        row(
            "the process alone and its group",
            "
            [program:alone]
            command=%(here)s/traps alone TERM=0
            startsecs=0
            [program:group]
            command=%(here)s/traps group TERM=0
            startsecs=0
            stopasgroup=true
            [program:both]
            command=%(here)s/traps both TERM=
            startsecs=0
            stopasgroup=yes
            killasgroup=yes
            stopwaitsecs=1
            ",
        )
        .supervisord("loglevel=debug")
        .wait(Wait::Lines("traps.alone", 1))
        .wait(Wait::Lines("traps.group", 1))
        .wait(Wait::Lines("traps.both", 1))
        .ctl(&["stop", "alone"])
        .ctl(&["stop", "group"])
        .ctl(&["stop", "both"]),
        row(
            "stops that find nothing, or a start that waits",
            "
            [program:backoff]
            command=%(here)s/exits backoff 1 1 1 1 1 1 1 1
            startsecs=10
            startretries=1000
            [program:off]
            command=/bin/cat
            autostart=false
            [program:fatal]
            command=/no/such
            startretries=0
            ",
        )
        .supervisord("loglevel=debug")
        .goes_on()
        // Then there are four seconds until the next start.
        .wait(Wait::Lines("runs.backoff", 4))
        .wait(Wait::State("backoff", "BACKOFF"))
        .then(Step::Stop("backoff"))
        .ctl(&["stop", "off"])
        .ctl(&["stop", "fatal"])
        .ctl(&["start", "nobody"])
        .ctl(&["signal", "HUP", "off"])
        .ctl(&["clear", "off"]),
    ]);
}
