//! What a daemon that was killed has left: `on_leftover`, `state_file`.

use std::{
    fs,
    io::Read,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{self, MARK, Setup, Side, TestDaemon, alive, root, wait_for};

const SLEEP: &str = "command=/bin/sleep 1000\nstartsecs=0";

/// Its child is in its group and lives as long.
const WITH_CHILD: &str = "command=/bin/sh -c \"sleep 1000 & wait\"\nstartsecs=0";

const HEAD: &str = "# children of a supervisord: pid, begin in ticks since boot, boot id, name";

fn setup(on_leftover: &str) -> Setup {
    let setup = Setup::new()
        .supervisord(&format!("on_leftover={on_leftover}"))
        .program("plain", SLEEP)
        .program("parent", WITH_CHILD);
    if root() { setup.program("other", &format!("{SLEEP}\nuser=nobody")) } else { setup }
}

fn names() -> Vec<&'static str> {
    if root() { vec!["plain", "parent", "other"] } else { vec!["plain", "parent"] }
}

/// The pids of the programs, once all are up and have executed.
fn pids(d: &TestDaemon) -> Vec<i32> {
    let pid = |name: &&str| {
        d.wait_state(name, "RUNNING", 20);
        d.pid_of(name)
    };
    names().iter().map(pid).collect()
}

/// Living processes of this test, without the daemon.
fn living(d: &TestDaemon) -> Vec<i32> {
    let directory = d.config.parent().unwrap();
    support::marked(&format!("{MARK}={}", directory.display()))
}

/// The pids that a state file tells.
fn told(text: &str) -> Vec<i32> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

fn began(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().to_owned()
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

fn ours_only() -> bool {
    Side::ours_only("on_leftover and state_file are keys of ours")
}

#[test]
fn ignored_they_run_on_unknown_and_there_is_no_file() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let mut d = setup("ignore").start();
    let old = pids(&d);
    d.kill();
    d.start_again();
    let new = pids(&d);
    assert!(old.iter().chain(&new).all(|pid| alive(*pid)));
    assert!(!d.path("d.pid.children").exists());
}

#[test]
fn a_start_fails_until_they_are_gone() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let mut d = setup("fail").start();
    let old = pids(&d);
    d.kill();
    let mut refusals = 0;
    for _ in 0..2 {
        let output = d.setup.run_path(&d.config, 20);
        assert_eq!(output.code, 2, "{output:?}");
        let line = output.stderr.lines().find(|line| line.starts_with("Error: ")).unwrap();
        assert!(!output.stderr.contains("For help"), "{output:?}");
        let number =
            format!("Error: {} processes still run of an earlier supervisord: ", old.len());
        assert!(line.starts_with(&number), "{line}");
        for (name, pid) in names().iter().zip(&old) {
            assert!(line.contains(&format!("{name} (pid {pid})")), "{line}");
        }
        // What it says that helps, helps.
        let (_, rest) = line.split_once("stop them (").unwrap();
        let (command, end) = rest.split_once(')').unwrap();
        assert_eq!(end, ", or set on_leftover=kill to have that done at start");
        assert!(old.iter().all(|pid| alive(*pid)));
        assert!(!d.path("d.pid").exists());
        let (_, why) = line.split_once(' ').unwrap();
        refusals += 1;
        d.has_count(&format!("CRIT {why}"), refusals);
        if told(&d.read("d.pid.children")).len() == old.len() {
            assert!(Command::new("/bin/sh").args(["-c", command]).status().unwrap().success());
            wait_for("their end", 20, || living(&d).is_empty().then_some(()));
            break;
        }
    }
    d.start_again();
    let new = pids(&d);
    assert_eq!(living(&d).len(), new.len() + 2, "with the daemon and a child");
}

