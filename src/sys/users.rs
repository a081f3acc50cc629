//! The machine as a configuration sees it: users, groups, directories, names.

use std::path::Path;

use nix::unistd::{AccessFlags, Gid, Group, Uid, User as Record, access, gethostname};

use crate::config::host::Host;
use crate::config::options::User;

/// The real machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

fn user(record: Record) -> User {
    User { uid: record.uid.as_raw(), gid: record.gid.as_raw(), name: record.name }
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
        std::env::current_dir().ok()?.to_str().map(str::to_owned)
    }

    fn temp_dir(&self) -> String {
        let set = ["TMPDIR", "TEMP", "TMP"].map(|key| std::env::var(key).unwrap_or_default());
        let fixed = ["/tmp", "/var/tmp", "/usr/tmp"].map(str::to_owned);
        let usable = |path: &String| {
            let needed = AccessFlags::W_OK | AccessFlags::X_OK;
            self.is_dir(path) && access(Path::new(path), needed).is_ok()
        };
        let found = set.into_iter().chain(fixed).filter(|path| !path.is_empty()).find(usable);
        found.unwrap_or_else(|| ".".to_owned())
    }

    fn is_dir(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }

    fn home(&self, user: Option<&str>) -> Option<String> {
        let record = match user {
            Some(name) => Record::from_name(name),
            None => match std::env::var("HOME") {
                Ok(home) => return Some(home),
                Err(_) => Record::from_uid(Uid::current()),
            },
        };
        record.ok().flatten()?.dir.to_str().map(str::to_owned)
    }

    fn user_named(&self, name: &str) -> Option<User> {
        Record::from_name(name).ok().flatten().map(user)
    }

    fn user_numbered(&self, uid: u32) -> Option<User> {
        Record::from_uid(Uid::from_raw(uid)).ok().flatten().map(user)
    }

    fn group_named(&self, name: &str) -> Option<u32> {
        Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
    }

    fn has_group(&self, gid: u32) -> bool {
        Group::from_gid(Gid::from_raw(gid)).ok().flatten().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_temporary_directory_exist() {
        let root = Machine.user_named("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(Machine.user_numbered(0).unwrap().name, "root");
        assert!(Machine.user_named("no such user").is_none());
        assert!(Machine.has_group(0) && Machine.group_named("root") == Some(0));
        assert!(Machine.is_dir(&Machine.temp_dir()));
        assert!(Machine.current_dir().unwrap().starts_with('/'));
    }
}
