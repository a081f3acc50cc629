//! A row per method: its name, signature, help, and how its parameters are read.

use super::fault::Fault;
use super::method::{LogChannel, Method, Params, Whom};

/// A method.
pub struct Row {
    /// Its name behind the dot.
    pub name: &'static str,
    /// The type of the result, then those of the parameters.
    pub signature: &'static [&'static str],
    /// How many parameters must be given.
    pub least: usize,
    /// What it does.
    pub help: &'static str,
    /// Reads the parameters.
    pub decode: fn(&mut Params<'_>) -> Result<Method, Fault>,
}

impl Row {
    /// How many parameters may be given.
    pub fn most(&self) -> usize {
        self.signature.len().saturating_sub(1)
    }
}

/// The namespace that is always there.
pub const SYSTEM: &str = "system";

/// The namespace of what Supervisor does not have. It is there where Supervisor's methods are,
/// under whatever name.
pub const OWN: &str = "minder";

/// The row of `namespace.method`, where the namespace is one of those given or `system`.
pub fn find(full_name: &str, namespaces: &[String]) -> Option<&'static Row> {
    let (namespace, name) = full_name.split_once('.')?;
    let own = OWN_ROWS.iter().find(|row| row.name == name);
    if let Some(own) = own.filter(|_| namespace == OWN && !namespaces.is_empty()) {
        return Some(own);
    }
    let rows: &[Row] = if namespace == SYSTEM {
        SYSTEM_ROWS
    } else if namespaces.iter().any(|known| known == namespace) {
        SUPERVISOR_ROWS
    } else {
        return None;
    };
    rows.iter().find(|row| row.name == name)
}

/// Whether the method is one of the namespace that is always there.
pub fn is_system(row: &Row) -> bool {
    SYSTEM_ROWS.iter().any(|known| known.name == row.name)
}

/// All names with their namespaces, in order.
pub fn all_names(namespaces: &[String]) -> Vec<String> {
    let system = SYSTEM_ROWS.iter().map(|row| format!("{SYSTEM}.{}", row.name));
    let others = namespaces.iter().flat_map(|namespace| {
        SUPERVISOR_ROWS.iter().map(move |row| format!("{namespace}.{}", row.name))
    });
    let own = OWN_ROWS.iter().filter(|_| !namespaces.is_empty());
    let own = own.map(|row| format!("{OWN}.{}", row.name));
    let mut names: Vec<String> = system.chain(others).chain(own).collect();
    names.sort();
    names.dedup();
    names
}

const fn row(
    name: &'static str,
    signature: &'static [&'static str],
    decode: fn(&mut Params<'_>) -> Result<Method, Fault>,
    help: &'static str,
) -> Row {
    Row { name, signature, least: signature.len() - 1, help, decode }
}

/// A row whose last parameter may be left out.
const fn optional(row: Row) -> Row {
    Row { least: row.least - 1, ..row }
}

const STRING: &[&str] = &["string"];
const ARRAY: &[&str] = &["array"];
const BOOLEAN: &[&str] = &["boolean"];
const BOOLEAN_OF_NAME: &[&str] = &["boolean", "string"];
const READ_MAIN: &[&str] = &["string", "int", "int"];
const READ: &[&str] = &["string", "string", "int", "int"];
const TAIL: &[&str] = &["array", "string", "int", "int"];

const SYSTEM_ROWS: &[Row] = &[
    row("listMethods", ARRAY, |_| Ok(Method::ListMethods), "The names of all methods, in order."),
    row(
        "methodHelp",
        &["string", "string"],
        |p| p.method_name().map(Method::MethodHelp),
        "What the named method does.",
    ),
    row(
        "methodSignature",
        &["array", "string"],
        |p| p.method_name().map(Method::MethodSignature),
        "The type of the named method's result, followed by those of its parameters.",
    ),
    row(
        "multicall",
        &["array", "array"],
        |p| p.array().map(Method::Multicall),
        "Carries out several calls, each a struct of methodName and params, one after the other. \
         The result of each is its plain value, or a struct of faultCode and faultString.",
    ),
];

const OWN_ROWS: &[Row] = &[row(
    "getCounters",
    &["struct"],
    |_| Ok(Method::GetCounters),
    "What was counted of errors and losses since the start: structs daemon, processes (all of \
     them together), events, activity_log and http, and the arrays process and pool of a struct \
     each. A number is an int, beyond 2147483647 a double.",
)];

