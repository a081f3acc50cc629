//! Limits and users that the daemon is started with: those that it is content with, those that it
//! changes, and those that it refuses.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::support::{Output, Setup, Side, TestDaemon, root, rpc, wait_for};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0\nstdout_logfile=NONE\n\
                     stderr_logfile=NONE";

const ROOT: &str = "CRIT Supervisor is running as root.  Privileges were not dropped because no \
     user is specified in the config file.  If you intend to run as root, you can set user=root \
     in the config file to avoid this message.";

/// Who executes the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Root,
    Nobody,
    /// A user without a name that runs nothing else: RLIMIT_NPROC counts what a user runs
    /// anywhere on the machine, and zombies until somebody reaps them.
    Stranger,
}

/// The user and group that strangers begin with.
static NEXT_STRANGER: AtomicU32 = AtomicU32::new(61_000);

/// A daemon that starts with these limits (as `prlimit` takes them) and user.
fn setup(who: Who, limits: &[&str]) -> Setup {
    assert!(root(), "this test switches users and raises limits: run it as root");
    let mut setup = Setup::new();
    if !limits.is_empty() {
        setup = setup.launcher(&["prlimit"]).launcher(limits);
    }
    let (uid, gid) = match who {
        Who::Root => return setup,
        Who::Nobody => nobody(),
        Who::Stranger => {
            let id = NEXT_STRANGER.fetch_add(1, Ordering::Relaxed).to_string();
            (id.clone(), id)
        }
    };
    // An ordinary user may not reach the directory of the build.
    if Side::under_test() == Side::Ours {
        let (built, reachable) = (Side::Ours.supervisord(), setup.path("supervisord"));
        fs::hard_link(&built, &reachable)
            .or_else(|_| fs::copy(&built, &reachable).map(drop))
            .unwrap();
        setup = setup.supervisord_file(reachable);
    }
    setup.launcher(&["setpriv", "--reuid", &uid, "--regid", &gid, "--clear-groups"])
}

/// The numbers of the user of that name and of its group.
fn nobody() -> (String, String) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("nobody:")).unwrap();
    let mut words = line.split(':').skip(2).map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

/// Whether root may raise hard limits here: in a container it often may not.
fn may_raise_hard_limits() -> bool {
    const SYS_RESOURCE: u64 = 1 << 24;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(effective.trim(), 16).unwrap() & SYS_RESOURCE != 0
}

