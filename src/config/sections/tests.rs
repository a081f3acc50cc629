use std::io;
use std::time::Duration;

use super::*;
use crate::config::command_line::Given;
use crate::config::options::{
    Autorestart, Backoff, Channel, ChildLog, EventLength, FcgiAddress, FcgiSocket, GroupKind,
    ListenerError, LogLevel, MainLog, Pool, RestartLimit, RestartPolicy, Retries, ServerAddress,
    User,
};

mod check;
mod errors;
mod fcgi;
mod pools;

/// A user and a group of which the machine can't tell.
const BROKEN: u32 = 99;

/// A machine with `/dir`, `/tmp` and `/home/me`, and the users root (0) and me (7).
struct Fake;

impl Host for Fake {
    fn environment(&self) -> Vec<(String, String)> {
        vec![("X".to_owned(), "x%d".to_owned())]
    }

    fn uid(&self) -> u32 {
        0
    }

    fn node_name(&self) -> String {
        "node".to_owned()
    }

    fn current_dir(&self) -> Option<String> {
        Some("/dir".to_owned())
    }

    fn temp_dir(&self) -> String {
        "/tmp".to_owned()
    }

    fn is_dir(&self, path: &str) -> bool {
        ["/", "/dir", "/tmp", "/home/me", "/home/me/../me"].contains(&path)
    }

    fn home(&self, user: Option<&str>) -> Option<String> {
        user.is_none_or(|user| user == "me").then(|| "/home/me".to_owned())
    }

    fn user_named(&self, name: &str) -> io::Result<Option<User>> {
        self.user_numbered(match name {
            "root" => 0,
            "me" => 7,
            "broken" => BROKEN,
            _ => return Ok(None),
        })
    }

    fn user_numbered(&self, uid: u32) -> io::Result<Option<User>> {
        if uid == BROKEN {
            return Err(io::Error::other("no list"));
        }
        let name = if uid == 0 { "root" } else { "me" };
        Ok([0, 7].contains(&uid).then(|| User { uid, gid: uid + 1, name: name.to_owned() }))
    }

    fn group_named(&self, name: &str) -> io::Result<Option<u32>> {
        if name == "broken" {
            return Err(io::Error::other("no list"));
        }
        Ok((name == "wheel").then_some(3))
    }

    fn has_group(&self, gid: u32) -> io::Result<bool> {
        if gid == BROKEN {
            return Err(io::Error::other("no list"));
        }
        Ok(gid == 3)
    }
}

fn document(text: &str) -> Document {
    let mut document = Document::default();
    document.add(text, "/dir/x.conf").unwrap();
    document
}

fn read_with(text: &str, line: &CommandLine) -> Result<Options, String> {
    let document = document(&format!("[supervisord]\n{text}"));
    let source = Source { document: &document, file: "/dir/x.conf" };
    load(source, line, &Fake).map_err(|error| error.to_string())
}

fn read(text: &str) -> Options {
    read_with(text, &CommandLine::default()).unwrap()
}

/// The first process of `[program:a]` with these lines.
fn program(lines: &str) -> Program {
    let options = read(&format!("[program:a]\ncommand=c\n{lines}\n"));
    options.groups[0].processes[0].as_ref().clone()
}

fn notices(text: &str) -> Vec<String> {
    read(text).notices.into_iter().map(|notice| notice.text).collect()
}

#[test]
fn the_defaults_of_the_daemon() {
    let options = read("");
    let s = options.supervisord;
    assert_eq!(s.logfile, MainLog::File("/dir/supervisord.log".to_owned()));
    assert_eq!((s.logfile_maxbytes, s.logfile_backups), (50 << 20, 10));
    assert_eq!((s.loglevel, s.pidfile.as_str()), (LogLevel::Info, "/dir/supervisord.pid"));
    assert_eq!((s.umask, s.minfds, s.minprocs), (0o22, 1024, 200));
    assert!(!s.nodaemon && !s.silent && !s.nocleanup && !s.strip_ansi);
    assert_eq!((s.childlogdir.as_str(), s.identifier.as_str()), ("/tmp", "supervisor"));
    assert_eq!((s.user, s.directory), (None, None));
    assert!(s.environment.is_empty() && options.servers.is_empty() && options.groups.is_empty());
    assert_eq!(s.config_file, "/dir/x.conf");
}

