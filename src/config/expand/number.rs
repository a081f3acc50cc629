//! The number conversions of `expand`.
#![forbid(unsafe_code)]

use super::Spec;

/// Formats a whole number with one of `d i u o x X e E f F g G`.
pub(super) fn format(spec: &Spec<'_>, n: i64) -> String {
    let sign = match (n < 0, spec.flags.plus, spec.flags.blank) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    let alternate = |prefix| if spec.flags.alternate { prefix } else { "" };
    let magnitude = n.unsigned_abs();
    let (prefix, digits) = match spec.conversion {
        'o' => (alternate("0o"), filled(format!("{magnitude:o}"), spec.precision)),
        'x' => (alternate("0x"), filled(format!("{magnitude:x}"), spec.precision)),
        'X' => (alternate("0X"), filled(format!("{magnitude:X}"), spec.precision)),
        'd' | 'i' | 'u' => ("", filled(magnitude.to_string(), spec.precision)),
        _ => ("", real(spec, magnitude)),
    };
    let used = sign.len() + prefix.len() + digits.len();
    let fill = spec.width.saturating_sub(used);
    match (spec.flags.left, spec.flags.zero) {
        (true, _) => format!("{sign}{prefix}{digits}{}", " ".repeat(fill)),
        (false, true) => format!("{sign}{prefix}{}{digits}", "0".repeat(fill)),
        (false, false) => format!("{}{sign}{prefix}{digits}", " ".repeat(fill)),
    }
}

/// At least as many digits as the precision says.
fn filled(digits: String, precision: Option<usize>) -> String {
    let missing = precision.unwrap_or(0).saturating_sub(digits.len());
    format!("{}{digits}", "0".repeat(missing))
}

fn real(spec: &Spec<'_>, magnitude: u64) -> String {
    let value = magnitude as f64;
    let precision = spec.precision.unwrap_or(6);
    let point = spec.flags.alternate;
    let text = match spec.conversion.to_ascii_lowercase() {
        'f' => with_point(format!("{value:.precision$}"), point),
        'e' => scientific(value, precision, point),
        _ => general(value, precision.max(1), point),
    };
    if spec.conversion.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

fn with_point(digits: String, always: bool) -> String {
    if always && !digits.contains('.') { format!("{digits}.") } else { digits }
}

/// `1.5e+02`: at least two digits of exponent, always signed. The exponent of a whole number
/// is not negative.
fn scientific(value: f64, precision: usize, point: bool) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e+{exponent:0>2}", with_point(mantissa.to_owned(), point))
}

/// The shorter form, without trailing zeros unless the alternate form is asked for.
fn general(value: f64, precision: usize, point: bool) -> String {
    let text = format!("{value:.*e}", precision - 1);
    let exponent: usize = text.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    if exponent >= precision {
        let text = scientific(value, precision - 1, point);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{exponent}", trimmed(mantissa, point));
    }
    let text = format!("{value:.*}", precision - 1 - exponent);
    trimmed(&with_point(text, point), point).to_owned()
}

fn trimmed(digits: &str, keep: bool) -> &str {
    if keep || !digits.contains('.') {
        return digits;
    }
    digits.trim_end_matches('0').trim_end_matches('.')
}
