use std::fs;

use super::*;
use crate::sys::users::Machine;

/// A directory of its own that goes with the test.
pub(super) struct Dir(pub(super) String);

impl Dir {
    pub(super) fn new(name: &str) -> Dir {
        let path = format!("{}/minder-{name}-{}", Machine.temp_dir(), std::process::id());
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    pub(super) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = format!("{}/{name}", self.0);
        fs::create_dir_all(dirname(&path)).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn load(&self, text: &str) -> Result<Options, String> {
        let path = self.file("main.conf", text);
        load(&path, &CommandLine::default(), &Machine, Patience::Endless)
            .map_err(|error| error.to_string())
    }

    /// The paths that a pattern names, without this directory.
    fn glob(&self, pattern: &str) -> Vec<String> {
        let mut found = matches(&format!("{}/{pattern}", self.0)).unwrap();
        found.sort();
        let below = |path: &String| path.strip_prefix(&self.0).unwrap()[1..].to_owned();
        found.iter().map(below).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_default_places() {
    assert_eq!(
        default_paths("/usr/local/bin/supervisord"),
        [
            "/usr/local/etc/supervisord.conf",
            "/usr/local/supervisord.conf",
            "supervisord.conf",
            "etc/supervisord.conf",
            "/etc/supervisord.conf",
            "/etc/supervisor/supervisord.conf",
        ]
    );
    assert_eq!(default_paths("supervisord")[..2], ["etc/supervisord.conf", "supervisord.conf"]);
    assert_eq!(
        ConfigError::NoDefaultFile(vec!["a".to_owned(), "b".to_owned()]).to_string(),
        "No config file found at default paths (a, b); use the -c option to specify a config file \
         at a different path"
    );
}

#[test]
fn files_that_cannot_be_read() {
    let dir = Dir::new("unreadable");
    let read = |path: &str| {
        load(path, &CommandLine::default(), &Machine, Patience::Short).unwrap_err().to_string()
    };
    let missing = format!("{}/none", dir.0);
    assert_eq!(read(&missing), format!("could not find config file {missing}"));
    assert_eq!(read(&dir.0), format!("could not read config file {}", dir.0));
    let binary = dir.file("b", b"[a]\n\xff\n");
    assert_eq!(read(&binary), format!("config file is not UTF-8 text (file: '{binary}', line: 2)"));
    let path = dir.file("e", "a=1\n");
    assert_eq!(
        read(&path),
        format!("File contains no section headers.\nfile: '{path}', line: 1\n'a=1\\n'")
    );
}

#[test]
fn patterns() {
    let dir = Dir::new("glob");
    for name in ["a.conf", "b.conf", ".h.conf", "[x", "d1/a", "d2/b", "d2/.c", "e*e"] {
        dir.file(name, "");
    }
    for (pattern, expected) in [
        ("*.conf", vec!["a.conf", "b.conf"]),
        ("**.conf", vec!["a.conf", "b.conf"]),
        (".*", vec![".h.conf"]),
        ("[.]h.conf", vec![]),
        ("?.conf", vec!["a.conf", "b.conf"]),
        ("[!a].conf", vec!["b.conf"]),
        ("[]a].conf", vec!["a.conf"]),
        ("[a", vec![]),
        ("[x", vec!["[x"]),
        ("**/a", vec!["d1/a"]),
        ("d?/*", vec!["d1/a", "d2/b"]),
        ("./d*/../a.conf", vec!["./d1/../a.conf", "./d2/../a.conf"]),
        ("d*/", vec!["d1/", "d2/"]),
        ("a.conf", vec!["a.conf"]),
        ("none/*", vec![]),
        ("e[*]e", vec!["e*e"]),
    ] {
        assert_eq!(dir.glob(pattern), expected, "{pattern}");
    }
}

#[test]
fn included_files_override_in_order() {
    let dir = Dir::new("include");
    dir.file("sub/2.conf", "[program:a]\ncommand=two\n");
    dir.file("sub/1.conf", "[program:a]\ncommand=one\ndirectory=%(here)s\n[include]\nfiles=x\n");
    let options = dir
        .load("[supervisord]\npidfile=%(here)s/p\n[include]\nfiles=none/* sub/*.conf\n")
        .unwrap();
    let program = &options.groups[0].processes[0];
    assert_eq!(program.command, "two");
    assert_eq!(program.directory.as_deref(), Some(format!("{}/sub", dir.0).as_str()));
    assert_eq!(options.supervisord.pidfile, format!("{}/p", dir.0));
    let texts: Vec<&str> = options.notices.iter().map(|n| n.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            format!("No file matches via include \"{}/none/*\"", dir.0),
            format!("Included extra file \"{}/sub/1.conf\" during parsing", dir.0),
            format!("Included extra file \"{}/sub/2.conf\" during parsing", dir.0),
        ]
    );
}

#[test]
fn errors_name_the_included_file() {
    let dir = Dir::new("include-error");
    let path = dir.file("i.conf", "[program:a]\ncommand=c\nautostart=x\n");
    assert_eq!(
        dir.load("[supervisord]\n[include]\nfiles=*i.conf\n").unwrap_err(),
        format!("not a valid boolean value: 'x' in section 'program:a' (file: '{path}')")
    );
    let path = dir.file("i.conf", "[program:a]\nfoo\n");
    assert_eq!(
        dir.load("[supervisord]\n[include]\nfiles=i.conf\n").unwrap_err(),
        format!("Source contains parsing errors: '{path}'\n\t[line  2]: 'foo\\n'")
    );
}

#[test]
fn a_directory_among_the_included_is_skipped() {
    let dir = Dir::new("include-directory");
    dir.file("d.conf/x", "");
    let options = dir.load("[supervisord]\n[include]\nfiles=*.conf\n").unwrap();
    // The main file matches too, and is read once more.
    assert_eq!(options.notices.len(), 2);
}

#[test]
fn an_included_file_that_leads_nowhere_is_told() {
    let dir = Dir::new("include-nowhere");
    std::os::unix::fs::symlink("nothing", format!("{}/a.inc", dir.0)).unwrap();
    let options = dir.load("[supervisord]\n[include]\nfiles=*.inc\n").unwrap();
    let told: Vec<&str> = options.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(
        told,
        [
            format!("Included extra file \"{}/a.inc\" during parsing", dir.0),
            format!(
                "Included file \"{}/a.inc\" can't be read and is left out: [Errno 2] No such file or \
                 directory",
                dir.0
            ),
        ]
    );
}

#[test]
fn supervisorctl_does_not_include() {
    let dir = Dir::new("ctl");
    let path = dir.file("x", "[supervisorctl]\nprompt=p\n[include]\nfiles=*\n");
    assert_eq!(load_ctl(&path, &Machine).unwrap().prompt, "p");
}

/// What is wrong with a disk, or lacks, may be there: only what is certain counts as no match.
#[test]
fn what_can_not_be_looked_at_now_is_not_missing() {
    for number in [libc::EMFILE, libc::ENOMEM, libc::EIO, libc::EINTR] {
        assert!(may_heal(&io::Error::from_raw_os_error(number)), "{number}");
    }
    for number in [libc::ENOENT, libc::ENOTDIR, libc::EACCES, libc::ELOOP, libc::ENAMETOOLONG] {
        assert!(!may_heal(&io::Error::from_raw_os_error(number)), "{number}");
    }
    let dir = Dir::new("no-match");
    dir.file("a", "");
    for pattern in ["none", "none/*", "a/*", "*/b", "a/"] {
        assert_eq!(dir.glob(pattern), [""; 0], "{pattern}");
    }
    assert_eq!(dir.glob(&"x".repeat(300)), [""; 0]);
}
