//! What supervisord's command line gives: laid over the file, which it beats.
#![forbid(unsafe_code)]

/// One option with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// As it was spelled, `-e` or `--loglevel`: errors quote it.
    pub spelling: String,
    /// The value's text.
    pub text: String,
}

/// The options that have a key in `[supervisord]`. A flag can only switch on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `-n`, `--nodaemon`.
    pub nodaemon: bool,
    /// `-s`, `--silent`.
    pub silent: bool,
    /// `-k`, `--nocleanup`.
    pub nocleanup: bool,
    /// `-t`, `--strip_ansi`.
    pub strip_ansi: bool,
    /// `-u`, `--user`.
    pub user: Option<Given>,
    /// `-m`, `--umask`.
    pub umask: Option<Given>,
    /// `-d`, `--directory`.
    pub directory: Option<Given>,
    /// `-l`, `--logfile`.
    pub logfile: Option<Given>,
    /// `-y`, `--logfile_maxbytes`.
    pub logfile_maxbytes: Option<Given>,
    /// `-z`, `--logfile_backups`.
    pub logfile_backups: Option<Given>,
    /// `-e`, `--loglevel`.
    pub loglevel: Option<Given>,
    /// `-j`, `--pidfile`.
    pub pidfile: Option<Given>,
    /// `-i`, `--identifier`.
    pub identifier: Option<Given>,
    /// `-q`, `--childlogdir`.
    pub childlogdir: Option<Given>,
    /// `-a`, `--minfds`.
    pub minfds: Option<Given>,
    /// `--minprocs`.
    pub minprocs: Option<Given>,
}

impl CommandLine {
    /// How the option that beats a key of `[supervisord]` was spelled, if it was given.
    pub fn spelling(&self, key: &str) -> Option<&str> {
        let given = match key {
            "user" => &self.user,
            "umask" => &self.umask,
            "directory" => &self.directory,
            "logfile" => &self.logfile,
            "logfile_maxbytes" => &self.logfile_maxbytes,
            "logfile_backups" => &self.logfile_backups,
            "loglevel" => &self.loglevel,
            "pidfile" => &self.pidfile,
            "identifier" => &self.identifier,
            "childlogdir" => &self.childlogdir,
            "minfds" => &self.minfds,
            "minprocs" => &self.minprocs,
            _ => return None,
        };
        given.as_ref().map(|given| given.spelling.as_str())
    }
}
