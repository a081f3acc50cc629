//! Disks that fill up, vanish and come back, below the main log and below the logs of children.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use nix::sys::signal::Signal;

use crate::{
    finding::{Step, Wrong},
    ground::{Ground, size, with_disk},
    row::{Row, row},
    scene::Scene,
    support::{Setup, Side, matches, read},
};

pub const ROWS: &[Row] = &[
    row("main log on a full disk at its rotation, then freed", main_log_full),
    row("directory of the main log removed, then restored", main_log_removed),
    row("USR2 while a child's log directory is missing", reopen_without_directory),
    row("a child's log directory removed and restored", directory_restored),
    row("a child's log on a full disk, then freed", child_log_full),
    row("a child ends while the disk of its log is full", child_ends_on_full),
    row("RLIMIT_FSIZE reached by a log, then lifted", file_size_limit),
];

/// What is counted when the main log can't be written.
const MAIN_LOG: &[&str] = &["activity_log.bytes_lost", "activity_log.failed"];

/// What is counted when a child's log can't be written.
const CHILD_LOG: &[&str] = &["processes.log_bytes_lost", "processes.log_failed"];

/// A program that does nothing, to be started and stopped.
const BLIP: &str = "command=/bin/sleep 1000\nautostart=false\nstartsecs=0\n\
     stdout_logfile=NONE\nstderr_logfile=NONE";

/// Writes five hundred lines a second.
fn steady(log: &str, more: &str) -> String {
    format!(
        "command=%(here)s/counter 500 0 %(here)s/%(program_name)s.count\nstartsecs=0\n\
         stdout_logfile={log}\nstderr_logfile=NONE\n{more}"
    )
}

/// Starts and stops: some 300 bytes of main log each time.
fn chatter(scene: &Scene<'_>, times: usize) -> Step {
    for _ in 0..times {
        scene.order("startProcess", "blip")?;
        scene.becomes("blip", "RUNNING", 20)?;
        scene.order("stopProcess", "blip")?;
        scene.becomes("blip", "STOPPED", 20)?;
    }
    Ok(())
}

/// Takes all room: first the blocks, then the files.
fn fill(directory: &Path) {
    let _ = Command::new("dd")
        .args(["if=/dev/zero", "bs=4k", "status=none"])
        .arg(format!("of={}", directory.join("filler").display()))
        .stderr(std::process::Stdio::null())
        .status();
    let mut number = 0;
    while fs::write(directory.join(format!("filler.{number}")), "").is_ok() && number < 10_000 {
        number += 1;
    }
}

