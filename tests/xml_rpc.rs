//! The XML-RPC codec from outside: samples byte for byte, lenient reading, round trips,
//! hostile texts.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use minder::xml_rpc::{
    Call, Fault, Logs, ParseError, Value, Writer, parse_answer, parse_call, write_answer,
    write_call, write_fault,
};

fn answer(value: &Value) -> String {
    let mut out = Vec::new();
    write_answer(value, &mut out);
    String::from_utf8(out).unwrap()
}

fn fault(code: i64, text: &str) -> String {
    let mut out = Vec::new();
    write_fault(code, text, &mut out);
    String::from_utf8(out).unwrap()
}

/// The request `m` whose parameters are this text.
fn call(params: &str) -> Result<Vec<Value>, ParseError> {
    let body = format!("<methodCall><methodName>m</methodName>{params}</methodCall>");
    parse_call(body.as_bytes()).map(|call| call.params)
}

/// The one parameter of that type and text.
fn param(value: &str) -> Result<Value, ParseError> {
    let params = format!("<params><param><value>{value}</value></param></params>");
    call(&params).map(|mut params| params.pop().unwrap())
}

fn text(text: &str) -> Value {
    Value::from(text)
}

mod written {
    use super::*;

    const STATE: &str = "<?xml version='1.0'?>
<methodResponse>
<params>
<param>
<value><struct>
<member>
<name>statecode</name>
<value><int>1</int></value>
</member>
<member>
<name>statename</name>
<value><string>RUNNING</string></value>
</member>
</struct></value>
</param>
</params>
</methodResponse>
";

    const BAD_NAME: &str = "<?xml version='1.0'?>
<methodResponse>
<fault>
<value><struct>
<member>
<name>faultCode</name>
<value><int>10</int></value>
</member>
<member>
<name>faultString</name>
<value><string>BAD_NAME: zzz</string></value>
</member>
</struct></value>
</fault>
</methodResponse>
";

    #[test]
    fn a_struct_is_supervisors_text() {
        let state = Value::Struct(vec![
            ("statecode".into(), Value::Int(1)),
            ("statename".into(), text("RUNNING")),
        ]);
        assert_eq!(answer(&state), STATE);
        assert_eq!(STATE.len(), 279);
    }

    #[test]
    fn a_fault_is_supervisors_text() {
        assert_eq!(fault(10, "BAD_NAME: zzz"), BAD_NAME);
        assert_eq!(BAD_NAME.len(), 269);
    }

    #[test]
    fn a_boolean_answer_has_supervisors_length() {
        let written = answer(&Value::Bool(true));
        assert_eq!(written.len(), 129);
        assert!(written.contains("<param>\n<value><boolean>1</boolean></value>\n</param>"));
    }

    #[test]
    fn an_answer_of_several_calls_has_supervisors_text() {
        let fault = Value::Struct(vec![
            ("faultCode".into(), Value::Int(10)),
            ("faultString".into(), text("BAD_NAME: zz")),
        ]);
        let written = answer(&Value::Array(vec![Value::Int(12441), fault]));
        assert_eq!(written.len(), 364);
        assert!(written.contains(
            "<value><array><data>\n<value><int>12441</int></value>\n<value><struct>\n<member>\n"
        ));
        assert!(written.contains("</member>\n</struct></value>\n</data></array></value>\n"));
    }

    #[test]
    fn empty_lists_and_structs_keep_their_lines() {
        let written = answer(&Value::Array(vec![Value::Struct(vec![]), Value::Array(vec![])]));
        assert!(written.contains(
            "<value><array><data>\n<value><struct>\n</struct></value>\n\
             <value><array><data>\n</data></array></value>\n</data></array></value>\n"
        ));
    }

    #[test]
    fn requests_are_those_of_pythons_client() {
        let body = write_call("m.x", &[text("a"), Value::Int(1)]);
        let wanted = "<?xml version='1.0'?>\n<methodCall>\n<methodName>m.x</methodName>\n<params>\n\
            <param>\n<value><string>a</string></value>\n</param>\n\
            <param>\n<value><int>1</int></value>\n</param>\n</params>\n</methodCall>\n";
        assert_eq!(String::from_utf8(body).unwrap(), wanted);
        let body = write_call("m.x", &[]);
        assert!(body.ends_with(b"</methodName>\n<params>\n</params>\n</methodCall>\n"));
    }

