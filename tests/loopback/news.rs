//! What the engine tells of its calls, kept from the beginning, so that a test cannot ask too late.

use std::sync::Arc;

use clearline::actors::events::{CallEvent, EngineEvent};
use clearline::call::Finish;
use clearline::domain::CallId;
use tokio::sync::broadcast;

use crate::watched::Watched;

#[derive(Clone, Default)]
pub(crate) struct News(Arc<Watched<Vec<(CallId, CallEvent)>>>);

impl News {
    /// The call that this user had as the `nth`, from 0.
    pub(crate) async fn call_of(&self, user: &str, nth: usize) -> CallId {
        let of_user = |(call, event): &(CallId, CallEvent)| {
            matches!(event, CallEvent::Started { owner, .. } if owner == user).then(|| call.clone())
        };
        let find = |news: &Vec<_>| news.iter().filter_map(of_user).nth(nth);
        self.0.until(&format!("call {nth} of {user} starts"), find).await
    }

    /// Waits for an event of this call.
    pub(crate) async fn event<T>(
        &self,
        call: &CallId,
        what: &str,
        find: impl Fn(&CallEvent) -> Option<T>,
    ) -> T {
        let of_call = |news: &Vec<(CallId, CallEvent)>| {
            news.iter().filter(|(of, _)| of == call).find_map(|(_, event)| find(event))
        };
        self.0.until(what, of_call).await
    }

    pub(crate) fn events_of(&self, call: &CallId) -> Vec<CallEvent> {
        self.0.look(|news| news.iter().filter(|(of, _)| of == call).map(|(_, event)| event.clone()).collect())
    }

    pub(crate) async fn greeted(&self, call: &CallId) {
        self.event(call, "the greeting is played", |event| {
            matches!(event, CallEvent::GreetingPlayed).then_some(())
        })
        .await;
    }

    pub(crate) async fn ended(&self, call: &CallId) -> Finish {
        self.event(call, "the call ends", finish_of).await
    }

    /// The last word of a call that never started.
    pub(crate) async fn refused(&self) -> Finish {
        let find = |news: &Vec<(CallId, CallEvent)>| {
            let started = |id: &CallId| {
                news.iter().any(|(call, event)| call == id && matches!(event, CallEvent::Started { .. }))
            };
            news.iter().filter(|(call, _)| !started(call)).find_map(|(_, event)| finish_of(event))
        };
        self.0.until("a call is refused", find).await
    }
}

fn finish_of(event: &CallEvent) -> Option<Finish> {
    if let CallEvent::Ended { finish, .. } = event { Some(finish.clone()) } else { None }
}

pub(crate) async fn gather(mut news: broadcast::Receiver<EngineEvent>, kept: News) {
    while let Ok(event) = news.recv().await {
        if let EngineEvent::Call { call, event, .. } = event {
            kept.0.change(|kept| kept.push((call, event)));
        }
    }
}