/// Gives the room back.
fn free(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("filler") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The lines of an activity log, anywhere, that match.
fn lines(log: &Path, pattern: &str) -> usize {
    let text = read(log);
    let lines = text.lines().filter_map(|line| line.get(24..));
    lines.filter(|line| matches(pattern, line)).count()
}

/// The main log tells of the daemon's doings, and of what it lost.
fn main_log_is_back(scene: &Scene<'_>, ground: &Ground, log: &Path) -> Step {
    scene.order("startProcess", "blip")?;
    scene.becomes("blip", "RUNNING", 20)?;
    let line = format!("INFO spawned: 'blip' with pid {}", scene.pid("blip")?);
    let back = || Ok(lines(log, &line) == 1);
    let what = "lines in the main log";
    // Its file is tried again once a second, when there is a line to write.
    if scene.until(Wrong::StaysBroken, what, 2, back).is_err() {
        scene.order("stopProcess", "blip")?;
        scene.becomes("blip", "STOPPED", 20)?;
        scene.heals(Wrong::StaysBroken, what, || Ok(lines(log, "* stopped: blip (*)") > 0))?;
    }
    let text = read(log);
    let about = "ERRO this log could not be written: ";
    let told: Vec<u64> = text
        .lines()
        .filter_map(|line| line.get(24..)?.strip_prefix(about)?.split(' ').next()?.parse().ok())
        .collect();
    ground.expect(Wrong::LosesOutput, told.len() == 1, || format!("told {} times", told.len()));
    if ground.side == Side::Ours {
        let counted = scene.counters()?.get("activity_log.bytes_lost").copied().unwrap_or(0);
        ground.expect(Wrong::LosesOutput, told == [counted], || {
            format!("{counted} lost bytes of it are counted, {told:?} told")
        });
    }
    scene.order("stopProcess", "blip")?;
    scene.becomes("blip", "STOPPED", 20)
}

fn main_log_full(ground: &Ground) -> Step {
    let main = "logfile=%(here)s/disk/activity.log\nlogfile_maxbytes=2000\nlogfile_backups=2";
    let setup = with_disk(ground.setup(), "size=128k,nr_inodes=20").supervisord(main);
    let scene = ground.start(setup.program("blip", BLIP))?;
    let (disk, log) = (scene.inside("disk"), scene.inside("disk/activity.log"));
    while !scene.inside("disk/activity.log.1").exists() {
        chatter(&scene, 1)?;
    }
    fill(&disk);
    // Enough for two rotations.
    chatter(&scene, 16)?;
    scene.probed(3)?;
    free(&disk);
    scene.lifted();
    main_log_is_back(&scene, ground, &log)?;
    let told = scene.d.read("daemon.err").matches("the activity log can't be written").count();
    ground.expect(Wrong::Repeats, told <= 1, || format!("told {told} times on stderr"));
    scene.ends(&[], &[], MAIN_LOG)
}

fn main_log_removed(ground: &Ground) -> Step {
    let main = "logfile=%(here)s/logs/activity.log\nlogfile_maxbytes=2000\nlogfile_backups=2";
    let setup = ground.setup().supervisord(main).program("blip", BLIP);
    let directory = setup.path("logs");
    fs::create_dir(&directory).expect("a directory");
    let scene = ground.start(setup)?;
    chatter(&scene, 1)?;
    remove(&scene, "logs");
    chatter(&scene, 16)?;
    scene.probed(3)?;
    fs::create_dir(&directory).expect("the directory again");
    scene.lifted();
    main_log_is_back(&scene, ground, &directory.join("activity.log"))?;
    scene.ends(&[], &["logs/activity.log*", "gone/activity.log*"], MAIN_LOG)
}

/// Takes a directory away at one stroke: file by file, the daemon would make some of them again
/// meanwhile.
fn remove(scene: &Scene<'_>, name: &str) {
    let gone = scene.d.path("gone");
    fs::rename(scene.d.path(name), &gone).expect("the directory away");
    fs::remove_dir_all(gone).expect("the directory's end");
}

/// Where a child's log directory can go.
fn with_logs(ground: &Ground) -> Setup {
    let setup = ground.setup().program("a", &steady("%(here)s/logs/a.log", ""));
    fs::create_dir(setup.path("logs")).expect("a directory");
    setup
}

fn stop(scene: &Scene<'_>, name: &str) -> Step {
    scene.order("stopProcess", name)?;
    scene.becomes(name, "STOPPED", 20)
}

/// Waits until a log grows.
fn grows(scene: &Scene<'_>, log: &str) -> Step {
    let before = size(&scene.inside(log));
    scene.heals(Wrong::StaysBroken, &format!("lines in {log}"), || {
        Ok(size(&scene.inside(log)) > before)
    })
}

/// That a log can't be written is told once, that it can again too.
fn told_once(scene: &Scene<'_>, ground: &Ground, name: &str) {
    let told = scene.count(&format!("ERRO '{name}' stdout log * can't be written: *"));
    ground.expect(Wrong::Silent, told > 0, || "not a line tells of it".to_owned());
    ground.expect(Wrong::Repeats, told <= 1, || format!("told {told} times"));
}

fn reopen_without_directory(ground: &Ground) -> Step {
    let scene = ground.start(with_logs(ground))?;
    scene.begins("logs/a.log")?;
    fs::rename(scene.d.path("logs"), scene.d.path("moved")).expect("the directory moved");
    for _ in 0..3 {
        scene.d.signal(Signal::SIGUSR2);
        scene.probed(4)?;
    }
    fs::rename(scene.d.path("moved"), scene.d.path("logs")).expect("the directory moved back");
    scene.lifted();
    grows(&scene, "logs/a.log")?;
    scene.comes_to("a", "RUNNING")?;
    stop(&scene, "a")?;
    scene.accounts_for("a", "logs/a.log", &[scene.count_of("a")]);
    told_once(&scene, ground, "a");
    // The directory is told of by its name at the time.
    scene.ends(&[("a", "STOPPED")], &["logs/a.log", "moved/a.log"], CHILD_LOG)
}

fn directory_restored(ground: &Ground) -> Step {
    let setup = with_logs(ground).program("b", &steady("%(here)s/logs/b.log", ""));
    let scene = ground.start(setup)?;
    scene.begins("logs/a.log")?;
    scene.begins("logs/b.log")?;
    let old = ["a", "b"].map(|name| {
        (name, fs::File::open(scene.d.path(&format!("logs/{name}.log"))).expect("a log"))
    });
    remove(&scene, "logs");
    // One goes on as it was, the other is started again meanwhile.
    scene.order("stopProcess", "b")?;
    scene.becomes("b", "STOPPED", 20)?;
    let first = scene.count_of("b");
    scene.order("startProcess", "b")?;
    scene.probed(10)?;
    fs::create_dir(scene.d.path("logs")).expect("the directory again");
    scene.lifted();
    grows(&scene, "logs/a.log")?;
    grows(&scene, "logs/b.log")?;
    let length = |file: &fs::File| file.metadata().map_or(0, |meta| meta.len());
    let gone = BTreeMap::from(old.map(|(name, file)| (name, length(&file))));
    for (name, mut lives) in [("a", vec![]), ("b", vec![first])] {
        stop(&scene, name)?;
        lives.push(scene.count_of(name));
        // What stood in the directory that was removed was logged.
        scene.accounts_for_beside(gone[name], name, &format!("logs/{name}.log"), &lives);
    }
    told_once(&scene, ground, "a");
    scene.ends(&[("a", "STOPPED"), ("b", "STOPPED")], &["logs/*.log", "gone/*.log"], CHILD_LOG)
}

fn child_log_full(ground: &Ground) -> Step {
    let setup = with_disk(ground.setup(), "size=64k")
        .program("a", &steady("%(here)s/disk/a.log", ""))
        .program(
            "b",
            &steady(
                "%(here)s/disk/b.log",
                "stdout_logfile_maxbytes=1000\nstdout_logfile_backups=100",
            ),
        );
    let scene = ground.start(setup)?;
    scene.begins("disk/a.log")?;
    let disk = scene.inside("disk");
    fill(&disk);
    // What is left of the logs' last blocks.
    scene.until(Wrong::StaysBroken, "the disk to be full", 60, || {
        let before = size(&scene.inside("disk/a.log"));
        scene.probed(3)?;
        Ok(size(&scene.inside("disk/a.log")) == before)
    })?;
    scene.probed(5)?;
    free(&disk);
    scene.lifted();
    grows(&scene, "disk/a.log")?;
    scene.comes_to("a", "RUNNING")?;
    scene.comes_to("b", "RUNNING")?;
    for name in ["a", "b"] {
        stop(&scene, name)?;
        scene.accounts_for(name, &format!("disk/{name}.log"), &[scene.count_of(name)]);
    }
    told_once(&scene, ground, "a");
    scene.ends(&[("a", "STOPPED"), ("b", "STOPPED")], &[], CHILD_LOG)
}

fn child_ends_on_full(ground: &Ground) -> Step {
    let program = "command=%(here)s/counter 0 1000\nautostart=false\nautorestart=false\n\
         startsecs=0\nstdout_logfile=%(here)s/disk/a.log\nstderr_logfile=NONE";
    let setup = with_disk(ground.setup(), "size=32k").program("a", program);
    let scene = ground.start(setup)?;
    let disk = scene.inside("disk");
    for _ in 0..3 {
        scene.order("startProcess", "a")?;
        scene.becomes("a", "EXITED", 20)?;
        fill(&disk);
    }
    scene.probed(3)?;
    free(&disk);
    scene.lifted();
    let (written, there) = (3 * 9000, size(&scene.inside("disk/a.log")));
    scene.heals(Wrong::LosesOutput, "a line about each loss", || {
        Ok(there + scene.told_lost("a") == written)
    })?;
    scene.ends(&[("a", "EXITED")], &[], CHILD_LOG)
}

fn file_size_limit(ground: &Ground) -> Step {
    let setup = ground.setup().program("a", &steady("%(here)s/a.log", "")).program("blip", BLIP);
    let scene = ground.start(setup)?;
    // The main log is smaller and not meant.
    let larger = || Ok(size(&scene.d.path("a.log")) > 8 * size(&scene.d.path("activity.log")));
    scene.until(Wrong::StaysBroken, "the log to be large", 60, larger)?;
    let limit = |size: &str| {
        let (pid, limit) = (scene.d.pid.to_string(), format!("--fsize={size}"));
        let done = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
        assert!(done.is_ok_and(|status| status.success()), "prlimit");
    };
    let reached = size(&scene.d.path("a.log"));
    limit(&format!("{reached}:"));
    scene.probed(5)?;
    chatter(&scene, 1)?;
    limit("unlimited:");
    scene.lifted();
    grows(&scene, "a.log")?;
    scene.comes_to("a", "RUNNING")?;
    stop(&scene, "a")?;
    scene.accounts_for("a", "a.log", &[scene.count_of("a")]);
    told_once(&scene, ground, "a");
    scene.ends(&[("a", "STOPPED")], &["a.log"], CHILD_LOG)
}
