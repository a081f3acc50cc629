//! A daemon in trouble: what is done to it, what is waited for, and whether all is well in the end.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::{
    finding::{Finding, Step, Wrong, ensure},
    ground::{Ground, size, target},
    probe::{Looks, PATIENCE, Probing},
    support::{
        Side, TestDaemon, alive, all_pids, matches, process_stat, read,
        rpc::{Connection, members, request},
    },
};

/// So soon after the fault is gone all is as configured.
const HEALED: Duration = Duration::from_secs(5);

/// What the daemon may need at its peak beyond what it needed before: less than would hold a line
/// of 5 MB in two places.
const MEMORY: u64 = 8 << 20;

/// Connections that the probe may have open at the time.
const PROBED: usize = 2;

/// A row's daemon.
pub struct Scene<'a> {
    pub d: TestDaemon,
    /// Those that were killed before it.
    pub killed: Vec<i32>,
    pub ground: &'a Ground<'a>,
    probing: RefCell<Option<Probing>>,
    /// When it began to heal: the fault was lifted, or something was asked of it later.
    pub since: Cell<Option<Instant>>,
    /// Whether its row has come to its end.
    pub ended: Cell<bool>,
    /// Bytes that its memory may grow by at the peak.
    pub most: Cell<u64>,
    /// Names in the test's directory when it was started.
    pub there: BTreeSet<String>,
    /// Its memory's peak then, in bytes.
    pub memory: u64,
}

/// A child of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Child {
    /// As the daemon numbers it, in its namespace.
    pub pid: i32,
    /// As the machine does.
    pub outside: i32,
    pub zombie: bool,
}

