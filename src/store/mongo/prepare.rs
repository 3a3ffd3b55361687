//! Makes what a database of this version has; safe to repeat, to interrupt, and to run from two engines at once.

use futures_util::TryStreamExt;
use mongodb::IndexModel;
use mongodb::bson::{Bson, Document as BsonDocument, doc};
use mongodb::error::Error;
use mongodb::options::IndexOptions;

use super::{body, fault, probe, server::Server, unique};
use crate::store::{Collection, Index, MIGRATIONS, OpenError, Opening, migrate};

/// Looks before anything is written.
pub(super) async fn refuse_what_is_newer(server: &Server) -> Result<(), OpenError> {
    let claims = async {
        let found = server.collection(&MIGRATIONS).find(doc! {}).sort(doc! { body::ID: 1 }).await?;
        found.try_collect::<Vec<_>>().await
    };
    let claims = claims.await.map_err(|error| fault::open_error(&server.name, &error))?;
    // What cannot be read is nothing a newer version has written.
    let bodies = claims.into_iter().filter_map(|written| body::from_mongo(&MIGRATIONS, written).ok());
    let bodies: Vec<_> = bodies.map(|document| document.body).collect();
    match migrate::newer_than_known(&bodies) {
        None => Ok(()),
        Some(found) => Err(OpenError::Migrated { store: server.name.clone(), found, known: migrate::LATEST }),
    }
}

/// An index over millions of documents takes its time, but the server answers meanwhile; one that does not is not
/// waited for.
pub(super) async fn collections(
    server: &Server,
    collections: &[&'static Collection],
    opening: Opening,
) -> Result<(), OpenError> {
    let work = async {
        for collection in collections {
            add_indexes(server, collection, opening).await?;
        }
        Ok(())
    };
    tokio::select! {
        done = work => done,
        () = probe::silence(server) => Err(OpenError::Unreachable {
            server: server.name.clone(),
            detail: "it fell silent while indexes were made".into(),
        }),
    }
}

async fn add_indexes(
    server: &Server,
    collection: &'static Collection,
    opening: Opening,
) -> Result<(), OpenError> {
    for index in collection.indexes {
        let mut keys = doc! { index.field: 1 };
        if let Some(then) = index.then {
            keys.insert(then, 1);
        }
        keys.insert(body::ID, 1);
        for field in index.beside.iter().filter(|field| **field != index.field) {
            keys.insert(*field, 1);
        }
        let ordered = IndexModel::builder().keys(keys).build();
        create(server, collection, ordered).await.map_err(|error| fault::open_error(&server.name, &error))?;
    }
    for index in unique::unique(collection) {
        add_keys(server, collection, index).await.map_err(|error| fault::open_error(&server.name, &error))?;
        let options = IndexOptions::builder().unique(true).build();
        let alone = IndexModel::builder().keys(doc! { unique::path(index): 1 }).options(options).build();
        if let Err(error) = create(server, collection, alone).await {
            let refused = refused(server, collection, index, error).await;
            let is_for_twins = matches!(refused, OpenError::NotUnique { .. });
            if opening == Opening::ToWork || !is_for_twins {
                return Err(refused);
            }
        }
    }
    Ok(())
}

async fn create(server: &Server, collection: &Collection, index: IndexModel) -> Result<(), Error> {
    server.collection(collection).create_index(index).await.map(drop)
}

/// Not every server says that it was for a duplicate, and none says in which documents.
async fn refused(server: &Server, collection: &Collection, index: &Index, error: Error) -> OpenError {
    match twins(server, collection, index).await {
        Ok(Some((first, second, value))) => {
            OpenError::NotUnique { collection: collection.name, field: index.field, value, first, second }
        }
        Ok(None) | Err(_) => fault::open_error(&server.name, &error),
    }
}

/// Two documents with one value: neighbours in the order of the field, which has an index.
async fn twins(
    server: &Server,
    collection: &Collection,
    index: &Index,
) -> Result<Option<(String, String, String)>, Error> {
    let documents = server.collection(collection);
    let mut in_order = documents.find(doc! {}).sort(doc! { index.field: 1, body::ID: 1 }).await?;
    let mut last: Option<BsonDocument> = None;
    while let Some(next) = in_order.try_next().await? {
        let same = last.as_ref().filter(|last| {
            let key = unique::key_in(last, index);
            key.is_some() && key == unique::key_in(&next, index)
        });
        if let Some(last) = same {
            let value = unique::value_in(&next, index).unwrap_or_default().to_owned();
            return Ok(Some((body::id_of(last), body::id_of(&next), value)));
        }
        last = Some(next);
    }
    Ok(None)
}

/// Documents that another program wrote, or that are older than the index, get their value for it. A document that
/// changes meanwhile brings its own.
async fn add_keys(server: &Server, collection: &'static Collection, index: &Index) -> Result<(), Error> {
    let documents = server.collection(collection);
    let mut without = documents.find(doc! { unique::path(index): Bson::Null }).await?;
    while let Some(written) = without.try_next().await? {
        let version = written.get(body::VERSION).cloned().unwrap_or(Bson::Null);
        let (Some(id), Some(keys)) = (written.get(body::ID).cloned(), keys_of(collection, written)) else {
            continue;
        };
        let same = doc! { body::ID: id, body::VERSION: version };
        documents.update_one(same, doc! { "$set": { unique::KEYS: keys } }).await?;
    }
    Ok(())
}

/// A document that cannot be read has no field that could be taken.
fn keys_of(collection: &'static Collection, written: BsonDocument) -> Option<BsonDocument> {
    let id = body::id_of(&written);
    let body =
        body::from_mongo(collection, written).map_or(serde_json::Value::Null, |document| document.body);
    unique::keys(collection, &id, &body)
}
