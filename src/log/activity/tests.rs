use super::*;

/// A directory for the log of a test.
fn directory(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("minder-activity-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn lost(logger: &Logger, what: &str) -> u64 {
    logger.losses().into_iter().find(|(name, _)| *name == what).unwrap().1
}

#[test]
fn long_lines_that_wait_have_a_bound_and_those_dropped_are_told() {
    let dir = directory("bound");
    let target = MainLog::File(dir.join("log").display().to_string());
    let (logger, queue) = Logger::new(LogLevel::Debug);
    let line = "x".repeat(64 * 1024);
    for _ in 0..1000 {
        logger.log(LogLevel::Debug, &line);
    }
    let dropped = lost(&logger, "lines_dropped");
    assert!((930..990).contains(&dropped), "{dropped} of 62 MiB");
    let sinks = Sinks::open(&Setup { target, limits: Limits::new(0, 0), echo: false }).unwrap();
    start(queue, sinks).unwrap();
    // Who waits for the thread finds room afterwards, for any line.
    logger.flush(Duration::from_secs(60));
    logger.log(LogLevel::Debug, "y".repeat(20 << 20));
    logger.flush(Duration::from_secs(60));
    let text = std::fs::read_to_string(dir.join("log")).unwrap();
    let with = |mark: &str| text.lines().filter(|line| line.contains(mark)).count() as u64;
    assert_eq!(with("DEBG xxx") + dropped, 1000);
    assert_eq!(with("DEBG yyy"), 1);
    assert_eq!(with(&format!("ERRO {dropped} lines of this log were dropped: ")), 1);
    assert_eq!(lost(&logger, "lines_dropped"), dropped);
    std::fs::remove_dir_all(dir).unwrap();
}
