use super::*;
use std::fs;
use std::path::PathBuf;

use crate::sys::file::Mode;

fn log(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("minder-shared-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir.join("a.log")
}

fn join(slots: &Slots, path: &Path, limits: Limits) -> Writer {
    let open = || Rotating::open(path, Mode::Usual, limits);
    let tally = Arc::new(Tally::new(Arc::default()));
    Writer::join((slots, &tally), Output::Stdout, path, limits, open, &mut |_| {}).unwrap()
}

fn write(writer: &mut Writer, data: &str) {
    writer.write(data.as_bytes(), &mut |trouble| panic!("{trouble:?}"));
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

const NEVER: Limits = Limits { max_bytes: 0, backups: 0 };

#[test]
fn a_held_line_goes_once_it_is_whole_and_no_other_is_open() {
    let path = log("lines");
    let slots = Slots::default();
    let mut old = join(&slots, &path, NEVER);
    write(&mut old, "one\n");
    old.hold_lines();
    write(&mut old, "two\nthr");
    assert_eq!(text(&path), "one\ntwo\n");
    let mut new = join(&slots, &path, NEVER);
    write(&mut new, "[new");
    write(&mut old, "ee\n");
    assert_eq!(text(&path), "one\ntwo\n[new");
    let now = Instant::now();
    assert!(old.settle(now, &mut |_| {}).waits);
    write(&mut new, " line]\n");
    assert_eq!(old.settle(now, &mut |_| {}), Holding::default());
    assert_eq!(text(&path), "one\ntwo\n[new line]\nthree\n");
    // Nobody has to end a line.
    write(&mut new, "prompt> ");
    write(&mut old, "four\nfi");
    let later = Instant::now() + PATIENCE;
    assert!(!old.settle(later, &mut |_| {}).waits);
    assert_eq!(text(&path), "one\ntwo\n[new line]\nthree\nprompt> four\n");
    old.finish(&mut |_| {});
    assert!(text(&path).ends_with("four\nfi"));
}

#[test]
fn what_is_held_has_a_bound() {
    let path = log("bound");
    let slots = Slots::default();
    let [mut old, mut new] = [(); 2].map(|()| join(&slots, &path, NEVER));
    old.hold_lines();
    write(&mut new, "open");
    write(&mut old, &"x".repeat(MOST_HELD));
    assert_eq!(old.settle(Instant::now(), &mut |_| {}), Holding { waits: true, full: true });
    write(&mut new, "\n");
    assert_eq!(old.settle(Instant::now(), &mut |_| {}), Holding::default());
    assert_eq!(text(&path).len(), "open\n".len() + MOST_HELD);
}

#[test]
fn who_rotates_rotates_for_all() {
    let path = log("rotates");
    let slots = Slots::default();
    let limits = Limits { max_bytes: 40, backups: 50 };
    let [mut old, mut new] = [(); 2].map(|()| join(&slots, &path, limits));
    old.hold_lines();
    for n in 0..50 {
        write(&mut old, &format!("old {n:03}\n"));
        write(&mut new, &format!("new {n:03}\n"));
    }
    let backups = (1..=50).map(|n| path.with_extension(format!("log.{n}")));
    let all = backups.chain([path.clone()]).filter_map(|path| fs::read_to_string(path).ok());
    let mut lines: Vec<String> =
        all.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    lines.sort();
    let of = |name: &'static str| (0..50).map(move |n| format!("{name} {n:03}"));
    assert_eq!(lines, of("new").chain(of("old")).collect::<Vec<_>>());
}

#[test]
fn one_who_joins_finds_the_file_of_that_name() {
    let path = log("joins");
    let slots = Slots::default();
    let mut old = join(&slots, &path, NEVER);
    write(&mut old, "moved\n");
    fs::rename(&path, path.with_extension("moved")).unwrap();
    let mut new = join(&slots, &path, NEVER);
    write(&mut old, "old\n");
    write(&mut new, "new\n");
    assert_eq!(text(&path), "old\nnew\n");
    let other = path.with_extension("other");
    let mut elsewhere = join(&slots, &other, NEVER);
    write(&mut elsewhere, "elsewhere\n");
    assert_eq!((text(&path).as_str(), text(&other).as_str()), ("old\nnew\n", "elsewhere\n"));
}

#[test]
fn clearing_is_for_those_who_have_it_open() {
    let path = log("clear");
    let slots = Slots::default();
    let file = LogFile { path: path.as_path().into(), auto: false, limits: NEVER };
    let mut old = join(&slots, &path, NEVER);
    write(&mut old, "old\n");
    slots.clear(Output::Stdout, &file).unwrap();
    write(&mut old, "new\n");
    assert_eq!(text(&path), "new\n");
    drop(old);
    slots.clear(Output::Stdout, &file).unwrap();
    assert_eq!(text(&path), "");
}

#[test]
fn only_who_may_be_outlived_is_found_again() {
    let open = OpenLogs::default();
    let first = open.of("g", "a", true);
    assert!(Arc::ptr_eq(&first, &open.of("g", "a", false)));
    assert!(!Arc::ptr_eq(&first, &open.of("g", "b", false)));
    let unnoted = open.of("g", "b", false);
    assert!(!Arc::ptr_eq(&unnoted, &open.of("g", "b", false)));
    let weak = Arc::downgrade(&first);
    drop(first);
    assert!(weak.upgrade().is_none());
    open.of("g", "c", false);
    assert!(open.0.lock().unwrap().is_empty());
}
