//! Names, groups, priorities: who is there, and who starts and stops first.

use nix::sys::signal::Signal;

use crate::{
    row::{Step, Wait, row},
    run::same,
};

/// Programs and groups whose priorities contradict their order in the file.
const MIXED: &str = "
    [program:last]
    command=/bin/sleep 1000
    startsecs=0
    priority=30
    [group:middle]
    programs=y,x
    priority=20
    [program:x]
    command=/bin/sleep 1000
    startsecs=0
    priority=2
    [program:y]
    command=/bin/sleep 1000
    startsecs=0
    priority=1
    [program:first]
    command=/bin/sleep 1000
    startsecs=0
    priority=-10
    [program:b]
    command=/bin/sleep 1000
    startsecs=0
    [program:a]
    command=/bin/sleep 1000
    startsecs=0
    [program:w]
    command=/bin/sleep 1000
    startsecs=0
    priority=20
    numprocs=11
    process_name=%(program_name)s%(process_num)d
";

#[test]
fn starts_and_stops() {
    same(vec![
        row("priorities", MIXED).supervisord("loglevel=debug").then(Step::ShutDown),
        row("priorities on request", MIXED)
            .supervisord("loglevel=debug")
            .ctl(&["stop", "first"])
            .ctl(&["stop", "middle:*"])
            .ctl(&["start", "middle:x"])
            .ctl(&["restart", "b"])
            .ctl(&["status", "w:*", "a", "nobody", "middle:z"]),
        row(
            "a group that holds up those below it",
            "
            [program:low]
            command=/bin/sleep 1000
            startsecs=0
            priority=1
            [program:slow]
            command=%(here)s/traps slow TERM=
            startsecs=0
            stopwaitsecs=1
            priority=2
            stopasgroup=true
            ",
        )
        .supervisord("loglevel=debug")
        .wait(Wait::Lines("traps.slow", 1))
        .then(Step::Signal(Signal::SIGHUP))
        .then(Step::Wait(Wait::Message("* killing 'slow' (*) with SIGKILL")))
        .then(Step::Wait(Wait::Lines("traps.slow", 2)))
        .then(Step::Wait(Wait::State("low", "RUNNING")))
        .then(Step::Wait(Wait::State("slow", "RUNNING"))),
    ]);
}

#[test]
fn groups() {
    same(vec![
        row(
            "of several programs",
            "
            [group:g]
            programs = b , a
            priority = 5
            [program:a]
            command=%(here)s/probe a %(group_name)s
            startsecs=0
            [program:b]
            command=%(here)s/probe b%(process_num)d %(group_name)s
            startsecs=0
            numprocs=2
            process_name=%(group_name)s-%(process_num)d
            [program:c]
            command=%(here)s/probe c
            startsecs=0
            [group:empty]
            [group:also]
            programs=
            [group:twice]
            programs=c,c
            ",
        )
        .bettered("doubled")
        .bettered("doubled-options")
        .probes(&["a", "b0", "b1", "c"]),
        row(
            "a program in two groups",
            "
            [group:one]
            programs=a
            [group:two]
            programs=a
            priority=2
            [program:a]
            command=%(here)s/probe %(group_name)s
            process_name=%(program_name)s-%(group_name)s
            startsecs=0
            ",
        )
        .probes(&["one", "two"]),
        row(
            "numprocs",
            "
            [program:none]
            command=/bin/cat
            numprocs=0
            process_name=%(process_num)d
            [program:less]
            command=/bin/cat
            numprocs=-3
            [program:one]
            command=/bin/cat
            startsecs=0
            process_name=%(program_name)s.%(process_num)s
            numprocs_start=7
            [program:many]
            command=/bin/cat
            startsecs=0
            numprocs=12
            numprocs_start=-1
            process_name=p%(process_num)d
            ",
        ),
    ]);
}

#[test]
fn names() {
    same(vec![
        row(
            "odd ones",
            "
            [program:a.b]
            command=/bin/cat
            startsecs=0
            [program: trimmed ]
            command=/bin/cat
            startsecs=0
            [program:[x]]
            command=/bin/cat
            startsecs=0
            [program:ünï]
            command=/bin/cat
            startsecs=0
            [program:a,b]
            command=/bin/cat
            startsecs=0
            [program:100%%]
            command=/bin/cat
            startsecs=0
            [program:UP]
            command=/bin/cat
            startsecs=0
            [program:q\"']
            command=/bin/cat
            startsecs=0
            [program:p]
            command=/bin/cat
            startsecs=0
            process_name= padded
            ",
        ),
        row(
            "none at all",
            "
            [program:]
            command=%(here)s/probe a '%(program_name)s' '%(group_name)s'
            startsecs=0
            ",
        )
        .bettered("empty-name")
        .probes(&["a"]),
        row(
            "doubled",
            "
            [program:a]
            command=/bin/cat
            startsecs=0
            priority=5
            [program: a]
            command=/bin/sleep 1000
            startsecs=0
            priority=4
            [group:b]
            programs=c
            [program:c]
            command=/bin/cat
            startsecs=0
            [program:b]
            command=/bin/sleep 1000
            startsecs=0
            ",
        )
        .bettered("doubled")
        .bettered("doubled-options"),
        row(
            "doubled in one group",
            "
            [program:a]
            command=/bin/cat
            startsecs=0
            [program:b]
            command=/bin/sleep 1000
            startsecs=0
            process_name=a
            [group:g]
            programs=a,b
            ",
        )
        .bettered("doubled")
        .bettered("doubled-options"),
    ]);
}
