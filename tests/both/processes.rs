//! What the daemon tells of its processes by XML-RPC, and whether they have settled.

use std::collections::BTreeMap;

use crate::support::{TestDaemon, rpc};

/// The processes that are configured.
pub struct Processes {
    /// Whether each is started with the daemon, by full name.
    autostart: BTreeMap<String, bool>,
}

impl Processes {
    /// What is configured.
    pub fn configured(daemon: &TestDaemon) -> Processes {
        let body = call(daemon, "supervisor.getAllConfigInfo", "");
        let flags = rpc::members(&body, "autostart").into_iter().map(|flag| flag == "1");
        Processes { autostart: full_names(&body).into_iter().zip(flags).collect() }
    }

    /// Whether every process is where it stays.
    pub fn settled(&self, daemon: &TestDaemon) -> bool {
        let body = call(daemon, "supervisor.getAllProcessInfo", "");
        let starts = rpc::members(&body, "start");
        let states = rpc::members(&body, "statename");
        full_names(&body).iter().zip(states).zip(starts).all(|((name, state), start)| {
            let waits = || self.autostart.get(name).is_some_and(|flag| !flag);
            match state.as_str() {
                "RUNNING" | "EXITED" | "FATAL" => true,
                "STOPPED" => start != "0" || waits(),
                _ => false,
            }
        })
    }

    /// Stops a process; the answer.
    pub fn stop(daemon: &TestDaemon, name: &str) -> String {
        call(daemon, "supervisor.stopProcess", &format!("<string>{name}</string>"))
    }

    /// Every option that XML-RPC tells, one a line.
    pub fn options(daemon: &TestDaemon) -> String {
        call(daemon, "supervisor.getAllConfigInfo", "")
            .replace("<member>\n<name>", "")
            .replace("</name>\n<value>", " ")
            .replace("</value>\n</member>", "")
    }

    /// What XML-RPC tells of each process, without pids and times.
    pub fn facts(daemon: &TestDaemon) -> String {
        let body = call(daemon, "supervisor.getAllProcessInfo", "");
        let mut text = String::new();
        for field in [
            "group",
            "name",
            "statename",
            "exitstatus",
            "spawnerr",
            "stdout_logfile",
            "stderr_logfile",
        ] {
            text.push_str(&format!("{field}: {:?}\n", rpc::members(&body, field)));
        }
        text
    }
}

fn full_names(body: &str) -> Vec<String> {
    let groups = rpc::members(body, "group");
    let names = rpc::members(body, "name");
    groups.iter().zip(names).map(|(group, name)| format!("{group}:{name}")).collect()
}

#[track_caller]
fn call(daemon: &TestDaemon, method: &str, params: &str) -> String {
    daemon.rpc().call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
}
