//! What Supervisor's client does not have.

use super::*;

/// Four processes: a group of two alike, one of two unlike, two of their own.
fn four() -> Result<Value, CallError> {
    list(vec![
        info("g", "api", (20, "RUNNING"), ""),
        info("g", "web", (20, "RUNNING"), ""),
        info("web", "web", (0, "STOPPED"), ""),
        info("worker", "worker_0", (20, "RUNNING"), ""),
        info("worker", "worker_1", (20, "RUNNING"), ""),
    ])
}

/// What came of a line, and what stderr was told.
fn told(line: &str, answers: Answers) -> (Outcome, String) {
    let (mut session, daemon) = session(answers, false, "");
    assert_eq!(session.run(line), Next::Continue);
    let calls = std::mem::take(&mut daemon.borrow_mut().calls);
    let errors = session.out.take_errors();
    (Outcome { lines: session.out.take(), exit: session.exit, calls }, errors)
}

mod json {
    use super::*;

    #[test]
    fn status_has_every_field_of_what_was_asked_for() {
        let outcome = up("status --json web", vec![four()]);
        let line = "{\"group\": \"web\", \"name\": \"web\", \"state\": 0, \
            \"statename\": \"STOPPED\", \"description\": \"\", \"pid\": 0}";
        let calls = ["getAllProcessInfo"];
        is(&outcome, &format!("[\n{line}\n]\n"), Exit::STATUS_STOPPED, &calls);
        assert_eq!(up("status --json", vec![four()]).lines.lines().count(), 7);
        assert_eq!(up("status worker:* --json", vec![four()]).lines.lines().count(), 4);
        assert_eq!(up("status --json", vec![list(vec![])]).lines, "[]\n");
    }

    #[test]
    fn failures_do_not_stand_in_it() {
        let (outcome, errors) = told("status --json no g:*", vec![text("3.0"), four()]);
        assert_eq!((outcome.lines.lines().count(), outcome.exit), (4, Exit::STATUS_UNKNOWN));
        assert_eq!(errors, "no: ERROR (no such process)\n");
        let (outcome, errors) = told("status --json", vec![refused()]);
        assert_eq!((outcome.lines.as_str(), outcome.exit), ("", Exit::STATUS_UNKNOWN));
        assert!(errors.starts_with("http://h:1 refused connection\n"), "{errors}");
        let (outcome, errors) = told("status --json", vec![unauthorized()]);
        assert_eq!((outcome.lines.as_str(), outcome.exit), ("", FAILURE));
        assert_eq!(errors, "Server requires authentication\n");
        let (outcome, errors) = told("status --json", vec![text("2.0")]);
        assert!(outcome.lines.is_empty() && errors.starts_with("Sorry, this version"), "{errors}");
        let (outcome, errors) = told("status --json", vec![fault(6, "SHUTDOWN_STATE")]);
        assert!(outcome.lines.is_empty() && errors.contains("SHUTDOWN_STATE"), "{errors}");
    }

    #[test]
    fn the_next_line_of_a_shell_is_as_ever() {
        let (mut session, _) = session(vec![refused(), refused()], true, "");
        session.run("status --json");
        session.run("status");
        assert_eq!(session.out.take(), "http://h:1 refused connection\n");
    }
}

#[test]
fn a_connection_that_fails_is_explained_beside_the_line() {
    let refusal = "supervisorctl: tried h, port 1 (as the test says): \
        [Errno 111] Connection refused\n";
    for line in ["status", "pid", "reread", "stop x"] {
        let (outcome, errors) = told(line, vec![refused()]);
        assert_eq!(outcome.lines, "http://h:1 refused connection\n", "{line}");
        assert_eq!(errors, refusal, "{line}");
    }
    let (outcome, errors) = told("shutdown", vec![refused()]);
    let line = "ERROR: http://h:1 refused connection (already shut down?)\n";
    assert_eq!((outcome.lines.as_str(), errors.as_str()), (line, refusal));
    let (_, errors) = told("open unix:///x", vec![missing()]);
    let wanted = "supervisorctl: tried the socket /x (as open was told): \
        [Errno 2] No such file or directory\n";
    assert_eq!(errors, wanted);
    let (_, errors) = told("pid", vec![Err(CallError::Lookup("Name not known".into()))]);
    assert!(errors.ends_with("[Errno -2] Name not known\n"), "{errors}");
    // What the daemon itself says needs no explanation.
    assert_eq!(told("pid", vec![fault(6, "SHUTDOWN_STATE")]).1, "");
}

#[test]
fn colours_leave_the_columns() {
    let options = Options { color: Color::Always, ..options("supervisor", false) };
    let states =
        [(20, "RUNNING"), (10, "STARTING"), (200, "FATAL"), (0, "STOPPED"), (1, "ODD STATE NAME")];
    let infos = states.map(|state| info("x", "x", state, "d"));
    let daemon =
        Daemon { answers: vec![text("3.0"), list(infos.into())].into(), ..Daemon::default() };
    let fake = Box::new(Fake(Rc::new(RefCell::new(daemon))));
    let typed = Box::new(Typed(VecDeque::new()));
    let mut session = Session::new(&options, fake, typed, Output::kept());
    session.run("status");
    let name = format!("{:33}", "x");
    let wanted = [
        "\x1b[32mRUNNING\x1b[0m   d",
        "\x1b[33mSTARTING\x1b[0m  d",
        "\x1b[31mFATAL\x1b[0m     d",
        "STOPPED   d",
        "ODD STATE NAMEd",
    ];
    let wanted: String = wanted.iter().map(|rest| format!("{name}{rest}\n")).collect();
    assert_eq!(session.out.take(), wanted);
}
