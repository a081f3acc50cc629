//! The one place where children are made.
//!
//! Everything is prepared before; between clone and exec the child makes raw system calls on
//! prepared memory only, for other threads exist, and with `CLONE_VM` the memory is theirs.
//! A child without `user=` shares the daemon's memory until it executes: quick, whatever the
//! daemon's size. With a user that differs it gets a copy: a set*id in shared memory would leave
//! the daemon undumpable, or open a window to trace it. Of the descriptors it gets its own only
//! (see [`super::seats`]).
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::resource::{Resource, getrlimit};

use super::errno;
use super::inject::{self, Call};
use super::limits::{Bounds, ForChildren};
use super::pipe;
use super::privileges::{Identity, NO_GROUP, NO_GROUPS, NO_USER};
use super::seats::Seats;
use super::state_file::Record;

/// Where the kernel writes the pid before the child runs: the coordinator may look at any time.
#[derive(Debug, Default)]
pub struct PidSlot(AtomicI32);

impl PidSlot {
    /// The pid, once there is a child.
    pub fn get(&self) -> Option<i32> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            pid => Some(pid),
        }
    }

    /// As if that child had been made.
    #[cfg(test)]
    pub fn of(pid: i32) -> PidSlot {
        PidSlot(AtomicI32::new(pid))
    }
}

/// A child to be made.
#[derive(Debug)]
pub struct Plan {
    /// The file to execute.
    pub file: CString,
    /// Its arguments; the first is the word as configured.
    pub argv: Vec<CString>,
    /// Its whole environment, `NAME=value`; what it shares with others is there once.
    pub environment: Vec<Arc<CStr>>,
    /// Where it starts.
    pub directory: Option<CString>,
    /// Its mask for new files.
    pub umask: Option<u32>,
    /// It leads a session of its own, else a process group only.
    pub session: bool,
    /// Its limits.
    pub limits: ForChildren,
    /// Whom it becomes; a text: why it can't.
    pub identity: Result<Option<Identity>, String>,
    /// The user asked for, as messages name it.
    pub uid: u32,
    /// Its descriptors 0, 1 and 2.
    pub stdio: [RawFd; 3],
    /// Where it writes itself down.
    pub record: Option<Record>,
}

/// What kept a child from executing, in its own last words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Descriptors,
    Record,
    /// Why not was known before.
    Identity,
    Groups,
    Group,
    User,
    Directory,
    Exec,
}

impl Step {
    const ALL: [Step; 8] = [
        Step::Descriptors,
        Step::Record,
        Step::Identity,
        Step::Groups,
        Step::Group,
        Step::User,
        Step::Directory,
        Step::Exec,
    ];

    /// What could not be done, and why. Allocates nothing.
    fn words<'a>(self, prepared: &'a Prepared<'_>, number: i32) -> [&'a [u8]; 2] {
        match self {
            Step::Descriptors => [b"couldn't set up descriptors: ", error_name(number)],
            Step::Record => [b"couldn't write the state file: ", error_name(number)],
            Step::Identity => [&prepared.setuid_text, b""],
            Step::Groups => [&prepared.setuid_text, NO_GROUPS.as_bytes()],
            Step::Group => [&prepared.setuid_text, NO_GROUP.as_bytes()],
            Step::User => [&prepared.setuid_text, NO_USER.as_bytes()],
            Step::Directory => [&prepared.chdir_text, error_name(number)],
            Step::Exec => [&prepared.exec_text, error_name(number)],
        }
    }
}

/// A child that exists, or existed: with a failure it is about to exit with 127.
#[derive(Debug)]
pub struct Spawned {
    /// Its pid.
    pub pid: i32,
    /// What it could not do.
    pub failure: Option<Failure>,
}

/// Why a child does not execute its program.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// As `couldn't exec /x: ENOEXEC`.
    pub text: String,
    /// Processes, memory or descriptors are lacking.
    pub lacks_resources: bool,
}

/// What the child needs, all of it made before.
struct Prepared<'a> {
    plan: &'a Plan,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    setuid_text: Vec<u8>,
    chdir_text: Vec<u8>,
    exec_text: Vec<u8>,
    /// Where its descriptors are, if not in their own places: then it shares the daemon's table.
    seats: Option<Seats>,
    /// Its stdin, stdout, stderr and report.
    descriptors: [RawFd; 4],
    last_descriptor: RawFd,
}

