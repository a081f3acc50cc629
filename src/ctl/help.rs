//! The help texts of the actions: usage on the left, meaning on the right.

use super::output::{Output, columns};

/// An action and its lines. Sorted by name.
const TOPICS: [(&str, &str); 23] = [
    ("add", "add <group> [...]\tStart to look after groups that were added to the configuration"),
    ("avail", "avail\t\t\tList all configured processes, in use or not"),
    (
        "clear",
        "clear <name> [...]\tEmpty the logs of processes\n\
         clear <group>:*\t\tEmpty the logs of all processes in a group\n\
         clear all\t\tEmpty the logs of all processes\n\
         clear <pattern>\t\tEmpty the logs of the processes that match, as in worker_*",
    ),
    ("exit", "exit\tLeave the shell."),
    (
        "fg",
        "fg <process>\tShow the output of a process and pass your input on to it\n\
         \t\tCtrl-C ends it",
    ),
    (
        "maintail",
        "maintail\t\tShow the last 1600 bytes of the daemon's log\n\
         maintail -100\t\tShow the last 100 bytes\n\
         maintail -f\t\tShow what is added until Ctrl-C",
    ),
    (
        "open",
        "open <url>\tTalk to another daemon from now on\n\
         \t\t(http://host:port, or unix:///path for a socket)",
    ),
    (
        "pid",
        "pid\t\t\tShow the daemon's process id\n\
         pid <name> [...]\tShow the process ids of some processes\n\
         pid all\t\t\tShow the process ids of all processes, one per line\n\
         pid <pattern>\t\tShow the process ids of the processes that match",
    ),
    ("quit", "quit\tLeave the shell."),
    ("reload", "reload\t\t\tRestart the daemon"),
    ("remove", "remove <group> [...]\tNo longer look after these groups, which must be stopped"),
    ("reread", "reread\t\t\tRead the configuration again and list the changes, but make none"),
    (
        "restart",
        "restart <name> [...]\tStop and start processes\n\
         restart <group>:*\tStop and start a whole group\n\
         restart all\t\tStop and start everything\n\
         restart <pattern>\tStop and start what matches, as in worker_* or group:web?\n\
         Note: the configuration is not read again; see reread and update.",
    ),
    ("shutdown", "shutdown\t\tStop all processes and end the daemon"),
    (
        "signal",
        "signal <signal> <name> [...]\t\tSend a signal to processes\n\
         signal <signal> <group>:*\t\tSend a signal to all processes in a group\n\
         signal <signal> all\t\t\tSend a signal to all processes\n\
         signal <signal> <pattern>\t\tSend a signal to the processes that match",
    ),
    (
        "start",
        "start <name> [...]\tStart these processes, one after the other\n\
         start <group>:*\t\tStart a whole group\n\
         start all\t\tStart everything\n\
         start <pattern>\t\tStart what matches, as in worker_* or group:web?",
    ),
    (
        "status",
        "status\t\t\tShow the state of all processes\n\
         status <name> [...]\tShow the state of some processes\n\
         status <group>:*\tShow the state of all processes in a group\n\
         status <pattern>\tShow the state of the processes that match\n\
         status --json [...]\tShow all that is known of them, as JSON",
    ),
    (
        "stop",
        "stop <name> [...]\tStop these processes, one after the other\n\
         stop <group>:*\t\tStop a whole group\n\
         stop all\t\tStop everything\n\
         stop <pattern>\t\tStop what matches, as in worker_* or group:web?",
    ),
    (
        "tail",
        "tail [-f|-N] <name> [stdout|stderr]\tShow the end of a process's log (default stdout)\n\
         tail <name>\t\tShow the last 1600 bytes\n\
         tail -100 <name>\tShow the last 100 bytes\n\
         tail -f <name>\t\tShow what is added until Ctrl-C\n\
         tail <name> <name> [...]\tThe same of several processes, each line behind its name;\n\
         \t\t\ta name can be a <group>:* or a pattern, as in worker_*",
    ),
    (
        "update",
        "update\t\t\tRead the configuration again, and stop, restart and start what changed\n\
         update <group> [...]\tThe same for some groups only; patterns as in web* are known here\n\
         \t\t\tand to add and remove",
    ),
    ("version", "version\t\t\tShow the daemon's version"),
    // Not in the list below, as the user who asks knows it.
    ("help", "help\t\t\tList the actions\nhelp <action>\t\tTell how to use an action"),
    ("?", "?\t\t\tThe same as help"),
];

/// The lines of one action.
pub(super) fn topic(name: &str) -> Option<&'static str> {
    TOPICS.iter().find(|topic| topic.0 == name).map(|topic| topic.1)
}

/// All actions.
pub(super) fn list(out: &mut Output) {
    const HEADING: &str = "default commands (type help <topic>):";
    let listed = TOPICS.iter().map(|topic| topic.0);
    let listed: Vec<&str> = listed.filter(|name| !matches!(*name, "help" | "?")).collect();
    out.line("");
    out.line(HEADING);
    out.line(&"=".repeat(HEADING.len()));
    for line in columns(&listed, 79) {
        out.line(&line);
    }
    out.line("");
}
