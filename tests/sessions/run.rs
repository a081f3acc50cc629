//! A session in one of the four runs.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::PathBuf,
};

use crate::{
    Sides,
    client::{Call, Client},
    fakes::Fakes,
    session::{Act, Seen, Session, Step},
    support::{Output, Setup, Side, TestDaemon, free_port},
};

/// How long a state may be waited for.
const SECS: u64 = 60;

/// Says a little on both outputs and stays.
const TALKER: &str = "#!/bin/sh\necho one\necho two\necho 'to stderr' >&2\nexec sleep 1000\n";

/// Writes colours and carriage returns, and what is no UTF-8.
const PAINTER: &str = "#!/bin/sh\n\
    printf '\\033[31mred\\033[0m 50%%\\r60%%\\r\\n'\n\
    printf 'a\\377b\\n' >&2\n\
    exec sleep 1000\n";

/// Does not end when it is told to.
const STUBBORN: &str = "#!/bin/sh\ntrap '' TERM\necho deaf\nwhile :; do sleep 0.1; done\n";

/// A daemon, and a client that asks it.
pub struct Run<'a> {
    daemon: TestDaemon,
    client: Client,
    client_side: Side,
    fakes: &'a Fakes,
    /// A directory without a configuration.
    empty: PathBuf,
    tcp: u16,
    locked: u16,
    /// `shut.sock`, which lets nobody in.
    _shut: UnixListener,
}

impl Run<'_> {
    /// Waits until the daemon has settled.
    #[track_caller]
    pub fn start(sides: Sides, fakes: &Fakes) -> Run<'_> {
        let (tcp, locked) = (free_port(), free_port());
        let setup = setup(sides.daemon, tcp, locked);
        let empty = setup.path("empty");
        fs::create_dir(&empty).expect("a directory");
        let shut = UnixListener::bind(setup.path("shut.sock")).expect("a socket");
        fs::write(setup.path("shut.conf"), "[supervisorctl]\n").expect("a file");
        for name in ["shut.sock", "shut.conf"] {
            let nobody = fs::Permissions::from_mode(0o000);
            fs::set_permissions(setup.path(name), nobody).expect("its mode");
        }
        let daemon = setup.start();
        for name in ["paint", "run", "talk", "w:w_0", "w:w_1"] {
            daemon.wait_state(name, "RUNNING", SECS);
        }
        for name in ["talk.err", "paint.err"] {
            daemon.wait_file(name, SECS, |text| text.ends_with('\n'));
        }
        let client = Client::new(sides.client);
        Run { daemon, client, client_side: sides.client, fakes, empty, tcp, locked, _shut: shut }
    }

    /// What each step says.
    pub fn play(mut self, session: &Session) -> Vec<Vec<String>> {
        session.steps.iter().map(|step| self.step(step)).collect()
    }

    fn step(&mut self, step: &Step) -> Vec<String> {
        for act in &step.before {
            self.act(act);
        }
        let mut words: Vec<String> = step.words.iter().map(|word| self.fill(word)).collect();
        if step.configured {
            let file = self.daemon.config.display().to_string();
            words.splice(..0, ["-c".to_owned(), file]);
        }
        let output = self.client.run(&Call {
            words: &words,
            input: &self.fill(&step.input),
            directory: &self.empty,
            interrupt: step.interrupt.as_deref(),
            bound: step.bound,
        });
        self.seen(step, &output)
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::State(name, state) => self.daemon.wait_state(name, state, SECS),
            Act::Log(pattern) => drop(self.daemon.wait_log(pattern, SECS)),
            Act::LogTwice(pattern) => {
                drop(self.daemon.wait_log_order(&[pattern, pattern], SECS));
            }
            Act::Append(text) => self.daemon.append(text),
            Act::Edit(from, to) => self.daemon.edit(from, to),
            Act::Write(name, text) => {
                fs::write(self.daemon.path(name), self.fill(text)).expect("a file");
            }
            Act::File(name, part) => {
                drop(self.daemon.wait_file(name, SECS, |text| text.contains(part)));
            }
            Act::End => drop(self.daemon.shut_down(SECS)),
        }
    }

    /// Replaces what stands in braces.
    fn fill(&self, text: &str) -> String {
        let text = text
            .replace("{dir}", self.daemon.path("").display().to_string().trim_end_matches('/'))
            .replace("{tcp}", &format!("127.0.0.1:{}", self.tcp))
            .replace("{locked}", &format!("127.0.0.1:{}", self.locked));
        self.fakes.named(&text)
    }

    /// The lines of stdout, those of stderr, and the exit code.
    fn seen(&self, step: &Step, output: &Output) -> Vec<String> {
        let mut lines = self.lines(&output.stdout);
        match step.seen {
            Seen::All => {}
            Seen::Sorted => lines.sort_unstable(),
            Seen::End => drop(lines.drain(..lines.len().saturating_sub(2))),
        }
        if !output.stderr.is_empty() {
            lines.push("on stderr:".to_owned());
            lines.extend(self.lines(&output.stderr));
        }
        lines.push(format!("exit {}", output.code));
        lines
    }

    /// The lines, with what differs from run to run made alike. A text without a line end at its
    /// end has a mark there.
    fn lines(&self, text: &str) -> Vec<String> {
        let daemon = self.daemon.path("").display().to_string();
        let client = self.client_side.supervisorctl().display().to_string();
        let text = text
            .replace(daemon.trim_end_matches('/'), "<dir>")
            .replace(&format!("use {client} -h"), "use <supervisorctl> -h")
            .replace(&format!("127.0.0.1:{}", self.tcp), "<tcp>")
            .replace(&format!("127.0.0.1:{}", self.locked), "<locked>");
        let mut lines: Vec<String> = text.split('\n').map(alike).collect();
        match lines.pop() {
            Some(rest) if !rest.is_empty() => lines.push(format!("{rest}<no line end>")),
            _ => {}
        }
        lines
    }
}

