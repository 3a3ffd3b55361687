//! The settings themselves; what each means to an operator stands in `config/clearline.toml`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access::TicketLimits;
use crate::domain::{
    GatewayId, Network, Sealing, Secret, Subscriber, UserId, VoiceAgent, VoiceAgentId, WrongSealingKey,
};
use crate::keys::{KeyLimits, KeyPool};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub sip: Sip,
    pub media: Media,
    pub voice: Voice,
    pub keys: Keys,
    pub secrets: Secrets,
    pub calls: Calls,
    pub tools: Tools,
    pub store: Store,
    pub node: Node,
    pub recording: Recording,
    pub crm: Crm,
    pub notifications: Notifications,
    pub log: Log,
    pub http: Http,
    pub sessions: Sessions,
    /// Which user and persona answer a called number; the key is the number as it is dialled.
    pub numbers: BTreeMap<String, NumberRoute>,
    pub voice_agents: Vec<VoiceAgent>,
    /// GOOGLE_API_KEY, _2, … of the environment; never in the file.
    #[serde(skip)]
    pub google_keys: KeyPool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    pub listen: SocketAddr,
    /// What far ends are told instead of `listen`, behind a NAT.
    pub advertise: Option<SocketAddr>,
    pub ring_timeout_s: u64,
    /// Who may call in besides registered gateways.
    pub allowed_sources: Vec<Network>,
    pub gateways: Vec<Gateway>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    pub name: GatewayId,
    /// `host:port`
    pub address: String,
    /// `None`: the host of `address`.
    pub domain: Option<String>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    #[serde(default)]
    pub register: bool,
    #[serde(default = "default_expires_s")]
    pub expires_s: u64,
    /// Audio may come from any host (SPEC R4); off for trunks with public media.
    #[serde(default)]
    pub any_media_host: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    pub bind: IpAddr,
    pub advertise: Option<IpAddr>,
    pub port_min: u16,
    pub port_max: u16,
    /// 0: half the cores.
    pub threads: usize,
    pub no_rtp_timeout_s: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Voice {
    pub url: String,
    pub version: String,
    pub model: String,
    pub connect_timeout_ms: u64,
    pub setup_timeout_ms: u64,
    /// Lets `url` be `ws://`: the key then travels unprotected.
    pub allow_insecure_url: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    pub sessions_per_project: u32,
    pub reserved_for_holder: u32,
}

impl Keys {
    pub fn limits(&self) -> KeyLimits {
        KeyLimits {
            sessions_per_project: self.sessions_per_project,
            reserved_for_holder: self.reserved_for_holder,
            ..KeyLimits::default()
        }
    }
}

/// What seals the secrets of the store (SPEC L3).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// `None`: secrets are stored as they are.
    pub encryption_key: Option<Secret>,
    /// Only open what they sealed once.
    pub encryption_keys_old: Vec<Secret>,
}

impl Secrets {
    pub fn sealing(&self) -> Result<Sealing, WrongSealingKey> {
        let newest = self.encryption_key.iter();
        Sealing::new(newest.chain(&self.encryption_keys_old))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    pub max_calls: usize,
    /// Who owns an inbound call to a number without an owner (SPEC K5).
    pub default_owner_id: Option<UserId>,
    pub silence_timeout_s: u64,
    pub max_call_s: u64,
    /// How long running calls may go on once the engine is told to stop.
    pub stop_limit_s: u64,
}

impl Calls {
    pub fn stop_limit(&self) -> Duration {
        Duration::from_secs(self.stop_limit_s)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tools {
    /// Whether a voice agent's webhooks may lead into private networks and to this machine.
    pub allow_private_addresses: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The embedded store's file.
    pub path: PathBuf,
    /// A MongoDB instead; a secret, because a password may stand in it.
    pub url: Option<Secret>,
    pub answer_limit_ms: u64,
}

/// This engine among those that share its store (SPEC S6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// `None`: `nodes` beside the embedded store's file.
    pub dir: Option<PathBuf>,
    pub beat_ms: u64,
    pub dead_after_ms: u64,
    pub journal_max_mb: u64,
}

const LONGEST_BETWEEN_LOOKS: Duration = Duration::from_secs(5);

impl Node {
    pub fn beat(&self) -> Duration {
        Duration::from_millis(self.beat_ms)
    }

