//! Structs of the answers: fields in the order and with the types that clients expect.

use std::fmt::Write as _;
use std::time::Duration;

use crate::config::options::{Autorestart, Channel, ChildLog, Group, Program, Retries};
use crate::coordinator::view::ProcessView;
use crate::coordinator::waiters::ProcessResult;
use crate::log::activity::local;
use crate::process::info::{Facts, describe};
use crate::process::output::Output;
use crate::xml_rpc::Writer;

/// What getProcessInfo tells; `now` in seconds since the epoch.
pub fn process_info(process: &ProcessView, now: i64, w: &mut Writer<'_>) {
    let name = &process.program.name;
    let stdout = process.log_path(Output::Stdout);
    w.begin_struct();
    w.member_string("name", name);
    w.member_string("group", &process.group);
    w.member_int("start", process.start);
    w.member_int("stop", process.stop);
    w.member_int("now", now);
    w.member_int("state", process.state.code());
    w.member_string("statename", process.state.name());
    w.member_string("spawnerr", &process.spawn_error);
    w.member_int("exitstatus", process.exit_status);
    w.member_string("logfile", &stdout);
    w.member_string("stdout_logfile", &stdout);
    w.member_string("stderr_logfile", &process.log_path(Output::Stderr));
    w.member_int("pid", i64::from(process.pid));
    w.member_string("description", &description(process, now));
    w.end_struct();
}

fn description(process: &ProcessView, now: i64) -> String {
    let facts = Facts {
        name: &process.program.name,
        state: process.state,
        pid: process.pid,
        uptime_secs: now.saturating_sub(process.start),
        ever_started: process.start > 0,
        stopped: &stopped(process),
        spawn_error: &process.spawn_error,
    };
    let mut text = String::new();
    describe(&facts, &mut text);
    text
}

/// The last exit in local time; only the states that show it need the look at the time zone.
fn stopped(process: &ProcessView) -> String {
    let mut text = String::new();
    if process.state.is_stopped() {
        let at = Duration::from_secs(u64::try_from(process.stop).unwrap_or(0));
        if let Some(at) = local(at) {
            let _ = write!(text, "{}", at.format("%b %d %I:%M %p"));
        }
    }
    text
}

/// A row of a list of results.
pub fn result(row: &ProcessResult, w: &mut Writer<'_>) {
    w.begin_struct();
    w.member_string("name", &row.name);
    w.member_string("group", &row.group);
    w.member_int("status", row.status);
    w.member_string("description", &row.description);
    w.end_struct();
}

/// What getAllConfigInfo tells of one process. The paths of AUTO logs are told while `process`,
/// made from these options, has them; after a reread, which makes new ones, they are `auto`.
pub fn config_info(
    group: &Group,
    program: &Program,
    in_use: bool,
    process: Option<&ProcessView>,
    w: &mut Writer<'_>,
) {
    fn or_none(text: Option<&str>) -> &str {
        text.unwrap_or("none")
    }
    w.begin_struct();
    w.member_bool("autostart", program.autostart);
    match program.autorestart {
        Autorestart::Never => w.member_bool("autorestart", false),
        Autorestart::Always => w.member_bool("autorestart", true),
        Autorestart::Unexpected => w.member_string("autorestart", "unexpected"),
    }
    w.member_string("directory", or_none(program.directory.as_deref()));
    match &program.user {
        Some(user) => w.member_int("uid", i64::from(user.uid)),
        None => w.member_string("uid", "none"),
    }
    w.member_string("command", &program.command);
    w.begin_member("exitcodes");
    w.begin_array();
    for code in &program.exitcodes {
        w.int(i64::from(*code));
    }
    w.end_array();
    w.end_member();
    w.member_string("group", &group.name);
    w.member_int("group_prio", group.priority);
    w.member_bool("inuse", in_use);
    w.member_bool("killasgroup", program.killasgroup);
    w.member_string("name", &program.name);
    w.member_int("process_prio", program.priority);
    w.member_bool("redirect_stderr", program.redirect_stderr);
    let startretries = match program.startretries {
        Retries::Limited(retries) => retries,
        // More than anyone lives to see; clients expect a number of 32 bits.
        Retries::Unlimited => i64::from(i32::MAX),
    };
    w.member_int("startretries", startretries);
    w.member_int("startsecs", program.startsecs);
    let path = |output| process.map(|process| process.log_path(output));
    channel_info("stdout", &program.stdout, path(Output::Stdout), w);
    w.member_int("stopsignal", i64::from(program.stopsignal));
    w.member_int("stopwaitsecs", program.stopwaitsecs);
    channel_info("stderr", &program.stderr, path(Output::Stderr), w);
    w.member_string("serverurl", or_none(program.configured_server_url.as_deref()));
    w.end_struct();
}

fn channel_info(prefix: &str, channel: &Channel, path: Option<String>, w: &mut Writer<'_>) {
    let logfile = match (&channel.logfile, &path) {
        (ChildLog::None, _) => "none",
        (ChildLog::Empty, _) => "",
        (ChildLog::Auto, Some(path)) => path,
        (ChildLog::Auto, None) => "auto",
        (ChildLog::File(path), _) => path,
    };
    w.member_int(&format!("{prefix}_capture_maxbytes"), channel.capture_maxbytes);
    w.member_bool(&format!("{prefix}_events_enabled"), channel.events_enabled);
    w.member_string(&format!("{prefix}_logfile"), logfile);
    w.member_int(&format!("{prefix}_logfile_backups"), channel.backups);
    w.member_int(&format!("{prefix}_logfile_maxbytes"), channel.maxbytes);
    w.member_bool(&format!("{prefix}_syslog"), channel.syslog);
}
