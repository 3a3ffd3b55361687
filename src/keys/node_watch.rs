//! Which engines are dead, so that their leases are free (SPEC K7, S6).
//!
//! Each engine raises a number in the store, its beat. Nobody compares clocks: an engine is dead for who has seen the
//! same beat for long enough on its own monotonic clock. A run of an engine is over, too, as soon as its next run is
//! seen. Leases of an engine that has no beat at all are judged as if it stood still.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::domain::{NodeId, StartId};

/// One engine's sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSign {
    pub node: NodeId,
    pub start: StartId,
    pub beat: u64,
}

/// What one look at the store leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Runs that are over: their leases are free.
    pub over: BTreeSet<(NodeId, StartId)>,
    /// Engines that are dead and hold nothing: their beat can be taken away.
    pub gone: Vec<NodeId>,
}

pub struct NodeWatch {
    node: NodeId,
    start: StartId,
    dead_after: Duration,
    seen: BTreeMap<(NodeId, StartId), Seen>,
    last_look: Option<Instant>,
}

struct Seen {
    beat: Option<u64>,
    since: Instant,
}

impl NodeWatch {
    pub fn new(node: NodeId, start: StartId, dead_after: Duration) -> Self {
        Self { node, start, dead_after, seen: BTreeMap::new(), last_look: None }
    }

    pub fn dead_after(&self) -> Duration {
        self.dead_after
    }

    /// `holders` are the runs that hold leases; they must have been read before the signs, so that a run which began in
    /// between is not taken for one that is over.
    pub fn look(
        &mut self,
        holders: &BTreeSet<(NodeId, StartId)>,
        signs: &[NodeSign],
        now: Instant,
    ) -> Verdict {
        self.forget_after_a_gap(now);
        let beats: BTreeMap<(NodeId, StartId), Option<u64>> = holders
            .iter()
            .map(|run| (run.clone(), None))
            .chain(signs.iter().map(|sign| ((sign.node.clone(), sign.start.clone()), Some(sign.beat))))
            .collect();
        self.seen.retain(|run, _| beats.contains_key(run));
        for (run, beat) in &beats {
            self.see(run, *beat, now);
        }
        let over = holders.iter().filter(|run| self.is_over(run, signs, now)).cloned().collect();
        let holds = |node: &NodeId| holders.iter().any(|(holder, _)| holder == node);
        let is_gone = |sign: &&NodeSign| {
            sign.node != self.node && !holds(&sign.node) && self.stands_still(&run_of(sign), now)
        };
        let gone = signs.iter().filter(is_gone).map(|sign| sign.node.clone()).collect();
        Verdict { over, gone }
    }

    /// While nobody could look, nobody could raise a beat either, or it was us who slept.
    fn forget_after_a_gap(&mut self, now: Instant) {
        let gap = self.last_look.is_none_or(|last| now.saturating_duration_since(last) > self.dead_after / 2);
        if gap {
            self.seen.clear();
        }
        self.last_look = Some(now);
    }

    fn see(&mut self, run: &(NodeId, StartId), beat: Option<u64>, now: Instant) {
        let seen = self.seen.entry(run.clone()).or_insert(Seen { beat, since: now });
        if seen.beat != beat {
            *seen = Seen { beat, since: now };
        }
    }

    fn is_over(&self, run: &(NodeId, StartId), signs: &[NodeSign], now: Instant) -> bool {
        let (node, start) = run;
        if *node == self.node {
            return *start != self.start;
        }
        let began_again = signs.iter().any(|sign| sign.node == *node && sign.start != *start);
        began_again || self.stands_still(run, now)
    }

    fn stands_still(&self, run: &(NodeId, StartId), now: Instant) -> bool {
        self.seen.get(run).is_some_and(|seen| now.saturating_duration_since(seen.since) >= self.dead_after)
    }
}

/// Those of `now` that somebody has written since `before` was read.
pub fn signs_of_life<'a>(before: &[NodeSign], now: &'a [NodeSign]) -> impl Iterator<Item = &'a NodeSign> {
    now.iter().filter(|sign| !before.contains(sign))
}

