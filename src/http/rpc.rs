//! Requests to `/RPC2`: bytes to calls, calls to answers. A call that waits leaves its thread:
//! it goes on as a job when the coordinator has answered.

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;

use super::defect::guarded;
use super::describe;
use super::lanes::{Lane, Place, Turn, Want};
use super::lease::Lease;
use super::methods::{Flow, Service};
use super::request::Request;
use super::response::Response;
use super::server::Server;
use crate::config::options::LogLevel;
use crate::config::quote::quote;
use crate::coordinator::waiters::Answer;
use crate::counters::OfDaemon;
use crate::rpc::fault::{Fault, FaultCode};
use crate::rpc::method::{self, Method};
use crate::xml_rpc::{self, Logs, Value, Writer};

/// Calls in one multicall.
const CALLS: usize = 1000;

/// How much of a request the log shows, and the bytes that as much can take.
const CHARACTERS: usize = 1000;
const SHOWN: usize = 4 * CHARACTERS;

/// A call, or why it is none.
type Call = Result<Method, Fault>;

/// A request under way.
#[derive(Debug)]
pub struct Job {
    request: Request,
    /// The method that the client called, for the log.
    name: String,
    /// The beginning of what the client sent, likewise.
    data: Vec<u8>,
    form: Form,
    logs: Logs,
    rest: VecDeque<Call>,
    /// The answer so far.
    out: Vec<u8>,
    /// What the coordinator said to the call that waited.
    answer: Option<Answer>,
    /// Bytes that were made for it, those too many included.
    made: usize,
    /// Its turn at files, while it needs it.
    turn: Option<Turn>,
    /// Leave to wait, while it does.
    lease: Option<Lease>,
    /// The fault of a single call.
    fault: Option<Fault>,
}

/// What the answer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    One,
    Many,
}

/// Answers a request to `/RPC2`, now or later.
pub fn serve(service: &Arc<Service>, server: &Arc<Server<Job>>, mut request: Request) {
    if request.method() != "POST" {
        return request.respond(Response::error(400));
    }
    let logs = Logs::asked_for(request.header(Logs::HEADER));
    let mut data = request.take_body();
    let call = match guarded(|| xml_rpc::parse_call(&data)) {
        Ok(Ok(call)) => call,
        Ok(Err(error)) => {
            let text = format!("XML-RPC request data {} is invalid: {error}", shown(&data));
            service.logger.log(LogLevel::Error, text);
            return request.respond(Response::error(400));
        }
        Err(panic) => {
            tell_of_defect(service, &data, &panic);
            return request.respond(Response::error(500));
        }
    };
    if data.len() > SHOWN {
        data.truncate(SHOWN);
        data.shrink_to_fit();
    }
    let name = &call.method;
    service.logger.log(LogLevel::Trace, format_args!("XML-RPC method called: {name}()"));
    let namespaces = match service.handle.view() {
        Ok(view) => view.running.rpc_interfaces.clone(),
        Err(_) => Vec::new(),
    };
    let decoded = method::decode(&call.method, &call.params, &namespaces);
    let (form, rest) = match decoded {
        Ok(Method::Multicall(calls)) => match take_apart(&calls, &namespaces) {
            Ok(calls) => (Form::Many, calls),
            Err(fault) => (Form::One, VecDeque::from([Err(fault)])),
        },
        other => (Form::One, VecDeque::from([other])),
    };
    let mut out = Vec::with_capacity(512);
    let mut writer = Writer::new(&mut out);
    writer.begin_answer();
    if form == Form::Many {
        writer.begin_array();
    }
    let name = call.method;
    let job = Job {
        request,
        name,
        data,
        form,
        logs,
        rest,
        out,
        answer: None,
        made: 0,
        turn: None,
        lease: None,
        fault: None,
    };
    proceed(service, server, job);
}

/// The beginning of a request's data, in quotes.
fn shown(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data.get(..SHOWN).unwrap_or(data));
    quote(&text.chars().take(CHARACTERS).collect::<String>())
}

fn tell_of_defect(service: &Service, data: &[u8], panic: &str) {
    service.counters.count(OfDaemon::Panicked);
    let data = shown(data);
    service.logger.log(
        LogLevel::Critical,
        format_args!(
            "Handling XML-RPC request with data {data} raised an unexpected exception: {panic}"
        ),
    );
}

