//! Two engines, a store and a CRM from one seed: the CRM flaps, loses answers and answers nonsense, engines crash
//! between any two of their writes, the store fails now and then. In the end the CRM has every call once and every
//! recording once, and the call's entry names it. A call is amended exactly where it may have been told without its
//! recording, and nothing else is ever sent under a key that was used.
//!
//! The CRM keys call data on `callId` and recordings on the `Idempotency-Key`, as the stand-in does.

#![expect(clippy::disallowed_methods, reason = "a test needs some instant to start its virtual clock from")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::crm::{
    Answer, CallDataStep, Found, Input, Limits, Output, Progress, RecordingStep, Settled, Step, Uploads,
};
use crate::domain::{CallId, Entropy, UploadState};

const SEEDS: u64 = 2_000;
const ENGINES: usize = 2;
const CALLS: usize = 8;
/// Until then anything may fail; afterwards nothing does.
const TROUBLE: Duration = Duration::from_secs(400);
const END: Duration = Duration::from_secs(1_000);
const STEP: Duration = Duration::from_millis(250);

#[derive(Default)]
struct Crm {
    /// By `Idempotency-Key`.
    recordings: BTreeMap<String, String>,
    /// By `callId`: the URL told last, and how often it was written anew under another key.
    entries: BTreeMap<String, Option<String>>,
    /// What was sent first under each key: for call data the URL it told.
    bodies: BTreeMap<String, Option<String>>,
    posts: usize,
}

/// On its way to the CRM, which it reaches whether or not its engine is still there.
struct Flight {
    arrives: Instant,
    engine: usize,
    run: u32,
    call: CallId,
    step: Step,
    url: Option<String>,
}

impl Crm {
    fn take(&mut self, call: &CallId, step: Step, url: Option<&str>) -> Answer {
        self.posts += 1;
        let key = format!("{call}/{step}");
        let is_new = !self.bodies.contains_key(&key);
        let first = self.bodies.entry(key.clone()).or_insert_with(|| url.map(str::to_owned));
        assert_eq!(first.as_deref(), url, "another body under {key}");
        let mut body = Vec::new();
        match step {
            Step::Recording => {
                let count = self.recordings.len();
                let url = self.recordings.entry(key).or_insert_with(|| format!("https://crm/{count}"));
                body = format!(r#"{{"url":"{url}"}}"#).into_bytes();
            }
            Step::CallData | Step::Amendment if is_new => {
                self.entries.insert(call.to_string(), url.map(str::to_owned));
            }
            Step::CallData | Step::Amendment => {}
        }
        Answer::Http { status: 200, retry_after: None, content_type: None, body }
    }
}

#[derive(Default)]
struct Store {
    entries: BTreeMap<CallId, (usize, Progress)>,
    /// Which run of which engine has a step.
    claims: BTreeMap<(CallId, Step), (usize, u32)>,
}

struct Engine {
    number: usize,
    run: u32,
    uploads: Option<Uploads>,
    back_at: Instant,
    /// What the CRM has answered, and when it arrives.
    answers: Vec<(Instant, CallId, Answer)>,
}

struct World {
    entropy: Entropy,
    start: Instant,
    now: Instant,
    crm: Crm,
    store: Store,
    engines: Vec<Engine>,
    limits: Limits,
    mood: Mood,
    mood_until: Instant,
    climate: Climate,
    flights: Vec<Flight>,
    /// Calls that may have been told without a recording, or nobody knows any more whether they were.
    without: BTreeSet<CallId>,
}

#[derive(Clone, Copy, PartialEq)]
enum Climate {
    Bad,
    /// The CRM is out of reach now and then; all else is well.
    Outages,
}

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Gone,
    Overloaded,
    OnlyRecordingsFail,
    Nonsense,
}

const MOODS: [Mood; 6] =
    [Mood::Well, Mood::Well, Mood::Gone, Mood::Overloaded, Mood::OnlyRecordingsFail, Mood::Nonsense];

