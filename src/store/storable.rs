//! What every back end can hold and look for, so that what one of them refuses is refused by all.

use serde_json::{Map, Number, Value};

use super::{Collection, Condition, Index, Query, StoreError};

/// Members the store keeps itself, beside those of the body where a back end lays them side by side.
const RESERVED: [&str; 5] = ["_id", "version", "created_at", "updated_at", "unique_keys"];
/// MongoDB ends at a hundred levels, the parser of the embedded store at 128.
const MAX_DEPTH: usize = 80;

/// Refuses a body that some back end would have to change.
pub(super) fn check_body(collection: &Collection, id: &str, body: &Value) -> Result<(), StoreError> {
    let fault = fault_in_members(body)
        .or_else(|| fault_in_values(body, MAX_DEPTH))
        .or_else(|| collection.indexes.iter().find_map(|index| fault_in_index(index, body)));
    match fault {
        None => Ok(()),
        Some(detail) => {
            Err(StoreError::Unstorable { collection: collection.name, id: id.to_owned(), detail })
        }
    }
}

/// What keeps these from being stored as one member of a body. Whoever takes them from somebody asks before it acts on
/// them: a record with them in it would never arrive.
pub fn fault_in_nested(members: &Map<String, Value>) -> Option<String> {
    members.values().find_map(|value| fault_in_values(value, MAX_DEPTH - 2))
}

/// Refuses a question no index could answer.
pub(super) fn check_query(collection: &Collection, query: &Query) -> Result<(), StoreError> {
    for (at, (field, wanted)) in query.conditions.iter().enumerate() {
        let can_be_answered = if at == 0 { leads(collection, query) } else { collection.has_index(field) };
        if !can_be_answered {
            return Err(StoreError::NotIndexed { collection: collection.name, field });
        }
        if matches!(wanted, Condition::Is(value) if value.is_null() || !is_scalar(value)) {
            return Err(StoreError::NotComparable { collection: collection.name, field });
        }
    }
    Ok(())
}

/// An index begins with the first field, and what is asked of it narrows.
fn leads(collection: &Collection, query: &Query) -> bool {
    let narrows = query.conditions.first().is_some_and(|(_, wanted)| wanted.pins());
    narrows && collection.index_for(query).is_some()
}

fn fault_in_members(body: &Value) -> Option<String> {
    let Some(members) = body.as_object() else {
        return Some("it is not an object with named members".into());
    };
    let taken = RESERVED.iter().find(|name| members.contains_key(**name))?;
    Some(format!("its member {taken} is the store's own; choose another name"))
}

fn fault_in_values(value: &Value, levels: usize) -> Option<String> {
    match value {
        Value::Object(_) | Value::Array(_) if levels == 0 => {
            Some(format!("it is nested deeper than {MAX_DEPTH} levels"))
        }
        Value::Object(members) => members.values().find_map(|value| fault_in_values(value, levels - 1)),
        Value::Array(items) => items.iter().find_map(|value| fault_in_values(value, levels - 1)),
        Value::Number(number) => fault_in_number(number),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

fn fault_in_number(number: &Number) -> Option<String> {
    let too_large = number.is_u64() && !number.is_i64();
    too_large
        .then(|| format!("{number} is beyond {}, the largest whole number; write it as a text", i64::MAX))
}

fn fault_in_index(index: &Index, body: &Value) -> Option<String> {
    let fields = [Some(index.field), index.then];
    fields.into_iter().flatten().find_map(|field| fault_in_field(field, index.unique, body))
}

fn fault_in_field(field: &str, unique: bool, body: &Value) -> Option<String> {
    let value = indexed_value(field, body).unwrap_or(&Value::Null);
    if !is_scalar(value) {
        return Some(format!("{field} has an index and can be no list or object"));
    }
    let unusable = unique && !value.is_null() && !value.is_string();
    unusable.then(|| format!("{field} is unique and must be a text"))
}

/// The value an index sees; a list on the way to it counts as the value, because back ends disagree about what it
/// would mean.
pub(super) fn indexed_value<'a>(field: &str, body: &'a Value) -> Option<&'a Value> {
    let mut value = body;
    for name in field.split('.') {
        if value.is_array() {
            return Some(value);
        }
        value = value.get(name)?;
    }
    Some(value)
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}
