//! The programs, and the configurations that the daemon is given in turn.

use std::{fs, path::Path};

use crate::support::{Setup, TestDaemon, write_script};

/// What every listener asks for.
pub const LOGIN: (&str, &str) = ("soak", "secret");

/// Processes that run when all is as configured, in the words of getAllProcessInfo.
pub const RUNNING: [&str; 23] = [
    "quiet:quiet_0",
    "quiet:quiet_1",
    "guest:guest",
    "writer:writer_0",
    "writer:writer_1",
    "both:both",
    "speaker:speaker",
    "echo:echo",
    "crasher:crasher_0",
    "crasher:crasher_1",
    "crasher:crasher_2",
    "backing:backing",
    "deaf:deaf_0",
    "deaf:deaf_1",
    "leaver:leaver",
    "lis:lis_0",
    "lis:lis_1",
    "ticks:ticks",
    "web:web_0",
    "web:web_1",
    "team:one",
    "team:two",
    "team:three",
];

/// And those that do not.
pub const RESTING: [&str; 2] = ["later:later", "missing:missing"];

/// The file in whose presence all that is restless sleeps.
const CALM: &str = "calm";

/// Writes lines without end.
const WRITER: &str = "#!/usr/bin/env python3
import os, sys, time
here, number = os.path.dirname(sys.argv[0]), 0
while True:
    if os.path.exists(here + '/calm'):
        time.sleep(0.2)
        continue
    for out in map(int, sys.argv[1:]):
        os.write(out, b'%d %s\\n' % (number, b'x' * (number % 90)))
    number += 1
    time.sleep(0.01)
";

/// Writes for captures, some of them never ended.
const SPEAKER: &str = "#!/usr/bin/env python3
import os, sys, time
here, number = os.path.dirname(sys.argv[0]), 0
while True:
    if os.path.exists(here + '/calm'):
        time.sleep(0.2)
        continue
    os.write(1, b'<!--XSUPERVISOR:BEGIN-->' + b'%d ' % number * 50)
    os.write(1, b'<!--XSUPERVISOR:END-->\\n' if number % 7 else b'\\n')
    number += 1
    time.sleep(0.05)
";

/// Answers every event, some with FAIL.
const LISTENER: &str = "#!/usr/bin/env python3
import os, re, time
number = 0
while True:
    os.write(1, b'READY\\n')
    head = b''
    while not head.endswith(b'\\n'):
        byte = os.read(0, 1)
        if not byte:
            raise SystemExit
        head += byte
    length = int(re.search(rb'len:(\\d+)', head).group(1))
    while length > 0:
        data = os.read(0, length)
        if not data:
            raise SystemExit
        length -= len(data)
    number += 1
    os.write(1, b'RESULT 4\\nFAIL' if number % 50 == 0 else b'RESULT 2\\nOK')
";

const SCRIPTS: [(&str, &str); 7] = [
    ("writer", WRITER),
    ("speaker", SPEAKER),
    ("listener", LISTENER),
    (
        "crasher",
        "#!/bin/sh\n[ -e \"${0%/*}/calm\" ] && exec sleep 100000\necho crash\nsleep 0.3\nexit 3\n",
    ),
    ("deaf", "#!/bin/sh\ntrap '' TERM INT\nwhile :; do sleep 0.5; done\n"),
    // Its child writes on when it is gone.
    (
        "leaver",
        "#!/bin/sh\n[ -e \"${0%/*}/calm\" ] && exec sleep 100000\n\
         (sleep 0.6; echo late) &\nsleep 0.3\nexit 0\n",
    ),
    ("sleeper", "#!/bin/sh\nexec sleep 100000\n"),
];

