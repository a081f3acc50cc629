use super::*;

fn program(command: &str) -> Program {
    Program::plain("a", command)
}

fn problem(command: &str) -> String {
    resolve(&program(command), Some("/usr/bin:/bin")).unwrap_err().to_string()
}

#[test]
fn finds_on_path() {
    let found = resolve(&program("sh -c true"), Some("/nowhere:/bin/")).unwrap();
    assert_eq!(found.file, "/bin/sh");
    assert_eq!(found.argv, ["sh", "-c", "true"]);
    let mut own = program("sh");
    own.environment = vec![("PATH".to_owned(), "/nowhere".to_owned())];
    let problem = resolve(&own, Some("/bin")).unwrap_err();
    assert_eq!(problem.to_string(), "can't find command 'sh'");
    assert!(resolve(&program("sh"), None).is_ok(), "the default PATH");
}

#[test]
fn an_empty_part_of_path_is_the_directory() {
    let mut own = program("sh");
    own.directory = Some("/bin".to_owned());
    for path in ["", ":/nowhere", "/nowhere:"] {
        own.environment = vec![("PATH".to_owned(), path.to_owned())];
        assert_eq!(resolve(&own, None).unwrap().file, "sh", "{path:?}");
    }
    own.environment = vec![("PATH".to_owned(), "/nowhere".to_owned())];
    assert!(resolve(&own, None).is_err(), "a bare word is no file of the directory");
}

#[test]
fn tells_what_is_wrong() {
    assert_eq!(problem("/no/such/file"), "can't find command '/no/such/file'");
    assert_eq!(problem("nosuchword"), "can't find command 'nosuchword'");
    assert_eq!(problem("/tmp"), "command at '/tmp' is a directory");
    assert_eq!(problem("/etc/passwd"), "command at '/etc/passwd' is not executable");
    assert_eq!(problem(""), "command is empty");
}

#[test]
fn a_relative_file_is_sought_in_the_directory() {
    let mut relative = program("./sh");
    assert!(resolve(&relative, None).is_err());
    relative.directory = Some("/bin".to_owned());
    assert_eq!(resolve(&relative, None).unwrap().file, "./sh");
}
