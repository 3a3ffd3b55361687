//! Whether the engine takes calls, and if not, why: told to load balancers and people.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::store::Store;

/// Shared between the engine, which writes it, and HTTP, which shows it.
#[derive(Clone)]
pub struct Readiness {
    stage: Arc<RwLock<Option<&'static str>>>,
    crm_is_down: Arc<AtomicBool>,
    store: Store,
}

impl Readiness {
    pub fn starting(store: Store) -> Self {
        let stage = Arc::new(RwLock::new(Some("the engine is starting")));
        Self { stage, crm_is_down: Arc::default(), store }
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

    /// What is wrong without keeping calls from being taken.
    pub fn trouble(&self) -> Option<&'static str> {
        let is_down = self.crm_is_down.load(Ordering::Relaxed);
        is_down.then_some("the CRM does not take what it is sent; ended calls wait in the outbox")
    }

    pub fn tell_crm(&self, is_well: bool) {
        self.crm_is_down.store(!is_well, Ordering::Relaxed);
    }

    fn set(&self, reason: Option<&'static str>) {
        *self.stage.write().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}
