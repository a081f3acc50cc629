//! Descriptors and processes that run out and come back.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt, process::Command};

use crate::{
    finding::{Step, Wrong},
    ground::{Ground, size},
    row::{Row, row},
    scene::Scene,
    support::{Setup, Side, rpc},
};

pub const ROWS: &[Row] = &[
    row("no descriptors for a while", descriptors),
    row("no processes and threads for a while", processes),
    row("room for threads, and none for processes, for a while", no_room_for_children),
];

/// Programs that are started while hardly any can be.
const LATE: &str = "command=/bin/sleep 1000\nautostart=false\nstartsecs=0\nstartretries=1\n\
     numprocs=20\nprocess_name=late%(process_num)02d\n\
     stdout_logfile=%(here)s/late%(process_num)02d.log\nstderr_logfile=NONE";

/// A program that dies while nothing can be started.
const DIES: &str = "command=%(here)s/counter 200\nstartsecs=0\nstartretries=1\nautorestart=true\n\
     stdout_logfile=%(here)s/dies.log\nstderr_logfile=NONE";

/// Changes a limit of the daemon, as its own user: root in a container may not.
fn limit(scene: &Scene<'_>, limit: &str) {
    let owner = fs::metadata(format!("/proc/{}", scene.d.pid)).expect("the daemon").uid();
    let id = owner.to_string();
    let done = Command::new("setpriv")
        .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
        .args(["prlimit", "--pid", &scene.d.pid.to_string(), limit])
        .status();
    assert!(done.is_ok_and(|status| status.success()), "prlimit {limit}");
}

/// How many starts have failed. Ours tells of those of a program once.
fn failed_starts(scene: &Scene<'_>, side: Side) -> usize {
    if side == Side::Theirs {
        return scene.count("INFO spawnerr: *");
    }
    let answer = scene.d.rpc().call("minder.getCounters", "").unwrap_or_default();
    let of_all = rpc::numbers(&answer, "processes").unwrap_or_default();
    of_all.get("spawn_lacked_resources").map_or(0, |number| *number as usize)
}

/// With programs that are to start while they can't; what is counted then.
fn deprived(scene: &Scene<'_>, ground: &Ground, lift: &str, counted: &[&str]) -> Step {
    scene.order("startProcessGroup", "late")?;
    let pid = scene.pid("dies")?;
    let target = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(target, nix::sys::signal::Signal::SIGKILL).expect("its end");
    // Who counts such failures has given up by then.
    scene.until(Wrong::Hangs, "failed starts", 30, || {
        let gave_up = scene.count("INFO gave up: *") > 0;
        Ok(failed_starts(scene, ground.side) >= 40 || gave_up)
    })?;
    scene.probed(5)?;
    limit(scene, lift);
    scene.lifted();
    let names: Vec<String> = (0..20).map(|number| format!("late{number:02}")).collect();
    for name in names.iter().map(String::as_str).chain(["dies"]) {
        scene.comes_to(name, "RUNNING")?;
    }
    let before = size(&scene.d.path("dies.log"));
    scene.heals(Wrong::StaysBroken, "output", || Ok(size(&scene.d.path("dies.log")) > before))?;
    let told = scene.count("INFO spawnerr: *");
    ground.expect(Wrong::Repeats, told <= 21, || format!("told {told} times of 21 programs"));
    let fatal = scene.count("INFO gave up: *");
    ground.expect(Wrong::StaysBroken, fatal == 0, || format!("gave up {fatal} times"));
    scene.ends(&[("dies", "RUNNING")], &["late*.log", "dies.log"], counted)
}

fn descriptors(ground: &Ground) -> Step {
    let setup = ground.setup().program("late", LATE).program("dies", DIES);
    let scene = ground.start(setup)?;
    scene.becomes("dies", "RUNNING", 20)?;
    // Room for some clients; a child needs more.
    let open: BTreeSet<usize> = fs::read_dir(format!("/proc/{}/fd", scene.d.pid))
        .expect("its descriptors")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let beyond = (0..).filter(|number| !open.contains(number)).nth(5).expect("a number");
    limit(&scene, &format!("--nofile={beyond}:"));
    let counted = [
        "processes.spawn_lacked_resources",
        "processes.thread_refused?",
        "http.out_of_descriptors?",
    ];
    deprived(&scene, ground, "--nofile=1024:", &counted)
}

/// The user and group of a daemon that nobody else has: RLIMIT_NPROC counts what a user runs
/// anywhere.
const STRANGER: &str = "60999";

fn processes(ground: &Ground) -> Step {
    let setup = ground.bare_setup().program("late", LATE).program("dies", DIES);
    let setup = as_stranger(setup.program("guest", GUEST), ground.side, STRANGER);
    let scene = ground.start(setup)?;
    scene.becomes("dies", "RUNNING", 20)?;
    limit(&scene, "--nproc=1:");
    let counted = ["processes.spawn_lacked_resources", "processes.thread_refused"];
    deprived(&scene, ground, "--nproc=4096:", &counted)
}

/// A thread can be made, and that it then can't have its child is another failure.
fn no_room_for_children(ground: &Ground) -> Step {
    let setup = ground.bare_setup().program("late", LATE).program("dies", DIES);
    // What others run as this user would count too.
    let user = (61_000 + std::process::id() % 4000).to_string();
    let scene = ground.start(as_stranger(setup.program("guest", GUEST), ground.side, &user))?;
    scene.becomes("dies", "RUNNING", 20)?;
    // Once it has died there is room for two less one.
    let tasks = scene.holds().1 + scene.children().len();
    limit(&scene, &format!("--nproc={}:", tasks - 1));
    let counted = ["processes.spawn_lacked_resources", "processes.thread_refused?"];
    deprived(&scene, ground, "--nproc=4096:", &counted)?;
    if ground.side == Side::Ours {
        let all = scene.counters()?;
        let of = |name: &str| all.get(&format!("processes.{name}")).copied().unwrap_or(0);
        let children = of("spawn_lacked_resources") - of("thread_refused");
        ground.tell(format!("{children} children refused"));
        assert!(children > 0, "no child was refused that had its thread: {all:?}");
    }
    Ok(())
}

/// Started when the lack is over.
const GUEST: &str = "command=/bin/sleep 1000\nautostart=false\nstartsecs=0\n\
     stdout_logfile=NONE\nstderr_logfile=NONE";

/// Lets a user without a name execute the daemon.
fn as_stranger(setup: Setup, side: Side, user: &str) -> Setup {
    let setup = setup
        .launcher(&["prlimit", "--nproc=4096:4096", "--nofile=1024:4096"])
        .launcher(&["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]);
    if side == Side::Theirs {
        return setup;
    }
    // An ordinary user may not reach the directory of the build.
    let (built, reachable) = (Side::Ours.supervisord(), setup.path("supervisord"));
    fs::hard_link(&built, &reachable)
        .or_else(|_| fs::copy(&built, &reachable).map(drop))
        .expect("the daemon's binary");
    setup.supervisord_file(reachable)
}
