#![expect(clippy::disallowed_methods, reason = "a test needs some origin of time")]

use super::*;

/// Engines that share one store, which does at once what it is asked, unless it is away or silent.
struct World {
    engines: Vec<Slots>,
    store: BTreeMap<SlotId, usize>,
    condition: Condition,
    /// What was asked of the store while it was silent.
    unanswered: Vec<(usize, SlotOrder)>,
    decided: HashMap<CallId, Decision>,
    lost: Vec<CallId>,
    writes: usize,
    now: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Answering,
    Away,
    Silent,
}

const FULL: Option<Decision> = Some(Decision::Full);
const IN_STORE: Option<Decision> = Some(Decision::Granted { in_store: true });
const ONLY_HERE: Option<Decision> = Some(Decision::Granted { in_store: false });

fn project() -> ProjectId {
    ProjectId::new("acme")
}

fn slot(number: u32) -> SlotId {
    SlotId { project: project(), number }
}

impl World {
    fn new(engines: usize, sessions_per_project: u32) -> Self {
        let limits = KeyLimits { sessions_per_project, ..KeyLimits::default() };
        Self {
            engines: (0..engines).map(|_| Slots::new(limits)).collect(),
            store: BTreeMap::new(),
            condition: Condition::Answering,
            unanswered: Vec::new(),
            decided: HashMap::new(),
            lost: Vec::new(),
            writes: 0,
            now: Instant::now(),
        }
    }

    fn ask(&mut self, engine: usize, call: &str) -> Option<Decision> {
        self.ask_as(engine, call, false)
    }

    fn ask_as(&mut self, engine: usize, call: &str, borrowed: bool) -> Option<Decision> {
        let call = CallId::new(call);
        self.engines[engine].ask(&call, &project(), borrowed, self.now);
        self.settle();
        self.decided.remove(&call)
    }

    fn end(&mut self, engine: usize, call: &str) -> bool {
        let had = self.engines[engine].release(&CallId::new(call), self.now);
        self.settle();
        had
    }

    fn look(&mut self, engine: usize) {
        let look = self.engines[engine].begin_look();
        let taken = self.taken(engine);
        self.engines[engine].hear(SlotNews::Looked { look, taken }, self.now);
        self.settle();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        for engine in &mut self.engines {
            engine.handle_timeout(self.now);
        }
        self.settle();
    }

    fn answer_at_last(&mut self) {
        self.condition = Condition::Answering;
        for (engine, order) in std::mem::take(&mut self.unanswered) {
            self.carry_out(engine, order);
        }
        self.settle();
    }

    fn settle(&mut self) {
        for engine in 0..self.engines.len() {
            while let Some(output) = self.engines[engine].poll_output() {
                match output {
                    SlotOutput::Decided { call, decision } => drop(self.decided.insert(call, decision)),
                    SlotOutput::LeaseLost { call, .. } => self.lost.push(call),
                    SlotOutput::Order(order) if self.condition == Condition::Silent => {
                        self.unanswered.push((engine, order));
                    }
                    SlotOutput::Order(order) => self.carry_out(engine, order),
                }
            }
        }
    }

    fn carry_out(&mut self, engine: usize, order: SlotOrder) {
        let away = self.condition == Condition::Away;
        let news = match order {
            SlotOrder::Claim { slot, .. } if away => SlotNews::ClaimFailed(slot),
            SlotOrder::See { project } if away => SlotNews::SeeFailed(project),
            SlotOrder::GiveBack { slot } if away => SlotNews::GiveBackFailed(slot),
            SlotOrder::Claim { slot, .. } if self.store.contains_key(&slot) => SlotNews::Lost(slot),
            SlotOrder::Claim { slot, .. } => {
                self.writes += 1;
                self.store.insert(slot.clone(), engine);
                SlotNews::Claimed(slot)
            }
            SlotOrder::See { project } => SlotNews::Seen { project, taken: self.taken(engine) },
            SlotOrder::GiveBack { slot } => {
                self.writes += 1;
                self.store.retain(|taken, holder| *taken != slot || *holder != engine);
                SlotNews::GivenBack(slot)
            }
        };
        self.engines[engine].hear(news, self.now);
    }

    fn taken(&self, engine: usize) -> Vec<TakenSlot> {
        let taken =
            |(slot, holder): (&SlotId, &usize)| TakenSlot { slot: slot.clone(), ours: *holder == engine };
        self.store.iter().map(taken).collect()
    }

    fn numbers_taken(&self) -> Vec<u32> {
        self.store.keys().map(|slot| slot.number).collect()
    }
}

