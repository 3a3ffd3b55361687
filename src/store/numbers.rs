//! Phone numbers by id and by whatever form somebody dials, each form there once.

use serde_json::{Map, Value, json};

use super::audit::Entry;
use super::records::{self, Listed, Record, Stored};
use super::{Collection, Index, Query, Store, StoreError};
use crate::access::Scope;
use crate::domain::{Dialed, NumberForms, NumberId, PhoneNumber, VoiceAgentId, VoiceAgentNumber};

pub static NUMBERS: Collection = Collection {
    name: "voice_agent_numbers",
    indexes: &[
        Index::unique(E164),
        Index::plain(LOCAL),
        Index::plain(NATIONAL),
        Index::plain("tenant_id"),
        Index::plain("owner_id"),
        Index::plain("voice_agent_id"),
    ],
    durable: true,
};

const E164: &str = "forms.e164";
const LOCAL: &str = "forms.local";
const NATIONAL: &str = "forms.national";

impl Record for VoiceAgentNumber {
    fn collection() -> &'static Collection {
        &NUMBERS
    }

    fn id(&self) -> &str {
        self.id.as_str()
    }

    /// A record whose number cannot be read has no forms: it can be listed and mended, and is never found by dialling.
    fn derived(&self) -> Map<String, Value> {
        let forms = self.forms().map_or(Value::Null, |forms| {
            let NumberForms { e164, local, national, .. } = forms;
            json!({ "e164": e164, "local": local, "national": national })
        });
        Map::from_iter([("forms".to_owned(), forms)])
    }
}

/// Whose number the dialled digits are.
#[derive(Debug)]
pub enum NumberFound {
    None,
    One(Box<Stored<VoiceAgentNumber>>),
    /// Without its country it may be a number of several; to take one of them would be a guess.
    Several,
}

impl NumberFound {
    /// `None` where it is not certain which.
    pub fn one(self) -> Option<Stored<VoiceAgentNumber>> {
        match self {
            Self::One(number) => Some(*number),
            Self::None | Self::Several => None,
        }
    }

    /// Digits that are one number in one form and another in another form may mean either.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (found, Self::None) | (Self::None, found) => found,
            (Self::One(one), Self::One(other)) if one.record.id == other.record.id => Self::One(one),
            (Self::One(_) | Self::Several, Self::One(_) | Self::Several) => Self::Several,
        }
    }
}

#[derive(Clone)]
pub struct Numbers {
    store: Store,
}

impl Numbers {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// `Conflict` where anybody has this number already, however it was written.
    pub async fn insert(
        &self,
        entry: &Entry,
        number: VoiceAgentNumber,
    ) -> Result<Stored<VoiceAgentNumber>, StoreError> {
        records::insert(&self.store, Some(entry), number).await
    }

    pub async fn get(&self, id: &NumberId) -> Result<Option<Stored<VoiceAgentNumber>>, StoreError> {
        records::get(&self.store, id.as_str()).await
    }

    /// Whether it is of any use to ask, as far as that is known.
    pub fn can_be_read(&self) -> bool {
        self.store.can_be_read()
    }

    /// The number that was dialled.
    pub async fn find(&self, dialed: &PhoneNumber) -> Result<NumberFound, StoreError> {
        match Dialed::read(dialed) {
            None => Ok(NumberFound::None),
            Some(Dialed::International(e164)) => self.written_as(E164, &e164).await,
            Some(Dialed::Digits(digits)) => self.find_digits(&digits).await,
        }
    }

    /// `None` from `decide` leaves it as it is.
    pub async fn change(
        &self,
        entry: &Entry,
        id: &NumberId,
        expected: Option<u64>,
        decide: impl FnMut(&VoiceAgentNumber) -> Option<VoiceAgentNumber>,
    ) -> Result<Stored<VoiceAgentNumber>, StoreError> {
        records::change_record(&self.store, entry, id.as_str(), expected, decide).await
    }

    pub async fn remove(
        &self,
        entry: &Entry,
        id: &NumberId,
        expected: Option<u64>,
    ) -> Result<(), StoreError> {
        records::remove_record::<VoiceAgentNumber>(&self.store, entry, id.as_str(), expected).await
    }

    /// In the order in which they were added.
    pub async fn list(
        &self,
        scope: &Scope,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<VoiceAgentNumber>, StoreError> {
        let all = Query::all(limit).after(after);
        records::list_of(&self.store, scope, all).await
    }

    /// Those that this persona answers.
    pub async fn naming(
        &self,
        voice_agent: &VoiceAgentId,
        limit: usize,
    ) -> Result<Listed<VoiceAgentNumber>, StoreError> {
        records::list(&self.store, Query::equals("voice_agent_id", voice_agent.as_str(), limit)).await
    }

    async fn find_digits(&self, digits: &PhoneNumber) -> Result<NumberFound, StoreError> {
        let e164 = PhoneNumber::new(format!("+{}", digits.expose()));
        let (e164, local, national) = tokio::try_join!(
            self.written_as(E164, &e164),
            self.written_as(LOCAL, digits),
            self.written_as(NATIONAL, digits)
        )?;
        Ok(e164.or(local).or(national))
    }

    async fn written_as(&self, form: &'static str, digits: &PhoneNumber) -> Result<NumberFound, StoreError> {
        let page = self.store.find(&NUMBERS, Query::equals(form, digits.expose(), 2)).await?;
        match page.documents.as_slice() {
            [only] => records::read(only).map(|number| NumberFound::One(Box::new(number))),
            [] => Ok(NumberFound::None),
            _ => Ok(NumberFound::Several),
        }
    }
}
