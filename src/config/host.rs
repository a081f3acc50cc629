//! What a configuration asks of the machine, and the types that need an answer.
#![forbid(unsafe_code)]

use std::io;

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
    ///
    /// # Errors
    /// Nobody can tell just now; likewise below.
    fn user_named(&self, name: &str) -> io::Result<Option<User>>;
    /// The user of this number.
    ///
    /// # Errors
    /// As above: who took it for an unknown one would give it another group.
    fn user_numbered(&self, uid: u32) -> io::Result<Option<User>>;
    /// The number of the group of this name.
    ///
    /// # Errors
    /// As above.
    fn group_named(&self, name: &str) -> io::Result<Option<u32>>;
    /// Whether a group has this number.
    ///
    /// # Errors
    /// As above.
    fn has_group(&self, gid: u32) -> io::Result<bool>;
}

/// A user to become: by name, or by number, which needs no entry. Without one its group has the
/// same number, and it is in no other.
///
/// # Errors
/// [`ValueError::UserId`], [`ValueError::UserName`], [`ValueError::Lookup`].
pub fn user(host: &dyn Host, text: &str) -> Result<User, ValueError> {
    match uid(text)? {
        Some(uid) => {
            let found = host.user_numbered(uid).map_err(lookup(text))?;
            Ok(found.unwrap_or(User { uid, gid: uid, name: String::new() }))
        }
        None => named(host, text),
    }
}

fn named(host: &dyn Host, name: &str) -> Result<User, ValueError> {
    let found = host.user_named(name).map_err(lookup(name))?;
    found.ok_or_else(|| ValueError::UserName(name.to_owned()))
}

fn lookup(text: &str) -> impl Fn(io::Error) -> ValueError {
    move |error| ValueError::Lookup(text.to_owned(), error.to_string())
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
        Some(uid) => {
            let found = host.user_numbered(uid).map_err(lookup(text))?;
            found.ok_or_else(|| ValueError::UserId(text.to_owned()))
        }
        None => named(host, text),
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
        Ok(number) => match u32::try_from(number) {
            Ok(gid) if host.has_group(gid).map_err(lookup(text))? => Ok(gid),
            _ => Err(ValueError::GroupId(text.to_owned())),
        },
        Err(_) => {
            let found = host.group_named(text).map_err(lookup(text))?;
            found.ok_or_else(|| ValueError::GroupName(text.to_owned()))
        }
    }
}
