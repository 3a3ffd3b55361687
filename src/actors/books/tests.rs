use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::actors::Announcer;
use crate::call::{ToolCall, ToolDone};
use crate::crm::RecordingStep;
use crate::domain::{
    CallbackWish, Direction, NodeId, Outcome, PhoneNumber, RecordingMade, RecordingState, Running,
    ScheduledCallback, Secret, StartId, Subscriber, SubscriberName, Timestamp, UploadState,
};
use crate::store::{
    Backend, COLLECTIONS, CallPapers, Callbacks, Calls, Command, Journal, Leads, Notifications, OpenJournal,
    Outbox, Put, Read, Store, Write, embedded,
};
use crate::voice::{Speaker as Voice, TranscriptItem};

mod notifications;
mod recordings;
mod tools;
mod unwritten;

/// Against hanging for ever; nothing is judged by it.
const SAFETY_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const ROOMY: u64 = 1 << 20;

/// A store behind a gate.
#[derive(Clone)]
struct Gate {
    store: Store,
    position: Arc<Mutex<Position>>,
    /// How often somebody was told that there is no store.
    refused: Arc<AtomicUsize>,
}

enum Position {
    Open,
    /// Whoever asks is told that there is no store.
    Away,
    /// Whoever asks waits.
    Silent(Vec<Command>),
}

impl Backend for Gate {
    fn submit(&self, command: Command) {
        match &mut *self.position.lock().unwrap() {
            Position::Open => pass(self.store.clone(), command),
            Position::Away => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                drop(command);
            }
            Position::Silent(waiting) => waiting.push(command),
        }
    }
}

impl Gate {
    fn set(&self, position: Position) {
        let before = std::mem::replace(&mut *self.position.lock().unwrap(), position);
        if let Position::Silent(waiting) = before {
            waiting.into_iter().for_each(|command| pass(self.store.clone(), command));
        }
    }
}

/// Nobody may be waiting for the answer any more.
fn pass(store: Store, command: Command) {
    actix::spawn(async move {
        match command {
            Command::Read(Read::Get { collection, id, reply }) => {
                drop(reply.send(store.get(collection, &id).await));
            }
            Command::Read(Read::Find { collection, query, reply }) => {
                drop(reply.send(store.find(collection, query).await));
            }
            Command::Write(Write::Put { put: Put { collection, id, replaced, body }, reply }) => {
                let written = match replaced {
                    None => store.insert(collection, &id, body).await,
                    Some(version) => store.compare_and_set(collection, &id, version, body).await,
                };
                drop(reply.send(written));
            }
            Command::Write(Write::PutInOrder { puts, reply }) => {
                drop(reply.send(store.put_in_order(puts).await));
            }
            Command::Write(Write::Delete { collection, id, version, reply }) => {
                drop(reply.send(store.delete(collection, &id, version).await));
            }
        }
    });
}

