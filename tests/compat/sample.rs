//! The sample configuration: what is printed, and what each of its lines means to the daemon.

use std::{fs, process::Command};

use crate::support::{Setup, Side, free_port, run};

fn sample(side: Side) -> String {
    let output = run(&mut Command::new(side.echo_supervisord_conf()), 20);
    assert_eq!((output.stderr.as_str(), output.code), ("", 0));
    output.stdout
}

/// A setup, and the sample with all its places in the setup's directory.
fn at_home(sample: &str) -> (Setup, String) {
    let setup = Setup::new();
    let home = setup.path("");
    let home = home.to_str().unwrap().trim_end_matches('/');
    let port = format!("127.0.0.1:{}", free_port());
    let text = sample.replace("/tmp", home).replace("127.0.0.1:9001", &port);
    let text = text.replace("/supervisor.sock", "/s.sock");
    let text = text.replace("/supervisord.log", "/activity.log");
    (setup, text.replace("/supervisord.pid", "/d.pid"))
}

/// The line without its semicolon, if that makes it a section or an option.
fn uncommented(line: &str) -> Option<&str> {
    line.strip_prefix(';').filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_alphabetic()))
}

#[test]
fn any_words_give_the_same_sample() {
    let text = sample(Side::under_test());
    for words in [["-h", "x"], ["--help", "-z"]] {
        let output = run(Command::new(Side::under_test().echo_supervisord_conf()).args(words), 20);
        output.expect(&text, 0);
    }
}

#[test]
fn a_sample_that_can_not_be_written_is_told() {
    let mut command = Command::new("sh");
    let program = Side::under_test().echo_supervisord_conf();
    command.args(["-c", "exec \"$0\" >/dev/full"]).arg(program);
    let output = run(&mut command, 20);
    assert!(output.code != 0 && output.stderr.contains("No space left"), "{output:?}");
}

/// What scripts do to a sample: move its files, listen at a port, include a directory.
#[test]
fn a_sample_that_sed_has_edited_runs() {
    let (setup, text) = at_home(&sample(Side::under_test()));
    let file = setup.path("c.conf");
    fs::write(&file, &text).unwrap();
    fs::create_dir(setup.path("conf.d")).unwrap();
    fs::write(setup.path("conf.d/a.conf"), "[program:a]\ncommand=/bin/sleep 1000\n").unwrap();
    let mut sed = Command::new("sed");
    sed.args(["-i", "-e", r"s/^;\[include\]/[include]/"]);
    sed.args(["-e", r"s/^;files = .*/files = conf.d\/*.conf/"]);
    sed.args(["-e", r"s/^;\[inet_http_server\]/[inet_http_server]/", "-e", "s/^;port=/port=/"]);
    sed.args(["-e", "s/^nodaemon=false/nodaemon=true/", "-e", "s/^loglevel=info/loglevel=warn/"]);
    assert_eq!(run(sed.arg(&file), 20).code, 0);
    let d = setup.start_file(file);
    d.wait_state("a", "RUNNING", 20);
    let (_, port) = text.split_once(";port=").unwrap();
    let url = format!("http://{}", port.split_whitespace().next().unwrap());
    assert_eq!(d.ctl(&["-s", &url, "status"]).code, 0);
    assert!(d.log().contains(" CRIT ") && !d.log().contains(" INFO "), "{}", d.log());
}

/// Also Supervisor takes ours, with options that it does not know.
#[test]
fn a_sample_with_all_its_options_runs() {
    let (setup, text) = at_home(&sample(Side::Ours));
    let all: Vec<&str> = text.lines().map(|line| uncommented(line).unwrap_or(line)).collect();
    // A shell without a script would end and be started again and again; whoever is not root
    // can't become another user.
    let text = all.join("\n").replace("/bin/sh /path/to/listener", "/bin/sleep 1000");
    let text = text.replace("/bin/sh /path/to/fastcgi/server", "/bin/sleep 1000");
    let text = text.replace("=nobody", "=root");
    // The test's own questions come without a login.
    let (unix, rest) = text.split_once("[inet_http_server]").unwrap();
    let unix = unix.replace("\nusername=", "\n;username=").replace("\npassword=", "\n;password=");
    let file = setup.path("c.conf");
    fs::write(&file, format!("{unix}[inet_http_server]{rest}")).unwrap();
    let d = setup.start_file(file);
    for name in ["thegroupname:theprogramname", "theeventlistenername", "thefcgiprogramname"] {
        d.wait_state(name, "RUNNING", 20);
    }
}

#[test]
fn each_option_of_the_sample_is_accepted() {
    if !Side::ours_only("--check is new") {
        return;
    }
    let (setup, text) = at_home(&sample(Side::Ours));
    let lines: Vec<&str> = text.lines().collect();
    let file = setup.path("c.conf");
    // Lines that others need: the section's own, and one half of a login the other.
    let header = |at: usize| {
        lines[..=at].iter().rposition(|line| uncommented(line).unwrap_or(line).starts_with('['))
    };
    let starting = |from: usize, key: &str| {
        let is_it = |line: &str| uncommented(line).unwrap_or(line).starts_with(key);
        lines[from..].iter().position(|line| is_it(line)).map(|at| from + at)
    };
    let mut count = 0;
    for at in 0..lines.len() {
        let Some(option) = uncommented(lines[at]) else { continue };
        let section = header(at).unwrap();
        let mut counting = vec![at, section];
        let own: &[&str] = match uncommented(lines[section]).unwrap_or("") {
            "[inet_http_server]" => &["port"],
            "[program:theprogramname]" => &["command"],
            "[eventlistener:theeventlistenername]" => &["command", "events"],
            "[fcgi-program:thefcgiprogramname]" => &["command", "socket"],
            "[include]" => &["files"],
            "[group:thegroupname]" => &["programs"],
            "" => &[],
            other => panic!("{other} is not known to this test"),
        };
        counting.extend(own.iter().map(|key| starting(section, key).unwrap()));
        if lines[section] == ";[group:thegroupname]" {
            let program = starting(0, "[program:").unwrap();
            counting.extend([program, program + 1]);
        }
        if option.starts_with("username=") || option.starts_with("password=") {
            counting.extend(
                [starting(section, "username"), starting(section, "password")].map(Option::unwrap),
            );
        }
        let line = |(index, line): (usize, &&str)| match uncommented(line) {
            Some(rest) if counting.contains(&index) => rest.to_owned(),
            _ => (*line).to_owned(),
        };
        let text: Vec<String> = lines.iter().enumerate().map(line).collect();
        fs::write(&file, text.join("\n")).unwrap();
        let mut check = Command::new(Side::Ours.supervisord());
        let output = run(check.arg("--check").arg("-c").arg(&file), 20);
        let name = file.display();
        assert_eq!(output.stdout, format!("{name}: no problems found\n"), "{option}: {output:?}");
        count += 1;
    }
    assert!(count > 80, "{count}");
}