#[test]
fn they_are_ended_before_anything_starts() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let mut d = setup("kill").start();
    let old = pids(&d);
    let parent = old[1];
    let child = || {
        let stat = |pid: &i32| support::process_stat(*pid).is_some_and(|s| s.parent == parent);
        support::all_pids().into_iter().find(stat)
    };
    let child = wait_for("the parent's child", 20, child);
    d.kill();
    // Not before: the kernel wakes the stopped orphans of a daemon.
    kill(Pid::from_raw(old[0]), Signal::SIGSTOP).unwrap();
    fs::remove_file(d.path("activity.log")).unwrap();
    d.start_again();
    let new = pids(&d);
    for pid in old.iter().chain([&child]) {
        assert!(!alive(*pid), "{pid} of {old:?}");
    }
    for (name, pid) in names().iter().zip(&old) {
        let line = format!(
            "WARN '{name}' of an earlier supervisord still runs with pid {pid}: it is stopped \
             with its process group"
        );
        let ended = "INFO all that an earlier supervisord has left has ended";
        d.wait_log_order(&[&line, ended, &format!("INFO spawned: '{name}' with pid *")], 20);
    }
    assert_eq!(d.count("WARN killing *"), 0);
    let mut known = told(&d.read("d.pid.children"));
    known.sort_unstable();
    let mut sorted = new.clone();
    sorted.sort_unstable();
    assert_eq!(known, sorted);
    // An end that is wished leaves nothing.
    assert_eq!(d.shut_down(20), 0);
    assert!(!d.path("d.pid.children").exists());
}

/// Its children go on without it, in its group.
const WITH_CHILDREN: &str = "command=/bin/sh -c \"sleep 1000 & sleep 1000 & wait\"\nstartsecs=0";

fn group_of(group: i32) -> Vec<i32> {
    let is_in = |pid: &i32| support::process_stat(*pid).is_some_and(|stat| stat.group == group);
    support::all_pids().into_iter().filter(|pid| is_in(pid) && alive(*pid)).collect()
}

/// Starts it, kills it, and then its program's first process, which leaves two others: its pid,
/// which is the group's too, and theirs.
fn killed_with_a_leader(on_leftover: &str) -> (TestDaemon, i32, Vec<i32>) {
    let mut d = Setup::new()
        .supervisord(&format!("on_leftover={on_leftover}"))
        .program("a", WITH_CHILDREN)
        .start();
    d.wait_state("a", "RUNNING", 20);
    let leader = d.pid_of("a");
    let others = || {
        let others: Vec<i32> = group_of(leader).into_iter().filter(|pid| *pid != leader).collect();
        let executed =
            |pid: &i32| support::read(format!("/proc/{pid}/cmdline").as_ref()).starts_with("sleep");
        (others.len() == 2 && others.iter().all(executed)).then_some(others)
    };
    let others = wait_for("its children", 20, others);
    d.kill();
    kill(Pid::from_raw(leader), Signal::SIGKILL).unwrap();
    wait_for("the leader's end", 20, || (!alive(leader)).then_some(()));
    (d, leader, others)
}

/// Where whoever inherits orphans waits for none of them, the leader stays as a zombie.
fn is_reaped(pid: i32) -> bool {
    let gone = || support::process_stat(pid).is_none().then_some(());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        if gone().is_some() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    eprintln!("nobody waits for orphans here: what is told of a leader that is gone is not seen");
    false
}

#[test]
fn a_group_whose_leader_is_gone_is_ended() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let (mut d, leader, others) = killed_with_a_leader("kill");
    let is_reaped = is_reaped(leader);
    d.start_again();
    assert!(!others.iter().any(|pid| alive(*pid)));
    d.wait_state("a", "RUNNING", 20);
    if is_reaped {
        let [one, two] = others[..] else { panic!("two") };
        let line = format!(
            "WARN 'a' of an earlier supervisord has ended, but its process group {leader} still \
             runs with pids {one}, {two}: it is stopped"
        );
        let ended = "INFO all that an earlier supervisord has left has ended";
        d.wait_log_order(&[&line, ended, "INFO spawned: 'a' with pid *"], 20);
    }
    wait_for("its program, once", 20, || (living(&d).len() == 1 + 3).then_some(()));
}

#[test]
fn a_start_fails_while_a_group_runs_whose_leader_is_gone() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let (mut d, leader, others) = killed_with_a_leader("fail");
    let what = if is_reaped(leader) { "process group" } else { "pid" };
    let output = d.setup.run_path(&d.config, 20);
    assert_eq!(output.code, 2, "{output:?}");
    let line = format!(
        "Error: 1 process still runs of an earlier supervisord: a ({what} {leader}); stop them \
         (kill -- -{leader}), or set on_leftover=kill to have that done at start"
    );
    assert!(output.stderr.lines().any(|told| told == line), "{output:?}");
    assert!(others.iter().all(|pid| alive(*pid)));
    let group = format!("-{leader}");
    assert!(Command::new("/bin/kill").args(["--", &group]).status().unwrap().success());
    wait_for("their end", 20, || living(&d).is_empty().then_some(()));
    d.start_again();
    d.wait_state("a", "RUNNING", 20);
}