struct Bench {
    folder: TempDir,
    gate: Gate,
    calls: Calls,
    subscribers: Arc<[Subscriber]>,
    journal_max_bytes: u64,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store =
            embedded::open(&folder.path().join("clearline.db"), COLLECTIONS, clock::unix_time).unwrap();
        let position = Arc::new(Mutex::new(Position::Open));
        let gate = Gate { store: store.clone(), position, refused: Arc::default() };
        let subscriber = Subscriber::to(SubscriberName::new("w"), "https://w".into(), Secret::new("whsec_"));
        let calls = Calls::new(store);
        Self { folder, gate, calls, subscribers: [subscriber].into(), journal_max_bytes: ROOMY }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("books.journal")
    }

    fn books(&self) -> Addr<Books> {
        self.books_on(&self.journal())
    }

    fn books_on(&self, journal: &Path) -> Addr<Books> {
        self.books_waiting_for(journal, Vec::new())
    }

    fn books_waiting_for(&self, journal: &Path, recordings: Vec<LeftBehind>) -> Addr<Books> {
        self.books_that_record(journal, (None, recordings))
    }

    fn books_that_record(
        &self,
        journal: &Path,
        recordings: (Option<Recordings>, Vec<LeftBehind>),
    ) -> Addr<Books> {
        let opened = Journal::open(journal, self.journal_max_bytes, Vec::new()).unwrap();
        let OpenJournal { journal, unwritten, .. } = opened;
        let run = (NodeId::new("node"), StartId::new("start"));
        let announcer = Announcer {
            notifications: Notifications::new(Store::new(self.gate.clone())),
            subscribers: self.subscribers.clone(),
            run: run.clone(),
            bell: Arc::default(),
        };
        let shelf = Shelf {
            papers: CallPapers::new(Store::new(self.gate.clone())),
            leads: Leads::new(Store::new(self.gate.clone())),
            callbacks: Callbacks::new(Store::new(self.gate.clone())),
            run,
            bell: Arc::default(),
            announcer,
        };
        Books::new(shelf, recordings, EventStream::new(), journal, unwritten).start()
    }

    /// What a process that is killed now leaves in its journal.
    fn left_by_a_kill(&self, name: &str) -> PathBuf {
        let copy = self.folder.path().join(name);
        std::fs::copy(self.journal(), &copy).unwrap();
        copy
    }

    async fn journal_has(&self, wanted: impl Fn(&CallRecord) -> bool) {
        until("the journal has it", async || {
            let left = Journal::read(&self.left_by_a_kill("looked at")).unwrap();
            left.into_iter().any(|line| wanted(&serde_json::from_value(line.body).unwrap()))
        })
        .await;
    }

    async fn stored(&self) -> CallRecord {
        until("the record is closed", async || {
            self.calls.get(&call()).await.unwrap().is_some_and(|record| record.outcome.is_some())
        })
        .await;
        self.calls.get(&call()).await.unwrap().unwrap()
    }

    async fn upload(&self) -> Option<UploadState> {
        let outbox = Outbox::new(self.gate.store.clone());
        outbox.get(&call()).await.unwrap().map(|stored| stored.record.progress.state)
    }

    /// To be sent to the CRM.
    async fn recording_is_due(&self) -> bool {
        let upload = Outbox::new(self.gate.store.clone()).get(&call()).await.unwrap().unwrap().record;
        upload.progress.recording == RecordingStep::Due
    }

    async fn journal_is_empty(&self, journal: &Path) {
        let copy = self.folder.path().join("looked at");
        until("the journal is empty", async || {
            std::fs::copy(journal, &copy).unwrap();
            Journal::read(&copy).unwrap().is_empty()
        })
        .await;
    }
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !done().await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    assert!(tokio::time::timeout(SAFETY_LIMIT, looking).await.is_ok(), "never happened: {what}");
}

fn call() -> CallId {
    CallId::new("c1")
}

async fn begin(books: &Addr<Books>) {
    let number = || PhoneNumber::new("+4930123");
    let record =
        CallRecord::started(call(), Direction::Inbound, number(), number(), Timestamp::from_millis(0));
    books.send(OpenBook { record: Box::new(record) }).await.unwrap();
}

async fn say(books: &Addr<Books>, text: &str) {
    let item = TranscriptItem { speaker: Voice::Caller, text: text.into(), interrupted: false };
    books.send(CallNote { call: call(), note: Note::Item(item) }).await.unwrap();
}

async fn end(books: &Addr<Books>) {
    let finish = Finish::new(Outcome::Completed, "hung up");
    books.send(CloseBook { call: call(), finish, quality: None }).await.unwrap();
}

async fn keep_lead(books: &Addr<Books>, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("no object: {fields}") };
    let kept = books.send(KeepDeed { call: call(), deed: Deed::Lead(fields) }).await.unwrap();
    kept.expect("it is kept")["lead_id"].clone()
}

async fn keep_callback(books: &Addr<Books>, hour: u64, is_another: bool) -> Value {
    let due = Timestamp::from_millis(4_000_000_000_000 + hour * 3_600_000);
    let wish = CallbackWish { due, number: None, reason: "an offer".into(), is_another };
    let kept = books.send(KeepDeed { call: call(), deed: Deed::Callback(wish) }).await.unwrap();
    kept.expect("it is kept")["status"].clone()
}

impl Bench {
    /// In the list of those who are to be called back, the oldest first.
    async fn callbacks(&self) -> Vec<ScheduledCallback> {
        let store = &self.gate.store;
        let page = store.find(&crate::store::CALLBACKS, crate::store::Query::all(100)).await.unwrap();
        page.documents.iter().map(|found| found.parse(&crate::store::CALLBACKS).unwrap()).collect()
    }

    /// Names of the stored leads, and the ids the record has, as far as the store knows.
    async fn leads(&self) -> Vec<(String, Value)> {
        let listed = Leads::new(self.gate.store.clone()).of_session(&call(), None, 10).await.unwrap();
        let lead = |lead: crate::store::Stored<crate::domain::Lead>| {
            (lead.record.id.to_string(), Value::Object(lead.record.fields))
        };
        listed.items.into_iter().map(lead).collect()
    }
}

fn said(record: &CallRecord) -> Vec<&str> {
    record.conversation_items.iter().map(|item| item.content.as_str()).collect()
}

fn play(test: impl Future<Output = ()>) {
    actix::System::new().block_on(test);
}

