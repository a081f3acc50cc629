//! Dates as HTTP writes them.

use std::fmt;

/// A date of RFC 1123, as in `Sat, 21 Nov 2026 00:49:47 GMT`.
pub type HttpDate = [u8; 29];

/// Words seconds since 1970 as a date of RFC 1123.
pub fn http_date(secs: u64) -> HttpDate {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let days = secs / 86400;
    let (year, month, day) = civil(days);
    let weekday = DAYS.get((days % 7) as usize).unwrap_or(&"");
    let text = format!("{weekday}, {day:02} {month} {year:04} {} GMT", TimeOfDay(secs));
    // Only a year beyond 9999 has another length.
    text.as_bytes().try_into().unwrap_or(*b"Fri, 31 Dec 9999 23:59:59 GMT")
}

/// Hours, minutes and seconds of a moment counted in seconds.
pub(super) struct TimeOfDay(pub(super) u64);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0 % 86400;
        write!(f, "{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Year, month's name, day from 1, of a day counted from 1970.
pub(super) fn civil(days: u64) -> (u64, &'static str, u64) {
    let mut year = 1970 + days / 146_097 * 400;
    let mut left = days % 146_097;
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    loop {
        let length = 365 + u64::from(leap(year));
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = "";
    for (length, name) in lengths.into_iter().zip(MONTHS) {
        month = name;
        if left < length {
            break;
        }
        left -= length;
    }
    (year, month, left + 1)
}

/// The seconds since 1970 of a date in any of the forms that HTTP has had: `Sat, 21 Nov 2026
/// 00:49:47 GMT`, `Saturday, 21-Nov-26 00:49:47 GMT`, `Sat Nov 21 00:49:47 2026`. The day of the
/// week is not looked at.
pub(super) fn seconds_of(date: &str) -> Option<u64> {
    let is_apart = |c: char| matches!(c, ' ' | ',' | '-');
    let mut parts = date.split(is_apart).filter(|part| !part.is_empty()).skip(1);
    let mut next = || parts.next();
    let (day, month, year, time) = match (next()?, next()?, next()?, next()?, next()) {
        (day, month, year, time, Some(zone)) if zone.eq_ignore_ascii_case("GMT") => {
            (day, month, year, time)
        }
        (month, day, time, year, None) => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as u64;
    let year = match (year.len(), number(year)?) {
        (2, short @ 70..) => 1900 + short,
        (2, short) => 2000 + short,
        (4, year @ 1970..) => year,
        _ => return None,
    };
    let day = number(day).filter(|day| (1..=31).contains(day))?;
    let mut clock = time.split(':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if clock.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Counted from March, so that the leap day is a year's last.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    /// So many days, counted so, before 1970.
    const BEFORE: u64 = 719_469;
    let days = days.checked_sub(BEFORE)?;
    Some(days * 86400 + hour * 3600 + minute * 60 + second)
}

/// Up to four digits.
fn number(text: &str) -> Option<u64> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let table: [(u64, &[u8]); 5] = [
            (0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, b"Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_795_222_187, b"Sat, 21 Nov 2026 00:49:47 GMT"),
            (4_107_542_399, b"Sun, 28 Feb 2100 23:59:59 GMT"),
            (u64::MAX, b"Fri, 31 Dec 9999 23:59:59 GMT"),
        ];
        for (secs, date) in table {
            assert_eq!(http_date(secs), date, "{secs}");
        }
    }

    #[test]
    fn dates_are_read_as_they_are_written() {
        for day in 0..150_000 {
            let secs = day * 86400 + day * 7919 % 86400;
            let date = http_date(secs);
            assert_eq!(seconds_of(std::str::from_utf8(&date).unwrap()), Some(secs));
        }
    }

    #[test]
    fn dates_in_any_form() {
        let moment = Some(1_795_222_187);
        for date in [
            "Sat, 21 Nov 2026 00:49:47 GMT",
            "sat, 21 nov 2026 00:49:47 gmt",
            "Saturday, 21-Nov-26 00:49:47 GMT",
            "Saturday, 21-Nov-2026 00:49:47 GMT",
            "Sat Nov 21 00:49:47 2026",
        ] {
            assert_eq!(seconds_of(date), moment, "{date}");
        }
        assert_eq!(seconds_of("Sun Nov  6 08:49:37 1994"), Some(784_111_777));
        assert_eq!(seconds_of("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
        for nonsense in [
            "",
            "x",
            "Sat, 21 Nov 2026 00:49:47",
            "Sat, 21 Nov 2026 00:49:47 CET",
            "Sat, 21 Nov 2026 24:49:47 GMT",
            "Sat, 21 Nov 2026 00:49 GMT",
            "Sat, 32 Nov 2026 00:49:47 GMT",
            "Sat, 0 Nov 2026 00:49:47 GMT",
            "Sat, +1 Nov 2026 00:49:47 GMT",
            "Sat, 21 Now 2026 00:49:47 GMT",
            "Sat, 21 Nov 1969 00:49:47 GMT",
            "Sat, 21 Nov 99999999999999999999 00:49:47 GMT",
        ] {
            assert_eq!(seconds_of(nonsense), None, "{nonsense:?}");
        }
    }
}