impl World {
    fn new(seed: u64, climate: Climate) -> Self {
        let (mut entropy, now) = (Entropy::from_number(seed), Instant::now());
        let limits = Limits {
            parallel: 1 + entropy.below(4) as usize,
            amend: true,
            held_max: 3 + entropy.below(10) as usize,
            look_every: Duration::from_secs(5),
        };
        let engines = (0..ENGINES).map(|number| Engine {
            number,
            run: 0,
            uploads: None,
            back_at: now,
            answers: Vec::new(),
        });
        let mut store = Store::default();
        for call in 0..CALLS {
            let progress = Progress::due(entropy.below(4) > 0);
            store.entries.insert(CallId::new(format!("call-{call}")), (call % ENGINES, progress));
        }
        Self {
            start: now,
            now,
            crm: Crm::default(),
            store,
            engines: engines.collect(),
            limits,
            mood: Mood::Well,
            mood_until: now,
            climate,
            flights: Vec::new(),
            without: BTreeSet::new(),
            entropy,
        }
    }

    fn is_troubled(&self) -> bool {
        self.now < self.start + TROUBLE
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.entropy.below(chances) == 0 && self.is_troubled() && self.climate == Climate::Bad
    }

    fn next_mood(&mut self) -> Mood {
        let moods = match self.climate {
            Climate::Bad => &MOODS[..],
            Climate::Outages => &[Mood::Well, Mood::Gone],
        };
        moods[self.entropy.below(moods.len() as u64) as usize]
    }

    fn run(mut self) -> Self {
        while self.now < self.start + END && !self.is_done() {
            if self.mood_until <= self.now {
                self.mood = self.next_mood();
                self.mood_until = self.now + Duration::from_secs(1 + self.entropy.below(150));
            }
            self.land();
            for engine in 0..ENGINES {
                self.step(engine);
            }
            self.now += STEP;
        }
        self
    }

    fn is_done(&self) -> bool {
        let finished =
            |progress: &Progress| matches!(progress.state, UploadState::Done) || is_parked_for_good(progress);
        self.now >= self.start + TROUBLE && self.store.entries.values().all(|(_, it)| finished(it))
    }

    fn step(&mut self, at: usize) {
        if self.engines[at].uploads.is_none() {
            if self.engines[at].back_at > self.now && self.is_troubled() {
                return;
            }
            self.begin_run(at);
        }
        let arrived: Vec<_> = {
            let now = self.now;
            self.engines[at].answers.extract_if(.., |(when, ..)| *when <= now).collect()
        };
        for (_, call, answer) in arrived {
            self.tell(at, Input::Answered { call, answer });
        }
        self.tell(at, Input::Tick);
    }

    fn begin_run(&mut self, at: usize) {
        let uploads = Uploads::new(self.limits, self.entropy.fork(), self.now);
        let engine = &mut self.engines[at];
        engine.run += 1;
        engine.uploads = Some(uploads);
        // Its former run's claims are seen to be over.
        let (number, run) = (engine.number, engine.run);
        self.store.claims.retain(|_, holder| holder.0 != number || holder.1 == run);
    }

    fn crash(&mut self, at: usize) {
        let pause = Duration::from_secs(1 + self.entropy.below(60));
        let engine = &mut self.engines[at];
        engine.uploads = None;
        engine.answers.clear();
        engine.back_at = self.now + pause;
        // What it was about to send, or knew not to have been sent, nobody knows any more.
        let marked = self.store.entries.iter().filter(|(_, (_, progress))| progress.without_mark.is_some());
        self.without.extend(marked.map(|(call, _)| call.clone()));
    }

