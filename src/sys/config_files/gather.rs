//! All files of a configuration read as far as they can be, with what is wrong in them.

use std::collections::HashMap;
use std::fs;
use std::rc::Rc;

use super::patience::{Patience, read};
use super::{is_magic, matches, text, utf8};
use crate::config::document::{Document, Entry};
use crate::config::error::ConfigError;
use crate::config::host::Host;
use crate::config::quote::quote;
use crate::config::sections::{self, Problem, Source};

/// Reads a configuration with all that it includes, each file once. What [`super::load`] refuses
/// is left out and told, and so is what it skips.
///
/// # Errors
/// The main file can't be read at all.
pub fn gather(path: &str, host: &dyn Host) -> Result<(Document, Vec<Problem>), Problem> {
    let text = text(path, Patience::Endless).map_err(|error| of_file(path, &error))?;
    let mut files = Files::default();
    files.add(&text, path);
    files.include(path, host);
    Ok((files.document, files.problems))
}

#[derive(Default)]
struct Files {
    document: Document,
    problems: Vec<Problem>,
}

impl Files {
    fn add(&mut self, text: &str, file: &str) {
        let flaws = match self.document.add_tolerantly(text, file) {
            Ok(flaws) => flaws,
            Err(error) => return self.tell(of_file(file, &error)),
        };
        if let Some(line) = flaws.headless {
            let what = format!("no section header stands before {}", quote(line.text.trim()));
            self.tell(Problem::of_file(file, line.number, what));
        }
        for line in flaws.bad {
            let text = quote(line.text.trim());
            let what = format!("neither a section header nor an option: {text}");
            self.tell(Problem::of_file(file, line.number, what));
        }
    }

    fn include(&mut self, main: &str, host: &dyn Host) {
        let Some(section) = self.document.section("include") else { return };
        let key = self.document.entry(section, "files").map(|_| "files");
        let place = Problem::of_section(&self.document, section, key, "");
        let of_patterns = |what: String| Problem { what, ..place.clone() };
        let source = Source { document: &self.document, file: main };
        let patterns = match sections::include_patterns(source, host) {
            Ok(patterns) => patterns.unwrap_or_default(),
            Err(error) => return self.tell(of_patterns(error.to_string())),
        };
        self.document.expand_here(&sections::here(host, main));
        // What several patterns name is laid over the others again each time.
        let mut known: HashMap<String, Option<Rc<str>>> = HashMap::new();
        for pattern in patterns {
            let mut found = matches(&pattern).unwrap_or_else(|path| {
                self.tell(of_patterns(format!("could not read {}", quote(&path))));
                Vec::new()
            });
            found.sort();
            // A directory for files to come may well be empty.
            if found.is_empty() && !is_magic(&pattern) {
                self.tell(of_patterns(format!("no file matches {}", quote(&pattern))));
            }
            for file in found {
                let read = || match read_included(&file, of_patterns) {
                    Ok(text) => Some(Rc::from(text)),
                    Err(problem) => {
                        self.tell(problem);
                        None
                    }
                };
                if let Some(text) = known.entry(file.clone()).or_insert_with(read).clone() {
                    self.add(&text, &file);
                }
                self.document.expand_here(&sections::here(host, &file));
            }
        }
        self.tell_nested_includes(main);
    }

    /// Only the main file can include.
    fn tell_nested_includes(&mut self, main: &str) {
        let Some(section) = self.document.section("include") else { return };
        // The main file may be among its own included ones, under another name.
        let real = |path: &str| fs::canonicalize(path).ok();
        let nested = section.options.iter().filter(|entry| real(&entry.file) != real(main));
        let of_entry = |entry: &Entry| {
            let what = "ignored: only the main file includes others";
            Problem::of_section(&self.document, section, Some(&entry.key), what)
        };
        let problems: Vec<Problem> = nested.map(of_entry).collect();
        problems.into_iter().for_each(|problem| self.tell(problem));
    }

