use std::time::Duration;

use super::*;
use crate::config::event_kind::Kind;
use ProcessState as S;

/// A pool and the daemon's counter, at a time set by hand. What it does comes as lines: `lis_00
/// < TICK_5 0/0` for event 0, the pool's event 0; notices with their levels.
struct Play {
    pool: Pool,
    serials: Counter,
    now: Mono,
}

fn settings(members: usize, buffer_size: usize) -> Settings {
    Settings {
        name: "lis".into(),
        server: "supervisor".into(),
        events: Subscription::to(Kind::Event),
        buffer_size,
        length: Length::Characters,
        ack_timeout: None,
        members: (0..members).map(|number| format!("lis_{number:02}").into()).collect(),
    }
}

impl Play {
    fn new(members: usize, buffer_size: usize) -> Play {
        Play::of(settings(members, buffer_size))
    }

    fn of(settings: Settings) -> Play {
        Play { pool: Pool::new(settings), serials: Counter::default(), now: Duration::ZERO }
    }

    /// With all members RUNNING and READY.
    fn ready(members: usize, buffer_size: usize) -> Play {
        let mut play = Play::new(members, buffer_size);
        for member in 0..members {
            play.run(member);
            play.says(member, "READY\n");
        }
        play
    }

    fn run(&mut self, member: usize) -> Vec<String> {
        let mut lines = self.enters(member, S::Starting);
        lines.extend(self.enters(member, S::Running));
        lines
    }

    fn lines(&self, effects: Vec<Effect>) -> Vec<String> {
        effects.into_iter().map(|effect| self.line(effect)).collect()
    }

    fn line(&self, effect: Effect) -> String {
        match effect {
            Effect::Notice(notice) => format!("{:?} {notice}", notice.level()),
            Effect::Lost(member) => format!("lost {}", self.pool.members[member.0].name),
            Effect::Send { member, bytes } => {
                let text = String::from_utf8(bytes).unwrap();
                let word = |key: &str| {
                    let words = text.lines().next().unwrap().split(' ');
                    words.filter_map(|word| word.strip_prefix(key)).next().unwrap().to_owned()
                };
                let name = &self.pool.members[member.0].name;
                let (kind, serial) = (word("eventname:"), word("serial:"));
                format!("{name} < {kind} {serial}/{}", word("poolserial:"))
            }
        }
    }

    fn offers(&mut self, mut event: Event) -> Vec<String> {
        let mut out = Vec::new();
        self.pool.offer(&mut event, &mut self.serials, self.now, &mut out);
        self.lines(out)
    }

    fn event(&mut self) -> Vec<String> {
        self.offers(Event::supervisor_running())
    }

    fn enters(&mut self, member: usize, to: ProcessState) -> Vec<String> {
        let mut out = Vec::new();
        self.pool.transition(MemberIndex(member), to, self.now, &mut out);
        self.lines(out)
    }

    fn says(&mut self, member: usize, text: &str) -> Vec<String> {
        self.says_while(member, text, Stdin::Written)
    }

    fn says_while(&mut self, member: usize, text: &str, stdin: Stdin) -> Vec<String> {
        let mut out = Vec::new();
        self.pool.output(MemberIndex(member), text.as_bytes(), stdin, self.now, &mut out);
        self.lines(out)
    }

    fn reads(&mut self, member: usize) -> Vec<String> {
        let mut out = Vec::new();
        self.pool.written(MemberIndex(member), self.now, &mut out);
        self.lines(out)
    }

    fn refuses(&mut self, member: usize) -> Vec<String> {
        let mut out = Vec::new();
        self.pool.refused(MemberIndex(member), self.now, &mut out);
        self.lines(out)
    }

    fn deadline(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        self.pool.deadline(self.now, &mut out);
        self.lines(out)
    }

    /// The serials in the buffer, the oldest first.
    fn buffered(&self) -> Vec<u64> {
        let sizes: usize = self.pool.buffer.iter().map(Accepted::size).sum();
        assert_eq!(self.pool.bytes, sizes, "the sum of the sizes");
        self.pool.buffer.iter().map(|accepted| accepted.serial.0).collect()
    }
}

