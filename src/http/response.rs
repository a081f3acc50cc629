//! Answers, and how they read on the wire.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use super::date::{HttpDate, http_date};

/// An answer before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    /// Whole lines, ready to send.
    headers: String,
    /// Where among them Content-Length goes; `None`: behind them.
    length_at: Option<usize>,
    body: Vec<u8>,
}

/// What the head says of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announce {
    /// Nothing: what the request's version implies.
    Nothing,
    /// `Connection: Keep-Alive`, to HTTP/1.0 that asked for it.
    KeepAlive,
    /// `Connection: close`, when that is our own will.
    Close,
}

/// How far an answer's body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Head and body.
    Whole,
    /// The head alone, as HEAD wants it.
    HeadOnly,
    /// No length: a stream follows.
    Stream,
}

impl Response {
    /// An answer without headers or body.
    pub fn new(status: u16) -> Response {
        Response { status, headers: String::new(), length_at: None, body: Vec::new() }
    }

    /// The small HTML page that tells of an error, or accompanies a redirection.
    pub fn error(status: u16) -> Response {
        Response::new(status).error_page()
    }

    /// Adds the error page of this status behind the headers set so far.
    pub fn error_page(self) -> Response {
        let page = format!(
            "<head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n\
             <h1>Error response</h1>\r\n<p>Error code {}.\r\n<p>Message: {}.\r\n</body>\r\n",
            self.status,
            reason(self.status)
        );
        self.length_here().header("Content-Type", "text/html").body(page)
    }

    /// Adds a header behind those before it. Control characters are left out of the value, so
    /// that what users sent can't become a header of its own.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Response {
        self.headers.push_str(name);
        self.headers.push_str(": ");
        if value.chars().any(char::is_control) {
            self.headers.extend(value.chars().filter(|c| !c.is_control()));
        } else {
            self.headers.push_str(value);
        }
        self.headers.push_str("\r\n");
        self
    }

    /// Puts Content-Length here among the headers; else it is the last.
    #[must_use]
    pub fn length_here(mut self) -> Response {
        self.length_at = Some(self.headers.len());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Response {
        self.body = body.into();
        self
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Head and body as sent to a request of that version.
    pub(super) fn render(
        self,
        version: &str,
        extent: Extent,
        announce: Announce,
    ) -> (Vec<u8>, Vec<u8>) {
        let mut head = Vec::with_capacity(160 + self.headers.len());
        let mut number = [0; 20];
        for part in [version, " ", decimal(self.status.into(), &mut number), " "] {
            head.extend_from_slice(part.as_bytes());
        }
        head.extend_from_slice(reason(self.status).as_bytes());
        head.extend_from_slice(b"\r\nServer: Medusa/1.12\r\nDate: ");
        head.extend_from_slice(&date_now());
        head.extend_from_slice(b"\r\n");
        let cut = self.length_at.unwrap_or(self.headers.len());
        let (before, after) = self.headers.split_at_checked(cut).unwrap_or((&self.headers, ""));
        head.extend_from_slice(before.as_bytes());
        let has_body = !matches!(self.status, 204 | 304);
        if has_body && extent != Extent::Stream {
            let length = decimal(self.body.len() as u64, &mut number);
            for part in ["Content-Length: ", length, "\r\n"] {
                head.extend_from_slice(part.as_bytes());
            }
        }
        head.extend_from_slice(after.as_bytes());
        head.extend_from_slice(match announce {
            Announce::Nothing => b"\r\n",
            Announce::KeepAlive => b"Connection: Keep-Alive\r\n\r\n",
            Announce::Close => b"Connection: close\r\n\r\n",
        });
        let body = if has_body && extent == Extent::Whole { self.body } else { Vec::new() };
        (head, body)
    }
}

/// The phrase behind a status code.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Request Entity Too Large",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

/// The digits of a number; formatting machinery costs several times as much.
fn decimal(mut number: u64, buffer: &mut [u8; 20]) -> &str {
    let mut at = buffer.len();
    for (i, slot) in buffer.iter_mut().enumerate().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
        at = i;
        if number == 0 {
            break;
        }
    }
    buffer.get(at..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or("0")
}

/// The present second; each thread words one only once.
fn date_now() -> HttpDate {
    thread_local! {
        static LAST: Cell<(u64, HttpDate)> = const { Cell::new((u64::MAX, [0; 29])) };
    }
    let secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    LAST.with(|last| {
        let (second, date) = last.get();
        if second == secs {
            return date;
        }
        let date = http_date(secs);
        last.set((secs, date));
        date
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(response: Response, version: &str, extent: Extent, announce: Announce) -> String {
        let (mut head, body) = response.render(version, extent, announce);
        head.extend(body);
        let text = String::from_utf8(head).unwrap();
        let date = text.find("Date: ").unwrap() + 6;
        format!("{}D{}", &text[..date], &text[date + 29..])
    }

    #[test]
    fn an_error_page_is_that_of_the_original() {
        let page = Response::error(400);
        assert_eq!(page.body.len(), 136);
        assert_eq!(
            text(page, "HTTP/1.0", Extent::Whole, Announce::KeepAlive),
            "HTTP/1.0 400 Bad Request\r\nServer: Medusa/1.12\r\nDate: D\r\nContent-Length: 136\r\n\
             Content-Type: text/html\r\nConnection: Keep-Alive\r\n\r\n\
             <head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n\
             <h1>Error response</h1>\r\n<p>Error code 400.\r\n<p>Message: Bad Request.\r\n\
             </body>\r\n"
        );
        let lengths = [(401, 137), (404, 134), (411, 140), (500, 146)];
        for (status, length) in lengths {
            assert_eq!(Response::error(status).body.len(), length);
        }
    }

    #[test]
    fn headers_in_their_order() {
        let response = Response::new(200).header("Content-Type", "text/xml").body("<x/>");
        let whole = text(response.clone(), "HTTP/1.1", Extent::Whole, Announce::Nothing);
        assert_eq!(
            whole,
            "HTTP/1.1 200 OK\r\nServer: Medusa/1.12\r\nDate: D\r\nContent-Type: text/xml\r\n\
             Content-Length: 4\r\n\r\n<x/>"
        );
        let head = text(response.clone(), "HTTP/1.1", Extent::HeadOnly, Announce::Nothing);
        assert_eq!(head, whole.strip_suffix("<x/>").unwrap());
        let stream = text(response, "HTTP/2.0", Extent::Stream, Announce::Close);
        assert_eq!(
            stream,
            "HTTP/2.0 200 OK\r\nServer: Medusa/1.12\r\nDate: D\r\nContent-Type: text/xml\r\n\
             Connection: close\r\n\r\n"
        );
    }

    #[test]
    fn no_length_for_304() {
        assert_eq!(
            text(Response::new(304), "HTTP/1.1", Extent::Whole, Announce::Nothing),
            "HTTP/1.1 304 Not Modified\r\nServer: Medusa/1.12\r\nDate: D\r\n\r\n"
        );
    }

    #[test]
    fn a_value_cannot_become_a_header() {
        let response =
            Response::new(301).header("Location", "/?message=a\r\nSet-Cookie: x=\u{85}y");
        assert_eq!(response.headers, "Location: /?message=aSet-Cookie: x=y\r\n");
    }

    #[test]
    fn digits() {
        for number in [0, 9, 10, 279, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string());
        }
    }
}