/// The calls of a multicall, each decoded or refused.
fn take_apart(calls: &[Value], namespaces: &[String]) -> Result<VecDeque<Call>, Fault> {
    let wrong = |why: &str| Fault::new(FaultCode::IncorrectParameters, why);
    if calls.len() > CALLS {
        return Err(wrong(&format!("more than {CALLS} calls")));
    }
    let one = |call: &Value| match call {
        Value::Struct(_) => Ok(decode_one(call, namespaces)),
        _ => Err(Fault::bare(FaultCode::IncorrectParameters)),
    };
    calls.iter().map(one).collect()
}

fn decode_one(call: &Value, namespaces: &[String]) -> Result<Method, Fault> {
    let wrong = |why: &str| Fault::new(FaultCode::IncorrectParameters, why);
    let name = match call.member("methodName") {
        Some(Value::String(name)) => name,
        _ => return Err(wrong("No methodName")),
    };
    if name == "system.multicall" {
        return Err(wrong("Recursive system.multicall forbidden"));
    }
    let params = match call.member("params") {
        None => &[],
        Some(Value::Array(params)) => params.as_slice(),
        // Empty lists of languages that don't tell them from maps.
        Some(Value::Struct(members)) if members.is_empty() => &[],
        Some(Value::String(text)) if text.is_empty() => &[],
        Some(_) => return Err(Fault::bare(FaultCode::IncorrectParameters)),
    };
    method::decode(name, params, namespaces)
}

/// The most that one answer may have, as it is sent, bytes: twice the log that one call may ask
/// for, since some bytes of a log take five.
const ANSWER: usize = 32 << 20;

/// Kept of it for the faults of a multicall's other calls.
const RESERVE: usize = 1 << 20;

const TOO_MANY_WAIT: &str = "too many calls are waiting; ask again later, or without waiting";

/// After so many bytes it is asked whether anybody is there to read them.
const MUCH: usize = 1 << 20;

/// The most that is made for one answer, left out again or not, bytes.
const MADE: usize = 2 * ANSWER;

fn too_large() -> Fault {
    let most = ANSWER >> 20;
    let why = format!("the answer would have more than {most} MiB; ask for less at a time");
    Fault::new(FaultCode::Failed, why)
}

/// The job with its turn for a call that reaches for files, at once as nearly always. The job
/// alone: it was refused a place to wait. Nothing: it waits for its turn, with the call.
fn with_turn(
    service: &Arc<Service>,
    server: &Arc<Server<Job>>,
    mut job: Job,
    mut call: Call,
) -> Option<(Job, Option<Call>)> {
    let Some(touched) = call.as_ref().ok().and_then(Method::touched) else {
        return Some((job, Some(call)));
    };
    let place = Place::of(&touched);
    let written = job.out.len();
    let large = written > MUCH || call.as_ref().is_ok_and(Method::reads_much);
    let lane = if job.request.listener().is_unix() { Lane::Unix } else { Lane::Tcp };
    loop {
        let held = job.turn.as_ref().map(Turn::want).filter(|held| held.place == place);
        let answers = match held {
            Some(held) if held.lane.is_some() || !large => {
                job.lease = None;
                return Some((job, Some(call)));
            }
            // Who hangs here does not hold up whoever reads much elsewhere.
            Some(_) if written <= MUCH || job.has_lease() => {
                call.iter().for_each(|method| service.reach(method));
                true
            }
            Some(_) => break,
            None => false,
        };
        job.turn = None;
        let want = Want { place, lane: (large && answers).then_some(lane) };
        job.turn = Turn::take(service, server, want);
        if job.turn.is_some() {
            continue;
        }
        if !job.has_lease() {
            break;
        }
        job.rest.push_front(call);
        job = Turn::await_by(service, server, job, want)?;
        call = job.rest.pop_front()?;
    }
    job.turn = None;
    job.write_fault(Fault::new(FaultCode::Failed, TOO_MANY_WAIT));
    Some((job, None))
}

