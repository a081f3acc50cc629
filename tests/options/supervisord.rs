//! `[supervisord]`: a daemon with the option, a daemon without.

use std::fs;

use minder::config::table::Section::Supervisord;

use crate::{
    effect::{Effect, Run, Table, option},
    look::{self, SLEEP},
    support::{Setup, TestDaemon, process_stat, rpc, wait_for},
};

pub const TABLE: Table = Table { effects: EFFECTS, setup: Setup::new };

const EFFECTS: &[Effect] = &[
    option(Supervisord, "logfile", "%(here)s/other.log")
        .own(bare, logfile)
        .shows("other.log", "supervisord.log"),
    option(Supervisord, "logfile_maxbytes", "1KB")
        .own(chatty, rotation)
        .shows("rotated", "only grows"),
    option(Supervisord, "logfile_backups", "2")
        .lines("logfile_maxbytes=300")
        .own(chatty, backups)
        .shows("2", "10"),
    option(Supervisord, "loglevel", "error").own(plain, levels).shows("CRIT", "CRIT INFO"),
    option(Supervisord, "pidfile", "%(here)s/other.pid")
        .own(bare, pidfile)
        .shows("other.pid", "supervisord.pid"),
    option(Supervisord, "umask", "077")
        .own(in_background, |run| look::status_line(child(run), "Umask"))
        .shows("0077", "0022"),
    option(Supervisord, "nodaemon", "true")
        .own(in_background, session)
        .shows("in the foreground", "in the background"),
    option(Supervisord, "silent", "true").own(plain, stdout).shows("nothing", "the log"),
    option(Supervisord, "minfds", "2000")
        .own(limited, |run| look::soft_limit(child(run), "Max open files"))
        .shows("2000", "1024"),
    option(Supervisord, "minprocs", "300")
        // And ten more for its own threads.
        .own(limited, |run| look::soft_limit(run.daemon.pid, "Max processes"))
        .shows("310", "210"),
    option(Supervisord, "nocleanup", "true").own(after_another, old_log).shows("kept", "removed"),
    option(Supervisord, "childlogdir", "%(here)s/logs")
        .own(bare, auto_log)
        .shows("HERE/logs/a-stdout---*", "HERE/tmp/a-stdout---*"),
    option(Supervisord, "user", "nobody")
        .own(plain, |run| look::uid(run.daemon.pid))
        .shows("65534", "0"),
    option(Supervisord, "directory", "/usr")
        .own(in_background, |run| look::link(run.daemon, run.daemon.pid, "cwd"))
        .shows("/usr", "HERE"),
    option(Supervisord, "strip_ansi", "true")
        .own(colourful, |run| run.daemon.read("a.log"))
        .shows("red\n", "\u{1b}[31mred\u{1b}[0m\n"),
    option(Supervisord, "environment", "PROBE=\"seen\"")
        .own(plain, |run| look::variable(child(run), "PROBE"))
        .shows("seen", "unset"),
    option(Supervisord, "identifier", "probe").own(plain, identifier).shows("probe", "supervisor"),
    option(Supervisord, "on_leftover", "fail")
        .call(after_a_kill)
        .shows("Error: 1 process still runs of an earlier supervisord: a (pid *", "not refused"),
    option(Supervisord, "state_file", "%(here)s/other.children")
        .lines("on_leftover=kill")
        .own(plain, state_file)
        .shows("other.children", "d.pid.children"),
    option(Supervisord, "skip_unloadable_plugins", "true").call(with_plugin).shows(
        "skipped section 'rpcinterface:x': *",
        "Error: nowhere:make cannot be resolved within [rpcinterface:x]: *",
    ),
];

/// The program that every daemon here runs.
fn child(run: &Run<'_>) -> i32 {
    run.daemon.pid_of("a")
}

fn plain(text: &str) -> TestDaemon {
    Setup::new().supervisord(text).program("a", SLEEP).start()
}

/// With nothing but these lines, where the tests' own files have more.
fn bare(text: &str) -> TestDaemon {
    let setup = Setup::new();
    for directory in ["logs", "tmp"] {
        fs::create_dir(setup.path(directory)).unwrap();
    }
    let tmp = setup.path("tmp");
    let config = setup.path("c.conf");
    let text = format!(
        "[unix_http_server]\nfile=%(here)s/s.sock\n[supervisord]\n{text}\n[program:a]\n{SLEEP}\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
    );
    fs::write(&config, text).unwrap();
    setup.env("TMPDIR", tmp.to_str().unwrap()).start_file(config)
}

fn in_background(text: &str) -> TestDaemon {
    Setup::new().daemonize().supervisord(text).program("a", SLEEP).start()
}

/// With limits below those of the defaults, which can be raised.
fn limited(text: &str) -> TestDaemon {
    Setup::new()
        .launcher(&["prlimit", "--nofile=512:4096", "--nproc=150:1000"])
        .supervisord(text)
        .program("a", SLEEP)
        .start()
}

/// With much to log.
fn chatty(text: &str) -> TestDaemon {
    let restarting = "command=/bin/sleep 0.02\nstartsecs=0\nautorestart=true";
    Setup::new().supervisord(text).program("a", restarting).start()
}

