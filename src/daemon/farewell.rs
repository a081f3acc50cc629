//! The daemon's end. Whatever touches a path is done on a thread of its own, and waited for not
//! for ever: a file system that hangs keeps no daemon whose programs have ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};

use crate::config::options::LogLevel;
use crate::log::activity::Logger;
use crate::sys::thread;

/// How long each of the last things may take.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// How long all of them together.
const ALL: Duration = Duration::from_secs(5);

/// When that time is over, the others are begun nevertheless, and waited for so long.
const LEAST: Duration = Duration::from_millis(100);

/// Enough for what removes a file or waits for a thread, bytes.
const STACK: usize = 128 << 10;

/// The time that is left.
#[derive(Debug)]
pub(super) struct Farewell {
    until: Instant,
    logger: Logger,
}

impl Farewell {
    /// All that from now on.
    pub(super) fn begin(logger: &Logger) -> Farewell {
        Farewell { until: Instant::now() + ALL, logger: logger.clone() }
    }

    /// Does it, or goes on without it when it takes too long; `what` it is, for the log.
    pub(super) fn done(&self, what: &str, step: impl FnOnce() + Send + 'static) {
        if !within(self.limit(), step) {
            let line = format_args!("{what} takes too long; the end does not wait for it");
            self.logger.log(LogLevel::Warn, line);
        }
    }

    /// Has what was lost told, and waits for the last lines of the log.
    pub(super) fn finish(&self) {
        self.logger.finish(self.limit());
    }

    /// Waits for lines of the log that came later.
    pub(super) fn flush(&self) {
        self.logger.flush(self.limit());
    }

    fn limit(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).clamp(LEAST, FAREWELL)
    }
}

/// Whether it was done in that time.
fn within(limit: Duration, step: impl FnOnce() + Send + 'static) -> bool {
    let (done, wait) = bounded::<()>(1);
    let step = Arc::new(Mutex::new(Some(step)));
    let body = {
        let step = Arc::clone(&step);
        move || {
            // Dropped however the step ends.
            let _done = done;
            run(&step);
        }
    };
    match thread::start(c"files", STACK, Box::new(body)) {
        Ok(()) => wait.recv_timeout(limit) != Err(RecvTimeoutError::Timeout),
        // Better late than not at all.
        Err(_) => {
            run(&step);
            true
        }
    }
}

fn run(step: &Mutex<Option<impl FnOnce()>>) {
    let step = step.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(step) = step {
        step();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options::LogLevel;

    #[test]
    fn what_hangs_is_left_and_the_rest_is_done() {
        let (end, hangs) = bounded::<()>(0);
        let (tell, told) = bounded(8);
        let (logger, _queue) = Logger::new(LogLevel::Critical);
        let farewell = Farewell { until: Instant::now(), logger };
        let began = Instant::now();
        farewell.done("what never ends", move || hangs.recv().unwrap_or_default());
        assert!(began.elapsed() >= LEAST);
        let teller = tell.clone();
        farewell.done("what is quick", move || teller.send("quick").unwrap());
        assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok("quick"));
        farewell.done("what panics", || panic!("on purpose"));
        drop(end);
    }

    #[test]
    fn it_waits_for_what_takes_its_time() {
        let (tell, told) = bounded(1);
        let done = within(Duration::from_secs(60), move || {
            std::thread::sleep(Duration::from_millis(50));
            tell.send(()).unwrap();
        });
        assert!(done);
        assert_eq!(told.try_recv(), Ok(()));
    }
}