/// Goes on with a request: writes what the coordinator answered, makes the next calls, and
/// answers the client when none is left.
pub fn proceed(service: &Arc<Service>, server: &Arc<Server<Job>>, mut job: Job) {
    if let Some(answer) = job.answer.take() {
        server.forget(job.client());
        job.lease = None;
        job.write_answer(&answer);
    }
    while let Some(call) = job.rest.pop_front() {
        if job.made > MUCH && job.is_deserted() {
            // Its turn is the next one's, its connection is closed.
            return;
        }
        let written = job.out.len();
        if written > ANSWER - RESERVE || job.made > MADE {
            // What is not done is said to be not done, to the last call.
            job.write_fault(too_large());
            continue;
        }
        let Some((back, call)) = with_turn(service, server, job, call) else { return };
        job = back;
        let Some(call) = call else { continue };
        let mut writer = Writer::new(&mut job.out).with_logs(job.logs);
        let done = guarded(|| call.and_then(|method| service.execute(method, server, &mut writer)));
        job.made += job.out.len().saturating_sub(written);
        match done {
            Ok(Ok(Flow::Done)) if job.out.len() > ANSWER => {
                job.out.truncate(written);
                job.write_fault(too_large());
            }
            Ok(Ok(Flow::Done)) => {}
            Ok(Ok(Flow::Wait(request))) => {
                job.turn = None;
                if request.waits() {
                    job.lease = job.request.lease(written);
                    if job.lease.is_none() {
                        job.write_fault(Fault::new(FaultCode::Failed, TOO_MANY_WAIT));
                        continue;
                    }
                }
                let ticket = server.park(job, Job::client);
                let server = Arc::clone(server);
                let resume = move |answer| server.resume(ticket, |job| job.answer = Some(answer));
                return service.handle.request(request, Box::new(resume));
            }
            Ok(Err(fault)) => job.write_fault(fault),
            Err(panic) => {
                tell_of_defect(service, &job.data, &panic);
                job.turn = None;
                if job.form == Form::One {
                    return job.request.respond(Response::error(500));
                }
                job.out.truncate(written);
                job.write_fault(Fault::new(FaultCode::Failed, panic));
            }
        }
    }
    job.finish(service);
}

impl Job {
    /// Its client's socket.
    pub(super) fn client(&self) -> BorrowedFd<'_> {
        self.request.as_fd()
    }

    /// Leave to wait, had before or now.
    fn has_lease(&mut self) -> bool {
        if self.lease.is_none() {
            self.lease = self.request.lease(self.out.len());
        }
        self.lease.is_some()
    }

    /// Whether its client left, as one that waits may.
    fn is_deserted(&self) -> bool {
        self.request.peer_gone()
    }

    /// It waited for this.
    pub(super) fn has_turn(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    fn write_answer(&mut self, answer: &Answer) {
        let mut w = Writer::new(&mut self.out);
        match answer {
            Answer::True => w.bool(true),
            Answer::Results(rows) => {
                w.begin_array();
                for row in rows {
                    describe::result(row, &mut w);
                }
                w.end_array();
            }
            Answer::Fault(fault) => self.write_fault(fault.clone()),
        }
    }

    fn write_fault(&mut self, fault: Fault) {
        match self.form {
            Form::One => self.fault = Some(fault),
            Form::Many => {
                let mut w = Writer::new(&mut self.out);
                w.begin_struct();
                w.member_int("faultCode", fault.code.code());
                w.member_string("faultString", &fault.to_string());
                w.end_struct();
            }
        }
    }

    fn finish(mut self, service: &Service) {
        self.turn = None;
        let mut body = std::mem::take(&mut self.out);
        match &self.fault {
            Some(fault) => {
                body.clear();
                xml_rpc::write_fault(fault.code.code(), &fault.to_string(), &mut body);
            }
            None => {
                let mut w = Writer::new(&mut body);
                if self.form == Form::Many {
                    w.end_array();
                }
                w.end_answer();
            }
        }
        if service.logger.writes(LogLevel::Trace) {
            let name = &self.name;
            let text = match &self.fault {
                Some(fault) => {
                    let code = fault.code.code();
                    format!("XML-RPC method {name}() returned fault: [{code}] {fault}")
                }
                None => format!("XML-RPC method {name}() returned successfully"),
            };
            service.logger.log(LogLevel::Trace, text);
        }
        self.request.respond(Response::new(200).header("Content-Type", "text/xml").body(body));
    }
}

#[cfg(test)]
mod tests;
