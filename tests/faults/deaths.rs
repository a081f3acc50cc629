//! The end of the daemon, and others of its kind.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    finding::{Step, Wrong, ensure},
    ground::{Ground, size},
    row::{Row, row},
    scene::Scene,
    support::{MARK, Setup, kill_marked, marked, read},
};

pub const ROWS: &[Row] = &[
    row("kill -9 in mid-rotation, and a new start", killed_in_rotation),
    row("kill -9 and a new start, with on_leftover=kill", leftovers_killed),
    row("kill -9 and a new start, with on_leftover=fail", leftovers_refused),
    row("two daemons on one configuration", two_with_http),
    row("two daemons on one configuration without HTTP", two_without_http),
    row("two unrelated daemons with default settings", unrelated),
];

/// The numbers in a log and its backups, oldest first.
fn numbers(scene: &Scene<'_>, log: &str) -> Vec<Option<u64>> {
    let mut files: Vec<String> = (1..)
        .map(|n| format!("{log}.{n}"))
        .take_while(|name| scene.d.path(name).exists())
        .collect();
    files.reverse();
    files.push(log.to_owned());
    let text: String = files.iter().map(|name| scene.d.read(name)).collect();
    text.lines().map(|line| line.parse().ok()).collect()
}

fn killed_in_rotation(ground: &Ground) -> Step {
    // A rotation at each other read.
    let setup = ground.setup().program(
        "a",
        "command=%(here)s/counter 20000\nstartsecs=0\nstdout_logfile=%(here)s/a.log\n\
         stdout_logfile_maxbytes=300\nstdout_logfile_backups=20\nstderr_logfile=NONE",
    );
    let mut scene = ground.start(setup)?;
    scene.begins("a.log.1")?;
    let inode =
        |scene: &Scene<'_>| fs::metadata(scene.d.path("a.log.1")).map_or(0, |meta| meta.ino());
    for _ in 0..4 {
        let mut last = inode(&scene);
        for _ in 0..5 {
            scene.until(Wrong::StaysBroken, "a rotation", scene.healed(), || {
                let now = inode(&scene);
                Ok(std::mem::replace(&mut last, now) != now)
            })?;
        }
        scene.kill_and_start()?;
    }
    scene.probed(3)?;
    scene.order("stopProcess", "a")?;
    scene.becomes("a", "STOPPED", 20)?;
    let mut all = numbers(&scene, "a.log");
    // What the dead had in their hands is gone.
    if let Some(begin) = all.iter().rposition(|number| *number == Some(0)) {
        all.drain(..begin);
    }
    let follows =
        |pair: &[Option<u64>]| matches!(pair, [Some(one), Some(next)] if *next == one + 1);
    let gaps = all.windows(2).filter(|pair| !follows(pair)).count();
    ground.expect(Wrong::LosesOutput, gaps == 0, || format!("{gaps} gaps in {} lines", all.len()));
    scene.ends(&[("a", "STOPPED")], &["a.log*"], &[])
}

/// The test's directory.
fn directory<'a>(scene: &'a Scene<'_>) -> &'a Path {
    scene.d.config.parent().expect("a directory")
}

/// A second daemon, as long as it is held.
struct Second(Child);

impl Second {
    fn start(scene: &Scene<'_>, ground: &Ground, config: &Path) -> Second {
        let out = || fs::File::create(scene.d.path("second.out")).expect("second.out");
        let child = Command::new(ground.side.supervisord())
            .args(["-n", "-c"])
            .arg(config)
            .current_dir(directory(scene))
            .env(MARK, directory(scene))
            .stdin(Stdio::null())
            .stdout(out())
            .stderr(out())
            .spawn();
        Second(child.expect("a second daemon"))
    }

