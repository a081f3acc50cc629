//! Configurations and command lines that are refused: exit status, `Error:` line and all else that
//! is printed.

use std::fs;

use crate::{
    bettered, normal,
    outcome::Outcome,
    run::{all, both},
    support::{Output, Setup, Side, matches},
};

/// What every file of these tables begins with.
pub const GLOBAL: &str =
    "[supervisord]\nlogfile=%(here)s/activity.log\npidfile=%(here)s/d.pid\nchildlogdir=%(here)s\n";

/// A configuration that is refused.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    /// The whole file.
    pub text: Vec<u8>,
    /// Words of the command line.
    pub args: Vec<&'static str>,
    /// Further files.
    pub files: Vec<(&'static str, &'static str)>,
    /// Entries of the list of what is bettered that this row meets.
    pub bettered: Vec<&'static str>,
    /// What both print behind `Error: `, with `*` for anything. The original is the judge, this is
    /// for readers.
    pub message: String,
}

/// Compares files that begin with [`GLOBAL`], each with what it is refused for.
#[track_caller]
pub fn refused(table: &[(&str, &str)]) {
    all_refused(table.iter().map(|(lines, message)| global(lines, message)).collect());
}

/// One such row, for a list of what is bettered.
pub fn bettered(lines: &str, message: &str, id: &'static str) -> Refused {
    Refused { bettered: vec![id], ..global(lines, message) }
}

fn global(lines: &str, message: &str) -> Refused {
    Refused {
        text: format!("{GLOBAL}{lines}\n").into_bytes(),
        message: message.to_owned(),
        ..Refused::default()
    }
}

/// The same with lines of a program named a, which has a command. The messages end with the
/// section's name.
#[track_caller]
pub fn refused_programs(table: &[(&str, &str)]) {
    let refused = |(lines, message): &(&str, &str)| Refused {
        text: format!("{GLOBAL}[program:a]\ncommand=/bin/cat\n{lines}\n").into_bytes(),
        message: format!("{message} in section 'program:a' (file: '<dir>/c.conf')"),
        ..Refused::default()
    };
    all_refused(table.iter().map(refused).collect());
}

/// Compares these. They take no time but the processor's, so one after the other.
#[track_caller]
pub fn all_refused(rows: Vec<Refused>) {
    all(rows, 1, |row| {
        let about = format!(
            "##### {:?} {:?}\n",
            row.args,
            String::from_utf8_lossy(&row.text).replace(GLOBAL, "")
        );
        compare(&row).map_err(|why| about + &why)
    });
}

fn compare(row: &Refused) -> Result<(), String> {
    let (mut theirs, mut ours) = both(|side| {
        let setup = Setup::new().side(side).bare().env("LC_ALL", "C.UTF-8");
        let setup = row.args.iter().fold(setup, |setup, word| setup.arg(word));
        let config = setup.path("c.conf");
        fs::write(&config, &row.text).expect("the configuration");
        for (name, text) in &row.files {
            fs::write(setup.path(name), text).expect("a file of the row");
        }
        let output = setup.run_path(&config, 30);
        outcome(&output, side, &setup)
    });
    let (said, code) = (theirs.text_of("stderr"), theirs.text_of("exit status"));
    let unmet = bettered::settle(&row.bettered, &mut theirs, &mut ours);
    let mut why = theirs.differs_from(&ours) + &unmet;
    let expected = format!("Error: {}\nFor help, use <supervisord> -h\n", row.message);
    if code != "2" || !matches(&expected, &said) {
        why.push_str(&format!("=== the row expects\n{expected}--- the original says\n{said}"));
    }
    if why.is_empty() { Ok(()) } else { Err(why) }
}

fn outcome(output: &Output, side: Side, setup: &Setup) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.add("exit status", output.code.to_string());
    outcome.add("stderr", output.stderr.clone());
    outcome.add("activity log on stdout", normal::messages(&output.stdout).join("\n"));
    let mut left: Vec<String> = fs::read_dir(setup.path(""))
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort_unstable();
    outcome.add("files", left.join("\n"));
    outcome.normalize(side, &setup.path(""));
    outcome
}
