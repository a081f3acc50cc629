//! Low numbers for the descriptors of a child in the making.
//!
//! A child keeps three of the daemon's descriptors. Of all others that it had a copy of it would
//! have to close that copy, and a close may wait, as that of a log on a disk that hangs does. So
//! it shares the daemon's table, and parts from it with a copy of its lowest numbers only. These
//! are kept from the start, when nothing else is open. There are two sets, for a child may be long
//! on its way; where both are taken a child gets a copy of everything. Kernels copy by sixty-four,
//! so files that may be on a disk are moved above so many.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::inject::{self, Call};

/// Numbers that kernels copy at a time.
const TOGETHER: i32 = 64;

/// Who has a set: nobody.
const FREE: u32 = 0;

/// Those of one child.
struct Set {
    owner: AtomicU32,
    numbers: [AtomicI32; 4],
}

impl Set {
    const fn new() -> Set {
        Set { owner: AtomicU32::new(FREE), numbers: [const { AtomicI32::new(-1) }; 4] }
    }

    fn pass(&self, from: u32, to: u32) -> bool {
        self.owner.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

static SETS: [Set; 2] = [const { Set::new() }; 2];

/// What is on a number that is kept.
static NOTHING: AtomicI32 = AtomicI32::new(-1);

/// The first number above all that are kept; 0: none are.
static ABOVE: AtomicI32 = AtomicI32::new(0);

/// Keeps the numbers. Before anything is opened that is not inherited; without room for them
/// children are made without.
pub fn keep() {
    let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") else { return };
    let null = null.into_raw_fd();
    let mut last = null;
    for number in SETS.iter().flat_map(|set| &set.numbers) {
        // SAFETY: integers only.
        let kept = unsafe { libc::fcntl(null, libc::F_DUPFD_CLOEXEC, 3) };
        if kept < 0 {
            return;
        }
        number.store(kept, Ordering::Relaxed);
        last = last.max(kept);
    }
    NOTHING.store(null, Ordering::Relaxed);
    ABOVE.store(last + 1, Ordering::Release);
}

/// Gives a file a number that children get no copy of, if there is one.
#[cfg_attr(debug_assertions, track_caller)]
pub fn out_of_the_way(file: File) -> File {
    let above = ABOVE.load(Ordering::Acquire);
    if above == 0 || inject::fail(Call::Dup).is_err() {
        return file;
    }
    let first = (above + TOGETHER - 1) / TOGETHER * TOGETHER;
    // SAFETY: integers only.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, first) } {
        // SAFETY: a new descriptor that nobody else has.
        number if number >= 0 => unsafe { File::from_raw_fd(number) },
        _ => file,
    }
}

/// A set with a child's descriptors on it.
pub struct Seats {
    set: &'static Set,
    owner: u32,
}

impl Seats {
    /// Puts copies of these on a set, if one is free.
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn take(descriptors: [RawFd; 4]) -> Option<Seats> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        if ABOVE.load(Ordering::Acquire) == 0 {
            return None;
        }
        let owner = NEXT.fetch_add(1, Ordering::Relaxed).max(1);
        let set = SETS.iter().find(|set| set.pass(FREE, owner))?;
        let seats = Seats { set, owner };
        let placed = seats.numbers().into_iter().zip(descriptors);
        for (number, descriptor) in placed {
            inject::fail(Call::Dup).ok()?;
            // SAFETY: integers only; the number is this set's.
            if unsafe { libc::dup3(descriptor, number, libc::O_CLOEXEC) } < 0 {
                return None;
            }
        }
        Some(seats)
    }

    /// Where they are.
    pub fn numbers(&self) -> [RawFd; 4] {
        self.set.numbers.each_ref().map(|number| number.load(Ordering::Relaxed))
    }

    /// For the child: leaves the daemon's table with a copy of its lowest numbers. Where that is
    /// refused, of all. Raw calls only.
    ///
    /// # Errors
    /// The error's number; the table is the daemon's still, and must not be changed.
    pub fn part(&self) -> Result<(), i32> {
        let above = ABOVE.load(Ordering::Relaxed);
        // SAFETY: integers only. What is closed is closed in the new table, where it never was.
        let parted = unsafe {
            let unshare = libc::CLOSE_RANGE_UNSHARE;
            libc::syscall(libc::SYS_close_range, above, RawFd::MAX, unshare) == 0
                || libc::unshare(libc::CLONE_FILES) == 0
        };
        if !parted {
            return Err(io::Error::last_os_error().raw_os_error().unwrap_or(0));
        }
        // If the memory is the daemon's, the next child need not wait until this one executes.
        self.set.pass(self.owner, FREE);
        Ok(())
    }
}

/// For the daemon, when the child executes or has ended: nothing holds its pipes open. Who has the
/// set meanwhile has put something else there.
impl Drop for Seats {
    fn drop(&mut self) {
        let (set, owner, nothing) = (self.set, self.owner, NOTHING.load(Ordering::Relaxed));
        if set.owner.load(Ordering::Acquire) == owner || set.pass(FREE, owner) {
            for number in self.numbers() {
                // SAFETY: integers only; the number is this set's.
                unsafe { libc::dup3(nothing, number, libc::O_CLOEXEC) };
            }
            set.pass(owner, FREE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn at(number: RawFd) -> String {
        fs::read_link(format!("/proc/self/fd/{number}")).unwrap().display().to_string()
    }

    #[test]
    fn seats_hold_copies_until_they_are_given_back_and_files_lie_above() {
        keep();
        let file = out_of_the_way(File::open("/proc/version").unwrap());
        let number = file.as_raw_fd();
        assert!(number >= TOGETHER && at(number) == "/proc/version", "{number}");

        let sets = [0, 1].map(|_| Seats::take([number; 4]).unwrap());
        assert!(Seats::take([number; 4]).is_none(), "both are taken");
        let numbers = sets.each_ref().map(Seats::numbers).concat();
        for number in &numbers {
            assert!(*number < ABOVE.load(Ordering::Relaxed) && at(*number) == at(file.as_raw_fd()));
        }
        drop(sets);
        assert!(numbers.iter().all(|number| at(*number) == "/dev/null"));
        assert!(Seats::take([-1; 4]).is_none(), "no descriptor");
        assert!(Seats::take([number; 4]).is_some(), "the set is free again");
    }
}