const SENT: &str = "lis_00 < SUPERVISOR_STATE_CHANGE_RUNNING";
const NOTHING: [&str; 0] = [];

#[test]
fn an_exchange() {
    let mut play = Play::new(1, 10);
    assert_eq!(play.run(0), NOTHING);
    assert_eq!(play.says(0, "READY\n"), ["Debug lis_00: ACKNOWLEDGED -> READY"]);
    let mut out = Vec::new();
    let tick = super::super::tick::Tick {
        period: super::super::tick::Period::FiveSeconds,
        when: 1_201_063_880,
    };
    play.pool.offer(&mut Event::tick(tick), &mut play.serials, play.now, &mut out);
    let bytes = b"ver:3.0 server:supervisor serial:0 pool:lis poolserial:0 eventname:TICK_5 \
                  len:15\nwhen:1201063880";
    let sent = Notice::Sent { serial: Serial(0), listener: "lis_00".into() };
    assert_eq!(
        out,
        [Effect::Send { member: MemberIndex(0), bytes: bytes.to_vec() }, Effect::Notice(sent)]
    );
    assert_eq!(play.event(), NOTHING, "one event for each READY");
    assert_eq!(
        play.says(0, "RESULT 2\nOKREADY\n"),
        [
            "Debug lis_00: event was processed",
            "Debug lis_00: BUSY -> ACKNOWLEDGED",
            "Debug lis_00: ACKNOWLEDGED -> READY",
            "lis_00 < SUPERVISOR_STATE_CHANGE_RUNNING 1/1",
            "Debug event 1 sent to listener lis_00",
        ]
    );
    assert_eq!(play.buffered(), [0; 0]);
}

#[test]
fn length_in_bytes_where_wanted() {
    let mut play = Play::of(Settings { length: Length::Bytes, ..settings(1, 10) });
    play.run(0);
    play.says(0, "READY\n");
    let mut out = Vec::new();
    play.pool.offer(&mut Event::remote("é", ""), &mut play.serials, play.now, &mut out);
    let Some(Effect::Send { bytes, .. }) = out.first() else { panic!("{out:?}") };
    assert!(String::from_utf8_lossy(bytes).ends_with(" len:8\ntype:é\n"));
}

#[test]
fn nobody_gets_an_event_before_running_and_ready() {
    let mut play = Play::new(1, 10);
    assert_eq!(play.event(), NOTHING);
    play.enters(0, S::Starting);
    assert_eq!(play.says(0, "READY\n"), ["Debug lis_00: ACKNOWLEDGED -> READY"], "STARTING");
    let sent = [format!("{SENT} 0/0"), "Debug event 0 sent to listener lis_00".into()];
    assert_eq!(play.enters(0, S::Running), sent);
    play.event();
    play.says(0, "RESULT 2\nOK");
    assert_eq!(play.enters(0, S::Stopping), NOTHING);
    assert_eq!(play.says(0, "READY\n"), ["Debug lis_00: ACKNOWLEDGED -> READY"], "STOPPING");
    assert_eq!(play.buffered(), [1]);
}

#[test]
fn members_are_served_in_configured_order() {
    let mut play = Play::ready(3, 10);
    assert_eq!(play.event()[0], format!("{SENT} 0/0"));
    assert_eq!(play.event()[0], "lis_01 < SUPERVISOR_STATE_CHANGE_RUNNING 1/1");
    play.says(0, "RESULT 2\nOKREADY\n");
    assert_eq!(play.event()[0], format!("{SENT} 2/2"), "the first, not the next");
    assert_eq!(play.event()[0], "lis_02 < SUPERVISOR_STATE_CHANGE_RUNNING 3/3");
    assert_eq!(play.event(), NOTHING);
}

