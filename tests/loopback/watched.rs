//! State that many write and a test waits for.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clearline::clock;
use tokio::sync::Notify;

/// Far longer than anything here takes on a busy machine.
pub(crate) const SAFETY_LIMIT: Duration = Duration::from_secs(45);

#[derive(Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Notify::new() }
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.value.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
        result
    }

    pub(crate) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.value.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `find` finds something. `what` is what a failure says never happened.
    pub(crate) async fn until<R>(&self, what: &str, find: impl Fn(&T) -> Option<R>) -> R {
        within(what, async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = self.look(&find) {
                    return found;
                }
                changed.await;
            }
        })
        .await
    }
}

/// What does not come within the safety limit never comes.
#[track_caller]
pub(crate) fn within<T>(what: &str, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(clock::timer_for(SAFETY_LIMIT), future).await {
            Ok(value) => value,
            Err(_) => panic!("{place}: never happened within {SAFETY_LIMIT:?}: {what}"),
        }
    }
}
