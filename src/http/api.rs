//! What every handler works with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::accounts::{Accounts, Staff};
use crate::actors::key_pool::AskPool;
use crate::actors::{Directory, EventStream, Readiness, Tuning};
use crate::catalogue::Catalogue;
use crate::clock;
use crate::domain::{Gate, Network, Rate};
use crate::keys::KeyPool;
use crate::store::{Callbacks, Calls, IdempotencyKeys, Leads, Notifications, Outbox, Recordings, Store};

use super::problem::{Code, Problem};

/// What the settings say about HTTP.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    /// Certificate and private key, both PEM files; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Other sites whose pages may call the API, as `https://crm.example.com`.
    pub allowed_origins: Vec<String>,
    /// Who may say in `X-Forwarded-For` whom a request comes from.
    pub trusted_proxies: Vec<Network>,
    /// How long a browser keeps its cookie.
    pub session: Duration,
}

#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

/// A client may send this many times its rate at once.
const BURST: u32 = 2;
const CLIENTS_REMEMBERED_MAX: usize = 10_000;

/// Reads the Google keys again where they were read at the start (SPEC K1); the text tells why that was not possible.
pub type LoadKeys = Arc<dyn Fn() -> Result<KeyPool, String> + Send + Sync>;

/// Clones share everything.
#[derive(Clone)]
pub struct Api {
    pub staff: Staff,
    pub catalogue: Catalogue,
    pub store: Store,
    /// `None`: this engine has none.
    pub recordings: Option<Recordings>,
    pub directory: Directory,
    pub events: EventStream,
    pub readiness: Readiness,
    pub load_keys: LoadKeys,
    /// The settings that change while the engine runs.
    pub tuning: Tuning,
    pub settings: Arc<HttpSettings>,
}

impl Api {
    pub(super) fn accounts(&self) -> &Accounts {
        &self.staff.accounts
    }

    pub(super) fn calls(&self) -> Calls {
        Calls::new(self.store.clone())
    }

    pub(super) fn leads(&self) -> Leads {
        Leads::new(self.store.clone())
    }

    pub(super) fn callbacks(&self) -> Callbacks {
        Callbacks::new(self.store.clone())
    }

    pub(super) fn outbox(&self) -> Outbox {
        Outbox::new(self.store.clone())
    }

    pub(super) fn notifications(&self) -> Notifications {
        Notifications::new(self.store.clone())
    }

    pub(super) fn idempotency(&self) -> IdempotencyKeys {
        IdempotencyKeys::new(self.store.clone())
    }

    /// The keys as they were read last.
    pub(super) async fn key_pool(&self) -> Result<KeyPool, Problem> {
        let keys = self.directory.keys().ok_or_else(part_missing)?;
        keys.send(AskPool).await.map_err(|_| part_missing())
    }
}

/// A service is being restarted at this moment.
pub(super) fn part_missing() -> Problem {
    Problem::new(Code::Unavailable, "a part of the engine is being restarted; try again")
        .retry_after(Duration::ZERO)
}

/// How often each client may ask, as `http.requests_per_s` has it at this moment. One table for all workers, held for a look
/// and never across an await.
#[derive(Clone)]
pub(super) struct Turnstile {
    tuning: Tuning,
    gate: Arc<Mutex<RatedGate>>,
}

struct RatedGate {
    requests_per_s: u32,
    gate: Gate,
}

impl Turnstile {
    pub(super) fn new(tuning: Tuning) -> Self {
        let gate = RatedGate::new(tuning.current().settings.http.requests_per_s);
        Self { tuning, gate: Arc::new(Mutex::new(gate)) }
    }

    pub(super) fn admits(&self, client: std::net::IpAddr) -> bool {
        let requests_per_s = self.tuning.current().settings.http.requests_per_s;
        if requests_per_s == 0 {
            return true;
        }
        let (mut rated, now) = (self.gate.lock().unwrap_or_else(PoisonError::into_inner), clock::now());
        if rated.requests_per_s != requests_per_s {
            *rated = RatedGate::new(requests_per_s);
        }
        let gate = &mut rated.gate;
        if gate.next_timeout().is_some_and(|due| due <= now) {
            gate.handle_timeout(now);
        }
        gate.admit(client, now)
    }
}

impl RatedGate {
    fn new(requests_per_s: u32) -> Self {
        let rate = Rate { per_second: requests_per_s, burst: requests_per_s.saturating_mul(BURST) };
        Self { requests_per_s, gate: Gate::new(rate, CLIENTS_REMEMBERED_MAX) }
    }
}
