//! Calls, decoded: a method with its parameters in types of ours.

use super::fault::{Fault, FaultCode};
use super::table::{self, Row};
use crate::xml_rpc::Value;

/// Which log of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogChannel {
    /// What it wrote to stdout.
    Stdout,
    /// What it wrote to stderr.
    Stderr,
}

/// Which processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// By namespec.
    Named(String),
    /// A group by its bare name.
    Group(String),
    /// All.
    All,
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
    ReadLog { offset: i64, length: i64 },
    ClearLog,
    Shutdown,
    Restart,
    ReloadConfig,
    AddProcessGroup(String),
    RemoveProcessGroup(String),
    Start { whom: Whom, wait: bool },
    Stop { whom: Whom, wait: bool },
    Signal { whom: Whom, signal: String },
    GetProcessInfo(String),
    GetAllProcessInfo,
    GetAllConfigInfo,
    ReadProcessLog { name: String, channel: LogChannel, offset: i64, length: i64 },
    TailProcessLog { name: String, channel: LogChannel, offset: i64, length: i64 },
    ClearProcessLogs(String),
    ClearAllProcessLogs,
    SendProcessStdin { name: String, chars: String },
    SendRemoteCommEvent { kind: String, data: String },
    ListMethods,
    MethodHelp(String),
    MethodSignature(String),
    Multicall(Vec<Value>),
}

impl Method {
    /// Answered in every state of the daemon; the others are refused once it leaves.
    pub fn is_always_served(&self) -> bool {
        matches!(
            self,
            Method::ListMethods
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
    (row.decode)(&mut Params { row, values: params.iter() })
}

/// Parameters, read one after the other.
pub struct Params<'a> {
    row: &'static Row,
    values: std::slice::Iter<'a, Value>,
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

    /// A string; the fault says what came instead.
    ///
    /// # Errors
    /// It is something else.
    pub fn chars(&mut self) -> Result<String, Fault> {
        match self.values.next() {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Int(n)) => Err(Fault::new(FaultCode::IncorrectParameters, n.to_string())),
            Some(Value::Bool(b)) => {
                let word = if *b { "True" } else { "False" };
                Err(Fault::new(FaultCode::IncorrectParameters, word))
            }
            _ => Err(Fault::bare(FaultCode::IncorrectParameters)),
        }
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
            Some(Value::String(text)) => text.trim().parse().map_err(|_| wrong()),
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
        assert_eq!(call("supervisor.startProcess", &[Value::Int(1)]), wrong);
        assert_eq!(call("supervisor.startProcess", &[Value::Nil]), wrong);
        assert_eq!(call("supervisor.readLog", &[text("x"), Value::Int(0)]), wrong);
        assert_eq!(
            call("supervisor.readLog", &[text("-5"), Value::Double(0.9)]),
            Ok(Method::ReadLog { offset: -5, length: 0 })
        );
        assert_eq!(
            call("supervisor.sendProcessStdin", &[text("a"), Value::Int(7)]),
            Err("INCORRECT_PARAMETERS: 7".to_owned())
        );
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