#[test]
fn the_daemon_s_own_options() {
    let s = read(
        "logfile=~/../me//l.log\npidfile=%(here)s/p\nuser=me\nloglevel=DEBUG\nsilent=on\n\
         directory=~\nidentifier=i-%(ENV_X)s\nenvironment=A=1,B=\"%(host_node_name)s\"\n",
    );
    let s = s.supervisord;
    assert_eq!(s.logfile, MainLog::File("/home/me/l.log".to_owned()));
    assert_eq!((s.pidfile.as_str(), s.identifier.as_str()), ("/dir/p", "i-x%d"));
    assert_eq!(s.user.unwrap().uid, 7);
    assert_eq!(s.directory.as_deref(), Some("/home/me"));
    assert!(s.silent && s.loglevel == LogLevel::Debug);
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    assert_eq!(s.environment, [pair("A", "1"), pair("B", "node")]);
    assert_eq!(read("logfile=syslog\n").supervisord.logfile, MainLog::Syslog);
}

#[test]
fn a_percent_in_the_daemon_s_environment() {
    let value = |text: &str| read(text).supervisord.environment[0].1.clone();
    assert_eq!(value("environment=A=\"50%%\"\n"), "50%");
    assert_eq!(value("environment=A=\"50%%%%\"\n"), "50%");
    assert_eq!(value("environment=A=\"%(ENV_X)s\"\n"), "x%d");
}

#[test]
fn the_command_line_beats_the_file() {
    let given = |text: &str| Some(Given { spelling: "-x".to_owned(), text: text.to_owned() });
    let line = CommandLine {
        nodaemon: true,
        user: given("me"),
        loglevel: given("trace"),
        logfile: given("/tmp/l"),
        minfds: given("5"),
        ..CommandLine::default()
    };
    let file = "user=nobody\nloglevel=error\nlogfile=/dir/l\nminfds=6\nminprocs=7\nnodaemon=no\n";
    let s = read_with(file, &line).unwrap().supervisord;
    assert_eq!((s.user.unwrap().uid, s.loglevel, s.minfds, s.minprocs), (7, LogLevel::Trace, 5, 7));
    assert_eq!((s.logfile, s.nodaemon), (MainLog::File("/tmp/l".to_owned()), true));
}

#[test]
fn the_defaults_of_a_program() {
    let p = program("");
    assert_eq!((p.name.as_str(), p.command.as_str(), p.priority), ("a", "c", 999));
    assert_eq!((p.autostart, p.autorestart), (true, Autorestart::Unexpected));
    assert_eq!((p.startsecs, p.startretries, p.stopwaitsecs), (1, Retries::Limited(3), 10));
    assert_eq!((p.exitcodes.as_slice(), p.stopsignal), ([0].as_slice(), 15));
    assert!(!p.stopasgroup && !p.killasgroup && !p.redirect_stderr);
    assert_eq!((&p.directory, p.umask, &p.user), (&None, None, &None));
    assert!(p.environment.is_empty() && p.server_url.is_none());
    let channel = Channel {
        logfile: ChildLog::Auto,
        maxbytes: 50 << 20,
        backups: 10,
        capture_maxbytes: 0,
        events_enabled: false,
        syslog: false,
    };
    assert_eq!((&p.stdout, &p.stderr), (&channel, &channel));
}

#[test]
fn the_options_of_a_program() {
    let p = program(
        "stopasgroup=true\numask=027\nuser=7\nserverurl= Auto\nstdout_logfile=/tmp/%(program_name)s\n\
         stderr_logfile=NONE\nstderr_capture_maxbytes=1KB\ndirectory=/nowhere\n",
    );
    assert!(p.stopasgroup && p.killasgroup);
    assert_eq!((p.umask, p.user.unwrap().uid), (Some(0o27), 7));
    assert_eq!(p.configured_server_url, None);
    assert_eq!(p.stdout.logfile, ChildLog::File("/tmp/a".to_owned()));
    assert_eq!((p.stderr.logfile, p.stderr.capture_maxbytes), (ChildLog::None, 1024));
    assert_eq!(p.directory.as_deref(), Some("/nowhere"));
    assert_eq!(program("stdout_logfile=").stdout.logfile, ChildLog::Empty);
    assert_eq!(
        program("stdout_logfile=/tmp/%%%%x").stdout.logfile,
        ChildLog::File("/tmp/%x".into())
    );
}

