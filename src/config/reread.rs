//! Two lists of groups → which are new, different, gone.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::options::{Channel, ChildLog, FcgiSocket, Group, Program};

/// Names of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only pending, in pending order.
    pub added: Vec<String>,
    /// In both and different, in pending order.
    pub changed: Vec<String>,
    /// Only active, in active order.
    pub removed: Vec<String>,
}

/// Compares the groups that run with those of the file read last.
pub fn compare(active: &[Arc<Group>], pending: &[Arc<Group>]) -> Changes {
    let by_name = |groups: &[Arc<Group>]| -> HashMap<String, Arc<Group>> {
        groups.iter().map(|g| (g.name.clone(), g.clone())).collect()
    };
    let (running, known) = (by_name(active), by_name(pending));
    let mut changes = Changes::default();
    for group in pending {
        match running.get(&group.name) {
            None => changes.added.push(group.name.clone()),
            Some(old) if !same_group(old, group) => changes.changed.push(group.name.clone()),
            Some(_) => {}
        }
    }
    let gone = active.iter().filter(|group| !known.contains_key(&group.name));
    changes.removed = gone.map(|group| group.name.clone()).collect();
    changes
}

fn same_group(active: &Group, pending: &Group) -> bool {
    active.priority == pending.priority
        && active.kind == pending.kind
        && active.processes.len() == pending.processes.len()
        && active.processes.iter().zip(&pending.processes).all(|(a, p)| same_process(a, p))
}

/// Every field is named, so that a new one is not forgotten.
fn same_process(active: &Program, pending: &Program) -> bool {
    let Program {
        name,
        command,
        directory,
        umask,
        user,
        priority,
        autostart,
        autorestart,
        startsecs,
        startretries,
        restart,
        exitcodes,
        stopsignal,
        stopwaitsecs,
        stopasgroup,
        killasgroup,
        setsid,
        drain_timeout,
        redirect_stderr,
        stdout,
        stderr,
        environment,
        server_url: _, // follows from the listeners, which wait for a restart
        configured_server_url,
        socket,
    } = active;
    let uid = |user: &Option<super::options::User>| user.as_ref().map(|user| user.uid);
    *name == pending.name
        && *command == pending.command
        && *directory == pending.directory
        && *umask == pending.umask
        && uid(user) == uid(&pending.user)
        && *priority == pending.priority
        && *autostart == pending.autostart
        && *autorestart == pending.autorestart
        && *startsecs == pending.startsecs
        && *startretries == pending.startretries
        && *restart == pending.restart
        && *exitcodes == pending.exitcodes
        && *stopsignal == pending.stopsignal
        && *stopwaitsecs == pending.stopwaitsecs
        && *stopasgroup == pending.stopasgroup
        && *killasgroup == pending.killasgroup
        && *setsid == pending.setsid
        && *drain_timeout == pending.drain_timeout
        && *redirect_stderr == pending.redirect_stderr
        && same_channel(stdout, &pending.stdout)
        && same_channel(stderr, &pending.stderr)
        && variables(environment) == variables(&pending.environment)
        && *configured_server_url == pending.configured_server_url
        && url(socket) == url(&pending.socket)
}

/// Of a socket its URL alone counts, as in Supervisor: owner, mode and backlog take effect when
/// it is made the next time.
fn url(socket: &Option<Arc<FcgiSocket>>) -> Option<String> {
    socket.as_ref().map(|socket| socket.address.to_string())
}

/// A pending AUTO equals anything. An active AUTO is the path that it became, which no
/// configured path equals.
fn same_channel(active: &Channel, pending: &Channel) -> bool {
    let same_log = match (&active.logfile, &pending.logfile) {
        (_, ChildLog::Auto) => true,
        (ChildLog::Auto, ChildLog::None | ChildLog::Empty | ChildLog::File(_)) => false,
        (old, new) => old == new,
    };
    same_log
        && active.maxbytes == pending.maxbytes
        && active.backups == pending.backups
        && active.capture_maxbytes == pending.capture_maxbytes
        && active.events_enabled == pending.events_enabled
        && active.syslog == pending.syslog
}

/// The order of variables means nothing.
fn variables(list: &[(String, String)]) -> BTreeMap<&str, &str> {
    list.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[cfg(test)]
mod tests;
