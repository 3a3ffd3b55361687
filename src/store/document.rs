//! Documents, the collections they lie in, and questions about them.

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
}

impl Collection {
    pub(super) fn has_index(&self, field: &str) -> bool {
        self.indexes.iter().any(|index| index.field == field)
    }
}

impl Index {
    pub const fn plain(field: &'static str) -> Self {
        Self { field, unique: false }
    }

    pub const fn unique(field: &'static str) -> Self {
        Self { field, unique: true }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub id: String,
    /// Grows by one with every change; what [`super::Store::compare_and_set`] compares.
    pub version: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub body: Value,
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

/// Documents whose indexed fields all have the values wanted, in the order of their ids (which are born in order).
#[derive(Debug, Clone)]
pub struct Query {
    /// Each field must have an index; without any, all documents are meant.
    pub equals: Vec<(&'static str, Value)>,
    pub order: Order,
    /// The last id of the page before.
    pub after: Option<String>,
    pub limit: usize,
}

impl Query {
    pub fn all(limit: usize) -> Self {
        Self { equals: Vec::new(), order: Order::OldestFirst, after: None, limit }
    }

    pub fn equals(field: &'static str, value: impl Into<Value>, limit: usize) -> Self {
        Self::all(limit).and(field, value)
    }

    pub fn and(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.equals.push((field, value.into()));
        self
    }

    pub fn newest_first(self) -> Self {
        Self { order: Order::NewestFirst, ..self }
    }

    pub fn after(self, id: Option<String>) -> Self {
        Self { after: id, ..self }
    }

    /// How many documents an answer may hold; every back end keeps to it.
    pub(super) fn page_size(&self) -> usize {
        self.limit.clamp(1, MAX_PAGE)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub documents: Vec<Document>,
    /// Pass it to [`Query::after`] for the next page; `None`: this was the last.
    pub next: Option<String>,
}
