//! Unique fields on servers whose unique indexes know no exceptions.
//!
//! A unique index counts every document, also those without the field, and partial indexes are not to be had
//! everywhere. So the index stands on a value of our own beside the body, one for each unique field: `=` and the
//! field's text, or, where there is none, `-` and the document's id, which nobody else has. It is written with the
//! document in one step: field and claim cannot come apart.

use mongodb::bson::{Document as BsonDocument, doc};
use serde_json::Value;

use super::body;
use crate::store::{Collection, Index, storable};

pub(super) const KEYS: &str = "unique_keys";

/// `None`: the collection has no unique field.
pub(super) fn keys(collection: &Collection, id: &str, body: &Value) -> Option<BsonDocument> {
    let keys: BsonDocument =
        unique(collection).map(|index| (name_of(index), key(index, id, body).into())).collect();
    (!keys.is_empty()).then_some(keys)
}

/// For each unique field the question whether another document than `id` has its value already.
pub(super) fn rivals(collection: &Collection, id: &str, body: &Value) -> Vec<(&'static str, BsonDocument)> {
    let held = |index| doc! { path(index): key(index, id, body), body::ID: { "$ne": id } };
    unique(collection).map(|index| (index.field, held(index))).collect()
}

pub(super) fn unique(collection: &Collection) -> impl Iterator<Item = &'static Index> {
    collection.indexes.iter().filter(|index| index.unique)
}

/// Where a field's value for the unique index lies.
pub(super) fn path(index: &Index) -> String {
    format!("{KEYS}.{}", name_of(index))
}

/// What the server's unique index sees of a document.
pub(super) fn key_in<'a>(written: &'a BsonDocument, index: &Index) -> Option<&'a str> {
    written.get_document(KEYS).ok()?.get_str(name_of(index)).ok()
}

/// The field's text, as its value for the index tells it.
pub(super) fn value_in<'a>(written: &'a BsonDocument, index: &Index) -> Option<&'a str> {
    key_in(written, index)?.strip_prefix('=')
}

fn key(index: &Index, id: &str, body: &Value) -> String {
    match storable::indexed_value(index.field, body).and_then(Value::as_str) {
        Some(text) => format!("={text}"),
        None => format!("-{id}"),
    }
}

fn name_of(index: &Index) -> String {
    index.field.replace('.', "__")
}
