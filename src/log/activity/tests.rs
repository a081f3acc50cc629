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

#[test]
fn another_log_tells_what_the_one_before_lost() {
    let dir = directory("switch");
    let sinks = |path: &Path| {
        let target = MainLog::File(path.display().to_string());
        Sinks::open(&Setup { target, limits: Limits::new(0, 0), echo: false }).unwrap()
    };
    let (gone, there) = (dir.join("gone/log"), dir.join("log"));
    std::fs::create_dir(dir.join("gone")).unwrap();
    let (logger, queue) = Logger::new(LogLevel::Info);
    start(queue, sinks(&gone)).unwrap();
    logger.flush(Duration::from_secs(60));
    std::fs::remove_dir_all(dir.join("gone")).unwrap();
    logger.log(LogLevel::Info, "lost");
    logger.switch(sinks(&there));
    logger.flush(Duration::from_secs(60));
    let (text, bytes) = (std::fs::read_to_string(&there).unwrap(), lost(&logger, "bytes_lost"));
    let path = gone.display();
    let line = format!(" ERRO the log {path} could not be written: {bytes} bytes of it are lost\n");
    assert!(bytes > 0 && text.ends_with(&line), "{text}");
    std::fs::remove_dir_all(dir).unwrap();
}
