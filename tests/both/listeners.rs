//! Event listeners: their options, what they are told, and what they are refused for.

use crate::{
    refusal::refused,
    row::{Wait, row},
    run::same,
};

#[test]
fn bad_ones() {
    let a = |lines: &str| format!("[eventlistener:a]\ncommand=/bin/cat\n{lines}");
    let rows = [
        ("", "[eventlistener:a] section requires an \"events\" line"),
        ("events=", "[eventlistener:a] section requires an \"events\" line"),
        ("events=FOO", "Unknown event type FOO in [eventlistener:a] events"),
        ("events=TICK_5,tick_6", "Unknown event type TICK_6 in [eventlistener:a] events"),
        ("events=TICK_5\nbuffer_size=0", "[eventlistener:a] section sets invalid buffer_size (0)"),
        (
            "events=TICK_5\nbuffer_size=-1",
            "[eventlistener:a] section sets invalid buffer_size (-1)",
        ),
        ("events=TICK_5\nbuffer_size=x", "invalid literal for int() with base 10: 'x'"),
        ("events=TICK_5\npriority=x", "invalid literal for int() with base 10: 'x'"),
        (
            "events=TICK_5\nredirect_stderr=true",
            "[eventlistener:a] section sets redirect_stderr=true but this is not allowed because \
             it will interfere with the eventlistener protocol",
        ),
        (
            "events=TICK_5\nstartsecs=x",
            "invalid literal for int() with base 10: 'x' in section 'eventlistener:a' (file: \
             '<dir>/c.conf')",
        ),
        (
            "events=TICK_5\nnumprocs=2",
            "%(process_num) must be present within process_name when numprocs > 1 in section \
             'eventlistener:a' (file: '<dir>/c.conf')",
        ),
        (
            "events=%(program_name)s",
            "Format string '%(program_name)s' for 'eventlistener:a.events' contains names \
             ('program_name') which cannot be expanded. Available names: ENV_*, here",
        ),
    ];
    let texts: Vec<(String, &str)> = rows.map(|(lines, message)| (a(lines), message)).into();
    refused(&texts.iter().map(|(text, message)| (text.as_str(), *message)).collect::<Vec<_>>());
    refused(&[(
        "[eventlistener:a]\nevents=TICK_5",
        "program section eventlistener:a does not specify a command in section 'eventlistener:a' \
         (file: '<dir>/c.conf')",
    )]);
}

#[test]
fn states_of_a_process() {
    same(vec![
        row(
            "every state",
            "
            [eventlistener:l]
            command=%(here)s/listens l
            events=PROCESS_STATE
            [program:a]
            command=/bin/cat
            startsecs=0
            [program:fails]
            command=/bin/false
            startsecs=10
            startretries=0
            [program:never]
            command=/no/such
            startretries=0
            ",
        )
        .wait(Wait::Lines("events.l.a", 2))
        .ctl(&["stop", "a"])
        .then(crate::row::Step::Wait(Wait::Lines("events.l.a", 4))),
        row(
            "two pools, and numbered listeners",
            "
            [eventlistener:pool]
            command=%(here)s/listens pool
            process_name=%(program_name)s-%(process_num)d
            numprocs=2
            events=process_state_running,PROCESS_STATE_EXITED
            buffer_size=20
            priority=7
            stdout_logfile=NONE
            [eventlistener:other]
            command=%(here)s/listens other
            events=PROCESS_STATE_RUNNING
            [program:a]
            command=/bin/cat
            startsecs=0
            ",
        )
        .wait(Wait::Lines("events.pool.a", 1))
        .wait(Wait::Lines("events.other.a", 1)),
        row(
            "what a listener sees",
            "
            [eventlistener:l]
            command=%(here)s/probe l %(program_name)s %(group_name)s %(process_num)d
            events=PROCESS_STATE,TICK
            umask=027
            startsecs=0
            ",
        )
        .probes(&["l"]),
    ]);
}
