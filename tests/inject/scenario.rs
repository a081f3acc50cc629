//! What the daemon is asked to do while a call fails. Each step goes on whatever became of the one
//! before; what must hold is looked at when the fault is gone.

use std::fs;

use nix::sys::signal::Signal;

use crate::{
    client,
    run::{Run, config, value},
    support::rpc::members,
};

/// A life of a daemon.
pub struct Scenario {
    pub name: &'static str,
    /// Sections besides `[program:web]`, which is a `cat`.
    pub programs: &'static str,
    /// Executable files, each with its name.
    pub scripts: &'static [(&'static str, &'static str)],
    /// Groups of one process that must be RUNNING in the end.
    pub running: &'static [&'static str],
    /// Whether the scenario ends the daemon.
    pub ends: bool,
    /// Whether it asks for something that is lost with its request, such as the start of what it
    /// has stopped.
    pub asks: bool,
    /// Whether there is a log of the system's, which somebody reads.
    pub syslog: bool,
    pub act: fn(&Run),
    /// What must hold besides when the fault is gone.
    pub recovered: fn(&Run) -> Result<(), String>,
    /// What an administrator does whose request has failed.
    pub cure: fn(&Run),
}

/// A scenario with nothing but `web`.
const PLAIN: Scenario = Scenario {
    name: "",
    programs: "",
    scripts: &[],
    running: &["web"],
    ends: false,
    asks: false,
    syslog: false,
    act: |_| {},
    recovered: |_| Ok(()),
    cure: |_| {},
};

/// A listener that takes what it gets.
const LISTENER: &str = "#!/bin/sh\n\
    while :; do\n\
        printf 'READY\\n'\n\
        IFS= read -r head || exit 0\n\
        printf '%s\\n' \"$head\" >>\"$0.heard\"\n\
        head -c \"${head##*len:}\" >/dev/null\n\
        printf 'RESULT 2\\nOK'\n\
    done\n";