#[test]
fn k7_calls_that_follow_one_another_use_the_slot_of_the_one_before_and_write_nothing() {
    let mut world = World::new(1, 10);
    for call in 0..50 {
        assert_eq!(world.ask(0, &call.to_string()), IN_STORE);
        assert!(world.end(0, &call.to_string()));
        world.wait(Duration::from_secs(5));
        world.look(0);
    }
    assert_eq!((world.writes, world.numbers_taken()), (1, vec![1]));
}

#[test]
fn k7_an_idle_slot_is_given_back_after_a_while() {
    let mut world = World::new(1, 10);
    world.ask(0, "c1");
    world.end(0, "c1");
    let end = world.engines[0].next_timeout().unwrap();
    assert_eq!(end - world.now, KeyLimits::default().idle_max);
    world.wait(end - world.now);
    assert_eq!((world.numbers_taken(), world.engines[0].next_timeout()), (vec![], None));
}

#[test]
fn s6_two_engines_keep_the_limit_together() {
    let mut world = World::new(2, 3);
    let answers: Vec<_> = (0..4).map(|call| world.ask(call % 2, &call.to_string())).collect();
    assert_eq!(answers, [IN_STORE, IN_STORE, IN_STORE, FULL]);
    world.end(1, "1");
    assert_eq!(world.ask(0, "4"), IN_STORE);
    assert_eq!(world.ask(1, "5"), FULL);
}

#[test]
fn k7_where_few_are_free_no_slot_is_kept_from_another_engine() {
    let mut world = World::new(2, 3);
    world.ask(0, "c1");
    world.end(0, "c1");
    assert!(world.store.is_empty());
    let mut world = World::new(2, 10);
    for call in 0..8 {
        assert_eq!(world.ask(0, &call.to_string()), IN_STORE);
    }
    for call in 0..8 {
        world.end(0, &call.to_string());
    }
    assert_eq!(world.numbers_taken(), [1, 2], "a quarter of what is free may be kept");
}

#[test]
fn k7_idle_slots_are_given_up_at_the_next_look_when_others_need_the_project() {
    let mut world = World::new(2, 10);
    for call in ["a", "b", "c"] {
        world.ask(0, call);
    }
    for call in ["a", "b", "c"] {
        world.end(0, call);
    }
    assert_eq!(world.numbers_taken(), [1, 2]);
    let answers: Vec<_> = (0..9).map(|call| world.ask(1, &call.to_string())).collect();
    assert_eq!((answers[..8].iter().all(|answer| *answer == IN_STORE), &answers[8]), (true, &FULL));
    world.look(0);
    assert_eq!(world.ask(1, "again"), IN_STORE);
}

#[test]
fn k6_a_borrower_never_takes_the_slots_reserved_for_holders_on_any_engine() {
    let mut world = World::new(2, 3);
    assert_eq!(world.ask_as(0, "b1", true), IN_STORE);
    assert_eq!(world.ask_as(1, "b2", true), IN_STORE);
    assert_eq!(world.ask_as(0, "b3", true), FULL);
    assert_eq!(world.ask_as(1, "b4", true), FULL);
    assert_eq!(world.ask(1, "holder"), IN_STORE);
}

#[test]
fn k6_a_holder_moves_off_a_reserved_slot_as_soon_as_another_is_free() {
    let mut world = World::new(1, 3);
    for call in ["h1", "h2", "h3"] {
        world.ask(0, call);
    }
    world.end(0, "h1");
    assert_eq!(world.numbers_taken(), [1, 2], "the reserved one is free again");
    assert_eq!(world.ask_as(0, "b1", true), FULL);
    world.end(0, "h2");
    assert_eq!(world.ask_as(0, "b2", true), IN_STORE);
}

#[test]
fn s5_a_store_that_is_away_stops_no_call_and_learns_of_it_when_it_is_back() {
    let mut world = World::new(2, 3);
    world.ask(1, "other");
    world.look(0);
    world.condition = Condition::Away;
    assert_eq!(world.ask(0, "c1"), ONLY_HERE);
    assert_eq!(world.ask(0, "c2"), ONLY_HERE);
    assert_eq!(world.ask(0, "c3"), FULL, "by what it knows of the others");
    assert!(world.end(0, "c2"));
    world.condition = Condition::Answering;
    world.look(0);
    assert_eq!(world.store.values().filter(|engine| **engine == 0).count(), 1);
    world.end(0, "c1");
    assert_eq!((world.numbers_taken(), world.engines[0].in_use()), (vec![1], 0));
}

