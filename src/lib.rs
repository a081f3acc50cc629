//! minder: a process supervisor that takes Supervisor's configuration, clients and commands.
//! This page is the map. No code stands here.
//!
//! # The way of the data, which is also the order to read in
//!
//! ```text
//! file ─ sys::config_files ─ config (text → Options) ─ coordinator::prepare (log files)
//!                                                            │
//! supervisorctl ─ http (bytes) ─ xml_rpc ─ rpc (Method) ─ http::methods
//!                                                            │ Message
//!                                                            ▼
//!                        coordinator: step (world, process::machine) → effects → perform
//!                          ▲ Message                         │ thread, signal, answer
//!    sys::signals, reap ───┤                                 ▼
//!    child (report) ───────┘◄── sys::spawn ◄── child::launch ── child::thread ─ log
//! ```
//!
//! Whoever chases a wrong `exited:` line opens `coordinator/run.rs` (reaping), `process/machine.rs`
//! (what the exit means) and `process/notice.rs` (its words). An event is made of a change of
//! state in `coordinator/world.rs`, worded in `event/payload.rs`, offered to the pools by
//! `coordinator/events.rs`, buffered and sent by `event/pool.rs`; a listener's answer comes back
//! through `child/thread.rs` to `event/protocol.rs`.
//!
//! # Who may know whom
//!
//! `daemon → http → coordinator → child → log, sys →` the pure modules; `ctl → xml_rpc, config`;
//! `pidproxy → sys`; `echo_supervisord_conf → config`;
//! among the pure ones `rpc → event → process → config`. Pure are [`config`], [`process`],
//! [`event`], [`rpc`], [`xml_rpc`], [`getopt`] and in [`coordinator`] its world, events and waiters: no
//! descriptor, no clock, no thread, no unsafe code; time comes in as a value. `tests/layers.rs`
//! holds them to it.
//!
//! # Threads
//!
//! | Thread | Owns | Waits in |
//! |---|---|---|
//! | coordinator (the main thread) | every state, the pids, the waiters | its mailbox, until the next deadline |
//! | signals | nothing: turns signals into messages | a read |
//! | child, one for each live child | its pipes, its log files, its stdin's backlog | poll |
//! | log | the activity log | its queue |
//! | http acceptor | every connection that is idle, half sent or slow to read | poll |
//! | http pool, more of them while files hang | one whole request each | its queue |
//! | stream, one for each client that follows a log | its connection, its place in the log | poll |
//! | files, while a restart is prepared, and at the end | nothing | the disk |
//!
//! # Invariants
//!
//! 1. Only the coordinator changes a state, sends a signal, or reaps. If another thread reaped, a
//!    stop could signal a stranger that got the pid.
//! 2. A zombie is named before it is waited for, so that its pid has one owner. Once it is reaped
//!    the pid is no target. Its thread then reads what is left, and only after that, or after a
//!    deadline, the state changes: output precedes the exit, yet an exit never awaits the end of
//!    a pipe that a grandchild may hold. With a `drain_timeout` the thread goes on with it for that
//!    long, beside that of the next child: they share the open log (`log/shared.rs`).
//! 3. Nobody can make the coordinator wait: it does channel operations, waitid, kill, thread
//!    creation, reads of the clocks, and closes sockets. Who touches a path waits himself.
//! 4. Between clone and exec: raw system calls on prepared memory, nothing else. There the child
//!    writes its line of the state file, if there is one: no moment in which the daemon may be
//!    killed leaves a child unknown to the next (`sys/state_file.rs`).
//! 5. Decisions use the monotonic clock; the wall clock is for what users are shown.
//! 6. Messages of children carry the number of their spawn: late ones of an old child are dropped.
//! 7. Every queue has a bound and an answer when it is full: the mailbox makes the sender wait,
//!    the activity log drops and counts, the HTTP server refuses, a pool of event listeners drops
//!    its oldest event and says so.
//! 8. After start-up nothing ends the daemon but a request. A panic is caught at the top of each
//!    thread and logged; a lack of descriptors, memory, processes or disk is logged once, counted
//!    and tried again. `minder.getCounters` tells what was counted (`counters.rs`).
//! 9. A FastCGI program's socket is made by the first child's thread that needs it, and closed by
//!    the coordinator when its world says that nobody does: not while one of the program's
//!    processes lives or will live again by itself.

pub mod child;
pub mod config;
pub mod coordinator;
pub mod counters;
pub mod ctl;
pub mod daemon;
pub mod echo_supervisord_conf;
pub mod event;
pub mod getopt;
pub mod http;
pub mod log;
pub mod pidproxy;
pub mod process;
pub mod rpc;
pub mod sys;
pub mod xml_rpc;

/// What `--version` and getSupervisorVersion tell: the Supervisor whose clients we serve, and our
/// own version.
pub const VERSION: &str = concat!("4.3.0+minder.", env!("CARGO_PKG_VERSION"));
