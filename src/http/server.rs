//! The server as its users see it: started with listeners, asked for work by a pool of threads,
//! given jobs that belong to requests in flight, stopped.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::acceptor::Acceptor;
use super::connection::{Connection, Turn};
use super::core::Core;
use super::limits::{Limits, Trouble};
use super::request::Request;
use super::waiting::{Desertable, Ticket, Waiting};
use crate::sys::net::{self, Listener};

/// Enough for the acceptor: it parses heads, and calls nothing deep.
const ACCEPTOR_STACK: usize = 128 << 10;
/// An emptied queue gives back what a burst made it grow by.
const QUEUE_KEPT: usize = 64;

/// What a pool thread gets.
#[derive(Debug)]
pub enum Work<J> {
    /// A new request.
    Request(Request),
    /// What was given to [`Server::push_job`].
    Job(J),
}

/// The server. Dropped, it stops.
pub struct Server<J: Send + 'static> {
    core: Arc<Core>,
    queue: Arc<Queue<J>>,
    waiting: Arc<Waiting<J>>,
    listeners: Mutex<Vec<Listener>>,
}

struct Queue<J> {
    state: Mutex<QueueState<J>>,
}

struct QueueState<J> {
    work: VecDeque<Work<J>>,
    /// Threads that wait for work; the last to come is the first to go, as its memory is warm.
    /// Each is parked by itself: what waits on a condition variable is woken by nobody whenever
    /// a debugger looks.
    waiting: Vec<Thread>,
    stopped: bool,
}

impl<J> Queue<J> {
    fn lock(&self) -> MutexGuard<'_, QueueState<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds work, unless the queue was closed or holds `most` already; then it comes back.
    fn push(&self, work: Work<J>, most: usize, core: &Core) -> Option<Work<J>> {
        let mut state = self.lock();
        if state.stopped || state.work.len() >= most {
            return Some(work);
        }
        state.work.push_back(work);
        core.backlog.store(state.work.len(), Ordering::Relaxed);
        let thread = state.waiting.pop();
        drop(state);
        if let Some(thread) = thread {
            thread.unpark();
        }
        None
    }
}

/// The connection that this pool thread answered last.
enum Kept {
    /// Not a thread of a pool: answers given here go back to the acceptor.
    Nothing,
    /// A thread of the pool of the server with this core.
    Pool(*const Core),
    /// Its connection waits for the thread's next turn.
    Connection(Box<Connection>),
}

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept::Nothing) };
}

/// Takes an answered connection: the pool thread that answered keeps it for its next turn, if
/// nothing is left to be sent; else it is the acceptor's.
pub(super) fn keep(connection: Box<Connection>) {
    let passed_on = KEPT.try_with(|kept| {
        let Ok(mut kept) = kept.try_borrow_mut() else { return Some(connection) };
        let ours = match &*kept {
            Kept::Pool(core) => std::ptr::eq(*core, Arc::as_ptr(connection.core())),
            Kept::Nothing | Kept::Connection(_) => false,
        };
        if !ours || connection.is_sending() {
            return Some(connection);
        }
        *kept = Kept::Connection(connection);
        None
    });
    if let Ok(Some(connection)) = passed_on {
        Arc::clone(connection.core()).give_back(connection);
    }
}

