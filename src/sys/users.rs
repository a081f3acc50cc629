//! The machine as a configuration sees it: users, groups, directories, names.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, Gid, Group, Uid, User as Record, access, gethostname};

use super::file;
use super::inject::{self, Call};
use crate::config::host::Host;
use crate::config::options::User;

/// The real machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

fn user(record: Record) -> User {
    User { uid: record.uid.as_raw(), gid: record.gid.as_raw(), name: record.name }
}

/// Looks something up in the machine's lists; of what isn't there some of them say an error.
///
/// # Errors
/// Nobody can tell just now.
pub(super) fn look_up<T>(find: impl FnOnce() -> nix::Result<Option<T>>) -> io::Result<Option<T>> {
    inject::restarted(Call::Resolve)?;
    match find() {
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        found => Ok(found?),
    }
}

impl Host for Machine {
    fn environment(&self) -> Vec<(String, String)> {
        let text = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((key.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(text).collect()
    }

    fn uid(&self) -> u32 {
        nix::unistd::getuid().as_raw()
    }

    fn node_name(&self) -> String {
        gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
    }

    fn current_dir(&self) -> Option<String> {
        inject::fail(Call::List).ok()?;
        std::env::current_dir().ok()?.to_str().map(str::to_owned)
    }

    fn temp_dir(&self) -> String {
        let set = ["TMPDIR", "TEMP", "TMP"].map(|key| std::env::var(key).unwrap_or_default());
        let fixed = ["/tmp", "/var/tmp", "/usr/tmp"].map(str::to_owned);
        let usable = |path: &String| {
            let needed = AccessFlags::W_OK | AccessFlags::X_OK;
            let allowed = || Ok(access(Path::new(path), needed)?);
            self.is_dir(path) && inject::restarted(Call::Access).and_then(|()| allowed()).is_ok()
        };
        let found = set.into_iter().chain(fixed).filter(|path| !path.is_empty()).find(usable);
        found.unwrap_or_else(|| ".".to_owned())
    }

    fn is_dir(&self, path: &str) -> bool {
        file::is_directory(Path::new(path))
    }

    fn home(&self, user: Option<&str>) -> Option<String> {
        let record = match user {
            Some(name) => look_up(|| Record::from_name(name)),
            None => match std::env::var("HOME") {
                Ok(home) => return Some(home),
                Err(_) => look_up(|| Record::from_uid(Uid::current())),
            },
        };
        record.ok().flatten()?.dir.to_str().map(str::to_owned)
    }

    fn user_named(&self, name: &str) -> io::Result<Option<User>> {
        Ok(look_up(|| Record::from_name(name))?.map(user))
    }

    fn user_numbered(&self, uid: u32) -> io::Result<Option<User>> {
        Ok(look_up(|| Record::from_uid(Uid::from_raw(uid)))?.map(user))
    }

    fn group_named(&self, name: &str) -> io::Result<Option<u32>> {
        Ok(look_up(|| Group::from_name(name))?.map(|group| group.gid.as_raw()))
    }

    fn has_group(&self, gid: u32) -> io::Result<bool> {
        Ok(look_up(|| Group::from_gid(Gid::from_raw(gid)))?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_temporary_directory_exist() {
        let root = Machine.user_named("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(Machine.user_numbered(0).unwrap().unwrap().name, "root");
        assert!(Machine.user_named("no such user").unwrap().is_none());
        assert!(Machine.has_group(0).unwrap() && Machine.group_named("root").unwrap() == Some(0));
        assert!(Machine.is_dir(&Machine.temp_dir()));
        assert!(Machine.current_dir().unwrap().starts_with('/'));
    }
}
