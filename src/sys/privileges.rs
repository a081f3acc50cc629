//! Becoming another user: the daemon once, children each.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Uid, User as Account, getgrouplist, getuid, setgid, setgroups, setuid};

use super::inject::{self, Call};
use super::{errno, users};
use crate::config::options::User;

/// Said when the groups were refused.
pub(super) const NO_GROUPS: &str = "Could not set groups of effective user";
/// Said when the primary group was refused.
pub(super) const NO_GROUP: &str = "Could not set group id of effective user";
/// Said when the user was refused.
pub(super) const NO_USER: &str = "Could not set user id of effective user";

/// Whom a child becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
    /// All groups, the primary one first.
    pub groups: Vec<u32>,
}

/// What a child that should run as `user` has to do: nothing, become somebody, or fail with a
/// text. A user that was deleted since the configuration was read is nobody to become, and neither
/// is one of whom that can't be told.
pub fn identity_of(user: &User) -> Result<Option<Identity>, String> {
    if getuid().as_raw() == user.uid {
        return Ok(None);
    }
    // One that was given as a bare number never had an entry.
    if !user.name.is_empty() {
        let found = users::look_up(|| Account::from_uid(Uid::from_raw(user.uid)));
        let found = found.map_err(|error| {
            format!("Can't look up uid {}: {}", user.uid, errno::described(&error))
        })?;
        if found.is_none() {
            return Err(format!("Can't find uid {}", user.uid));
        }
    }
    if !getuid().is_root() {
        return Err("Can't drop privilege as nonroot user".to_owned());
    }
    let groups = groups_of(user).map_err(|_| NO_GROUPS.to_owned())?;
    Ok(Some(Identity { uid: user.uid, gid: user.gid, groups }))
}

/// All groups of a user, the primary one first. A number without a name has no other.
///
/// # Errors
/// They can't be looked up; without them a program would lack rights that it counts on.
fn groups_of(user: &User) -> io::Result<Vec<u32>> {
    let Ok(name) = CString::new(user.name.as_str()) else { return Ok(vec![user.gid]) };
    if user.name.is_empty() {
        return Ok(vec![user.gid]);
    }
    inject::fail(Call::Resolve)?;
    let found = getgrouplist(&name, Gid::from_raw(user.gid))?;
    let mut groups: Vec<u32> = found.into_iter().map(Gid::as_raw).collect();
    groups.retain(|gid| *gid != user.gid);
    groups.insert(0, user.gid);
    Ok(groups)
}

/// Whether the process is that user or can become it.
///
/// # Errors
/// The text that start-up prints.
pub fn may_become(user: &User) -> Result<(), String> {
    identity_of(user).map(drop)
}

/// Makes the whole process that user, for good: the C library sees to all threads.
///
/// # Errors
/// The text that start-up prints.
pub fn become_user(user: &User) -> Result<(), String> {
    let Some(identity) = identity_of(user)? else { return Ok(()) };
    let groups: Vec<Gid> = identity.groups.iter().copied().map(Gid::from_raw).collect();
    become_by(|| setgroups(&groups)).map_err(|_| NO_GROUPS.to_owned())?;
    become_by(|| setgid(Gid::from_raw(identity.gid))).map_err(|_| NO_GROUP.to_owned())?;
    become_by(|| setuid(Uid::from_raw(identity.uid))).map_err(|_| NO_USER.to_owned())
}

fn become_by(change: impl FnOnce() -> nix::Result<()>) -> io::Result<()> {
    inject::fail(Call::Become)?;
    Ok(change()?)
}

/// Whether the process may do everything.
pub fn is_root() -> bool {
    getuid().is_root()
}

/// Whether the calling process could execute the file, as far as its mode tells.
///
/// # Errors
/// `EACCES` and the like.
pub fn may_execute(path: &std::path::Path) -> io::Result<()> {
    inject::fail(Call::Access)?;
    nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).map_err(io::Error::from)
}
