//! Values of any type as the words that a fault quotes, or an event carries, in Supervisor's
//! place for a text: `7`, `True`, `['a', None]`.

use crate::config::quote::quote;
use crate::xml_rpc::Value;

/// A text as it is, any other value in Python's words for it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Double(number) => float(*number),
        Value::Nil => "None".to_owned(),
        Value::Array(items) => format!("[{}]", list(items.iter().map(nested))),
        Value::Struct(members) => {
            let members = members.iter().map(|(key, value)| (quote(key), nested(value)));
            format!("{{{}}}", list(members.map(|(key, value)| format!("{key}: {value}"))))
        }
    }
}

/// Within another value texts stand in quotes.
fn nested(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        other => shown(other),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// The shortest digits that mean the number; an exponent has a sign and two digits.
fn float(number: f64) -> String {
    let text = format!("{number:?}").to_lowercase();
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let exponent: i32 = exponent.parse().unwrap_or(0);
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", digits.trim_end_matches(".0"), exponent.unsigned_abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value() {
        let rows = [
            (Value::from("it's <a>"), "it's <a>"),
            (Value::Int(-7), "-7"),
            (Value::Bool(true), "True"),
            (Value::Double(1.0), "1.0"),
            (Value::Double(0.1), "0.1"),
            (Value::Double(1e16), "1e+16"),
            (Value::Double(1.5e300), "1.5e+300"),
            (Value::Double(1e-5), "1e-05"),
            (Value::Double(f64::NAN), "nan"),
            (Value::Double(f64::NEG_INFINITY), "-inf"),
            (Value::Nil, "None"),
            (Value::Array(Vec::new()), "[]"),
            (Value::Array(vec![Value::from("it's"), Value::Nil]), "[\"it's\", None]"),
            (Value::Struct(vec![("a".to_owned(), Value::from("b"))]), "{'a': 'b'}"),
        ];
        for (value, want) in rows {
            assert_eq!(shown(&value), want);
        }
    }
}
