//! Each action against answers made up here: the calls it makes, its lines, its exit.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use super::super::client::{CallError, Server, StreamEnd, Tail, Transport};
use super::super::color::Color;
use super::super::input::{Heard, Input};
use super::super::options::Options;
use super::super::output::{Exit, Output};
use super::super::stream::Background;
use super::super::visible::Shown;
use super::{Next, Session};
use crate::xml_rpc::{Fault, Value};

/// What the made-up daemon got and will say.
#[derive(Default)]
struct Daemon {
    calls: Vec<String>,
    answers: VecDeque<Result<Value, CallError>>,
    credentials: Vec<Option<String>>,
}

struct Fake(Rc<RefCell<Daemon>>);

impl Transport for Fake {
    fn call(
        &mut self,
        server: &Server,
        method: &str,
        params: &[Value],
    ) -> Result<Value, CallError> {
        let mut daemon = self.0.borrow_mut();
        let mut call = method.strip_prefix("supervisor.").unwrap().to_owned();
        for param in params {
            match param {
                Value::String(text) => call.push_str(&format!(" {text}")),
                other => call.push_str(&format!(" {other:?}")),
            }
        }
        daemon.calls.push(call);
        daemon.credentials.push(server.password.clone());
        daemon.answers.pop_front().expect("an answer for each call")
    }

    fn stream(&mut self, _: &Server, path: &str, _: Shown) -> Result<StreamEnd, CallError> {
        let mut daemon = self.0.borrow_mut();
        daemon.calls.push(path.to_owned());
        daemon
            .answers
            .pop_front()
            .map_or(Ok(StreamEnd::Interrupted), |answer| answer.map(|_| StreamEnd::Closed))
    }

    fn follow(&mut self, _: &Server, tails: &[Tail], _: Shown) -> Result<StreamEnd, CallError> {
        let mut daemon = self.0.borrow_mut();
        daemon.calls.extend(tails.iter().map(|tail| format!("{} {}", tail.path, tail.prefix)));
        daemon
            .answers
            .pop_front()
            .map_or(Ok(StreamEnd::Interrupted), |answer| answer.map(|_| StreamEnd::Failed))
    }

    fn background(&mut self, _: &Server, paths: &[String], _: Shown) -> Background {
        self.0.borrow_mut().calls.extend_from_slice(paths);
        Background::default()
    }
}

/// What came of a line.
#[derive(Debug, PartialEq)]
struct Outcome {
    lines: String,
    exit: Exit,
    calls: Vec<String>,
}

type Answers = Vec<Result<Value, CallError>>;

fn options(prompt: &str, interactive: bool) -> Options {
    Options {
        server: Server { url: "http://h:1".into(), username: None, password: None },
        prompt: prompt.into(),
        history_file: None,
        warnings: Vec::new(),
        interactive,
        origin: "as the test says".into(),
        raw: false,
        color: Color::Never,
        words: vec![],
    }
}

/// What the user will type.
struct Typed(VecDeque<String>);

impl Input for Typed {
    fn line(&mut self, _: Option<BorrowedFd<'_>>) -> io::Result<Heard> {
        Ok(self.0.pop_front().map_or(Heard::End, Heard::Line))
    }
}

fn session(answers: Answers, interactive: bool, input: &str) -> (Session, Rc<RefCell<Daemon>>) {
    let daemon = Rc::new(RefCell::new(Daemon { answers: answers.into(), ..Daemon::default() }));
    let options = options("supervisor", interactive);
    let typed = Box::new(Typed(input.lines().map(str::to_owned).collect()));
    let session = Session::new(&options, Box::new(Fake(daemon.clone())), typed, Output::kept());
    (session, daemon)
}

fn outcome(mut session: Session, daemon: &Rc<RefCell<Daemon>>, line: &str) -> Outcome {
    assert_eq!(session.run(line), Next::Continue);
    let calls = std::mem::take(&mut daemon.borrow_mut().calls);
    Outcome { lines: session.out.take(), exit: session.exit, calls }
}

/// Runs a line against these answers.
fn bare(line: &str, answers: Answers) -> Outcome {
    let (session, daemon) = session(answers, false, "");
    outcome(session, &daemon, line)
}

