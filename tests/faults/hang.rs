//! File systems that hang: whoever touches them waits, and nobody else.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::{
    finding::{Step, Wrong},
    ground::{Ground, size},
    row::{Row, row},
    scene::Scene,
    support::{
        Setup, Side, alive,
        hanging::{self, FileSystem},
        read,
        rpc::Connection,
        wait_for,
    },
};

pub const ROWS: &[Row] = &[
    row("a log on a file system that hangs, ten neighbours", hanging_log),
    row("the main log on a file system that hangs", hanging_main_log),
    row("a start while another's log hangs", start_beside),
    row("an exec that hangs is stopped", hanging_exec),
    row("readers of four logs that hang, some of whom leave", hanging_readers),
    row("logs that hang are begun anew", hanging_clear),
    row("shutdown while a log's readers hang", hanging_shutdown),
    Row {
        ours_alone: true,
        ..row("the state file on a file system that hangs", hanging_state_file)
    },
];

/// Mounts it at `disk`, for the daemon alone. `None`, with the reason told: it can't be done here.
fn mounted(ground: &Ground, setup: Setup) -> Option<Setup> {
    hanging::mounted(setup).map_err(|why| ground.skip(why)).ok()
}

/// Writes so many lines a second to this log.
fn counter(rate: u32, log: &str) -> String {
    format!(
        "command=%(here)s/counter {rate} 0 %(here)s/%(program_name)s.count\nstartsecs=0\n\
         stopwaitsecs=1\n\
         stdout_logfile=%(here)s/{log}\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE"
    )
}

fn grows(scene: &Scene<'_>, file: &Path, wrong: Wrong) -> Step {
    let before = size(file);
    scene.heals(wrong, &format!("lines in {}", file.display()), || Ok(size(file) > before))
}

fn hanging_log(ground: &Ground) -> Step {
    let mut setup = ground.setup().program("a", &counter(500, "disk/a.log"));
    for number in 0..10 {
        setup = setup.program(&format!("n{number}"), &counter(100, &format!("n{number}.log")));
    }
    let Some(setup) = mounted(ground, setup) else { return Ok(()) };
    let scene = ground.start(setup)?;
    let disk = FileSystem::of(&scene.d);
    let log = scene.inside("disk/a.log");
    scene.begins("disk/a.log")?;
    for number in 0..10 {
        scene.begins(&format!("n{number}.log"))?;
    }
    disk.hang();
    scene.probed(10)?;
    scene.lifted();
    for number in 0..10 {
        grows(&scene, &scene.d.path(&format!("n{number}.log")), Wrong::Delays)?;
    }
    // It ends, and can't be started again yet.
    scene.order("stopProcess", "a")?;
    scene.becomes("a", "STOPPED", 20)?;
    let first = scene.count_of("a");
    let asker = scene.request("startProcess", "a");
    scene.probed(10)?;
    disk.go_on();
    scene.lifted();
    drop(asker);
    scene.comes_to("a", "RUNNING")?;
    grows(&scene, &log, Wrong::StaysBroken)?;
    scene.order("stopProcess", "a")?;
    scene.becomes("a", "STOPPED", 20)?;
    scene.accounts_for("a", "disk/a.log", &[first, scene.count_of("a")]);
    for name in (0..10).map(|number| format!("n{number}")) {
        scene.order("stopProcess", &name)?;
        scene.becomes(&name, "STOPPED", 20)?;
        scene.accounts_for(&name, &format!("{name}.log"), &[scene.count_of(&name)]);
    }
    scene.ends(&[("n0", "STOPPED"), ("n9", "STOPPED")], &["n*.log", "disk", "fs.pid"], &[])
}

