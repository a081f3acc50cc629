//! When the next start may be, and when there were too many: the policy of the `restart_` keys.
//! Without them it is Supervisor's: one second more after each failed start, and no limit.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Mono;
use crate::config::options::{Backoff, RestartLimit, RestartPolicy};

/// The first wait, unless configured.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait where waits double, unless configured.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What a process remembers of its restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restarts {
    /// Waits in a row.
    waits: u32,
    /// When restarts were decided, as far as a limit counts them.
    recent: VecDeque<Mono>,
}

impl Restarts {
    /// Waits in a row.
    pub fn waits(&self) -> u32 {
        self.waits
    }

    /// The next wait is the first again.
    pub fn begin_anew(&mut self) {
        self.waits = 0;
    }

    /// The restarts so far count no longer.
    pub fn forgive(&mut self) {
        self.recent = VecDeque::new();
    }

    /// How long the next start waits; the one after it waits longer.
    pub fn next_wait(&mut self, policy: &RestartPolicy) -> Duration {
        let first = policy.delay_min.unwrap_or(FIRST_WAIT);
        let wait = match policy.backoff {
            Backoff::Linear => first.saturating_mul(self.waits.saturating_add(1)),
            Backoff::Double => first.saturating_mul(2u32.saturating_pow(self.waits)),
        };
        let longest = policy.delay_max.or(match policy.backoff {
            Backoff::Linear => None,
            Backoff::Double => Some(LONGEST_WAIT),
        });
        self.waits = self.waits.saturating_add(1);
        longest.map_or(wait, |longest| wait.min(longest))
    }

    /// Counts a restart; the limit, if this is one more than it allows.
    pub fn exceeded(&mut self, now: Mono, policy: &RestartPolicy) -> Option<RestartLimit> {
        let limit = policy.limit?;
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|at| now.saturating_sub(*at) >= limit.within) {
            self.recent.pop_front();
        }
        (self.recent.len() > limit.count as usize).then_some(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(policy: &RestartPolicy, count: usize) -> Vec<u128> {
        let mut restarts = Restarts::default();
        (0..count).map(|_| restarts.next_wait(policy).as_millis()).collect()
    }

    fn policy(backoff: Backoff, min: Option<u64>, max: Option<u64>) -> RestartPolicy {
        let (min, max) = (min.map(Duration::from_millis), max.map(Duration::from_millis));
        RestartPolicy { backoff, delay_min: min, delay_max: max, ..RestartPolicy::default() }
    }

    #[test]
    fn waits() {
        let linear = |min, max| policy(Backoff::Linear, min, max);
        let double = |min, max| policy(Backoff::Double, min, max);
        let rows: [(RestartPolicy, [u128; 5]); 7] = [
            (RestartPolicy::default(), [1000, 2000, 3000, 4000, 5000]),
            (linear(Some(500), None), [500, 1000, 1500, 2000, 2500]),
            (linear(Some(2000), Some(5000)), [2000, 4000, 5000, 5000, 5000]),
            (linear(Some(3000), Some(3000)), [3000; 5]),
            (double(None, None), [1000, 2000, 4000, 8000, 16_000]),
            (double(Some(500), Some(1500)), [500, 1000, 1500, 1500, 1500]),
            (double(Some(0), None), [0; 5]),
        ];
        for (policy, want) in rows {
            assert_eq!(millis(&policy, 5), want, "{policy:?}");
        }
    }

    #[test]
    fn waits_have_an_end() {
        let all = millis(&policy(Backoff::Double, None, None), 100);
        assert_eq!(
            (all[10], all[11], all[12], all[99]),
            (1_024_000, 2_048_000, 3_600_000, 3_600_000)
        );
        let mut far = Restarts { waits: u32::MAX, ..Restarts::default() };
        assert!(far.next_wait(&RestartPolicy::default()) > Duration::from_secs(3600));
        assert_eq!(far.waits(), u32::MAX);
    }

    #[test]
    fn a_limit_counts_in_a_moving_window() {
        let limit = RestartLimit { count: 2, within: Duration::from_secs(10) };
        let policy = RestartPolicy { limit: Some(limit), ..RestartPolicy::default() };
        let mut restarts = Restarts::default();
        let mut at = |secs| restarts.exceeded(Duration::from_secs(secs), &policy).is_some();
        assert_eq!([at(1), at(5), at(11), at(14), at(21)], [false, false, false, true, false]);
        let mut none = Restarts::default();
        let free = RestartPolicy::default();
        assert!((0..100).all(|_| none.exceeded(Mono::ZERO, &free).is_none()));
        assert_eq!(none, Restarts::default(), "nothing is remembered without a limit");
    }
}