/// The same, after a good answer to the question for the version, which is not told.
fn up(line: &str, mut answers: Answers) -> Outcome {
    answers.insert(0, text("3.0"));
    let mut outcome = bare(line, answers);
    assert_eq!(outcome.calls.remove(0), "getVersion");
    outcome
}

fn text(text: &str) -> Result<Value, CallError> {
    Ok(Value::from(text))
}

fn yes() -> Result<Value, CallError> {
    Ok(Value::Bool(true))
}

fn list(items: Vec<Value>) -> Result<Value, CallError> {
    Ok(Value::Array(items))
}

fn fault(code: i64, text: &str) -> Result<Value, CallError> {
    Err(CallError::Fault(Fault { code, text: text.into() }))
}

fn unauthorized() -> Result<Value, CallError> {
    Err(CallError::Status { code: 401, reason: "Unauthorized".into() })
}

fn refused() -> Result<Value, CallError> {
    Err(CallError::Io(io::Error::from_raw_os_error(111)))
}

fn missing() -> Result<Value, CallError> {
    Err(CallError::Io(io::Error::from_raw_os_error(2)))
}

fn record(members: &[(&str, Value)]) -> Value {
    Value::Struct(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn info(group: &str, name: &str, state: (i64, &str), description: &str) -> Value {
    record(&[
        ("group", group.into()),
        ("name", name.into()),
        ("state", state.0.into()),
        ("statename", state.1.into()),
        ("description", description.into()),
        ("pid", Value::Int(if state.0 == 20 { 7 } else { 0 })),
    ])
}

fn result(group: &str, name: &str, status: i64, description: &str) -> Value {
    record(&[
        ("group", group.into()),
        ("name", name.into()),
        ("status", status.into()),
        ("description", description.into()),
    ])
}

fn names(names: &[&str]) -> Value {
    Value::Array(names.iter().map(|name| Value::from(*name)).collect())
}

fn changes(added: &[&str], changed: &[&str], removed: &[&str]) -> Result<Value, CallError> {
    list(vec![Value::Array(vec![names(added), names(changed), names(removed)])])
}

#[track_caller]
fn is(outcome: &Outcome, lines: &str, exit: Exit, calls: &[&str]) {
    assert_eq!(outcome.lines, lines);
    assert_eq!(outcome.exit, exit);
    assert_eq!(outcome.calls, calls);
}

/// The lines begin so (the help of the action follows).
#[track_caller]
fn begins(outcome: &Outcome, line: &str, exit: Exit) {
    assert!(outcome.lines.starts_with(&format!("{line}\n")), "{}", outcome.lines);
    assert!(outcome.lines.lines().count() > 1, "help is missing: {}", outcome.lines);
    assert_eq!(outcome.exit, exit);
}

const SUCCESS: Exit = Exit::SUCCESS;
const FAILURE: Exit = Exit::FAILURE;

mod connection {
    use super::*;

    #[test]
    fn each_failure_has_its_line_and_exit() {
        let other = "Sorry, this version of supervisorctl expects to talk to a server with API \
            version 3.0, but the remote version is 2.0.\n";
        is(&bare("pid", vec![text("2.0")]), other, Exit::OTHER_VERSION, &["getVersion"]);
        let outcome = bare("pid", vec![fault(1, "UNKNOWN_METHOD")]);
        assert!(outcome.lines.starts_with("Sorry, supervisord responded but did not recognize"));
        assert_eq!(outcome.exit, Exit::NO_INTERFACE);
        is(
            &bare("pid", vec![refused()]),
            "http://h:1 refused connection\n",
            Exit::REFUSED,
            &["getVersion"],
        );
        is(
            &bare("pid", vec![missing()]),
            "http://h:1 no such file\n",
            Exit::NOT_RUNNING,
            &["getVersion"],
        );
        let line = "error: <class 'xmlrpc.client.Fault'>, <Fault 6: 'SHUTDOWN_STATE'>: file: http://h:1 line: 0\n";
        is(&bare("pid", vec![fault(6, "SHUTDOWN_STATE")]), line, FAILURE, &["getVersion"]);
        is(&bare("status", vec![fault(6, "SHUTDOWN_STATE")]), line, FAILURE, &["getVersion"]);
    }

    #[test]
    fn status_has_one_exit_for_all_of_them() {
        for answer in [text("2.0"), fault(1, "UNKNOWN_METHOD"), refused(), missing()] {
            assert_eq!(bare("status", vec![answer]).exit, Exit::STATUS_UNKNOWN);
        }
    }

    #[test]
    fn actions_that_do_not_ask_first_say_the_same() {
        for line in ["reread", "update", "avail", "add x", "remove x", "reload"] {
            let outcome = bare(line, vec![refused()]);
            assert_eq!(
                (outcome.lines.as_str(), outcome.exit),
                ("http://h:1 refused connection\n", Exit::REFUSED)
            );
        }
    }

    #[test]
    fn a_wanted_login_ends_a_single_command() {
        let line = "Server requires authentication\n";
        is(&bare("status", vec![unauthorized()]), line, FAILURE, &["getVersion"]);
    }

    #[test]
    fn a_user_is_asked_for_the_login_and_the_command_runs_again() {
        let answers = vec![unauthorized(), text("3.0"), Ok(Value::Int(5))];
        let (session, daemon) = session(answers, true, "u\np\n");
        let outcome = outcome(session, &daemon, "pid");
        let lines = "Server requires authentication\nUsername:Password:\n5\n";
        is(&outcome, lines, SUCCESS, &["getVersion", "getVersion", "getPID"]);
        assert_eq!(daemon.borrow().credentials.last(), Some(&Some("p".to_owned())));
    }
}

mod extras;

mod lines {
    use super::*;

    #[test]
    fn unknown_words() {
        for line in ["bogus x", "!ls", "-x", "status2"] {
            is(&bare(line, vec![]), &format!("*** Unknown syntax: {line}\n"), FAILURE, &[]);
        }
        is(&bare("  ", vec![]), "", SUCCESS, &[]);
    }

    #[test]
    fn leaving_prints_an_empty_line() {
        for line in ["exit", "quit", " quit now", "EOF"] {
            let (mut session, _) = session(vec![], false, "");
            assert_eq!(session.run(line), Next::Leave);
            assert_eq!((session.out.take().as_str(), session.exit), ("\n", SUCCESS));
        }
    }

    #[test]
    fn the_shell_shows_the_status_and_reads_lines() {
        let answers = vec![text("3.0"), list(vec![]), text("3.0"), Ok(Value::Int(5))];
        let (mut session, _) = session(answers, true, "\npid\r\n");
        super::super::super::shell::run(&mut session, &options("sv", true));
        assert_eq!(session.out.take(), "sv> sv> 5\nsv> \n");
    }

    #[test]
    fn help_lists_and_tells() {
        let outcome = bare("help", vec![]);
        let wanted = "\ndefault commands (type help <topic>):\n\
            =====================================\n\
            add    exit      open  reload  restart   start   tail   \n\
            avail  fg        pid   remove  shutdown  status  update \n\
            clear  maintail  quit  reread  signal    stop    version\n\n";
        is(&outcome, wanted, SUCCESS, &[]);
        assert_eq!(bare("?", vec![]).lines, wanted);
        is(&bare("help x y", vec![]), "*** No help on x y\n", SUCCESS, &[]);
        for action in super::super::ACTIONS {
            assert!(
                !bare(&format!("? {}", action.0), vec![]).lines.starts_with("***"),
                "{}",
                action.0
            );
        }
    }
}

mod shown {
    use super::*;

    fn all() -> Result<Value, CallError> {
        list(vec![
            info("g", "a", (20, "RUNNING"), "pid 7, uptime 0:00:01"),
            info("g", "b", (10, "STARTING"), ""),
            info("x", "x", (0, "STOPPED"), "Not started"),
        ])
    }

    #[test]
    fn status_is_a_table() {
        let table = "g:a                              RUNNING   pid 7, uptime 0:00:01\n\
            g:b                              STARTING  \n\
            x                                STOPPED   Not started\n";
        for line in ["status", "status nosuch all"] {
            is(&up(line, vec![all()]), table, Exit::STATUS_STOPPED, &["getAllProcessInfo"]);
        }
    }

    #[test]
    fn status_of_names_keeps_their_order() {
        let table = "g:b                              STARTING  \n\
            g:a                              RUNNING   pid 7, uptime 0:00:01\n\
            g:b                              STARTING  \n";
        is(&up("status g:b g:*", vec![all()]), table, SUCCESS, &["getAllProcessInfo"]);
        let outcome = up("status n:x g m:* g:a", vec![all()]);
        let lines = "n:x: ERROR (no such process)\ng: ERROR (no such process)\n\
            m: ERROR (no such group)\n\
            g:a                              RUNNING   pid 7, uptime 0:00:01\n";
        is(&outcome, lines, Exit::STATUS_UNKNOWN, &["getAllProcessInfo"]);
        assert_eq!(up("status no x", vec![all()]).exit, Exit::STATUS_STOPPED);
    }

    #[test]
    fn status_widens_for_long_names() {
        let long = "n".repeat(40);
        let infos = list(vec![info(&long, &long, (200, "FATAL"), "d")]);
        let outcome = up("status", vec![infos]);
        assert_eq!(outcome.lines, format!("{long}   FATAL     d\n"));
    }

    #[test]
    fn pids() {
        is(&up("pid", vec![Ok(Value::Int(12))]), "12\n", SUCCESS, &["getPID"]);
        is(&up("pid all", vec![all()]), "7\n0\n0\n", SUCCESS, &["getAllProcessInfo"]);
        let answers = vec![
            Ok(info("g", "a", (20, "RUNNING"), "")),
            fault(10, "BAD_NAME: no"),
            Ok(info("x", "x", (0, "STOPPED"), "")),
        ];
        let calls = ["getProcessInfo g:a", "getProcessInfo no", "getProcessInfo x"];
        is(&up("pid g:a no x", answers), "7\nNo such process no\n0\n", Exit::NOT_RUNNING, &calls);
    }

    #[test]
    fn version_and_avail() {
        is(&up("version", vec![text("4.3.0")]), "4.3.0\n", SUCCESS, &["getSupervisorVersion"]);
        begins(&bare("version x", vec![]), "Error: version accepts no arguments", FAILURE);
        let config = |name: &str, flag: bool| {
            record(&[
                ("group", "g".into()),
                ("name", name.into()),
                ("inuse", flag.into()),
                ("autostart", flag.into()),
                ("group_prio", 3.into()),
                ("process_prio", 10.into()),
            ])
        };
        let lines = "g                                in use    auto      3:10\n\
            g:b                              avail     manual    3:10\n";
        let answer = list(vec![config("g", true), config("b", false)]);
        is(&bare("avail", vec![answer]), lines, SUCCESS, &["getAllConfigInfo"]);
        begins(&bare("avail x", vec![]), "Error: avail accepts no arguments", FAILURE);
        let outcome = bare("avail", vec![fault(6, "SHUTDOWN_STATE")]);
        is(&outcome, "ERROR: supervisor shutting down\n", FAILURE, &["getAllConfigInfo"]);
    }

    #[test]
    fn open_changes_the_daemon_but_not_the_exit() {
        is(&bare("open ftp://x", vec![]), "ERROR: url must be http:// or unix://\n", FAILURE, &[]);
        let outcome = bare("open unix:///x", vec![missing()]);
        is(&outcome, "unix:///x no such file\n", SUCCESS, &["getVersion"]);
    }
}

mod deeds {
    use super::*;

    #[test]
    fn start_has_words_for_each_result() {
        for (code, line, exit) in [
            (10, "x: ERROR (no such process)", FAILURE),
            (20, "x: ERROR (no such file)", FAILURE),
            (21, "x: ERROR (file is not executable)", FAILURE),
            (60, "x: ERROR (already started)", SUCCESS),
            (50, "x: ERROR (spawn error)", Exit::NOT_RUNNING),
            (40, "x: ERROR (abnormal termination)", Exit::NOT_RUNNING),
        ] {
            let outcome = up("start x", vec![fault(code, "T: x")]);
            is(&outcome, &format!("{line}\n"), exit, &["startProcess x"]);
            let all = up("start all", vec![list(vec![result("x", "x", code, "T: x")])]);
            is(&all, &format!("{line}\n"), exit, &["startAllProcesses"]);
        }
        let outcome = up("start x", vec![fault(6, "SHUTDOWN_STATE")]);
        assert!(
            outcome
                .lines
                .starts_with("error: <class 'xmlrpc.client.Fault'>, <Fault 6: 'SHUTDOWN_STATE'>")
        );
        assert_eq!(outcome.exit, FAILURE);
    }

    #[test]
    fn stop_and_signal_have_words_for_each_result() {
        for (code, line, stop, signal) in [
            (10, "x: ERROR (no such process)", FAILURE, FAILURE),
            (70, "x: ERROR (not running)", SUCCESS, Exit::NOT_RUNNING),
            (30, "FAILED: why", FAILURE, FAILURE),
            (11, "x: ERROR (bad signal name)", FAILURE, FAILURE),
        ] {
            let line = format!("{line}\n");
            is(&up("stop x", vec![fault(code, "FAILED: why")]), &line, stop, &["stopProcess x"]);
            let signalled = up("signal HUP x", vec![fault(code, "FAILED: why")]);
            is(&signalled, &line, signal, &["signalProcess x HUP"]);
        }
        is(&up("signal 1 x", vec![yes()]), "x: signalled\n", SUCCESS, &["signalProcess x 1"]);
    }

    #[test]
    fn names_groups_and_all() {
        let results = || list(vec![result("g", "a", 80, "OK"), result("g", "g", 70, "")]);
        let outcome = up("stop g:g h:b g:* g:", vec![yes(), yes(), results(), results()]);
        let lines = "g: stopped\nh:b: stopped\ng:a: stopped\ng: ERROR (not running)\n\
            g:a: stopped\ng: ERROR (not running)\n";
        let calls =
            ["stopProcess g:g", "stopProcess h:b", "stopProcessGroup g", "stopProcessGroup g"];
        is(&outcome, lines, SUCCESS, &calls);
        let outcome = up("signal USR1 x all", vec![list(vec![])]);
        is(&outcome, "", SUCCESS, &["signalAllProcesses USR1"]);
        let outcome = up("signal USR1 g:*", vec![results()]);
        is(
            &outcome,
            "g:a: signalled\ng: ERROR (not running)\n",
            Exit::NOT_RUNNING,
            &["signalProcessGroup g USR1"],
        );
    }

    #[test]
    fn an_unknown_group_does_not_end_the_line() {
        for (action, exit) in [("start", Exit::INVALID), ("stop", FAILURE)] {
            let answers = vec![fault(10, "BAD_NAME: n"), yes()];
            let outcome = up(&format!("{action} n:* x"), answers);
            assert!(
                outcome.lines.starts_with("n: ERROR (no such group)\nx: st"),
                "{}",
                outcome.lines
            );
            assert_eq!(outcome.exit, exit);
        }
    }

    #[test]
    fn restart_is_stop_then_start() {
        let outcome = up("restart x g:*", vec![fault(70, ""), list(vec![]), yes(), list(vec![])]);
        let calls =
            ["stopProcess x", "stopProcessGroup g", "startProcess x", "startProcessGroup g"];
        is(&outcome, "x: ERROR (not running)\nx: started\n", SUCCESS, &calls);
    }

    #[test]
    fn missing_names() {
        begins(&up("start", vec![]), "Error: start requires a process name", Exit::INVALID);
        begins(&up("stop", vec![]), "Error: stop requires a process name", FAILURE);
        begins(&up("restart", vec![]), "Error: restart requires a process name", FAILURE);
        begins(&up("clear", vec![]), "Error: clear requires a process name", FAILURE);
        let line = "Error: signal requires a signal name and a process name";
        begins(&up("signal", vec![]), line, FAILURE);
        begins(&up("signal HUP", vec![]), line, FAILURE);
    }

    #[test]
    fn clear_takes_groups_too() {
        is(&up("clear x", vec![yes()]), "x: cleared\n", SUCCESS, &["clearProcessLogs x"]);
        is(
            &up("clear x", vec![fault(30, "")]),
            "x: ERROR (failed)\n",
            FAILURE,
            &["clearProcessLogs x"],
        );
        let infos = || list(vec![info("g", "a", (20, ""), ""), info("x", "x", (0, ""), "")]);
        let calls = ["getAllProcessInfo", "clearProcessLogs g:a"];
        is(&up("clear g:*", vec![infos(), yes()]), "g:a: cleared\n", SUCCESS, &calls);
        let outcome = up("clear n:", vec![infos()]);
        is(&outcome, "n: ERROR (no such group)\n", FAILURE, &["getAllProcessInfo"]);
        let outcome = up("clear all", vec![list(vec![result("g", "a", 80, "OK")])]);
        is(&outcome, "g:a: cleared\n", SUCCESS, &["clearAllProcessLogs"]);
    }
}

mod configuration {
    use super::*;

    #[test]
    fn reread_lists_sorted() {
        let outcome = bare("reread", vec![changes(&["b", "d"], &["c"], &["a"])]);
        let lines = "a: disappeared\nb: available\nc: changed\nd: available\n";
        is(&outcome, lines, SUCCESS, &["reloadConfig"]);
        let outcome = bare("reread", vec![changes(&[], &[], &[])]);
        is(&outcome, "No config updates to processes\n", SUCCESS, &["reloadConfig"]);
        begins(&bare("reread x", vec![]), "Error: reread accepts no arguments", FAILURE);
        let outcome = bare("reread", vec![fault(6, "SHUTDOWN_STATE")]);
        is(&outcome, "ERROR: supervisor shutting down\n", FAILURE, &["reloadConfig"]);
    }

    #[test]
    fn what_can_not_be_read_is_told_alike() {
        for line in ["reread", "update", "reload"] {
            let outcome = bare(line, vec![fault(92, "CANT_REREAD: why")]);
            assert_eq!(
                (outcome.lines.as_str(), outcome.exit),
                ("ERROR: CANT_REREAD: why\n", FAILURE)
            );
        }
    }

    #[test]
    fn update_removes_changes_and_adds() {
        let answers = vec![
            changes(&["n"], &["c"], &["r", "bad"]),
            list(vec![result("r", "r", 70, "")]),
            yes(),
            list(vec![result("bad", "bad", 30, "FAILED")]),
            list(vec![]),
            yes(),
            yes(),
            yes(),
        ];
        let lines = "r: stopped\nr: removed process group\nbad: stopped\n\
            bad: has problems; not removing\nc: stopped\nc: updated process group\n\
            n: added process group\n";
        let calls = [
            "reloadConfig",
            "stopProcessGroup r",
            "removeProcessGroup r",
            "stopProcessGroup bad",
            "stopProcessGroup c",
            "removeProcessGroup c",
            "addProcessGroup c",
            "addProcessGroup n",
        ];
        is(&bare("update", answers), lines, FAILURE, &calls);
        is(&bare("update all x", vec![changes(&[], &[], &[])]), "", SUCCESS, &["reloadConfig"]);
        let outcome = bare("update", vec![fault(6, "SHUTDOWN_STATE")]);
        is(&outcome, "ERROR: already shutting down\n", FAILURE, &["reloadConfig"]);
    }

    #[test]
    fn update_of_some_groups_names_unknown_ones() {
        let infos = list(vec![info("a", "a", (20, ""), "")]);
        let outcome = bare("update n no a", vec![changes(&["n", "m"], &[], &[]), infos, yes()]);
        let calls = ["reloadConfig", "getAllProcessInfo", "addProcessGroup n"];
        is(&outcome, "ERROR: no such group: no\nn: added process group\n", FAILURE, &calls);
    }

    #[test]
    fn add_and_remove() {
        let outcome = bare("add a b", vec![yes(), fault(90, "")]);
        let lines = "a: added process group\nERROR: process group already active\n";
        is(&outcome, lines, SUCCESS, &["addProcessGroup a", "addProcessGroup b"]);
        let outcome = bare("add a b", vec![fault(10, ""), fault(6, "")]);
        let lines = "ERROR: no such process/group: a\nERROR: shutting down\n";
        is(&outcome, lines, FAILURE, &["addProcessGroup a", "addProcessGroup b"]);
        let outcome = bare("remove a b c", vec![yes(), fault(91, ""), fault(10, "")]);
        let lines = "a: removed process group\nERROR: process/group still running: b\n\
            ERROR: no such process/group: c\n";
        let calls = ["removeProcessGroup a", "removeProcessGroup b", "removeProcessGroup c"];
        is(&outcome, lines, FAILURE, &calls);
        is(&bare("add", vec![]), "", SUCCESS, &[]);
        is(&bare("remove", vec![]), "", SUCCESS, &[]);
    }
}

mod ends {
    use super::*;

    #[test]
    fn reload() {
        is(&bare("reload", vec![yes()]), "Restarted supervisord\n", SUCCESS, &["restart"]);
        let outcome = bare("reload", vec![fault(6, "")]);
        is(&outcome, "ERROR: already shutting down\n", FAILURE, &["restart"]);
        begins(&bare("reload x", vec![]), "Error: reload accepts no arguments", FAILURE);
    }

    #[test]
    fn shutdown() {
        is(&bare("shutdown", vec![yes()]), "Shut down\n", SUCCESS, &["shutdown"]);
        let outcome = bare("shutdown", vec![fault(6, "")]);
        is(&outcome, "ERROR: already shutting down\n", SUCCESS, &["shutdown"]);
        let line = "ERROR: http://h:1 refused connection (already shut down?)\n";
        is(&bare("shutdown", vec![refused()]), line, FAILURE, &["shutdown"]);
        let line = "ERROR: http://h:1 no such file (already shut down?)\n";
        is(&bare("shutdown", vec![missing()]), line, FAILURE, &["shutdown"]);
        begins(&bare("shutdown x", vec![]), "Error: shutdown accepts no arguments", FAILURE);
    }

    #[test]
    fn a_user_is_asked_first() {
        let question = "Really shut the remote supervisord process down y/N? ";
        for (answer, wanted) in [("Yes\n", 1), ("n\n", 0), ("\n", 0)] {
            let (session, daemon) = session(vec![yes()], true, answer);
            let outcome = outcome(session, &daemon, "shutdown");
            assert!(outcome.lines.starts_with(question));
            assert_eq!((outcome.calls.len(), outcome.exit), (wanted, SUCCESS));
        }
        let (session, daemon) = session(vec![], true, "");
        let outcome = outcome(session, &daemon, "reload");
        assert!(outcome.lines.contains("error: <class 'EOFError'>, EOF when reading a line"));
        assert_eq!(outcome.exit, FAILURE);
    }
}

mod logs {
    use super::*;

    #[test]
    fn tail_reads_the_last_bytes() {
        for (line, call) in [
            ("tail x", "readProcessStdoutLog x Int(-1600) Int(0)"),
            ("tail -5 x STDERR", "readProcessStderrLog x Int(-5) Int(0)"),
            ("maintail", "readLog Int(-1600) Int(0)"),
            ("maintail -7", "readLog Int(-7) Int(0)"),
        ] {
            is(&up(line, vec![text("log\n")]), "log\n\n", SUCCESS, &[call]);
        }
    }

    #[test]
    fn wrong_arguments() {
        begins(&up("tail", vec![]), "Error: too few arguments", FAILURE);
        let nobody = || vec![list(vec![])];
        let outcome = up("tail x Out", nobody());
        is(&outcome, "Error: bad channel 'out'\n", FAILURE, &["getAllProcessInfo"]);
        begins(&up("tail a b c d", nobody()), "Error: too many arguments", FAILURE);
        begins(&up("maintail a b", vec![]), "Error: too many arguments", FAILURE);
        for (line, wanted) in [
            ("tail -f", "Error: tail requires process name"),
            ("tail -x y", "Error: bad argument -x"),
            ("maintail -x", "Error: bad argument -x"),
            ("maintail x", "Error: bad argument x"),
        ] {
            is(&up(line, vec![]), &format!("{wanted}\n"), FAILURE, &[]);
        }
    }

    #[test]
    fn faults_have_words() {
        for (code, reason) in
            [(20, "no log file"), (30, "unknown error reading log"), (10, "no such process name")]
        {
            let outcome = up("tail g:x", vec![fault(code, "")]);
            assert_eq!(
                (outcome.lines, outcome.exit),
                (format!("g:x: ERROR ({reason})\n"), FAILURE)
            );
        }
        let outcome = up("maintail", vec![fault(20, "")]);
        assert_eq!(outcome.lines, "supervisord: ERROR (no log file)\n");
    }

    #[test]
    fn streams() {
        let first = "==> Press Ctrl-C to exit <==\n";
        is(&up("tail -f g:x stderr", vec![yes()]), first, SUCCESS, &["/logtail/g:x/stderr"]);
        is(&up("maintail -f", vec![]), &format!("{first}\n"), SUCCESS, &["/mainlogtail"]);
        let missing = Err(CallError::Status { code: 404, reason: "Not Found".into() });
        is(&up("tail -f a%b/c", vec![missing]), first, FAILURE, &["/logtail/a%25b%2Fc/stdout"]);
    }
}
