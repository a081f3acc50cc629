//! The sample configuration that `echo_supervisord_conf` prints, made of the table of options.
//!
//! Scripts edit it: they replace `/tmp/supervisor.sock`, take the semicolon from `;[include]` and
//! from `;files = …`. So sections keep the names that they have in Supervisor's sample, keys
//! stand at the start of a line, and what is in effect there is in effect here.
#![forbid(unsafe_code)]

use super::table::{ROWS, Row, Section};

/// No line is longer.
const WIDTH: usize = 80;
/// Where the comments behind options begin.
const COLUMN: usize = 32;

const HEAD: &[&str] = &[
    "A sample configuration of supervisord: every section and option that there is.",
    "A line that begins with a semicolon and, right behind it, a key or a section in brackets \
     takes effect once that semicolon is removed, the section's before those of its options. \
     Behind an option's second semicolon stands what it does. The value shown is the default; \
     where an example had to be shown, the default stands in brackets: [none] if there is none.",
    "Values may hold %(ENV_X)s for the variable X of the environment and %(here)s for the \
     directory of this file; a percent sign is written twice. $X means nothing here. Quotes \
     belong to the value, except in environment=.",
    "A semicolon behind a blank starts a comment, even within quotes: of command=sh -c 'a ; b' \
     only sh -c 'a is left. One without a blank before it is part of the value.",
    "The places below /tmp suit a trial. Some systems clean up /tmp, and without the socket's \
     file supervisorctl can't reach the daemon.",
];

/// One section of the sample.
struct Part {
    section: Section,
    /// Its line.
    header: &'static str,
    /// What is to be known of it.
    about: &'static str,
    /// Keys that are in effect; none: neither is the section.
    active: &'static [&'static str],
    /// More lines: key, value, comment. Behind the table's line of the same key, so that it wins
    /// if it is made to count; without such a line they come first.
    more: &'static [(&'static str, &'static str, &'static str)],
}

const PARTS: &[Part] = &[
    Part {
        section: Section::UnixHttpServer,
        header: "unix_http_server",
        about: "A unix socket at which the daemon can be reached from this machine.",
        active: &["file"],
        more: &[],
    },
    Part {
        section: Section::InetHttpServer,
        header: "inet_http_server",
        about: "A TCP port at which the daemon can be reached. Whoever reaches it can stop and \
                start programs and read their logs: without encryption and, unless username and \
                password are set, without being asked who it is. Keep it to this machine or to a \
                network that you trust.",
        active: &[],
        more: &[],
    },
    Part {
        section: Section::Supervisord,
        header: "supervisord",
        about: "The daemon itself.",
        active: &[
            "logfile",
            "logfile_maxbytes",
            "logfile_backups",
            "loglevel",
            "pidfile",
            "nodaemon",
            "silent",
            "minfds",
            "minprocs",
        ],
        more: &[],
    },
    Part {
        section: Section::RpcInterface,
        header: "rpcinterface:supervisor",
        about: "Must stay as it is: supervisorctl and the web pages need it.",
        active: &["supervisor.rpcinterface_factory"],
        more: &[],
    },
    Part {
        section: Section::Supervisorctl,
        header: "supervisorctl",
        about: "How supervisorctl reaches the daemon: as one of the sections above says.",
        active: &["serverurl"],
        more: &[("serverurl", "http://127.0.0.1:9001", "the same over TCP")],
    },
    Part {
        section: Section::Program,
        header: "program:theprogramname",
        about: "A program to run. There can be many such sections, each with a name of its own.",
        active: &[],
        more: &[],
    },
    Part {
        section: Section::EventListener,
        header: "eventlistener:theeventlistenername",
        about: "A program that is told of events. What a program can have it can have too, but \
                for redirect_stderr: its stdout speaks to the daemon.",
        active: &[],
        more: &[("command", "/bin/sh /path/to/listener", "what is run")],
    },
    Part {
        section: Section::FcgiProgram,
        header: "fcgi-program:thefcgiprogramname",
        about: "A program whose processes share a socket, as FastCGI has it. What a program can \
                have it can have too.",
        active: &[],
        more: &[("command", "/bin/sh /path/to/fastcgi/server", "what is run")],
    },
    Part {
        section: Section::Group,
        header: "group:thegroupname",
        about: "Programs, each with a section of its own above, that are to form a group.",
        active: &[],
        more: &[],
    },
    Part {
        section: Section::Include,
        header: "include",
        about: "Further files, beside this one unless absolute; several patterns are parted by \
                blanks. Included files include nothing themselves.",
        active: &[],
        more: &[],
    },
];

