//! The order, and who obeys it.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use super::Call;

/// Who calls, by the name of the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Daemon,
    Log,
    Http,
    Child,
    Stream,
    Files,
    Other,
}

const KINDS: [(Kind, &str); 7] = [
    (Kind::Daemon, "daemon"),
    (Kind::Log, "log"),
    (Kind::Http, "http"),
    (Kind::Child, "child"),
    (Kind::Stream, "stream"),
    (Kind::Files, "files"),
    (Kind::Other, "other"),
];

/// No call has failed yet.
const NONE: u8 = u8::MAX;

/// When the daemon dies of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kill {
    /// The call is not made.
    Before,
    /// The call is made, and no other in that thread.
    After,
}

/// How the call fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lasts {
    #[default]
    Once,
    /// And its like from then on.
    Ever,
    /// It takes a part of its data, the lesser half.
    Torn,
}

#[derive(Debug, Default)]
struct Order {
    thread: Option<Kind>,
    /// The name of a [`Call`]; none: any.
    call: Option<String>,
    n: u64,
    errno: i32,
    lasts: Lasts,
    then: u64,
    kill: Option<Kill>,
    lift: Option<PathBuf>,
    report: Option<File>,
    trace: bool,
}

/// What becomes of a call.
#[derive(Debug)]
enum Verdict {
    /// It is made.
    Done,
    /// It is made with a part of its data.
    Torn,
    /// It is not made.
    Fails(io::Error),
}

#[derive(Debug)]
struct Armed {
    order: Order,
    /// Calls of each kind of thread, and of those that fit the order.
    counts: [AtomicU64; KINDS.len()],
    fitting: AtomicU64,
    /// What fails from then on: the call and the kind of thread.
    failing: [AtomicU8; 2],
    lifted: AtomicBool,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

thread_local! {
    static KIND: Cell<Option<Kind>> = const { Cell::new(None) };
    static INTERRUPTED: Cell<bool> = const { Cell::new(false) };
    /// The daemon dies at the next call.
    static CONDEMNED: Cell<bool> = const { Cell::new(false) };
    /// The number of calls to the one that fails, too.
    static UNTIL: Cell<u64> = const { Cell::new(0) };
}

/// Reads the order, once: start-up is done. Calls count from here on.
pub fn arm() {
    let Ok(text) = std::env::var("MINDER_INJECT") else { return };
    let order = match Order::read(&text) {
        Ok(order) => order,
        Err(why) => {
            let _ = writeln!(io::stderr(), "MINDER_INJECT: {why}");
            return;
        }
    };
    let armed = Armed {
        order,
        counts: Default::default(),
        fitting: AtomicU64::new(0),
        failing: [AtomicU8::new(NONE), AtomicU8::new(NONE)],
        lifted: AtomicBool::new(false),
    };
    let _ = ARMED.set(armed);
}

/// Tells how many calls there were.
pub fn finish() {
    let Some(armed) = ARMED.get() else { return };
    for ((_, name), count) in KINDS.iter().zip(&armed.counts) {
        armed.tell(format_args!("total {name} {}", count.load(Ordering::Relaxed)));
    }
    armed.tell(format_args!("total any {}", armed.fitting.load(Ordering::Relaxed)));
}

/// Asked before each call: whether it is to be made.
///
/// # Errors
/// The order's, in place of the call.
#[track_caller]
pub fn fail(call: Call) -> io::Result<()> {
    match ARMED.get() {
        None => Ok(()),
        Some(armed) => match armed.judge(call, kind(), Location::caller()) {
            Verdict::Fails(error) => Err(error),
            Verdict::Done | Verdict::Torn => Ok(()),
        },
    }
}

/// As [`fail`], for a call that takes data: how many of its `len` bytes it may take.
///
/// # Errors
/// The order's, in place of the call.
#[track_caller]
pub fn part(call: Call, len: usize) -> io::Result<usize> {
    let Some(armed) = ARMED.get() else { return Ok(len) };
    match armed.judge(call, kind(), Location::caller()) {
        Verdict::Fails(error) => Err(error),
        // To take nothing would be another kind of answer.
        Verdict::Torn if len > 1 => Ok(len / 2),
        Verdict::Torn | Verdict::Done => Ok(len),
    }
}

/// As [`fail`], for whoever makes an interrupted call again without telling: loops, and much of
/// the standard library.
///
/// # Errors
/// The order's, but for EINTR.
#[track_caller]
pub fn restarted(call: Call) -> io::Result<()> {
    match fail(call) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        failed => failed,
    }
}