fn run_of(sign: &NodeSign) -> (NodeId, StartId) {
    (sign.node.clone(), sign.start.clone())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some origin of time")]
mod tests {
    use super::*;

    const DEAD_AFTER: Duration = Duration::from_secs(30);
    const BEAT: Duration = Duration::from_secs(5);

    fn watch() -> NodeWatch {
        NodeWatch::new(NodeId::new("me"), StartId::new("my-second"), DEAD_AFTER)
    }

    fn run(node: &str, start: &str) -> (NodeId, StartId) {
        (NodeId::new(node), StartId::new(start))
    }

    fn sign(node: &str, start: &str, beat: u64) -> NodeSign {
        NodeSign { node: NodeId::new(node), start: StartId::new(start), beat }
    }

    #[test]
    fn k7_an_engine_is_dead_once_its_beat_has_stood_still_for_long_enough() {
        let (mut watch, mut now) = (watch(), Instant::now());
        let holders = BTreeSet::from([run("other", "a")]);
        for beat in [7, 8, 8, 8, 8, 8, 8] {
            let verdict = watch.look(&holders, &[sign("other", "a", beat)], now);
            assert_eq!(verdict, Verdict::default());
            now += BEAT;
        }
        assert_eq!(watch.look(&holders, &[sign("other", "a", 8)], now).over, holders);
        let alive_after_all = watch.look(&holders, &[sign("other", "a", 9)], now);
        assert_eq!(alive_after_all, Verdict::default());
    }

    #[test]
    fn k7_a_run_is_over_as_soon_as_the_next_one_of_its_engine_is_seen() {
        let holders = BTreeSet::from([run("other", "a"), run("other", "b"), run("me", "my-first")]);
        let verdict = watch().look(&holders, &[sign("other", "b", 1)], Instant::now());
        assert_eq!(verdict.over, BTreeSet::from([run("other", "a"), run("me", "my-first")]));
    }

    #[test]
    fn our_own_run_is_never_over_for_us_however_long_its_beat_could_not_be_written() {
        let (mut watch, mut now) = (watch(), Instant::now());
        let holders = BTreeSet::from([run("me", "my-second")]);
        for _ in 0..20 {
            assert_eq!(watch.look(&holders, &[sign("me", "my-second", 1)], now), Verdict::default());
            now += BEAT;
        }
    }

    #[test]
    fn leases_of_an_engine_without_any_beat_are_freed_as_those_of_one_that_stands_still() {
        let (mut watch, start) = (watch(), Instant::now());
        let holders = BTreeSet::from([run("vanished", "a")]);
        for looks in 0..6 {
            assert_eq!(watch.look(&holders, &[], start + looks * BEAT), Verdict::default());
        }
        assert_eq!(watch.look(&holders, &[], start + DEAD_AFTER).over, holders);
    }

    #[test]
    fn s6_an_outage_of_the_store_or_a_sleep_of_ours_makes_nobody_dead() {
        let (mut watch, start) = (watch(), Instant::now());
        let (holders, signs) = (BTreeSet::from([run("other", "a")]), [sign("other", "a", 7)]);
        watch.look(&holders, &signs, start);
        let later = start + Duration::from_secs(3_600);
        assert_eq!(watch.look(&holders, &signs, later), Verdict::default());
        assert_eq!(watch.look(&holders, &signs, later + BEAT), Verdict::default());
    }

    #[test]
    fn an_engine_is_alive_whose_beat_was_raised_or_that_began_in_between() {
        let before = [
            sign("still", "a", 7),
            sign("raised", "a", 7),
            sign("begun-again", "a", 1),
            sign("left", "a", 3),
        ];
        let now =
            [sign("still", "a", 7), sign("raised", "a", 8), sign("begun-again", "b", 1), sign("new", "a", 1)];
        let alive: Vec<&str> = signs_of_life(&before, &now).map(|sign| sign.node.as_str()).collect();
        assert_eq!(alive, ["raised", "begun-again", "new"]);
    }

    #[test]
    fn a_dead_engine_s_beat_is_taken_away_after_its_leases() {
        let (mut watch, start) = (watch(), Instant::now());
        let (holders, signs) = (BTreeSet::from([run("other", "a")]), [sign("other", "a", 7)]);
        for looks in 0..6 {
            watch.look(&holders, &signs, start + looks * BEAT);
        }
        let still_holding = watch.look(&holders, &signs, start + DEAD_AFTER);
        assert_eq!((still_holding.over, still_holding.gone), (holders, vec![]));
        let freed = watch.look(&BTreeSet::new(), &signs, start + DEAD_AFTER);
        assert_eq!(freed.gone, [NodeId::new("other")]);
    }
}
