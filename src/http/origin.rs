//! Requests that a browser sends for another site: a page somewhere can make its reader's browser
//! post to a daemon that only the reader can reach, and a name that its owner lets point to the
//! reader's own machine makes both look like one site.
//!
//! What no browser has marked is taken as it comes, and its Host is not looked at: that is every
//! client but a browser. Pure.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::head::Head;

/// What a request tells of where it comes from: its headers of these names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks<'a> {
    /// The name by which the client knows the server.
    pub host: Option<&'a str>,
    /// The site whose page sends it. Browsers send it with every POST.
    pub origin: Option<&'a str>,
    /// The page that had the link or the form.
    pub referer: Option<&'a str>,
    /// How the two sites are related. Browsers send it where they trust the connection: over
    /// https, and on their own machine.
    pub fetch_site: Option<&'a str>,
}

/// The names by which pages may know this server, besides addresses and `localhost`.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// "allowed_hosts", in lower case.
    pub listed: &'a [String],
    /// The host of the listener's own "port"; may be empty.
    pub listening: &'a str,
    /// The machine's own name.
    pub machine: &'a str,
}

impl Names<'_> {
    fn lists(&self, host: &str) -> bool {
        self.listed.iter().any(|name| name == host)
    }

    fn include(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        bare.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.eq_ignore_ascii_case(self.listening)
            || host.eq_ignore_ascii_case(self.machine)
            || self.lists(host)
    }
}

