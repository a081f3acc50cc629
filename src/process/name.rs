//! Names as users write them.

/// What a namespec addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespec {
    /// The group.
    pub group: String,
    /// The process in it; `None`: the whole group (`g:*`, `g:`).
    pub process: Option<String>,
}

impl Namespec {
    /// Reads `group:process`, `group:*`, `group:`, or one word for both.
    pub fn parse(text: &str) -> Namespec {
        let (group, process) = match text.split_once(':') {
            None => (text, Some(text)),
            Some((group, "" | "*")) => (group, None),
            Some((group, process)) => (group, Some(process)),
        };
        Namespec { group: group.to_owned(), process: process.map(str::to_owned) }
    }
}

/// The short form in which output names a process: one word where both names are equal.
pub fn display(group: &str, process: &str) -> String {
    if group == process { process.to_owned() } else { format!("{group}:{process}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespec_forms() {
        let rows = [
            ("x", "x", Some("x")),
            ("g:x", "g", Some("x")),
            ("g:*", "g", None),
            ("g:", "g", None),
            ("g:x:y", "g", Some("x:y")),
            ("", "", Some("")),
        ];
        for (text, group, process) in rows {
            let got = Namespec::parse(text);
            assert_eq!((got.group.as_str(), got.process.as_deref()), (group, process), "{text}");
        }
    }

    #[test]
    fn short_form_parses_back() {
        for (group, process) in [("a", "a"), ("g", "a")] {
            let spec = Namespec::parse(&display(group, process));
            assert_eq!((spec.group.as_str(), spec.process.as_deref()), (group, Some(process)));
        }
    }
}