/// The sample.
pub fn sample() -> String {
    let mut lines = Vec::new();
    for (index, text) in HEAD.iter().enumerate() {
        if index > 0 {
            lines.push(";".to_owned());
        }
        lines.extend(paragraph(text));
    }
    for part in PARTS {
        let mark = if part.active.is_empty() { ";" } else { "" };
        lines.push(String::new());
        lines.extend(paragraph(part.about));
        lines.push(String::new());
        lines.push(format!("{mark}[{}]", part.header));
        let rows = || ROWS.iter().filter(|row| row.section == part.section);
        let more = |key: &'static str| {
            let lines = part.more.iter().filter(move |line| line.0 == key);
            lines.flat_map(|(key, value, comment)| option(&format!(";{key}={value}"), comment))
        };
        for (key, ..) in part.more.iter().filter(|line| !rows().any(|row| row.key == line.0)) {
            lines.extend(more(key));
        }
        for row in rows() {
            let mark = if part.active.contains(&row.key) { "" } else { ";" };
            lines.extend(option(&format!("{mark}{}", setting(row)), &comment(row)));
            lines.extend(more(row.key));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn setting(row: &Row) -> String {
    let equals = match row.section {
        Section::Include | Section::RpcInterface => " = ",
        _ => "=",
    };
    format!("{}{equals}{}", row.key, row.example.or(row.default).unwrap_or_default())
}

/// What the option does, and the default if neither shown nor told there.
fn comment(row: &Row) -> String {
    let is_told = row.help.contains("default:");
    match (row.example, row.default.unwrap_or_default()) {
        (Some(_), "") if !is_told && !is_needed(row) => format!("{} [none]", row.help),
        (Some(_), default) if !default.is_empty() => format!("{} [{default}]", row.help),
        _ => row.help.to_owned(),
    }
}

/// Whether the section is nothing without the option.
fn is_needed(row: &Row) -> bool {
    matches!(
        (row.section, row.key),
        (Section::UnixHttpServer, "file")
            | (Section::InetHttpServer, "port")
            | (Section::Program, "command")
            | (Section::EventListener, "events")
            | (Section::FcgiProgram, "socket")
            | (Section::Group, "programs")
            | (Section::Include, "files")
            | (Section::RpcInterface, _)
    )
}

/// Lines of comment.
fn paragraph(text: &str) -> Vec<String> {
    wrapped(text, WIDTH - 2).into_iter().map(|line| format!("; {line}")).collect()
}

/// An option and the comment behind it, which may need lines of its own.
fn option(setting: &str, comment: &str) -> Vec<String> {
    let mut comment = wrapped(comment, WIDTH - COLUMN - 2).into_iter();
    let mut lines = Vec::new();
    if setting.len() < COLUMN {
        let first = comment.next().unwrap_or_default();
        lines.push(format!("{setting:width$}; {first}", width = COLUMN));
    } else {
        lines.push(setting.to_owned());
    }
    lines.extend(comment.map(|line| format!(";{:width$}; {line}", "", width = COLUMN - 1)));
    lines
}

/// The text in lines of at most this width.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_stands_in_its_section_with_a_value() {
        let sample = sample();
        let mut section = "";
        let mut found = Vec::new();
        for line in sample.lines() {
            assert!(line.len() <= WIDTH && line.is_ascii(), "{line}");
            let plain = line.strip_prefix(';').unwrap_or(line);
            if let Some(header) = plain.strip_prefix('[') {
                section = header.trim_end_matches(']');
            } else if !plain.is_empty() && !plain.starts_with(' ') {
                let (key, value) = plain.split_once('=').unwrap();
                assert!(!value.trim().is_empty() && !value.trim().starts_with(';'), "{line}");
                found.push((Section::of(section).unwrap(), key.trim().to_owned()));
            }
        }
        for row in ROWS {
            assert!(found.contains(&(row.section, row.key.to_owned())), "{row:?}");
        }
        let twice = PARTS.iter().map(|part| part.more.len()).sum::<usize>();
        assert_eq!(found.len(), ROWS.len() + twice);
    }

    #[test]
    fn what_scripts_look_for_stands_alone_in_its_line() {
        let sample = sample();
        for line in [
            "[unix_http_server]",
            ";[inet_http_server]",
            "[supervisord]",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
            "[supervisorctl]",
            ";[program:theprogramname]",
            ";[eventlistener:theeventlistenername]",
            ";[group:thegroupname]",
            ";[include]",
        ] {
            assert_eq!(sample.lines().filter(|found| *found == line).count(), 1, "{line}");
        }
        for setting in [
            "file=/tmp/supervisor.sock",
            ";port=127.0.0.1:9001",
            "logfile=/tmp/supervisord.log",
            "pidfile=/tmp/supervisord.pid",
            "nodaemon=false",
            "serverurl=unix:///tmp/supervisor.sock",
            ";serverurl=http://127.0.0.1:9001",
            ";files = relative/directory/*.ini",
        ] {
            let settings = sample.lines().map(|line| line.split("  ;").next().unwrap().trim_end());
            assert_eq!(settings.filter(|found| *found == setting).count(), 1, "{setting}");
        }
    }

    #[test]
    fn comments_are_wrapped_at_their_column() {
        assert_eq!(option(";a=1", "b c"), [";a=1                            ; b c"]);
        let long = option(&format!(";{}=1", "k".repeat(40)), &"word ".repeat(20));
        assert_eq!(long[0].len(), 43);
        assert_eq!(long[1], format!(";{}; {}word", " ".repeat(31), "word ".repeat(8)));
        assert_eq!(long.len(), 4);
    }
}