const SECTIONS: &str = "
[program:quiet]
command=%(here)s/sleeper
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0
autorestart=true
[program:guest]
command=/bin/sleep 100000
user=nobody
startsecs=0
autorestart=true
[program:writer]
command=%(here)s/writer 1
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0
autorestart=true
stdout_logfile=%(here)s/writer_%(process_num)d.log
stdout_logfile_maxbytes=5KB
stdout_logfile_backups=3
[program:both]
command=%(here)s/writer 1 2
startsecs=0
autorestart=true
stdout_events_enabled=true
stdout_logfile=%(here)s/both.log
stdout_logfile_maxbytes=20KB
stdout_logfile_backups=0
stderr_logfile=%(here)s/both.err
stderr_logfile_maxbytes=0
[program:speaker]
command=%(here)s/speaker
startsecs=0
autorestart=true
stdout_capture_maxbytes=4KB
stdout_logfile=%(here)s/speaker.log
stdout_logfile_maxbytes=20KB
[program:echo]
command=/bin/cat
startsecs=0
autorestart=true
redirect_stderr=true
stdout_logfile=%(here)s/echo.log
stdout_logfile_maxbytes=100KB
stdout_logfile_backups=1
[program:crasher]
command=%(here)s/crasher
process_name=%(program_name)s_%(process_num)d
numprocs=3
startsecs=0
autorestart=true
[program:backing]
command=%(here)s/crasher
startsecs=1
startretries=2
autorestart=true
[program:deaf]
command=%(here)s/deaf
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0
autorestart=true
stopwaitsecs=1
killasgroup=true
[program:leaver]
command=%(here)s/leaver
startsecs=0
autorestart=true
drain_timeout=2
stdout_logfile=%(here)s/leaver.log
stdout_logfile_maxbytes=1KB
stdout_logfile_backups=2
[eventlistener:lis]
command=%(here)s/listener
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0
autorestart=true
buffer_size=20
events=PROCESS_STATE,REMOTE_COMMUNICATION,PROCESS_COMMUNICATION,PROCESS_LOG
[eventlistener:ticks]
command=%(here)s/listener
startsecs=0
autorestart=true
events=TICK_5,PROCESS_STATE,SUPERVISOR_STATE_CHANGE,PROCESS_GROUP
[fcgi-program:web]
command=%(here)s/sleeper
process_name=%(program_name)s_%(process_num)d
numprocs=2
socket=unix://%(here)s/web.sock
startsecs=0
autorestart=true
[group:team]
programs=one,two,three
priority=5
[program:one]
command=%(here)s/sleeper
startsecs=0
autorestart=true
[program:two]
command=%(here)s/writer 1 2
startsecs=0
autorestart=true
stdout_logfile=NONE
redirect_stderr=true
[program:three]
command=/bin/sleep 100000
startsecs=0
autorestart=true
stdout_logfile=%(here)s/three.log
stderr_logfile=%(here)s/three.log
[program:later]
command=%(here)s/sleeper
autostart=false
startsecs=0
[program:missing]
command=%(here)s/no-such-program
startretries=1
";

/// Another configuration: a part of the one above, and what stands in its place. All but the last
/// few are good.
pub const CHANGES: [(&str, &str); 10] = [
    ("[program:later]", "[program:extra]\ncommand=/bin/sleep 100000\n[program:later]"),
    ("[program:later]", "[program:later]\nenvironment=A=\"1\""),
    ("stdout_logfile_maxbytes=5KB", "stdout_logfile_maxbytes=3KB"),
    ("programs=one,two,three", "programs=one,two"),
    ("numprocs=3", "numprocs=5"),
    ("buffer_size=20", "buffer_size=30"),
    ("/web.sock\n", "/web.sock\nsocket_mode=0777\n"),
    ("drain_timeout=2", "drain_timeout=1"),
    ("[program:later]", "[program:later]\nnumprocs=x"),
    ("programs=one,two,three", "programs=one,nobody"),
];

/// Starts the daemon with all of them.
pub fn start() -> TestDaemon {
    let setup = Setup::new().tcp().login(LOGIN.0, LOGIN.1);
    for (name, text) in SCRIPTS {
        write_script(&setup.path(name), text);
    }
    fs::write(setup.path(CALM), "").unwrap();
    let setup = setup
        .supervisord("logfile_maxbytes=50KB\nlogfile_backups=2\nstate_file=%(here)s/state")
        .section(SECTIONS);
    let d = setup.start();
    fs::copy(&d.config, d.path("as-configured")).unwrap();
    d
}

/// Puts a configuration in the place of the present one, whole.
fn replace(d: &TestDaemon, text: &str, unique: &str) {
    let new = d.path(&format!("c.conf.{unique}"));
    fs::write(&new, text).unwrap();
    fs::rename(new, &d.config).unwrap();
}

/// Changes the file at random.
pub fn change(d: &TestDaemon, which: usize, unique: &str) {
    let text = d.read("as-configured");
    let changed = match CHANGES.get(which) {
        Some((from, to)) => {
            assert!(text.contains(from), "{from:?} is not in the configuration");
            text.replacen(from, to, 1)
        }
        None => text,
    };
    replace(d, &changed, unique);
}

/// Undoes it, and lets the programs rest.
pub fn calm(d: &TestDaemon) {
    replace(d, &d.read("as-configured"), "calm");
    fs::write(d.path(CALM), "").unwrap();
}

/// Lets those crash that crash.
pub fn let_loose(d: &TestDaemon) {
    fs::remove_file(d.path(CALM)).unwrap();
    for name in ["crasher", "backing", "leaver"] {
        let name = format!("<string>{name}:*</string><string>KILL</string>");
        let answer = d.rpc().call("supervisor.signalProcess", &name).unwrap();
        assert!(!answer.contains("<fault>"), "{answer}");
    }
}

/// The log files that there are.
pub fn logs(d: &TestDaemon) -> Vec<std::path::PathBuf> {
    let is_log = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains(".log") || name.contains("-stdout---") || name.ends_with(".err")
    };
    let entries = fs::read_dir(d.path("")).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(|path| is_log(path)).collect();
    // Where the daemon's own errors go.
    paths.retain(|path| !path.ends_with("daemon.err"));
    paths.sort();
    paths
}