    fn tell(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

fn read_included(file: &str, of_patterns: impl Fn(String) -> Problem) -> Result<String, Problem> {
    let bytes = read(file, Patience::Short)
        .map_err(|error| of_patterns(format!("could not read {}: {error}", quote(file))))?;
    utf8(bytes, file).map_err(|error| of_file(file, &error))
}

/// The problem of a file that can't be read.
fn of_file(file: &str, error: &ConfigError) -> Problem {
    match error {
        ConfigError::NotUtf8 { line, .. } => Problem::of_file(file, *line, "not UTF-8 text"),
        _ => Problem::of_file(file, 0, error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Dir;
    use super::*;
    use crate::sys::users::Machine;

    /// The problems of `main.conf` with this text in a directory, whose name is left out.
    fn problems(dir: &Dir, text: &str) -> (Document, Vec<String>) {
        let path = dir.file("main.conf", text);
        let (document, problems) = gather(&path, &Machine).unwrap();
        let short = |problem: &Problem| problem.to_string().replace(&dir.0, "");
        (document, problems.iter().map(short).collect())
    }

    #[test]
    fn a_good_configuration_is_the_one_that_is_loaded() {
        let dir = Dir::new("gather-good");
        dir.file("1.conf", "[program:a]\ncommand=one\n");
        dir.file("2.conf", "[program:a]\ncommand=two\ndirectory=%(here)s\n");
        // The first is laid over the second again.
        let text = "[supervisord]\n[include]\nfiles=1.conf *2.conf 1.conf m*\n";
        let (document, problems) = problems(&dir, text);
        assert_eq!(problems, Vec::<String>::new());
        let section = document.section("program:a").unwrap();
        let value = |key| document.entry(section, key).unwrap().value.clone();
        assert_eq!((value("command"), value("directory")), ("one".to_owned(), dir.0.clone()));
        let program = &dir.load(text).unwrap().groups[0].processes[0];
        assert_eq!((program.command.as_str(), &program.directory), ("one", &Some(dir.0.clone())));
    }

    #[test]
    fn every_file_is_read_as_far_as_it_can_be() {
        let dir = Dir::new("gather-bad");
        dir.file("1.conf", "a=1\nb=2\n[program:a]\nfoo\ncommand=one\n");
        dir.file("2.conf", b"[program:b]\n\xff\n");
        dir.file("3.conf/x", "");
        dir.file("4.conf", "[include]\nfiles=other\n[program:d]\n[\n");
        let text = "x\n[supervisord]\nbar\n[include]\nfiles=[1-4].conf none none/* 1.conf\n";
        let (document, problems) = problems(&dir, text);
        assert_eq!(
            problems,
            [
                "/main.conf:1: no section header stands before 'x'",
                "/main.conf:3: neither a section header nor an option: 'bar'",
                "/1.conf:1: no section header stands before 'a=1'",
                "/1.conf:4: neither a section header nor an option: 'foo'",
                "/2.conf:2: not UTF-8 text",
                "/main.conf:5: [include] files: could not read '/3.conf': Is a directory (os \
                 error 21)",
                "/4.conf:4: neither a section header nor an option: '['",
                "/main.conf:5: [include] files: no file matches '/none'",
                "/4.conf:2: [include] files: ignored: only the main file includes others",
            ]
        );
        assert!(document.section("program:a").is_some() && document.section("program:d").is_some());
    }

    #[test]
    fn a_main_file_that_cannot_be_had_and_one_that_includes_nothing() {
        let dir = Dir::new("gather-none");
        let missing = format!("{}/none", dir.0);
        let told = gather(&missing, &Machine).unwrap_err().to_string();
        assert_eq!(told, format!("{missing}: could not find config file {missing}"));
        let (_, told) = problems(&dir, "[include]\n");
        assert_eq!(
            told,
            ["/main.conf:1: [include] .ini file has [include] section, but no files setting"]
        );
        let (_, told) = problems(&dir, "[include]\nfiles=%(nope)s\n");
        assert!(told[0].starts_with("/main.conf:2: [include] files: Format string"), "{told:?}");
    }
}
