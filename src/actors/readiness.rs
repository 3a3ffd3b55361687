//! Whether the engine takes calls, and if not, why: told to load balancers and people.

use std::sync::{Arc, PoisonError, RwLock};

use crate::store::Store;

/// Shared between the engine, which writes it, and HTTP, which shows it.
#[derive(Clone)]
pub struct Readiness {
    stage: Arc<RwLock<Option<&'static str>>>,
    store: Store,
}

impl Readiness {
    pub fn starting(store: Store) -> Self {
        Self { stage: Arc::new(RwLock::new(Some("the engine is starting"))), store }
    }

    pub fn set_ready(&self) {
        self.set(None);
    }

    pub fn set_stopping(&self) {
        self.set(Some("the engine is stopping and takes no new calls"));
    }

    /// `None` when calls are taken.
    pub fn reason_against(&self) -> Option<&'static str> {
        let stage = *self.stage.read().unwrap_or_else(PoisonError::into_inner);
        stage.or_else(|| self.store.trouble())
    }

    fn set(&self, reason: Option<&'static str>) {
        *self.stage.write().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}
