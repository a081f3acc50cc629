use super::*;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A child that leads a group, once it has written a byte, as the daemon would have written it
/// down.
fn child(script: &str, variables: &[(&str, &str)]) -> (Child, Entry) {
    let mut command = Command::new("/bin/sh");
    for name in ["SUPERVISOR_GROUP_NAME", "SUPERVISOR_PROCESS_NAME"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    let command = command.args(["-c", script]).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap();
    let mut byte = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
    let pid = child.id() as i32;
    let began = pidfd::began(pid).unwrap();
    (child, Entry { pid, began, name: "a".to_owned() })
}

#[test]
fn only_the_process_that_began_then_is_meant() {
    let (mut child, entry) = child("echo; exec sleep 1000", &[]);
    for began in [entry.began - 1, entry.began + 1] {
        let other = Entry { began, ..entry.clone() };
        let found = still_running(vec![other]);
        assert!(found.ours.is_empty() && found.doubtful.is_empty());
    }
    let found = still_running(vec![entry.clone(), entry.clone()]).ours;
    assert_eq!(found.len(), 1);
    assert!(found[0].orphans.is_empty());
    end(found, &mut |_| panic!("it obeys")).unwrap();
    // It is our child: a zombie until now, which is no leftover.
    assert!(still_running(vec![entry.clone()]).ours.is_empty());
    child.wait().unwrap();
    assert!(still_running(vec![entry]).ours.is_empty());
}

#[test]
fn a_group_ends_with_those_who_do_not_obey() {
    // The one who leads ends at TERM, the other in its group does not.
    let script = "(trap '' TERM; echo; while :; do sleep 1; done) & wait";
    let (mut child, entry) = child(script, &[]);
    let found = still_running(vec![entry.clone()]).ours;
    let mut killed = 0;
    let begun = Instant::now();
    end(found, &mut |_| killed += 1).unwrap();
    assert!(begun.elapsed() >= OBEDIENCE);
    assert_eq!(killed, 1);
    assert!(!group_lives(entry.pid));
    child.wait().unwrap();
}

/// A group whose leader has ended and was waited for; the process that is left in it.
fn orphaned(variables: &[(&str, &str)]) -> (Entry, i32) {
    let (mut leader, entry) = child("sleep 1000 & echo; wait", variables);
    leader.kill().unwrap();
    leader.wait().unwrap();
    assert_eq!(pidfd::began(entry.pid), None);
    let [orphan] = members(entry.pid)[..] else { panic!("one is left") };
    (entry, orphan)
}

const OURS: [(&str, &str); 2] = [("SUPERVISOR_GROUP_NAME", "g"), ("SUPERVISOR_PROCESS_NAME", "a")];

fn kill(group: i32) {
    signals::send(group, libc::SIGKILL, Scope::Group).unwrap();
}

#[test]
fn what_a_child_that_has_ended_left_in_its_group_is_meant() {
    let (entry, orphan) = orphaned(&OURS);
    let ours = Entry { name: "g:a".to_owned(), ..entry.clone() };
    // An earlier one with its pid is gone with its group.
    let earlier = Entry { began: entry.began - 1, name: "g:b".to_owned(), ..entry.clone() };
    let found = still_running(vec![earlier, ours.clone(), ours.clone()]);
    assert_eq!(found.doubtful, []);
    assert_eq!(found.ours.len(), 1);
    assert_eq!((&found.ours[0].entry, &found.ours[0].orphans), (&ours, &vec![orphan]));
    end(found.ours, &mut |_| panic!("it obeys")).unwrap();
    assert!(!group_lives(entry.pid));
    let found = still_running(vec![ours]);
    assert!(found.ours.is_empty() && found.doubtful.is_empty());
}

#[test]
fn a_group_that_may_be_of_another_is_told_and_left() {
    let group = [("SUPERVISOR_GROUP_NAME", "g")];
    let (entry, orphan) = orphaned(&OURS);
    let (nameless, silent) = orphaned(&group);
    let named = |entry: &Entry, name: &str| Entry { name: name.to_owned(), ..entry.clone() };
    let doubtful = |entry: Entry, pid| Doubtful { entry, pids: vec![pid] };
    // Other names, none, and a process that was there before the child.
    let later = Entry { began: u64::MAX, ..named(&entry, "g:a") };
    for (entry, pid) in [
        (named(&entry, "a"), orphan),
        (named(&entry, "g:b"), orphan),
        (named(&nameless, "g:a"), silent),
        (later, orphan),
    ] {
        let found = still_running(vec![entry.clone()]);
        assert!(found.ours.is_empty());
        assert_eq!(found.doubtful, [doubtful(entry, pid)]);
    }
    kill(entry.pid);
    kill(nameless.pid);
}
