//! The head of a request: request line and headers, and how its body is framed.

use std::borrow::Cow;
use std::ops::Range;

/// Where in the text a part stands.
type Part = Range<usize>;

/// Headers that one request may have.
pub const MAX_HEADERS: usize = 100;
/// Headers that nearly all requests get along with; parsing into these is cheaper.
const USUAL_HEADERS: usize = 16;

/// A parsed head. All its parts are ranges of the one text.
#[derive(Debug)]
pub struct Head {
    text: String,
    method: Part,
    target: Part,
    version: Part,
    headers: Vec<(Part, Part)>,
    framing: Framing,
    keep_alive: bool,
}

/// How much body follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// None: not a POST, and no length announced.
    None,
    /// So many bytes, by Content-Length.
    Length(u64),
    /// It can't be known: a POST without length, or one in chunks. Answered with 411.
    Unknown,
}

/// A head that deserves nothing but 400 Bad Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadHead;

impl Head {
    /// Parses a head that ends with its empty line. Folded headers, bare line feeds and what is
    /// not UTF-8 are refused.
    ///
    /// # Errors
    /// [`BadHead`] for whatever is not a request of HTTP/1 in form.
    pub fn parse(bytes: &[u8]) -> Result<Head, BadHead> {
        let text = std::str::from_utf8(bytes).map_err(|_| BadHead)?;
        let line_end = text.find("\r\n").ok_or(BadHead)?;
        let (method, target, version) = request_line(text.get(..line_end).ok_or(BadHead)?)?;
        let block = bytes.get(line_end + 2..).ok_or(BadHead)?;
        if has_bare_line_feed(block) {
            return Err(BadHead);
        }
        let mut head = Head {
            text: text.to_owned(),
            method,
            target,
            version,
            headers: header_ranges(block, line_end + 2)?,
            framing: Framing::None,
            keep_alive: false,
        };
        head.framing = head.find_framing()?;
        head.keep_alive = head.find_keep_alive();
        Ok(head)
    }

    fn part(&self, range: &Part) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The method as sent.
    pub fn method(&self) -> &str {
        self.part(&self.method)
    }

    /// The request's URI as sent.
    pub fn target(&self) -> &str {
        self.part(&self.target)
    }

    /// As in `HTTP/1.1`; may be any number.
    pub fn version(&self) -> &str {
        self.part(&self.version)
    }

    /// The URI before its query, percent-decoded once.
    pub fn path(&self) -> Cow<'_, str> {
        let target = self.target();
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        if !path.contains('%') {
            return Cow::Borrowed(path);
        }
        Cow::Owned(String::from_utf8_lossy(&percent_decoded(path)).into_owned())
    }

    /// What follows the first `?`, as sent; empty when there is none.
    pub fn query(&self) -> &str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    /// Name and value of each header, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (self.part(name), self.part(value)))
    }

    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// How the body is framed.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the connection outlives the answer, by the rules of the version.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether it is HTTP/1.0, where a kept connection is told in the answer.
    pub fn is_http_1_0(&self) -> bool {
        self.version() == "HTTP/1.0"
    }

    fn find_framing(&self) -> Result<Framing, BadHead> {
        let mut length = None;
        let mut encoded = false;
        for (name, value) in self.headers() {
            if name.eq_ignore_ascii_case("content-length") {
                // Even two alike are nobody's honest request, and the hop before us may have
                // counted otherwise.
                if length.replace(content_length(value)?).is_some() {
                    return Err(BadHead);
                }
            }
            encoded |= name.eq_ignore_ascii_case("transfer-encoding");
        }
        match (length, encoded) {
            (Some(_), true) => Err(BadHead),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, true) => Ok(Framing::Unknown),
            (None, false) if self.method() == "POST" => Ok(Framing::Unknown),
            (None, false) => Ok(Framing::None),
        }
    }

    fn find_keep_alive(&self) -> bool {
        let asks = |what: &str| {
            self.headers()
                .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
                .flat_map(|(_, value)| value.split(','))
                .any(|token| token.trim().eq_ignore_ascii_case(what))
        };
        if self.is_http_1_0() { asks("keep-alive") } else { !asks("close") }
    }
}

