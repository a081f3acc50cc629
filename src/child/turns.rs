//! The order of starts: children are made in the order in which they were asked for, though each
//! by a thread of its own. One that takes long, its file on a slow disk, holds the others up for
//! a moment only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a start waits for those before it, counted from when it is ready itself: however many
/// hang, none of the others waits longer. On a loaded machine a thread may well need a tenth of a
/// second to get as far.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct State {
    /// The number that the next asker gets.
    next_number: u64,
    /// Whose turn it is.
    turn: u64,
    waiting: BTreeMap<u64, Thread>,
}

/// Gives out turns.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Mutex<State>>);

/// A place in the order; dropped, it lets the next one go.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    number: u64,
}

impl Turns {
    /// The next place.
    pub fn take(&self) -> Turn {
        let mut state = self.lock();
        let number = state.next_number;
        state.next_number += 1;
        Turn { turns: self.clone(), number }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until those before it are done, but not for long.
    pub fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut state = self.turns.lock();
            let left = deadline.saturating_duration_since(Instant::now());
            if state.turn >= self.number || left.is_zero() {
                state.waiting.remove(&self.number);
                return;
            }
            state.waiting.insert(self.number, thread::current());
            drop(state);
            thread::park_timeout(left);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.waiting.remove(&self.number);
        state.turn = state.turn.max(self.number + 1);
        let turn = state.turn;
        if let Some(next) = state.waiting.get(&turn) {
            next.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_order_of_asking() {
        let (turns, order) = (Turns::default(), Arc::new(Mutex::new(Vec::new())));
        let taken: Vec<Turn> = (0..8).map(|_| turns.take()).collect();
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
    fn one_that_hangs_holds_up_nobody_for_long() {
        let turns = Turns::default();
        let (_hangs, second, third) = (turns.take(), turns.take(), turns.take());
        second.wait();
        drop(second);
        let before = turns.lock().turn;
        assert_eq!(before, third.number);
        third.wait();
    }
}