    /// Gives false if the engine crashed over it.
    fn tell(&mut self, at: usize, input: Input) {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(uploads) = self.engines[at].uploads.as_mut() else { return };
            uploads.handle(input, self.now);
            while let Some(output) = self.engines[at].uploads.as_mut().and_then(Uploads::poll_output) {
                if self.one_in(60) {
                    return self.crash(at);
                }
                inputs.extend(self.perform(at, output));
            }
        }
    }

    fn perform(&mut self, at: usize, output: Output) -> Vec<Input> {
        match output {
            Output::Look => self.look(at),
            Output::Post { call, step, progress } => self.post(at, call, step, &progress),
            Output::Settle { call, settled } => self.settle(at, call, &settled),
            Output::Release { call, step } => {
                self.store.claims.remove(&(call, step));
                Vec::new()
            }
        }
    }

    fn look(&mut self, at: usize) -> Vec<Input> {
        if self.one_in(5) {
            return vec![Input::Looked { more: false }];
        }
        let is_gone = |number: usize| self.engines[number].uploads.is_none() && self.engines[number].run > 0;
        let found = self.store.entries.iter().filter_map(|(call, (node, progress))| {
            let due = matches!(progress.state, UploadState::Due | UploadState::Amendable);
            let ours = *node == at || (is_gone(*node) && progress.state == UploadState::Due);
            (due && ours).then(|| Found {
                call: call.clone(),
                progress: progress.clone(),
                holds_recording: *node == at,
            })
        });
        vec![Input::Found(found.collect()), Input::Looked { more: false }]
    }

    fn post(&mut self, at: usize, call: CallId, step: Step, progress: &Progress) -> Vec<Input> {
        if self.one_in(20) {
            return vec![Input::NotBegun { call }];
        }
        // Now and then a living engine is taken for dead, and both have the claim.
        let mine = (at, self.engines[at].run);
        let taken_for_dead = self.one_in(10);
        let holder = *self.store.claims.entry((call.clone(), step)).or_insert(mine);
        if holder != mine && !taken_for_dead {
            return vec![Input::NotOurs { call }];
        }
        let Some((_, stored)) = self.store.entries.get(&call) else { return vec![Input::NotOurs { call }] };
        if !stored.is_at(progress) {
            let progress = stored.clone();
            self.store.claims.remove(&(call.clone(), step));
            return vec![Input::Changed { call, progress }];
        }
        let url = progress.url_told_with(step).map(str::to_owned);
        if self.mood() == Mood::Gone {
            self.answer_later(at, call, Answer::Unreachable("refused".into()));
            return Vec::new();
        }
        if step == Step::CallData && url.is_none() {
            self.without.insert(call.clone());
        }
        let arrives = self.now + Duration::from_millis(self.entropy.below(5_000));
        self.flights.push(Flight { arrives, engine: at, run: self.engines[at].run, call, step, url });
        if self.one_in(40) {
            self.crash(at);
        }
        Vec::new()
    }

    fn mood(&self) -> Mood {
        if self.is_troubled() { self.mood } else { Mood::Well }
    }

    fn answer_later(&mut self, at: usize, call: CallId, answer: Answer) {
        let takes = Duration::from_millis(self.entropy.below(3_000));
        self.engines[at].answers.push((self.now + takes, call, answer));
    }

    fn land(&mut self) {
        let now = self.now;
        let landed: Vec<_> = self.flights.extract_if(.., |flight| flight.arrives <= now).collect();
        for Flight { engine, run, call, step, url, .. } in landed {
            let answer = self.answer_of_crm(&call, step, url.as_deref());
            if self.engines[engine].uploads.is_some() && self.engines[engine].run == run {
                self.answer_later(engine, call, answer);
            }
        }
    }

    fn answer_of_crm(&mut self, call: &CallId, step: Step, url: Option<&str>) -> Answer {
        let mood = self.mood();
        let busy = |status| Answer::Http { status, retry_after: None, content_type: None, body: Vec::new() };
        let fails = match mood {
            Mood::Overloaded => Some(busy([429, 500, 503][self.entropy.below(3) as usize])),
            Mood::OnlyRecordingsFail if step == Step::Recording => Some(busy(502)),
            Mood::Well | Mood::OnlyRecordingsFail | Mood::Nonsense | Mood::Gone => None,
        };
        // Some servers fail after they have taken what they were sent.
        if let Some(failure) = fails.filter(|_| !self.one_in(4)) {
            return failure;
        }
        let answer = self.crm.take(call, step, url);
        if mood == Mood::Overloaded {
            return busy(500);
        }
        if self.one_in(6) {
            return Answer::Broken("the answer was lost".into());
        }
        if mood == Mood::Nonsense && self.one_in(3) {
            let body = if self.one_in(2) { "<html>" } else { "{}" }.into();
            return Answer::Http { status: 200, retry_after: None, content_type: None, body };
        }
        answer
    }

    fn settle(&mut self, at: usize, call: CallId, settled: &Settled) -> Vec<Input> {
        if self.one_in(10) {
            return vec![Input::NotNoted { call }];
        }
        let Some((_, progress)) = self.store.entries.get_mut(&call) else { return Vec::new() };
        *progress = progress.clone().settle(settled);
        let progress = progress.clone();
        if self.one_in(40) {
            // It is noted, and the store did not say so.
            return vec![Input::NotNoted { call }];
        }
        if self.one_in(30) {
            self.crash(at);
            return Vec::new();
        }
        self.store.claims.remove(&(call.clone(), settled.step));
        vec![Input::Noted { call, progress }]
    }

    fn judge(&self, seed: u64) {
        for (call, (_, progress)) in &self.store.entries {
            let told = self.crm.entries.get(call.as_str());
            let told = told.unwrap_or_else(|| panic!("seed {seed}: {call} has no entry: {progress:?}"));
            let key = format!("{call}/{}", Step::Recording);
            let kept = self.crm.recordings.get(&key);
            let is_amended = self.crm.bodies.contains_key(&format!("{call}/{}", Step::Amendment));
            assert!(!is_amended || self.without.contains(call), "seed {seed}: {call} is amended for nothing");
            match &progress.recording {
                RecordingStep::Missing => {
                    assert_eq!((kept, told, progress.state), (None, &None, UploadState::Done), "seed {seed}");
                }
                RecordingStep::Uploaded { url } => {
                    assert_eq!(progress.state, UploadState::Done, "seed {seed}: {call} {progress:?}");
                    assert_eq!((kept, told), (Some(url), &Some(url.clone())), "seed {seed}: {call}");
                    assert_eq!(is_amended, progress.went_without, "seed {seed}: {call} {progress:?}");
                }
                // The CRM has it, but has told nonsense instead of its URL: a person can try again.
                RecordingStep::Parked { .. } => assert!(kept.is_some(), "seed {seed}: {call}"),
                RecordingStep::Due => panic!("seed {seed}: {call} waits for ever: {progress:?}"),
            }
        }
        assert_eq!(self.crm.entries.len(), CALLS, "seed {seed}");
        let has_recording = |(_, progress): &&(usize, Progress)| progress.recording != RecordingStep::Missing;
        let recordings = self.store.entries.values().filter(has_recording).count();
        assert_eq!(self.crm.recordings.len(), recordings, "seed {seed}");
    }
}