impl<'a> Marks<'a> {
    /// Those of a request.
    pub fn of(head: &'a Head) -> Marks<'a> {
        let mut marks = Marks::default();
        for (name, value) in head.headers() {
            let slot = match name.len() {
                4 if name.eq_ignore_ascii_case("host") => &mut marks.host,
                6 if name.eq_ignore_ascii_case("origin") => &mut marks.origin,
                7 if name.eq_ignore_ascii_case("referer") => &mut marks.referer,
                14 if name.eq_ignore_ascii_case("sec-fetch-site") => &mut marks.fetch_site,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        marks
    }

    /// Whether a browser sent it, as far as can be told.
    pub fn is_marked(&self) -> bool {
        self.origin.is_some() || self.referer.is_some() || self.fetch_site.is_some()
    }

    /// Whether a browser sends it for a page of another site, or of one that may be another's
    /// though it has our address. Such a request must not change anything.
    pub fn is_foreign(&self, names: &Names<'_>) -> bool {
        match (self.origin, self.fetch_site, self.referer) {
            (Some(origin), _, _) => match self.same_site(origin) {
                Some(host) => !names.include(&host),
                None => true,
            },
            // No POST then, and the browser has compared the sites itself.
            (None, Some(site), _) => !matches!(site, "none" | "same-origin"),
            // A page that has only got hold of our address would leave its own away, so the name
            // is not asked after. A proxy may have changed the name on the way.
            (None, None, Some(page)) => {
                self.same_site(page).is_none()
                    && !site_of(page).is_some_and(|(host, _)| names.lists(&host))
            }
            (None, None, None) => false,
        }
    }

    /// The host of that URL, if Host names the same one with the same port.
    fn same_site(&self, url: &str) -> Option<String> {
        let (host, port) = site_of(url)?;
        let (ours, our_port) = authority(self.host?)?;
        let usual = usual_port(url);
        (host == ours && port.or(usual) == our_port.or(usual)).then_some(host)
    }
}

/// Host and port of a URL. That of a page in a sandbox is `null`, which is none.
fn site_of(url: &str) -> Option<(String, Option<u16>)> {
    let (_, rest) = url.split_once("://")?;
    authority(rest.split(['/', '?', '#']).next()?)
}

/// The port that a URL of this scheme leaves away.
fn usual_port(url: &str) -> Option<u16> {
    match url.split_once(':')?.0 {
        scheme if scheme.eq_ignore_ascii_case("http") => Some(80),
        scheme if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ => None,
    }
}

/// `host`, `host:port`, `[::1]:port`; the host in lower case.
fn authority(text: &str) -> Option<(String, Option<u16>)> {
    let port_at = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(port_at)?;
    let port = match rest.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
        None if rest.is_empty() => None,
        None => return None,
    };
    (!host.is_empty() && !host.contains('@')).then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host, Origin, Sec-Fetch-Site, Referer; an empty text stands for none.
    fn is_foreign(texts: [&str; 4]) -> bool {
        let [host, origin, fetch_site, referer] =
            texts.map(|text| (!text.is_empty()).then_some(text));
        let marks = Marks { host, origin, referer, fetch_site };
        let listed = ["sup.example".to_owned(), "other.example".to_owned()];
        marks.is_foreign(&Names { listed: &listed, listening: "web.lan", machine: "Box7" })
    }

    #[test]
    fn plain_clients_are_let_in_whatever_their_host() {
        for host in ["", "localhost", "evil.example", "127.0.0.1:9001", "@", "a b"] {
            assert!(!is_foreign([host, "", "", ""]), "{host:?}");
        }
    }

    #[test]
    fn a_page_needs_our_host_and_a_name_of_ours() {
        let (own, foreign) = (false, true);
        let table = [
            // Addresses.
            ("127.0.0.1:9001", "http://127.0.0.1:9001", own),
            ("10.0.0.5", "http://10.0.0.5", own),
            ("[::1]:9001", "http://[::1]:9001", own),
            ("[::1]", "http://[::1]", own),
            // Names of ours: this machine's, the listener's, listed ones.
            ("localhost:9001", "http://localhost:9001", own),
            ("LOCALHOST:9001", "http://localhost:9001", own),
            ("box7:9001", "http://box7:9001", own),
            ("web.lan:9001", "http://web.lan:9001", own),
            ("sup.example", "https://sup.example", own),
            ("sup.example:8443", "https://SUP.example:8443", own),
            // The usual port may be told or not.
            ("localhost:80", "http://localhost", own),
            ("localhost", "http://localhost:80", own),
            ("localhost:443", "https://localhost", own),
            ("localhost:80", "https://localhost", foreign),
            ("localhost:443", "http://localhost", foreign),
            // Another site.
            ("127.0.0.1:9001", "http://evil.example", foreign),
            ("localhost:9001", "http://127.0.0.1:9001", foreign),
            ("127.0.0.1:9001", "http://127.0.0.1:8080", foreign),
            ("127.0.0.1:9001", "http://127.0.0.1", foreign),
            ("localhost:9001", "http://localhost.evil.example:9001", foreign),
            ("sup.example", "http://other.example", foreign),
            // The same one, but under a name that is not ours: it may lead here by its owner's
            // will alone.
            ("evil.example:9001", "http://evil.example:9001", foreign),
            ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example", foreign),
            ("x.sup.example", "http://x.sup.example", foreign),
            // What is no site.
            ("localhost:9001", "null", foreign),
            ("localhost", "localhost", foreign),
            ("localhost", "http://", foreign),
            ("localhost", "http://localhost:x", foreign),
            ("localhost", "http://localhost:99999", foreign),
            ("localhost", "http://user@localhost", foreign),
            ("user@localhost", "http://user@localhost", foreign),
            ("[::1", "http://[::1", foreign),
            ("[::1]x", "http://[::1]x", foreign),
            ("", "http://localhost", foreign),
            ("chrome", "chrome-extension://chrome", foreign),
        ];
        for (host, origin, verdict) in table {
            // What else the browser says does not count then.
            for site in ["", "none", "same-origin", "cross-site"] {
                assert_eq!(is_foreign([host, origin, site, ""]), verdict, "{host} {origin}");
            }
        }
    }

    #[test]
    fn without_an_origin_the_browser_s_own_word_counts() {
        let table = [
            ("none", false),
            ("same-origin", false),
            ("same-site", true),
            ("cross-site", true),
            ("whatever comes next", true),
        ];
        for (site, verdict) in table {
            for referer in ["", "http://evil.example/", "http://evil.lan/"] {
                assert_eq!(is_foreign(["evil.lan", "", site, referer]), verdict, "{site}");
            }
        }
    }

    #[test]
    fn with_a_referer_alone_the_hosts_are_compared() {
        let table = [
            ("localhost:9001", "http://localhost:9001/index.html?a=b", false),
            ("name.lan:9001", "http://name.lan:9001/", false),
            ("localhost:9001", "http://evil.example/", true),
            ("localhost:9001", "http://localhost:8080/", true),
            ("localhost:9001", "http://evil.example?http://localhost:9001/", true),
            ("localhost:9001", "http://localhost:9001@evil.example/", true),
            ("localhost:9001", "about:blank", true),
            ("", "http://localhost:9001/", true),
            // A proxy that tells another Host: its own name is listed.
            ("127.0.0.1:9001", "http://sup.example/supervisor/", false),
            ("127.0.0.1:9001", "http://sup.example.evil.example/", true),
        ];
        for (host, referer, verdict) in table {
            assert_eq!(is_foreign([host, "", "", referer]), verdict, "{host} {referer}");
        }
    }

    #[test]
    fn marks_are_found_whatever_their_case() {
        let head = Head::parse(
            b"POST / HTTP/1.1\r\nhOST: h\r\nORIGIN: http://a\r\nOrigin: http://b\r\n\
              referer: r\r\nSec-Fetch-Site: none\r\nOthers: x\r\nContent-Length: 0\r\n\r\n",
        )
        .unwrap();
        let marks = Marks::of(&head);
        assert!(marks.is_marked());
        assert_eq!(
            marks,
            Marks {
                host: Some("h"),
                origin: Some("http://a"),
                referer: Some("r"),
                fetch_site: Some("none")
            }
        );
        let head = Head::parse(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        assert!(!Marks::of(&head).is_marked());
    }
}
