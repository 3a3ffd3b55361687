//! What the engine tells of the calls that run; of a call whose end was read nothing is kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use clearline::actors::events::{CallEvent, EngineEvent};
use clearline::call::Finish;
use clearline::domain::{CallId, Direction, Outcome};
use tokio::sync::broadcast;

use crate::watched::Watched;

#[derive(Default)]
struct Told {
    calls: HashMap<CallId, Vec<CallEvent>>,
    /// How the calls ended that began, as `inbound completed`.
    endings: BTreeMap<String, usize>,
}

#[derive(Clone, Default)]
pub(crate) struct News(Arc<Watched<Told>>);

impl News {
    pub(crate) async fn gather(self, mut events: broadcast::Receiver<EngineEvent>) {
        while let Ok(event) = events.recv().await {
            if let EngineEvent::Call { call, event, .. } = event {
                self.0.change(|told| note(told, call, event));
            }
        }
    }

    pub(crate) async fn event(&self, call: &CallId, what: &str, is_wanted: impl Fn(&CallEvent) -> bool) {
        let find = |told: &Told| told.calls.get(call)?.iter().any(&is_wanted).then_some(());
        self.0.until(what, find).await;
    }

    /// Reads a call's end, and forgets it.
    pub(crate) async fn ended(&self, call: &CallId) -> Finish {
        let end = |told: &Told| told.calls.get(call)?.iter().find_map(finish_of);
        let finish = self.0.until("the call ends", end).await;
        self.0.change(|told| told.calls.remove(call));
        finish
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.look(|told| told.calls.len())
    }

    /// Of all calls since this was asked last.
    pub(crate) fn endings(&self) -> BTreeMap<String, usize> {
        self.0.change(|told| std::mem::take(&mut told.endings))
    }
}

pub(crate) fn ending(direction: Direction, outcome: Outcome) -> String {
    format!("{} {outcome}", direction.as_str())
}

/// Nobody here asks for the end of a call that came in, or that was refused before it began.
fn note(told: &mut Told, call: CallId, event: CallEvent) {
    let events = told.calls.entry(call.clone()).or_default();
    let finish = finish_of(&event);
    events.push(event);
    let Some(finish) = finish else { return };
    let direction = events.iter().find_map(direction_of);
    if let Some(direction) = direction {
        *told.endings.entry(ending(direction, finish.outcome)).or_default() += 1;
    }
    if direction != Some(Direction::Outbound) {
        told.calls.remove(&call);
    }
}

fn direction_of(event: &CallEvent) -> Option<Direction> {
    if let CallEvent::Started { direction, .. } = event { Some(*direction) } else { None }
}

fn finish_of(event: &CallEvent) -> Option<Finish> {
    if let CallEvent::Ended { finish, .. } = event { Some(finish.clone()) } else { None }
}