/// A group that somebody else's process has left.
struct Orphans {
    group: i32,
    began: String,
    pids: Vec<i32>,
}

impl Orphans {
    fn new(variables: &[(&str, &str)]) -> Orphans {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 1000 & sleep 1000 & echo; wait"]).envs(variables.to_vec());
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut leader = command.spawn().unwrap();
        leader.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let group = leader.id() as i32;
        let began = began(group);
        leader.kill().unwrap();
        leader.wait().unwrap();
        Orphans { group, began, pids: group_of(group) }
    }

    fn live(&self) -> bool {
        self.pids.len() == 2 && self.pids.iter().all(|pid| alive(*pid))
    }

    /// A state file that tells of the process that has left them.
    fn write_down(&self, name: &str, path: &Path) {
        let text = format!("{HEAD}\n{} {} {} {name}\n", self.group, self.began, boot_id());
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

impl Drop for Orphans {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(-self.group), Signal::SIGKILL);
    }
}

fn named<'a>(group: &'a str, process: &'a str) -> [(&'static str, &'a str); 2] {
    [("SUPERVISOR_GROUP_NAME", group), ("SUPERVISOR_PROCESS_NAME", process)]
}

#[test]
fn a_group_that_may_be_of_another_is_told_and_not_ended() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let strangers = [Orphans::new(&[]), Orphans::new(&named("g", "other"))];
    let meant = Orphans::new(&named("g", "a"));
    for orphans in strangers.iter().chain([&meant]) {
        let is_meant = orphans.group == meant.group;
        let Orphans { group, .. } = orphans;
        let [one, two] = orphans.pids[..] else { panic!("two: {:?}", orphans.pids) };

        let setup = Setup::new().supervisord("on_leftover=fail").program("plain", SLEEP);
        let path = setup.path("d.pid.children");
        orphans.write_down("g:a", &path);
        let output = setup.run_to_end(20);
        assert_eq!(output.code, 2, "{output:?}");
        let line = if is_meant {
            format!(
                "Error: 1 process still runs of an earlier supervisord: g:a (process group \
                 {group}); stop them (kill -- -{group}), or set on_leftover=kill to have that \
                 done at start"
            )
        } else {
            let file = path.display();
            format!(
                "Error: process group {group} still runs with pids {one}, {two} and may be that \
                 of g:a of an earlier supervisord, or a later one: stop it (kill -- -{group}), or \
                 remove {file} if it is another's"
            )
        };
        assert!(output.stderr.lines().any(|told| told == line), "{line}: {output:?}");
        assert!(orphans.live());
        fs::remove_file(&path).unwrap();
        let d = setup.start();
        d.wait_state("plain", "RUNNING", 20);
        assert!(orphans.live());
        drop(d);

        let setup = Setup::new().supervisord("on_leftover=kill").program("plain", SLEEP);
        orphans.write_down("g:a", &setup.path("d.pid.children"));
        let d = setup.start();
        d.wait_state("plain", "RUNNING", 20);
        let line = if is_meant {
            format!(
                "WARN 'g:a' of an earlier supervisord has ended, but its process group {group} \
                 still runs with pids {one}, {two}: it is stopped"
            )
        } else {
            format!(
                "WARN process group {group} still runs with pids {one}, {two} and may be that of \
                 'g:a' of an earlier supervisord, or a later one: it is left alone"
            )
        };
        d.wait_log_order(&[&line, "INFO spawned: 'plain' with pid *"], 20);
        assert_eq!(orphans.live(), !is_meant);
        assert_eq!(told(&d.read("d.pid.children")), [d.pid_of("plain")]);
    }
}

/// What a program leaves in its group when it ends while the daemon lives is nobody's business.
#[test]
fn what_a_program_left_before_is_no_leftover() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let lines = "command=/bin/sh -c \"sleep 1000 >/dev/null 2>&1 & exit 0\"\nstartsecs=0\n\
                 autorestart=false";
    let mut d = Setup::new().supervisord("on_leftover=kill").program("a", lines).start();
    d.wait_state("a", "EXITED", 20);
    let known = || told(&d.read("d.pid.children")).is_empty().then_some(());
    wait_for("nobody to be written down", 20, known);
    let left = || {
        let left: Vec<i32> = living(&d).into_iter().filter(|pid| *pid != d.pid).collect();
        (left.len() == 1).then(|| left[0])
    };
    let left = wait_for("what it has left", 20, left);
    d.kill();
    d.start_again();
    d.wait_state("a", "EXITED", 20);
    assert!(alive(left));
    assert_eq!(d.count("WARN * of an earlier supervisord*"), 0);
}

