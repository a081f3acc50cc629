use super::*;

fn names() -> Names {
    let mut names = Names::default();
    names.text("here", "/etc");
    names.text("ENV_X", "x%(y)s");
    names.number("process_num", 7);
    names.number("zero", 0);
    names.number("minus", -7);
    names.number("big", 1_234_567_890_123);
    names
}

fn read(text: &str) -> String {
    match expand(text, &names(), "program:a.command") {
        Ok(text) => text,
        Err(error) => format!("! {error}"),
    }
}

#[test]
fn good_texts() {
    for (text, expected) in [
        ("plain", "plain"),
        ("100%%", "100%"),
        ("%(here)s/a", "/etc/a"),
        ("%(ENV_X)s", "x%(y)s"),
        ("%(process_num)02d", "07"),
        ("%(process_num)s-%(process_num)i-%(process_num)u", "7-7-7"),
        ("%(process_num)+d|%(process_num) d|%(process_num)-4d|", "+7| 7|7   |"),
        ("%(process_num)#x %(process_num)#06o %(process_num).3X", "0x7 0o0007 007"),
        ("%(process_num)f %(process_num).1e %(process_num)g", "7.000000 7.0e+00 7"),
        ("%(process_num)c|%(process_num)5s|%(process_num)r", "\u{7}|    7|7"),
        ("[%(here)6s] [%(here)-6s] [%(here).2s] [%(here)06s]", "[  /etc] [/etc  ] [/e] [  /etc]"),
        ("%(here)r %(here)ls", "'/etc' /etc"),
        ("%(process_num)08.3d|%(process_num)-08d|", "00000007|7       |"),
        ("%(process_num)#.0f %(process_num)#g %(process_num).0e", "7. 7.00000 7e+00"),
        ("%(zero)g %(zero)e %(minus)05d %(minus)#o", "0 0.000000e+00 -0007 -0o7"),
        (
            "%(big)g %(big)e %(big).3g %(big)f",
            "1.23457e+12 1.234568e+12 1.23e+12 1234567890123.000000",
        ),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn unknown_names() {
    assert_eq!(
        read("x %(foo)s"),
        "! Format string 'x %(foo)s' for 'program:a.command' contains names ('foo') which cannot \
         be expanded. Available names: ENV_X, big, here, minus, process_num, zero"
    );
    assert!(read("%(a(b)c)s").contains("names ('a(b)c')"));
}

#[test]
fn bad_formats() {
    for (text, reason) in [
        ("5%", "incomplete format"),
        ("%(here)", "incomplete format"),
        ("%(here", "incomplete format key"),
        ("%(here)5", "incomplete format"),
        ("date +%Y", "unsupported format character 'Y' (0x59) at index 7"),
        ("%(here)é", "unsupported format character '?' (0xe9) at index 7"),
        ("%(here)d", "%d format: a real number is required, not str"),
        ("%(here)x", "%x format: an integer is required, not str"),
        ("%(here)f", "must be real number, not str"),
        ("%(here)c", "%c requires int or char"),
        ("%d", "%d format: a real number is required, not dict"),
        ("%(here)%", "unsupported format character '%' (0x25) at index 7"),
        ("%(here)s %d", "not enough arguments for format string"),
        ("%s", "not enough arguments for format string"),
        ("%(process_num)*d", "not enough arguments for format string"),
        ("%(here)*d", "* wants int"),
        ("%(process_num)99999999d", "width too big"),
    ] {
        let expected = format!(
            "! Format string '{text}' for 'program:a.command' is badly formatted: {reason}"
        );
        assert_eq!(read(text), expected);
    }
}
