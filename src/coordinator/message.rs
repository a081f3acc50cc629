//! All that can wake the coordinator, and the handle by which others reach it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Sender, bounded};

use super::prepare::{NewGroup, Next};
use super::view::{Published, View};
use super::waiters::{Answer, RequestId};
use super::world::ProcessId;
use super::world::requests::Request;
use crate::child::thread::Report;
use crate::config::options::Options;
use crate::config::reread::Changes;
use crate::event;
use crate::process::machine::SpawnNumber;
use crate::rpc::fault::{Fault, FaultCode};

/// Messages that may wait; who sends more waits for room.
pub const MAILBOX: usize = 256;

/// Called once with the answer, from the coordinator: it must not wait for anything.
pub type Reply = Box<dyn FnOnce(Answer) + Send>;

/// A message to the coordinator. Small: the mailbox holds memory for all that may wait.
pub enum Message {
    /// The daemon got a signal.
    Signal(i32),
    /// A child's thread reports.
    Child {
        /// Of this process.
        process: ProcessId,
        /// Of this spawn.
        spawn: SpawnNumber,
        /// What.
        report: Report,
    },
    /// A client asks for a change.
    Request {
        /// Its number.
        id: RequestId,
        /// What.
        request: Box<Request>,
        /// Where the answer goes.
        reply: Reply,
    },
    /// A group whose logs are prepared is to become active.
    Add {
        /// The group.
        group: Box<NewGroup>,
        /// Where the answer goes.
        reply: Sender<Answer>,
    },
    /// Somebody needs to see.
    View(Sender<Arc<View>>),
    /// The configuration was read again.
    Reread {
        /// As it is now.
        options: Arc<Options>,
        /// What differs from what is active.
        reply: Sender<Changes>,
    },
    /// The daemon is to end (`None`) or to begin anew.
    Leave {
        /// What comes after.
        next: Option<Box<Next>>,
        /// Told when it is under way; false: it already was.
        reply: Sender<bool>,
    },
    /// Something happened that listeners may want to hear of.
    Occurred(Box<event::payload::Event>),
    /// What HUP asked for is prepared, or can't be had.
    Prepared(Result<Box<Next>, String>),
}

impl Message {
    /// What it is called in an account of the loop's work.
    pub fn kind(&self) -> &'static str {
        match self {
            Message::Signal(_) => "signal",
            Message::Child { report, .. } => match report {
                Report::Spawned { .. } => "child: spawned",
                Report::Failed(_) => "child: not spawned",
                Report::ExecLacked => "child: not executed",
                Report::Drained => "child: output read",
                Report::Lingers(_) => "child: others write on",
                Report::Lingered => "child: others heard no more",
                Report::Occurred(_) => "child: wrote an event",
                Report::Heard(_) => "child: listener spoke",
                Report::Panicked(_) => "child: thread panicked",
            },
            Message::Request { request, .. } => match **request {
                Request::Start { .. } => "request: start",
                Request::Stop { .. } => "request: stop",
                Request::Signal { .. } => "request: signal",
                Request::Add(_) => "request: add",
                Request::Remove(_) => "request: remove",
            },
            Message::Add { .. } => "group added",
            Message::View(_) => "view",
            Message::Reread { .. } => "reread",
            Message::Leave { .. } => "leave",
            Message::Occurred(_) => "remote event",
            Message::Prepared(_) => "restart prepared",
        }
    }
}

const _: () = assert!(std::mem::size_of::<Message>() <= 72);

/// How others reach the coordinator.
#[derive(Clone, Debug)]
pub struct Handle {
    to: Sender<Message>,
    published: Arc<Published>,
    numbers: Arc<AtomicU64>,
}

impl Handle {
    /// A handle on the mailbox behind `to`.
    pub fn new(to: Sender<Message>) -> Handle {
        let published = Arc::default();
        Handle { to, published, numbers: Arc::new(AtomicU64::new(1)) }
    }

    /// The mailbox.
    pub fn sender(&self) -> &Sender<Message> {
        &self.to
    }

    /// Where the coordinator publishes what it knows.
    pub fn published(&self) -> &Arc<Published> {
        &self.published
    }

    /// What the coordinator knows.
    ///
    /// # Errors
    /// The coordinator is gone.
    pub fn view(&self) -> Result<Arc<View>, Fault> {
        match self.published.get() {
            Some(view) => Ok(view),
            None => self.ask(Message::View),
        }
    }

    /// Sends a request; the answer comes by `reply`, at once or later.
    pub fn request(&self, request: Request, reply: Reply) {
        let id = RequestId(self.numbers.fetch_add(1, Ordering::Relaxed));
        let request = Box::new(request);
        if let Err(failed) = self.to.send(Message::Request { id, request, reply })
            && let Message::Request { reply, .. } = failed.into_inner()
        {
            reply(Answer::Fault(gone()));
        }
    }

    /// Something happened that listeners may want to hear of.
    ///
    /// # Errors
    /// The coordinator is gone.
    pub fn occurred(&self, event: event::payload::Event) -> Result<(), Fault> {
        self.to.send(Message::Occurred(Box::new(event))).map_err(|_| gone())
    }

    /// Sends a message and waits for its answer, which the coordinator gives at once.
    ///
    /// # Errors
    /// The coordinator is gone.
    pub fn ask<T>(&self, message: impl FnOnce(Sender<T>) -> Message) -> Result<T, Fault> {
        let (reply, answer) = bounded(1);
        self.to.send(message(reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())
    }
}

fn gone() -> Fault {
    Fault::bare(FaultCode::ShutdownState)
}