fn is_parked_for_good(progress: &Progress) -> bool {
    matches!(progress.recording, RecordingStep::Parked { .. })
        && matches!(progress.call_data, CallDataStep::Acknowledged { .. })
}

#[test]
fn u5_every_call_and_every_recording_ends_up_once_in_the_crm_whatever_fails() {
    let (mut posts, mut runs, mut parked, mut amended) = (0, 0, 0, 0);
    for seed in 0..SEEDS {
        let world = World::new(seed, Climate::Bad).run();
        world.judge(seed);
        posts += world.crm.posts;
        runs += world.engines.iter().map(|engine| engine.run as usize).sum::<usize>();
        amended += world.crm.bodies.keys().filter(|key| key.ends_with("/amendment")).count();
        parked += world.store.entries.values().filter(|(_, it)| is_parked_for_good(it)).count();
    }
    // The weather was bad, else this proves nothing.
    let steps = SEEDS as usize * CALLS;
    assert!(posts > 2 * steps, "{posts} posts reached the CRM for {steps} calls");
    assert!(runs > SEEDS as usize * 2 * ENGINES, "{runs} runs of engines");
    assert!(parked > 0, "nonsense was answered");
    assert!(amended > 0, "some recordings came late");
}

#[test]
fn u5_outages_alone_amend_nothing() {
    let mut probes = 0;
    for seed in 0..SEEDS {
        let world = World::new(seed, Climate::Outages).run();
        world.judge(seed);
        let steps = |step: Step| {
            let ends = format!("/{step}");
            world.crm.bodies.keys().filter(|key| key.ends_with(&ends)).count()
        };
        assert_eq!((steps(Step::CallData), steps(Step::Amendment)), (CALLS, 0), "seed {seed}");
        probes += usize::from(world.mood == Mood::Gone);
    }
    assert!(probes > 0, "there were outages");
}