#[test]
fn s5_what_a_call_reports_while_the_store_is_away_is_in_the_journal_and_arrives() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        until("the call is known", async || bench.calls.get(&call()).await.unwrap().is_some()).await;
        bench.gate.set(Position::Away);
        say(&books, "while it was away").await;
        end(&books).await;
        bench.journal_has(|record| record.outcome.is_some()).await;
        assert!(!books.send(AskBooksSettled).await.unwrap());
        bench.gate.set(Position::Open);
        assert_eq!(said(&bench.stored().await), ["while it was away"]);
        bench.journal_is_empty(&bench.journal()).await;
        assert!(books.send(AskBooksSettled).await.unwrap());
        assert_eq!(books.send(AskOpenBooks).await.unwrap(), 0);
    });
}

fn running_record() -> CallRecord {
    let number = || PhoneNumber::new("+4930123");
    let mut record =
        CallRecord::started(call(), Direction::Inbound, number(), number(), Timestamp::from_millis(0));
    record.running = Some(Running::at(NodeId::new("node"), StartId::new("start")));
    record
}

/// It may be hours later, and the end of a call that was lost is when its engine wrote last.
#[test]
fn s2_what_a_journal_brings_later_says_when_its_engine_wrote_it() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        bench.gate.set(Position::Away);
        let begun = clock::unix_time();
        books.send(OpenBook { record: Box::new(running_record()) }).await.unwrap();
        bench.journal_has(|record| record.running.is_some()).await;
        let left = bench.left_by_a_kill("left");
        books.send(StopBooks).await.unwrap();
        let killed = clock::unix_time();
        bench.gate.set(Position::Open);
        let _next = bench.books_on(&left);
        bench.journal_is_empty(&left).await;
        let running = bench.calls.get(&call()).await.unwrap().unwrap().running.unwrap();
        assert!(running.last_written.is_some_and(|at| begun <= at && at <= killed), "{running:?}");
    });
}

/// Engines take the calls that run as theirs, and end those of engines that are gone as lost.
#[test]
fn s5_a_call_that_ended_while_the_store_was_away_does_not_run_any_more() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        let mut record = running_record();
        record.recording_state = Some(RecordingState::Recording);
        books.send(OpenBook { record: Box::new(record) }).await.unwrap();
        until("the call is known", async || bench.calls.get(&call()).await.unwrap().is_some()).await;
        bench.gate.set(Position::Away);
        say(&books, "while it was away").await;
        end(&books).await;
        bench.journal_has(|record| record.outcome.is_some()).await;
        bench.gate.set(Position::Open);
        let stored = bench.stored().await;
        assert_eq!((stored.running, stored.recording_state), (None, None));
        assert!(bench.calls.running().await.unwrap().is_empty());
    });
}

#[test]
fn s2_that_a_call_has_ended_is_told_once_it_is_safe() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        books.send(AwaitSafe { call: call() }).await.unwrap();
        end(&books).await;
        let told = books.send(AskBook { call: call() }).await.unwrap();
        let told = told.is_none_or(|record| record.outcome.is_some());
        let stored = bench.calls.get(&call()).await.unwrap().unwrap();
        assert!(told && stored.outcome.is_some(), "{stored:?}");
    });
}

#[test]
fn u5_a_call_has_its_upload_before_its_record_and_it_is_due_once_the_call_is_over() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        until("the call is known", async || bench.calls.get(&call()).await.unwrap().is_some()).await;
        assert_eq!(bench.upload().await, Some(UploadState::Open));
        end(&books).await;
        until("it is due", async || bench.upload().await == Some(UploadState::Due)).await;
        until("nothing is open", async || books.send(AskOpenBooks).await.unwrap() == 0).await;
        let record = bench.stored().await;
        assert_eq!(record.upload.map(|upload| upload.state), Some(UploadState::Due));
        assert_eq!(record.crm_call_id.unwrap().as_str(), "CALL-19700101-04930123");
    });
}

#[test]
fn u5_a_call_that_only_the_journal_of_a_killed_engine_knows_gets_its_upload() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        bench.gate.set(Position::Away);
        begin(&books).await;
        end(&books).await;
        bench.journal_has(|record| record.outcome.is_some()).await;
        let left = bench.left_by_a_kill("left");
        books.send(StopBooks).await.unwrap();
        bench.gate.set(Position::Open);
        assert_eq!(bench.upload().await, None);
        let _next = bench.books_on(&left);
        bench.journal_is_empty(&left).await;
        assert_eq!(bench.upload().await, Some(UploadState::Due));
    });
}

#[test]
fn s5_what_a_store_is_slow_to_take_is_in_the_journal_meanwhile() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        bench.gate.set(Position::Silent(Vec::new()));
        begin(&books).await;
        bench.journal_has(|record| record.outcome.is_none()).await;
        say(&books, "nobody answers").await;
        end(&books).await;
        bench.journal_has(|record| record.outcome.is_some() && said(record) == ["nobody answers"]).await;
        bench.gate.set(Position::Open);
        assert_eq!(said(&bench.stored().await), ["nobody answers"]);
        bench.journal_is_empty(&bench.journal()).await;
    });
}

