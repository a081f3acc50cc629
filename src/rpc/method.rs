//! Calls, decoded: a method with its parameters in types of ours.

use super::fault::{Fault, FaultCode};
use super::shown::shown;
use super::table::{self, Row};
use crate::config::signal;
use crate::xml_rpc::{self, Value};

/// Which log of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogChannel {
    /// What it wrote to stdout.
    Stdout,
    /// What it wrote to stderr.
    Stderr,
}

/// Which processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whom {
    /// By namespec.
    Named(String),
    /// A group by its bare name.
    Group(String),
    /// All.
    All,
}

/// What has to be there before the types of the other parameters matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing.
    Nothing,
    /// One process of this name.
    Process(String),
    /// A process or group.
    Whom(Whom),
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each is named as its method, the fields as its parameters")]
pub enum Method {
    GetApiVersion,
    GetSupervisorVersion,
    GetIdentification,
    GetState,
    GetPid,
    ReadLog {
        offset: i64,
        length: i64,
    },
    ClearLog,
    Shutdown,
    Restart,
    ReloadConfig,
    AddProcessGroup(String),
    RemoveProcessGroup(String),
    Start {
        whom: Whom,
        wait: bool,
    },
    Stop {
        whom: Whom,
        wait: bool,
    },
    Signal {
        whom: Whom,
        signal: String,
    },
    GetProcessInfo(String),
    GetAllProcessInfo,
    GetAllConfigInfo,
    ReadProcessLog {
        name: String,
        channel: LogChannel,
        offset: i64,
        length: i64,
    },
    TailProcessLog {
        name: String,
        channel: LogChannel,
        offset: i64,
        length: i64,
    },
    ClearProcessLogs(String),
    ClearAllProcessLogs,
    SendProcessStdin {
        name: String,
        chars: String,
    },
    SendRemoteCommEvent {
        kind: String,
        data: String,
    },
    GetCounters,
    ListMethods,
    MethodHelp(String),
    MethodSignature(String),
    Multicall(Vec<Value>),
    /// Any of Supervisor's methods with wrong types: the daemon's state and the names that are
    /// right are looked at first.
    Wrong {
        earlier: Earlier,
        fault: Fault,
    },
}

impl Method {
    /// Answered in every state of the daemon; the others are refused once it leaves.
    pub fn is_always_served(&self) -> bool {
        matches!(
            self,
            Method::GetCounters
                | Method::ListMethods
                | Method::MethodHelp(_)
                | Method::MethodSignature(_)
                | Method::Multicall(_)
                | Method::SendRemoteCommEvent { .. }
        )
    }
}

/// Finds the method of that name, given the namespaces under which Supervisor's are published,
/// and reads its parameters.
///
/// # Errors
/// UNKNOWN_METHOD, INCORRECT_PARAMETERS.
pub fn decode(name: &str, params: &[Value], namespaces: &[String]) -> Result<Method, Fault> {
    let row = table::find(name, namespaces).ok_or_else(|| Fault::bare(FaultCode::UnknownMethod))?;
    if !(row.least..=row.most()).contains(&params.len()) {
        return Err(Fault::bare(FaultCode::IncorrectParameters));
    }
    let mut params = Params { row, values: params.iter(), earlier: Earlier::Nothing };
    match (row.decode)(&mut params) {
        Err(fault) if !table::is_system(row) => {
            Ok(Method::Wrong { earlier: params.earlier, fault })
        }
        decoded => decoded,
    }
}

/// Parameters, read one after the other.
pub struct Params<'a> {
    row: &'static Row,
    values: std::slice::Iter<'a, Value>,
    earlier: Earlier,
}