impl<'a> Scene<'a> {
    /// Begins to probe.
    pub fn of(ground: &'a Ground<'a>, d: TestDaemon) -> Step<Scene<'a>> {
        let (there, memory) = (names(&d), memory(d.pid, "VmHWM:"));
        let most = Cell::new(if ground.side == Side::Ours { MEMORY } else { 8 * MEMORY });
        let (killed, probing, since, ended) = Default::default();
        let scene = Scene { d, killed, ground, probing, since, ended, most, there, memory };
        scene.becomes("neighbour", "RUNNING", 20)?;
        scene.probe();
        scene.probed(3)?;
        Ok(scene)
    }

    /// Probes from now on.
    pub fn probe(&self) {
        let probing = Probing::start(target(&self.d), self.ground.control());
        *self.probing.borrow_mut() = Some(probing);
    }

    /// Probes no more, and sees what came of it.
    pub fn calm(&self) {
        let Some(probing) = self.probing.borrow_mut().take() else { return };
        let looks = probing.stop();
        // The original's answers are as slow as whatever it does meanwhile.
        let spare = if self.ground.side == Side::Ours { 500 } else { 5000 };
        match (&looks.failed, looks.delay(Duration::from_millis(spare))) {
            (Some(why), _) if self.goes_on().is_ok() => {
                self.ground.found(Wrong::Hangs, why.clone())
            }
            (None, Some(why)) => self.ground.found(Wrong::Delays, why),
            _ => {}
        }
        self.ground.looked(looks);
    }

    /// Waits for so many more looks.
    pub fn probed(&self, count: usize) -> Step {
        let seen = |scene: &Scene<'_>| scene.looks().count();
        let until = seen(self) + count;
        self.until(Wrong::Hangs, "looks at it", 90, || {
            // One in vain is enough, and each takes long.
            let failed = self.looks().failed;
            if failed.is_some() {
                self.goes_on()?;
            }
            failed.map_or(Ok(seen(self) >= until), |why| Err(Finding::new(Wrong::Hangs, why)))
        })
    }

    /// Kills the daemon and starts it again; the rest of the row is about the new one.
    pub fn kill_and_start(&mut self) -> Step {
        self.calm();
        self.killed.push(self.d.pid);
        self.d.kill();
        self.d.start_again();
        self.becomes("neighbour", "RUNNING", 20)?;
        self.memory = memory(self.d.pid, "VmHWM:");
        self.probe();
        self.probed(3)
    }

    /// For a row in which there is more to know, bytes.
    pub fn may_need(&self, most: u64) {
        self.most.set(self.most.get().max(most));
    }

    /// How many looks there were.
    pub fn look_count(&self) -> usize {
        self.looks().count()
    }

    /// Whether every look was answered so far.
    pub fn answers(&self) -> bool {
        self.looks().failed.is_none()
    }

    fn looks(&self) -> Looks {
        self.probing.borrow().as_ref().map(Probing::looks).unwrap_or_default()
    }

    /// What five seconds are on a machine that is as slow as the daemon beside shows.
    pub fn patience(&self) -> Duration {
        let worst = [self.looks().worst(), self.ground.worst()]
            .map(|[_, _, answer, echo]| answer.max(echo));
        HEALED + 20 * worst.into_iter().max().unwrap_or_default()
    }

    /// The same in whole seconds, for one wait.
    pub fn healed(&self) -> u64 {
        self.patience().as_secs()
    }

    /// The fault is gone, or what is waited for next never had one: all together that is waited for
    /// by `heals` and `comes_to` has five seconds from now on. What is asked of the daemon later
    /// has them from then on.
    pub fn lifted(&self) {
        self.since.set(Some(Instant::now()));
    }

    /// Waits until this is so, while it may heal; otherwise that is wrong.
    pub fn heals(&self, wrong: Wrong, what: &str, condition: impl FnMut() -> Step<bool>) -> Step {
        let begin = self.since.get().unwrap_or_else(Instant::now);
        self.before(|| begin + self.patience(), wrong, what, condition)
    }

    /// Waits until a process has this state, while it may heal.
    pub fn comes_to(&self, name: &str, state: &str) -> Step {
        self.heals(Wrong::StaysBroken, &format!("{name} to be {state}"), || {
            Ok(self.state(name)? == state)
        })
    }

    fn lives(&self) -> bool {
        alive(self.d.pid)
    }

    /// The daemon lives, and not only because it has not come to its end yet: it closes its
    /// connections first.
    fn goes_on(&self) -> Step {
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            self.alive()?;
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The daemon lives.
    pub fn alive(&self) -> Step {
        ensure(Wrong::Dies, self.lives(), || {
            let (out, err) = (self.d.read("daemon.out"), self.d.read("daemon.err"));
            let last = |text: &str| -> String {
                text.trim_end().lines().last().unwrap_or("").chars().take(200).collect()
            };
            format!("its last words: {:?}, {:?}", last(&out), last(&err))
        })
    }

    /// Waits until this is so; otherwise that is wrong.
    pub fn until(
        &self,
        wrong: Wrong,
        what: &str,
        secs: u64,
        condition: impl FnMut() -> Step<bool>,
    ) -> Step {
        let deadline = Instant::now() + Duration::from_secs(secs);
        self.before(|| deadline, wrong, what, condition)
    }

    fn before(
        &self,
        deadline: impl Fn() -> Instant,
        wrong: Wrong,
        what: &str,
        mut condition: impl FnMut() -> Step<bool>,
    ) -> Step {
        let begin = Instant::now();
        // The original spends milliseconds on an answer.
        let pause = if self.ground.side == Side::Ours { 10 } else { 60 };
        while !condition()? {
            self.alive()?;
            ensure(wrong, Instant::now() < deadline(), || {
                format!("{:.1?} in vain for {what}", begin.elapsed())
            })?;
            thread::sleep(Duration::from_millis(pause));
        }
        Ok(())
    }

    /// Calls a method; a fault is an answer too.
    pub fn ask(&self, method: &str, params: &str) -> Step<String> {
        // A group's answer waits for all its processes.
        let patience = if method.ends_with("Group") { 12 * PATIENCE } else { PATIENCE };
        let answer = Connection::unix_within(&self.d.path("s.sock"), patience)
            .and_then(|mut connection| connection.call(&format!("supervisor.{method}"), params));
        answer.or_else(|error| {
            self.goes_on()?;
            Err(Finding::new(Wrong::Hangs, format!("{method}: {error}")))
        })
    }

    /// Calls a method with the name of a process.
    pub fn order(&self, method: &str, name: &str) -> Step<String> {
        self.since.set(self.since.get().map(|_| Instant::now()));
        self.ask(method, &format!("<string>{name}</string><boolean>0</boolean>"))
    }

    /// Calls a method with the name of a process and waits for no answer; whoever asks goes away with
    /// the connection.
    pub fn request(&self, method: &str, name: &str) -> Connection {
        let params = format!("<string>{name}</string><boolean>0</boolean>");
        self.send(&format!("supervisor.{method}"), &params)
    }

    /// The same with any method and its parameters.
    pub fn send(&self, method: &str, params: &str) -> Connection {
        self.send_body(&request(method, params))
    }

    /// The same with a body.
    pub fn send_body(&self, body: &str) -> Connection {
        let head = format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut connection = self.connect();
        connection.send(format!("{head}{body}").as_bytes()).expect("a request sent");
        connection
    }

    /// A connection of somebody patient.
    pub fn connect(&self) -> Connection {
        Connection::unix(&self.d.path("s.sock")).expect("the socket")
    }

    /// Name, state and pid of each process.
    pub fn processes(&self) -> Step<Vec<(String, String, i32)>> {
        let answer = self.ask("getAllProcessInfo", "")?;
        let of = |field| members(&answer, field);
        let pids = of("pid").into_iter().map(|pid| pid.parse().unwrap_or(-1));
        let rest = of("statename").into_iter().zip(pids);
        let all = of("name").into_iter().zip(rest);
        Ok(all.map(|(name, (state, pid))| (name, state, pid)).collect())
    }

    /// The state of a process.
    pub fn state(&self, name: &str) -> Step<String> {
        let all = self.processes()?;
        let found = all.into_iter().find(|(known, _, _)| known == name);
        Ok(found.map(|(_, state, _)| state).unwrap_or_default())
    }

    /// The pid of a process, 0 where it has none.
    pub fn pid(&self, name: &str) -> Step<i32> {
        let all = self.processes()?;
        Ok(all.into_iter().find(|(known, _, _)| known == name).map_or(0, |(_, _, pid)| pid))
    }

    /// Waits until a process has this state.
    pub fn becomes(&self, name: &str, state: &str, secs: u64) -> Step {
        self.until(Wrong::StaysBroken, &format!("{name} to be {state}"), secs, || {
            Ok(self.state(name)? == state)
        })
    }

    /// A file as the daemon sees it.
    pub fn inside(&self, name: &str) -> PathBuf {
        let path = self.d.path(name);
        let relative = path.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{}/root", self.d.pid)).join(relative)
    }

    /// Waits until a file of the test's directory has something in it, before anything goes wrong.
    pub fn begins(&self, name: &str) -> Step {
        let file = self.inside(name);
        self.until(Wrong::Hangs, &format!("lines in {name}"), 60, || Ok(size(&file) > 0))
    }

    /// The daemon's children.
    pub fn children(&self) -> BTreeSet<Child> {
        let mut found = BTreeSet::new();
        for pid in all_pids() {
            let Some(stat) = process_stat(pid).filter(|stat| stat.parent == self.d.pid) else {
                continue;
            };
            let status = read(format!("/proc/{pid}/status").as_ref());
            let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            let inner = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
            let (inner, zombie) = (inner.unwrap_or(pid), stat.state == 'Z');
            found.insert(Child { pid: inner, outside: pid, zombie });
        }
        found
    }

    /// Nobody lives below the daemon that it does not know, nobody is left unreaped.
    pub fn knows_its_children(&self) -> Step {
        let known = || -> Step<(Vec<i32>, Vec<i32>)> {
            let mut told: Vec<i32> = self
                .processes()?
                .into_iter()
                .map(|(_, _, pid)| pid)
                .filter(|pid| *pid != 0)
                .collect();
            told.sort_unstable();
            Ok((told, self.children().into_iter().map(|child| child.pid).collect()))
        };
        let mut last = String::new();
        let same = self.heals(Wrong::Unknown, "children", || {
            let (told, there) = known()?;
            last = format!("it tells of {told:?}, and below it are {there:?}");
            Ok(told == there)
        });
        same.map_err(|finding| match finding.wrong {
            Wrong::Unknown => Finding::new(Wrong::Unknown, last),
            _ => finding,
        })
    }

    /// Open descriptors and threads of the daemon.
    pub fn holds(&self) -> (usize, usize) {
        let of =
            |name| fs::read_dir(format!("/proc/{}/{name}", self.d.pid)).map_or(0, Iterator::count);
        (of("fd"), of("task"))
    }

    /// Waits until the daemon has no more descriptors and threads than it had.
    pub fn holds_no_more_than(&self, before: (usize, usize)) -> Step {
        let what = format!("{before:?} descriptors and threads again");
        self.heals(Wrong::Grows, &what, || {
            let now = self.holds();
            Ok(now.0 <= before.0 + PROBED && now.1 <= before.1)
        })
    }

    /// How many lines of the activity log match.
    pub fn count(&self, pattern: &str) -> usize {
        self.d.count(pattern)
    }

    /// Bytes of a process's output, or of any's (`*`), that the activity log calls lost.
    pub fn told_lost(&self, name: &str) -> u64 {
        let about = format!("WARN '{name}' std* log *");
        let lines = self.d.messages().into_iter().filter(|line| matches(&about, line));
        lines
            .filter_map(|line| {
                let words = line.strip_suffix(" bytes of output are lost")?;
                words.rsplit(' ').next()?.parse::<u64>().ok()
            })
            .sum()
    }

    /// How many lines the `counter` of this name has written, as it says itself.
    pub fn count_of(&self, name: &str) -> u64 {
        self.d.read(&format!("{name}.count")).parse().unwrap_or(0)
    }

    /// The lines that a program's lives have written stand in its log and the backups, or are told
    /// to be lost. A life may have ended before it told of its last line.
    pub fn accounts_for(&self, name: &str, log: &str, lives: &[u64]) {
        self.accounts_for_beside(0, name, log, lives);
    }

    /// The same where so many bytes stand elsewhere.
    pub fn accounts_for_beside(&self, elsewhere: u64, name: &str, log: &str, lives: &[u64]) {
        let backups = (1..).map(|n| size(&self.inside(&format!("{log}.{n}"))));
        let backups = backups.take_while(|size| *size > 0).sum::<u64>();
        let there = elsewhere + size(&self.inside(log)) + backups;
        let (written, lost) = (9 * lives.iter().sum::<u64>(), self.told_lost(name));
        let figures = format!("{written} bytes written, {there} there, {lost} told to be lost");
        let all = written..=written + 9 * lives.len() as u64;
        self.ground.tell(figures.clone());
        self.ground.expect(Wrong::LosesOutput, all.contains(&(there + lost)), || figures);
    }
}

/// A row that ends early has its figures too. The others' daemons have to end as they are told.
impl Drop for Scene<'_> {
    fn drop(&mut self) {
        self.calm();
        if self.ended.get() {
            self.shuts_down();
        }
    }
}

/// Names in the test's directory.
pub fn names(d: &TestDaemon) -> BTreeSet<String> {
    let entries = fs::read_dir(d.path("")).expect("the directory").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Bytes of memory, by the name of a line of `/proc/<pid>/status`.
pub fn memory(pid: i32, name: &str) -> u64 {
    let status = read(format!("/proc/{pid}/status").as_ref());
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}
