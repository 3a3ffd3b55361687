//! Whoever guesses passwords is slowed (SPEC O3), on the monotonic clock and in a table with a bound.
//!
//! - **By address** (IPv6 by its /64, which one customer has): after [`FREE_BY_SOURCE`] failures each attempt is refused
//!   for a pause that doubles up to [`LONGEST_PAUSE`]. What is refused meanwhile does not lengthen the pause.
//! - **By name**, wherever the attempts come from: after [`FREE_BY_NAME`] failures each attempt is answered later, by up
//!   to [`LONGEST_DELAY`], and never refused. So nobody can keep a user out by guessing at the name from elsewhere.
//! - A user who has logged in from an address before is counted there on an own account and never delayed: a neighbour
//!   behind the same gateway who guesses at other names does not keep that user out either. (One who guesses at this
//!   very name cannot be told from the user; the pause then bounds what it costs.)
//!
//! None of that bounds how many addresses guess at once: [`Standing`] says who goes first then.
//!
//! An attempt is booked as a failure when it begins, so that a thousand at once are not all the first. A success takes
//! back what its own attempt booked and nothing else: an attacker cannot wipe the slate clean with an account of their
//! own. Each [`FORGIVE_EVERY`] forgives one failure.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::Standing;

const FREE_BY_SOURCE: u32 = 10;
const FREE_BY_NAME: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(4);
const FORGIVE_EVERY: Duration = Duration::from_secs(300);
/// Past this nobody is slowed more: it bounds how long a spell of guessing is remembered.
const FAILURES_MAX: u32 = 60;
/// Names, addresses and pairs of them, some 100 bytes each.
const ENTRIES_MAX: usize = 20_000;
/// As much of a typed name as is told apart; a longer one is nobody's.
const NAME_CHARS_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Check the password once this has passed.
    After(Duration),
    /// Do not check it; the client may come again after this.
    Refused(Duration),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Name(String),
    Source(IpAddr),
    /// A user at an address where this user has logged in.
    AtHome(String, IpAddr),
}

struct Entry {
    failures: u32,
    /// From when the next failure is forgiven on.
    counted_since: Instant,
    paused_until: Option<Instant>,
}

#[derive(Default)]
pub struct Guesses {
    entries: HashMap<Key, Entry>,
}

impl Guesses {
    /// Asked before [`Guesses::begin`], which books the attempt itself as a failure.
    pub fn standing(&mut self, name: &str, source: IpAddr, now: Instant) -> Standing {
        let account = self.account_of(name, source);
        let is_at_home = matches!(account, Key::AtHome(..));
        match self.entries.get_mut(&account).map(|entry| entry.failures_left(now)) {
            Some(1..) => Standing::HasFailed,
            Some(0) if is_at_home => Standing::AtHome,
            Some(0) | None => Standing::Clean,
        }
    }

    /// Somebody is about to try a password.
    pub fn begin(&mut self, name: &str, source: IpAddr, now: Instant) -> Verdict {
        let account = self.account_of(name, source);
        let is_at_home = matches!(account, Key::AtHome(..));
        let entry = self.entry(account, now);
        if let Some(wait) = entry.pause_left(now) {
            return Verdict::Refused(wait);
        }
        entry.book_failure(now, FREE_BY_SOURCE);
        let by_name = self.entry(Key::Name(short(name)), now);
        let delay = doubled(FIRST_DELAY, by_name.failures, FREE_BY_NAME, LONGEST_DELAY);
        by_name.book_failure(now, u32::MAX);
        Verdict::After(if is_at_home { Duration::ZERO } else { delay })
    }

    /// The password was right.
    pub fn succeeded(&mut self, name: &str, source: IpAddr, now: Instant) {
        self.abandoned(name, source);
        self.entry(Key::AtHome(short(name), network_of(source)), now);
    }

    /// The attempt ended without an answer to the question whether the password is right.
    pub fn abandoned(&mut self, name: &str, source: IpAddr) {
        for key in [self.account_of(name, source), Key::Name(short(name))] {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.take_back();
            }
        }
    }

    fn account_of(&self, name: &str, source: IpAddr) -> Key {
        let source = network_of(source);
        let at_home = Key::AtHome(short(name), source);
        if self.entries.contains_key(&at_home) { at_home } else { Key::Source(source) }
    }

    fn entry(&mut self, key: Key, now: Instant) -> &mut Entry {
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(&key) {
            self.make_room(now);
        }
        let entry = self.entries.entry(key).or_insert(Entry::new(now));
        entry.forgive(now);
        entry
    }

    /// A tenth at once, so that a flood of new addresses does not pay for a search each: those with the fewest failures
    /// go first, of them the oldest, and where somebody is at home last of all.
    fn make_room(&mut self, now: Instant) {
        let mut ranked: Vec<((bool, u32, Instant), Key)> = Vec::with_capacity(self.entries.len());
        for (key, entry) in &mut self.entries {
            entry.forgive(now);
            let is_at_home = matches!(key, Key::AtHome(..));
            ranked.push(((is_at_home, entry.failures, entry.counted_since), key.clone()));
        }
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        for (_, key) in ranked.iter().take(ENTRIES_MAX / 10) {
            self.entries.remove(key);
        }
    }
}

impl Entry {
    fn new(now: Instant) -> Self {
        Self { failures: 0, counted_since: now, paused_until: None }
    }

    fn forgive(&mut self, now: Instant) {
        let spans = now.saturating_duration_since(self.counted_since).as_secs() / FORGIVE_EVERY.as_secs();
        let forgiven = u32::try_from(spans).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_sub(forgiven);
        self.counted_since += FORGIVE_EVERY * forgiven;
    }

    fn failures_left(&mut self, now: Instant) -> u32 {
        self.forgive(now);
        self.failures
    }

    fn pause_left(&self, now: Instant) -> Option<Duration> {
        self.paused_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    fn book_failure(&mut self, now: Instant, free: u32) {
        if self.failures == 0 {
            self.counted_since = now;
        }
        self.failures = (self.failures + 1).min(FAILURES_MAX);
        let pause = doubled(FIRST_PAUSE, self.failures, free, LONGEST_PAUSE);
        self.paused_until = (!pause.is_zero()).then(|| now + pause);
    }

    fn take_back(&mut self) {
        self.failures = self.failures.saturating_sub(1);
        self.paused_until = None;
    }
}

/// Nothing while `failures` are below `free`, then `first`, and twice as much for each further one.
fn doubled(first: Duration, failures: u32, free: u32, longest: Duration) -> Duration {
    let Some(beyond) = failures.checked_sub(free) else { return Duration::ZERO };
    first.saturating_mul(2_u32.saturating_pow(beyond)).min(longest)
}

fn short(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
#[path = "guesses_tests.rs"]
mod tests;
