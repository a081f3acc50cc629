//! A program that logs a gigabyte as fast as it can.

use std::{
    collections::hash_map::DefaultHasher,
    fs::{self, File},
    hash::Hasher,
    io::Read,
    time::{Duration, Instant},
};

use crate::support::{Setup, TestDaemon};

const BLOCK: usize = 1 << 20;
const BLOCKS: usize = 1024;

/// Writes `BLOCKS` different blocks of 1 MiB: block n is the 8 hexadecimal digits of n and a
/// newline, again and again, cut at its end. Python, as a shell would be the bottleneck.
const FLOODER: &str = "#!/usr/bin/env python3
import os
for n in range(1024):
    line = b'%08x\\n' % n
    block = (line * (1 + (1 << 20) // len(line)))[:1 << 20]
    while block:
        block = block[os.write(1, block):]
print('done', flush=True)
import time
time.sleep(1000)
";

fn block(number: usize) -> Vec<u8> {
    let line = format!("{number:08x}\n");
    line.bytes().cycle().take(BLOCK).collect()
}

/// Oldest first.
fn files(d: &TestDaemon) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> =
        (1..).map(|n| d.path(&format!("a.log.{n}"))).take_while(|path| path.exists()).collect();
    paths.reverse();
    paths.push(d.path("a.log"));
    paths
}

#[test]
fn a_gigabyte_arrives_byte_for_byte_and_status_answers_meanwhile() {
    let _turn = crate::alone();
    let d = Setup::new()
        .script("flooder", FLOODER)
        .program(
            "a",
            "command=%(here)s/flooder\nstartsecs=0\nautostart=false\nstdout_logfile=%(here)s/a.log\n\
             stdout_logfile_maxbytes=64MB\nstdout_logfile_backups=100",
        )
        .start();
    let started = Instant::now();
    d.ctl(&["start", "a"]).expect("a: started\n", 0);
    let mut answers = Vec::new();
    let expected = (BLOCK * BLOCKS + "done\n".len()) as u64;
    loop {
        let asked = Instant::now();
        let status = d.ctl(&["status", "a"]);
        assert!(status.stdout.contains("RUNNING"), "{status:?}");
        answers.push(asked.elapsed());
        let size: u64 =
            files(&d).iter().filter_map(|path| fs::metadata(path).ok()).map(|m| m.len()).sum();
        if size >= expected {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{size} bytes of {expected}");
    }
    let took = started.elapsed();
    let slowest = answers.iter().max().unwrap();
    eprintln!("1 GiB in {took:?}; {} status calls, slowest {slowest:?}", answers.len());
    assert!(*slowest < Duration::from_secs(2), "status took {slowest:?}");

    let mut hasher = DefaultHasher::new();
    for number in 0..BLOCKS {
        hasher.write(&block(number));
    }
    hasher.write(b"done\n");
    let paths = files(&d);
    assert!(paths.len() > 10, "64 MB each: {paths:?}");
    let mut found = Rechunked { hasher: DefaultHasher::new(), rest: Vec::new(), total: 0 };
    for path in &paths {
        let mut file = File::open(path).unwrap();
        let mut chunk = vec![0; BLOCK];
        loop {
            match file.read(&mut chunk).unwrap() {
                0 => break,
                length => found.write(&chunk[..length]),
            }
        }
    }
    let (sum, total) = found.finish();
    assert_eq!(total, expected, "bytes over all files");
    assert_eq!(sum, hasher.finish(), "checksum over all files");
}

/// A hasher's result depends on how the bytes are cut: cuts them as the expectation does.
struct Rechunked {
    hasher: DefaultHasher,
    rest: Vec<u8>,
    total: u64,
}

impl Rechunked {
    fn write(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        self.rest.extend_from_slice(bytes);
        while self.rest.len() >= BLOCK {
            self.hasher.write(&self.rest[..BLOCK]);
            self.rest.drain(..BLOCK);
        }
    }

    fn finish(mut self) -> (u64, u64) {
        self.hasher.write(&self.rest);
        (self.hasher.finish(), self.total)
    }
}
