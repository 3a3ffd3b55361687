//! What most migrations are: each document of a collection gets what it lacks.
//!
//! Documents are read page by page and changed a few at a time. Each is judged again at the moment of its change, so
//! whoever changes it meanwhile is not overruled, and each change leaves an entry in the audit log (SPEC O4). A
//! document that is no record of ours is passed over and named; a value that must be unique and is not ends the run,
//! for no migration can know which of the two documents is right.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::Migration;
use super::ledger::{self, Claim, Tally};
use crate::clock;
use crate::store::change::change;
use crate::store::{
    Audit, By, Change, Collection, Document, Effect, Entry, MAX_PAGE, Query, Store, StoreError, Subject,
    storable,
};

/// Documents that are changed at the same time; between two such groups the run tells that it is alive.
const AT_ONCE: usize = 32;
/// How often a long run says in the log how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What one migration makes of documents.
pub(super) trait Backfill {
    fn collection(&self) -> &'static Collection;

    /// As the audit log calls it.
    fn action(&self) -> &'static str;

    /// What people call this document.
    fn name_of(&self, document: &Document) -> String;

    /// To be laid over it; an empty object: it lacks nothing.
    fn lacks(&self, document: &Document) -> Result<Value, Fault>;
}

/// Why a document cannot be judged.
#[derive(Debug)]
pub(super) struct Fault(String);

