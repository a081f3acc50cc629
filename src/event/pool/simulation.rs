//! Listeners that do anything at all: no event is lost that was not told as lost.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::config::event_kind::Kind;
use crate::process::state;

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 = next;
        usize::try_from(next >> 33).unwrap() % bound
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What became of the events.
#[derive(Default)]
struct Ledger {
    offered: u64,
    accepted: u64,
    told_as_lost: u64,
    sent: u64,
}

impl Ledger {
    fn enter(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { .. } => self.sent += 1,
                Effect::Notice(Notice::Processed { .. }) => self.accepted += 1,
                Effect::Notice(Notice::Overflowed { others, .. }) => {
                    self.told_as_lost += others + 1
                }
                Effect::Notice(_) | Effect::Lost(_) => {}
            }
        }
    }
}

const MEMBERS: usize = 3;

/// What a listener in that state says, mostly as it should.
fn saying(chance: &mut Chance, state: ListenerState) -> &'static str {
    match (chance.below(12), state) {
        (0, _) => chance.of(&["nonsense\n", "\n", "READY\n", "RESULT 2\nOK"]),
        (_, ListenerState::Acknowledged) => chance.of(&["READY\n", "READY\n", "REA", "DY\n"]),
        (1..8, ListenerState::Busy) => chance.of(&["RESULT 2\nOK", "RESULT 2\nOKREADY\n"]),
        (_, ListenerState::Busy) => chance.of(&["RESULT 4\nFAIL", "RESULT 0\n", "RESU"]),
        (_, ListenerState::Ready | ListenerState::Unknown) => "",
    }
}

fn play(seed: u64) -> Ledger {
    let mut chance = Chance(seed);
    let settings = Settings {
        name: "lis".into(),
        server: "supervisor".into(),
        events: Subscription::to(Kind::Event),
        buffer_size: 1 + chance.below(4),
        length: Length::Characters,
        ack_timeout: None,
        members: (0..MEMBERS).map(|number| number.to_string().into()).collect(),
    };
    let (mut pool, mut serials) = (Pool::new(settings), Counter::default());
    let (mut ledger, mut now) = (Ledger::default(), Duration::ZERO);
    for _ in 0..400 {
        now += Duration::from_millis(u64::try_from(chance.below(200)).unwrap());
        let (member, mut out) = (MemberIndex(chance.below(MEMBERS)), Vec::new());
        if pool.next_deadline().is_some_and(|due| due <= now) {
            pool.deadline(now, &mut out);
        }
        let stdin = chance.of(&[Stdin::Written, Stdin::Written, Stdin::Waiting]);
        let state = pool.members[member.0].child.listener.state();
        let said = saying(&mut chance, state).as_bytes();
        match chance.below(10) {
            0..3 => {
                pool.offer(&mut Event::supervisor_running(), &mut serials, now, &mut out);
                ledger.offered += 1;
            }
            3 => pool.transition(member, chance.of(&state::ALL), now, &mut out),
            4 => pool.transition(member, ProcessState::Running, now, &mut out),
            5 => pool.written(member, now, &mut out),
            6 if chance.below(5) == 0 => pool.refused(member, now, &mut out),
            _ => pool.output(member, said, stdin, now, &mut out),
        }
        ledger.enter(out);
        check(&pool);
    }
    let mut out = Vec::new();
    pool.deadline(now + Duration::from_secs(1), &mut out);
    ledger.enter(out);
    let there = u64::try_from(serials_in(&pool).len()).unwrap();
    assert_eq!(ledger.offered, ledger.accepted + ledger.told_as_lost + there, "seed {seed}");
    ledger
}

fn serials_in(pool: &Pool) -> Vec<u64> {
    let held = pool.members.iter().filter_map(|member| member.child.held.as_ref());
    pool.buffer.iter().chain(held).map(|accepted| accepted.serial.0).collect()
}

fn check(pool: &Pool) {
    let serials = serials_in(pool);
    let different: BTreeSet<u64> = serials.iter().copied().collect();
    assert_eq!(serials.len(), different.len(), "an event is in one place");
    assert!(pool.buffer.len() <= pool.settings.buffer_size);
    assert_eq!(pool.bytes, pool.buffer.iter().map(Accepted::size).sum());
    let waits = !pool.buffer.is_empty() && pool.members.iter().any(Member::can_take);
    assert!(!waits, "an event waits while a member could take it");
    for member in &pool.members {
        let busy = member.child.listener.state() == ListenerState::Busy;
        assert_eq!(busy, member.child.held.is_some(), "BUSY is who holds an event");
    }
}

#[test]
fn every_event_is_accepted_or_lost_or_there() {
    let mut all = Ledger::default();
    for seed in 0..200 {
        let ledger = play(seed);
        all.sent += ledger.sent;
        all.accepted += ledger.accepted;
        all.told_as_lost += ledger.told_as_lost;
    }
    // Else the simulation would show nothing.
    assert!(all.accepted > 500 && all.sent > all.accepted && all.told_as_lost > 500);
}
