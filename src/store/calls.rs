//! Session records: inserted when a call is accepted, merged as it goes, listed without what was said.

use serde_json::{Value, json};

use super::change::{change, difference, every};
use super::document::body_of;
use super::{Collection, Condition, Document, Index, MAX_PAGE, Query, Store, StoreError, records};
use crate::access::Scope;
use crate::crm::EndedCall;
use crate::domain::{
    CallId, CallRecord, CallUpload, Direction, Outcome, PhoneNumber, RecordingMade, Timestamp, UploadState,
    UserId, VoiceAgentId, first_id_of,
};

pub static CALLS: Collection = Collection {
    name: "calls",
    indexes: &[
        Index::plain("owner_id").with(FILTERED),
        Index::plain("tenant_id").with(FILTERED),
        Index::plain("dialed_number").with(FILTERED),
        Index::plain("from_number").with(FILTERED),
        Index::plain("voice_agent_id").with(FILTERED),
        Index::pair("owner_id", "outcome").with(FILTERED),
        Index::pair("tenant_id", "outcome").with(FILTERED),
        Index::plain(RUNNING),
    ],
    durable: false,
};

/// All that a list may be narrowed by and that stays as it is while the call goes on: in each index, so that no mixture of
/// filters reads one transcript after the other to find a few calls. The outcome has indexes of its own, which are all
/// that a call's end has to change.
const FILTERED: &[&str] =
    &["owner_id", "tenant_id", "dialed_number", "from_number", "direction", "voice_agent_id"];

const RUNNING: &str = "running.marker";

/// What a list does not show, and what would make it slow.
const LONG: &[&str] = &["conversation_items", "tool_results", "full_config"];

/// Which calls a list shows; without anything set, all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallFilter {
    pub owner: Option<UserId>,
    pub voice_agent: Option<VoiceAgentId>,
    pub outcome: Option<Outcome>,
    pub direction: Option<Direction>,
    /// Exactly as the record has it, which is E.164 wherever that is known.
    pub dialed_number: Option<PhoneNumber>,
    pub from_number: Option<PhoneNumber>,
    /// True: only calls that have not ended; false: only those that have.
    pub running: Option<bool>,
    pub started_from: Option<Timestamp>,
    pub started_before: Option<Timestamp>,
}

