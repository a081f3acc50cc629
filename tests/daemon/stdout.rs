//! The daemon's own stdout and stderr, whose reader stalls: nobody waits for it.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::support::{Setup, Side, TestDaemon, rpc, wait_for};

fn ours_only() -> bool {
    Side::ours_only("the original waits for whoever reads its stdout")
}

/// A number of `minder.getCounters`. At the level trace each question is a line of the log.
fn counted(d: &TestDaemon, part: &str, name: &str) -> u64 {
    let answer = d.rpc().call("minder.getCounters", "").unwrap();
    let numbers = rpc::numbers(&answer, part).unwrap_or_else(|| panic!("no {part}"));
    *numbers.get(name).unwrap_or_else(|| panic!("no {name} in {numbers:?}")) as u64
}

/// Writes to a fifo until it takes no byte more.
fn fill(fifo: &Path) {
    let open = File::options().write(true).custom_flags(nix::libc::O_NONBLOCK).open(fifo);
    let mut file = open.unwrap();
    for length in [4096, 1] {
        while match file.write(&[b'x'; 4096][..length]) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        } {}
    }
}

#[test]
fn the_main_log_heals_while_nobody_reads_stderr() {
    if !ours_only() {
        return;
    }
    let _turn = crate::alone();
    let setup = Setup::new().supervisord("logfile=%(here)s/logs/main.log\nloglevel=trace");
    let (fifo, logs) = (setup.path("out"), setup.path("logs"));
    fs::create_dir(&logs).unwrap();
    let shell = format!("mkfifo {0}; exec 1<>{0} 2>&1", fifo.display());
    let d = setup.prelude(&shell).program("a", "command=/bin/cat\nstartsecs=0").start();
    fill(&fifo);
    // At one stroke: the daemon would make the log again meanwhile.
    fs::rename(&logs, d.path("gone")).unwrap();
    fs::remove_dir_all(d.path("gone")).unwrap();
    wait_for("lost lines", 60, || (counted(&d, "activity_log", "failed") > 0).then_some(()));
    fs::create_dir(&logs).unwrap();
    wait_for("a line about what is lost", 60, || {
        counted(&d, "activity_log", "failed");
        d.read("logs/main.log").contains(" ERRO this log could not be written: ").then_some(())
    });
    assert_eq!(counted(&d, "activity_log", "failed"), 1);
}