/// One that is freed takes one event, and several that run feed on one backlog.
#[test]
fn a_backlog_goes_out_oldest_first() {
    let mut play = Play::new(2, 10);
    for _ in 0..3 {
        play.event();
    }
    play.enters(0, S::Starting);
    play.says(0, "READY\n");
    play.enters(1, S::Starting);
    play.says(1, "READY\n");
    assert_eq!(play.enters(1, S::Running)[0], "lis_01 < SUPERVISOR_STATE_CHANGE_RUNNING 0/0");
    assert_eq!(play.enters(0, S::Running)[0], format!("{SENT} 1/1"));
    assert_eq!(play.buffered(), [2]);
}

#[test]
fn only_what_is_wanted_is_taken_and_only_once() {
    let events = Subscription::of("PROCESS_GROUP,EVENT,PROCESS_GROUP_ADDED");
    let mut play = Play::of(Settings { events, ..settings(1, 10) });
    play.offers(Event::group_added("g"));
    assert_eq!(play.buffered(), [0]);

    let events = Subscription::of("TICK");
    let mut play = Play::of(Settings { events, ..settings(1, 10) });
    assert_eq!(play.pool.events(), events);
    play.event();
    assert_eq!(play.buffered(), [0; 0]);
    assert_eq!(play.serials.take(), 0, "what nobody wants has no number");
}

#[test]
fn pools_share_the_serial_and_count_on_their_own() {
    let mut serials = Counter::default();
    let pool = |name: &str, events: &str| {
        let events = Subscription::of(events);
        Pool::new(Settings { name: name.into(), events, ..settings(1, 10) })
    };
    let mut pools = [pool("all", "EVENT"), pool("groups", "PROCESS_GROUP"), pool("ticks", "TICK")];
    for mut event in
        [Event::supervisor_running(), Event::group_added("g"), Event::group_removed("g")]
    {
        for pool in &mut pools {
            pool.offer(&mut event, &mut serials, Duration::ZERO, &mut Vec::new());
        }
    }
    let numbers = |pool: &Pool| -> Vec<(u64, u64)> {
        pool.buffer.iter().map(|accepted| (accepted.serial.0, accepted.pool_serial.0)).collect()
    };
    assert_eq!(numbers(&pools[0]), [(0, 0), (1, 1), (2, 2)]);
    assert_eq!(numbers(&pools[1]), [(1, 0), (2, 1)]);
    assert_eq!(numbers(&pools[2]), []);
    assert_eq!(serials.take(), 3);
}

#[test]
fn a_rejected_event_keeps_its_numbers_and_goes_out_first() {
    let mut play = Play::ready(1, 1000);
    play.event();
    play.event();
    assert_eq!(
        play.says(0, "RESULT 4\nFAIL"),
        [
            "Warn lis_00: event was rejected",
            "Debug lis_00: BUSY -> ACKNOWLEDGED",
            "Debug rebuffering event 0 for pool lis (buf size=1, max=1000)",
        ]
    );
    assert_eq!(play.buffered(), [0, 1]);
    let again = play.says(0, "READY\n");
    assert_eq!(again[1], format!("{SENT} 0/0"));
}

#[test]
fn a_rejected_event_may_go_to_another_at_once() {
    let mut play = Play::ready(2, 10);
    play.event();
    let lines = play.says(0, "RESULT 0\n");
    assert_eq!(lines[0], "Warn lis_00: event was rejected");
    assert_eq!(lines[3], "lis_01 < SUPERVISOR_STATE_CHANGE_RUNNING 0/0");
}

#[test]
fn a_bad_result_line_loses_the_listener_and_not_the_event() {
    let mut play = Play::ready(1, 10);
    play.event();
    assert_eq!(
        play.says(0, "RESULT x\nREADY\n"),
        [
            "Warn lis_00: bad result line: 'RESULT x'",
            "Debug lis_00: BUSY -> UNKNOWN",
            "Warn lis_00: has entered the UNKNOWN state and will no longer receive events, this \
             usually indicates the process violated the eventlistener protocol",
            "lost lis_00",
            "Debug rebuffering event 0 for pool lis (buf size=0, max=10)",
        ]
    );
    assert_eq!(play.says(0, "READY\n"), NOTHING);
    // Only a new spawn helps.
    play.enters(0, S::Exited);
    play.enters(0, S::Starting);
    play.says(0, "READY\n");
    assert_eq!(play.enters(0, S::Running)[0], format!("{SENT} 0/0"));
}