impl Fault {
    pub(super) fn new(detail: String) -> Self {
        Self(detail)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// Why a run ended early.
pub(super) enum Stopped {
    /// The store does not do what it is asked for.
    Store(StoreError),
    /// This document must be mended by somebody first.
    Document { at: String, why: String },
    /// Somebody took us for gone and goes on in our place.
    TakenOver,
}

impl Stopped {
    pub(super) fn at_nothing(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One run of a migration.
pub(super) struct Work<'a> {
    pub(super) store: &'a Store,
    audit: Audit,
    migration: &'a Migration,
    claim: &'a Claim,
    tally: Cell<Tally>,
    told: RefCell<Instant>,
}

enum Verdict {
    AsItWas,
    Changed,
    PassedOver,
}

impl<'a> Work<'a> {
    pub(super) fn new(store: &'a Store, migration: &'a Migration, claim: &'a Claim) -> Self {
        let (audit, tally, told) = (Audit::new(store.clone()), Cell::default(), RefCell::new(clock::now()));
        Self { store, audit, migration, claim, tally, told }
    }

    pub(super) async fn backfill(&self, what: &impl Backfill) -> Result<Tally, Stopped> {
        let mut after = None;
        loop {
            let query = Query::all(MAX_PAGE).after(after);
            let page = self.store.find(what.collection(), query).await.map_err(Stopped::Store)?;
            for group in page.documents.chunks(AT_ONCE) {
                let verdicts = join_all(group.iter().map(|document| self.mend(what, document))).await;
                self.count(verdicts)?;
                self.tell_that_it_goes_on().await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(self.tally.get());
            }
        }
    }

    /// All of a group are counted, also beside one that failed: what was done is done.
    fn count(&self, verdicts: Vec<Result<Verdict, Stopped>>) -> Result<(), Stopped> {
        let mut stopped = None;
        for verdict in verdicts {
            let mut tally = self.tally.get();
            tally.looked_at += 1;
            match verdict {
                Ok(Verdict::AsItWas) => {}
                Ok(Verdict::Changed) => tally.changed += 1,
                Ok(Verdict::PassedOver) => tally.passed_over += 1,
                Err(reason) => stopped = stopped.or(Some(reason)),
            }
            self.tally.set(tally);
        }
        stopped.map_or(Ok(()), Err)
    }

    async fn mend(&self, what: &impl Backfill, document: &Document) -> Result<Verdict, Stopped> {
        let lacking = match what.lacks(document) {
            Ok(lacking) if is_empty(&lacking) => return Ok(Verdict::AsItWas),
            Ok(lacking) => lacking,
            Err(fault) => return Ok(self.pass_over(what, document, &fault)),
        };
        let members = lacking.as_object().map(member_names).unwrap_or_default();
        let subject = Subject::new(what.collection(), &document.id, what.name_of(document));
        let described = Change::new(By::Engine, what.action(), Effect::Changed, subject)
            .of_tenant(tenant_of(document))
            .with("migration", self.migration.number)
            .with("members", members);
        let act = async |entry: &Entry| self.lay_over(what, document, entry).await;
        match self.audit.record(described, act).await {
            Ok(()) => Ok(Verdict::Changed),
            Err(StoreError::NotFound { .. }) => {
                let gone = Fault::new("it is gone, or its id is no text".to_owned());
                Ok(self.pass_over(what, document, &gone))
            }
            Err(error) => Err(self.stopped_at(what, document, &lacking, error).await),
        }
    }

    async fn lay_over(
        &self,
        what: &impl Backfill,
        document: &Document,
        entry: &Entry,
    ) -> Result<(), StoreError> {
        let judge_again = |found: &Document| {
            let lacking = what.lacks(found).ok().filter(|lacking| !is_empty(lacking));
            Ok(lacking.map(|mut lacking| {
                entry.sign_over(&found.body, &mut lacking);
                lacking
            }))
        };
        change(self.store, what.collection(), &document.id, judge_again).await.map(drop)
    }

    fn pass_over(&self, what: &impl Backfill, document: &Document, fault: &Fault) -> Verdict {
        let (migration, collection) = (self.migration.number, what.collection().name);
        tracing::warn!(migration, collection, document = %document.id, reason = %fault.0, "passed over");
        Verdict::PassedOver
    }

    async fn stopped_at(
        &self,
        what: &impl Backfill,
        document: &Document,
        lacking: &Value,
        error: StoreError,
    ) -> Stopped {
        let (collection, id) = (what.collection(), &document.id);
        let StoreError::Conflict { field, .. } = error else {
            return if matches!(error, StoreError::Failed(_) | StoreError::Busy | StoreError::Closed) {
                Stopped::Store(error)
            } else {
                Stopped::Document { at: format!("{} {id}", collection.name), why: error.to_string() }
            };
        };
        let rival = self.rival(collection, field, lacking).await.unwrap_or_else(|| "another document".into());
        Stopped::Document {
            at: format!("{} {id}", collection.name),
            why: format!("{rival} is there with the same {field}; change or remove one of the two"),
        }
    }

    /// Whoever has the value already.
    async fn rival(
        &self,
        collection: &'static Collection,
        field: &'static str,
        lacking: &Value,
    ) -> Option<String> {
        let value = storable::indexed_value(field, lacking)?.clone();
        let page = self.store.find(collection, Query::equals(field, value, 1)).await.ok()?;
        page.documents.first().map(|document| document.id.clone())
    }

    async fn tell_that_it_goes_on(&self) -> Result<(), Stopped> {
        let tally = self.tally.get();
        ledger::note(self.store, self.claim, tally).await.map_err(Stopped::Store)?;
        if ledger::is_taken_over(self.store, self.claim).await.map_err(Stopped::Store)? {
            return Err(Stopped::TakenOver);
        }
        let now = clock::now();
        if now.saturating_duration_since(*self.told.borrow()) >= TELL_EVERY {
            self.told.replace(now);
            let (migration, Tally { looked_at, changed, .. }) = (self.migration.number, tally);
            tracing::info!(migration, name = self.migration.name, looked_at, changed, "migrating");
        }
        Ok(())
    }
}

/// Our records know their own id; documents of other programs leave it to the document.
pub(super) fn lacking_id(document: &Document) -> Value {
    match document.body.get("id") {
        None | Some(Value::Null) => json!({ "id": document.id }),
        Some(_) => json!({}),
    }
}

fn tenant_of(document: &Document) -> Option<crate::domain::TenantId> {
    document.body.get("tenant_id").and_then(Value::as_str).map(crate::domain::TenantId::new)
}

fn is_empty(lacking: &Value) -> bool {
    lacking.as_object().is_none_or(Map::is_empty)
}

fn member_names(members: &Map<String, Value>) -> String {
    members.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
