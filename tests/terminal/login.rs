//! A daemon that wants a password: asked for, and never shown.

use crate::{
    screen::{CTRL_C, Screen},
    support::{Setup, TestDaemon, free_port, wait_for},
};

const SECRET: &str = "p%q-secret";

fn locked() -> (TestDaemon, String) {
    let port = free_port();
    let d = Setup::new()
        .section(&format!(
            "[inet_http_server:b]\nport=127.0.0.1:{port}\nusername=u\npassword=p%%q-secret"
        ))
        .program("a", "command=/bin/sleep 1000\nautostart=false")
        .start();
    (d, format!("http://127.0.0.1:{port}"))
}

/// Waits until what is typed is not shown. The question alone does not tell: it may stand there
/// before the terminal is set.
fn wait_hidden(screen: &mut Screen) {
    screen.wait("Password:");
    wait_for("a terminal that hides", 10, || (!screen.echoes()).then_some(()));
}

#[test]
fn the_shell_asks_once_and_does_not_show_the_password() {
    let (d, url) = locked();
    let mut screen = Screen::ctl(&d, &["-s", &url]);
    screen.wait("Server requires authentication\n");
    screen.wait("Username:");
    screen.keys("u\r");
    wait_hidden(&mut screen);
    screen.keys(&format!("{SECRET}\r"));
    // The end of the line, and an empty one.
    let shown = screen.wait("a                                STOPPED   Not started\n");
    assert!(shown.starts_with("\n\na "), "{shown:?}");
    screen.wait("supervisor> ");
    screen.keys("version\r");
    screen.wait("4.3.0");
    screen.wait("supervisor> ");
    // Completion logs in, too.
    screen.keys("pid a\t\r");
    screen.wait("\n0\n");
    assert_eq!(screen.text().matches("Username:").count(), 1);
    assert!(!screen.text().contains("secret"));
}

#[test]
fn a_wrong_password_is_asked_for_again() {
    let (d, url) = locked();
    let mut screen = Screen::ctl(&d, &["-i", "-s", &url, "version"]);
    for password in ["wrong", SECRET] {
        screen.wait("Username:");
        screen.keys("u\r");
        wait_hidden(&mut screen);
        screen.keys(&format!("{password}\r"));
    }
    screen.wait("4.3.0");
    assert_eq!(screen.wait_exit(), 0);
    assert!(screen.echoes());
    assert!(!screen.text().contains("wrong") && !screen.text().contains("secret"));
}

#[test]
fn ctrl_c_at_the_password_leaves_a_terminal_that_shows_what_is_typed() {
    let (d, url) = locked();
    let mut screen = Screen::ctl(&d, &["-i", "-s", &url, "version"]);
    screen.wait("Username:");
    screen.keys("u\r");
    wait_hidden(&mut screen);
    screen.keys(CTRL_C);
    assert_ne!(screen.wait_exit(), 0);
    assert!(screen.echoes());
}
