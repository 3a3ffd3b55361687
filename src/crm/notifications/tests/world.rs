//! Two engines, a store and two subscribers from one seed: subscribers flap and lose their own answers, one of them is
//! away for most of the time, engines crash between any two of their writes, the store fails now and then. In the end
//! each subscriber has heard of every event, of each call in order, and always in the same words.

#![expect(clippy::disallowed_methods, reason = "a test needs some instant to start its virtual clock from")]

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::crm::Answer;
use crate::crm::notifications::{
    Deliveries, DeliveryInput, DeliveryLimits, DeliveryOutput, Sent, Settlement,
};
use crate::domain::{CallId, Entropy, NotificationId, NotificationState};

const SEEDS: u64 = 1_000;
const ENGINES: usize = 2;
const SUBSCRIBERS: usize = 2;
/// This one is away until the trouble is over.
const LAZY: usize = 1;
const CALLS: usize = 6;
const EVENTS: usize = 4;
/// Until then anything may fail; afterwards nothing does.
const TROUBLE: Duration = Duration::from_secs(300);
const END: Duration = Duration::from_secs(900);
const STEP: Duration = Duration::from_millis(500);

/// Call, subscriber, which of the call's events.
type Key = (CallId, usize, usize);

struct Kept {
    node: usize,
    state: NotificationState,
    trouble: Option<String>,
    due_since: Instant,
}

struct Engine {
    run: u32,
    /// By subscriber; `None`: it is down.
    deliveries: Option<Vec<Deliveries>>,
    back_at: Instant,
    /// Answers on their way.
    answers: Vec<(Instant, usize, CallId, Sent, Answer)>,
}

struct World {
    entropy: Entropy,
    start: Instant,
    now: Instant,
    limits: DeliveryLimits,
    store: BTreeMap<Key, Kept>,
    /// Which run of which engine has a call, towards whom.
    claims: BTreeMap<(CallId, usize), (usize, u32)>,
    /// What happens when, in which call.
    agenda: VecDeque<(Instant, CallId, usize)>,
    /// By subscriber: what was taken, in order.
    heard: Vec<Vec<(CallId, usize)>>,
    engines: Vec<Engine>,
    /// The longest that the subscriber which is never away was kept waiting.
    longest: Duration,
}

impl World {
    fn new(seed: u64) -> Self {
        let (mut entropy, now) = (Entropy::from_number(seed), Instant::now());
        let limits = DeliveryLimits {
            parallel: 1 + entropy.below(3) as usize,
            held_max: 2 + entropy.below(8) as usize,
            look_every: Duration::from_secs(5),
        };
        let mut agenda = Vec::new();
        for call in 0..CALLS {
            let mut at = now + Duration::from_secs(entropy.below(200));
            for event in 0..EVENTS {
                agenda.push((at, CallId::new(format!("call-{call}")), event));
                at += Duration::from_millis(entropy.below(20_000));
            }
        }
        agenda.sort_by_key(|(at, ..)| *at);
        let engine = || Engine { run: 0, deliveries: None, back_at: now, answers: Vec::new() };
        Self {
            start: now,
            now,
            limits,
            store: BTreeMap::new(),
            claims: BTreeMap::new(),
            agenda: agenda.into(),
            heard: vec![Vec::new(); SUBSCRIBERS],
            engines: (0..ENGINES).map(|_| engine()).collect(),
            longest: Duration::ZERO,
            entropy,
        }
    }

    fn is_troubled(&self) -> bool {
        self.now < self.start + TROUBLE
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.entropy.below(chances) == 0 && self.is_troubled()
    }

    fn run(mut self) -> Self {
        while self.now < self.start + END && !self.is_done() {
            self.let_happen_what_is_due();
            for engine in 0..ENGINES {
                self.step(engine);
            }
            self.now += STEP;
        }
        self
    }

    fn is_done(&self) -> bool {
        let is_over = |kept: &Kept| kept.state != NotificationState::Due;
        !self.is_troubled() && self.agenda.is_empty() && self.store.values().all(is_over)
    }