/// The version of a request line, even if the headers behind it are bad; HTTP/1.0 if it is none.
pub fn version_of(bytes: &[u8]) -> &str {
    let line = bytes.split(|&b| b == b'\r').next().unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    request_line(line).ok().and_then(|(_, _, at)| line.get(at)).unwrap_or("HTTP/1.0")
}

/// Where the head ends (behind its empty line), if it does. `from` is where the last search of
/// the same bytes ended without finding it.
pub fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let mut rest = bytes.get(from..)?;
    let mut at = from;
    loop {
        // The fourth byte tells how far the search may leap.
        let step = match rest.get(..4)? {
            b"\r\n\r\n" => return Some(at + 4),
            [.., b'\r'] => 1,
            [.., b'\n'] => 2,
            _ => 4,
        };
        // After "\n" at the fourth byte, "\r\n\r\n" may begin at the third.
        rest = rest.get(step..)?;
        at += step;
    }
}

/// `METHOD URI HTTP/x.y`, one blank between.
fn request_line(line: &str) -> Result<(Part, Part, Part), BadHead> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(BadHead);
    };
    let (major, minor) =
        version.strip_prefix("HTTP/").and_then(|v| v.split_once('.')).ok_or(BadHead)?;
    // HTTP has had one digit each for long, but once it was any number.
    let number =
        |text: &str| (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let sound = !method.is_empty()
        && method.bytes().all(token)
        && !target.is_empty()
        && !target.bytes().any(|b| b.is_ascii_control())
        && number(major)
        && number(minor);
    if !sound {
        return Err(BadHead);
    }
    let target_at = method.len() + 1;
    let version_at = target_at + target.len() + 1;
    Ok((0..method.len(), target_at..version_at - 1, version_at..line.len()))
}

fn has_bare_line_feed(block: &[u8]) -> bool {
    let mut before = b'\n';
    block.iter().any(|&byte| std::mem::replace(&mut before, byte) != b'\r' && byte == b'\n')
}

/// Where name and value of each header stand, counted from `base` before the block.
fn header_ranges(block: &[u8], base: usize) -> Result<Vec<(Part, Part)>, BadHead> {
    let mut usual = [httparse::EMPTY_HEADER; USUAL_HEADERS];
    match httparse::parse_headers(block, &mut usual) {
        Ok(httparse::Status::Complete((_, found))) => Ok(ranges(block, base, found)),
        Ok(httparse::Status::Partial) => Err(BadHead),
        Err(httparse::Error::TooManyHeaders) => {
            let mut all = [httparse::EMPTY_HEADER; MAX_HEADERS];
            match httparse::parse_headers(block, &mut all) {
                Ok(httparse::Status::Complete((_, found))) => Ok(ranges(block, base, found)),
                _ => Err(BadHead),
            }
        }
        Err(_) => Err(BadHead),
    }
}

fn ranges(block: &[u8], base: usize, found: &[httparse::Header<'_>]) -> Vec<(Part, Part)> {
    let start = block.as_ptr() as usize;
    let range = |part: &[u8]| {
        // An empty value may point anywhere.
        let at = (part.as_ptr() as usize).saturating_sub(start).min(block.len()) + base;
        at..at + part.len()
    };
    found.iter().map(|header| (range(header.name.as_bytes()), range(header.value))).collect()
}

/// Digits alone. More than a number can hold is still a length, only never an acceptable one.
fn content_length(value: &str) -> Result<u64, BadHead> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadHead);
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