/// The line without pids and times, also those of the activity log, and without the place in a
/// client where an error was met.
fn alike(line: &str) -> String {
    if let Some((start, _)) = line.split_once(": file: ").filter(|_| line.contains("error: <")) {
        return format!("{start}: file: <place>");
    }
    if let Some((start, _)) = line.split_once("RUNNING   pid ") {
        return format!("{start}RUNNING   pid <pid>, uptime <time>");
    }
    // `STOPPED   Nov 21 02:53 PM`
    for state in ["STOPPED   ", "EXITED    "] {
        if let Some((start, _)) = line.split_once(state).filter(|_| line.ends_with('M')) {
            return format!("{start}{state}<time>");
        }
    }
    // `2026-11-21 17:53:16,417 INFO ...`
    if let Some((date, rest)) = line.split_once(',').filter(|(date, _)| date.len() == 19) {
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        if digits(date) == 14 && rest.len() > 3 {
            return format!("<time> {}", &rest[4..]);
        }
    }
    match line.parse::<u32>() {
        Ok(1..) => "<number>".to_owned(),
        _ => line.to_owned(),
    }
}

fn setup(side: Side, tcp: u16, locked: u16) -> Setup {
    let idle = "command=/bin/sleep 1000\nautostart=false\nstartsecs=0";
    Setup::new()
        .side(side)
        .section(&format!("[inet_http_server]\nport=127.0.0.1:{tcp}"))
        .section(&format!(
            "[inet_http_server:locked]\nport=127.0.0.1:{locked}\nusername=user\npassword=p%%q"
        ))
        .script("talker", TALKER)
        .script("painter", PAINTER)
        .script("stubborn", STUBBORN)
        .program("run", "command=/bin/sleep 1000\nstartsecs=0\nstdout_logfile=NONE")
        .program(
            "talk",
            "command=%(here)s/talker\nstartsecs=0\nstdout_logfile=%(here)s/talk.out\n\
             stderr_logfile=%(here)s/talk.err",
        )
        .program(
            "paint",
            "command=%(here)s/painter\nstartsecs=0\nstdout_logfile=%(here)s/paint.out\n\
             stderr_logfile=%(here)s/paint.err",
        )
        .program("idle", idle)
        .program("quick", "command=/bin/false\nautostart=false\nstartretries=0\nstartsecs=60")
        .program("nofile", "command=/no/such/file\nautostart=false")
        .program("noexec", "command=/etc/passwd\nautostart=false")
        .program("a-name-that-is-longer-than-thirty-characters", idle)
        .program("odd?", idle)
        .program(
            "w",
            "command=/bin/sleep 1000\nstartsecs=0\nnumprocs=2\n\
             process_name=%(program_name)s_%(process_num)d\nstdout_logfile=NONE",
        )
        .program("m", idle)
        .program("n", idle)
        .section("[group:g]\nprograms=m,n\npriority=3")
}
