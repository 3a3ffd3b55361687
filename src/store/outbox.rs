//! Calls on their way to the CRM (SPEC U5): one document per call, inserted before its record and kept until long after it
//! is done.
//!
//! What is there to do is found by state and engine. A step is claimed by inserting its document, so that of several
//! engines one sends it; claims of runs that are over are taken away by whoever sees that they are.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::change::{change, difference, every};
use super::crm_names::CrmNames;
use super::document::body_of;
use super::records::{self, Listed, Record, Stored};
use super::{CALLS, Collection, Entry, Index, MAX_PAGE, Query, Store, StoreError};
use crate::access::Scope;
use crate::clock;
use crate::crm::{Progress, Settled, Upload};
use crate::domain::{CallId, CallRecord, CrmCallId, NodeId, StartId, Timestamp, UploadState, first_id_of};

pub static OUTBOX: Collection = Collection {
    name: "outbox",
    indexes: &[Index::plain("state").with(&["node"]), Index::plain("tenant_id").with(&["state"])],
    durable: true,
};

/// Not durable: a power failure ends whoever was at it, and the CRM knows a step by its name.
pub static OUTBOX_CLAIMS: Collection = Collection { name: "outbox_claims", indexes: &[], durable: false };

/// What is opened so long after its call began was written once already: a journal has come late.
const LATE_AFTER_MS: u64 = 24 * 60 * 60 * 1_000;

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
    pub(super) names: CrmNames,
    store: Store,
}

impl Outbox {
    pub fn new(store: Store) -> Self {
        Self { names: CrmNames::new(store.clone()), store }
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
        let name = self.names.give(record).await?;
        match records::insert(&self.store, None, Upload::open(record, name.clone(), node, start)).await {
            Ok(_) => Ok(name),
            Err(StoreError::Conflict { .. }) => {
                let known = self.get(&record.session_id).await?;
                Ok(known.map_or(name, |known| known.record.crm_call_id))
            }
            Err(error) => Err(error),
        }
    }

    /// Its upload may be long done and forgotten.
    pub(super) fn comes_late(record: &CallRecord) -> bool {
        let began = record.call_start_time.as_millis();
        clock::unix_time().as_millis().saturating_sub(began) >= LATE_AFTER_MS
    }

    /// One that is done and forgotten is not sent again.
    async fn name_of_forgotten(&self, record: &CallRecord) -> Result<Option<CrmCallId>, StoreError> {
        if !Self::comes_late(record) {
            return Ok(None);
        }
        let Some(found) = self.store.get(&CALLS, record.session_id.as_str()).await? else { return Ok(None) };
        let known: CallRecord = found.parse(&CALLS)?;
        let is_done = known.upload.is_some_and(|upload| upload.state == UploadState::Done);
        Ok(known.crm_call_id.filter(|_| is_done))
    }

    /// Of a call that never began; its name in the CRM is free again.
    pub async fn withdraw(&self, call: &CallId) -> Result<(), StoreError> {
        let Some(Stored { record, version, .. }) = self.get(call).await? else { return Ok(()) };
        if record.progress.state != UploadState::Open {
            return Ok(());
        }
        self.names.take_back(&record.crm_call_id).await?;
        match self.store.delete(&OUTBOX, &Upload::id_of(call), version).await {
            // What another engine has taken away meanwhile is away.
            Err(StoreError::NotFound { .. } | StoreError::Lost { .. }) => Ok(()),
            decided => decided,
        }
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

    /// The recording of a call turned up after its end, or with another engine than the call's: whoever has it sends it.
    pub async fn recording_came(&self, call: &CallId, holder: &NodeId) -> Result<Option<Upload>, StoreError> {
        let came = |upload: Upload| {
            let progress = upload.progress.clone().with_late_recording();
            Upload { node: holder.clone(), ..upload }.moved_on(progress, clock::unix_time())
        };
        self.change_whole(call, came).await
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
        let moved_on = |upload: Upload| {
            let progress = decide(upload.progress.clone());
            upload.moved_on(progress, clock::unix_time())
        };
        self.change_whole(call, moved_on).await
    }

    async fn change_whole(
        &self,
        call: &CallId,
        decide: impl Fn(Upload) -> Upload,
    ) -> Result<Option<Upload>, StoreError> {
        let id = Upload::id_of(call);
        let changed = change(&self.store, &OUTBOX, &id, |found| {
            let upload: Upload = found.parse(&OUTBOX)?;
            let (old, new) = (body_of(&upload)?, body_of(&decide(upload))?);
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
        self.names.call_of(name).await
    }

    /// By the name the CRM has for the call.
    pub async fn named(&self, name: &CrmCallId) -> Result<Option<Stored<Upload>>, StoreError> {
        let Some(call) = self.call_named(name).await? else { return Ok(None) };
        let found = self.get(&call).await?;
        Ok(found.filter(|upload| upload.record.crm_call_id == *name))
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
        let body = body_of(claim)?;
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
