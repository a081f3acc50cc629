//! Programs that crash, hang, multiply or can't be executed, and pids that come again.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::{
    finding::{Step, Wrong, ensure},
    ground::{Ground, full, with_disk},
    row::{Row, row},
    scene::Scene,
    support::{Side, alive, all_pids, read},
};

pub const ROWS: &[Row] = &[
    row("a crash loop with startsecs=0", crash_loop),
    row("2,000 crashes", crashes),
    row("40 children ignore TERM or are stopped, all at once", deaf),
    row("commands that can't be executed", not_executable),
    Row { fills_machine: true, ..row("1,000 programs start and stop", many) },
    row("pids used again by others", reused),
    row("PID 1 in a storm of orphans", orphans),
    row("the daemon stopped for 30 s and continued", suspended),
];

const NO_LOGS: &str = "stdout_logfile=NONE\nstderr_logfile=NONE\n";

fn crash_loop(ground: &Ground) -> Step {
    let setup = ground
        .setup()
        .program("a", &format!("command=/bin/false\nstartsecs=0\nrestart_limit=5/60s\n{NO_LOGS}"));
    let scene = ground.start(setup)?;
    // Supervisor, which knows no limit, needs a second for each.
    scene.until(Wrong::Endless, "its end", 10, || {
        let spawned = scene.count("INFO spawned: 'a' with pid *");
        ensure(Wrong::Endless, spawned < 8, || format!("{spawned} starts"))?;
        Ok(scene.state("a")? == "FATAL")
    })?;
    scene.probed(5)?;
    let told = scene.count("INFO gave up: a entered FATAL state, *");
    ground.expect(Wrong::Silent, told == 1, || format!("told {told} times"));
    scene.ends(&[("a", "FATAL")], &[], &[])
}

fn crashes(ground: &Ground) -> Step {
    let most = match (ground.side, full()) {
        (Side::Theirs, _) => 20,
        (Side::Ours, false) => 300,
        (Side::Ours, true) => 2000,
    };
    ground.did(format!("{most} crashes"));
    let crasher = format!(
        "#!/bin/sh\nn=$(cat \"$1\" 2>/dev/null || echo 0)\n[ $n -ge {most} ] && exec sleep 1000\n\
         echo $((n + 1)) >\"$1\"\necho crash\nexit 3\n"
    );
    let setup = ground.setup().script("crasher", &crasher).program(
        "a",
        "command=%(here)s/crasher %(here)s/count\nstartsecs=0\nautorestart=true\n\
         autostart=false\nstdout_logfile=%(here)s/a.log\nstderr_logfile=NONE",
    );
    let scene = ground.start(setup)?;
    let before = scene.holds();
    scene.order("startProcess", "a")?;
    let exits = || scene.count("WARN exited: a (exit status 3; not expected)");
    scene.until(Wrong::Hangs, "all crashes", 120, || Ok(exits() == most))?;
    scene.becomes("a", "RUNNING", scene.healed())?;
    let lines = scene.d.read("a.log").lines().count();
    ground.expect(Wrong::LosesOutput, lines == most, || format!("{lines} lines of {most}"));
    scene.order("stopProcess", "a")?;
    scene.becomes("a", "STOPPED", scene.healed())?;
    scene.holds_no_more_than(before)?;
    scene.ends(&[("a", "STOPPED")], &["a.log", "count"], &[])
}

