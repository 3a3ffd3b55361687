//! Calls on their way to the CRM (SPEC U5): one document per call, inserted before its record and kept until long after it
//! is done.
//!
//! What is there to do is found by state and engine. A step is claimed by inserting its document, so that of several
//! engines one sends it; claims of runs that are over are taken away by whoever sees that they are.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::{change, difference, every, remove};
use super::records::{self, Listed, Record, Stored};
use super::{CALLS, Collection, Document, Entry, Index, MAX_PAGE, Query, Store, StoreError};
use crate::access::Scope;
use crate::clock;
use crate::crm::{Progress, Settled, Upload, call_id, person};
use crate::domain::{CallId, CallRecord, CrmCallId, NodeId, StartId, Timestamp, UploadState, first_id_of};

pub static OUTBOX: Collection = Collection {
    name: "outbox",
    indexes: &[
        Index::plain("state"),
        Index::pair("state", "node"),
        Index::plain("crm_call_id"),
        Index::plain("tenant_id"),
        Index::pair("tenant_id", "state"),
    ],
    durable: true,
};

/// Not durable: a power failure ends whoever was at it, and the CRM knows a step by its name.
pub static OUTBOX_CLAIMS: Collection = Collection { name: "outbox_claims", indexes: &[], durable: false };

/// The id is the claim. The document of the outbox that follows each of them brings it to the disk.
pub static CRM_CALL_IDS: Collection = Collection { name: "crm_call_ids", indexes: &[], durable: false };

/// What is opened so long after its call began was written once already: a journal has come late.
const LATE_AFTER_MS: u64 = 24 * 60 * 60 * 1_000;

/// More calls with one number a day are no calls of a person.
const NAMES_MAX: u32 = 1_000_000;

impl Record for Upload {
    fn collection() -> &'static Collection {
        &OUTBOX
    }

    fn id(&self) -> &str {
        &self.id
    }
}

/// A step that a run of an engine is at: one of an upload, or the notifications of a call for one subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepClaim {
    pub call: CallId,
    pub step: String,
    pub node: NodeId,
    pub start: StartId,
}

#[derive(Clone)]
pub struct Outbox {
    store: Store,
    names_given: Arc<NamesGiven>,
}

/// How often a number had a call today, as far as is known here: people who withhold theirs all have the same one.
#[derive(Default)]
struct NamesGiven(Mutex<HashMap<CrmCallId, u32>>);

/// More are looked for in the store again.
const NUMBERS_REMEMBERED_MAX: usize = 1_000;

impl Outbox {
    pub fn new(store: Store) -> Self {
        Self { store, names_given: Arc::default() }
    }

    /// Before the record of a call is written for the first time: from here on the call cannot be forgotten. Gives its
    /// name in the CRM. Of a call that is there already, nothing changes.
    pub async fn open(
        &self,
        record: &CallRecord,
        (node, start): (NodeId, StartId),
    ) -> Result<CrmCallId, StoreError> {
        if let Some(known) = self.get(&record.session_id).await? {
            return Ok(known.record.crm_call_id);
        }
        if let Some(name) = self.name_of_forgotten(record).await? {
            return Ok(name);
        }
        let name = self.name(record).await?;
        match records::insert(&self.store, None, Upload::open(record, name.clone(), node, start)).await {
            Ok(_) => Ok(name),
            Err(StoreError::Conflict { .. }) => {
                let known = self.get(&record.session_id).await?;
                Ok(known.map_or(name, |known| known.record.crm_call_id))
            }
            Err(error) => Err(error),
        }
    }

    /// One that is done and forgotten is not sent again.
    async fn name_of_forgotten(&self, record: &CallRecord) -> Result<Option<CrmCallId>, StoreError> {
        let began = record.call_start_time.as_millis();
        if clock::unix_time().as_millis().saturating_sub(began) < LATE_AFTER_MS {
            return Ok(None);
        }
        let Some(found) = self.store.get(&CALLS, record.session_id.as_str()).await? else { return Ok(None) };
        let known: CallRecord = found.parse(&CALLS)?;
        let is_done = known.upload.is_some_and(|upload| upload.state == UploadState::Done);
        Ok(known.crm_call_id.filter(|_| is_done))
    }

    /// The first free one, or the one after that which was given last here. Whoever had one number often today is not
    /// asked about each of its calls: the search doubles its steps and then halves them.
    async fn name(&self, record: &CallRecord) -> Result<CrmCallId, StoreError> {
        let nth = |nth| call_id(record.call_start_time, person(record), nth);
        let mut wanted = self.names_given.last_of(&nth(1)) + 1;
        while !self.claim_name(&nth(wanted), &record.session_id).await? {
            wanted = self.next_free(wanted, nth).await?;
        }
        self.names_given.note(nth(1), wanted);
        Ok(nth(wanted))
    }

