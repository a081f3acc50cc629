//! Whether all is as configured in the end.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    finding::{Finding, Step, Wrong},
    probe::PATIENCE,
    scene::{Scene, memory, names},
    support::{
        Side, alive, matches, read,
        rpc::{Connection, numbers},
    },
    touched,
};

/// Files of every daemon of these tests.
const OWN: [&str; 7] = [
    "d.pid",
    "s.sock*",
    "activity.log*",
    "daemon.out",
    "daemon.err",
    "*-std*---supervisor-*",
    "neighbour.log",
];

/// Files that others may have in its directory.
const OTHERS: [&str; 2] = ["c.conf", "*.count"];

/// What is counted though nothing is wrong.
const NO_FAULTS: [&str; 2] = ["spawned", "restarted"];

impl Scene<'_> {
    /// Looks whether all is as configured: within five seconds after the fault was lifted, or from
    /// now on if there was none to lift, these processes have these states;
    /// no file but these (`*` stands for anything) and its own was made, changed or taken away by the
    /// daemon, and no other name stands in the test's directory; these errors were counted, those that may
    /// or may not be with a `?` behind them, and no others.
    pub fn ends(&self, states: &[(&str, &str)], files: &[&str], counted: &[&str]) -> Step {
        self.alive()?;
        self.since.set(self.since.get().or(Some(Instant::now())));
        for (name, state) in states {
            self.comes_to(name, state)?;
        }
        self.comes_to("neighbour", "RUNNING")?;
        self.knows_its_children()?;
        self.guest()?;
        self.counts(counted)?;
        self.probed(2)?;
        self.calm();
        self.spins()?;
        let grown = memory(self.d.pid, "VmHWM:").saturating_sub(self.memory);
        self.ground.tell(format!("{} KiB more at the peak", grown >> 10));
        self.ground
            .expect(Wrong::Grows, grown < self.most.get(), || format!("by {} KiB", grown >> 10));
        let own = |name: &String| {
            let patterns = OWN.iter().chain(&OTHERS).chain(files);
            self.there.contains(name) || patterns.into_iter().any(|known| matches(known, name))
        };
        let foreign: Vec<String> = names(&self.d).into_iter().filter(|name| !own(name)).collect();
        self.ground.expect(Wrong::Touches, foreign.is_empty(), || format!("{foreign:?}"));
        self.stays_with_its_own(files);
        self.alive()?;
        self.ended.set(true);
        Ok(())
    }

    /// On TERM it ends by itself, with code 0, and none of its children outlives it.
    pub fn shuts_down(&mut self) {
        let (begin, children) = (Instant::now(), self.children());
        let most = match self.ground.side {
            Side::Ours => self.patience(),
            Side::Theirs => PATIENCE * 3,
        };
        self.d.signal(Signal::SIGTERM);
        while alive(self.d.pid) && begin.elapsed() < most {
            thread::sleep(Duration::from_millis(20));
        }
        if alive(self.d.pid) {
            return self.ground.found(Wrong::Hangs, format!("it lives {most:.1?} after TERM"));
        }
        let code = self.d.wait_exit(20);
        self.ground.expect(Wrong::Dies, code == 0, || format!("with code {code} on TERM"));
        let left: Vec<_> = children.iter().filter(|child| alive(child.outside)).collect();
        self.ground.expect(Wrong::Unknown, left.is_empty(), || format!("{left:?} after its end"));
    }

    /// The daemon has touched nothing outside the test's directory, and in it what is configured.
    fn stays_with_its_own(&self, files: &[&str]) {
        let watch = match touched::watch() {
            Ok(watch) => watch,
            Err(why) => return self.ground.unchecked(format!("which files are touched: {why}")),
        };
        let (home, temporary) = (self.d.path(""), env::temp_dir());
        let own = |name: &str| OWN.iter().chain(files).any(|pattern| matches(pattern, name));
        let foreign = |path: &&PathBuf| {
            // Not meant: what Python keeps of the original's code, and its try whether a file can
            // be made in a directory for temporary ones.
            let tried = self.ground.side == Side::Theirs
                && path.parent() == Some(temporary.as_path())
                && !path.exists();
            !tried
                && !path.iter().any(|part| part == "__pycache__")
                && !path.strip_prefix(&home).is_ok_and(|name| own(&name.to_string_lossy()))
        };
        for pid in self.killed.iter().chain([&self.d.pid]) {
            let names = watch.by(*pid, &self.d.path("marker"));
            self.ground.expect(Wrong::Silent, !names.is_empty(), || {
                format!("the kernel tells of no file of {pid}")
            });
            let foreign: Vec<&PathBuf> = names.iter().filter(foreign).collect();
            self.ground.expect(Wrong::Touches, foreign.is_empty(), || format!("{foreign:?}"));
        }
    }

    /// All counters, by part and name.
    pub fn counters(&self) -> Step<BTreeMap<String, u64>> {
        let answer = Connection::unix_within(&self.d.path("s.sock"), PATIENCE)
            .and_then(|mut connection| connection.call("minder.getCounters", ""))
            .map_err(|error| Finding::new(Wrong::Hangs, format!("getCounters: {error}")))?;
        let parts = ["daemon", "processes", "events", "activity_log", "http"];
        let all = parts.map(|part| {
            let numbers = numbers(&answer, part).unwrap_or_default();
            let full = move |(name, n): (String, f64)| (format!("{part}.{name}"), n as u64);
            numbers.into_iter().map(full)
        });
        Ok(all.into_iter().flatten().collect())
    }

    /// Every error is in its counter: these are not zero, and all others are. Lost bytes are those
    /// that the activity log tells of.
    fn counts(&self, counted: &[&str]) -> Step {
        if self.ground.side == Side::Theirs {
            return Ok(());
        }
        let (mut found, mut wrong) = (BTreeMap::new(), Vec::new());
        let as_told = || {
            found = self.counters()?;
            found.retain(|name, n| *n > 0 && !NO_FAULTS.iter().any(|usual| name.ends_with(usual)));
            let is = |named: &str, name: &str| named.trim_end_matches('?') == name;
            let more = found.keys().filter(|name| !counted.iter().any(|named| is(named, name)));
            let less = counted.iter().filter(|name| !name.ends_with('?'));
            let less = less.filter(|name| !found.contains_key(**name));
            wrong = more.map(|name| format!("{name} is counted")).collect();
            wrong.extend(less.map(|name| format!("{name} is not counted")));
            let lost = found.get("processes.log_bytes_lost").copied().unwrap_or(0);
            let told = self.told_lost("*");
            if lost != told {
                wrong.push(format!("{lost} lost bytes are counted, {told} told"));
            }
            Ok(wrong.is_empty())
        };
        // What can't be written is counted at once, and told when it can be written again.
        let seen = self.heals(Wrong::Silent, "the counters", as_told);
        self.ground.tell(format!("counted: {found:?}"));
        self.ground.expect(Wrong::Silent, wrong.is_empty(), || wrong.join(", "));
        match seen {
            Err(finding) if finding.wrong != Wrong::Silent => Err(finding),
            _ => Ok(()),
        }
    }

    /// A program of another user can be started, has the rights of that user alone, and can be
    /// stopped.
    fn guest(&self) -> Step {
        if self.state("guest")?.is_empty() {
            return Ok(());
        }
        self.order("startProcess", "guest")?;
        self.comes_to("guest", "RUNNING")?;
        let pid = self.pid("guest")?;
        let status = || {
            let found = self.children().into_iter().find(|child| child.pid == pid);
            let outside = found.map_or(0, |child| child.outside);
            read(format!("/proc/{outside}/status").as_ref())
        };
        // Until it executes it is the daemon's copy.
        self.heals(Wrong::Hangs, "the guest's program", || {
            Ok(status().starts_with("Name:\tsleep\n"))
        })?;
        let status = status();
        let of = |field: &str| status.lines().find_map(|line| line.strip_prefix(field));
        let numbers = |field| of(field).into_iter().flat_map(str::split_whitespace).collect();
        let (users, groups): (Vec<&str>, Vec<&str>) = (numbers("Uid:"), numbers("Gid:"));
        let (user, group, all) = self.guest_of();
        let mut known: Vec<u32> =
            numbers("Groups:").iter().filter_map(|word| word.parse().ok()).collect();
        known.sort_unstable();
        let own = users == [user.as_str(); 4] && groups == [group.as_str(); 4] && known == all;
        self.ground.expect(Wrong::Privileges, own, || {
            format!("a program of {user} has {users:?}, {groups:?} and the groups {known:?}")
        });
        for field in ["CapPrm:", "CapEff:", "CapAmb:"] {
            let capabilities = of(field).unwrap_or("none told").trim();
            let none = capabilities.chars().all(|digit| digit == '0');
            self.ground.expect(Wrong::Privileges, none, || {
                format!("a program of {user} has {field} {capabilities}")
            });
        }
        self.order("stopProcess", "guest")?;
        self.comes_to("guest", "STOPPED")
    }

    /// Whose program the guest is, by number: user, group and all further groups. A daemon that is
    /// not root's has none but its own.
    fn guest_of(&self) -> (String, String, Vec<u32>) {
        let owner = fs::metadata(format!("/proc/{}", self.d.pid)).expect("the daemon");
        if owner.uid() != 0 {
            return (owner.uid().to_string(), owner.gid().to_string(), Vec::new());
        }
        let nobody = nix::unistd::User::from_name("nobody").expect("the users").expect("nobody");
        let all = nix::unistd::getgrouplist(c"nobody", nobody.gid).expect("its groups");
        let mut all: Vec<u32> = all.into_iter().map(nix::unistd::Gid::as_raw).collect();
        all.sort_unstable();
        (nobody.uid.to_string(), nobody.gid.to_string(), all)
    }

    /// A daemon that has nothing to do takes no processor.
    fn spins(&self) -> Step {
        let (begin, used) = (Instant::now(), ticks(self.d.pid));
        thread::sleep(Duration::from_millis(500));
        let used = Duration::from_millis(10 * (ticks(self.d.pid) - used));
        let (took, most) = (begin.elapsed(), Duration::from_millis(250));
        self.ground.expect(Wrong::Spins, used < most, || format!("{used:?} of {took:?} at rest"));
        self.alive()
    }
}

/// Processor time that a process has used, in hundredths of a second.
fn ticks(pid: i32) -> u64 {
    let stat = read(format!("/proc/{pid}/stat").as_ref());
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split(' ').skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum()
}
