//! A daemon that is killed inside a rotation, and those that come after it.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::MetadataExt,
    thread,
    time::{Duration, Instant},
};

use crate::{
    deaths::{Second, below, directory},
    finding::{Finding, Step, Wrong, ensure},
    ground::{Ground, size},
    scene::Scene,
    support::{Setup, Side, read},
};

/// The size from which the log rotates, bytes: some thirty lines.
const ROTATES_AT: u64 = 300;

/// A program that rotates its log each third of a second; none of it is ever rotated away.
fn rotating(ground: &Ground) -> Setup {
    ground.setup().program(
        "a",
        &format!(
            "command=%(here)s/counter 100 0 %(here)s/a.count\nstartsecs=0\nstderr_logfile=NONE\n\
             stdout_logfile=%(here)s/a.log\nstdout_logfile_maxbytes={ROTATES_AT}\n\
             stdout_logfile_backups=2000"
        ),
    )
}

/// The files of a log by their numbers; the log itself is 0.
fn files(scene: &Scene<'_>) -> BTreeSet<u32> {
    let entries = fs::read_dir(directory(scene)).expect("the directory").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let number = |name: String| match name.strip_prefix("a.log")? {
        "" => Some(0),
        backup => backup.strip_prefix('.')?.parse().ok(),
    };
    names.filter_map(number).collect()
}

/// What a rotation of them renames, in order: each to the next number.
fn renames(files: &BTreeSet<u32>) -> Vec<u32> {
    let highest = (1..).take_while(|n| files.contains(n)).last().unwrap_or(0);
    (0..=highest).rev().collect()
}

fn rename(files: &mut BTreeSet<u32>, number: u32) {
    files.remove(&number);
    files.insert(number + 1);
}

/// Where in a rotation the daemon dies.
struct Death {
    /// The rotation of its life, from 1.
    rotation: usize,
    /// The rename, from 1, of so many.
    rename: fn(usize) -> usize,
    /// That rename was the last thing that it did; else it is the first that it did not.
    after: bool,
}

const FIRST: fn(usize) -> usize = |_| 1;
const MIDDLE: fn(usize) -> usize = |count| count / 2 + 1;
const LAST: fn(usize) -> usize = |count| count;

const DEATHS: [Death; 8] = [
    Death { rotation: 1, rename: FIRST, after: false },
    Death { rotation: 1, rename: MIDDLE, after: false },
    Death { rotation: 1, rename: LAST, after: false },
    Death { rotation: 1, rename: LAST, after: true },
    Death { rotation: 2, rename: FIRST, after: false },
    Death { rotation: 2, rename: MIDDLE, after: false },
    Death { rotation: 2, rename: LAST, after: false },
    Death { rotation: 2, rename: LAST, after: true },
];

impl Death {
    /// Which of all renames of a life that is: and the files that there are then.
    fn of(&self, mut files: BTreeSet<u32>) -> (usize, BTreeSet<u32>) {
        let mut count = 0;
        for rotation in 1..=self.rotation {
            files.insert(0);
            let all = renames(&files);
            let which = (self.rename)(all.len());
            let made = match (rotation < self.rotation, self.after) {
                (true, _) => all.len(),
                (false, true) => which,
                (false, false) => which - 1,
            };
            all.iter().take(made).for_each(|number| rename(&mut files, *number));
            count += if rotation < self.rotation { made } else { which };
        }
        (count, files)
    }
}

/// A life of the program, as its log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    /// Its lines, all from the first on.
    lines: u64,
    /// The first one begins a file.
    begins_file: bool,
}

/// The lives that a log and its backups tell of, oldest first; why they can't be made out.
fn lives(scene: &Scene<'_>) -> Result<Vec<Life>, String> {
    let mut found: Vec<Life> = Vec::new();
    for number in files(scene).into_iter().rev() {
        let name = if number == 0 { "a.log".to_owned() } else { format!("a.log.{number}") };
        let text = scene.d.read(&name);
        if number > 0 && (text.len() as u64) < ROTATES_AT {
            return Err(format!("{name} was rotated with {} bytes", text.len()));
        }
        for (at, line) in text.split_inclusive('\n').enumerate() {
            let whole = line.strip_suffix('\n').filter(|line| line.len() == 8);
            let number = whole.and_then(|line| line.parse::<u64>().ok());
            match (number, found.last_mut()) {
                (Some(0), _) => found.push(Life { lines: 1, begins_file: at == 0 }),
                (Some(n), Some(life)) if n == life.lines => life.lines += 1,
                (_, life) => return Err(format!("{name} has {line:?} after {life:?}")),
            }
        }
    }
    Ok(found)
}

