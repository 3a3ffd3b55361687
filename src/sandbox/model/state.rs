//! What outlives a connection and is shared by all: counters of projects, fault rules, handles, reports.
//!
//! One lock, held only to look something up or write it down, never while a message is judged or sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, mpsc};

use super::admission::{Admission, Credentials, Denial, Identity, Project, Welcome};
use super::faults::{Fault, FaultPlan, FaultRule, Faults, Scope};
use super::handles::{Handles, Memory, Resumption};
use super::marker::Marker;
use super::report::SessionReport;
use super::session::Session;
use super::settings::{ModelSettings, bounded_ms};
use super::timing::SessionTiming;

pub(super) struct State {
    pub(super) settings: Arc<ModelSettings>,
    /// Tells that some session has moved on.
    pub(super) moved: Notify,
    shared: Mutex<Shared>,
}

struct Shared {
    admission: Admission,
    plan: FaultPlan,
    handles: Handles,
    connections: u64,
    next_marker: u16,
    live: BTreeMap<u64, Live>,
    past: VecDeque<SessionReport>,
}

/// A running session, as seen from outside of its connection.
#[derive(Clone)]
struct Live {
    identity: Identity,
    session: Arc<Mutex<Session>>,
    commands: mpsc::Sender<Fault>,
    marker: Option<Marker>,
}

/// What a new connection is given.
pub(super) struct Admitted {
    pub(super) identity: Identity,
    pub(super) session: Arc<Mutex<Session>>,
    pub(super) commands: mpsc::Receiver<Fault>,
}

const MAX_PAST_REPORTS: usize = 1_024;
/// Older reports lose their audio.
const MAX_PAST_AUDIO: usize = 64;
const MAX_WAITING_COMMANDS: usize = 8;

