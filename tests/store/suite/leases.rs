//! Session slots that several engines take, give back and leave behind when they die (SPEC K7, S6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use clearline::clock;
use clearline::domain::{CallId, Entropy, NodeId, ProjectId, Secret, StartId};
use clearline::keys::{
    Input, KeyLimits, KeyPool, KeyRing, NodeSign, NodeWatch, Output, SlotId, SlotNews, SlotOrder, TakenSlot,
};
use clearline::store::{Lease, Leases, Nodes, fingerprints};
use futures_util::future::join_all;

use crate::bench::Bench;

const DEAD_AFTER: Duration = Duration::from_secs(30);
const CALLS: usize = 12;
const SESSIONS: u32 = 5;

/// One run of an engine: its rules, and its way to the store.
struct Engine {
    ring: KeyRing,
    watch: NodeWatch,
    leases: Leases,
    nodes: Nodes,
    node: NodeId,
    start: StartId,
    beats: u64,
}

impl Engine {
    async fn start(bench: &impl Bench, node: &str, start: &str) -> Self {
        let store = bench.open().await;
        let fingerprints = fingerprints(&store, &mut Entropy::from_number(7)).await.unwrap();
        let (node, start) = (NodeId::new(node), StartId::new(start));
        let pool = KeyPool::from_variables([("GOOGLE_API_KEY", "AIza-the-only-key")]).unwrap();
        let limits = KeyLimits { sessions_per_project: SESSIONS, ..KeyLimits::default() };
        Self {
            ring: KeyRing::new(pool, limits, fingerprints.clone()),
            watch: NodeWatch::new(node.clone(), start.clone(), DEAD_AFTER),
            leases: Leases::new(store.clone(), fingerprints),
            nodes: Nodes::new(store),
            node,
            start,
            beats: 0,
        }
    }

    /// Whether the call may begin.
    async fn ask(&mut self, call: &str, now: Instant) -> bool {
        let owner_key = Some(Secret::new("AIza-the-only-key"));
        self.ring.handle(Input::Ask { call: CallId::new(call), owner_key }, now);
        self.settle(now).await.expect("whoever asks is answered")
    }

    async fn settle(&mut self, now: Instant) -> Option<bool> {
        let mut answered = None;
        while let Some(output) = self.ring.poll_output() {
            let news = match output {
                Output::Answer { answer, .. } => {
                    answered = Some(answer.is_ok());
                    continue;
                }
                Output::LeaseLost { .. } => continue,
                Output::Slot(SlotOrder::Claim { slot, call }) => {
                    if self.leases.claim(&self.lease(&slot, call)).await.unwrap() {
                        SlotNews::Claimed(slot)
                    } else {
                        SlotNews::Lost(slot)
                    }
                }
                Output::Slot(SlotOrder::See { project }) => {
                    let taken = self.leases.of_project(&project).await.unwrap();
                    SlotNews::Seen { project, taken: self.taken(&taken) }
                }
                Output::Slot(SlotOrder::GiveBack { slot }) => {
                    self.leases.give_back(&slot, &self.node, &self.start).await.unwrap();
                    SlotNews::GivenBack(slot)
                }
            };
            self.ring.handle(Input::Slot(news), now);
        }
        answered
    }

    /// A beat, and a look at everybody else's. Gives how many slots it has freed.
    async fn look(&mut self, now: Instant) -> usize {
        self.beats += 1;
        let sign = NodeSign { node: self.node.clone(), start: self.start.clone(), beat: self.beats };
        self.nodes.beat(&sign, None).await.unwrap();
        let look = self.ring.begin_look();
        let leases = self.leases.all().await.unwrap();
        let signs = self.nodes.all().await.unwrap();
        let taken = self.taken(&leases);
        self.ring.handle(Input::Slot(SlotNews::Looked { look, taken }), now);
        self.settle(now).await;
        let holders: BTreeSet<_> = leases.iter().map(Lease::run).collect();
        let over = self.watch.look(&holders, &signs, now).over;
        let mut freed = 0;
        for lease in leases.iter().filter(|lease| over.contains(&lease.run())) {
            self.leases.give_back(&lease.slot_id(), &lease.node, &lease.start).await.unwrap();
            freed += 1;
        }
        freed
    }

    fn lease(&self, slot: &SlotId, call: CallId) -> Lease {
        let (project, node, start) = (slot.project.clone(), self.node.clone(), self.start.clone());
        Lease { project, slot: slot.number, call, node, start }
    }

    fn taken(&self, leases: &[Lease]) -> Vec<TakenSlot> {
        let ours = |lease: &Lease| lease.run() == (self.node.clone(), self.start.clone());
        leases.iter().map(|lease| TakenSlot { slot: lease.slot_id(), ours: ours(lease) }).collect()
    }
}

