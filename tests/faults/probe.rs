//! Looks every 100 ms at how soon a daemon answers, and how soon an idle program of it does, and
//! at the same moments, in a thread of its own, at a daemon that nothing happens to.

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

/// So many looks tell what is usual: of fewer, on a machine with much to do, one daemon happens to
/// get most that were lucky.
const ENOUGH: usize = 20;

/// What slows the machine down slows both, though not at the same instant: a look is compared with
/// those beside it from so long before its begin to so long after its end.
const AROUND: Duration = Duration::from_secs(2);

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

/// When it was looked, how long the daemon took to answer, and the program to write.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    begin: Instant,
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
        let asked = Instant::now();
        let sent = format!("<string>neighbour</string><string>{word}\n</string>");
        self.ask("supervisor.sendProcessStdin", &sent)?;
        while !read(&self.log).lines().rev().any(|line| line == word) {
            if asked.elapsed() > PATIENCE {
                return Err(format!("the neighbour wrote nothing within {PATIENCE:?}"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Sample { begin, answer, echo: asked.elapsed() })
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
    /// Adds one at the daemon, or at that beside it.
    fn take(&mut self, look: Result<Sample, String>, beside: bool) {
        match (look, beside) {
            (Ok(sample), false) => self.samples.push(sample),
            (Ok(sample), true) => self.control.push(sample),
            (Err(why), false) => self.failed = self.failed.take().or(Some(why)),
            (Err(why), true) => self.failed = Some(format!("even beside it: {why}")),
        }
    }

    /// How many there were, beside as many at least.
    pub fn count(&self) -> usize {
        self.samples.len().min(self.control.len())
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

    /// The longest beside this look.
    fn beside(&self, look: &Sample, part: Part) -> Duration {
        let end = |sample: &Sample| sample.begin + sample.answer + sample.echo + AROUND;
        let near = |beside: &&Sample| look.begin <= end(beside) && beside.begin <= end(look);
        self.control.iter().filter(near).map(part).max().unwrap_or_default()
    }

    /// What took noticeably longer than beside it, where nothing happened: usually, or a single
    /// time, of which `spare` is nobody's fault.
    pub fn delay(&self, spare: Duration) -> Option<String> {
        let parts: [(&str, Part); 2] = [("answers", |s| s.answer), ("neighbour", |s| s.echo)];
        parts.into_iter().find_map(|(name, part)| {
            let (usual, beside) = (median(&self.samples, part), median(&self.control, part));
            let many = self.count() >= ENOUGH;
            if many && usual > beside * 10 + Duration::from_millis(50) {
                return Some(format!("{name}: {usual:.1?} in the middle, {beside:.1?} beside it"));
            }
            self.samples.iter().find_map(|look| {
                let (once, beside) = (part(look), self.beside(look, part));
                (once > beside * 10 + spare)
                    .then(|| format!("{name}: {once:.1?} once, {beside:.1?} at most beside it"))
            })
        })
    }
}

/// Looks that go on in threads of their own, one for each of the two.
pub struct Probing {
    ends: Arc<AtomicBool>,
    looks: Arc<Mutex<Looks>>,
    threads: [JoinHandle<()>; 2],
}

impl Probing {
    pub fn start(target: Target, control: Target) -> Probing {
        let (ends, looks) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Looks>>::default());
        let begin = Instant::now();
        let threads = [(target, false), (control, true)].map(|(target, beside)| {
            let (told, kept) = (Arc::clone(&ends), Arc::clone(&looks));
            thread::spawn(move || {
                let mut next = begin;
                while !told.load(Ordering::Relaxed) {
                    let look = target.look();
                    kept.lock().unwrap_or_else(PoisonError::into_inner).take(look, beside);
                    while next <= Instant::now() {
                        next += EVERY;
                    }
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                }
            })
        });
        Probing { ends, looks, threads }
    }

    /// What they came to so far.
    pub fn looks(&self) -> Looks {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn stop(self) -> Looks {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("the probe, see above");
        }
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.clone()
    }
}
