//! Writes: each document in one step of the server that is guarded by its id or version.

use mongodb::bson::{Document as BsonDocument, doc};
use mongodb::error::Error;
use serde_json::Value;
use tokio::time::Instant;

use super::{body, fault, read, server::Server, unique};
use crate::store::interface::answer;
use crate::store::{Collection, Document, Put, StoreError, Write};

/// Whoever holds a unique value may let go of it just before we look who it was; then we try again.
const MAX_ATTEMPTS: usize = 4;

pub(super) async fn handle(server: &Server, write: Write, deadline: Instant) {
    match write {
        Write::Put { put: one, reply } => {
            answer(reply, server.before(deadline, put(server, one)).await);
        }
        Write::PutInOrder { puts, reply } => {
            answer(reply, server.before(deadline, put_in_order(server, puts)).await);
        }
        Write::Delete { collection, id, version, reply } => {
            answer(reply, server.before(deadline, delete(server, collection, &id, version)).await);
        }
    }
}

async fn put_in_order(
    server: &Server,
    puts: Vec<Put>,
) -> Result<Vec<Result<Document, StoreError>>, StoreError> {
    let mut written = Vec::with_capacity(puts.len());
    for one in puts {
        written.push(put(server, one).await);
        if written.last().is_some_and(Result::is_err) {
            break;
        }
    }
    Ok(written)
}

async fn put(server: &Server, put: Put) -> Result<Document, StoreError> {
    let Put { collection, id, replaced, body } = put;
    match replaced {
        None => insert(server, collection, id, body).await,
        Some(version) => compare_and_set(server, collection, id, version, body).await,
    }
}

async fn insert(
    server: &Server,
    collection: &'static Collection,
    id: String,
    body: Value,
) -> Result<Document, StoreError> {
    let now = (server.now)();
    let document = Document { id, version: 1, created_at: now, updated_at: now, body };
    let written = body::to_mongo(collection, &document);
    for _ in 0..MAX_ATTEMPTS {
        match server.collection(collection).insert_one(&written).await {
            Ok(_) => return Ok(document),
            Err(error) => explain(server, collection, &document, &error).await?,
        }
    }
    Err(StoreError::Busy)
}

/// Reads first: creation time and the way to tell why not are the stored document's. Between reading and replacing the
/// version guards.
async fn compare_and_set(
    server: &Server,
    collection: &'static Collection,
    id: String,
    version: u64,
    body: Value,
) -> Result<Document, StoreError> {
    let Some(stored) = read::raw(server, collection, &id).await? else {
        return Err(StoreError::NotFound { collection: collection.name, id });
    };
    let frame = body::frame_of(&stored);
    if frame.version != version {
        return Err(StoreError::Lost { collection: collection.name, id });
    }
    let updated_at = (server.now)().max(frame.updated_at);
    let document = Document { id, version: version + 1, created_at: frame.created_at, updated_at, body };
    replace(server, collection, document, version).await
}

async fn replace(
    server: &Server,
    collection: &'static Collection,
    document: Document,
    version: u64,
) -> Result<Document, StoreError> {
    let written = body::to_mongo(collection, &document);
    for _ in 0..MAX_ATTEMPTS {
        match server.collection(collection).replace_one(this(&document.id, version), &written).await {
            Ok(done) if done.matched_count == 0 => {
                return Err(why_not(server, collection, &document.id).await);
            }
            Ok(_) => return Ok(document),
            Err(error) => explain_replacement(server, collection, &document, &error).await?,
        }
    }
    Err(StoreError::Busy)
}

async fn delete(
    server: &Server,
    collection: &'static Collection,
    id: &str,
    version: u64,
) -> Result<(), StoreError> {
    let done = server.collection(collection).delete_one(this(id, version)).await;
    match done.map_err(|error| fault::failed(server, &error))?.deleted_count {
        0 => Err(why_not(server, collection, id).await),
        _ => Ok(()),
    }
}

fn this(id: &str, version: u64) -> BsonDocument {
    doc! { body::ID: id, body::VERSION: body::version_filter(version) }
}

async fn why_not(server: &Server, collection: &'static Collection, id: &str) -> StoreError {
    match read::raw(server, collection, id).await {
        Ok(Some(_)) => StoreError::Lost { collection: collection.name, id: id.to_owned() },
        Ok(None) => StoreError::NotFound { collection: collection.name, id: id.to_owned() },
        Err(error) => error,
    }
}

/// `Ok`: it was a duplicate, and is none any more.
async fn explain(
    server: &Server,
    collection: &'static Collection,
    document: &Document,
    error: &Error,
) -> Result<(), StoreError> {
    let same_id = fault::is_refusal(error) && read::raw(server, collection, &document.id).await?.is_some();
    if same_id {
        return Err(StoreError::Conflict { collection: collection.name, field: "id" });
    }
    explain_replacement(server, collection, document, error).await
}

/// Servers name the index that refused in different ways, or not at all, and not all call a duplicate one: so we look
/// who has the value.
async fn explain_replacement(
    server: &Server,
    collection: &'static Collection,
    document: &Document,
    error: &Error,
) -> Result<(), StoreError> {
    let failed = |error: &Error| fault::failed(server, error);
    if !fault::is_refusal(error) {
        return Err(failed(error));
    }
    for (field, held_by_another) in unique::rivals(collection, &document.id, &document.body) {
        let rival = server.collection(collection).find_one(held_by_another).await;
        if rival.map_err(|error| failed(&error))?.is_some() {
            return Err(StoreError::Conflict { collection: collection.name, field });
        }
    }
    if fault::is_duplicate(error) { Ok(()) } else { Err(failed(error)) }
}
