//! What a case needs of the back end it runs on.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clearline::domain::Timestamp;
use clearline::store::{
    AUDIT_LOG, CALLBACKS, CALLS, CONSTANTS, CRM_CALL_IDS, Collection, GOOGLE_KEYS, Index, KEY_HOLDERS, LEADS,
    LEASES, MIGRATIONS, NODES, NOTIFICATIONS, NUMBERS, OUTBOX, OUTBOX_CLAIMS, OpenError, SETTINGS, Store,
    USERS, VOICE_AGENTS,
};
use serde_json::{Value, json};

/// Against hanging for ever; nothing is judged by it.
const SAFETY_LIMIT: Duration = Duration::from_secs(120);

pub(crate) static THINGS: Collection = Collection {
    name: "things",
    indexes: &[
        Index::unique("name"),
        Index::plain("place.room"),
        Index::plain("colour"),
        Index::pair("colour", "place.shelf"),
    ],
    durable: true,
};
pub(crate) const COLLECTIONS: &[&Collection] = &[
    &THINGS,
    &USERS,
    &CALLS,
    &AUDIT_LOG,
    &CONSTANTS,
    &KEY_HOLDERS,
    &VOICE_AGENTS,
    &NUMBERS,
    &LEADS,
    &CALLBACKS,
    &MIGRATIONS,
    &LEASES,
    &NODES,
    &GOOGLE_KEYS,
    &SETTINGS,
    &OUTBOX,
    &OUTBOX_CLAIMS,
    &CRM_CALL_IDS,
    &NOTIFICATIONS,
];

/// An empty store for one case.
pub(crate) trait Bench: Sized {
    /// The reason, when there is no such back end here.
    async fn fresh() -> Result<Self, String>;

    /// Its documents, as one more process sees them.
    async fn open(&self) -> Store {
        self.try_open().await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn try_open(&self) -> Result<Store, OpenError>;

    /// What tells a process where this store is.
    fn variable(&self) -> (&'static str, String);

    /// What holds the documents dies in the middle of its work, and starts again; handles opened before are dead.
    async fn crash(&mut self);

    /// From now on no write is done, until the store is [back](Bench::bring_back). Whoever asks gets an error, in time.
    fn take_away(&mut self);

    /// As [`Bench::take_away`], but nothing tells that it is away: it does not answer.
    fn hang(&mut self);

    fn bring_back(&mut self);

    /// Answers come, but each a little late.
    fn slow_down(&mut self);

    /// The server of this bench cannot hold lists of lists, and says so.
    const REFUSES_NESTED_LISTS: bool = false;

    async fn clear_away(self) {}
}

pub(crate) fn run<B: Bench>(case: impl AsyncFnOnce(&mut B)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        match B::fresh().await {
            Ok(mut bench) => {
                tokio::time::timeout(SAFETY_LIMIT, case(&mut bench)).await.expect("the case ends");
                bench.clear_away().await;
            }
            Err(reason) => say_once(&reason),
        }
    });
}

/// Straight to the descriptor, for the test harness hides what a passing test prints; one line for all cases.
pub(crate) fn say_once(reason: &str) {
    static SAID: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let mut said = SAID.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !said.iter().any(|line| line == reason) {
        said.push(reason.to_owned());
        std::io::stderr().write_all(format!("\nskipped: {reason}\n").as_bytes()).expect("stderr is open");
    }
}

/// Each look at this clock is a millisecond later.
pub(crate) fn ticking() -> Timestamp {
    static TICKS: AtomicU64 = AtomicU64::new(1);
    Timestamp::from_millis(TICKS.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn thing(name: &str, room: u64) -> Value {
    json!({ "name": name, "place": { "room": room } })
}