    pub fn dead_after(&self) -> Duration {
        Duration::from_millis(self.dead_after_ms)
    }

    /// How often what lies in the outbox is looked at: others must be seen often enough to be taken for dead in time.
    pub fn look_every(&self) -> Duration {
        LONGEST_BETWEEN_LOOKS.min(self.dead_after() / 3)
    }

    pub fn journal_max_bytes(&self) -> u64 {
        self.journal_max_mb * 1_000_000
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recording {
    pub enabled: bool,
    pub dir: PathBuf,
    /// How much of one core may make Opus files of what was recorded.
    pub encoder_core_percent: u32,
    /// 0: until the disk is full.
    pub keep_days: u64,
    pub warn_free_mb: u64,
    pub min_free_mb: u64,
}

impl Recording {
    pub fn keep(&self) -> Option<Duration> {
        (self.keep_days > 0).then(|| Duration::from_secs(self.keep_days * 86_400))
    }
}

/// Where calls are told of once they are over (SPEC U4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Crm {
    /// `None`: what is due waits in the outbox.
    pub base_url: Option<String>,
    pub api_token: Option<Secret>,
    pub upload_path: String,
    pub call_data_path: String,
    pub file_field: String,
    pub parallel: u64,
    /// Call data that went without its recording is sent again with it.
    pub amend: bool,
    pub connect_timeout_ms: u64,
    pub answer_timeout_ms: u64,
    pub upload_timeout_s: u64,
    /// How long an engine that stops goes on telling what is due.
    pub flush_limit_s: u64,
    /// An upload that is done is forgotten after so long.
    pub keep_days: u64,
    /// Whom the CRM's certificate must be signed by; `None`: whom the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Lets `base_url` be `http://`: what was said, and the token, then travel unprotected.
    pub allow_insecure_url: bool,
}

impl Crm {
    pub fn flush_limit(&self) -> Duration {
        Duration::from_secs(self.flush_limit_s)
    }

    pub fn keep(&self) -> Duration {
        Duration::from_secs(self.keep_days * 86_400)
    }
}

/// Events of calls, posted to whoever has asked for them (SPEC I10).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notifications {
    /// For each subscriber at the same time.
    pub parallel: u64,
    pub answer_timeout_ms: u64,
    /// What a subscriber has not taken for so long is parked.
    pub give_up_after_h: u64,
    /// What is delivered or parked is forgotten after so long.
    pub keep_days: u64,
    /// Lets a `url` lead into private networks and to this machine.
    pub allow_private_addresses: bool,
    /// Lets a `url` be `http://`: phone numbers then travel unprotected.
    pub allow_insecure_url: bool,
    pub subscribers: Vec<Subscriber>,
}

impl Notifications {
    pub fn answer_limit(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }

    pub fn give_up_after(&self) -> Duration {
        Duration::from_secs(self.give_up_after_h * 3_600)
    }

