//! Documents, the collections they lie in, and questions about them.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::StoreError;
use crate::domain::Timestamp;

/// A collection as data: what a back end must build to hold it.
#[derive(Debug)]
pub struct Collection {
    pub name: &'static str,
    pub indexes: &'static [Index],
    /// Its writes reach the disk before they are answered, not only the operating system.
    pub durable: bool,
}

/// `field` is a path in the document, with dots. It leads to a text, number or truth value, in a unique index to a text.
/// Documents without the field, or with null, are not in the index.
#[derive(Debug)]
pub struct Index {
    pub field: &'static str,
    pub unique: bool,
    /// Documents with the same value lie in the order of this field first, also those without it: for questions about
    /// both. They are asked with `field` first.
    pub then: Option<&'static str>,
    /// What else stands in the index, so that a question that asks for it too reads no document in vain.
    pub beside: &'static [&'static str],
}

impl Collection {
    pub(super) fn has_index(&self, field: &str) -> bool {
        self.indexes.iter().any(|index| index.holds(field))
    }

    /// The index that a question is answered from: its first field decides. Of those that begin with it, one that knows
    /// the whole question goes before one that leads to fewer documents and must read each of them.
    pub(super) fn index_for(&self, query: &Query) -> Option<&'static Index> {
        let (first, _) = query.conditions.first()?;
        let is_whole = |index: &&Index| query.conditions.iter().all(|(field, _)| index.holds(field));
        let is_pair = |index: &&Index| index.then.is_some_and(|then| query.pins(then));
        let begins = || self.indexes.iter().filter(|index| index.field == *first);
        let plain = || begins().filter(|index| index.then.is_none());
        let whole =
            begins().find(|index| is_pair(index) && is_whole(index)).or_else(|| plain().find(is_whole));
        whole.or_else(|| begins().find(is_pair)).or_else(|| plain().next())
    }
}

impl Index {
    pub const fn plain(field: &'static str) -> Self {
        Self { field, unique: false, then: None, beside: &[] }
    }

    pub const fn pair(field: &'static str, then: &'static str) -> Self {
        Self { field, unique: false, then: Some(then), beside: &[] }
    }

    pub const fn with(self, beside: &'static [&'static str]) -> Self {
        Self { beside, ..self }
    }

    fn holds(&self, field: &str) -> bool {
        self.field == field || self.then == Some(field) || self.beside.contains(&field)
    }

    pub const fn unique(field: &'static str) -> Self {
        Self { field, unique: true, then: None, beside: &[] }
    }
}

#[derive(Clone, PartialEq)]
pub struct Document {
    pub id: String,
    /// Grows by one with every change; what [`super::Store::compare_and_set`] compares.
    pub version: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub body: Value,
}

/// What stands in it may be a password's hash, or a key that nothing has sealed: it is for its collection, never for a log.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({}, version {})", self.id, self.version)
    }
}

impl Document {
    pub fn parse<T: DeserializeOwned>(&self, collection: &Collection) -> Result<T, StoreError> {
        T::deserialize(&self.body).map_err(|error| StoreError::Unreadable {
            collection: collection.name,
            id: self.id.clone(),
            detail: error.to_string(),
        })
    }
}

/// No question answers more documents at once.
pub const MAX_PAGE: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

/// What a field of the documents wanted is like.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Is(Value),
    /// It is not there, or null.
    Missing,
    /// It is there; narrows a question, but leads to nothing by itself.
    Present,
    /// This or more, in the order of texts; as `Below` it narrows a question and leads to nothing by itself.
    AtLeast(String),
    Below(String),
}

impl Condition {
    /// Whether all documents that are so have one and the same in the field.
    pub(super) fn pins(&self) -> bool {
        match self {
            Self::Is(_) | Self::Missing => true,
            Self::Present | Self::AtLeast(_) | Self::Below(_) => false,
        }
    }
}