impl Prepared<'_> {
    /// Its descriptors are on seats, or in their own places.
    fn sit(&mut self, seats: Option<Seats>, own: [RawFd; 4]) {
        self.descriptors = seats.as_ref().map_or(own, Seats::numbers);
        self.seats = seats;
    }

    fn report(&self) -> RawFd {
        let [.., report] = self.descriptors;
        report
    }
}

/// Makes the child. Returns when it executes or has failed to: with a file on a dead file
/// system that may be never, and the slot tells its pid meanwhile.
///
/// # Errors
/// No child was made: `EAGAIN`, `ENOMEM`, `EMFILE`.
pub fn spawn(plan: &Plan, slot: &PidSlot) -> io::Result<Spawned> {
    let report = pipe::pipe()?;
    let [stdin, stdout, stderr] = plan.stdio;
    let own = [stdin, stdout, stderr, report.write.as_raw_fd()];
    let mut prepared = Prepared {
        plan,
        argv: pointers(&plan.argv),
        envp: pointers(&plan.environment),
        setuid_text: setuid_text(plan),
        chdir_text: text("couldn't chdir to ", plan.directory.as_ref()),
        exec_text: text("couldn't exec ", plan.argv.first()),
        seats: None,
        descriptors: own,
        last_descriptor: last_descriptor(),
    };
    prepared.sit(Seats::take(own), own);
    slot.0.store(0, Ordering::Release);
    let pid = {
        let _blocked = Blocked::all();
        match &plan.identity {
            Ok(None) => match clone_sharing(&prepared, slot) {
                // A sandbox that knows fork only.
                Err(error) if is_refused(&error) => {
                    prepared.sit(None, own);
                    clone_copying(&prepared, slot)?
                }
                cloned => cloned?,
            },
            Ok(Some(_)) | Err(_) => clone_copying(&prepared, slot)?,
        }
    };
    // Nobody but the child holds the other end.
    drop((report.write, prepared.seats.take()));
    Ok(Spawned { pid, failure: read_report(&report.read, &prepared) })
}

fn is_refused(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS | libc::EINVAL))
}

fn pointers(strings: &[impl AsRef<CStr>]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ref().as_ptr()).chain([ptr::null()]).collect()
}

fn text(what: &str, name: Option<&CString>) -> Vec<u8> {
    let mut text = what.as_bytes().to_vec();
    text.extend_from_slice(name.map_or(b"".as_slice(), |n| n.as_bytes()));
    text.extend_from_slice(b": ");
    text
}

fn setuid_text(plan: &Plan) -> Vec<u8> {
    let why = plan.identity.as_ref().err().map_or("", String::as_str);
    format!("couldn't setuid to {}: {why}", plan.uid).into_bytes()
}

/// The bound of the slow way to close descriptors, for kernels without `close_range`.
fn last_descriptor() -> RawFd {
    let limit = || Ok(getrlimit(Resource::RLIMIT_NOFILE)?);
    let limit = inject::fail(Call::Limit).and_then(|()| limit());
    RawFd::try_from(limit.map_or(1024, |(soft, _)| soft.min(65_536))).unwrap_or(1024)
}

/// All signals blocked while a child is made: no handler may run in it.
struct Blocked {
    old: [u64; 1],
}

impl Blocked {
    fn all() -> Blocked {
        let all = [u64::MAX];
        let mut old = [0u64];
        // SAFETY: the kernel reads and writes eight bytes each. The raw call, since libc keeps
        // some signals of its own unblocked.
        unsafe {
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &all, &mut old, 8usize)
        };
        Blocked { old }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let none = ptr::null_mut::<u64>();
        // SAFETY: as above.
        unsafe {
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &self.old, none, 8usize)
        };
    }
}

/// The stack of a child that shares our memory, with a guard page below.
struct Stack {
    base: *mut c_void,
}

impl Stack {
    const SIZE: usize = 32 * 1024;
    const GUARD: usize = 4096;