    fn ended(&mut self) -> bool {
        self.0.try_wait().expect("try_wait").is_some()
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Living processes below a test's directory whose command line has this word.
fn below(scene: &Scene<'_>, word: &str) -> usize {
    let mark = format!("{MARK}={}", directory(scene).display());
    let has = |pid: &i32| read(format!("/proc/{pid}/cmdline").as_ref()).contains(word);
    marked(&mark).iter().filter(|pid| has(pid)).count()
}

/// Three programs that live on without the daemon.
fn sleepers(ground: &Ground, on_leftover: &str) -> Setup {
    ground.setup().supervisord(&format!("on_leftover={on_leftover}")).program(
        "a",
        "command=/bin/sleep 4242\nnumprocs=3\nprocess_name=a%(process_num)d\nstartsecs=0\n\
         stdout_logfile=NONE\nstderr_logfile=NONE",
    )
}

const SLEEPERS: [(&str, &str); 3] = [("a0", "RUNNING"), ("a1", "RUNNING"), ("a2", "RUNNING")];

fn leftovers_killed(ground: &Ground) -> Step {
    let mut scene = ground.start(sleepers(ground, "kill"))?;
    for _ in 0..3 {
        for (name, state) in SLEEPERS {
            scene.becomes(name, state, scene.healed())?;
        }
        scene.kill_and_start()?;
    }
    for (name, state) in SLEEPERS {
        scene.becomes(name, state, scene.healed())?;
    }
    scene.until(Wrong::Twice, "three processes of three programs", scene.healed(), || {
        Ok(below(&scene, "4242") == 3)
    })?;
    scene.ends(&SLEEPERS, &["d.pid.children"], &[])
}

fn leftovers_refused(ground: &Ground) -> Step {
    let mut scene = ground.start(sleepers(ground, "fail"))?;
    for (name, state) in SLEEPERS {
        scene.becomes(name, state, scene.healed())?;
    }
    scene.calm();
    scene.d.kill();
    let before = below(&scene, "4242");
    let mut second = Second::start(&scene, ground, &scene.d.config.clone());
    let ends = Instant::now() + Duration::from_secs(20);
    while !second.ended() && below(&scene, "4242") == before && Instant::now() < ends {
        thread::sleep(Duration::from_millis(50));
    }
    let now = below(&scene, "4242");
    ensure(Wrong::Twice, now == before, || format!("{now} processes of three programs"))?;
    let said = scene.d.read("second.out");
    ground.expect(Wrong::Silent, said.contains("a:a0"), || format!("it says {said:?}"));
    drop(second);
    // Once somebody has seen to them, it starts.
    kill_marked(directory(&scene));
    scene.d.start_again();
    scene.becomes("neighbour", "RUNNING", 20)?;
    scene.probe();
    scene.ends(&SLEEPERS, &["d.pid.children", "second.out"], &[])
}

fn one_counter(ground: &Ground) -> Setup {
    ground.setup().program(
        "a",
        "command=%(here)s/counter 100\nstartsecs=0\nstdout_logfile=%(here)s/a.log\n\
         stderr_logfile=NONE",
    )
}

fn two_with_http(ground: &Ground) -> Step {
    two(ground, |text| text.to_owned())
}

fn two_without_http(ground: &Ground) -> Step {
    two(ground, |text| {
        let (before, rest) = text.split_once("[unix_http_server]").expect("the http server");
        let (_, after) = rest.split_once("[supervisord]").expect("the daemon's section");
        format!("{before}[supervisord]{after}")
    })
}

fn two(ground: &Ground, change: fn(&str) -> String) -> Step {
    let scene = ground.start(one_counter(ground))?;
    let grows = |what: &str| {
        let before = size(&scene.d.path("a.log"));
        scene.until(Wrong::StaysBroken, what, scene.healed(), || {
            Ok(size(&scene.d.path("a.log")) > before)
        })
    };
    scene.begins("a.log")?;
    let config = scene.d.path("second.conf");
    fs::write(&config, change(&read(&scene.d.config))).expect("the second's configuration");
    for _ in 0..2 {
        let mut second = Second::start(&scene, ground, &config);
        let before = scene.look_count();
        scene.until(Wrong::Hangs, "the second's end, or some time", 60, || {
            Ok(second.ended() || scene.look_count() > before + 20)
        })?;
        scene.probed(3)?;
        let running = below(&scene, "counter");
        ground.expect(Wrong::Twice, running == 1, || format!("{running} processes of one program"));
        let pidfile = scene.d.read("d.pid");
        let own = format!("{}\n", scene.d.pid);
        ground.expect(Wrong::Touches, pidfile == own, || format!("the pidfile says {pidfile:?}"));
        drop(second);
    }
    grows("output after the second")?;
    scene.ends(&[("a", "RUNNING")], &["a.log", "second.*"], &["http.answered_404?"])
}

fn unrelated(ground: &Ground) -> Step {
    let setup = ground.setup().program("a", "command=%(here)s/counter 100\nstartsecs=0");
    let temporary = setup.path("tmp");
    fs::create_dir(&temporary).expect("a directory");
    let shared = format!("childlogdir={}", temporary.display());
    let scene = ground.start(setup.supervisord(&shared))?;
    let log = || {
        let entries = fs::read_dir(&temporary).expect("the directory").flatten();
        entries.map(|entry| entry.path()).find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("a-stdout"))
        })
    };
    let grows = || -> Step {
        let before = log().map_or(0, |path| size(&path));
        scene.until(Wrong::LosesOutput, "output in its log", scene.healed(), || {
            Ok(log().is_some_and(|path| size(&path) > before))
        })
    };
    grows()?;
    for _ in 0..2 {
        let other = ground.bare_setup().supervisord(&shared).start();
        scene.probed(3)?;
        drop(other);
    }
    grows()?;
    scene.ends(&[("a", "RUNNING")], &["tmp"], &[])
}
