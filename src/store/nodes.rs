//! The engines that share this store, each with its sign of life (SPEC S6). Who is dead, `keys::NodeWatch` says.

use super::change::every;
use super::document::body_of;
use super::{Collection, Store, StoreError};
use crate::domain::StartId;
use crate::keys::NodeSign;

/// Not durable: a sign of life that a power failure takes away was nobody's any more.
pub static NODES: Collection = Collection { name: "nodes", indexes: &[], durable: false };

#[derive(Clone)]
pub struct Nodes {
    store: Store,
}

/// A beat that has been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beaten {
    pub version: u64,
    /// Another run that has written under our name meanwhile.
    pub rival: Option<StartId>,
}

impl Nodes {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// `known` is the version that the last beat of this run gave; `None`: this is its first.
    pub async fn beat(&self, sign: &NodeSign, known: Option<u64>) -> Result<Beaten, StoreError> {
        let (id, body) = (sign.node.as_str(), body_of(sign)?);
        let written = match known {
            Some(version) => self.store.compare_and_set(&NODES, id, version, body.clone()).await,
            None => self.store.insert(&NODES, id, body.clone()).await,
        };
        match written {
            Ok(document) => Ok(Beaten { version: document.version, rival: None }),
            Err(StoreError::Conflict { .. } | StoreError::Lost { .. }) => {
                let rival = self.take_over(sign).await?;
                Ok(Beaten { rival: rival.rival.filter(|_| known.is_some()), ..rival })
            }
            // Taken away by somebody who took us for dead.
            Err(StoreError::NotFound { .. }) => {
                let document = self.store.insert(&NODES, id, body).await?;
                Ok(Beaten { version: document.version, rival: None })
            }
            Err(error) => Err(error),
        }
    }

    pub async fn all(&self) -> Result<Vec<NodeSign>, StoreError> {
        every(&self.store, &NODES, None).await
    }

    /// Takes the sign away, unless it has changed since.
    pub async fn remove(&self, sign: &NodeSign) -> Result<(), StoreError> {
        let Some(found) = self.store.get(&NODES, sign.node.as_str()).await? else { return Ok(()) };
        if found.parse::<NodeSign>(&NODES)? != *sign {
            return Ok(());
        }
        match self.store.delete(&NODES, &found.id, found.version).await {
            Err(StoreError::NotFound { .. } | StoreError::Lost { .. }) => Ok(()),
            decided => decided,
        }
    }

    async fn take_over(&self, sign: &NodeSign) -> Result<Beaten, StoreError> {
        let id = sign.node.as_str();
        let gone = || StoreError::NotFound { collection: NODES.name, id: id.to_owned() };
        let found = self.store.get(&NODES, id).await?.ok_or_else(gone)?;
        let before: NodeSign = found.parse(&NODES)?;
        let written = self.store.compare_and_set(&NODES, id, found.version, body_of(sign)?).await?;
        let rival = (before.start != sign.start).then_some(before.start);
        Ok(Beaten { version: written.version, rival })
    }
}