/// A lock that a panicking test left behind still guards sound data: every change here is complete in itself.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(super) fn new(settings: ModelSettings) -> Self {
        let shared = Shared {
            admission: Admission::default(),
            plan: FaultPlan::new(settings.faults.clone()),
            handles: Handles::new(bounded_ms(settings.limits.handle_life_ms)),
            connections: 0,
            next_marker: 0,
            live: BTreeMap::new(),
            past: VecDeque::new(),
        };
        Self { settings: Arc::new(settings), moved: Notify::new(), shared: Mutex::new(shared) }
    }

    /// Counts a connection and draws its faults.
    pub(super) fn arrive(&self, credentials: &Credentials) -> (u64, Faults) {
        let mut shared = lock(&self.shared);
        shared.connections += 1;
        let number = shared.connections;
        (number, shared.plan.draw(number, &credentials.fingerprint, &credentials.project))
    }

    /// Takes a place for the connection; [`State::leave`] gives it back.
    pub(super) fn admit(
        &self,
        number: u64,
        credentials: Credentials,
        faults: Faults,
        now: Instant,
    ) -> Result<Admitted, Denial> {
        let mut shared = lock(&self.shared);
        if let Some(status) = faults.upgrade_status() {
            return Err(Denial::usual(status));
        }
        let welcome: Welcome = shared.admission.admit(&credentials, &self.settings, now)?;
        let identity = Identity {
            session: format!("s-{number}"),
            connection: number,
            key_hint: credentials.key_hint,
            key_fingerprint: credentials.fingerprint,
            project: credentials.project,
        };
        let session = Session::new(Arc::clone(&self.settings), identity.clone(), welcome, faults);
        let session = Arc::new(Mutex::new(session));
        let (sender, commands) = mpsc::channel(MAX_WAITING_COMMANDS);
        let live = Live {
            identity: identity.clone(),
            session: Arc::clone(&session),
            commands: sender,
            marker: None,
        };
        shared.live.insert(number, live);
        Ok(Admitted { identity, session, commands })
    }

    /// Looks the handle up and picks a marker: the wanted one, else the resumed session's, else the next free one.
    pub(super) fn open(
        &self,
        identity: &Identity,
        wanted: Option<Marker>,
        handle: Option<&str>,
        model: &str,
        now: Instant,
    ) -> (Marker, Option<Resumption>) {
        let mut shared = lock(&self.shared);
        let resumption = handle.map(|handle| shared.handles.resume(handle, &identity.project, model, now));
        let former = match &resumption {
            Some(Resumption::Restored(memory)) => {
                Some(memory.marker).filter(|marker| shared.is_free(*marker))
            }
            Some(Resumption::Refused(_) | Resumption::Poisoned) | None => None,
        };
        let marker = wanted.or(former).unwrap_or_else(|| shared.free_marker());
        if let Some(live) = shared.live.get_mut(&identity.connection) {
            live.marker = Some(marker);
        }
        (marker, resumption)
    }

    pub(super) fn keep(&self, session: &str, name: String, memory: Memory) {
        lock(&self.shared).handles.keep(session, name, memory);
    }

    /// Gives the place back and keeps the report; only the first time counts.
    pub(super) fn leave(&self, identity: &Identity, now: Instant) {
        let Some(gone) = lock(&self.shared).live.remove(&identity.connection) else { return };
        let report = gone.report();
        let mut shared = lock(&self.shared);
        shared.admission.release(&identity.project);
        shared.handles.connection_ended(&identity.session, now);
        shared.past.push_back(report);
        if shared.past.len() > MAX_PAST_REPORTS {
            shared.past.pop_front();
        }
        let silenced = shared.past.len().checked_sub(MAX_PAST_AUDIO + 1);
        if let Some(report) = silenced.and_then(|index| shared.past.get_mut(index)) {
            report.audio = Arc::from([]);
        }
        drop(shared);
        self.moved.notify_waiters();
    }

    /// All sessions in the order they came, with their audio.
    pub(super) fn reports(&self) -> Vec<SessionReport> {
        self.describe_all(Live::report)
    }

    /// The same without the audio of those that run, which is much to copy.
    pub(super) fn summaries(&self) -> Vec<SessionReport> {
        self.describe_all(|live| lock(&live.session).report())
    }

    /// When what happened in every session.
    pub(super) fn timing(&self) -> Vec<SessionTiming> {
        let (mut timing, live) = {
            let shared = lock(&self.shared);
            let past = shared.past.iter().map(|report| report.timing.clone()).collect::<Vec<_>>();
            (past, shared.live.values().cloned().collect::<Vec<_>>())
        };
        timing.extend(live.iter().map(|live| lock(&live.session).timing()));
        timing
    }

    fn describe_all(&self, describe: impl Fn(&Live) -> SessionReport) -> Vec<SessionReport> {
        let (mut reports, live) = {
            let shared = lock(&self.shared);
            (
                shared.past.iter().cloned().collect::<Vec<_>>(),
                shared.live.values().cloned().collect::<Vec<_>>(),
            )
        };
        reports.extend(live.iter().map(describe));
        reports.sort_by_key(|report| report.connection);
        reports
    }

    /// The caller's audio kept so far, which is then forgotten; `None` if that connection is not alive.
    pub(super) fn take_audio(&self, connection: u64) -> Option<Vec<i16>> {
        let session = Arc::clone(&lock(&self.shared).live.get(&connection)?.session);
        Some(lock(&session).take_audio())
    }

    pub(super) fn open_sessions(&self) -> usize {
        lock(&self.shared).live.len()
    }

    pub(super) fn projects(&self) -> BTreeMap<String, Project> {
        lock(&self.shared).admission.projects().clone()
    }

    pub(super) fn fault_rules(&self) -> Vec<FaultRule> {
        lock(&self.shared).plan.rules().to_vec()
    }

    /// Replaces the rules; those that name a running session befall it now. Gives the sessions not found.
    pub(super) fn set_faults(&self, rules: Vec<FaultRule>) -> Vec<String> {
        let (mut lasting, mut not_found) = (Vec::new(), Vec::new());
        for rule in rules {
            match rule.scope {
                Scope::Session(id) if self.inject(&id, rule.fault.clone()) => {}
                Scope::Session(id) => not_found.push(id),
                Scope::All | Scope::Key(_) | Scope::Project(_) | Scope::Connection(_) => lasting.push(rule),
            }
        }
        lock(&self.shared).plan = FaultPlan::new(lasting);
        not_found
    }

    pub(super) fn inject(&self, session: &str, fault: Fault) -> bool {
        let shared = lock(&self.shared);
        let live = shared.live.values().find(|live| live.identity.session == session);
        live.is_some_and(|live| live.commands.try_send(fault).is_ok())
    }
}

impl Live {
    fn report(&self) -> SessionReport {
        let session = lock(&self.session);
        SessionReport { audio: session.audio().into(), ..session.report() }
    }
}

impl Shared {
    fn is_free(&self, marker: Marker) -> bool {
        self.live.values().all(|live| live.marker != Some(marker))
    }

    /// The next in turn of those above a voice, then the deeper ones; once all are taken, sessions must share.
    fn free_marker(&mut self) -> Marker {
        let in_turn = (0..Marker::OVER_SPEECH).map(|step| (self.next_marker + step) % Marker::OVER_SPEECH);
        let candidates = in_turn.chain(Marker::OVER_SPEECH..Marker::COUNT).map(Marker::number);
        let marker = candidates
            .into_iter()
            .find(|marker| self.is_free(*marker))
            .unwrap_or(Marker::number(self.next_marker));
        self.next_marker = (marker.index() + 1) % Marker::OVER_SPEECH;
        marker
    }
}