    fn let_happen_what_is_due(&mut self) {
        while self.agenda.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((_, call, event)) = self.agenda.pop_front() else { return };
            let node = usize::from(call.as_str().ends_with(['1', '3', '5']));
            for subscriber in 0..SUBSCRIBERS {
                let (state, due_since) = (NotificationState::Due, self.now);
                let kept = Kept { node, state, trouble: None, due_since };
                self.store.insert((call.clone(), subscriber, event), kept);
                self.tell(node, subscriber, DeliveryInput::Rung);
            }
        }
    }

    fn step(&mut self, at: usize) {
        if self.engines[at].deliveries.is_none() {
            if self.engines[at].back_at > self.now && self.is_troubled() {
                return;
            }
            self.begin_run(at);
        }
        let now = self.now;
        let arrived: Vec<_> = self.engines[at].answers.extract_if(.., |(when, ..)| *when <= now).collect();
        for (_, subscriber, call, sent, answer) in arrived {
            self.tell(at, subscriber, DeliveryInput::Answered { call, sent, answer });
        }
        (0..SUBSCRIBERS).for_each(|subscriber| self.tell(at, subscriber, DeliveryInput::Tick));
    }

    fn begin_run(&mut self, at: usize) {
        let queue = |_| Deliveries::new(self.limits, self.entropy.fork(), self.now);
        let queues = (0..SUBSCRIBERS).map(queue).collect();
        let engine = &mut self.engines[at];
        engine.run += 1;
        engine.deliveries = Some(queues);
        // Its former run's claims are seen to be over.
        let run = engine.run;
        self.claims.retain(|_, holder| holder.0 != at || holder.1 == run);
    }

    fn crash(&mut self, at: usize) {
        let pause = Duration::from_secs(1 + self.entropy.below(40));
        let engine = &mut self.engines[at];
        engine.deliveries = None;
        engine.answers.clear();
        engine.back_at = self.now + pause;
    }

    fn tell(&mut self, at: usize, subscriber: usize, input: DeliveryInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = self.now;
            let Some(queue) = self.queue(at, subscriber) else { return };
            queue.handle(input, now);
            while let Some(output) = self.queue(at, subscriber).and_then(Deliveries::poll_output) {
                if self.one_in(80) {
                    return self.crash(at);
                }
                inputs.extend(self.perform(at, subscriber, output));
            }
        }
    }

    fn queue(&mut self, at: usize, subscriber: usize) -> Option<&mut Deliveries> {
        self.engines[at].deliveries.as_mut()?.get_mut(subscriber)
    }

    fn perform(&mut self, at: usize, subscriber: usize, output: DeliveryOutput) -> Vec<DeliveryInput> {
        match output {
            DeliveryOutput::Look => self.look(at, subscriber),
            DeliveryOutput::Post { call } => self.post(at, subscriber, call),
            DeliveryOutput::Settle { call, id, settlement } => {
                self.settle(at, subscriber, call, &id, &settlement)
            }
            DeliveryOutput::Release { call } => {
                self.claims.remove(&(call, subscriber));
                Vec::new()
            }
        }
    }

    fn look(&mut self, at: usize, subscriber: usize) -> Vec<DeliveryInput> {
        if self.one_in(5) {
            return vec![DeliveryInput::Looked { more: false }];
        }
        let is_ours = |node: usize| node == at || self.engines[node].deliveries.is_none();
        let due = self.store.iter().filter(|((_, of, _), kept)| {
            *of == subscriber && kept.state == NotificationState::Due && is_ours(kept.node)
        });
        let mut calls: Vec<CallId> = due.map(|((call, ..), _)| call.clone()).collect();
        calls.dedup();
        vec![DeliveryInput::Found(calls), DeliveryInput::Looked { more: false }]
    }

    fn post(&mut self, at: usize, subscriber: usize, call: CallId) -> Vec<DeliveryInput> {
        if self.one_in(20) {
            return vec![DeliveryInput::NotBegun { call }];
        }
        let mine = (at, self.engines[at].run);
        if *self.claims.entry((call.clone(), subscriber)).or_insert(mine) != mine {
            return vec![DeliveryInput::NotOurs { call }];
        }
        let of_call = self.store.range((call.clone(), subscriber, 0)..(call.clone(), subscriber, EVENTS));
        let mut due = of_call.filter(|(_, kept)| kept.state == NotificationState::Due);
        let Some(((.., event), kept)) = due.next() else {
            self.claims.remove(&(call.clone(), subscriber));
            return vec![DeliveryInput::NotOurs { call }];
        };
        let event = *event;
        let sent = Sent {
            id: NotificationId::new(event.to_string()),
            trouble: kept.trouble.clone(),
            is_last: due.next().is_none(),
        };
        let answer = self.answer_of(subscriber, &call, event);
        if self.one_in(50) {
            self.crash(at);
            return Vec::new();
        }
        let takes = Duration::from_millis(self.entropy.below(3_000));
        self.engines[at].answers.push((self.now + takes, subscriber, call, sent, answer));
        Vec::new()
    }

    fn answer_of(&mut self, subscriber: usize, call: &CallId, event: usize) -> Answer {
        if subscriber == LAZY && self.is_troubled() {
            return Answer::Unreachable("refused".into());
        }
        if self.one_in(5) {
            return Answer::Http { status: 503, retry_after: None, content_type: None, body: Vec::new() };
        }
        self.heard[subscriber].push((call.clone(), event));
        if self.one_in(6) {
            return Answer::Broken("the answer was lost".into());
        }
        Answer::Http { status: 200, retry_after: None, content_type: None, body: Vec::new() }
    }

    fn settle(
        &mut self,
        at: usize,
        subscriber: usize,
        call: CallId,
        id: &NotificationId,
        settlement: &Settlement,
    ) -> Vec<DeliveryInput> {
        if self.one_in(10) {
            return vec![DeliveryInput::NotNoted { call }];
        }
        let event = id.as_str().parse().expect("a number");
        let kept = self.store.get_mut(&(call.clone(), subscriber, event)).expect("it is there");
        match settlement {
            Settlement::Delivered => {
                kept.state = NotificationState::Delivered;
                if subscriber != LAZY {
                    self.longest = self.longest.max(self.now - kept.due_since);
                }
            }
            Settlement::Refused { .. } => kept.state = NotificationState::Parked,
            Settlement::Trouble { why } => kept.trouble = Some(why.clone()),
        }
        if self.one_in(40) {
            self.crash(at);
            return Vec::new();
        }
        self.claims.remove(&(call.clone(), subscriber));
        vec![DeliveryInput::Noted { call }]
    }

    fn judge(&self, seed: u64) {
        let delivered = |kept: &Kept| kept.state == NotificationState::Delivered;
        assert!(self.store.values().all(delivered), "seed {seed}: something waits for ever");
        assert_eq!(self.store.len(), CALLS * EVENTS * SUBSCRIBERS, "seed {seed}");
        for (subscriber, heard) in self.heard.iter().enumerate() {
            for call in (0..CALLS).map(|call| CallId::new(format!("call-{call}"))) {
                let mut events: Vec<usize> =
                    heard.iter().filter(|(of, _)| *of == call).map(|(_, event)| *event).collect();
                let in_order = events.is_sorted();
                events.dedup();
                let all: Vec<usize> = (0..EVENTS).collect();
                assert!(in_order && events == all, "seed {seed}: {call} to {subscriber}: {events:?}");
            }
        }
    }
}

#[test]
fn i10_every_subscriber_hears_of_everything_in_order_whatever_fails() {
    let (mut runs, mut repeated, mut longest) = (0, 0, Duration::ZERO);
    for seed in 0..SEEDS {
        let world = World::new(seed).run();
        world.judge(seed);
        runs += world.engines.iter().map(|engine| engine.run as usize).sum::<usize>();
        repeated += world.heard.iter().map(Vec::len).sum::<usize>() - CALLS * EVENTS * SUBSCRIBERS;
        longest = longest.max(world.longest);
    }
    // The weather was bad, else this proves nothing.
    assert!(runs > SEEDS as usize * 2 * ENGINES, "{runs} runs of engines");
    assert!(repeated > SEEDS as usize, "{repeated} were heard more than once");
    assert!(longest < TROUBLE, "the subscriber that is away holds up the other: {longest:?}");
}