struct Canary(Child);

impl Canary {
    fn new() -> Canary {
        let mut command = Command::new("/bin/sleep");
        Canary(command.arg("1000").process_group(0).stdin(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn another_process_of_the_same_pid_is_left_alone() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let [reused, other_boot, torn, real] = [(); 4].map(|()| Canary::new());
    let boot = boot_id();
    let setup = Setup::new().supervisord("on_leftover=kill").program("plain", SLEEP);
    let number = |canary: &Canary| began(canary.pid()).parse::<u64>().unwrap();
    let text = format!(
        "{HEAD}\n{} {} {boot} reused\n{} {} {boot} reused\n{} {} {} other-boot\n\
         {} {} {boot} real\n{} {}",
        reused.pid(),
        number(&reused) - 1,
        reused.pid(),
        number(&reused) + 1,
        other_boot.pid(),
        number(&other_boot),
        boot.replace(|c: char| c.is_ascii_digit(), "0").replace('a', "b"),
        real.pid(),
        number(&real),
        torn.pid(),
        number(&torn),
    );
    let path = setup.path("d.pid.children");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let d = setup.start();
    d.wait_state("plain", "RUNNING", 20);
    assert!(!alive(real.pid()), "the one that is meant");
    for canary in [&reused, &other_boot, &torn] {
        assert!(alive(canary.pid()));
    }
    assert_eq!(told(&d.read("d.pid.children")), [d.pid_of("plain")]);
}

#[test]
fn a_file_that_is_none_of_ours_is_refused_and_left() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let setup = Setup::new().supervisord("on_leftover=kill\nstate_file=%(here)s/x");
    let refused = |why: &str| {
        let output = setup.run_to_end(20);
        let path = setup.path("x").display().to_string();
        let line = format!("Error: could not use the state file {path}: {why}");
        assert!(output.stderr.lines().any(|told| told.starts_with(&line)), "{why}: {output:?}");
        assert_eq!(output.code, 2);
        assert!(!setup.path("d.pid").exists());
    };
    fs::write(setup.path("x"), "dear diary\n").unwrap();
    fs::set_permissions(setup.path("x"), fs::Permissions::from_mode(0o644)).unwrap();
    refused("it holds something else; choose another name or remove it");
    assert_eq!(support::read(&setup.path("x")), "dear diary\n");
    fs::set_permissions(setup.path("x"), fs::Permissions::from_mode(0o666)).unwrap();
    refused("others than the daemon's user may have written it");
    fs::remove_file(setup.path("x")).unwrap();
    fs::create_dir(setup.path("x")).unwrap();
    refused("");
    fs::remove_dir(setup.path("x")).unwrap();
    // Two daemons that know nothing of each other but this file.
    let path = setup.path("x");
    let d = setup.start();
    let text = format!("on_leftover=fail\nstate_file={}", path.display());
    let output = Setup::new().supervisord(&text).run_to_end(20);
    assert!(output.stderr.contains("another supervisord uses it"), "{output:?}");
    assert_eq!(output.code, 2);
    assert!(alive(d.pid));
}

#[test]
fn crashes_without_end_do_not_make_it_longer() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let d = Setup::new()
        .supervisord("on_leftover=kill")
        .program("a", "command=/bin/true\nstartsecs=0\nautorestart=true")
        .program("b", SLEEP)
        .start();
    wait_for("many crashes", 60, || (d.count("INFO spawned: 'a' *") > 200).then_some(()));
    let length = fs::metadata(d.path("d.pid.children")).unwrap().len();
    // The head, two that live, and one that is being read out still.
    assert!(length <= 128 * 5, "{length}");
    assert!(told(&d.read("d.pid.children")).contains(&d.pid_of("b")));
}

#[test]
fn a_file_that_was_removed_is_there_again_at_the_next_start() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let mut d = Setup::new()
        .supervisord("on_leftover=kill")
        .program("a", SLEEP)
        .program("b", &format!("{SLEEP}\nautostart=false"))
        .start();
    d.wait_state("a", "RUNNING", 20);
    fs::remove_file(d.path("d.pid.children")).unwrap();
    assert_eq!(d.ctl(&["start", "b"]).code, 0);
    let old = [d.pid_of("a"), d.pid_of("b")];
    assert_eq!(told(&d.read("d.pid.children")), old);
    d.kill();
    d.start_again();
    assert!(old.iter().all(|pid| !alive(*pid)));
    d.wait_state("a", "RUNNING", 20);
    assert_eq!(told(&d.read("d.pid.children")), [d.pid_of("a")]);
}