    fn new() -> io::Result<Stack> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        inject::fail(Call::Map)?;
        // SAFETY: a new mapping, no address asked for.
        let base = unsafe { libc::mmap(ptr::null_mut(), Self::SIZE, access, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the lowest page of that mapping.
        unsafe { libc::mprotect(base, Self::GUARD, libc::PROT_NONE) };
        Ok(Stack { base })
    }

    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping; aligned as the mapping is.
        unsafe { self.base.cast::<u8>().add(Self::SIZE).cast() }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and the child that used it has executed or ended.
        unsafe { libc::munmap(self.base, Self::SIZE) };
    }
}

/// A child on seats shares the table of descriptors, and its parent waits until it executes or
/// exits, for the seats are its own for so long.
fn flags(prepared: &Prepared<'_>) -> c_int {
    let seated = libc::CLONE_FILES | libc::CLONE_VFORK;
    let flags = libc::CLONE_PARENT_SETTID | libc::SIGCHLD;
    if prepared.seats.is_some() { flags | seated } else { flags }
}

fn clone_sharing(prepared: &Prepared<'_>, slot: &PidSlot) -> io::Result<i32> {
    let stack = Stack::new()?;
    inject::fail(Call::Clone)?;
    let flags = flags(prepared) | libc::CLONE_VM | libc::CLONE_VFORK;
    let argument = ptr::from_ref(prepared).cast_mut().cast::<c_void>();
    // SAFETY: the calling thread is suspended until the child executes or exits, so what the
    // child reads stays; the stack is the child's alone; the slot takes an int.
    let pid = unsafe { libc::clone(child_entry, stack.top(), flags, argument, slot.0.as_ptr()) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
}

fn clone_copying(prepared: &Prepared<'_>, slot: &PidSlot) -> io::Result<i32> {
    inject::fail(Call::Clone)?;
    let flags = libc::c_long::from(flags(prepared));
    let no: libc::c_long = 0;
    // SAFETY: as fork, by the raw call: the child goes on here with a copy of everything and
    // makes raw calls only.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, no, slot.0.as_ptr(), no, no) };
    match pid {
        0 => child(prepared),
        pid if pid < 0 => Err(io::Error::last_os_error()),
        pid => Ok(pid as i32),
    }
}

extern "C" fn child_entry(argument: *mut c_void) -> c_int {
    // SAFETY: the pointer that `clone_sharing` gave; its owner is suspended.
    child(unsafe { &*argument.cast::<Prepared<'_>>() })
}

/// What the child does, in Supervisor's order. Raw calls only.
fn child(prepared: &Prepared<'_>) -> ! {
    let plan = prepared.plan;
    reset_signals();
    // SAFETY: integers only. Neither can fail in a new process.
    unsafe { if plan.session { libc::setsid() } else { libc::setpgid(0, 0) } };
    // Before anything that may take long: a daemon that is killed now must not leave it unknown.
    let recorded = plan.record.as_ref().map_or(Ok(()), Record::write);
    if let Some(Err(number)) = prepared.seats.as_ref().map(Seats::part) {
        fail(prepared, Step::Descriptors, number);
    }
    if let Err(number) = place_descriptors(prepared) {
        fail(prepared, Step::Descriptors, number);
    }
    if let Err(number) = recorded {
        fail(prepared, Step::Record, number);
    }
    set_limit(libc::RLIMIT_NOFILE as libc::c_long, plan.limits.descriptors);
    match &plan.identity {
        Ok(None) => {}
        Ok(Some(identity)) => {
            set_limit(libc::RLIMIT_NPROC as libc::c_long, plan.limits.processes);
            if let Err((step, number)) = assume(identity) {
                fail(prepared, step, number);
            }
        }
        Err(_) => fail(prepared, Step::Identity, 0),
    }
    if let Some(directory) = &plan.directory {
        // SAFETY: a prepared string.
        if unsafe { libc::chdir(directory.as_ptr()) } != 0 {
            fail(prepared, Step::Directory, last_errno());
        }
    }
    if let Some(mask) = plan.umask {
        // SAFETY: integers only.
        unsafe { libc::umask(mask as libc::mode_t) };
    }
    unblock_signals();
    // SAFETY: both lists end with a null pointer, and their strings live.
    unsafe { libc::execve(plan.file.as_ptr(), prepared.argv.as_ptr(), prepared.envp.as_ptr()) };
    fail(prepared, Step::Exec, last_errno())
}

fn set_limit(resource: libc::c_long, bounds: Option<Bounds>) {
    let Some(Bounds { soft, hard }) = bounds else { return };
    let limit = [soft, hard];
    let none = ptr::null_mut::<u64>();
    // SAFETY: the kernel reads two numbers of 64 bits: `struct rlimit64`.
    unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, &limit, none) };
}

fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Every disposition as a new program expects it. What the daemon ignores would else stay
/// ignored; handlers must not run here.
fn reset_signals() {
    let default = [0u64; 4];
    for signal in 1..=64 {
        let none = ptr::null_mut::<u64>();
        // SAFETY: a zeroed `struct sigaction` of the kernel; it refuses KILL and STOP.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, 8usize) };
    }
}

fn unblock_signals() {
    let empty = [0u64];
    let none = ptr::null_mut::<u64>();
    // SAFETY: the kernel reads eight bytes.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &empty, none, 8usize) };
}

/// 0, 1 and 2 in their places, the report on 3, all else closed.
fn place_descriptors(prepared: &Prepared<'_>) -> Result<(), i32> {
    let [stdin, stdout, stderr, report] = prepared.descriptors;
    for (target, fd) in (0..).zip([stdin, stdout, stderr]) {
        // SAFETY: integers only.
        if unsafe { libc::dup2(fd, target) } < 0 {
            return Err(last_errno());
        }
    }
    // All of the daemon's own are closed on exec; this takes what it inherited. The report
    // stays for the rest of the way.
    close_between(3, report - 1, prepared.last_descriptor);
    close_between(report + 1, RawFd::MAX, prepared.last_descriptor);
    Ok(())
}

fn close_between(first: RawFd, last: RawFd, bound: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: integers only; the descriptors are copies of the child's own.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if done != 0 {
        for fd in first..=last.min(bound) {
            // SAFETY: as above.
            unsafe { libc::close(fd) };
        }
    }
}

