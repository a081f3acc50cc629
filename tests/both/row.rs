//! One configuration that runs, and when it has settled.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::support::{Setup, Side, copy_fixtures, free_port, write_script};

/// What has to be so before a row goes on. By itself a row waits until every process is RUNNING,
/// EXITED, FATAL or, if it was not to be started, STOPPED.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// A process, by its full name, has this state.
    State(&'static str, &'static str),
    /// A file in the row's directory has at least so many lines.
    Lines(&'static str, usize),
    /// The activity log has a message that matches.
    Message(&'static str),
}

/// What a row does once it has settled.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The side's own client is asked; what it answers is compared.
    Ctl(&'static [&'static str]),
    /// A process is stopped by XML-RPC: sooner than the original's client would be there.
    Stop(&'static str),
    /// The daemon gets a signal.
    Signal(Signal),
    /// Something has to be so before the next step.
    Wait(Wait),
    /// The daemon gets TERM; its end is awaited and its exit status compared.
    ShutDown,
}

/// A configuration in the making.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// What it is about, for the report.
    pub name: &'static str,
    supervisord: String,
    sections: String,
    files: Vec<(&'static str, &'static str)>,
    executables: Vec<(&'static str, &'static str)>,
    private: Vec<&'static str>,
    env: Vec<(&'static str, &'static str)>,
    args: Vec<&'static str>,
    background: bool,
    ports: bool,
    /// Whether there is a state that does not last.
    pub goes_on: bool,
    accounts: Option<(&'static str, &'static str)>,
    own_dev: bool,
    prelude: Option<&'static str>,
    /// Names of the probes that report.
    pub probes: Vec<&'static str>,
    pub waits: Vec<Wait>,
    pub steps: Vec<Step>,
    /// Entries of the list of what is bettered that this row meets.
    pub bettered: Vec<&'static str>,
}

/// A row about this, with these sections after those that every row has. What all lines are
/// indented by is taken off.
pub fn row(name: &'static str, sections: &str) -> Row {
    let written = sections.lines().filter(|line| !line.trim().is_empty());
    let indent = written.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let lines = sections.lines().map(|line| line.get(indent..).unwrap_or_default());
    Row { name, sections: lines.collect::<Vec<_>>().join("\n"), ..Row::default() }
}

impl Row {
    /// Adds lines to `[supervisord]`.
    pub fn supervisord(mut self, lines: &str) -> Row {
        self.supervisord.push_str(lines);
        self.supervisord.push('\n');
        self
    }

    /// Adds a file; a name that ends with `/` is a directory.
    pub fn file(mut self, name: &'static str, text: &'static str) -> Row {
        self.files.push((name, text));
        self
    }

    /// Adds a file that can be executed.
    pub fn executable(mut self, name: &'static str, text: &'static str) -> Row {
        self.executables.push((name, text));
        self
    }

    /// Lets the owner alone execute a file.
    pub fn private(mut self, name: &'static str) -> Row {
        self.private.push(name);
        self
    }

    /// Something goes on for ever: settled means its waits alone.
    pub fn goes_on(mut self) -> Row {
        self.goes_on = true;
        self
    }

    /// A variable in the daemon's environment.
    pub fn env(mut self, name: &'static str, value: &'static str) -> Row {
        self.env.push((name, value));
        self
    }

    /// A word on the daemon's command line.
    pub fn arg(mut self, word: &'static str) -> Row {
        self.args.push(word);
        self
    }

    /// Sets PORT and OTHER_PORT in the daemon's environment to ports that nobody has.
    pub fn ports(mut self) -> Row {
        self.ports = true;
        self
    }

    /// Lets the daemons go to the background.
    pub fn background(mut self) -> Row {
        self.background = true;
        self
    }

    /// Lets the daemons see further users and groups, lines of passwd and group.
    pub fn accounts(mut self, users: &'static str, groups: &'static str) -> Row {
        self.accounts = Some((users, groups));
        self
    }

    /// The machine has no log.
    pub fn no_system_log(mut self) -> Row {
        self.own_dev = true;
        self
    }

    /// Commands of a shell that then becomes the daemon.
    pub fn prelude(mut self, commands: &'static str) -> Row {
        self.prelude = Some(commands);
        self
    }

    /// Compares what these probes saw.
    pub fn probes(mut self, names: &[&'static str]) -> Row {
        self.probes.extend_from_slice(names);
        self
    }

    /// Settled means this too.
    pub fn wait(mut self, wait: Wait) -> Row {
        self.waits.push(wait);
        self
    }

    /// Settled means that this process has this state.
    pub fn ends(self, name: &'static str, state: &'static str) -> Row {
        self.wait(Wait::State(name, state))
    }

    /// One more step.
    pub fn then(mut self, step: Step) -> Row {
        self.steps.push(step);
        self
    }

    /// Asks the client, once settled.
    pub fn ctl(self, words: &'static [&'static str]) -> Row {
        self.then(Step::Ctl(words))
    }

    /// Meets this entry of the list of what is bettered.
    pub fn bettered(mut self, id: &'static str) -> Row {
        self.bettered.push(id);
        self
    }

    /// The row on one side, in a directory of its own.
    pub fn setup(&self, side: Side) -> Setup {
        let mut setup = Setup::new()
            .side(side)
            .bare()
            // Python would set LC_CTYPE in a C locale, which children would then see.
            .env("LC_ALL", "C.UTF-8")
            .supervisord(&self.supervisord)
            .section(&self.sections);
        for (name, value) in &self.env {
            setup = setup.env(name, value);
        }
        if self.ports {
            for name in PORTS {
                setup = setup.env(name, &free_port().to_string());
            }
        }
        for word in &self.args {
            setup = setup.arg(word);
        }
        if self.background {
            setup = setup.daemonize();
        }
        if let Some((users, groups)) = self.accounts {
            setup = setup.accounts(users, groups);
        }
        if self.own_dev {
            setup = setup.own_dev();
        }
        if let Some(commands) = self.prelude {
            setup = setup.prelude(commands);
        }
        copy_fixtures(&FIXTURES, &setup.path(""));
        for (name, text) in &self.executables {
            write_script(&setup.path(name), text);
        }
        for name in &self.private {
            let mode = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(setup.path(name), mode).expect("its mode");
        }
        for (name, text) in &self.files {
            let path = setup.path(name);
            if name.ends_with('/') {
                std::fs::create_dir_all(&path).expect("a directory");
            } else {
                std::fs::write(&path, text).expect("a file of the row");
            }
        }
        setup
    }
}

/// The variables that [`Row::ports`] sets.
pub const PORTS: [&str; 2] = ["PORT", "OTHER_PORT"];

/// The programs that rows run, in each row's directory.
pub const FIXTURES: [&str; 5] = ["probe", "exits", "traps", "writes", "listens"];
