//! Names with wildcards: `worker_*`, `group:web?`, `[ab]*:*`.
//!
//! A word is a pattern only if nothing has exactly that name.

use glob::Pattern;

/// Whether the text holds what stands for other characters: `*`, `?`, `[...]`.
pub(super) fn is_wild(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// A text for names to be compared with.
#[derive(Debug)]
pub(super) struct Wild(Option<Pattern>);

impl Wild {
    /// One that can't be read, as with a bracket that is not closed, matches nothing.
    pub(super) fn new(text: &str) -> Wild {
        // To the crate `**` is a path of any length.
        let mut plain = String::with_capacity(text.len());
        for letter in text.chars() {
            if letter != '*' || !plain.ends_with('*') {
                plain.push(letter);
            }
        }
        Wild(Pattern::new(&plain).ok())
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|pattern| pattern.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (text, matching, others) in [
            ("worker_*", ["worker_", "worker_00"].as_slice(), ["worker", "a:worker_1"].as_slice()),
            ("w?b", &["web", "w:b", "w/b"], &["wb", "weeb"]),
            ("[ab]*", &["a", "bx"], &["c", ""]),
            ("[!ab]", &["c"], &["a", "cc"]),
            ("*", &["", "x", ".x"], &[]),
            ("a**b***", &["ab", "axbx"], &["b"]),
            ("[*", &[], &["[*", "[x"]),
            ("a.b", &["a.b"], &["axb"]),
        ] {
            let wild = Wild::new(text);
            for name in matching {
                assert!(wild.matches(name), "{text} {name}");
            }
            for name in others {
                assert!(!wild.matches(name), "{text} {name}");
            }
        }
    }
}