/// The raw calls: libc's would signal the daemon's threads to follow.
fn assume(identity: &Identity) -> Result<(), (Step, i32)> {
    let groups = &identity.groups;
    // SAFETY: pointer and length of one list.
    if unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) } != 0 {
        return Err((Step::Groups, last_errno()));
    }
    // SAFETY: integers only.
    if unsafe { libc::syscall(libc::SYS_setgid, identity.gid) } != 0 {
        return Err((Step::Group, last_errno()));
    }
    // SAFETY: integers only.
    if unsafe { libc::syscall(libc::SYS_setuid, identity.uid) } != 0 {
        return Err((Step::User, last_errno()));
    }
    Ok(())
}

/// Says why on its stderr, which is the process's log, tells the daemon, and ends.
fn fail(prepared: &Prepared<'_>, step: Step, number: i32) -> ! {
    let [what, why] = step.words(prepared, number);
    for piece in [b"supervisor: ", what, why, b"\nsupervisor: child process was not spawned\n"] {
        say(2, piece);
    }
    say(prepared.report(), &[step as u8]);
    say(prepared.report(), &number.to_ne_bytes());
    // SAFETY: ends this process alone, without any of the daemon's clean-up.
    unsafe { libc::_exit(127) }
}

fn error_name(number: i32) -> &'static [u8] {
    errno::number_name(number).unwrap_or("unknown error").as_bytes()
}

fn say(fd: RawFd, piece: &[u8]) {
    // SAFETY: pointer and length of one slice.
    let _ = unsafe { libc::write(fd, piece.as_ptr().cast(), piece.len()) };
}

/// Nothing comes when the child executes, for the pipe closes then; else what it could not do.
fn read_report(from: &OwnedFd, prepared: &Prepared<'_>) -> Option<Failure> {
    let mut report = [0u8; 5];
    let mut got = 0;
    while got < report.len() {
        match pipe::read(from, report.get_mut(got..)?) {
            Ok(0) => return None,
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    let [step, number @ ..] = report;
    let step = Step::ALL.into_iter().find(|known| *known as u8 == step)?;
    let number = i32::from_ne_bytes(number);
    let text = String::from_utf8_lossy(&step.words(prepared, number).concat()).into_owned();
    let lacks_resources = errno::lacks_resources(&io::Error::from_raw_os_error(number));
    Some(Failure { text, lacks_resources })
}
