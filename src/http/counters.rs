//! The answer of `minder.getCounters`.

use super::limits::{ANSWERS_COUNTED, Trouble};
use super::rpc::Job;
use super::server::Server;
use crate::coordinator::view::View;
use crate::counters::{Counters, OfDaemon, OfProcess};
use crate::log::activity::Logger;
use crate::xml_rpc::Writer;

const TROUBLES: [(Trouble, &str); 10] = [
    (Trouble::Descriptors, "out_of_descriptors"),
    (Trouble::Accept, "accept_failed"),
    (Trouble::Connections, "connections_full"),
    (Trouble::Bodies, "bodies_full"),
    (Trouble::Leases, "calls_full"),
    (Trouble::Unsent, "answers_unread"),
    (Trouble::Poll, "poll_failed"),
    (Trouble::Panic, "panicked"),
    (Trouble::Queue, "queue_full"),
    (Trouble::Foreign, "foreign"),
];

/// Writes it: a struct of structs of numbers, and two arrays of structs. Members may be added.
pub fn write(
    view: &View,
    counters: &Counters,
    logger: &Logger,
    server: &Server<Job>,
    w: &mut Writer<'_>,
) {
    w.begin_struct();
    begin(w, "daemon");
    for (what, name) in OfDaemon::DAEMON {
        member(w, name, counters.of_daemon(what));
    }
    end(w);
    begin(w, "processes");
    for (what, name) in OfProcess::NAMES {
        member(w, name, counters.of_processes(what));
    }
    end(w);
    begin(w, "events");
    for (what, name) in OfDaemon::EVENTS {
        member(w, name, counters.of_daemon(what));
    }
    end(w);
    begin(w, "activity_log");
    for (name, number) in logger.losses() {
        member(w, name, number);
    }
    end(w);
    begin(w, "http");
    for (trouble, name) in TROUBLES {
        member(w, name, server.troubles(trouble));
    }
    for status in ANSWERS_COUNTED {
        member(w, &format!("answered_{status}"), server.answered(status));
    }
    end(w);
    each_process(view, w);
    each_pool(counters, w);
    w.end_struct();
}

fn each_process(view: &View, w: &mut Writer<'_>) {
    w.begin_member("process");
    w.begin_array();
    for process in &view.processes {
        w.begin_struct();
        w.member_string("name", &process.program.name);
        w.member_string("group", &process.group);
        for (what, name) in OfProcess::NAMES {
            member(w, name, process.logs.tally().of(what));
        }
        w.end_struct();
    }
    w.end_array();
    w.end_member();
}

fn each_pool(counters: &Counters, w: &mut Writer<'_>) {
    w.begin_member("pool");
    w.begin_array();
    for (name, discarded) in counters.pools() {
        w.begin_struct();
        w.member_string("name", &name);
        member(w, "discarded", discarded);
        w.end_struct();
    }
    w.end_array();
    w.end_member();
}

fn begin(w: &mut Writer<'_>, name: &str) {
    w.begin_member(name);
    w.begin_struct();
}

fn end(w: &mut Writer<'_>) {
    w.end_struct();
    w.end_member();
}

/// An `int` as long as it is one of 32 bits, then a `double`, exact up to 2^53.
fn member(w: &mut Writer<'_>, name: &str, number: u64) {
    match i32::try_from(number) {
        Ok(number) => w.member_int(name, i64::from(number)),
        Err(_) => {
            w.begin_member(name);
            w.double(number as f64);
            w.end_member();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_doubles() {
        let text = |number| {
            let mut out = Vec::new();
            member(&mut Writer::new(&mut out), "n", number);
            String::from_utf8(out).unwrap()
        };
        let value =
            |text: &str| format!("<member>\n<name>n</name>\n<value>{text}</value>\n</member>\n");
        assert_eq!(text(0), value("<int>0</int>"));
        assert_eq!(text(2_147_483_647), value("<int>2147483647</int>"));
        assert_eq!(text(2_147_483_648), value("<double>2147483648.0</double>"));
        assert_eq!(text(1 << 53), value("<double>9007199254740992.0</double>"));
    }
}
