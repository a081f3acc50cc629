//! Looks every 100 ms at how soon a daemon answers, and how soon an idle program of it does, and
//! does the same with a daemon that nothing happens to.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::support::{read, rpc::Connection};

/// How often.
const EVERY: Duration = Duration::from_millis(100);

/// Who takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The program that is probed: it writes to its log what is sent to its stdin.
pub const NEIGHBOUR: &str = "command=/bin/cat\nstartsecs=0\nstdout_logfile=%(here)s/neighbour.log\n\
     stdout_logfile_maxbytes=0\nstderr_logfile=NONE";

/// Where a daemon and its neighbour program are found.
#[derive(Clone, Debug)]
pub struct Target {
    pub socket: PathBuf,
    pub log: PathBuf,
}

/// How long the daemon took to answer, and the program to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub answer: Duration,
    pub echo: Duration,
}

/// One of its two times.
type Part = fn(&Sample) -> Duration;

impl Target {
    /// One look.
    pub fn look(&self) -> Result<Sample, String> {
        static WORD: AtomicU64 = AtomicU64::new(0);
        let word = format!("look {}", WORD.fetch_add(1, Ordering::Relaxed));
        let begin = Instant::now();
        self.ask("supervisor.getState", "")?;
        let answer = begin.elapsed();
        let begin = Instant::now();
        let sent = format!("<string>neighbour</string><string>{word}\n</string>");
        self.ask("supervisor.sendProcessStdin", &sent)?;
        while !read(&self.log).lines().rev().any(|line| line == word) {
            if begin.elapsed() > PATIENCE {
                return Err(format!("the neighbour wrote nothing within {PATIENCE:?}"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Sample { answer, echo: begin.elapsed() })
    }

    fn ask(&self, method: &str, params: &str) -> Result<String, String> {
        let told = |error| format!("{method}: {error}");
        let mut connection = Connection::unix_within(&self.socket, PATIENCE).map_err(told)?;
        let answer = connection.call(method, params).map_err(told)?;
        match answer.contains("<fault>") {
            true => Err(format!("{method}: {answer}")),
            false => Ok(answer),
        }
    }
}

/// What the looks came to.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    samples: Vec<Sample>,
    /// Those at the daemon that nothing happens to, at the same times.
    control: Vec<Sample>,
    /// The first that failed.
    pub failed: Option<String>,
}

fn worst(samples: &[Sample], part: Part) -> Duration {
    samples.iter().map(part).max().unwrap_or_default()
}

fn median(samples: &[Sample], part: Part) -> Duration {
    let mut all: Vec<Duration> = samples.iter().map(part).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

impl Looks {
    /// How many there were.
    pub fn count(&self) -> usize {
        self.control.len()
    }

    /// Adds later ones.
    pub fn add(&mut self, later: Looks) {
        self.samples.extend(later.samples);
        self.control.extend(later.control);
    }

    /// The longest of both kinds, and those of the daemon that nothing happened to.
    pub fn worst(&self) -> [Duration; 4] {
        let (answer, echo): (Part, Part) = (|s| s.answer, |s| s.echo);
        [
            worst(&self.samples, answer),
            worst(&self.samples, echo),
            worst(&self.control, answer),
            worst(&self.control, echo),
        ]
    }

    /// What took noticeably longer than beside it, where nothing happened: usually, or once.
    pub fn delay(&self) -> Option<String> {
        let parts: [(&str, Part); 2] = [("answers", |s| s.answer), ("neighbour", |s| s.echo)];
        parts.into_iter().find_map(|(name, part)| {
            let (usual, beside) = (median(&self.samples, part), median(&self.control, part));
            if usual > beside * 10 + Duration::from_millis(50) {
                return Some(format!("{name}: {usual:.1?} in the middle, {beside:.1?} beside it"));
            }
            // A machine with much to do lets one look wait long, but rarely two.
            let [(once, twice), (beside, _)] = [&self.samples, &self.control].map(|all| {
                let mut all: Vec<Duration> = all.iter().map(part).collect();
                all.sort_unstable();
                let mut last = all.into_iter().rev();
                (last.next().unwrap_or_default(), last.next().unwrap_or_default())
            });
            let most = beside * 10 + Duration::from_secs(1);
            (twice > most || once > most + PATIENCE / 2).then(|| {
                format!("{name}: {once:.1?} and {twice:.1?} at worst, {beside:.1?} beside it")
            })
        })
    }
}

/// Looks that go on in a thread of their own.
pub struct Probing {
    ends: Arc<AtomicBool>,
    looks: Arc<Mutex<Looks>>,
    thread: JoinHandle<()>,
}

impl Probing {
    pub fn start(target: Target, control: Target) -> Probing {
        let (ends, looks) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Looks>>::default());
        let (told, kept) = (Arc::clone(&ends), Arc::clone(&looks));
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let begin = Instant::now();
                let beside = control.look();
                let look = target.look();
                let mut looks = kept.lock().unwrap_or_else(PoisonError::into_inner);
                match beside {
                    Ok(sample) => looks.control.push(sample),
                    Err(why) => looks.failed = Some(format!("even beside it: {why}")),
                }
                match look {
                    Ok(sample) => looks.samples.push(sample),
                    Err(why) => looks.failed = looks.failed.take().or(Some(why)),
                }
                drop(looks);
                thread::sleep(EVERY.saturating_sub(begin.elapsed()));
            }
        });
        Probing { ends, looks, thread }
    }

    /// What they came to so far.
    pub fn looks(&self) -> Looks {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn stop(self) -> Looks {
        self.ends.store(true, Ordering::Relaxed);
        let looks = Arc::clone(&self.looks);
        self.thread.join().expect("the probe, see above");
        let looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.clone()
    }
}
