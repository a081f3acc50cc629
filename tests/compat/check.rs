//! `supervisord --check`: every problem told, nothing touched.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::support::{Output, Setup, Side, root, run};

/// Whether to test it: the original has no such option.
fn is_ours() -> bool {
    Side::ours_only("--check is new")
}

/// Checks a file of the test's directory, from there.
fn check(setup: &Setup, words: &[&str]) -> Output {
    let program = Side::Ours.supervisord();
    run(Command::new(program).arg("--check").args(words).current_dir(setup.path("")), 30)
}

/// The problems, the test's directory left out; fails unless the last line has their number.
#[track_caller]
fn problems(setup: &Setup, output: &Output) -> Vec<String> {
    let directory = setup.path("");
    let directory = directory.to_str().unwrap().trim_end_matches('/');
    let text = output.stderr.replace(directory, "");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines.pop().unwrap_or_else(|| panic!("no problem: {output:?}"));
    let s = if lines.len() == 1 { "" } else { "s" };
    assert!(last.starts_with(&format!("{} problem{s} found in ", lines.len())), "{output:?}");
    assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
    lines
}

/// All that can be seen of a directory: names, inodes, modes, owners, sizes, times.
fn listing(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let found = fs::symlink_metadata(&path).unwrap();
        let (owner, times) = ((found.uid(), found.gid()), (found.mtime_nsec(), found.ctime_nsec()));
        let (inode, mode, size) = (found.ino(), found.mode(), found.size());
        all.push(format!("{} {inode} {mode:o} {owner:?} {size} {times:?}", path.display()));
        if found.is_dir() {
            all.extend(listing(&path));
        }
    }
    all.sort();
    all
}

/// A configuration without problems, with much that a daemon would clean, overwrite or take over.
fn good() -> Setup {
    let setup = Setup::new()
        .tcp()
        .supervisord("directory=%(here)s/w")
        // Both lie in the directory that the daemon will be in.
        .program("a", "command=./run\ndirectory=d\nstdout_logfile=out")
        .program("b", "command=sleep 1000\nstartsecs=0")
        .section("[include]\nfiles=*.inc");
    fs::create_dir_all(setup.path("w/d")).unwrap();
    let setup = setup.script("w/d/run", "#!/bin/sh\nexec sleep 1000\n");
    fs::write(setup.path("1.inc"), "[program:c]\ncommand=/bin/true\nautostart=false\n").unwrap();
    fs::write(setup.path("a-stdout---supervisor-01234567.log"), "old").unwrap();
    fs::write(setup.path("d.pid"), "1\n").unwrap();
    drop(UnixListener::bind(setup.path("s.sock")).unwrap());
    setup.write();
    setup
}

#[test]
fn a_good_configuration_has_no_problem_and_nothing_is_touched() {
    if !is_ours() {
        return;
    }
    let setup = good();
    let before = listing(&setup.path(""));
    let output = check(&setup, &["-c", "c.conf", "-i", "x", "-p", "account"]);
    output.expect("c.conf: no problems found\n", 0);
    assert_eq!(output.stderr, "");
    assert_eq!(listing(&setup.path("")), before);
}

#[test]
fn no_system_call_changes_anything() {
    if !is_ours() {
        return;
    }
    let setup = good();
    let calls = "open,openat,creat,truncate,ftruncate,mkdir,mkdirat,mknod,mknodat,rmdir,unlink,\
                 unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,chmod,fchmod,\
                 fchmodat,chown,fchown,lchown,fchownat,utimensat,flock,fcntl,bind,listen,kill,\
                 tkill,tgkill,fork,vfork,clone,clone3,execve,setuid,setgid,setgroups";
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(setup.path("w/trace")).arg(format!("--trace={calls}"));
    strace.arg(Side::Ours.supervisord()).args(["--check", "-c"]).arg(setup.path("c.conf"));
    assert_eq!(run(&mut strace, 60).code, 0);
    let trace = fs::read_to_string(setup.path("w/trace")).unwrap();
    let writes = |line: &str| {
        let flags = ["O_WRONLY", "O_RDWR", "O_CREAT"];
        flags.iter().any(|flag| line.contains(flag)) && !line.contains("\"/dev/null\"")
    };
    let harmless = |line: &&str| {
        let reads = line.contains("open") && !writes(line);
        let asks = line.contains("fcntl(") && !line.contains("LK");
        reads || asks || line.contains("+++ exited")
    };
    let other: Vec<&str> = trace.lines().filter(|line| !harmless(line)).collect();
    // The first is strace's own, that starts it.
    assert!(other.len() == 1 && other[0].contains("execve("), "{other:#?}");
    assert_eq!(trace.matches("c.conf").count(), 2, "its argument and one reading: {trace}");
    assert_eq!(trace.matches("1.inc").count(), 1, "{trace}");
}