#[test]
fn noise_of_a_ready_listener_loses_it() {
    let mut play = Play::ready(1, 10);
    let lines = play.says(0, "\n");
    assert_eq!(lines[0], "Debug lis_00: READY -> UNKNOWN");
    assert_eq!(lines[2..], ["lost lis_00"]);
    assert_eq!(play.event(), NOTHING);
}

#[test]
fn the_event_of_one_that_ends_comes_back() {
    for end in [S::Exited, S::Stopped, S::Backoff, S::Fatal] {
        let mut play = Play::ready(1, 10);
        play.event();
        assert_eq!(play.enters(0, S::Stopping), NOTHING, "it may still answer");
        play.says(0, "RESULT 2\nO");
        let back = ["Debug rebuffering event 0 for pool lis (buf size=0, max=10)"];
        assert_eq!(play.enters(0, end), back, "{end}");
        assert_eq!(play.enters(0, S::Starting), NOTHING, "once");
        // What the child before has left unsaid is forgotten.
        play.enters(0, S::Running);
        assert_eq!(play.says(0, "READY\n")[1], format!("{SENT} 0/0"));
    }
}

/// The original gives a rejected event to every pool whose members have the same priority.
#[test]
fn other_pools_do_not_see_a_rejected_event() {
    let mut play = Play::ready(1, 10);
    let mut other = Pool::new(Settings { name: "other".into(), ..settings(1, 10) });
    let mut event = Event::supervisor_running();
    for pool in [&mut play.pool, &mut other] {
        pool.offer(&mut event, &mut play.serials, Duration::ZERO, &mut Vec::new());
    }
    play.says(0, "RESULT 4\nFAIL");
    assert_eq!((play.buffered().len(), other.buffer.len()), (1, 1));
}

#[test]
fn a_full_buffer_loses_its_oldest_event() {
    let mut play = Play::new(1, 3);
    for _ in 0..3 {
        assert_eq!(play.event(), NOTHING);
    }
    let lost =
        |serial| format!("Error pool lis event buffer overflowed, discarding event {serial}");
    assert_eq!(play.event(), [lost(0)]);
    assert_eq!(play.event(), [lost(1)]);
    assert_eq!(play.buffered(), [2, 3, 4]);
}

#[test]
fn a_rejected_event_displaces_the_oldest_other() {
    let mut play = Play::ready(1, 2);
    for _ in 0..3 {
        play.event();
    }
    assert_eq!(play.buffered(), [1, 2]);
    let lines = play.says(0, "RESULT 4\nFAIL");
    assert_eq!(
        lines[2..],
        [
            "Debug rebuffering event 0 for pool lis (buf size=2, max=2)",
            "Error pool lis event buffer overflowed, discarding event 1",
        ]
    );
    assert_eq!(play.buffered(), [0, 2]);
}

#[test]
fn a_buffer_holds_one_event_at_least() {
    let mut play = Play::new(1, 0);
    assert_eq!(play.event(), NOTHING);
    assert_eq!(play.event().len(), 1);
    assert_eq!(play.buffered(), [1]);
}

#[test]
fn the_buffer_is_bounded_in_bytes_as_well() {
    let mut play = Play::new(1, 1000);
    let large = "x".repeat(BYTES_MAX / 4);
    for _ in 0..3 {
        assert_eq!(play.offers(Event::remote("t", &large)), NOTHING);
    }
    assert_eq!(play.offers(Event::remote("t", &large)).len(), 1, "with its head a little more");
    assert_eq!(play.buffered(), [1, 2, 3]);
    let huge = "x".repeat(BYTES_MAX + 1);
    assert_eq!(play.offers(Event::remote("t", &huge)).len(), 3, "at the cost of all");
    assert_eq!(play.buffered(), [4]);
}

