//! The style and the pictures of the web pages. They are part of the program; `scripts/art` draws
//! the pictures.

use super::date::{http_date, seconds_of};
use super::request::Request;
use super::response::Response;
use crate::config::host::Host as _;
use crate::config::options::ServerAddress;
use crate::sys::users::Machine;

/// Each with its path below the root.
const FILES: [(&str, &[u8]); 8] = [
    ("images/icon.png", include_bytes!("static_files/images/icon.png")),
    ("images/rule.gif", include_bytes!("static_files/images/rule.gif")),
    ("images/state0.gif", include_bytes!("static_files/images/state0.gif")),
    ("images/state1.gif", include_bytes!("static_files/images/state1.gif")),
    ("images/state2.gif", include_bytes!("static_files/images/state2.gif")),
    ("images/state3.gif", include_bytes!("static_files/images/state3.gif")),
    ("images/supervisor.gif", include_bytes!("static_files/images/supervisor.gif")),
    ("stylesheets/supervisor.css", include_bytes!("static_files/stylesheets/supervisor.css")),
];

/// When one of them was changed last, seconds since 1970.
const CHANGED: u64 = 1_795_281_600;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    File(&'static [u8]),
    Directory,
    Nothing,
}

/// Answers whatever no other part of the server does.
pub(super) fn serve(request: Request) {
    let response = respond(&request);
    request.respond(response);
}

fn respond(request: &Request) -> Response {
    if !matches!(request.method(), "GET" | "HEAD") {
        return Response::error(400);
    }
    let path = request.page();
    match find(&path) {
        Found::File(bytes) => {
            let since = request.header("If-Modified-Since");
            if since.is_some_and(|since| is_unchanged(since, bytes.len())) {
                return Response::new(304);
            }
            let modified = http_date(CHANGED);
            Response::new(200)
                .header("Last-Modified", &String::from_utf8_lossy(&modified))
                .length_here()
                .header("Content-Type", content_type(&path))
                .body(bytes)
        }
        Found::Directory if !path.is_empty() && !path.ends_with('/') => {
            let root = root_of(&request.listener().server().address, || Machine.node_name());
            Response::new(301).header("Location", &format!("{root}/{path}/")).error_page()
        }
        Found::Directory | Found::Nothing => Response::error(404),
    }
}

/// `.` and `..` are resolved here, as there are no directories that could do it; nothing is above
/// the root.
fn find(path: &str) -> Found {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                if names.pop().is_none() {
                    return Found::Nothing;
                }
            }
            name => names.push(name),
        }
    }
    let path = names.join("/");
    let is_below = |file: &str| {
        path.is_empty() || file.strip_prefix(&path).is_some_and(|r| r.starts_with('/'))
    };
    match FILES.iter().find(|(name, _)| *name == path) {
        Some((_, bytes)) => Found::File(bytes),
        None if FILES.iter().any(|(name, _)| is_below(name)) => Found::Directory,
        None => Found::Nothing,
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "css")) => "text/css",
        Some((_, "gif")) => "image/gif",
        Some((_, "png")) => "image/png",
        _ => "text/plain",
    }
}

/// Whether the client's copy is as good, by `If-Modified-Since: DATE` or `DATE; length=N`, which
/// some old browsers send.
fn is_unchanged(since: &str, length: usize) -> bool {
    let (date, same_length) = match since.split_once("; length=") {
        Some((date, of_copy)) => (date, of_copy.parse() == Ok(length)),
        None => (since, true),
    };
    same_length && seconds_of(date).is_some_and(|since| CHANGED <= since)
}

/// What redirections begin with: the name of a TCP listener's host, without its port, as
/// Supervisor has it. It asks for the name of an address; we take what everybody may be assumed
/// to answer, since asking may take long. A unix socket has no name that a client could go to.
fn root_of(address: &ServerAddress, node_name: impl Fn() -> String) -> String {
    let ServerAddress::Inet { host, .. } = address else { return String::new() };
    match host.as_str() {
        "" => format!("http://{}", node_name()),
        "127.0.0.1" | "::1" => "http://localhost".to_owned(),
        host if host.contains(':') => format!("http://[{host}]"),
        host => format!("http://{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else clients would keep what they have.
    #[test]
    fn a_change_has_its_date() {
        let mut sum = sha1_smol::Sha1::new();
        FILES.iter().for_each(|(_, bytes)| sum.update(bytes));
        let (of, at) = ("6d9a31beb59ecd350446552566ec351fef3e59b8", 1_795_281_600);
        assert_eq!((&*sum.digest().to_string(), CHANGED), (of, at), "set CHANGED, and both here");
    }

    #[test]
    fn nothing_is_outside() {
        let file = |path| matches!(find(path), Found::File(_));
        for path in [
            "images/rule.gif",
            "./images//./rule.gif",
            "images/../images/rule.gif",
            "nope/../images/rule.gif",
            "images/rule.gif/",
        ] {
            assert!(file(path), "{path}");
        }
        for path in ["", ".", "images", "images/", "stylesheets/.", "images/.."] {
            assert_eq!(find(path), Found::Directory, "{path}");
        }
        for path in [
            "..",
            "../",
            "../images/rule.gif",
            "images/../../images/rule.gif",
            "image",
            "images/rule",
            "images/rule.gif/x",
            "images/...",
            "..images",
            "IMAGES",
            "images\0",
            "status.html",
        ] {
            assert_eq!(find(path), Found::Nothing, "{path}");
        }
    }

    #[test]
    fn a_copy_is_compared() {
        let date = |secs| String::from_utf8(http_date(secs).to_vec()).unwrap();
        assert!(is_unchanged(&date(CHANGED), 5));
        assert!(is_unchanged(&date(CHANGED + 1), 5));
        assert!(!is_unchanged(&date(CHANGED - 1), 5));
        assert!(is_unchanged(&format!("{}; length=5", date(CHANGED)), 5));
        for rest in ["; length=6", "; length=", "; length=x", "; x"] {
            assert!(!is_unchanged(&format!("{}{rest}", date(CHANGED)), 5), "{rest}");
        }
        assert!(!is_unchanged("yesterday", 5));
    }

    #[test]
    fn redirections_lead_to_the_host() {
        let root = |host: &str| {
            let address = ServerAddress::Inet { host: host.to_owned(), port: 9001 };
            root_of(&address, || "node".to_owned())
        };
        let table = [
            ("", "http://node"),
            ("127.0.0.1", "http://localhost"),
            ("::1", "http://localhost"),
            ("fe80::1", "http://[fe80::1]"),
            ("sup.example", "http://sup.example"),
        ];
        for (host, wanted) in table {
            assert_eq!(root(host), wanted, "{host}");
        }
        let file = "/x.sock".to_owned();
        let unix = ServerAddress::Unix { file, mode: 0o700, owner: None };
        assert_eq!(root_of(&unix, String::new), "");
    }
}
