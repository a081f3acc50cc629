//! Ansible's module community.general.supervisorctl, which reads our supervisorctl's lines.

use std::process::Command;

use crate::{
    PASSWORD, USER, Way, client, fixture, guarded,
    support::{Setup, Side, run},
    url,
};

fn play(way: Way) {
    let sig = "#!/bin/sh\ntrap 'echo usr1' USR1\necho ready\nwhile :; do sleep 0.1; done\n";
    let d = guarded(Setup::new())
        .script("sig", sig)
        .program("web", "command=/bin/sleep 1000\nstartsecs=0\nautostart=false")
        .program("sig", "command=%(here)s/sig\nstartsecs=0\nstdout_logfile=%(here)s/sig.log")
        .program(
            "w",
            "command=/bin/sleep 1000\nstartsecs=0\nnumprocs=2\nautostart=false\n\
             process_name=%(program_name)s_%(process_num)d",
        )
        .start();
    d.wait_file("sig.log", 15, |text| text.contains("ready"));
    d.append("[program:fresh]\ncommand=/bin/sleep 1000\nstartsecs=0\n");
    let python = client("venv/bin/python");
    let mut command = Command::new(client("venv/bin/ansible-playbook"));
    command
        .args(["-i", "localhost,", "-c", "local"])
        .arg("-e")
        .arg(format!("ansible_python_interpreter={}", python.display()))
        .arg("-e")
        .arg(format!("ctl={} conf={}", Side::Ours.supervisorctl().display(), d.config.display()))
        .arg(fixture("playbook.yml"))
        .env("ANSIBLE_COLLECTIONS_PATH", client(""))
        .env("ANSIBLE_NOCOLOR", "1")
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", d.path(""))
        .current_dir(d.path(""));
    // The configuration names the unix socket and the password.
    if way == Way::Tcp {
        let url = url(&d, way);
        command.arg("-e").arg(format!("url={url} user={USER} secret={PASSWORD}"));
    }
    let output = run(&mut command, 180);
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("failed=0"), "{}", output.stdout);
    assert_eq!(d.state("web"), "RUNNING");
    assert_eq!((d.state("w:w_0").as_str(), d.state("w:w_1").as_str()), ("STOPPED", "STOPPED"));
    assert_eq!(d.state("fresh"), "", "it was removed");
    assert_eq!(d.read("sig.log"), "ready\nusr1\n");
}

#[test]
fn ansible_manages_programs_over_unix() {
    play(Way::Unix);
}

#[test]
fn ansible_manages_programs_over_tcp() {
    play(Way::Tcp);
}