/// Killed at any moment while it makes children, it leaves none that is not written down; and the
/// next one ends them all.
#[test]
fn whenever_it_is_killed_all_are_known() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let user = if root() { "\nuser=nobody" } else { "" };
    let many =
        |lines: &str| format!("{SLEEP}\nnumprocs=15\nprocess_name=p%(process_num)02d{lines}");
    let mut d = Setup::new()
        .supervisord("on_leftover=kill")
        .program("a", &many(""))
        .program("b", &many(user))
        .start();
    let all = |d: &TestDaemon| told(&d.read("d.pid.children"));
    d.kill();
    for round in 0..12 {
        let mut child = d.setup.spawn(&d.config);
        let pid = child.id() as i32;
        // Not before it has come to its programs, and then at another time each round.
        wait_for("some child", 30, || {
            let children = support::all_pids().into_iter().filter(|other| {
                support::process_stat(*other).is_some_and(|stat| stat.parent == pid)
            });
            (children.count() > 0).then_some(())
        });
        thread::sleep(Duration::from_millis(round * 2));
        child.kill().unwrap();
        child.wait().unwrap();
        // Those that were on their way to exec get there.
        wait_for("all that live to be known", 20, || {
            let known = all(&d);
            living(&d).iter().all(|pid| known.contains(pid)).then_some(())
        });
    }
    d.start_again();
    wait_for("all programs", 30, || {
        let running = d.ctl(&["status"]).stdout.matches(" RUNNING ").count();
        (running == 30).then_some(())
    });
    let daemon_and_programs = 1 + 30;
    assert_eq!(living(&d).len(), daemon_and_programs);
}

#[test]
fn without_room_for_it_a_start_waits() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let d = Setup::new()
        .launcher(&["prlimit", "--fsize=200:unlimited"])
        .supervisord("on_leftover=kill")
        .program("a", SLEEP)
        .start();
    d.wait_state("a", "BACKOFF", 20);
    let error = d.info("a", "spawnerr").unwrap();
    assert_eq!(error, "could not write the state file to spawn 'a': EFBIG");
    let pid = d.pid.to_string();
    let mut lift = Command::new("prlimit");
    lift.args(["--pid", &pid, "--fsize=unlimited:unlimited"]);
    assert!(lift.status().unwrap().success());
    d.wait_state("a", "RUNNING", 30);
    assert_eq!(told(&d.read("d.pid.children")), [d.pid_of("a")]);
}

#[test]
fn a_restart_moves_it() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let mut d = Setup::new().supervisord("on_leftover=ignore").program("a", SLEEP).start();
    d.wait_state("a", "RUNNING", 20);
    let restart = |d: &TestDaemon, from: &str, to: &str| {
        let started = d.count("INFO spawned: 'a' *");
        d.edit(from, to);
        d.signal(Signal::SIGHUP);
        wait_for("the restart", 30, || (d.count("INFO spawned: 'a' *") > started).then_some(()));
        d.wait_state("a", "RUNNING", 20);
    };
    let exists = |d: &TestDaemon| ["d.pid.children", "x"].map(|name| d.path(name).exists());
    assert_eq!(exists(&d), [false, false]);
    restart(&d, "on_leftover=ignore", "on_leftover=kill");
    assert_eq!(told(&d.read("d.pid.children")), [d.pid_of("a")]);
    restart(&d, "on_leftover=kill", "on_leftover=kill\nstate_file=%(here)s/x");
    assert_eq!(exists(&d), [false, true]);
    assert_eq!(told(&d.read("x")), [d.pid_of("a")]);
    restart(&d, "on_leftover=kill", "on_leftover=fail");
    assert_eq!(told(&d.read("x")), [d.pid_of("a")]);
    restart(&d, "on_leftover=fail", "on_leftover=ignore");
    assert_eq!(exists(&d), [false, false]);
    assert_eq!(d.shut_down(20), 0);
}
