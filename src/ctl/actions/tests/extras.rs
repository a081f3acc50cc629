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

fn results(group: &str, names: &[&str]) -> Result<Value, CallError> {
    list(names.iter().map(|name| result(group, name, 80, "OK")).collect())
}

/// What came of a line, and what stderr was told.
fn told(line: &str, answers: Answers) -> (Outcome, String) {
    let (mut session, daemon) = session(answers, false, "");
    assert_eq!(session.run(line), Next::Continue);
    let calls = std::mem::take(&mut daemon.borrow_mut().calls);
    let errors = session.out.take_errors();
    (Outcome { lines: session.out.take(), exit: session.exit, calls }, errors)
}

mod patterns {
    use super::*;

    #[test]
    fn processes_by_their_own_names() {
        let calls = ["getAllProcessInfo", "stopProcess worker:worker_0"];
        let calls = [calls.as_slice(), &["stopProcess worker:worker_1"]].concat();
        let lines = "worker:worker_0: stopped\nworker:worker_1: stopped\n";
        for word in ["worker_*", "worker:worker_?", "worker:*_[01]", "w*r:*_*"] {
            let outcome = up(&format!("stop {word}"), vec![four(), yes(), yes()]);
            is(&outcome, lines, SUCCESS, &calls);
        }
        // `web` of the group g, and the program of that name.
        let outcome = up("stop w?b", vec![four(), yes(), yes()]);
        let calls = ["getAllProcessInfo", "stopProcess g:web", "stopProcess web"];
        is(&outcome, "g:web: stopped\nweb: stopped\n", SUCCESS, &calls);
    }

    #[test]
    fn whole_groups() {
        let answers = vec![four(), results("web", &["web"]), results("worker", &[])];
        let calls = ["getAllProcessInfo", "startProcessGroup web", "startProcessGroup worker"];
        is(&up("start w*:*", answers), "web: started\n", SUCCESS, &calls);
        // The exact one costs no question, as ever.
        let answers = vec![results("worker", &["worker_0"])];
        is(
            &up("start worker:*", answers),
            "worker:worker_0: started\n",
            SUCCESS,
            &["startProcessGroup worker"],
        );
    }

    #[test]
    fn exact_names_first() {
        let odd = || list(vec![info("a*", "a*", (0, ""), ""), info("ab", "ab", (0, ""), "")]);
        let calls = ["getAllProcessInfo", "startProcess a*"];
        is(&up("start a*", vec![odd(), yes()]), "a*: started\n", SUCCESS, &calls);
        let calls = ["getAllProcessInfo", "startProcessGroup a*"];
        let answers = vec![odd(), results("a*", &["a*"])];
        is(&up("start a*:*", answers), "a*: started\n", SUCCESS, &calls);
    }

    /// Neither the group that is added already nor the one that is not active yet is a pattern.
    #[test]
    fn exact_names_of_groups_that_the_action_does_not_take() {
        let config = |group: &str, inuse: bool| {
            record(&[("group", group.into()), ("name", "x".into()), ("inuse", inuse.into())])
        };
        let active = || list(vec![info("w*", "x", (0, ""), "")]);
        let configs = || list(vec![config("w*", true), config("wx", false)]);
        let outcome = bare("add w*", vec![configs(), active(), fault(90, "")]);
        let calls = ["getAllConfigInfo", "getAllProcessInfo", "addProcessGroup w*"];
        is(&outcome, "ERROR: process group already active\n", SUCCESS, &calls);
        let active = || list(vec![info("wx", "x", (0, ""), "")]);
        let configs = || list(vec![config("w*", false), config("wx", true)]);
        let outcome = bare("remove w*", vec![configs(), active(), fault(10, "")]);
        let calls = ["getAllConfigInfo", "getAllProcessInfo", "removeProcessGroup w*"];
        is(&outcome, "ERROR: no such process/group: w*\n", FAILURE, &calls);
    }

