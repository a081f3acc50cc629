//! What the daemon holds and costs, from `/proc`.

use std::{collections::BTreeMap, fmt, fs, path::Path, thread, time::Duration};

use crate::support::{all_pids, process_stat, read};

/// How many there are of each kind.
type Kinds = BTreeMap<String, usize>;

/// What has to be the same in all pauses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vitals {
    descriptors: Kinds,
    threads: Kinds,
}

fn counted(all: impl Iterator<Item = String>) -> Kinds {
    let mut kinds = Kinds::new();
    all.for_each(|kind| *kinds.entry(kind).or_default() += 1);
    kinds
}

/// What a descriptor leads to, without what differs from one of its kind to the next.
fn kind(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?.to_str()?.to_owned();
    let target = target.strip_suffix(" (deleted)").unwrap_or(&target);
    Some(match target.split_once(":[") {
        Some((kind, _)) => kind.to_owned(),
        // A log without a name in the configuration gets another after each HUP.
        None => match target.split_once("---supervisor-") {
            Some((log, _)) => log.to_owned(),
            None => target.to_owned(),
        },
    })
}

impl Vitals {
    /// Those of a process now.
    pub fn of(pid: i32) -> Vitals {
        let each = |part: &str| {
            let entries = fs::read_dir(format!("/proc/{pid}/{part}")).into_iter().flatten();
            entries.flatten().map(|entry| entry.path())
        };
        let name = |task: &Path| read(&task.join("comm")).trim().to_owned();
        Vitals {
            descriptors: counted(each("fd").filter_map(|link| kind(&link))),
            threads: counted(each("task").map(|task| name(&task))),
        }
    }

    /// What differs from the start, kind by kind.
    pub fn beyond(&self, start: &Vitals) -> String {
        let pairs = [
            (&self.descriptors, &start.descriptors, "descriptors"),
            (&self.threads, &start.threads, "threads"),
        ];
        let mut all = String::new();
        for (now, then, what) in pairs {
            for kind in now.keys().chain(then.keys().filter(|kind| !now.contains_key(*kind))) {
                let [now, then] = [now, then].map(|kinds| kinds.get(kind).copied().unwrap_or(0));
                if now != then {
                    all.push_str(&format!("{what} {kind}: {now}, at the start {then}\n"));
                }
            }
        }
        all
    }
}

impl fmt::Display for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |kinds: &Kinds| kinds.values().sum::<usize>();
        write!(f, "{} descriptors, threads {:?}", sum(&self.descriptors), self.threads)
    }
}

/// A child: its pid, and whether it is a zombie.
pub fn children(parent: i32) -> Vec<(i32, bool)> {
    let of = |pid: i32| {
        let stat = process_stat(pid).filter(|stat| stat.parent == parent)?;
        Some((pid, stat.state == 'Z'))
    };
    all_pids().into_iter().filter_map(of).collect()
}

/// Memory of a process, KiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// What nobody else has: of pages of files the share depends on who else has them.
    pub own: u64,
    /// Its share of all, files too.
    pub pss: u64,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB its own, PSS {} KiB", self.own, self.pss)
    }
}

fn memory(pid: i32) -> Memory {
    let text = read(Path::new(&format!("/proc/{pid}/smaps_rollup")));
    let field = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in {text:?}"))
    };
    Memory { own: field("Pss_Anon:") + field("Pss_Shmem:"), pss: field("Pss:") }
}

/// The least of some looks, between which the daemon has the time to give back what it can.
pub fn least_memory(pid: i32) -> Memory {
    let looks = (0..12).map(|_| {
        thread::sleep(Duration::from_millis(250));
        memory(pid)
    });
    looks.min_by_key(|memory| memory.own).unwrap()
}

/// What a process has used, its threads together.
pub fn cpu_time(pid: i32) -> Duration {
    let text = read(Path::new(&format!("/proc/{pid}/stat")));
    let (_, rest) = text.rsplit_once(") ").expect("the daemon's stat");
    let ticks: u64 = rest.split(' ').skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
    // The kernel tells everyone of hundredths of a second.
    Duration::from_millis(ticks * 10)
}
