//! What a configuration asks of the machine, and the types that need an answer.
#![forbid(unsafe_code)]

use super::options::User;
use super::values::{self, ValueError};

/// The machine, as far as a configuration depends on it.
pub trait Host {
    /// The environment at start; what is not UTF-8 is left out.
    fn environment(&self) -> Vec<(String, String)>;
    /// The user that the process runs as.
    fn uid(&self) -> u32;
    /// The host's name as uname gives it.
    fn node_name(&self) -> String;
    /// The working directory, absolute; none if it was removed or its name is not UTF-8.
    fn current_dir(&self) -> Option<String>;
    /// Where temporary files go: the default of "childlogdir".
    fn temp_dir(&self) -> String;
    /// Whether this is a directory that exists.
    fn is_dir(&self, path: &str) -> bool;
    /// The home directory that `~` means, or `~user`.
    fn home(&self, user: Option<&str>) -> Option<String>;
    /// The user of this name.
    fn user_named(&self, name: &str) -> Option<User>;
    /// The user of this number.
    fn user_numbered(&self, uid: u32) -> Option<User>;
    /// The number of the group of this name.
    fn group_named(&self, name: &str) -> Option<u32>;
    /// Whether a group has this number.
    fn has_group(&self, gid: u32) -> bool;
}

/// A user to become: by name, or by number, which needs no entry. Without one its group has the
/// same number, and it is in no other.
///
/// # Errors
/// [`ValueError::UserId`], [`ValueError::UserName`].
pub fn user(host: &dyn Host, text: &str) -> Result<User, ValueError> {
    match uid(text)? {
        Some(uid) => {
            Ok(host.user_numbered(uid).unwrap_or(User { uid, gid: uid, name: String::new() }))
        }
        None => host.user_named(text).ok_or_else(|| ValueError::UserName(text.to_owned())),
    }
}

/// The number that the text is; `None`: it is a name. The largest one means nobody.
fn uid(text: &str) -> Result<Option<u32>, ValueError> {
    let Ok(number) = values::integer(text) else { return Ok(None) };
    let uid = u32::try_from(number).ok().filter(|uid| *uid != u32::MAX);
    uid.map(Some).ok_or_else(|| ValueError::UserId(text.to_owned()))
}

/// An owner of a file, by number or by name; it must exist.
fn known_user(host: &dyn Host, text: &str) -> Result<u32, ValueError> {
    let user = match uid(text)? {
        Some(uid) => host.user_numbered(uid).ok_or_else(|| ValueError::UserId(text.to_owned())),
        None => host.user_named(text).ok_or_else(|| ValueError::UserName(text.to_owned())),
    };
    user.map(|user| user.uid)
}

/// `user` or `user:group`, each a number or a name.
///
/// # Errors
/// Those of the user and of the group.
pub fn owner(host: &dyn Host, text: &str) -> Result<(u32, Option<u32>), ValueError> {
    match text.split_once(':') {
        Some((name, group)) => Ok((known_user(host, name)?, Some(group_id(host, group)?))),
        None => Ok((known_user(host, text)?, None)),
    }
}

fn group_id(host: &dyn Host, text: &str) -> Result<u32, ValueError> {
    match values::integer(text) {
        Ok(number) => u32::try_from(number)
            .ok()
            .filter(|gid| host.has_group(*gid))
            .ok_or_else(|| ValueError::GroupId(text.to_owned())),
        Err(_) => host.group_named(text).ok_or_else(|| ValueError::GroupName(text.to_owned())),
    }
}