pub const ALL: [Scenario; 17] = [
    Scenario {
        name: "start",
        programs: "[program:auto]\ncommand=cat\nstartsecs=0\n\
            [program:slow]\ncommand=cat\nstartsecs=1\nredirect_stderr=true\ndirectory=/\numask=027\n\
            stdout_logfile=%(here)s/slow.log\n\
            [program:user]\ncommand=cat\nuser=nobody\nstartsecs=1\nstdout_logfile=NONE\n",
        running: &["web", "auto", "slow", "user"],
        act: |run| run.await_soon(|run| logged(run, "success: user")),
        ..PLAIN
    },
    Scenario {
        name: "output",
        programs: "[program:full]\ncommand=cat\nautorestart=true\nstartsecs=0\n\
            stdout_logfile=%(here)s/full.log\nstdout_logfile_maxbytes=150\n\
            stdout_logfile_backups=2\nstderr_logfile=NONE\n\
            [program:cut]\ncommand=cat\nautorestart=true\nstartsecs=0\ndrain_timeout=1\n\
            stdout_logfile=%(here)s/cut.log\nstdout_logfile_maxbytes=50\n\
            stdout_logfile_backups=0\nstderr_logfile=NONE\n",
        running: &["web", "full", "cut"],
        act: |run| {
            for line in 0..5 {
                let _ = run.say("full", &format!("{line}{}", "x".repeat(100)));
                run.await_soon(|run| run.read("full.log.1").contains(&format!("{line}xx")));
                let _ = run.say("cut", &"y".repeat(60));
            }
        },
        recovered: |run| grows(run, "full"),
        ..PLAIN
    },
    Scenario {
        name: "capture",
        programs: "[program:capt]\ncommand=%(here)s/talk\nautorestart=true\nstartsecs=0\n\
            stdout_logfile=%(here)s/capt.log\nstdout_capture_maxbytes=1KB\n\
            stdout_events_enabled=true\nstderr_logfile=NONE\n\
            [eventlistener:lis]\ncommand=%(here)s/lis\nevents=PROCESS_COMMUNICATION,PROCESS_LOG\n\
            startsecs=1\nautorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n",
        scripts: &[
            ("lis", LISTENER),
            (
                "talk",
                "#!/bin/sh\nwhile read -r line; do\n\
                 printf '<!--XSUPERVISOR:BEGIN-->%s<!--XSUPERVISOR:END-->said\\n' \"$line\"\n\
                 done\n",
            ),
        ],
        running: &["web", "capt", "lis"],
        act: |run| {
            for line in ["one", "two", "three"] {
                let _ = run.say("capt", line);
            }
            run.await_soon(|run| run.read("capt.log").matches("said").count() == 3);
        },
        recovered: |run| hears(run, "PROCESS_COMMUNICATION", |run| drop(run.say("capt", "more"))),
        ..PLAIN
    },
    Scenario {
        name: "stop",
        programs: "[program:deaf]\ncommand=sh -c 'trap \"\" TERM; exec cat'\nstartsecs=0\n\
            stopwaitsecs=1\nstopasgroup=true\nkillasgroup=true\nstdout_logfile=NONE\n\
            stderr_logfile=NONE\n",
        running: &["web", "deaf"],
        asks: true,
        act: |run| {
            run.await_soon(|run| logged(run, "success: deaf"));
            let _ = run.call_for("supervisor.stopProcess", "deaf");
            let _ = run.call_for("supervisor.stopProcess", "web");
        },
        ..PLAIN
    },
    Scenario {
        name: "crash",
        programs: "[program:bad]\ncommand=sh -c 'exit 3'\nstartretries=1\nstdout_logfile=NONE\n\
            stderr_logfile=NONE\n\
            [program:none]\ncommand=/nowhere/none\nstartretries=0\nstdout_logfile=NONE\n\
            stderr_logfile=NONE\n",
        running: &["web"],
        act: |run| {
            run.await_soon(|run| logged(run, "success: web"));
            let params = "<string>web</string><string>KILL</string>";
            let _ = run.call("supervisor.signalProcess", params);
            run.await_soon(|run| logged(run, "gave up: bad"));
        },
        ..PLAIN
    },
    Scenario {
        name: "calls",
        asks: true,
        act: |run| {
            let _ = run.call("supervisor.clearLog", "");
            let _ = run.say("web", "a line");
            for (method, params) in [
                ("supervisor.getAllProcessInfo", ""),
                ("supervisor.getAllConfigInfo", ""),
                ("supervisor.readLog", "<int>0</int><int>50</int>"),
                ("supervisor.readProcessStdoutLog", "<string>web</string><int>0</int><int>9</int>"),
                ("supervisor.tailProcessStdoutLog", "<string>web</string><int>0</int><int>9</int>"),
                ("supervisor.clearProcessLogs", "<string>web</string>"),
                ("supervisor.clearAllProcessLogs", ""),
                ("supervisor.signalProcess", "<string>web</string><string>CONT</string>"),
                ("supervisor.stopAllProcesses", ""),
                ("supervisor.startAllProcesses", ""),
                ("minder.getCounters", ""),
                ("system.listMethods", ""),
            ] {
                let _ = run.call(method, params);
            }
        },
        ..PLAIN
    },
    Scenario {
        name: "logtail",
        act: |run| {
            let socket = run.path("s.sock");
            let page = b"GET /logtail/web HTTP/1.1\r\nHost: x\r\n\r\n";
            let follower = std::thread::spawn(move || {
                // It ends when the daemon does, or by its own patience.
                let _ = client::exchange(&socket, page);
            });
            for line in ["one", "two"] {
                let _ = run.say("web", line);
                run.await_soon(|run| run.read("web.log").contains(line));
            }
            let _ = fs::rename(run.path("web.log"), run.path("web.log.old"));
            run.signal(Signal::SIGUSR2);
            run.await_soon(|run| run.path("web.log").exists());
            let _ = run.say("web", "three");
            let _ = run.exchange("GET /mainlogtail HTTP/1.0\r\n\r\n");
            let _ = run.exchange("GET /logtail/nobody HTTP/1.0\r\n\r\n");
            let _ = follower.join();
        },
        ..PLAIN
    },
    Scenario {
        name: "http",
        act: |run| {
            let twice = "GET /ok.html HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2);
            let _ = run.exchange(&twice);
            for text in [
                "GET /ok.html HTTP/1.0\r\n\r\n",
                "HEAD /nothing HTTP/1.0\r\n\r\n",
                "nonsense\r\n\r\n",
                "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n<a/>x",
                "POST /RPC2 HTTP/1.1\r\nHost: x\r\n\r\n",
            ] {
                let _ = run.exchange(text);
                let _ = client::exchange_tcp(run.port, text.as_bytes());
            }
            // Gone before it has an answer.
            if let Ok(stream) = std::os::unix::net::UnixStream::connect(run.path("s.sock")) {
                let _ = std::io::Write::write_all(&mut &stream, b"GET /ok");
            }
        },
        ..PLAIN
    },
    Scenario {
        name: "listener",
        programs: "[eventlistener:lis]\ncommand=%(here)s/lis\nevents=REMOTE_COMMUNICATION,\
            PROCESS_STATE\nbuffer_size=20\nstartsecs=1\nautorestart=true\nstdout_logfile=NONE\n\
            stderr_logfile=%(here)s/lis.err\n",
        scripts: &[("lis", LISTENER)],
        running: &["web", "lis"],
        asks: true,
        act: |run| {
            for _ in 0..3 {
                let params = "<string>kind</string><string>some data</string>";
                let _ = run.call("supervisor.sendRemoteCommEvent", params);
            }
            let _ = run.call_for("supervisor.stopProcess", "web");
            run.await_soon(|run| run.read("lis.heard").matches("REMOTE").count() >= 3);
        },
        recovered: |run| {
            hears(run, "REMOTE_COMMUNICATION", |run| {
                let params = "<string>kind</string><string>x</string>";
                drop(run.call("supervisor.sendRemoteCommEvent", params));
            })
        },
        ..PLAIN
    },
    Scenario {
        name: "fastcgi",
        programs: "[fcgi-program:fast]\ncommand=sleep 1000\nsocket=unix://%(here)s/f.sock\n\
            socket_owner=nobody\nstartsecs=0\nautorestart=true\nstdout_logfile=NONE\n\
            stderr_logfile=NONE\n",
        running: &["web", "fast"],
        asks: true,
        act: |run| {
            run.await_soon(|run| run.path("f.sock").exists());
            let _ = run.call_for("supervisor.stopProcess", "fast");
            // Somebody tidies up what children are written down in.
            let _ = fs::remove_file(run.path("d.pid.children"));
            let _ = run.call_for("supervisor.startProcess", "fast");
        },
        recovered: |run| {
            if let Err(error) = std::os::unix::net::UnixStream::connect(run.path("f.sock")) {
                return Err(format!("f.sock: {error}"));
            }
            let info = run.call_for("supervisor.getProcessInfo", "fast");
            let pids = info.map(|info| members(&info, "pid")).unwrap_or_default();
            let (pid, state) = (pids.concat(), run.read("d.pid.children"));
            // One that could not be stopped was written down in what is gone.
            let is_old = run.read("activity.log").matches("spawned: 'fast'").count() < 2;
            let is_known =
                is_old || state.lines().any(|line| line.split_whitespace().any(|word| word == pid));
            if is_known { Ok(()) } else { Err(format!("{pid} is not written down: {state}")) }
        },
        ..PLAIN
    },
    Scenario {
        name: "reread",
        programs: "[program:old]\ncommand=cat\nstartsecs=0\n",
        running: &["web", "new"],
        asks: true,
        act: |run| {
            let new = "[program:new]\ncommand=cat\nstartsecs=0\n\
                [fcgi-program:fast]\ncommand=sleep 1000\nautostart=false\n\
                socket=unix://%(here)s/f.sock\n\
                [include]\nfiles=%(here)s/*.inc\n";
            let _ = fs::write(run.path("more.inc"), "[program:inc]\ncommand=cat\n");
            let _ = fs::write(run.path("c.conf"), config(new, run.port));
            let _ = run.call("supervisor.reloadConfig", "");
            let _ = run.call_for("supervisor.stopProcessGroup", "old");
            let _ = run.call_for("supervisor.removeProcessGroup", "old");
            for name in ["new", "fast", "inc"] {
                let _ = run.call_for("supervisor.addProcessGroup", name);
            }
        },
        ..PLAIN
    },
    Scenario {
        name: "reload",
        programs: "[program:auto]\ncommand=cat\nstartsecs=0\n",
        running: &["web", "auto"],
        act: |run| {
            run.await_soon(|run| logged(run, "success: web"));
            run.signal(Signal::SIGHUP);
            run.await_soon(|run| {
                let log = run.read("activity.log");
                log.matches("supervisord started").count() > 1 || log.contains("could not restart")
            });
        },
        ..PLAIN
    },
    Scenario {
        name: "moved",
        running: &["web", "own", "part"],
        asks: true,
        act: |run| {
            run.await_soon(|run| logged(run, "success: web"));
            let _ = fs::create_dir(run.path("parts"));
            let part = "[program:part]\ncommand=cat\nstartsecs=0\n";
            let _ = fs::write(run.path("parts/one.inc"), part);
            let new = "[program:own]\ncommand=cat\nuser=65534\nstartsecs=1\n\
                stdout_logfile=NONE\nstderr_logfile=NONE\n\
                [include]\nfiles=%(here)s/par*/*.inc\n";
            let new = config(new, run.port)
                .replace("on_leftover=kill\n", "on_leftover=kill\nstate_file=%(here)s/moved\n");
            let _ = fs::write(run.path("c.conf"), new);
            run.signal(Signal::SIGHUP);
            run.await_soon(|run| {
                let log = run.read("activity.log");
                log.contains("success: own") || log.contains("could not restart")
            });
        },
        ..PLAIN
    },
    Scenario {
        name: "syslog",
        programs: "[program:log]\ncommand=cat\nautorestart=true\nstartsecs=0\n\
            stdout_syslog=true\nstdout_logfile=%(here)s/log.log\nstderr_logfile=NONE\n",
        running: &["web", "log"],
        syslog: true,
        act: |run| {
            for line in ["one", "two", "three"] {
                let _ = run.say("log", line);
                run.await_soon(|run| run.has_system_logged(&format!("log {line}")));
            }
        },
        recovered: |run| {
            let word = format!("word{}", run.read("log.log").len());
            let sent = run.say("log", &word);
            let has = |run: &Run| run.has_system_logged(&format!("log {word}"));
            run.await_soon(has);
            if has(run) { Ok(()) } else { Err(format!("no line in the system's log: {sent:?}")) }
        },
        ..PLAIN
    },
    Scenario {
        name: "restart",
        asks: true,
        act: |run| {
            run.await_soon(|run| logged(run, "success: web"));
            // Another door: one that stays, one that is new.
            let new = config("", run.port).replace("s.sock", "t.sock");
            let both = config("", run.port);
            let _ = fs::write(run.path("c.conf"), &new);
            let _ = run.call("supervisor.restart", "");
            run.await_soon(|run| run.read("activity.log").matches("started with").count() > 1);
            let _ = fs::write(run.path("c.conf"), &both);
            run.signal(Signal::SIGHUP);
            run.await_soon(|run| run.call("supervisor.getState", "").is_ok());
        },
        cure: |run| {
            run.signal(Signal::SIGHUP);
            std::thread::sleep(std::time::Duration::from_millis(500));
        },
        ..PLAIN
    },
    Scenario {
        name: "reopen",
        programs: "[program:two]\ncommand=cat\nautorestart=true\nstartsecs=0\n\
            stdout_logfile=%(here)s/two.log\n",
        running: &["web", "two"],
        act: |run| {
            let _ = run.say("two", "before");
            let _ = fs::rename(run.path("two.log"), run.path("two.log.moved"));
            run.signal(Signal::SIGUSR2);
            run.await_soon(|run| run.read("activity.log").contains("logreopen"));
            let _ = run.say("two", "after");
        },
        recovered: |run| grows(run, "two"),
        ..PLAIN
    },
    Scenario {
        name: "shutdown",
        programs: "[program:deaf]\ncommand=sh -c 'trap \"\" TERM; exec cat'\nstartsecs=0\n\
            stopwaitsecs=1\npriority=1\nstdout_logfile=NONE\n",
        running: &["web", "deaf"],
        ends: true,
        act: |run| {
            run.await_soon(|run| logged(run, "success: deaf"));
            let asked = run.call("supervisor.shutdown", "");
            if value(&asked).is_none() {
                run.signal(Signal::SIGTERM);
            }
        },
        ..PLAIN
    },
];

/// The activity log has this.
fn logged(run: &Run, part: &str) -> bool {
    run.read("activity.log").contains(part)
}

/// The log of a `cat` gets what is sent to it.
fn grows(run: &Run, name: &str) -> Result<(), String> {
    let log = format!("{name}.log");
    let word = format!("grown{}", run.read(&log).len());
    let sent = run.say(name, &word);
    let has = |run: &Run| {
        ["", ".1", ".2"].iter().any(|end| run.read(&format!("{log}{end}")).contains(&word))
    };
    run.await_soon(has);
    if has(run) { Ok(()) } else { Err(format!("{log} does not grow: {sent:?}")) }
}

/// The listener `lis` gets an event of this kind when it is made.
fn hears(run: &Run, kind: &str, make: fn(&Run)) -> Result<(), String> {
    let count = |run: &Run| run.read("lis.heard").matches(kind).count();
    let before = count(run);
    make(run);
    run.await_soon(|run| count(run) > before);
    if count(run) > before { Ok(()) } else { Err(format!("the listener hears no {kind}")) }
}
