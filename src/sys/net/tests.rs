use std::fs;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use super::{AcceptError, ListenError, Listener, wait_until};
use crate::config::options::{HttpServer, ServerAddress};
use crate::sys::poll;

fn unix(file: &str, mode: u32) -> HttpServer {
    HttpServer {
        section: "unix_http_server".into(),
        address: ServerAddress::Unix { file: file.into(), mode, owner: None },
        credentials: None,
        allowed_hosts: Vec::new(),
    }
}

fn inet(host: &str, port: u16) -> HttpServer {
    HttpServer {
        section: "inet_http_server".into(),
        address: ServerAddress::Inet { host: host.into(), port },
        credentials: None,
        allowed_hosts: Vec::new(),
    }
}

fn directory(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("minder-net-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    path
}

fn open(server: &HttpServer) -> (Result<Listener, ListenError>, Vec<String>) {
    let mut said = Vec::new();
    let result = Listener::open(server, &mut |text| said.push(text.to_owned()));
    (result, said)
}

#[test]
fn unix_socket_has_its_mode_and_goes_with_its_listener() {
    let dir = directory("mode");
    let file = dir.join("s.sock");
    let (listener, said) = open(&unix(file.to_str().unwrap(), 0o640));
    assert!(said.is_empty());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "the temporary name is gone");
    UnixStream::connect(&file).unwrap();
    drop(listener);
    assert!(!file.exists());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_stale_socket_is_taken_and_a_stranger_is_left() {
    let dir = directory("stale");
    let file = dir.join("s.sock");
    let text = file.to_str().unwrap();
    drop(UnixListener::bind(&file).unwrap());
    let (first, said) = open(&unix(text, 0o700));
    let first = first.unwrap();
    assert_eq!(said, [format!("Unlinking stale socket {text}")]);
    // Another program takes the path by force: it is not ours to remove.
    fs::remove_file(&file).unwrap();
    let _other = UnixListener::bind(&file).unwrap();
    first.close();
    drop(first);
    assert!(file.exists());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_living_socket_refuses_and_leaves_no_temporary_name() {
    let dir = directory("alive");
    let file = dir.join("s.sock");
    let other = UnixListener::bind(&file).unwrap();
    let answering = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = other.accept().unwrap();
        let mut request = [0; 18];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(b"HTTP/1.0 200 OK\r\n").unwrap();
        request
    });
    let (result, _) = open(&unix(file.to_str().unwrap(), 0o700));
    assert!(result.unwrap_err().to_string().starts_with("Another program is already"));
    assert_eq!(&answering.join().unwrap(), b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_file_with_contents_is_no_stale_socket() {
    let dir = directory("file");
    let file = dir.join("s.sock");
    fs::write(&file, "precious").unwrap();
    let (result, said) = open(&unix(file.to_str().unwrap(), 0o700));
    let text = format!(
        "Cannot open an HTTP server: socket.error reported errno.EEXIST (17): {} is no socket, and \
         is not removed",
        file.display()
    );
    assert_eq!(result.unwrap_err().to_string(), text);
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    fs::write(&file, "").unwrap();
    assert!(open(&unix(file.to_str().unwrap(), 0o700)).0.is_ok());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn tcp_tells_its_port_and_refuses_a_second() {
    let first = open(&inet("localhost", 0)).0.unwrap();
    let address = first.tcp_address().unwrap();
    assert!(address.ip().is_loopback() && address.is_ipv4());
    let second = open(&inet("127.0.0.1", address.port())).0;
    assert!(matches!(second, Err(ListenError::InUse)));
    let elsewhere = open(&inet("192.0.2.1", 0)).0.unwrap_err();
    assert_eq!(
        elsewhere.to_string(),
        "Cannot open an HTTP server: socket.error reported errno.EADDRNOTAVAIL (99)"
    );
    assert!(open(&inet("", 0)).0.unwrap().tcp_address().unwrap().ip().is_unspecified());
}

/// Two listeners on a port that nobody has with either kind of address.
fn pair(one: &str, other: &str) -> (Listener, Listener) {
    let try_port = |_| {
        let first = open(&inet(one, 0)).0.unwrap();
        let second = inet(other, first.tcp_address().unwrap().port());
        assert!(matches!(open(&second).0, Err(ListenError::InUse)), "of another program");
        assert!(first.leaves_room_to(&second));
        // Others may have that port elsewhere.
        let second = Listener::open_beside(&second, &[&first]).ok()?;
        Some((first, second))
    };
    (0..20).find_map(try_port).expect("a port")
}

#[test]
fn both_kinds_of_address_share_a_port_and_each_has_its_own_clients() {
    if open(&inet("[::]", 0)).0.is_err() {
        return eprintln!("skipped: there is no IPv6 here");
    }
    for [one, other] in [["[::]", "127.0.0.1"], ["127.0.0.1", "[::]"], ["[::]", ""], ["", "[::]"]] {
        let (first, second) = pair(one, other);
        let address = first.tcp_address().unwrap();
        let port = address.port();
        assert!(!first.leaves_room_to(&inet(one, port)));
        // Neither lets anybody else in.
        for host in [one, other] {
            assert!(matches!(open(&inet(host, port)).0, Err(ListenError::InUse)));
        }
        let [v6, v4] = if address.is_ipv6() { [first, second] } else { [second, first] };
        for (client, its, not) in [("127.0.0.1", &v4, &v6), ("::1", &v6, &v4)] {
            let _stream = TcpStream::connect((client, port)).unwrap();
            let until = Instant::now() + Duration::from_secs(60);
            // SAFETY: the listener has it open.
            wait_until(unsafe { BorrowedFd::borrow_raw(its.as_raw_fd()) }, poll::IN, until)
                .unwrap();
            assert!(its.accept().is_ok(), "{client} with {one} and {other}");
            assert!(matches!(not.accept(), Err(AcceptError::Nobody)));
        }
    }
}

#[test]
fn chown_text() {
    let error = ListenError::Chown { file: "/s".into(), uid: 1, gid: Some(2), user: "bob".into() };
    assert_eq!(
        error.to_string(),
        "Not permitted to chown /s to uid/gid (1, 2); adjust \"sockchown\" value in config \
         file or on command line to values that the current user (bob) can successfully chown"
    );
}

#[test]
fn reconfigured_keeps_the_socket() {
    let dir = directory("again");
    let file = dir.join("s.sock");
    let first = open(&unix(file.to_str().unwrap(), 0o700)).0.unwrap();
    let wider = unix(file.to_str().unwrap(), 0o770);
    assert!(first.serves(&wider).unwrap());
    let second = first.reconfigured(&wider);
    second.settle().unwrap();
    assert_eq!(first.as_raw_fd(), second.as_raw_fd());
    drop(first);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o770);
    drop(second);
    assert!(!file.exists());
    fs::remove_dir_all(dir).unwrap();
}
