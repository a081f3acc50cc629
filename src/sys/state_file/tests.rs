use super::*;
use std::os::unix::fs::PermissionsExt;

use crate::sys::pidfd;

fn path(name: &str) -> PathBuf {
    let name = format!("minder-state-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = fs::remove_file(&path);
    path
}

fn opened(path: &Path) -> (Arc<StateFile>, Vec<Entry>) {
    let (file, entries) = StateFile::open(path).unwrap();
    (Arc::new(file), entries)
}

#[test]
fn a_line_is_written_found_again_and_gone_with_its_place() {
    let path = path("line");
    let (file, entries) = opened(&path);
    assert_eq!(entries, []);
    file.begin().unwrap();
    let places = [(); 3].map(|()| file.reserve().unwrap());
    for (place, name) in places.iter().zip(["g:a", "with blank", "bad\nname"]) {
        place.record(name).write().unwrap();
    }
    let pid = std::process::id() as i32;
    let began = pidfd::began(pid).unwrap();
    let entry = |name: &str| Entry { pid, began, name: name.to_owned() };
    let read = |file: &StateFile| entries_of(&fs::read(&file.path).unwrap());
    assert_eq!(read(&file), [entry("g:a"), entry("with blank"), entry("bad?name")]);
    let [first, second, third] = places;
    drop(second);
    assert_eq!(read(&file), [entry("g:a"), entry("bad?name")]);
    // The next one gets the free place: the file grows no more.
    let again = file.reserve().unwrap();
    assert_eq!((again.number, fs::metadata(&path).unwrap().len()), (1, 4 * LINE as u64));
    drop((first, third, again));
    file.remove();
    assert!(!path.exists());
}

#[test]
fn a_name_is_known_again_however_it_was_written() {
    let path = path("name");
    let (file, _) = opened(&path);
    file.begin().unwrap();
    let long = "long name ".repeat(9) + "é";
    let names = ["g:a", "a", "with  two blanks", "bad\nname", &long];
    let places = names.map(|name| (file.reserve().unwrap(), name));
    for (place, name) in &places {
        place.record(name).write().unwrap();
    }
    let read = entries_of(&fs::read(&path).unwrap());
    for (at, entry) in read.iter().enumerate() {
        let known = names.map(|name| entry.is_named(name));
        assert_eq!(known, std::array::from_fn(|other| other == at), "{entry:?}");
    }
    assert_eq!(read.len(), names.len());
    drop(places);
    file.remove();
}

fn entries_of(text: &[u8]) -> Vec<Entry> {
    entries(text, fs::read_to_string(BOOT_ID).unwrap().trim())
}

#[test]
fn one_who_writes_while_it_is_made_anew_is_not_lost() {
    let path = path("anew");
    let (file, _) = opened(&path);
    file.begin().unwrap();
    let [first, second] = [(); 2].map(|()| file.reserve().unwrap());
    first.record("first").write().unwrap();
    first.written().unwrap();
    fs::remove_file(&path).unwrap();
    let third = file.reserve().unwrap();
    assert!(matches!(StateFile::open(&path), Err(Refused::InUse)));
    for (place, name) in [(&second, "second"), (&third, "third")] {
        place.record(name).write().unwrap();
        place.written().unwrap();
    }
    let names = |entries: Vec<Entry>| -> Vec<String> {
        entries.into_iter().map(|entry| entry.name).collect()
    };
    let text = fs::read(&path).unwrap();
    assert!(text.starts_with(HEAD.as_bytes()));
    assert_eq!(names(entries_of(&text)), ["first", "second", "third"]);
    drop((first, third));
    assert_eq!(names(entries_of(&fs::read(&path).unwrap())), ["second"]);
    file.remove();
    assert!(!path.exists());
}

#[test]
fn it_is_locked_and_only_ours() {
    let path = path("ours");
    let (held, _) = opened(&path);
    assert!(matches!(StateFile::open(&path), Err(Refused::InUse)));
    held.begin().unwrap();
    drop(held);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(StateFile::open(&path), Err(Refused::Foreign)));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "a file of somebody\n").unwrap();
    assert!(matches!(StateFile::open(&path), Err(Refused::Strange)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file of somebody\n");
    fs::write(&path, [0; 500]).unwrap();
    assert_eq!(opened(&path).1, []);
    assert!(matches!(StateFile::open(Path::new("/dev/zero")), Err(Refused::Strange)));
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    assert!(matches!(StateFile::open(&path), Err(Refused::Failed(_))));
    fs::remove_file(&path).unwrap();
}

#[test]
fn torn_and_foreign_lines_mean_nothing() {
    let good = "      4242             12345678 boot-1 g:a b";
    let text = format!(
        "{HEAD}\n{good}\n     4343        \n4444 99 boot-0 other boot\n1 5 boot-1 init\n\
         -7 5 boot-1 group\n0 5 boot-1 all\n4545 0 boot-1 unknown begin\n99999999999 5 boot-1 big\n\
         \0\0\0\n\u{fffd} x\n   4646   55 boot-1"
    );
    let entry = |pid, began, name: &str| Entry { pid, began, name: name.to_owned() };
    let want = vec![entry(4242, 12_345_678, "g:a b"), entry(4646, 55, "")];
    assert_eq!(entries(text.as_bytes(), "boot-1"), want);
    let mut bytes = text.into_bytes();
    // Wherever it is cut, and whatever byte is another, nothing is read that was not there.
    for at in 0..bytes.len() {
        let known = |entry: &Entry| want.iter().any(|other| other.pid == entry.pid);
        let cut = entries(&bytes[..at], "boot-1");
        assert!(
            cut.iter().all(|entry| known(entry) || "4242 4646".contains(&entry.pid.to_string()))
        );
        let old = std::mem::replace(&mut bytes[at], 0xff);
        entries(&bytes, "boot-1");
        bytes[at] = old;
    }
}

#[test]
fn the_beginning_of_a_process_with_an_odd_name() {
    let words = (3..=52).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    for name in ["a", "a b", ") (", "a) S 1 2"] {
        let stat = format!("17 ({name}) {words}\n");
        assert_eq!(beginning(stat.as_bytes()), Some(22), "{name}");
    }
    for bad in
        ["", "17 (a", "17 (a) S 1", "17 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18  "]
    {
        assert_eq!(beginning(bad.as_bytes()), None, "{bad}");
    }
    assert_eq!(own_beginning(), pidfd::began(std::process::id() as i32));
}

#[test]
fn lines_have_one_length() {
    for text in ["", "short", &"x".repeat(126), &"x".repeat(127), &"é".repeat(90), &"x".repeat(300)]
    {
        let line = line(text);
        assert_eq!((line.len(), line[LINE - 1]), (LINE, b'\n'));
        assert!(text.starts_with(str::from_utf8(&line).unwrap().trim_end()), "{text}");
    }
    let mut line = line("");
    put(&mut line, PID_END, 0);
    put(&mut line, BEGAN_END, u64::MAX);
    assert_eq!(str::from_utf8(&line).unwrap().trim_end(), "         0 18446744073709551615");
}
