//! Live events as server-sent events (SPEC I2): of the calls that whoever listens may see.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::web::Bytes;
use actix_web::{HttpResponse, get, web};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::at_most;
use super::super::caller::Who;
use super::super::problem::{Code, Problem};
use super::super::query::Asked;
use super::calls::{DirectionName, RoleInTalk};
use super::recordings::RecordingStateName;
use crate::access::Scope;
use crate::accounts::{Accounts, Caller};
use crate::actors::Ownership;
use crate::actors::events::{CallEvent, EngineEvent, said_by};
use crate::clock;
use crate::domain::UserId;

/// Somebody with more pages open than this has forgotten some.
const STREAMS_PER_USER_MAX: usize = 20;
/// Keeps proxies from closing the connection, and finds out who has gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A session that has ended hears nothing any more after this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(events);
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only of this call.
    #[param(max_length = 200)]
    #[serde(default, deserialize_with = "at_most::<_, 200>")]
    call: Option<String>,
}

/// Something that happened in a call.
#[derive(Serialize, ToSchema)]
struct News {
    call_id: String,
    #[schema(format = DateTime)]
    at: String,
    #[serde(flatten)]
    what: What,
}

#[derive(Serialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
enum What {
    Started {
        direction: DirectionName,
        number: String,
        owner: String,
        key_hint: String,
    },
    Ringing,
    Answered,
    GreetingPlayed,
    /// Something was said.
    Said {
        role: RoleInTalk,
        content: String,
        interrupted: bool,
    },
    Digit {
        digit: char,
    },
    ToolCalled {
        name: String,
    },
    /// The person interrupted the voice.
    Interrupted,
    Held {
        held: bool,
    },
    /// Somebody has started, stopped, paused or resumed the recording.
    Recording {
        state: RecordingStateName,
    },
    /// The connection to the voice model was lost and is being taken up again.
    ModelReconnecting,
    /// A fault of the engine's; the call goes on.
    Rebuilding {
        attempt: usize,
    },
    Ended {
        outcome: String,
        reason: String,
        has_recording: bool,
    },
}

/// Live events
///
/// A stream of server-sent events: the event's name is that in `event`, its data one JSON object. What happened before is in the
/// call's record. After `lagged` events are missing: read what you show again. It ends with the session, and when the
/// engine stops; a browser connects again by itself.
#[utoipa::path(tag = "calls", params(Wanted), responses(
    (status = 200, description = "A stream that does not end", body = News, content_type = "text/event-stream"),
))]
#[get("/api/events")]
async fn events(
    api: web::Data<Api>,
    streams: web::Data<Streams>,
    who: Who,
    Asked(wanted): Asked<Wanted>,
) -> Result<HttpResponse, Problem> {
    let Some(place) = streams.place_for(&who.identity().user_id) else {
        let many =
            format_args!("{STREAMS_PER_USER_MAX} streams of events are the most for one user; close one");
        return Err(Problem::new(Code::TooManyRequests, many).retry_after(HEARTBEAT));
    };
    let listener = Listener {
        news: api.events.listen(),
        scope: who.identity().records(),
        call: wanted.call,
        accounts: api.accounts().clone(),
        caller: who.0,
        closing: streams.closing.clone(),
        heartbeat_at: Instant::now() + clock::timer_for(HEARTBEAT),
        look_at: Instant::now() + clock::timer_for(LOOK_EVERY),
        _place: place,
    };
    let hello = stream::once(async { Ok(Bytes::from_static(b": listening\n\n")) });
    let rest = stream::unfold(listener, |mut listener| async {
        let text = listener.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), listener))
    });
    let answer = HttpResponse::Ok()
        .content_type("text/event-stream")
        .streaming(futures_util::StreamExt::chain(hello, rest));
    Ok(answer)
}

/// Who listens, by user; shared by all workers and held for a look only.
#[derive(Clone)]
pub(in super::super) struct Streams {
    open: Arc<Mutex<HashMap<UserId, usize>>>,
    closing: watch::Receiver<bool>,
}

impl Streams {
    /// `closing` turns true when all are to end.
    pub(in super::super) fn new(closing: watch::Receiver<bool>) -> Self {
        Self { open: Arc::default(), closing }
    }

