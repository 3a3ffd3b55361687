//! The interface every room above sees, and the contract of a back end below.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::oneshot;

use super::{Collection, Document, Page, Query, StoreError, storable};

/// Carries commands to wherever the documents lie. Must not block: what cannot be queued is answered `Busy`.
pub trait Backend: Send + Sync {
    fn submit(&self, command: Command);

    /// False while the documents are known to be out of reach.
    fn can_be_read(&self) -> bool {
        true
    }

    /// What is known to keep it from its whole work, for the people who run the engine.
    fn trouble(&self) -> Option<&'static str> {
        (!self.can_be_read()).then_some("the store does not answer")
    }
}

pub type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

pub enum Command {
    Read(Read),
    Write(Write),
}

pub enum Read {
    Get { collection: &'static Collection, id: String, reply: Reply<Option<Document>> },
    Find { collection: &'static Collection, query: Query, reply: Reply<Page> },
}

pub enum Write {
    Insert {
        collection: &'static Collection,
        id: String,
        body: Value,
        reply: Reply<Document>,
    },
    CompareAndSet {
        collection: &'static Collection,
        id: String,
        version: u64,
        body: Value,
        reply: Reply<Document>,
    },
    Delete {
        collection: &'static Collection,
        id: String,
        version: u64,
        reply: Reply<()>,
    },
}

impl Read {
    pub(super) fn is_unhurried(&self) -> bool {
        match self {
            Self::Get { .. } => false,
            Self::Find { query, .. } => query.unhurried,
        }
    }

    pub(super) fn fail(self, error: StoreError) {
        match self {
            Self::Get { reply, .. } => answer(reply, Err(error)),
            Self::Find { reply, .. } => answer(reply, Err(error)),
        }
    }
}

impl Write {
    /// What it touches.
    pub(super) fn document(&self) -> (&'static Collection, &str) {
        match self {
            Self::Insert { collection, id, .. }
            | Self::CompareAndSet { collection, id, .. }
            | Self::Delete { collection, id, .. } => (collection, id),
        }
    }

    pub(super) fn fail(self, error: StoreError) {
        match self {
            Self::Insert { reply, .. } | Self::CompareAndSet { reply, .. } => answer(reply, Err(error)),
            Self::Delete { reply, .. } => answer(reply, Err(error)),
        }
    }
}

/// Who asked may have gone away: what was done stands all the same.
pub(super) fn answer<T>(reply: Reply<T>, result: Result<T, StoreError>) {
    drop(reply.send(result));
}

/// A handle to the documents; clones share one back end.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
}

impl Store {
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self { backend: Arc::new(backend) }
    }

    /// `Conflict` names the field that is taken; a taken id is the field `id`.
    pub async fn insert(
        &self,
        collection: &'static Collection,
        id: &str,
        body: Value,
    ) -> Result<Document, StoreError> {
        storable::check_body(collection, id, &body)?;
        let id = id.to_owned();
        self.ask(|reply| Command::Write(Write::Insert { collection, id, body, reply })).await
    }

    pub async fn get(
        &self,
        collection: &'static Collection,
        id: &str,
    ) -> Result<Option<Document>, StoreError> {
        let id = id.to_owned();
        self.ask(|reply| Command::Read(Read::Get { collection, id, reply })).await
    }

    /// Replaces the body if nobody has since `version`; else `Lost`.
    pub async fn compare_and_set(
        &self,
        collection: &'static Collection,
        id: &str,
        version: u64,
        body: Value,
    ) -> Result<Document, StoreError> {
        storable::check_body(collection, id, &body)?;
        let id = id.to_owned();
        self.ask(|reply| Command::Write(Write::CompareAndSet { collection, id, version, body, reply })).await
    }

    /// Takes the document out if nobody has changed it since `version`; else `Lost`.
    pub async fn delete(
        &self,
        collection: &'static Collection,
        id: &str,
        version: u64,
    ) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.ask(|reply| Command::Write(Write::Delete { collection, id, version, reply })).await
    }

    pub async fn find(&self, collection: &'static Collection, query: Query) -> Result<Page, StoreError> {
        storable::check_query(collection, &query)?;
        self.ask(|reply| Command::Read(Read::Find { collection, query, reply })).await
    }

    /// Whether the documents can be reached, as far as that is known.
    pub fn can_be_read(&self) -> bool {
        self.backend.can_be_read()
    }

    /// What keeps it from its whole work; `None` while all is well, as far as that is known.
    pub fn trouble(&self) -> Option<&'static str> {
        self.backend.trouble()
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.backend.submit(command(reply));
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}
