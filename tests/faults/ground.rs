//! Where a row takes place: the side, the daemon beside it that nothing happens to, and the list of
//! what was found.

use std::{
    cell::RefCell,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    finding::{Finding, Step, Wrong},
    probe::{Looks, NEIGHBOUR, Target},
    scene::Scene,
    support::{Setup, Side, TestDaemon, copy_fixtures, root},
    touched,
};

/// A daemon with an idle program, to compare with.
pub struct Control {
    _daemon: TestDaemon,
    target: Target,
}

impl Control {
    pub fn start(side: Side) -> Control {
        let daemon = Setup::new().side(side).program("neighbour", NEIGHBOUR).start();
        daemon.wait_state("neighbour", "RUNNING", 20);
        let target = target(&daemon);
        Control { _daemon: daemon, target }
    }
}

/// Where a daemon's socket and neighbour are.
pub fn target(daemon: &TestDaemon) -> Target {
    Target { socket: daemon.path("s.sock"), log: daemon.path("neighbour.log") }
}

/// A row's place.
pub struct Ground<'a> {
    pub side: Side,
    control: &'a Control,
    findings: RefCell<Vec<Finding>>,
    figures: RefCell<Vec<String>>,
    looks: RefCell<Looks>,
    skipped: RefCell<Option<String>>,
    unchecked: RefCell<Vec<String>>,
    did: RefCell<Option<String>>,
}

impl<'a> Ground<'a> {
    pub fn new(side: Side, control: &'a Control) -> Ground<'a> {
        assert!(root(), "these tests make namespaces, mounts and limits: run them as root");
        let (findings, figures, looks, skipped, unchecked, did) = Default::default();
        Ground { side, control, findings, figures, looks, skipped, unchecked, did }
    }

    /// The daemon beside it.
    pub fn control(&self) -> Target {
        self.control.target.clone()
    }

    /// The row goes on with this known.
    pub fn found(&self, wrong: Wrong, detail: impl Into<String>) {
        self.findings.borrow_mut().push(Finding::new(wrong, detail));
    }

    /// Something to be found unless this holds.
    pub fn expect(&self, wrong: Wrong, holds: bool, detail: impl FnOnce() -> String) {
        if !holds {
            self.found(wrong, detail());
        }
    }

    /// A figure for the report.
    pub fn tell(&self, figure: String) {
        self.figures.borrow_mut().push(figure);
    }

    /// How much of what the row's name says was done this time.
    pub fn did(&self, what: String) {
        *self.did.borrow_mut() = Some(what);
    }

    /// The same, for the table.
    pub fn done(&self) -> Option<String> {
        self.did.borrow().clone()
    }

    /// Looks that were made.
    pub fn looked(&self, looks: Looks) {
        self.looks.borrow_mut().add(looks);
    }

    /// The longest of those looks.
    pub fn worst(&self) -> [Duration; 4] {
        self.looks.borrow().worst()
    }

    /// The row can't be had on this machine.
    pub fn skip(&self, why: String) {
        *self.skipped.borrow_mut() = Some(why);
    }

    /// Why the row can't be had on this machine.
    pub fn skipped(&self) -> Option<String> {
        self.skipped.borrow().clone()
    }

    /// Something can't be looked at on this machine.
    pub fn unchecked(&self, what: String) {
        self.unchecked.borrow_mut().push(what);
    }

    /// All that could not be looked at.
    pub fn all_unchecked(&self) -> Vec<String> {
        self.unchecked.borrow().clone()
    }

    pub fn findings(&self) -> Vec<Finding> {
        self.findings.borrow().clone()
    }

    pub fn figures(&self) -> String {
        let looks = self.looks.borrow();
        let [answer, echo, answer_beside, echo_beside] = looks.worst();
        let probes = format!(
            "{} looks, worst answer {answer:.1?} (beside it {answer_beside:.1?}), \
             worst neighbour {echo:.1?} (beside it {echo_beside:.1?})",
            looks.count()
        );
        let others = self.figures.borrow();
        others.iter().fold(probes, |all, figure| all + ", " + figure)
    }

    /// A configuration with the program that is probed, and one of another user that is started
    /// when the fault is over.
    pub fn setup(&self) -> Setup {
        self.bare_setup().program(
            "guest",
            "command=/bin/sleep 1000\nuser=nobody\nautostart=false\nstartsecs=0\n\
             stdout_logfile=NONE\nstderr_logfile=NONE",
        )
    }

    /// The same without a program of another user, for a daemon that is not root's.
    pub fn bare_setup(&self) -> Setup {
        let setup = Setup::new().side(self.side).program("neighbour", NEIGHBOUR);
        copy_fixtures(&["counter"], &setup.path(""));
        setup
    }

    /// Starts it, and the probe as soon as the neighbour runs.
    pub fn start(&'a self, setup: Setup) -> Step<Scene<'a>> {
        let config = setup.write();
        self.start_file(setup, config)
    }

    /// The same with a file that stands there already.
    pub fn start_file(&'a self, setup: Setup, config: PathBuf) -> Step<Scene<'a>> {
        // From now on, so that nothing is missed.
        let _ = touched::watch();
        Scene::of(self, setup.start_file(config))
    }
}

/// A file system of its own, of this size and number of files, at `disk` in the test's directory.
/// The daemon alone sees it.
pub fn with_disk(setup: Setup, options: &str) -> Setup {
    let disk = setup.path("disk");
    fs::create_dir(&disk).expect("a directory to mount at");
    let mount = format!("mount -t tmpfs -o mode=777,{options} tmpfs {}", disk.display());
    setup.launcher(&["unshare", "--mount"]).prelude(&mount)
}

/// Whether the rows that need long get the time they need.
pub fn full() -> bool {
    env::var_os("MINDER_FULL").is_some()
}

/// The size of a file, 0 where there is none.
pub fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}