    fn place_for(&self, user: &UserId) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(user.clone()).or_default();
        if *count >= STREAMS_PER_USER_MAX {
            return None;
        }
        *count += 1;
        Some(Place { user: user.clone(), open: Arc::clone(&self.open) })
    }
}

/// Given back when the stream ends, however it does.
struct Place {
    user: UserId,
    open: Arc<Mutex<HashMap<UserId, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

struct Listener {
    news: broadcast::Receiver<EngineEvent>,
    scope: Scope,
    call: Option<String>,
    accounts: Accounts,
    caller: Caller,
    closing: watch::Receiver<bool>,
    heartbeat_at: Instant,
    look_at: Instant,
    _place: Place,
}

impl Listener {
    /// The next piece of the stream; `None`: it is over.
    async fn next(&mut self) -> Option<String> {
        loop {
            let heard = tokio::select! {
                heard = self.news.recv() => heard,
                () = sleep_until(self.look_at) => {
                    self.look_at = Instant::now() + clock::timer_for(LOOK_EVERY);
                    if !self.may_stay().await {
                        return None;
                    }
                    continue;
                }
                () = sleep_until(self.heartbeat_at) => {
                    self.heartbeat_at = Instant::now() + clock::timer_for(HEARTBEAT);
                    return Some(": still here\n\n".to_owned());
                }
                _ = self.closing.changed() => return None,
            };
            match heard {
                Ok(EngineEvent::Call { call, of, event }) => {
                    let is_wanted = self.call.as_ref().is_none_or(|wanted| wanted == call.as_str());
                    if is_wanted && is_for(&self.scope, &of) {
                        return Some(written(&News {
                            call_id: call.to_string(),
                            at: clock::unix_time().to_string(),
                            what: What::from(event),
                        }));
                    }
                }
                Ok(EngineEvent::Registration { .. }) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    return Some("event: lagged\ndata: {}\n\n".to_owned());
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// A store that does not answer throws nobody out.
    async fn may_stay(&self) -> bool {
        self.accounts.is_still_in(&self.caller).await.unwrap_or(true)
    }
}

fn is_for(scope: &Scope, of: &Ownership) -> bool {
    match scope {
        Scope::Owner(user) => of.owner_id.as_ref() == Some(user),
        Scope::Tenant(tenant) => of.tenant_id.as_ref() == Some(tenant),
        Scope::Everything | Scope::Nothing => false,
    }
}

/// JSON has no line breaks of its own, so one line of data is enough.
fn written(news: &News) -> String {
    let data = serde_json::to_value(news).unwrap_or_default();
    let name = data.get("event").and_then(serde_json::Value::as_str).unwrap_or("call").to_owned();
    format!("event: {name}\ndata: {data}\n\n")
}

impl From<CallEvent> for What {
    fn from(event: CallEvent) -> Self {
        match event {
            CallEvent::Started { direction, number, owner, key_hint } => Self::Started {
                direction: direction.into(),
                number: number.expose().to_owned(),
                owner,
                key_hint,
            },
            CallEvent::Ringing => Self::Ringing,
            CallEvent::Answered => Self::Answered,
            CallEvent::GreetingPlayed => Self::GreetingPlayed,
            CallEvent::Said(item) => {
                Self::Said { role: said_by(&item).into(), interrupted: item.interrupted, content: item.text }
            }
            CallEvent::Digit(digit) => Self::Digit { digit },
            CallEvent::ToolCalled { name } => Self::ToolCalled { name },
            CallEvent::Interrupted => Self::Interrupted,
            CallEvent::Held(held) => Self::Held { held },
            CallEvent::RecordingChanged(state) => Self::Recording { state: state.into() },
            CallEvent::ModelReconnecting => Self::ModelReconnecting,
            CallEvent::Rebuilding { attempt } => Self::Rebuilding { attempt },
            CallEvent::Ended { finish, recording } => Self::Ended {
                outcome: finish.outcome.as_str().to_owned(),
                reason: finish.reason,
                has_recording: recording.is_some(),
            },
        }
    }
}