    /// One that is named `all` is not everybody because a pattern matches it.
    #[test]
    fn a_program_that_is_named_all() {
        let two = || list(vec![info("all", "all", (20, ""), ""), info("b", "b", (20, ""), "")]);
        let calls = ["getAllProcessInfo", "stopProcess all"];
        is(&up("stop a*", vec![two(), yes()]), "all: stopped\n", SUCCESS, &calls);
        let calls = ["getAllProcessInfo", "stopProcess all", "startProcess all"];
        let lines = "all: stopped\nall: started\n";
        is(&up("restart al?", vec![two(), yes(), yes()]), lines, SUCCESS, &calls);
        let calls = ["getAllProcessInfo", "clearProcessLogs all"];
        is(&up("clear [a]ll", vec![two(), yes()]), "all: cleared\n", SUCCESS, &calls);
        let odd = || list(vec![info("a*", "a*", (0, ""), ""), info("ab", "ab", (0, ""), "")]);
        let calls = ["getAllProcessInfo", "readProcessStdoutLog a* Int(-1600) Int(0)"];
        is(&up("tail a*", vec![odd(), text("log\n")]), "log\n\n", SUCCESS, &calls);
        // The word itself is everybody, beside patterns too.
        is(&up("stop b* all", vec![list(vec![])]), "", SUCCESS, &["stopAllProcesses"]);
    }

    #[test]
    fn what_matches_nothing_is_unknown_as_ever() {
        let outcome = up("start no* x", vec![four(), fault(10, "BAD_NAME: no*"), yes()]);
        let calls = ["getAllProcessInfo", "startProcess no*", "startProcess x"];
        is(&outcome, "no*: ERROR (no such process)\nx: started\n", FAILURE, &calls);
        let outcome = up("stop no*:*", vec![four(), fault(10, "BAD_NAME: no*")]);
        let calls = ["getAllProcessInfo", "stopProcessGroup no*"];
        is(&outcome, "no*: ERROR (no such group)\n", FAILURE, &calls);
        let outcome = up("status no* n?:*", vec![four()]);
        let lines = "no*: ERROR (no such process)\nn?: ERROR (no such group)\n";
        is(&outcome, lines, Exit::STATUS_UNKNOWN, &["getAllProcessInfo"]);
    }

    #[test]
    fn every_action_knows_them() {
        let calls = ["getAllProcessInfo", "stopProcess g:api", "startProcess g:api"];
        let outcome = up("restart ap?", vec![four(), yes(), yes()]);
        is(&outcome, "g:api: stopped\ng:api: started\n", SUCCESS, &calls);
        let calls = ["getAllProcessInfo", "signalProcess g:api HUP"];
        is(&up("signal HUP ap?", vec![four(), yes()]), "g:api: signalled\n", SUCCESS, &calls);
        let calls = ["getAllProcessInfo", "clearProcessLogs g:api"];
        is(&up("clear ap?", vec![four(), yes()]), "g:api: cleared\n", SUCCESS, &calls);
        let calls = ["getAllProcessInfo", "getProcessInfo g:api"];
        let answer = || Ok(info("g", "api", (20, ""), ""));
        is(&up("pid ap?", vec![four(), answer()]), "7\n", SUCCESS, &calls);
        // Groups are no names to pid, unless a pattern says which.
        let calls = ["getAllProcessInfo", "getProcessInfo g:api", "getProcessInfo g:web"];
        is(&up("pid [g]:*", vec![four(), answer(), answer()]), "7\n7\n", SUCCESS, &calls);
        let calls = ["getProcessInfo g:*"];
        is(&up("pid g:*", vec![fault(10, "")]), "No such process g:*\n", FAILURE, &calls);
        let table = "g:api                            RUNNING   \n\
            g:web                            RUNNING   \n";
        is(&up("status g:[aw]*", vec![four()]), table, SUCCESS, &["getAllProcessInfo"]);
        is(&up("status g:*", vec![four()]), table, SUCCESS, &["getAllProcessInfo"]);
        is(
            &up("fg w*", vec![four()]),
            "ERROR: too many process names supplied\n",
            FAILURE,
            &["getAllProcessInfo"],
        );
        let outcome = up("fg ap*", vec![four(), Ok(info("g", "api", (0, ""), ""))]);
        let calls = ["getAllProcessInfo", "getProcessInfo g:api"];
        is(&outcome, "ERROR: process not running\n", FAILURE, &calls);
    }

