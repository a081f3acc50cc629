//! `[eventlistener:x]`.

use super::*;
use crate::config::event_kind::Kind;

fn group(lines: &str) -> Arc<Group> {
    let options = read(&format!("[eventlistener:a]\ncommand=c\n{lines}\n"));
    Arc::clone(&options.groups[0])
}

fn pool(lines: &str) -> Pool {
    match &group(lines).kind {
        GroupKind::EventListeners(pool) => pool.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_pool_takes() {
    let plain = pool("events=TICK_60,process_state, TICK_60");
    assert_eq!(
        plain,
        Pool {
            events: vec![Kind::ProcessState, Kind::Tick60],
            buffer_size: 10,
            event_length: EventLength::Characters,
            listener_error: ListenerError::Unknown,
            ack_timeout: None,
        }
    );
    assert_eq!(pool("events=Process_State,tick_60"), plain, "the order means nothing");
    let own = pool(
        "events=EVENT\nbuffer_size=1\nevent_length=Bytes\nlistener_error=restart\n\
         ack_timeout=0.5\nresult_handler=supervisor.dispatchers:default_handler",
    );
    assert_eq!((own.buffer_size, own.event_length), (1, EventLength::Bytes));
    assert_eq!(own.listener_error, ListenerError::Restart);
    assert_eq!(own.ack_timeout, Some(Duration::from_millis(500)));
    assert_eq!(pool("events=EVENT\nack_timeout=0.0").ack_timeout, None);
}

#[test]
fn the_pool_comes_first_and_its_processes_have_a_priority_of_their_own() {
    let alone = group("events=EVENT");
    assert_eq!((alone.priority, alone.processes[0].priority), (-1, 999));
    let both = group("events=EVENT\npriority=5");
    assert_eq!((both.priority, both.processes[0].priority), (5, 5));
    let trimmed = read("[eventlistener: b ]\ncommand=c\nevents=EVENT\n");
    assert_eq!(trimmed.groups[0].name, "b");
}

#[test]
fn refused() {
    for (lines, message) in [
        ("", "[eventlistener:a] section requires an \"events\" line"),
        ("events=", "[eventlistener:a] section requires an \"events\" line"),
        ("events=EVENT,foo", "Unknown event type FOO in [eventlistener:a] events"),
        ("events=EVENT\nbuffer_size=0", "[eventlistener:a] section sets invalid buffer_size (0)"),
        ("events=EVENT\nbuffer_size=-1", "[eventlistener:a] section sets invalid buffer_size (-1)"),
        (
            "events=EVENT\nresult_handler=mine:handler",
            "mine:handler cannot be resolved within [eventlistener:a]: Python extensions are not \
             supported; skip_unloadable_plugins=true in [supervisord] uses the default instead",
        ),
        (
            "events=EVENT\nredirect_stderr=true",
            "[eventlistener:a] section sets redirect_stderr=true but this is not allowed because \
             it will interfere with the eventlistener protocol",
        ),
        (
            "events=EVENT\nevent_length=words",
            "invalid 'event_length' value 'words': characters or bytes",
        ),
        (
            "events=EVENT\nlistener_error=ignore",
            "invalid 'listener_error' value 'ignore': unknown or restart",
        ),
    ] {
        let text = format!("[eventlistener:a]\ncommand=c\n{lines}\n");
        assert_eq!(read_with(&text, &CommandLine::default()).unwrap_err(), message);
    }
}
