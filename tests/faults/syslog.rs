//! Whoever reads the system's log, to which children and others log, stops reading.

use crate::{
    finding::{Step, Wrong},
    ground::{Ground, size},
    row::{Row, row},
    scene::Scene,
};

pub const ROWS: &[Row] = &[row("syslog's reader stalls", reader_stalls)];

fn larger(scene: &Scene<'_>, name: &str, by: u64) -> Step {
    let log = scene.d.path(name);
    let before = size(&log);
    scene.until(Wrong::Hangs, &format!("{name} to grow"), 30, || Ok(size(&log) > before + by))
}

fn reader_stalls(ground: &Ground) -> Step {
    let mut setup = ground.setup().own_dev();
    for name in ["a", "b"] {
        let lines = format!(
            "command=%(here)s/counter 200 0 %(here)s/{name}.count\nautostart=false\nstartsecs=0\n\
             stdout_syslog=true\nstdout_logfile=%(here)s/{name}.log\nstdout_logfile_maxbytes=0\n\
             stderr_logfile=NONE"
        );
        setup = setup.program(name, &lines);
    }
    let log = setup.system_log();
    let scene = ground.start(setup)?;
    for name in ["a", "b"] {
        scene.order("startProcess", name)?;
    }
    // Many more lines than the socket holds.
    for name in ["a", "b"] {
        larger(&scene, &format!("{name}.log"), 9 * 500)?;
    }
    scene.order("stopProcess", "b")?;
    scene.becomes("b", "STOPPED", scene.healed())?;
    scene.probed(10)?;
    log.read();
    scene.order("startProcess", "b")?;
    let what = "lines in the system's log";
    scene.until(Wrong::StaysBroken, what, scene.healed(), || {
        Ok(log.texts().iter().any(|text| text.starts_with("b 0")))
    })?;
    let told = "WARN the system's log /dev/log is written again; * lines of output *";
    scene.until(Wrong::LosesOutput, "a line about what was lost", scene.healed(), || {
        Ok(scene.count(told) >= 1)
    })?;
    let once = scene.count("ERRO the system's log /dev/log can't be written: *");
    ground.expect(Wrong::Repeats, once <= 2, || format!("told {once} times"));
    for name in ["a", "b"] {
        scene.order("stopProcess", name)?;
        scene.becomes(name, "STOPPED", scene.healed())?;
    }
    let lives = scene.count_of("a");
    scene.accounts_for("a", "a.log", &[lives]);
    scene.ends(
        &[("a", "STOPPED"), ("b", "STOPPED")],
        &["a.log", "b.log", "dev*"],
        &["processes.syslog_lines_lost"],
    )
}