    #[test]
    fn groups_to_add_to_remove_and_to_update() {
        let config = |group: &str, inuse: bool| {
            record(&[("group", group.into()), ("name", "x".into()), ("inuse", inuse.into())])
        };
        let configs = vec![config("wa", true), config("wb", false), config("wb", false)];
        let outcome = bare("add w*", vec![list(configs), four(), yes()]);
        let calls = ["getAllConfigInfo", "getAllProcessInfo", "addProcessGroup wb"];
        is(&outcome, "wb: added process group\n", SUCCESS, &calls);
        let none = || list(Vec::new());
        let outcome = bare("remove w* g", vec![none(), four(), yes(), yes(), yes()]);
        let calls = [
            "getAllConfigInfo",
            "getAllProcessInfo",
            "removeProcessGroup web",
            "removeProcessGroup worker",
            "removeProcessGroup g",
        ];
        let lines = "web: removed process group\nworker: removed process group\n\
            g: removed process group\n";
        is(&outcome, lines, SUCCESS, &calls);
        let outcome = bare("remove no*", vec![none(), four(), fault(10, "")]);
        let calls = ["getAllConfigInfo", "getAllProcessInfo", "removeProcessGroup no*"];
        is(&outcome, "ERROR: no such process/group: no*\n", FAILURE, &calls);
        let answers = vec![changes(&["wild", "x"], &[], &[]), four(), yes()];
        let outcome = bare("update w* no*", answers);
        let calls = ["reloadConfig", "getAllProcessInfo", "addProcessGroup wild"];
        let lines = "ERROR: no such group: no*\nwild: added process group\n";
        is(&outcome, lines, FAILURE, &calls);
    }
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
        assert_eq!(up("status worker_* --json", vec![four()]).lines.lines().count(), 4);
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

mod tails {
    use super::*;

    #[test]
    fn lines_of_several_stand_behind_their_names() {
        for (line, calls, lines) in [
            (
                "tail g:api web",
                [
                    "readProcessStdoutLog g:api Int(-1600) Int(0)",
                    "readProcessStdoutLog web Int(-1600) Int(0)",
                ],
                "g:api | a\ng:api | b\nweb   | c\n",
            ),
            (
                "tail -5 worker_* Stderr",
                [
                    "readProcessStderrLog worker:worker_0 Int(-5) Int(0)",
                    "readProcessStderrLog worker:worker_1 Int(-5) Int(0)",
                ],
                "worker:worker_0 | a\nworker:worker_0 | b\nworker:worker_1 | c\n",
            ),
            (
                "tail g:* g:web",
                [
                    "readProcessStdoutLog g:api Int(-1600) Int(0)",
                    "readProcessStdoutLog g:web Int(-1600) Int(0)",
                ],
                "g:api | a\ng:api | b\ng:web | c\n",
            ),
        ] {
            let outcome = up(line, vec![four(), text("a\nb\n"), text("c")]);
            is(&outcome, lines, SUCCESS, &[["getAllProcessInfo"].as_slice(), &calls].concat());
        }
        // One process that a pattern matches is named too, so that scripts can rely on it.
        let outcome = up("tail ap*", vec![four(), text("a\n")]);
        assert_eq!(outcome.lines, "g:api | a\n");
    }

    #[test]
    fn each_may_fail() {
        let outcome = up("tail g:api nope web", vec![four(), fault(20, ""), text("c\n")]);
        let lines = "nope: ERROR (no such process name)\ng:api: ERROR (no log file)\nweb   | c\n";
        assert_eq!((outcome.lines.as_str(), outcome.exit), (lines, FAILURE));
    }

    #[test]
    fn words_that_name_nothing_are_wrong_as_ever() {
        let four = || vec![four()];
        let one = |line: &str, answer| {
            let outcome = up(line, vec![list(vec![info("x", "x", (0, ""), "")]), answer]);
            (outcome.lines, outcome.calls[1..].join(","))
        };
        assert_eq!(up("tail web no", four()).lines, "Error: bad channel 'no'\n");
        begins(&up("tail web n1 n2 n3", four()), "Error: too many arguments", FAILURE);
        // A word between name and channel was never looked at.
        let call = "readProcessStdoutLog x Int(-1600) Int(0)";
        assert_eq!(one("tail x a stdout", text("log")), ("log\n".into(), call.into()));
        assert_eq!(one("tail x x", fault(10, "")).0, "Error: bad channel 'x'\n");
        let call = "readProcessStdoutLog no:* Int(-1600) Int(0)";
        let line = "no:*: ERROR (no such process name)\n";
        assert_eq!(one("tail no:*", fault(10, "")), (line.into(), call.into()));
        assert_eq!(up("tail -x web g:web", vec![]).lines, "Error: bad channel 'g:web'\n");
    }

    #[test]
    fn several_are_followed_at_once() {
        let first = "==> Press Ctrl-C to exit <==\n";
        let calls =
            ["getAllProcessInfo", "/logtail/g:api/stderr g:api | ", "/logtail/web/stderr web   | "];
        let outcome = up("tail -f g:api web stderr", vec![four()]);
        is(&outcome, &format!("{first}\n"), SUCCESS, &calls);
        let outcome = up("tail -f g:api web stderr", vec![four(), yes()]);
        is(&outcome, first, FAILURE, &calls);
    }
}
