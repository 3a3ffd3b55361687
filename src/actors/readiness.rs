//! Whether the engine takes calls, and if not, why: told to load balancers and people.

use std::sync::{Arc, PoisonError, RwLock};

/// Shared between the engine, which writes it, and HTTP, which shows it.
#[derive(Clone, Default)]
pub struct Readiness(Arc<RwLock<Option<&'static str>>>);

impl Readiness {
    pub fn starting() -> Self {
        Self(Arc::new(RwLock::new(Some("the engine is starting"))))
    }

    pub fn set_ready(&self) {
        self.set(None);
    }

    pub fn set_stopping(&self) {
        self.set(Some("the engine is stopping and takes no new calls"));
    }

    /// `None` when calls are taken.
    pub fn reason_against(&self) -> Option<&'static str> {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, reason: Option<&'static str>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}