#[test]
fn s2_after_a_kill_the_next_engine_writes_what_the_journal_holds_and_may_do_it_twice() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        bench.gate.set(Position::Away);
        begin(&books).await;
        say(&books, "before the kill").await;
        end(&books).await;
        bench.journal_has(|record| record.outcome.is_some()).await;
        let (once, twice) = (bench.left_by_a_kill("once"), bench.left_by_a_kill("twice"));
        // Of the killed process nothing more comes; the gate opens for the next one.
        books.send(StopBooks).await.unwrap();
        bench.gate.set(Position::Open);
        let _next = bench.books_on(&once);
        bench.journal_is_empty(&once).await;
        let stored = bench.stored().await;
        assert_eq!(said(&stored), ["before the kill"]);
        let _after_that = bench.books_on(&twice);
        bench.journal_is_empty(&twice).await;
        assert_eq!(bench.stored().await, stored);
    });
}

#[test]
fn s2_a_journal_that_was_not_emptied_in_time_undoes_nothing_that_the_store_has_got_since() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        bench.gate.set(Position::Away);
        begin(&books).await;
        say(&books, "the first").await;
        bench.journal_has(|record| said(record) == ["the first"]).await;
        let old = bench.left_by_a_kill("old");
        bench.gate.set(Position::Open);
        say(&books, "the second").await;
        end(&books).await;
        let stored = bench.stored().await;
        let _next = bench.books_on(&old);
        bench.journal_is_empty(&old).await;
        assert_eq!(
            (said(&bench.stored().await), stored.outcome),
            (vec!["the first", "the second"], Some(Outcome::Completed))
        );
    });
}

#[test]
fn a_record_that_the_store_refuses_for_good_waits_in_the_journal_and_keeps_no_other_call_waiting() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        let number = || PhoneNumber::new("+4930123");
        let mut record = CallRecord::started(
            CallId::new("c2"),
            Direction::Inbound,
            number(),
            number(),
            Timestamp::from_millis(0),
        );
        record.metadata = serde_json::json!({ "beyond": u64::MAX }).as_object().cloned();
        books.send(OpenBook { record: Box::new(record) }).await.unwrap();
        let finish = Finish::new(Outcome::Busy, "busy");
        books.send(CloseBook { call: CallId::new("c2"), finish, quality: None }).await.unwrap();
        begin(&books).await;
        end(&books).await;
        bench.journal_has(|record| record.outcome == Some(Outcome::Busy)).await;
        assert_eq!(bench.stored().await.outcome, Some(Outcome::Completed));
        until("nothing is open", async || books.send(AskOpenBooks).await.unwrap() == 0).await;
        let left = Journal::read(&bench.left_by_a_kill("left")).unwrap();
        let ids: Vec<&str> = left.iter().map(|line| line.id.as_str()).collect();
        assert_eq!(ids, ["c2"], "the other one has arrived, and was not kept as by a store that is away");
    });
}

#[test]
fn an_engine_that_ends_while_the_store_is_away_leaves_everything_on_the_disk() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        bench.gate.set(Position::Silent(Vec::new()));
        begin(&books).await;
        end(&books).await;
        assert_eq!(books.send(SecureBooks).await.unwrap(), Secured { in_journal: 1, lost: 0 });
        let left = Journal::read(&bench.left_by_a_kill("left")).unwrap();
        assert_eq!((left.len(), &left[0].body["outcome"]), (1, &serde_json::json!("completed")));
    });
}

#[test]
fn s2_a_call_is_safe_once_the_store_or_the_journal_would_give_it_back() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        books.send(AwaitSafe { call: call() }).await.unwrap();
        assert!(bench.calls.get(&call()).await.unwrap().is_some());
        assert_eq!(bench.upload().await, Some(UploadState::Open));
        bench.gate.set(Position::Silent(Vec::new()));
        say(&books, "while it was silent").await;
        books.send(AwaitSafe { call: call() }).await.unwrap();
        let in_journal = Journal::read(&bench.left_by_a_kill("left")).unwrap();
        assert_eq!(in_journal[0].body["conversation_items"][0]["content"], "while it was silent");
        bench.gate.set(Position::Open);
    });
}

/// As a kill: the actor is gone, with all that it had in mind.
#[derive(Message)]
#[rtype(result = "()")]
struct StopBooks;

impl Handler<StopBooks> for Books {
    type Result = ();

    fn handle(&mut self, _: StopBooks, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
