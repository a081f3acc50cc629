//! Values as JSON, on one line.

use crate::xml_rpc::Value;

/// A list with a line for each of its elements, so that it can be read by line, too.
pub(super) fn list(items: &[&Value]) -> String {
    if items.is_empty() {
        return "[]\n".to_owned();
    }
    let mut text = "[\n".to_owned();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push_str(",\n");
        }
        push(&mut text, item);
    }
    text.push_str("\n]\n");
    text
}

fn push(out: &mut String, value: &Value) {
    match value {
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::String(text) => push_string(out, text),
        Value::Bytes(bytes) => push_string(out, &String::from_utf8_lossy(bytes)),
        // JSON has no other numbers.
        Value::Double(number) if number.is_finite() => out.push_str(&number.to_string()),
        Value::Double(_) | Value::Nil => out.push_str("null"),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                push(out, item);
            }
            out.push(']');
        }
        Value::Struct(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                push_string(out, name);
                out.push_str(": ");
                push(out, member);
            }
            out.push('}');
        }
    }
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Those that end a line or move a terminal's cursor.
            letter if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value() {
        let all = Value::Struct(vec![
            ("int".into(), Value::Int(-1)),
            ("bool".into(), Value::Bool(true)),
            ("double".into(), Value::Double(1.5)),
            ("none".into(), Value::Double(f64::NAN)),
            ("nil".into(), Value::Nil),
            ("list".into(), Value::Array(vec![Value::Int(1), Value::Bool(false)])),
            ("empty".into(), Value::Array(vec![])),
            ("a\"\\\n\r\t\u{1b}\u{7f}\u{85}\u{2028}ä€😀".into(), Value::from("")),
        ]);
        let text = "{\"int\": -1, \"bool\": true, \"double\": 1.5, \"none\": null, \"nil\": null, \
            \"list\": [1, false], \"empty\": [], \
            \"a\\\"\\\\\\n\\r\\t\\u001b\\u007f\\u0085\\u2028ä€😀\": \"\"}";
        assert_eq!(list(&[&all]), format!("[\n{text}\n]\n"));
    }

    #[test]
    fn a_line_for_each_element() {
        assert_eq!(list(&[]), "[]\n");
        let (one, two) = (Value::Int(1), Value::Int(2));
        assert_eq!(list(&[&one, &two]), "[\n1,\n2\n]\n");
    }
}