const SUPERVISOR_ROWS: &[Row] = &[
    row(
        "addProcessGroup",
        BOOLEAN_OF_NAME,
        |p| p.new_group().map(Method::AddProcessGroup),
        "Makes a group of the last read configuration active and starts what starts by itself.",
    ),
    row(
        "clearAllProcessLogs",
        ARRAY,
        |_| Ok(Method::ClearAllProcessLogs),
        "Begins the logs of every process anew. A result for each.",
    ),
    row("clearLog", BOOLEAN, |_| Ok(Method::ClearLog), "Begins the activity log anew."),
    row("clearProcessLog", BOOLEAN_OF_NAME, clear_logs, CLEAR_HELP),
    row("clearProcessLogs", BOOLEAN_OF_NAME, clear_logs, CLEAR_HELP),
    row("getAPIVersion", STRING, |_| Ok(Method::GetApiVersion), API_HELP),
    row(
        "getAllConfigInfo",
        ARRAY,
        |_| Ok(Method::GetAllConfigInfo),
        "How every process of the last read configuration is configured, active or not.",
    ),
    row(
        "getAllProcessInfo",
        ARRAY,
        |_| Ok(Method::GetAllProcessInfo),
        "What getProcessInfo tells, of every process, by group and name.",
    ),
    row(
        "getIdentification",
        STRING,
        |_| Ok(Method::GetIdentification),
        "The configured identifier of this daemon.",
    ),
    row("getPID", &["int"], |_| Ok(Method::GetPid), "The process id of this daemon."),
    row(
        "getProcessInfo",
        &["struct", "string"],
        |p| p.text().map(Method::GetProcessInfo),
        "State, times, logs and a description of one process.",
    ),
    row(
        "getState",
        &["struct"],
        |_| Ok(Method::GetState),
        "The state of this daemon as a number and a word.",
    ),
    row(
        "getSupervisorVersion",
        STRING,
        |_| Ok(Method::GetSupervisorVersion),
        "The version of this daemon.",
    ),
    row("getVersion", STRING, |_| Ok(Method::GetApiVersion), API_HELP),
    row("readLog", READ_MAIN, read_log, READ_LOG_HELP),
    row("readMainLog", READ_MAIN, read_log, READ_LOG_HELP),
    row("readProcessLog", READ, read_stdout, READ_STDOUT_HELP),
    row(
        "readProcessStderrLog",
        READ,
        |p| read(p, LogChannel::Stderr),
        "Bytes of a process's stderr log, from an offset. A negative offset counts from the end.",
    ),
    row("readProcessStdoutLog", READ, read_stdout, READ_STDOUT_HELP),
    row(
        "reloadConfig",
        ARRAY,
        |_| Ok(Method::ReloadConfig),
        "Reads the configuration again and tells which groups are new, changed and gone. Nothing \
         is started or stopped.",
    ),
    row(
        "removeProcessGroup",
        BOOLEAN_OF_NAME,
        |p| p.group().map(Method::RemoveProcessGroup),
        "Forgets a group whose processes have all stopped.",
    ),
    row(
        "restart",
        BOOLEAN,
        |_| Ok(Method::Restart),
        "Stops everything and begins anew with the configuration as it is then.",
    ),
    row(
        "sendProcessStdin",
        &["boolean", "string", "string"],
        |p| {
            let name = p.text();
            let chars = p.chars()?;
            Ok(Method::SendProcessStdin { name: name?, chars })
        },
        "Writes text to the stdin of a process, as UTF-8, with nothing added.",
    ),
    row(
        "sendRemoteCommEvent",
        &["boolean", "string", "string"],
        |p| Ok(Method::SendRemoteCommEvent { kind: p.any(), data: p.any() }),
        "Makes an event of type REMOTE_COMMUNICATION for the event listeners.",
    ),
    row("shutdown", BOOLEAN, |_| Ok(Method::Shutdown), "Stops everything and ends this daemon."),
    row(
        "signalAllProcesses",
        &["array", "string"],
        |p| Ok(Method::Signal { whom: Whom::All, signal: p.signal()? }),
        "Sends a signal, by name or number, to every process that runs. A result for each.",
    ),
    row(
        "signalProcess",
        &["boolean", "string", "string"],
        |p| Ok(Method::Signal { whom: p.namespec()?, signal: p.signal()? }),
        "Sends a signal, by name or number, to a process.",
    ),
    row(
        "signalProcessGroup",
        &["array", "string", "string"],
        |p| Ok(Method::Signal { whom: Whom::Group(p.group()?), signal: p.signal()? }),
        "Sends a signal, by name or number, to the processes of a group. A result for each.",
    ),
    optional(row(
        "startAllProcesses",
        &["array", "boolean"],
        |p| Ok(Method::Start { whom: Whom::All, wait: p.wait() }),
        "Starts every process that does not run. With wait (the default) the answer comes when \
         all are up or have failed. A result for each.",
    )),
    optional(row(
        "startProcess",
        &["boolean", "string", "boolean"],
        |p| Ok(Method::Start { whom: p.namespec()?, wait: p.wait() }),
        "Starts a process, or with group:* a group. With wait (the default) the answer comes when \
         it is up or has failed.",
    )),
    optional(row(
        "startProcessGroup",
        &["array", "string", "boolean"],
        |p| Ok(Method::Start { whom: Whom::Group(p.group()?), wait: p.wait() }),
        "Starts the processes of a group that do not run. A result for each.",
    )),
    optional(row(
        "stopAllProcesses",
        &["array", "boolean"],
        |p| Ok(Method::Stop { whom: Whom::All, wait: p.wait() }),
        "Stops every process that runs. With wait (the default) the answer comes when all have \
         stopped. A result for each.",
    )),
    optional(row(
        "stopProcess",
        &["boolean", "string", "boolean"],
        |p| Ok(Method::Stop { whom: p.namespec()?, wait: p.wait() }),
        "Stops a process, or with group:* a group. With wait (the default) the answer comes when \
         it has stopped.",
    )),
    optional(row(
        "stopProcessGroup",
        &["array", "string", "boolean"],
        |p| Ok(Method::Stop { whom: Whom::Group(p.group()?), wait: p.wait() }),
        "Stops the processes of a group that run. A result for each.",
    )),
    row("tailProcessLog", TAIL, tail_stdout, TAIL_STDOUT_HELP),
    row(
        "tailProcessStderrLog",
        TAIL,
        |p| tail(p, LogChannel::Stderr),
        "New bytes of a process's stderr log: text, next offset, and whether more came than fits.",
    ),
    row("tailProcessStdoutLog", TAIL, tail_stdout, TAIL_STDOUT_HELP),
];

