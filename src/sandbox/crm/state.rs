//! What the stand-in has been sent: once for each key, whatever comes twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::clock;
use crate::domain::Timestamp;

use super::faults::{Endpoint, Fault, FaultRule};
use super::form::File;
use super::schema;

/// Beyond these a stand-in that runs for weeks forgets nothing, but takes nothing more either.
const RECORDINGS_MAX: usize = 10_000;
const CALLS_MAX: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceivedRecording {
    pub number: usize,
    pub idempotency_key: String,
    pub file_name: String,
    pub content_type: String,
    pub length: usize,
    pub sha256: String,
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// All that has arrived so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Received {
    pub recordings: Vec<ReceivedRecording>,
    /// The newest call data of each `callId`.
    pub calls: BTreeMap<String, Value>,
    /// Every `Idempotency-Key` that has come, in order, also those that came again.
    pub keys: Vec<String>,
    /// When what is behind a key was taken.
    pub taken: BTreeMap<String, Timestamp>,
}

pub(super) struct State {
    received: Mutex<Received>,
    /// What was answered under each key.
    answered: Mutex<BTreeMap<String, Value>>,
    faults: Mutex<Vec<FaultRule>>,
    pub(super) moved: Notify,
}

/// A status and what is said with it.
pub(super) type Reply = (u16, Value);

impl State {
    pub(super) fn new(faults: Vec<FaultRule>) -> Self {
        Self {
            received: Mutex::default(),
            answered: Mutex::default(),
            faults: Mutex::new(faults),
            moved: Notify::new(),
        }
    }

    pub(super) fn received(&self) -> Received {
        locked(&self.received).clone()
    }

    pub(super) fn recording(&self, number: usize) -> Option<ReceivedRecording> {
        locked(&self.received).recordings.iter().find(|recording| recording.number == number).cloned()
    }

    pub(super) fn set_faults(&self, faults: Vec<FaultRule>) {
        *locked(&self.faults) = faults;
    }

    /// What befalls this request.
    pub(super) fn strike(&self, endpoint: Endpoint) -> Option<Fault> {
        let mut faults = locked(&self.faults);
        faults.iter_mut().find_map(|rule| rule.strike(endpoint).then_some(rule.fault))
    }

    /// `url` is what recordings' addresses begin with.
    pub(super) fn take_recording(&self, key: &str, file: File, url: &str) -> Reply {
        self.once(key, |received| {
            if received.recordings.len() >= RECORDINGS_MAX {
                return (507, json!({ "error": "this stand-in is full" }));
            }
            let number = received.recordings.len() + 1;
            let sha256 = Sha256::digest(&file.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            received.recordings.push(ReceivedRecording {
                number,
                idempotency_key: key.to_owned(),
                file_name: file.name,
                content_type: file.content_type,
                length: file.bytes.len(),
                sha256,
                bytes: file.bytes,
            });
            (201, json!({ "url": format!("{url}/recordings/{number}") }))
        })
    }

    pub(super) fn take_call_data(&self, key: &str, body: &[u8]) -> Reply {
        let call_data: Value = match serde_json::from_slice(body) {
            Ok(call_data) => call_data,
            Err(error) => return (400, json!({ "error": format!("the body is no JSON: {error}") })),
        };
        let faults = schema::faults_in(&call_data);
        let call_id = call_data.pointer("/callDetails/callId").and_then(Value::as_str);
        let Some(call_id) = call_id.filter(|_| faults.is_empty()).map(str::to_owned) else {
            return (422, json!({ "errors": faults }));
        };
        self.once(key, |received| {
            if received.calls.len() >= CALLS_MAX {
                return (507, json!({ "error": "this stand-in is full" }));
            }
            received.calls.insert(call_id.clone(), call_data);
            (200, json!({ "callId": call_id }))
        })
    }

    /// A key that was seen is answered as it was then.
    fn once(&self, key: &str, take: impl FnOnce(&mut Received) -> Reply) -> Reply {
        let mut received = locked(&self.received);
        received.keys.push(key.to_owned());
        let mut answered = locked(&self.answered);
        let reply = match answered.get(key) {
            Some(answer) => (200, answer.clone()),
            None => {
                received.taken.insert(key.to_owned(), clock::unix_time());
                take(&mut received)
            }
        };
        if reply.0 < 300 {
            answered.insert(key.to_owned(), reply.1.clone());
        }
        drop(received);
        self.moved.notify_waiters();
        reply
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
