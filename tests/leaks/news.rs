//! What the engine tells of the calls that run; of a call whose end was read nothing is kept.

use std::collections::HashMap;
use std::sync::Arc;

use clearline::actors::events::{CallEvent, EngineEvent};
use clearline::call::Finish;
use clearline::domain::{CallId, Direction};
use tokio::sync::broadcast;

use crate::watched::Watched;

type Table = HashMap<CallId, Vec<CallEvent>>;

#[derive(Clone, Default)]
pub(crate) struct News(Arc<Watched<Table>>);

impl News {
    pub(crate) async fn gather(self, mut events: broadcast::Receiver<EngineEvent>) {
        while let Ok(event) = events.recv().await {
            if let EngineEvent::Call { call, event } = event {
                self.0.change(|calls| note(calls, call, event));
            }
        }
    }

    pub(crate) async fn event(&self, call: &CallId, what: &str, is_wanted: impl Fn(&CallEvent) -> bool) {
        let find = |calls: &Table| calls.get(call)?.iter().any(&is_wanted).then_some(());
        self.0.until(what, find).await;
    }

    /// Reads a call's end, and forgets it.
    pub(crate) async fn ended(&self, call: &CallId) -> Finish {
        let finish = self.0.until("the call ends", |calls| calls.get(call)?.iter().find_map(finish_of)).await;
        self.0.change(|calls| calls.remove(call));
        finish
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.look(HashMap::len)
    }
}

/// Nobody here asks for the end of a call that came in, or that was refused before it began.
fn note(calls: &mut Table, call: CallId, event: CallEvent) {
    let is_inbound =
        |event: &CallEvent| matches!(event, CallEvent::Started { direction: Direction::Inbound, .. });
    let events = calls.entry(call.clone()).or_default();
    let is_over = finish_of(&event).is_some();
    events.push(event);
    let came_in = events.iter().any(is_inbound);
    if is_over && (came_in || events.len() == 1) {
        calls.remove(&call);
    }
}

fn finish_of(event: &CallEvent) -> Option<Finish> {
    if let CallEvent::Ended { finish, .. } = event { Some(finish.clone()) } else { None }
}