/// `%41` becomes `A`; what is not two hex digits after `%` stays.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|&d| char::from(d).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Head, BadHead> {
        Head::parse(text.as_bytes())
    }

    #[test]
    fn parts() {
        let head = parse(
            "POST /a%20b%zz%2f?x=%31?y HTTP/1.1\r\nHost: h\r\nEMPTY:\r\nx-Utf:  \u{e9} \r\n\
             Content-Length: 12\r\n\r\n",
        )
        .unwrap();
        assert_eq!(
            (head.method(), head.target(), head.version()),
            ("POST", "/a%20b%zz%2f?x=%31?y", "HTTP/1.1")
        );
        assert_eq!((&*head.path(), head.query()), ("/a b%zz/", "x=%31?y"));
        assert_eq!(head.header("hOST"), Some("h"));
        assert_eq!(head.header("Empty"), Some(""));
        assert_eq!(head.header("X-UTF"), Some("\u{e9}"));
        assert_eq!(head.header("none"), None);
        assert_eq!(head.framing(), Framing::Length(12));
        assert_eq!(head.headers().count(), 4);
    }

    #[test]
    fn bad_heads() {
        let long = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        let bad = [
            "GET  / HTTP/1.1\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / http/1.1\r\n\r\n",
            "GET / HTTP/1\r\n\r\n",
            "GET / HTTP/1.\r\n\r\n",
            "GET / HTTP/x.y\r\n\r\n",
            "GET / HTTP/1.1.1\r\n\r\n",
            "GET / HTTP/1.-1\r\n\r\n",
            "GET / HTTP/1.00001\r\n\r\n",
            "GET / HTTP/1.1 \r\n\r\n",
            "GET /a b HTTP/1.1\r\n\r\n",
            "GET /a\tb HTTP/1.1\r\n\r\n",
            "G(T / HTTP/1.1\r\n\r\n",
            " GET / HTTP/1.1\r\n\r\n",
            "garbage\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\na : b\r\n\r\n",
            "GET / HTTP/1.1\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\n folded: b\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\nc: d\r\n\r\n",
            "GET / HTTP/1.1\r\na: \0\r\n\r\n",
            "GET / HTTP/1.1\r\na: b\rc\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            &long,
        ];
        for text in bad {
            assert_eq!(parse(text).unwrap_err(), BadHead, "{text:?}");
        }
        assert!(Head::parse(b"GET / HTTP/1.1\r\na: \xff\r\n\r\n").is_err());
    }

    #[test]
    fn framing() {
        let table = [
            ("GET / HTTP/1.1\r\n\r\n", Framing::None),
            ("POST / HTTP/1.1\r\n\r\n", Framing::Unknown),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", Framing::Unknown),
            ("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", Framing::Unknown),
            ("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", Framing::Length(0)),
            ("PUT / HTTP/1.1\r\nContent-Length: 007\r\n\r\n", Framing::Length(7)),
            (
                "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                Framing::Length(u64::MAX),
            ),
        ];
        for (text, framing) in table {
            assert_eq!(parse(text).unwrap().framing(), framing, "{text:?}");
        }
    }

    #[test]
    fn keep_alive() {
        let table = [
            ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
            ("HTTP/1.0", "Connection: x, keep-alive\r\n", true),
            ("HTTP/1.1", "", true),
            ("HTTP/1.1", "Connection: CLOSE\r\n", false),
            ("HTTP/1.1", "Connection: te\r\nconnection: close\r\n", false),
            ("HTTP/2.0", "", true),
            ("HTTP/1.10", "", true),
        ];
        for (version, header, kept) in table {
            let head = parse(&format!("GET / {version}\r\n{header}\r\n")).unwrap();
            assert_eq!(head.keep_alive(), kept, "{version} {header}");
        }
    }

    #[test]
    fn many_headers_are_fine_up_to_the_bound() {
        let head = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS));
        assert_eq!(parse(&head).unwrap().headers().count(), MAX_HEADERS);
    }

    #[test]
    fn the_end_is_found_wherever_it_stands_and_however_it_comes() {
        for before in 0..12 {
            for filler in ["a", "\r\n", "\n", "\r", "a\r\n"] {
                let mut bytes: Vec<u8> = filler.bytes().cycle().take(before).collect();
                bytes.extend(b"x\r\n\r\nrest");
                let plain = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                assert_eq!(end_of_head(&bytes, 0), Some(plain), "{bytes:?}");
                for cut in 0..plain {
                    assert_eq!(end_of_head(&bytes[..cut], 0), None);
                    assert_eq!(end_of_head(&bytes, cut), Some(plain), "{bytes:?} from {cut}");
                }
            }
        }
    }
}