fn hanging_main_log(ground: &Ground) -> Step {
    let setup = ground.setup().supervisord("logfile=%(here)s/disk/main.log").program(
        "blip",
        "command=/bin/sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE",
    );
    let Some(setup) = mounted(ground, setup) else { return Ok(()) };
    let scene = ground.start(setup)?;
    let disk = FileSystem::of(&scene.d);
    let log = scene.inside("disk/main.log");
    disk.hang();
    scene.order("stopProcess", "blip")?;
    scene.becomes("blip", "STOPPED", 20)?;
    scene.probed(10)?;
    disk.go_on();
    scene.lifted();
    let told = || Ok(read(&log).matches(" stopped: blip (").count() == 1);
    scene.heals(Wrong::LosesOutput, "all lines of the main log", told)?;
    scene.ends(&[("blip", "STOPPED")], &["disk", "fs.pid"], &[])
}

fn start_beside(ground: &Ground) -> Step {
    let sleep = "command=/bin/sleep 1000\nautostart=false\nstartsecs=0\nstdout_logfile=NONE\n\
         stderr_logfile=NONE";
    let setup = ground
        .setup()
        .program("a", &counter(500, "disk/a.log"))
        .program("blip", sleep)
        .program("other", &format!("{sleep}\nuser=nobody"));
    let Some(setup) = mounted(ground, setup) else { return Ok(()) };
    let scene = ground.start(setup)?;
    let disk = FileSystem::of(&scene.d);
    scene.begins("disk/a.log")?;
    disk.hang();
    scene.probed(3)?;
    scene.lifted();
    let askers = ["blip", "other"].map(|name| scene.request("startProcess", name));
    for name in ["blip", "other"] {
        let started = scene.comes_to(name, "RUNNING");
        ground.expect(Wrong::Delays, started.is_ok(), || {
            format!("{name} starts when the disk is back")
        });
    }
    scene.probed(3)?;
    disk.go_on();
    scene.lifted();
    drop(askers);
    let names = ["a", "blip", "other"];
    scene.ends(&names.map(|name| (name, "RUNNING")), &["disk", "fs.pid"], &[])
}

fn hanging_exec(ground: &Ground) -> Step {
    let setup = ground.setup();
    // What is executed is there, what it is executed by is not.
    let script = format!("#!{}/tail -f\n", setup.path("disk").display());
    let lines = "autostart=false\nstartsecs=0\nstopwaitsecs=1\nstdout_logfile=NONE\n\
         stderr_logfile=NONE";
    let setup = setup
        .script("script", &script)
        .program("x", &format!("command=%(here)s/script\n{lines}"))
        .program("y", &format!("command=%(here)s/disk/tail -f %(here)s/script\n{lines}"));
    let Some(setup) = mounted(ground, setup) else { return Ok(()) };
    let scene = ground.start(setup)?;
    let disk = FileSystem::of(&scene.d);
    disk.hang();
    for name in ["x", "y"] {
        // Whoever asks may wait for it, and nobody else.
        let asker = scene.request("startProcess", name);
        scene.probed(5)?;
        let stopper = scene.request("stopProcess", name);
        scene.becomes(name, "STOPPED", 1 + scene.healed())?;
        drop((asker, stopper));
    }
    scene.probed(5)?;
    disk.go_on();
    scene.lifted();
    for name in ["x", "y"] {
        scene.order("startProcess", name)?;
        scene.comes_to(name, "RUNNING")?;
    }
    scene.ends(&[("x", "RUNNING"), ("y", "RUNNING")], &["disk", "fs.pid", "script"], &[])
}

