//! One document changed or removed by whoever comes first: read, decide, compare and set, and again if somebody else
//! was faster. And all documents of a small collection.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Collection, Document, MAX_PAGE, Query, Store, StoreError};

/// Who loses the race for one document this often meets a fault, not rivals.
const MAX_ATTEMPTS: usize = 8;

/// `decide` sees the document as it is and gives what is to be laid over it, or `None` to leave it alone. Members that
/// it does not name stay, also those that only other programs know.
pub(super) async fn change(
    store: &Store,
    collection: &'static Collection,
    id: &str,
    mut decide: impl FnMut(&Document) -> Result<Option<Value>, StoreError>,
) -> Result<Document, StoreError> {
    for _ in 0..MAX_ATTEMPTS {
        let missing = || StoreError::NotFound { collection: collection.name, id: id.to_owned() };
        let found = store.get(collection, id).await?.ok_or_else(missing)?;
        let Some(changes) = decide(&found)? else { return Ok(found) };
        let mut body = found.body;
        lay_over(&mut body, &changes);
        match store.compare_and_set(collection, id, found.version, body).await {
            Err(StoreError::Lost { .. }) => {}
            decided => return decided,
        }
    }
    Err(StoreError::Lost { collection: collection.name, id: id.to_owned() })
}

/// Takes the document out, whatever others are doing to it.
pub(super) async fn remove(
    store: &Store,
    collection: &'static Collection,
    id: &str,
) -> Result<(), StoreError> {
    for _ in 0..MAX_ATTEMPTS {
        let missing = || StoreError::NotFound { collection: collection.name, id: id.to_owned() };
        let found = store.get(collection, id).await?.ok_or_else(missing)?;
        match store.delete(collection, id, found.version).await {
            Err(StoreError::Lost { .. }) => {}
            decided => return decided,
        }
    }
    Err(StoreError::Lost { collection: collection.name, id: id.to_owned() })
}

/// Page by page, for collections that stay small. A document that is not as expected must not hide the others.
pub(super) async fn every<T: DeserializeOwned>(
    store: &Store,
    collection: &'static Collection,
    wanted: Option<Query>,
) -> Result<Vec<T>, StoreError> {
    let mut query = wanted.unwrap_or_else(|| Query::all(MAX_PAGE));
    let mut all = Vec::new();
    loop {
        let page = store.find(collection, query.clone()).await?;
        for document in &page.documents {
            match document.parse(collection) {
                Ok(read) => all.push(read),
                Err(error) => tracing::warn!(%error, "passed over"),
            }
        }
        if page.next.is_none() {
            return Ok(all);
        }
        query = query.after(page.next);
    }
}

/// Members replace members, null removes one (RFC 7396).
fn lay_over(target: &mut Value, changes: &Value) {
    let Value::Object(changes) = changes else {
        *target = changes.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            lay_over(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

/// What laid over the one object makes it the other (RFC 7396); members that neither has stay.
pub(super) fn difference(from: &Value, to: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (from, to) else { return to.clone() };
    let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let changed = new.iter().filter(|(name, value)| old.get(*name) != Some(value));
    let changed = changed.map(|(name, value)| {
        let old = old.get(name).unwrap_or(&Value::Null);
        (name.clone(), difference(old, value))
    });
    Value::Object(gone.chain(changed).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_difference_laid_over_the_old_gives_the_new_and_leaves_what_neither_knows() {
        let old = json!({ "name": "a", "rules": { "x": 1, "y": { "z": [1] } }, "gone": true, "same": 1 });
        let new = json!({ "name": "b", "rules": { "y": { "w": 2 } }, "same": 1, "fresh": { "in": null } });
        let mut stored = old.clone();
        stored["foreign"] = json!("kept");
        stored["rules"]["y"]["foreign"] = json!("kept");
        lay_over(&mut stored, &difference(&old, &new));
        let expected = json!({
            "name": "b", "rules": { "y": { "w": 2, "foreign": "kept" } }, "same": 1, "fresh": {}, "foreign": "kept"
        });
        assert_eq!(stored, expected);
        assert_eq!(difference(&old, &old), json!({}));
    }
}
