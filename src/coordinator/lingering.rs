//! Threads whose child is gone and whose pipes are still read, for `drain_timeout`.

use std::sync::Arc;

use super::world::ProcessId;
use crate::child::link::Link;
use crate::process::machine::SpawnNumber;

/// How many earlier children of a process may be heard at a time: one that crashes again and
/// again must not gather threads and pipes.
pub const MOST: usize = 4;

/// The ways to those threads, the oldest first. They outlive a restart of the daemon.
#[derive(Debug, Default)]
pub struct Lingering(Vec<(ProcessId, SpawnNumber, Arc<Link>)>);

impl Lingering {
    /// One more. The one that is one too many, if any: it was told to end.
    pub fn add(&mut self, process: ProcessId, spawn: SpawnNumber, link: Arc<Link>) -> bool {
        let of_process = |(id, ..): &&(ProcessId, SpawnNumber, Arc<Link>)| *id == process;
        let is_full = self.0.iter().filter(of_process).count() >= MOST;
        let oldest = self.0.iter().position(|row| of_process(&row)).filter(|_| is_full);
        if let Some(place) = oldest {
            let (_, _, oldest) = self.0.remove(place);
            oldest.drain();
        }
        self.0.push((process, spawn, link));
        oldest.is_some()
    }

    /// It has ended.
    pub fn remove(&mut self, process: ProcessId, spawn: SpawnNumber) {
        self.0.retain(|(id, number, _)| (*id, *number) != (process, spawn));
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    /// Log files were moved away.
    pub fn reopen_logs(&self) {
        for (_, _, link) in &self.0 {
            link.reopen_logs();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_a_process_makes_room() {
        let mut lingering = Lingering::default();
        let [a, b] = [ProcessId(1), ProcessId(2)];
        let link = || Arc::new(Link::new().unwrap());
        let first = link();
        let numbers: Vec<SpawnNumber> = (1..=5).map(SpawnNumber).collect();
        assert!(!lingering.add(a, numbers[0], Arc::clone(&first)));
        assert!(!lingering.add(b, numbers[0], link()));
        for number in &numbers[1..4] {
            assert!(!lingering.add(a, *number, link()));
        }
        assert!(!first.take_wishes().drain);
        assert!(lingering.add(a, numbers[4], link()));
        assert!(first.take_wishes().drain);
        lingering.remove(a, numbers[1]);
        assert!(!lingering.add(a, SpawnNumber(6), link()));
        assert_eq!(lingering.0.len(), 5, "those of others stay");
        lingering.reopen_logs();
        assert!(lingering.0.iter().all(|(_, _, link)| link.take_wishes().reopen));
    }
}
