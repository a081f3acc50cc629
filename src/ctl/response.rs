//! Reading an HTTP answer from a buffered stream: the head, then the body in pieces,
//! whatever way its length is told.

use std::io::{self, BufRead, Read as _};

use super::error::CallError;

/// Longer heads are not an answer.
const MOST_HEAD_BYTES: usize = 64 * 1024;
const MOST_HEADERS: usize = 100;
/// What an error shows of an answer.
const MOST_SHOWN_BYTES: usize = 200;
/// A line of chunk size or trailer.
const MOST_LINE_BYTES: u64 = 4096;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// What is needed of an answer's head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub code: u16,
    pub reason: String,
    pub framing: Framing,
    /// Whether another request may follow on this connection.
    pub keep: bool,
}

/// Reads a head; interim ones (1xx) are passed over.
pub(super) fn read_head(reader: &mut impl BufRead) -> Result<Head, CallError> {
    loop {
        let bytes = read_head_bytes(reader)?;
        if !bytes.starts_with(b"HTTP/") {
            return Err(CallError::NoHttp(first_line(&bytes)));
        }
        let head = parse_head(&bytes)?;
        if !(100..200).contains(&head.code) {
            return Ok(head);
        }
    }
}

/// All bytes up to and with the empty line.
fn read_head_bytes(reader: &mut impl BufRead) -> Result<Vec<u8>, CallError> {
    let mut bytes = Vec::new();
    loop {
        let room = (MOST_HEAD_BYTES - bytes.len()) as u64;
        let read = reader.take(room).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Err(match bytes.len() {
                0 => CallError::NoAnswer,
                _ if !bytes.starts_with(b"HTTP/") => CallError::NoHttp(first_line(&bytes)),
                MOST_HEAD_BYTES => bad("the head is too long"),
                _ => bad("the head is cut off"),
            });
        }
        if bytes.ends_with(b"\r\n\r\n") || bytes.ends_with(b"\n\n") {
            return Ok(bytes);
        }
    }
}

/// The first line, as far as a line of an error goes, and nothing that moves a cursor.
fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = String::from_utf8_lossy(line.get(..MOST_SHOWN_BYTES).unwrap_or(line)).into_owned();
    text.trim_end().replace(char::is_control, "?")
}

fn parse_head(bytes: &[u8]) -> Result<Head, CallError> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| bad(&error.to_string()))?;
    if parsed.is_partial() {
        return Err(bad("the head is cut off"));
    }
    let code = response.code.unwrap_or_default();
    let mut framing = Framing::UntilClose;
    let mut keep = response.version == Some(1);
    for header in response.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        if header.name.eq_ignore_ascii_case("content-length") && framing != Framing::Chunked {
            let length = value.trim().parse().map_err(|_| bad("a bad Content-Length"))?;
            framing = Framing::Length(length);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.trim().eq_ignore_ascii_case("chunked") {
                return Err(bad("an unknown Transfer-Encoding"));
            }
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            keep = match value.trim().to_ascii_lowercase().as_str() {
                "close" => false,
                "keep-alive" => true,
                _ => keep,
            };
        }
    }
    if matches!(code, 204 | 304) {
        framing = Framing::Length(0);
    }
    let keep = keep && framing != Framing::UntilClose;
    Ok(Head { code, reason: response.reason.unwrap_or_default().to_owned(), framing, keep })
}

/// Hands the body to `sink` piece by piece, as it comes.
pub(super) fn read_body<R: BufRead>(
    reader: &mut R,
    framing: Framing,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), CallError>,
) -> Result<(), CallError> {
    match framing {
        Framing::Length(length) => {
            let mut read = 0;
            let counted = pieces(reader, length, &mut |piece| {
                read += piece.len() as u64;
                sink(piece)
            });
            match counted {
                Err(CallError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Err(CallError::CutOff { read, left: length.saturating_sub(read) })
                }
                counted => counted,
            }
        }
        Framing::UntilClose => loop {
            let piece = fill(reader)?;
            let length = piece.len();
            if length == 0 {
                return Ok(());
            }
            sink(piece)?;
            reader.consume(length);
        },
        Framing::Chunked => {
            loop {
                let size = chunk_size(&line(reader)?)?;
                if size == 0 {
                    break;
                }
                pieces(reader, size, sink)?;
                line(reader)?;
            }
            // Trailers, up to an empty line.
            while !line(reader)?.is_empty() {}
            Ok(())
        }
    }
}

