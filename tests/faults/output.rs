//! Children whose output is odd, sudden or endless, and readers that stop reading.

use std::{
    fs::{self, File},
    io::Read,
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
};

use crate::{
    finding::{Step, Wrong, ensure},
    ground::{Ground, full, size},
    row::{Row, row},
    scene::Scene,
    support::read,
};

pub const ROWS: &[Row] = &[
    row("nobody reads the daemon's stdout, to which children log", stdout_stalls),
    row("a line of 5 MB, and NULs", long_line),
    row("100,000 one-byte writes a second", tiny_writes),
    row("40 children write a megabyte each and exit at once", megabytes),
    row("a grandchild keeps the pipe and writes on", grandchild),
    row("a grandchild's last words, with drain_timeout", last_words),
    row("a child closes its stdout and lives on", closed_stdout),
    row("a child's log renamed from outside", log_renamed),
    row("a child's log deleted from outside", log_deleted),
    row("a child's log truncated from outside", log_truncated),
];

/// Reads a fifo until told to end; what came.
fn drain(fifo: &Path, ends: &AtomicBool, came: &Mutex<Vec<u8>>) {
    let mut file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(fifo)
        .expect("the fifo");
    let mut buffer = vec![0; 65536];
    while !ends.load(Ordering::Relaxed) {
        match file.read(&mut buffer) {
            Ok(0) | Err(_) => thread::sleep(Duration::from_millis(5)),
            Ok(length) => came.lock().expect("what came").extend(&buffer[..length]),
        }
    }
}

/// How many bytes are none of the activity log's lines: those begin with a date, and what counters
/// write has no dash.
fn bytes_of_counters(bytes: &[u8]) -> u64 {
    let (mut rest, mut count) = (bytes, 0);
    while let Some(dash) = rest.iter().position(|byte| *byte == b'-') {
        count += dash.saturating_sub("2026".len());
        let end = rest[dash..].iter().position(|byte| *byte == b'\n');
        rest = end.map_or(&[], |end| &rest[dash + end + 1..]);
    }
    (count + rest.len()) as u64
}

/// Does something when it is dropped, a panic's way out included.
struct AtEnd<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Whether a fifo takes no more.
fn is_full(fifo: &Path) -> bool {
    let file = File::options().write(true).custom_flags(nix::libc::O_NONBLOCK).open(fifo);
    let file = file.expect("the fifo");
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    poll(&mut fds, PollTimeout::ZERO).expect("a poll") == 0
}

