//! Basic authentication, and how wrong passwords are slowed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;

/// What the `Authorization` header of a request is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The right name and password, or none needed.
    Granted,
    /// No credentials, or those of another scheme: 401.
    Missing,
    /// The wrong ones: 401, slowed.
    Wrong,
    /// Not base64: 400.
    Malformed,
}

/// Compares a request's header with the listener's name and password.
pub fn check(wanted: Option<(&str, &str)>, header: Option<&str>) -> Access {
    let Some((name, password)) = wanted else { return Access::Granted };
    let Some((scheme, value)) = header.and_then(|h| h.trim().split_once(' ')) else {
        return Access::Missing;
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Access::Missing;
    }
    let Ok(given) = base64::engine::general_purpose::STANDARD.decode(value.trim()) else {
        return Access::Malformed;
    };
    let Some(colon) = given.iter().position(|&b| b == b':') else { return Access::Wrong };
    let (given_name, given_password) = given.split_at(colon);
    let given_password = given_password.get(1..).unwrap_or_default();
    let name_fits = same(given_name, name.as_bytes());
    let password_fits = match password.strip_prefix("{SHA}") {
        Some(digest) => {
            let given = sha1_smol::Sha1::from(given_password).digest().to_string();
            same(given.as_bytes(), digest.as_bytes())
        }
        None => same(given_password, password.as_bytes()),
    };
    // Both were compared whatever came out of the first.
    if name_fits & password_fits { Access::Granted } else { Access::Wrong }
}

/// Compares in a time that depends on what was given, not on what is wanted.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let mut difference = given.len() ^ wanted.len();
    let mut again = wanted.iter().cycle();
    for byte in given {
        difference |= usize::from(byte ^ again.next().unwrap_or(&0));
    }
    std::hint::black_box(difference) == 0
}

/// Peers whose wrong passwords are remembered at a time.
const REMEMBERED: usize = 256;
/// After so long without a wrong password a peer's earlier ones are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Wrong passwords by peer. All connections of a machine are one peer, and so are all of an IPv6
/// network, which one machine may have to itself, and all unix sockets.
#[derive(Debug, Default)]
pub struct FailedLogins {
    peers: HashMap<Option<IpAddr>, (u32, Instant)>,
}

/// What a wrong password leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How long its answer waits.
    pub delay: Duration,
    /// The first one of this peer for a while: the one to tell of.
    pub first: bool,
}

impl FailedLogins {
    /// Notes a wrong password. Its answer waits for `first`, the next one twice as long and so
    /// on, up to `most`.
    pub fn failed(
        &mut self,
        peer: Option<IpAddr>,
        now: Instant,
        first: Duration,
        most: Duration,
    ) -> Failed {
        let peer = peer.map(network);
        self.peers.retain(|_, (_, last)| now.saturating_duration_since(*last) < FORGOTTEN);
        if self.peers.len() >= REMEMBERED && !self.peers.contains_key(&peer) {
            // So many peers at once are one attack: whoever comes new waits longest.
            return Failed { delay: most, first: false };
        }
        let (count, last) = self.peers.entry(peer).or_insert((0, now));
        let delay = first.saturating_mul(1 << (*count).min(16)).min(most);
        let first = *count == 0;
        *count = count.saturating_add(1);
        *last = now;
        Failed { delay, first }
    }
}

/// The part of an address that tells machines apart.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access() {
        // sha1("p:w")
        let sha = format!("{{SHA}}{}", sha1_smol::Sha1::from("p:w").digest());
        let clear = Some(("user", "p:w"));
        let hashed = Some(("user", sha.as_str()));
        let table = [
            (None, None, Access::Granted),
            (None, Some("Basic !"), Access::Granted),
            (clear, None, Access::Missing),
            (clear, Some("Basic"), Access::Missing),
            (clear, Some("Digest dXNlcjpwOnc="), Access::Missing),
            (clear, Some("Basic dXNlcjpwOnc="), Access::Granted),
            (clear, Some("bASIC  dXNlcjpwOnc= "), Access::Granted),
            (hashed, Some("Basic dXNlcjpwOnc="), Access::Granted),
            (clear, Some("Basic dXNlcjpwOnc"), Access::Malformed),
            (clear, Some("Basic !!"), Access::Malformed),
            (clear, Some("Basic dXNlcg=="), Access::Wrong), // no colon
            (clear, Some("Basic dXNlcjpw"), Access::Wrong), // password p
            (hashed, Some("Basic dXNlcjpw"), Access::Wrong),
            (clear, Some("Basic VXNlcjpwOnc="), Access::Wrong), // User
            (clear, Some("Basic Og=="), Access::Wrong),         // both empty
        ];
        for (wanted, header, access) in table {
            assert_eq!(check(wanted, header), access, "{wanted:?} {header:?}");
        }
        // The digest itself is no password.
        let given = base64::engine::general_purpose::STANDARD.encode(format!("user:{sha}"));
        assert_eq!(check(hashed, Some(&format!("Basic {given}"))), Access::Wrong);
    }

    #[test]
    fn comparison() {
        assert!(same(b"", b""));
        assert!(same(b"abc", b"abc"));
        for (a, b) in
            [("abc", "abd"), ("abc", "ab"), ("ab", "abc"), ("abab", "ab"), ("", "a"), ("a", "")]
        {
            assert!(!same(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
    }

    #[test]
    fn delays_grow_by_peer_and_are_forgotten() {
        let (first, most) = (Duration::from_millis(100), Duration::from_millis(300));
        let mut logins = FailedLogins::default();
        let now = Instant::now();
        let mut at = |peer: u8, secs| {
            let peer = Some(IpAddr::from([127, 0, 0, peer]));
            let failed = logins.failed(peer, now + Duration::from_secs(secs), first, most);
            (failed.delay.as_millis(), failed.first)
        };
        assert_eq!([at(1, 0), at(1, 0), at(1, 0)], [(100, true), (200, false), (300, false)]);
        // A burst lasts as long as less than a minute passes.
        assert_eq!([at(1, 59), at(1, 118)], [(300, false); 2]);
        assert_eq!(at(2, 118), (100, true));
        assert_eq!(at(1, 179), (100, true));
    }

    #[test]
    fn a_network_of_version_6_is_one_peer() {
        let mut logins = FailedLogins::default();
        let mut is_new = |text: &str| {
            let second = Duration::from_secs(1);
            logins.failed(text.parse().ok(), Instant::now(), second, second).first
        };
        assert!(is_new("2001:db8:0:1::1"));
        assert!(!is_new("2001:db8:0:1:ffff::2"));
        assert!(is_new("2001:db8:0:2::1"));
        assert!(is_new("10.0.0.1"));
        assert!(!is_new("::ffff:10.0.0.1"));
        assert!(is_new("10.0.0.2"));
    }

    #[test]
    fn memory_of_peers_is_bounded() {
        let mut logins = FailedLogins::default();
        let now = Instant::now();
        for i in 0..1000u32 {
            let peer = Some(IpAddr::from(i.to_be_bytes()));
            let failed = logins.failed(peer, now, Duration::from_millis(1), Duration::from_secs(1));
            assert_eq!(failed.first, (i as usize) < REMEMBERED, "lines are bounded too");
        }
        assert_eq!(logins.peers.len(), REMEMBERED);
    }
}
