//! What the user's words name: processes, groups, and by patterns several of them.

use std::collections::BTreeSet;

use super::super::client::CallError;
use super::super::output::{field, name_of, split_name};
use super::super::pattern::{Wild, is_wild};
use super::Session;
use crate::xml_rpc::Value;

/// What stands for all processes of a group that a pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// `group:*`.
    Whole,
    /// The name of each process.
    ByMember,
}

/// The words, each pattern replaced by the names that it matches. The daemon is asked only if
/// there is a pattern.
pub(super) fn expand(
    session: &mut Session,
    words: &[&str],
    groups: Groups,
) -> Result<Vec<String>, CallError> {
    let infos = match words.iter().any(|word| is_pattern(word)) {
        true => session.call_list("getAllProcessInfo", &[])?,
        false => Vec::new(),
    };
    Ok(words.iter().flat_map(|word| expanded(word, &infos, groups)).collect())
}

/// Whether the word can mean other names than itself.
pub(super) fn is_pattern(word: &str) -> bool {
    match split_name(word) {
        (group, None) => is_wild(group),
        (_, Some(_)) => is_wild(word),
    }
}

/// The processes that a word names, in the daemon's order. Without a colon it is the name of a
/// process, whatever its group; a name that exists means nothing but itself.
pub(super) fn matching<'v>(word: &str, infos: &'v [Value]) -> Vec<&'v Value> {
    let exactly: Vec<&Value> = infos.iter().filter(|info| is_exactly(word, info)).collect();
    if !exactly.is_empty() || !is_pattern(word) {
        return exactly;
    }
    let (group, process) = split_name(word);
    let group = word.contains(':').then(|| Wild::new(group));
    let process = process.map(Wild::new);
    let fits = |info: &&Value| {
        group.as_ref().is_none_or(|wild| wild.matches(field(info, "group")))
            && process.as_ref().is_none_or(|wild| wild.matches(field(info, "name")))
    };
    infos.iter().filter(fits).collect()
}

/// Whether it is the name of this process, or of its group.
pub(super) fn is_exactly(word: &str, info: &Value) -> bool {
    let (group, process) = split_name(word);
    field(info, "group") == group && process.is_none_or(|name| field(info, "name") == name)
}

/// What one word stands for. A pattern that matches nothing is as unknown as another name.
fn expanded(word: &str, infos: &[Value], groups: Groups) -> Vec<String> {
    if !is_pattern(word) {
        return vec![word.to_owned()];
    }
    let found = matching(word, infos);
    if found.iter().all(|info| is_exactly(word, info)) {
        return vec![word.to_owned()];
    }
    if groups == Groups::Whole && split_name(word).1.is_none() {
        let mut names: Vec<String> =
            found.iter().map(|info| format!("{}:*", field(info, "group"))).collect();
        names.dedup();
        return names;
    }
    found.iter().map(|info| name_of(info)).collect()
}

/// The words, each pattern replaced by those of the groups that it matches, sorted. What is the
/// name of a group, of these or of others that are known, means nothing but itself.
pub(super) fn expand_groups(
    words: &[&str],
    groups: &BTreeSet<&str>,
    known: &BTreeSet<&str>,
) -> Vec<String> {
    let expanded = |word: &&str| {
        let wild = Wild::new(word);
        let matching = || groups.iter().filter(|group| wild.matches(group));
        if known.contains(word) || !is_wild(word) || matching().next().is_none() {
            return vec![(*word).to_owned()];
        }
        matching().map(|group| (*group).to_owned()).collect()
    };
    words.iter().flat_map(expanded).collect()
}