const API_HELP: &str = "The version of this interface.";
const CLEAR_HELP: &str = "Begins the stdout and stderr logs of a process anew.";
const READ_LOG_HELP: &str =
    "Bytes of the activity log, from an offset. A negative offset counts from the end.";
const READ_STDOUT_HELP: &str =
    "Bytes of a process's stdout log, from an offset. A negative offset counts from the end.";
const TAIL_STDOUT_HELP: &str =
    "New bytes of a process's stdout log: text, next offset, and whether more came than fits.";

fn clear_logs(params: &mut Params<'_>) -> Result<Method, Fault> {
    params.text().map(Method::ClearProcessLogs)
}

fn read_log(params: &mut Params<'_>) -> Result<Method, Fault> {
    Ok(Method::ReadLog { offset: params.number()?, length: params.number()? })
}

fn read_stdout(params: &mut Params<'_>) -> Result<Method, Fault> {
    read(params, LogChannel::Stdout)
}

fn read(params: &mut Params<'_>, channel: LogChannel) -> Result<Method, Fault> {
    let name = params.process()?;
    let (offset, length) = (params.number()?, params.number()?);
    Ok(Method::ReadProcessLog { name, channel, offset, length })
}

fn tail_stdout(params: &mut Params<'_>) -> Result<Method, Fault> {
    tail(params, LogChannel::Stdout)
}

fn tail(params: &mut Params<'_>, channel: LogChannel) -> Result<Method, Fault> {
    let name = params.process()?;
    let (offset, length) = (params.number()?, params.number()?);
    Ok(Method::TailProcessLog { name, channel, offset, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_one_methods_and_our_own_in_order() {
        let names = all_names(&["supervisor".to_owned()]);
        assert_eq!(names.len(), 42);
        assert_eq!(names.first().map(String::as_str), Some("minder.getCounters"));
        assert!(find("minder.getCounters", &[]).is_none());
        let both = [OWN.to_owned()];
        assert!(
            find("minder.getCounters", &both).is_some() && find("minder.getPID", &both).is_some()
        );
        assert!(names.is_sorted());
        let api = names.iter().position(|name| name == "supervisor.getAPIVersion");
        let all = names.iter().position(|name| name == "supervisor.getAllConfigInfo");
        assert!(api < all, "bytewise");
        assert_eq!(all_names(&[]).len(), 4);
        for row in SYSTEM_ROWS.iter().chain(SUPERVISOR_ROWS).chain(OWN_ROWS) {
            assert!(row.least <= row.most() && !row.help.is_empty(), "{}", row.name);
        }
    }
}