/// Hands exactly `left` bytes to `sink`.
fn pieces<R: BufRead>(
    reader: &mut R,
    mut left: u64,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), CallError>,
) -> Result<(), CallError> {
    while left > 0 {
        let buffered = fill(reader)?;
        let length = buffered.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match buffered.get(..length) {
            Some(piece) if !piece.is_empty() => sink(piece)?,
            _ => return Err(CallError::Io(io::ErrorKind::UnexpectedEof.into())),
        }
        reader.consume(length);
        left -= length as u64;
    }
    Ok(())
}

/// `fill_buf` that does not stop at a signal.
fn fill<R: BufRead>(reader: &mut R) -> io::Result<&[u8]> {
    while let Err(error) = reader.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // What was read is in the buffer, so this one reads nothing.
    reader.fill_buf()
}

/// A line without its end.
fn line(reader: &mut impl BufRead) -> Result<Vec<u8>, CallError> {
    let mut bytes = Vec::new();
    reader.take(MOST_LINE_BYTES).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(CallError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(bytes)
}

fn chunk_size(line: &[u8]) -> Result<u64, CallError> {
    let text = String::from_utf8_lossy(line);
    let digits = text.split([';', ' ']).next().unwrap_or_default();
    u64::from_str_radix(digits, 16).map_err(|_| bad("a bad chunk size"))
}

fn bad(text: &str) -> CallError {
    CallError::BadAnswer(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut text: &[u8]) -> Result<(Head, Vec<u8>), CallError> {
        let head = read_head(&mut text)?;
        let mut body = Vec::new();
        read_body(&mut text, head.framing, &mut |piece| {
            body.extend_from_slice(piece);
            Ok(())
        })?;
        Ok((head, body))
    }

    #[test]
    fn bodies_by_length_chunks_and_close() {
        let (head, body) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef").unwrap();
        assert_eq!((body.as_slice(), head.keep), (b"abc".as_slice(), true));
        let (head, body) = read(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
        )
        .unwrap();
        assert_eq!((body.as_slice(), head.keep), (b"abc0123456789".as_slice(), true));
        let (head, body) = read(b"HTTP/1.0 200 OK\r\n\r\nabc").unwrap();
        assert_eq!((body.as_slice(), head.keep), (b"abc".as_slice(), false));
    }

    #[test]
    fn connections_that_close() {
        let (head, _) =
            read(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
        assert!(!head.keep);
        let (head, _) =
            read(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
        assert!(head.keep);
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let (head, _) = read(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        )
        .unwrap();
        assert_eq!((head.code, head.reason.as_str()), (401, "Unauthorized"));
    }

    #[test]
    fn cut_or_odd_answers_are_errors() {
        assert!(matches!(read(b""), Err(CallError::NoAnswer)));
        for text in [
            "HTTP/1.1 200 OK\r\n",
            "nonsense\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(&b"x".repeat(100_000)).is_err());
    }

    #[test]
    fn strangers_are_named_as_scripts_know_them() {
        let told = |text: &[u8]| {
            let error = read(text).unwrap_err();
            format!("{} {error}", error.kind())
        };
        let line = "http.client.BadStatusLine 220 mail ?[31m";
        assert_eq!(told(b"220 mail \x1b[31m\r\n"), line);
        assert_eq!(told(b"220 mail \x1b[31m\r\nmore\r\n\r\n"), line);
        assert!(told(&b"x".repeat(100_000)).len() < 300);
        assert_eq!(
            told(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"),
            "http.client.IncompleteRead IncompleteRead(3 bytes read, 2 more expected)"
        );
    }
}