    pub fn keep(&self) -> Duration {
        Duration::from_secs(self.keep_days * 86_400)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub level: LogLevel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Human,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    pub listen: SocketAddr,
    /// PEM files, both or none.
    pub certificate: Option<PathBuf>,
    pub private_key: Option<PathBuf>,
    pub allowed_origins: Vec<String>,
    pub trusted_proxies: Vec<Network>,
    /// For each client address; 0: no limit.
    pub requests_per_s: u32,
}

/// How long somebody stays logged in (SPEC O3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    pub idle_s: u64,
    pub longest_s: u64,
}

impl Sessions {
    pub fn limits(&self) -> TicketLimits {
        TicketLimits { idle: Duration::from_secs(self.idle_s), longest: Duration::from_secs(self.longest_s) }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberRoute {
    /// The owner's user name.
    pub owner: String,
    #[serde(default = "default_voice_agent")]
    pub voice_agent: VoiceAgentId,
}

impl Settings {
    /// Where the engines of this machine keep what is theirs alone.
    pub fn node_dir(&self) -> PathBuf {
        let beside_the_store = || self.store.path.with_file_name("nodes");
        self.node.dir.clone().unwrap_or_else(beside_the_store)
    }

    /// An engine that ends may not have idle slots left when others take it for dead.
    pub fn key_limits(&self) -> KeyLimits {
        let limits = self.keys.limits();
        KeyLimits { idle_max: limits.idle_max.min(self.node.dead_after() / 3), ..limits }
    }

    /// Those that the file describes, and the built-in one; the first answers where none is named.
    pub fn known_voice_agents(&self) -> Vec<VoiceAgent> {
        let built_in = VoiceAgent::default();
        let mut known = self.voice_agents.clone();
        if known.iter().all(|agent| agent.id != built_in.id) {
            known.push(built_in);
        }
        known
    }

    /// A persona by its id.
    pub fn voice_agent(&self, id: &VoiceAgentId) -> Option<VoiceAgent> {
        self.known_voice_agents().into_iter().find(|agent| agent.id == *id)
    }
}

fn default_voice_agent() -> VoiceAgentId {
    VoiceAgent::default().id
}

fn default_expires_s() -> u64 {
    300
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060)),
            advertise: None,
            ring_timeout_s: 60,
            allowed_sources: Vec::new(),
            gateways: Vec::new(),
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            advertise: None,
            port_min: 16_384,
            port_max: 32_767,
            threads: 0,
            no_rtp_timeout_s: 30,
        }
    }
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            url: "wss://generativelanguage.googleapis.com".into(),
            version: "v1beta".into(),
            model: "gemini-3.8-live".into(),
            connect_timeout_ms: 5_000,
            setup_timeout_ms: 10_000,
            allow_insecure_url: false,
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        let limits = KeyLimits::default();
        Self {
            sessions_per_project: limits.sessions_per_project,
            reserved_for_holder: limits.reserved_for_holder,
        }
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            max_calls: 500,
            default_owner_id: None,
            silence_timeout_s: 60,
            max_call_s: 3_600,
            stop_limit_s: 30,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { path: "data/clearline.db".into(), url: None, answer_limit_ms: 5_000 }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self { dir: None, beat_ms: 5_000, dead_after_ms: 30_000, journal_max_mb: 64 }
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            enabled: true,
            dir: "data/recordings".into(),
            encoder_core_percent: 50,
            keep_days: 0,
            warn_free_mb: 5_000,
            min_free_mb: 500,
        }
    }
}

impl Default for Crm {
    fn default() -> Self {
        Self {
            base_url: None,
            api_token: None,
            upload_path: "/upload".into(),
            call_data_path: "/call-data".into(),
            file_field: "file".into(),
            parallel: 4,
            amend: true,
            connect_timeout_ms: 5_000,
            answer_timeout_ms: 30_000,
            upload_timeout_s: 300,
            flush_limit_s: 10,
            keep_days: 90,
            ca_file: None,
            allow_insecure_url: false,
        }
    }
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            parallel: 4,
            answer_timeout_ms: 15_000,
            give_up_after_h: 72,
            keep_days: 14,
            allow_private_addresses: false,
            allow_insecure_url: false,
            subscribers: Vec::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: LogLevel::Info }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            certificate: None,
            private_key: None,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            requests_per_s: 500,
        }
    }
}

/// A working day without a request, and a week in all.
impl Default for Sessions {
    fn default() -> Self {
        Self { idle_s: 28_800, longest_s: 604_800 }
    }
}