/// One by one the ways to ask for the log of a process.
fn readers<'a>(
    scene: &'a Scene<'_>,
    name: &'a str,
    first: usize,
) -> impl Iterator<Item = Connection> + 'a {
    let read = move |length: u32| {
        let span = format!("<int>0</int><int>{length}</int>");
        scene.send("supervisor.readProcessStdoutLog", &format!("<string>{name}</string>{span}"))
    };
    let span = "<value><int>0</int></value><value><int>100</int></value>";
    let params =
        format!("<array><data><value><string>{name}</string></value>{span}</data></array>");
    let named = "<name>methodName</name><value>supervisor.tailProcessStdoutLog</value>";
    let call = format!(
        "<struct><member>{named}</member>\
         <member><name>params</name><value>{params}</value></member></struct>"
    );
    let many = format!(
        "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>\
         <value>{call}</value><value>{call}</value></data></array></value></param></params>\
         </methodCall>"
    );
    let ways = move |way: usize| match way % 4 {
        0 => read(100),
        // All there is.
        1 => read(0),
        2 => scene.send_body(&many),
        _ => {
            let mut connection = scene.connect();
            let get = format!("GET /logtail/{name} HTTP/1.0\r\n\r\n");
            connection.send(get.as_bytes()).expect("a request sent");
            connection
        }
    };
    (first..first + 16).map(ways)
}

fn hanging_readers(ground: &Ground) -> Step {
    let sleep = "command=/bin/sleep 1000\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE";
    // As many as the daemon has threads for requests that nothing hangs in.
    let hanging = ["a", "b", "c", "d"];
    let mut setup = ground.setup().program("n", &counter(100, "n.log")).program("blip", sleep);
    for name in hanging {
        setup = setup.program(name, &counter(100, &format!("disk/{name}.log")));
    }
    let Some(setup) = mounted(ground, setup) else { return Ok(()) };
    let scene = ground.start(setup)?;
    let disk = FileSystem::of(&scene.d);
    scene.begins("n.log")?;
    for name in hanging {
        scene.begins(&format!("disk/{name}.log"))?;
    }
    let before = scene.holds();
    disk.hang();
    let mut patient = Vec::new();
    for (first, name) in hanging.into_iter().enumerate() {
        // Who comes first is at it: at one of them somebody who reads much.
        for (number, reader) in readers(&scene, name, first).enumerate() {
            // The others leave.
            if number < 8 {
                patient.push(reader);
            }
        }
    }
    let stdin = "<string>a</string><string>x</string>";
    patient.extend((0..4).map(|_| scene.send("supervisor.sendProcessStdin", stdin)));
    scene.probed(5)?;
    // Of each eight that left, two followed the log, and one may have been at it.
    let most = before.0 + patient.len() + 3 * hanging.len() + 4;
    scene.until(Wrong::Grows, "those who left to be forgotten", 30, || {
        Ok(ground.side == Side::Theirs || scene.holds().0 <= most)
    })?;
    for length in [100, 0] {
        let span = format!("<string>n</string><int>0</int><int>{length}</int>");
        let read = scene.ask("readProcessStdoutLog", &span)?;
        let whole = read.contains("<string>") && !read.contains("<fault>");
        ground.expect(Wrong::Delays, whole, || format!("the neighbour's log: {read}"));
    }
    let tail = scene.ask("tailProcessStdoutLog", "<string>n</string><int>0</int><int>9</int>")?;
    ground.expect(Wrong::Delays, tail.contains("<array>"), || format!("its end: {tail}"));
    scene.lifted();
    scene.order("stopProcess", "blip")?;
    scene.comes_to("blip", "STOPPED")?;
    scene.order("startProcess", "blip")?;
    scene.comes_to("blip", "RUNNING")?;
    scene.probed(5)?;
    disk.go_on();
    scene.lifted();
    for reader in &mut patient {
        let head = reader.receive_head().expect("an answer");
        ground.expect(Wrong::StaysBroken, head.contains(" 200 "), || head.clone());
    }
    drop(patient);
    for name in hanging {
        grows(&scene, &scene.inside(&format!("disk/{name}.log")), Wrong::StaysBroken)?;
    }
    scene.holds_no_more_than(before)?;
    let names = ["a", "b", "c", "d", "n", "blip"];
    scene.ends(&names.map(|name| (name, "RUNNING")), &["n.log", "disk", "fs.pid"], &[])
}