/// Soft and hard limit of a living process.
fn limits(pid: i32, name: &str) -> (String, String) {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

const NOFILE: &str = "Max open files";
const NPROC: &str = "Max processes";

fn pair(soft: &str, hard: &str) -> (String, String) {
    (soft.to_owned(), hard.to_owned())
}

#[track_caller]
fn check_refusal(output: &Output, message: &str) {
    assert_eq!(output.code, 2, "{output:?}");
    assert!(output.stderr.starts_with(&format!("Error: {message}\nFor help, use ")), "{output:?}");
}

/// What becomes of a limit.
enum Want {
    /// A line that tells the new soft limit; soft and hard limit of a child.
    Raised(&'static str, &'static str),
    /// No line; soft and hard limit of a child.
    Kept(&'static str, &'static str),
    /// This hard limit is too low.
    Refused(&'static str),
}

/// The limit that a refusal tells: the original says the one that it tried to set.
fn told<'a>(min: &'a str, hard: &'a str) -> &'a str {
    if Side::under_test() == Side::Ours { hard } else { min }
}

fn refusal_of_descriptors(min: &str, hard: &str) -> String {
    let hard = told(min, hard);
    format!(
        "The minimum number of file descriptors required to run this process is {min} as per the \
         \"minfds\" command-line argument or config file setting. The current environment will \
         only allow you to open {hard} file descriptors.  Either raise the number of usable file \
         descriptors in your environment (see README.rst) or lower the minfds setting in the \
         config file to allow the process to start."
    )
}

fn refusal_of_processes(min: &str, hard: &str) -> String {
    let hard = told(min, hard);
    format!(
        "The minimum number of available processes required to run this program is {min} as per \
         the \"minprocs\" command-line argument or config file setting. The current environment \
         will only allow you to open {hard} processes.  Either raise the number of usable \
         processes in your environment (see README.rst) or lower the minprocs setting in the \
         config file to allow the program to start."
    )
}

#[test]
fn minfds_raises_the_limit_of_descriptors_or_refuses() {
    use Want::{Kept, Raised, Refused};
    let user = Who::Stranger;
    let raised_or = |raised, hard| if may_raise_hard_limits() { raised } else { Refused(hard) };
    let rows: [(Who, &str, &[&str], &str, Want); 9] = [
        // Who, limit, words on the command line, minfds, what becomes of it.
        (Who::Root, "256:4096", &[], "1024", Raised("1024", "4096")),
        (Who::Root, "256:512", &[], "1024", raised_or(Raised("1024", "1024"), "512")),
        (Who::Root, "2048:4096", &[], "1024", Kept("2048", "4096")),
        (Who::Root, "256:4096", &["-a", "300"], "300", Raised("300", "4096")),
        (user, "256:4096", &[], "1024", Raised("1024", "4096")),
        (user, "256:512", &[], "1024", Refused("512")),
        (user, "256:512", &["--minfds=512"], "512", Raised("512", "512")),
        (user, "256:512", &["--minfds=200"], "200", Kept("256", "512")),
        (user, "1024:1024", &[], "1024", Kept("1024", "1024")),
    ];
    let _turn = crate::alone();
    for (who, limit, words, min, want) in rows {
        let mut setup = setup(who, &[&format!("--nofile={limit}")]).program("a", SLEEP);
        for word in words {
            setup = setup.arg(word);
        }
        let (line, soft, hard) = match want {
            Refused(hard) => {
                let output = setup.run_to_end(20);
                check_refusal(&output, &refusal_of_descriptors(min, hard));
                assert!(!setup.path("activity.log").exists() && !setup.path("d.pid").exists());
                continue;
            }
            Raised(soft, hard) => (1, soft, hard),
            Kept(soft, hard) => (0, soft, hard),
        };
        let d = setup.start();
        d.wait_state("a", "RUNNING", 15);
        let told = format!("INFO Increased RLIMIT_NOFILE limit to {min}");
        d.has_count(&told, line);
        d.has_count("* RLIMIT_NOFILE *", line);
        assert_eq!(limits(d.pid_of("a"), NOFILE), pair(soft, hard), "{who:?} {limit} {words:?}");
    }
}

#[test]
fn minprocs_raises_the_limit_of_processes_or_refuses() {
    use Want::{Kept, Raised, Refused};
    let user = Who::Stranger;
    let raised_or = |raised, hard| if may_raise_hard_limits() { raised } else { Refused(hard) };
    let rows: [(Who, &str, &[&str], &str, Want); 9] = [
        (Who::Root, "100:4096", &[], "200", Raised("200", "4096")),
        (Who::Root, "100:150", &[], "200", raised_or(Raised("200", "200"), "150")),
        (Who::Root, "300:4096", &[], "200", Kept("300", "4096")),
        (Who::Root, "100:4096", &["--minprocs=500"], "500", Raised("500", "4096")),
        (user, "100:4096", &[], "200", Raised("200", "4096")),
        (user, "100:150", &[], "200", Refused("150")),
        (user, "100:150", &["--minprocs=150"], "150", Raised("150", "150")),
        (user, "200:200", &[], "200", Kept("200", "200")),
        (user, "unlimited:unlimited", &[], "200", Kept("unlimited", "unlimited")),
    ];
    let _turn = crate::alone();
    for (who, limit, words, min, want) in rows {
        let hard = limits(std::process::id() as i32, NPROC).1;
        if limit.contains("unlimited") && hard != "unlimited" && !may_raise_hard_limits() {
            eprintln!("not tried: the limit of processes can't be lifted here");
            continue;
        }
        let mut setup = setup(who, &[&format!("--nproc={limit}")]).program("a", SLEEP);
        if who == Who::Root {
            // Of another user, so that the daemon's threads do not count for it.
            setup = setup.section("user=nobody");
        }
        for word in words {
            setup = setup.arg(word);
        }
        let (line, soft, hard) = match want {
            Refused(hard) => {
                let output = setup.run_to_end(20);
                check_refusal(&output, &refusal_of_processes(min, hard));
                assert!(!setup.path("activity.log").exists() && !setup.path("d.pid").exists());
                continue;
            }
            Raised(soft, hard) => (1, soft, hard),
            Kept(soft, hard) => (0, soft, hard),
        };
        let d = setup.start();
        d.wait_state("a", "RUNNING", 15);
        let told = format!("INFO Increased RLIMIT_NPROC limit to {min}");
        d.has_count(&told, line);
        d.has_count("* RLIMIT_NPROC *", line);
        let child = limits(d.pid_of("a"), NPROC);
        assert_eq!(child.1, hard, "{who:?} {limit} {words:?}");
        if who == Who::Root || soft == hard || Side::under_test() == Side::Theirs {
            assert_eq!(child.0, soft, "{who:?} {limit} {words:?}");
        } else {
            // A child of the daemon's user shares its limit: the threads of the daemon, nine and
            // one for it, take nothing from it.
            let shared = soft.parse::<u64>().unwrap() + 10;
            assert_eq!(child.0, shared.to_string(), "{who:?} {limit} {words:?}");
        }
    }
}

/// With so many processes of a program that may start.
fn many(setup: Setup, name: &str, count: usize, more: &str) -> Setup {
    setup.program(name, &many_lines(count, more))
}

fn many_lines(count: usize, more: &str) -> String {
    format!("{SLEEP}\nnumprocs={count}\nprocess_name=%(process_num)d\n{more}")
}

fn states(d: &TestDaemon, name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| d.state(&format!("{name}:{n}"))).collect()
}

fn running(d: &TestDaemon, name: &str, count: usize) -> usize {
    states(d, name, count).iter().filter(|state| *state == "RUNNING").count()
}

#[test]
fn a_program_costs_a_thread_too() {
    if !Side::ours_only("the original has no threads") {
        return;
    }
    let _turn = crate::alone();
    // Twenty children and their threads need more than there is at first.
    let d = many(setup(Who::Stranger, &["--nproc=40:400"]), "a", 20, "")
        .supervisord("minprocs=1")
        .start();
    wait_for("all programs", 20, || (running(&d, "a", 20) == 20).then_some(()));
    assert_eq!(limits(d.pid, NPROC), pair("69", "400"), "as before, 9 and 20 threads more");
    assert_eq!(d.count("INFO spawnerr: *"), 0);
    assert_eq!(d.count("WARN *"), 0);
    // More are configured than the hard limit allows, while it runs.
    d.append(&format!("[program:b]\n{}\n", many_lines(500, "autostart=false")));
    d.ctl(&["reread"]).expect("b: available\n", 0);
    assert_eq!(limits(d.pid, NPROC), pair("400", "400"));
    d.wait_log("WARN all programs together need 1049 processes, *, and 400 are allowed *", 10);
    d.has_count("WARN *", 1);
    assert_eq!(running(&d, "a", 20), 20);
}

#[test]
fn programs_for_which_there_are_too_few_processes_wait_for_others() {
    if !Side::ours_only("it gives up") {
        return;
    }
    let _turn = crate::alone();
    let d = many(setup(Who::Stranger, &["--nproc=24:24"]), "a", 10, "startretries=0")
        .supervisord("minprocs=1")
        .start();
    let warning = "WARN all programs together need 29 processes, a thread of supervisord for each \
                   program among them, and 24 are allowed (RLIMIT_NPROC): some may have to wait \
                   until others stop; raise the hard limit (ulimit -Hu, LimitNPROC=) or configure \
                   fewer";
    d.has_count(warning, 1);
    d.has_count("WARN *", 1);
    // Eight threads of the daemon and two for each program: there is room for eight.
    wait_for("eight programs", 20, || (running(&d, "a", 10) == 8).then_some(()));
    let tries = || {
        let answer = d.rpc().call("minder.getCounters", "").unwrap();
        rpc::numbers(&answer, "processes").unwrap()["spawn_lacked_resources"]
    };
    let before = tries();
    wait_for("more tries", 20, || (tries() > before + 4.0).then_some(()));
    // Each tells of it once, and of its end.
    let failed = "INFO spawnerr: Too many processes in process table to spawn '*'";
    d.has_count(failed, 2);
    let states = states(&d, "a", 10);
    assert!(!states.iter().any(|state| state == "FATAL"), "{states:?}");
    assert_eq!(running(&d, "a", 10), 8);
    // When some stop the others start.
    let of = |wanted: &str| {
        let is_wanted = |n: &usize| (states[*n] == "RUNNING") == (wanted == "RUNNING");
        (0..10).filter(is_wanted).map(|n| format!("a:{n}")).collect::<Vec<String>>()
    };
    for name in of("RUNNING").iter().take(2) {
        d.ctl(&["stop", name]).expect(&format!("{name}: stopped\n"), 0);
    }
    for name in of("another") {
        d.wait_state(&name, "RUNNING", 20);
    }
    d.has_count("INFO '*' can be started again, after * tries in vain", 2);
    d.has_count(failed, 2);
    assert_eq!(d.count("INFO gave up: *"), 0);
}

/// What a user may have is asked again when a child of that user executes.
#[test]
fn children_of_another_user_wait_for_others_of_that_user() {
    if !Side::ours_only("it gives up") {
        return;
    }
    let _turn = crate::alone();
    let user = NEXT_STRANGER.fetch_add(1, Ordering::Relaxed);
    let more = format!("user={user}\nstartretries=0");
    let d =
        many(setup(Who::Root, &["--nproc=2:2"]), "a", 4, &more).supervisord("minprocs=1").start();
    let lacked = |d: &TestDaemon| {
        let answer = d.rpc().call("minder.getCounters", "").unwrap();
        rpc::numbers(&answer, "processes").unwrap()["spawn_lacked_resources"]
    };
    wait_for("some tries", 30, || (lacked(&d) > 4.0).then_some(()));
    d.wait_log("WARN '*' could not be executed: couldn't exec /bin/sleep: EAGAIN", 10);
    let up: Vec<usize> = (0..4).filter(|n| d.state(&format!("a:{n}")) == "RUNNING").collect();
    assert!(!up.is_empty() && up.len() < 4, "{up:?}");
    for n in up {
        d.ctl(&["stop", &format!("a:{n}")]).expect(&format!("a:{n}: stopped\n"), 0);
    }
    // It gives up, with startretries=0, if one of these counts as a failed start.
    wait_for("another of them", 30, || (running(&d, "a", 4) > 0).then_some(()));
    assert!(!states(&d, "a", 4).contains(&"FATAL".to_owned()));
}

#[test]
fn a_start_without_room_for_its_own_threads_leaves_nothing() {
    if !Side::ours_only("the original has no threads") {
        return;
    }
    let _turn = crate::alone();
    // Each number fails at another thread, or at the fork to the background.
    for count in 1..=7 {
        for daemonize in [false, true] {
            let setup = setup(Who::Stranger, &[&format!("--nproc={count}")]).arg("--minprocs=1");
            let setup = if daemonize { setup.daemonize() } else { setup };
            let output = setup.run_to_end(20);
            assert_eq!(output.code, 2, "{count}: {output:?}");
            let errors = ["Error: could not start: ", "Error: could not fork: "];
            assert!(errors.iter().any(|error| output.stderr.starts_with(error)), "{output:?}");
            assert!(!setup.path("d.pid").exists(), "the pidfile is left, {count} {daemonize}");
            assert!(!setup.path("s.sock").exists(), "the socket is left, {count} {daemonize}");
        }
    }
}

#[test]
fn children_of_other_users_start_with_the_limit_as_it_was() {
    let _turn = crate::alone();
    let user = "user=nobody";
    let d = many(setup(Who::Root, &["--nproc=300:4000"]), "a", 3, user).start();
    wait_for("all programs", 20, || (running(&d, "a", 3) == 3).then_some(()));
    assert_eq!(limits(d.pid_of("a:0"), NPROC), pair("300", "4000"));
    if Side::under_test() == Side::Ours {
        assert_eq!(limits(d.pid, NPROC), pair("312", "4000"));
    }
}

#[test]
fn more_programs_than_descriptors_are_told_once() {
    if !Side::ours_only("it says nothing") {
        return;
    }
    let _turn = crate::alone();
    let warning = "WARN all programs together need 1264 file descriptors, and 1024 are allowed \
                   (RLIMIT_NOFILE): some may have to wait until others stop; raise the hard limit \
                   (ulimit -Hn, LimitNOFILE=) or configure fewer";
    // Four for each without logs: stdin, stdout, stderr, and what wakes the thread; and 64.
    for (who, count, times) in
        [(Who::Root, 300, 1), (Who::Stranger, 300, 1), (Who::Stranger, 240, 0)]
    {
        let setup = setup(who, &["--nofile=1024:1024"]);
        let d = many(setup, "a", count, "autostart=false").start();
        d.has_count(warning, times);
        d.has_count("WARN *", times);
        d.ctl(&["start", "a:0"]).expect("a:0: started\n", 0);
    }
}

/// What becomes of `user=`.
enum Told<'a> {
    Nothing,
    Line(&'a str),
    Refused,
}

#[test]
fn the_user_is_taken_kept_or_refused() {
    use Told::{Line, Nothing, Refused};
    let (nobody, _) = nobody();
    let succeeded = format!("INFO Set uid to user {nobody} succeeded");
    let root_succeeded = "INFO Set uid to user 0 succeeded";
    let rows: [(Who, &str, &[&str], Told<'_>); 10] = [
        // Who, user=, words on the command line; the line about it.
        (Who::Root, "", &[], Line(ROOT)),
        (Who::Root, "user=root", &[], Line(root_succeeded)),
        (Who::Root, "user=0", &[], Line(root_succeeded)),
        (Who::Root, "user=nobody", &[], Line(&succeeded)),
        (Who::Root, "", &["-u", "nobody"], Line(&succeeded)),
        (Who::Nobody, "", &[], Nothing),
        (Who::Nobody, "user=nobody", &[], Line(&succeeded)),
        (Who::Nobody, "user=root", &["--user=nobody"], Line(&succeeded)),
        (Who::Nobody, "user=root", &[], Refused),
        (Who::Nobody, "", &["--user=root"], Refused),
    ];
    let _turn = crate::alone();
    for (who, line, words, want) in rows {
        let mut setup = setup(who, &[]).supervisord(line).program("a", SLEEP);
        for word in words {
            setup = setup.arg(word);
        }
        let told = match want {
            Refused => {
                let output = setup.run_to_end(20);
                check_refusal(&output, "Can't drop privilege as nonroot user");
                assert!(!setup.path("activity.log").exists() && !setup.path("d.pid").exists());
                continue;
            }
            Nothing => vec![],
            Line(told) => vec![told],
        };
        let d = setup.start();
        d.wait_state("a", "RUNNING", 15);
        // Lines come a moment after the state.
        d.wait_log("INFO success: a entered RUNNING state*", 15);
        let about = |line: &String| line.contains("running as root") || line.contains("Set uid");
        let lines: Vec<String> = d.messages().into_iter().filter(about).collect();
        assert_eq!(lines, told, "{who:?} {line} {words:?}");
        let is_root = told.iter().any(|line| [ROOT, root_succeeded].contains(line));
        let uid = if is_root { "0" } else { &nobody };
        for pid in [d.pid, d.pid_of("a")] {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
            let ids: Vec<&str> = ids.split_whitespace().collect();
            assert_eq!(ids, [uid; 4], "{who:?} {line} {words:?}");
        }
    }
}
