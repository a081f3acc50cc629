//! The end of the daemon, and others of its kind.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    finding::{Step, Wrong, ensure},
    ground::{Ground, size},
    rotation,
    row::{Row, row},
    scene::Scene,
    support::{MARK, Setup, kill_marked, marked, read},
    touched,
};

pub const ROWS: &[Row] = &[
    row("kill -9 in mid-rotation, and a new start", rotation::killed_inside),
    row("kill -9 and a new start, with on_leftover=ignore", leftovers_ignored),
    row("kill -9 and a new start, with on_leftover=kill", leftovers_killed),
    row("kill -9 and a new start, with on_leftover=fail", leftovers_refused),
    row("two daemons on one configuration", two_with_http),
    row("two daemons on one configuration without HTTP", two_without_http),
    row("two unrelated daemons with default settings", unrelated),
];

/// The test's directory.
pub fn directory<'a>(scene: &'a Scene<'_>) -> &'a Path {
    scene.d.config.parent().expect("a directory")
}

/// A second daemon, as long as it is held.
pub struct Second(Child);

impl Second {
    /// In the directory of its configuration, with these variables.
    pub fn start(
        scene: &Scene<'_>,
        ground: &Ground,
        config: &Path,
        variables: &[(&str, &str)],
    ) -> Second {
        let own = config.parent().expect("a directory");
        let out = || fs::File::create(own.join("second.out")).expect("second.out");
        let child = Command::new(ground.side.supervisord())
            .args(["-n", "-c"])
            .arg(config)
            .current_dir(own)
            .env(MARK, directory(scene))
            .envs(variables.to_vec())
            .stdin(Stdio::null())
            .stdout(out())
            .stderr(out())
            .spawn();
        Second(child.expect("a second daemon"))
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    pub fn ended(&mut self) -> bool {
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
pub fn below(scene: &Scene<'_>, word: &str) -> usize {
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

/// As Supervisor does: who asks for no more sees to them himself.
fn leftovers_ignored(ground: &Ground) -> Step {
    let mut scene = ground.start(sleepers(ground, "ignore"))?;
    let mut old = Vec::new();
    for (name, state) in SLEEPERS {
        scene.becomes(name, state, scene.healed())?;
        old.push(scene.pid(name)?);
    }
    scene.kill_and_start()?;
    for (name, state) in SLEEPERS {
        scene.becomes(name, state, scene.healed())?;
    }
    scene.until(Wrong::StaysBroken, "three old processes and three new", scene.healed(), || {
        Ok(below(&scene, "4242") == 6)
    })?;
    for pid in old {
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("an old process");
    }
    scene.until(Wrong::StaysBroken, "the new ones alone", scene.healed(), || {
        Ok(below(&scene, "4242") == 3)
    })?;
    scene.ends(&SLEEPERS, &[], &[])
}

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
    let mut second = Second::start(&scene, ground, &scene.d.config.clone(), &[]);
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
        let mut second = Second::start(&scene, ground, &config, &[]);
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

/// Two users' daemons with Supervisor's defaults: each has its own working directory, and so its
/// logfile and pidfile; the directory for temporary files, and so `childlogdir`, is everybody's. The
/// first has a socket besides, for the probe.
fn unrelated(ground: &Ground) -> Step {
    let setup = ground.setup().program("a", "command=%(here)s/counter 100\nstartsecs=0");
    let temporary = setup.path("tmp");
    fs::create_dir(&temporary).expect("a directory");
    let shared = temporary.to_str().expect("a path").to_owned();
    let config = setup.write();
    let text = read(&config).replace("childlogdir=%(here)s\n", "");
    fs::write(&config, text).expect("the configuration");
    let scene = ground.start_file(setup.env("TMPDIR", &shared), config)?;
    let logs = |of: &str| -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(&temporary).expect("the directory").flatten();
        let name = format!("{of}-stdout---supervisor-");
        let is_of = |path: &PathBuf| {
            path.file_name().is_some_and(|found| found.to_string_lossy().starts_with(&name))
        };
        entries.map(|entry| entry.path()).filter(is_of).collect()
    };
    let bytes = || logs("a").iter().map(|path| size(path)).sum::<u64>();
    let grows = || -> Step {
        let (before, what) = (bytes(), "output in its log");
        scene.until(Wrong::LosesOutput, what, scene.healed(), || Ok(bytes() > before))
    };
    grows()?;
    let own = logs("a");
    let other = ground.bare_setup();
    let config = other.path("supervisord.conf");
    let text = "[supervisord]\n[program:b]\ncommand=%(here)s/counter 100\nstartsecs=0\n";
    fs::write(&config, text).expect("the other's configuration");
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        // Of an earlier round: the next one takes it away.
        let stale = logs("b");
        let mut second = Second::start(&scene, ground, &config, &[("TMPDIR", &shared)]);
        let pidfile = || read(&other.path("supervisord.pid")) == format!("{}\n", second.pid());
        scene.until(Wrong::Hangs, "the other's pidfile", 60, || Ok(pidfile()))?;
        scene.until(Wrong::LosesOutput, "output of the other's program", scene.healed(), || {
            Ok(logs("b").difference(&stale).any(|path| size(path) > 0))
        })?;
        scene.probed(3)?;
        let pid = second.pid();
        kill(Pid::from_raw(pid), signal).expect("a signal");
        scene.until(Wrong::Hangs, "the other's end", 60, || Ok(second.ended()))?;
        ground.expect(Wrong::Touches, logs("a") == own, || format!("{own:?}: {:?}", logs("a")));
        keep_to_their_own(ground, &scene, &temporary, (pid, &other.path("")));
    }
    grows()?;
    scene.ends(&[("a", "RUNNING")], &["tmp"], &[])
}

/// Neither of two daemons has touched a file of the other.
fn keep_to_their_own(
    ground: &Ground,
    scene: &Scene<'_>,
    temporary: &Path,
    (other, home): (i32, &Path),
) {
    let watch = match touched::watch() {
        Ok(watch) => watch,
        Err(why) => return ground.tell(format!("files not watched ({why})")),
    };
    let marker = scene.d.path("marker");
    let [own, others] = [scene.d.pid, other].map(|pid| watch.by(pid, &marker));
    let is_log = |path: &Path, of: &str| {
        let name = path.strip_prefix(temporary).ok().and_then(Path::to_str);
        name.is_some_and(|name| name.starts_with(&format!("{of}-std")))
    };
    let is_pythons = |path: &Path| path.iter().any(|part| part == "__pycache__");
    let touched = own.iter().filter(|path| path.starts_with(home) || is_log(path, "b"));
    let others = others.iter().filter(|path| {
        let is_own = [home, temporary].iter().any(|place| path.starts_with(place));
        is_log(path, "a") || !(is_own || is_pythons(path))
    });
    let wrong: Vec<_> = touched.chain(others).collect();
    ground.expect(Wrong::Touches, wrong.is_empty(), || format!("{wrong:?}"));
}