    async fn next_free(&self, taken: u32, nth: impl Fn(u32) -> CrmCallId) -> Result<u32, StoreError> {
        let is_taken = async |at: u32| {
            Ok::<_, StoreError>(self.store.get(&CRM_CALL_IDS, nth(at).as_str()).await?.is_some())
        };
        let (mut last_taken, mut free) = (taken, taken + 1);
        while is_taken(free).await? {
            if free > NAMES_MAX {
                return Err(StoreError::Failed(format!("the CRM's names are used up: {}", nth(free))));
            }
            (last_taken, free) = (free, free * 2);
        }
        while free - last_taken > 1 {
            let middle = last_taken + (free - last_taken) / 2;
            if is_taken(middle).await? { last_taken = middle } else { free = middle }
        }
        Ok(free)
    }

    async fn claim_name(&self, name: &CrmCallId, call: &CallId) -> Result<bool, StoreError> {
        match self.store.insert(&CRM_CALL_IDS, name.as_str(), json!({ "session_id": call })).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => {
                let found = self.store.get(&CRM_CALL_IDS, name.as_str()).await?;
                let of = |found: Document| found.body.get("session_id").cloned();
                Ok(found.and_then(of) == Some(json!(call)))
            }
            Err(error) => Err(error),
        }
    }

    /// Of a call that never began; its name in the CRM is free again.
    pub async fn withdraw(&self, call: &CallId) -> Result<(), StoreError> {
        let Some(Stored { record, version, .. }) = self.get(call).await? else { return Ok(()) };
        if record.progress.state != UploadState::Open {
            return Ok(());
        }
        // What another engine has taken away meanwhile is away.
        let gone_or = |removed| match removed {
            Err(StoreError::NotFound { .. } | StoreError::Lost { .. }) => Ok(()),
            decided => decided,
        };
        gone_or(remove(&self.store, &CRM_CALL_IDS, record.crm_call_id.as_str()).await)?;
        gone_or(self.store.delete(&OUTBOX, &Upload::id_of(call), version).await)
    }

    /// The call is over, and its record says so. Said once more, it may bring the recording that was not there the first
    /// time. `None`: there is no such upload.
    pub async fn end(&self, call: &CallId, has_recording: bool) -> Result<Option<Upload>, StoreError> {
        let ended = |progress: Progress| match progress.state {
            UploadState::Open => Progress::due(has_recording),
            UploadState::Due | UploadState::Amendable | UploadState::Done | UploadState::Parked => {
                if has_recording {
                    progress.with_late_recording()
                } else {
                    progress
                }
            }
        };
        self.change(call, ended).await
    }

    /// The recording of a call turned up after its end.
    pub async fn recording_came(&self, call: &CallId) -> Result<Option<Upload>, StoreError> {
        self.change(call, Progress::with_late_recording).await
    }

    pub async fn settle(&self, call: &CallId, settled: &Settled) -> Result<Option<Upload>, StoreError> {
        self.change(call, |progress| progress.settle(settled)).await
    }

    /// A person wants what is parked to be tried again. `None`: there is no such upload.
    pub async fn retry(&self, entry: &Entry, call: &CallId) -> Result<Option<Upload>, StoreError> {
        let retried = |upload: &Upload| {
            let progress = upload.progress.clone();
            let is_parked = progress.state == UploadState::Parked;
            is_parked.then(|| upload.clone().moved_on(progress.retried(), clock::unix_time()))
        };
        match records::change_record(&self.store, entry, &Upload::id_of(call), None, retried).await {
            Ok(stored) => Ok(Some(stored.record)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn change(
        &self,
        call: &CallId,
        decide: impl Fn(Progress) -> Progress,
    ) -> Result<Option<Upload>, StoreError> {
        let id = Upload::id_of(call);
        let changed = change(&self.store, &OUTBOX, &id, |found| {
            let upload: Upload = found.parse(&OUTBOX)?;
            let progress = decide(upload.progress.clone());
            let (old, new) = (body(&upload)?, body(&upload.moved_on(progress, clock::unix_time()))?);
            Ok((old != new).then(|| difference(&old, &new)))
        });
        match changed.await {
            Ok(document) => document.parse(&OUTBOX).map(Some),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn get(&self, call: &CallId) -> Result<Option<Stored<Upload>>, StoreError> {
        records::get(&self.store, &Upload::id_of(call)).await
    }

    /// The call that has this name in the CRM, whether its upload is known still or not.
    pub async fn call_named(&self, name: &CrmCallId) -> Result<Option<CallId>, StoreError> {
        let claim = self.store.get(&CRM_CALL_IDS, name.as_str()).await?;
        let call = claim.and_then(|found| found.body.get("session_id")?.as_str().map(CallId::new));
        Ok(call)
    }

    /// By the name the CRM has for the call.
    pub async fn named(&self, name: &CrmCallId) -> Result<Option<Stored<Upload>>, StoreError> {
        let named = Query::equals("crm_call_id", name.as_str(), 1);
        Ok(records::list(&self.store, named).await?.items.into_iter().next())
    }

    /// What this engine can go on with, oldest first.
    pub async fn of_node(
        &self,
        state: UploadState,
        node: &NodeId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Upload>, StoreError> {
        let query = Query::equals("state", state.as_str(), limit).and("node", node.as_str());
        records::list(&self.store, query.after(after)).await
    }

    /// A page of all engines', oldest first.
    pub async fn in_state(
        &self,
        state: UploadState,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Upload>, StoreError> {
        let query = Query::equals("state", state.as_str(), limit).after(after);
        records::list(&self.store, query).await
    }

    /// What somebody of this scope may see, newest first.
    pub async fn list(
        &self,
        scope: &Scope,
        state: Option<UploadState>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Upload>, StoreError> {
        let query = Query::all(limit).newest_first().after(after).unhurried();
        let of_state = |query: Query| match state {
            Some(state) => query.and("state", state.as_str()),
            None => query,
        };
        let query = match scope {
            Scope::Everything => of_state(query),
            Scope::Tenant(tenant) => of_state(query.and("tenant_id", tenant.as_str())),
            Scope::Owner(_) | Scope::Nothing => return Ok(Listed { items: Vec::new(), next: None }),
        };
        records::list(&self.store, query).await
    }
}

// So that it does not grow without end.
impl Outbox {
    /// What is done since before this moment is deleted; the records of those calls say that it is. Gives how many those
    /// were, as far as one look goes.
    pub async fn forget(&self, before: Timestamp) -> Result<usize, StoreError> {
        // The id of an upload begins with its call's, which says when it began.
        let done = Query::equals("state", UploadState::Done.as_str(), MAX_PAGE)
            .of_ids(None, Some(first_id_of(before)))
            .unhurried();
        let (mut forgotten, mut after) = (0, None);
        while forgotten == 0 {
            let page = records::list::<Upload>(&self.store, done.clone().after(after)).await?;
            for stored in page.items.iter().filter(|stored| stored.updated_at < before) {
                match self.store.delete(&OUTBOX, &stored.record.id, stored.version).await {
                    Ok(()) => forgotten += 1,
                    Err(StoreError::Lost { .. } | StoreError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(forgotten)
    }
}

// Who is at which step.
impl Outbox {
    /// False: another run has it.
    pub async fn claim(&self, claim: &StepClaim) -> Result<bool, StoreError> {
        let body = serde_json::to_value(claim).map_err(|error| StoreError::Failed(error.to_string()))?;
        match self.store.insert(&OUTBOX_CLAIMS, &claim.id(), body).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => self.is_held_by(claim).await,
            Err(error) => Err(error),
        }
    }

    /// One that this run could not give up before is its own still.
    async fn is_held_by(&self, claim: &StepClaim) -> Result<bool, StoreError> {
        let found = self.store.get(&OUTBOX_CLAIMS, &claim.id()).await?;
        Ok(found
            .is_some_and(|found| found.parse::<StepClaim>(&OUTBOX_CLAIMS).is_ok_and(|held| held == *claim)))
    }

    /// What others have claimed since stays theirs.
    pub async fn release(&self, claim: &StepClaim) -> Result<(), StoreError> {
        let Some(found) = self.store.get(&OUTBOX_CLAIMS, &claim.id()).await? else { return Ok(()) };
        if found.parse::<StepClaim>(&OUTBOX_CLAIMS)? != *claim {
            return Ok(());
        }
        match self.store.delete(&OUTBOX_CLAIMS, &found.id, found.version).await {
            Err(StoreError::NotFound { .. } | StoreError::Lost { .. }) => Ok(()),
            decided => decided,
        }
    }

    pub async fn claims(&self) -> Result<Vec<StepClaim>, StoreError> {
        every(&self.store, &OUTBOX_CLAIMS, None).await
    }

    /// Takes the claims of runs that are over away.
    pub async fn free(
        &self,
        claims: &[StepClaim],
        over: &BTreeSet<(NodeId, StartId)>,
    ) -> Result<(), StoreError> {
        for claim in claims.iter().filter(|claim| over.contains(&claim.run())) {
            self.release(claim).await?;
        }
        Ok(())
    }
}

impl NamesGiven {
    fn last_of(&self, first: &CrmCallId) -> u32 {
        self.lock().get(first).copied().unwrap_or(0)
    }

    fn note(&self, first: CrmCallId, last: u32) {
        let mut names = self.lock();
        if names.len() >= NUMBERS_REMEMBERED_MAX {
            names.clear();
        }
        names.insert(first, last);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CrmCallId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StepClaim {
    pub fn new(call: CallId, step: impl fmt::Display, (node, start): (NodeId, StartId)) -> Self {
        Self { call, step: step.to_string(), node, start }
    }

    pub fn run(&self) -> (NodeId, StartId) {
        (self.node.clone(), self.start.clone())
    }

    fn id(&self) -> String {
        format!("{}/{}", self.call, self.step)
    }
}

fn body(upload: &Upload) -> Result<Value, StoreError> {
    serde_json::to_value(upload).map_err(|error| StoreError::Failed(error.to_string()))
}