fn colourful(text: &str) -> TestDaemon {
    Setup::new()
        .supervisord(text)
        .script("colours", "#!/bin/sh\nprintf '\\033[31mred\\033[0m\\n'\nexec sleep 1000\n")
        .program("a", "command=%(here)s/colours\nstdout_logfile=%(here)s/a.log")
        .start()
}

const OLD_LOG: &str = "gone-stdout---supervisor-abcd1234.log";

/// In a directory with the log of an earlier run.
fn after_another(text: &str) -> TestDaemon {
    let setup = Setup::new().supervisord(text).program("a", SLEEP);
    fs::write(setup.path(OLD_LOG), "old\n").unwrap();
    setup.start()
}

fn old_log(run: &Run<'_>) -> String {
    let is_there = run.daemon.path(OLD_LOG).exists();
    if is_there { "kept" } else { "removed" }.to_owned()
}

/// What a daemon says that starts where another was killed.
fn after_a_kill(text: &str) -> String {
    let mut daemon = plain(text);
    daemon.wait_state("a", "RUNNING", 15);
    daemon.kill();
    let mut second = daemon.setup.spawn(&daemon.config);
    let told = wait_for("a start, or why there is none", 20, || {
        if daemon.count("INFO supervisord started with pid *") == 2 {
            return Some("not refused".to_owned());
        }
        second.try_wait().unwrap()?;
        let told = daemon.read("daemon.err");
        Some(told.lines().find(|line| line.starts_with("Error: ")).unwrap_or(&told).to_owned())
    });
    // A kill of what has ended does nothing.
    second.kill().unwrap();
    second.wait().unwrap();
    told
}

/// The file that knows the program.
fn state_file(run: &Run<'_>) -> String {
    let pid = format!("{} ", child(run));
    let names = ["other.children", "d.pid.children"];
    names.into_iter().filter(|name| run.daemon.read(name).contains(&pid)).collect()
}

/// Which file is the activity log.
fn logfile(run: &Run<'_>) -> String {
    let names = ["other.log", "supervisord.log"];
    let told = |name: &&str| run.daemon.read(name).contains("supervisord started with pid");
    names.into_iter().filter(told).collect()
}

/// Which file holds the pid.
fn pidfile(run: &Run<'_>) -> String {
    let names = ["other.pid", "supervisord.pid"];
    let pid = format!("{}\n", run.daemon.pid);
    names.into_iter().filter(|name| run.daemon.read(name) == pid).collect()
}

fn rotation(run: &Run<'_>) -> String {
    let length = run.daemon.log().len();
    match run.daemon.path("activity.log.1").exists() {
        true => "rotated",
        false if length > 4096 => "only grows",
        false => "",
    }
    .to_owned()
}

fn backups(run: &Run<'_>) -> String {
    let is_there = |number: &u32| run.daemon.path(&format!("activity.log.{number}")).exists();
    (1..=20).filter(is_there).count().to_string()
}

/// The levels of the lines in the activity log, once the program runs.
fn levels(run: &Run<'_>) -> String {
    if run.daemon.state("a") != "RUNNING" {
        return String::new();
    }
    let mut levels: Vec<String> =
        run.daemon.messages().iter().filter_map(|line| Some(line.get(..4)?.to_owned())).collect();
    levels.sort_unstable();
    levels.dedup();
    levels.join(" ")
}

/// In whose session the daemon is.
fn session(run: &Run<'_>) -> String {
    let session = process_stat(run.daemon.pid).map_or(0, |stat| stat.session);
    let own = process_stat(std::process::id().cast_signed()).map_or(0, |stat| stat.session);
    if session == own { "in the foreground" } else { "in the background" }.to_owned()
}

/// What the daemon has written to its standard output, once it has written to its log.
fn stdout(run: &Run<'_>) -> String {
    if !run.daemon.log().contains("spawned: 'a'") {
        return String::new();
    }
    match run.daemon.read("daemon.out") {
        text if text.is_empty() => "nothing".to_owned(),
        text if text.contains("spawned: 'a'") => "the log".to_owned(),
        text => text,
    }
}

/// Where the program's AUTO log is.
fn auto_log(run: &Run<'_>) -> String {
    let path = run.daemon.info("a", "stdout_logfile").unwrap_or_default();
    look::here(run.daemon, path.as_ref())
}

fn identifier(run: &Run<'_>) -> String {
    let answer = run.daemon.rpc().call("supervisor.getIdentification", "").unwrap();
    rpc::scalar(&answer).unwrap_or_default()
}

/// What comes of a plugin that can't be loaded: a daemon that tells so, or none.
fn with_plugin(text: &str) -> String {
    let setup = || {
        Setup::new()
            .supervisord(text)
            .section("[rpcinterface:x]\nsupervisor.rpcinterface_factory=nowhere:make")
    };
    if !text.contains("true") {
        return setup().run_to_end(20).stderr;
    }
    let line = setup().start().wait_log("WARN skipped section *", 10);
    line.trim_start_matches("WARN ").to_owned()
}