/// So many lives, each without a gap or a line twice, and where the last begins.
fn last_life(scene: &Scene<'_>, count: usize, begins_file: bool) -> Step<Life> {
    let wrong = |detail: String| Finding::new(Wrong::LosesOutput, detail);
    let all = lives(scene).map_err(wrong)?;
    let last = all.last().copied().filter(|_| all.len() == count);
    let last = last.ok_or_else(|| wrong(format!("{} lives of {count} are told", all.len())))?;
    ensure(Wrong::LosesOutput, last.begins_file == begins_file, || {
        format!("the output of life {count} begins a file: {}", last.begins_file)
    })?;
    Ok(last)
}

/// Waits until nobody writes any more: the program of a daemon that is dead, at its next line.
fn written(scene: &Scene<'_>) -> Step<u64> {
    within(60, || below(scene, "counter") == 0, "a counter lives on without a reader")?;
    Ok(scene.count_of("a"))
}

/// Waits while there is no daemon.
fn within(secs: u64, mut condition: impl FnMut() -> bool, otherwise: &str) -> Step {
    let ends = Instant::now() + Duration::from_secs(secs);
    while !condition() {
        ensure(Wrong::Hangs, Instant::now() < ends, || otherwise.to_owned())?;
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

pub fn killed_inside(ground: &Ground) -> Step {
    // What `sys/inject` can do, builds for users can't.
    let can_inject = cfg!(debug_assertions) && env::var_os("MINDER_OURS").is_none();
    if ground.side == Side::Theirs || !can_inject {
        ground.tell("killed when a rotation was seen, not inside one".to_owned());
        return killed_at_rotations(ground);
    }
    let mut scene = ground.start(rotating(ground))?;
    scene.begins("a.log.4")?;
    scene.calm();
    scene.d.kill();
    let mut unread = 0;
    let mut begins_file = true;
    for (number, death) in DEATHS.iter().enumerate() {
        let logged = last_life(&scene, number + 1, begins_file)?.lines;
        let written = written(&scene)?;
        ensure(Wrong::LosesOutput, logged <= written, || format!("{logged} of {written} lines"))?;
        unread += written - logged;
        begins_file = size(&scene.d.path("a.log")) == 0;
        let (n, files_then) = death.of(files(&scene));
        let report = scene.d.path("report");
        let kill = if death.after { "after" } else { "before" };
        let order =
            format!("thread=child,call=rename,n={n},kill={kill},report={}", report.display());
        let config = scene.d.config.clone();
        let mut second = Second::start(&scene, ground, &config, &[("MINDER_INJECT", &order)]);
        within(60, || second.ended(), &format!("it does not die at rename {n}"))?;
        let killed = format!("killed child {} ", if death.after { "open" } else { "rename" });
        let told = read(&report);
        ensure(Wrong::Dies, told.starts_with(&killed), || format!("{told:?}, not {killed:?}"))?;
        fs::remove_file(&report).expect("the report");
        let there = files(&scene);
        ensure(Wrong::LosesOutput, there == files_then, || {
            format!("at rename {n} there are {there:?}, not {files_then:?}")
        })?;
    }
    let logged = last_life(&scene, DEATHS.len() + 1, begins_file)?.lines;
    unread += written(&scene)?.saturating_sub(logged);
    begins_file = size(&scene.d.path("a.log")) == 0;
    scene.d.start_again();
    scene.becomes("neighbour", "RUNNING", 20)?;
    scene.probe();
    scene.probed(3)?;
    scene.until(Wrong::LosesOutput, "rotations of the next life", scene.healed(), || {
        // Between two renames not all is where it belongs.
        let next = |all: Vec<Life>| all.get(DEATHS.len() + 1).is_some_and(|life| life.lines > 100);
        Ok(lives(&scene).is_ok_and(next))
    })?;
    scene.order("stopProcess", "a")?;
    scene.becomes("a", "STOPPED", 20)?;
    let logged = last_life(&scene, DEATHS.len() + 2, begins_file)?.lines;
    let written = scene.count_of("a");
    // It may have been stopped before it told of its last line.
    ensure(Wrong::LosesOutput, (written..=written + 1).contains(&logged), || {
        format!("{logged} of {written} lines")
    })?;
    ground.tell(format!("{unread} lines not read of {} that died", DEATHS.len() + 1));
    scene.ends(&[("a", "STOPPED")], &["a.log*", "second.out"], &[])
}

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

fn killed_at_rotations(ground: &Ground) -> Step {
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
