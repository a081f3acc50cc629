use super::*;
use crate::config::options::GroupKind;

fn program() -> Program {
    let mut program = Program::plain("p", "c");
    program.stdout.logfile = ChildLog::Auto;
    program
}

fn group(name: &str, processes: Vec<Program>) -> Arc<Group> {
    let processes = processes.into_iter().map(Arc::new).collect();
    Arc::new(Group { name: name.to_owned(), priority: 999, kind: GroupKind::Programs, processes })
}

fn changed(old: impl Fn(&mut Program), new: impl Fn(&mut Program)) -> bool {
    let (mut a, mut b) = (program(), program());
    old(&mut a);
    new(&mut b);
    let changes = compare(&[group("g", vec![a])], &[group("g", vec![b])]);
    assert!(changes.added.is_empty() && changes.removed.is_empty());
    !changes.changed.is_empty()
}

#[test]
fn names_and_their_order() {
    let groups = |names: &[&str]| names.iter().map(|n| group(n, vec![])).collect::<Vec<_>>();
    let changes = compare(&groups(&["z", "b", "a"]), &groups(&["x", "b", "c"]));
    assert_eq!(changes.added, ["x", "c"]);
    assert_eq!(changes.removed, ["z", "a"]);
    assert!(changes.changed.is_empty());
}

#[test]
fn differences_of_groups() {
    let one = group("g", vec![program()]);
    let mut other = one.as_ref().clone();
    other.priority = 1;
    let active = [one];
    assert_eq!(compare(&active, &[group("g", vec![])]).changed, ["g"]);
    assert_eq!(compare(&active, &[Arc::new(other)]).changed, ["g"]);
}

#[test]
fn differences_of_processes() {
    let same = |_: &mut Program| {};
    assert!(!changed(same, same));
    assert!(changed(same, |p| p.command = "d".to_owned()));
    assert!(changed(same, |p| p.exitcodes = vec![0, 2]));
    assert!(changed(same, |p| p.stderr.syslog = true));
    assert!(changed(same, |p| p.configured_server_url = Some("x".into())));
    assert!(!changed(same, |p| p.server_url = Some("x".into())));
    let pairs = |list: &[&str]| list.iter().map(|k| (k.to_string(), String::new())).collect();
    assert!(!changed(
        |p| p.environment = pairs(&["a", "b"]),
        |p| p.environment = pairs(&["b", "a"])
    ));
    assert!(changed(|p| p.environment = pairs(&["a"]), |p| p.environment = pairs(&["b"])));
}

#[test]
fn auto_logs() {
    let file = || ChildLog::File("/x".to_owned());
    let log = |old: ChildLog, new: ChildLog| {
        changed(|p| p.stdout.logfile = old.clone(), |p| p.stdout.logfile = new.clone())
    };
    assert!(!log(ChildLog::Auto, ChildLog::Auto));
    assert!(!log(file(), ChildLog::Auto));
    assert!(!log(ChildLog::None, ChildLog::Auto));
    assert!(log(ChildLog::Auto, file()));
    assert!(log(ChildLog::Auto, ChildLog::None));
    assert!(log(ChildLog::None, file()));
    assert!(log(ChildLog::None, ChildLog::Empty));
    assert!(log(ChildLog::Auto, ChildLog::Empty));
    assert!(changed(|p| p.stdout.logfile = file(), |p| p.stdout.maxbytes = 5));
}
