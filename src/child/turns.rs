//! The order of starts: children are made in the order in which they were asked for, though each
//! by a thread of its own. One that takes long, its file on a slow disk, holds the others up for
//! a moment only, and only once: until a start of its process was quick again, its own waits for
//! those before it and nobody waits for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the one whose turn it is may take before the next one that is ready goes. With ten
/// times as much to do as it has processors, a machine may let a thread wait for half a second.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a start waits in all, counted from when it is ready itself, however many hang.
const LIMIT: Duration = Duration::from_secs(10);

/// A start that takes so long by itself would hold up others noticeably.
const SLOW: Duration = Duration::from_millis(500);

/// Whether the starts of one process take long.
#[derive(Debug, Default)]
pub struct Pace {
    slow: AtomicBool,
}

impl Pace {
    /// A start takes long until it is known that it does not: it may hang.
    pub fn begin(&self) {
        self.slow.store(true, Ordering::Relaxed);
    }

    /// The start has taken so long, without the wait for its turn.
    pub fn end(&self, took: Duration) {
        self.slow.store(took >= SLOW, Ordering::Relaxed);
    }

    fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct State {
    /// The number that the next asker gets.
    next_number: u64,
    /// Whose turn it is.
    turn: u64,
    /// Since when.
    since: Option<Instant>,
    /// Those that are ready, and how each is called. Not by its thread's handle, which a thread
    /// that has once asked for it keeps to its end.
    waiting: BTreeMap<u64, Arc<Condvar>>,
}

impl State {
    /// Lets this number go, as all before it.
    fn give_to(&mut self, number: u64) {
        self.turn = self.turn.max(number);
        self.since = Some(Instant::now());
        // One that nobody waits for has the number of the next.
        if let Some(next) = self.waiting.get(&self.turn) {
            next.notify_all();
        }
    }
}

/// Gives out turns.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Mutex<State>>);

/// A place in the order; dropped, it lets the next one go.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    number: u64,
    /// Others wait for it.
    holds: bool,
}

impl Turns {
    /// The next place, for a process with this pace.
    pub fn take(&self, pace: &Pace) -> Turn {
        let holds = !pace.is_slow();
        let mut state = self.lock();
        let number = state.next_number;
        if holds {
            state.next_number += 1;
            if state.turn == number {
                state.since = Some(Instant::now());
            }
        }
        Turn { turns: self.clone(), number, holds }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until those before it are done, but not for one that hangs.
    pub fn wait(&self) {
        let latest = Instant::now() + LIMIT;
        let mut state = self.turns.lock();
        loop {
            let now = Instant::now();
            if state.turn >= self.number || now >= latest {
                state.waiting.remove(&self.number);
                return;
            }
            let called = Arc::clone(state.waiting.entry(self.number).or_default());
            let hangs = state.since.unwrap_or(now) + PATIENCE;
            if now >= hangs {
                let first = state.waiting.keys().next().copied().unwrap_or(self.number);
                state.give_to(first);
                continue;
            }
            let rest = hangs.min(latest).saturating_duration_since(now);
            let waited = called.wait_timeout(state, rest);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.holds {
            return;
        }
        let mut state = self.turns.lock();
        state.waiting.remove(&self.number);
        if state.turn <= self.number {
            state.give_to(self.number + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn in_the_order_of_asking() {
        let (turns, order) = (Turns::default(), Arc::new(Mutex::new(Vec::new())));
        let taken: Vec<Turn> = (0..8).map(|_| turns.take(&Pace::default())).collect();
        let threads: Vec<_> = taken
            .into_iter()
            .rev()
            .map(|turn| {
                let order = Arc::clone(&order);
                thread::spawn(move || {
                    turn.wait();
                    order.lock().unwrap().push(turn.number);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(order.lock().unwrap().is_sorted());
    }

    #[test]
    fn many_that_are_slow_keep_their_order() {
        let (turns, order) = (Turns::default(), Arc::new(Mutex::new(Vec::new())));
        let taken: Vec<Turn> = (0..8).map(|_| turns.take(&Pace::default())).collect();
        let threads: Vec<_> = taken
            .into_iter()
            .rev()
            .map(|turn| {
                let order = Arc::clone(&order);
                thread::spawn(move || {
                    turn.wait();
                    // All of them together take longer than one may.
                    thread::sleep(PATIENCE / 6);
                    order.lock().unwrap().push(turn.number);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(order.lock().unwrap().is_sorted());
    }

    #[test]
    fn one_that_hangs_holds_up_nobody_for_long() {
        let turns = Turns::default();
        let [_hangs, second, third] = [(); 3].map(|()| turns.take(&Pace::default()));
        second.wait();
        drop(second);
        let before = turns.lock().turn;
        assert_eq!(before, third.number);
        third.wait();
    }

    #[test]
    fn one_that_was_slow_waits_and_is_not_waited_for() {
        let (turns, pace) = (Turns::default(), Pace::default());
        pace.begin();
        let first = turns.take(&Pace::default());
        let (slow, second) = (turns.take(&pace), turns.take(&Pace::default()));
        let waits = |turn: &Turn| turns.lock().turn < turn.number;
        assert!(waits(&slow) && waits(&second));
        drop(first);
        // Nobody waits here, though the slow one does nothing at all.
        second.wait();
        drop(second);
        slow.wait();
        drop(slow);
        pace.end(SLOW / 2);
        let (quick, last) = (turns.take(&pace), turns.take(&Pace::default()));
        quick.wait();
        assert!(waits(&last));
        drop(quick);
        assert!(!waits(&last));
    }
}
