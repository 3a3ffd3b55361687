//! Somebody wants to be called back: what is agreed on in a call, and the list of those who are to be called.
//!
//! A call has one call-back. What is agreed on later in it is the same appointment, changed: the person has thought better of
//! the time, or the number was misheard. Only where the model says that it is another one, because the person asked for a
//! second call on another matter, both stand; a change is then one of the newest.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::ids::id_born_with;
use super::{
    CallId, CallRecord, CallbackId, CampaignId, PhoneNumber, TenantId, Timestamp, UserId, VoiceAgentId,
};

/// A person who wants to be called back more often than this does not.
const CALLBACKS_MAX: usize = 20;

/// As a call's record keeps it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    pub due: Timestamp,
    pub number: PhoneNumber,
    pub reason: String,
    /// When this was agreed.
    pub asked_at: Timestamp,
    /// How often it was changed since.
    #[serde(default)]
    pub changes: u32,
    /// The revision of the record that it came or changed with; 0 of an older version, which had no list of them.
    #[serde(default)]
    pub revision: u64,
}

/// What the model was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackWish {
    pub due: Timestamp,
    /// `None`: the one agreed on, else the person's own.
    pub number: Option<PhoneNumber>,
    /// Empty: as agreed on.
    pub reason: String,
    pub is_another: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    New,
    Changed {
        before: Timestamp,
    },
    /// The same once more.
    Known,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{CALLBACKS_MAX} call-backs are agreed on already; no more are taken")]
pub struct TooManyCallbacks;

impl CallRecord {
    /// The record is to be of a new revision if anything but [`Agreement::Known`] comes of it.
    pub fn agree_on_callback(
        &mut self,
        wish: CallbackWish,
        now: Timestamp,
    ) -> Result<Agreement, TooManyCallbacks> {
        let own = self.persons_number().clone();
        let revision = self.revision + 1;
        let to_change = self.callbacks.last().filter(|_| !wish.is_another);
        let number = wish.number.or_else(|| to_change.map(|known| known.number.clone())).unwrap_or(own);
        if self.callbacks.iter().any(|known| known.due == wish.due && known.number == number) {
            return Ok(Agreement::Known);
        }
        let agreed =
            Callback { due: wish.due, number, reason: wish.reason, asked_at: now, changes: 0, revision };
        let is_full = self.callbacks.len() == CALLBACKS_MAX;
        match self.callbacks.last_mut().filter(|_| !wish.is_another) {
            Some(known) => {
                let reason = if agreed.reason.is_empty() { known.reason.clone() } else { agreed.reason };
                let (before, changes) = (known.due, known.changes + 1);
                *known = Callback { reason, changes, ..agreed };
                Ok(Agreement::Changed { before })
            }
            None if is_full => Err(TooManyCallbacks),
            None => {
                self.callbacks.push(agreed);
                Ok(Agreement::New)
            }
        }
    }
}

/// As it lies in the list of those who are to be called back.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduledCallback {
    pub id: CallbackId,
    /// The call in which it was agreed on.
    pub session_id: CallId,
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    #[serde(default)]
    pub owner_id: Option<UserId>,
    #[serde(default)]
    pub voice_agent_id: Option<VoiceAgentId>,
    #[serde(default)]
    pub campaign_id: Option<CampaignId>,
    #[serde(flatten)]
    pub agreed: Callback,
    /// Somebody says that the person was called.
    #[serde(default)]
    pub done: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

impl ScheduledCallback {
    /// Those of a call that are newer than this revision of its record.
    pub fn of_record_since(record: &CallRecord, revision: u64) -> Vec<Self> {
        let numbered = record.callbacks.iter().enumerate();
        let newer = numbered.filter(|(_, agreed)| agreed.revision > revision);
        newer.map(|(place, agreed)| Self::of(record, place, agreed)).collect()
    }

    fn of(record: &CallRecord, place: usize, agreed: &Callback) -> Self {
        Self {
            id: CallbackId::of_call(&record.session_id, place),
            session_id: record.session_id.clone(),
            tenant_id: record.tenant_id.clone(),
            owner_id: record.owner_id.clone(),
            voice_agent_id: record.voice_agent_id.clone(),
            campaign_id: record.campaign_id.clone(),
            agreed: agreed.clone(),
            done: false,
            done_at: None,
        }
    }
}