impl CallFilter {
    /// Whose calls, together with the outcome, where that is asked for; else a number or a voice agent is a question of its
    /// own, which few calls answer. A time is a range of ids: a call begins when its id is born.
    fn query(&self, whose: (&'static str, &str), limit: usize) -> Query {
        let is = |field: &'static str, value: &str| (field, Condition::Is(value.into()));
        let owner = self.owner.as_ref().filter(|_| whose.0 != "owner_id");
        let owner = owner.map(|owner| is("owner_id", owner.as_str()));
        let whose: Vec<_> = owner.into_iter().chain([is(whose.0, whose.1)]).collect();
        let narrow = [
            self.from_number.as_ref().map(|number| is("from_number", number.expose())),
            self.dialed_number.as_ref().map(|number| is("dialed_number", number.expose())),
            self.voice_agent.as_ref().map(|agent| is("voice_agent_id", agent.as_str())),
        ];
        let narrow: Vec<_> = narrow.into_iter().flatten().collect();
        let by_outcome = self.outcome.is_some() || self.running == Some(true);
        let mut conditions = if by_outcome { [whose, narrow] } else { [narrow, whose] }.concat();
        conditions.extend(self.direction.map(|direction| is("direction", direction.as_str())));
        conditions.extend(self.outcome.map(|outcome| is("outcome", outcome.as_str())));
        let ended = |running| if running { Condition::Missing } else { Condition::Present };
        conditions.extend(self.running.map(|running| ("outcome", ended(running))));
        let query = Query { conditions, ..Query::all(limit) };
        query.of_ids(self.started_from.map(first_id_of), self.started_before.map(first_id_of))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct CallList {
    /// Without what was said.
    pub calls: Vec<CallRecord>,
    /// Ask for the next page with it; `None`: this was the last.
    pub next: Option<String>,
}

/// What became of the wish to delete a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LettingGo {
    Gone,
    Waits,
    /// No record tells of it: that may still come, from a journal.
    Unknown,
}

/// What is parked waits too: a person may have it sent again. So does a state that this version does not know, and one that
/// is not told yet: a call that has a name in the CRM has its upload.
fn waits_for_upload(record: &Value) -> bool {
    match record.pointer("/upload/state").and_then(Value::as_str) {
        Some(state) => state != UploadState::Done.as_str(),
        None => record.get("crm_call_id").is_some_and(Value::is_string),
    }
}

/// What a record has for a while only. Who lays one over another must name them, or they stay for ever.
const PASSING: [&str; 3] = ["running", "recording_state", "pending_leads"];

#[derive(Clone)]
pub struct Calls {
    store: Store,
}

impl Calls {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn insert(&self, record: &CallRecord) -> Result<(), StoreError> {
        let body = body_of(record)?;
        self.store.insert(&CALLS, record.session_id.as_str(), body).await.map(drop)
    }

    pub async fn get(&self, id: &CallId) -> Result<Option<CallRecord>, StoreError> {
        let document = self.store.get(&CALLS, id.as_str()).await?;
        document.map(|document| document.parse(&CALLS)).transpose()
    }

    /// The record as the CRM is told of it.
    pub async fn ended(&self, id: &CallId) -> Result<Option<EndedCall>, StoreError> {
        let document = self.store.get(&CALLS, id.as_str()).await?;
        document.map(|document| document.parse(&CALLS)).transpose()
    }

    /// Writes the record as it stands now. `known` is what the last save gave: the version at which the store holds
    /// what this writer wrote and nothing else, so that nothing needs to be read before it is replaced.
    pub async fn save(&self, record: &CallRecord, known: Option<u64>) -> Result<Option<u64>, StoreError> {
        let id = record.session_id.as_str();
        let body = body_of(record)?;
        let written = match known {
            None => self.store.insert(&CALLS, id, body.clone()).await,
            Some(version) => self.store.compare_and_set(&CALLS, id, version, body.clone()).await,
        };
        match written {
            Ok(document) => Ok(Some(document.version)),
            Err(StoreError::Conflict { .. } | StoreError::Lost { .. }) => {
                self.lay_over_older(record, &body).await.map(|()| None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whoever writes late (a journal that is replayed) must not undo what was written since.
    async fn lay_over_older(&self, record: &CallRecord, body: &Value) -> Result<(), StoreError> {
        let revision = |stored: &Value| stored.get("revision").and_then(Value::as_u64).unwrap_or(0);
        let mut body = body.clone();
        if let Value::Object(members) = &mut body {
            for name in PASSING {
                members.entry(name).or_insert(Value::Null);
            }
        }
        let unless_newer =
            |found: &Document| (revision(&found.body) <= record.revision).then(|| body.clone());
        let id = record.session_id.as_str();
        change(&self.store, &CALLS, id, |found| Ok(unless_newer(found))).await.map(drop)
    }

    /// All that are not over as far as their records know, at whichever engine.
    pub async fn running(&self) -> Result<Vec<CallRecord>, StoreError> {
        let running = Query::equals(RUNNING, "running", MAX_PAGE).leaving_out(LONG);
        every(&self.store, &CALLS, Some(running)).await
    }

    /// Closes the record of a call whose engine is lost, as of the moment when it was last heard of. `None`: it is not
    /// there, or somebody else has closed it: how it ended stands.
    pub async fn close_lost(
        &self,
        id: &CallId,
        close: impl Fn(&mut CallRecord, Timestamp),
    ) -> Result<Option<CallRecord>, StoreError> {
        let mut closed = None;
        let close_unless_over = |found: &Document| {
            let mut record: CallRecord = found.parse(&CALLS)?;
            closed = None;
            if record.running.is_none() {
                return Ok(None);
            }
            let before = body_of(&record)?;
            let had_ended = record.outcome.is_some();
            if had_ended {
                (record.running, record.recording_state) = (None, None);
            } else {
                let last_written = record.running.as_ref().and_then(|running| running.last_written);
                close(&mut record, last_written.unwrap_or(found.updated_at));
            }
            record.revision += 1;
            let changes = difference(&before, &body_of(&record)?);
            closed = (!had_ended).then_some(record);
            Ok(Some(changes))
        };
        // Its recording may be told of at the same moment; then it is looked at again.
        match change(&self.store, &CALLS, id.as_str(), close_unless_over).await {
            Ok(_) => Ok(closed),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// For a call whose record was closed before its recording was ready, or whose engine is gone. False: there is no such
    /// record.
    pub async fn add_recording(&self, id: &CallId, made: &RecordingMade) -> Result<bool, StoreError> {
        let add = |found: &Document| {
            let mut record: CallRecord = found.parse(&CALLS)?;
            let before = body_of(&record)?;
            record.add_recording(made);
            record.revision += 1;
            if let Some(running) = &mut record.running {
                running.last_written.get_or_insert(found.updated_at);
            }
            Ok(Some(difference(&before, &body_of(&record)?)))
        };
        match change(&self.store, &CALLS, id.as_str(), add).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Its record says from now on that the recording is deleted, unless it waits for its upload: it was uploaded, or
    /// is no upload's business. `for_crm`: somebody waits for uploads at all.
    pub async fn let_recording_go(
        &self,
        id: &CallId,
        now: Timestamp,
        for_crm: bool,
    ) -> Result<LettingGo, StoreError> {
        let mut may_go = true;
        let decide = |found: &Document| {
            may_go = !(for_crm && waits_for_upload(&found.body));
            let is_known = found.body.get("recording_filename").is_some_and(Value::is_string);
            let revision = found.body.get("revision").and_then(Value::as_u64).unwrap_or(0);
            let deleted = json!({ "revision": revision + 1, "recording_filename": null, "recording_deleted_time": now });
            Ok((may_go && is_known).then_some(deleted))
        };
        match change(&self.store, &CALLS, id.as_str(), decide).await {
            Ok(_) if may_go => Ok(LettingGo::Gone),
            Ok(_) => Ok(LettingGo::Waits),
            Err(StoreError::NotFound { .. }) => Ok(LettingGo::Unknown),
            Err(error) => Err(error),
        }
    }

    /// How many of this owner's calls have no outcome yet, up to a page of them.
    pub async fn running_of(&self, owner: &UserId) -> Result<usize, StoreError> {
        let query = Query::equals("owner_id", owner.as_str(), MAX_PAGE).and_missing("outcome");
        Ok(self.store.find(&CALLS, query.leaving_out(LONG)).await?.documents.len())
    }

    /// Newest first, for commands on the engine's own machine.
    pub async fn of_everybody(&self, after: Option<String>, limit: usize) -> Result<CallList, StoreError> {
        self.page(Query::all(limit), after).await
    }

    /// Newest first.
    pub async fn list(
        &self,
        scope: &Scope,
        filter: &CallFilter,
        after: Option<String>,
        limit: usize,
    ) -> Result<CallList, StoreError> {
        let Some(whose) = records::whose(scope, filter.owner.as_ref()) else {
            return Ok(CallList { calls: Vec::new(), next: None });
        };
        self.page(filter.query(whose, limit), after).await
    }

    async fn page(&self, query: Query, after: Option<String>) -> Result<CallList, StoreError> {
        let query = query.newest_first().after(after).leaving_out(LONG).unhurried();
        let page = self.store.find(&CALLS, query).await?;
        let readable = |document: &Document| {
            document.parse(&CALLS).inspect_err(|error| tracing::warn!(%error, "passed over")).ok()
        };
        Ok(CallList { calls: page.documents.iter().filter_map(readable).collect(), next: page.next })
    }

    /// How far it is on its way to the CRM; whoever writes the rest of the record leaves that alone.
    pub async fn tell_upload(&self, id: &CallId, upload: &CallUpload) -> Result<(), StoreError> {
        self.merge(id, &json!({ "upload": upload })).await
    }

    /// Lays `changes` over the record: members replace members, null removes one (RFC 7396).
    pub async fn merge(&self, id: &CallId, changes: &Value) -> Result<(), StoreError> {
        change(&self.store, &CALLS, id.as_str(), |_| Ok(Some(changes.clone()))).await.map(drop)
    }
}