impl Order {
    fn read(text: &str) -> Result<Order, String> {
        let mut order = Order::default();
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("no value: {part}"))?;
            let number = || value.parse::<u64>().map_err(|error| format!("{part}: {error}"));
            match (key, value) {
                ("thread" | "call", "any") => {}
                ("thread", name) => {
                    let found = KINDS.iter().find(|(_, known)| *known == name);
                    order.thread = Some(found.ok_or_else(|| part.to_owned())?.0);
                }
                ("call", name) => order.call = Some(name.to_owned()),
                ("n", _) => order.n = number()?,
                ("errno", _) => order.errno = i32::try_from(number()?).unwrap_or(libc::EIO),
                ("for", "once") => order.lasts = Lasts::Once,
                ("for", "ever") => order.lasts = Lasts::Ever,
                ("for", "torn") => order.lasts = Lasts::Torn,
                ("then", _) => order.then = number()?,
                ("kill", "before") => order.kill = Some(Kill::Before),
                ("kill", "after") => order.kill = Some(Kill::After),
                ("lift", path) => order.lift = Some(PathBuf::from(path)),
                ("report", path) => {
                    let file = OpenOptions::new().append(true).create(true).open(path);
                    order.report = Some(file.map_err(|error| format!("{path}: {error}"))?);
                }
                ("trace", "yes") => order.trace = true,
                _ => return Err(format!("unknown: {part}")),
            }
        }
        Ok(order)
    }

    fn fits(&self, call: Call, kind: Kind) -> bool {
        let thread = self.thread.is_none_or(|wanted| wanted == kind);
        thread && self.call.as_ref().is_none_or(|wanted| *wanted == name_of(call))
    }
}

impl Armed {
    fn judge(&self, call: Call, kind: Kind, at: &Location<'_>) -> Verdict {
        let order = &self.order;
        if let Some(count) = self.counts.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let who = KINDS.iter().find(|(known, _)| *known == kind).map_or("other", |(_, name)| name);
        if order.trace {
            self.tell(format_args!("call {who} {} {at}", name_of(call)));
        }
        let is_it = order.fits(call, kind)
            && self.fitting.fetch_add(1, Ordering::Relaxed) + 1 == order.n
            && !self.is_lifted();
        if CONDEMNED.get() || (is_it && order.kill == Some(Kill::Before)) {
            self.tell(format_args!("killed {who} {} {at}", name_of(call)));
            die();
        }
        if is_it && order.kill == Some(Kill::After) {
            CONDEMNED.set(true);
            return Verdict::Done;
        }
        let error = || Verdict::Fails(io::Error::from_raw_os_error(order.errno));
        if is_it {
            self.tell(format_args!("failed {who} {} {at}", name_of(call)));
            UNTIL.set(order.then);
            if order.lasts == Lasts::Ever {
                let [failing, whose] = &self.failing;
                whose.store(kind as u8, Ordering::Relaxed);
                failing.store(call as u8, Ordering::Release);
            }
            return if order.lasts == Lasts::Torn { Verdict::Torn } else { error() };
        }
        if self.fails_on(call, kind) {
            return error();
        }
        if self.fails_then() {
            self.tell(format_args!("then {who} {} {at}", name_of(call)));
            return error();
        }
        Verdict::Done
    }

    /// Whether this is the call behind the one that failed that fails, too.
    fn fails_then(&self) -> bool {
        let left = UNTIL.get();
        UNTIL.set(left.saturating_sub(1));
        left == 1 && !self.is_lifted()
    }

    /// Whether the fault lasts and is this call's.
    fn fails_on(&self, call: Call, kind: Kind) -> bool {
        let [failing, whose] = &self.failing;
        let same = failing.load(Ordering::Acquire) == call as u8;
        if !same || whose.load(Ordering::Relaxed) != kind as u8 || self.is_lifted() {
            return false;
        }
        let interrupted = INTERRUPTED.with(|before| before.replace(!before.get()));
        self.order.errno != libc::EINTR || !interrupted
    }

    fn is_lifted(&self) -> bool {
        let lifted = || self.order.lift.as_deref().is_some_and(Path::exists);
        if !self.lifted.load(Ordering::Relaxed) && lifted() {
            self.lifted.store(true, Ordering::Relaxed);
        }
        self.lifted.load(Ordering::Relaxed)
    }

    fn tell(&self, line: std::fmt::Arguments<'_>) {
        if let Some(mut report) = self.order.report.as_ref() {
            let _ = report.write_all(format!("{line}\n").as_bytes());
        }
    }
}