impl Params<'_> {
    /// The name that the row has, for those that share a decoder.
    pub fn method(&self) -> &'static str {
        self.row.name
    }

    /// A string.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&mut self) -> Result<String, Fault> {
        match self.values.next() {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(Fault::bare(FaultCode::IncorrectParameters)),
        }
    }

    /// The name of one process, which has to be there before other types matter.
    ///
    /// # Errors
    /// It is no string.
    pub fn process(&mut self) -> Result<String, Fault> {
        let name = self.text()?;
        self.earlier = Earlier::Process(name.clone());
        Ok(name)
    }

    /// The namespec of a process or a group, which has to be there before other types matter.
    ///
    /// # Errors
    /// It is no string.
    pub fn namespec(&mut self) -> Result<Whom, Fault> {
        let whom = Whom::Named(self.text()?);
        self.earlier = Earlier::Whom(whom.clone());
        Ok(whom)
    }

    /// The bare name of a group. No group has a number for a name, so that is a wrong name.
    ///
    /// # Errors
    /// BAD_NAME, or it is a list.
    pub fn group(&mut self) -> Result<String, Fault> {
        match self.values.next() {
            Some(Value::String(name)) => {
                self.earlier = Earlier::Whom(Whom::Group(name.clone()));
                Ok(name.clone())
            }
            Some(Value::Nil) => Err(Fault::bare(FaultCode::BadName)),
            Some(value @ (Value::Int(_) | Value::Bool(_) | Value::Double(_))) => {
                Err(Fault::new(FaultCode::BadName, shown(value)))
            }
            _ => Err(Fault::bare(FaultCode::IncorrectParameters)),
        }
    }

    /// The bare name of a group to be added. Nothing but a text is any group's.
    ///
    /// # Errors
    /// BAD_NAME.
    pub fn new_group(&mut self) -> Result<String, Fault> {
        match self.values.next() {
            Some(Value::String(name)) => Ok(name.clone()),
            Some(Value::Nil) | None => Err(Fault::bare(FaultCode::BadName)),
            Some(other) => Err(Fault::new(FaultCode::BadName, shown(other))),
        }
    }

    /// A string; the fault says what came instead.
    ///
    /// # Errors
    /// It is something else.
    pub fn chars(&mut self) -> Result<String, Fault> {
        match self.values.next() {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Nil) | None => Err(Fault::bare(FaultCode::IncorrectParameters)),
            Some(other) => Err(Fault::new(FaultCode::IncorrectParameters, shown(other))),
        }
    }

    /// Whatever came, as text.
    pub fn any(&mut self) -> String {
        self.values.next().map_or_else(String::new, shown)
    }

    /// The full name of a method. Nothing else is known under any.
    ///
    /// # Errors
    /// It is no string.
    pub fn method_name(&mut self) -> Result<String, Fault> {
        self.text().map_err(|_| Fault::bare(FaultCode::SignatureUnsupported))
    }

    /// Whatever can be taken as a whole number.
    ///
    /// # Errors
    /// It can't.
    pub fn number(&mut self) -> Result<i64, Fault> {
        let wrong = || Fault::bare(FaultCode::IncorrectParameters);
        match self.values.next() {
            Some(Value::Int(n)) => Ok(*n),
            Some(Value::Bool(b)) => Ok(i64::from(*b)),
            Some(Value::Double(d)) if d.is_finite() => Ok(d.trunc() as i64),
            Some(Value::String(text)) => xml_rpc::whole_number(text).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }

    /// A signal as the client wrote it, by name or number.
    ///
    /// # Errors
    /// It is neither.
    pub fn signal(&mut self) -> Result<String, Fault> {
        match self.values.next() {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Int(n)) => Ok(n.to_string()),
            Some(Value::Bool(b)) => Ok(u8::from(*b).to_string()),
            Some(value @ Value::Double(d)) if d.is_finite() => {
                let number = (d.trunc() as i64).to_string();
                Ok(signal::parse(&number).map_or_else(|_| shown(value), |_| number))
            }
            _ => Err(Fault::bare(FaultCode::IncorrectParameters)),
        }
    }

    /// The optional last parameter `wait`: true unless it is given and is nothing, zero or empty.
    pub fn wait(&mut self) -> bool {
        match self.values.next() {
            None => true,
            Some(Value::Bool(b)) => *b,
            Some(Value::Int(n)) => *n != 0,
            Some(Value::Double(d)) => *d != 0.0,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Bytes(bytes)) => !bytes.is_empty(),
            Some(Value::Nil) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Struct(members)) => !members.is_empty(),
        }
    }

    /// An array.
    ///
    /// # Errors
    /// It is something else.
    pub fn array(&mut self) -> Result<Vec<Value>, Fault> {
        match self.values.next() {
            Some(Value::Array(items)) => Ok(items.clone()),
            _ => Err(Fault::bare(FaultCode::IncorrectParameters)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, params: &[Value]) -> Result<Method, String> {
        decode(name, params, &["supervisor".to_owned()]).map_err(|fault| fault.to_string())
    }

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn names() {
        assert_eq!(call("supervisor.getVersion", &[]), Ok(Method::GetApiVersion));
        for name in
            ["getPID", "supervisor.a.getPID", "other.getPID", "supervisor._x", "supervisor.", ""]
        {
            assert_eq!(call(name, &[]), Err("UNKNOWN_METHOD".to_owned()), "{name}");
        }
        assert!(decode("supervisor.getPID", &[], &[]).is_err(), "no interface, no methods");
        assert!(decode("system.listMethods", &[], &[]).is_ok());
    }

    #[test]
    fn counts_and_types() {
        let wrong = Err("INCORRECT_PARAMETERS".to_owned());
        assert_eq!(call("supervisor.getPID", &[text("x")]), wrong);
        assert_eq!(call("supervisor.startProcess", &[]), wrong);
        assert_eq!(
            call("supervisor.readLog", &[text("-5"), Value::Double(0.9)]),
            Ok(Method::ReadLog { offset: -5, length: 0 })
        );
        let unknown = Err("SIGNATURE_UNSUPPORTED".to_owned());
        assert_eq!(call("system.methodHelp", &[Value::Int(1)]), unknown);
    }

    #[test]
    fn wrong_types_are_told_after_what_is_looked_at_first() {
        use Earlier as E;
        let (one, nil, list) = (Value::Int(1), Value::Nil, Value::Array(vec![Value::Double(1.5)]));
        let signalled = || E::Whom(Whom::Named("a".to_owned()));
        let group = || E::Whom(Whom::Group("a".to_owned()));
        let process = || E::Process("a".to_owned());
        const WRONG: &str = "INCORRECT_PARAMETERS";
        let rows = [
            ("startProcess", vec![one.clone()], E::Nothing, WRONG),
            ("startProcess", vec![nil.clone()], E::Nothing, WRONG),
            ("startProcessGroup", vec![one.clone()], E::Nothing, "BAD_NAME: 1"),
            ("removeProcessGroup", vec![nil.clone()], E::Nothing, "BAD_NAME"),
            ("removeProcessGroup", vec![list.clone()], E::Nothing, WRONG),
            ("addProcessGroup", vec![list.clone()], E::Nothing, "BAD_NAME: [1.5]"),
            ("readLog", vec![text("x"), one.clone()], E::Nothing, WRONG),
            ("readProcessLog", vec![text("a"), one.clone(), nil.clone()], process(), WRONG),
            ("tailProcessLog", vec![text("a"), text("x"), one.clone()], process(), WRONG),
            ("signalProcess", vec![text("a"), nil.clone()], signalled(), WRONG),
            ("signalProcessGroup", vec![text("a"), nil.clone()], group(), WRONG),
            ("sendProcessStdin", vec![text("a"), one], E::Nothing, "INCORRECT_PARAMETERS: 1"),
            ("sendProcessStdin", vec![nil, list], E::Nothing, "INCORRECT_PARAMETERS: [1.5]"),
        ];
        for (name, params, want, words) in rows {
            match call(&format!("supervisor.{name}"), &params) {
                Ok(Method::Wrong { earlier, fault }) => {
                    assert_eq!((earlier, fault.to_string().as_str()), (want, words), "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn signals_by_any_number() {
        let rows = [
            (text(" hup "), " hup "),
            (Value::Int(-1), "-1"),
            (Value::Double(15.9), "15"),
            (Value::Double(99.5), "99.5"),
            (Value::Bool(true), "1"),
        ];
        for (value, signal) in rows {
            let want = Ok(Method::Signal { whom: Whom::All, signal: signal.to_owned() });
            assert_eq!(call("supervisor.signalAllProcesses", &[value]), want);
        }
    }

    #[test]
    fn wait_is_any_truth() {
        let rows = [
            (None, true),
            (Some(Value::Bool(false)), false),
            (Some(Value::Int(1)), true),
            (Some(Value::Int(0)), false),
            (Some(text("0")), true),
            (Some(text("")), false),
            (Some(Value::Nil), false),
        ];
        for (wait, want) in rows {
            let params: Vec<Value> = [text("a")].into_iter().chain(wait).collect();
            let whom = Whom::Named("a".to_owned());
            let want = Ok(Method::Start { whom, wait: want });
            assert_eq!(call("supervisor.startProcess", &params), want);
        }
    }
}