fn deaf(ground: &Ground) -> Step {
    let setup = ground
        .setup()
        .script("deaf", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n")
        .program(
            "deaf",
            &format!(
                "command=%(here)s/deaf\nnumprocs=20\nprocess_name=d%(process_num)02d\n\
                 startsecs=0\nstopwaitsecs=1\nkillasgroup=true\n{NO_LOGS}"
            ),
        )
        .program(
            "stopped",
            &format!(
                "command=/bin/sleep 1000\nnumprocs=20\nprocess_name=s%(process_num)02d\n\
                 startsecs=0\nstopwaitsecs=1\n{NO_LOGS}"
            ),
        );
    let scene = ground.start(setup)?;
    let names: Vec<String> =
        (0..20).flat_map(|n| [format!("d{n:02}"), format!("s{n:02}")]).collect();
    for name in &names {
        scene.becomes(name, "RUNNING", 40)?;
        if name.starts_with('s') {
            let pid = Pid::from_raw(scene.pid(name)?);
            signal::kill(pid, Signal::SIGSTOP).expect("a signal to a child");
        }
    }
    scene.order("stopProcessGroup", "deaf")?;
    scene.order("stopProcessGroup", "stopped")?;
    // With a second of `stopwaitsecs`.
    scene.probed(10)?;
    scene.lifted();
    for name in &names {
        scene.comes_to(name, "STOPPED")?;
    }
    scene.ends(&[], &[], &[])
}

/// A program that can't be executed, and how the activity log names the cause; what the child
/// itself finds the original tells on the child's stderr alone.
struct Cause {
    name: &'static str,
    command: String,
    more: String,
    told: &'static str,
}

fn not_executable(ground: &Ground) -> Step {
    let setup = with_disk(
        ground.setup().accounts("gone:x:64999:64999::/:/bin/sh\n", ""),
        "size=64k,noexec",
    );
    let path = |name: &str| setup.path(name).display().to_string();
    let file = |name: &str, text: &str, mode: u32| {
        fs::write(setup.path(name), text).expect("a file");
        fs::set_permissions(setup.path(name), fs::Permissions::from_mode(mode)).expect("a mode");
        path(name)
    };
    let of = |name, command: String, told| Cause { name, command, more: String::new(), told };
    std::os::unix::fs::symlink("loop", setup.path("loop")).expect("a link");
    fs::copy("/bin/sleep", setup.path("busy")).expect("a program");
    let sleep = || "/bin/sleep 1000".to_owned();
    // More than one word may have.
    let large = format!("environment=LARGE=\"{}\"\n", "x".repeat(200_000));
    let causes = [
        of("missing", path("missing"), "INFO spawnerr: can't find command '*/missing'"),
        of("directory", "/usr".to_owned(), "INFO spawnerr: command at '/usr' is a directory"),
        of(
            "forbidden",
            file("forbidden", "#!/bin/sh\n", 0o644),
            "INFO spawnerr: command at '*/forbidden' is not executable",
        ),
        of("noexec", path("disk/sleep"), "INFO spawnerr: no permission to run command '*/sleep'"),
        of("loop", path("loop"), "INFO spawnerr: can't find command '*/loop'"),
        of("nothing", file("nothing", "no program", 0o755), "couldn't exec */nothing: ENOEXEC"),
        of(
            "homeless",
            file("homeless", "#!/no/such/interpreter\n", 0o755),
            "couldn't exec */homeless: ENOENT",
        ),
        of("busy", format!("{} 1000", path("busy")), "couldn't exec */busy: ETXTBSY"),
        Cause { more: large, ..of("large", sleep(), "couldn't exec /bin/sleep: E2BIG") },
        Cause {
            more: "directory=/no/such\n".to_owned(),
            ..of("nowhere", sleep(), "couldn't chdir to /no/such: ENOENT")
        },
        Cause {
            more: "user=gone\nautostart=false\n".to_owned(),
            ..of("gone", sleep(), "couldn't setuid to 64999: Can't find uid 64999")
        },
    ];
    let busy = fs::File::options().append(true).open(setup.path("busy")).expect("a writer");
    let copy = format!("cp /bin/sleep {}", path("disk/sleep"));
    let mut setup = setup.prelude(&copy);
    for Cause { name, command, more, .. } in &causes {
        let lines = format!("command={command}\n{more}startretries=1\n{NO_LOGS}");
        setup = setup.program(name, &lines);
    }
    let scene = ground.start(setup)?;
    // It is there when the configuration is read, and no more.
    let list = read(&scene.d.path("passwd"));
    let list = list.lines().filter(|line| !line.starts_with("gone:"));
    let list: String = list.map(|line| format!("{line}\n")).collect();
    fs::write(scene.d.path("passwd"), list).expect("the list of users");
    scene.order("startProcess", "gone")?;
    for Cause { name, .. } in &causes {
        scene.becomes(name, "FATAL", 60)?;
    }
    scene.lifted();
    for Cause { name, told, .. } in &causes {
        let line = match told.starts_with("couldn't") {
            true => format!("WARN '{name}' could not be executed: {told}"),
            false => (*told).to_owned(),
        };
        // The first start and one more. Such lines of a child come by themselves.
        let twice = || Ok(scene.count(&line) == 2);
        let told = scene.heals(Wrong::Silent, &line, twice);
        ground.expect(Wrong::Silent, told.is_ok(), || {
            format!("{} times: {line}", scene.count(&line))
        });
    }
    drop(busy);
    scene.ends(&[], &["passwd", "group"], &["processes.exec_failed", "processes.spawn_failed"])
}

fn many(ground: &Ground) -> Step {
    let count = match (ground.side, full()) {
        (_, true) => 1000,
        (Side::Ours, false) => 300,
        (Side::Theirs, false) => 100,
    };
    ground.did(format!("{count} programs"));
    let setup = ground.setup().supervisord("minfds=8000\nminprocs=2000").program(
        "many",
        &format!(
            "command=/bin/sleep 1000\nnumprocs={count}\nprocess_name=m%(process_num)04d\n\
             autostart=false\nstartsecs=0\n{NO_LOGS}"
        ),
    );
    let scene = ground.start(setup)?;
    // A thread, its stack, and what is known of it.
    scene.may_need((4 << 20) + count as u64 * (48 << 10));
    let before = scene.holds();
    for (method, state) in [("startProcessGroup", "RUNNING"), ("stopProcessGroup", "STOPPED")] {
        scene.order(method, "many")?;
        scene.until(Wrong::Hangs, &format!("all {state}"), 120, || {
            let all = scene.processes()?;
            let there =
                |(name, now, _): &(String, String, i32)| name.starts_with('m') && now == state;
            Ok(all.iter().filter(|process| there(process)).count() == count)
        })?;
    }
    scene.holds_no_more_than(before)?;
    scene.ends(&[], &[], &[])
}

/// Runs a shell in the daemon's namespaces; what it wrote.
fn shell_inside(scene: &Scene<'_>, script: &str) -> String {
    let output = Command::new("nsenter")
        .args(["-t", &scene.d.pid.to_string(), "-p", "-m", "/bin/sh", "-c", script])
        .output()
        .expect("nsenter");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The processes below the daemon that sleep for so long, as the machine numbers them.
fn canaries(scene: &Scene<'_>, seconds: &str) -> Vec<i32> {
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let own = namespace(scene.d.pid);
    let is = |pid: &i32| {
        namespace(*pid) == own
            && read(Path::new(&format!("/proc/{pid}/cmdline"))) == format!("sleep\0{seconds}\0")
            && alive(*pid)
    };
    all_pids().into_iter().filter(is).collect()
}

const CANARY: &str = "77777";

fn reused(ground: &Ground) -> Step {
    let rounds = if full() { 100 } else { 10 };
    let sleeper = format!("command=/bin/sleep 1000\nautostart=false\nstartsecs=0\n{NO_LOGS}");
    let killer = format!("{sleeper}stopasgroup=true\nkillasgroup=true\n");
    let setup =
        ground.setup().in_pid_namespace().program("a", &sleeper).program("b", &killer).program(
            "c",
            &format!(
                "command=/bin/true\nautostart=false\nstartsecs=0\nautorestart=false\n{NO_LOGS}"
            ),
        );
    let scene = ground.start(setup)?;
    let mut again = 0;
    for round in 0..rounds {
        let name = ["a", "b"][round % 2];
        scene.order("startProcess", name)?;
        scene.becomes(name, "RUNNING", 20)?;
        let pid = scene.pid(name)?;
        scene.order("stopProcess", name)?;
        scene.becomes(name, "STOPPED", 20)?;
        // The kernel gives numbers in order, from the last one on.
        let script = format!(
            "echo {} >/proc/sys/kernel/ns_last_pid; setsid sleep {CANARY} >/dev/null 2>&1 & echo $!",
            pid - 1
        );
        again += usize::from(shell_inside(&scene, &script) == pid.to_string());
        scene.until(Wrong::Hangs, "the canary", 20, || {
            Ok(canaries(&scene, CANARY).len() == round + 1)
        })?;
        for method in ["stopProcess", "stopProcessGroup"] {
            scene.order(method, name)?;
        }
        let kill = format!("<string>{name}</string><string>KILL</string>");
        scene.ask("signalProcess", &kill)?;
        scene.order("startProcess", name)?;
        scene.order("stopProcess", name)?;
        scene.becomes(name, "STOPPED", 20)?;
        let left = canaries(&scene, CANARY).len();
        ensure(Wrong::Strikes, left == round + 1, || format!("{left} of {} live", round + 1))?;
    }
    ground.tell(format!("{again} of {rounds} pids used again"));
    assert!(again * 2 > rounds, "only {again} of {rounds} pids were used again");
    for pid in canaries(&scene, CANARY) {
        signal::kill(Pid::from_raw(pid), Signal::SIGKILL).expect("a canary's end");
    }
    scene.ends(&[("a", "STOPPED"), ("b", "STOPPED")], &[], &["daemon.reaped_unknown"])
}

fn orphans(ground: &Ground) -> Step {
    let most = if full() { 5000 } else { 500 };
    ground.did(format!("{most} orphans"));
    // Each is an orphan at once, and ends soon after.
    let storm = format!(
        "#!/bin/sh\nn=0\nwhile [ $n -lt {most} ]; do\n    ( ( exit 7 ) & )\n    n=$((n+1))\ndone\n\
         touch \"$1\"\nexec sleep 1000\n"
    );
    let setup = ground.setup().in_pid_namespace().script("storm", &storm).program(
        "storm",
        &format!("command=%(here)s/storm %(here)s/over\nautostart=false\nstartsecs=0\n{NO_LOGS}"),
    );
    let scene = ground.start(setup)?;
    scene.order("startProcess", "storm")?;
    scene.until(Wrong::Hangs, "the storm's end", 120, || Ok(scene.d.path("over").exists()))?;
    scene.heals(Wrong::Unknown, "the end of all zombies", || {
        Ok(!scene.children().iter().any(|child| child.zombie))
    })?;
    // Who began it ends without waiting for it, so that all of them are the daemon's.
    let mut reaped = 0;
    let all = scene.heals(Wrong::Silent, "a line about each orphan", || {
        reaped = scene.count("INFO reaped unknown pid *");
        Ok(reaped == most)
    });
    ground.expect(Wrong::Silent, all.is_ok(), || format!("{reaped} of {most} orphans told"));
    ground.tell(format!("{reaped} of {most} reaped"));
    scene.ends(&[("storm", "RUNNING")], &["over"], &["daemon.reaped_unknown"])
}

fn suspended(ground: &Ground) -> Step {
    let setup = ground.setup().program(
        "a",
        "command=%(here)s/counter 200\nstartsecs=0\nstdout_logfile=%(here)s/a.log\n\
         stdout_logfile_maxbytes=0\nstderr_logfile=NONE",
    );
    let scene = ground.start(setup)?;
    scene.begins("a.log")?;
    let pid = scene.pid("a")?;
    scene.calm();
    scene.d.signal(Signal::SIGSTOP);
    // What is measured is how long it is away.
    let secs = if full() { 30 } else { 3 };
    ground.did(format!("{secs} s"));
    std::thread::sleep(std::time::Duration::from_secs(secs));
    scene.d.signal(Signal::SIGCONT);
    scene.lifted();
    scene.probe();
    scene.probed(5)?;
    ensure(Wrong::StaysBroken, scene.pid("a")? == pid, || "it was started again".to_owned())?;
    scene.order("stopProcess", "a")?;
    scene.becomes("a", "STOPPED", 20)?;
    let text = scene.d.read("a.log");
    let all = text.lines().enumerate().all(|(at, line)| line.parse() == Ok(at));
    let all = all && text.len() > 9 * 200;
    ground.expect(Wrong::LosesOutput, all, || "a gap in the lines".to_owned());
    ground.tell(format!("{} lines", text.lines().count()));
    scene.ends(&[("a", "STOPPED")], &["a.log"], &[])
}