/// Documents whose indexed fields are all as wanted, in the order of their ids (which are born in order).
#[derive(Debug, Clone)]
pub struct Query {
    /// Each field must have an index; without any, all documents are meant. The first one leads to the documents, what
    /// the others leave out is passed over one by one.
    pub conditions: Vec<(&'static str, Condition)>,
    pub order: Order,
    /// The last id of the page before.
    pub after: Option<String>,
    /// The first id that is meant, and the first that no longer is.
    pub ids: (Option<String>, Option<String>),
    /// Members of the body that are not asked for.
    pub leave_out: &'static [&'static str],
    pub limit: usize,
    /// Nobody's call and no log-in waits for it: it never holds up those that do, and is given up where it takes long.
    pub unhurried: bool,
}

impl Query {
    pub fn all(limit: usize) -> Self {
        Self {
            conditions: Vec::new(),
            order: Order::OldestFirst,
            after: None,
            ids: (None, None),
            leave_out: &[],
            limit,
            unhurried: false,
        }
    }

    pub fn equals(field: &'static str, value: impl Into<Value>, limit: usize) -> Self {
        Self::all(limit).and(field, value)
    }

    pub fn and(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.conditions.push((field, Condition::Is(value.into())));
        self
    }

    /// Only documents without this field.
    pub fn and_missing(mut self, field: &'static str) -> Self {
        self.conditions.push((field, Condition::Missing));
        self
    }

    /// Only documents with this field.
    pub fn and_present(mut self, field: &'static str) -> Self {
        self.conditions.push((field, Condition::Present));
        self
    }

    /// Only documents with this or more in the field, and less than the second: texts that are written so that they sort, as
    /// times are.
    pub fn and_between(mut self, field: &'static str, from: Option<String>, until: Option<String>) -> Self {
        self.conditions.extend(from.map(|from| (field, Condition::AtLeast(from))));
        self.conditions.extend(until.map(|until| (field, Condition::Below(until))));
        self
    }

    /// Only ids from the first on, and before the second.
    pub fn of_ids(self, from: Option<String>, until: Option<String>) -> Self {
        Self { ids: (from, until), ..self }
    }

    /// Documents come without these members, and what is long in them need not be carried.
    pub fn leaving_out(self, members: &'static [&'static str]) -> Self {
        Self { leave_out: members, ..self }
    }

    /// For people who look through what has gathered.
    pub fn unhurried(self) -> Self {
        Self { unhurried: true, ..self }
    }

    pub fn newest_first(self) -> Self {
        Self { order: Order::NewestFirst, ..self }
    }

    pub fn after(self, id: Option<String>) -> Self {
        Self { after: id, ..self }
    }

    /// What the ids of the page must be like, by pages and by what was asked.
    pub(super) fn id_bounds(&self) -> impl Iterator<Item = (Comparison, &str)> {
        let beyond = match self.order {
            Order::OldestFirst => Comparison::Greater,
            Order::NewestFirst => Comparison::Less,
        };
        let (from, until) = &self.ids;
        let bounds = [(beyond, &self.after), (Comparison::GreaterOrSame, from), (Comparison::Less, until)];
        bounds.into_iter().filter_map(|(comparison, id)| Some((comparison, id.as_deref()?)))
    }

    /// Whether all documents wanted have one and the same in this field.
    fn pins(&self, field: &str) -> bool {
        self.conditions.iter().any(|(named, wanted)| *named == field && wanted.pins())
    }

    /// How many documents an answer may hold; every back end keeps to it.
    pub(super) fn page_size(&self) -> usize {
        self.limit.clamp(1, MAX_PAGE)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Greater,
    GreaterOrSame,
    Less,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub documents: Vec<Document>,
    /// Pass it to [`Query::after`] for the next page; `None`: this was the last.
    pub next: Option<String>,
}

/// What is stored of it.
pub(super) fn body_of(value: &impl Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|error| StoreError::Failed(error.to_string()))
}