fn stdout_stalls(ground: &Ground) -> Step {
    let loud = "command=%(here)s/counter 2000 0 %(here)s/%(program_name)s.count\nstdout_logfile=/dev/stdout\n\
         stdout_logfile_maxbytes=0\nstderr_logfile=NONE\nautostart=false\nstartsecs=0";
    let setup = ground.setup();
    let fifo = setup.path("out");
    // The daemon's stdout has a reader that never reads, and it is a pipe.
    let shell = format!("mkfifo {0}; exec 1<>{0}", fifo.display());
    let mut setup = setup.prelude(&shell);
    for number in 0..3 {
        setup = setup.program(&format!("loud{number}"), loud);
    }
    let scene = ground.start(setup)?;
    for number in 0..3 {
        scene.order("startProcess", &format!("loud{number}"))?;
    }
    let full = || Ok(!scene.answers() || is_full(&fifo));
    scene.until(Wrong::Hangs, "stdout to be full", 60, full)?;
    scene.probed(10)?;
    let (ends, came) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        scope.spawn(|| drain(&fifo, &ends, &came));
        let _ends = AtEnd(|| ends.store(true, Ordering::Relaxed));
        scene.lifted();
        scene.heals(Wrong::StaysBroken, "output on stdout", || {
            Ok(came.lock().expect("what came").len() > 100_000)
        })?;
        scene.order("startProcess", "guest")?;
        let line = "INFO spawned: 'guest' with pid *";
        scene.heals(Wrong::StaysBroken, "lines in the activity log", || {
            Ok(scene.count(line) == 1)
        })?;
        scene.order("stopProcess", "guest")?;
        scene.becomes("guest", "STOPPED", 20)?;
        let told = || -> usize {
            let one = |n| scene.count(&format!("WARN 'loud{n}' stdout log * bytes of * lost"));
            (0..3).map(one).sum()
        };
        // Who waits for the reader loses nothing.
        if scene.answers() {
            let what = "a line about what was lost";
            scene.heals(Wrong::LosesOutput, what, || Ok(told() >= 3))?;
        }
        let once = scene.count("ERRO 'loud0' stdout log * can't be written: *");
        ground.expect(Wrong::Repeats, once <= 2, || format!("told {once} times"));
        let names = ["loud0", "loud1", "loud2"];
        for name in names {
            scene.order("stopProcess", name)?;
            scene.becomes(name, "STOPPED", 20)?;
        }
        let written = 9 * names.map(|name| scene.count_of(name)).iter().sum::<u64>();
        // Each may have ended before it told of its last line.
        let all = written..=written + 9 * names.len() as u64;
        let mut figures = String::new();
        let accounted = scene.heals(Wrong::LosesOutput, "all that was written", || {
            let there = bytes_of_counters(&came.lock().expect("what came"));
            let lost = names.map(|name| scene.told_lost(name)).iter().sum::<u64>();
            figures = format!("{written} bytes written, {there} there, {lost} told to be lost");
            Ok(all.contains(&(there + lost)))
        });
        ground.tell(figures.clone());
        ground.expect(Wrong::LosesOutput, accounted.is_ok(), || figures);
        scene.ends(
            &names.map(|name| (name, "STOPPED")),
            &["out"],
            &[
                "processes.log_bytes_lost",
                "processes.log_failed",
                "activity_log.bytes_not_printed?",
            ],
        )
    })
}

/// A program that writes what a line of Python says, and ends.
fn python(setup: crate::support::Setup, name: &str, code: &str) -> crate::support::Setup {
    setup.script(&format!("{name}.py"), &format!("#!/usr/bin/env python3\n{code}\n")).program(
        name,
        &format!(
            "command=%(here)s/{name}.py\nautostart=false\nautorestart=false\nstartsecs=0\n\
             stdout_logfile=%(here)s/{name}.log\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE"
        ),
    )
}

fn long_line(ground: &Ground) -> Step {
    let line = "import sys\nsys.stdout.buffer.write(b'x' * 5_000_000 + b'\\n')";
    let nuls = "import sys\nsys.stdout.buffer.write(b'\\0' * 1_000_000)";
    let setup = python(python(ground.setup(), "line", line), "nuls", nuls);
    let scene = ground.start(setup)?;
    for (name, bytes) in [("line", 5_000_001), ("nuls", 1_000_000)] {
        let log = scene.d.path(&format!("{name}.log"));
        scene.order("startProcess", name)?;
        scene.becomes(name, "EXITED", 40)?;
        let there = size(&log);
        ground.expect(Wrong::LosesOutput, there == bytes, || format!("{there} of {bytes} bytes"));
        let text = fs::read(&log).unwrap_or_default();
        let same = text.iter().all(|byte| [b'x', b'\n', 0].contains(byte));
        ground.expect(Wrong::LosesOutput, same, || "other bytes than were written".to_owned());
    }
    let tail =
        scene.ask("tailProcessStdoutLog", "<string>line</string><int>0</int><int>100</int>")?;
    ground.expect(Wrong::Hangs, !tail.contains("<fault>"), || tail.chars().take(300).collect());
    scene.ends(&[("line", "EXITED"), ("nuls", "EXITED")], &["line.log", "nuls.log"], &[])
}

fn tiny_writes(ground: &Ground) -> Step {
    let most = if full() { 1_000_000 } else { 100_000 };
    let code = format!(
        "import os, time\nbegin, n = time.monotonic(), 0\nwhile n < {most}:\n    \
         for _ in range(500): os.write(1, b'x')\n    n += 500\n    \
         time.sleep(max(0, begin + n / 100_000 - time.monotonic()))"
    );
    let scene = ground.start(python(ground.setup(), "tiny", &code))?;
    scene.order("startProcess", "tiny")?;
    let log = scene.d.path("tiny.log");
    scene.until(Wrong::Hangs, "all bytes", 120, || Ok(size(&log) == most))?;
    scene.becomes("tiny", "EXITED", 20)?;
    scene.ends(&[("tiny", "EXITED")], &["tiny.log"], &[])
}

