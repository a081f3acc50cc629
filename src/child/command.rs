//! The file that a command means, checked before anything is made.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::options::Program;
use crate::process::command::{CommandProblem, split};
use crate::sys::{file, privileges};

/// A command that can be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The file to execute.
    pub file: String,
    /// The words; the first as written.
    pub argv: Vec<String>,
}

/// Splits the command, finds its file and checks that it can be executed.
///
/// # Errors
/// What is wrong with it.
pub fn resolve(program: &Program, daemon_path: Option<&str>) -> Result<Resolved, CommandProblem> {
    let argv = split(&program.command)?;
    let word = argv.first().map_or("", String::as_str);
    let file = if word.contains('/') {
        word.to_owned()
    } else {
        let found = search(program, daemon_path, word);
        found.ok_or_else(|| CommandProblem::NotFound(word.to_owned()))?
    };
    check(program, &file)?;
    Ok(Resolved { file, argv })
}

/// The first that exists on PATH, executable or not. An empty part of PATH is the directory that
/// the program is run in.
fn search(program: &Program, daemon_path: Option<&str>, word: &str) -> Option<String> {
    let own = program.environment.iter().rev().find(|(key, _)| key == "PATH");
    let path = match (own, daemon_path) {
        (Some((_, path)), _) => path.as_str(),
        (None, Some(path)) if !path.is_empty() => path,
        (None, _) => "/bin:/usr/bin:/usr/local/bin",
    };
    let mut candidates = path.split(':').map(|directory| match directory {
        "" => word.to_owned(),
        directory if directory.ends_with('/') => format!("{directory}{word}"),
        directory => format!("{directory}/{word}"),
    });
    candidates.find(|word| file::exists(&seen_from(program, word)))
}

/// A relative file is looked for where the child will look for it.
fn seen_from(program: &Program, file: &str) -> PathBuf {
    match &program.directory {
        Some(directory) => Path::new(directory).join(file),
        None => PathBuf::from(file),
    }
}

fn check(program: &Program, word: &str) -> Result<(), CommandProblem> {
    let path = seen_from(program, word);
    let named = || word.to_owned();
    let meta = file::look_at(&path).map_err(|_| CommandProblem::NotFound(named()))?;
    if meta.is_dir() {
        return Err(CommandProblem::Directory(named()));
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err(CommandProblem::NotExecutable(named()));
    }
    privileges::may_execute(&path).map_err(|_| CommandProblem::NoPermission(named()))
}

#[cfg(test)]
mod tests;
