//! What our supervisorctl has beyond Supervisor's.

use std::{fs, process::Command};

use crate::support::{Scratch, Setup, Side, free_port, run};

#[test]
fn credentials_come_from_a_file_or_the_environment() {
    if !Side::ours_only("its client does not have it") {
        return;
    }
    let port = free_port();
    let login = format!("port=127.0.0.1:{port}\nusername=u\npassword=p%%q");
    let d = Setup::new().section(&format!("[inet_http_server:b]\n{login}")).start();
    let url = format!("http://127.0.0.1:{port}");
    let file = d.path("password");
    let file = file.to_str().unwrap();
    let ask = |section: &str, args: &[&str], env: &[(&str, &str)]| {
        let config = d.path("ctl.conf");
        fs::write(&config, format!("[supervisorctl]\nserverurl={url}\n{section}\n")).unwrap();
        let mut command = Command::new(Side::Ours.supervisorctl());
        command.env_remove("SUPERVISOR_USERNAME").env_remove("SUPERVISOR_PASSWORD");
        command.arg("-c").arg(&config).args(args).arg("version").envs(env.iter().copied());
        run(&mut command, 20)
    };
    let right = |section: &str, args: &[&str], env: &[(&str, &str)]| {
        let answer = ask(section, args, env);
        assert!(answer.stdout.starts_with("4.3.0"), "{section:?} {args:?} {env:?}: {answer:?}");
    };
    let wrong = |section: &str, args: &[&str], env: &[(&str, &str)]| {
        ask(section, args, env).expect("Server requires authentication\n", 1);
    };
    const NAME: (&str, &str) = ("SUPERVISOR_USERNAME", "u");
    const PASSWORD: (&str, &str) = ("SUPERVISOR_PASSWORD", "p%q");
    for text in ["p%q", "p%q\n", "p%q\r\nmore\n"] {
        fs::write(file, text).unwrap();
        right("", &["-u", "u", "--password-file", file], &[]);
    }
    right("", &[], &[NAME, PASSWORD]);
    right("username=u", &[], &[PASSWORD]);
    right("password=p%%q", &[], &[NAME]);
    right("username=u", &["-p", "p%q"], &[("SUPERVISOR_USERNAME", "other")]);
    // The command line, then the file, then the environment.
    right("username=no\npassword=no", &["-u", "u", "--password-file", file], &[]);
    right("username=u\npassword=p%%q", &[], &[("SUPERVISOR_PASSWORD", "no")]);
    wrong("password=no", &[], &[NAME, PASSWORD]);
    wrong("", &["-p", "no"], &[NAME, PASSWORD]);
    wrong("", &[], &[("SUPERVISOR_USERNAME", ""), PASSWORD]);
    let place = Scratch::new();
    let no_such = place.path().join("none");
    for (path, why) in [
        (no_such.to_str().unwrap(), "[Errno 2] No such file or directory"),
        (place.path().to_str().unwrap(), "[Errno 21] Is a directory"),
    ] {
        let answer = ask("", &["-u", "u", "--password-file", path], &[]);
        let line = format!("Error: could not read password file {path}: {why}");
        assert_eq!((answer.stderr.lines().next(), answer.code), (Some(line.as_str()), 2));
    }
}
