//! What the words of a line can become.

use super::super::actions::ACTIONS;
use super::super::output::field;
use crate::xml_rpc::Value;

/// Characters between words. A process's name has `:`, `*` and `-` in it.
const SEPARATORS: &str = " \t\n`~!@#$%^&()=+[{]}\\|;'\",<>/?";

/// What a word at this place may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Action,
    Group,
    Process,
    Nothing,
}

/// Where the last word of the line begins, and all that it can become, sorted. The processes are asked
/// for only where they matter.
pub(super) fn complete<'v>(
    line: &str,
    processes: impl FnOnce() -> &'v [Value],
) -> (usize, Vec<String>) {
    let start = line.rfind(|letter| SEPARATORS.contains(letter)).map_or(0, |at| at + 1);
    let fragment = line.get(start..).unwrap_or_default();
    let mut names = match kind(line) {
        Kind::Action => actions(),
        Kind::Group => groups(processes()),
        Kind::Process => names(processes(), fragment.contains(':')),
        Kind::Nothing => Vec::new(),
    };
    names.retain(|name| name.starts_with(fragment));
    names.sort_unstable();
    names.dedup();
    (start, names)
}

fn kind(line: &str) -> Kind {
    let mut words = line.split_whitespace();
    let action = words.next();
    let first = words.next().is_none() && !line.ends_with(char::is_whitespace);
    match action {
        None => Kind::Action,
        _ if first => Kind::Action,
        Some("help") => Kind::Action,
        Some("add" | "remove" | "update") => Kind::Group,
        Some(
            "clear" | "fg" | "pid" | "restart" | "signal" | "start" | "status" | "stop" | "tail",
        ) => Kind::Process,
        _ => Kind::Nothing,
    }
}

fn actions() -> Vec<String> {
    let known = ACTIONS.iter().map(|(name, _)| *name).filter(|name| *name != "?");
    known.chain(["exit", "quit"]).map(str::to_owned).collect()
}

fn groups(processes: &[Value]) -> Vec<String> {
    processes.iter().map(|info| field(info, "group").to_owned()).collect()
}

/// Short names; with a colon typed, or for processes in a group of another name, the full name
/// and the whole group.
fn names(processes: &[Value], colon: bool) -> Vec<String> {
    let both = |info: &Value| {
        let (group, name) = (field(info, "group"), field(info, "name"));
        if colon || group != name {
            vec![format!("{group}:{name}"), format!("{group}:*")]
        } else {
            vec![name.to_owned()]
        }
    };
    processes.iter().flat_map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> (usize, Vec<String>) {
        let processes = [("web", "web"), ("cat-1", "cat-1"), ("g", "a"), ("g", "b")];
        let info = |(group, name): (&str, &str)| {
            Value::Struct(vec![("group".into(), group.into()), ("name".into(), name.into())])
        };
        let processes = processes.map(info);
        complete(line, || &processes)
    }

    fn words(line: &str) -> Vec<String> {
        of(line).1
    }

    #[test]
    fn the_first_word_is_an_action() {
        assert_eq!(words("").len(), 22);
        assert_eq!(of("re"), (0, ["reload", "remove", "reread", "restart"].map(Into::into).into()));
        assert_eq!(of(" sta"), (1, ["start", "status"].map(Into::into).into()));
        assert_eq!(words("help sig"), ["signal"]);
        assert_eq!(words("x"), [""; 0]);
        assert_eq!(words("q"), ["quit"]);
    }

    #[test]
    fn then_come_groups_or_processes() {
        assert_eq!(words("add "), ["cat-1", "g", "web"]);
        assert_eq!(words("update g w"), ["web"]);
        assert_eq!(words("start "), ["cat-1", "g:*", "g:a", "g:b", "web"]);
        assert_eq!(of("stop web cat-"), (9, vec!["cat-1".to_owned()]));
        assert_eq!(of("signal HUP g:"), (11, ["g:*", "g:a", "g:b"].map(Into::into).into()));
        assert_eq!(words("tail web:"), ["web:*", "web:web"]);
        assert_eq!(words("start al"), [""; 0]);
        assert_eq!(words("avail "), [""; 0]);
        assert_eq!(words("bogus w"), [""; 0]);
    }

    #[test]
    fn the_daemon_is_asked_only_for_names() {
        for line in ["", "sta", "help ", "avail ", "version x"] {
            complete(line, || panic!("{line:?} needs no processes"));
        }
    }
}