    #[test]
    fn integers_are_clamped_to_32_bits() {
        for (number, wanted) in [
            (0, "0"),
            (-1, "-1"),
            (907, "907"),
            (i64::from(i32::MAX), "2147483647"),
            (i64::from(i32::MAX) + 1, "2147483647"),
            (i64::from(i32::MIN), "-2147483648"),
            (i64::MIN, "-2147483648"),
        ] {
            assert!(answer(&Value::Int(number)).contains(&format!("<int>{wanted}</int>")));
        }
    }

    #[test]
    fn text_is_always_legal() {
        for (raw, wanted) in [
            ("", ""),
            ("a<b>&c;\"'", "a&lt;b&gt;&amp;c;\"'"),
            ("tab\tline\nend\r", "tab\tline\nend&#13;"),
            ("\0\u{1b}[1m\u{7f}", "\u{fffd}\u{fffd}[1m\u{7f}"),
            ("é\u{fffe}\u{ffff}\u{fffd}\u{ff21}", "é\u{fffd}\u{fffd}\u{fffd}\u{ff21}"),
            ("\u{10ffff}", "\u{10ffff}"),
        ] {
            let written = answer(&text(raw));
            assert!(written.contains(&format!("<string>{wanted}</string>")), "{written}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut out = Vec::new();
        Writer::new(&mut out).log(b"\xbcut \xe2\x82\xac < \xe2\x82");
        let wanted = "<value><string>\u{fffd}ut \u{20ac} &lt; \u{fffd}</string></value>\n";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }

    #[test]
    fn who_asks_gets_every_byte_of_a_log() {
        let sent = |bytes: &[u8]| {
            let mut out = Vec::new();
            let mut writer = Writer::new(&mut out).with_logs(Logs::Exactly);
            writer.begin_answer();
            writer.log(bytes);
            writer.end_answer();
            String::from_utf8(out).unwrap()
        };
        assert!(sent(b"\xbcut").contains("<value><base64>vHV0</base64></value>\n"));
        assert!(sent(b"plain\r\n").contains("<string>plain&#13;\n</string>"));
        let every: Vec<u8> = (0..=255).collect();
        let texts = ["", "a<b>&\r\n", "\u{1b}[1m", "\u{fffe}", "]]>", "h\u{e9}\r"];
        let all = texts.map(str::as_bytes).into_iter().chain([every.as_slice(), b"\xe2\x82"]);
        for bytes in all {
            let value = parse_answer(sent(bytes).as_bytes()).unwrap().unwrap();
            assert_eq!(value.as_bytes(), Some(bytes), "{bytes:?}");
        }
        assert_eq!(Logs::asked_for(Some("base64")), Logs::Exactly);
        assert_eq!(Logs::asked_for(Some("")), Logs::Text);
        assert_eq!(Logs::asked_for(None), Logs::Text);
    }

    #[test]
    fn nil_is_an_empty_string_and_doubles_have_a_point() {
        assert!(answer(&Value::Nil).contains("<value><string></string></value>"));
        assert!(answer(&Value::Double(-2.0)).contains("<double>-2.0</double>"));
    }

    #[test]
    fn members_written_one_by_one_are_the_same_text() {
        let value = Value::Array(vec![Value::Struct(vec![
            ("name".into(), text("a&b")),
            ("pid".into(), Value::Int(-7)),
            ("inuse".into(), Value::Bool(false)),
            ("exitcodes".into(), Value::Array(vec![Value::Int(0)])),
        ])]);
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.begin_answer();
        writer.begin_array();
        writer.begin_struct();
        writer.member_string("name", "a&b");
        writer.member_int("pid", -7);
        writer.member_bool("inuse", false);
        writer.begin_member("exitcodes");
        writer.begin_array();
        writer.int(0);
        writer.end_array();
        writer.end_member();
        writer.end_struct();
        writer.end_array();
        writer.end_answer();
        assert_eq!(String::from_utf8(out).unwrap(), answer(&value));
    }
}

mod lenient {
    use super::*;

    #[test]
    fn the_usual_request() {
        let body = b"<?xml version='1.0'?>\n<methodCall>\n<methodName>supervisor.getState\
            </methodName>\n<params>\n</params>\n</methodCall>\n";
        let wanted = Call { method: "supervisor.getState".into(), params: vec![] };
        assert_eq!(parse_call(body), Ok(wanted));
    }

    #[test]
    fn params_may_be_missing_empty_or_first() {
        assert_eq!(call(""), Ok(vec![]));
        assert_eq!(call("<params/>"), Ok(vec![]));
        let body =
            b"<x><params><param><value>a</value></param></params><methodName>m</methodName></x>";
        assert_eq!(parse_call(body).unwrap().params, [text("a")]);
    }

    #[test]
    fn nothing_is_trimmed_from_the_method() {
        let body = b"<methodCall><methodName> m\n</methodName></methodCall>";
        assert_eq!(parse_call(body).unwrap().method, " m\n");
    }

    #[test]
    fn the_declared_encoding_is_ignored() {
        let body =
            "<?xml version=\"1.0\" encoding=\"latin-1\"?><a><methodName>\u{e9}</methodName></a>";
        assert_eq!(parse_call(body.as_bytes()).unwrap().method, "\u{e9}");
        let marked = format!("\u{feff}{body}");
        assert_eq!(parse_call(marked.as_bytes()).unwrap().method, "\u{e9}");
    }

    #[test]
    fn every_type_is_taken() {
        let list = |items: &[Value]| Value::Array(items.to_vec());
        for (wire, wanted) in [
            ("<int>5</int>", Value::Int(5)),
            ("<i4> -5\n</i4>", Value::Int(-5)),
            ("<int>+07</int>", Value::Int(7)),
            ("<int>99999999999999999999</int>", Value::Int(i64::MAX)),
            ("<boolean>1</boolean>", Value::Bool(true)),
            ("<boolean>0</boolean>", Value::Bool(false)),
            ("<boolean>true</boolean>", Value::Bool(false)),
            ("<boolean/>", Value::Bool(false)),
            ("<string>a b</string>", text("a b")),
            ("<string/>", text("")),
            ("bare", text("bare")),
            ("", text("")),
            (" \n ", text(" \n ")),
            (" <string>x</string> ", text("x")),
            ("<double>0.5</double>", Value::Double(0.5)),
            ("<double> 1e3 </double>", Value::Double(1000.0)),
            ("<dateTime.iso8601>20261121T00:49:47</dateTime.iso8601>", text("20261121T00:49:47")),
            ("<base64>aMOpCg==</base64>", text("h\u{e9}\n")),
            ("<base64>\n aM\n OpCg==\n</base64>", text("h\u{e9}\n")),
            ("<base64>*</base64>", text("")),
            ("<base64>aM*OpCg==aM</base64>", text("h\u{e9}\n")),
            ("<base64/>", text("")),
            ("<int>1_0</int>", Value::Int(10)),
            ("<i8>12</i8>", text("12")),
            ("<anything a='b'>t</anything>", text("t")),
            ("<nil/>", Value::Nil),
            ("<array><data/></array>", list(&[])),
            (
                "<array><data><value>a</value><value><i4>1</i4></value></data></array>",
                list(&[text("a"), Value::Int(1)]),
            ),
            ("<struct/>", Value::Struct(vec![])),
            (
                "<struct><member><name>k</name><value>v</value></member></struct>",
                Value::Struct(vec![("k".into(), text("v"))]),
            ),
            (
                "<struct><member><name/><value/></member></struct>",
                Value::Struct(vec![(String::new(), text(""))]),
            ),
        ] {
            assert_eq!(param(wire), Ok(wanted), "{wire}");
        }
    }

    #[test]
    fn references_sections_and_comments_are_text() {
        let wire = "a&lt;&gt;&amp;&quot;&apos;&#65;&#x42;<!-- no --><![CDATA[<c>&amp;]]><?pi?>d";
        assert_eq!(param(wire), Ok(text("a<>&\"'AB<c>&amp;d")));
        assert_eq!(param("<string>1\r\n2\r3&#13;</string>"), Ok(text("1\n2\n3\r")));
    }

    #[test]
    fn the_last_of_equal_members_counts() {
        let value = param(
            "<struct><member><name>k</name><value>1</value></member>\
             <member><name>k</name><value>2</value></member></struct>",
        );
        assert_eq!(value.unwrap().member("k"), Some(&text("2")));
    }

    #[test]
    fn answers_and_faults_are_read() {
        let body = fault(10, "BAD_NAME: z<z");
        let wanted = Fault { code: 10, text: "BAD_NAME: z<z".into() };
        assert_eq!(parse_answer(body.as_bytes()), Ok(Err(wanted)));
        let body = answer(&text("x"));
        assert_eq!(parse_answer(body.as_bytes()), Ok(Ok(text("x"))));
        for body in ["", "<a/>", "<a><fault/></a>", "<a><params/></a>"] {
            assert_eq!(parse_answer(body.as_bytes()), Err(ParseError::NotWellFormed), "{body}");
        }
    }

    #[test]
    fn answers_of_older_daemons_may_hold_control_characters() {
        let body =
            b"<r><params><param><value><string>a\x1b[1m\xff</string></value></param></params></r>";
        assert_eq!(parse_answer(body), Ok(Ok(text("a\u{1b}[1m\u{fffd}"))));
    }
}

mod refused {
    use super::*;

    #[test]
    fn texts_without_a_method() {
        for body in ["<methodCall/>", "<a><methodName/></a>", "<methodName></methodName>"] {
            assert_eq!(parse_call(body.as_bytes()), Err(ParseError::NoMethodName), "{body}");
        }
    }

    #[test]
    fn texts_that_are_no_xml() {
        let shell = |inner: &str| format!("<c><methodName>m</methodName>{inner}</c>");
        let mut bodies: Vec<String> =
            ["", " ", "x", "<", "<c>", "</c>", "<c/><c/>", "<c/>x", "x<c/>", "<1/>"]
                .map(String::from)
                .to_vec();
        bodies.extend(
            [
                "<a></b>",
                "<a b></a>",
                "<a b=c/>",
                "&nosuch;",
                "&",
                "&#0;",
                "&#1;",
                "&#xFFFF;",
                "&#xD800;",
                "\u{0}",
                "\u{1b}",
                "\u{ffff}",
                "<!-- ",
                "<![CDATA[",
                "<?xml version='1.0'?>",
                "]]>",
            ]
            .map(shell),
        );
        bodies.push("<!DOCTYPE c><c><methodName>m</methodName></c>".into());
        bodies.push("<c><methodName>m</methodName></c>&amp;".into());
        for body in bodies {
            assert_eq!(parse_call(body.as_bytes()), Err(ParseError::NotWellFormed), "{body:?}");
        }
        let body = b"<c><methodName>\xff</methodName></c>";
        assert_eq!(parse_call(body), Err(ParseError::NotWellFormed));
    }

    #[test]
    fn values_that_are_not_of_their_type() {
        for wire in [
            "<int>x</int>",
            "<int/>",
            "<int>1.5</int>",
            "<i4>- 1</i4>",
            "<double>x</double>",
            "<double/>",
            "<dateTime.iso8601>yesterday</dateTime.iso8601>",
            "<dateTime.iso8601>20261321T00:49:47</dateTime.iso8601>",
            "<base64>/w==</base64>",
            "<base64>AA</base64>",
            "<array/>",
            "<struct><member/></struct>",
            "<struct><member><name>k</name></member></struct>",
            "<struct><value>x</value></struct>",
        ] {
            assert_eq!(param(wire), Err(ParseError::NotWellFormed), "{wire}");
        }
        assert_eq!(call("<params><param/></params>"), Err(ParseError::NotWellFormed));
    }
}

mod hostile {
    use super::*;

    #[test]
    fn deep_nesting_is_an_error() {
        for tag in ["value", "array", "struct", "x"] {
            let deep = format!("<{tag}>").repeat(100_000);
            assert_eq!(call(&deep), Err(ParseError::TooLarge), "{tag}");
        }
        let deep = "<value><array><data>".repeat(100_000);
        assert_eq!(call(&deep), Err(ParseError::TooLarge));
        assert_eq!(parse_answer(deep.as_bytes()), Err(ParseError::TooLarge));
    }

    #[test]
    fn values_are_counted() {
        let list = |count: usize| {
            param(&format!("<array><data>{}</data></array>", "<value/>".repeat(count)))
        };
        assert!(list(99_000).is_ok());
        assert_eq!(list(1_000_000), Err(ParseError::TooLarge));
        assert_eq!(
            call(&format!("<params>{}</params>", "<param><value/></param>".repeat(100_001))),
            Err(ParseError::TooLarge)
        );
        let members = "<m><n/><v/></m>".repeat(100_001);
        assert_eq!(param(&format!("<struct>{members}</struct>")), Err(ParseError::TooLarge));
    }

    #[test]
    fn a_million_elements_or_attributes_pass_quickly() {
        assert_eq!(call(&"<x/>".repeat(1_000_000)), Ok(vec![]));
        let attributes: String = (0..100_000).map(|n| format!(" a{n}='{n}'")).collect();
        assert_eq!(call(&format!("<x{attributes}/>")), Ok(vec![]));
    }

    #[test]
    fn entities_can_not_be_declared() {
        let bomb = "<!DOCTYPE c [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>\
            <c><methodName>&b;</methodName></c>";
        assert_eq!(parse_call(bomb.as_bytes()), Err(ParseError::NotWellFormed));
    }

    #[test]
    fn no_cut_of_a_request_is_taken_or_panics() {
        let value =
            Value::Struct(vec![("k&".into(), Value::Array(vec![text("\u{e9}<"), Value::Int(1)]))]);
        let body = write_call("m.x", &[value]);
        let whole = body.trim_ascii_end();
        for length in 0..whole.len() {
            assert!(parse_call(whole.get(..length).unwrap()).is_err(), "{length}");
        }
        assert!(parse_call(whole).is_ok());
    }

    #[test]
    fn no_changed_byte_panics() {
        let body = write_call("m.x", &[Value::Array(vec![text("a&b"), Value::Bool(true)])]);
        let mut random = Random(7);
        for _ in 0..20_000 {
            let mut changed = body.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(changed.len());
                *changed.get_mut(at).unwrap() = b"<>/&;!?[] x\0\xff\xc3'\"-"[random.below(17)];
            }
            let _ = parse_call(&changed);
            let _ = parse_answer(&changed);
        }
    }
}

/// A small seeded generator (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 14] = [
            'a',
            'Z',
            ' ',
            '\n',
            '\t',
            '\r',
            '<',
            '>',
            '&',
            '"',
            '\u{e9}',
            '\u{20ac}',
            '\u{ffef}',
            '\u{1f980}',
        ];
        (0..self.below(12)).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => Value::Int(i64::from(self.next() as i32)),
            1 => Value::Bool(self.below(2) == 0),
            2 => Value::String(self.text()),
            3 => Value::Double(f64::from(self.next() as i32) / 8.0),
            4 => Value::Array((0..self.below(5)).map(|_| self.value(depth - 1)).collect()),
            _ => Value::Struct(
                (0..self.below(5)).map(|_| (self.text(), self.value(depth - 1))).collect(),
            ),
        }
    }
}

#[test]
fn what_is_written_is_read_again() {
    let mut random = Random(42);
    for _ in 0..3_000 {
        let value = random.value(5);
        assert_eq!(parse_answer(answer(&value).as_bytes()), Ok(Ok(value.clone())));
        let called = parse_call(&write_call("n.m", &[value.clone(), Value::Bool(true)]));
        assert_eq!(called.unwrap().params, [value, Value::Bool(true)]);
        let (code, text) = (random.next() as i32, random.text());
        let wanted = Fault { code: i64::from(code), text: text.clone() };
        assert_eq!(parse_answer(fault(i64::from(code), &text).as_bytes()), Ok(Err(wanted)));
    }
}