#[test]
fn a_flood_is_told_once_a_second() {
    let mut play = Play::new(1, 1);
    let mut lines = Vec::new();
    for _ in 0..=500 {
        lines.extend(play.event());
    }
    assert_eq!(lines.len(), 10);
    assert_eq!(play.pool.next_deadline(), Some(Duration::from_secs(1)));
    assert_eq!(play.deadline(), NOTHING, "too early");
    play.now = Duration::from_secs(1);
    let line = "Error pool lis event buffer overflowed, discarding event 499 and 489 before it";
    assert_eq!(play.deadline(), [line]);
    assert_eq!(play.pool.next_deadline(), None);
}

#[test]
fn one_who_does_not_read_gets_no_more() {
    let mut play = Play::ready(1, 10);
    play.event();
    play.event();
    let said = play.says_while(0, "RESULT 2\nOKREADY\n", Stdin::Waiting);
    assert_eq!(said.len(), 3, "READY, and yet nothing is sent");
    assert_eq!(play.reads(0)[0], format!("{SENT} 1/1"));
}

#[test]
fn one_who_closed_its_stdin_is_passed_over() {
    let mut play = Play::ready(2, 10);
    play.event();
    assert_eq!(
        play.refuses(0),
        [
            "Debug epipe occurred while sending event 0 to listener lis_00, listener state \
             unchanged",
            "Debug rebuffering event 0 for pool lis (buf size=0, max=10)",
            "lis_01 < SUPERVISOR_STATE_CHANGE_RUNNING 0/0",
            "Debug event 0 sent to listener lis_01",
        ]
    );
    assert_eq!(play.event(), NOTHING);
    assert_eq!(play.refuses(0), NOTHING, "it holds no event");
    assert_eq!(play.reads(0), NOTHING, "closed for good");
    play.enters(0, S::Exited);
    play.run(0);
    assert_eq!(play.says(0, "READY\n")[1], format!("{SENT} 1/1"), "its next child can be written");
}

#[test]
fn strangers_are_ignored() {
    let mut play = Play::new(1, 10);
    assert_eq!(play.enters(1, S::Running), NOTHING);
    assert_eq!(play.says(1, "READY\n"), NOTHING);
    assert_eq!(play.refuses(1), NOTHING);
}

#[test]
fn a_result_that_does_not_come_in_time_is_awaited_no_longer() {
    let mut play =
        Play::of(Settings { ack_timeout: Some(Duration::from_secs(5)), ..settings(2, 10) });
    play.run(0);
    play.says(0, "READY\n");
    assert_eq!(play.pool.next_deadline(), None);
    play.now = Duration::from_secs(1);
    play.event();
    assert_eq!(play.pool.next_deadline(), Some(Duration::from_secs(6)));
    let mut due = |secs| {
        let mut out = Vec::new();
        play.pool.deadline(Duration::from_secs(secs), &mut out);
        play.lines(out)
    };
    assert_eq!(due(5), NOTHING);
    assert_eq!(
        due(6),
        [
            "Warn lis_00: no result for event 0 within ack_timeout",
            "Debug lis_00: BUSY -> UNKNOWN",
            "Warn lis_00: has entered the UNKNOWN state and will no longer receive events, this \
             usually indicates the process violated the eventlistener protocol",
            "lost lis_00",
            "Debug rebuffering event 0 for pool lis (buf size=0, max=10)",
        ]
    );
    assert_eq!(play.pool.next_deadline(), None);
    // Another gets it, with a time of its own; one that answers owes nothing more.
    play.now = Duration::from_secs(7);
    play.run(1);
    assert_eq!(play.says(1, "READY\n")[1], format!("lis_01 < SUPERVISOR_STATE_CHANGE_RUNNING 0/0"));
    assert_eq!(play.pool.next_deadline(), Some(Duration::from_secs(12)));
    play.says(1, "RESULT 2\nOK");
    assert_eq!(play.pool.next_deadline(), None);
}
