//! What is asked of the daemon in storms, and what is asked with a broken configuration.

use std::{fs, thread};

use nix::sys::signal::Signal;

use crate::{
    finding::{Step, Wrong, ensure},
    ground::{Ground, full},
    row::{Row, row},
    scene::Scene,
    support::{Side, TestDaemon},
};

pub const ROWS: &[Row] = &[
    row("HUP with a broken include", broken_include),
    row("20 HUPs in a row", twenty_hups),
    row("HUPs, each after the last restart", hups_in_sequence),
    row("update storms", updates),
];

const SLEEPS: &str = "command=/bin/sleep 1000\nstartsecs=0\nstdout_logfile=NONE\n\
     stderr_logfile=NONE\n";

fn broken_include(ground: &Ground) -> Step {
    let setup = ground.setup().section("[include]\nfiles=%(here)s/more.conf");
    let part = |number: &str| format!("[program:a]\n{SLEEPS}numprocs={number}\n");
    fs::write(setup.path("more.conf"), part("1")).expect("the include");
    let scene = ground.start(setup)?;
    scene.becomes("a", "RUNNING", 20)?;
    let pid = scene.pid("a")?;
    fs::write(scene.d.path("more.conf"), part("many")).expect("the include, broken");
    scene.d.signal(Signal::SIGHUP);
    scene.until(Wrong::Silent, "a line that tells what is wrong", 20, || {
        Ok(scene.count("ERRO could not restart, everything goes on as it is: *") == 1)
    })?;
    scene.probed(5)?;
    ensure(Wrong::StaysBroken, scene.pid("a")? == pid, || "it was started again".to_owned())?;
    fs::write(scene.d.path("more.conf"), part("1")).expect("the include, whole");
    scene.calm();
    scene.d.signal(Signal::SIGHUP);
    let again = || Ok(![0, pid].contains(&scene.pid("a")?));
    scene.until(Wrong::StaysBroken, "a restart", 40, again)?;
    scene.becomes("neighbour", "RUNNING", scene.healed())?;
    scene.probe();
    scene.ends(&[("a", "RUNNING")], &["more.conf"], &["daemon.restart_refused"])
}

fn started(d: &TestDaemon) -> usize {
    d.count("INFO supervisord started with pid *")
}

fn twenty_hups(ground: &Ground) -> Step {
    let mut setup = ground.setup();
    for number in 0..5 {
        setup = setup.program(&format!("a{number}"), SLEEPS);
    }
    let scene = ground.start(setup)?;
    let before = scene.holds();
    // Each restarts the neighbour too.
    scene.calm();
    for _ in 0..20 {
        scene.d.signal(Signal::SIGHUP);
        thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut last = 0;
    scene.until(Wrong::Hangs, "the last restart", 120, || {
        let now = started(&scene.d);
        let same = std::mem::replace(&mut last, now) == now && now > 1;
        thread::sleep(std::time::Duration::from_millis(500));
        Ok(same)
    })?;
    ground.did(format!("{} starts", started(&scene.d)));
    let states: Vec<String> = (0..5).map(|number| format!("a{number}")).collect();
    let states: Vec<(&str, &str)> = states.iter().map(|name| (name.as_str(), "RUNNING")).collect();
    scene.lifted();
    for (name, state) in states.iter().chain(&[("neighbour", "RUNNING")]) {
        scene.comes_to(name, state)?;
    }
    scene.probe();
    scene.probed(3)?;
    scene.holds_no_more_than(before)?;
    scene.ends(&states, &[], &[])
}

fn hups_in_sequence(ground: &Ground) -> Step {
    // The original needs seconds for each.
    let hups = if ground.side == Side::Ours { 20 } else { 3 };
    let scene = ground.start(ground.setup().program("a", SLEEPS))?;
    let before = scene.holds();
    // Each restarts the neighbour too.
    scene.calm();
    for hup in 1..=hups {
        scene.becomes("a", "RUNNING", 20)?;
        let pid = scene.pid("a")?;
        scene.d.signal(Signal::SIGHUP);
        scene.until(Wrong::StaysBroken, &format!("restart {hup}"), 60, || {
            Ok(started(&scene.d) > hup && ![0, pid].contains(&scene.pid("a")?))
        })?;
    }
    scene.becomes("neighbour", "RUNNING", 20)?;
    scene.probe();
    scene.probed(3)?;
    let starts = started(&scene.d);
    ground.expect(Wrong::StaysBroken, starts == hups + 1, || format!("{starts} starts"));
    ground.did(format!("{starts} starts"));
    scene.holds_no_more_than(before)?;
    scene.ends(&[("a", "RUNNING")], &[], &[])
}

/// Five programs that sleep for so long.
fn five(seconds: usize) -> String {
    let one =
        |number| format!("[program:x{number}]\n{}", SLEEPS.replace("1000", &seconds.to_string()));
    (0..5).map(one).collect()
}

/// How long the programs sleep that run.
fn sleeps(scene: &Scene<'_>) -> Step<Vec<String>> {
    let all = scene.processes()?;
    let of = |pid: i32| crate::support::read(format!("/proc/{pid}/cmdline").as_ref());
    let words = |pid| of(pid).split('\0').nth(1).unwrap_or("").to_owned();
    Ok(all
        .iter()
        .filter(|(name, _, _)| name.starts_with('x'))
        .map(|(_, _, pid)| words(*pid))
        .collect())
}

fn updates(ground: &Ground) -> Step {
    let rounds = if full() { 20 } else { 4 };
    let setup = ground.setup().section("[include]\nfiles=%(here)s/more.conf");
    fs::write(setup.path("more.conf"), five(1000)).expect("the include");
    let scene = ground.start(setup)?;
    let pid = scene.pid("neighbour")?;
    let before = scene.holds();
    for round in 1..=rounds {
        let text = if round % 2 == 0 { String::new() } else { five(1000 + round) };
        fs::write(scene.d.path("more.conf"), text).expect("the include");
        thread::scope(|scope| {
            for _ in 0..4 {
                // They come in each other's way, and may well say so.
                scope.spawn(|| drop(scene.d.ctl(&["update"])));
            }
        });
    }
    fs::write(scene.d.path("more.conf"), five(2000)).expect("the include");
    scene.until(Wrong::StaysBroken, "the last configuration", 60, || {
        scene.d.ctl(&["update"]);
        Ok(sleeps(&scene)? == ["2000"; 5])
    })?;
    let same = scene.pid("neighbour")? == pid;
    ground.expect(Wrong::StaysBroken, same, || "the neighbour was restarted".to_owned());
    let mut before = before;
    before.0 += 5;
    scene.holds_no_more_than(before)?;
    scene.ends(&[("x0", "RUNNING"), ("x4", "RUNNING")], &["more.conf"], &[])
}
