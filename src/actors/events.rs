//! What happens in the engine, told live to whoever listens: a terminal, a test, later the web.

use tokio::sync::broadcast;

use crate::call::Finish;
use crate::domain::{
    CallId, CallRecord, Direction, GatewayId, PhoneNumber, RecordingState, Speaker, TenantId, User, UserId,
};
use crate::sip::registration::RegistrationState;
use crate::voice::{Speaker as Voice, TranscriptItem};

/// A listener that falls further behind than this loses the oldest events and is told so.
const EVENTS_KEPT: usize = 16_384;

#[derive(Debug, Clone)]
pub enum EngineEvent {
    Registration { gateway: GatewayId, state: RegistrationState },
    Call { call: CallId, of: Ownership, event: CallEvent },
}

/// Whose call it is, as far as that is known: who may hear of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    pub owner_id: Option<UserId>,
    pub tenant_id: Option<TenantId>,
}

impl From<&CallRecord> for Ownership {
    fn from(record: &CallRecord) -> Self {
        Self { owner_id: record.owner_id.clone(), tenant_id: record.tenant_id.clone() }
    }
}

impl From<&User> for Ownership {
    fn from(owner: &User) -> Self {
        Self { owner_id: Some(owner.id.clone()), tenant_id: owner.tenant_id.clone() }
    }
}

#[derive(Debug, Clone)]
pub enum CallEvent {
    Started {
        direction: Direction,
        number: PhoneNumber,
        owner: String,
        key_hint: String,
    },
    Ringing,
    Answered,
    GreetingPlayed,
    Said(TranscriptItem),
    Digit(char),
    ToolCalled {
        name: String,
    },
    Interrupted,
    Held(bool),
    RecordingChanged(RecordingState),
    ModelReconnecting,
    /// The session crashed and is being rebuilt for the given time.
    Rebuilding {
        attempt: usize,
    },
    Ended {
        finish: Finish,
        recording: Option<String>,
    },
}

/// In the words of records.
pub fn said_by(item: &TranscriptItem) -> Speaker {
    match item.speaker {
        Voice::Caller => Speaker::User,
        Voice::Model => Speaker::Assistant,
    }
}

/// The sending side; cheap to clone. Sending never waits, and without listeners costs nothing.
#[derive(Clone)]
pub struct EventStream(broadcast::Sender<EngineEvent>);

impl EventStream {
    pub fn new() -> Self {
        Self(broadcast::Sender::new(EVENTS_KEPT))
    }

    pub fn listen(&self) -> broadcast::Receiver<EngineEvent> {
        self.0.subscribe()
    }

    pub fn tell(&self, event: EngineEvent) {
        // An error only means that nobody listens.
        drop(self.0.send(event));
    }

    pub fn tell_call(&self, call: &CallId, of: Ownership, event: CallEvent) {
        self.tell(EngineEvent::Call { call: call.clone(), of, event });
    }
}

impl Default for EventStream {
    fn default() -> Self {
        Self::new()
    }
}