impl<J: Send + 'static> Server<J> {
    /// Starts the acceptor's thread. Work is done by whoever calls [`Server::recv`].
    ///
    /// # Errors
    /// No descriptor or no thread could be had.
    pub fn start(listeners: Vec<Listener>, limits: Limits) -> io::Result<Arc<Server<J>>> {
        let core = Arc::new(Core::new(limits)?);
        let state = QueueState { work: VecDeque::new(), waiting: Vec::new(), stopped: false };
        let queue = Arc::new(Queue { state: Mutex::new(state) });
        let deliver = {
            let (queue, core) = (Arc::clone(&queue), Arc::clone(&core));
            // Requests need no bound of their own: each has one of the connections. Dropped
            // when the server was stopped, it closes that.
            move |request| drop(queue.push(Work::Request(request), usize::MAX, &core))
        };
        let waiting = Arc::new(Waiting::new()?);
        let acceptor = Acceptor::new(
            Arc::clone(&core),
            listeners.clone(),
            Box::new(deliver),
            Arc::clone(&waiting) as Arc<dyn Desertable>,
        )?;
        thread::Builder::new()
            .name("http".into())
            .stack_size(ACCEPTOR_STACK)
            .spawn(move || acceptor.run())?;
        Ok(Arc::new(Server { core, queue, waiting, listeners: Mutex::new(listeners) }))
    }

    /// Waits for a request or a job; `None` once the server was stopped. A thread that answers
    /// requests between its calls of this also serves the next one on the same connection, if
    /// it comes at once and no other work waits; so answering should be the last that it does
    /// with a request.
    pub fn recv(&self) -> Option<Work<J>> {
        self.recv_within(None)
    }

    /// The same; `None` too when no work came for so long.
    pub fn recv_within(&self, patience: Option<Duration>) -> Option<Work<J>> {
        let next = self.take_kept().and_then(|connection| self.linger(connection));
        if let Some(request) = next {
            return Some(Work::Request(request));
        }
        let until = patience.map(|patience| Instant::now() + patience);
        let mut state = self.queue.lock();
        loop {
            if let Some(work) = state.work.pop_front() {
                self.core.backlog.store(state.work.len(), Ordering::Relaxed);
                if state.work.is_empty() && state.work.capacity() > QUEUE_KEPT {
                    state.work.shrink_to(QUEUE_KEPT);
                }
                return Some(work);
            }
            if state.stopped {
                drop(state);
                let _ = KEPT.try_with(|kept| kept.replace(Kept::Nothing));
                return None;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            let me = thread::current();
            state.waiting.push(me.clone());
            drop(state);
            left.map_or_else(thread::park, thread::park_timeout);
            state = self.queue.lock();
            // Still there if it was woken for no reason.
            state.waiting.retain(|thread| thread.id() != me.id());
        }
    }

    /// The connection answered last, and this thread known as one of the pool.
    fn take_kept(&self) -> Option<Box<Connection>> {
        let before = KEPT.try_with(|kept| kept.replace(Kept::Pool(Arc::as_ptr(&self.core))));
        match before {
            Ok(Kept::Connection(connection)) => Some(connection),
            _ => None,
        }
    }

    /// Waits a little for the next request on a connection, unless other work waits; one thread
    /// at least never lingers, so that newcomers find it.
    fn linger(&self, mut connection: Box<Connection>) -> Option<Request> {
        let may = {
            let state = self.queue.lock();
            state.work.is_empty() && !state.waiting.is_empty() && !state.stopped
        };
        if may && !connection.info().is_closed() {
            let mut waited = false;
            // Of a request that the client sent behind the last one, a part may be here.
            let mut ready = !connection.is_idle() || connection.linger();
            while ready {
                match connection.advance() {
                    Turn::Request(request) => return Some(request),
                    Turn::Close => return None,
                    Turn::Wait(same) => connection = same,
                }
                // The rest of a request that is on its way: once.
                let deadline = Instant::now() + self.core.limits.linger;
                let socket = connection.socket().as_fd();
                ready = !waited
                    && connection.is_receiving()
                    && net::wait_until(socket, connection.events(), deadline).is_ok();
                waited = true;
            }
        }
        self.core.give_back(connection);
        None
    }

    /// Puts a job into the pool's queue: the next step of a request in flight. Never blocks.
    ///
    /// # Errors
    /// The job comes back when the server was stopped, or when more jobs wait than there can be
    /// connections; the latter is reported too.
    pub fn push_job(&self, job: J) -> Result<(), J> {
        // Requests and jobs, one each of every connection.
        let most = 2 * self.core.limits.connections;
        match self.queue.push(Work::Job(job), most, &self.core) {
            Some(Work::Job(job)) => {
                if !self.core.is_stopped() {
                    self.core.notices.report(Trouble::Queue, "");
                }
                Err(job)
            }
            Some(Work::Request(_)) | None => Ok(()),
        }
    }

    /// Keeps a job whose answer will come from elsewhere, perhaps much later. Should the client
    /// leave before, the job is dropped and its connection with it, so that nobody holds
    /// connections by asking for what takes long and leaving. `client` is the socket of the job's
    /// request, which is watched until [`Server::forget`].
    pub fn park(&self, job: J, client: impl Fn(&J) -> BorrowedFd<'_>) -> Ticket<J> {
        self.waiting.park(job, client)
    }

    /// Puts a parked job into the pool's queue, with its answer; nothing if the client has left.
    /// Never blocks.
    pub fn resume(&self, ticket: Ticket<J>, answer: impl FnOnce(&mut J)) {
        if let Some(mut job) = ticket.redeem() {
            answer(&mut job);
            // Stopped, or no room, which was reported: the connection closes with the job.
            let _ = self.push_job(job);
        }
    }

    /// Watches the client of a job that was parked no more.
    pub fn forget(&self, client: BorrowedFd<'_>) {
        self.waiting.forget(client);
    }

    /// Whether it was stopped.
    pub(super) fn is_stopped(&self) -> bool {
        self.core.is_stopped()
    }

    /// Replaces the listeners. Those not passed in again are closed, and so are the connections
    /// that came by them: at once if idle, else when their answer is out.
    pub fn set_listeners(&self, listeners: Vec<Listener>) {
        let before = {
            let mut current = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, listeners.clone())
        };
        for old in before {
            let same = |new: &&Listener| new.as_raw_fd() == old.as_raw_fd();
            match listeners.iter().find(same) {
                Some(new) if Arc::ptr_eq(new.info(), old.info()) => {}
                // The socket stays, but under other credentials.
                Some(_) => old.info().close(),
                None => old.close(),
            }
        }
        self.core.replace_listeners(listeners);
    }

    /// Ends the server: listeners are closed and their paths removed, idle connections closed,
    /// [`Server::recv`] returns `None` once the jobs that wait are done. Requests in flight may still
    /// be answered. Does not wait.
    pub fn stop(&self) {
        let listeners = {
            let mut current = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *current)
        };
        listeners.iter().for_each(Listener::close);
        self.core.stop();
        let mut state = self.queue.lock();
        state.stopped = true;
        // Jobs are answers that are due; requests would only be refused.
        let left = std::mem::take(&mut state.work);
        let (jobs, requests): (VecDeque<_>, VecDeque<_>) =
            left.into_iter().partition(|work| matches!(work, Work::Job(_)));
        state.work = jobs;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.iter().for_each(Thread::unpark);
        drop(requests);
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        let (tcp, unix) = self.core.connections();
        tcp + unix
    }

    /// How many answers of that status went out since the start; 0 for one that is not counted.
    pub fn answered(&self, status: u16) -> u64 {
        self.core.answers.count(status)
    }

    /// How often that trouble was met since the start.
    pub fn troubles(&self, trouble: Trouble) -> u64 {
        self.core.notices.count(trouble)
    }
}

impl<J: Send + 'static> Drop for Server<J> {
    fn drop(&mut self) {
        self.stop();
    }
}