fn hanging_clear(ground: &Ground) -> Step {
    let mut setup = ground.setup();
    for number in 0..6 {
        setup = setup.program(&format!("a{number}"), &counter(500, &format!("disk/a{number}.log")));
    }
    let Some(setup) = mounted(ground, setup) else { return Ok(()) };
    let scene = ground.start(setup)?;
    let disk = FileSystem::of(&scene.d);
    for number in 0..6 {
        scene.begins(&format!("disk/a{number}.log"))?;
    }
    disk.hang();
    scene.probed(3)?;
    let begin = Instant::now();
    let mut asker = scene.send("supervisor.clearAllProcessLogs", "");
    let answer = asker.receive().expect("an answer");
    // The daemon gives up on one of them after five seconds.
    let took = begin.elapsed();
    ground.expect(Wrong::Delays, took < Duration::from_secs(20), || format!("{took:.1?} for all"));
    let failed = answer.body.matches("FAILED: a").count();
    ground.expect(Wrong::Silent, failed == 6, || format!("{failed} failed"));
    scene.probed(3)?;
    disk.go_on();
    scene.lifted();
    let names = ["a0", "a1", "a2", "a3", "a4", "a5"];
    scene.ends(&names.map(|name| (name, "RUNNING")), &["disk", "fs.pid"], &[])
}

fn hanging_shutdown(ground: &Ground) -> Step {
    let quiet = "command=/bin/cat\nstartsecs=0\nstopwaitsecs=1\nstderr_logfile=NONE\n\
         stdout_logfile=%(here)s/disk/a.log\nstdout_logfile_maxbytes=0";
    let setup = ground.setup().program("a", quiet);
    let Some(setup) = mounted(ground, setup) else { return Ok(()) };
    let scene = ground.start(setup)?;
    let disk = FileSystem::of(&scene.d);
    scene.becomes("a", "RUNNING", 20)?;
    disk.hang();
    let patient: Vec<Connection> = readers(&scene, "a", 0).collect();
    scene.probed(3)?;
    scene.calm();
    scene.ask("shutdown", "")?;
    // That of the process comes when the disk is back, as it closes its files there.
    let pidfile = scene.d.path("d.pid");
    wait_for("the daemon's end", 60, || (!pidfile.exists()).then_some(()));
    drop(patient);
    disk.go_on();
    wait_for("the end of its process", 60, || (!alive(scene.d.pid)).then_some(()));
    Ok(())
}

fn hanging_state_file(ground: &Ground) -> Step {
    let lines = "startsecs=0\nstopwaitsecs=1\nstdout_logfile=NONE\nstderr_logfile=NONE";
    let setup = ground
        .setup()
        .supervisord("on_leftover=kill\nstate_file=%(here)s/disk/children")
        .program("blip", &format!("command=/bin/sleep 1000\nautostart=false\n{lines}"))
        .program("dies", &format!("command=/bin/sleep 1000\nautorestart=true\n{lines}"));
    let Some(setup) = mounted(ground, setup) else { return Ok(()) };
    let scene = ground.start(setup)?;
    let disk = FileSystem::of(&scene.d);
    scene.becomes("dies", "RUNNING", 20)?;
    let pid = scene.pid("dies")?;
    disk.hang();
    // Nobody starts whom the file does not know, and only who starts has to wait.
    let asker = scene.request("startProcess", "blip");
    signal::kill(Pid::from_raw(pid), Signal::SIGKILL).expect("a program's end");
    scene.probed(10)?;
    let stopper = scene.request("stopProcess", "blip");
    scene.probed(5)?;
    disk.go_on();
    scene.lifted();
    drop((asker, stopper));
    scene.heals(Wrong::StaysBroken, "dies to be started again", || {
        Ok(![0, pid].contains(&scene.pid("dies")?))
    })?;
    scene.comes_to("blip", "STOPPED")?;
    scene.order("startProcess", "blip")?;
    scene.ends(&[("blip", "RUNNING"), ("dies", "RUNNING")], &["disk", "fs.pid"], &[])
}