#[test]
fn s5_a_silent_store_is_waited_for_once_and_its_late_answer_is_the_call_s_slot() {
    let mut world = World::new(1, 10);
    world.condition = Condition::Silent;
    assert_eq!(world.ask(0, "c1"), None);
    world.wait(STORE_PATIENCE);
    assert_eq!(world.decided.remove(&CallId::new("c1")), ONLY_HERE);
    assert_eq!(world.ask(0, "c2"), ONLY_HERE, "at once");
    world.answer_at_last();
    world.look(0);
    assert_eq!((world.numbers_taken(), world.engines[0].in_use()), (vec![1, 2], 2));
    assert!(world.end(0, "c1") && world.end(0, "c2"));
    world.wait(KeyLimits::default().idle_max);
    assert!(world.store.is_empty());
}

#[test]
fn k7_a_call_that_ends_while_its_claim_is_on_its_way_keeps_no_slot() {
    let mut world = World::new(1, 3);
    world.condition = Condition::Silent;
    world.ask(0, "c1");
    assert!(!world.end(0, "c1"));
    world.answer_at_last();
    assert_eq!((world.decided.len(), world.numbers_taken()), (0, vec![]));
}

#[test]
fn k7_a_lost_lease_ends_no_call_and_is_taken_anew() {
    let mut world = World::new(2, 3);
    world.ask(0, "c1");
    world.store.clear();
    world.ask(1, "c2");
    world.look(0);
    assert_eq!((world.lost.as_slice(), world.engines[0].in_use()), ([CallId::new("c1")].as_slice(), 1));
    assert_eq!(world.store, BTreeMap::from([(slot(1), 1), (slot(2), 0)]));
    world.end(0, "c1");
    assert_eq!(world.numbers_taken(), [1]);
}

#[test]
fn a_slot_taken_while_a_look_was_under_way_is_not_lost_by_it() {
    let mut world = World::new(1, 3);
    let look = world.engines[0].begin_look();
    world.ask(0, "c1");
    world.engines[0].hear(SlotNews::Looked { look, taken: vec![] }, world.now);
    world.settle();
    assert!(world.lost.is_empty());
    world.look(0);
    assert!(world.lost.is_empty());
}

#[test]
fn a_claim_that_failed_and_was_done_all_the_same_is_given_back() {
    let mut world = World::new(1, 3);
    world.store.insert(slot(2), 0);
    world.look(0);
    assert!(world.store.is_empty());
}

#[test]
fn k7_what_cannot_be_given_back_is_tried_again() {
    let mut world = World::new(1, 3);
    world.ask(0, "c1");
    world.condition = Condition::Away;
    assert!(world.end(0, "c1"));
    assert_eq!(world.numbers_taken(), [1]);
    world.condition = Condition::Answering;
    world.wait(GIVE_BACK_AGAIN);
    assert!(world.store.is_empty());
}

#[test]
fn k7_a_call_waits_for_a_slot_that_is_on_its_way_back() {
    let mut world = World::new(1, 1);
    world.ask(0, "c1");
    world.condition = Condition::Silent;
    world.end(0, "c1");
    assert_eq!(world.ask(0, "c2"), None);
    world.answer_at_last();
    assert_eq!(world.decided.remove(&CallId::new("c2")), IN_STORE);
}

#[test]
fn k7_calls_without_end_and_every_kind_of_trouble_leave_nothing_behind() {
    let mut world = World::new(2, 5);
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..20_000 {
        let (engine, call) = (random(2) as usize, format!("{}", random(8)));
        match random(12) {
            0..=4 => drop(world.ask_as(engine, &format!("{engine}-{call}"), random(3) == 0)),
            5..=8 => drop(world.end(engine, &format!("{engine}-{call}"))),
            9 => world.look(engine),
            10 => world.wait(Duration::from_millis(random(3_000))),
            _ => {
                world.answer_at_last();
                let conditions = [Condition::Answering, Condition::Away, Condition::Silent];
                world.condition = conditions[random(3) as usize];
            }
        }
        world.decided.clear();
        assert!(world.store.len() <= 5, "never more than there are");
    }
    for engine in 0..2 {
        for call in 0..8 {
            world.end(engine, &format!("{engine}-{call}"));
        }
    }
    world.answer_at_last();
    for _ in 0..2 {
        world.wait(KeyLimits::default().idle_max);
        world.look(0);
        world.look(1);
    }
    assert!(world.store.is_empty(), "{:?}", world.store);
    assert!(world.engines.iter().all(|engine| engine.in_use() == 0 && engine.projects.is_empty()));
}