/// Taken for a number without an entry, a user would get another group.
#[test]
fn users_and_groups_that_can_not_be_looked_up() {
    let told = |text: &str| read_with(text, &CommandLine::default()).unwrap_err().to_string();
    let daemon = |user: &str| told(&format!("[supervisord]\nuser={user}\n"));
    assert!(daemon("99").contains("99 could not be looked up: no list"), "{}", daemon("99"));
    assert!(daemon("broken").contains("broken could not be looked up: no list"));
    for owner in ["99", "broken", "me:broken", "me:99"] {
        let text = format!("[supervisord]\n[unix_http_server]\nfile=/dir/s\nchown={owner}\n");
        assert_eq!(told(&text), format!("Invalid sockchown value {owner}"));
    }
}

#[test]
fn the_restart_policy() {
    assert_eq!(program("").restart, RestartPolicy::default());
    let secs = Duration::from_secs;
    let policy = RestartPolicy {
        backoff: Backoff::Double,
        delay_min: Some(Duration::from_millis(500)),
        delay_max: Some(Duration::from_millis(1500)),
        reset: Some(secs(3)),
        limit: Some(RestartLimit { count: 5, within: secs(60) }),
    };
    let lines = "restart_backoff=Double\nrestart_reset_secs=3\nrestart_limit=5/60s\n";
    let own = format!("{lines}restart_delay_min=0.5\nrestart_delay_max=1.5");
    let other = format!("{lines}restartpause=.5\nmaxbackoff=1.5");
    assert_eq!(program(&own).restart, policy);
    assert_eq!(program(&other).restart, policy, "under the names of other supervisors");
    let text = "[DEFAULT]\nrestart_delay_min=30\n[program:a]\ncommand=c\nrestartpause=.5\n";
    let inherited = &read(text).groups[0].processes[0].restart;
    assert_eq!(inherited.delay_min, Some(Duration::from_millis(500)), "the section's own first");
    let both = program("restartpause=9\nrestart_delay_min=2\nstartretries=Unlimited");
    assert_eq!(both.restart.delay_min, Some(secs(2)), "our own name wins");
    assert_eq!(both.startretries, Retries::Unlimited);
}

