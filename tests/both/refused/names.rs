//! Names that no program, process or group can have, and programs that are not there.

use crate::refusal::{all_refused, bettered, refused};

#[test]
fn names() {
    refused(&[
        ("[program:a b]\ncommand=x", "Invalid name: 'a b' because of character: ' '"),
        ("[program:a:b]\ncommand=x", "Invalid name: 'a:b' because of character: ':'"),
        ("[program:a/b]\ncommand=x", "Invalid name: 'a/b' because of character: '/'"),
        ("[group:a b]\nprograms=a", "Invalid name: 'a b' because of character: ' '"),
        (
            "[program:a]\ncommand=x\nprocess_name=a b",
            "Invalid name: 'a b' because of character: ' ' in section 'program:a' (file: \
             '<dir>/c.conf')",
        ),
        (
            "[program:a]\nautostart=false",
            "program section program:a does not specify a command in section 'program:a' (file: \
             '<dir>/c.conf')",
        ),
        (
            "[program:a]\ncommand=x\nnumprocs=2",
            "%(process_num) must be present within process_name when numprocs > 1 in section \
             'program:a' (file: '<dir>/c.conf')",
        ),
    ]);
}

#[test]
fn groups() {
    refused(&[
        ("[group:g]\nprograms=zz", "[group:g] names unknown program or fcgi-program zz"),
        ("[group:g]\nprograms=a,", "[group:g] names unknown program or fcgi-program a"),
        (
            "[program:a]\ncommand=x\n[group:g]\nprograms=a b",
            "[group:g] names unknown program or fcgi-program a b",
        ),
        (
            "[program:a]\ncommand=x\n[group:g]\nprograms=A",
            "[group:g] names unknown program or fcgi-program A",
        ),
        (
            "[program:a]\ncommand=x\n[group:g]\nprograms=a\npriority=x",
            "invalid literal for int() with base 10: 'x'",
        ),
        (
            "[program:a]\ncommand=x\npriority=y\n[group:g]\nprograms=a",
            "invalid literal for int() with base 10: 'y' in section 'program:a' (file: \
             '<dir>/c.conf')",
        ),
    ]);
    all_refused(vec![
        bettered(
            "[program:a]\ncommand=x\n[group:g]\nprograms=a,",
            "[program:a] names unknown program or fcgi-program ",
            "own-group",
        ),
        bettered(
            "[program:a]\ncommand=x\n[group:g]\nprograms=a,zz",
            "[program:a] names unknown program or fcgi-program zz",
            "own-group",
        ),
    ]);
}
