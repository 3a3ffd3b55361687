//! Whether the engine takes calls, and if not, why: told to load balancers and people.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::store::Store;

/// What somebody should look after while calls are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    RecordingDisk,
    Crm,
    Subscribers,
}

/// Shared between the engine, which writes it, and HTTP, which shows it.
#[derive(Clone)]
pub struct Readiness {
    stage: Arc<RwLock<Option<&'static str>>>,
    warnings: Arc<RwLock<BTreeMap<Warning, &'static str>>>,
    store: Store,
}

impl Readiness {
    pub fn starting(store: Store) -> Self {
        Self { stage: Arc::new(RwLock::new(Some("the engine is starting"))), warnings: Arc::default(), store }
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

    /// `None`: it is over.
    pub fn set_warning(&self, what: Warning, text: Option<&'static str>) {
        let mut warnings = self.warnings.write().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => drop(warnings.insert(what, text)),
            None => drop(warnings.remove(&what)),
        }
    }

    pub fn warnings(&self) -> Vec<&'static str> {
        self.warnings.read().unwrap_or_else(PoisonError::into_inner).values().copied().collect()
    }

    fn set(&self, reason: Option<&'static str>) {
        *self.stage.write().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}
