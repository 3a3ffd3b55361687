//! The names of calls in the CRM (SPEC U4): by day and number, the first call of each without an addition and the others with
//! theirs. A name is claimed by inserting its document.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::change::remove;
use super::{Collection, Put, Store, StoreError};
use crate::crm::{call_id, person};
use crate::domain::{CallId, CallRecord, CrmCallId};

/// The id is the claim. Not durable: a power failure takes it together with the call's upload and record, or none of them;
/// the end of a call brings all three to the disk.
pub static CRM_CALL_IDS: Collection = Collection { name: "crm_call_ids", indexes: &[], durable: false };

/// More calls with one number a day are no calls of a person.
const NAMES_MAX: u32 = 1_000_000;

/// Numbers that are remembered; more are looked for in the store again.
const NUMBERS_REMEMBERED_MAX: usize = 1_000;

#[derive(Clone)]
pub(super) struct CrmNames {
    store: Store,
    given: Arc<NamesGiven>,
}

/// How often a number had a call today, as far as is known here: people who withhold theirs all have the same one.
#[derive(Default)]
struct NamesGiven(Mutex<HashMap<CrmCallId, u32>>);

/// A name that nobody here was given yet.
pub(super) struct LikelyName {
    pub(super) name: CrmCallId,
    first: CrmCallId,
    nth: u32,
}

impl CrmNames {
    pub(super) fn new(store: Store) -> Self {
        Self { store, given: Arc::default() }
    }

    /// What the call will be named unless somebody else is faster.
    pub(super) fn likely(&self, record: &CallRecord) -> LikelyName {
        let nth = |nth| call_id(record.call_start_time, person(record), nth);
        let wanted = self.given.last_of(&nth(1)) + 1;
        LikelyName { name: nth(wanted), first: nth(1), nth: wanted }
    }

    pub(super) fn was_given(&self, LikelyName { first, nth, .. }: LikelyName) {
        self.given.note(first, nth);
    }

    /// The first free one, or the one after that which was given last here. Whoever had one number often today is not
    /// asked about each of its calls: the search doubles its steps and then halves them.
    pub(super) async fn give(&self, record: &CallRecord) -> Result<CrmCallId, StoreError> {
        let nth = |nth| call_id(record.call_start_time, person(record), nth);
        let mut wanted = self.given.last_of(&nth(1)) + 1;
        while !self.claim(&nth(wanted), &record.session_id).await? {
            wanted = self.next_free(wanted, nth).await?;
        }
        self.given.note(nth(1), wanted);
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

    async fn claim(&self, name: &CrmCallId, call: &CallId) -> Result<bool, StoreError> {
        match self.store.insert(&CRM_CALL_IDS, name.as_str(), claim_of(call)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(self.call_of(name).await?.as_ref() == Some(call)),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn call_of(&self, name: &CrmCallId) -> Result<Option<CallId>, StoreError> {
        let claim = self.store.get(&CRM_CALL_IDS, name.as_str()).await?;
        let call = claim.and_then(|found| found.body.get("session_id")?.as_str().map(CallId::new));
        Ok(call)
    }

    /// Nobody needs it any more; it is free again.
    pub(super) async fn take_back(&self, name: &CrmCallId) -> Result<(), StoreError> {
        match remove(&self.store, &CRM_CALL_IDS, name.as_str()).await {
            Err(StoreError::NotFound { .. } | StoreError::Lost { .. }) => Ok(()),
            decided => decided,
        }
    }
}

impl LikelyName {
    /// What claims it for this call.
    pub(super) fn claim(&self, call: &CallId) -> Put {
        Put::new(&CRM_CALL_IDS, self.name.as_str(), claim_of(call))
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
        let given = names.entry(first).or_default();
        *given = last.max(*given);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CrmCallId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn claim_of(call: &CallId) -> Value {
    json!({ "session_id": call })
}
