//! What a pool of listeners wants to hear of.

use crate::config::event_kind::{self as kind, Kind};

/// A set of event types. Two are equal when they hold the same types, whatever list named them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscription(u32);

const _: () = assert!(kind::ALL.len() <= 32);

/// To all of those types and their kinds.
impl FromIterator<Kind> for Subscription {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Subscription {
        kinds.into_iter().map(Subscription::to).fold(Subscription::default(), Subscription::and)
    }
}

impl Subscription {
    /// To the types of a comma list, for tests.
    #[cfg(test)]
    pub(crate) fn of(list: &str) -> Subscription {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| Kind::parse(name).unwrap()).collect()
    }

    /// To a type and all that are kinds of it.
    pub fn to(kind: Kind) -> Subscription {
        let kinds = kind::ALL.into_iter().filter(|other| other.is_a(kind));
        Subscription(kinds.fold(0, |bits, kind| bits | bit(kind)))
    }

    /// To what either is to.
    #[must_use]
    pub fn and(self, other: Subscription) -> Subscription {
        Subscription(self.0 | other.0)
    }

    /// Whether it holds this type. With what all pools want, joined by [`Subscription::and`],
    /// this tells whether an event need be made at all.
    pub fn wants(self, kind: Kind) -> bool {
        self.0 & bit(kind) != 0
    }

    /// The set as a number, for those who share it.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The set of such a number.
    pub fn from_bits(bits: u32) -> Subscription {
        Subscription(bits)
    }

    /// To nothing.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

fn bit(kind: Kind) -> u32 {
    1 << kind as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(list: &str) -> Vec<&'static str> {
        let wanted = Subscription::of(list);
        let kinds = kind::ALL.into_iter().filter(|kind| !kind.is_abstract());
        kinds.filter(|kind| wanted.wants(*kind)).map(Kind::name).collect()
    }

    #[test]
    fn lists() {
        assert_eq!(sent("TICK_5"), ["TICK_5"]);
        assert_eq!(sent("tick"), ["TICK_5", "TICK_60", "TICK_3600"]);
        assert_eq!(
            sent(" TICK_60 ,process_log"),
            ["PROCESS_LOG_STDOUT", "PROCESS_LOG_STDERR", "TICK_60"]
        );
        assert_eq!(sent("EVENT").len(), 20);
        assert!(sent("").is_empty() && Subscription::of("").is_empty());
        assert!(!Subscription::of("TICK").is_empty());
    }

    #[test]
    fn equal_whatever_the_order_and_the_overlap() {
        let rows = [
            ("TICK_5,TICK_60", "TICK_60,tick_5", true),
            ("TICK,TICK_5", "TICK", true),
            ("EVENT", "PROCESS_STATE,EVENT", true),
            ("TICK", "TICK_5,TICK_60", false),
        ];
        for (one, other, equal) in rows {
            let [one, other] = [one, other].map(Subscription::of);
            assert_eq!(one == other, equal);
        }
    }

    #[test]
    fn joined() {
        let both = Subscription::to(Kind::Tick5).and(Subscription::to(Kind::ProcessGroup));
        assert!(both.wants(Kind::Tick5) && both.wants(Kind::ProcessGroupAdded));
        assert!(!both.wants(Kind::Tick60));
    }
}
