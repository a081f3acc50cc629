//! Reading logs back: which bytes an offset and a length mean.

use std::io;
use std::ops::Range;
use std::path::Path;

use crate::sys::file;

/// Why a log can't be read.
#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Offset and length do not go together.
    BadArguments,
    /// There is no such file.
    NoFile,
    /// More than the bound of one answer.
    TooLong,
    /// It can't be read.
    Failed,
}

/// The most that one answer carries, bytes.
pub const ANSWER_LIMIT: u64 = 16 << 20;

/// The bytes that readLog means in a file of `size` bytes.
///
/// # Errors
/// `BadArguments`.
pub fn span(offset: i64, length: i64, size: u64) -> Result<Range<u64>, ReadError> {
    if length < 0 || (offset < 0 && length != 0) {
        return Err(ReadError::BadArguments);
    }
    let end_of = |start: u64| match length {
        0 => size,
        n => size.min(start.saturating_add(n.unsigned_abs())),
    };
    let start = match u64::try_from(offset) {
        Ok(start) => start.min(size),
        Err(_) => size.saturating_sub(offset.unsigned_abs()),
    };
    Ok(start..end_of(start))
}

/// What tailLog answers, but for the bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Tail {
    /// The bytes that are sent.
    pub span: Range<u64>,
    /// The size, which is the next offset.
    pub offset: u64,
    /// More was written than fits.
    pub overflow: bool,
}

/// The bytes that tailLog means in a file of `size` bytes. New ones are never left out for old
/// ones, but old ones may come along: clients take the last of them.
pub fn tail(offset: i64, length: i64, size: u64) -> Tail {
    let wide = |n: i64| i128::from(n);
    let overflow = i128::from(size) > wide(offset) + wide(length);
    let nothing = wide(offset) >= i128::from(size) || length <= 0;
    let take = if nothing { 0 } else { length.unsigned_abs().min(size) };
    Tail { span: size - take..size, offset: size, overflow }
}

/// Reads what readLog means.
///
/// # Errors
/// See [`ReadError`].
pub fn read_log(path: &Path, offset: i64, length: i64) -> Result<Vec<u8>, ReadError> {
    let (file, size) = file::open_read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::NoFile,
        _ => ReadError::Failed,
    })?;
    let span = span(offset, length, size)?;
    read_span(&file, &span)
}

/// Reads what tailLog means; nothing where there is no log.
///
/// # Errors
/// Only `TooLong`.
pub fn tail_log(path: &Path, offset: i64, length: i64) -> Result<(Vec<u8>, Tail), ReadError> {
    let none = || Tail { span: 0..0, offset: 0, overflow: false };
    let Ok((file, size)) = file::open_read(path) else { return Ok((Vec::new(), none())) };
    let tail = tail(offset, length, size);
    match read_span(&file, &tail.span) {
        Ok(data) => Ok((data, tail)),
        Err(ReadError::TooLong) => Err(ReadError::TooLong),
        Err(_) => Ok((Vec::new(), none())),
    }
}

fn read_span(file: &std::fs::File, span: &Range<u64>) -> Result<Vec<u8>, ReadError> {
    let len = span.end.saturating_sub(span.start);
    if len > ANSWER_LIMIT {
        return Err(ReadError::TooLong);
    }
    let len = usize::try_from(len).map_err(|_| ReadError::TooLong)?;
    file::read_at(file, span.start, len).map_err(|_| ReadError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_ten_bytes() {
        let rows = [
            ((0, 0), Ok(0..10)),
            ((0, 3), Ok(0..3)),
            ((3, 4), Ok(3..7)),
            ((5, 100), Ok(5..10)),
            ((3, 0), Ok(3..10)),
            ((10, 0), Ok(10..10)),
            ((20, 5), Ok(10..10)),
            ((-3, 0), Ok(7..10)),
            ((-100, 0), Ok(0..10)),
            ((-3, 5), Err(ReadError::BadArguments)),
            ((0, -1), Err(ReadError::BadArguments)),
            ((i64::MIN, 0), Ok(0..10)),
            ((i64::MAX, i64::MAX), Ok(10..10)),
        ];
        for ((offset, length), want) in rows {
            assert_eq!(span(offset, length, 10), want, "{offset}, {length}");
        }
    }

    #[test]
    fn tails_of_ten_bytes() {
        let rows = [
            ((0, 0), 10..10, true),
            ((0, 5), 5..10, true),
            ((3, 4), 6..10, true),
            ((5, 5), 5..10, false),
            ((9, 5), 5..10, false),
            ((5, 100), 0..10, false),
            ((10, 5), 10..10, false),
            ((20, 5), 10..10, false),
            ((0, -1), 10..10, true),
        ];
        for ((offset, length), span, overflow) in rows {
            let want = Tail { span, offset: 10, overflow };
            assert_eq!(tail(offset, length, 10), want, "{offset}, {length}");
        }
        tail(i64::MIN, i64::MIN, u64::MAX);
    }
}
