//! Documents from JSON to BSON and back, so that what comes back is what went in.

use mongodb::bson::{Bson, DateTime, Document as BsonDocument};
use serde_json::{Map, Number, Value};

use super::{names, unique};
use crate::domain::Timestamp;
use crate::store::{Collection, Document, StoreError};

pub(super) const ID: &str = "_id";
pub(super) const VERSION: &str = "version";
const CREATED_AT: &str = "created_at";
const UPDATED_AT: &str = "updated_at";

/// What stands beside the body.
pub(super) struct Frame {
    pub(super) version: u64,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

pub(super) fn to_mongo(collection: &Collection, document: &Document) -> BsonDocument {
    let mut written = BsonDocument::new();
    written.insert(ID, &document.id);
    written.insert(VERSION, document.version.cast_signed());
    written.insert(CREATED_AT, date(document.created_at));
    written.insert(UPDATED_AT, date(document.updated_at));
    if let Some(keys) = unique::keys(collection, &document.id, &document.body) {
        written.insert(unique::KEYS, keys);
    }
    for (name, value) in document.body.as_object().into_iter().flatten() {
        written.insert(names::to_mongo(name), bson(value));
    }
    written
}

pub(super) fn from_mongo(
    collection: &'static Collection,
    mut written: BsonDocument,
) -> Result<Document, StoreError> {
    let id = id_of(&written);
    let Frame { version, created_at, updated_at } = frame_of(&written);
    for name in [ID, VERSION, CREATED_AT, UPDATED_AT, unique::KEYS] {
        written.remove(name);
    }
    let unreadable = |detail| StoreError::Unreadable { collection: collection.name, id: id.clone(), detail };
    let body = members(written).map_err(unreadable)?;
    Ok(Document { id, version, created_at, updated_at, body })
}

/// A document that another program wrote has no version: it counts as 0, and as ours from our first change on.
pub(super) fn frame_of(written: &BsonDocument) -> Frame {
    let time = |name| written.get_datetime(name).map_or(0, |date| date.timestamp_millis());
    let moment = |name| Timestamp::from_millis(u64::try_from(time(name)).unwrap_or(0));
    let version = match written.get(VERSION) {
        Some(Bson::Int64(version)) => u64::try_from(*version).unwrap_or(0),
        Some(Bson::Int32(version)) => u64::try_from(*version).unwrap_or(0),
        Some(_) | None => 0,
    };
    Frame { version, created_at: moment(CREATED_AT), updated_at: moment(UPDATED_AT) }
}

/// What finds the document as long as it is of this version.
pub(super) fn version_filter(version: u64) -> Bson {
    if version == 0 { Bson::Null } else { Bson::Int64(version.cast_signed()) }
}

pub(super) fn id_of(written: &BsonDocument) -> String {
    match written.get(ID) {
        Some(Bson::String(id)) => id.clone(),
        Some(Bson::ObjectId(id)) => id.to_hex(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn date(moment: Timestamp) -> DateTime {
    DateTime::from_millis(moment.as_millis().cast_signed())
}

pub(super) fn bson(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(flag) => Bson::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Bson::Int64(whole),
            None => Bson::Double(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Bson::String(text.clone()),
        Value::Array(items) => Bson::Array(items.iter().map(bson).collect()),
        Value::Object(members) => Bson::Document(
            members.iter().map(|(name, value)| (names::to_mongo(name).into_owned(), bson(value))).collect(),
        ),
    }
}

fn members(written: BsonDocument) -> Result<Value, String> {
    let read = |(name, value): (String, Bson)| {
        json(value).map(|value| (names::from_mongo(&name).into_owned(), value))
    };
    written.into_iter().map(read).collect::<Result<Map<_, _>, String>>().map(Value::Object)
}

/// What other programs write and JSON has no form for is told by its type, never guessed.
fn json(value: Bson) -> Result<Value, String> {
    Ok(match value {
        Bson::Null | Bson::Undefined => Value::Null,
        Bson::Boolean(flag) => flag.into(),
        Bson::Int32(whole) => whole.into(),
        Bson::Int64(whole) => whole.into(),
        Bson::Double(number) => Number::from_f64(number).ok_or("a number is infinite or none")?.into(),
        Bson::String(text) => text.into(),
        Bson::ObjectId(id) => id.to_hex().into(),
        Bson::DateTime(date) => rfc3339(date).ok_or("a date lies before 1970")?.into(),
        Bson::Array(items) => Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Bson::Document(written) => members(written)?,
        other @ (Bson::RegularExpression(_)
        | Bson::JavaScriptCode(_)
        | Bson::JavaScriptCodeWithScope(_)
        | Bson::Timestamp(_)
        | Bson::Binary(_)
        | Bson::Symbol(_)
        | Bson::Decimal128(_)
        | Bson::MaxKey
        | Bson::MinKey
        | Bson::DbPointer(_)) => {
            return Err(format!("a value of type {:?} has no form in JSON", other.element_type()));
        }
    })
}

fn rfc3339(date: DateTime) -> Option<String> {
    u64::try_from(date.timestamp_millis()).ok().map(|millis| Timestamp::from_millis(millis).to_string())
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{doc, oid::ObjectId};

    use super::*;
    use crate::store::USERS;

    #[test]
    fn fields_that_older_systems_read_lie_beside_the_id() {
        let body = serde_json::json!({ "name": "ada", "google_api_key": "AIza-1", "tenant_id": null });
        let time = Timestamp::from_millis(1_000);
        let document = Document { id: "u1".into(), version: 3, created_at: time, updated_at: time, body };
        let written = to_mongo(&USERS, &document);
        assert_eq!(written.get_str("google_api_key").unwrap(), "AIza-1");
        assert_eq!((written.get_str("_id").unwrap(), written.get_i64("version").unwrap()), ("u1", 3));
        assert_eq!(from_mongo(&USERS, written), Ok(document));
    }

    #[test]
    fn a_document_of_another_program_is_read_with_its_dates_and_ids_as_texts() {
        let id = ObjectId::parse_str("65a0c0ffee65a0c0ffee65a0").unwrap();
        let written = doc! { "_id": "u1", "client": id, "since": DateTime::from_millis(0), "age": 7_i32 };
        let read = from_mongo(&USERS, written).unwrap();
        let expected = serde_json::json!({
            "client": "65a0c0ffee65a0c0ffee65a0", "since": "1970-01-01T00:00:00.000Z", "age": 7
        });
        assert_eq!((read.version, read.body), (0, expected));
    }

    #[test]
    fn a_value_that_json_cannot_hold_is_named_with_its_document() {
        let error = from_mongo(&USERS, doc! { "_id": "u1", "photo": Bson::MaxKey }).unwrap_err().to_string();
        assert!(error.contains("users u1") && error.contains("MaxKey"), "{error}");
    }
}