#[test]
fn a_daemon_on_the_same_file_is_left_alone() {
    if !is_ours() {
        return;
    }
    let d = Setup::new()
        .tcp()
        .program("a", "command=/bin/sleep 1000\nstartsecs=0")
        .program("b", "command=/bin/sleep 1000\nstartsecs=0\nstdout_logfile=%(here)s/b.log")
        .start();
    d.wait_state("a", "RUNNING", 15);
    d.wait_state("b", "RUNNING", 15);
    // The last lines that the starts have written.
    d.wait_log("INFO success: a entered RUNNING state*", 15);
    d.wait_log("INFO success: b entered RUNNING state*", 15);
    let pids = (d.pid_of("a"), d.pid_of("b"));
    let before = listing(&d.path(""));
    let output = check(&d.setup, &["-c", "c.conf"]);
    output.expect("c.conf: no problems found\n", 0);
    assert_eq!(listing(&d.path("")), before);
    assert_eq!((d.rpc_pid(), d.pid_of("a"), d.pid_of("b")), (d.pid, pids.0, pids.1));
    assert_eq!(d.count("* received *"), 0, "{}", d.log());
}

#[test]
fn the_file_is_searched_for() {
    if !is_ours() {
        return;
    }
    let setup = Setup::new();
    fs::rename(setup.write(), setup.path("supervisord.conf")).unwrap();
    let output = check(&setup, &[]);
    output.expect("supervisord.conf: no problems found\n", 0);
    assert_eq!(output.stderr, "");
    fs::remove_file(setup.path("supervisord.conf")).unwrap();
    let output = check(&setup, &[]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("Error: No config file found at default paths"), "{output:?}");
    let output = check(&setup, &["-c", "none"]);
    assert_eq!(problems(&setup, &output), ["none: could not find config file none"]);
}

#[test]
fn every_problem_is_told_with_its_place() {
    if !is_ours() {
        return;
    }
    let setup = Setup::new();
    let text = "\
[unix_http_server]
file=%(here)s/none/s.sock
[inet_http_server]
port=127.0.0.1:1
[inet_http_server:2]
port=127.0.0.1:1
[supervisord]
logfile=%(here)s
pidfile=%(here)s/d.pid
childlogdir=%(here)s
user=no-such-user
colour=red
[program:a]
command=/no/such/program -x
directory=/no/such/directory
stdout_logfile=%(here)s/sub
stderr_logfile=/no/such/log
priority=high
[program:b]
command=no-such-program
autorestart
user=no-such-user
[program:c]
command=%(here)s/sub
[program:d]
command=%(here)s/c.conf
[program:e]
command=sh -c 'x
[include]
files=*.inc x.none
[fcgi-program:f]
socket=unix:///no/such/f.sock
command=/bin/cat
";
    fs::write(setup.path("c.conf"), text).unwrap();
    fs::create_dir(setup.path("sub")).unwrap();
    fs::create_dir(setup.path("3.inc")).unwrap();
    fs::write(setup.path("1.inc"), "key=1\n[program:i]\ncommand=/bin/true\nautostart=maybe\n")
        .unwrap();
    fs::write(setup.path("2.inc"), "[program:j]\ncommand=/no/such/j\n[bogus]\n").unwrap();
    let output = check(&setup, &["-c", "c.conf"]);
    assert_eq!(
        problems(&setup, &output),
        [
            "c.conf:2: [unix_http_server] file: Cannot open an HTTP server: socket.error reported \
             errno.ENOENT (2)",
            "c.conf:6: [inet_http_server:2] port: [inet_http_server] listens there, too",
            "c.conf:8: [supervisord] logfile: could not open the activity log : Is a directory \
             (os error 21)",
            "c.conf:11: [supervisord] user: Invalid user name no-such-user",
            "c.conf:12: [supervisord] colour: unknown key",
            "c.conf:14: [program:a] command: can't find command '/no/such/program'",
            "c.conf:15: [program:a] directory: /no/such/directory is not an existing directory",
            "c.conf:16: [program:a] stdout_logfile: could not open the log /sub: Is a directory \
             (os error 21)",
            "c.conf:17: [program:a] stderr_logfile: The directory named as part of the path \
             /no/such/log does not exist",
            "c.conf:18: [program:a] priority: invalid literal for int() with base 10: 'high'",
            "c.conf:20: [program:b] command: can't find command 'no-such-program'",
            "c.conf:21: neither a section header nor an option: 'autorestart'",
            "c.conf:22: [program:b] user: Invalid user name no-such-user",
            "c.conf:24: [program:c] command: command at '/sub' is a directory",
            "c.conf:26: [program:d] command: command at '/c.conf' is not executable",
            "c.conf:28: [program:e] command: can't parse command \"sh -c 'x\": No closing quotation",
            "c.conf:30: [include] files: could not read '/3.inc': Is a directory (os error 21)",
            "c.conf:30: [include] files: no file matches '/x.none'",
            "c.conf:32: [fcgi-program:f] socket: could not make the socket /no/such/f.sock: No \
             such file or directory (os error 2)",
            "/1.inc:1: no section header stands before 'key=1'",
            "/1.inc:4: [program:i] autostart: not a valid boolean value: 'maybe'",
            "/2.inc:2: [program:j] command: can't find command '/no/such/j'",
            "/2.inc:3: [bogus] unknown section",
        ]
    );
}

