//! Calls whose recording cannot be written just now: the disk is full, or fails, or is too slow.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::CallId;

/// Something of this call's recording is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interruption {
    pub call: CallId,
    /// It is over: what comes now is recorded again.
    pub is_over: bool,
}

#[derive(Clone, Default)]
pub(super) struct Interruptions(Arc<(Mutex<State>, Notify)>);

#[derive(Default)]
struct State {
    lasting: HashSet<CallId>,
    /// Not told yet, and whether they are over.
    untold: HashMap<CallId, bool>,
}

impl Interruptions {
    pub(super) fn lost(&self, call: &CallId) {
        let is_new = {
            let mut state = self.state();
            let is_new = state.lasting.insert(call.clone());
            if is_new {
                state.untold.insert(call.clone(), false);
            }
            is_new
        };
        if is_new {
            self.0.1.notify_one();
        }
    }

    pub(super) fn written(&self, call: &CallId) {
        let was_lasting = {
            let mut state = self.state();
            let was_lasting = state.lasting.remove(call);
            if was_lasting {
                state.untold.insert(call.clone(), true);
            }
            was_lasting
        };
        if was_lasting {
            self.0.1.notify_one();
        }
    }

    /// Nothing more of the call will come.
    pub(super) fn ended(&self, call: &CallId) {
        self.state().lasting.remove(call);
    }

    pub(super) fn has(&self, call: &CallId) -> bool {
        self.state().lasting.contains(call)
    }

    pub(super) fn untold(&self) -> Vec<Interruption> {
        let untold = std::mem::take(&mut self.state().untold);
        untold.into_iter().map(|(call, is_over)| Interruption { call, is_over }).collect()
    }

    /// Until there may be something to tell.
    pub(super) async fn news(&self) {
        self.0.1.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
