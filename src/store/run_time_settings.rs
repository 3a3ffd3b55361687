//! Settings that were changed while engines ran: one document, which every engine of the store looks at.

use super::audit::Entry;
use super::records::{self, Record, Stored};
use super::{Collection, Store, StoreError};
use crate::config::Overrides;

pub static SETTINGS: Collection = Collection { name: "settings", indexes: &[], durable: true };

pub const RUN_TIME_SETTINGS_ID: &str = "run_time";

impl Record for Overrides {
    fn collection() -> &'static Collection {
        &SETTINGS
    }

    fn id(&self) -> &str {
        RUN_TIME_SETTINGS_ID
    }
}

#[derive(Clone)]
pub struct RunTimeSettings {
    store: Store,
}

impl RunTimeSettings {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// `None`: nothing was ever changed.
    pub async fn get(&self) -> Result<Option<Stored<Overrides>>, StoreError> {
        records::get(&self.store, RUN_TIME_SETTINGS_ID).await
    }

    /// Changes of the same instant come one after the other; none is lost.
    pub async fn change(
        &self,
        entry: &Entry,
        decide: impl Fn(&Overrides) -> Overrides,
    ) -> Result<(), StoreError> {
        let change = async || {
            records::change_record(&self.store, entry, RUN_TIME_SETTINGS_ID, None, |old| Some(decide(old)))
                .await
        };
        match change().await {
            Err(StoreError::NotFound { .. }) => {}
            decided => return decided.map(drop),
        }
        match records::insert(&self.store, Some(entry), decide(&Overrides::default())).await {
            // Somebody else has made it meanwhile.
            Err(StoreError::Conflict { .. }) => change().await.map(drop),
            decided => decided.map(drop),
        }
    }
}