fn megabytes(ground: &Ground) -> Step {
    const CHILDREN: usize = 40;
    let setup = ground.setup().program(
        "many",
        "command=/usr/bin/head -c 1000000 /dev/zero\nnumprocs=40\nprocess_name=m%(process_num)02d\n\
         autostart=false\nautorestart=false\nstartsecs=0\nstdout_logfile_maxbytes=0\n\
         stdout_logfile=%(here)s/many.%(process_num)02d\nstderr_logfile=NONE",
    );
    let scene = ground.start(setup)?;
    scene.order("startProcessGroup", "many")?;
    for number in 0..CHILDREN {
        scene.becomes(&format!("m{number:02}"), "EXITED", 120)?;
        let there = size(&scene.d.path(&format!("many.{number:02}")));
        let written = 1_000_000;
        ground.expect(Wrong::LosesOutput, there == written, || {
            format!("{there} of {written} bytes of child {number}")
        });
    }
    scene.ends(&[], &["many.*"], &[])
}

fn grandchild(ground: &Ground) -> Step {
    let setup = ground
        .setup()
        .script("parent", "#!/bin/sh\nsetsid \"$1\" 50 &\necho parent\nexit 0\n")
        .program(
            "a",
            "command=%(here)s/parent %(here)s/counter\nautostart=false\nautorestart=false\n\
             startsecs=0\nstdout_logfile=%(here)s/a.log\nstderr_logfile=NONE",
        );
    let scene = ground.start(setup)?;
    for _ in 0..5 {
        scene.order("startProcess", "a")?;
        // The state never waits for the pipe's end.
        scene.becomes("a", "EXITED", scene.healed())?;
    }
    scene.probed(5)?;
    let text = scene.d.read("a.log");
    let lines = text.lines().filter(|line| *line == "parent").count();
    ground.expect(Wrong::LosesOutput, lines == 5, || format!("{lines} lines of 5 parents"));
    scene.ends(&[("a", "EXITED")], &["a.log"], &[])
}

fn last_words(ground: &Ground) -> Step {
    let setup =
        ground.setup().script("parent", "#!/bin/sh\nsetsid \"$1\" 100 50 &\nexit 0\n").program(
            "a",
            "command=%(here)s/parent %(here)s/counter\nautostart=false\nautorestart=false\n\
             startsecs=0\ndrain_timeout=60\nstdout_logfile=%(here)s/a.log\nstderr_logfile=NONE",
        );
    let scene = ground.start(setup)?;
    let before = scene.holds();
    scene.order("startProcess", "a")?;
    scene.becomes("a", "EXITED", scene.healed())?;
    let lines = || scene.d.read("a.log").lines().count();
    scene.until(Wrong::LosesOutput, "all lines", 20, || Ok(lines() == 50))?;
    scene.holds_no_more_than(before)?;
    scene.ends(&[("a", "EXITED")], &["a.log"], &[])
}

fn closed_stdout(ground: &Ground) -> Step {
    let setup = ground
        .setup()
        .script("closer", "#!/bin/sh\necho begin\nexec >&- 2>&-\nexec sleep 1000\n")
        .program(
            "a",
            "command=%(here)s/closer\nstartsecs=0\nstdout_logfile=%(here)s/a.log\n\
             stderr_logfile=NONE",
        );
    let scene = ground.start(setup)?;
    scene.until(Wrong::LosesOutput, "its line", 20, || Ok(scene.d.read("a.log") == "begin\n"))?;
    let pid = scene.pid("a")?;
    scene.probed(10)?;
    ensure(Wrong::StaysBroken, scene.pid("a")? == pid, || "it was started again".to_owned())?;
    scene.order("stopProcess", "a")?;
    scene.becomes("a", "STOPPED", scene.healed())?;
    scene.order("startProcess", "a")?;
    scene.ends(&[("a", "RUNNING")], &["a.log"], &[])
}

