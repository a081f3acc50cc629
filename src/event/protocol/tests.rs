use super::*;

/// What is said when these are written one after another, and the state in the end. `>` stands
/// for an event that is sent.
fn conversation(writes: &[&[u8]]) -> (String, ListenerState) {
    let mut listener = Listener::default();
    let mut said = Vec::new();
    for write in writes {
        if *write == b">" {
            listener.send();
            continue;
        }
        let mut rest = *write;
        while let Some(one) = listener.read(&mut rest) {
            said.push(match one {
                Said::Ready => "ready".to_owned(),
                Said::Accepted => "accepted".to_owned(),
                Said::Rejected => "rejected".to_owned(),
                Said::BadResultLine(line) => format!("bad <{line}>"),
                Said::OutOfTurn { from } => format!("out of turn in {}", from.name()),
            });
        }
        assert!(rest.is_empty(), "all is read");
        assert!(listener.line.capacity() <= 2 * LINE_MAX);
    }
    (said.join(", "), listener.state())
}

/// Writes cut in every two ways, where the tables say that cuts make no difference.
fn cut(writes: &[&'static [u8]]) -> Vec<Vec<&'static [u8]>> {
    let mut all = vec![writes.to_vec()];
    for (at, write) in writes.iter().enumerate() {
        for cut in 1..write.len() {
            let (head, tail) = write.split_at(cut);
            let mut with_cut = writes.to_vec();
            with_cut.splice(at..=at, [head, tail]);
            all.push(with_cut);
        }
    }
    let bytes = |write: &&'static [u8]| write.chunks(1).collect::<Vec<_>>();
    all.push(writes.iter().flat_map(bytes).collect());
    all
}

fn check(rows: &[(&[&'static [u8]], &str, ListenerState)]) {
    for (writes, said, state) in rows {
        for writes in cut(writes) {
            assert_eq!(conversation(&writes), ((*said).to_owned(), *state), "{writes:?}");
        }
    }
}

use ListenerState as S;

#[test]
fn before_ready() {
    check(&[
        (&[], "", S::Acknowledged),
        (&[b"READY"], "", S::Acknowledged),
        // Judged only when six bytes are there.
        (&[b"nope\n"], "", S::Acknowledged),
        (&[b"nope\n!"], "out of turn in ACKNOWLEDGED", S::Unknown),
        (&[b"READY\r\n"], "out of turn in ACKNOWLEDGED", S::Unknown),
        (&[b"\nREADY\n"], "out of turn in ACKNOWLEDGED", S::Unknown),
        (&[b"READY\n"], "ready", S::Ready),
    ]);
}

#[test]
fn ready_means_silence() {
    check(&[
        (&[b"READY\n\n"], "ready, out of turn in READY", S::Unknown),
        (&[b"READY\nREADY\n"], "ready, out of turn in READY", S::Unknown),
        (&[b"READY\nRESULT 2\nOK"], "ready, out of turn in READY", S::Unknown),
    ]);
}

#[test]
fn results() {
    check(&[
        (&[b"READY\n", b">"], "ready", S::Busy),
        (&[b"READY\n", b">", b"RESULT 2"], "ready", S::Busy),
        (&[b"READY\n", b">", b"RESULT 2\nO"], "ready", S::Busy),
        (&[b"READY\n", b">", b"RESULT 2\nOK"], "ready, accepted", S::Acknowledged),
        (&[b"READY\n", b">", b"RESULT 2\nOKREADY\n"], "ready, accepted, ready", S::Ready),
        (
            &[b"READY\n", b">", b"RESULT 2\nOKREADY\n", b">", b"RESULT 4\nFAIL"],
            "ready, accepted, ready, rejected",
            S::Acknowledged,
        ),
        (&[b"READY\n", b">", b"RESULT 4\nFAILREADY\n"], "ready, rejected, ready", S::Ready),
        (&[b"READY\n", b">", b"RESULT 2\nok"], "ready, rejected", S::Acknowledged),
        (&[b"READY\n", b">", b"RESULT 3\nOK\n"], "ready, rejected", S::Acknowledged),
        (&[b"READY\n", b">", b"RESULT 1\nO"], "ready, rejected", S::Acknowledged),
        (&[b"READY\n", b">", b"RESULT 1\nK"], "ready, rejected", S::Acknowledged),
        (&[b"READY\n", b">", b"RESULT 4\nOKOK"], "ready, rejected", S::Acknowledged),
        // `echo` in place of `printf`.
        (
            &[b"READY\n", b">", b"RESULT 2\nOK\nREADY\n"],
            "ready, accepted, out of turn in ACKNOWLEDGED",
            S::Unknown,
        ),
    ]);
}

#[test]
fn result_lines() {
    check(&[
        (&[b"READY\n", b">", b"RESULT  2 \r\nOK"], "ready, accepted", S::Acknowledged),
        (&[b"READY\n", b">", b"RESULT +02\t\nOK"], "ready, accepted", S::Acknowledged),
        // Acted upon at once; no byte may ever follow.
        (&[b"READY\n", b">", b"RESULT 0\n"], "ready, rejected", S::Acknowledged),
        (&[b"READY\n", b">", b"RESULT 0\nREADY\n"], "ready, rejected, ready", S::Ready),
        (&[b"READY\n", b">", b"RESULT x\n"], "ready, bad <RESULT x>", S::Unknown),
        (&[b"READY\n", b">", b"RESULT \n"], "ready, bad <RESULT >", S::Unknown),
        (&[b"READY\n", b">", b"RESULT\n"], "ready, bad <RESULT>", S::Unknown),
        (&[b"READY\n", b">", b"\n"], "ready, bad <>", S::Unknown),
        (&[b"READY\n", b">", b"RESULT 2.0\n"], "ready, bad <RESULT 2.0>", S::Unknown),
        (&[b"READY\n", b">", b"RESULT 0x2\n"], "ready, bad <RESULT 0x2>", S::Unknown),
        (&[b"READY\n", b">", b"RESULT \xc2\xa02\n"], "ready, bad <RESULT \u{a0}2>", S::Unknown),
        (
            &[b"READY\n", b">", b"RESULT \xff\n"],
            r"ready, bad <Undecodable: b'RESULT \xff'>",
            S::Unknown,
        ),
        // Supervisor looks at no word, and takes a negative length.
        (&[b"READY\n", b">", b"result 2\nOK"], "ready, bad <result 2>", S::Unknown),
        (&[b"READY\n", b">", b"READY\n 2\n"], "ready, bad <READY>", S::Unknown),
        (&[b"READY\n", b">", b"1234567 2\nOK"], "ready, bad <1234567 2>", S::Unknown),
        (&[b"READY\n", b">", b"RESULT -2\nOK"], "ready, bad <RESULT -2>", S::Unknown),
    ]);
}

#[test]
fn unknown_is_for_ever() {
    check(&[(
        &[b"nonono", b"READY\n", b"RESULT 2\nOK"],
        "out of turn in ACKNOWLEDGED",
        S::Unknown,
    )]);
}

#[test]
fn a_huge_length_is_no_length() {
    let rows = [
        ("16777216", "ready"),
        ("16777217", "ready, bad <RESULT 16777217>"),
        ("1000000000000", "ready, bad <RESULT 1000000000000>"),
        ("99999999999999999999999999999", "ready, bad <RESULT 99999999999999999999999999999>"),
    ];
    for (length, said) in rows {
        let line = format!("RESULT {length}\n");
        let (got, _) = conversation(&[b"READY\n", b">", line.as_bytes()]);
        assert_eq!(got, said, "{length}");
    }
}

#[test]
fn a_long_result_takes_no_memory() {
    let body = vec![b'x'; 100_000];
    let line: &[u8] = b"RESULT 1000000\n";
    let mut writes: Vec<&[u8]> = vec![b"READY\n", b">", line];
    writes.extend([&body[..]; 10]);
    writes.push(b"READY\n");
    assert_eq!(conversation(&writes), ("ready, rejected, ready".to_owned(), S::Ready));
}

#[test]
fn a_line_without_end_is_bad() {
    let longest = format!("RESULT {}2", " ".repeat(LINE_MAX - 8));
    assert_eq!(longest.len(), LINE_MAX);
    let start: [&[u8]; 2] = [b"READY\n", b">"];
    for size in [1, 1000, LINE_MAX, LINE_MAX + 9] {
        let good = format!("{longest}\nOK");
        let chunks = good.as_bytes().chunks(size);
        let writes: Vec<&[u8]> = start.into_iter().chain(chunks).collect();
        assert_eq!(conversation(&writes), ("ready, accepted".to_owned(), S::Acknowledged));

        let long = format!("{longest}!\nOK");
        let chunks = long.as_bytes().chunks(size);
        let writes: Vec<&[u8]> = start.into_iter().chain(chunks).collect();
        assert_eq!(conversation(&writes), (format!("ready, bad <{longest}>"), S::Unknown));
    }
}

#[test]
fn an_event_that_was_not_sent_leaves_it_ready() {
    let mut listener = Listener::default();
    listener.take_back();
    assert_eq!(listener.state(), S::Acknowledged);
    assert_eq!(listener.read(&mut &b"READY\n"[..]), Some(Said::Ready));
    listener.send();
    assert_eq!(listener.read(&mut &b"RESU"[..]), None);
    listener.take_back();
    assert_eq!(listener.state(), S::Ready);
    listener.send();
    assert_eq!(listener.read(&mut &b"RESULT 2\nOK"[..]), Some(Said::Accepted), "a line of its own");
}
