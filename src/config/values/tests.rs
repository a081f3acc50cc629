use super::*;

fn text<T>(result: Result<T, ValueError>) -> String {
    result.err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn integers() {
    for (text, number) in [("1", 1), (" +7\n", 7), ("-3", -3), ("1_000", 1000), ("007", 7)] {
        assert_eq!(integer(text), Ok(number));
    }
    assert_eq!(integer("99999999999999999999"), Ok(i64::MAX));
    for bad in ["1.5", "", "1__0", "_1", "0x1", "--1", "+"] {
        let expected = format!("invalid literal for int() with base 10: '{bad}'");
        assert_eq!(text(integer(bad)), expected);
    }
}

#[test]
fn booleans() {
    for good in ["yes", "TRUE", "On", "1"] {
        assert_eq!(boolean(good), Ok(true));
    }
    for good in ["no", "False", "OFF", "0"] {
        assert_eq!(boolean(good), Ok(false));
    }
    assert_eq!(text(boolean("maybe")), "not a valid boolean value: 'maybe'");
    assert_eq!(text(boolean("'yes'")), "not a valid boolean value: \"'yes'\"");
}

#[test]
fn byte_sizes() {
    for (text, bytes) in
        [("10", 10), ("1KB", 1024), ("2 mb", 2 << 20), ("1Gb", 1 << 30), ("-1MB", -(1 << 20))]
    {
        assert_eq!(byte_size(text), Ok(bytes));
    }
    for (bad, rest) in [("1k", "1k"), ("1.5MB", "1.5"), ("1B", "1b"), ("MB", ""), ("X", "x")] {
        let expected = format!("invalid literal for int() with base 10: '{rest}'");
        assert_eq!(text(byte_size(bad)), expected);
    }
}

#[test]
fn octals() {
    for good in ["22", "022", "0o22", "+0O22", " 22 ", "0o_22"] {
        assert_eq!(octal(good), Ok(0o22));
    }
    assert_eq!(octal("-1").map(|bits| bits & 0o777), Ok(0o777));
    for bad in ["9", "", "0x1", "--1", "-", "77777777777777"] {
        assert_eq!(text(octal(bad)), format!("{bad} can not be converted to an octal type"));
    }
}

#[test]
fn signals() {
    for (name, number) in
        [("TERM", 15), ("sigterm", 15), (" usr1 ", 10), ("9", 9), ("0", 0), ("SIGRTMAX", 64)]
    {
        assert_eq!(signal(name), Ok(number));
    }
    assert_eq!(text(signal("FOO")), "value 'FOO' is not a valid signal name");
    assert_eq!(text(signal("")), "value '' is not a valid signal name");
    for bad in ["200", "32", "-1"] {
        assert_eq!(text(signal(bad)), format!("value '{bad}' is not a valid signal number"));
    }
}

#[test]
fn autorestarts() {
    assert_eq!(autorestart("Unexpected"), Ok(Autorestart::Unexpected));
    assert_eq!(autorestart("YES"), Ok(Autorestart::Always));
    assert_eq!(autorestart("0"), Ok(Autorestart::Never));
    assert_eq!(text(autorestart("Sometimes")), "invalid 'autorestart' value 'sometimes'");
}

#[test]
fn exit_code_lists() {
    assert_eq!(exit_codes(""), Ok(vec![]));
    assert_eq!(exit_codes("0, 2,255"), Ok(vec![0, 2, 255]));
    for bad in ["256", "-1", "1,", "a", "1;2"] {
        assert_eq!(text(exit_codes(bad)), format!("not a valid list of exit codes: '{bad}'"));
    }
}

#[test]
fn string_lists() {
    assert!(strings("").is_empty());
    assert_eq!(strings(" a ,b,"), ["a", "b", ""]);
}

#[test]
fn log_levels() {
    assert_eq!(log_level("WARN"), Ok(LogLevel::Warn));
    assert_eq!(log_level("blather"), Ok(LogLevel::Blather));
    assert_eq!(text(log_level("warning")), "bad logging level name 'warning'");
}

#[test]
fn names() {
    assert_eq!(name(" a[b] ").as_deref(), Ok("a[b]"));
    assert_eq!(name("").as_deref(), Ok(""));
    assert_eq!(text(name("a b")), "Invalid name: 'a b' because of character: ' '");
    assert_eq!(text(name(" a:b/ ")), "Invalid name: ' a:b/ ' because of character: ':'");
}

#[test]
fn addresses() {
    let address = |host: &str, port| Ok((host.to_owned(), port));
    assert_eq!(inet_address("9001"), address("", 9001));
    assert_eq!(inet_address("*:9001"), address("", 9001));
    assert_eq!(inet_address(":9001"), address("", 9001));
    assert_eq!(inet_address("LocalHost:80"), address("localhost", 80));
    assert_eq!(inet_address("::1:80"), address("::1", 80));
    for (bad, message) in [
        ("foo", "not a valid port number: 'foo' "),
        ("0", "not a valid port number: '0' "),
        ("", "not a valid port number: '' "),
        ("h:", "no port number specified in ''"),
        ("h:x", "invalid literal for int() with base 10: 'x'"),
        ("h:0", "0 is below lower bound (1)"),
        ("h:70000", "70000 is above upper bound (65535)"),
    ] {
        assert_eq!(text(inet_address(bad)), message);
    }
}

#[test]
fn urls() {
    for good in ["http://localhost:9001", "unix:///tmp/s", "a:b", "http:/x"] {
        assert_eq!(url(good).as_deref(), Ok(good));
    }
    for bad in ["foo", "http://", "1a://x", "", "a:?q", "/x:y"] {
        assert_eq!(text(url(bad)), format!("value '{bad}' is not a URL"));
    }
}

#[test]
fn restart_limits() {
    let secs = Duration::from_secs;
    for (text, count, within) in [
        ("5/60s", 5, secs(60)),
        (" 5 / 60 ", 5, secs(60)),
        ("1/0.5", 1, Duration::from_millis(500)),
        ("20/1H", 20, secs(3600)),
        ("3/2m", 3, secs(120)),
    ] {
        assert_eq!(restart_limit(text), Ok(RestartLimit { count, within }), "{text}");
    }
    for bad in ["5", "/60", "5/", "5/s", "0/1", "-1/1", "5/0", "10001/1", "5/1d", "5/60ss"] {
        assert!(restart_limit(bad).is_err(), "{bad}");
    }
}