/// A program that writes five hundred lines a second, whose log is tampered with.
fn written<'a>(ground: &'a Ground<'a>) -> Step<Scene<'a>> {
    let setup = ground.setup().program(
        "a",
        "command=%(here)s/counter 500\nstartsecs=0\nstdout_logfile=%(here)s/a.log\n\
         stdout_logfile_maxbytes=20000\nstdout_logfile_backups=50\nstderr_logfile=NONE",
    );
    let scene = ground.start(setup)?;
    scene.begins("a.log")?;
    larger(&scene, "a.log", 2000)?;
    Ok(scene)
}

fn larger(scene: &Scene<'_>, name: &str, than: u64) -> Step {
    scene.heals(Wrong::StaysBroken, &format!("{name} to grow"), || {
        Ok(size(&scene.d.path(name)) > than)
    })
}

/// Every line, from that number to the last, stands in these files, oldest first.
fn whole(scene: &Scene<'_>, ground: &Ground, from: u64) -> Step {
    scene.order("stopProcess", "a")?;
    scene.becomes("a", "STOPPED", 20)?;
    let mut files: Vec<String> = (1..)
        .map(|n| format!("a.log.{n}"))
        .take_while(|name| scene.d.path(name).exists())
        .collect();
    files.reverse();
    files.push("a.log".to_owned());
    let moved = scene.d.read("moved.log");
    let text = files.iter().fold(moved, |text, name| text + &read(&scene.d.path(name)));
    let numbers = text.lines().filter_map(|line| line.parse::<u64>().ok());
    let mut next = from;
    for number in numbers.skip_while(|number| *number < from) {
        if number != next {
            let what = format!("line {number} follows {next} lines");
            ground.found(Wrong::LosesOutput, what);
            break;
        }
        next += 1;
    }
    ground.tell(format!("{next} lines"));
    Ok(())
}

fn log_renamed(ground: &Ground) -> Step {
    let scene = written(ground)?;
    fs::rename(scene.d.path("a.log"), scene.d.path("moved.log")).expect("renamed");
    scene.probed(5)?;
    scene.d.signal(Signal::SIGUSR2);
    larger(&scene, "a.log", 2000)?;
    whole(&scene, ground, 0)?;
    scene.ends(&[("a", "STOPPED")], &["a.log*", "moved.log"], &[])
}

fn log_deleted(ground: &Ground) -> Step {
    let scene = written(ground)?;
    let mut old = File::open(scene.d.path("a.log")).expect("the log");
    fs::remove_file(scene.d.path("a.log")).expect("deleted");
    let length = || old.metadata().map_or(0, |meta| meta.len());
    let before = length();
    scene.probed(5)?;
    larger(&scene, "a.log", 2000)?;
    // What was on its way, and no more, went where nobody finds it.
    let more = length() - before;
    ground.expect(Wrong::LosesOutput, more < 9 * 50, || format!("{more} bytes to no file"));
    let mut text = String::new();
    old.read_to_string(&mut text).expect("the old log");
    fs::write(scene.d.path("moved.log"), text).expect("a copy");
    whole(&scene, ground, 0)?;
    scene.ends(&[("a", "STOPPED")], &["a.log*", "moved.log"], &[])
}

fn log_truncated(ground: &Ground) -> Step {
    let scene = written(ground)?;
    File::options().write(true).open(scene.d.path("a.log")).unwrap().set_len(0).expect("cut");
    let (cut, begin) = (size(&scene.d.path("a.log")), Instant::now());
    scene.probed(5)?;
    larger(&scene, "a.log", 2000)?;
    ground.tell(format!("{cut} bytes after the cut, {:.1?} later 2000", begin.elapsed()));
    let bytes = fs::read(scene.d.path("a.log")).unwrap_or_default();
    ground.expect(Wrong::LosesOutput, !bytes.contains(&0), || "a hole of NULs".to_owned());
    let first = String::from_utf8_lossy(&bytes).lines().next().and_then(|line| line.parse().ok());
    whole(&scene, ground, first.unwrap_or(0))?;
    scene.ends(&[("a", "STOPPED")], &["a.log*"], &[])
}