impl CallbackId {
    /// A call's first, second, … call-back keeps its place, so that whoever writes it twice means the same.
    pub fn of_call(call: &CallId, place: usize) -> Self {
        let mut hash = Sha256::new();
        hash.update(call.as_str());
        hash.update(format!("\0callback\0{place}"));
        Self::new(id_born_with(call, hash.finalize().into()))
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callback({} at {})", self.number, self.due)
    }
}

impl fmt::Debug for ScheduledCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScheduledCallback({}, {:?}, done: {})", self.id, self.agreed, self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Direction, birth_of};

    const OWN: &str = "+4930123456";

    fn record() -> CallRecord {
        let (id, number) = (CallId::new("019ac0ff-ee12-7abc-8def-0123456789ab"), || PhoneNumber::new(OWN));
        CallRecord::started(id, Direction::Inbound, number(), number(), Timestamp::from_millis(0))
    }

    fn at(hour: u64) -> Timestamp {
        Timestamp::from_millis(hour * 3_600_000)
    }

    fn wish(hour: u64) -> CallbackWish {
        CallbackWish { due: at(hour), number: None, reason: String::new(), is_another: false }
    }

    fn agree(record: &mut CallRecord, wish: CallbackWish) -> Agreement {
        let agreement = record.agree_on_callback(wish, at(1)).expect("room for it");
        record.revision += 1;
        agreement
    }

    #[test]
    fn what_is_agreed_on_later_in_a_call_changes_its_appointment() {
        let mut record = record();
        let first =
            CallbackWish { number: Some(PhoneNumber::new("+49170")), reason: "offer".into(), ..wish(9) };
        assert_eq!(agree(&mut record, first), Agreement::New);
        assert_eq!(agree(&mut record, wish(10)), Agreement::Changed { before: at(9) });
        assert_eq!(agree(&mut record, wish(10)), Agreement::Known);
        let [only] = record.callbacks.as_slice() else { panic!("{:?}", record.callbacks) };
        assert_eq!((only.due, only.number.expose(), only.reason.as_str()), (at(10), "+49170", "offer"));
        assert_eq!((only.changes, only.revision), (1, 2));
        let corrected = CallbackWish { number: Some(PhoneNumber::new("+49171")), ..wish(10) };
        assert_eq!(agree(&mut record, corrected), Agreement::Changed { before: at(10) });
    }

    #[test]
    fn another_one_stands_beside_it_and_has_an_id_of_its_own_that_stays() {
        let mut record = record();
        agree(&mut record, wish(9));
        let another = CallbackWish { reason: "invoice".into(), is_another: true, ..wish(12) };
        assert_eq!(agree(&mut record, another.clone()), Agreement::New);
        assert_eq!(agree(&mut record, another), Agreement::Known);
        let before = ScheduledCallback::of_record_since(&record, 0);
        assert_eq!(agree(&mut record, wish(13)), Agreement::Changed { before: at(12) });
        let after = ScheduledCallback::of_record_since(&record, 0);
        let ids = |all: &[ScheduledCallback]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&before), ids(&after));
        assert_ne!(after[0].id, after[1].id);
        assert_eq!(birth_of(after[0].id.as_str()), birth_of(record.session_id.as_str()));
        assert_eq!((after[0].agreed.due, after[1].agreed.due), (at(9), at(13)));
        let newer = ScheduledCallback::of_record_since(&record, before[1].agreed.revision);
        assert_eq!(ids(&newer), [after[1].id.clone()]);
    }

    #[test]
    fn there_is_an_end_to_them() {
        let mut record = record();
        for hour in 0..CALLBACKS_MAX as u64 {
            agree(&mut record, CallbackWish { is_another: true, ..wish(hour + 2) });
        }
        let more = CallbackWish { is_another: true, ..wish(99) };
        assert_eq!(record.agree_on_callback(more, at(1)), Err(TooManyCallbacks));
        assert_eq!(agree(&mut record, wish(99)), Agreement::Changed { before: at(21) });
    }

    #[test]
    fn those_of_an_older_version_are_read_and_in_no_list() {
        let stored = serde_json::json!({ "due": at(9), "number": OWN, "reason": "", "asked_at": at(1) });
        let callback: Callback = serde_json::from_value(stored).expect("a call-back");
        assert_eq!(format!("{callback:?}"), "Callback(+********56 at 1970-01-01T09:00:00.000Z)");
        let mut record = record();
        record.callbacks.push(callback);
        assert_eq!(ScheduledCallback::of_record_since(&record, 0), []);
    }
}