#[test]
fn an_unknown_key_alone_is_a_problem() {
    if !is_ours() {
        return;
    }
    let setup = Setup::new().program("a", "command=/bin/true\nautostrat=true");
    setup.write();
    let output = check(&setup, &["-c", "c.conf"]);
    let told = problems(&setup, &output);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with(": [program:a] autostrat: unknown key"), "{told:?}");
}

#[test]
fn the_command_line_is_laid_over() {
    if !is_ours() {
        return;
    }
    let setup = good();
    let place = setup.path("w");
    let mut words = vec!["-c", "c.conf", "-l", place.to_str().unwrap(), "--minfds=9999999999"];
    words.extend(["-u", "no-such-user", "--profile", "/no/such/x"]);
    let told = problems(&setup, &check(&setup, &words));
    let begins = [
        "c.conf: --profile: could not open the profile /no/such/x: ",
        "c.conf: -u: Invalid user name no-such-user",
        "c.conf: --minfds: The minimum number of file descriptors required to run this process is \
         9999999999 as per",
        "c.conf: -l: could not open the activity log /w: Is a directory",
    ];
    assert_eq!(told.len(), begins.len(), "{told:#?}");
    for (told, begin) in told.iter().zip(begins) {
        assert!(told.starts_with(begin), "{told:?} does not begin with {begin:?}");
    }
    // In the foreground the daemon does not go to its directory, where the program is.
    let told = problems(&setup, &check(&setup, &["-n", "-c", "c.conf"]));
    assert!(told.iter().any(|line| line.ends_with("can't find command './run'")), "{told:#?}");
    // What the command line itself has wrong is told as ever.
    let output = check(&setup, &["-c", "c.conf", "-e", "loud"]);
    assert!(output.stderr.starts_with("Error: invalid value for -e 'loud'"), "{output:?}");
    assert_eq!(output.code, 2);
}

#[test]
fn what_the_configured_user_may_not_write_is_told() {
    if !is_ours() || !root() {
        return;
    }
    let setup = Setup::new()
        .supervisord("user=nobody")
        .program("a", "command=/bin/true\nstdout_logfile=%(here)s/sub/a.log\nuser=daemon")
        .program("b", "command=/bin/true\nuser=nobody\nredirect_stderr=true\nstderr_logfile=%(here)s/sub/b.log");
    setup.write();
    fs::create_dir(setup.path("sub")).unwrap();
    fs::write(setup.path("d.pid"), "").unwrap();
    fs::set_permissions(setup.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let told = problems(&setup, &check(&setup, &["-c", "c.conf"]));
    let denied = "Permission denied (os error 13)";
    let wanted = [
        "[unix_http_server] file: Cannot open an HTTP server: socket.error reported errno.EACCES \
         (13)",
        &format!("[supervisord] logfile: could not open the activity log /activity.log: {denied}"),
        &format!("[supervisord] pidfile: could not write pidfile /d.pid: {denied}"),
        &format!("[supervisord] childlogdir: could not create logs in : {denied}"),
        &format!("[program:a] stdout_logfile: could not open the log /sub/a.log: {denied}"),
        "[program:a] user: Can't drop privilege as nonroot user",
        "[program:b] stderr_logfile: redirect_stderr=true but stderr_logfile has also been set to a filename, the \
         filename has been ignored",
    ];
    let told: Vec<&str> =
        told.iter().filter_map(|line| line.split_once(": ")).map(|p| p.1).collect();
    assert_eq!(told, wanted);
}

#[test]
fn logs_that_nobody_could_keep_apart_are_told() {
    if !is_ours() {
        return;
    }
    let setup = Setup::new().supervisord("identifier=a/b").section(
        "[program:a]
        command=/bin/true
        numprocs=2
        process_name=%(program_name)s%(process_num)s
        stdout_logfile=%(here)s/a.log
        stderr_logfile=/dev/stderr
        [program:b]
        command=/bin/true
        stdout_logfile=%(here)s/b.log
        stderr_logfile=%(here)s/b.log
        [program:c]
        command=/bin/true
        stdout_logfile=%(here)s/c.log
        stdout_logfile_maxbytes=0
        [program:d]
        command=/bin/true
        stdout_logfile=%(here)s/c.log
        stdout_logfile_maxbytes=0
        redirect_stderr=true",
    );
    setup.write();
    let told = problems(&setup, &check(&setup, &["-c", "c.conf"]));
    let told: Vec<&str> =
        told.iter().filter_map(|line| line.split_once(": ")).map(|p| p.1).collect();
    let wanted = [
        "[supervisord] identifier: a '/' in it keeps logs of programs from being created in \
         childlogdir",
        "[program:a] stdout_logfile: /a.log is process a0's stdout_logfile, too, and each rotates \
         it for itself",
        "[program:b] stderr_logfile: /b.log is its stdout_logfile, too, and each rotates it for \
         itself",
    ];
    assert_eq!(told, wanted);
}