/// The end that no process sees coming.
fn die() -> ! {
    // SAFETY: integers only.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    loop {
        std::thread::park();
    }
}

fn name_of(call: Call) -> String {
    format!("{call:?}").to_ascii_lowercase()
}

/// The kind of the calling thread.
fn kind() -> Kind {
    KIND.with(|known| {
        let kind = known.get().unwrap_or_else(find_kind);
        known.set(Some(kind));
        kind
    })
}

fn find_kind() -> Kind {
    // SAFETY: integers only.
    let is_main = unsafe { libc::syscall(libc::SYS_gettid) == libc::c_long::from(libc::getpid()) };
    if is_main {
        return Kind::Daemon;
    }
    let mut name = [0u8; 16];
    // SAFETY: the kernel writes at most 16 bytes, the last of them a NUL.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    let name = CStr::from_bytes_until_nul(&name).unwrap_or_default().to_bytes();
    let found = KINDS.iter().skip(1).find(|(_, known)| known.as_bytes() == name);
    found.map_or(Kind::Other, |(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn armed(text: &str) -> Armed {
        let order = Order::read(text).unwrap();
        let (fitting, lifted) = (AtomicU64::new(0), AtomicBool::new(false));
        let failing = [AtomicU8::new(NONE), AtomicU8::new(NONE)];
        Armed { order, counts: Default::default(), fitting, failing, lifted }
    }

    fn errors(armed: &Armed, calls: &[(Call, Kind)]) -> Vec<i32> {
        let at = Location::caller();
        let judge = |(call, kind): &(Call, Kind)| match armed.judge(*call, *kind, at) {
            Verdict::Done => 0,
            Verdict::Torn => -1,
            Verdict::Fails(error) => error.raw_os_error().unwrap(),
        };
        calls.iter().map(judge).collect()
    }

    #[test]
    fn the_nth_of_those_that_fit_fails_once() {
        let armed = armed("thread=child,call=any,n=2,errno=28,for=once");
        let calls = [
            (Call::Open, Kind::Child),
            (Call::Open, Kind::Log),
            (Call::Write, Kind::Child),
            (Call::Write, Kind::Child),
        ];
        assert_eq!(errors(&armed, &calls), [0, 0, 28, 0]);
    }

    #[test]
    fn from_then_on_the_same_call_of_the_same_thread_fails() {
        let lift = std::env::temp_dir().join(format!("minder-lift-{}", std::process::id()));
        let text = format!("thread=any,call=write,n=1,errno=5,for=ever,lift={}", lift.display());
        let armed = armed(&text);
        let calls = [
            (Call::Open, Kind::Log),
            (Call::Write, Kind::Log),
            (Call::Write, Kind::Child),
            (Call::Open, Kind::Log),
            (Call::Write, Kind::Log),
        ];
        assert_eq!(errors(&armed, &calls), [0, 5, 0, 0, 5]);
        fs::write(&lift, "").unwrap();
        assert_eq!(errors(&armed, &calls), [0; 5]);
        fs::remove_file(&lift).unwrap();
    }

    #[test]
    fn what_is_interrupted_succeeds_when_it_is_done_again() {
        let armed = armed("thread=any,call=any,n=1,errno=4,for=ever");
        let call = (Call::Read, Kind::Http);
        assert_eq!(errors(&armed, &[call; 5]), [4, 4, 0, 4, 0]);
    }

    #[test]
    fn a_call_that_is_torn_takes_a_part_and_the_next_fails() {
        let armed = armed("thread=child,call=write,n=1,errno=28,for=torn,then=1");
        let calls = [
            (Call::Open, Kind::Child),
            (Call::Write, Kind::Child),
            (Call::Write, Kind::Child),
            (Call::Write, Kind::Child),
        ];
        assert_eq!(errors(&armed, &calls), [0, -1, 28, 0]);
    }

    #[test]
    fn a_later_call_of_the_thread_fails_too() {
        let armed = armed("thread=child,call=open,n=1,errno=28,for=once,then=2");
        let calls = [
            (Call::Open, Kind::Child),
            (Call::Write, Kind::Child),
            (Call::Stat, Kind::Child),
            (Call::Open, Kind::Child),
        ];
        assert_eq!(errors(&armed, &calls), [28, 0, 28, 0]);
    }

    #[test]
    fn an_order_that_means_nothing_is_refused() {
        for text in ["n", "n=x", "thread=nobody", "for=long", "kill=now", "colour=red"] {
            assert!(Order::read(text).is_err(), "{text}");
        }
    }
}
