//! The end of the daemon, and others of its kind.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    finding::{Step, Wrong},
    ground::{Ground, size},
    row::{Row, row},
    scene::Scene,
    support::{MARK, Setup, marked, read},
};

pub const ROWS: &[Row] = &[
    row("kill -9 in mid-rotation, and a new start", killed_in_rotation),
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
    scene.ends(&[("a", "STOPPED")], &["a.log*"])
}

/// A second daemon, as long as it is held.
struct Second(Child);

impl Second {
    fn start(scene: &Scene<'_>, ground: &Ground, config: &Path) -> Second {
        let out = || fs::File::create(scene.d.path("second.out")).expect("second.out");
        let child = Command::new(ground.side.supervisord())
            .args(["-n", "-c"])
            .arg(config)
            .current_dir(scene.d.path(""))
            .env(MARK, scene.d.path("").to_str().unwrap().trim_end_matches('/'))
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
    let mark = format!("{MARK}={}", scene.d.path("").display());
    let has = |pid: &i32| read(format!("/proc/{pid}/cmdline").as_ref()).contains(word);
    marked(mark.trim_end_matches('/')).iter().filter(|pid| has(pid)).count()
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
    scene.ends(&[("a", "RUNNING")], &["a.log", "second.*"])
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
    scene.ends(&[("a", "RUNNING")], &["tmp"])
}
