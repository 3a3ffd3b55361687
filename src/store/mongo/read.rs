//! Reads: by id, and by indexes page by page.

use futures_util::TryStreamExt;
use mongodb::bson::{Bson, Document as BsonDocument, doc};
use tokio::time::Instant;

use super::{body, fault, server::Server};
use crate::store::document::Comparison;
use crate::store::interface::answer;
use crate::store::{Collection, Condition, Document, Order, Page, Query, Read, StoreError};

pub(super) async fn handle(server: &Server, read: Read, deadline: Instant) {
    match read {
        Read::Get { collection, id, reply } => {
            answer(reply, server.before(deadline, get(server, collection, &id)).await);
        }
        Read::Find { collection, query, reply } => {
            answer(reply, server.before(deadline, find(server, collection, &query)).await);
        }
    }
}

pub(super) async fn get(
    server: &Server,
    collection: &'static Collection,
    id: &str,
) -> Result<Option<Document>, StoreError> {
    let found = raw(server, collection, id).await?;
    found.map(|written| body::from_mongo(collection, written)).transpose()
}

/// As it lies there, also when it has no form we could read.
pub(super) async fn raw(
    server: &Server,
    collection: &Collection,
    id: &str,
) -> Result<Option<BsonDocument>, StoreError> {
    let found = server.collection(collection).find_one(doc! { body::ID: id }).await;
    found.map_err(|error| fault::failed(server, &error))
}

/// Asks for one document more than the page holds, to know whether another page follows; all in one answer.
async fn find(server: &Server, collection: &'static Collection, query: &Query) -> Result<Page, StoreError> {
    let limit = query.page_size();
    let asked = u32::try_from(limit + 1).unwrap_or(u32::MAX);
    let direction = match query.order {
        Order::OldestFirst => 1,
        Order::NewestFirst => -1,
    };
    let failed = |error| fault::failed(server, &error);
    let documents = server.collection(collection);
    let found = documents.find(filter(query)).sort(doc! { body::ID: direction });
    let found = found.limit(asked.into()).batch_size(asked.saturating_add(1));
    let cursor = match projection(query) {
        Some(projection) => found.projection(projection).await,
        None => found.await,
    };
    let cursor = cursor.map_err(failed)?;
    let written: Vec<BsonDocument> = cursor.try_collect().await.map_err(failed)?;
    let more = written.len() > limit;
    let documents = written.into_iter().take(limit).map(|written| body::from_mongo(collection, written));
    let documents = documents.collect::<Result<Vec<_>, _>>()?;
    let next = documents.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Page { documents, next })
}

fn filter(query: &Query) -> BsonDocument {
    let mut conditions: Vec<Bson> =
        query.conditions.iter().map(|(field, wanted)| condition(field, wanted).into()).collect();
    for (comparison, id) in query.id_bounds() {
        let operator = match comparison {
            Comparison::Greater => "$gt",
            Comparison::GreaterOrSame => "$gte",
            Comparison::Less => "$lt",
        };
        conditions.push(doc! { body::ID: { operator: id } }.into());
    }
    if conditions.is_empty() {
        BsonDocument::new()
    } else {
        doc! { "$and": conditions }
    }
}

/// To a server, a field that is not there is as good as null.
fn condition(field: &str, wanted: &Condition) -> BsonDocument {
    match wanted {
        Condition::Is(value) => doc! { field: { "$eq": body::bson(value) } },
        Condition::Missing => doc! { field: Bson::Null },
        Condition::Present => doc! { field: { "$ne": Bson::Null } },
        Condition::AtLeast(least) => doc! { field: { "$gte": least } },
        Condition::Below(limit) => doc! { field: { "$lt": limit } },
    }
}

fn projection(query: &Query) -> Option<BsonDocument> {
    let left_out = query.leave_out.iter().map(|member| ((*member).to_owned(), Bson::Int32(0)));
    (!query.leave_out.is_empty()).then(|| left_out.collect())
}
