//! One configuration of several files: ordered sections of ordered options.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;

use super::dialect::{self, Canonical, Flaws, SpanKind};
use super::error::ConfigError;

/// The section whose options all others inherit.
const DEFAULT: &str = "DEFAULT";
/// The text that [`Document::expand_here`] replaces.
const HERE: &str = "%(here)s";

/// The merged files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The sections in the order of their first appearance, without `[DEFAULT]`.
    pub sections: Vec<Section>,
    /// `[DEFAULT]`: options that every section inherits.
    pub defaults: Vec<Entry>,
    /// Where each section stands in `sections`.
    index: HashMap<String, usize>,
}

/// One section, merged of all its appearances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The text between the brackets, as written.
    pub name: String,
    /// The file of its first appearance, as that file was named.
    pub file: Arc<str>,
    /// The line of its first appearance.
    pub line: usize,
    /// Its own options, in order of first appearance.
    pub options: Vec<Entry>,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key in lower case.
    pub key: String,
    /// The value, continuation lines joined by newlines.
    pub value: String,
    /// The file that set the value last.
    pub file: Arc<str>,
    /// The line of the key there.
    pub line: usize,
}

impl Section {
    /// A section that nobody wrote.
    pub fn absent(name: &str, file: &str) -> Section {
        Section { name: name.to_owned(), file: file.into(), line: 0, options: Vec::new() }
    }
}

impl Document {
    /// Reads a file's text over what is there: key by key, the later one wins.
    ///
    /// # Errors
    /// The lines that are neither header nor option; the document is then unchanged.
    pub fn add(&mut self, text: &str, file: &str) -> Result<(), ConfigError> {
        self.merge(dialect::canonical(text, file)?, file)
    }

    /// The same with all lines that have a meaning; the others are returned.
    ///
    /// # Errors
    /// None but those of a defect of ours.
    pub fn add_tolerantly(&mut self, text: &str, file: &str) -> Result<Flaws, ConfigError> {
        let (canonical, flaws) = dialect::tolerant(text);
        self.merge(canonical, file)?;
        Ok(flaws)
    }

    fn merge(&mut self, canonical: Canonical, file: &str) -> Result<(), ConfigError> {
        let broken = |why: String| ConfigError::Canonical { file: file.to_owned(), why };
        let map = ini::inistr!(safe cs & canonical.text).map_err(broken)?;
        let file: Arc<str> = file.into();
        let mut current = None;
        let mut values = None;
        for span in canonical.spans {
            match span.kind {
                SpanKind::Section(name) => {
                    values = map.get(&dialect::escape(&name));
                    current = self.index_of(name, &file, span.line);
                }
                SpanKind::Option(key) => {
                    let value = values.and_then(|v| v.get(&dialect::escape(&key)));
                    let value = value.and_then(|v| v.as_deref()).and_then(dialect::unescape);
                    let Some(value) = value else {
                        return Err(broken(format!("line {} is lost", span.line)));
                    };
                    let options = match current.and_then(|i| self.sections.get_mut(i)) {
                        Some(section) => &mut section.options,
                        None => &mut self.defaults,
                    };
                    set(options, Entry { key, value, file: file.clone(), line: span.line });
                }
            }
        }
        Ok(())
    }

    /// Where a section stands, which is made if it is new; `None` is `[DEFAULT]`.
    fn index_of(&mut self, name: String, file: &Arc<str>, line: usize) -> Option<usize> {
        if name == DEFAULT {
            return None;
        }
        if let Some(index) = self.index.get(&name) {
            return Some(*index);
        }
        let index = self.sections.len();
        self.index.insert(name.clone(), index);
        self.sections.push(Section { name, file: file.clone(), line, options: Vec::new() });
        Some(index)
    }

    /// The section of this name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.index.get(name).and_then(|index| self.sections.get(*index))
    }

    /// An option of a section, or else the one that it inherits.
    pub fn entry<'a>(&'a self, section: &'a Section, key: &str) -> Option<&'a Entry> {
        section.options.iter().chain(&self.defaults).find(|e| e.key == key)
    }

    /// All options of a section, the inherited ones too.
    pub fn entries<'a>(&'a self, section: &'a Section) -> impl Iterator<Item = &'a Entry> {
        let own = |e: &&Entry| !section.options.iter().any(|o| o.key == e.key);
        section.options.iter().chain(self.defaults.iter().filter(own))
    }

    /// Replaces `%(here)s` as text in every value so far. A section takes a copy of what it
    /// inherits in this way; `[DEFAULT]` itself stays, for the sections of later files.
    pub fn expand_here(&mut self, here: &str) {
        for section in &mut self.sections {
            for inherited in &self.defaults {
                let own = section.options.iter().any(|e| e.key == inherited.key);
                if !own && inherited.value.contains(HERE) {
                    section.options.push(inherited.clone());
                }
            }
            for entry in &mut section.options {
                entry.value = entry.value.replace(HERE, here);
            }
        }
    }
}

fn set(options: &mut Vec<Entry>, entry: Entry) {
    match options.iter_mut().find(|e| e.key == entry.key) {
        Some(known) => *known = entry,
        None => options.push(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(document: &Document, section: &str, key: &str) -> Option<String> {
        let section = document.section(section)?;
        document.entry(section, key).map(|e| e.value.clone())
    }

    #[test]
    fn later_files_override_key_by_key() {
        let mut d = Document::default();
        d.add("[a]\nx=1\ny=1\nx=2\n[b]\n[DEFAULT]\nz=0\n", "/1").unwrap();
        d.add("[a]\ny=3\n[c]\n", "/2").unwrap();
        assert_eq!(value(&d, "a", "x").as_deref(), Some("2"));
        assert_eq!(value(&d, "a", "y").as_deref(), Some("3"));
        assert_eq!(value(&d, "c", "z").as_deref(), Some("0"));
        let a = d.section("a").unwrap();
        assert_eq!((&*a.file, a.line), ("/1", 1));
        let y = d.entry(a, "y").unwrap();
        assert_eq!((&*y.file, y.line), ("/2", 2));
        assert_eq!(d.entry(a, "x").unwrap().line, 4);
        let names: Vec<&str> = d.sections.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn here_is_the_directory_of_the_file_that_writes_it() {
        let mut d = Document::default();
        d.add("[DEFAULT]\nd=%(here)s\n[a]\nx=%(here)s/x\n", "/1/m").unwrap();
        d.expand_here("/1");
        d.add("[b]\nx=%(here)s/x\n", "/2/i").unwrap();
        d.expand_here("/2");
        assert_eq!(value(&d, "a", "x").as_deref(), Some("/1/x"));
        assert_eq!(value(&d, "a", "d").as_deref(), Some("/1"));
        assert_eq!(value(&d, "b", "x").as_deref(), Some("/2/x"));
        assert_eq!(value(&d, "b", "d").as_deref(), Some("/2"));
    }

    #[test]
    fn a_bad_file_changes_nothing() {
        let mut d = Document::default();
        d.add("[a]\nx=1\n", "/1").unwrap();
        let before = d.clone();
        assert!(d.add("[a]\nx=2\nfoo\n", "/2").is_err());
        assert_eq!(d, before);
    }
}