pub(crate) async fn engines_that_race_for_the_last_slots_of_a_project_get_as_many_as_there_are(
    bench: &mut impl Bench,
) {
    let engines = [Engine::start(bench, "a", "a1").await, Engine::start(bench, "b", "b1").await];
    let leases = engines[0].leases.clone();
    let racing = engines.into_iter().map(|mut engine| {
        tokio::spawn(async move {
            let mut admitted = 0;
            for call in 0..CALLS {
                admitted += u32::from(engine.ask(&format!("{}-{call}", engine.node), clock::now()).await);
            }
            admitted
        })
    });
    let admitted: u32 = join_all(racing).await.into_iter().map(|admitted| admitted.unwrap()).sum();
    assert_eq!((admitted, leases.all().await.unwrap().len()), (SESSIONS, SESSIONS as usize));
}

pub(crate) async fn of_many_who_want_one_slot_one_has_it_and_it_is_given_back_by_that_one_alone(
    bench: &mut impl Bench,
) {
    let engines = [Engine::start(bench, "a", "a1").await, Engine::start(bench, "b", "b1").await];
    let slot = SlotId { project: ProjectId::new("acme"), number: 1 };
    let claims = (0..CALLS).map(|call| {
        let engine = &engines[call % 2];
        let lease = engine.lease(&slot, CallId::new(call.to_string()));
        let leases = engine.leases.clone();
        tokio::spawn(async move { leases.claim(&lease).await.unwrap() })
    });
    let won = join_all(claims).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    let held = engines[0].leases.all().await.unwrap().remove(0);
    let (holder, other) = if held.node == engines[0].node { (0, 1) } else { (1, 0) };
    let give_back = async |engine: &Engine| {
        engine.leases.give_back(&slot, &engine.node, &engine.start).await.unwrap();
        engine.leases.of_project(&slot.project).await.unwrap().len()
    };
    assert_eq!(give_back(&engines[other]).await, 1, "it is not theirs");
    assert_eq!(give_back(&engines[holder]).await, 0);
    assert_eq!(give_back(&engines[holder]).await, 0, "twice is harmless");
}

pub(crate) async fn the_slots_of_a_dead_engine_come_back_to_the_others(bench: &mut impl Bench) {
    let mut dead = Engine::start(bench, "dead", "d1").await;
    let mut alive = Engine::start(bench, "alive", "a1").await;
    let mut now = clock::now();
    dead.look(now).await;
    for call in 0..SESSIONS {
        assert!(dead.ask(&format!("dead-{call}"), now).await);
    }
    assert!(!alive.ask("refused", now).await, "the project is full");
    // From here on its beat stands still. It has been seen for the first time at the first look.
    let mut freed = BTreeMap::new();
    for look in 0..=6 {
        freed.insert(look, alive.look(now).await);
        now += Duration::from_secs(5);
    }
    let expected: BTreeMap<_, _> =
        (0..=6).map(|look| (look, if look == 6 { SESSIONS as usize } else { 0 })).collect();
    assert_eq!(freed, expected, "after thirty seconds, and not before");
    assert!(alive.ask("admitted", now).await);
    dead.look(now).await;
    assert_eq!(dead.ring.leases(), SESSIONS as usize, "it was only asleep: its calls go on");
    let stored = dead.leases.all().await.unwrap();
    assert_eq!(stored.len(), SESSIONS as usize, "and have slots again, as far as there are any");
}

pub(crate) async fn an_engine_that_starts_again_frees_what_its_last_run_left(bench: &mut impl Bench) {
    let now = clock::now();
    let mut before = Engine::start(bench, "engine", "first").await;
    before.look(now).await;
    assert!(before.ask("left behind", now).await);
    let mut after = Engine::start(bench, "engine", "second").await;
    assert_eq!(after.look(now).await, 1);
    assert!(after.leases.all().await.unwrap().is_empty());
}

pub(crate) async fn another_run_under_one_s_own_name_is_noticed(bench: &mut impl Bench) {
    let nodes = Nodes::new(bench.open().await);
    let sign = |start: &str, beat| NodeSign { node: NodeId::new("n"), start: StartId::new(start), beat };
    let first = nodes.beat(&sign("first", 1), None).await.unwrap();
    assert_eq!(first.rival, None);
    let second = nodes.beat(&sign("second", 1), None).await.unwrap();
    assert_eq!(second.rival, None, "the next run of an engine takes over its name");
    let first_again = nodes.beat(&sign("first", 2), Some(first.version)).await.unwrap();
    assert_eq!(first_again.rival, Some(StartId::new("second")));
    nodes.remove(&sign("first", 1)).await.unwrap();
    assert_eq!(nodes.all().await.unwrap(), [sign("first", 2)], "a sign that has moved on stays");
    nodes.remove(&sign("first", 2)).await.unwrap();
    let taken_away = nodes.beat(&sign("first", 3), Some(first_again.version)).await.unwrap();
    assert_eq!((taken_away.rival, nodes.all().await.unwrap()), (None, vec![sign("first", 3)]));
}