#[test]
fn several_processes() {
    let options = read(
        "[program:a]\nnumprocs=11\nnumprocs_start=1\ncommand=%(group_name)s %(process_num)d/\
         %(numprocs)d %(ENV_N)s\nprocess_name=p%(process_num)s\nenvironment=N=%(process_num)03d\n",
    );
    let names: Vec<&str> = options.groups[0].processes.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["p1", "p10", "p11", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"]);
    assert_eq!(options.groups[0].processes[1].command, "a 10/11 010");
    assert!(read("[program:a]\ncommand=c\nnumprocs=0\n").groups[0].processes.is_empty());
}

#[test]
fn groups_take_their_programs_and_are_sorted() {
    let options = read(
        "[program:z]\ncommand=c\n[program:b]\ncommand=c\n[program:a]\ncommand=%(group_name)s\n\
         [program:l]\ncommand=c\npriority=1\n[group:g]\nprograms=b, a\npriority=5\n[group:e]\n",
    );
    let shown: Vec<String> = options
        .groups
        .iter()
        .map(|g| {
            let names: Vec<&str> = g.processes.iter().map(|p| p.name.as_str()).collect();
            format!("{} {} {}", g.priority, g.name, names.join(","))
        })
        .collect();
    assert_eq!(shown, ["1 l l", "5 g b,a", "999 e ", "999 z z"]);
    assert_eq!(options.groups[1].processes[1].command, "g");
}

#[test]
fn the_environment_and_the_url_of_a_process() {
    let options = read(
        "environment=A=1,B=2\n[program:a]\ncommand=%(ENV_A)s\nenvironment=C=3,A=\"%(ENV_B)s\"\n\
         [inet_http_server]\nport=80\n[inet_http_server:2]\nport=H:81\n",
    );
    let p = &options.groups[0].processes[0];
    let text: Vec<String> = p.environment.iter().map(|(k, v)| format!("{k}{v}")).collect();
    assert_eq!(text, ["A2", "B2", "C3"]);
    assert_eq!(p.command, "2");
    assert_eq!(p.server_url.as_deref(), Some("http://h:81"));
    let url = |text: &str| {
        let options = read(&format!("[program:a]\ncommand=c\n{text}\n"));
        options.groups[0].processes[0].server_url.clone()
    };
    assert_eq!(url("[inet_http_server]\nport=*:80").as_deref(), Some("http://localhost:80"));
    let both = "[inet_http_server]\nport=80\n[unix_http_server]\nfile=s";
    assert_eq!(url(both).as_deref(), Some("unix:///dir/s"));
    assert_eq!(url("serverurl=\n[inet_http_server]\nport=80"), None);
    assert_eq!(url("serverurl=http://y").as_deref(), Some("http://y"));
}

#[test]
fn listeners() {
    let options = read(
        "[unix_http_server]\nfile= %(here)s/s \nchmod=0770\nchown=me:wheel\n[inet_http_server:b]\n\
         port=:81\nusername=u\npassword=5%%\nallowed_hosts = Sup.example, ,b\n",
    );
    let [inet, unix] = options.servers.as_slice() else { panic!("two listeners") };
    assert_eq!(inet.section, "inet_http_server:b");
    assert_eq!(inet.address, ServerAddress::Inet { host: String::new(), port: 81 });
    assert_eq!(inet.credentials, Some(("u".to_owned(), "5%".to_owned())));
    assert_eq!(inet.allowed_hosts, ["sup.example", "b"]);
    assert!(unix.allowed_hosts.is_empty());
    let file = "/dir/s".to_owned();
    assert_eq!(unix.address, ServerAddress::Unix { file, mode: 0o770, owner: Some((7, Some(3))) });
    let plain = read("[unix_http_server]\nfile=/s\nchown=0\n");
    let file = "/s".to_owned();
    let address = ServerAddress::Unix { file, mode: 0o700, owner: Some((0, None)) };
    assert_eq!(plain.servers[0].address, address);
}

#[test]
fn plugins() {
    let stock = "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n";
    let options =
        read(&format!("[rpcinterface:supervisor]\n{stock}[rpcinterface:y]\n{stock}z=1\n"));
    assert_eq!(options.rpc_interfaces, ["supervisor", "y"]);
    let told: Vec<&str> = options.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(
        told,
        ["unknown key 'z' in section 'rpcinterface:y' (file: '/dir/x.conf', line: 6)"]
    );
    let given = format!("[DEFAULT]\nz=1\n[rpcinterface:supervisor]\n{stock}");
    assert!(notices(&given).is_empty());
    let leaked = format!("[rpcinterface:supervisor]\n{stock}[program:a\ncommand=c\n");
    assert_eq!(
        notices(&leaked),
        [
            "unknown key '[program' in section 'rpcinterface:supervisor' (file: '/dir/x.conf', \
             line: 4)",
            "unknown key 'command' in section 'rpcinterface:supervisor' (file: '/dir/x.conf', \
             line: 5)",
        ]
    );
    let skipped = "skip_unloadable_plugins=true\n[rpcinterface:t]\n\
                   supervisor.rpcinterface_factory=t:make\nz=1\n[ctlplugin:t]\nx=1\n";
    assert!(read(skipped).rpc_interfaces.is_empty());
    assert_eq!(
        notices(skipped),
        ["skipped section 'rpcinterface:t': t:make is a Python extension, which is not supported \
          (file: '/dir/x.conf', line: 4)"]
    );
    let handled = "skip_unloadable_plugins=true\n[eventlistener:e]\ncommand=c\nevents=EVENT\n\
                   result_handler=mine:handler\n";
    assert_eq!(read(handled).groups.len(), 1);
    assert_eq!(
        notices(handled),
        ["result_handler in section 'eventlistener:e': mine:handler is a Python extension, which \
          is not supported; the default is used (file: '/dir/x.conf', line: 6)"]
    );
}

#[test]
fn warnings() {
    assert_eq!(
        notices(
            "[DEFAULT]\nz=1\n[program:a]\ncommand=c\nfoo=1\nz=2\n[x]\n[supervisorctl]\nurl=y\n\
             [program:]\ncommand=c\n"
        ),
        [
            "unknown key 'foo' in section 'program:a' (file: '/dir/x.conf', line: 6)",
            "unknown section 'x' (file: '/dir/x.conf', line: 8)",
            "unknown key 'url' in section 'supervisorctl' (file: '/dir/x.conf', line: 10)",
            "empty name in section 'program:' (file: '/dir/x.conf', line: 11)",
        ]
    );
    assert_eq!(
        notices(
            "[program:a]\ncommand=c\nstdout_logfile=syslog\nstdout_logfile_maxbytes=0\n\
             stderr_logfile_maxbytes=0\nredirect_stderr=true\n[program:b]\ncommand=c\n\
             redirect_stderr=true\nstderr_logfile=/tmp/x\n"
        ),
        [
            "For [program:a], stdout_logfile=syslog but this is deprecated and will be removed.  \
             Use stdout_syslog=true to enable syslog instead.",
            "For [program:a], AUTO logging used for stderr_logfile without rollover, set maxbytes \
             > 0 to avoid filling up filesystem unintentionally",
            "For [program:b], redirect_stderr=true but stderr_logfile has also been set to a \
             filename, the filename has been ignored",
        ]
    );
    assert!(program("stdout_logfile=syslog").stdout.syslog);
}

#[test]
fn quotes_that_an_expansion_loses_are_told() {
    let what = "an expansion in environment holds quotes like those around it, which are left out; \
                the other kind of quotes around it would keep them";
    let given = "environment=J='{\"a\": \"b\"}'\n[program:a]\ncommand=c\nenvironment=";
    let doubled = format!("{given}A=\"%(ENV_J)s\"\n");
    assert_eq!(notices(&doubled), [format!("For [program:a], {what}")]);
    let value = |text: &str| read(text).groups[0].processes[0].environment[1].1.clone();
    assert_eq!(value(&doubled), "{a: b}");
    let single = format!("{given}A='%(ENV_J)s'\n");
    assert!(notices(&single).is_empty());
    assert_eq!(value(&single), "{\"a\": \"b\"}");
    assert_eq!(notices("environment=A='%(here)r'\n"), [format!("For [supervisord], {what}")]);
}

#[test]
fn doubled_names() {
    let text = "[program:a]\ncommand=1\n[program:b]\ncommand=2\nprocess_name=a\n\
                [group:g]\nprograms=a,b\n[program: g]\ncommand=3\n";
    let options = read(text);
    assert_eq!(options.groups.len(), 1);
    assert_eq!(options.groups[0].processes[0].command, "2");
    assert_eq!(
        notices(text),
        [
            "several processes of section 'group:g' are named 'a': only the last one is used",
            "several groups are named 'g': only the first one is used",
        ]
    );
}

#[test]
fn includes() {
    let patterns = |text: &str| {
        let document = document(text);
        let source = Source { document: &document, file: "c/x.conf" };
        include_patterns(source, &Fake).map_err(|error| error.to_string())
    };
    assert_eq!(patterns("[supervisord]\n"), Ok(None));
    let good = "[include]\nfiles=*.ini %(here)s/x\n  /y/%(host_node_name)s/*\n";
    let expected = ["/dir/c/*.ini", "/dir/c/x", "/y/node/*"].map(str::to_owned).to_vec();
    assert_eq!(patterns(good), Ok(Some(expected)));
    assert_eq!(
        patterns("[include]\n"),
        Err(".ini file has [include] section, but no files setting".to_owned())
    );
    assert_eq!(
        patterns("[include]\nfiles=%(x)s\n"),
        Err("Format string '%(x)s' for 'include.files' contains names ('x') which cannot be \
             expanded. Available names: ENV_X, here, host_node_name"
            .to_owned())
    );
}

#[test]
fn the_part_of_supervisorctl() {
    let ctl = |text: &str| {
        let document = document(text);
        let source = Source { document: &document, file: "x.conf" };
        load_ctl(source, &Fake).map_err(|error| error.to_string())
    };
    assert_eq!(ctl("[supervisorctl]\n"), Ok(CtlOptions::default()));
    assert_eq!(CtlOptions::default().serverurl, "http://localhost:9001");
    let full =
        ctl("[supervisorctl]\nserverurl=unix://~/s\nprompt=p\nusername=u\npassword=%(ENV_X)s\n\
         history_file=%(here)s/h\n[ctlplugin:z]\nsupervisor.ctl_factory=z:z\n")
        .unwrap();
    assert_eq!((full.serverurl.as_str(), full.prompt.as_str()), ("unix:///home/me/s", "p"));
    assert!(full.has_serverurl && !CtlOptions::default().has_serverurl);
    assert_eq!((full.username.as_deref(), full.password.as_deref()), (Some("u"), Some("x%d")));
    assert_eq!(full.history_file.as_deref(), Some("/dir/h"));
    assert_eq!(full.warnings.len(), 1);
    assert_eq!(
        ctl("[supervisord]\n"),
        Err(".ini file does not include supervisorctl section".to_owned())
    );
    assert!(ctl("[supervisorctl]\nprompt=%(here)s\n").is_err());
    assert_eq!(
        ctl("[supervisorctl]\n[ctlplugin:x]\ny=z\n"),
        Err("section [ctlplugin:x] does not specify a supervisor.ctl_factory".to_owned())
    );
}
