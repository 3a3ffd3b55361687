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
    Put { put: Put, reply: Reply<Document> },
    PutInOrder { puts: Vec<Put>, reply: Reply<Vec<Result<Document, StoreError>>> },
    Delete { collection: &'static Collection, id: String, version: u64, reply: Reply<()> },
}

/// A document as it is to be.
pub struct Put {
    pub collection: &'static Collection,
    pub id: String,
    /// Which it takes the place of; `None`: it must be new.
    pub replaced: Option<u64>,
    pub body: Value,
}

impl Put {
    pub fn new(collection: &'static Collection, id: &str, body: Value) -> Self {
        Self { collection, id: id.to_owned(), replaced: None, body }
    }

    pub fn over(collection: &'static Collection, id: &str, version: u64, body: Value) -> Self {
        Self { collection, id: id.to_owned(), replaced: Some(version), body }
    }

    fn check(&self) -> Result<(), StoreError> {
        storable::check_body(self.collection, &self.id, &self.body)
    }
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
    pub(super) fn fail(self, error: StoreError) {
        match self {
            Self::Put { reply, .. } => answer(reply, Err(error)),
            Self::PutInOrder { reply, .. } => answer(reply, Err(error)),
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
        self.put(Put::new(collection, id, body)).await
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
        self.put(Put::over(collection, id, version, body)).await
    }

    async fn put(&self, put: Put) -> Result<Document, StoreError> {
        put.check()?;
        self.ask(|reply| Command::Write(Write::Put { put, reply })).await
    }

    /// One after the other, and each only if all before it were taken: the answer ends with the first that was not.
    /// Where the back end can, they share a commit, which is as durable as the last of them wants to be. With an error as a
    /// whole, some may have been taken.
    pub async fn put_in_order(
        &self,
        puts: Vec<Put>,
    ) -> Result<Vec<Result<Document, StoreError>>, StoreError> {
        puts.iter().try_for_each(Put::check)?;
        self.ask(|reply| Command::Write(Write::PutInOrder { puts, reply })).await
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
